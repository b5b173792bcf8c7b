//! Where the members of a zip archive lie (PKWARE's APPNOTE, sections 4.3 and 4.4).
//!
//! A zip archive tells its members twice: before each member's bytes, for who reads it from the beginning, and in the central directory
//! at its end, which is what most programs believe. Where the two differ, one of them hides something from somebody. So both are read: what
//! the one names or what the other names is a member, and that they differ is said.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::BufRead as _;
use std::ops::Range;

use super::{Problem, little};
use crate::layer::decode::Input;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";
const END_64: &[u8] = b"PK\x06\x06";
/// Bytes of the end record without its comment.
const END_LENGTH: usize = 22;
/// Longest comment.
const MAX_COMMENT: usize = 0xFFFF;
/// Bits of a record's flags.
const IS_ENCRYPTED: u64 = 1;
const HAS_DESCRIPTOR: u64 = 8;

/// How a member's bytes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// As they are.
    Stored,
    /// Deflate.
    Deflate,
    /// Deflate with a window twice as large.
    Deflate64,
    /// LZMA, with its parameters in front.
    Lzma,
    /// One of the streams that are known by their first bytes: bzip2, zstd, xz.
    Stream,
    /// In another way.
    Unknown,
}

/// Bytes before a member that LZMA stored: the version of the library, how long the parameters are, and the parameters (APPNOTE, section 5.8.8).
pub const LZMA_PREFIX: usize = 9;

/// What `xz --format=lzma` would write before such a member; `size` is none where a mark tells its end.
pub fn lzma_header(prefix: &[u8], size: Option<u64>) -> Option<Vec<u8>> {
    let parameters = prefix.first_chunk::<LZMA_PREFIX>()?[2..].strip_prefix(&[5, 0])?;
    Some([parameters, &size.unwrap_or(u64::MAX).to_le_bytes()].concat())
}

/// A member of a zip archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member<'z> {
    /// Its name, by the central directory if that has it.
    pub name: &'z [u8],
    /// How its bytes are stored.
    pub method: Method,
    /// Whether a password protects it.
    pub is_encrypted: bool,
    /// Its stored bytes; where their number is not said, all up to the next record.
    pub data: Range<usize>,
    /// Its size, as it is said.
    pub size: Option<u64>,
}

/// What a zip archive holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing<'z> {
    /// In the order of their bytes.
    pub members: Vec<Member<'z>>,
    /// Records that say nothing but what is in `members`.
    pub records: Vec<Range<usize>>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// Whether there are more members than were asked for.
    pub is_cut: bool,
}

/// Whether the last bytes are the end record of a zip archive, without a comment.
pub fn ends_as_zip(bytes: &[u8]) -> bool {
    let Some(end) = bytes.len().checked_sub(END_LENGTH) else { return false };
    bytes[end..].starts_with(END) && bytes.ends_with(&[0, 0]) && little::<4>(bytes, end + 12).is_some_and(|size| size <= end as u64)
}

/// What one of the two tables says of a member.
#[derive(Debug, Clone)]
struct Record {
    name: Range<usize>,
    flags: u64,
    method: u64,
    stored: u64,
    size: u64,
    /// All of the record but its extra field and its comment, which may hold anything.
    range: Range<usize>,
    /// For local records: where the member's bytes begin.
    data: usize,
}

/// The members of an archive, `limit` at most.
pub fn list(bytes: &[u8], limit: usize) -> Listing<'_> {
    let mut listing = Listing::default();
    let central = central(bytes, limit, &mut listing);
    let mut locals: BTreeMap<usize, (Record, Range<usize>)> = BTreeMap::new();
    let marks = Marks { bytes, longest: Cell::new((1, 0)) };
    sequence(&marks, limit, &central, &mut locals, &mut listing);
    let in_sequence = locals.len();
    for (&offset, record) in &central {
        if locals.len() >= limit {
            listing.is_cut = true;
            break;
        }
        let Entry::Vacant(vacant) = locals.entry(offset) else { continue };
        match local(bytes, offset) {
            Some(found) => {
                let data = found.data..end_of(&marks, &found, Some(record));
                vacant.insert((found, data));
            }
            None => listing.problems.push(Problem::Damaged("its directory names a member where there is none")),
        }
    }
    let hidden = locals.len() - in_sequence;
    if hidden > 0 {
        listing.problems.push(Problem::Contradicts(format!("{hidden} members stand where a reader from the beginning does not come by")));
    }
    compare(bytes, &central, locals, &mut listing);
    listing.problems.dedup();
    listing
}

