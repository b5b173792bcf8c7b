//! The queue of work in PostgreSQL. All of it runs inside a transaction of its caller, at the isolation "read committed": what a statement sees is what was
//! committed when it began.
//!
//! Rows are locked in one order by all: one's own work, new work that is free, layers that are waited for, new work that waits, work that is let go on, facts,
//! results; each of these by key. Where two transactions wait for each other all the same, PostgreSQL ends one, and it is begun again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use postgres::Row;

use super::super::queue::{self, Adding, FAILED, FINISHED, Hold, MOST_LOST};
use super::super::{Counts, Done, Lease, RunId, Stage, Work};
use super::session::{Db, Fault};

/// Longer leases than that, in seconds, are as good.
const LONGEST: f64 = 1e9;

/// Adds work that is not known yet.
pub(super) fn add(db: &mut Db<'_>, run: RunId, work: &[Work]) -> Result<(), Fault> {
    let adding = Adding::new(work)?;
    let free: Vec<(&Work, i32)> = adding.free.iter().map(|&work| (work, 0)).collect();
    insert(db, run, &free)?;
    if adding.waiting.is_empty() {
        return Ok(());
    }
    // Nobody finishes these until this transaction has ended, and then its `wait` is there to be seen.
    let get = "SELECT key, state FROM layersift.work WHERE run = $1 AND stage = 3 AND key = ANY ($2) ORDER BY key FOR SHARE";
    let layers: Vec<&str> = adding.layers.into_iter().collect();
    let rows = db.rows(get, &[&run.0, &layers])?;
    let is_open: BTreeMap<&str, bool> = rows.iter().map(|row| (row.get(0), row.get::<_, i16>(1) < FINISHED)).collect();
    let mut waiting = Vec::new();
    let mut layers_of = BTreeMap::new();
    for (work, after) in &adding.waiting {
        let layers = queue::unfinished(work, after, &is_open)?;
        waiting.push((*work, i32::try_from(layers.len()).unwrap_or(i32::MAX)));
        layers_of.insert((queue::code(work.stage), work.key.clone()), layers);
    }
    let (mut layers, mut stages, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    for new in insert(db, run, &waiting)? {
        for layer in layers_of.get(&new).into_iter().flatten() {
            layers.push(*layer);
            stages.push(new.0);
            keys.push(new.1.clone());
        }
    }
    let wait = "INSERT INTO layersift.wait (run, layer, stage, key) SELECT $1, * FROM unnest($2::text[], $3::smallint[], $4::text[])";
    db.run(wait, &[&run.0, &layers, &stages, &keys])?;
    Ok(())
}

/// Inserts work that waits for that many layers; gives stage and key of what was new.
fn insert(db: &mut Db<'_>, run: RunId, work: &[(&Work, i32)]) -> Result<BTreeSet<(i16, String)>, Fault> {
    if work.is_empty() {
        return Ok(BTreeSet::new());
    }
    let insert = "INSERT INTO layersift.work (run, stage, key, payload, size, prerequisites, waits, state) \
                  SELECT $1, w.*, CASE w.waits WHEN 0 THEN 1 ELSE 0 END \
                  FROM unnest($2::smallint[], $3::text[], $4::bytea[], $5::bigint[], $6::text[], $7::integer[]) \
                  AS w (stage, key, payload, size, prerequisites, waits) \
                  ON CONFLICT (run, stage, key) DO NOTHING RETURNING stage, key";
    let stages: Vec<i16> = work.iter().map(|(work, _)| queue::code(work.stage)).collect();
    let keys: Vec<&str> = work.iter().map(|(work, _)| work.key.as_str()).collect();
    let payloads: Vec<&[u8]> = work.iter().map(|(work, _)| work.payload.as_slice()).collect();
    let sizes: Vec<i64> = work.iter().map(|(work, _)| queue::signed(work.size)).collect();
    let afters: Vec<String> = work.iter().map(|(work, _)| queue::write_after(&work.after)).collect();
    let waits: Vec<i32> = work.iter().map(|(_, waits)| *waits).collect();
    let new = db.rows(insert, &[&run.0, &stages, &keys, &payloads, &sizes, &afters, &waits])?;
    Ok(new.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Makes work whose lease has run out ready again, or gives it up.
pub(super) fn expire(db: &mut Db<'_>, run: RunId) -> Result<(), Fault> {
    let expire = "WITH gone AS MATERIALIZED (SELECT run, stage, key FROM layersift.work \
                      WHERE run = $1 AND state = 2 AND until <= clock_timestamp() ORDER BY stage, key FOR UPDATE SKIP LOCKED) \
                  UPDATE layersift.work AS w SET lost = w.lost + 1, \
                      state = CASE WHEN w.lost + 1 < $2 THEN 1 ELSE 4 END, \
                      token = CASE WHEN w.lost + 1 < $2 THEN w.token ELSE w.token + 1 END, \
                      failure = CASE WHEN w.lost + 1 < $2 THEN NULL ELSE $3 END \
                  FROM gone WHERE w.run = gone.run AND w.stage = gone.stage AND w.key = gone.key RETURNING w.stage, w.key, w.state";
    let mut given_up: Vec<(i16, String)> = Vec::new();
    for row in db.rows(expire, &[&run.0, &MOST_LOST, &queue::GIVEN_UP])? {
        if row.get::<_, i16>(2) == FAILED {
            given_up.push((row.get(0), row.get(1)));
        }
    }
    for (stage, key) in given_up {
        release(db, run, queue::stage(stage)?, &key)?;
    }
    Ok(())
}

/// Takes the first work that is ready and that nobody else is taking.
pub(super) fn take(db: &mut Db<'_>, run: RunId, worker: &str, time: Duration) -> Result<Option<Lease>, Fault> {
    let take = "WITH next AS MATERIALIZED (SELECT run, stage, key FROM layersift.work WHERE run = $1 AND state = 1 \
                    ORDER BY stage DESC, size DESC, key LIMIT 1 FOR UPDATE SKIP LOCKED) \
                UPDATE layersift.work AS w SET state = 2, token = w.token + 1, worker = $2, until = clock_timestamp() + make_interval(secs => $3) \
                FROM next WHERE w.run = next.run AND w.stage = next.stage AND w.key = next.key \
                RETURNING w.stage, w.key, w.payload, w.prerequisites, w.size, w.lost, w.token";
    let Some(row) = db.row(take, &[&run.0, &worker, &seconds(time)])? else { return Ok(None) };
    let attempts = u32::try_from(row.get::<_, i64>(5)).unwrap_or(u32::MAX);
    Ok(Some(Lease { run, work: typed(&row)?, attempts, token: row.get(6) }))
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64().min(LONGEST)
}

/// The work in a row that begins with stage, key, payload, prerequisites, size.
fn typed(row: &Row) -> Result<Work, Fault> {
    Ok(Work {
        stage: queue::stage(row.get(0))?,
        key: row.get(1),
        payload: row.get(2),
        after: queue::read_after(row.get(3))?,
        size: queue::unsigned(row.get(4)),
    })
}

/// Whether there is work that is not finished.
pub(super) fn is_open(db: &mut Db<'_>, run: RunId) -> Result<bool, Fault> {
    Ok(db.row("SELECT 1 FROM layersift.work WHERE run = $1 AND state < 3 LIMIT 1", &[&run.0])?.is_some())
}

/// Makes a lease last longer, if the work is still its.
pub(super) fn renew(db: &mut Db<'_>, lease: &Lease, time: Duration) -> Result<bool, Fault> {
    let renew = "UPDATE layersift.work SET state = 2, until = clock_timestamp() + make_interval(secs => $5) \
                 WHERE run = $1 AND stage = $2 AND key = $3 AND token = $4 AND state IN (1, 2)";
    Ok(db.run(renew, &[&lease.run.0, &queue::code(lease.work.stage), &lease.work.key, &lease.token, &seconds(time)])? == 1)
}

/// Whose the work is. If it is the lease's, it stays so until the end of the transaction.
pub(super) fn hold(db: &mut Db<'_>, lease: &Lease) -> Result<Hold, Fault> {
    let get = "SELECT state FROM layersift.work WHERE run = $1 AND stage = $2 AND key = $3 AND token = $4 FOR UPDATE";
    let row = db.row(get, &[&lease.run.0, &queue::code(lease.work.stage), &lease.work.key, &lease.token])?;
    Ok(Hold::of(row.map(|row| row.get::<_, i16>(0))))
}

/// Marks work as finished or failed.
pub(super) fn finish(db: &mut Db<'_>, lease: &Lease, done: &Done) -> Result<(), Fault> {
    let finish = "UPDATE layersift.work SET state = $4, fetched = $5, failure = $6 WHERE run = $1 AND stage = $2 AND key = $3";
    let state = if done.failure.is_some() { FAILED } else { FINISHED };
    // The one character that PostgreSQL's texts cannot hold.
    let failure = done.failure.as_ref().map(|failure| failure.replace('\0', "\u{fffd}"));
    let stage = queue::code(lease.work.stage);
    db.run(finish, &[&lease.run.0, &stage, &lease.work.key, &state, &queue::signed(done.fetched), &failure])?;
    Ok(())
}

/// Tells what waited for a layer that it is finished.
pub(super) fn release(db: &mut Db<'_>, run: RunId, stage: Stage, key: &str) -> Result<(), Fault> {
    if stage != Stage::Layer {
        return Ok(());
    }
    let gone = db.rows("DELETE FROM layersift.wait WHERE run = $1 AND layer = $2 RETURNING stage, key", &[&run.0, &key])?;
    if gone.is_empty() {
        return Ok(());
    }
    let stages: Vec<i16> = gone.iter().map(|row| row.get(0)).collect();
    let keys: Vec<&str> = gone.iter().map(|row| row.get(1)).collect();
    // Other layers of the same images may be finished at this moment: first the locks, in one order, and then the counters as they are by then.
    let lock = "SELECT 1 FROM layersift.work AS w JOIN unnest($2::smallint[], $3::text[]) AS r (stage, key) ON w.stage = r.stage AND w.key = r.key \
                WHERE w.run = $1 ORDER BY w.stage, w.key FOR UPDATE OF w";
    db.rows(lock, &[&run.0, &stages, &keys])?;
    let release = "UPDATE layersift.work AS w SET waits = w.waits - 1, state = CASE w.waits WHEN 1 THEN 1 ELSE w.state END \
                   FROM unnest($2::smallint[], $3::text[]) AS r (stage, key) WHERE w.run = $1 AND w.stage = r.stage AND w.key = r.key";
    db.run(release, &[&run.0, &stages, &keys])?;
    Ok(())
}

/// Makes work ready that its worker will not do; its lease is over.
pub(super) fn give_back(db: &mut Db<'_>, lease: &Lease) -> Result<(), Fault> {
    let give = "UPDATE layersift.work SET state = 1, token = token + 1 WHERE run = $1 AND stage = $2 AND key = $3 AND token = $4 AND state IN (1, 2)";
    db.run(give, &[&lease.run.0, &queue::code(lease.work.stage), &lease.work.key, &lease.token])?;
    Ok(())
}

/// A page of work that failed, with why.
pub(super) fn failed(db: &mut Db<'_>, run: RunId, first: &queue::Place) -> Result<Vec<queue::Failed>, Fault> {
    let get = "SELECT stage, key, payload, prerequisites, size, coalesce(failure, '') FROM layersift.work \
               WHERE run = $1 AND state = 4 AND (stage, key) >= ($2, $3) ORDER BY stage, key LIMIT $4";
    let rows = db.rows(get, &[&run.0, &first.0, &first.1, &(queue::PAGE + 1)])?;
    rows.iter().map(|row| Ok(((row.get(0), row.get(1)), (typed(row)?, row.get(5))))).collect()
}

/// How far a run is.
pub(super) fn counts(db: &mut Db<'_>, run: RunId) -> Result<Counts, Fault> {
    let get = "SELECT stage, state, count(*), sum(fetched)::bigint FROM layersift.work WHERE run = $1 GROUP BY stage, state";
    let mut counts = Counts::default();
    for row in db.rows(get, &[&run.0])? {
        queue::tally(&mut counts, queue::stage(row.get(0))?, row.get(1), row.get(2), row.get(3));
    }
    Ok(counts)
}
