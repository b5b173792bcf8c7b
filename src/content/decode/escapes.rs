//! Characters that are written as numbers: percent escapes, character references, `\u` and `\x`.

use std::ops::Range;

use super::{MAX_RUN, View, is_text, literals, mostly_text, named, nibble};
use crate::vector::classes::{Classes, STEP};

/// Most bytes of a word before and after a place in it.
const MAX_WORD: usize = 2048;
/// Fewest numeric escapes in a row.
const MIN_ESCAPES: usize = 8;

/// How a blank is written in the histories of database clients.
const BLANK: &[u8] = b"\\040";

/// Calls `found` for each row of escapes that begins within `owned`.
pub(super) fn views(text: &[u8], owned: Range<usize>, classes: &[Classes], found: &mut dyn FnMut(View)) {
    let mut percents = Percents { part: owned.start, seen: 0 };
    // Up to where each kind was looked at. What one of them is part of says nothing of the others.
    let mut passed = Passed::default();
    for (index, word) in classes.iter().enumerate() {
        let base = owned.start + index * STEP;
        let mut bits = word.escape;
        while bits != 0 {
            let place = base + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            if place >= owned.end {
                return;
            }
            match text[place] {
                b'&' if place >= passed.reference => references(text, place, &mut passed, found),
                b'%' if percent(text, place).is_some() => {
                    percents.next(text, place).and_then(|word| percent_view(text, word)).into_iter().for_each(&mut *found);
                }
                b'\\' if place >= passed.octal && text[place..].starts_with(BLANK) => {
                    tell(octal_view(text, place), &mut passed.octal, found);
                }
                b'\\' if place >= passed.backslash && matches!(text.get(place + 1), Some(b'u' | b'x')) => {
                    let row = numeric_view(text, place, backslash, "escapes").or_else(|| literals::unescaped(text, place));
                    tell(row, &mut passed.backslash, found);
                }
                _ => {}
            }
        }
    }
}

/// Ends of what was found last.
#[derive(Default)]
struct Passed {
    /// A row of character references by number, or one alone.
    reference: usize,
    /// A stretch with quotes.
    quotes: usize,
    octal: usize,
    backslash: usize,
}

/// Hands a view on, and says where it ends.
fn tell(view: Option<View>, passed: &mut usize, found: &mut dyn FnMut(View)) {
    if let Some(view) = view {
        *passed = view.encoded.end;
        found(view);
    }
}

/// Which words were looked at for percent escapes.
struct Percents {
    /// Where this part of the file begins.
    part: usize,
    /// Up to where they were looked at.
    seen: usize,
}

impl Percents {
    /// The word round an escape, unless it was looked at. A long one comes in parts that overlap.
    fn next(&mut self, text: &[u8], place: usize) -> Option<Range<usize>> {
        const OVERLAP: usize = 512;
        if place < self.seen {
            return None;
        }
        let mut word = word_at(text, place);
        // What crosses the beginning of this part of the file belongs to the part that has its first escape, which looks at least so far behind the last one that it has.
        let before = text[word.start..self.part.max(word.start)].windows(3).rposition(|three| percent(three, 0).is_some());
        let is_known = before.is_some_and(|last| word.end - (word.start + last) <= OVERLAP);
        if before.is_some() {
            word.start = self.part;
        }
        word.start = word.start.max(self.seen);
        self.seen = if word.end == place + MAX_WORD { word.end - OVERLAP } else { word.end };
        (!is_known).then_some(word)
    }
}

/// What the character reference at `place` begins: a row of numbers, a stretch with quotes, or both. The row may have the first quote of the stretch, and the stretch further rows;
/// each is told for itself, so that it does not matter where a file is cut.
fn references(text: &[u8], place: usize, passed: &mut Passed, found: &mut dyn FnMut(View)) {
    let numbers = if text.get(place + 1) == Some(&b'#') { numeric_view(text, place, entity, "html-entities") } else { None };
    let row = numbers.as_ref().map_or(place..place + 1, |view| view.encoded.clone());
    passed.reference = row.end;
    numbers.into_iter().for_each(&mut *found);
    let quote = row.into_iter().find(|&at| at >= passed.quotes && is_quote(text, at));
    tell(quote.and_then(|quote| quotes_view(text, quote)), &mut passed.quotes, found);
}

fn percent(text: &[u8], at: usize) -> Option<u8> {
    match text.get(at..at + 3) {
        Some([b'%', high, low]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => Some(nibble(*high) << 4 | nibble(*low)),
        _ => None,
    }
}

/// The word round a percent escape.
pub(super) fn word_at(text: &[u8], at: usize) -> Range<usize> {
    let in_word = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'<' | b'>' | b'`');
    let start = at - text[at.saturating_sub(MAX_WORD)..at].iter().rev().take_while(|&&b| in_word(b)).count();
    let end = at + text[at..(at + MAX_WORD).min(text.len())].iter().take_while(|&&b| in_word(b)).count();
    start..end
}