/// Makes members of what both tables say, and tells where they differ.
fn compare<'z>(
    bytes: &'z [u8],
    central: &BTreeMap<usize, Record>,
    locals: BTreeMap<usize, (Record, Range<usize>)>,
    listing: &mut Listing<'z>,
) {
    let (mut unlisted, mut renamed, mut differing, mut overlapping) = (0, 0, 0, 0);
    let mut reached = 0;
    for (offset, (found, data)) in locals {
        let listed = central.get(&offset);
        match listed {
            None => unlisted += 1,
            Some(listed) => {
                renamed += u64::from(bytes[listed.name.clone()] != bytes[found.name.clone()]);
                let has_sizes = found.flags & HAS_DESCRIPTOR == 0;
                let differ = listed.method != found.method
                    || (listed.flags ^ found.flags) & IS_ENCRYPTED != 0
                    || (has_sizes && (listed.stored, listed.size) != (found.stored, found.size));
                differing += u64::from(differ);
            }
        }
        overlapping += u64::from(offset < reached);
        reached = reached.max(data.end);
        let said = listed.unwrap_or(&found);
        let size = Some(said.size).filter(|_| listed.is_some() || found.flags & HAS_DESCRIPTOR == 0);
        // Where they differ in how a member is stored, the local one stands beside its bytes.
        let method = method_of(found.method);
        listing.records.push(found.range.clone());
        listing.members.push(Member {
            name: &bytes[said.name.clone()],
            method,
            is_encrypted: found.flags & IS_ENCRYPTED != 0 || found.method == 99,
            data,
            size,
        });
    }
    for (count, what) in [
        (unlisted, "members are not in the directory at its end"),
        (renamed, "members have another name in the directory at its end"),
        (differing, "members have other sizes or another compression in the directory at its end"),
        (overlapping, "members overlap others"),
    ] {
        if count > 0 && !central.is_empty() {
            listing.problems.push(Problem::Contradicts(format!("{count} {what}")));
        }
    }
}

fn method_of(number: u64) -> Method {
    match number {
        0 => Method::Stored,
        8 => Method::Deflate,
        9 => Method::Deflate64,
        14 => Method::Lzma,
        12 | 93 | 95 => Method::Stream,
        _ => Method::Unknown,
    }
}

/// The records of the central directory, by where each says that its member begins.
fn central(bytes: &[u8], limit: usize, listing: &mut Listing<'_>) -> BTreeMap<usize, Record> {
    let mut records = BTreeMap::new();
    let from = bytes.len().saturating_sub(END_LENGTH + MAX_COMMENT);
    let Some(end) = memchr::memmem::rfind(&bytes[from..], END).map(|at| from + at) else {
        listing.problems.push(Problem::Damaged("it has no directory at its end"));
        return records;
    };
    let Some((size, offset)) = little::<4>(bytes, end + 12).zip(little::<4>(bytes, end + 16)) else {
        listing.problems.push(Problem::Damaged("it ends within the record at its end"));
        return records;
    };
    listing.records.push(end..(end + END_LENGTH).min(bytes.len()));
    // The directory stands before its end; what its offset lacks to that is how much was put in front of the archive.
    let (mut size, mut offset, mut after) = (size, offset, end);
    if size == 0xFFFF_FFFF || offset == 0xFFFF_FFFF {
        let found = memchr::memmem::rfind(&bytes[end.saturating_sub(20 + 56 + 4096)..end], END_64);
        if let Some(at) = found.map(|at| end.saturating_sub(20 + 56 + 4096) + at) {
            size = little::<8>(bytes, at + 40).unwrap_or(size);
            offset = little::<8>(bytes, at + 48).unwrap_or(offset);
            listing.records.push(at..end);
            after = at;
        }
    }
    let start = usize::try_from(size).ok().and_then(|size| after.checked_sub(size));
    let Some(start) = start.filter(|start| bytes[*start..].starts_with(CENTRAL) || size == 0) else {
        listing.problems.push(Problem::Damaged("the directory at its end is not where it says"));
        return records;
    };
    let shift = start.saturating_sub(usize::try_from(offset).unwrap_or(start));
    let mut at = start;
    while let Some((record, offset, next)) = central_record(bytes, at) {
        if records.len() >= limit {
            listing.is_cut = true;
            break;
        }
        listing.records.push(record.range.clone());
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(shift);
        if records.insert(offset, record).is_some() {
            listing.problems.push(Problem::Contradicts("members share their bytes".to_owned()));
        }
        at = next;
    }
    records
}

