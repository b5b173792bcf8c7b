//! Containers that are too long to lie in memory: read as streams by the thread that reads the layer; what comes out of them goes to all threads
//! in batches, as the layer's own files do. Those that are not read from their beginning to their end are held in memory or, if they are too long for
//! that, spooled on disk ([`spool`]).

mod spool;
mod zip;

use std::io::{self, Read};
use std::sync::Arc;

use self::spool::{Spool, Unspooled, Why, is_damage};
use super::super::crew::Crew;
use super::super::gather::Gatherer;
use super::super::matcher::opening;
use crate::content::nested::budget::{Bounds, Budget, Metered};
use crate::content::nested::{Format, SNIFFED, ar, cpio, uncompressed_name};
use crate::finding::{Part, Reason};
use crate::layer::decode::{Compression, Decoded, Decoder, NestedInput};
use crate::layer::walk::{self, Body, Head, MAX_WHOLE, Sink};
use crate::layer::{Batch, Entry, EntryKind, Opening, Piece, Slab, Where};
use crate::watch::Watch;

/// Longest table of names that is kept of an `ar` archive.
const MAX_TABLE: u64 = 4 << 20;

/// Reads one long container.
#[derive(Clone)]
pub(in super::super) struct Streamer<'s, 'c> {
    pub(in super::super) crew: &'s Crew<'c>,
    pub(in super::super) budget: Arc<Budget>,
    /// Bytes that lie on disk of the files that it stands in.
    pub(in super::super) spooled: u64,
}

