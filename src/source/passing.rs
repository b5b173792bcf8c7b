//! Images that lie in a file of another image: what was kept of their archive or layout while it passed is resolved as that of any archive.

use std::path::Path;

use super::members::{Located, Lost, Members};
use super::resolve::Wanted;
use super::{BlobKey, Image, archive};
use crate::finding::Reason;

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
    let resolved = archive::images_of(&Adapter(passing), &Wanted::default(), Path::new(""));
    resolved.map(|(contents, _)| contents.images).unwrap_or_default()
}

struct Adapter<'p>(&'p dyn Passing);

impl Members for Adapter<'_> {
    fn find(&self, name: &str) -> Result<Located, Lost> {
        let is_there = self.0.document(name).is_some() || self.0.has_layer(name);
        let located = || Located { key: BlobKey(name.to_owned()), size: None };
        is_there.then(located).ok_or_else(|| Lost::new(Reason::MissingBlob, "no such member was kept"))
    }

    fn document(&self, key: &BlobKey) -> Result<Vec<u8>, Lost> {
        let document = self.0.document(&key.0).map(<[u8]>::to_vec);
        document.ok_or_else(|| Lost::new(Reason::MissingBlob, "no such document was kept"))
    }
}
