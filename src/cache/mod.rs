//! What is kept from one scan to the next: bytes under a name. What they mean, [`crate::scan`] knows.
//!
//! Nothing here is ever an error of a scan: what cannot be read is not there, what cannot be written is not kept, and
//! [`Cache::problem`] says so once.

mod entry;
mod folder;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub use folder::{Folder, MAX_BYTES, Usage};

use crate::finding::trace::TraceKey;
use crate::oci::{Algorithm, Hasher};

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What was found in a blob.
    Blob,
    /// The digest of a stretch of a file.
    File,
}

/// Names an entry: its kind, and a hash of everything that it depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    kind: Kind,
    hex: String,
}

impl Name {
    /// The name of what depends on `fields` and nothing else.
    pub fn new(kind: Kind, fields: &[&[u8]]) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        for field in fields {
            hasher.update(&(field.len() as u64).to_le_bytes());
            hasher.update(field);
        }
        Self { kind, hex: hasher.finish().hex().to_owned() }
    }

    /// What it is about.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// 64 hex digits.
    pub fn hex(&self) -> &str {
        &self.hex
    }
}

/// Where entries are kept. Many processes may use one store at once; an entry is there as a whole or not at all.
pub trait Store: fmt::Debug + Send + Sync {
    /// The bytes that were put under `name`, if they are still there as they were.
    fn get(&self, name: &Name) -> io::Result<Option<Vec<u8>>>;

    /// Keeps `bytes`, in the place of what was there.
    fn put(&self, name: &Name, bytes: &[u8]) -> io::Result<()>;

    /// Removes what is beyond the bound. To be called when all has been put.
    fn trim(&self) -> io::Result<()>;
}

/// A store in use.
#[derive(Debug)]
pub struct Cache {
    store: Box<dyn Store>,
    traces: Arc<TraceKey>,
    asked: AtomicU64,
    reused: AtomicU64,
    kept: AtomicU64,
    problem: std::sync::OnceLock<String>,
}

impl Cache {
    /// A cache in `store`, whose secrets leave their traces under `traces`.
    pub fn new(store: impl Store + 'static, traces: TraceKey) -> Self {
        let (asked, reused, kept) = Default::default();
        Self { store: Box::new(store), traces: Arc::new(traces), asked, reused, kept, problem: std::sync::OnceLock::new() }
    }

    /// The key of the traces that entries hold.
    pub fn traces(&self) -> &Arc<TraceKey> {
        &self.traces
    }

    /// What was put under `name`.
    pub fn get(&self, name: &Name) -> Option<Vec<u8>> {
        self.store.get(name).unwrap_or_else(|error| {
            self.note("read", &error);
            None
        })
    }

    /// Keeps `bytes`.
    pub fn put(&self, name: &Name, bytes: &[u8]) {
        match self.store.put(name, bytes) {
            Ok(()) => _ = self.kept.fetch_add(1, Relaxed),
            Err(error) => self.note("written", &error),
        }
    }

    /// Counts a blob that a scan wanted, and whether it was here.
    pub fn count(&self, was_here: bool) {
        self.asked.fetch_add(1, Relaxed);
        self.reused.fetch_add(u64::from(was_here), Relaxed);
    }

    /// To be called when the scan is over.
    pub fn finish(&self) {
        if self.kept.load(Relaxed) > 0
            && let Err(error) = self.store.trim()
        {
            self.note("trimmed", &error);
        }
    }

    /// How many blobs were here, of how many that were wanted.
    pub fn reused(&self) -> (u64, u64) {
        (self.reused.load(Relaxed), self.asked.load(Relaxed))
    }

    /// The first thing that went wrong.
    pub fn problem(&self) -> Option<&str> {
        self.problem.get().map(String::as_str)
    }

    fn note(&self, action: &str, error: &io::Error) {
        let _ = self.problem.set(format!("it cannot be {action}: {error}"));
    }
}

/// A cache that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The operating system said no.
    #[error("{}: {error}", .path.display())]
    Io {
        /// What was being opened or made.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Others could put results there that were never found.
    #[error("{}: other users can write to it", .path.display())]
    Shared {
        /// The folder.
        path: PathBuf,
    },
    /// There is something else there.
    #[error("{}: it is no folder of the cache, and has other files in it", .path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// The key of the traces is damaged.
    #[error("{}: it is damaged", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
    },
}