impl Streamer<'_, '_> {
    /// Hands all that stands in the container to `sink`; gives what was wrong with it.
    pub(in super::super) fn stream<'b>(&self, entry: &Arc<Entry>, body: Body<'b, '_>, sink: &mut dyn Sink<'b>) -> Gatherer {
        let mut found = Gatherer::default();
        match body {
            Body::Mapped(bytes) => match Format::of(entry.rule_path(), bytes) {
                Some(Format::Tar) if self.may_enter(entry, &mut found) => {
                    let walked = walk::nested(Decoded::Mapped(bytes), entry, &|| self.budget.member(), sink);
                    found.tar(entry, walked);
                }
                _ => self.read(
                    entry,
                    &mut io::Cursor::new(bytes),
                    &mut Lent { sink, streamer: self, found: Gatherer::default() },
                    &mut found,
                ),
            },
            Body::Stream(reader) => {
                let mut lent = Lent { sink, streamer: self, found: Gatherer::default() };
                self.read(entry, reader, &mut lent, &mut found);
                found.merge(lent.found, &self.crew.options.limits);
            }
        }
        found
    }

    fn may_enter(&self, entry: &Entry, found: &mut Gatherer) -> bool {
        let may = entry.depth() < self.budget.bounds().depth;
        if !may {
            let detail = format!("it stands in {} others, which is as deep as it is looked; --max-depth allows more", entry.depth());
            found.odd(entry, Reason::TooDeep, None, detail);
        }
        may
    }

    fn read(&self, entry: &Arc<Entry>, reader: &mut (dyn Read + Send), sink: &mut Lent<'_, '_, '_, '_>, found: &mut Gatherer) {
        let mut head = Vec::with_capacity(SNIFFED);
        let is_sound = reader.take(SNIFFED as u64).read_to_end(&mut head).is_ok();
        let format = Format::sniff(entry.rule_path(), &head).filter(|_| is_sound);
        let mut all = io::Cursor::new(head).chain(reader);
        match format.filter(|_| self.may_enter(entry, found)) {
            Some(Format::Compressed(compression)) => self.compressed(entry, compression, &mut all, sink, found),
            Some(Format::Tar) => {
                let Some(input) = plain(&mut all) else { return };
                found.tar(entry, walk::nested(input, entry, &|| self.budget.member(), sink));
            }
            Some(Format::Ar) => self.ar(entry, &mut all, sink, found),
            Some(Format::Cpio) => self.cpio(entry, &mut all, sink, found),
            Some(Format::Unread(what)) => {
                found.odd(entry, Reason::UnreadFormat, None, format!("a {what}, which is not read; its bytes were scanned as they are"));
                self.text(entry, &mut all, sink, found);
            }
            Some(format) => self.held(entry, format, &mut all, sink, found),
            None => self.text(entry, &mut all, sink, found),
        }
    }

    /// Hands a stream on as text, whatever it holds.
    fn text(&self, entry: &Arc<Entry>, reader: &mut (dyn Read + Send), sink: &mut Lent<'_, '_, '_, '_>, found: &mut Gatherer) {
        let Some(input) = plain(reader) else { return };
        found.walked(entry, walk::content(input, entry, &mut AsText(sink)));
    }

    /// Hands on a file whose length is not known, or which is long.
    fn long(&self, entry: &Arc<Entry>, reader: &mut (dyn Read + Send), sink: &mut Lent<'_, '_, '_, '_>, found: &mut Gatherer) {
        let Some(input) = plain(reader) else { return };
        found.walked(entry, walk::content(input, entry, sink));
    }

    fn compressed(
        &self,
        entry: &Arc<Entry>,
        compression: Compression,
        reader: &mut (dyn Read + Send),
        sink: &mut Lent<'_, '_, '_, '_>,
        found: &mut Gatherer,
    ) {
        let Ok(mut decoder) = Decoder::nested(compression, NestedInput::Stream(Box::new(reader))) else { return };
        let child = Arc::new(entry.undone(compression.as_str(), uncompressed_name(entry.rule_path())));
        self.long(&child, &mut Metered::new(&mut decoder, &self.budget), sink, found);
        // What follows the compressed stream, or the place where it is damaged.
        let rest = decoder.rest();
        let mut first = Vec::new();
        if rest.take(1).read_to_end(&mut first).is_ok_and(|count| count > 0) {
            self.text(entry, &mut io::Cursor::new(first).chain(rest), sink, found);
        }
    }

    /// A container that is not read from its beginning to its end: in memory, or on disk if it is too long for that. What is too long for both, or
    /// cannot be written, is read as far as a stream can be.
    fn held(
        &self,
        entry: &Arc<Entry>,
        format: Format,
        reader: &mut (dyn Read + Send),
        sink: &mut Lent<'_, '_, '_, '_>,
        found: &mut Gatherer,
    ) {
        let Bounds { held_bytes, spooled_bytes, .. } = self.budget.bounds();
        let mut bytes = sink.buffer();
        let read = (&mut *reader).take(held_bytes.saturating_add(1)).read_to_end(&mut bytes);
        let held = match read {
            Ok(_) if bytes.len() as u64 <= held_bytes => Ok((Slab::Owned(bytes), None)),
            Ok(_) if format.is_copied() => Err(Unspooled::of(Why::Copied, bytes, reader)),
            Ok(_) => {
                let spool = Spool { folder: self.crew.options.temporary.as_deref(), room: spooled_bytes.saturating_sub(self.spooled) };
                spool.take(bytes, reader).map(|spooled| (Slab::Spooled(spooled.mapping), spooled.damage))
            }
            Err(error) if is_damage(&error) => Ok((Slab::Owned(bytes), Some(error))),
            Err(error) => Err(Unspooled::of(Why::Unread(error), bytes, reader)),
        };
        match held {
            Ok((slab, damage)) => {
                let length = slab.bytes().len();
                sink.large(batch_of(entry, slab, Vec::new()));
                if let Some(error) = damage {
                    let detail = format!("{error}; the {length} bytes before that were scanned, and the rest as it is");
                    found.odd(entry, Reason::DamagedFile, None, detail);
                }
            }
            Err(unspooled) => self.unspooled(entry, format, unspooled, sink, found),
        }
    }

    /// Says why a container lies nowhere as a whole, and hands on what a stream of it can give.
    fn unspooled(
        &self,
        entry: &Arc<Entry>,
        format: Format,
        unspooled: Unspooled<'_>,
        sink: &mut Lent<'_, '_, '_, '_>,
        found: &mut Gatherer,
    ) {
        let Unspooled { why, mut bytes, written } = unspooled;
        let too_long = too_long(self.budget.bounds().held_bytes);
        let (why, hint) = match why {
            Why::Unread(error) => {
                // That a bound was reached is said of the file of the layer.
                let reason = walk::reason_of(&error);
                if reason != Reason::TooLarge {
                    found.odd(entry, reason, None, format!("{error}; what there is was scanned as it is"));
                }
                return self.text(entry, &mut bytes, sink, found);
            }
            Why::Copied => (too_long, "--max-held allows more"),
            Why::Bound(0) => (too_long, "--max-held and --max-spool allow more"),
            Why::Bound(room) => {
                (format!("{too_long} and than the {room} that may be written to a temporary file"), "--max-held and --max-spool allow more")
            }
            // Of the error its kind, since the rest of it is of this machine and this moment.
            Why::System(error) => (
                format!("{too_long} and could not be written to a temporary file ({})", error.kind()),
                "TMPDIR (on Windows TMP) names the folder for these, and --max-held allows more in memory",
            ),
        };
        if format == Format::Zip {
            let way = "its members were read one after the other, and not compared with the directory at its end";
            found.odd(entry, Reason::TooLarge, None, format!("{why}: {way}; {hint}"));
            // Members have the room that is left.
            let deeper = Streamer { spooled: self.spooled + written, ..self.clone() };
            let mut lent = Lent { sink: &mut *sink.sink, streamer: &deeper, found: Gatherer::default() };
            deeper.zip(entry, &mut bytes, &mut lent, found);
            return sink.found.merge(lent.found, &self.crew.options.limits);
        }
        found.odd(entry, Reason::TooLarge, None, format!("{why}: it was scanned as it is; {hint}"));
        self.text(entry, &mut bytes, sink, found);
    }

    /// A member of known size.
    fn member(
        &self,
        entry: &Arc<Entry>,
        name: &[u8],
        size: u64,
        reader: &mut (dyn Read + Send),
        sink: &mut Lent<'_, '_, '_, '_>,
        found: &mut Gatherer,
    ) -> bool {
        let mut body = reader.take(size);
        if size <= MAX_WHOLE as u64 {
            let mut bytes = sink.buffer();
            let is_sound = body.read_to_end(&mut bytes).is_ok();
            sink.batch(one_file(entry, bytes, name.to_vec()));
            return is_sound && body.limit() == 0;
        }
        sink.batch(one_file(entry, Vec::new(), name.to_vec()));
        self.long(entry, &mut body, sink, found);
        io::copy(&mut body, &mut io::sink()).is_ok() && body.limit() == 0
    }

    fn ar(&self, entry: &Arc<Entry>, reader: &mut (dyn Read + Send), sink: &mut Lent<'_, '_, '_, '_>, found: &mut Gatherer) {
        let mut magic = [0; ar::MAGIC.len()];
        let mut table = Vec::new();
        let mut is_sound = reader.read_exact(&mut magic).is_ok();
        let mut number = 0;
        while is_sound && self.budget.member() {
            let mut header = Vec::new();
            if reader.take(ar::HEADER as u64).read_to_end(&mut header).is_err() {
                break;
            }
            let Some(known) = ar::header(&header) else {
                return self.leftover(entry, number, header, reader, sink, found);
            };
            let mut size = known.size;
            let name = match known.name {
                ar::Name::Table => {
                    let _ = reader.take(size.min(MAX_TABLE)).read_to_end(&mut table);
                    size -= table.len() as u64;
                    sink.batch(one_file(&Arc::new(entry.member(number, b"//", EntryKind::File)), table.clone(), Vec::new()));
                    Vec::new()
                }
                ar::Name::Short(name) => name,
                ar::Name::InTable(offset) => ar::in_table(&table, offset),
                ar::Name::InFront(length) => {
                    let mut name = Vec::new();
                    let _ = reader.take(size.min(length as u64).min(MAX_TABLE)).read_to_end(&mut name);
                    size -= name.len() as u64;
                    name.split(|&byte| byte == 0).next().unwrap_or_default().to_vec()
                }
            };
            let child = Arc::new(entry.member(number, &name, EntryKind::File));
            is_sound = self.member(&child, &name, size, reader, sink, found) && pass(reader, ar::padding(known.size));
            number += 1;
        }
    }

    fn cpio(&self, entry: &Arc<Entry>, reader: &mut (dyn Read + Send), sink: &mut Lent<'_, '_, '_, '_>, found: &mut Gatherer) {
        let mut number = 0;
        while self.budget.member() {
            let mut head = Vec::new();
            if reader.take(cpio::MAX_HEADER as u64).read_to_end(&mut head).is_err() {
                return;
            }
            let Some(header) = cpio::header(&head) else {
                return self.leftover(entry, number, head, reader, sink, found);
            };
            let mut all = io::Cursor::new(head).chain(&mut *reader);
            let mut before = Vec::new();
            if (&mut all).take(header.before()).read_to_end(&mut before).is_err() {
                return;
            }
            let name = before.get(header.length..header.length + header.name).unwrap_or_default();
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default().to_vec();
            let kind = if header.is_link() { EntryKind::Symlink } else { EntryKind::File };
            let child = Arc::new(entry.member(number, &name, kind));
            let is_sound = self.member(&child, &name, header.size, &mut all, sink, found) && pass(&mut all, header.padding());
            // Of a short header the bytes after it have been looked at already.
            let (left, _) = all.into_inner();
            let at = usize::try_from(left.position()).unwrap_or(usize::MAX);
            let left = left.into_inner().split_off(at.min(cpio::MAX_HEADER));
            number += 1;
            if !is_sound {
                return;
            }
            if name == cpio::TRAILER || !left.is_empty() {
                return self.leftover(entry, number, left, reader, sink, found);
            }
        }
    }

    /// Hands on what follows a container: padding, another container, or something else.
    fn leftover(
        &self,
        entry: &Arc<Entry>,
        number: u32,
        first: Vec<u8>,
        reader: &mut (dyn Read + Send),
        sink: &mut Lent<'_, '_, '_, '_>,
        found: &mut Gatherer,
    ) {
        let mut rest = SkipZeros { inner: io::Cursor::new(first).chain(reader), is_past: false };
        let mut first = Vec::new();
        if (&mut rest).take(1).read_to_end(&mut first).is_ok_and(|count| count > 0) {
            let next = Arc::new(Entry { kind: EntryKind::File, ..entry.stray(number, 0) });
            self.long(&next, &mut io::Cursor::new(first).chain(rest), sink, found);
        }
    }
}

