//! Manifests and configs, each asked for once.
//!
//! Those read last are held in memory. Manifests in which nothing is found are kept in the state too, so that the worker that puts an image together need
//! not ask for what the one that listed its layers has read; configs never are: a build step may hold a secret that only a layer shows to be one.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use super::state::{State, StateError};
use crate::oci::{Digest, Hasher};
use crate::source::registry::Shelf;

/// Bytes of documents that are held in memory.
const MAX_BYTES: usize = 32 << 20;

/// What keys of manifests begin with.
const MANIFEST: &str = "manifests/";

/// A document, or the place of one that is being read.
type Slot = Arc<Mutex<Option<Arc<[u8]>>>>;

/// What all workers of a process have read lately.
#[derive(Default)]
pub(super) struct Memory(Mutex<Recent>);

#[derive(Default)]
struct Recent {
    slots: HashMap<String, Slot>,
    /// The oldest first, with their sizes.
    order: VecDeque<(String, usize)>,
    bytes: usize,
}

impl Memory {
    fn slot(&self, key: &str) -> Slot {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).slots.entry(key.to_owned()).or_default())
    }

    /// To be called when a document was put into its slot, with its size, or when there is none.
    fn settle(&self, key: &str, size: Option<usize>) {
        let mut recent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(size) = size else {
            recent.slots.remove(key);
            return;
        };
        recent.order.push_back((key.to_owned(), size));
        recent.bytes += size;
        while recent.bytes > MAX_BYTES {
            let Some((oldest, size)) = recent.order.pop_front() else { return };
            recent.bytes -= size;
            recent.slots.remove(&oldest);
        }
    }
}

/// The shelf of one piece of work.
pub(super) struct WorkShelf {
    memory: Arc<Memory>,
    state: Arc<dyn State>,
    /// What stands before a key in the state.
    prefix: String,
    fetched: AtomicU64,
    new: Mutex<Vec<(String, Vec<u8>)>>,
    trouble: Mutex<Option<StateError>>,
}

impl WorkShelf {
    pub(super) fn new(memory: &Arc<Memory>, state: &Arc<dyn State>, rules_hash: &str) -> Self {
        Self {
            memory: Arc::clone(memory),
            state: Arc::clone(state),
            prefix: format!("document {rules_hash} "),
            fetched: AtomicU64::new(0),
            new: Mutex::default(),
            trouble: Mutex::default(),
        }
    }

    /// Bytes that were fetched.
    pub(super) fn fetched(&self) -> u64 {
        self.fetched.load(Relaxed)
    }

    /// The manifests that were fetched, under the names that they would have in the state.
    pub(super) fn take_new(&self) -> Vec<(String, Vec<u8>)> {
        std::mem::take(&mut *self.new.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was wrong with the state.
    pub(super) fn trouble(&self) -> Result<(), StateError> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    fn kept(&self, key: &str, digest: &Digest) -> Option<Vec<u8>> {
        match self.state.result(&format!("{}{key}", self.prefix)) {
            Ok(kept) => kept.filter(|bytes| is(bytes, digest)),
            Err(error) => {
                self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                None
            }
        }
    }

    fn fetch(&self, fetch: &mut dyn FnMut() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let bytes = fetch()?;
        self.fetched.fetch_add(bytes.len() as u64, Relaxed);
        Some(bytes)
    }

    /// What is known by a tag is another thing tomorrow; what it is today will be asked for by its digest.
    fn by_tag(&self, fetch: &mut dyn FnMut() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let bytes = self.fetch(fetch)?;
        let key = format!("{MANIFEST}{}", Digest::sha256(&bytes));
        let slot = self.memory.slot(&key);
        let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            self.keep(&key, &bytes);
            *held = Some(Arc::from(&bytes[..]));
            self.memory.settle(&key, Some(bytes.len()));
        }
        Some(bytes)
    }

    fn keep(&self, key: &str, bytes: &[u8]) {
        self.new.lock().unwrap_or_else(PoisonError::into_inner).push((format!("{}{key}", self.prefix), bytes.to_vec()));
    }
}

impl Shelf for WorkShelf {
    fn read(&self, key: &str, fetch: &mut dyn FnMut() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let Some(digest) = digest_of(key) else { return self.by_tag(fetch) };
        let slot = self.memory.slot(key);
        // Others who want it wait until it is there.
        let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = &*held {
            return Some(bytes.to_vec());
        }
        let is_manifest = key.starts_with(MANIFEST);
        let kept = if is_manifest { self.kept(key, &digest) } else { None };
        let bytes = match kept {
            Some(kept) => Some(kept),
            None => self.fetch(fetch).inspect(|bytes| {
                if is_manifest && is(bytes, &digest) {
                    self.keep(key, bytes);
                }
            }),
        };
        // What is not what it should be is not shared.
        *held = bytes.as_deref().filter(|bytes| is(bytes, &digest)).map(Arc::from);
        self.memory.settle(key, held.as_ref().map(|bytes| bytes.len()));
        bytes
    }
}

fn digest_of(key: &str) -> Option<Digest> {
    key.split_once('/')?.1.parse().ok()
}

fn is(bytes: &[u8], digest: &Digest) -> bool {
    let mut hasher = Hasher::new(digest.algorithm());
    hasher.update(bytes);
    hasher.finish() == *digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_holds_what_was_read_last_within_its_bound() {
        let memory = Memory::default();
        for number in 0..40 {
            let key = number.to_string();
            *memory.slot(&key).lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::from(&b"x"[..]));
            memory.settle(&key, Some(1 << 20));
        }
        let recent = memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!((recent.bytes, recent.slots.len()), (MAX_BYTES, 32));
        assert!(recent.slots.contains_key("39") && !recent.slots.contains_key("7"));
    }
}
