//! What an audit knows, where it outlives the process: the queue of work, results of layers, findings of images.
//!
//! A [`State`] knows no registry and no rule: work, results and findings are bytes under keys to it. All of its methods may be called by many threads and, where the
//! store allows it, by many machines. Each is one transaction: it has happened as a whole or not at all.

mod postgres;
mod queue;
mod sqlite;

use std::path::Path;
use std::time::Duration;

/// One audit: all that is taken, finished and reported belongs to one. A new one begins when the last one is complete; one that is not is gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub i64);

/// How a run began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// When it began, in seconds since 1970.
    pub started: i64,
    /// The last run of the same plan that was completed, to compare with.
    pub previous: Option<RunId>,
    /// Whether it was begun by an earlier process, or by another worker.
    pub is_resumed: bool,
}

/// What kind of work it is. Work of a later kind is taken first, so that the queue stays short; layers and images count for more than lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// List repositories.
    Listing,
    /// List the tags of a repository, and choose some.
    Repository,
    /// Read the manifests of a tag.
    Tag,
    /// Read and scan a layer.
    Layer,
    /// Put the findings of an image's layers and documents together. Its layers are finished, or have failed.
    Image,
}

/// A piece of work. Two of the same stage and key within a run are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// What is to be done.
    pub stage: Stage,
    /// With what: a digest, a name.
    pub key: String,
    /// What the worker needs to know besides; opaque here.
    pub payload: Vec<u8>,
    /// Keys of the work of [`Stage::Layer`] that has to be finished or failed before this is taken. All of them are known when this is added, or are added with it;
    /// anything else is an error. A layer itself waits for nothing.
    pub after: Vec<String>,
    /// Bytes that it will fetch, as far as it is known; the larger is taken first within a stage.
    pub size: u64,
}

/// Work that was taken: it is this worker's until the lease runs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// The work.
    pub work: Work,
    /// How many leases of it ran out before. At the fifth it counts as failed, so that what kills its worker does not kill one after the other.
    pub attempts: u32,
    /// Tells this lease from an earlier one of the same work.
    pub token: i64,
}

/// What became of a piece of work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// What it led to. What is known already is not added again.
    pub more: Vec<Work>,
    /// Facts to be kept under keys of the run: which tag carries which image, what an image is; opaque here. Put in the place of what was there.
    pub facts: Vec<(String, Vec<u8>)>,
    /// Results that outlive the run, by their names (see [`crate::cache::Name`]). The first one stays.
    pub results: Vec<(String, Vec<u8>)>,
    /// Bytes that were fetched for it.
    pub fetched: u64,
    /// Why it could not be done, for people, redacted; it counts as finished for those who wait for it.
    pub failure: Option<String>,
}

/// What [`State::take`] gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// Something to do.
    Work(Box<Lease>),
    /// Nothing now, but others are at work that may lead to more, or whose lease may run out.
    Later,
    /// Nothing more: all that there was is finished.
    Nothing,
}

/// What a state knows of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pieces of work that were finished, by stage in the order of [`Stage`].
    pub finished: [u64; 5],
    /// All of them.
    pub all: [u64; 5],
    /// Those that failed.
    pub failed: u64,
    /// Bytes fetched.
    pub fetched: u64,
}

/// What was wrong with a state. Says what was being done, where, and what the store said.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {action}: {problem}")]
pub struct StateError {
    /// The file, or the server and database; no password.
    pub place: String,
    /// What was being done.
    pub action: &'static str,
    /// What was wrong.
    pub problem: String,
}

/// Opens the state at `text`: the path of a SQLite file, which is made if there is none, or a PostgreSQL database as `postgres://` or `postgresql://`. The
/// password may be in the URL or in `PGPASSWORD`.
///
/// # Errors
/// When there is nothing that can be used; see [`StateError`].
pub fn open(text: &str) -> Result<Box<dyn State>, StateError> {
    if let Some((scheme, _)) = text.split_once("://") {
        if matches!(scheme, "postgres" | "postgresql") {
            return Ok(Box::new(postgres::Postgres::open(text)?));
        }
        let problem = "it is neither a path nor `postgres://`; name a file, or a PostgreSQL database".to_owned();
        return Err(StateError { place: format!("{scheme}://"), action: "open it", problem });
    }
    Ok(Box::new(sqlite::Sqlite::open(Path::new(text))?))
}

/// Does something with a key and its bytes.
pub type EachFact<'e> = dyn FnMut(&str, &[u8]) -> Result<(), StateError> + 'e;

/// Where audits are kept.
pub trait State: Send + Sync {
    /// Goes on with the run of `plan` that is not complete, or begins one with `first` as its work. `plan` is everything that the report depends on, as one hash.
    fn begin(&self, plan: &str, first: &[Work], now: i64) -> Result<Run, StateError>;

    /// Takes work for as long as `lease`. No two workers have the same work unless a lease ran out. Within a stage the order is by size, then key.
    fn take(&self, run: RunId, worker: &str, lease: Duration) -> Result<Taken, StateError>;

    /// Makes a lease last for `time` from now. False if it has run out and others took the work, or it was given up.
    fn renew(&self, lease: &Lease, time: Duration) -> Result<bool, StateError>;

    /// Finishes work. False, and nothing is written, if the lease is not this worker's any more: somebody else did it, or does. True, and nothing is written
    /// again, if it was finished under this lease before: a call may be repeated if its answer was lost. A lease that ran out is still good as long as nobody took the work.
    fn finish(&self, lease: &Lease, done: &Done) -> Result<bool, StateError>;

    /// Gives work back undone, so that others may take it at once; it does not count as an attempt.
    fn give_back(&self, lease: &Lease) -> Result<(), StateError>;

    /// A result, of whatever run.
    fn result(&self, name: &str) -> Result<Option<Vec<u8>>, StateError>;

    /// A fact of a run.
    fn fact(&self, run: RunId, key: &str) -> Result<Option<Vec<u8>>, StateError>;

    /// All facts of a run whose keys begin with `prefix`, in the byte order of their keys; not all of them are held in memory at once.
    fn facts(&self, run: RunId, prefix: &str, each: &mut EachFact<'_>) -> Result<(), StateError>;

    /// Work that failed, with why, in the order of stage and key.
    fn failures(&self, run: RunId, each: &mut dyn FnMut(&Work, &str) -> Result<(), StateError>) -> Result<(), StateError>;

    /// How far a run is.
    fn counts(&self, run: RunId) -> Result<Counts, StateError>;

    /// Says that all work of a run is finished and its report may be compared with, which is an error if it is not; drops what no run needs any more but the last two complete ones of each plan.
    fn complete(&self, run: RunId, now: i64) -> Result<(), StateError>;

    /// Bytes that belong to the whole state, such as keys; the first one to be put stays, and is what is returned.
    fn secret(&self, name: &str, bytes: &[u8]) -> Result<Vec<u8>, StateError>;
}
