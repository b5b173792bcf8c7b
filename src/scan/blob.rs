//! Reads one blob: hashes, decompresses, walks, and matches its batches.

use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::Scope;

use super::crew::{Crew, SharedSink};
use super::gather::{Found, Gatherer, Published};
use super::matcher::Matcher;
use super::nested::Streamer;
use super::timings::Timings;
use super::turn;
use crate::content::nested::budget::Budget;
use crate::content::packages::DatabaseFile;
use crate::finding::Reason;
use crate::layer::decode::{self, Compression, Decoded};
use crate::layer::index::PathIndex;
use crate::layer::walk::{self, Body, Oddity, Sink};
use crate::layer::{Batch, Entry, Piece};
use crate::oci::{Algorithm, Digest, Hasher};
use crate::source::{Blob, BlobKey, Source};
use crate::watch::{Watch, Work, stretch};

/// What one blob holds, whatever images it is part of.
#[derive(Debug, Default)]
pub(super) struct BlobResult {
    /// In the order of the archive.
    pub(super) found: Vec<Found>,
    /// Public keys, in the order of the archive.
    pub(super) published: Vec<Published>,
    /// Files of package databases, in the order of the archive.
    pub(super) databases: Vec<DatabaseFile>,
    pub(super) index: PathIndex,
    /// Digest of the blob as stored; none if it was not hashed, or not to its end.
    pub(super) digest: Option<Digest>,
    /// Digest of the decompressed blob.
    pub(super) diff_id: Option<Digest>,
    pub(super) is_archive: bool,
    pub(super) entries: u64,
    pub(super) read: u64,
    pub(super) expanded: u64,
    pub(super) scanned: u64,
    pub(super) oddities: Vec<Oddity>,
}

/// A blob being read.
pub(super) struct Job {
    key: BlobKey,
    /// Its place among those that are told of.
    number: usize,
    /// The reader, and the batches that other threads match; with the last of them the blob is done.
    parts: AtomicUsize,
    gatherer: Mutex<Gatherer>,
    result: Mutex<BlobResult>,
}

impl Job {
    /// A blob whose reader is about to begin.
    pub(super) fn new(key: &BlobKey, number: usize) -> Self {
        Self { key: key.clone(), number, parts: AtomicUsize::new(1), gatherer: Mutex::default(), result: Mutex::default() }
    }

    /// A batch goes to another thread.
    pub(super) fn share(&self) {
        self.parts.fetch_add(1, Ordering::Relaxed);
    }

    /// The reader or a shared batch is done. The last of them puts all that was found in order, and tells of the blob.
    pub(super) fn part_done(&self, crew: &Crew<'_>) {
        if self.parts.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.finish(crew);
        }
    }

    fn odd(&self, reason: Reason, detail: String) {
        let oddity = Oddity { reason, path: None, size: None, detail };
        self.result.lock().unwrap_or_else(PoisonError::into_inner).oddities.push(oddity);
    }

    /// Takes in what a thread found.
    fn take(&self, found: Gatherer, crew: &Crew<'_>) {
        crew.progress.findings(found.len());
        self.gatherer.lock().unwrap_or_else(PoisonError::into_inner).merge(found, &crew.options.limits);
    }

    /// Whether the file at this position may be looked into, or those before it have used up what all may expand to.
    fn may_open(&self, order: u32, crew: &Crew<'_>) -> bool {
        let gatherer = self.gatherer.lock().unwrap_or_else(PoisonError::into_inner);
        !gatherer.expanded.is_used_up(order, crew.options.limits.nested.layer_bytes)
    }

    fn finish(&self, crew: &Crew<'_>) {
        let _gather = stretch(crew.watch(), Work::Gather);
        let gatherer = std::mem::take(&mut *self.gatherer.lock().unwrap_or_else(PoisonError::into_inner));
        let gathered = gatherer.finish(&crew.options.limits);
        let mut result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        result.found = gathered.found;
        result.published = gathered.published;
        result.databases = gathered.databases;
        result.scanned = gathered.scanned;
        result.oddities.extend(gathered.oddities);
        crew.turn.tell(self.number, turn::layer_read(&result, crew.rules), crew.progress);
    }

    /// What the blob holds, once all parts are done.
    pub(super) fn into_result(self) -> BlobResult {
        self.result.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a blob that its source opens.
pub(super) fn read<'s>(crew: &'s Crew<'_>, source: &'s dyn Source, job: &'s Job, size: Option<u64>, scope: Option<&Scope<'s>>) {
    match source.open(&job.key) {
        Ok(blob) => read_blob(crew, releasing(blob, source), job, size, &mut SharedSink { crew, job, source, scope }),
        Err(error) => job.odd(error.reason(), error.to_string()),
    }
    job.part_done(crew);
}

