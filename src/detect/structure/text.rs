//! Armoured blocks as they stand in files: real line ends, escaped ones, string concatenation, comments, spaces for newlines.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
pub(super) const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
/// Takes no text that the bytes would not be written as.
pub(super) const BASE64_URL_EXACT: GeneralPurpose = base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Base64 of either alphabet, padded or not.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(text).or_else(|_| BASE64_URL.decode(text)).ok()
}

/// The parts of a block between dashes.
pub(super) struct Armor<'a> {
    /// What the BEGIN line names.
    pub(super) label: &'a [u8],
    /// All between the BEGIN and the END line, as found.
    pub(super) body: &'a [u8],
    /// Whether the END line is there.
    pub(super) complete: bool,
}

/// Finds the first BEGIN line that names a private key, and the END line after it.
pub(super) fn armor(block: &[u8]) -> Option<Armor<'_>> {
    let begins = memmem::find_iter(block, b"BEGIN ").map(|at| &block[at + 6..]);
    let (rest, label) = begins
        .filter_map(|rest| Some((rest, &rest[..memmem::find(&rest[..rest.len().min(64)], b"----")?])))
        .find(|(_, label)| memmem::find(label, b"PRIVATE KEY").is_some())?;
    let after = &rest[label.len()..];
    let after = &after[after.iter().position(|byte| *byte != b'-').unwrap_or(after.len())..];
    let end = memmem::find(after, b"---- END").or_else(|| memmem::find(after, b"-----END"));
    Some(Armor { label: label.trim_ascii(), body: &after[..end.unwrap_or(after.len())], complete: end.is_some() })
}

/// What the body of a block says once its wrapping is off.
#[derive(Default)]
pub(super) struct Body {
    /// Names of headers and their values.
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Words of base64, in order.
    pub(super) words: Vec<Vec<u8>>,
    /// Whether a word that is no base64 ended it.
    pub(super) cut: bool,
}

impl Body {
    /// The bytes the words stand for.
    pub(super) fn decode(&self) -> Option<Vec<u8>> {
        BASE64.decode(self.words.concat()).ok()
    }

    pub(super) fn header(&self, name: &[u8]) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    }
}

/// Takes the wrapping off: quotes and what stands between them, escapes, comment marks, indentation. Headers come first.
pub(super) fn body(raw: &[u8]) -> Body {
    let mut body = unwrapped(raw);
    // A remark behind the BEGIN line: the first line of a body is never much shorter than the next.
    if let [first, second, ..] = &body.words[..]
        && first.len() < 16
        && second.len() >= 40
    {
        body.words.remove(0);
    }
    body
}

fn unwrapped(raw: &[u8]) -> Body {
    let text = unescape(&quoted(raw).unwrap_or_else(|| raw.to_vec()));
    let mut body = Body::default();
    let mut prefix: &[u8] = b"";
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).peekable();
        while let Some(word) = words.next() {
            if body.words.is_empty() && is_header(word) {
                let mut value = Vec::new();
                while let Some(part) = words.next_if(|part| !is_long_base64(part) && !is_header(part)) {
                    value.extend_from_slice(part);
                    // These two have values of one word; a block on one line goes on after it.
                    if matches!(word, b"Proc-Type:" | b"DEK-Info:") {
                        break;
                    }
                }
                body.headers.push((word[..word.len() - 1].to_vec(), value));
                continue;
            }
            let Some(word) = base64_word(word, &mut prefix, body.words.is_empty()) else {
                body.cut = true;
                return body;
            };
            if !word.is_empty() {
                body.words.push(word.to_vec());
            }
        }
    }
    body
}

fn is_header(word: &[u8]) -> bool {
    word.len() > 2 && word.ends_with(b":") && word[0].is_ascii_alphabetic()
}

