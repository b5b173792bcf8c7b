//! What a folder or archive must answer so that its images can be resolved: where a name leads, and what a document says.
//!
//! Layouts, archives and folders of other tools differ in nothing else; how manifests become images is in `resolve` for all of them.

use super::BlobKey;
use crate::finding::Reason;
use crate::oci::Digest;

/// Largest document that is read.
pub(super) const MAX_DOCUMENT: u64 = 64 << 20;

/// Most bytes of documents that one source keeps.
pub(super) const MAX_DOCUMENTS: u64 = 256 << 20;

/// A blob that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) key: BlobKey,
    /// None where only reading it shows.
    pub(super) size: Option<u64>,
}

/// Why something is not there or cannot be had: all of a [`crate::finding::Skipped`] but the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) reason: Reason,
    pub(super) size: Option<u64>,
    pub(super) detail: String,
}

impl Lost {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, size: None, detail: detail.into() }
    }
}

/// The blobs and documents of a folder or archive.
pub(super) trait Members {
    /// Looks a name up.
    fn find(&self, name: &str) -> Result<Located, Lost>;

    /// The bytes of a document of at most [`MAX_DOCUMENT`] bytes.
    fn document(&self, key: &BlobKey) -> Result<Vec<u8>, Lost>;

    /// What a layer or config is called.
    fn blob_name(&self, digest: &Digest) -> String {
        format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex())
    }

    /// What a manifest or index is called.
    fn manifest_name(&self, digest: &Digest) -> String {
        self.blob_name(digest)
    }
}

/// Whether a blob's first byte that is not blank begins a JSON object or list.
pub(super) fn looks_like_json(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    matches!(head.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'['))
}
