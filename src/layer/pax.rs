//! PAX extended headers (POSIX.1-2001, `pax`, "Extended Header Keywords") and the GNU sparse records in them.

use super::entry::SparseMap;

/// Most segments of a sparse file that are remembered.
const MAX_SEGMENTS: usize = 100_000;

/// One `length key=value` record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// Records up to the first one that is not well formed, and whether there was such a one.
pub(super) fn records(mut bytes: &[u8]) -> (Vec<Record>, bool) {
    let mut records = Vec::new();
    while !bytes.is_empty() && bytes[0] != 0 {
        let Some((record, rest)) = record(bytes) else { return (records, true) };
        records.push(record);
        bytes = rest;
    }
    (records, false)
}

fn record(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let blank = bytes.iter().take(12).position(|&b| b == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..blank]).ok()?.parse().ok()?;
    let body = bytes.get(blank + 1..length)?;
    let body = body.strip_suffix(b"\n")?;
    let equals = body.iter().position(|&b| b == b'=')?;
    let record = Record { key: body[..equals].to_vec(), value: body[equals + 1..].to_vec() };
    Some((record, &bytes[length..]))
}

/// What the records of one entry say of it; the last record of a key counts.
#[derive(Debug, Default)]
pub(super) struct Extension {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    /// Set if two records of one key disagree on the size: what one reader takes for content another takes for a header.
    pub(super) conflicting: bool,
    pub(super) sparse_name: Option<Vec<u8>>,
    pub(super) sparse: Option<SparseMap>,
    /// GNU sparse format 1.0: the map stands before the data.
    pub(super) sparse_in_data: bool,
}

impl Extension {
    /// Takes in one record.
    pub(super) fn apply(&mut self, record: &Record) {
        let number = || std::str::from_utf8(&record.value).ok().and_then(|text| text.parse::<u64>().ok());
        match record.key.as_slice() {
            b"path" => self.path = Some(record.value.clone()),
            b"linkpath" => self.link = Some(record.value.clone()),
            b"size" => {
                self.conflicting |= self.size.is_some() && self.size != number();
                self.size = number();
            }
            b"GNU.sparse.name" => self.sparse_name = Some(record.value.clone()),
            b"GNU.sparse.major" => self.sparse_in_data = record.value == b"1",
            b"GNU.sparse.map" => self.sparse = pairs(record.value.split(|&b| b == b',')),
            _ => {}
        }
    }

    /// Whether a record only repeats what reports say anyway.
    pub(super) fn is_routine(key: &[u8]) -> bool {
        matches!(key, b"path" | b"linkpath" | b"size" | b"mtime" | b"atime" | b"ctime" | b"uid" | b"gid" | b"LIBARCHIVE.creationtime")
            || key.starts_with(b"GNU.sparse")
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

fn pairs<'a>(mut numbers: impl Iterator<Item = &'a [u8]>) -> Option<SparseMap> {
    let mut map = SparseMap::default();
    while let Some(offset) = numbers.next() {
        if map.segments.len() == MAX_SEGMENTS {
            return None;
        }
        map.segments.push((number(offset)?, number(numbers.next()?)?));
    }
    Some(map)
}

/// GNU sparse format 1.0: the data begins with the number of segments and their offsets and lengths, one a line, padded to 512 bytes. Gives
/// the map and the bytes it takes.
pub(super) fn map_in_data(data: &[u8]) -> Option<(SparseMap, usize)> {
    let mut at = 0;
    let mut line = || {
        let end = at + data.get(at..)?.iter().take(24).position(|&b| b == b'\n')?;
        let value = number(&data[at..end]);
        at = end + 1;
        value
    };
    let count = line()?;
    if count > MAX_SEGMENTS as u64 {
        return None;
    }
    let mut map = SparseMap::default();
    for _ in 0..count {
        map.segments.push((line()?, line()?));
    }
    Some((map, at.next_multiple_of(512)))
}

/// The map of an old GNU sparse header: up to 4 segments in the header, 21 in each block that follows.
pub(super) fn old_map(segments: &[[u8; 24]], map: &mut SparseMap) {
    for segment in segments {
        let octal = |field: &[u8]| {
            let text = field.split(|&b| b == 0 || b == b' ').find(|part| !part.is_empty())?;
            u64::from_str_radix(std::str::from_utf8(text).ok()?, 8).ok()
        };
        let (Some(offset), Some(length)) = (octal(&segment[..12]), octal(&segment[12..])) else { return };
        if map.segments.len() < MAX_SEGMENTS {
            map.segments.push((offset, length));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn records_are_cut_by_their_lengths_not_by_lines() {
        let (found, broken) = records(b"12 a=1\n2\n3\n\n8 b=xyz\n");
        assert_eq!((found[0].value.as_slice(), found[1].value.as_slice(), broken), (&b"1\n2\n3\n"[..], &b"xyz"[..], false));
    }

    #[test]
    fn a_wrong_length_is_said() {
        assert_eq!(records(b"99999999999 path=x\n"), (vec![], true));
        assert_eq!(records(b"5 abc\n").0, vec![]);
    }

    #[test]
    fn a_map_before_the_data_is_read() {
        let mut data = b"2\n0\n10\n4096\n5\n".to_vec();
        data.resize(600, 0);
        let (map, length) = map_in_data(&data).unwrap();
        assert_eq!((map.segments.as_slice(), length), (&[(0, 10), (4096, 5)][..], 512));
        assert_eq!((map.offset(3), map.offset(12)), (3, 4098));
    }
}
