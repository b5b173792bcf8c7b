//! Wires source, layer, content and detection together, and is the only module that knows threads.
//!
//! A scan reads each distinct blob once ([`crew`] shares the work, [`blob`] runs one blob, [`gather`] puts what was found in order, [`turn`] tells of blobs in theirs), then
//! works out for each image what the findings of its layers mean there ([`image`]): which layer, which instruction, still visible or not. Who
//! keeps what is between the two, as an audit does, takes them one by one ([`Steps`]).

mod base;
mod blob;
mod crew;
mod documents;
mod expanded;
pub(crate) mod fuzzing;
mod gather;
mod image;
mod kept;
mod matcher;
mod nested;
mod public;
mod steps;
mod timings;
mod tools;
mod turn;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cache::Cache;
pub use crate::content::nested::budget::Bounds;
pub use crate::detect::Explain;
pub use crate::detect::inline::Comments;
use crate::finding::{LayerRead, Scan, fingerprint};
use crate::oci::Platform;
use crate::rule::RuleSet;
use crate::source::{self, BlobKey, BlobSink, Contents, Opened, Reference, Source, SourceError};
use crate::watch::{Work, stretch};

pub use base::Base;
use blob::BlobResult;
use crew::Crew;
use kept::{Keeper, Recall};
pub use steps::{Layers, Steps, Unkept};
pub use timings::Timings;

/// Whether blobs are checked against their digests while they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// Hash every blob and every decompressed layer.
    Digests,
    /// Hash nothing.
    Nothing,
}

/// What to make of findings in files that are public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicFiles {
    /// Suppress them.
    Suppress,
    /// Take them for what they are elsewhere.
    Report,
}

/// Bounds on what one image may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most decompressed bytes of one layer.
    pub layer_bytes: u64,
    /// Most findings of one file; those that come first are kept.
    pub findings_per_file: usize,
    /// Most findings of one layer; those that come first are kept.
    pub findings_per_layer: usize,
    /// What looking into files may cost.
    pub nested: Bounds,
}

impl Default for Limits {
    fn default() -> Self {
        Self { layer_bytes: 1 << 40, findings_per_file: 1_000, findings_per_layer: 100_000, nested: Bounds::default() }
    }
}

/// How to scan.
#[derive(Debug, Clone)]
pub struct Options {
    /// Threads, at least one.
    pub jobs: usize,
    /// Bound on buffers and decoders, in bytes; none for the default.
    pub max_memory: Option<u64>,
    /// Whether digests are checked.
    pub verify: Verify,
    /// Scan only images for this platform.
    pub platform: Option<Platform>,
    /// The time, in seconds since 1970, before which what expired opens nothing; none to take nothing for expired.
    pub now: Option<i64>,
    /// Bounds.
    pub limits: Limits,
    /// The folder for temporary files; none for the platform's.
    pub temporary: Option<PathBuf>,
    /// Whether comments in the image's files can accept a secret.
    pub comments: Comments,
    /// The project's key for fingerprints; none to make them without one.
    pub key: Option<fingerprint::Key>,
    /// The images that those scanned may be built on.
    pub bases: Vec<Base>,
    /// How to deal with registries.
    pub registry: source::registry::RegistryOptions,
    /// Whether findings in public files count.
    pub public_files: PublicFiles,
    /// Whether findings come with how they came about.
    pub explain: Explain,
    /// Where it is noted how long threads are busy with what; none to look at no clock.
    pub timings: Option<Arc<Timings>>,
    /// Where results of blobs are kept; none to read every blob. Without digests none is used either. Of a secret that is found there not
    /// the text comes back, but what can be shown of it, its name, and enough to redact it.
    pub cache: Option<Arc<Cache>>,
}

impl Default for Options {
    fn default() -> Self {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            jobs,
            max_memory: None,
            verify: Verify::Digests,
            platform: None,
            now: None,
            limits: Limits::default(),
            temporary: None,
            comments: Comments::default(),
            key: None,
            bases: Vec::new(),
            registry: source::registry::RegistryOptions::default(),
            public_files: PublicFiles::Suppress,
            explain: Explain::Nothing,
            timings: None,
            cache: None,
        }
    }
}

/// Is told how the scan goes on. Called from many threads.
pub trait Progress: Sync {
    /// A blob is being read; `size` is of the stored blob.
    fn layer_started(&self, what: &str, size: Option<u64>);
    /// So many more decompressed bytes went through detection.
    fn bytes(&self, count: u64);
    /// A blob has been read.
    fn layer_finished(&self);
    /// So many more candidates were found.
    fn findings(&self, count: usize);
    /// A layer, or another blob, has been read and everything in it matched. Called for one after the other, in an order that does not
    /// depend on threads: what is done early waits for those before it.
    fn layer_read(&self, _layer: &LayerRead) {}
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn layer_started(&self, _what: &str, _size: Option<u64>) {}
    fn bytes(&self, _count: u64) {}
    fn layer_finished(&self) {}
    fn findings(&self, _count: usize) {}
}

