use std::io::{Cursor, Write};

use super::*;

/// Text that compresses, but not to nothing.
fn text(len: usize) -> Vec<u8> {
    let mut state = 7u32;
    let mut word = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("line {} of the file\n", state >> 16)
    };
    let mut bytes = Vec::new();
    while bytes.len() < len {
        bytes.extend_from_slice(word().as_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn compress(how: Compression, bytes: &[u8]) -> Vec<u8> {
    match how {
        Compression::None => bytes.to_vec(),
        Compression::Gzip => {
            let mut encoder = flate2::GzBuilder::new().filename("name").comment("comment").extra(vec![1, 2, 3]);
            encoder = encoder.mtime(1);
            let mut encoder = encoder.write(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Zstd => {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Compression::Lz4 => lz4(bytes),
        // It has no mark of its own to be told by, and lzma none by which a second stream would be told from garbage.
        Compression::Lzma | Compression::Brotli => unreachable!("have tests of their own"),
    }
}

/// A frame of linked blocks with all checksums.
fn lz4(bytes: &[u8]) -> Vec<u8> {
    let sum = |bytes: &[u8]| twox_hash::XxHash32::oneshot(0, bytes).to_le_bytes();
    let described = [0b0101_1100, 0x40, bytes.len() as u8, (bytes.len() >> 8) as u8, (bytes.len() >> 16) as u8, 0, 0, 0, 0, 0];
    let mut out = [&[0x04, 0x22, 0x4d, 0x18], &described[..], &[sum(&described)[1]]].concat();
    for (number, block) in bytes.chunks(64 << 10).enumerate() {
        let history = &bytes[(number << 16).saturating_sub(64 << 10)..number << 16];
        let stored = lz4_flex::block::compress_with_dict(block, history);
        let (stored, mark) = if stored.len() < block.len() { (&stored[..], 0) } else { (block, 1 << 31) };
        out.extend((stored.len() as u32 | mark).to_le_bytes());
        out.extend(stored);
        out.extend(sum(stored));
    }
    out.extend([0; 4]);
    out.extend(sum(bytes));
    out
}

const ALL: [Compression; 5] = [Compression::Gzip, Compression::Zstd, Compression::Xz, Compression::Bzip2, Compression::Lz4];

/// Hands out few bytes at a time, so that every border falls somewhere.
struct Drip(Cursor<Vec<u8>>, usize);

impl Read for Drip {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = out.len().min(self.1);
        self.0.read(&mut out[..len])
    }
}

/// What came out, and how it ended: the problems or the error's kind.
type Outcome = (Vec<u8>, Result<Vec<(Reason, String)>, io::ErrorKind>);

fn read_all(blob: Blob<'_>, room: usize) -> Outcome {
    let (_, decoded) = decode(blob).unwrap();
    let mut decoder = match decoded {
        Decoded::Mapped(bytes) => return (bytes.to_vec(), Ok(Vec::new())),
        Decoded::Stream(decoder) => decoder,
    };
    let (mut out, mut buffer) = (Vec::new(), vec![0; room]);
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return (out, Ok(decoder.problems())),
            Ok(read) => out.extend_from_slice(&buffer[..read]),
            Err(error) => {
                assert!(decoder.read(&mut buffer).is_err(), "an error stays an error");
                return (out, Err(error.kind()));
            }
        }
    }
}

/// Decodes as a mapping and as a stream, with large and small buffers: all must agree.
fn outcome(bytes: &[u8]) -> Outcome {
    let expected = read_all(Blob::Mapped(bytes), 64 * 1024);
    for (drip, room) in [(1, 64 * 1024), (7, 3), (usize::MAX, 1_000)] {
        let stream = Box::new(Drip(Cursor::new(bytes.to_vec()), drip));
        let actual = read_all(Blob::Stream(stream), room);
        assert_eq!(actual.1, expected.1, "drip {drip}");
        assert!(actual.0 == expected.0, "drip {drip}: {} bytes against {}", actual.0.len(), expected.0.len());
    }
    expected
}

#[test]
fn every_compression_is_found_and_undone() {
    let plain = text(300_000);
    for how in ALL {
        let packed = compress(how, &plain);
        assert_eq!(Compression::sniff(&packed), how);
        let (out, end) = outcome(&packed);
        assert!(out == plain, "{how:?}");
        assert_eq!(end, Ok(Vec::new()), "{how:?}");
    }
    assert_eq!(outcome(&plain), (plain, Ok(Vec::new())));
}

#[test]
fn a_damaged_block_of_zstd_costs_nothing_of_the_one_before() {
    // A frame without checksum and a window of 1 KiB; blocks that are stored as they are.
    let block = |kind: u32, bytes: &[u8]| [&(((bytes.len() as u32) << 3) | kind << 1).to_le_bytes()[..3], bytes].concat();
    let reserved = 3;
    let frame =
        [&[0x28, 0xb5, 0x2f, 0xfd, 0, 0][..], &block(0, b"the first"), &block(0, b" and the second"), &block(reserved, b"?")].concat();
    assert_eq!(outcome(&frame), (b"the first and the second".to_vec(), Err(io::ErrorKind::InvalidData)));
}

#[test]
fn empty_contents_and_empty_input() {
    for how in ALL {
        assert_eq!(outcome(&compress(how, b"")), (Vec::new(), Ok(Vec::new())), "{how:?}");
    }
    assert_eq!(outcome(b""), (Vec::new(), Ok(Vec::new())));
}

#[test]
fn members_follow_one_another_with_or_without_padding() {
    for how in ALL {
        let mut packed = compress(how, b"one,");
        packed.extend(compress(how, b""));
        packed.extend([0; 8]);
        packed.extend(compress(how, b"two"));
        packed.extend([0; 5_000]);
        assert_eq!(outcome(&packed), (b"one,two".to_vec(), Ok(Vec::new())), "{how:?}");
    }
}

#[test]
fn zstd_skippable_frames_are_passed_over_wherever_they_stand() {
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 5, 0, 0, 0][..], b"12345"].concat();
    let packed = [&skippable[..], &compress(Compression::Zstd, b"a"), &skippable, &compress(Compression::Zstd, b"b"), &skippable].concat();
    assert_eq!(Compression::sniff(&packed), Compression::Zstd);
    assert_eq!(outcome(&packed), (b"ab".to_vec(), Ok(Vec::new())));
}

