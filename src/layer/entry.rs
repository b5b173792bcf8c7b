//! What the walk hands on: entries, and pieces of them in batches.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::path;
use crate::finding::Part;
use crate::source::Mapping;

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

/// Where a member of a container stands that is itself a file of the layer, or in one.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Inside {
    /// Names of the members, outermost first; empty in a file that is only compressed.
    pub members: Vec<Vec<u8>>,
    /// What was undone on the way from the file's bytes to these, outermost first: compressions, and other disguises of a whole file.
    pub steps: Vec<Cow<'static, str>>,
    /// Positions within the containers, outermost first. In their order stand the members of a file, whatever thread read them.
    pub order: Vec<u32>,
    /// The path that rules go by: that of the innermost member, as if it lay in a folder.
    pub path: Vec<u8>,
    /// What is known of the member, for people.
    pub note: Option<String>,
    /// Whether it is a record of a database: it has no lines.
    pub is_record: bool,
}

/// One entry of a layer, or a member of a container in one.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// Normalised absolute path; of the file of the layer.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Position in the archive, from 0; of the file of the layer.
    pub order: u32,
    /// Set for sparse files.
    pub sparse: Option<SparseMap>,
    /// For [`EntryKind::Stray`]: bytes from the start of the layer, or of the container.
    pub base: u64,
    /// Set for what stands inside a file of the layer.
    pub inside: Option<Box<Inside>>,
}

impl Entry {
    /// The member `name` of this container; `number` is its position there.
    pub fn member(&self, number: u32, name: &[u8], kind: EntryKind) -> Self {
        let mut inside = self.inside(number);
        let path = path::normalise(name);
        inside.members.push(path.strip_prefix(b"/").unwrap_or(&path).to_vec());
        inside.path = path;
        self.with(inside, kind, 0)
    }

    /// Bytes of this container that are no member's, `base` bytes from its start.
    pub fn stray(&self, number: u32, base: u64) -> Self {
        let inside = self.inside(number);
        self.with(inside, EntryKind::Stray, base)
    }

    /// What this file holds once `step` is undone; `path` is what it would be called then.
    pub fn undone(&self, step: &'static str, path: Vec<u8>) -> Self {
        let mut inside = self.inside(0);
        inside.steps.push(step.into());
        inside.path = path;
        self.with(inside, EntryKind::File, 0)
    }

    fn inside(&self, number: u32) -> Inside {
        let mut inside = self.inside.as_deref().cloned().unwrap_or_default();
        inside.order.push(number);
        inside
    }

    fn with(&self, inside: Inside, kind: EntryKind, base: u64) -> Self {
        Self { path: self.path.clone(), kind, order: self.order, sparse: None, base, inside: Some(Box::new(inside)) }
    }

    /// How many containers it stands in.
    pub fn depth(&self) -> usize {
        self.inside.as_ref().map_or(0, |inside| inside.order.len())
    }

    /// Its place among all that a layer holds: that of the file, then that within it.
    pub fn key(&self) -> (u32, &[u32]) {
        (self.order, self.inside.as_ref().map_or(&[], |inside| &inside.order))
    }

    /// Its position in the archive that it is an entry of.
    pub fn position(&self) -> u32 {
        self.key().1.last().copied().unwrap_or(self.order)
    }

    /// The path that rules go by.
    pub fn rule_path(&self) -> &[u8] {
        self.inside.as_ref().map_or(&self.path, |inside| &inside.path)
    }

    /// Whether it is a record of a database, which has no lines.
    pub fn is_record(&self) -> bool {
        self.inside.as_ref().is_some_and(|inside| inside.is_record)
    }

    /// Names of the members, outermost first.
    pub fn members(&self) -> &[Vec<u8>] {
        self.inside.as_ref().map_or(&[], |inside| &inside.members)
    }

    /// `/app.jar!lib/x.jar!a.properties`.
    pub fn label(&self) -> Vec<u8> {
        self.members().iter().fold(self.path.clone(), |label, member| [&label[..], b"!", member].concat())
    }

    /// Whether it is bytes of the layer that belong to no file.
    pub fn is_outside_files(&self) -> bool {
        self.kind == EntryKind::Stray && self.inside.is_none()
    }
}

/// Which buffer of a batch a piece lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// The archive's own bytes.
    Slab,
    /// Names and records, copied out of headers.
    Metadata,
}

/// How a file is handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// In pieces of moderate size, as text.
    Cut,
    /// As one piece, since something stands inside it.
    Whole,
    /// As a stream, since something stands inside it and it is too long to lie in memory.
    Stream,
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
    /// Whether it is a container that is to be looked into.
    pub opening: Opening,
}

/// The archive's own bytes.
#[derive(Debug)]
pub enum Slab<'a> {
    /// A mapped blob; ranges are of the whole of it.
    Mapped(&'a [u8]),
    /// A buffer to be given back.
    Owned(Vec<u8>),
    /// A file that came out of a stream and lies on disk for as long as it is looked into; ranges are of the whole of it.
    Spooled(Mapping),
}

impl Slab<'_> {
    /// The bytes that pieces are ranges of.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Slab::Mapped(bytes) => bytes,
            Slab::Owned(bytes) => bytes,
            Slab::Spooled(mapping) => mapping.bytes(),
        }
    }

    /// Bytes of it that lie on disk only for as long as it is there.
    pub fn spooled(&self) -> u64 {
        match self {
            Slab::Mapped(_) | Slab::Owned(_) => 0,
            Slab::Spooled(mapping) => mapping.bytes().len() as u64,
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
