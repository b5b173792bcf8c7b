//! The queue of work in a SQLite file. All of it runs inside a transaction of its caller.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::queue::{self, Adding, FAILED, FINISHED, Hold, MOST_LOST, READY, WAITING};
use super::super::{Counts, Done, Lease, RunId, Stage, Work};
use super::Fault;

/// Adds work that is not known yet.
pub(super) fn add(db: &Connection, run: RunId, work: &[Work]) -> Result<(), Fault> {
    let adding = Adding::new(work)?;
    for work in adding.free {
        insert(db, run, work, 0)?;
    }
    let mut is_open = BTreeMap::new();
    for layer in adding.layers {
        let get = "SELECT state FROM work WHERE run = ?1 AND stage = ?2 AND key = ?3";
        let state: Option<i16> = db.query_row(get, params![run.0, queue::code(Stage::Layer), layer], |row| row.get(0)).optional()?;
        is_open.extend(state.map(|state| (layer, state < FINISHED)));
    }
    for (work, after) in adding.waiting {
        let layers = queue::unfinished(work, &after, &is_open)?;
        if !insert(db, run, work, layers.len())? {
            continue;
        }
        for layer in layers {
            let wait = "INSERT INTO wait (run, layer, stage, key) VALUES (?1, ?2, ?3, ?4)";
            db.execute(wait, params![run.0, layer, queue::code(work.stage), work.key])?;
        }
    }
    Ok(())
}

/// Whether it was new.
fn insert(db: &Connection, run: RunId, work: &Work, waits: usize) -> Result<bool, Fault> {
    let insert = "INSERT INTO work (run, stage, key, payload, size, prerequisites, waits, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                  ON CONFLICT (run, stage, key) DO NOTHING";
    let state = if waits == 0 { READY } else { WAITING };
    let (stage, size, after) = (queue::code(work.stage), queue::signed(work.size), queue::write_after(&work.after));
    Ok(db.execute(insert, params![run.0, stage, work.key, work.payload, size, after, waits as i64, state])? == 1)
}

