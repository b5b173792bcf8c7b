//! Archives that lie in memory: zip, 7z, ar, cpio, and those whose members stand in them as they are.

use std::io::{Cursor, Read as _};
use std::ops::Range;
use std::sync::Arc;

use deflate64::Deflate64Decoder;

use super::{Decoding, Matcher, left};
use crate::content::nested::budget::{Budget, Metered};
use crate::content::nested::listing::Listing;
use crate::content::nested::seven_zip::{self, Group};
use crate::content::nested::zip::{self, Method};
use crate::content::nested::{Problem, ar, cpio, just};
use crate::layer::decode::{Compression, Decoder, NestedInput};
use crate::layer::{Entry, EntryKind};

impl Matcher<'_, '_> {
    pub(super) fn zip(&mut self, entry: &Arc<Entry>, bytes: &[u8], budget: &Arc<Budget>) -> Vec<Range<usize>> {
        let listing = zip::list(bytes, budget.most_members());
        let mut problems = listing.problems;
        let mut used = listing.records;
        let (mut encrypted, mut unknown, mut lying) = ((0, None), (0, None), (0, None));
        for (number, member) in (0u32..).zip(&listing.members) {
            // Members may overlap, so that the stored bytes have to be paid for as well.
            if !budget.member() || !budget.spend(member.data.len() as u64) {
                break;
            }
            let child = Arc::new(entry.member(number, member.name, EntryKind::File));
            self.name(&child, member.name);
            let stored = &bytes[member.data.clone()];
            if member.is_encrypted {
                count(&mut encrypted, member.name);
                used.push(member.data.clone());
                continue;
            }
            let before = budget.spent();
            let read = match member.method {
                Method::Stored => {
                    self.file(&child, stored);
                    Some(stored.len())
                }
                Method::Deflate => self.deflated(&child, stored, member.size, budget),
                Method::Deflate64 => self.deflated_64(&child, stored, budget),
                Method::Lzma => self.lzma_member(&child, stored, member.size, budget),
                Method::Stream => self.stream_member(&child, stored, budget),
                Method::Unknown => {
                    count(&mut unknown, member.name);
                    None
                }
            };
            if budget.stopped().is_some() {
                break;
            }
            // More may have come of it than its own bytes, if it is an archive itself.
            let came = budget.spent() - before;
            if member.method == Method::Stored && member.size.is_some_and(|size| size != stored.len() as u64)
                || member.method == Method::Deflate && read.is_some() && member.size.is_some_and(|size| size > came)
            {
                count(&mut lying, member.name);
            }
            used.extend(read.map(|length| member.data.start..member.data.start + length));
        }
        let name = |first: Option<Vec<u8>>| first.unwrap_or_default();
        if encrypted.0 > 0 {
            problems.push(Problem::Encrypted(encrypted.0, name(encrypted.1)));
        }
        if unknown.0 > 0 {
            problems.push(Problem::UnknownMethod(unknown.0, name(unknown.1)));
        }
        if lying.0 > 0 {
            problems.push(Problem::Contradicts(format!(
                "{} members are shorter than it says, first {}",
                lying.0,
                String::from_utf8_lossy(&name(lying.1))
            )));
        }
        self.found.problems(entry, problems);
        used
    }

    /// A member that is stored as a stream of one of the known compressions.
    fn stream_member(&mut self, entry: &Arc<Entry>, stored: &[u8], budget: &Arc<Budget>) -> Option<usize> {
        let compression = Compression::sniff(stored);
        if compression == Compression::None {
            return None;
        }
        let mut decoder = Decoder::nested(compression, NestedInput::Slice(stored)).ok()?;
        let _ = self.decoded(entry, &mut Metered::new(&mut decoder, budget));
        Some(stored.len() - left(&mut decoder))
    }

    fn deflated_64(&mut self, entry: &Arc<Entry>, stored: &[u8], budget: &Arc<Budget>) -> Option<usize> {
        let mut reader = Metered::new(Deflate64Decoder::with_buffer(stored), budget);
        let decoding = self.decoded(entry, &mut reader);
        (decoding == Decoding::Whole).then(|| stored.len() - reader.inner().get_ref().len())
    }

    fn lzma_member(&mut self, entry: &Arc<Entry>, stored: &[u8], size: Option<u64>, budget: &Arc<Budget>) -> Option<usize> {
        let (prefix, body) = stored.split_at_checked(zip::LZMA_PREFIX)?;
        let input = Cursor::new(zip::lzma_header(prefix, size)?).chain(body);
        let mut decoder = Decoder::nested(Compression::Lzma, NestedInput::Stream(Box::new(input))).ok()?;
        let decoding = self.decoded(entry, &mut Metered::new(&mut decoder, budget));
        (decoding == Decoding::Whole).then_some(stored.len())
    }

