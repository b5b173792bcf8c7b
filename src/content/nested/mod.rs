//! What stands inside a file: archives, compressed streams, git objects, compiled code. This module knows the formats and where the members of
//! each lie; `scan::nested` reads them.
//!
//! Every reader takes bytes that anyone may have written. None believes a size before the bytes are there, none unpacks to disk,
//! and each gives the ranges that it understood, so that what it did not understand is scanned as it is. Knows no rule and no thread.

pub mod ar;
pub mod asar;
pub mod budget;
pub mod cpio;
pub mod git;
pub mod images;
pub mod iso;
pub mod listing;
pub mod rpm;
pub mod seven_zip;
pub mod squashfs;
pub mod strings;
pub mod zip;

use std::ops::Range;

use crate::content::{packages, sqlite};
use crate::layer::decode::Compression;
use crate::layer::walk;

/// What a file is, as far as something can stand inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One compressed stream, of one or more members.
    Compressed(Compression),
    /// A tar archive.
    Tar,
    /// A zip archive, whatever it is called: jar, wheel, document.
    Zip,
    /// An archive of `ar`: a Debian package, a library.
    Ar,
    /// An archive of `cpio`.
    Cpio,
    /// An RPM package.
    Rpm,
    /// A 7z archive.
    SevenZip,
    /// An archive of an Electron program.
    Asar,
    /// An ISO 9660 image.
    Iso,
    /// A squashfs image.
    Squashfs,
    /// A pack of git objects.
    GitPack,
    /// A pack of git objects with what it is of.
    GitBundle,
    /// A git object on its own.
    GitObject,
    /// A compiled Java class.
    JavaClass,
    /// Compiled Python.
    PythonCode,
    /// A file of SQLite's.
    Sqlite(sqlite::File),
    /// Something that is known to hold files, and that nothing here can read.
    Unread(&'static str),
}

/// Bytes of a file's head that [`Format::sniff`] looks at.
pub const SNIFFED: usize = 512;

impl Format {
    /// What a file is that begins with `head`; `path` is asked only where bytes cannot tell.
    pub fn sniff(path: &[u8], head: &[u8]) -> Option<Self> {
        let first = head.first_chunk::<4>()?;
        let by_magic = match first {
            [0x1f, 0x8b, 8, _]
            | [b'B', b'Z', b'h', _]
            | [0xfd, b'7', b'z', b'X']
            | [0x28, 0xb5, 0x2f, 0xfd]
            | [0x50..=0x5f, 0x2a, 0x4d, 0x18]
            | [0x5d, 0, 0, _]
            | [4, 0x22, 0x4d, 0x18]
            | [2, 0x21, 0x4c, 0x18] => Some(Compression::sniff(head)).filter(|known| *known != Compression::None).map(Format::Compressed),
            b"PK\x03\x04" | b"PK\x05\x06" => Some(Format::Zip),
            b"Cr24" if matches!(head.get(4..8), Some([2 | 3, 0, 0, 0])) => Some(Format::Zip),
            b"!<ar" if head.starts_with(ar::MAGIC) => Some(Format::Ar),
            b"0707" if cpio::is_header(head) => Some(Format::Cpio),
            [0xc7, 0x71, ..] if cpio::is_header(head) => Some(Format::Cpio),
            b"PACK" if git::is_pack(head) => Some(Format::GitPack),
            b"# v2" | b"# v3" if git::is_bundle(head) => Some(Format::GitBundle),
            [0xca, 0xfe, 0xba, 0xbe] if strings::is_class(head) => Some(Format::JavaClass),
            [_, _, b'\r', b'\n'] if path.ends_with(b".pyc") => Some(Format::PythonCode),
            [0x78, ..] if git::is_loose(path, head) => Some(Format::GitObject),
            // A package database is kept as it passes, in pieces.
            [b'S', b'Q', b'L', b'i'] | [0x37, 0x7f, 0x06, _] | [0xd9, 0xd5, 0x05, 0xf9] | [0, 0, 0, 0] if !packages::is_large(path) => {
                sqlite::File::sniff(path, head).map(Format::Sqlite)
            }
            b"7z\xbc\xaf" if head.starts_with(seven_zip::MAGIC) => Some(Format::SevenZip),
            b"Rar!" if head.starts_with(b"Rar!\x1a\x07") => Some(Format::Unread("RAR archive")),
            b"hsqs" if squashfs::is_image(head) => Some(Format::Squashfs),
            b"hsqs" | b"sqsh" => Some(Format::Unread("squashfs image of another version")),
            [4, 0, 0, 0] if asar::is_archive(head) => Some(Format::Asar),
            [0xed, 0xab, 0xee, 0xdb] => Some(Format::Rpm),
            _ => None,
        };
        by_magic.or_else(|| walk::is_archive(head).then_some(Format::Tar)).or_else(|| Self::by_name(path, head))
    }

