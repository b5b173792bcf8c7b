//! What all stores agree on: how work, its kinds and its progress are written down, and how many lost leases are too many.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::{Counts, Done, EachFact, Stage, StateError, Work};

/// Of this version are the tables; a state of another one is refused.
pub(super) const VERSION: i32 = 1;

/// Leases of the same work that ran out before it counts as failed: what kills its worker must not kill all of them for ever.
pub(super) const MOST_LOST: i64 = 5;

/// Why such work failed.
pub(super) const GIVEN_UP: &str = "given up: five workers took it, and none finished it";

/// Rows that are held in memory at once.
pub(super) const PAGE: i64 = 100;

// The states of work; 2, which only the stores' own statements write, is that a worker has it.
/// It waits for other work.
pub(super) const WAITING: i16 = 0;
/// It can be taken.
pub(super) const READY: i16 = 1;
/// It was done.
pub(super) const FINISHED: i16 = 3;
/// It could not be done.
pub(super) const FAILED: i16 = 4;

/// Where work stands in the order of stage and key.
pub(super) type Place = (i16, String);

/// Work that failed, with why, under its place.
pub(super) type Failed = (Place, (Work, String));

const STAGES: [Stage; 5] = [Stage::Listing, Stage::Repository, Stage::Tag, Stage::Layer, Stage::Image];

/// The number of a stage in a store, in the order of [`Stage`].
pub(super) fn code(stage: Stage) -> i16 {
    stage as i16
}

/// The stage of a number.
pub(super) fn stage(code: i16) -> Result<Stage, String> {
    let known = usize::try_from(code).ok().and_then(|code| STAGES.get(code)).copied();
    known.ok_or_else(|| format!("there is no stage {code}"))
}

/// Stores count with signs.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count of a store.
pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}

/// The keys in [`Work::after`] as they are written down.
pub(super) fn write_after(after: &[String]) -> String {
    serde_json::to_string(after).unwrap_or_default()
}

/// What [`write_after`] wrote.
pub(super) fn read_after(text: &str) -> Result<Vec<String>, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Whose work it is, seen from a lease.
pub(super) enum Hold {
    /// The lease's.
    Ours,
    /// It was finished under this lease: a call that is repeated.
    Finished,
    /// Somebody else's.
    Lost,
}

impl Hold {
    /// By the state of the work of that token, if there is any.
    pub(super) fn of(state: Option<i16>) -> Self {
        match state {
            Some(state) if state >= FINISHED => Self::Finished,
            Some(_) => Self::Ours,
            None => Self::Lost,
        }
    }
}

/// Work to be added, in the order in which all workers touch rows, so that none waits for one that waits for it.
pub(super) struct Adding<'w> {
    /// What waits for nothing.
    pub(super) free: Vec<&'w Work>,
    /// What waits, and for which layers: each once.
    pub(super) waiting: Vec<(&'w Work, BTreeSet<&'w str>)>,
    /// All layers that are waited for.
    pub(super) layers: BTreeSet<&'w str>,
}

impl<'w> Adding<'w> {
    /// Sorts `work` out.
    pub(super) fn new(work: &'w [Work]) -> Result<Self, String> {
        let mut sorted: Vec<&Work> = work.iter().collect();
        sorted.sort_by_key(|work| (work.stage, &work.key));
        sorted.dedup_by_key(|work| (work.stage, &work.key));
        let mut adding = Self { free: Vec::new(), waiting: Vec::new(), layers: BTreeSet::new() };
        for work in sorted {
            if work.after.is_empty() {
                adding.free.push(work);
            } else if work.stage == Stage::Layer {
                return Err(format!("the layer {} cannot wait for others", work.key));
            } else {
                let after: BTreeSet<&str> = work.after.iter().map(String::as_str).collect();
                adding.layers.extend(&after);
                adding.waiting.push((work, after));
            }
        }
        Ok(adding)
    }
}

/// Of `after`, what is not finished; `is_open` says of each layer that is known whether it is.
pub(super) fn unfinished<'w>(work: &Work, after: &BTreeSet<&'w str>, is_open: &BTreeMap<&str, bool>) -> Result<Vec<&'w str>, String> {
    let mut unfinished = Vec::new();
    for layer in after {
        match is_open.get(layer) {
            Some(true) => unfinished.push(*layer),
            Some(false) => {}
            None => return Err(format!("{} waits for {layer}, which is not known as work", work.key)),
        }
    }
    Ok(unfinished)
}

/// The facts to put, by key; of two under one key the later one.
pub(super) fn facts(done: &Done) -> BTreeMap<&str, &[u8]> {
    done.facts.iter().map(|(key, bytes)| (key.as_str(), bytes.as_slice())).collect()
}

/// The results to put, by name; of two under one name the first one.
pub(super) fn results(done: &Done) -> BTreeMap<&str, &[u8]> {
    done.results.iter().rev().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect()
}

/// Adds `count` pieces of work to `counts`.
pub(super) fn tally(counts: &mut Counts, stage: Stage, state: i16, count: i64, fetched: i64) {
    let (at, count) = (stage as usize, unsigned(count));
    counts.all[at] += count;
    counts.fetched += unsigned(fetched);
    if state >= FINISHED {
        counts.finished[at] += count;
    }
    if state == FAILED {
        counts.failed += count;
    }
}

/// Gives rows to `each` until it breaks off, [`PAGE`] of them in memory at a time. `page` gives one row more than a page, beginning with the key `first`.
pub(super) fn in_pages<K: Clone, R, E>(
    first: K,
    mut page: impl FnMut(&K) -> Result<Vec<(K, R)>, E>,
    mut each: impl FnMut(&K, &R) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let mut next = Some(first);
    while let Some(first) = next {
        let rows = page(&first)?;
        next = rows.get(PAGE as usize).map(|(key, _)| key.clone());
        for (key, row) in rows.iter().take(PAGE as usize) {
            if each(key, row)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Gives the facts whose keys begin with `prefix` to `each`; `page` gives one fact more than a page, beginning with a key.
pub(super) fn with_prefix(
    prefix: &str,
    page: impl FnMut(&String) -> Result<Vec<(String, Vec<u8>)>, StateError>,
    each: &mut EachFact<'_>,
) -> Result<(), StateError> {
    in_pages(prefix.to_owned(), page, |key, bytes| {
        if !key.starts_with(prefix) {
            return Ok(ControlFlow::Break(()));
        }
        each(key, bytes).map(ControlFlow::Continue)
    })
}
