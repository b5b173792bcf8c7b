//! Compressed streams through our decoder, one member after the other: those that are told by their first bytes, and else brotli and LZMA2, which a name or a table tells.
//!
//! An input is a place to cut the stream at, in two bytes, and the stream.

use std::io::{self, Read};

use layersift::layer::decode::{Compression, Decoded, Decoder, NestedInput, decode};
use layersift::source::Blob;
use layersift::source::builder::compress;

use super::input::Input;
use super::nested::{self, Slow};
use crate::archives::lz4;

/// Bytes that there is room for at once.
const ROOM: usize = 64 << 10;
/// Most bytes that are taken out of a stream.
const MOST: usize = 1 << 20;

/// What came out of a stream, and why it ended if that was not at its end.
type Read1 = (Vec<u8>, Option<io::ErrorKind>);

/// Reads with room for `room` bytes at once.
fn drain(mut reader: impl Read, room: usize) -> Read1 {
    let (mut out, mut buffer) = (Vec::new(), vec![0; room]);
    loop {
        let room = buffer.len().min(MOST - out.len());
        match reader.read(&mut buffer[..room]) {
            Ok(0) => return (out, None),
            Ok(count) => out.extend(&buffer[..count]),
            Err(error) => return (out, Some(error.kind())),
        }
    }
}

fn decoded(blob: Blob<'_>, room: usize) -> Read1 {
    match decode(blob) {
        Ok((_, Decoded::Stream(decoder))) => drain(decoder, room),
        Ok((_, Decoded::Mapped(bytes))) => drain(bytes, room),
        Err(error) => (Vec::new(), Some(error.kind())),
    }
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let cut = input.below(1 << 16);
    let data = input.0;
    let compression = Compression::sniff(data);
    let whole = decoded(Blob::Mapped(data), ROOM);
    let step = 1 + cut % 200;
    let slow = decoded(Blob::Stream(Box::new(Slow(data, step))), 1 + cut % 5000);
    assert_eq!(slow.1, whole.1, "{step} bytes at once");
    // How much of a damaged block comes out of xz, lzma and bzip2 depends on how much there is room for.
    let may_lack = match compression {
        Compression::Xz | Compression::Lzma | Compression::Bzip2 if whole.1.is_some() => ROOM,
        _ => 0,
    };
    assert!(slow.0.len().abs_diff(whole.0.len()) <= may_lack, "{step} bytes at once: {} and {} bytes", slow.0.len(), whole.0.len());
    let differs = slow.0.iter().zip(&whole.0).position(|(one, other)| one != other);
    assert_eq!(differs, None, "{step} bytes at once give other ones");
    if compression == Compression::None {
        unmarked(data, cut, |input| Decoder::nested(Compression::Brotli, input));
        return unmarked(data, cut, |input| Decoder::lzma2((cut % 256) as u8, input));
    }
    // What stands before damage comes out all the same.
    let cut = &data[..cut % (data.len() + 1)];
    if Compression::sniff(cut) == compression {
        let (before, _) = decoded(Blob::Mapped(cut), ROOM);
        assert!(before.len() <= whole.0.len() + may_lack, "{} bytes came of {} of {}", before.len(), cut.len(), data.len());
        assert!(
            before.iter().zip(&whole.0).all(|(one, other)| one == other),
            "the first {} of {} bytes give other ones",
            cut.len(),
            data.len()
        );
    }
    let follows = |input: NestedInput<'_>| {
        let Ok(mut decoder) = Decoder::nested(compression, input) else { return Default::default() };
        let (out, error) = drain(&mut decoder, 8 << 10);
        let mut rest = Vec::new();
        let is_whole = out.len() < MOST && decoder.rest().read_to_end(&mut rest).is_ok();
        assert!(!is_whole || data.ends_with(&rest), "what follows a stream is the end of the bytes");
        // How far a decoder has read where it meets damage depends on what it is given at once.
        if error.is_some() { (Vec::new(), error, Vec::new()) } else { (out, None, rest) }
    };
    assert_eq!(follows(NestedInput::Slice(data)), follows(NestedInput::Stream(Box::new(Slow(data, step)))));
}