/// A reader without the zeros that it begins with.
struct SkipZeros<R> {
    inner: R,
    is_past: bool,
}

impl<R: Read> Read for SkipZeros<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.inner.read(out)?;
            if self.is_past || count == 0 {
                return Ok(count);
            }
            let zeros = out[..count].iter().take_while(|&&byte| byte == 0).count();
            if zeros < count {
                self.is_past = true;
                out.copy_within(zeros..count, 0);
                return Ok(count - zeros);
            }
        }
    }
}

fn pass(reader: &mut (dyn Read + Send), count: u64) -> bool {
    io::copy(&mut reader.take(count), &mut io::sink()).is_ok()
}

/// What the walk takes, of bytes that are not compressed.
fn plain<'r>(reader: &'r mut (dyn Read + Send)) -> Option<Decoded<'r>> {
    Decoder::nested(Compression::None, NestedInput::Stream(Box::new(reader))).ok().map(Decoded::Stream)
}

/// What is said of a file that is longer than what is held of one.
pub(super) fn too_long(held_bytes: u64) -> String {
    format!("it is longer than the {held_bytes} bytes that are held of a file at once")
}

/// A batch of one file that lies in memory, and its name.
fn one_file<'b>(entry: &Arc<Entry>, bytes: Vec<u8>, name: Vec<u8>) -> Batch<'b> {
    batch_of(entry, Slab::Owned(bytes), name)
}