/// A target of which nothing could be scanned.
#[derive(Debug)]
pub struct Failure {
    /// As the user named it.
    pub target: String,
    /// Why.
    pub error: SourceError,
}

/// What a scan gives: always a report, and the targets that are not in it.
#[derive(Debug)]
pub struct Outcome {
    /// What was found.
    pub scan: Scan,
    /// What could not be opened.
    pub failures: Vec<Failure>,
    /// What the user should know of how the targets were read: one sentence each.
    pub notes: Vec<String>,
}

/// A scan that has read nothing yet: what [`run`] begins with.
pub fn begin(rules: &RuleSet, options: &Options) -> Scan {
    Scan { fingerprint_key: options.key.as_ref().map(fingerprint::Key::name), ..Scan::new(rules.hash()) }
}

/// Scans targets one after the other, each with all threads.
pub fn run(targets: &[Reference], rules: &RuleSet, options: &Options, progress: &dyn Progress) -> Outcome {
    let crew = Crew::new(rules, options, progress);
    let mut scan = begin(rules, options);
    let (mut failures, mut notes) = (Vec::new(), Vec::new());
    for target in targets {
        if let Err(error) = one(target, &crew, options, &mut scan, &mut notes) {
            scan.coverage.skip(error.reason(), target.to_string(), None, error.to_string());
            failures.push(Failure { target: target.to_string(), error });
        }
    }
    name(&mut scan, &crew);
    if let Some(cache) = &options.cache {
        cache.finish();
    }
    Outcome { scan, failures, notes }
}

/// Gives findings their final names.
fn name(scan: &mut Scan, crew: &Crew<'_>) {
    crew.seal(scan.findings.iter().map(|finding| &finding.secret));
    fingerprint::rename(&mut scan.findings, |secret| crew.sealed(secret));
}

/// Scans one target into `scan`.
fn one(target: &Reference, crew: &Crew<'_>, options: &Options, scan: &mut Scan, notes: &mut Vec<String>) -> Result<(), SourceError> {
    let open = source::OpenOptions { platform: options.platform.clone(), registry: options.registry.clone() };
    let keeper = Keeper::new(crew);
    let (contents, results, recall) = match source::open(target, &open)? {
        Opened::Random(source) => {
            let read = random(source.as_ref(), crew, keeper.as_ref());
            notes.extend(source.notes());
            read?
        }
        Opened::OnePass(source) => {
            let mut sink = StreamSink { crew, results: BTreeMap::new() };
            let contents = source.read(&mut sink)?;
            (contents, sink.results, Recall::default())
        }
    };
    {
        let _assemble = stretch(crew.watch(), Work::Assemble);
        image::assemble(target, contents, &results, crew, scan);
    }
    if let Some(keeper) = keeper {
        keeper.keep(&results, &recall, scan);
    }
    Ok(())
}

/// What reading the blobs of a source gave.
type Results = BTreeMap<BlobKey, BlobResult>;

/// Reads all distinct blobs of a source that are not known, many at a time.
fn random(source: &dyn Source, crew: &Crew<'_>, keeper: Option<&Keeper<'_>>) -> Result<(Contents, Results, Recall), SourceError> {
    let mut contents = source.contents()?;
    let mut wanted: BTreeMap<BlobKey, Option<u64>> = BTreeMap::new();
    for layer in contents.images.iter().flat_map(|image| &image.layers) {
        if let Some(key) = &layer.blob {
            wanted.insert(key.clone(), layer.descriptor.as_ref().and_then(|descriptor| descriptor.size));
        }
    }
    for (_, key) in &contents.extras {
        wanted.insert(key.clone(), None);
    }
    let mut recall = keeper.map(|keeper| keeper.recall(source, &mut wanted)).unwrap_or_default();
    let mut results = crew.read_all(source, wanted);
    results.append(&mut recall.take_results());
    contents.skipped.extend(source.skipped_while_reading());
    Ok((contents, results, recall))
}

/// Scans the blobs of a source that comes once, as they pass.
struct StreamSink<'a, 'c> {
    crew: &'a Crew<'c>,
    results: Results,
}

impl BlobSink for StreamSink<'_, '_> {
    fn blob(&mut self, key: &BlobKey, blob: &mut (dyn Read + Send)) {
        let result = self.crew.read_stream(key, blob);
        self.results.insert(key.clone(), result);
    }
}