/// A compressed mapped blob is read as a stream that gives its pages back behind it.
fn releasing<'s>(blob: Blob<'s>, source: &'s dyn Source) -> Blob<'s> {
    match blob {
        Blob::Mapped(bytes) if Compression::sniff(bytes) != Compression::None => {
            Blob::Stream(Box::new(Releasing { bytes, at: 0, released: 0, source }))
        }
        other => other,
    }
}

struct Releasing<'s> {
    bytes: &'s [u8],
    at: usize,
    released: usize,
    source: &'s dyn Source,
}

impl Read for Releasing<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        const STEP: usize = 4 << 20;
        let count = out.len().min(self.bytes.len() - self.at);
        out[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        if self.at - self.released >= STEP {
            self.source.release(&self.bytes[self.released..self.at]);
            self.released = self.at;
        }
        Ok(count)
    }
}

/// Counts and hashes a blob's stored bytes as they pass. An uncompressed blob is hashed after the decoder, once.
struct Tally {
    hasher: Option<Hasher>,
    count: u64,
    /// Whether the source could not give all of it: a hash of less says nothing.
    is_broken: bool,
}

struct Counting<'a> {
    inner: Box<dyn Read + Send + 'a>,
    tally: Arc<Mutex<Tally>>,
    watch: Option<Arc<Timings>>,
}

impl Read for Counting<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let watch = self.watch.as_deref().map(|timings| timings as &dyn Watch);
        let read = {
            let _read = stretch(watch, Work::Read);
            self.inner.read(out)
        };
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.is_broken |= read.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        let count = read?;
        if tally.count == 0 && Compression::sniff(&out[..count]) == Compression::None {
            tally.hasher = None;
        }
        tally.count += count as u64;
        if let Some(hasher) = &mut tally.hasher {
            let _digest = stretch(watch, Work::Digest);
            hasher.update(&out[..count]);
        }
        Ok(count)
    }
}

/// Decodes and walks a blob.
pub(super) fn read_blob<'b>(crew: &Crew<'_>, blob: Blob<'b>, job: &Job, size: Option<u64>, sink: &mut dyn Sink<'b>) {
    let _walk = stretch(crew.watch(), Work::Walk);
    crew.progress.layer_started(&job.key.0, size);
    let algorithm = crew.verifies().then(|| algorithm_of(&job.key));
    let tally = Arc::new(Mutex::new(Tally { hasher: algorithm.map(Hasher::new), count: 0, is_broken: false }));
    let mapped = match &blob {
        Blob::Mapped(bytes) => Some(bytes.len() as u64),
        Blob::Stream(_) => None,
    };
    let blob = match blob {
        Blob::Stream(inner) => Blob::Stream(Box::new(Counting { inner, tally: Arc::clone(&tally), watch: crew.options.timings.clone() })),
        mapped => mapped,
    };
    let walked = match decode::decode(blob) {
        Ok((compression, input)) => Some((compression, walk_all(crew, input, algorithm, sink))),
        Err(error) => {
            job.odd(walk::reason_of(&error), format!("{error}; nothing of it could be read"));
            None
        }
    };
    let tally = Arc::try_unwrap(tally).ok().and_then(|tally| tally.into_inner().ok());
    let (hasher, count, is_broken) = tally.map_or((None, 0, false), |tally| (tally.hasher, tally.count, tally.is_broken));
    if let Some((compression, walked)) = walked {
        let mut result = job.result.lock().unwrap_or_else(PoisonError::into_inner);
        result.read = mapped.unwrap_or(count);
        result.digest = if compression == Compression::None { walked.diff_id.clone() } else { hasher.map(Hasher::finish) };
        result.diff_id = walked.diff_id;
        if is_broken {
            (result.digest, result.diff_id) = (None, None);
        }
        result.index = walked.index;
        result.is_archive = walked.is_archive;
        result.entries = walked.entries;
        result.expanded = walked.expanded;
        result.oddities.extend(walked.oddities);
    }
    crew.progress.layer_finished();
}