    /// What a file is that nothing but its name tells by its first bytes.
    fn by_name(path: &[u8], head: &[u8]) -> Option<Self> {
        match path {
            [.., b'.', b'b', b'r'] if Compression::may_be_brotli(&head[..head.len().min(SNIFFED)]) => {
                Some(Format::Compressed(Compression::Brotli))
            }
            // Its mark comes after 32 KiB.
            [.., b'.', b'i' | b'I', b's' | b'S', b'o' | b'O'] => Some(Format::Iso),
            _ => None,
        }
    }

    /// The same, of a file that lies in memory as a whole: a zip archive may have anything before it.
    pub fn of(path: &[u8], bytes: &[u8]) -> Option<Self> {
        // What the name said of an image of a disc shows now.
        let by_head = Self::sniff(path, &bytes[..bytes.len().min(SNIFFED)]).filter(|format| *format != Format::Iso);
        by_head.or_else(|| match bytes {
            _ if iso::is_image(bytes) => Some(Format::Iso),
            _ if iso::is_udf(bytes) => Some(Format::Unread("UDF image")),
            _ => zip::ends_as_zip(bytes).then_some(Format::Zip),
        })
    }

    /// Whether it is read as a stream where it is long, even if it lies in memory: what comes of it is work for several threads.
    pub fn is_long_stream(self) -> bool {
        matches!(self, Format::Compressed(_) | Format::Tar | Format::Cpio)
    }

    /// Whether what is read of it is as long as itself and put together in memory.
    pub fn is_copied(self) -> bool {
        matches!(self, Format::JavaClass | Format::PythonCode)
    }
}

/// The name of a file without the ending that says how it is compressed, for what rules go by.
pub fn uncompressed_name(path: &[u8]) -> Vec<u8> {
    const ENDINGS: [(&[u8], &[u8]); 12] = [
        (b".tgz", b".tar"),
        (b".txz", b".tar"),
        (b".tbz2", b".tar"),
        (b".tzst", b".tar"),
        (b".gz", b""),
        (b".xz", b""),
        (b".bz2", b""),
        (b".zst", b""),
        (b".lzma", b""),
        (b".lz4", b""),
        (b".br", b""),
        (b".svgz", b".svg"),
    ];
    let shorter = ENDINGS.iter().find_map(|(ending, instead)| Some([path.strip_suffix(*ending)?, instead].concat()));
    shorter.filter(|name| !name.ends_with(b"/")).unwrap_or_else(|| path.to_vec())
}

/// What is wrong with a container; the bytes concerned are scanned as they are, or were read in both ways that they can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Members that a password protects: how many, and the first one's name.
    Encrypted(u64, Vec<u8>),
    /// Members whose compression is not known: how many, and the first one's name.
    UnknownMethod(u64, Vec<u8>),
    /// The container ends too early, or its records make no sense.
    Damaged(&'static str),
    /// A part of it that has to be read as a whole is longer than anything that is.
    TooLarge(&'static str),
    /// The container says two things of the same bytes, one of which some readers believe and others do not.
    Contradicts(String),
}

/// One range, as a list of what was understood.
pub fn just(range: Range<usize>) -> Vec<Range<usize>> {
    std::iter::once(range).collect()
}

/// The parts of `0..length` that no range of `used` covers, in order. Overlapping ranges count once.
pub fn gaps(length: usize, mut used: Vec<Range<usize>>) -> Vec<Range<usize>> {
    used.sort_by_key(|range| range.start);
    let mut gaps = Vec::new();
    let mut at = 0;
    for range in used {
        if range.start > at {
            gaps.push(at..range.start.min(length));
        }
        at = at.max(range.end);
    }
    if at < length {
        gaps.push(at..length);
    }
    gaps
}

/// A number of `N` bytes, least significant first.
fn little<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let field: &[u8; N] = bytes.get(at..)?.first_chunk::<N>()?;
    Some(field.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_no_range_covers() {
        assert_eq!(gaps(10, vec![2..4, 3..5, 7..8]), [0..2, 5..7, 8..10]);
        assert!(gaps(3, just(0..9)).is_empty());
        assert_eq!(gaps(3, Vec::new()), just(0..3));
    }

    #[test]
    fn names_lose_the_ending_of_a_compression_and_nothing_else() {
        for (name, expected) in [("/a/dump.sql.gz", "/a/dump.sql"), ("/a.tgz", "/a.tar"), ("/a/.gz", "/a/.gz"), ("/a.log", "/a.log")] {
            assert_eq!(uncompressed_name(name.as_bytes()), expected.as_bytes(), "{name}");
        }
    }
}
