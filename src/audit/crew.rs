//! The workers of a process, and the thread that tells the state that they are alive.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Options;
use super::bench::{Bench, Watch};
use super::state::{Done, Lease, StateError, Taken};

/// The longest that a worker waits before it asks for work again.
const LONGEST_WAIT: Duration = Duration::from_millis(300);
/// The shortest.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
/// How often a lease is renewed before it would run out.
const BEATS: u32 = 4;

/// What the threads share.
#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    /// Work that is being done.
    held: Vec<Lease>,
    /// Pieces of work that were finished here.
    finished: u64,
    /// Nothing more is to be done.
    is_over: bool,
    /// The first thing that went wrong.
    failed: Option<StateError>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: StateError) {
        let mut inner = self.lock();
        inner.failed.get_or_insert(error);
        inner.is_over = true;
        drop(inner);
        self.changed.notify_all();
    }

    fn over(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Waits for `time`, or until something was finished here after `finished`; gives how much that is by then.
    fn wait(&self, time: Duration, finished: u64) -> u64 {
        let wait = self.changed.wait_timeout_while(self.lock(), time, |inner| !inner.is_over && inner.finished == finished);
        wait.unwrap_or_else(PoisonError::into_inner).0.finished
    }
}

/// Works until nothing is left to be done, here and elsewhere.
pub(super) fn work(bench: &Bench<'_>, options: &Options, watch: &dyn Watch) -> Result<(), StateError> {
    let shared = Shared::default();
    let name = worker_name();
    thread::scope(|scope| {
        let heart = scope.spawn(|| beat(bench, &shared, options.lease));
        let workers: Vec<_> = (0..options.workers.get())
            .map(|number| {
                let (shared, name) = (&shared, format!("{name} {number}"));
                scope.spawn(move || {
                    if let Err(error) = one(bench, shared, &name, options.lease, watch) {
                        shared.fail(error);
                    }
                })
            })
            .collect();
        for worker in workers {
            // What a piece of work does wrong is caught where it is done.
            let _ = worker.join();
        }
        shared.over();
        let _ = heart.join();
    });
    shared.inner.into_inner().unwrap_or_else(PoisonError::into_inner).failed.map_or(Ok(()), Err)
}

/// Tells workers apart, on whatever machine.
fn worker_name() -> String {
    format!("{}-{:016x}", std::process::id(), getrandom::u64().unwrap_or_default())
}

/// One worker.
fn one(bench: &Bench<'_>, shared: &Shared, name: &str, time: Duration, watch: &dyn Watch) -> Result<(), StateError> {
    let (mut wait, mut seen) = (SHORTEST_WAIT, 0);
    loop {
        if shared.lock().is_over {
            return Ok(());
        }
        match bench.state.take(bench.run.id, name, time)? {
            Taken::Work(lease) => {
                wait = SHORTEST_WAIT;
                shared.lock().held.push((*lease).clone());
                let done = guarded(bench, &lease);
                let finished = done.and_then(|done| Ok((bench.state.finish(&lease, &done)?, done)));
                let mut inner = shared.lock();
                inner
                    .held
                    .retain(|held| held.token != lease.token || held.work.key != lease.work.key || held.work.stage != lease.work.stage);
                inner.finished += 1;
                drop(inner);
                shared.changed.notify_all();
                let (is_ours, done) = finished?;
                if is_ours {
                    watch.finished(lease.work.stage, &done);
                }
            }
            Taken::Later => {
                let now = shared.wait(wait, seen);
                wait = if now == seen { (wait * 2).min(LONGEST_WAIT) } else { SHORTEST_WAIT };
                seen = now;
            }
            Taken::Nothing => {
                shared.over();
                return Ok(());
            }
        }
    }
}

/// Does a piece of work. What of this program itself goes wrong there is a failure of that piece and not of the audit.
fn guarded(bench: &Bench<'_>, lease: &Lease) -> Result<Done, StateError> {
    catch_unwind(AssertUnwindSafe(|| bench.perform(lease))).unwrap_or_else(|panic| {
        let failure = format!("it brought this program to its knees, which is a fault of the program: {}", said(&*panic));
        Ok(Done { failure: Some(failure), ..Done::default() })
    })
}

/// Where it happened stands on standard error; what is said here may hold anything, so nothing of it is told but that it is a text.
fn said(panic: &(dyn Any + Send)) -> &'static str {
    if panic.is::<&str>() || panic.is::<String>() { "see standard error" } else { "nothing more is known" }
}

/// Renews the leases of what is being done, until nothing more is.
fn beat(bench: &Bench<'_>, shared: &Shared, time: Duration) {
    let pause = time / BEATS;
    let mut next = Instant::now() + pause;
    loop {
        let inner = shared.lock();
        if inner.is_over && inner.held.is_empty() {
            return;
        }
        let rest = next.saturating_duration_since(Instant::now());
        if !rest.is_zero() {
            drop(shared.changed.wait_timeout(inner, rest));
            continue;
        }
        let held = inner.held.clone();
        drop(inner);
        next = Instant::now() + pause;
        for lease in held {
            // If it was lost, somebody else does the work, and what is done here will not be taken.
            if let Err(error) = bench.state.renew(&lease, time) {
                return shared.fail(error);
            }
        }
    }
}