fn walk_all<'b>(crew: &Crew<'_>, input: Decoded<'b>, hash: Option<Algorithm>, sink: &mut dyn Sink<'b>) -> walk::Walked {
    walk::walk(input, walk::Options { hash, max_expanded: crew.options.limits.layer_bytes, slab: walk::SLAB }, sink)
}

fn algorithm_of(key: &BlobKey) -> Algorithm {
    if key.0.contains("sha512") { Algorithm::Sha512 } else { Algorithm::Sha256 }
}

/// Matches the pieces of a batch.
pub(super) fn match_batch(crew: &Crew<'_>, batch: &Batch<'_>, job: &Job) {
    match_pieces(crew, batch, &batch.pieces, job);
    crew.progress.bytes(batch.span.len() as u64);
}

/// Matches pieces of a batch. An idle thread may take a half of them: files of a few bytes can hold work for seconds.
fn match_pieces(crew: &Crew<'_>, batch: &Batch<'_>, pieces: &[Piece], job: &Job) {
    if let Some((first, second)) = halves(pieces).filter(|_| crew.can_split()) {
        rayon::join(|| match_pieces(crew, batch, first, job), || match_pieces(crew, batch, second, job));
        return;
    }
    let mut matcher = Matcher::new(crew, crew.tools());
    matcher.pieces(batch, pieces, &|order| job.may_open(order, crew));
    job.take(matcher.found, crew);
    crew.give_back_tools(matcher.tools);
}

/// Pieces in two parts of about as many bytes, if they are worth it.
fn halves(pieces: &[Piece]) -> Option<(&[Piece], &[Piece])> {
    /// Fewer bytes are matched in less time than sharing them may take.
    const MIN_SHARED: usize = 128 << 10;
    let total: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
    let mut seen = 0;
    let mut is_before_half = |piece: &Piece| {
        seen += piece.bytes.len();
        seen <= total / 2
    };
    let middle = pieces.iter().take_while(|piece| is_before_half(piece)).count().max(1);
    let first: usize = pieces.iter().take(middle).map(|piece| piece.bytes.len()).sum();
    let is_worth = total >= MIN_SHARED && (MIN_SHARED / 8..=total - MIN_SHARED / 8).contains(&first);
    is_worth.then(|| pieces.split_at(middle))
}

/// Looks into a file that is too long to lie in memory; `sink` is the one of its layer.
pub(super) fn stream<'b>(crew: &Crew<'_>, job: &Job, entry: &Arc<Entry>, size: Option<u64>, body: Body<'b, '_>, sink: &mut dyn Sink<'b>) {
    let _open = stretch(crew.watch(), Work::Open);
    if !job.may_open(entry.order, crew) {
        return job.take(Gatherer::passing(entry.order), crew);
    }
    let size = match (&body, size) {
        (Body::Mapped(bytes), _) => bytes.len() as u64,
        (Body::Stream(_), size) => size.unwrap_or(0),
    };
    let budget = Arc::new(Budget::new(crew.options.limits.nested, size));
    let mut found = Streamer { crew, budget: Arc::clone(&budget), spooled: 0 }.stream(entry, body, sink);
    found.expanded.add(entry.order, budget.spent());
    found.stopped(entry, &budget);
    job.take(found, crew);
}
