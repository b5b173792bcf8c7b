//! A state in one SQLite file, for any number of processes on one machine.
//!
//! Writers take turns ([`TransactionBehavior::Immediate`]), readers wait for nobody. A process that is killed leaves either all of a transaction or nothing. The
//! file must not lie on a network file system: processes on different machines would not see each other's locks.

mod file;
mod work;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{Counts, Done, EachFact, Lease, Run, RunId, State, StateError, Taken, Work, queue};

/// A store in a file.
#[derive(Debug)]
pub(super) struct Sqlite {
    place: String,
    db: Mutex<Connection>,
}

/// What went wrong in a transaction.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Store(#[from] rusqlite::Error),
    #[error("{0}")]
    Said(String),
}

impl Fault {
    fn said(problem: &str) -> Self {
        Self::Said(problem.to_owned())
    }
}

impl From<String> for Fault {
    fn from(problem: String) -> Self {
        Self::Said(problem)
    }
}

impl Sqlite {
    /// Opens the file at `path`, or makes it; its folder must be there.
    ///
    /// # Errors
    /// When it cannot be written, other users can write to it, or it is another program's or of another version.
    pub(super) fn open(path: &Path) -> Result<Self, StateError> {
        let place = path.display().to_string();
        let opened = std::path::absolute(path).map_err(|error| Fault::Said(error.to_string())).and_then(|path| file::open(&path));
        match opened {
            Ok(db) => Ok(Self { place, db: Mutex::new(db) }),
            Err(fault) => Err(StateError { place, action: "open it", problem: fault.to_string() }),
        }
    }

    fn call<T>(
        &self,
        action: &'static str,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StateError> {
        // A thread that panicked left its transaction undone.
        let mut db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        let run = |db: &mut Connection| {
            let transaction = db.transaction_with_behavior(behavior)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run(&mut db).map_err(|fault: Fault| StateError { place: self.place.clone(), action, problem: fault.to_string() })
    }

    fn write<T>(&self, action: &'static str, work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T, StateError> {
        self.call(action, TransactionBehavior::Immediate, work)
    }

    fn read<T>(&self, action: &'static str, work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>) -> Result<T, StateError> {
        self.call(action, TransactionBehavior::Deferred, work)
    }
}

impl State for Sqlite {
    fn begin(&self, plan: &str, first: &[Work], now: i64) -> Result<Run, StateError> {
        self.write("begin a run", |db| {
            let open = "SELECT id, started, previous FROM run WHERE plan = ?1 AND completed IS NULL";
            let resumed = db.query_row(open, [plan], |row| {
                Ok(Run {
                    id: RunId(row.get(0)?),
                    started: row.get(1)?,
                    previous: row.get::<_, Option<i64>>(2)?.map(RunId),
                    is_resumed: true,
                })
            });
            if let Some(run) = resumed.optional()? {
                return Ok(run);
            }
            let last = "SELECT max(id) FROM run WHERE plan = ?1 AND completed IS NOT NULL";
            let previous: Option<i64> = db.query_row(last, [plan], |row| row.get(0))?;
            db.execute("INSERT INTO run (plan, started, previous) VALUES (?1, ?2, ?3)", params![plan, now, previous])?;
            let id = RunId(db.last_insert_rowid());
            work::add(db, id, first)?;
            Ok(Run { id, started: now, previous: previous.map(RunId), is_resumed: false })
        })
    }

    fn take(&self, run: RunId, worker: &str, lease: Duration) -> Result<Taken, StateError> {
        self.write("take work", |db| {
            let now = now()?;
            work::expire(db, run, now)?;
            match work::take(db, run, worker, later(now, lease))? {
                Some(lease) => Ok(Taken::Work(Box::new(lease))),
                None if work::is_open(db, run)? => Ok(Taken::Later),
                None => Ok(Taken::Nothing),
            }
        })
    }

    fn renew(&self, lease: &Lease, time: Duration) -> Result<bool, StateError> {
        self.write("renew a lease", |db| work::renew(db, lease, later(now()?, time)))
    }