    /// Members that stand in the container as they are.
    pub(super) fn stored(&mut self, entry: &Arc<Entry>, bytes: &[u8], listing: Listing, budget: &Arc<Budget>) -> Vec<Range<usize>> {
        let mut used = Vec::new();
        for (number, member) in (0u32..).zip(listing.members) {
            // Members may overlap.
            if !budget.member() || !budget.spend(member.range.len() as u64) {
                break;
            }
            let child = Arc::new(entry.member(number, &member.name, EntryKind::File));
            self.name(&child, &member.name);
            self.file(&child, &bytes[member.range.clone()]);
            used.push(member.range);
        }
        self.found.problems(entry, listing.problems);
        used
    }

    pub(super) fn seven_zip(&mut self, entry: &Arc<Entry>, bytes: &[u8], budget: &Arc<Budget>) -> Vec<Range<usize>> {
        let listing = match seven_zip::list(bytes, budget.most_members()) {
            Ok(listing) => listing,
            Err(problem) => {
                self.found.problems(entry, vec![problem]);
                return Vec::new();
            }
        };
        let mut used = Vec::new();
        let mut problems = Vec::new();
        let mut numbers = 0u32..;
        let mut child = |name: &[u8]| Arc::new(entry.member(numbers.next().unwrap_or(u32::MAX), name, EntryKind::File));
        for name in &listing.empty {
            if !budget.member() {
                break;
            }
            self.name(&child(name), name);
        }
        for group in listing.groups {
            let reader = match group.open(bytes) {
                Ok(reader) => reader,
                Err(problem) => {
                    problems.push(of_group(problem, &group));
                    continue;
                }
            };
            let mut reader = Metered::new(reader, budget);
            let mut is_whole = true;
            for file in &group.files {
                is_whole = is_whole && budget.member();
                if !is_whole {
                    break;
                }
                let child = child(&file.name);
                self.name(&child, &file.name);
                let mut body = (&mut reader).take(file.size);
                is_whole = self.decoded(&child, &mut body) == Decoding::Whole;
                if is_whole && body.limit() > 0 {
                    problems.push(Problem::Damaged("files of it are shorter than it says"));
                }
            }
            // Of files beyond the bound nothing was listed.
            used.extend(group.stored().filter(|_| is_whole && budget.stopped().is_none()));
        }
        problems.dedup();
        self.found.problems(entry, problems);
        used
    }

    pub(super) fn ar(&mut self, entry: &Arc<Entry>, bytes: &[u8], budget: &Arc<Budget>) -> Vec<Range<usize>> {
        let mut end = ar::MAGIC.len();
        for (number, (name, range)) in (0u32..).zip(ar::list(bytes)) {
            if !budget.member() {
                break;
            }
            let child = Arc::new(entry.member(number, &name, EntryKind::File));
            self.name(&child, &name);
            end = range.end;
            self.file(&child, &bytes[range]);
        }
        just(0..end)
    }

    pub(super) fn cpio(&mut self, entry: &Arc<Entry>, bytes: &[u8], budget: &Arc<Budget>) -> Vec<Range<usize>> {
        let mut at = 0usize;
        let mut number = 0;
        while let Some(header) = bytes.get(at..).and_then(cpio::header) {
            let start = usize::try_from(header.before()).ok().and_then(|before| at.checked_add(before));
            let end = start.and_then(|start| start.checked_add(usize::try_from(header.size).ok()?));
            let (Some(start), Some(end)) = (start, end) else { break };
            let (Some(name), Some(body)) = (bytes.get(at + header.length..at + header.length + header.name), bytes.get(start..end)) else {
                break;
            };
            if !budget.member() {
                break;
            }
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            at = end.saturating_add(header.padding() as usize).min(bytes.len());
            if name == cpio::TRAILER {
                break;
            }
            let child = Arc::new(entry.member(number, name, if header.is_link() { EntryKind::Symlink } else { EntryKind::File }));
            self.name(&child, name);
            if header.is_file() {
                self.file(&child, body);
            } else {
                self.text(&child, body);
            }
            number += 1;
        }
        just(0..at)
    }
}

/// A problem of a whole group of files, as one of its files.
fn of_group(problem: Problem, group: &Group) -> Problem {
    let (count, first) = (group.files.len() as u64, group.files.first().map(|file| file.name.clone()).unwrap_or_default());
    match problem {
        Problem::Encrypted(..) => Problem::Encrypted(count, first),
        Problem::UnknownMethod(..) => Problem::UnknownMethod(count, first),
        problem => problem,
    }
}

/// Counts, and keeps the first name.
fn count((count, first): &mut (u64, Option<Vec<u8>>), name: &[u8]) {
    *count += 1;
    first.get_or_insert_with(|| name.to_vec());
}
