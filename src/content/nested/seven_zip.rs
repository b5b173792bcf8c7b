//! Reads the files of a 7z archive (`7zFormat.txt` of 7-Zip). The library for it, `sevenz-rust2`, makes lists as long as the archive's header
//! says; here no list is longer than the header that has to hold its parts.
//!
//! Filters that turn the jumps of programs into addresses are left as they are: texts are the same without. What PPMd, BCJ2 and delta filters
//! stored is not read.

mod table;

use std::io::{Cursor, Read};
use std::ops::Range;

use super::{Problem, little};
use crate::layer::decode::{Compression, Decoder, NestedInput};
use table::{Table, id};

/// What an archive begins with.
pub const MAGIC: &[u8] = b"7z\xbc\xaf\x27\x1c";
/// Bytes before everything else.
const START: usize = 32;
/// Longest header.
const MAX_HEADER: u64 = 8 << 20;
/// Most steps of all streams: that is how many lists they make.
const MAX_STEPS: usize = 200_000;
/// Most steps of one stream.
const MAX_CODERS: u64 = 8;

/// A stream of files, one after the other.
#[derive(Debug, Default, Clone)]
struct Folder {
    /// From the stored bytes to the files.
    coders: Vec<Coder>,
    /// Where the stored bytes are; none where it is stored in several parts.
    stored: Option<Range<usize>>,
    size: u64,
    has_sum: bool,
    /// Bytes of each file.
    files: Vec<u64>,
}

#[derive(Debug, Default, Clone)]
struct Coder {
    method: Vec<u8>,
    properties: Vec<u8>,
    /// Bytes that come out of it.
    size: u64,
    /// Whether one stream goes in and one comes out.
    is_simple: bool,
}

/// A file that has bytes.
#[derive(Debug)]
pub struct File {
    /// Its path.
    pub name: Vec<u8>,
    /// Its size, as it is said.
    pub size: u64,
}

/// Files that are one compressed stream.
#[derive(Debug)]
pub struct Group {
    folder: Folder,
    /// One after the other.
    pub files: Vec<File>,
}

/// What an archive holds.
#[derive(Debug, Default)]
pub struct Listing {
    /// In the order of their bytes.
    pub groups: Vec<Group>,
    /// Names of files without bytes, and of folders.
    pub empty: Vec<Vec<u8>>,
}

/// Reads the tables; `limit` is how many files are listed at most, but for streams that are a file each: those are as many as the table describes.
pub fn list(bytes: &[u8], limit: usize) -> Result<Listing, Problem> {
    let damaged = || Problem::Damaged("its table of files ends too early, makes no sense or has more parts than an archiver writes");
    let range = |offset: u64, size: u64| {
        let start = usize::try_from(offset).ok()?.checked_add(START)?;
        let end = start.checked_add(usize::try_from(size).ok()?)?;
        (end <= bytes.len()).then_some(start..end)
    };
    let (offset, size) = little::<8>(bytes, 12).zip(little::<8>(bytes, 20)).ok_or_else(damaged)?;
    let too_long = Problem::TooLarge("its table of files is longer than 8 MiB; none of them was looked into");
    if size == 0 {
        return Ok(Listing::default());
    }
    let stored = range(offset, size).ok_or(Problem::Damaged("its table of files is not where it says"))?;
    if size > MAX_HEADER {
        return Err(too_long);
    }
    let mut header = bytes[stored].to_vec();
    // The table of a table of a table is nothing that an archiver writes.
    for _ in 0..4 {
        let mut table = Table { bytes: &header, at: 0 };
        match table.byte().ok_or_else(damaged)? {
            id::HEADER => return files(&mut table, bytes, limit).ok_or_else(damaged),
            id::ENCODED_HEADER => {
                let folders = streams(&mut table, bytes.len(), limit).ok_or_else(damaged)?;
                let folder = folders.first().ok_or_else(damaged)?;
                if folder.size > MAX_HEADER {
                    return Err(too_long);
                }
                let mut decoded = Vec::new();
                let is_read = folder.open(bytes)?.take(MAX_HEADER).read_to_end(&mut decoded).is_ok();
                header = Some(decoded).filter(|_| is_read).ok_or_else(damaged)?;
            }
            _ => return Err(damaged()),
        }
    }
    Err(damaged())
}

