//! One blob becomes entries: decompressed by magic, walked as tar, cut into pieces that detection can take one by one.
//!
//! Nothing is unpacked: a piece is a range of a buffer (or of a mapped file) that holds the archive's own bytes. Knows no rule.

pub mod decode;
mod entry;
pub mod index;
pub mod life;
pub mod path;
mod pax;
mod tape;
pub mod walk;

pub use entry::{Batch, Entry, EntryKind, Inside, Opening, Piece, Slab, SparseMap, Where};
