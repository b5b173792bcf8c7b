//! Squashfs images: all files of them, as far as a budget goes, and what a scan makes of them.

use std::io::Read as _;
use std::sync::Arc;

use layersift::content::nested::budget::{Bounds, Budget, Metered};
use layersift::content::nested::squashfs::{Node, is_image, read};
use layersift::layer::decode::Compression;
use layersift::source::builder::compress;

use super::nested;
use crate::archives::zlib;

/// Bytes that are read of a file at once.
const ROOM: usize = 8 << 10;
/// Bytes of a block of files, the fewest that the format allows.
const BLOCK: usize = 4096;

pub(super) fn run(data: &[u8]) {
    let _ = is_image(data);
    let bounds = Bounds { file_bytes: 512 << 10, members: 100, ..Bounds::default() };
    let files = || {
        let budget = Arc::new(Budget::new(bounds, data.len() as u64));
        let (mut files, mut bytes) = (Vec::new(), 0);
        let problems = read(data, &budget, &mut |path, node| {
            assert!(path.starts_with(b"/"));
            let (mut content, mut room) = (Vec::<u8>::new(), vec![0; ROOM]);
            let end = match node {
                Node::Link(target) => {
                    content.extend(target);
                    None
                }
                Node::File(reader) => {
                    let mut reader = Metered::new(reader, &budget);
                    loop {
                        match reader.read(&mut room) {
                            Ok(0) => break None,
                            Ok(count) => content.extend(&room[..count]),
                            Err(error) => break Some(error.kind()),
                        }
                    }
                }
            };
            bytes += content.len();
            files.push((path.to_vec(), content, end));
        });
        assert!(files.len() as u64 <= bounds.members, "{} files", files.len());
        let bound = bounds.file_bytes as usize + ROOM + files.len() * (64 << 10);
        assert!(bytes <= bound, "{bytes} bytes came of {}", data.len());
        assert!(budget.spent() <= bounds.file_bytes);
        (files, problems, budget.spent())
    };
    assert_eq!(files(), files());
    nested::check("f.squashfs", data);
}

/// How the blocks of an image are stored: the number in its header, and what is done to each.
type Method = (u16, fn(&[u8]) -> Vec<u8>);

/// An image of a file in blocks of its own, one whose end stands in a fragment, a link, and a file in a folder.
fn image((number, undone): Method) -> Vec<u8> {
    let text = nested::text("squashfs");
    let (blocks, end) = (text.repeat(1 + 2 * BLOCK / text.len())[..BLOCK + 100].to_vec(), text);
    let mut out = vec![0; 96];
    let mut stored = |block: &[u8]| {
        let at = out.len() as u32;
        let packed = undone(block);
        let is_smaller = packed.len() < block.len();
        out.extend(if is_smaller { &packed } else { block });
        let size = (if is_smaller { packed.len() } else { block.len() }) as u32;
        (at, if is_smaller { size } else { size | 1 << 24 })
    };
    let (first, second, fragment) = (stored(&blocks[..BLOCK]), stored(&blocks[BLOCK..]), stored(&[&end[..], b"other"].concat()));
    let inode = |kind: u16, rest: &[u32]| -> Vec<u8> {
        let head = [kind, 0o755, 0, 0, 0, 0, 1, 0].map(u16::to_le_bytes).concat();
        [head, rest.iter().flat_map(|number| number.to_le_bytes()).collect()].concat()
    };
    // Bytes of the root's entries, which stand before those of the other folder: a head, four numbers for each, and the names.
    const ROOT: u32 = 12 + 4 * 8 + 6;
    let inodes = [
        inode(2, &[first.0, u32::MAX, 0, blocks.len() as u32, first.1, second.1]),
        inode(2, &[0, 0, 0, end.len() as u32]),
        [inode(3, &[1, 4]), b"/a/b".to_vec()].concat(),
        // A folder: where its entries begin, links, how many bytes they are and where in the block.
        inode(1, &[0, 2, (12 + 8 + 4 + 3) | ROOT << 16, 1]),
        inode(1, &[0, 2, (ROOT + 3), 1]),
    ];
    let places: Vec<u16> = (0..inodes.len()).map(|index| inodes[..index].iter().map(Vec::len).sum::<usize>() as u16).collect();
    let folder = |entries: &[(u16, u16, &str)]| {
        let entry = |(place, kind, name): &(u16, u16, &str)| {
            [[*place, 0, *kind, name.len() as u16 - 1].map(u16::to_le_bytes).concat(), name.as_bytes().to_vec()].concat()
        };
        let head = [entries.len() as u32 - 1, 0, 1].map(u32::to_le_bytes).concat();
        [head, entries.iter().flat_map(entry).collect()].concat()
    };
    let root = folder(&[(places[0], 2, "a"), (places[3], 1, "dir"), (places[2], 3, "l"), (places[1], 2, "x")]);
    let folders = [root, folder(&[(places[1], 2, ".env")])].concat();
    let mut table = |bytes: &[u8]| {
        let (at, packed) = (out.len() as u64, undone(bytes));
        let is_smaller = packed.len() < bytes.len();
        let body = if is_smaller { &packed[..] } else { bytes };
        out.extend((body.len() as u16 | if is_smaller { 0 } else { 0x8000 }).to_le_bytes());
        out.extend(body);
        at
    };
    let (inode_table, folder_table) = (table(&inodes.concat()), table(&folders));
    let fragments = table(&[&u64::from(fragment.0).to_le_bytes()[..], &fragment.1.to_le_bytes(), &[0; 4]].concat());
    let fragment_table = out.len() as u64;
    out.extend(fragments.to_le_bytes());
    out[..4].copy_from_slice(b"hsqs");
    out[12..16].copy_from_slice(&(BLOCK as u32).to_le_bytes());
    out[16..20].copy_from_slice(&1u32.to_le_bytes());
    out[20..22].copy_from_slice(&number.to_le_bytes());
    out[28] = 4;
    for (at, place) in [(32, u64::from(places[4])), (64, inode_table), (72, folder_table), (80, fragment_table)] {
        out[at..at + 8].copy_from_slice(&place.to_le_bytes());
    }
    out
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let methods: [Method; 6] = [
        (1, <[u8]>::to_vec),
        (1, zlib),
        (2, |block| compress(block, Compression::Lzma).unwrap()),
        (4, |block| compress(block, Compression::Xz).unwrap()),
        // A block of LZ4 that is one run of literals.
        (5, |block| [&[0xf0][..], &vec![255; (block.len() - 15) / 255], &[((block.len() - 15) % 255) as u8], block].concat()),
        (6, |block| compress(block, Compression::Zstd).unwrap()),
    ];
    let images = methods.map(image);
    // A sound image has all of its files.
    let budget = Arc::new(Budget::new(Bounds::default(), 1 << 20));
    let mut names = Vec::new();
    let problems = read(&images[1], &budget, &mut |path, _| names.push(String::from_utf8_lossy(path).into_owned()));
    assert_eq!((names.join(" "), problems), ("/a /l /x /dir/.env".to_owned(), vec![]));
    images.into()
}
