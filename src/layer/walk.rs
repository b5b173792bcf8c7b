//! Walks a layer's tar: headers become entries, bodies become pieces of batches.
//!
//! Lenient where engines are, and never silent: a header that does not parse ends the archive for an engine, but not the search for
//! secrets. Bytes that belong to no entry (after the end mark, after a broken header, in a blob that is no archive) are pieces too.
//! Headers are read by the `tar` crate; the walk is ours because bodies are not copied, and because it goes on where a reader that
//! unpacks has to stop.

mod body;
mod pieces;

use std::io::Read;
use std::sync::Arc;

use tar::{EntryType, Header};

use super::decode::Decoded;
use super::index::PathIndex;
use super::pax::{self, Extension};
use super::tape::Tape;
use super::{Batch, Entry, EntryKind, Opening, Piece, Slab, SparseMap, path};
use crate::finding::{Part, Reason};
use crate::oci::{Algorithm, Digest};
use crate::watch::Watch;

const BLOCK: usize = 512;
/// Longest extended header, long name or long link that is kept; longer ones are scanned, and their first bytes stand for them.
const MAX_METADATA: usize = 256 * 1024;
/// Longest path that is kept of an over-long name.
const MAX_NAME: usize = 64 * 1024;
/// Bytes of a buffer.
pub const SLAB: usize = 1 << 20;
/// Bytes of pieces that make a batch.
const BATCH: usize = 1 << 20;
/// Largest file whose pieces know all of it: they lie in one buffer, which grows for it.
pub const MAX_WHOLE: usize = 4 << 20;
/// Most entries remembered of an archive in a file: it may be the layer of an image that lies in one.
const MAX_NESTED: u32 = 1_000_000;
/// Pieces that make a batch, however small.
const MAX_PIECES: usize = 8192;

/// Who takes the batches.
pub trait Sink<'a> {
    /// An empty buffer to fill.
    fn buffer(&mut self) -> Vec<u8>;
    /// Takes a batch.
    fn batch(&mut self, batch: Batch<'a>);
    /// How a file is to be handed on that begins with `head` and has `size` bytes, if that is known.
    fn opening(&mut self, _entry: &Entry, _head: Head<'_>) -> Opening {
        Opening::Cut
    }
    /// Takes a batch that is too large to be in flight beside others.
    fn large(&mut self, batch: Batch<'a>) {
        self.batch(batch);
    }
    /// Looks into a file whose opening is [`Opening::Stream`]; `size` is as in [`Head`]. What it leaves of the body is handed on in pieces.
    fn stream(&mut self, _entry: &Arc<Entry>, _size: Option<u64>, _body: Body<'a, '_>) {}
    /// Who is told when bytes are decompressed and hashed.
    fn watch(&self) -> Option<&dyn Watch> {
        None
    }
}

/// What is known of a file when it has to be said how it is to be handed on.
#[derive(Debug, Clone, Copy)]
pub struct Head<'h> {
    /// Its first bytes: all of it, if it lies in memory as a whole.
    pub bytes: &'h [u8],
    /// Its bytes in all; none of a stream whose end is not known.
    pub size: Option<u64>,
    /// Whether all of it lies in memory.
    pub fits: bool,
}

/// A file that is read from its beginning.
pub enum Body<'a, 'r> {
    /// In place.
    Mapped(&'a [u8]),
    /// One byte after the other.
    Stream(&'r mut (dyn Read + Send)),
}

/// How to walk.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Hash the decompressed layer with this.
    pub hash: Option<Algorithm>,
    /// Most decompressed bytes.
    pub max_expanded: u64,
    /// Bytes of a buffer; no fewer than what has to lie in one beside a match's surroundings. What is found does not depend on it.
    pub slab: usize,
}

/// Something about the layer that coverage has to say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Oddity {
    /// Why.
    pub reason: Reason,
    /// The entry, where it is about one.
    pub path: Option<Vec<u8>>,
    /// Bytes concerned.
    pub size: Option<u64>,
    /// What and what it means.
    pub detail: String,
}

