//! Hands on what a file holds: in pieces, as one piece, or as a stream to who looks into it.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use super::{Body, Head, MAX_WHOLE, Walk};
use crate::detect::{AFTER, BEFORE};
use crate::finding::Part;
use crate::layer::tape::Tape;
use crate::layer::{Entry, EntryKind, Opening, Piece, Slab, Where};

/// First bytes of a file by which it is told what stands inside it.
const HEAD: usize = 4096;

/// The body of a file on the tape, for who reads it from its beginning.
struct Tail<'t, 'a> {
    tape: &'t mut Tape<'a>,
    left: u64,
}

impl Read for Tail<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        if self.tape.rest().is_empty() && !self.tape.is_ended() {
            // The time counts for who reads: it has the sink that could be told.
            self.tape.refill(None);
        }
        let rest = self.tape.rest();
        let count = rest.len().min(out.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        out[..count].copy_from_slice(&rest[..count]);
        self.tape.take(count);
        self.left -= count as u64;
        Ok(count)
    }
}

impl Walk<'_, '_> {
    /// The next `size` bytes of the layer, as pieces of `entry`. With a `size` of [`u64::MAX`] they are all that follow.
    pub(super) fn body(&mut self, entry: &Arc<Entry>, part: Part, size: u64) {
        let mut size = size;
        if size == u64::MAX && entry.kind == EntryKind::File {
            self.need(MAX_WHOLE);
            if self.tape.is_ended() {
                size = self.tape.rest().len() as u64;
            }
        }
        // A file of moderate size that does not fit whole begins the next slab.
        let fits = usize::try_from(size).ok().filter(|size| *size <= MAX_WHOLE);
        if let Some(size) = fits {
            self.need(size);
        }
        let is_file = part == Part::Content && entry.kind == EntryKind::File && entry.sparse.is_none();
        let opening = if is_file { self.opening(entry, size) } else { Opening::Cut };
        let whole = match opening {
            Opening::Whole => usize::try_from(size).ok(),
            _ => fits,
        };
        let whole = whole.filter(|size| *size <= self.tape.rest().len()).map(|size| self.tape.pos()..self.tape.pos() + size);
        match (opening, whole) {
            (Opening::Whole, Some(whole)) => self.one_piece(entry, whole),
            (Opening::Stream, _) => {
                let left = self.stream(entry, size);
                self.cut(entry, part, left, size - left, None);
            }
            (_, whole) => self.cut(entry, part, size, 0, whole),
        }
    }

    /// Asks how a file is to be handed on.
    fn opening(&mut self, entry: &Arc<Entry>, size: u64) -> Opening {
        self.need(HEAD.min(usize::try_from(size).unwrap_or(HEAD)));
        let rest = self.tape.rest();
        let fits = rest.len() as u64 >= size;
        let head = if fits { &rest[..size as usize] } else { rest };
        self.sink.opening(entry, Head { bytes: head, size: Some(size).filter(|size| *size != u64::MAX), fits })
    }

    fn one_piece(&mut self, entry: &Arc<Entry>, whole: Range<usize>) {
        let length = whole.len();
        self.pieces.push(Piece {
            entry: Arc::clone(entry),
            part: Part::Content,
            place: Where::Slab,
            bytes: whole.clone(),
            owned: whole.clone(),
            offset: 0,
            is_start: true,
            is_end: true,
            whole: Some(whole),
            opening: Opening::Whole,
        });
        self.pending += length;
        self.tape.take(length);
        self.flush_large(self.tape.pos());
    }

    /// Lets the sink read a body of at most `size` bytes; how many of them it left.
    fn stream(&mut self, entry: &Arc<Entry>, size: u64) -> u64 {
        let known = Some(size).filter(|size| *size != u64::MAX);
        // Pieces of the slab go first: it will be filled anew.
        let pos = self.tape.pos();
        match self.tape.mapped() {
            Some(bytes) => {
                self.send(Slab::Mapped(bytes), pos);
                self.span = pos;
                let length = usize::try_from(size).unwrap_or(usize::MAX).min(bytes.len() - pos);
                self.sink.stream(entry, known, Body::Mapped(&bytes[pos..pos + length]));
                self.tape.take(length);
                self.tape.hash_mapped(pos + length, self.sink.watch());
                if (length as u64) < size {
                    self.cut_short(entry, size - length as u64);
                }
                0
            }
            None => {
                self.rotate(pos);
                let mut tail = Tail { tape: &mut self.tape, left: size };
                self.sink.stream(entry, known, Body::Stream(&mut tail));
                tail.left
            }
        }
    }

    /// Cuts the next `size` bytes into pieces; `offset` bytes of the file stand before them.
    fn cut(&mut self, entry: &Arc<Entry>, part: Part, size: u64, offset: u64, whole: Option<Range<usize>>) {
        let (mut left, mut offset) = (size, offset);
        // Index of the body's first byte in the slab; negative once it has been left behind.
        let mut first = self.tape.pos() as i64;
        while left > 0 {
            let start = self.tape.pos();
            let available = self.tape.rest().len();
            let is_last = left <= available as u64 || self.tape.is_ended();
            let end = if is_last {
                start + available.min(usize::try_from(left).unwrap_or(usize::MAX))
            } else {
                (start + available).saturating_sub(AFTER).max(start)
            };
            let limit = if is_last { end } else { start + available };
            self.pieces_of(entry, &part, start..end, first, limit, offset, is_last, whole.as_ref());
            offset += (end - start) as u64;
            left -= (end - start) as u64;
            self.tape.take(end - start);
            if is_last {
                // Of a stream whose length is not known nothing is missing.
                if left > 0 && left < u64::MAX / 2 {
                    self.cut_short(entry, left);
                }
                return;
            }
            let keep = end.saturating_sub(BEFORE).max(usize::try_from(first).unwrap_or(0));
            self.rotate(keep);
            first -= keep as i64;
        }
    }
}
