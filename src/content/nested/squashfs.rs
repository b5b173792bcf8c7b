//! Reads the files of a squashfs image (version 4, as Linux mounts it and snaps are), folder by folder. The library for it, `backhand`, has all
//! inodes in memory before the first file, whatever they expand to; here tables are read block by block, as far as the budget goes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::Arc;

use super::budget::Budget;
use super::listing::{MAX_NAMES, tell};
use super::{Problem, little};
use crate::layer::decode::{Compression, Decoder, NestedInput};

/// Bytes of a block of tables.
const TABLE_BLOCK: usize = 8192;
/// Blocks of tables that are kept, and blocks of the ends of files.
const KEPT_TABLES: usize = 256;
const KEPT_FRAGMENTS: usize = 8;
/// Largest block of files that the format allows.
const MAX_BLOCK: usize = 1 << 20;
/// Set in the size of a block of files that is stored as it is.
const IS_STORED: u64 = 1 << 24;
/// For a file whose end shares no block with others.
const NO_FRAGMENT: u64 = 0xffff_ffff;
/// Deepest folder.
const MAX_DEPTH: usize = 128;

/// Whether bytes begin as an image of the version that is read.
pub fn is_image(head: &[u8]) -> bool {
    head.starts_with(b"hsqs") && little::<2>(head, 28) == Some(4)
}

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Zlib,
    Lz4,
    /// A stream of its own for each block.
    Stream(Compression),
}

/// A file or a link.
pub enum Node<'n> {
    /// What can be read of it.
    File(&'n mut (dyn Read + Send)),
    /// What a symbolic link leads to.
    Link(&'n [u8]),
}

/// Takes the files: path, and what there is.
pub type Visit<'v> = dyn FnMut(&[u8], Node<'_>) + 'v;

/// Hands all files to `visit`, as far as `budget` goes; gives what was wrong, and whether all of the image was understood.
pub fn read(bytes: &[u8], budget: &Arc<Budget>, visit: &mut Visit<'_>) -> Vec<Problem> {
    let mut image = match Image::open(bytes, budget) {
        Ok(image) => image,
        Err(problem) => return vec![problem],
    };
    let mut seen = BTreeSet::new();
    let mut waiting = vec![(Vec::new(), image.root, 0)];
    while let Some((path, inode, depth)) = waiting.pop() {
        // Unlike files, folders have one name.
        if !seen.insert(inode) {
            image.problem("a folder of it stands in itself, or in two folders");
            continue;
        }
        if depth > MAX_DEPTH {
            image.too_large("its folders are more than 128 deep");
            continue;
        }
        let Some(entries) = image.folder(inode) else {
            image.problem("a folder of it cannot be read");
            continue;
        };
        let mut folders = Vec::new();
        for (name, inode, is_folder) in entries {
            image.names = image.names.saturating_add(path.len() + name.len());
            if image.names > MAX_NAMES {
                image.too_large("the names of its files are longer than 64 MiB; the files after that were not read");
                return image.problems;
            }
            let path = [&path[..], b"/", &name].concat();
            if !budget.member() {
                return image.problems;
            }
            if is_folder {
                folders.push((path, inode, depth + 1));
            } else if image.file(&path, inode, visit).is_none() {
                image.problem("a file of it cannot be read");
            }
        }
        waiting.extend(folders.into_iter().rev());
        if budget.stopped().is_some() {
            break;
        }
    }
    image.problems
}

/// Where an inode stands: the offset of its block in the table, and its own in the block.
type InodeAt = (u64, usize);

/// A block of tables, and where the next one begins.
type TableBlock = (Arc<Vec<u8>>, usize);

struct Image<'b> {
    bytes: &'b [u8],
    budget: Arc<Budget>,
    method: Method,
    block: usize,
    inodes: u64,
    folders: u64,
    fragments: u64,
    fragment_count: u64,
    root: InodeAt,
    tables: BTreeMap<usize, TableBlock>,
    ends: BTreeMap<u64, Arc<Vec<u8>>>,
    /// Bytes of paths so far.
    names: usize,
    problems: Vec<Problem>,
}

impl<'b> Image<'b> {
    fn open(bytes: &'b [u8], budget: &Arc<Budget>) -> Result<Self, Problem> {
        let short = || Problem::Damaged("it ends within its header");
        let four = |at| little::<4>(bytes, at).ok_or_else(short);
        let eight = |at| little::<8>(bytes, at).ok_or_else(short);
        let method = match little::<2>(bytes, 20).ok_or_else(short)? {
            1 => Method::Zlib,
            2 => Method::Stream(Compression::Lzma),
            4 => Method::Stream(Compression::Xz),
            5 => Method::Lz4,
            6 => Method::Stream(Compression::Zstd),
            _ => return Err(Problem::UnknownMethod(1, b"all of it".to_vec())),
        };
        let block = usize::try_from(four(12)?).unwrap_or(usize::MAX);
        if !block.is_power_of_two() || !(4096..=MAX_BLOCK).contains(&block) {
            return Err(Problem::Damaged("the size of its blocks makes no sense"));
        }
        let root = eight(32)?;
        Ok(Self {
            bytes,
            budget: Arc::clone(budget),
            method,
            block,
            inodes: eight(64)?,
            folders: eight(72)?,
            fragments: eight(80)?,
            fragment_count: four(16)?,
            root: (root >> 16, (root & 0xffff) as usize),
            tables: BTreeMap::new(),
            ends: BTreeMap::new(),
            names: 0,
            problems: Vec::new(),
        })
    }

