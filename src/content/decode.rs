//! Finds stretches of a text that are other text in disguise, and undoes the disguise: base64, hex, percent escapes, UTF-16 and UTF-32,
//! character references, `\u` and other escapes of strings, quoted-printable, literals that are put together, and compressed text in base64.
//!
//! Where to look is said by [`crate::vector::classes`], a bit for each byte. A run is decoded only if its first bytes decode to text. A run belongs to the part of a
//! file that owns its first byte.

mod escapes;
mod literals;
mod printable;
mod runs;
mod wide;

use std::io::Read as _;
use std::ops::Range;

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

use crate::vector::Engine;
use crate::vector::classes::{self, STEP};

/// Most bytes of one run.
const MAX_RUN: usize = 64 * 1024;
/// How far a name before an encoded value is looked for.
const MAX_NAME: usize = 80;
/// Most bytes that compressed text is taken to hold, and how many times its own.
const MAX_INFLATED: u64 = 4 << 20;
const MAX_RATIO: u64 = 200;

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
    /// Where decoded bytes stand, in pairs of an offset in `bytes` and one in the text, each for what follows it; empty where the disguise is even.
    pub places: Vec<(usize, usize)>,
}

impl View {
    /// Where in the encoded text the decoded offset `at` of `bytes` stands, roughly: to the unit that holds it.
    pub fn origin(&self, at: usize) -> usize {
        if let Some(index) = self.places.partition_point(|(offset, _)| *offset <= at).checked_sub(1) {
            let (offset, place) = self.places[index];
            return (place + (at - offset)).min(self.encoded.end);
        }
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
    runs::views(text, owned.clone(), &classes, found);
    wide::views(text, owned.clone(), &classes, found);
    escapes::views(text, owned.clone(), &classes, found);
    literals::views(text, owned.clone(), &classes, found);
    printable::views(text, owned, &classes, found);
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
        found(View { bytes: inflated, name: 0, encoded: 0..bytes.len(), step, places: Vec::new() });
    }
}

/// Bytes that text is made of.
#[inline(always)]
fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e)
}

/// Whether decoded bytes are worth matching: text almost throughout, or UTF-16.
fn mostly_text(decoded: &[u8]) -> bool {
    let odd = decoded.iter().filter(|&&b| !is_text(b) && b < 0x80).count();
    odd * 20 <= decoded.len() || decoded.chunks_exact(2).take(32).all(|pair| pair[1] == 0)
}

/// The bits of a word, whose first one stands for `base`, from `at` on.
fn from(word: u64, base: usize, at: usize) -> u64 {
    let before = u32::try_from(at.saturating_sub(base)).unwrap_or(u32::MAX);
    word & u64::MAX.checked_shl(before).unwrap_or(0)
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
    View { bytes, name, encoded, step, places: Vec::new() }
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
        let attribute = br#"<a data-x="{&quot;a b&quot;: &#39;c&amp;d&#x27;, &lt;e&gt;}" title="&quot;">"#;
        assert_eq!(decoded(attribute), [(r#"{"a b": 'c&d', <e>}"#.to_owned(), "html-entities")]);
        assert_eq!(decoded(b"<a href='/?b=1&amp;c=2&amp;d=3'>Tom &amp; Jerry &lt;x&gt;"), []);
        let escapes: String = PLAIN.bytes().map(|b| format!("\\u{b:04x}")).collect();
        assert_eq!(decoded(escapes.as_bytes()), [(PLAIN.to_owned(), "escapes")]);
    }

    #[test]
    fn one_percent_escape_hides_no_other_escapes_of_its_word() {
        let entities: String = PLAIN.bytes().map(|b| format!("&#{b};")).collect();
        assert_eq!(decoded(format!("100%25{entities}").as_bytes()), [(PLAIN.to_owned(), "html-entities")]);
    }

    #[test]
    fn a_long_word_of_percent_escapes_is_undone_to_its_end() {
        let text: String = (0..2_000).map(|number| format!("{number}%3D")).collect();
        for cut in [0, 100, 5_000] {
            let mut found = Vec::new();
            for owned in [0..cut, cut..text.len()] {
                views(text.as_bytes(), owned, &mut |view| found.push(String::from_utf8_lossy(&view.bytes).into_owned()));
            }
            assert!((0..1_999).all(|number| found.iter().any(|view| view.contains(&format!("{number}={}=", number + 1)))), "{cut}");
        }
    }

    #[test]
    fn a_row_of_references_and_the_stretch_that_it_stands_in_are_found_wherever_the_text_is_cut() {
        // The first quote of the attribute stands in the row, and is the first of it or not.
        for before in ["", "0123456789"] {
            let numbers = |text: &str| text.bytes().map(|byte| format!("&#{byte};")).collect::<String>();
            let text = format!("<a x=\"y {}, {}\">", numbers(&format!("{before}'{PLAIN}")), numbers(&format!("key = '{PLAIN}")));
            let collect = |owned: Range<usize>| {
                let mut found = Vec::new();
                views(text.as_bytes(), owned, &mut |view| found.push((view.encoded.start, view.encoded.end, view.bytes)));
                found
            };
            let whole = collect(0..text.len());
            assert_eq!(whole.len(), 3, "{whole:?}");
            for cut in 0..text.len() {
                let parts = [collect(0..cut), collect(cut..text.len())].concat();
                assert!(whole.iter().all(|view| parts.contains(view)), "cut at {cut}");
            }
        }
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
    fn paths_identifiers_and_digests_are_left_alone() {
        let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let text =
            format!("/usr/lib/python3/dist-packages/something getElementsByTagNameAndClass {digest} sha512-{}", "Zm9v/+Zm9v9".repeat(8));
        assert_eq!(decoded(text.as_bytes()), []);
    }

    #[test]
    fn a_run_belongs_to_the_part_that_owns_its_first_byte() {
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, PLAIN);
        let long = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, PLAIN.repeat(9)).replace('=', "");
        let wide = wide_text(&PLAIN.repeat(3), 2, false);
        let text =
            [b"0123456789 ".to_vec(), encoded.into_bytes(), b" tail of it ".to_vec(), long.into_bytes(), b" ".to_vec(), wide].concat();
        let collect = |owned: Range<usize>, out: &mut Vec<(usize, usize, &'static str)>| {
            views(&text, owned, &mut |view| out.push((view.encoded.start, view.encoded.end, view.step)))
        };
        let mut whole = Vec::new();
        collect(0..text.len(), &mut whole);
        assert_eq!(whole.len(), 3);
        for cut in 0..text.len() {
            let mut parts = Vec::new();
            collect(0..cut, &mut parts);
            collect(cut..text.len(), &mut parts);
            parts.sort_unstable();
            assert_eq!(parts, whole, "cut at {cut}");
        }
    }
}
