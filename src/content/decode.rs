//! Finds stretches of a text that are other text in disguise, and undoes the disguise: base64, hex, percent escapes, UTF-16 and UTF-32,
//! numeric character references and `\u` escapes.
//!
//! It looks for candidates by sampling: a run of base64 characters that is long enough to matter cannot hide between samples sixteen
//! bytes apart. A run is decoded only if its first bytes decode to text. A run belongs to the part of a file that owns its first byte.

use std::ops::Range;

/// Shortest run of base64 characters that is tried.
const MIN_BASE64: usize = 24;
/// Shortest run of hex digits that is tried.
const MIN_HEX: usize = 32;
/// Fewest characters of a UTF-16 or UTF-32 run.
const MIN_WIDE: usize = 10;
/// Fewest numeric escapes in a row.
const MIN_ESCAPES: usize = 8;
/// Most bytes of one run.
const MAX_RUN: usize = 64 * 1024;
/// How far a name before an encoded value is looked for.
const MAX_NAME: usize = 80;

/// A stretch of text with its disguise undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The name that the encoded value is given, if it is given one, then the decoded bytes.
    pub bytes: Vec<u8>,
    /// How many leading bytes of `bytes` are that name.
    pub name: usize,
    /// The encoded bytes.
    pub encoded: Range<usize>,
    /// What was undone.
    pub step: &'static str,
}

impl View {
    /// Where in the encoded text the decoded offset `at` of `bytes` stands, roughly: to the unit that holds it.
    pub fn origin(&self, at: usize) -> usize {
        let decoded = self.bytes.len() - self.name;
        let at = at.saturating_sub(self.name).min(decoded);
        if decoded == 0 { self.encoded.start } else { self.encoded.start + at * self.encoded.len() / decoded }
    }
}

/// Calls `found` for each view whose first encoded byte lies within `owned`.
pub fn views(text: &[u8], owned: Range<usize>, found: &mut dyn FnMut(View)) {
    base64_and_hex(text, owned.clone(), found);
    wide(text, owned.clone(), found);
    escapes(text, owned, found);
}

const fn table(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
}

static BASE64: [bool; 256] = table(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_");

fn is_base64(byte: u8) -> bool {
    BASE64[usize::from(byte)]
}

/// Bytes that text is made of.
fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e)
}

// --- base64 and hex ---------------------------------------------------------------------------------------------------------------

fn base64_and_hex(text: &[u8], owned: Range<usize>, found: &mut dyn FnMut(View)) {
    const STRIDE: usize = 16;
    let mut at = owned.start;
    while at < owned.end + STRIDE && at + 8 <= text.len() {
        if !(is_base64(text[at]) && is_base64(text[at + 3]) && is_base64(text[at + 7])) {
            at += STRIDE;
            continue;
        }
        let back = at.saturating_sub(MAX_RUN);
        let start = at - text[back..at].iter().rev().take_while(|&&b| is_base64(b)).count();
        let limit = (start + MAX_RUN).min(text.len());
        let end = at + text[at..limit].iter().take_while(|&&b| is_base64(b)).count();
        if owned.contains(&start) && end - start >= MIN_BASE64 {
            run(text, start..end, found);
        }
        at = end.max(at) + 1;
        at += (STRIDE - (at - owned.start) % STRIDE) % STRIDE;
    }
}

/// One run of base64 characters: hex if it is all hex digits, base64 otherwise.
fn run(text: &[u8], range: Range<usize>, found: &mut dyn FnMut(View)) {
    let digits = &text[range.clone()];
    let hex = |length: usize| digits[..length].iter().all(u8::is_ascii_hexdigit);
    if digits.len() >= MIN_HEX && digits.len().is_multiple_of(2) && hex(16) && hex(digits.len()) {
        let decoded: Vec<u8> = digits.chunks_exact(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect();
        if decoded.iter().take(8).all(|&b| is_text(b)) && mostly_text(&decoded) {
            found(named(text, range, decoded, "hex"));
        }
        return;
    }
    if !decodes_to_text(&digits[..16]) {
        return;
    }
    let decoded = from_base64(digits);
    if mostly_text(&decoded) {
        found(named(text, range, decoded, "base64"));
    }
}

/// Whether sixteen base64 characters stand for twelve bytes of text, or for UTF-16 text.
fn decodes_to_text(digits: &[u8]) -> bool {
    let decoded = from_base64(digits);
    decoded.iter().all(|&b| is_text(b)) || decoded.chunks_exact(2).all(|pair| is_text(pair[0]) && pair[1] == 0)
}

/// Whether decoded bytes are worth matching: text almost throughout, or UTF-16.
fn mostly_text(decoded: &[u8]) -> bool {
    let odd = decoded.iter().filter(|&&b| !is_text(b) && b < 0x80).count();
    odd * 20 <= decoded.len() || decoded.chunks_exact(2).take(32).all(|pair| pair[1] == 0)
}

/// Decodes base64 and base64url alike; a last odd character is dropped.
fn from_base64(digits: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        let word = group.iter().fold(0u32, |word, &digit| word << 6 | u32::from(sextet(digit))) << (6 * (4 - group.len()));
        out.extend_from_slice(&word.to_be_bytes()[1..][..group.len().saturating_sub(1)]);
    }
    out
}

