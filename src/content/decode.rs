//! Finds stretches of a text that are other text in disguise, and undoes the disguise: base64, hex, percent escapes, UTF-16 and UTF-32,
//! numeric character references, `\u` and other escapes of strings, literals that are put together, and compressed text in base64.
//!
//! Where to look is said by [`crate::vector::classes`], a bit for each byte. A run is decoded only if its first bytes decode to text. A run belongs to the part of a
//! file that owns its first byte.

mod literals;

use std::io::Read as _;
use std::ops::Range;

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

use crate::vector::Engine;
use crate::vector::classes::{self, Classes, STEP};

/// Shortest run of base64 characters that is tried.
const MIN_BASE64: usize = 24;
/// Shortest run of hex digits that is tried.
const MIN_HEX: usize = 32;
/// Fewest characters of a UTF-16 or UTF-32 run.
const MIN_WIDE: usize = 12;
/// Fewest numeric escapes in a row.
const MIN_ESCAPES: usize = 8;
/// Most bytes of one run.
const MAX_RUN: usize = 64 * 1024;
/// Most bytes of one run that is compressed text: its end is of no use without its beginning.
const MAX_COMPRESSED: usize = 4 << 20;
/// Most bytes that compressed text is taken to hold, and how many times its own.
const MAX_INFLATED: u64 = 4 << 20;
const MAX_RATIO: u64 = 200;
/// Shortest line of base64 that is taken to go on in the next line.
const MIN_LINE: usize = 48;
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
        self.encoded.start + (at * self.encoded.len()).checked_div(decoded).unwrap_or(0)
    }
}

/// Calls `found` for each view whose first encoded byte lies within `owned`.
pub fn views(text: &[u8], owned: Range<usize>, found: &mut dyn FnMut(View)) {
    if owned.start == 0 && is_compressed(text) {
        found_inflated(text, found);
    }
    // A run that begins with the last owned byte shows in one of the next words.
    let end = (owned.end + STEP).min(text.len());
    let classes = classes::of(Engine::best(), text.get(owned.start..end).unwrap_or_default());
    base64_and_hex(text, owned.clone(), &classes, found);
    wide(text, owned.clone(), &classes, found);
    escapes(text, owned.clone(), &classes, found);
    literals::views(text, owned, found);
}

/// Whether bytes begin as a gzip or zlib stream does.
fn is_compressed(bytes: &[u8]) -> bool {
    matches!(bytes, [0x1f, 0x8b, 8, ..] | [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..])
}

/// Compressed text, as it stands in base64 in settings of clusters and clouds. What can be read of a stream that is cut short counts.
fn found_inflated(bytes: &[u8], found: &mut dyn FnMut(View)) {
    let limit = MAX_INFLATED.min(bytes.len() as u64 * MAX_RATIO);
    let mut inflated = Vec::new();
    // An error ends the text, and what came before it is there.
    let (_, step) = match bytes[0] {
        0x1f => (MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut inflated), "gzip"),
        _ => (ZlibDecoder::new(bytes).take(limit).read_to_end(&mut inflated), "zlib"),
    };
    let is_archive = inflated.get(257..262) == Some(b"ustar");
    if !inflated.is_empty() && (is_archive || mostly_text(&inflated)) {
        found(View { bytes: inflated, name: 0, encoded: 0..bytes.len(), step });
    }
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

#[inline(always)]
fn is_base64(byte: u8) -> bool {
    BASE64[usize::from(byte)]
}

/// Bytes that text is made of.
#[inline(always)]
fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e)
}

// --- base64 and hex ---------------------------------------------------------------------------------------------------------------

