//! Documents that need not be asked for again, because somebody has kept them.

/// Keeps documents that are known by their digests: manifests and configs. May be used by many threads.
pub trait Shelf: Send + Sync {
    /// The document called `key` (`manifests/sha256:...`, `blobs/sha256:...`), from the shelf, or else from `fetch`, which gives none if it fails. The bytes
    /// are as they came: who uses them checks their digest.
    fn read(&self, key: &str, fetch: &mut dyn FnMut() -> Option<Vec<u8>>) -> Option<Vec<u8>>;
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoShelf;

impl Shelf for NoShelf {
    fn read(&self, _key: &str, fetch: &mut dyn FnMut() -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        fetch()
    }
}