/// Makes work whose lease has run out ready again, or gives it up.
pub(super) fn expire(db: &Connection, run: RunId, now: i64) -> Result<(), Fault> {
    // That the state is below 3 is said twice, since only this tells SQLite that the index will do.
    let get = "SELECT stage, key, lost + 1 FROM work WHERE run = ?1 AND state = 2 AND state < 3 AND until <= ?2";
    let lost = db
        .prepare(get)?
        .query_map(params![run.0, now], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    for (stage, key, lost) in lost {
        let (stage, key, lost): (i16, String, i64) = (stage, key, lost);
        if lost < MOST_LOST {
            let ready = "UPDATE work SET state = 1, lost = ?4 WHERE run = ?1 AND stage = ?2 AND key = ?3";
            db.execute(ready, params![run.0, stage, key, lost])?;
        } else {
            let fail = "UPDATE work SET state = 4, lost = ?4, token = token + 1, failure = ?5 WHERE run = ?1 AND stage = ?2 AND key = ?3";
            db.execute(fail, params![run.0, stage, key, lost, queue::GIVEN_UP])?;
            release(db, run, queue::stage(stage)?, &key)?;
        }
    }
    Ok(())
}

/// Takes the first work that is ready.
pub(super) fn take(db: &Connection, run: RunId, worker: &str, until: i64) -> Result<Option<Lease>, Fault> {
    let take = "UPDATE work SET state = 2, token = token + 1, worker = ?2, until = ?3 WHERE rowid = \
                (SELECT rowid FROM work WHERE run = ?1 AND state = 1 AND state < 3 ORDER BY stage DESC, size DESC, key LIMIT 1) \
                RETURNING stage, key, payload, prerequisites, size, lost, token";
    let taken = db.query_row(take, params![run.0, worker, until], |row| Ok((typed(row), row.get(5)?, row.get(6)?))).optional()?;
    taken.map(|(work, attempts, token)| Ok(Lease { run, work: work?, attempts, token })).transpose()
}

/// The work in a row that begins with stage, key, payload, prerequisites, size.
fn typed(row: &Row<'_>) -> Result<Work, Fault> {
    Ok(Work {
        stage: queue::stage(row.get(0)?)?,
        key: row.get(1)?,
        payload: row.get(2)?,
        after: queue::read_after(&row.get::<_, String>(3)?)?,
        size: queue::unsigned(row.get(4)?),
    })
}

/// Whether there is work that is not finished.
pub(super) fn is_open(db: &Connection, run: RunId) -> Result<bool, Fault> {
    Ok(db.query_row("SELECT EXISTS (SELECT 1 FROM work WHERE run = ?1 AND state < 3)", [run.0], |row| row.get(0))?)
}

/// Makes a lease last longer, if the work is still its.
pub(super) fn renew(db: &Connection, lease: &Lease, until: i64) -> Result<bool, Fault> {
    let renew = "UPDATE work SET state = 2, until = ?5 WHERE run = ?1 AND stage = ?2 AND key = ?3 AND token = ?4 AND state IN (1, 2)";
    Ok(db.execute(renew, params![lease.run.0, queue::code(lease.work.stage), lease.work.key, lease.token, until])? == 1)
}

/// Whose the work is.
pub(super) fn hold(db: &Connection, lease: &Lease) -> Result<Hold, Fault> {
    let get = "SELECT state FROM work WHERE run = ?1 AND stage = ?2 AND key = ?3 AND token = ?4";
    let state =
        db.query_row(get, params![lease.run.0, queue::code(lease.work.stage), lease.work.key, lease.token], |row| row.get::<_, i16>(0));
    Ok(Hold::of(state.optional()?))
}

/// Marks work as finished or failed, and lets what waited for it go on.
pub(super) fn finish(db: &Connection, lease: &Lease, done: &Done) -> Result<(), Fault> {
    let finish = "UPDATE work SET state = ?4, fetched = ?5, failure = ?6 WHERE run = ?1 AND stage = ?2 AND key = ?3";
    let (stage, state) = (lease.work.stage, if done.failure.is_some() { FAILED } else { FINISHED });
    db.execute(finish, params![lease.run.0, queue::code(stage), lease.work.key, state, queue::signed(done.fetched), done.failure])?;
    release(db, lease.run, stage, &lease.work.key)
}

/// Tells what waited for a layer that it is finished.
fn release(db: &Connection, run: RunId, stage: Stage, key: &str) -> Result<(), Fault> {
    if stage != Stage::Layer {
        return Ok(());
    }
    let release = "UPDATE work SET waits = waits - 1, state = CASE waits WHEN 1 THEN 1 ELSE state END \
                   WHERE (run, stage, key) IN (SELECT run, stage, key FROM wait WHERE run = ?1 AND layer = ?2)";
    if db.execute(release, params![run.0, key])? > 0 {
        db.execute("DELETE FROM wait WHERE run = ?1 AND layer = ?2", params![run.0, key])?;
    }
    Ok(())
}

/// Makes work ready that its worker will not do; its lease is over.
pub(super) fn give_back(db: &Connection, lease: &Lease) -> Result<(), Fault> {
    let give = "UPDATE work SET state = 1, token = token + 1 WHERE run = ?1 AND stage = ?2 AND key = ?3 AND token = ?4 AND state IN (1, 2)";
    db.execute(give, params![lease.run.0, queue::code(lease.work.stage), lease.work.key, lease.token])?;
    Ok(())
}

/// A page of work that failed, with why.
pub(super) fn failed(db: &Connection, run: RunId, first: &queue::Place) -> Result<Vec<queue::Failed>, Fault> {
    let get = "SELECT stage, key, payload, prerequisites, size, coalesce(failure, '') FROM work \
               WHERE run = ?1 AND state = 4 AND (stage, key) >= (?2, ?3) ORDER BY stage, key LIMIT ?4";
    let mut statement = db.prepare(get)?;
    let mut rows = statement.query(params![run.0, first.0, first.1, queue::PAGE + 1])?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(((row.get(0)?, row.get(1)?), (typed(row)?, row.get(5)?)));
    }
    Ok(page)
}

/// How far a run is.
pub(super) fn counts(db: &Connection, run: RunId) -> Result<Counts, Fault> {
    let mut statement = db.prepare("SELECT stage, state, count(*), sum(fetched) FROM work WHERE run = ?1 GROUP BY stage, state")?;
    let mut rows = statement.query([run.0])?;
    let mut counts = Counts::default();
    while let Some(row) = rows.next()? {
        queue::tally(&mut counts, queue::stage(row.get(0)?)?, row.get(1)?, row.get(2)?, row.get(3)?);
    }
    Ok(counts)
}
