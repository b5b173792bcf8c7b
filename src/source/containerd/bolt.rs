//! A bbolt database, as far as reading goes: pages of B+trees, in which buckets hold values and further buckets.
//!
//! Nothing is locked, as the database may be in use: a writer makes new pages and then a new meta page, and may use old pages again two
//! transactions later. Who has read compares [`Bolt::transaction`] with that of the database opened anew. The file may be damaged or made to do
//! harm: every offset is checked, and depth and bytes are bounded. The format is that of bbolt's `page.go`, `meta.go` and `bucket.go`: numbers are
//! in the byte order of the machine that wrote them, and taken to be little-endian.

use std::io::{self, Read, Seek, SeekFrom};

/// What a meta page begins with, after the page's header.
const MAGIC: u32 = 0xED0C_DAED;
const VERSION: u32 = 2;

/// Bytes of a page's header: id, flags, count, overflow.
const HEADER: usize = 16;
/// Bytes of a meta page after the header, with the checksum at its end.
const META: usize = 64;
/// Bytes of an element of a branch or a leaf.
const ELEMENT: usize = 16;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;

/// A leaf's element that is a bucket.
const IS_BUCKET: u32 = 0x01;

/// Page sizes there are.
const PAGE_SIZES: std::ops::RangeInclusive<u64> = 1 << 10..=1 << 16;

/// Deepest tree.
const MAX_DEPTH: usize = 32;
/// Most bytes of the pages of one bucket.
const MAX_BUCKET: u64 = 64 << 20;
/// Most bytes that are read of one database.
const MAX_READ: u64 = 1 << 30;

/// Why a database cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BoltError {
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// No meta page that makes sense.
    #[error("it is no bbolt database, or its beginning is damaged")]
    NoMeta,
    /// A page that makes no sense.
    #[error("page {page} of the database is damaged: {problem}")]
    Damaged {
        /// Its number.
        page: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// More than is read.
    #[error("its buckets are larger than {0} bytes")]
    TooLarge(u64),
}

/// A bucket: a map of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bucket(Root);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Root {
    /// The number of its topmost page.
    Page(u64),
    /// A small bucket's only page, which lies in the bucket above, and the page that this is in.
    Inline(Vec<u8>, u64),
}

/// What a key leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Bytes(Vec<u8>),
    Bucket(Bucket),
}

/// A database that is open.
#[derive(Debug)]
pub(super) struct Bolt<R> {
    reader: R,
    length: u64,
    meta: Meta,
    read: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meta {
    page_size: u64,
    root: u64,
    transaction: u64,
}

/// The entries of a bucket, while they are read.
#[derive(Default)]
struct Gathered {
    entries: Vec<(Vec<u8>, Value)>,
    read: u64,
}

impl<R: Read + Seek> Bolt<R> {
    /// Opens a database in the state of its last transaction.
    pub(super) fn open(mut reader: R) -> Result<Self, BoltError> {
        let length = reader.seek(SeekFrom::End(0))?;
        let first = meta_at(&mut reader, 0)?;
        // Where the first one is damaged, the page size can only be guessed.
        let sizes = first.map_or(PAGE_SIZES, |meta| meta.page_size..=meta.page_size);
        let sizes = (10..=16).map(|bits| 1 << bits).filter(|size| sizes.contains(size));
        let mut best = first;
        for size in sizes {
            let second = meta_at(&mut reader, size)?.filter(|meta| meta.page_size == size);
            best = best.into_iter().chain(second).max_by_key(|meta| meta.transaction);
        }
        Ok(Self { reader, length, meta: best.ok_or(BoltError::NoMeta)?, read: 0 })
    }

    /// The number of the transaction whose state is read.
    pub(super) fn transaction(&self) -> u64 {
        self.meta.transaction
    }

    /// The bucket that all others are in.
    pub(super) fn root(&self) -> Bucket {
        Bucket(Root::Page(self.meta.root))
    }