/// What the walk saw.
#[derive(Debug, Default)]
pub struct Walked {
    /// The paths the layer touches.
    pub index: PathIndex,
    /// Entries seen.
    pub entries: u64,
    /// Decompressed bytes.
    pub expanded: u64,
    /// Digest of the decompressed bytes.
    pub diff_id: Option<Digest>,
    /// Whether the blob is a tar archive (an empty one is).
    pub is_archive: bool,
    /// What was odd, at most a thousand times.
    pub oddities: Vec<Oddity>,
}

/// Walks a decompressed layer to its end.
pub fn walk<'a>(input: Decoded<'a>, options: Options, sink: &mut dyn Sink<'a>) -> Walked {
    let mut walk = Walk::new(input, options, None, sink);
    walk.archive();
    walk.finish()
}

/// Nested content is bounded by who decodes it.
const UNBOUNDED: Options = Options { hash: None, max_expanded: u64::MAX, slab: SLAB };

/// Walks the archive that `container` is to its end. `admit` is asked for each member; what follows the last one that it lets in is
/// bytes without a name.
pub fn nested<'a>(input: Decoded<'a>, container: &Arc<Entry>, admit: &dyn Fn() -> bool, sink: &mut dyn Sink<'a>) -> Walked {
    let mut walk = Walk { admit, ..Walk::new(input, UNBOUNDED, Some(Arc::clone(container)), sink) };
    walk.archive();
    walk.finish()
}

/// Hands the content of one file on, of which it is not known how long it is.
pub fn content<'a>(input: Decoded<'a>, file: &Arc<Entry>, sink: &mut dyn Sink<'a>) -> Walked {
    let mut walk = Walk::new(input, UNBOUNDED, Some(Arc::clone(file)), sink);
    walk.body(file, Part::Content, u64::MAX);
    walk.finish()
}

/// Whether bytes begin with the header of a tar's entry.
pub fn is_archive(head: &[u8]) -> bool {
    head.first_chunk::<BLOCK>().is_some_and(|block| is_header(block) && block[0] != 0)
}

struct Walk<'a, 's> {
    tape: Tape<'a>,
    sink: &'s mut dyn Sink<'a>,
    /// The file that the archive is; none for a layer.
    container: Option<Arc<Entry>>,
    /// Whether one more member may be read.
    admit: &'s dyn Fn() -> bool,
    /// Whether one was not let in.
    is_full: bool,
    pieces: Vec<Piece>,
    metadata: Vec<u8>,
    /// Index of the first slab byte that no earlier batch was spread over.
    span: usize,
    /// Bytes of the pieces of the batch so far.
    pending: usize,
    order: u32,
    out: Walked,
}

/// What the headers before an entry's own said of it.
#[derive(Default)]
struct Ahead {
    extension: Extension,
    records: Vec<pax::Record>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

/// What an error of reading means: damage, a bound, or a source that does not give the bytes.
pub fn reason_of(error: &std::io::Error) -> Reason {
    match error.kind() {
        std::io::ErrorKind::FileTooLarge => Reason::TooLarge,
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => Reason::DamagedStream,
        _ => Reason::Unreadable,
    }
}

impl<'a, 's> Walk<'a, 's> {
    fn new(input: Decoded<'a>, options: Options, container: Option<Arc<Entry>>, sink: &'s mut dyn Sink<'a>) -> Self {
        let buffer = sink.buffer();
        let tape = Tape::new(input, options, buffer, sink.watch());
        let out = Walked::default();
        Self {
            tape,
            sink,
            container,
            admit: &|| true,
            is_full: false,
            pieces: Vec::new(),
            metadata: Vec::new(),
            span: 0,
            pending: 0,
            order: 0,
            out,
        }
    }