/// The same of a stream that nothing in it tells.
fn unmarked<'d>(data: &'d [u8], cut: usize, decoder: impl Fn(NestedInput<'d>) -> io::Result<Decoder<'d>>) {
    let read = |data: &'d [u8], input: NestedInput<'d>, room: usize| {
        let Ok(mut decoder) = decoder(input) else { return Default::default() };
        let (out, error) = drain(&mut decoder, room);
        let mut rest = Vec::new();
        let is_whole = error.is_none() && out.len() < MOST && decoder.rest().read_to_end(&mut rest).is_ok();
        assert!(!is_whole || data.ends_with(&rest), "what follows a stream is the end of the bytes");
        (out, error, if is_whole { rest.len() } else { 0 })
    };
    let whole = read(data, NestedInput::Slice(data), ROOM);
    let slow = read(data, NestedInput::Stream(Box::new(Slow(data, 1 + cut % 200))), 1 + cut % 5000);
    assert_eq!((slow.1, slow.2), (whole.1, whole.2));
    // How much of a damaged block comes out depends on how much there is room for.
    let may_lack = if whole.1.is_some() { MOST } else { 0 };
    assert!(slow.0.len().abs_diff(whole.0.len()) <= may_lack, "{} and {} bytes", slow.0.len(), whole.0.len());
    let beginning = &data[..cut % (data.len() + 1)];
    let (before, ..) = read(beginning, NestedInput::Slice(beginning), ROOM);
    for (other, what) in [(slow.0, "few bytes at once"), (before, "the beginning")] {
        let differs = other.iter().zip(&whole.0).position(|(one, other)| one != other);
        assert_eq!(differs, None, "{what} gives other ones");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let one = nested::text("compressed");
    let text = one.repeat(20);
    let mut seeds = Vec::new();
    for compression in [Compression::Gzip, Compression::Zstd, Compression::Xz, Compression::Bzip2, Compression::Lzma] {
        let one = compress(&text, compression).unwrap();
        for stream in [one.clone(), [one.clone(), one.clone()].concat(), [one.clone(), vec![0; 40], b"after".to_vec()].concat()] {
            seeds.push([&[100, 0][..], &stream].concat());
        }
    }
    // All parts that a header of gzip may have.
    let plain = compress(&text, Compression::Gzip).unwrap();
    let parts =
        [&[0x1f, 0x8b, 8, 4 | 8 | 16 | 2, 0, 0, 0, 0, 0, 3][..], &[3, 0, 1, 2, 3], b"name\0", b"comment\0", &[0, 0], &plain[10..]].concat();
    // A frame of zstd that is to be passed over.
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &compress(&text, Compression::Zstd).unwrap()].concat();
    // A block of the older form of lz4: the text, 219 bytes that begin with it again, and five more.
    let copied = one.len() as u16;
    let block = [&[0xff, one.len() as u8 - 15][..], &one, &copied.to_le_bytes(), &[200, 0x50], b"after"].concat();
    let legacy = [&[2, 0x21, 0x4c, 0x18][..], &(block.len() as u32).to_le_bytes(), &block].concat();
    // The same block twice in a frame in which blocks build on those before.
    let linked = [(block.len() as u32).to_le_bytes().to_vec(), block].concat();
    let linked = [&[4, 0x22, 0x4d, 0x18, 0x40, 0x40, 0xc0][..], &linked, &linked, &[0; 4]].concat();
    // Brotli: stored, and as its tool packs a text.
    let length = (text.len() as u32 - 1) << 4 | 1 << 20;
    let stored = [&length.to_le_bytes()[..3], &text, &[3]].concat();
    let packed = b"B\x0b\x00\x9c\xf3\xc0\x8euFV\xaf\xd2p\xae\x06y+c\x99iat\x0d\xe26G\xa7\x15@t\xee\xc0\x06\x1c\xb0\x87\xcb\x08\xcb\xef1V\xce\xc5Q\x86\xbco=L\xc2QM\x01+b\xce\xe4\xfdV\x0c\xd1<\x82\xf8\x02";
    // What stands in xz between its headers is LZMA2, whose parameter is the last of those of the block.
    let xz = compress(&text, Compression::Xz).unwrap();
    seeds.push([&[xz[16], 0][..], &xz[24..]].concat());
    seeds.extend(
        [parts, skipped, lz4(&text), [lz4(&one), lz4(&text)].concat(), legacy, linked, stored, packed.to_vec()]
            .map(|stream| [&[9, 1][..], &stream].concat()),
    );
    seeds
}