fn sextet(digit: u8) -> u8 {
    match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' | b'-' => 62,
        _ => 63,
    }
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// Puts the name that an encoded value is given before the decoded value: `password: cHc=` is a password, as rules see it.
fn named(text: &[u8], encoded: Range<usize>, decoded: Vec<u8>, step: &'static str) -> View {
    let back = encoded.start.saturating_sub(MAX_NAME);
    let before = &text[back..encoded.start];
    let line = before.iter().rposition(|&b| b == b'\n').map_or(before, |at| &before[at + 1..]);
    let bare = line.strip_suffix(b"\"").or_else(|| line.strip_suffix(b"'")).unwrap_or(line);
    let is_name = bare.trim_ascii_end().last().is_some_and(|b| matches!(b, b':' | b'=')) && bare.iter().all(|&b| is_text(b));
    let mut bytes = if is_name { bare.to_vec() } else { Vec::new() };
    let name = bytes.len();
    bytes.extend_from_slice(&decoded);
    View { bytes, name, encoded, step }
}

// --- UTF-16 and UTF-32 ------------------------------------------------------------------------------------------------------------

/// Samples eight bytes at a time: wide text has zeros in every second byte.
fn wide(text: &[u8], owned: Range<usize>, found: &mut dyn FnMut(View)) {
    const EVEN: u64 = 0x00FF_00FF_00FF_00FF;
    let mut at = owned.start;
    let end = (owned.end + 8).min(text.len());
    while let Some(chunk) = text[..end].get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        if word == 0 || (word & EVEN != 0 && word & !EVEN != 0) {
            at += 8;
            continue;
        }
        let next = [2, 4].into_iter().filter_map(|unit| wide_run(text, at, unit)).find_map(|(range, decoded, unit)| {
            let next = range.end;
            if owned.contains(&range.start) {
                let step = step_of(text, &range, unit);
                found(View { bytes: decoded, name: 0, encoded: range, step });
            }
            Some(next)
        });
        at = next.map_or(at + 8, |next| next.max(at + 8));
    }
}

/// The longest run round `at` in which every `unit`-th byte is a character and the others are zero.
fn wide_run(text: &[u8], at: usize, unit: usize) -> Option<(Range<usize>, Vec<u8>, usize)> {
    let phase = (at..(at + unit).min(text.len())).find(|&i| text[i] != 0)?;
    let is_unit = |i: usize| text.get(i..i + unit).is_some_and(|cell| (is_text(cell[0]) || cell[0] >= 0xA0) && cell[1..].iter().all(|&b| b == 0));
    // The last character of big-endian text has no zeros after it.
    let is_last = |i: usize| text.get(i).is_some_and(|&b| is_text(b));
    let mut start = phase;
    while let Some(before) = start.checked_sub(unit).filter(|&before| phase - before < MAX_RUN && is_unit(before)) {
        start = before;
    }
    let mut end = phase;
    while end - start < MAX_RUN && is_unit(end) {
        end += unit;
    }
    let mut decoded: Vec<u8> = Vec::with_capacity((end - start) / unit + 1);
    let push = |byte: u8, decoded: &mut Vec<u8>| if byte < 0x80 { decoded.push(byte) } else { decoded.extend([0xC0 | byte >> 6, 0x80 | byte & 0x3F]) };
    (start..end).step_by(unit).for_each(|i| push(text[i], &mut decoded));
    if is_last(end) {
        push(text[end], &mut decoded);
        end += 1;
    }
    (decoded.len() >= MIN_WIDE).then_some((start..end, decoded, unit))
}

fn step_of(text: &[u8], range: &Range<usize>, unit: usize) -> &'static str {
    let ends_with_character = text[range.end - 1] != 0;
    match (unit, ends_with_character) {
        (2, false) => "utf-16-le",
        (2, true) => "utf-16-be",
        (_, false) => "utf-32-le",
        (_, true) => "utf-32-be",
    }
}

// --- escapes ----------------------------------------------------------------------------------------------------------------------

fn escapes(text: &[u8], owned: Range<usize>, found: &mut dyn FnMut(View)) {
    let mut at = owned.start;
    while let Some(offset) = text.get(at..owned.end).and_then(|rest| memchr::memchr3(b'%', b'&', b'\\', rest)) {
        let place = at + offset;
        let view = match text[place] {
            b'%' if percent(text, place).is_some() => percent_view(text, place, owned.start),
            b'&' if text.get(place + 1) == Some(&b'#') => numeric_view(text, place, entity, "html-entities"),
            b'\\' if matches!(text.get(place + 1), Some(b'u' | b'x')) => numeric_view(text, place, backslash, "escapes"),
            _ => None,
        };
        at = place + 1;
        if let Some(view) = view {
            at = view.encoded.end.max(at);
            found(view);
        }
    }
}