/// A batch of one file and its name.
fn batch_of<'b>(entry: &Arc<Entry>, slab: Slab<'b>, name: Vec<u8>) -> Batch<'b> {
    let piece = |part, place, range: std::ops::Range<usize>, opening| Piece {
        entry: Arc::clone(entry),
        part,
        place,
        bytes: range.clone(),
        owned: range.clone(),
        offset: 0,
        is_start: true,
        is_end: true,
        whole: Some(range),
        opening,
    };
    let mut pieces = Vec::new();
    if !name.is_empty() {
        pieces.push(Piece { whole: None, ..piece(Part::Name, Where::Metadata, 0..name.len(), Opening::Cut) });
    }
    let length = slab.bytes().len();
    if length > 0 {
        pieces.push(piece(Part::Content, Where::Slab, 0..length, Opening::Whole));
    }
    Batch { span: 0..0, slab, metadata: name, pieces }
}

/// A sink for bytes that live shorter than those of the layer. Their batches own them.
struct Lent<'l, 'b, 's, 'c> {
    sink: &'l mut dyn Sink<'b>,
    streamer: &'l Streamer<'s, 'c>,
    found: Gatherer,
}

impl Lent<'_, '_, '_, '_> {
    fn owned<'b>(batch: Batch<'_>) -> Batch<'b> {
        let slab = match batch.slab {
            Slab::Owned(bytes) => Slab::Owned(bytes),
            Slab::Mapped(bytes) => Slab::Owned(bytes.to_vec()),
            Slab::Spooled(mapping) => Slab::Spooled(mapping),
        };
        // The bytes of the layer that these came out of are counted by its own batches.
        Batch { slab, metadata: batch.metadata, pieces: batch.pieces, span: 0..0 }
    }
}