fn is_long_base64(word: &[u8]) -> bool {
    word.len() >= 48 && word.iter().all(|byte| is_base64(*byte))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// The base64 of a word, without marks before and behind it; empty for a mark alone, none for a word that is neither.
fn base64_word<'a>(word: &'a [u8], prefix: &mut &'static [u8], first: bool) -> Option<&'a [u8]> {
    if matches!(word, b"+" | b"//" | b"///") {
        return Some(b"");
    }
    let start = word.iter().position(|byte| is_base64(*byte)).unwrap_or(word.len());
    let end = word.iter().rposition(|byte| is_base64(*byte)).map_or(start, |last| last + 1);
    let trimmed = &word[start..end];
    if !word.is_ascii() || memmem::find(word, b"..").is_some() || !trimmed.iter().all(|byte| is_base64(*byte)) {
        return None;
    }
    if first {
        // No key begins with these digits: a comment or a patch does.
        *prefix = [b"//".as_slice(), b"+"].into_iter().find(|mark| trimmed.starts_with(mark)).unwrap_or(b"");
    }
    Some(trimmed.strip_prefix(*prefix).unwrap_or(trimmed))
}

/// What stands inside the quotes, where the block is a concatenation of string literals; it begins inside one, and ends so.
fn quoted(raw: &[u8]) -> Option<Vec<u8>> {
    let quote = *raw.iter().find(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
    let mut inside = true;
    let mut text = Vec::with_capacity(raw.len());
    for byte in raw {
        if *byte == quote {
            inside = !inside;
            while text.last() == Some(&b'\\') {
                text.pop();
            }
            text.push(b'\n');
        } else if inside {
            text.push(*byte);
        }
    }
    inside.then_some(text)
}

/// Undoes escapes of C, JSON, URLs and XML, as often as they were applied; those of line ends, mostly.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..];
        let (replacement, length) = match byte {
            b'\\' => backslash(rest),
            b'%' => hex(rest, 1, 2).map_or((b'%', 1), |value| (value, 3)),
            b'&' if rest.get(1) == Some(&b'#') => {
                let length = rest.iter().take(8).position(|byte| *byte == b';').map_or(1, |end| end + 1);
                (if length > 1 { b'\n' } else { b'&' }, length)
            }
            _ => (byte, 1),
        };
        plain.push(replacement);
        at += length;
    }
    plain
}

/// The byte that a run of backslashes and what follows it stands for, and their length.
fn backslash(text: &[u8]) -> (u8, usize) {
    let run = text.iter().position(|byte| *byte != b'\\').unwrap_or(text.len());
    match text.get(run) {
        Some(b'n' | b'r') => (b'\n', run + 1),
        Some(b't') => (b' ', run + 1),
        Some(byte @ (b'/' | b'+' | b'=')) => (*byte, run + 1),
        Some(b'u') => hex(text, run + 1, 4).map_or((b' ', run), |value| (value, run + 5)),
        Some(b'x') => hex(text, run + 1, 2).map_or((b' ', run), |value| (value, run + 3)),
        _ => (b' ', run),
    }
}

/// An ASCII byte from hex digits.
fn hex(text: &[u8], at: usize, digits: usize) -> Option<u8> {
    let digits = std::str::from_utf8(text.get(at..at + digits)?).ok()?;
    let value = u8::try_from(u16::from_str_radix(digits, 16).ok()?).ok()?;
    value.is_ascii().then_some(value)
}

