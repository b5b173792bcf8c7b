//! Looks into files: each member of a container goes through exactly what a file of a layer goes through.
//!
//! Every byte of a container is accounted for: it was decoded and what came of it was matched, or it is a record that says nothing else than what is
//! in the report, or it is matched as it stands. Readers of containers give the ranges that they understood; the gaps are text.

mod archives;
mod filesystems;
mod git;
pub(super) mod images;
mod records;
mod stream;

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use flate2::bufread::DeflateDecoder;

pub(super) use stream::Streamer;

use super::gather::Gatherer;
use super::matcher::{Matcher, opening};
use crate::content::nested::budget::{Budget, Metered, Stopped};
use crate::content::nested::{Format, Problem, asar, gaps, git::bundled, iso, just, rpm, strings, uncompressed_name};
use crate::finding::Reason;
use crate::layer::decode::{Compression, Decoded, Decoder, NestedInput};
use crate::layer::walk::{self, Body, Head, MAX_WHOLE, Sink};
use crate::layer::{Batch, Entry, EntryKind, Opening};
use crate::vector::inflate::Wrapping;
use crate::watch::{Watch, Work, stretch};

/// Fewest bytes after a container's end that may be a container of their own, as in initial RAM disks.
const MIN_APPENDED: usize = 64;

impl Gatherer {
    /// Says that looking into a file was stopped by a bound.
    pub(super) fn stopped(&mut self, entry: &Entry, budget: &Budget) {
        let bounds = budget.bounds();
        match budget.stopped() {
            None => {}
            Some(Stopped::Expansion) => self.odd(
                entry,
                Reason::TooLarge,
                Some(budget.spent()),
                "what stands in it expands to more than the bounds allow; the rest was not looked into; --max-expansion and --max-expanded allow more",
            ),
            Some(Stopped::Members) => {
                let detail = format!("it has more than {} members; the rest was not looked into; --max-members allows more", bounds.members);
                self.odd(entry, Reason::EntriesLimit, None, detail);
            }
        }
    }

    /// The same of a nested tar, which may be the layer of an image.
    fn tar(&mut self, entry: &Entry, mut walked: walk::Walked) {
        self.images.layer(entry, std::mem::take(&mut walked.index));
        self.walked(entry, walked);
    }

    /// What a walk through a nested archive or file had to say. That a bound was reached is said of the file of the layer.
    fn walked(&mut self, entry: &Entry, walked: walk::Walked) {
        for oddity in walked.oddities {
            let reason = match oddity.reason {
                Reason::TooLarge => continue,
                Reason::DamagedStream | Reason::MalformedEntry | Reason::TruncatedArchive => Reason::DamagedFile,
                reason => reason,
            };
            self.odd_entry(entry, walk::Oddity { reason, ..oddity });
        }
    }

    /// Says what is wrong with a container.
    fn problems(&mut self, entry: &Entry, problems: Vec<Problem>) {
        let shown = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        for problem in problems {
            match problem {
                Problem::Encrypted(count, first) => {
                    let detail = format!("{count} members are encrypted, first {}; they could not be read", shown(&first));
                    self.odd(entry, Reason::Encrypted, None, detail);
                }
                Problem::UnknownMethod(count, first) => {
                    let detail = format!("{count} members are compressed in a way that is not known, first {}", shown(&first));
                    self.odd(entry, Reason::UnreadFormat, None, detail);
                }
                Problem::Damaged(detail) => self.odd(entry, Reason::DamagedFile, None, detail),
                Problem::TooLarge(detail) => self.odd(entry, Reason::TooLarge, None, detail),
                Problem::Contradicts(detail) => self.odd(entry, Reason::Contradiction, None, format!("{detail}; both were read")),
            }
        }
    }
}

