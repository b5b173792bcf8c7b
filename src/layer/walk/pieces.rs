//! Cuts what the walk comes across into pieces: bodies of entries, short texts out of headers, bytes that belong to no entry.

use std::ops::Range;
use std::sync::Arc;

use super::{BATCH, BLOCK, MAX_WHOLE, SLAB, Walk, is_header};
use crate::detect::{AFTER, BEFORE};
use crate::finding::{Part, Reason};
use crate::layer::{Entry, EntryKind, Opening, Piece, Slab, Where};

impl Walk<'_, '_> {
    /// A short text that is not in the archive as it is.
    pub(super) fn text(&mut self, entry: &Arc<Entry>, part: Part, text: Vec<u8>) {
        let start = self.metadata.len();
        self.metadata.extend_from_slice(&text);
        let range = start..self.metadata.len();
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
        self.pieces.push(piece);
        self.pending += text.len();
    }

    /// An entry's path in the archive; none of the file itself whose content is walked.
    fn path_of(&self, entry: &Arc<Entry>) -> Option<Vec<u8>> {
        let is_container = self.container.as_ref().is_some_and(|container| Arc::ptr_eq(container, entry));
        (!is_container).then(|| entry.rule_path().to_vec())
    }

    pub(super) fn cut_short(&mut self, entry: &Arc<Entry>, left: u64) {
        if entry.kind != EntryKind::Stray {
            self.odd(
                Reason::TruncatedArchive,
                self.path_of(entry),
                Some(left),
                "the archive ends in the middle of it; what there is was scanned".to_owned(),
            );
        }
    }

    /// Cuts a range of the slab into pieces; `first` is where the body begins, `limit` how far a match may look.
    #[allow(clippy::too_many_arguments, reason = "a private helper of body(); they are its variables")]
    pub(super) fn pieces_of(
        &mut self,
        entry: &Arc<Entry>,
        part: &Part,
        range: Range<usize>,
        first: i64,
        limit: usize,
        offset: u64,
        is_last: bool,
        whole: Option<&Range<usize>>,
    ) {
        let floor = usize::try_from(first).unwrap_or(0);
        let mut start = range.start;
        while start < range.end {
            let end = if range.end - start <= BATCH + BATCH / 2 { range.end } else { start + BATCH };
            let from = start.saturating_sub(BEFORE).max(floor);
            let to = (end + AFTER).min(limit);
            let piece = Piece {
                entry: Arc::clone(entry),
                part: part.clone(),
                place: Where::Slab,
                bytes: from..to,
                owned: start..end,
                offset: offset + (start - range.start) as u64,
                is_start: first >= 0 && from == floor,
                is_end: is_last && to == limit,
                whole: whole.cloned(),
                opening: Opening::Cut,
            };
            self.pieces.push(piece);
            self.pending += end - start;
            start = end;
            self.flush_large(start);
        }
    }

    /// Within a large file of a mapped layer, batches go as they fill.
    pub(super) fn flush_large(&mut self, end: usize) {
        if let Some(bytes) = self.tape.mapped().filter(|_| self.pending >= BATCH) {
            self.tape.hash_mapped(end, self.sink.watch());
            self.send(Slab::Mapped(bytes), end);
            self.span = end;
        }
    }

    /// Passes over padding.
    pub(super) fn skip(&mut self, count: u64) {
        let mut left = count;
        while left > 0 {
            let step = (self.tape.rest().len() as u64).min(left) as usize;
            self.tape.take(step);
            left -= step as u64;
            if left > 0 {
                if self.tape.is_ended() {
                    return;
                }
                self.rotate(self.tape.pos());
            }
        }
    }

    // --- bytes that belong to no entry ------------------------------------------------------------------------------------------------

    pub(super) fn stray_entry(&mut self) -> Entry {
        let order = self.order;
        self.order = self.order.saturating_add(1);
        let base = self.tape.offset();
        match &self.container {
            Some(container) => container.stray(order, base),
            None => Entry { path: Vec::new(), kind: EntryKind::Stray, order, sparse: None, base, inside: None },
        }
    }

    /// Takes all that is left as stray bytes, but for zeros at its beginning.
    pub(super) fn stray(&mut self, what: &'static str) {
        loop {
            let zeros = self.tape.rest().iter().take_while(|&&b| b == 0).count();
            self.tape.take(zeros);
            if !self.tape.rest().is_empty() {
                break;
            }
            if self.tape.is_ended() {
                return;
            }
            self.rotate(self.tape.pos());
        }
        let before = self.tape.offset();
        self.unnamed();
        let size = self.tape.offset() - before;
        if self.out.is_archive {
            self.odd(Reason::TrailingBytes, None, Some(size), format!("{what}: no engine unpacks them; they were scanned"));
        }
    }

    /// Takes all that is left without a name.
    pub(super) fn unnamed(&mut self) {
        let entry = Arc::new(self.stray_entry());
        self.body(&entry, Part::Content, u64::MAX);
    }

    /// At a block that is no header: takes bytes up to the next header as stray ones. Without one in the next [`MAX_WHOLE`] bytes, all that is left; then it
    /// gives false.
    pub(super) fn resynchronise(&mut self) -> bool {
        if self.out.is_archive && self.tape.rest().len() < MAX_WHOLE && !self.tape.is_ended() {
            // More than is asked for, so that not each of many broken headers moves so many bytes.
            self.rotate_for(self.tape.pos(), MAX_WHOLE + SLAB);
        }
        let (blocks, _) = self.tape.rest().as_chunks::<BLOCK>();
        let next = blocks.iter().take(MAX_WHOLE / BLOCK).position(is_header).filter(|_| self.out.is_archive);
        if self.out.is_archive {
            let at = self.tape.offset();
            self.odd(
                Reason::MalformedEntry,
                None,
                None,
                format!("the header at byte {at} of the layer is broken; the bytes from there on were scanned without names"),
            );
        }
        match next {
            Some(count) => {
                let entry = Arc::new(self.stray_entry());
                self.body(&entry, Part::Content, (count * BLOCK) as u64);
                true
            }
            None => {
                self.stray("bytes after a broken header");
                false
            }
        }
    }
}
