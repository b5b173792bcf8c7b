//! A layer that has been read, before anybody knows the images it is part of.

use super::Finding;
use crate::oci::Digest;

/// Most entries of [`LayerRead::candidates`].
pub const MAX_CANDIDATES: usize = 100;

/// What can be said of a layer as soon as it has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRead {
    /// Digest of the blob as stored; none where it was not hashed, or not to its end.
    pub digest: Option<Digest>,
    /// Digest of the uncompressed archive.
    pub diff_id: Option<Digest>,
    /// Entries seen.
    pub entries: u64,
    /// Bytes after decompression.
    pub bytes: u64,
    /// How many candidates there are.
    pub found: u64,
    /// The first [`MAX_CANDIDATES`], in the order of the archive. They have no id, no image and no life yet, and the index of their layer is 0.
    pub candidates: Vec<Finding>,
}
