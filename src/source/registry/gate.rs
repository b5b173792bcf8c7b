//! How many requests a host gets at a time, and how fast: fewer when it says that there are too many, more again when it bears them. What is asked of one host goes through
//! one [`Gate`], whoever asks.

use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::Problem;
use super::options::Patience;
use super::pause;

/// Requests that have to go well in a row before there may be one more at a time.
const RUN: u32 = 10;

/// What one host may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at a time, at most.
    pub connections: NonZeroUsize,
    /// Requests a second, at most, in even steps; none for no bound.
    pub per_second: Option<NonZeroU32>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { connections: NonZeroUsize::MIN.saturating_add(7), per_second: None }
    }
}

/// The gates of all hosts. Clones share them, so all that is asked with the same options keeps to the same bounds.
#[derive(Debug, Clone, Default)]
pub struct Gates {
    bounds: Bounds,
    gates: Arc<Mutex<HashMap<String, Arc<Gate>>>>,
}

impl Gates {
    /// Gates with these bounds for each host.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, gates: Arc::default() }
    }

    /// The gate of a host, and port where there is one.
    pub(super) fn of(&self, authority: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(authority.to_ascii_lowercase()).or_insert_with(|| Arc::new(Gate::new(self.bounds))))
    }
}

/// Bounds what one host is asked for, and holds all requests back while it wants to be left alone.
#[derive(Debug)]
pub(super) struct Gate {
    room: Mutex<Room>,
    freed: Condvar,
    not_before: Mutex<Option<Instant>>,
    pace: Option<Mutex<Pace>>,
}

/// Room for one connection. Who waits for a second one while holding one may wait for ever.
#[derive(Debug)]
pub(super) struct Permit<'g>(&'g Gate);

impl Gate {
    fn new(bounds: Bounds) -> Self {
        let pace = bounds.per_second.map(|rate| Mutex::new(Pace::new(rate)));
        Self { room: Mutex::new(Room::new(bounds.connections.get())), freed: Condvar::new(), not_before: Mutex::new(None), pace }
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room.
    pub(super) fn enter(&self) -> Permit<'_> {
        self.take();
        Permit(self)
    }

    fn take(&self) {
        let mut room = self.freed.wait_while(self.room(), |room| !room.has_some()).unwrap_or_else(PoisonError::into_inner);
        room.taken += 1;
    }

    fn give_back(&self) {
        self.room().taken -= 1;
        self.freed.notify_one();
    }

    /// Waits for the turn of one request, where requests are counted.
    pub(super) fn pace(&self) {
        if let Some(pace) = &self.pace {
            let wait = pace.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
            pause::sleep(wait);
        }
    }

    /// Tries again what may go better later. While the host wants to be left alone, the room goes to others.
    pub(super) fn patiently<T>(
        &self,
        permit: &mut Permit<'_>,
        patience: &Patience,
        mut step: impl FnMut() -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let mut attempt = 1;
        loop {
            self.wait();
            let round = self.room().round;
            let problem = match step() {
                Ok(done) => {
                    if self.room().succeed() {
                        self.freed.notify_one();
                    }
                    return Ok(done);
                }
                Err(problem) => problem,
            };
            let is_refused = matches!(problem, Problem::TooManyRequests { .. });
            if is_refused {
                self.room().refuse(round);
            }
            let wait = match &problem {
                Problem::TooManyRequests { wait: Some(wait) } => *wait,
                _ => pause::backoff(patience.backoff, attempt),
            };
            if attempt >= patience.attempts || !problem.is_transient() || wait > patience.longest_wait {
                return Err(problem);
            }
            if is_refused {
                self.hold(wait);
                permit.renew();
            } else {
                pause::sleep(wait);
            }
            attempt += 1;
        }
    }

    /// From now on all wait for `duration`.
    fn hold(&self, duration: Duration) {
        let until = Instant::now() + duration;
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        *not_before = Some(not_before.map_or(until, |earlier| earlier.max(until)));
    }

    /// Waits as long as the host wants to be left alone.
    fn wait(&self) {
        let not_before = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rest) = not_before.and_then(|until| until.checked_duration_since(Instant::now())) {
            pause::sleep(rest);
        }
    }
}