fn base64_and_hex(text: &[u8], owned: Range<usize>, classes: &[Classes], found: &mut dyn FnMut(View)) {
    let length = |from: usize| text[from..].iter().take_while(|&&b| is_base64(b)).count();
    let mut at = owned.start;
    match entering(text, owned.start, |at| is_base64(text[at])) {
        Entering::No => {}
        Entering::Known => at += length(at),
        // Too long to know where it begins, and so how its digits are grouped.
        Entering::Unknown => {
            let end = at + length(at);
            (0..4).for_each(|shift| segments(text, (at + shift).min(end)..end, found));
            at = end;
        }
    }
    let mut whole = |run: Range<usize>| {
        if owned.contains(&run.start) && run.len() >= MIN_BASE64 {
            segments(text, run, found);
        }
    };
    // Where a long run begins that goes on into the next word.
    let mut open = None;
    let mut before = 0u64;
    for (index, word) in classes.iter().enumerate() {
        let base = owned.start + index * STEP;
        let bits = from(word.base64, base, at);
        let last = std::mem::replace(&mut before, bits);
        // A run that is long enough has half of that in one of two words.
        let half = runs(bits, [1, 2, 4, MIN_BASE64 as u32 / 2 - 8]);
        if half == 0 && open.is_none() {
            continue;
        }
        let mut rest = bits;
        let entering = open.take().or_else(|| (half & 1 != 0).then(|| base - last.leading_ones() as usize));
        if let Some(start) = entering {
            let more = bits.trailing_ones();
            if more == u64::BITS {
                open = entering;
                continue;
            }
            whole(start..base + more as usize);
            rest &= u64::MAX << more;
        }
        if base >= owned.end {
            break;
        }
        let tail = rest.leading_ones();
        if tail >= MIN_BASE64 as u32 / 2 {
            open = Some(base + STEP - tail as usize);
            rest &= u64::MAX.checked_shr(tail).unwrap_or(0);
        }
        let mut long = runs(rest, [1, 2, 4, MIN_BASE64 as u32 / 2 - 8]);
        long &= long >> (MIN_BASE64 / 2);
        while long != 0 {
            let start = long.trailing_zeros();
            let end = start + (rest >> start).trailing_ones();
            whole(base + start as usize..base + end as usize);
            long &= u64::MAX.checked_shl(end).unwrap_or(0);
        }
    }
    if let Some(start) = open {
        whole(start..start + length(start));
    }
}

/// The bits that have a run of ones above them, of one more than the sum of `shifts`, each of which is at most as long as the run before.
fn runs(bits: u64, shifts: [u32; 4]) -> u64 {
    shifts.iter().fold(bits, |bits, shift| bits & bits >> shift)
}

/// The bits of a word, whose first one stands for `base`, from `at` on.
fn from(word: u64, base: usize, at: usize) -> u64 {
    let before = u32::try_from(at.saturating_sub(base)).unwrap_or(u32::MAX);
    word & u64::MAX.checked_shl(before).unwrap_or(0)
}

/// Whether a run goes on across the beginning of a part of a file.
enum Entering {
    /// It does not.
    No,
    /// It does, and the part before has seen it from its beginning.
    Known,
    /// It does, from further back than can be seen.
    Unknown,
}

fn entering(text: &[u8], start: usize, in_run: impl Fn(usize) -> bool) -> Entering {
    const FAR: usize = 8 * 1024;
    if start == 0 || start >= text.len() || !in_run(start - 1) {
        return Entering::No;
    }
    let count = (start.saturating_sub(FAR)..start).rev().take_while(|&at| in_run(at)).count();
    if count < FAR { Entering::Known } else { Entering::Unknown }
}

/// A long run in parts that overlap by more than any secret is long.
fn segments(text: &[u8], range: Range<usize>, found: &mut dyn FnMut(View)) {
    const OVERLAP: usize = 4096;
    folded(text, &range, found);
    if is_compressed_base64(&text[range.clone()]) {
        let digits = &text[range.start..range.end.min(range.start + MAX_COMPRESSED)];
        let decoded = from_base64(digits);
        if is_compressed(&decoded) {
            // A name before it says nothing of the text in it.
            found(View { bytes: decoded, name: 0, encoded: range.start..range.start + digits.len(), step: "base64" });
            return;
        }
    }
    let mut start = range.start;
    loop {
        let end = (start + MAX_RUN).min(range.end);
        if end - start >= MIN_BASE64 {
            run(text, start..end, found);
        }
        if end == range.end {
            return;
        }
        start = end - OVERLAP;
    }
}