fn percent(text: &[u8], at: usize) -> Option<u8> {
    match text.get(at..at + 3) {
        Some([b'%', high, low]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => Some(nibble(*high) << 4 | nibble(*low)),
        _ => None,
    }
}

/// The word round a percent escape, decoded, if it has at least two of them and becomes text.
fn percent_view(text: &[u8], at: usize, first: usize) -> Option<View> {
    const MAX_WORD: usize = 2048;
    let in_word = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'<' | b'>' | b'`');
    // Not further back than this part of the file: the part before has seen the earlier escapes.
    let back = at.saturating_sub(MAX_WORD).max(first.saturating_sub(MAX_WORD));
    let start = at - text[back..at].iter().rev().take_while(|&&b| in_word(b)).count();
    let limit = (at + MAX_WORD).min(text.len());
    let end = at + text[at..limit].iter().take_while(|&&b| in_word(b)).count();
    let mut bytes = Vec::with_capacity(end - start);
    let (mut count, mut i) = (0, start);
    while i < end {
        match percent(&text[..end], i) {
            Some(byte) => {
                bytes.push(byte);
                count += 1;
                i += 3;
            }
            None => {
                bytes.push(text[i]);
                i += 1;
            }
        }
    }
    (count >= 2 && mostly_text(&bytes)).then_some(View { bytes, name: 0, encoded: start..end, step: "percent" })
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
fn backslash(text: &[u8]) -> Option<(u8, usize)> {
    let (digits, length) = match text.get(..4)? {
        [b'\\', b'x', digits @ ..] => (digits, 4),
        [b'\\', b'u', b'0', b'0'] => (text.get(4..6)?, 6),
        _ => return None,
    };
    let byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    is_text(byte).then_some((byte, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &[u8]) -> Vec<(String, &'static str)> {
        let mut out = Vec::new();
        views(text, 0..text.len(), &mut |view| out.push((String::from_utf8_lossy(&view.bytes).into_owned(), view.step)));
        out
    }

    fn wide_text(text: &str, unit: usize, big: bool) -> Vec<u8> {
        let cell = |b: u8| {
            let mut cell = vec![0; unit];
            cell[if big { unit - 1 } else { 0 }] = b;
            cell
        };
        text.bytes().flat_map(cell).collect()
    }

    const PLAIN: &str = "the quick brown fox jumps";

    #[test]
    fn base64_keeps_the_name_of_its_value() {
        let text = format!("data:\n  password: {}\n", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, PLAIN));
        assert_eq!(decoded(text.as_bytes()), [(format!("  password: {PLAIN}"), "base64")]);
    }

    #[test]
    fn hex_percent_entities_and_escapes_are_undone() {
        let hex: String = PLAIN.bytes().map(|b| format!("{b:02x}")).collect();
        assert_eq!(decoded(format!("x {hex} y").as_bytes()), [(PLAIN.to_owned(), "hex")]);
        assert_eq!(decoded(b"GET /a?b%3Dc%26d HTTP"), [("/a?b=c&d".to_owned(), "percent")]);
        let entities: String = PLAIN.bytes().map(|b| format!("&#{b};")).collect();
        assert_eq!(decoded(entities.as_bytes()), [(PLAIN.to_owned(), "html-entities")]);
        let escapes: String = PLAIN.bytes().map(|b| format!("\\u{b:04x}")).collect();
        assert_eq!(decoded(escapes.as_bytes()), [(PLAIN.to_owned(), "escapes")]);
    }

    #[test]
    fn wide_text_is_found_at_any_alignment() {
        for (unit, big, step) in [(2, false, "utf-16-le"), (2, true, "utf-16-be"), (4, false, "utf-32-le"), (4, true, "utf-32-be")] {
            for shift in 0..9 {
                let mut text = vec![0xC3; shift];
                text.extend(wide_text(PLAIN, unit, big));
                text.extend([0xC3; 9]);
                assert_eq!(decoded(&text), [(PLAIN.to_owned(), step)], "unit {unit} big {big} shift {shift}");
            }
        }
    }

    #[test]
    fn paths_identifiers_and_digests_are_left_alone() {
        let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let text = format!("/usr/lib/python3/dist-packages/something getElementsByTagNameAndClass {digest} sha512-{}", "Zm9v/+Zm9v9".repeat(8));
        assert_eq!(decoded(text.as_bytes()), []);
    }

    #[test]
    fn a_run_belongs_to_the_part_that_owns_its_first_byte() {
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, PLAIN);
        let text = [b"0123456789 ".to_vec(), encoded.into_bytes(), b" tail of it".to_vec(), wide_text(PLAIN, 2, false)].concat();
        let collect = |owned: Range<usize>, out: &mut Vec<(usize, &'static str)>| views(&text, owned, &mut |view| out.push((view.encoded.start, view.step)));
        let mut whole = Vec::new();
        collect(0..text.len(), &mut whole);
        assert_eq!(whole.len(), 2);
        for cut in 0..text.len() {
            let mut parts = Vec::new();
            collect(0..cut, &mut parts);
            collect(cut..text.len(), &mut parts);
            parts.sort_unstable();
            assert_eq!(parts, whole, "cut at {cut}");
        }
    }
}
