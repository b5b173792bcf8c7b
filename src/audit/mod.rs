//! Audits of registries: many images, each distinct layer read once, in a way that can be killed at any moment and gone on with.
//!
//! An audit is a queue of small [`state::Work`]: a listing becomes repositories, a repository becomes tags, a tag becomes images and layers. Each piece is
//! taken with a lease, done ([`bench`]), and finished in one step together with what it led to ([`state::State::finish`]), so that many workers ([`crew`]) on
//! many machines can share one audit and none of what is finished is done again. What a layer holds is kept as [`crate::scan`] keeps it: no secret in
//! clear. When all is done, [`Report`] puts together what the images left in the state.

mod bench;
mod budget;
pub mod catalog;
mod crew;
mod documents;
mod facts;
mod plan;
mod registries;
mod report;
pub mod state;
pub mod tags;
mod task;
mod turnstile;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

pub use bench::Watch;
pub use plan::Plan;
pub use report::Report;

use self::bench::Bench;
use self::state::{Run, State, StateError};
use crate::finding::AllowList;
use crate::finding::trace::TraceKey;
use crate::rule::RuleSet;
use crate::scan;
use crate::source::registry::RegistryOptions;

/// How an audit is done. None of it changes what its report says.
#[derive(Debug, Clone)]
pub struct Options {
    /// Pieces of work that this process does at a time, at least one.
    pub workers: NonZeroUsize,
    /// Threads that are busy with other things than waiting for a registry, at least one.
    pub jobs: NonZeroUsize,
    /// Bytes that are fetched at most; layers that would exceed it fail.
    pub budget: Option<u64>,
    /// How long work is kept from others whose worker says nothing any more.
    pub lease: Duration,
    /// How to deal with registries.
    pub registry: RegistryOptions,
}

/// What an audit is of, and by what it judges.
#[derive(Debug)]
pub struct Audit<'a> {
    /// What to read.
    pub plan: &'a Plan,
    /// What is looked for.
    pub rules: &'a RuleSet,
    /// How to scan. Neither threads nor time nor cache are taken from it.
    pub scan: &'a scan::Options,
    /// What is accepted.
    pub allowed: &'a AllowList,
}

/// An audit that cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The machine has no chance to give.
    #[error("there are no random bytes: {0}")]
    Random(String),
}

/// What the work came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worked {
    /// The run.
    pub run: Run,
    /// What the user should know of how registries were read: one sentence each.
    pub notes: Vec<String>,
}

impl Audit<'_> {
    /// Works until nothing is left to be done, by this process or by others. `now` is in seconds since 1970. Is nothing done yet, a run begins.
    pub fn work(&self, state: &Arc<dyn State>, options: &Options, watch: &dyn Watch, now: i64) -> Result<Worked, AuditError> {
        let run = state.begin(&self.plan.hash(self), &self.plan.first(), now)?;
        let mut bytes = [0; TraceKey::LEN];
        getrandom::fill(&mut bytes).map_err(|error| AuditError::Random(error.to_string()))?;
        let key = state.secret("traces", &bytes)?;
        let key = <[u8; TraceKey::LEN]>::try_from(key).map_err(|_| AuditError::Random("those in the state are too few".to_owned()))?;
        // What is expired, and which accepted findings are accepted still, is judged by when the run began: it may go on for days.
        let scan = scan::Options { jobs: 1, now: Some(run.started), cache: None, ..self.scan.clone() };
        let fetched = state.counts(run.id)?.fetched;
        let bench = Bench::new(self, &run, &scan, state, options, Arc::new(TraceKey::new(key)), fetched);
        crew::work(&bench, options, watch)?;
        Ok(Worked { notes: bench.notes(), run })
    }
}