/// `2030-01-02T03:04:05Z` of seconds since 1970; none beyond year 9999.
pub(super) fn timestamp(seconds: i64) -> Option<String> {
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    if !(0..2_932_897).contains(&day) {
        return None;
    }
    // Days since 1 March of year 0, in eras of 400 years, whose months then have a pattern of their own.
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    Some(format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn words(text: &str) -> Option<String> {
        let body = body(text.as_bytes());
        (!body.cut).then(|| String::from_utf8(body.words.concat()).unwrap())
    }

    #[test]
    fn every_wrapping_comes_off() {
        for wrapped in [
            "\nMIIEab+/\ncdefgh==\n",
            "\r\nMIIEab+/\r\ncdefgh==\r\n",
            r"\nMIIEab+/\ncdefgh==\n",
            r"\\nMIIEab+/\\ncdefgh==\\n",
            r"\r\nMIIEab\u002b\/\r\ncdefgh\u003d=\r\n",
            " MIIEab+/ cdefgh== ",
            "%0AMIIEab%2B%2F%0Acdefgh%3D%3D%0A",
            "&#10;MIIEab+/&#xA;cdefgh==&#10;",
            "\\n\" +\n    \"MIIEab+/\\n\" +\n    \"cdefgh==\\n\" +\n    \"",
            "\",\n  \"MIIEab+/\",\n  \"cdefgh==\",\n  \"",
            "' . \"\\n\" .\n 'MIIEab+/' . \"\\n\" . 'cdefgh==' . \"\\n\" . '",
            "\\n\\\"\n\\\"MIIEab+/\\n\\\"\n\\\"cdefgh==\\n\\\"",
            "\\n\");\n sb.append(\"MIIEab+/\\n\");\n sb.append(\"cdefgh==\\n\");\n sb.append(\"",
            "\n# MIIEab+/\n# cdefgh==\n# ",
            "\n// MIIEab+/\n// cdefgh==\n// ",
            "\n//MIIEab+/\n//cdefgh==\n//",
            "\n * MIIEab+/\n * cdefgh==\n * ",
            "\n+MIIEab+/\n+cdefgh==\n+",
            "\n> MIIEab+/\n> cdefgh==\n> ",
            "\\\nMIIEab+/\\\ncdefgh==\\\n",
            "\n  MIIEab+/\n  cdefgh==\n",
        ] {
            assert_eq!(words(wrapped).as_deref(), Some("MIIEab+/cdefgh=="), "{wrapped:?}");
        }
    }

    #[test]
    fn elided_and_foreign_text_is_cut() {
        for text in ["\nMIIE...\n", "\n...\n", "\nMIIEab\n[snip,here]\nabcd\n", "\nMIIE\u{2026}\n", "\nMIIE***ab\n"] {
            assert_eq!(words(text), None, "{text:?}");
        }
        assert_eq!(words("\n").as_deref(), Some(""));
    }

    #[test]
    fn headers_are_told_apart_on_lines_and_on_one_line() {
        let lines = body(b"\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\nabcd\nefgh\n");
        let one = body(b" Proc-Type: 4,ENCRYPTED DEK-Info: AES-128-CBC,00FF abcd efgh ");
        for body in [lines, one] {
            assert_eq!(body.header(b"Proc-Type"), Some(b"4,ENCRYPTED".as_slice()));
            assert_eq!(body.words.concat(), b"abcdefgh");
        }
        let comment = body(b"\nVersion: GnuPG v2.4 (Linux)\nComment: a b: c\n\nabcd\n");
        assert_eq!(comment.words.concat(), b"abcd");
    }

    #[test]
    fn a_remark_behind_the_begin_line_is_passed_over() {
        let line = "k".repeat(64);
        assert_eq!(words(&format!(" fake\n{line}\n{line}\nabcd\n")), Some(format!("{line}{line}abcd")));
    }

    #[test]
    fn the_block_of_the_key_is_found_behind_others() {
        let text = b"-----BEGIN EC PARAMETERS-----\nabcd\n-----END EC PARAMETERS-----\n-----BEGIN EC PRIVATE KEY-----\nefgh\n-----END EC PRIVATE KEY-----";
        let armor = armor(text).unwrap();
        assert_eq!((armor.label, armor.body, armor.complete), (b"EC PRIVATE KEY".as_slice(), b"\nefgh\n".as_slice(), true));
    }

    #[test]
    fn days_are_counted_right() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_893_456_000, "2030-01-01T00:00:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(timestamp(seconds).as_deref(), Some(text));
        }
        assert_eq!(timestamp(253_402_300_800), None);
        assert_eq!(timestamp(-1), None);
        assert_eq!(timestamp(i64::MAX), None);
    }
}
