//! The threads and the memory they may hold.
//!
//! A reader decompresses and walks one layer at a time and makes batches. A batch goes to an idle thread if there is one, and is matched
//! by the reader itself if there is none. What is matched is halved again and again, and an idle thread takes halves, so that a file of many others
//! keeps no thread from going on: whoever waits for a half matches something else meanwhile. The number of buffers is bounded by the number of
//! batches in flight. With one job everything happens in turn on one thread.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use rayon::{Scope, ThreadPool, ThreadPoolBuilder};

use super::blob::{self, BlobResult, Job};
use super::matcher;
use super::tools::Tools;
use super::turn::Turn;
use super::{Options, Progress, Verify};
use crate::finding::Secret;
use crate::finding::fingerprint::Sealed;
use crate::layer::walk::{Body, Head, MAX_WHOLE, Sink};
use crate::layer::{Batch, Entry, Opening, Slab};
use crate::rule::RuleSet;
use crate::source::{Blob, BlobKey, Source};
use crate::watch::{Watch, Work, stretch};

/// What one reader may cost: its buffer and a usual decoder's window.
const READER_BYTES: u64 = 48 << 20;
/// What one batch in flight costs at most.
const BATCH_BYTES: u64 = (MAX_WHOLE + (1 << 20)) as u64;
/// Buffers that grew beyond this for a file are not kept for another batch.
const MAX_KEPT: usize = 2 << 20;
/// A thread that waits for a half of its batch matches other batches meanwhile, on top of it.
const STACK: usize = 16 << 20;

/// Everything that all blobs of a scan share.
pub(super) struct Crew<'c> {
    pub(super) rules: &'c RuleSet,
    pub(super) options: &'c Options,
    pub(super) progress: &'c dyn Progress,
    pool: Option<ThreadPool>,
    readers: usize,
    max_in_flight: usize,
    busy_readers: AtomicUsize,
    in_flight: AtomicUsize,
    buffers: Mutex<Vec<Vec<u8>>>,
    tools: Mutex<Vec<Tools>>,
    pub(super) turn: Turn,
    seals: Mutex<HashMap<Secret, Sealed>>,
}

impl<'c> Crew<'c> {
    pub(super) fn new(rules: &'c RuleSet, options: &'c Options, progress: &'c dyn Progress) -> Self {
        let jobs = options.jobs.max(1);
        let budget = options.max_memory.unwrap_or(u64::MAX);
        let readers = usize::try_from(budget / READER_BYTES).unwrap_or(jobs).clamp(1, jobs);
        let max_in_flight = usize::try_from(budget / 2 / BATCH_BYTES).unwrap_or(usize::MAX).clamp(1, jobs * 3);
        // Without a pool everything runs on the calling thread; so it does where the system refuses threads.
        let pool = if jobs > 1 {
            ThreadPoolBuilder::new().num_threads(jobs).stack_size(STACK).thread_name(|index| format!("scan-{index}")).build().ok()
        } else {
            None
        };
        let buffers = Mutex::new(Vec::new());
        Self {
            rules,
            options,
            progress,
            pool,
            readers,
            max_in_flight,
            busy_readers: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            buffers,
            tools: Mutex::default(),
            turn: Turn::default(),
            seals: Mutex::default(),
        }
    }

    /// Reads blobs, the largest first.
    pub(super) fn read_all(&self, source: &dyn Source, wanted: BTreeMap<BlobKey, Option<u64>>) -> BTreeMap<BlobKey, BlobResult> {
        let mut keys: Vec<(BlobKey, Option<u64>)> = wanted.into_iter().collect();
        keys.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        let jobs: Vec<Job> = keys.iter().map(|(key, _)| Job::new(key, self.turn.number())).collect();
        match &self.pool {
            None => keys.iter().zip(&jobs).for_each(|((_, size), job)| blob::read(self, source, job, *size, None)),
            Some(pool) => self.run_readers(pool, source, &keys, &jobs),
        }
        keys.into_iter().zip(jobs).map(|((key, _), job)| (key, job.into_result())).collect()
    }

