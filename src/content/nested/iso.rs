//! Where the files of an ISO 9660 image lie (ECMA-119), by all of its trees: the primary one, with the names of Rock Ridge where it has them,
//! and those of Joliet. A file that only one of them names is listed as well. UDF, which DVDs have beside or instead, is not read.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use super::listing::{Listing, Stored};
use super::little;

const SECTOR: usize = 2048;
/// The first descriptor's sector.
const DESCRIPTORS: usize = 16;
/// Most descriptors that are looked at.
const MAX_DESCRIPTORS: usize = 64;
/// Deepest folder.
const MAX_DEPTH: usize = 64;
/// Flags of a record.
const IS_FOLDER: u8 = 2;

/// Whether a file that lies in memory is such an image.
pub fn is_image(bytes: &[u8]) -> bool {
    identifier(bytes) == Some(b"CD001")
}

/// Whether it is one of UDF alone.
pub fn is_udf(bytes: &[u8]) -> bool {
    identifier(bytes) == Some(b"BEA01")
}

fn identifier(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(DESCRIPTORS * SECTOR + 1..DESCRIPTORS * SECTOR + 6)
}

/// How a tree writes names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    Primary,
    /// UCS-2, most significant byte first.
    Joliet,
}

/// A folder that is still to be read.
struct Folder {
    range: Range<usize>,
    path: Vec<u8>,
    depth: usize,
}

/// The files of an image, `limit` at most.
pub fn list(bytes: &[u8], limit: usize) -> Listing {
    let mut roots = Vec::new();
    for sector in DESCRIPTORS..DESCRIPTORS + MAX_DESCRIPTORS {
        let Some(descriptor) = bytes.get(sector * SECTOR..(sector + 1) * SECTOR) else { break };
        if &descriptor[1..6] != b"CD001" || descriptor[0] == 255 {
            break;
        }
        let naming = match descriptor[0] {
            1 => Naming::Primary,
            2 if matches!(descriptor[88..91], [b'%', b'/', b'@' | b'C' | b'E']) => Naming::Joliet,
            _ => continue,
        };
        roots.extend(record(&descriptor[156..190]).map(|root| (naming, root)));
    }
    let mut reader = Reader { bytes, limit, folders: BTreeSet::new(), seen: BTreeSet::new(), listing: Listing::default() };
    if roots.is_empty() {
        reader.listing.problem("it has no tree of files");
    }
    // Names of Rock Ridge are whole; those of a primary tree without it are cut, so that the ones of Joliet come first.
    let has_long_names = roots.iter().any(|(naming, root)| *naming == Naming::Primary && reader.has_rock_ridge(root));
    roots.sort_by_key(|(naming, _)| (*naming == Naming::Primary) != has_long_names);
    for (naming, root) in roots {
        reader.tree(naming, &root);
    }
    reader.listing
}

/// What a directory says of a file.
struct Record<'b> {
    start: usize,
    size: usize,
    flags: u8,
    name: &'b [u8],
    system: &'b [u8],
}

fn record(bytes: &[u8]) -> Option<Record<'_>> {
    let length = usize::from(*bytes.first()?);
    let record = bytes.get(..length).filter(|record| record.len() >= 34)?;
    let name_length = usize::from(record[32]);
    let name = record.get(33..33 + name_length)?;
    // A byte to an even offset.
    let system = record.get(33 + name_length + (name_length + 1) % 2..).unwrap_or_default();
    // Bytes of extended attributes stand before the file.
    let block = usize::try_from(little::<4>(record, 2)?).ok()? + usize::from(record[1]);
    let size = usize::try_from(little::<4>(record, 10)?).ok()?;
    Some(Record { start: block.checked_mul(SECTOR)?, size, flags: record[25], name, system })
}

struct Reader<'b> {
    bytes: &'b [u8],
    limit: usize,
    /// Where folders begin that were read in this tree.
    folders: BTreeSet<usize>,
    /// Files that are listed.
    seen: BTreeSet<(usize, usize)>,
    listing: Listing,
}

impl<'b> Reader<'b> {
    /// The bytes that a record names, as far as they are there.
    fn range(&mut self, record: &Record<'_>) -> Range<usize> {
        let end = record.start.saturating_add(record.size);
        if end > self.bytes.len() {
            self.listing.problem("a file or folder of it ends after its end");
        }
        record.start.min(self.bytes.len())..end.min(self.bytes.len())
    }

    fn has_rock_ridge(&self, root: &Record<'_>) -> bool {
        let first = self.bytes.get(root.start..).and_then(record);
        first.is_some_and(|own| own.system.starts_with(b"SP") || system_uses(own.system).any(|(kind, _)| kind == b"RR" || kind == b"PX"))
    }

    fn tree(&mut self, naming: Naming, root: &Record<'_>) {
        self.folders.clear();
        let range = self.range(root);
        let mut waiting = VecDeque::from([Folder { range, path: Vec::new(), depth: 0 }]);
        while let Some(folder) = waiting.pop_front() {
            if !self.folders.insert(folder.range.start) {
                self.listing.problem("a folder of it stands in itself, or in two folders");
                continue;
            }
            self.folder(naming, &folder, &mut waiting);
            if self.folders.len() > self.limit {
                return;
            }
        }
    }