/// A record of the central directory, the offset of its member, and where the next record begins.
fn central_record(bytes: &[u8], at: usize) -> Option<(Record, u64, usize)> {
    if !bytes.get(at..)?.starts_with(CENTRAL) {
        return None;
    }
    let field = |offset| little::<2>(bytes, at + offset);
    let (name, extra, comment) = (field(28)? as usize, field(30)? as usize, field(32)? as usize);
    let fixed = at + 46;
    let next = fixed.checked_add(name + extra + comment).filter(|next| *next <= bytes.len())?;
    let mut record = Record {
        name: fixed..fixed + name,
        flags: field(8)?,
        method: field(10)?,
        stored: little::<4>(bytes, at + 20)?,
        size: little::<4>(bytes, at + 24)?,
        range: at..fixed + name,
        data: 0,
    };
    let mut offset = little::<4>(bytes, at + 42)?;
    large(&bytes[fixed + name..fixed + name + extra], &mut [&mut record.size, &mut record.stored, &mut offset]);
    Some((record, offset, next))
}

/// The record before a member's bytes.
fn local(bytes: &[u8], at: usize) -> Option<Record> {
    if !bytes.get(at..)?.starts_with(LOCAL) {
        return None;
    }
    let field = |offset| little::<2>(bytes, at + offset);
    let (name, extra) = (field(26)? as usize, field(28)? as usize);
    let fixed = at + 30;
    let data = fixed.checked_add(name + extra).filter(|data| *data <= bytes.len())?;
    let mut record = Record {
        name: fixed..fixed + name,
        flags: field(6)?,
        method: field(8)?,
        stored: little::<4>(bytes, at + 18)?,
        size: little::<4>(bytes, at + 22)?,
        range: at..fixed + name,
        data,
    };
    large(&bytes[fixed + name..data], &mut [&mut record.size, &mut record.stored]);
    Some(record)
}

/// Puts the eight-byte numbers of a ZIP64 extra field in the place of those that are full.
fn large(extra: &[u8], numbers: &mut [&mut u64]) {
    let mut at = 0;
    while let (Some(id), Some(length)) = (little::<2>(extra, at), little::<2>(extra, at + 2)) {
        if id == 1 {
            let mut field = at + 4;
            for number in numbers.iter_mut().filter(|number| ***number == 0xFFFF_FFFF) {
                let Some(value) = little::<8>(extra, field) else { return };
                **number = value;
                field += 8;
            }
            return;
        }
        at += 4 + length as usize;
    }
}

/// Finds the next record. Members that overlap ask for the same one over and over, from any side.
struct Marks<'b> {
    bytes: &'b [u8],
    /// The longest way to a record so far: from where it was looked for, and where it is.
    longest: Cell<(usize, usize)>,
}

impl Marks<'_> {
    fn after(&self, from: usize) -> usize {
        let (start, end) = self.longest.get();
        if (start..=end).contains(&from) {
            return end;
        }
        // Before what is known only what leads there is new.
        let (until, otherwise) = if from < start { (start + 1, end) } else { (self.bytes.len(), self.bytes.len()) };
        let is_mark = |at: &usize| [LOCAL, CENTRAL, DESCRIPTOR].iter().any(|mark| self.bytes[from + *at..].starts_with(mark));
        let next = memchr::memmem::find_iter(&self.bytes[from..until], b"PK").find(is_mark).map_or(otherwise, |at| from + at);
        if next - from > end.saturating_sub(start) {
            self.longest.set((from, next));
        }
        next
    }
}

/// Where a member's bytes end: as many as are said, or all up to the next record.
fn end_of(marks: &Marks<'_>, found: &Record, listed: Option<&Record>) -> usize {
    let said = if found.flags & HAS_DESCRIPTOR == 0 || found.stored > 0 { Some(found.stored) } else { listed.map(|listed| listed.stored) };
    match said {
        Some(said) => usize::try_from(said).unwrap_or(usize::MAX).saturating_add(found.data).min(marks.bytes.len()),
        None => marks.after(found.data),
    }
}