    fn problem(&mut self, problem: &'static str) {
        tell(&mut self.problems, Problem::Damaged(problem));
    }

    fn too_large(&mut self, part: &'static str) {
        tell(&mut self.problems, Problem::TooLarge(part));
    }

    /// Undoes a block of at most `room` bytes.
    fn undo(&self, stored: &[u8], room: usize) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let limit = room as u64;
        match self.method {
            Method::Zlib => flate2::bufread::ZlibDecoder::new(stored).take(limit).read_to_end(&mut out).ok()?,
            Method::Stream(compression) => {
                Decoder::nested(compression, NestedInput::Slice(stored)).ok()?.take(limit).read_to_end(&mut out).ok()?
            }
            Method::Lz4 => {
                out.resize(room, 0);
                let count = lz4_flex::block::decompress_into(stored, &mut out).ok()?;
                out.truncate(count);
                count
            }
        };
        self.budget.spend(out.len() as u64);
        Some(out)
    }

    /// The block of tables at `at`.
    fn table(&mut self, at: usize) -> Option<TableBlock> {
        if let Some((block, next)) = self.tables.get(&at) {
            return Some((Arc::clone(block), *next));
        }
        let header = little::<2>(self.bytes, at)?;
        let (length, start) = ((header & 0x7fff) as usize, at.checked_add(2)?);
        let stored = self.bytes.get(start..start.checked_add(length)?)?;
        let block = if header & 0x8000 == 0 { self.undo(stored, TABLE_BLOCK)? } else { stored.to_vec() };
        let found = (Arc::new(block), start + length);
        if self.tables.len() >= KEPT_TABLES {
            self.tables.pop_first();
        }
        self.tables.insert(at, (Arc::clone(&found.0), found.1));
        Some(found)
    }

    /// A reader of a table, from a block and an offset in it.
    fn cursor(&mut self, table: u64, (block, offset): InodeAt) -> Option<Cursor<'_, 'b>> {
        let at = usize::try_from(table.checked_add(block)?).ok()?;
        let (block, next) = self.table(at)?;
        Some(Cursor { image: self, block, at: offset, next })
    }

    /// The entries of a folder: name, inode, and whether it is a folder.
    fn folder(&mut self, inode: InodeAt) -> Option<Vec<(Vec<u8>, InodeAt, bool)>> {
        let (inodes, folders) = (self.inodes, self.folders);
        let mut cursor = self.cursor(inodes, inode)?;
        let (block, size, offset) = match cursor.kind()? {
            1 => {
                let block = cursor.number::<4>()?;
                cursor.bytes(4)?;
                let (size, offset) = (cursor.number::<2>()?, cursor.number::<2>()?);
                (block, size, offset)
            }
            8 => {
                cursor.bytes(4)?;
                let (size, block) = (cursor.number::<4>()?, cursor.number::<4>()?);
                cursor.bytes(6)?;
                (block, size, cursor.number::<2>()?)
            }
            _ => return None,
        };
        let mut entries = Vec::new();
        // The size counts three bytes for `.` and `..`, which are not there.
        let mut left = size.saturating_sub(3);
        if left == 0 {
            return Some(entries);
        }
        let mut cursor = self.cursor(folders, (block, offset as usize))?;
        while left > 0 {
            let count = cursor.number::<4>()? + 1;
            let start = cursor.number::<4>()?;
            cursor.bytes(4)?;
            left = left.saturating_sub(12);
            if count > 256 {
                return None;
            }
            for _ in 0..count {
                let offset = cursor.number::<2>()?;
                cursor.bytes(2)?;
                let (kind, length) = (cursor.number::<2>()?, cursor.number::<2>()? + 1);
                let name = cursor.bytes(usize::try_from(length).ok()?)?;
                entries.push((name, (start, offset as usize), kind == 1));
                left = left.saturating_sub(8 + length);
            }
            let budget = &cursor.image.budget;
            if budget.stopped().is_some() || !budget.spend(count * 64) || entries.len() > budget.most_members() {
                break;
            }
        }
        Some(entries)
    }

    /// Hands on a file or a link; what is neither has no bytes.
    fn file(&mut self, path: &[u8], inode: InodeAt, visit: &mut Visit<'_>) -> Option<()> {
        let inodes = self.inodes;
        let mut cursor = self.cursor(inodes, inode)?;
        let (start, size, fragment, offset) = match cursor.kind()? {
            2 => {
                let (start, fragment, offset, size) =
                    (cursor.number::<4>()?, cursor.number::<4>()?, cursor.number::<4>()?, cursor.number::<4>()?);
                (start, size, fragment, offset)
            }
            9 => {
                let (start, size) = (cursor.number::<8>()?, cursor.number::<8>()?);
                cursor.bytes(12)?;
                let (fragment, offset) = (cursor.number::<4>()?, cursor.number::<4>()?);
                cursor.bytes(4)?;
                (start, size, fragment, offset)
            }
            3 | 10 => {
                cursor.bytes(4)?;
                let length = cursor.number::<4>()?;
                let target = cursor.bytes(usize::try_from(length).ok().filter(|length| *length <= 64 << 10)?)?;
                visit(path, Node::Link(&target));
                return Some(());
            }
            _ => return Some(()),
        };
        let block = cursor.image.block as u64;
        let has_fragment = fragment != NO_FRAGMENT;
        let blocks = if has_fragment { size / block } else { size.div_ceil(block) };
        // Their sizes are read block by block, so that nothing is made of a number that is only said.
        let end = has_fragment.then_some((fragment, usize::try_from(offset).ok()?));
        let mut body = Body { cursor, at: usize::try_from(start).ok()?, left: size, blocks, end, ready: Arc::default(), given: 0 };
        visit(path, Node::File(&mut body));
        Some(())
    }

    /// The block in which the ends of several files stand.
    fn fragment(&mut self, number: u64) -> Option<Arc<Vec<u8>>> {
        if let Some(known) = self.ends.get(&number) {
            return Some(Arc::clone(known));
        }
        if number >= self.fragment_count {
            return None;
        }
        // A table of tables: each block has 512 entries of 16 bytes.
        let pointer = usize::try_from(self.fragments.checked_add(number / 512 * 8)?).ok()?;
        let table = little::<8>(self.bytes, pointer)?;
        let mut cursor = self.cursor(table, (0, (number % 512) as usize * 16))?;
        let (start, size) = (cursor.number::<8>()?, cursor.number::<4>()?);
        let block = Arc::new(self.block_at(usize::try_from(start).ok()?, size)?.0);
        if self.ends.len() >= KEPT_FRAGMENTS {
            self.ends.pop_first();
        }
        self.ends.insert(number, Arc::clone(&block));
        Some(block)
    }

    /// A block of files, and the bytes that it takes.
    fn block_at(&self, at: usize, size: u64) -> Option<(Vec<u8>, usize)> {
        let length = (size & (IS_STORED - 1)) as usize;
        let stored = self.bytes.get(at..at.checked_add(length)?)?;
        let is_stored = size & IS_STORED != 0 && length <= self.block;
        Some((if is_stored { stored.to_vec() } else { self.undo(stored, self.block)? }, length))
    }
}

