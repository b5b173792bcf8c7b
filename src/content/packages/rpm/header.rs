//! A header of rpm as databases keep it: how many entries, how many bytes of values, the entries (tag, type, offset, count), the values. All
//! numbers are big-endian ("RPM headers", rpm.org).

use std::collections::HashMap;

pub(super) const NAME: u32 = 1000;
pub(super) const VERSION: u32 = 1001;
pub(super) const RELEASE: u32 = 1002;
pub(super) const EPOCH: u32 = 1003;
pub(super) const VENDOR: u32 = 1011;
/// Hash of each file, in hex.
pub(super) const DIGESTS: u32 = 1035;
/// Folder of each file, as an index.
pub(super) const FOLDER_OF: u32 = 1116;
/// Name of each file.
pub(super) const NAMES: u32 = 1117;
pub(super) const FOLDERS: u32 = 1118;
/// Signatures over the header, of the kinds there are.
const SIGNATURES: [u32; 3] = [267, 268, 278];

const NUMBERS: u32 = 4;
const STRING: u32 = 6;
const BYTES: u32 = 7;
const STRINGS: u32 = 8;

/// Most entries; headers have about a hundred.
const MAX_ENTRIES: usize = 10_000;
/// Most values of an entry, files among them.
const MAX_VALUES: usize = 1_000_000;

#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: u32,
    offset: usize,
    count: usize,
}

/// A header that was read as far as it makes sense.
pub(super) struct Header<'a> {
    entries: HashMap<u32, Entry>,
    values: &'a [u8],
}

impl<'a> Header<'a> {
    /// None if it is none.
    pub(super) fn parse(blob: &'a [u8]) -> Option<Self> {
        let word = |at: usize| blob.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let length = |at: usize| word(at).and_then(|number| usize::try_from(number).ok());
        let (count, bytes) = (length(0)?, length(4)?);
        if count > MAX_ENTRIES {
            return None;
        }
        let start = 8 + count * 16;
        let values = blob.get(start..start.checked_add(bytes)?)?;
        let mut entries = HashMap::new();
        for at in (0..count).map(|entry| 8 + entry * 16) {
            let entry = Entry { kind: word(at + 4)?, offset: length(at + 8)?, count: length(at + 12)?.min(MAX_VALUES) };
            // The first one counts, as it does for rpm.
            entries.entry(word(at)?).or_insert(entry);
        }
        Some(Self { entries, values })
    }

    fn entry(&self, tag: u32, kind: u32) -> Option<(Entry, &'a [u8])> {
        let entry = *self.entries.get(&tag).filter(|entry| entry.kind == kind)?;
        Some((entry, self.values.get(entry.offset..)?))
    }

    /// A text.
    pub(super) fn string(&self, tag: u32) -> Option<&'a [u8]> {
        let (_, values) = self.entry(tag, STRING)?;
        values.split(|byte| *byte == 0).next()
    }

    /// Texts; empty if there are none.
    pub(super) fn strings(&self, tag: u32) -> Vec<&'a [u8]> {
        let found = self.entry(tag, STRINGS);
        found.map(|(entry, values)| values.split(|byte| *byte == 0).take(entry.count).collect()).unwrap_or_default()
    }

    /// Numbers; empty if there are none.
    pub(super) fn numbers(&self, tag: u32) -> Vec<u32> {
        let found = self.entry(tag, NUMBERS);
        let numbers =
            found.map(|(entry, values)| values.as_chunks::<4>().0.iter().take(entry.count).map(|bytes| u32::from_be_bytes(*bytes)));
        numbers.map(Iterator::collect).unwrap_or_default()
    }

    /// A number.
    pub(super) fn number(&self, tag: u32) -> Option<u32> {
        self.numbers(tag).first().copied()
    }

    /// Whether there is a signature over it. Whose, and whether it is good, cannot be said without the distribution's key.
    pub(super) fn is_signed(&self) -> bool {
        SIGNATURES.iter().any(|tag| self.entries.get(tag).is_some_and(|entry| matches!(entry.kind, BYTES | STRINGS) && entry.count > 0))
    }
}

/// A header of `thing` 2:1.2-3 with these files: folder, name, hash.
#[cfg(test)]
pub(super) fn sample(vendor: &str, is_signed: bool, files: &[(&str, &str, &str)]) -> Vec<u8> {
    let mut entries: Vec<(u32, u32, usize, Vec<u8>)> = Vec::new();
    let text = |text: &str| [text.as_bytes(), b"\0"].concat();
    for (tag, value) in [(NAME, "thing"), (VERSION, "1.2"), (RELEASE, "3"), (VENDOR, vendor)] {
        entries.push((tag, STRING, 1, text(value)));
    }
    if is_signed {
        entries.push((268, BYTES, 3, vec![1, 2, 3]));
    }
    entries.push((EPOCH, NUMBERS, 1, 2_u32.to_be_bytes().to_vec()));
    entries.push((DIGESTS, STRINGS, files.len(), files.iter().flat_map(|(_, _, digest)| text(digest)).collect()));
    entries.push((FOLDER_OF, NUMBERS, files.len(), (0..files.len() as u32).flat_map(u32::to_be_bytes).collect()));
    entries.push((NAMES, STRINGS, files.len(), files.iter().flat_map(|(_, name, _)| text(name)).collect()));
    entries.push((FOLDERS, STRINGS, files.len(), files.iter().flat_map(|(folder, _, _)| text(folder)).collect()));
    let (mut index, mut values) = (Vec::new(), Vec::new());
    for (tag, kind, count, value) in &entries {
        // Numbers stand at multiples of four.
        values.resize(usize::next_multiple_of(values.len(), 4), 0);
        for number in [*tag, *kind, values.len() as u32, *count as u32] {
            index.extend(number.to_be_bytes());
        }
        values.extend(value);
    }
    [&(entries.len() as u32).to_be_bytes()[..], &(values.len() as u32).to_be_bytes(), &index, &values].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_header_cut_anywhere_is_none_or_has_less() {
        let blob = sample("X", true, &[("/a/", "b", "00")]);
        assert!(Header::parse(&blob).unwrap().is_signed());
        for length in 0..blob.len() {
            assert!(Header::parse(&blob[..length]).is_none(), "{length}");
        }
        let mut wild = blob.clone();
        for at in 0..wild.len() {
            wild[at] ^= 0xff;
            if let Some(header) = Header::parse(&wild) {
                header.strings(NAMES);
                header.numbers(FOLDER_OF);
            }
            wild[at] ^= 0xff;
        }
    }
}
