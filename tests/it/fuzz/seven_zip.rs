//! 7z archives: their tables, the streams of their files, and what a scan makes of them.

use std::io::Read as _;

use layersift::content::nested::seven_zip::{Listing, list};
use layersift::layer::decode::Compression;
use layersift::source::builder::compress;

use super::nested;
use crate::archives::{SevenZip, deflate, lz4, seven_zip};

/// Most bytes that are read of a stream.
const MOST: u64 = 256 << 10;

pub(super) fn run(data: &[u8]) {
    const LIMIT: usize = 100;
    if let Ok(listing) = list(data, LIMIT) {
        let files = listing.groups.iter().map(|group| group.files.len()).sum::<usize>();
        let is_each_one = listing.groups.iter().all(|group| group.files.len() == 1);
        assert!((files <= LIMIT || is_each_one) && listing.empty.len() <= LIMIT, "{files} files and {} without bytes", listing.empty.len());
        for group in listing.groups.iter().take(20) {
            assert!(group.stored().is_none_or(|range| range.start <= range.end && range.end <= data.len()), "{:?}", group.stored());
            let bytes = || {
                let mut out = Vec::new();
                let end = group.open(data).map(|reader| reader.take(MOST).read_to_end(&mut out).map_err(|error| error.kind()));
                (out, end)
            };
            assert!(bytes() == bytes(), "a stream is the same each time");
        }
    }
    let shown = || format!("{:?}", list(data, LIMIT));
    assert_eq!(shown(), shown());
    assert!(list(data, 1).is_ok_and(|listing: Listing| listing.empty.len() <= 1) || list(data, 1).is_err());
    nested::check("f.7z", data);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let (one, two) = (nested::text("one"), nested::text("two"));
    let files: [(&str, &[u8]); 3] = [("a.env", &one), ("lib/b", &two), ("c", b"x")];
    let body = [&one[..], &two, b"x"].concat();
    let (xz, lzma) = (compress(&body, Compression::Xz).unwrap(), compress(&body, Compression::Lzma).unwrap());
    // What stands in xz between its headers is LZMA2, whose parameter is the last of those of the block.
    let lzma2 = (&xz[24..], [xz[16]]);
    let archive = |steps: &[(&[u8], &[u8])], stored: &[u8]| SevenZip { files: &files, steps, stored, size: body.len() }.plain();
    let mut seeds = vec![
        archive(&[(&[0x21], &lzma2.1)], lzma2.0),
        archive(&[(&[3, 1, 1], &lzma[..5])], &lzma[13..]),
        archive(&[(&[4, 2, 2], b"")], &compress(&body, Compression::Bzip2).unwrap()),
        archive(&[(&[4, 1, 8], b"")], &deflate(&body)),
        archive(&[(&[4, 1, 9], b"")], &deflate(&body)),
        archive(&[(&[4, 0xf7, 0x11, 1], b"")], &compress(&body, Compression::Zstd).unwrap()),
        archive(&[(&[4, 0xf7, 0x11, 4], b"")], &lz4(&body)),
        // One step after the other, a password, and what is not known.
        archive(&[(&[0x21], &lzma2.1), (&[3, 3, 1, 3], b"")], lzma2.0),
        archive(&[(&[6, 0xf1, 7, 1], &[0; 18])], &body),
        archive(&[(&[9, 9], b"")], &body),
    ];
    seeds.push(SevenZip { files: &files, steps: &[(&[0], b"")], stored: &body, size: body.len() }.with_packed_table());
    seeds.push(seven_zip(&files));
    seeds
}
