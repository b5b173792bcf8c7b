//! Matches the pieces of a batch, and the files that stand inside files as if they lay in the layer themselves.
//!
//! What is inside a file is read by the thread that matches the file, one member after the other: many archives are read side by side, and the
//! members of one in their order.

use std::sync::Arc;

use super::PublicFiles;
use super::crew::Crew;
use super::gather::Gatherer;
use super::tools::Tools;
use crate::content::kind::KindOf;
use crate::content::nested::Format;
use crate::content::nested::budget::Budget;
use crate::content::nested::strings::Strings;
use crate::content::packages::{self, DatabaseFile, FileHashes};
use crate::detect::inline::{self, Comments};
use crate::detect::{self, AFTER, BEFORE, Chunk, Detected, Subject};
use crate::finding::Part;
use crate::layer::walk::{Head, MAX_WHOLE};
use crate::layer::{Batch, Entry, EntryKind, Opening, Piece, Where};

/// Bytes of a file that are matched at once, and at most half as many more.
const PIECE: usize = 1 << 20;

/// How a file is to be handed on: whole if something stands inside it and it lies in memory, as a stream if it does not.
pub(super) fn opening(entry: &Entry, head: &Head<'_>) -> Opening {
    let format = if head.fits { Format::of(entry.rule_path(), head.bytes) } else { Format::sniff(entry.rule_path(), head.bytes) };
    match format {
        None => Opening::Cut,
        Some(format) if head.fits && (head.bytes.len() <= MAX_WHOLE || !format.is_long_stream()) => Opening::Whole,
        Some(_) => Opening::Stream,
    }
}

/// Matches on one thread.
pub(super) struct Matcher<'m, 'c> {
    pub(super) crew: &'m Crew<'c>,
    pub(super) found: Gatherer,
    /// Of the file of the layer that is being looked into.
    pub(super) budget: Option<Arc<Budget>>,
    pub(super) tools: Tools,
    /// Bytes that lie on disk of the files that are being looked into.
    pub(super) spooled: u64,
}

impl<'m, 'c> Matcher<'m, 'c> {
    /// With nothing found yet.
    pub(super) fn new(crew: &'m Crew<'c>, tools: Tools) -> Self {
        Self { crew, found: Gatherer::default(), budget: None, tools, spooled: 0 }
    }

    /// Matches pieces of a batch. A file of a layer is looked into only if `may_open` says so of its position.
    pub(super) fn pieces(&mut self, batch: &Batch<'_>, pieces: &[Piece], may_open: &dyn Fn(u32) -> bool) {
        self.spooled = batch.slab.spooled();
        for piece in pieces {
            let buffer = batch.buffer(piece);
            match (&piece.whole, piece.opening) {
                (Some(whole), Opening::Whole) => self.outermost(&piece.entry, &buffer[whole.clone()], may_open),
                _ => self.piece(piece, buffer),
            }
        }
    }

    /// Matches a piece as text.
    pub(super) fn piece(&mut self, piece: &Piece, buffer: &[u8]) {
        let bytes = &buffer[piece.bytes.clone()];
        let owned = piece.owned.start - piece.bytes.start..piece.owned.end - piece.bytes.start;
        let chunk = Chunk { bytes, owned, is_start: piece.is_start, is_end: piece.is_end };
        if is_blank(&chunk) {
            self.found.blank(piece);
            return;
        }
        let is_metadata = piece.part != Part::Content || piece.place == Where::Metadata;
        let is_file = piece.entry.kind != EntryKind::Stray && !is_metadata;
        let path = piece.entry.rule_path();
        let subject = Subject {
            path: is_file.then_some(path),
            kind: KindOf::Path(path),
            is_metadata,
            explain: self.crew.options.explain,
            watch: self.crew.watch(),
        };
        let mut detected = detect::candidates(self.crew.rules, &chunk, &subject);
        if is_file && self.crew.options.comments == Comments::Heeded {
            inline::suppress(self.crew.rules, &chunk, &mut detected.candidates);
        }
        if is_file && matches!(chunk.bytes.first(), Some(b'{' | b'[')) && piece.offset == 0 {
            piece.whole.clone().into_iter().for_each(|whole| self.found.images.document(&piece.entry, &buffer[whole]));
        }
        if is_file && self.crew.options.public_files == PublicFiles::Suppress {
            match piece.whole.clone() {
                Some(whole) => self.recognise(piece, &buffer[whole], &detected),
                None => self.part_of_database(piece, &chunk),
            }
        }
        self.found.add(piece, &chunk, detected);
        self.found.bound(&self.crew.options.limits);
    }

    /// Keeps what may show that a file is public: its hashes if something was found in it, its bytes if it is of a package database.
    fn recognise(&mut self, piece: &Piece, whole: &[u8], detected: &Detected) {
        let entry = &piece.entry;
        if entry.kind != EntryKind::File || entry.sparse.is_some() {
            return;
        }
        let is_found = detected.candidates.iter().any(|candidate| candidate.suppressed.is_none());
        if entry.inside.is_some() {
            // A package manager vouches for files, and not for what somebody put into an archive.
            if is_found {
                self.found.member_hashes(entry, || FileHashes::of(whole));
            }
            return;
        }
        if is_found {
            self.found.hashes(entry.order, || FileHashes::of(whole));
        }
        if let Some(length) = packages::wants(&entry.path).filter(|_| piece.offset == 0) {
            let bytes = whole[..length.min(whole.len())].to_vec();
            self.found.database(entry.order, 0, DatabaseFile { path: entry.path.clone(), bytes });
        }
    }