    fn archive(&mut self) {
        let mut zeros = 0;
        let mut ahead = Ahead::default();
        while let Some(block) = self.block() {
            if block.iter().all(|&b| b == 0) {
                self.tape.take(BLOCK);
                self.out.is_archive = true;
                zeros += 1;
                if zeros == 2 {
                    return self.stray("bytes after the end-of-archive mark");
                }
                continue;
            }
            if zeros == 1 {
                self.odd(Reason::MalformedEntry, None, None, "a lone zero block in the middle: some readers stop here".to_owned());
            }
            zeros = 0;
            let header = header_of(&block);
            if !is_header(&block) {
                if self.resynchronise() {
                    continue;
                }
                return;
            }
            self.out.is_archive = true;
            self.tape.take(BLOCK);
            ahead = self.entry(&header, ahead);
            if self.is_full {
                return self.unnamed();
            }
        }
        if !self.tape.rest().is_empty() {
            self.stray("bytes after the last whole block");
        }
    }

    /// The next block, unless the layer ends before it does.
    fn block(&mut self) -> Option<[u8; BLOCK]> {
        self.need(BLOCK);
        self.tape.rest().first_chunk::<BLOCK>().copied()
    }

    /// Makes `count` bytes available at the tape's position, if the layer has as many. At most [`MAX_WHOLE`].
    fn need(&mut self, count: usize) {
        if self.tape.rest().len() < count && !self.tape.is_ended() {
            self.rotate_for(self.tape.pos(), count);
        }
    }

    /// Hands the pieces so far on and moves to a fresh slab that begins at index `keep` of the present one.
    fn rotate(&mut self, keep: usize) {
        self.rotate_for(keep, 0);
    }

    /// The same, with at least `count` bytes in the fresh slab.
    fn rotate_for(&mut self, keep: usize, count: usize) {
        let fresh = self.sink.buffer();
        let end = self.tape.slab().len();
        let old = self.tape.rotate(keep, count, fresh, self.sink.watch());
        self.send(old, end);
        self.span = 0;
    }

    /// Hands on a batch if it is large enough. Buffers go when they are full; of a mapped layer, parts go.
    fn flush_if_due(&mut self) {
        if self.pending < BATCH && self.pieces.len() < MAX_PIECES {
            return;
        }
        if let Some(bytes) = self.tape.mapped() {
            let end = self.tape.pos();
            self.tape.hash_mapped(end, self.sink.watch());
            self.send(Slab::Mapped(bytes), end);
            self.span = end;
        } else if self.pieces.len() >= MAX_PIECES {
            self.rotate(self.tape.pos());
        }
    }

    fn send(&mut self, slab: Slab<'a>, end: usize) {
        let batch =
            Batch { slab, metadata: std::mem::take(&mut self.metadata), pieces: std::mem::take(&mut self.pieces), span: self.span..end };
        self.pending = 0;
        self.sink.batch(batch);
    }

    fn finish(mut self) -> Walked {
        let end = self.tape.slab().len();
        self.out.diff_id = self.tape.digest(self.sink.watch());
        self.out.expanded = self.tape.offset();
        let error = self.tape.error();
        let problems = self.tape.decoder().map(|decoder| decoder.problems()).unwrap_or_default();
        let slab = self.tape.take_slab();
        self.send(slab, end);
        if let Some(error) = error {
            let read = self.out.expanded;
            self.odd(reason_of(&error), None, None, format!("{error}; the first {read} bytes were scanned"));
        }
        for (reason, detail) in problems {
            self.odd(reason, None, None, detail);
        }
        self.out.index.finish();
        let left_out = self.out.index.left_out();
        if left_out > 0 && self.container.is_none() {
            self.odd(
                Reason::EntriesLimit,
                None,
                None,
                format!("{left_out} entries are not remembered: files they hide may be said to be in the final image"),
            );
        }
        self.out
    }

    fn odd(&mut self, reason: Reason, path: Option<Vec<u8>>, size: Option<u64>, detail: String) {
        let path = match (&self.container, path) {
            (Some(container), Some(path)) => Some(container.member(0, &path, EntryKind::File).label()),
            (Some(container), None) => Some(container.label()),
            (None, path) => path,
        };
        if self.out.oddities.len() < crate::finding::MAX_SKIPPED {
            self.out.oddities.push(Oddity { reason, path, size, detail });
        }
    }

    // --- one entry ------------------------------------------------------------------------------------------------------------------