/// Reads the records from the beginning to the directory.
fn sequence(
    marks: &Marks<'_>,
    limit: usize,
    central: &BTreeMap<usize, Record>,
    locals: &mut BTreeMap<usize, (Record, Range<usize>)>,
    listing: &mut Listing<'_>,
) {
    let bytes = marks.bytes;
    let directory = listing.records.iter().map(|range| range.start).min().unwrap_or(bytes.len());
    // What stands before the archive is a program, or nothing.
    let mut at = if bytes.starts_with(LOCAL) { 0 } else { central.keys().next().copied().unwrap_or(bytes.len()) };
    while at < directory {
        if locals.len() >= limit {
            listing.is_cut = true;
            return;
        }
        let Some(found) = local(bytes, at) else {
            // Padding, or something else: the next record may come later.
            let next = bytes.get(at + 1..directory).and_then(|rest| memchr::memmem::find(rest, LOCAL));
            match next {
                Some(next) => at += 1 + next,
                None => return,
            }
            continue;
        };
        let end = end_of(marks, &found, central.get(&at));
        let data = found.data..end;
        let mut next = end;
        if found.flags & HAS_DESCRIPTOR != 0 {
            next = after_descriptor(bytes, end);
            listing.records.push(end..next);
        }
        locals.insert(at, (found, data));
        at = next.max(at + 1);
    }
}

/// Passes over what follows a member whose size was not known before: with or without its mark, with numbers of four or eight bytes.
fn after_descriptor(bytes: &[u8], at: usize) -> usize {
    let is_record = |at: usize| bytes.get(at..).is_some_and(|rest| rest.starts_with(LOCAL) || rest.starts_with(CENTRAL));
    [12, 16, 20, 24].into_iter().map(|length| at + length).find(|&next| is_record(next)).unwrap_or(at)
}

/// What stands before a member, for who reads the archive from its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The member's name.
    pub name: Vec<u8>,
    /// How its bytes are stored.
    pub method: Method,
    /// Whether a password protects it.
    pub is_encrypted: bool,
    /// How many bytes are stored; none where only what follows them says it.
    pub stored: Option<u64>,
    /// How many bytes they are when that is undone.
    pub size: Option<u64>,
}

impl Local {
    /// Reads the record that comes next; none, and nothing is read, if another kind of record or something else does.
    pub fn read(input: &mut Input<'_>) -> Option<Self> {
        const FIXED: usize = 30;
        let fixed = input.peek(FIXED).ok().filter(|bytes| bytes.starts_with(LOCAL))?;
        let length = FIXED + (little::<2>(fixed, 26)? + little::<2>(fixed, 28)?) as usize;
        let bytes = input.peek(length).ok()?.get(..length)?;
        let record = local(bytes, 0)?;
        let is_sized = record.flags & HAS_DESCRIPTOR == 0 || record.stored > 0;
        let found = Self {
            name: bytes[record.name].to_vec(),
            method: method_of(record.method),
            is_encrypted: record.flags & IS_ENCRYPTED != 0 || record.method == 99,
            stored: is_sized.then_some(record.stored),
            size: is_sized.then_some(record.size),
        };
        input.consume(length);
        Some(found)
    }

    /// Passes over what follows a member whose size was not said.
    pub fn pass_descriptor(input: &mut Input<'_>) {
        const LONGEST: usize = 24 + 4;
        let length = input.peek(LONGEST).map_or(0, |bytes| after_descriptor(bytes, 0));
        input.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the two tables say of a member.
    #[derive(Clone, Default)]
    struct Said {
        name: &'static str,
        flags: u16,
        method: u16,
        stored: u32,
        size: u32,
        extra: Vec<u8>,
    }

    impl Said {
        fn new(name: &'static str, length: u32) -> Self {
            Self { name, stored: length, size: length, ..Self::default() }
        }

        fn fields(&self) -> Vec<u8> {
            let numbers = [20, self.flags, self.method, 0, 0, 0, 0].map(u16::to_le_bytes).concat();
            let sizes = [self.stored, self.size].map(u32::to_le_bytes).concat();
            let lengths = [self.name.len() as u16, self.extra.len() as u16].map(u16::to_le_bytes).concat();
            [numbers, sizes, lengths].concat()
        }

        fn local(&self) -> Vec<u8> {
            [LOCAL, &self.fields(), self.name.as_bytes(), &self.extra].concat()
        }

        fn central(&self, offset: u32) -> Vec<u8> {
            [CENTRAL, &[20, 0], &self.fields(), &[0; 10], &offset.to_le_bytes(), self.name.as_bytes(), &self.extra].concat()
        }
    }

    fn end(count: u16, size: usize, offset: usize) -> Vec<u8> {
        let counts = [0, 0, count, count].map(u16::to_le_bytes).concat();
        [END, &counts, &(size as u32).to_le_bytes(), &(offset as u32).to_le_bytes(), &[0, 0]].concat()
    }

    /// An archive of one member: what is said before it, its bytes, and what the directory says.
    fn archive(local: &Said, data: &[u8], central: &Said) -> Vec<u8> {
        let mut out = [&local.local(), data].concat();
        let (start, directory) = (out.len(), central.central(0));
        out.extend(&directory);
        out.extend(end(1, directory.len(), start));
        out
    }

    fn members<'z>(listing: &Listing<'z>) -> Vec<(&'z str, Range<usize>, Option<u64>)> {
        let name = |member: &Member<'z>| std::str::from_utf8(member.name).unwrap_or_default();
        listing.members.iter().map(|member| (name(member), member.data.clone(), member.size)).collect()
    }

