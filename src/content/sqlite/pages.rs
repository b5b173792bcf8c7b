//! Where the pages of a file lie.

use std::collections::HashMap;
use std::ops::Range;

use super::{long, short};

/// What a database begins with.
pub(super) const MAGIC: &[u8] = b"SQLite format 3\0";
/// What a rollback journal begins with.
pub(super) const JOURNAL: &[u8] = &[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// Bytes of the first page that stand before the root of the schema.
pub(super) const HEADER: usize = 100;
/// Fewest bytes of a page that its content may have.
const MIN_USABLE: usize = 480;

/// How texts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16Little,
    Utf16Big,
}

/// The pages of a file.
#[derive(Debug, Clone)]
pub struct Pages<'a> {
    bytes: &'a [u8],
    size: usize,
    usable: usize,
    places: Places,
}

#[derive(Debug, Clone)]
enum Places {
    /// One after the other, from the file's first byte.
    InOrder,
    /// Where each page that there is begins.
    At(HashMap<u32, usize>),
}

impl<'a> Pages<'a> {
    /// Those of a database.
    pub fn of_database(bytes: &'a [u8]) -> Option<Self> {
        let (size, usable) = Self::sizes(bytes)?;
        Some(Self { bytes, size, usable, places: Places::InOrder })
    }

    /// None yet, of a file whose pages are told one by one.
    pub(super) fn scattered(bytes: &'a [u8], size: usize) -> Self {
        Self { bytes, size, usable: size, places: Places::At(HashMap::new()) }
    }

    /// The size of a page, and how many bytes of it hold content, by the first page.
    fn sizes(first: &[u8]) -> Option<(usize, usize)> {
        if !first.starts_with(MAGIC) {
            return None;
        }
        let size = page_size(short(first, 16)?)?;
        let usable = size.checked_sub(usize::from(*first.get(20)?)).filter(|usable| *usable >= MIN_USABLE)?;
        Some((size, usable))
    }

    /// Takes in that a page begins at a byte of the file; the last one that is told counts.
    pub(super) fn put(&mut self, number: u32, at: usize) {
        if let Places::At(places) = &mut self.places {
            places.insert(number, at);
        }
        if number == 1
            && let Some((size, usable)) = self.bytes.get(at..).and_then(Self::sizes)
            && size == self.size
        {
            self.usable = usable;
        }
    }

    /// Takes back where pages begin.
    pub(super) fn forget(&mut self) {
        if let Places::At(places) = &mut self.places {
            places.clear();
        }
    }

    /// Bytes of a page, those that are reserved among them.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Bytes of a page that hold content.
    pub fn usable(&self) -> usize {
        self.usable
    }

    /// The bytes of the whole file.
    pub(super) fn file(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whole pages of the file, for a database.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.bytes.len() / self.size).unwrap_or(u32::MAX)
    }

    /// The file's bytes that a page takes.
    pub(super) fn range(&self, number: u32) -> Option<Range<usize>> {
        let start = match &self.places {
            Places::InOrder => usize::try_from(number).ok()?.checked_sub(1)?.checked_mul(self.size)?,
            Places::At(places) => *places.get(&number)?,
        };
        Some(start..start.checked_add(self.size).filter(|end| *end <= self.bytes.len())?)
    }

    /// The content of a page.
    pub fn page(&self, number: u32) -> Option<&'a [u8]> {
        let range = self.range(number)?;
        self.bytes.get(range.start..range.start + self.usable)
    }

    /// How texts are written, by the first page if it is there.
    pub(super) fn encoding(&self) -> Encoding {
        match self.page(1).and_then(|page| long(page, 56)) {
            Some(2) => Encoding::Utf16Little,
            Some(3) => Encoding::Utf16Big,
            _ => Encoding::Utf8,
        }
    }
}

/// The size of a page, as it is written.
pub(super) fn page_size(written: usize) -> Option<usize> {
    match written {
        1 | 65_536 => Some(65_536),
        size if (512..=32_768).contains(&size) && size.is_power_of_two() => Some(size),
        _ => None,
    }
}