    /// Reads what follows a header; gives what is known ahead of the next one.
    fn entry(&mut self, header: &Header, mut ahead: Ahead) -> Ahead {
        let size = match header.entry_size() {
            Ok(size) => size,
            Err(_) => {
                let path = path::normalise(&header.path_bytes());
                self.odd(Reason::MalformedEntry, Some(path), None, "the size in the header is not a number".to_owned());
                0
            }
        };
        match header.entry_type() {
            EntryType::XHeader | EntryType::XGlobalHeader => {
                let is_global = header.entry_type() == EntryType::XGlobalHeader;
                if let Some(body) = self.metadata_body(size, Part::Pax(String::new())) {
                    self.pax(&body, is_global, &mut ahead);
                }
                ahead
            }
            EntryType::GNULongName => {
                ahead.long_name = self.metadata_body(size, Part::Name).or(ahead.long_name);
                ahead
            }
            EntryType::GNULongLink => {
                ahead.long_link = self.metadata_body(size, Part::LinkTarget).or(ahead.long_link);
                ahead
            }
            _ => {
                self.file(header, size, ahead);
                Ahead::default()
            }
        }
    }

    /// An entry that is in the file system.
    fn file(&mut self, header: &Header, size: u64, ahead: Ahead) {
        if !(self.admit)() {
            self.is_full = true;
            return;
        }
        let name =
            ahead.extension.sparse_name.or(ahead.extension.path).or(ahead.long_name).unwrap_or_else(|| header.path_bytes().into_owned());
        let link = ahead.extension.link.or(ahead.long_link).or_else(|| header.link_name_bytes().map(|link| link.into_owned()));
        let kind = kind_of(header, &name);
        // As the engines' readers do: these have no body, whatever the header says.
        let has_body = matches!(kind, EntryKind::File) || !is_header_only(header.entry_type());
        let size = if has_body { ahead.extension.size.unwrap_or(size) } else { 0 };
        let path = path::normalise(&name);
        if ahead.extension.conflicting {
            self.odd(
                Reason::MalformedEntry,
                Some(path.clone()),
                None,
                "two PAX records give it different sizes: readers differ on what is content".to_owned(),
            );
        }
        let mut sparse = ahead.extension.sparse;
        if header.entry_type() == EntryType::GNUSparse {
            sparse = Some(self.old_sparse_map(header));
        }
        let mut size = size;
        let padding = padding_of(size);
        if ahead.extension.sparse_in_data {
            let most = MAX_METADATA.min(usize::try_from(size).unwrap_or(MAX_METADATA));
            self.need(most);
            let head = &self.tape.rest()[..most.min(self.tape.rest().len())];
            if let Some((map, length)) = pax::map_in_data(head).filter(|(_, length)| *length <= head.len()) {
                sparse = Some(map);
                self.tape.take(length);
                size -= length as u64;
            }
        }
        let entry = Arc::new(self.entry_of(path, kind, sparse));
        self.order = self.order.saturating_add(1);
        self.out.entries += 1;
        if self.container.is_none() || entry.position() < MAX_NESTED {
            self.out.index.add(&entry, link.as_deref());
        } else {
            self.out.index.leave_out();
        }
        self.text(&entry, Part::Name, entry.rule_path().to_vec());
        if let Some(link) = link.filter(|_| matches!(kind, EntryKind::Symlink | EntryKind::HardLink)) {
            self.text(&entry, Part::LinkTarget, link);
        }
        for record in ahead.records {
            let key = String::from_utf8_lossy(&record.key).into_owned();
            let name = key.rsplit('.').next().unwrap_or(&key).as_bytes();
            let text = [name, b"=", &record.value].concat();
            self.text(&entry, Part::Pax(key), text);
        }
        self.body(&entry, Part::Content, size);
        self.skip(padding);
        self.flush_if_due();
    }

    fn entry_of(&self, path: Vec<u8>, kind: EntryKind, sparse: Option<SparseMap>) -> Entry {
        match &self.container {
            Some(container) => Entry { sparse, ..container.member(self.order, &path, kind) },
            None => Entry { path, kind, order: self.order, sparse, base: 0, inside: None },
        }
    }