impl Group {
    /// The files' bytes, one after the other.
    pub fn open<'b>(&self, bytes: &'b [u8]) -> Result<Box<dyn Read + Send + 'b>, Problem> {
        self.folder.open(bytes)
    }

    /// Where they are stored.
    pub fn stored(&self) -> Option<Range<usize>> {
        self.folder.stored.clone()
    }
}

impl Folder {
    fn open<'b>(&self, bytes: &'b [u8]) -> Result<Box<dyn Read + Send + 'b>, Problem> {
        let unknown = || Problem::UnknownMethod(1, b"a group of files".to_vec());
        if self.coders.iter().any(|coder| coder.method == [6, 0xf1, 7, 1]) {
            return Err(Problem::Encrypted(1, b"a group of files".to_vec()));
        }
        let stored = self.stored.clone().filter(|_| self.coders.iter().all(|coder| coder.is_simple)).ok_or_else(unknown)?;
        let mut reader: Box<dyn Read + Send + 'b> = Box::new(Cursor::new(&bytes[stored]));
        for coder in &self.coders {
            reader = coder.undo(reader).ok_or_else(unknown)?;
        }
        Ok(Box::new(reader.take(self.size)))
    }
}

impl Coder {
    fn undo<'b>(&self, reader: Box<dyn Read + Send + 'b>) -> Option<Box<dyn Read + Send + 'b>> {
        let stream = |compression, reader| Decoder::nested(compression, NestedInput::Stream(reader)).ok();
        Some(match self.method[..] {
            // Stored; and the filters of jumps: x86, PowerPC, IA-64, ARM, Thumb, SPARC, ARM64, RISC-V.
            [0] | [3, 3, 1, 3] | [3, 3, 2, 5] | [3, 3, 4, 1] | [3, 3, 5, 1] | [3, 3, 7, 1] | [3, 3, 8, 5] => reader,
            [4..=0x0b] => reader,
            [0x21] => Box::new(Decoder::lzma2(*self.properties.first()?, NestedInput::Stream(reader)).ok()?),
            [3, 1, 1] => {
                // With its parameters and its size in front it is what `xz --format=lzma` writes.
                let header = [self.properties.get(..5)?, &self.size.to_le_bytes()].concat();
                Box::new(stream(Compression::Lzma, Box::new(Cursor::new(header).chain(reader)))?)
            }
            [4, 2, 2] => Box::new(stream(Compression::Bzip2, reader)?),
            [4, 0xf7, 0x11, 1] => Box::new(stream(Compression::Zstd, reader)?),
            [4, 0xf7, 0x11, 4] => Box::new(stream(Compression::Lz4, reader)?),
            [4, 1, 8] => Box::new(flate2::read::DeflateDecoder::new(reader)),
            [4, 1, 9] => Box::new(deflate64::Deflate64Decoder::new(reader)),
            _ => return None,
        })
    }
}

/// Streams: where they are stored, how, and how many files each is.
fn streams(table: &mut Table<'_>, archive: usize, limit: usize) -> Option<Vec<Folder>> {
    let mut stored: Vec<Range<usize>> = Vec::new();
    let mut folders: Vec<Folder> = Vec::new();
    let mut packed = Vec::new();
    let mut has_files = false;
    loop {
        match table.byte()? {
            id::END => break,
            id::PACK => stored = packs(table, archive)?,
            id::UNPACK => (folders, packed) = unpacks(table)?,
            id::SUB_STREAMS => {
                sub_streams(table, &mut folders, limit)?;
                has_files = true;
            }
            _ => return None,
        }
    }
    let mut next = 0;
    for (folder, count) in folders.iter_mut().zip(packed) {
        if count == 1 {
            folder.stored = Some(stored.get(next)?.clone());
        }
        next += count;
        if !has_files {
            folder.files = vec![folder.size];
        }
    }
    Some(folders)
}