impl Matcher<'_, '_> {
    /// Matches a file that lies in memory: what stands inside it if something does, else its bytes.
    pub(super) fn file(&mut self, entry: &Arc<Entry>, bytes: &[u8]) {
        let Some(format) = Format::of(entry.rule_path(), bytes) else { return self.text(entry, bytes) };
        let Some(budget) = self.budget.clone() else { return self.text(entry, bytes) };
        if entry.depth() >= budget.bounds().depth {
            let detail = format!("it stands in {} others, which is as deep as it is looked; --max-depth allows more", entry.depth());
            self.found.odd(entry, Reason::TooDeep, Some(bytes.len() as u64), detail);
            return self.text(entry, bytes);
        }
        let held_bytes = budget.bounds().held_bytes;
        if format.is_copied() && bytes.len() as u64 > held_bytes {
            let detail = format!("{}: it was scanned as it is; --max-held allows more", stream::too_long(held_bytes));
            self.found.odd(entry, Reason::TooLarge, Some(bytes.len() as u64), detail);
            return self.text(entry, bytes);
        }
        let used = {
            let _open = stretch(self.crew.watch(), Work::Open);
            self.open(entry, bytes, format, &budget)
        };
        self.rest(entry, bytes, used);
    }

    /// Looks into a container: the ranges of it that were understood.
    fn open(&mut self, entry: &Arc<Entry>, bytes: &[u8], format: Format, budget: &Arc<Budget>) -> Vec<Range<usize>> {
        match format {
            Format::Compressed(compression) => self.compressed(entry, bytes, compression, budget),
            Format::Tar => {
                let walked = walk::nested(Decoded::Mapped(bytes), entry, &|| budget.member(), &mut Inline(self));
                self.found.tar(entry, walked);
                just(0..bytes.len())
            }
            Format::Zip => self.zip(entry, bytes, budget),
            Format::Ar => self.ar(entry, bytes, budget),
            Format::Cpio => self.cpio(entry, bytes, budget),
            // What its headers say (scripts among it) is text; the files are an archive that follows.
            Format::Rpm => rpm::payload(bytes).map(|start| self.following(entry, bytes, start)).into_iter().collect(),
            // What it says before the pack is text.
            Format::GitBundle => bundled(bytes).map(|start| self.following(entry, bytes, start)).into_iter().collect(),
            Format::SevenZip => self.seven_zip(entry, bytes, budget),
            Format::Asar => self.stored(entry, bytes, asar::list(bytes, budget.most_members()), budget),
            Format::Iso => self.stored(entry, bytes, iso::list(bytes, budget.most_members()), budget),
            Format::Squashfs => self.squashfs(entry, bytes, budget),
            Format::GitPack => self.pack(entry, bytes, budget),
            Format::GitObject => self.object(entry, bytes, budget),
            Format::JavaClass => {
                let strings = strings::of_class(bytes);
                self.strings(entry, bytes, &strings);
                strings.table.into_iter().collect()
            }
            Format::PythonCode => {
                self.strings(entry, bytes, &strings::of_python(bytes));
                Vec::new()
            }
            Format::Sqlite(file) => self.sqlite(entry, bytes, file, budget),
            Format::Unread(what) => {
                let detail = format!("a {what}, which is not read; its bytes were scanned as they are");
                self.found.odd(entry, Reason::UnreadFormat, Some(bytes.len() as u64), detail);
                Vec::new()
            }
        }
    }

    /// Matches what of a container was not understood.
    fn rest(&mut self, entry: &Arc<Entry>, bytes: &[u8], used: Vec<Range<usize>>) {
        let is_used = !used.is_empty();
        let mut gaps = gaps(bytes.len(), used);
        if let Some(last) = gaps.pop() {
            let is_looked_into = is_used && last.end == bytes.len() && self.appended(entry, bytes, last.clone());
            gaps.extend(Some(last).filter(|_| !is_looked_into));
        }
        self.parts(entry, bytes, gaps.iter().map(|gap| (gap.clone(), gap.clone())));
    }