    /// The records of a PAX header.
    fn pax(&mut self, body: &[u8], is_global: bool, ahead: &mut Ahead) {
        let (records, is_broken) = pax::records(body);
        if is_broken {
            self.odd(
                Reason::MalformedEntry,
                None,
                Some(body.len() as u64),
                "a PAX record's length is wrong; the records after it were scanned but not understood".to_owned(),
            );
            let entry = Arc::new(self.stray_entry());
            self.text(&entry, Part::Pax(String::new()), body.to_vec());
        }
        for record in records {
            if !is_global {
                ahead.extension.apply(&record);
            }
            if !Extension::is_routine(&record.key) {
                ahead.records.push(record);
            }
        }
    }

    /// The body of a header that describes the next entry, NULs at its end cut off. An over-long one is scanned as it stands, and only its
    /// beginning is given (names) or nothing (records).
    fn metadata_body(&mut self, size: u64, part: Part) -> Option<Vec<u8>> {
        let padding = padding_of(size);
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        if length <= MAX_METADATA {
            self.need(length);
            let rest = self.tape.rest();
            let length = length.min(rest.len());
            let mut body = rest[..length].to_vec();
            self.tape.take(length);
            self.skip(padding);
            while body.last() == Some(&0) {
                body.pop();
            }
            return Some(body);
        }
        self.need(MAX_NAME);
        let head = self.tape.rest();
        let head = head[..head.len().min(MAX_NAME)].to_vec();
        self.odd(
            Reason::MalformedEntry,
            None,
            Some(size),
            format!("a header of {size} bytes is more than the {MAX_METADATA} that are understood; its bytes were scanned"),
        );
        let entry = Arc::new(self.stray_entry());
        let is_name = part == Part::Name;
        self.body(&entry, part, size);
        self.skip(padding);
        is_name.then_some(head)
    }

    /// The map of an old GNU sparse file, some of which may stand in blocks after the header.
    fn old_sparse_map(&mut self, header: &Header) -> SparseMap {
        let mut map = SparseMap::default();
        let bytes = header.as_bytes();
        let (segments, _) = bytes[386..482].as_chunks::<24>();
        pax::old_map(segments, &mut map);
        let mut is_extended = bytes[482] != 0;
        while is_extended {
            let Some(block) = self.block() else { break };
            self.tape.take(BLOCK);
            let (segments, _) = block[..504].as_chunks::<24>();
            pax::old_map(segments, &mut map);
            is_extended = block[504] != 0;
        }
        map
    }
}

/// Bytes from the end of a body to the next block.
fn padding_of(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

fn header_of(block: &[u8; BLOCK]) -> Header {
    let mut header = Header::new_old();
    header.as_mut_bytes().copy_from_slice(block);
    header
}

/// Whether a block is a tar header: its checksum is right (old archives sum signed bytes).
fn is_header(block: &[u8; BLOCK]) -> bool {
    let text = block[148..156].split(|&b| b == 0 || b == b' ').find(|part| !part.is_empty());
    let Some(stored) = text.and_then(|text| std::str::from_utf8(text).ok()).and_then(|text| i64::from_str_radix(text, 8).ok()) else {
        return false;
    };
    let bytes = || block[..148].iter().chain(b"        ").chain(&block[156..]);
    stored == bytes().map(|&b| i64::from(b)).sum::<i64>() || stored == bytes().map(|&b| i64::from(b as i8)).sum::<i64>()
}

fn is_header_only(kind: EntryType) -> bool {
    matches!(kind, EntryType::Link | EntryType::Symlink | EntryType::Char | EntryType::Block | EntryType::Directory | EntryType::Fifo)
}

fn kind_of(header: &Header, name: &[u8]) -> EntryKind {
    match header.entry_type() {
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => EntryKind::Directory,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => EntryKind::File,
        EntryType::Directory => EntryKind::Directory,
        EntryType::Symlink => EntryKind::Symlink,
        EntryType::Link => EntryKind::HardLink,
        EntryType::Char if matches!((header.device_major(), header.device_minor()), (Ok(Some(0)), Ok(Some(0)))) => {
            EntryKind::OverlayWhiteout
        }
        _ => EntryKind::Other,
    }
}