/// A word decoded, if it has at least two percent escapes and becomes text.
fn percent_view(text: &[u8], word: Range<usize>) -> Option<View> {
    let mut bytes = Vec::with_capacity(word.len());
    let (mut count, mut at) = (0, word.start);
    while at < word.end {
        let escape = percent(&text[..word.end], at);
        count += usize::from(escape.is_some());
        bytes.push(escape.unwrap_or(text[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    (count >= 2 && mostly_text(&bytes)).then_some(View { bytes, name: 0, encoded: word, step: "percent", places: Vec::new() })
}

/// A row of numeric escapes, with what `read` makes of each: the character and the bytes it takes.
fn numeric_view(text: &[u8], start: usize, read: fn(&[u8]) -> Option<(u8, usize)>, step: &'static str) -> Option<View> {
    let mut decoded = Vec::new();
    let mut at = start;
    while at - start < MAX_RUN {
        let Some((byte, length)) = text.get(at..).and_then(read) else { break };
        decoded.push(byte);
        at += length;
    }
    (decoded.len() >= MIN_ESCAPES).then(|| named(text, start..at, decoded, step))
}

/// A line with blanks that are written as octal numbers, told at the first of them.
fn octal_view(text: &[u8], place: usize) -> Option<View> {
    const MAX_LINE: usize = 4096;
    let low = place.saturating_sub(MAX_LINE);
    let start = memchr::memrchr(b'\n', &text[low..place]).map_or(low, |feed| low + feed + 1);
    if memchr::memmem::find(&text[start..place], BLANK).is_some() {
        return None;
    }
    let rest = &text[place..(place + MAX_LINE).min(text.len())];
    let end = place + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let (mut bytes, mut places, mut at) = (Vec::with_capacity(end - start), vec![(0, start)], start);
    while at < end {
        let number = match &text[at..end] {
            [b'\\', digits @ ..] => digits.get(..3).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()),
            _ => None,
        };
        bytes.push(number.unwrap_or(text[at]));
        at += if number.is_some() { 4 } else { 1 };
        if number.is_some() {
            places.push((bytes.len(), at));
        }
    }
    mostly_text(&bytes).then_some(View { bytes, name: 0, encoded: start..end, step: "escapes", places })
}

/// Whether a quote is written as a character reference at `at`.
fn is_quote(text: &[u8], at: usize) -> bool {
    matches!(reference(&text[at..]), Some((b'"' | b'\'', _)))
}

/// A stretch of markup with quotes that are written as character references, from the first of them to the end of the text or the attribute: settings and
/// code in a page. Without quotes values are as well read as they stand.
fn quotes_view(text: &[u8], place: usize) -> Option<View> {
    let ends = |byte: &u8| matches!(byte, b'"' | b'<' | b'>' | b'\n' | 0);
    let start = text[..place].iter().rev().take(MAX_RUN).position(ends).map_or(place.saturating_sub(MAX_RUN), |back| place - back);
    // It is told at its first quote.
    if memchr::memchr_iter(b'&', &text[start..place]).any(|at| is_quote(text, start + at)) {
        return None;
    }
    let end = text[place..].iter().take(MAX_RUN).position(ends).map_or((place + MAX_RUN).min(text.len()), |length| place + length);
    let (mut bytes, mut places, mut quotes) = (Vec::with_capacity(end - start), vec![(0, start)], 0);
    let mut at = start;
    while at < end {
        match reference(&text[at..end]) {
            Some((byte, length)) => {
                quotes += usize::from(matches!(byte, b'"' | b'\''));
                bytes.push(byte);
                at += length;
                places.push((bytes.len(), at));
            }
            None => {
                bytes.push(text[at]);
                at += 1;
            }
        }
    }
    (quotes >= 2).then_some(View { bytes, name: 0, encoded: start..end, step: "html-entities", places })
}

/// A character reference, by number or by one of the names that all of HTML and XML have.
fn reference(text: &[u8]) -> Option<(u8, usize)> {
    const NAMED: [(&[u8], u8); 5] = [(b"&quot;", b'"'), (b"&apos;", b'\''), (b"&amp;", b'&'), (b"&lt;", b'<'), (b"&gt;", b'>')];
    if text.first() != Some(&b'&') {
        return None;
    }
    entity(text).or_else(|| NAMED.iter().find(|(name, _)| text.starts_with(name)).map(|(name, byte)| (*byte, name.len())))
}

/// `&#103;` or `&#x67;`
fn entity(text: &[u8]) -> Option<(u8, usize)> {
    let digits = text.strip_prefix(b"&#")?;
    let end = digits.iter().take(5).position(|&b| b == b';')?;
    let number = match digits[..end].split_first()? {
        (b'x' | b'X', hex) => u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?,
        _ => std::str::from_utf8(&digits[..end]).ok()?.parse().ok()?,
    };
    is_text(number).then_some((number, end + 3))
}

/// `\u0067` or `\x67`
pub(super) fn backslash(text: &[u8]) -> Option<(u8, usize)> {
    let (digits, length) = match text.get(..4)? {
        [b'\\', b'x', digits @ ..] => (digits, 4),
        [b'\\', b'u', b'0', b'0'] => (text.get(4..6)?, 6),
        _ => return None,
    };
    let byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    is_text(byte).then_some((byte, length))
}