    #[test]
    fn a_sound_archive_has_no_gaps() {
        let said = Said::new("a.txt", 3);
        let bytes = archive(&said, b"abc", &said);
        let listing = list(&bytes, 10);
        assert_eq!((members(&listing), listing.problems.len()), (vec![("a.txt", 35..38, Some(3))], 0));
        let used = listing.records.iter().cloned().chain(listing.members.iter().map(|member| member.data.clone())).collect();
        assert!(super::super::gaps(bytes.len(), used).is_empty());
        assert!(ends_as_zip(&bytes) && !ends_as_zip(&bytes[1..bytes.len() - 1]));
    }

    #[test]
    fn what_stands_before_an_archive_moves_it() {
        let said = Said::new("a.txt", 3);
        let bytes = [b"#!/bin/sh\n".to_vec(), archive(&said, b"abc", &said)].concat();
        let listing = list(&bytes, 10);
        assert_eq!((members(&listing), listing.problems.len()), (vec![("a.txt", 45..48, Some(3))], 0));
    }

    #[test]
    fn a_size_that_comes_after_the_bytes_is_that_of_the_directory() {
        let local = Said { flags: 8, ..Said::new("a", 0) };
        let central = Said { flags: 8, ..Said::new("a", 3) };
        for mark in [DESCRIPTOR, b""] {
            let data = [b"abc", mark, &[0; 4], &3u32.to_le_bytes(), &3u32.to_le_bytes()].concat();
            let bytes = archive(&local, &data, &central);
            let listing = list(&bytes, 10);
            assert_eq!((members(&listing), listing.problems.len()), (vec![("a", 31..34, Some(3))], 0));
        }
    }

    #[test]
    fn numbers_of_eight_bytes_are_read() {
        let extra = [&[1, 0, 16, 0][..], &3u64.to_le_bytes(), &3u64.to_le_bytes()].concat();
        let said = Said { extra, ..Said::new("a", 0xFFFF_FFFF) };
        let bytes = archive(&said, b"abc", &said);
        let listing = list(&bytes, 10);
        assert_eq!((members(&listing), listing.problems.len()), (vec![("a", 51..54, Some(3))], 0));
    }

    #[test]
    fn that_the_two_tables_differ_is_said() {
        let said = Said::new("a", 3);
        for (other, what) in [
            (Said { name: "b", ..said.clone() }, "another name"),
            (Said { size: 4, ..said.clone() }, "other sizes"),
            (Said { method: 8, ..said.clone() }, "another compression"),
        ] {
            let bytes = archive(&said, b"abc", &other);
            let listing = list(&bytes, 10);
            assert!(matches!(&listing.problems[..], [Problem::Contradicts(text)] if text.contains(what)), "{:?}", listing.problems);
            assert_eq!(listing.members.len(), 1);
        }
        // A member that the directory leaves out, and one that only the directory has.
        let hidden = [said.local(), b"abc".to_vec(), archive(&said, b"abc", &said)].concat();
        assert_eq!(list(&hidden, 10).members.len(), 2);
        let mut damaged = archive(&said, b"abc", &said);
        damaged[0] = b'X';
        assert!(matches!(list(&damaged, 10).problems[..], [Problem::Damaged(_)]));
    }

    #[test]
    fn an_archive_cut_anywhere_ends() {
        let said = Said::new("a.txt", 3);
        let bytes = archive(&said, b"abc", &said);
        // The last two bytes say how long a comment is that is not there.
        for cut in 0..bytes.len() - 2 {
            let listing = list(&bytes[..cut], 10);
            assert!(listing.members.iter().all(|member| member.data.end <= cut));
            assert!(!listing.problems.is_empty(), "cut at {cut}");
        }
    }
}
