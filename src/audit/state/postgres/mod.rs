//! A state in a PostgreSQL database, for workers on any number of machines.
//!
//! Leases run by the server's clock, so that the workers' own clocks do not matter. Every call may be repeated without harm (the worst is a lease that
//! nobody holds, until it runs out), and is, if the connection was lost on the way.

mod session;
mod target;
mod work;

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use session::{Db, Fault, Session};
use target::Target;

use super::{Counts, Done, EachFact, Lease, Run, RunId, State, StateError, Taken, Work, queue};

/// How long to wait before each further attempt, in milliseconds: half a minute in all, in which a server starts anew.
const PAUSES: [u64; 8] = [20, 200, 500, 1000, 2000, 4000, 8000, 15000];

/// A store in a database.
pub(super) struct Postgres {
    target: Target,
    /// None after it was lost.
    session: Mutex<Option<Session>>,
}

impl Postgres {
    /// Connects to the database at `url`, and makes the tables if there are none.
    ///
    /// # Errors
    /// When it cannot be reached, may not be used, or its tables are of another version.
    pub(super) fn open(url: &str) -> Result<Self, StateError> {
        let failed = |place: &str, problem: String| StateError { place: place.to_owned(), action: "open it", problem };
        let target = Target::new(url).map_err(|problem| failed("PostgreSQL", problem))?;
        let session = Session::new(&target).map_err(|fault| failed(target.place(), fault.to_string()))?;
        Ok(Self { target, session: Mutex::new(Some(session)) })
    }

    /// Does `work` in a transaction; connects again and does it again if the connection is lost or the server is starting.
    fn call<T>(&self, action: &'static str, work: impl Fn(&mut Db<'_>) -> Result<T, Fault>) -> Result<T, StateError> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pauses = PAUSES.iter();
        loop {
            let fault = match self.attempt(&mut session, &work) {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            match pauses.next() {
                Some(pause) if fault.passes() => sleep(Duration::from_millis(*pause)),
                _ => return Err(StateError { place: self.target.place().to_owned(), action, problem: fault.to_string() }),
            }
        }
    }

    fn attempt<T>(&self, session: &mut Option<Session>, work: impl Fn(&mut Db<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut current = match session.take() {
            Some(current) => current,
            None => Session::new(&self.target)?,
        };
        let done = current.transact(|db| work(db));
        if !current.is_closed() {
            *session = Some(current);
        }
        done
    }
}

impl State for Postgres {
    fn begin(&self, plan: &str, first: &[Work], now: i64) -> Result<Run, StateError> {
        self.call("begin a run", |db| {
            db.lock()?;
            if let Some(row) = db.row("SELECT id, started, previous FROM layersift.run WHERE plan = $1 AND completed IS NULL", &[&plan])? {
                return Ok(Run { id: RunId(row.get(0)), started: row.get(1), previous: row.get::<_, Option<i64>>(2).map(RunId), is_resumed: true });
            }
            let insert = "INSERT INTO layersift.run (plan, started, previous) \
                          VALUES ($1, $2, (SELECT max(id) FROM layersift.run WHERE plan = $1 AND completed IS NOT NULL)) RETURNING id, previous";
            let row = db.row(insert, &[&plan, &now])?.ok_or_else(|| Fault::said("no run was made"))?;
            let id = RunId(row.get(0));
            work::add(db, id, first)?;
            Ok(Run { id, started: now, previous: row.get::<_, Option<i64>>(1).map(RunId), is_resumed: false })
        })
    }

    fn take(&self, run: RunId, worker: &str, lease: Duration) -> Result<Taken, StateError> {
        self.call("take work", |db| {
            work::expire(db, run)?;
            match work::take(db, run, worker, lease)? {
                Some(lease) => Ok(Taken::Work(Box::new(lease))),
                None if work::is_open(db, run)? => Ok(Taken::Later),
                None => Ok(Taken::Nothing),
            }
        })
    }

    fn renew(&self, lease: &Lease, time: Duration) -> Result<bool, StateError> {
        self.call("renew a lease", |db| work::renew(db, lease, time))
    }

