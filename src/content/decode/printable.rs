//! Quoted-printable, as it stands in letters: `=3D` for an equals sign, and lines that go on in the next one.

use std::ops::Range;

use super::{MAX_RUN, View, from, is_text, nibble};
use crate::vector::classes::{Classes, STEP};

/// The sign that is written as an escape wherever something is given to a name.
const EQUALS: &[u8] = b"=3D";

/// Calls `found` for each stretch whose first escaped equals sign lies within `owned`.
pub(super) fn views(text: &[u8], owned: Range<usize>, classes: &[Classes], found: &mut dyn FnMut(View)) {
    let mut at = owned.start;
    for (index, word) in classes.iter().enumerate() {
        let base = owned.start + index * STEP;
        let mut bits = from(word.escape, base, at);
        while bits != 0 {
            let place = base + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            if place >= owned.end {
                return;
            }
            if !text[place..].starts_with(EQUALS) {
                continue;
            }
            let range = stretch(text, place);
            at = range.end.max(place + 1);
            // A stretch that crosses the beginning of this part belongs to the part that has its first one.
            if memchr::memmem::find(&text[range.start..place], EQUALS).is_none() {
                undone(text, range).into_iter().for_each(&mut *found);
            }
            bits = from(word.escape, base, at);
        }
    }
}

/// The line round `at`, with those that go on in it and those that it goes on in.
fn stretch(text: &[u8], at: usize) -> Range<usize> {
    let (low, high) = (at.saturating_sub(MAX_RUN), (at + MAX_RUN).min(text.len()));
    let is_soft = |feed: usize| {
        let line = &text[low..feed];
        line.strip_suffix(b"\r").unwrap_or(line).ends_with(b"=")
    };
    let start =
        memchr::memrchr_iter(b'\n', &text[low..at]).map(|feed| low + feed).find(|&feed| !is_soft(feed)).map_or(low, |feed| feed + 1);
    let end = memchr::memchr_iter(b'\n', &text[at..high]).map(|feed| at + feed).find(|&feed| !is_soft(feed)).unwrap_or(high);
    start..end
}

/// A stretch without its escapes, if it has several and is text with and without them.
fn undone(text: &[u8], range: Range<usize>) -> Option<View> {
    let (mut bytes, mut places, mut count) = (Vec::with_capacity(range.len()), vec![(0, range.start)], 0);
    let mut at = range.start;
    while at < range.end {
        let rest = &text[at..range.end];
        let length = match rest {
            [b'=', b'\n', ..] => 2,
            [b'=', b'\r', b'\n', ..] => 3,
            [b'=', high, low, ..] if is_digit(*high) && is_digit(*low) => {
                bytes.push(nibble(*high) << 4 | nibble(*low));
                3
            }
            _ => {
                bytes.push(rest[0]);
                at += 1;
                continue;
            }
        };
        at += length;
        count += 1;
        places.push((bytes.len(), at));
    }
    let is_letter = count >= 2 && bytes.iter().all(|&byte| is_text(byte) || byte >= 0x80);
    is_letter.then_some(View { bytes, name: 0, encoded: range, step: "quoted-printable", places })
}

/// Digits are written as capitals.
const fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'F')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::{Engine, classes};

    /// As [`super::views`], with the classes of the part.
    fn views(text: &[u8], owned: Range<usize>, found: &mut dyn FnMut(View)) {
        super::views(text, owned.clone(), &classes::of(Engine::best(), &text[owned.start..]), found);
    }

    const LETTER: &[u8] = b"Hello,\r\n\r\nset PASSWORD=3Dabcd=\r\nefgh, TOKEN=3D1=\r\n23 =C3=A4\r\nBye\r\n";

    #[test]
    fn lines_that_go_on_are_one() {
        let mut all = Vec::new();
        views(LETTER, 0..LETTER.len(), &mut |view| all.push(view));
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].bytes, "set PASSWORD=abcdefgh, TOKEN=123 ä\r".as_bytes());
        for (word, place) in [("abcd", "abcd"), ("efgh", "efgh"), ("TOKEN", "TOKEN"), ("23", "23")] {
            let find = |text: &[u8], word: &str| memchr::memmem::find(text, word.as_bytes()).unwrap_or_default();
            assert_eq!(all[0].origin(find(&all[0].bytes, word)), find(LETTER, place), "{word}");
        }
    }

    #[test]
    fn a_stretch_belongs_to_the_part_that_has_its_first_equals_sign() {
        for cut in 0..LETTER.len() {
            let mut count = 0;
            views(LETTER, 0..cut, &mut |_| count += 1);
            views(LETTER, cut..LETTER.len(), &mut |_| count += 1);
            assert_eq!(count, 1, "cut at {cut}");
        }
    }

    #[test]
    fn queries_and_programs_are_left_alone() {
        for text in ["https://example.org/?q=3Dabc", "x=3Dy;\n", "if a =3D b"] {
            views(text.as_bytes(), 0..text.len(), &mut |view| panic!("{view:?}"));
        }
    }
}