    /// Applies `function` to all `items`, in their order.
    fn map<T: Send, R: Send>(&self, items: Vec<T>, function: impl Fn(T) -> R + Send + Sync) -> Vec<R> {
        match &self.pool {
            Some(pool) => pool.install(|| items.into_par_iter().map(function).collect()),
            None => items.into_iter().map(function).collect(),
        }
    }

    /// Seals secrets, each once in a scan. Sealing is work for all threads.
    pub(super) fn seal<'f>(&self, secrets: impl Iterator<Item = &'f Secret>) {
        let distinct: HashSet<&Secret> = secrets.collect();
        let new: Vec<&Secret> = {
            let seals = self.seals.lock().unwrap_or_else(PoisonError::into_inner);
            distinct.into_iter().filter(|secret| !seals.contains_key(secret)).collect()
        };
        let key = self.options.key.as_ref();
        let watch = self.watch();
        let sealed = self.map(new, |secret| {
            let _seal = stretch(watch, Work::Seal);
            (secret.clone(), Sealed::new(secret, key))
        });
        self.seals.lock().unwrap_or_else(PoisonError::into_inner).extend(sealed);
    }

    /// The seal of a secret.
    pub(super) fn sealed(&self, secret: &Secret) -> Sealed {
        let known = self.seals.lock().unwrap_or_else(PoisonError::into_inner).get(secret).cloned();
        known.unwrap_or_else(|| Sealed::new(secret, self.options.key.as_ref()))
    }

    /// As many readers as there may be, each of which takes the next blob when it is done with one.
    fn run_readers<'s>(&'s self, pool: &ThreadPool, source: &'s dyn Source, keys: &[(BlobKey, Option<u64>)], jobs: &'s [Job]) {
        let next = &AtomicUsize::new(0);
        pool.in_place_scope(|scope| {
            for _ in 0..self.readers.min(keys.len()) {
                scope.spawn(move |scope| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let (Some((_, size)), Some(job)) = (keys.get(index), jobs.get(index)) else { return };
                        self.busy_readers.fetch_add(1, Ordering::Relaxed);
                        blob::read(self, source, job, *size, Some(scope));
                        self.busy_readers.fetch_sub(1, Ordering::Relaxed);
                    }
                });
            }
        });
    }

    /// Reads one blob that passes by; the calling thread is its reader.
    pub(super) fn read_stream(&self, key: &BlobKey, blob: &mut (dyn Read + Send)) -> BlobResult {
        let job = Job::new(key, self.turn.number());
        let stream = Blob::Stream(Box::new(blob));
        match &self.pool {
            None => blob::read_blob(self, stream, &job, None, &mut OwnedSink { crew: self, job: &job, scope: None }),
            Some(pool) => pool.in_place_scope(|scope| {
                blob::read_blob(self, stream, &job, None, &mut OwnedSink { crew: self, job: &job, scope: Some(scope) });
            }),
        }
        job.part_done(self);
        job.into_result()
    }

    fn buffer(&self) -> Vec<u8> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.len() <= self.max_in_flight && buffer.capacity() <= MAX_KEPT {
            buffers.push(buffer);
        }
    }

    /// Tools that no thread is using.
    pub(super) fn tools(&self) -> Tools {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes tools back. There are never more than batches were matched at a time.
    pub(super) fn give_back_tools(&self, tools: Tools) {
        let tools = tools.resting();
        self.tools.lock().unwrap_or_else(PoisonError::into_inner).push(tools);
    }

    /// Whether a thread is idle, or soon will be; counts the batch if so.
    fn can_share(&self) -> bool {
        let idle = self.options.jobs.saturating_sub(self.busy_readers.load(Ordering::Relaxed));
        let room = (idle * 3).min(self.max_in_flight);
        self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < room).then_some(count + 1)).is_ok()
    }

    /// Whether the calling thread is one of several that can take parts of its work.
    pub(super) fn can_split(&self) -> bool {
        self.pool.as_ref().is_some_and(|pool| pool.current_thread_index().is_some())
    }

    /// Matches a batch and gives its buffer back.
    fn match_batch(&self, batch: Batch<'_>, job: &Job, source: Option<&dyn Source>) {
        {
            let _gather = stretch(self.watch(), Work::Gather);
            blob::match_batch(self, &batch, job);
        }
        match batch.slab {
            Slab::Owned(buffer) => self.give_back(buffer),
            Slab::Spooled(_) => {}
            Slab::Mapped(bytes) => {
                if let (Some(source), Some(span)) = (source, bytes.get(batch.span)) {
                    source.release(span);
                }
            }
        }
    }

    /// Who is told of the work of threads.
    pub(super) fn watch(&self) -> Option<&'c dyn Watch> {
        self.options.timings.as_deref().map(|timings| timings as &dyn Watch)
    }

    /// Whether blobs are to be hashed.
    pub(super) fn verifies(&self) -> bool {
        self.options.verify == Verify::Digests
    }
}