    /// Keeps a part of a package database that is too long to be looked at whole.
    fn part_of_database(&mut self, piece: &Piece, chunk: &Chunk<'_>) {
        let entry = &piece.entry;
        let is_large = entry.kind == EntryKind::File && entry.sparse.is_none() && entry.inside.is_none() && packages::is_large(&entry.path);
        if is_large {
            let bytes = chunk.bytes[chunk.owned.clone()].to_vec();
            self.found.database(entry.order, piece.offset, DatabaseFile { path: entry.path.clone(), bytes });
        }
    }

    /// A file of the layer (or a member of one that passes by as a stream) that lies in memory and holds others.
    fn outermost(&mut self, entry: &Arc<Entry>, bytes: &[u8], may_open: &dyn Fn(u32) -> bool) {
        if !may_open(entry.order) {
            self.found.expanded.add(entry.order, 0);
            return;
        }
        let before = self.found.len();
        let budget = Arc::new(Budget::new(self.crew.options.limits.nested, bytes.len() as u64));
        self.budget = Some(Arc::clone(&budget));
        self.file(entry, bytes);
        self.budget = None;
        self.found.expanded.add(entry.order, budget.spent());
        self.found.stopped(entry, &budget);
        let is_vouchable = entry.inside.is_none() && self.crew.options.public_files == PublicFiles::Suppress;
        if is_vouchable && self.found.has_found(before, entry.order) {
            self.found.hashes(entry.order, || FileHashes::of(bytes));
        }
    }

    /// Matches a text that lies in memory.
    pub(super) fn text(&mut self, entry: &Arc<Entry>, bytes: &[u8]) {
        self.range(entry, bytes, 0..bytes.len(), 0..bytes.len());
    }

    /// Matches a range of a file that lies in memory; matches may look no further than `limits`.
    pub(super) fn range(&mut self, entry: &Arc<Entry>, bytes: &[u8], range: std::ops::Range<usize>, limits: std::ops::Range<usize>) {
        let mut start = range.start;
        while start < range.end {
            let end = if range.end - start <= PIECE + PIECE / 2 { range.end } else { start + PIECE };
            let from = start.saturating_sub(BEFORE).max(limits.start);
            let to = (end + AFTER).min(limits.end);
            let piece = Piece {
                entry: Arc::clone(entry),
                part: Part::Content,
                place: Where::Slab,
                bytes: from..to,
                owned: start..end,
                offset: start as u64,
                is_start: from == 0,
                is_end: to == bytes.len(),
                whole: (bytes.len() <= MAX_WHOLE).then_some(0..bytes.len()),
                opening: Opening::Cut,
            };
            self.piece(&piece, bytes);
            start = end;
        }
    }

    /// Matches the name of a member.
    pub(super) fn name(&mut self, entry: &Arc<Entry>, name: &[u8]) {
        self.named(entry, Part::Name, name);
    }

    /// Matches a text that stands in a table and not in a file.
    pub(super) fn named(&mut self, entry: &Arc<Entry>, part: Part, name: &[u8]) {
        let range = 0..name.len();
        let piece = Piece {
            entry: Arc::clone(entry),
            part,
            place: Where::Metadata,
            bytes: range.clone(),
            owned: range,
            offset: 0,
            is_start: true,
            is_end: true,
            whole: None,
            opening: Opening::Cut,
        };
        self.piece(&piece, name);
    }

    /// Matches the strings of a file; what is found in them stands where they do.
    pub(super) fn strings(&mut self, entry: &Arc<Entry>, bytes: &[u8], strings: &Strings) {
        let subject = Subject {
            path: None,
            kind: KindOf::Path(entry.rule_path()),
            is_metadata: false,
            explain: self.crew.options.explain,
            watch: self.crew.watch(),
        };
        let mut detected = detect::candidates(self.crew.rules, &Chunk::whole(&strings.text), &subject);
        for candidate in &mut detected.candidates {
            let length = candidate.span.len();
            let start = strings.origin(candidate.span.start);
            candidate.span = start..(start + length).min(bytes.len());
        }
        detected.publics.iter_mut().for_each(|(at, _)| *at = strings.origin(*at));
        let whole = 0..bytes.len();
        let piece = Piece {
            entry: Arc::clone(entry),
            part: Part::Content,
            place: Where::Slab,
            bytes: whole.clone(),
            owned: whole.clone(),
            offset: 0,
            is_start: true,
            is_end: true,
            whole: Some(whole),
            opening: Opening::Cut,
        };
        if self.crew.options.public_files == PublicFiles::Suppress {
            self.recognise(&piece, bytes, &detected);
        }
        self.found.add(&piece, &Chunk::whole(bytes), detected);
    }
}

/// Whether a chunk holds nothing but zeros, as the holes of images and databases do.
fn is_blank(chunk: &Chunk<'_>) -> bool {
    let bytes = &chunk.bytes[chunk.owned.clone()];
    bytes.len() >= 512 && bytes[0] == 0 && bytes[..bytes.len() - 1] == bytes[1..]
}
