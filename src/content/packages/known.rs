//! Files that are public wherever they lie: test keys and sample credentials of widely used packages, known by their content. No database
//! has to be believed for these. `patterns/public-files.tsv` is the list, and says how it is made.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::FileHashes;
use crate::finding::Package;

const LIST: &str = include_str!("../../../patterns/public-files.tsv");

/// The first half of a SHA-256: as long as nobody can find another file with 128 bits given, as good as the whole.
type Half = [u8; 16];

/// A file of the list.
#[derive(Debug)]
pub struct KnownFile {
    /// A package that ships it.
    pub package: Package,
    /// Its path there.
    pub path: &'static str,
}

static FILES: LazyLock<HashMap<Half, KnownFile>> = LazyLock::new(|| LIST.lines().filter_map(entry).collect());

/// What the list says of a file.
pub fn find(hashes: &FileHashes) -> Option<&'static KnownFile> {
    FILES.get(hashes.sha256.first_chunk::<16>()?)
}

/// `hash  manager  package  version  path`, separated by tabs; none for a comment.
fn entry(line: &'static str) -> Option<(Half, KnownFile)> {
    let mut fields = line.split('\t');
    let (hash, manager) = (fields.next()?, fields.next()?.parse().ok()?);
    let (name, version, path) = (fields.next()?.to_owned(), fields.next()?.to_owned(), fields.next()?);
    let hash = u128::from_str_radix(hash, 16).ok().filter(|_| hash.len() == 32)?;
    Some((hash.to_be_bytes(), KnownFile { package: Package { manager, name, version }, path }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_understood_and_said_once() {
        let lines = || LIST.lines().filter(|line| !line.starts_with('#'));
        assert!(lines().count() > 10, "the list is there");
        for line in lines() {
            assert!(entry(line).is_some(), "{line}");
        }
        assert_eq!(FILES.len(), lines().count());
        assert!(lines().is_sorted(), "sorted, so that a change is easy to see");
        assert!(LIST.len() < 128 << 10, "it is in every program");
    }

    #[test]
    fn a_file_is_known_by_the_first_half_of_its_hash() {
        let (hash, file) = entry("ba7816bf8f01cfea414140de5dae2223\tpython\tthing\t1.2\tthing/test.key").unwrap();
        let hashes = FileHashes::of(b"abc");
        assert_eq!(hashes.sha256.first_chunk::<16>(), Some(&hash));
        assert_eq!((file.package.name.as_str(), file.package.version.as_str(), file.path), ("thing", "1.2", "thing/test.key"));
        assert!(find(&hashes).is_none(), "not in the list");
    }
}
