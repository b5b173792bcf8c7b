//! Pages of trees, and the payloads of their cells.

use std::borrow::Cow;
use std::ops::Range;

use super::pages::{HEADER, Pages};
use super::record::varint;
use super::{long, short};
use crate::content::nested::gaps;

/// Which tree a page is of, and where in it it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    TableInterior,
    TableLeaf,
    IndexInterior,
    IndexLeaf,
}

impl Kind {
    fn is_interior(self) -> bool {
        matches!(self, Kind::TableInterior | Kind::IndexInterior)
    }
}

/// A page of a tree.
#[derive(Debug)]
pub struct Node<'a> {
    bytes: &'a [u8],
    kind: Kind,
    /// Bytes of its header, those before it and the places of its cells.
    head: usize,
    /// What stands in it.
    pub cells: Vec<Cell>,
    /// The last of the pages below it.
    right: Option<u32>,
}

/// A cell of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    range: Range<usize>,
    child: Option<u32>,
    /// The number of a row of a table.
    pub rowid: Option<i64>,
    /// The record, if it has one.
    pub payload: Option<Payload>,
}

/// Where a record lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Bytes of it.
    pub length: usize,
    /// The first of them, in the cell's page.
    local: Range<usize>,
    /// The page where it goes on.
    next: Option<u32>,
}

impl<'a> Node<'a> {
    /// Reads the page `number` of a tree; none if anything of it makes no sense.
    pub fn parse(pages: &Pages<'a>, number: u32) -> Option<Self> {
        Self::of(pages.page(number)?, number, pages.file().len())
    }

    /// The same of the bytes of a page, where no record is longer than `most`.
    pub(super) fn of(bytes: &'a [u8], number: u32, most: usize) -> Option<Self> {
        let start = if number == 1 { HEADER } else { 0 };
        let kind = match bytes.get(start)? {
            0x02 => Kind::IndexInterior,
            0x05 => Kind::TableInterior,
            0x0a => Kind::IndexLeaf,
            0x0d => Kind::TableLeaf,
            _ => return None,
        };
        let count = short(bytes, start + 3)?;
        let places = start + if kind.is_interior() { 12 } else { 8 };
        let head = places + 2 * count;
        if head > bytes.len() {
            return None;
        }
        let right = if kind.is_interior() { Some(long(bytes, start + 8)?) } else { None };
        let cells = (0..count).map(|cell| {
            let at = short(bytes, places + 2 * cell)?;
            if at < head { None } else { Cell::parse(bytes, kind, at, most) }
        });
        Some(Self { bytes, kind, head, cells: cells.collect::<Option<_>>()?, right })
    }

    /// The pages below it, in order.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = u32> {
        self.cells.iter().filter_map(|cell| cell.child).chain(self.right)
    }

    /// Whether its cells have the rows of a table.
    pub fn has_rows(&self) -> bool {
        self.kind == Kind::TableLeaf
    }

    /// What of the page is in no cell and no header, and is not all zeros.
    pub(super) fn unused(&self) -> Vec<Range<usize>> {
        let used = self.cells.iter().map(|cell| cell.range.clone()).chain(Some(0..self.head)).collect();
        let mut unused = gaps(self.bytes.len(), used);
        unused.retain(|gap| self.bytes[gap.clone()].iter().any(|&byte| byte != 0));
        unused
    }

    /// The bytes of a record, as many of them as are there; `passed` is told of each further page that they take, and of how much of it.
    /// `limit` is the most bytes that are put together.
    pub fn payload(&self, pages: &Pages<'a>, payload: &Payload, limit: usize, passed: &mut dyn FnMut(u32, usize)) -> Cow<'a, [u8]> {
        let local = &self.bytes[payload.local.clone()];
        let Some(mut next) = payload.next.filter(|_| payload.length <= limit) else { return Cow::Borrowed(local) };
        let mut record = local.to_vec();
        while record.len() < payload.length {
            let number = next;
            let Some(page) = pages.page(number) else { break };
            next = long(page, 0).unwrap_or(0);
            let rest = &page[4..];
            let taken = rest.len().min(payload.length - record.len());
            record.extend_from_slice(&rest[..taken]);
            passed(number, 4 + taken);
        }
        Cow::Owned(record)
    }
}

impl Cell {
    fn parse(bytes: &[u8], kind: Kind, start: usize, most: usize) -> Option<Self> {
        let mut at = start;
        let child = if kind.is_interior() {
            at += 4;
            Some(long(bytes, start)?)
        } else {
            None
        };
        let length = if kind == Kind::TableInterior { None } else { Some(varint(bytes, at)?) };
        at = length.map_or(at, |(_, next)| next);
        let rowid = match kind {
            Kind::TableInterior | Kind::TableLeaf => {
                let (rowid, next) = varint(bytes, at)?;
                at = next;
                Some(rowid as i64)
            }
            Kind::IndexInterior | Kind::IndexLeaf => None,
        };
        let Some((length, _)) = length else { return Some(Self { range: start..at, child, rowid: None, payload: None }) };
        let length = usize::try_from(length).ok().filter(|length| *length <= most)?;
        let local = at..at.checked_add(local_length(kind, bytes.len(), length))?;
        let is_cut = local.len() < length;
        let next = if is_cut { Some(long(bytes, local.end)?) } else { None };
        let end = local.end + if is_cut { 4 } else { 0 };
        // A cell has at least four bytes, so that it can be a free block later.
        (end <= bytes.len()).then(|| Self {
            range: start..end.max(start + 4).min(bytes.len()),
            child,
            rowid,
            payload: Some(Payload { length, local, next }),
        })
    }
}

/// How much of a record of `length` bytes stands in its cell.
fn local_length(kind: Kind, usable: usize, length: usize) -> usize {
    let most = if kind == Kind::TableLeaf { usable - 35 } else { (usable - 12) * 64 / 255 - 23 };
    if length <= most {
        return length;
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let local = least + (length - least) % (usable - 4);
    if local <= most { local } else { least }
}