    fn finish(&self, lease: &Lease, done: &Done) -> Result<bool, StateError> {
        self.write("finish work", |db| {
            match work::hold(db, lease)? {
                queue::Hold::Ours => {}
                queue::Hold::Finished => return Ok(true),
                queue::Hold::Lost => return Ok(false),
            }
            work::finish(db, lease, done)?;
            work::add(db, lease.run, &done.more)?;
            for (key, bytes) in queue::facts(done) {
                let put =
                    "INSERT INTO fact (run, key, bytes) VALUES (?1, ?2, ?3) ON CONFLICT (run, key) DO UPDATE SET bytes = excluded.bytes";
                db.execute(put, params![lease.run.0, key, bytes])?;
            }
            for (name, bytes) in queue::results(done) {
                let put = "INSERT INTO result (name, bytes, used) VALUES (?1, ?2, (SELECT max(id) FROM run)) \
                           ON CONFLICT (name) DO UPDATE SET used = excluded.used WHERE used < excluded.used";
                db.execute(put, params![name, bytes])?;
            }
            Ok(true)
        })
    }

    fn give_back(&self, lease: &Lease) -> Result<(), StateError> {
        self.write("give work back", |db| work::give_back(db, lease))
    }

    fn result(&self, name: &str) -> Result<Option<Vec<u8>>, StateError> {
        let get = "SELECT bytes, used < (SELECT max(id) FROM run) FROM result WHERE name = ?1";
        let found = self.read("read a result", |db| Ok(db.query_row(get, [name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?))?;
        let Some((bytes, is_stale)) = found else { return Ok(None) };
        if is_stale {
            let touch = "UPDATE result SET used = (SELECT max(id) FROM run) WHERE name = ?1";
            self.write("mark a result as used", |db| Ok(db.execute(touch, [name])?))?;
        }
        Ok(Some(bytes))
    }

    fn fact(&self, run: RunId, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        let get = "SELECT bytes FROM fact WHERE run = ?1 AND key = ?2";
        self.read("read a fact", |db| Ok(db.query_row(get, params![run.0, key], |row| row.get(0)).optional()?))
    }

    fn facts(&self, run: RunId, prefix: &str, each: &mut EachFact<'_>) -> Result<(), StateError> {
        let page = |first: &String| {
            self.read("read facts", |db| {
                let get = "SELECT key, bytes FROM fact WHERE run = ?1 AND key >= ?2 ORDER BY key LIMIT ?3";
                let mut statement = db.prepare(get)?;
                let rows = statement.query_map(params![run.0, first, queue::PAGE + 1], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(rows.collect::<Result<Vec<(String, Vec<u8>)>, _>>()?)
            })
        };
        queue::with_prefix(prefix, page, each)
    }

    fn failures(&self, run: RunId, each: &mut dyn FnMut(&Work, &str) -> Result<(), StateError>) -> Result<(), StateError> {
        let page = |first: &queue::Place| self.read("read what failed", |db| work::failed(db, run, first));
        queue::in_pages((0, String::new()), page, |_, (work, failure)| each(work, failure).map(ControlFlow::Continue))
    }

    fn counts(&self, run: RunId) -> Result<Counts, StateError> {
        self.read("count work", |db| work::counts(db, run))
    }

    fn complete(&self, run: RunId, now: i64) -> Result<(), StateError> {
        self.write("complete a run", |db| {
            if work::is_open(db, run)? {
                return Err(Fault::said("there is work of it that is not finished"));
            }
            if db.execute("UPDATE run SET completed = coalesce(completed, ?2) WHERE id = ?1", params![run.0, now])? == 0 {
                return Err(Fault::said("there is no such run"));
            }
            drop_old(db)
        })
    }

    fn secret(&self, name: &str, bytes: &[u8]) -> Result<Vec<u8>, StateError> {
        self.write("read the state's own bytes", |db| {
            db.execute("INSERT INTO secret (name, bytes) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING", params![name, bytes])?;
            Ok(db.query_row("SELECT bytes FROM secret WHERE name = ?1", [name], |row| row.get(0))?)
        })
    }
}

/// Drops all runs that are complete but for the last two of each plan, and the results that no run has used since the oldest one that stays.
fn drop_old(db: &Connection) -> Result<(), Fault> {
    let old = "SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY plan ORDER BY id DESC) AS age FROM run WHERE completed IS NOT NULL) WHERE age > 2";
    let old: Vec<i64> = db.prepare(old)?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for run in old {
        for table in ["fact", "wait", "work"] {
            db.execute(&format!("DELETE FROM {table} WHERE run = ?1"), [run])?;
        }
        db.execute("DELETE FROM run WHERE id = ?1", [run])?;
    }
    db.execute("DELETE FROM result WHERE used < (SELECT min(id) FROM run)", [])?;
    Ok(())
}

/// Milliseconds since 1970.
fn now() -> Result<i64, Fault> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| Fault::said("the clock is before 1970"))?;
    Ok(later(0, since))
}

fn later(now: i64, time: Duration) -> i64 {
    now.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}
