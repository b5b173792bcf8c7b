//! What the walk hands on: entries, and pieces of them in batches.

use std::ops::Range;
use std::sync::Arc;

use crate::finding::Part;

/// What a tar entry is, as far as its life and its reading depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A further name of a file.
    HardLink,
    /// A device, a pipe, or a type nobody knows.
    Other,
    /// A character device 0/0, which overlay file systems read as a whiteout and others do not.
    OverlayWhiteout,
    /// Bytes of the layer that belong to no entry.
    Stray,
}

/// Where the bytes of a sparse file stand in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SparseMap {
    /// (offset in the file, length), in the order stored.
    pub segments: Vec<(u64, u64)>,
}

impl SparseMap {
    /// The file offset of the stored byte `at`.
    pub fn offset(&self, at: u64) -> u64 {
        let mut stored = 0u64;
        for &(offset, length) in &self.segments {
            if at < stored.saturating_add(length) {
                return offset.saturating_add(at - stored);
            }
            stored = stored.saturating_add(length);
        }
        at
    }
}

/// One entry of a layer.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// Normalised absolute path.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Position in the archive, from 0.
    pub order: u32,
    /// Set for sparse files.
    pub sparse: Option<SparseMap>,
    /// For [`EntryKind::Stray`]: bytes from the start of the layer.
    pub base: u64,
}

/// Which buffer of a batch a piece lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// The archive's own bytes.
    Slab,
    /// Names and records, copied out of headers.
    Metadata,
}

/// A part of an entry that detection takes at once.
#[derive(Debug)]
pub struct Piece {
    /// The entry it belongs to.
    pub entry: Arc<Entry>,
    /// Which part of the entry.
    pub part: Part,
    /// Which buffer `bytes` is a range of.
    pub place: Where,
    /// The owned bytes and what surrounds them.
    pub bytes: Range<usize>,
    /// The bytes that no other piece owns; a range of the same buffer.
    pub owned: Range<usize>,
    /// Stored bytes of the part before the owned ones.
    pub offset: u64,
    /// Whether `bytes` begins with the part's first byte.
    pub is_start: bool,
    /// Whether `bytes` ends with the part's last byte.
    pub is_end: bool,
    /// The whole part, if it is of at most [`MAX_WHOLE`](super::walk::MAX_WHOLE) bytes and of a body; a range of the same buffer.
    pub whole: Option<Range<usize>>,
}

/// The archive's own bytes.
#[derive(Debug)]
pub enum Slab<'a> {
    /// A mapped blob; ranges are of the whole of it.
    Mapped(&'a [u8]),
    /// A buffer to be given back.
    Owned(Vec<u8>),
}

impl Slab<'_> {
    /// The bytes that pieces are ranges of.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Slab::Mapped(bytes) => bytes,
            Slab::Owned(bytes) => bytes,
        }
    }
}

/// Pieces that travel together.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The archive's own bytes.
    pub slab: Slab<'a>,
    /// Names and records.
    pub metadata: Vec<u8>,
    /// In the order of the archive.
    pub pieces: Vec<Piece>,
    /// The part of the slab that the pieces are spread over.
    pub span: Range<usize>,
}

impl Batch<'_> {
    /// The buffer that a piece lies in.
    pub fn buffer(&self, piece: &Piece) -> &[u8] {
        match piece.place {
            Where::Slab => self.slab.bytes(),
            Where::Metadata => &self.metadata,
        }
    }
}