impl<'x> Sink<'x> for Lent<'_, '_, '_, '_> {
    fn buffer(&mut self) -> Vec<u8> {
        self.sink.buffer()
    }

    fn batch(&mut self, batch: Batch<'x>) {
        self.sink.batch(Self::owned(batch));
    }

    fn large(&mut self, batch: Batch<'x>) {
        self.sink.large(Self::owned(batch));
    }

    fn opening(&mut self, entry: &Entry, head: Head<'_>) -> Opening {
        opening(entry, &head)
    }

    fn stream(&mut self, entry: &Arc<Entry>, _size: Option<u64>, body: Body<'x, '_>) {
        let mut cursor;
        let reader: &mut (dyn Read + Send) = match body {
            Body::Mapped(bytes) => {
                cursor = io::Cursor::new(bytes);
                &mut cursor
            }
            Body::Stream(reader) => reader,
        };
        let found = self.streamer.stream(entry, Body::Stream(reader), self.sink);
        self.found.merge(found, &self.streamer.crew.options.limits);
    }

    fn watch(&self) -> Option<&dyn Watch> {
        self.streamer.crew.watch()
    }
}

/// Takes every file as text.
struct AsText<'t, 'l, 'b, 's, 'c>(&'t mut Lent<'l, 'b, 's, 'c>);

impl<'x> Sink<'x> for AsText<'_, '_, '_, '_, '_> {
    fn buffer(&mut self) -> Vec<u8> {
        Sink::<'x>::buffer(self.0)
    }

    fn batch(&mut self, batch: Batch<'x>) {
        self.0.batch(batch);
    }

    fn watch(&self) -> Option<&dyn Watch> {
        self.0.streamer.crew.watch()
    }
}