/// Reads a table, from one block into the next.
struct Cursor<'i, 'b> {
    image: &'i mut Image<'b>,
    block: Arc<Vec<u8>>,
    at: usize,
    next: usize,
}

impl Cursor<'_, '_> {
    fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        while out.len() < count {
            let rest = self.block.get(self.at..)?;
            if rest.is_empty() {
                (self.block, self.next) = self.image.table(self.next)?;
                self.at = 0;
                if self.block.is_empty() {
                    return None;
                }
                continue;
            }
            let taken = rest.len().min(count - out.len());
            out.extend_from_slice(&rest[..taken]);
            self.at += taken;
        }
        Some(out)
    }

    fn number<const N: usize>(&mut self) -> Option<u64> {
        little::<N>(&self.bytes(N)?, 0)
    }

    /// What an inode is; passes over what all have.
    fn kind(&mut self) -> Option<u64> {
        let kind = self.number::<2>()?;
        self.bytes(14)?;
        Some(kind)
    }
}

/// The bytes of a file.
struct Body<'i, 'b> {
    /// At the sizes of the file's blocks.
    cursor: Cursor<'i, 'b>,
    /// Where the next block stands.
    at: usize,
    /// Bytes that are not handed out.
    left: u64,
    /// Whole blocks that are not read.
    blocks: u64,
    /// The number of the block in which the file's end stands, and where.
    end: Option<(u64, usize)>,
    ready: Arc<Vec<u8>>,
    given: usize,
}

impl Body<'_, '_> {
    fn refill(&mut self) -> Option<()> {
        self.given = 0;
        if self.blocks == 0 {
            let (number, offset) = self.end.take()?;
            self.ready = self.cursor.image.fragment(number)?;
            self.given = offset.min(self.ready.len());
            return Some(());
        }
        self.blocks -= 1;
        let size = self.cursor.number::<4>()?;
        if size == 0 {
            // A hole.
            self.ready = Arc::new(vec![0; self.cursor.image.block]);
            return Some(());
        }
        let (block, length) = self.cursor.image.block_at(self.at, size)?;
        self.ready = Arc::new(block);
        self.at += length;
        Some(())
    }
}

impl Read for Body<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || out.is_empty() {
            return Ok(0);
        }
        if self.given == self.ready.len() {
            let refilled = self.refill().filter(|()| self.given < self.ready.len());
            refilled.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a block of the file is damaged or not there"))?;
        }
        let rest = &self.ready[self.given..];
        let count = rest.len().min(out.len()).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        out[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        self.left -= count as u64;
        Ok(count)
    }
}