fn packs(table: &mut Table<'_>, archive: usize) -> Option<Vec<Range<usize>>> {
    let mut at = usize::try_from(table.number()?).ok()?.checked_add(START)?;
    let count = table.count()?;
    let mut ranges = Vec::new();
    loop {
        match table.byte()? {
            id::END => return Some(ranges),
            id::SIZE => {
                for _ in 0..count {
                    let end = at.checked_add(usize::try_from(table.number()?).ok()?)?;
                    // What the archive lacks at its end is missed when it is read.
                    ranges.push(at.min(archive)..end.min(archive));
                    at = end;
                }
            }
            id::CRC => _ = table.sums(count)?,
            _ => return None,
        }
    }
}

/// Streams, and in how many parts each is stored.
fn unpacks(table: &mut Table<'_>) -> Option<(Vec<Folder>, Vec<usize>)> {
    if table.byte()? != id::FOLDER {
        return None;
    }
    let count = table.count()?;
    // Streams that are described elsewhere are of no archiver.
    if table.byte()? != 0 {
        return None;
    }
    let (mut folders, mut packed, mut orders) = (Vec::new(), Vec::new(), Vec::new());
    let mut steps = 0;
    for _ in 0..count {
        let (coders, order, parts) = coders(table)?;
        steps += coders.len();
        if steps > MAX_STEPS {
            return None;
        }
        folders.push(Folder { coders, ..Folder::default() });
        packed.push(parts);
        orders.push(order);
    }
    loop {
        match table.byte()? {
            id::END => return Some((folders, packed)),
            id::UNPACK_SIZE => {
                for (folder, order) in folders.iter_mut().zip(&orders) {
                    for coder in &mut folder.coders {
                        coder.size = table.number()?;
                    }
                    if let Some(order) = order {
                        folder.coders = order.iter().map(|&index| folder.coders.get(index).cloned()).collect::<Option<_>>()?;
                    }
                    folder.size = folder.coders.last()?.size;
                }
            }
            id::CRC => folders.iter_mut().zip(table.sums(count)?).for_each(|(folder, known)| folder.has_sum = known),
            _ => return None,
        }
    }
}

/// The steps of a stream as they stand, in what order they are undone (none where they are no chain), and in how many parts it is stored.
fn coders(table: &mut Table<'_>) -> Option<(Vec<Coder>, Option<Vec<usize>>, usize)> {
    let count = table.number().filter(|count| (1..=MAX_CODERS).contains(count))?;
    let mut coders = Vec::new();
    let (mut inputs, mut outputs) = (0, 0);
    for _ in 0..count {
        let flags = table.byte()?;
        let method = table.take(usize::from(flags & 15))?.to_vec();
        let (ins, outs) = if flags & 0x10 != 0 { (table.number()?, table.number()?) } else { (1, 1) };
        if !(1..=MAX_CODERS).contains(&ins) || !(1..=MAX_CODERS).contains(&outs) {
            return None;
        }
        let properties = if flags & 0x20 != 0 {
            let length = table.count()?;
            table.take(length)?.to_vec()
        } else {
            Vec::new()
        };
        (inputs, outputs) = (inputs + ins, outputs + outs);
        // Of a step with several outputs each has a size; there is none that is read.
        coders.push(Coder { method, properties, size: 0, is_simple: (ins, outs) == (1, 1) });
        (1..outs).for_each(|_| coders.push(Coder::default()));
    }
    let bound = usize::try_from(outputs - 1).ok()?;
    let mut pairs = Vec::new();
    for _ in 0..bound {
        pairs.push((table.number()?, table.number()?));
    }
    let parts = usize::try_from(inputs).ok()?.checked_sub(bound)?;
    if parts > 1 {
        for _ in 0..parts {
            table.number()?;
        }
    }
    let is_chain = coders.iter().all(|coder| coder.is_simple) && parts == 1;
    // The stored bytes go into the step that no other feeds; then each goes where the pairs say.
    let mut order = Vec::new();
    let mut step = (0..coders.len() as u64).find(|step| pairs.iter().all(|(input, _)| input != step));
    while let Some(at) = step.filter(|_| is_chain && order.len() < coders.len()) {
        order.push(at as usize);
        step = pairs.iter().find(|(_, output)| *output == at).map(|(input, _)| *input);
    }
    let is_whole = order.len() == coders.len();
    Some((coders, is_whole.then_some(order), parts))
}