/// Whether base64 stands for a gzip stream, or for a zlib stream of the usual kinds.
fn is_compressed_base64(digits: &[u8]) -> bool {
    digits.starts_with(b"H4sI")
        || (digits.starts_with(b"eJ") && digits.len() >= 64)
        || digits.starts_with(b"eNp")
        || digits.starts_with(b"eNo")
}

/// Base64 that is cut into lines of one length: all of them as one run, if this is the first.
fn folded(text: &[u8], range: &Range<usize>, found: &mut dyn FnMut(View)) {
    let width = range.len();
    if width < MIN_LINE || !width.is_multiple_of(4) || width > 256 {
        return;
    }
    let line_after = |end: usize| {
        let rest = text.get(end..)?;
        let feed = if rest.starts_with(b"\r\n") { 2 } else { usize::from(rest.starts_with(b"\n")) };
        let indent = rest.get(feed..)?.iter().take(MAX_NAME).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let start = end + feed + indent;
        let length = text[start..].iter().take(width + 1).take_while(|&&byte| is_base64(byte)).count();
        (feed > 0 && (1..=width).contains(&length)).then_some(start..start + length)
    };
    let before = text[..range.start].iter().rev().take(MAX_NAME).take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    let end_before = range.start - before;
    let is_first =
        before == 0 || !text[end_before.saturating_sub(width)..end_before].iter().all(|&byte| is_base64(byte)) || end_before < width;
    let Some(mut next) = line_after(range.end).filter(|_| is_first) else { return };
    let mut digits = text[range.clone()].to_vec();
    let end = loop {
        digits.extend_from_slice(&text[next.clone()]);
        let is_last = next.len() < width || digits.len() > MAX_COMPRESSED;
        match line_after(next.end).filter(|_| !is_last) {
            Some(line) => next = line,
            None => break next.end,
        }
    };
    if !digits.iter().take(MAX_RUN).all(u8::is_ascii_hexdigit) && (is_compressed_base64(&digits) || decodes_to_text(&digits[..16])) {
        let decoded = from_base64(&digits);
        if is_compressed(&decoded) {
            found(View { bytes: decoded, name: 0, encoded: range.start..end, step: "base64" });
        } else if mostly_text(&decoded) {
            found(named(text, range.start..end, decoded, "base64"));
        }
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
    let mut decoded = [0u8; 12];
    for (group, out) in digits.chunks_exact(4).zip(decoded.chunks_exact_mut(3)) {
        let word = group.iter().fold(0u32, |word, &digit| word << 6 | u32::from(sextet(digit)));
        out.copy_from_slice(&word.to_be_bytes()[1..]);
    }
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

/// Samples eight bytes of every sixteen: wide text has zeros in every second byte, and is longer than that.
fn wide(text: &[u8], owned: Range<usize>, classes: &[Classes], found: &mut dyn FnMut(View)) {
    const EVEN: u64 = 0x00FF_00FF_00FF_00FF;
    let mut at = owned.start;
    let mut floor = owned.start;
    // A run that begins with the last owned byte shows in one of the next whole words.
    let end = (owned.end + 32).min(text.len());
    while let Some(chunk) = text[..end].get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        if (at - owned.start).is_multiple_of(STEP) && classes.get((at - owned.start) / STEP).is_some_and(|word| !may_be_wide(word.zero)) {
            at += STEP;
            continue;
        }
        let word = u64::from_le_bytes(*chunk);
        if word == 0 || (word & EVEN != 0 && word & !EVEN != 0) {
            at += 16;
            continue;
        }
        let Some(run) = [2, 4].into_iter().find_map(|unit| wide_run(text, at, floor, unit)) else {
            at += 16;
            continue;
        };
        floor = run.range.end;
        at = floor.max(at + 16);
        let is_cell = |at: usize| is_cell(text, at, run.unit);
        // A run that crosses the beginning of this part, if its beginning can be seen, belongs to the part before.
        let from_before = run.range.start < owned.start + run.unit
            && run.range.start.checked_sub(run.unit).is_some_and(is_cell)
            && (1..4096).any(|back| run.range.start.checked_sub(back * run.unit).is_none_or(|at| !is_cell(at)));
        if owned.contains(&run.range.start) && !from_before {
            let step = step_of(text, &run.range, run.unit);
            found(View { bytes: run.decoded, name: 0, encoded: run.range, step });
        }
    }
}

/// Whether one of the samples of 64 bytes has zeros in every second byte and is not all zeros; `zero` is a bit for each byte.
fn may_be_wide(zero: u64) -> bool {
    const FIRST_TWO: u64 = 0x0003_0003_0003_0003;
    let alternating = zero & zero >> 2;
    zero != u64::MAX && alternating & alternating >> 4 & FIRST_TWO != 0
}

struct WideRun {
    range: Range<usize>,
    decoded: Vec<u8>,
    unit: usize,
}

/// Whether a character and its zeros stand at `at`.
fn is_cell(text: &[u8], at: usize, unit: usize) -> bool {
    text.get(at..at + unit).is_some_and(|cell| (is_text(cell[0]) || cell[0] >= 0xA0) && cell[1..].iter().all(|&b| b == 0))
}

/// The longest run round `at`, not before `floor`, in which every `unit`-th byte is a character and the others are zero.
fn wide_run(text: &[u8], at: usize, floor: usize, unit: usize) -> Option<WideRun> {
    let phase = (at..(at + unit).min(text.len())).find(|&i| text[i] != 0)?;
    // The last character of big-endian text has no zeros after it.
    let is_last = |i: usize| text.get(i).is_some_and(|&b| is_text(b));
    let mut start = phase;
    while let Some(before) = start.checked_sub(unit).filter(|&before| before >= floor && is_cell(text, before, unit)) {
        start = before;
    }
    let mut end = phase;
    while end - start < MAX_RUN && is_cell(text, end, unit) {
        end += unit;
    }
    let mut decoded: Vec<u8> = Vec::with_capacity((end - start) / unit + 1);
    let push = |byte: u8, decoded: &mut Vec<u8>| {
        if byte < 0x80 { decoded.push(byte) } else { decoded.extend([0xC0 | byte >> 6, 0x80 | byte & 0x3F]) }
    };
    (start..end).step_by(unit).for_each(|i| push(text[i], &mut decoded));
    if is_last(end) {
        push(text[end], &mut decoded);
        end += 1;
    }
    (decoded.len() >= MIN_WIDE).then_some(WideRun { range: start..end, decoded, unit })
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

fn escapes(text: &[u8], owned: Range<usize>, classes: &[Classes], found: &mut dyn FnMut(View)) {
    let mut at = owned.start;
    for (index, word) in classes.iter().enumerate() {
        let base = owned.start + index * STEP;
        let mut bits = from(word.escape, base, at);
        while bits != 0 {
            let place = base + bits.trailing_zeros() as usize;
            if place >= owned.end {
                return;
            }
            at = place + 1;
            if let Some(view) = escape(text, place, &mut at) {
                at = view.encoded.end.max(at);
                found(view);
            }
            bits = from(word.escape, base, at);
        }
    }
}

/// What the escape at `place` begins, if it begins anything; `at` is put behind what needs no further look.
fn escape(text: &[u8], place: usize, at: &mut usize) -> Option<View> {
    match text[place] {
        b'%' if percent(text, place).is_some() => {
            let word = word_at(text, place);
            *at = word.end.max(*at);
            // A word that crosses the beginning of this part belongs to the part that has its first escape.
            let is_first = !text[word.start..place].windows(3).any(|three| percent(three, 0).is_some());
            is_first.then(|| percent_view(text, word)).flatten()
        }
        b'&' if text.get(place + 1) == Some(&b'#') => numeric_view(text, place, entity, "html-entities"),
        b'\\' if matches!(text.get(place + 1), Some(b'u' | b'x')) => {
            numeric_view(text, place, backslash, "escapes").or_else(|| literals::unescaped(text, place))
        }
        _ => None,
    }
}

fn percent(text: &[u8], at: usize) -> Option<u8> {
    match text.get(at..at + 3) {
        Some([b'%', high, low]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => Some(nibble(*high) << 4 | nibble(*low)),
        _ => None,
    }
}

/// The word round a percent escape.
fn word_at(text: &[u8], at: usize) -> Range<usize> {
    const MAX_WORD: usize = 2048;
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
    (count >= 2 && mostly_text(&bytes)).then_some(View { bytes, name: 0, encoded: word, step: "percent" })
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
#[allow(clippy::unwrap_used)]
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
    fn compressed_text_in_base64_is_undone_in_two_steps() {
        let long = PLAIN.repeat(40);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut gzip, long.as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &gzip);
        let mut steps = Vec::new();
        views(format!("data: {base64}\n").as_bytes(), 0..base64.len() + 7, &mut |view| {
            views(&view.bytes, 0..view.bytes.len(), &mut |inner| steps.push((view.step, inner.step, inner.bytes)));
        });
        assert_eq!(steps, [("base64", "gzip", long.into_bytes())]);
    }

    #[test]
    fn base64_in_lines_is_one_run() {
        let long = PLAIN.repeat(8);
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &long);
        let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let text = format!("data: |\n  {}\nnext: 1\n", lines.join("\n  "));
        let found = decoded(text.as_bytes());
        assert!(found.contains(&(long, "base64")), "{found:?}");
    }

    #[test]
    fn wide_text_is_found_at_any_alignment() {
        for (unit, big, step) in [(2, false, "utf-16-le"), (2, true, "utf-16-be"), (4, false, "utf-32-le"), (4, true, "utf-32-be")] {
            for shift in 0..9 {
                let mut text = vec![1; shift];
                text.extend(wide_text(PLAIN, unit, big));
                text.extend([1; 9]);
                assert_eq!(decoded(&text), [(PLAIN.to_owned(), step)], "unit {unit} big {big} shift {shift}");
            }
        }
    }

    #[test]
    fn runs_are_those_that_a_plain_look_finds() {
        let mut random = crate::random::Random::new(3);
        for round in 0..600 {
            let mut text = Vec::new();
            while text.len() < round {
                match random.below(5) {
                    0 => text.extend(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, PLAIN).bytes()),
                    1 => text.extend(std::iter::repeat_n(b'x', random.below(150))),
                    2 => text.extend(PLAIN.bytes().flat_map(|byte| format!("{byte:02x}").into_bytes())),
                    3 => text.extend(random.bytes(3)),
                    _ => text.extend(std::iter::repeat_n(b' ', random.below(3))),
                }
            }
            let mut plain = Vec::new();
            let mut at = 0;
            while at < text.len() {
                let length = text[at..].iter().take_while(|&&byte| is_base64(byte)).count();
                if length >= MIN_BASE64 {
                    run(&text, at..at + length, &mut |view| plain.push(view));
                }
                at += length + 1;
            }
            let mut fast = Vec::new();
            base64_and_hex(&text, 0..text.len(), &classes::of(Engine::best(), &text), &mut |view| fast.push(view));
            assert_eq!(fast, plain, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn paths_identifiers_and_digests_are_left_alone() {
        let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let text =
            format!("/usr/lib/python3/dist-packages/something getElementsByTagNameAndClass {digest} sha512-{}", "Zm9v/+Zm9v9".repeat(8));
        assert_eq!(decoded(text.as_bytes()), []);
    }

    #[test]
    fn a_run_belongs_to_the_part_that_owns_its_first_byte() {
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, PLAIN);
        let text = [b"0123456789 ".to_vec(), encoded.into_bytes(), b" tail of it".to_vec(), wide_text(PLAIN, 2, false)].concat();
        let collect = |owned: Range<usize>, out: &mut Vec<(usize, &'static str)>| {
            views(&text, owned, &mut |view| out.push((view.encoded.start, view.step)))
        };
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