    /// All of a bucket, in the order of its keys.
    pub(super) fn entries(&mut self, bucket: &Bucket) -> Result<Vec<(Vec<u8>, Value)>, BoltError> {
        let mut gathered = Gathered::default();
        match &bucket.0 {
            Root::Page(page) => self.tree(*page, 0, &mut gathered)?,
            Root::Inline(bytes, page) => Page { id: *page, bytes }.leaf(&mut gathered)?,
        }
        Ok(gathered.entries)
    }

    /// What `key` leads to.
    pub(super) fn get(&mut self, bucket: &Bucket, key: &[u8]) -> Result<Option<Value>, BoltError> {
        Ok(self.entries(bucket)?.into_iter().find(|(known, _)| known == key).map(|(_, value)| value))
    }

    /// The bucket under `key`; none if there is none, or a value.
    pub(super) fn bucket(&mut self, bucket: &Bucket, key: &[u8]) -> Result<Option<Bucket>, BoltError> {
        Ok(self.get(bucket, key)?.and_then(|value| if let Value::Bucket(bucket) = value { Some(bucket) } else { None }))
    }

    fn tree(&mut self, id: u64, depth: usize, gathered: &mut Gathered) -> Result<(), BoltError> {
        let bytes = self.page(id, gathered)?;
        let page = Page { id, bytes: &bytes };
        match page.flags()? {
            LEAF => page.leaf(gathered),
            BRANCH if depth < MAX_DEPTH => page.branch()?.into_iter().try_for_each(|child| self.tree(child, depth + 1, gathered)),
            BRANCH => Err(page.damaged("the tree is too deep")),
            _ => Err(page.damaged("it is no part of a tree")),
        }
    }

