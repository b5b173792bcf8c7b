//! Runs of base64 characters: base64 and base64url, in one piece or in lines, and hex.

use std::ops::Range;

use super::{MAX_NAME, MAX_RUN, View, from, is_compressed, is_text, mostly_text, named, nibble};
use crate::vector::classes::{Classes, STEP};

/// Shortest run of base64 characters that is tried.
const MIN_BASE64: usize = 24;
/// Shortest run of hex digits that is tried.
const MIN_HEX: usize = 32;
/// Shortest line of base64 that is taken to go on in the next line.
const MIN_LINE: usize = 48;
/// Most bytes of one run that is compressed text: its end is of no use without its beginning.
const MAX_COMPRESSED: usize = 4 << 20;

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

/// Calls `found` for each run that begins within `owned`.
pub(super) fn views(text: &[u8], owned: Range<usize>, classes: &[Classes], found: &mut dyn FnMut(View)) {
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
    // What the classes are of: a run that goes on there goes on in the text.
    let seen = owned.start + classes.len() * STEP;
    let seen = seen.min(owned.end.saturating_add(STEP)).min(text.len());
    let mut whole = |mut run: Range<usize>| {
        if run.end == seen {
            run.end += length(seen);
        }
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
        let (tail, head) = (std::mem::replace(&mut before, bits).leading_ones() as usize, bits.trailing_ones() as usize);
        let long = long_runs(bits);
        if open.is_none() && tail > 0 && head > 0 && tail + head >= MIN_BASE64 {
            open = Some(base - tail);
        }
        if open.is_none() && long == 0 {
            continue;
        }
        let mut rest = bits;
        if let Some(start) = open {
            if bits == u64::MAX {
                continue;
            }
            open = None;
            whole(start..base + head);
            rest &= u64::MAX << head;
        }
        if base >= owned.end {
            break;
        }
        let mut long = long & rest;
        while long != 0 {
            let start = long.trailing_zeros();
            let end = start + (rest >> start).trailing_ones();
            if end == u64::BITS {
                open = Some(base + start as usize);
                break;
            }
            whole(base + start as usize..base + end as usize);
            long &= u64::MAX << end;
        }
    }
    if let Some(start) = open {
        whole(start..start + length(start));
    }
}

/// The bits that begin [`MIN_BASE64`] ones in a row.
fn long_runs(bits: u64) -> u64 {
    let eight = [1, 2, 4].iter().fold(bits, |bits, shift| bits & bits >> shift);
    eight & eight >> 8 & eight >> (MIN_BASE64 - 8)
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
            let encoded = range.start..range.start + digits.len();
            found(View { bytes: decoded, name: 0, encoded, step: "base64", places: Vec::new() });
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
            found(View { bytes: decoded, name: 0, encoded: range.start..end, step: "base64", places: Vec::new() });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::Engine;
    use crate::vector::classes;

    const PLAIN: &str = "the quick brown fox jumps";

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
            views(&text, 0..text.len(), &classes::of(Engine::best(), &text), &mut |view| fast.push(view));
            assert_eq!(fast, plain, "{}", text.escape_ascii());
        }
    }
}