    /// Matches parts of a file, in order; matches in each may look no further than its second range.
    fn parts(&mut self, entry: &Arc<Entry>, bytes: &[u8], parts: impl Iterator<Item = (Range<usize>, Range<usize>)>) {
        let (first, mut passed) = (self.found.len(), 0);
        // What stands between is looked at for its lines, once something is found after it.
        let mut between = Vec::new();
        for (part, limits) in parts {
            let before = self.found.len();
            between.push(passed..part.start);
            passed = part.end;
            self.range(entry, bytes, part, limits);
            if self.found.len() > before {
                between.drain(..).for_each(|range| self.found.passed(entry, range.start as u64, &bytes[range]));
            }
        }
        if self.found.len() == first {
            self.found.forget_lines(entry);
        }
    }

    /// Looks into a container that follows another one.
    fn appended(&mut self, entry: &Arc<Entry>, bytes: &[u8], gap: Range<usize>) -> bool {
        let zeros = bytes[gap.clone()].iter().take_while(|&&byte| byte == 0).count();
        let start = gap.start + zeros;
        let next = &bytes[start..];
        if start == 0 || next.len() < MIN_APPENDED || Format::of(entry.rule_path(), next).is_none() {
            return false;
        }
        self.following(entry, bytes, start);
        true
    }

    /// Looks into what follows in a container: the bytes that were looked at.
    fn following(&mut self, entry: &Arc<Entry>, bytes: &[u8], start: usize) -> Range<usize> {
        let next = Entry { kind: EntryKind::File, ..entry.stray(u32::MAX, start as u64) };
        self.file(&Arc::new(next), &bytes[start..]);
        start..bytes.len()
    }

    fn compressed(&mut self, entry: &Arc<Entry>, bytes: &[u8], compression: Compression, budget: &Arc<Budget>) -> Vec<Range<usize>> {
        let child = Arc::new(entry.undone(compression.as_str(), uncompressed_name(entry.rule_path())));
        // A gzip file ends with the size of its last member, which most often is the only one.
        if compression == Compression::Gzip
            && let Some(size) = bytes.last_chunk().map(|size| u64::from(u32::from_le_bytes(*size)))
            && let Some((buffer, used)) = self.at_once(Wrapping::Gzip, bytes, Some(size), budget)
        {
            if used == bytes.len() {
                self.came(&child, buffer, budget);
                return just(0..used);
            }
            self.tools.keep(buffer);
        }
        let Ok(mut decoder) = Decoder::nested(compression, NestedInput::Slice(bytes)) else { return Vec::new() };
        self.decoded(&child, &mut Metered::new(&mut decoder, budget));
        just(0..bytes.len() - left(&mut decoder))
    }

    /// Matches what comes out of a decoder. What came before damage is matched as well; the damage is told.
    fn decoded(&mut self, entry: &Arc<Entry>, reader: &mut (dyn Read + Send)) -> Decoding {
        let mut buffer = self.tools.buffer();
        let result = (&mut *reader).take(MAX_WHOLE as u64 + 1).read_to_end(&mut buffer);
        let decoding = match result {
            Ok(_) if buffer.len() > MAX_WHOLE => {
                let all: Box<dyn Read + Send + '_> = Box::new(io::Cursor::new(&buffer).chain(reader));
                match Decoder::nested(Compression::None, NestedInput::Stream(all)) {
                    Ok(decoder) => {
                        let walked = walk::content(Decoded::Stream(decoder), entry, &mut Inline(self));
                        let is_cut = |oddity: &walk::Oddity| matches!(oddity.reason, Reason::DamagedStream | Reason::TooLarge);
                        let decoding = if walked.oddities.iter().any(is_cut) { Decoding::Damaged } else { Decoding::Whole };
                        self.found.walked(entry, walked);
                        decoding
                    }
                    Err(_) => Decoding::Damaged,
                }
            }
            Ok(_) => {
                self.file(entry, &buffer);
                Decoding::Whole
            }
            Err(error) => {
                self.file(entry, &buffer);
                if error.kind() != io::ErrorKind::FileTooLarge {
                    let detail = format!("{error}; the {} bytes before that were scanned, and the rest as it is", buffer.len());
                    self.found.odd(entry, Reason::DamagedFile, None, detail);
                }
                Decoding::Damaged
            }
        };
        self.tools.keep(buffer);
        decoding
    }

