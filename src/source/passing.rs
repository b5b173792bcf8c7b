//! Images that lie in a file of another image: what was kept of their archive or layout while it passed is resolved as that of any archive.

use std::cell::Cell;
use std::path::Path;

use super::members::{Located, Lost, Members};
use super::resolve::Wanted;
use super::{BlobKey, Image, archive};
use crate::finding::Reason;

/// Most bytes of documents that are read of an archive, those that are read again among them.
const MAX_READ: usize = 32 << 20;

/// What was kept of an archive or a folder. Names are those of its members, from its root.
pub trait Passing {
    /// A document, if it was kept.
    fn document(&self, name: &str) -> Option<&[u8]>;

    /// Whether there was a layer of this name.
    fn has_layer(&self, name: &str) -> bool;
}

/// The images that the documents describe. The blobs of their layers are names of members. Documents that make no sense give none: what
/// stands in them has been scanned as text.
pub fn images(passing: &dyn Passing) -> Vec<Image> {
    let resolved = archive::images_of(&Adapter { passing, read: Cell::new(0) }, &Wanted::default(), Path::new(""));
    resolved.map(|(contents, _)| contents.images).unwrap_or_default()
}

struct Adapter<'p> {
    passing: &'p dyn Passing,
    read: Cell<usize>,
}

impl Members for Adapter<'_> {
    fn find(&self, name: &str) -> Result<Located, Lost> {
        let is_there = self.passing.document(name).is_some() || self.passing.has_layer(name);
        let located = || Located { key: BlobKey(name.to_owned()), size: None };
        is_there.then(located).ok_or_else(|| Lost::new(Reason::MissingBlob, "no such member was kept"))
    }

    fn document(&self, key: &BlobKey) -> Result<Vec<u8>, Lost> {
        let document = self.passing.document(&key.0).ok_or_else(|| Lost::new(Reason::MissingBlob, "no such document was kept"))?;
        self.read.set(self.read.get().saturating_add(document.len()));
        let too_many = || Lost::new(Reason::TooLarge, "the documents of the archive are longer than 32 MiB together");
        (self.read.get() <= MAX_READ).then(|| document.to_vec()).ok_or_else(too_many)
    }
}