/// Shares batches of a blob that outlives the scope.
pub(super) struct SharedSink<'a, 's, 'c> {
    pub(super) crew: &'s Crew<'c>,
    pub(super) job: &'s Job,
    pub(super) source: &'s dyn Source,
    pub(super) scope: Option<&'a Scope<'s>>,
}

impl<'s> Sink<'s> for SharedSink<'_, 's, '_> {
    fn buffer(&mut self) -> Vec<u8> {
        self.crew.buffer()
    }

    fn batch(&mut self, batch: Batch<'s>) {
        let (crew, job, source) = (self.crew, self.job, self.source);
        match self.scope.filter(|_| crew.can_share()) {
            Some(scope) => {
                job.share();
                scope.spawn(move |_| {
                    crew.match_batch(batch, job, Some(source));
                    crew.in_flight.fetch_sub(1, Ordering::Relaxed);
                    job.part_done(crew);
                });
            }
            None => crew.match_batch(batch, job, Some(source)),
        }
    }

    fn large(&mut self, batch: Batch<'s>) {
        self.crew.match_batch(batch, self.job, Some(self.source));
    }

    fn opening(&mut self, entry: &Entry, head: Head<'_>) -> Opening {
        matcher::opening(entry, &head)
    }

    fn stream(&mut self, entry: &Arc<Entry>, size: Option<u64>, body: Body<'s, '_>) {
        blob::stream(self.crew, self.job, entry, size, body, self);
    }

    fn watch(&self) -> Option<&dyn Watch> {
        self.crew.watch()
    }
}

/// Shares batches of a blob that passes by: only those that own their bytes.
pub(super) struct OwnedSink<'a, 's, 'c> {
    crew: &'s Crew<'c>,
    job: &'s Job,
    scope: Option<&'a Scope<'s>>,
}

impl<'s, 'c> OwnedSink<'_, 's, 'c> {
    /// Everything on the calling thread.
    pub(super) fn alone(crew: &'s Crew<'c>, job: &'s Job) -> Self {
        Self { crew, job, scope: None }
    }
}

impl<'b> Sink<'b> for OwnedSink<'_, '_, '_> {
    fn buffer(&mut self) -> Vec<u8> {
        self.crew.buffer()
    }

    fn batch(&mut self, batch: Batch<'b>) {
        let (crew, job) = (self.crew, self.job);
        match (batch.slab, self.scope) {
            (Slab::Owned(bytes), Some(scope)) if crew.can_share() => {
                let batch = Batch { slab: Slab::Owned(bytes), metadata: batch.metadata, pieces: batch.pieces, span: batch.span };
                job.share();
                scope.spawn(move |_| {
                    crew.match_batch(batch, job, None);
                    crew.in_flight.fetch_sub(1, Ordering::Relaxed);
                    job.part_done(crew);
                });
            }
            (slab, _) => crew.match_batch(Batch { slab, metadata: batch.metadata, pieces: batch.pieces, span: batch.span }, job, None),
        }
    }

    fn large(&mut self, batch: Batch<'b>) {
        self.crew.match_batch(batch, self.job, None);
    }

    fn opening(&mut self, entry: &Entry, head: Head<'_>) -> Opening {
        matcher::opening(entry, &head)
    }

    fn stream(&mut self, entry: &Arc<Entry>, size: Option<u64>, body: Body<'b, '_>) {
        blob::stream(self.crew, self.job, entry, size, body, self);
    }

    fn watch(&self) -> Option<&dyn Watch> {
        self.crew.watch()
    }
}