    fn finish(&self, lease: &Lease, done: &Done) -> Result<bool, StateError> {
        self.call("finish work", |db| {
            match work::hold(db, lease)? {
                queue::Hold::Ours => {}
                queue::Hold::Finished => return Ok(true),
                queue::Hold::Lost => return Ok(false),
            }
            work::finish(db, lease, done)?;
            work::add(db, lease.run, &done.more)?;
            work::release(db, lease.run, lease.work.stage, &lease.work.key)?;
            let (keys, bytes): (Vec<&str>, Vec<&[u8]>) = queue::facts(done).into_iter().unzip();
            if !keys.is_empty() {
                let put = "INSERT INTO layersift.fact (run, key, bytes) SELECT $1, * FROM unnest($2::text[], $3::bytea[]) \
                           ON CONFLICT (run, key) DO UPDATE SET bytes = excluded.bytes";
                db.run(put, &[&lease.run.0, &keys, &bytes])?;
            }
            let (names, bytes): (Vec<&str>, Vec<&[u8]>) = queue::results(done).into_iter().unzip();
            if !names.is_empty() {
                let put = "INSERT INTO layersift.result AS r (name, bytes, used) \
                           SELECT n.*, (SELECT max(id) FROM layersift.run) FROM unnest($1::text[], $2::bytea[]) AS n \
                           ON CONFLICT (name) DO UPDATE SET used = excluded.used WHERE r.used < excluded.used";
                db.run(put, &[&names, &bytes])?;
            }
            Ok(true)
        })
    }

    fn give_back(&self, lease: &Lease) -> Result<(), StateError> {
        self.call("give work back", |db| work::give_back(db, lease))
    }

    fn result(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        self.call("read a result", |db| {
            let get = "SELECT bytes, used < (SELECT max(id) FROM layersift.run) FROM layersift.result WHERE name = $1";
            let Some(row) = db.row(get, &[&name])? else { return Ok(None) };
            if row.get(1) {
                db.run("UPDATE layersift.result SET used = (SELECT max(id) FROM layersift.run) WHERE name = $1", &[&name])?;
            }
            Ok(Some(row.get(0)))
        })
    }

    fn fact(&self, run: RunId, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        let get = "SELECT bytes FROM layersift.fact WHERE run = $1 AND key = $2";
        self.call("read a fact", |db| Ok(db.row(get, &[&run.0, &key])?.map(|row| row.get(0))))
    }

    fn facts(&self, run: RunId, prefix: &str, each: &mut EachFact<'_>) -> Result<(), StateError> {
        let get = "SELECT key, bytes FROM layersift.fact WHERE run = $1 AND key >= $2 ORDER BY key LIMIT $3";
        let page = |first: &String| {
            self.call("read facts", |db| {
                let rows = db.rows(get, &[&run.0, first, &(queue::PAGE + 1)])?;
                Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(String, Vec<u8>)>>())
            })
        };
        queue::with_prefix(prefix, page, each)
    }

    fn failures(&self, run: RunId, each: &mut dyn FnMut(&Work, &str) -> Result<(), StateError>) -> Result<(), StateError> {
        let page = |first: &queue::Place| self.call("read what failed", |db| work::failed(db, run, first));
        queue::in_pages((0, String::new()), page, |_, (work, failure)| each(work, failure).map(ControlFlow::Continue))
    }

    fn counts(&self, run: RunId) -> Result<Counts, StateError> {
        self.call("count work", |db| work::counts(db, run))
    }

    fn complete(&self, run: RunId, now: i64) -> Result<(), StateError> {
        self.call("complete a run", |db| {
            db.lock()?;
            if work::is_open(db, run)? {
                return Err(Fault::said("there is work of it that is not finished"));
            }
            if db.run("UPDATE layersift.run SET completed = coalesce(completed, $2) WHERE id = $1", &[&run.0, &now])? == 0 {
                return Err(Fault::said("there is no such run"));
            }
            drop_old(db)
        })
    }

    fn secret(&self, name: &str, bytes: &[u8]) -> Result<Vec<u8>, StateError> {
        self.call("read the state's own bytes", |db| {
            db.run("INSERT INTO layersift.secret (name, bytes) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", &[&name, &bytes])?;
            let row = db.row("SELECT bytes FROM layersift.secret WHERE name = $1", &[&name])?;
            Ok(row.ok_or_else(|| Fault::said("they were not kept"))?.get(0))
        })
    }
}

/// Drops all runs that are complete but for the last two of each plan, and the results that no run has used since the oldest one that stays.
fn drop_old(db: &mut Db<'_>) -> Result<(), Fault> {
    let old = "SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY plan ORDER BY id DESC) AS age FROM layersift.run WHERE completed IS NOT NULL) AS r \
               WHERE age > 2";
    let old: Vec<i64> = db.rows(old, &[])?.iter().map(|row| row.get(0)).collect();
    for drop in [
        "DELETE FROM layersift.fact WHERE run = ANY ($1)",
        "DELETE FROM layersift.wait WHERE run = ANY ($1)",
        "DELETE FROM layersift.work WHERE run = ANY ($1)",
        "DELETE FROM layersift.run WHERE id = ANY ($1)",
    ] {
        db.run(drop, &[&old])?;
    }
    db.run("DELETE FROM layersift.result WHERE used < (SELECT min(id) FROM layersift.run)", &[])?;
    Ok(())
}