impl Permit<'_> {
    /// Gives the room back, and waits for some again: there may be less by now.
    fn renew(&mut self) {
        self.0.give_back();
        self.0.take();
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// How much room there is: half of it after a refusal, one more after a run of successes.
#[derive(Debug)]
struct Room {
    most: usize,
    allowed: usize,
    taken: usize,
    run: u32,
    /// How often the room was halved. Requests that were under way at that time were too many for the room before, and say nothing of that after.
    round: u64,
}

impl Room {
    fn new(most: usize) -> Self {
        Self { most, allowed: most, taken: 0, run: 0, round: 0 }
    }

    fn has_some(&self) -> bool {
        self.taken < self.allowed
    }

    /// A request went well. True if there is more room now.
    fn succeed(&mut self) -> bool {
        self.run += 1;
        let grows = self.run >= RUN && self.allowed < self.most;
        if grows {
            (self.allowed, self.run) = (self.allowed + 1, 0);
        }
        grows
    }

    /// A request that began in `round` was one too many.
    fn refuse(&mut self, round: u64) {
        self.run = 0;
        if round == self.round {
            (self.allowed, self.round) = ((self.allowed / 2).max(1), self.round + 1);
        }
    }
}

/// Spaces requests evenly.
#[derive(Debug)]
struct Pace {
    step: Duration,
    next: Option<Instant>,
}

impl Pace {
    fn new(per_second: NonZeroU32) -> Self {
        Self { step: Duration::from_secs(1) / per_second.get(), next: None }
    }

    /// How long the next request has to wait.
    fn take(&mut self, now: Instant) -> Duration {
        let turn = self.next.map_or(now, |next| next.max(now));
        self.next = Some(turn + self.step);
        turn - now
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn gate(connections: usize) -> Gate {
        Gate::new(Bounds { connections: NonZeroUsize::new(connections).unwrap(), per_second: None })
    }

    #[test]
    fn room_is_given_back() {
        let gate = gate(1);
        for _ in 0..3 {
            drop(gate.enter());
        }
        let mut permit = gate.enter();
        permit.renew();
        assert_eq!(gate.room().taken, 1);
        drop(permit);
        assert_eq!(gate.room().taken, 0);
    }

    #[test]
    fn a_burst_of_refusals_halves_the_room_once() {
        let mut room = Room::new(8);
        (0..8).for_each(|_| room.refuse(0));
        assert_eq!(room.allowed, 4);
        for (round, allowed) in [(1, 2), (1, 2), (2, 1), (3, 1), (4, 1)] {
            room.refuse(round);
            assert_eq!(room.allowed, allowed, "{round}");
        }
    }

    #[test]
    fn a_run_of_successes_gives_room_up_to_the_bound() {
        let mut room = Room::new(3);
        (0..100).for_each(|_| assert!(!room.succeed()));
        assert_eq!(room.allowed, 3);
        room.refuse(0);
        assert_eq!((0..RUN).map(|_| room.succeed()).filter(|grows| *grows).count(), 1);
        assert_eq!(room.allowed, 2);
        (1..RUN).for_each(|_| assert!(!room.succeed()));
        // A refusal begins the run anew.
        room.refuse(0);
        (1..RUN).for_each(|_| assert!(!room.succeed()));
        assert!(room.succeed());
        (0..100).for_each(|_| _ = room.succeed());
        assert_eq!(room.allowed, 3);
    }

    #[test]
    fn refusals_and_successes_reach_the_room() {
        let (gate, patience) = (gate(8), Patience { backoff: Duration::ZERO, attempts: 3, ..Patience::default() });
        let mut permit = gate.enter();
        let mut tries = 0;
        let done = gate.patiently(&mut permit, &patience, || {
            tries += 1;
            if tries < 3 { Err(Problem::TooManyRequests { wait: Some(Duration::ZERO) }) } else { Ok(tries) }
        });
        let after = |gate: &Gate| {
            let room = gate.room();
            (room.allowed, room.run, room.taken)
        };
        assert_eq!((done, after(&gate)), (Ok(3), (2, 1, 1)));
        let other = gate.patiently(&mut permit, &patience, || Err::<(), _>(Problem::Status(500)));
        assert_eq!((other, after(&gate)), (Err(Problem::Status(500)), (2, 1, 1)));
    }

    #[test]
    fn requests_are_spaced_and_no_pause_is_made_up_for() {
        let mut pace = Pace::new(NonZeroU32::new(4).unwrap());
        let (begin, ms) = (Instant::now(), Duration::from_millis);
        for (at, wait) in [(0, 0), (0, 250), (0, 500), (600, 150), (5000, 0), (5000, 250)] {
            assert_eq!(pace.take(begin + ms(at)), ms(wait), "{at}");
        }
    }

    #[test]
    fn what_asks_one_host_shares_a_gate() {
        let gates = Gates::default();
        assert!(Arc::ptr_eq(&gates.of("A.example:5000"), &gates.clone().of("a.example:5000")));
        assert!(!Arc::ptr_eq(&gates.of("a.example"), &gates.of("b.example")));
    }
}