#[test]
fn garbage_after_the_end_is_counted_and_ends_the_stream() {
    for how in ALL {
        let mut packed = compress(how, b"contents");
        packed.extend([0; 3]);
        packed.extend(b"GARBAGE");
        let (out, end) = outcome(&packed);
        assert_eq!(out, b"contents", "{how:?}");
        let problems = end.unwrap();
        assert_eq!(problems.len(), 1, "{how:?}");
        assert_eq!(problems[0].0, Reason::DamagedStream);
        assert!(problems[0].1.starts_with("10 bytes follow"), "{}", problems[0].1);
    }
}

#[test]
fn a_stream_cut_short_gives_all_it_has_and_then_the_error() {
    let plain = text(2_000_000);
    for how in ALL {
        let packed = compress(how, &plain);
        let (out, end) = outcome(&packed[..packed.len() / 2]);
        assert_eq!(end, Err(io::ErrorKind::UnexpectedEof), "{how:?}");
        assert!(plain.starts_with(&out), "{how:?}");
        assert!(out.len() > plain.len() / 4, "{how:?}: only {} bytes", out.len());
    }
}

#[test]
fn a_missing_trailer_is_an_error_after_all_the_bytes() {
    let plain = text(100_000);
    for cut in 1..=8 {
        let packed = compress(Compression::Gzip, &plain);
        let (out, end) = outcome(&packed[..packed.len() - cut]);
        assert!(out == plain);
        assert_eq!(end, Err(io::ErrorKind::UnexpectedEof));
    }
}

#[test]
fn a_wrong_checksum_is_an_error_after_all_the_bytes() {
    let plain = text(100_000);
    for (how, from_end) in [(Compression::Gzip, 8), (Compression::Gzip, 1), (Compression::Zstd, 1)] {
        let mut packed = compress(how, &plain);
        let at = packed.len() - from_end;
        packed[at] ^= 1;
        let (out, end) = outcome(&packed);
        assert!(out == plain, "{how:?}");
        assert_eq!(end, Err(io::ErrorKind::InvalidData), "{how:?}");
    }
}

