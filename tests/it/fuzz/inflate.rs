//! Streams of DEFLATE that lie in memory: the fast decoder has the answer of the plain one, or none.
//!
//! An input is the size that is asked for, in two bytes, and the stream.

use std::io::Read;

use flate2::bufread::{DeflateDecoder, GzDecoder};
use layersift::fuzzing::{gunzipped, inflated};

use super::input::Input;
use super::nested;
use crate::archives::{deflate, gzip};

/// Most bytes that the plain decoder is asked for.
const MOST: u64 = 1 << 20;

/// What came of a stream: the text, and whether it has an end; how many of its bytes that took.
type Plain = (Vec<u8>, Option<usize>);

fn plain<'s, R: Read>(stored: &'s [u8], mut decoder: R, rest: impl Fn(R) -> &'s [u8]) -> Plain {
    let mut text = Vec::new();
    let is_whole = decoder.by_ref().take(MOST).read_to_end(&mut text).is_ok() && text.len() < MOST as usize;
    (text, is_whole.then(|| stored.len() - rest(decoder).len()))
}

fn check(what: &str, size: usize, fast: Option<(Vec<u8>, usize)>, (text, used): Plain) {
    match (fast, used) {
        (Some((fast, fast_used)), Some(used)) => assert_eq!((fast == text, fast_used), (true, used), "{what}: {} bytes", text.len()),
        // The fast one takes a few codes that nothing writes and the plain one refuses; what stands before them it has too.
        (Some((fast, _)), None) => assert!(fast.len() <= size && fast.starts_with(&text), "{what}: {} of {}", text.len(), fast.len()),
        (None, Some(_)) => assert!(text.len() > size, "{what}: no answer to {} bytes, and there was room for {size}", text.len()),
        (None, None) => {}
    }
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let size = input.below(1 << 16);
    let stored = input.0;
    // No stream of so few bytes becomes so many, and room is not made for it.
    let size = size.min(stored.len() * 1032);
    let whole = inflated(stored, size);
    assert_eq!(inflated(stored, size), whole);
    assert!(whole.as_ref().is_none_or(|(text, used)| text.len() <= size && *used <= stored.len()));
    assert_eq!(inflated(stored, usize::MAX), None);
    check("bare", size, whole, plain(stored, DeflateDecoder::new(stored), DeflateDecoder::into_inner));
    check("gzip", size, gunzipped(stored, size), plain(stored, GzDecoder::new(stored), GzDecoder::into_inner));
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("inflate").repeat(3);
    let size = (text.len() as u16).to_le_bytes();
    let noise: Vec<u8> = (0..600u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let stored = [&[1, 5, 0, 0xfa, 0xff][..], b"bytes"].concat();
    // Codes of the fixed table, and a last block of nothing.
    let fixed = vec![0x4b, 0x04, 0x00, 0x03, 0x00];
    let mut seeds: Vec<Vec<u8>> =
        [deflate(&text), gzip(&text), [deflate(&text), b"after".to_vec()].concat(), gzip(&[]), deflate(&[0; 3000])]
            .into_iter()
            .chain([[gzip(&text), gzip(&text)].concat(), stored, fixed, deflate(&noise), deflate(&[&noise[..], &text, &noise].concat())])
            .map(|stream| [&[0xff, 0x0f][..], &stream].concat())
            .collect();
    seeds.push([&size[..], &deflate(&text)].concat());
    seeds.push([&(text.len() as u16 - 1).to_le_bytes()[..], &gzip(&text)].concat());
    seeds
}