    fn folder(&mut self, naming: Naming, folder: &Folder, waiting: &mut VecDeque<Folder>) {
        let bytes = self.bytes;
        let mut at = folder.range.start;
        while at < folder.range.end {
            let Some(record) = bytes.get(at..folder.range.end).filter(|rest| rest[0] != 0).and_then(record) else {
                // Records do not cross sectors.
                at = (at + 1).next_multiple_of(SECTOR);
                continue;
            };
            at += usize::from(bytes[at]);
            if matches!(record.name, [0 | 1]) {
                continue;
            }
            let name = name_of(naming, &record);
            if !self.listing.has_room(folder.path.len() + name.len()) {
                return;
            }
            let path = [&folder.path[..], b"/", &name].concat();
            let range = self.range(&record);
            if record.flags & IS_FOLDER == 0 {
                self.file(path, range);
            } else if folder.depth < MAX_DEPTH {
                waiting.push_back(Folder { range, path, depth: folder.depth + 1 });
            } else {
                self.listing.too_large("its folders are more than 64 deep");
            }
        }
    }

    fn file(&mut self, name: Vec<u8>, range: Range<usize>) {
        if range.is_empty() || self.listing.members.len() >= self.limit {
            return;
        }
        // A file of more than 4 GiB has several records, one after the other.
        if let Some(last) = self.listing.members.last_mut().filter(|last| last.name == name && last.range.end == range.start) {
            last.range.end = range.end;
            return;
        }
        if self.seen.insert((range.start, range.end)) {
            self.listing.members.push(Stored { name, range });
        }
    }
}

fn name_of(naming: Naming, record: &Record<'_>) -> Vec<u8> {
    let (pairs, _) = record.name.as_chunks::<2>();
    let name = match naming {
        Naming::Joliet => {
            let units: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
            String::from_utf16_lossy(&units).into_bytes()
        }
        Naming::Primary => {
            let long = system_uses(record.system).filter(|(kind, _)| *kind == b"NM").flat_map(|(_, value)| value.get(1..));
            match long.collect::<Vec<_>>().concat() {
                long if long.is_empty() => record.name.to_vec(),
                long => return long,
            }
        }
    };
    // The number of a version is no part of a name.
    let end = name.iter().rposition(|&byte| byte == b';').unwrap_or(name.len());
    let name = &name[..end];
    name.strip_suffix(b".").unwrap_or(name).to_vec()
}

/// Entries of the system use field: what each is, and its value (SUSP 1.12, section 4). Those that are continued elsewhere are not followed.
fn system_uses(system: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = system;
    std::iter::from_fn(move || {
        let length = usize::from(*rest.get(2)?);
        let (entry, after) = rest.split_at_checked(length.max(4))?;
        rest = after;
        Some((&entry[..2], &entry[4..]))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Problem;
    use super::*;

    fn record_of(block: u32, size: u32, flags: u8, name: &[u8]) -> Vec<u8> {
        let length = 33 + name.len() + (name.len() + 1) % 2;
        let mut out = vec![0; length];
        out[0] = length as u8;
        out[2..6].copy_from_slice(&block.to_le_bytes());
        out[10..14].copy_from_slice(&size.to_le_bytes());
        out[25] = flags;
        out[32] = name.len() as u8;
        out[33..33 + name.len()].copy_from_slice(name);
        out
    }

    /// An image whose root folder, at sector 18, has `records`.
    fn image(records: &[Vec<u8>]) -> Vec<u8> {
        let mut out = vec![0; 20 * SECTOR];
        out[16 * SECTOR] = 1;
        out[17 * SECTOR] = 255;
        for sector in [16, 17] {
            out[sector * SECTOR + 1..sector * SECTOR + 6].copy_from_slice(b"CD001");
        }
        out[16 * SECTOR + 156..16 * SECTOR + 190].copy_from_slice(&record_of(18, 2048, IS_FOLDER, b"\0"));
        let records = records.concat();
        out[18 * SECTOR..18 * SECTOR + records.len()].copy_from_slice(&records);
        out
    }

    #[test]
    fn files_are_named_without_their_version() {
        let bytes = image(&[record_of(18, 2048, IS_FOLDER, b"\0"), record_of(19, 5, 0, b"A.TXT;1"), record_of(19, 7, 0, b"B.;1")]);
        assert!(is_image(&bytes));
        let listing = list(&bytes, 10);
        let start = 19 * SECTOR;
        let stored = |name: &[u8], range| Stored { name: name.to_vec(), range };
        assert_eq!(listing.members, [stored(b"/A.TXT", start..start + 5), stored(b"/B", start..start + 7)]);
        assert_eq!(listing.problems, []);
    }

    #[test]
    fn loops_end_and_lies_are_told() {
        let bytes = image(&[record_of(18, 2048, IS_FOLDER, b"LOOP"), record_of(19, 5000, 0, b"A"), record_of(99, 1, 0, b"B")]);
        let listing = list(&bytes, 10);
        assert_eq!(listing.members.len(), 1);
        let problems = ["a file or folder of it ends after its end", "a folder of it stands in itself, or in two folders"];
        assert_eq!(listing.problems, problems.map(Problem::Damaged));
        assert_eq!(list(&bytes[..17 * SECTOR], 10).problems[0], Problem::Damaged(problems[0]));
    }
}