/// How many files each stream is, and how long they are.
fn sub_streams(table: &mut Table<'_>, folders: &mut [Folder], limit: usize) -> Option<()> {
    let mut counts = vec![1; folders.len()];
    let mut kind = table.byte()?;
    if kind == id::UNPACK_STREAMS {
        for count in &mut counts {
            *count = table.number()?;
        }
        kind = table.byte()?;
    }
    let total = counts.iter().try_fold(0u64, |total, count| total.checked_add(*count))?;
    // Each but the last of a stream has a size of a byte at least.
    if total > (table.bytes.len() + folders.len()) as u64 {
        return None;
    }
    let mut left = limit;
    for (folder, &count) in folders.iter_mut().zip(&counts) {
        let mut rest = folder.size;
        for number in 1..=count {
            let size = if number < count && kind == id::SIZE { table.number()? } else { rest };
            rest = rest.saturating_sub(size);
            // One file of a stream is less than the stream itself takes.
            if left > 0 || count == 1 {
                folder.files.push(size);
                left = left.saturating_sub(1);
            }
        }
    }
    if kind == id::SIZE {
        kind = table.byte()?;
    }
    // A stream of one file may have its checksum already.
    let without =
        folders.iter().zip(&counts).filter(|(folder, count)| !(folder.has_sum && **count == 1)).map(|(_, &count)| count as usize).sum();
    while kind != id::END {
        if kind != id::CRC {
            return None;
        }
        table.sums(without)?;
        kind = table.byte()?;
    }
    Some(())
}

/// The files of the archive.
fn files(table: &mut Table<'_>, bytes: &[u8], limit: usize) -> Option<Listing> {
    let mut folders = Vec::new();
    loop {
        match table.byte()? {
            id::END => return Some(Listing::default()),
            id::PROPERTIES => loop {
                if table.byte()? == id::END {
                    break;
                }
                let length = table.count()?;
                table.take(length)?;
            },
            id::ADDITIONAL => _ = streams(table, bytes.len(), limit)?,
            id::MAIN => folders = streams(table, bytes.len(), limit)?,
            id::FILES => break,
            _ => return None,
        }
    }
    let count = table.count()?.min(limit);
    let (mut names, mut empty): (Vec<Vec<u8>>, Vec<bool>) = (Vec::new(), vec![false; count]);
    loop {
        let kind = table.byte()?;
        if kind == id::END {
            break;
        }
        let length = table.count()?;
        let mut part = Table { bytes: table.take(length)?, at: 0 };
        match kind {
            id::EMPTY_STREAM => empty = part.bits(count)?,
            id::NAMES if part.byte()? == 0 => {
                let (units, _) = part.bytes[1..].as_chunks::<2>();
                let mut units = units.iter().map(|unit| u16::from_le_bytes(*unit));
                while names.len() < count {
                    let name: Vec<u16> = units.by_ref().take_while(|unit| *unit != 0).collect();
                    names.push(String::from_utf16_lossy(&name).into_bytes());
                }
            }
            _ => {}
        }
    }
    names.resize(count, Vec::new());
    let mut listing = Listing::default();
    let mut with_bytes = names.into_iter().zip(empty).filter_map(|(name, is_empty)| {
        if is_empty {
            listing.empty.push(name);
            return None;
        }
        Some(name)
    });
    for mut folder in folders {
        let sizes = std::mem::take(&mut folder.files);
        let files = sizes.into_iter().map(|size| File { name: with_bytes.next().unwrap_or_default(), size });
        let files = files.collect();
        listing.groups.push(Group { folder, files });
    }
    with_bytes.for_each(drop);
    Some(listing)
}