    /// What a stream holds that lies in memory and says how long it becomes, and how many of its bytes that took. None if it has to be read as a stream: it lies, is
    /// damaged, long, or more than the bounds allow.
    fn at_once(&mut self, wrapping: Wrapping, stored: &[u8], size: Option<u64>, budget: &Budget) -> Option<(Vec<u8>, usize)> {
        let size = size.filter(|&size| size <= MAX_WHOLE as u64 && budget.has(size))?;
        let mut buffer = self.tools.buffer();
        let used = self.tools.inflater().and_then(|inflater| inflater.inflate(wrapping, stored, size as usize, &mut buffer));
        match used {
            Some(used) => Some((buffer, used)),
            None => {
                self.tools.keep(buffer);
                None
            }
        }
    }

    /// Matches what came of a stream.
    fn came(&mut self, entry: &Arc<Entry>, buffer: Vec<u8>, budget: &Budget) {
        budget.spend(buffer.len() as u64);
        self.file(entry, &buffer);
        self.tools.keep(buffer);
    }

    /// Matches a deflated member of `size` bytes, as it says: how many of its stored bytes were used.
    fn deflated(&mut self, entry: &Arc<Entry>, stored: &[u8], size: Option<u64>, budget: &Arc<Budget>) -> Option<usize> {
        if let Some((buffer, used)) = self.at_once(Wrapping::Bare, stored, size, budget) {
            self.came(entry, buffer, budget);
            return Some(used);
        }
        let mut reader = Metered::new(DeflateDecoder::new(stored), budget);
        match self.decoded(entry, &mut reader) {
            Decoding::Whole => Some(usize::try_from(reader.inner().total_in()).unwrap_or(usize::MAX).min(stored.len())),
            Decoding::Damaged => None,
        }
    }
}

/// How many bytes of a slice a decoder left.
fn left(decoder: &mut Decoder<'_>) -> usize {
    // A slice cannot fail to be read.
    io::copy(&mut decoder.rest(), &mut io::sink()).map_or(0, |count| count as usize)
}

/// How decoding ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decoding {
    /// At the end.
    Whole,
    /// At damage, or at a bound.
    Damaged,
}

/// Matches batches where they are made.
struct Inline<'i, 'm, 'c>(&'i mut Matcher<'m, 'c>);

impl<'b> Sink<'b> for Inline<'_, '_, '_> {
    fn buffer(&mut self) -> Vec<u8> {
        self.0.tools.buffer()
    }

    fn batch(&mut self, batch: Batch<'b>) {
        let spooled = batch.slab.spooled();
        self.0.spooled += spooled;
        for piece in &batch.pieces {
            let buffer = batch.buffer(piece);
            match (&piece.whole, piece.opening) {
                (Some(whole), Opening::Whole) => self.0.file(&piece.entry, &buffer[whole.clone()]),
                _ => self.0.piece(piece, buffer),
            }
        }
        self.0.spooled -= spooled;
        if let crate::layer::Slab::Owned(buffer) = batch.slab {
            self.0.tools.keep(buffer);
        }
    }

    fn watch(&self) -> Option<&dyn Watch> {
        self.0.crew.watch()
    }

    fn opening(&mut self, entry: &Entry, head: Head<'_>) -> Opening {
        opening(entry, &head)
    }

    fn stream(&mut self, entry: &Arc<Entry>, _size: Option<u64>, body: Body<'b, '_>) {
        let Some(budget) = self.0.budget.clone() else { return };
        let crew = self.0.crew;
        let found = Streamer { crew, budget, spooled: self.0.spooled }.stream(entry, body, self);
        self.0.found.merge(found, &crew.options.limits);
    }
}