#[test]
fn damage_in_the_middle_costs_nothing_before_it() {
    let plain = text(1_000_000);
    // A block of a type that does not exist follows sound blocks, all in one piece of input.
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&plain).unwrap();
    encoder.flush().unwrap();
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    packed.extend(encoder.get_ref());
    packed.extend([0xff; 64]);
    let (out, end) = outcome(&packed);
    assert_eq!(end, Err(io::ErrorKind::InvalidData));
    assert!(out.starts_with(&plain) || plain.starts_with(&out));
    assert_eq!(out.len(), plain.len());

    let mut packed = compress(Compression::Zstd, &plain);
    let at = packed.len() * 3 / 4;
    packed[at..at + 200].fill(0xff);
    let (out, end) = outcome(&packed);
    assert_eq!(end, Err(io::ErrorKind::InvalidData));
    assert!(out.len() > plain.len() / 2, "only {} bytes", out.len());
}

#[test]
fn thousands_of_members_are_cheap_and_whole() {
    let member = compress(Compression::Gzip, b"0123456789");
    let packed = member.repeat(20_000);
    let (out, end) = read_all(Blob::Mapped(&packed), 64 * 1024);
    assert_eq!((out.len(), end), (200_000, Ok(Vec::new())));
}

#[test]
fn a_text_that_only_begins_like_bzip2_is_not_compressed() {
    assert_eq!(Compression::sniff(b"BZh9 is how bzip2 begins"), Compression::None);
    assert_eq!(Compression::sniff(&[0x1f, 0x8b]), Compression::None);
}

#[test]
fn a_window_beyond_the_bound_is_refused() {
    // Frame header: no single segment, window descriptor for 2^31 (RFC 8878, section 3.1.1.1).
    let packed = [0x28, 0xb5, 0x2f, 0xfd, 0, (31 - 10) << 3, 1, 0, 0];
    assert_eq!(outcome(&packed), (Vec::new(), Err(io::ErrorKind::InvalidData)));
}

#[test]
fn the_rest_can_be_skipped_after_damage() {
    let mut packed = compress(Compression::Gzip, b"first member");
    packed.extend([0x1f, 0x8b, 8, 0xff]);
    packed.extend([7; 1_000]);
    let (_, Decoded::Stream(mut decoder)) = decode(Blob::Mapped(&packed)).unwrap() else { panic!("not compressed") };
    let mut out = Vec::new();
    assert!(decoder.read_to_end(&mut out).is_err());
    assert_eq!(out, b"first member");
    assert_eq!(decoder.skip_rest().unwrap(), 1_001);
    assert!(decoder.read(&mut [0; 8]).is_err(), "the damage is not forgotten");
}

#[test]
fn lzma_is_told_by_its_header() {
    let bytes = crate::source::builder::compress(b"some text ".repeat(1000).as_slice(), Compression::Lzma).unwrap();
    for (length, result) in [(bytes.len(), Ok(Vec::new())), (bytes.len() / 2, Err(io::ErrorKind::UnexpectedEof))] {
        let (out, end) = read_all(Blob::Mapped(&bytes[..length]), 100);
        assert!(b"some text ".repeat(1000).starts_with(&out) && !out.is_empty());
        assert_eq!(end, result);
    }
    for other in [&b"]\0\0 is no stream"[..], &[0x5d, 0, 0, 0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0], &bytes[..13]] {
        assert_eq!(Compression::sniff(other), Compression::None);
    }
}

#[test]
fn a_name_is_not_enough_for_brotli() {
    // What `brotli` makes of "hello, hello, hello, hello".
    let stream = b"\x1f\x19\0\xf8\x8d\x94\x6e\xde\x44\x09\x52\x86\x96\x6c\x2c\x6f\x31\x4f\x24\xb0\xe3\0";
    assert!(Compression::may_be_brotli(stream) && Compression::may_be_brotli(&stream[..10]));
    let mut decoder = Decoder::nested(Compression::Brotli, NestedInput::Slice(stream)).unwrap();
    let mut out = String::new();
    decoder.read_to_string(&mut out).unwrap();
    assert_eq!(out, "hello, hello, hello, hello");
    for text in [&b"Demat d'an holl"[..], "un tamm brezhoneg: ganeoc\u{2019}h".as_bytes(), b"\xff\xff\xff\xff\0\0\0"] {
        assert!(!Compression::may_be_brotli(text), "{text:?}");
    }
}
