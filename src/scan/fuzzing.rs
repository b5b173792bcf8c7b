//! Reads one blob that lies in memory, as a scan would on one thread, and says what came of it: for fuzz targets ([`crate::fuzzing`]).

use super::blob::Job;
use super::crew::{Crew, OwnedSink};
use super::{NoProgress, Options};
use crate::layer::{decode, walk};
use crate::rule::RuleSet;
use crate::source::{Blob, BlobKey};

/// What came of a blob, as texts that can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LayerFacts {
    /// What was found, in order.
    pub found: Vec<String>,
    /// What was odd.
    pub oddities: Vec<String>,
    /// Entries of the archive.
    pub entries: u64,
    /// Decompressed bytes.
    pub expanded: u64,
    /// Bytes that were matched as content of files.
    pub scanned: u64,
}

/// Reads a blob through buffers of `slab` bytes.
pub fn layer(rules: &RuleSet, options: &Options, blob: Blob<'_>, slab: usize) -> LayerFacts {
    let crew = Crew::new(rules, options, &NoProgress);
    let job = Job::new(&BlobKey("fuzz".to_owned()), 0);
    let walked = decode::decode(blob).map(|(_, input)| {
        let walk = walk::Options { hash: None, max_expanded: options.limits.layer_bytes, slab };
        walk::walk(input, walk, &mut OwnedSink::alone(&crew, &job))
    });
    job.part_done(&crew);
    let result = job.into_result();
    let Ok(walked) = walked else { return LayerFacts::default() };
    let found = result.found.iter().map(|found| format!("{found:?} {:?}", found.candidate.secret.expose())).collect();
    let oddities = walked.oddities.iter().chain(&result.oddities).map(|oddity| format!("{oddity:?}")).collect();
    LayerFacts { found, oddities, entries: walked.entries, expanded: walked.expanded, scanned: result.scanned }
}