    /// A page with those that it overflows into.
    fn page(&mut self, id: u64, gathered: &mut Gathered) -> Result<Vec<u8>, BoltError> {
        let damaged = |problem| BoltError::Damaged { page: id, problem };
        let start = id.checked_mul(self.meta.page_size).ok_or(damaged("it goes beyond the end"))?;
        let room = self.length.saturating_sub(start);
        if room < self.meta.page_size {
            return Err(damaged("it goes beyond the end"));
        }
        self.reader.seek(SeekFrom::Start(start))?;
        let mut header = [0; HEADER];
        self.reader.read_exact(&mut header)?;
        if u64_at(&header, 0) != Some(id) {
            return Err(damaged("it bears another number"));
        }
        let pages = u64::from(u32_at(&header, 12).unwrap_or_default()) + 1;
        let size = pages * self.meta.page_size;
        if size > room {
            return Err(damaged("it goes beyond the end"));
        }
        (gathered.read, self.read) = (gathered.read + size, self.read + size);
        if gathered.read > MAX_BUCKET || self.read > MAX_READ {
            return Err(BoltError::TooLarge(if self.read > MAX_READ { MAX_READ } else { MAX_BUCKET }));
        }
        let mut bytes = header.to_vec();
        self.reader.by_ref().take(size - HEADER as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// A page's bytes.
struct Page<'p> {
    id: u64,
    bytes: &'p [u8],
}

impl<'p> Page<'p> {
    fn damaged(&self, problem: &'static str) -> BoltError {
        BoltError::Damaged { page: self.id, problem }
    }

    fn flags(&self) -> Result<u16, BoltError> {
        u16_at(self.bytes, 8).ok_or_else(|| self.damaged("it is cut off"))
    }

    /// Where elements begin.
    fn elements(&self) -> Result<impl Iterator<Item = usize> + use<>, BoltError> {
        let count = usize::from(u16_at(self.bytes, 10).ok_or_else(|| self.damaged("it is cut off"))?);
        if HEADER + count * ELEMENT > self.bytes.len() {
            return Err(self.damaged("it has more elements than room"));
        }
        Ok((0..count).map(|number| HEADER + number * ELEMENT))
    }

    fn number(&self, at: usize) -> Result<usize, BoltError> {
        let number = u32_at(self.bytes, at).and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| self.damaged("it is cut off"))
    }

    /// The pages below.
    fn branch(&self) -> Result<Vec<u64>, BoltError> {
        self.elements()?.map(|at| u64_at(self.bytes, at + 8).ok_or_else(|| self.damaged("it is cut off"))).collect()
    }

    fn leaf(&self, gathered: &mut Gathered) -> Result<(), BoltError> {
        // Elements share no bytes: their sum is bounded, however many there are.
        let mut room = self.bytes.len();
        for at in self.elements()? {
            let (flags, key, value) = (self.number(at)?, self.number(at + 8)?, self.number(at + 12)?);
            room = key.checked_add(value).and_then(|size| room.checked_sub(size)).ok_or_else(|| self.damaged("its elements overlap"))?;
            let bytes = self.bytes.get(at..).and_then(|bytes| bytes.get(self.number(at + 4).ok()?..)?.get(..key + value));
            let bytes = bytes.ok_or_else(|| self.damaged("an element is beyond its end"))?;
            let (key, value) = bytes.split_at(key);
            let is_bucket = flags & IS_BUCKET as usize != 0;
            let value = if is_bucket { Value::Bucket(self.bucket(value)?) } else { Value::Bytes(value.to_vec()) };
            gathered.entries.push((key.to_vec(), value));
        }
        Ok(())
    }

    /// A bucket's value: the number of its topmost page and a sequence, or 0 and the only page itself.
    fn bucket(&self, value: &[u8]) -> Result<Bucket, BoltError> {
        let cut_off = || self.damaged("a bucket is cut off");
        let root = u64_at(value, 0).ok_or_else(cut_off)?;
        if root != 0 {
            return Ok(Bucket(Root::Page(root)));
        }
        let inline = value.get(16..).ok_or_else(cut_off)?;
        match (Page { id: self.id, bytes: inline }).flags()? {
            LEAF => Ok(Bucket(Root::Inline(inline.to_vec(), self.id))),
            _ => Err(self.damaged("a bucket in it makes no sense")),
        }
    }
}

/// Number of entries of a database that lies in memory, of its first buckets: for fuzz targets ([`crate::fuzzing`]).
pub(crate) fn entries(bytes: &[u8]) -> Option<usize> {
    const BUCKETS: usize = 64;
    let mut bolt = Bolt::open(io::Cursor::new(bytes)).ok()?;
    let (mut open, mut count) = (vec![bolt.root()], 0);
    for _ in 0..BUCKETS {
        let Some(bucket) = open.pop() else { break };
        let entries = bolt.entries(&bucket).ok()?;
        count += entries.len();
        open.extend(entries.into_iter().filter_map(|(_, value)| if let Value::Bucket(bucket) = value { Some(bucket) } else { None }));
    }
    Some(count)
}

/// The meta page at an offset; none if it makes no sense.
fn meta_at(reader: &mut (impl Read + Seek), offset: u64) -> io::Result<Option<Meta>> {
    reader.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    reader.take((HEADER + META) as u64).read_to_end(&mut bytes)?;
    Ok(bytes.get(HEADER..HEADER + META).and_then(meta))
}

fn meta(bytes: &[u8]) -> Option<Meta> {
    let is_sound = u32_at(bytes, 0)? == MAGIC && u32_at(bytes, 4)? == VERSION && u64_at(bytes, 56)? == checksum(bytes.get(..56)?);
    let page_size = u64::from(u32_at(bytes, 8)?);
    let is_sound = is_sound && PAGE_SIZES.contains(&page_size) && page_size.is_power_of_two();
    is_sound.then_some(Meta { page_size, root: u64_at(bytes, 16)?, transaction: u64_at(bytes, 48)? })
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(in crate::source) mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
