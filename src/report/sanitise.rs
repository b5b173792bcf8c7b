//! Makes text of an image fit for a terminal. Paths and instructions are chosen by whoever built the image: an escape sequence in
//! a file name must not move the cursor, and a bidi override must not turn a path round.
//!
//! Hides nothing: what is neutralised is written as an escape. Redacting is not done here, and comes first.

use std::borrow::Cow;
use std::fmt::Write as _;

/// `bytes` as text; each byte that is not part of valid UTF-8 becomes `\xNN`.
pub fn bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    Cow::Owned(text)
}

/// The bytes that [`bytes`] wrote as `text`, as far as that can be told.
pub fn unescape(text: &str) -> Cow<'_, [u8]> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\x") {
        let escaped = rest.get(at + 2..at + 4).and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|byte| !byte.is_ascii());
        plain.extend_from_slice(&rest.as_bytes()[..at]);
        match escaped {
            Some(byte) => plain.push(byte),
            None => plain.extend_from_slice(b"\\x"),
        }
        rest = &rest[at + if escaped.is_some() { 4 } else { 2 }..];
    }
    plain.extend_from_slice(rest.as_bytes());
    if bytes(&plain) == text { Cow::Owned(plain) } else { Cow::Borrowed(text.as_bytes()) }
}

/// `text` with control, bidi and invisible characters escaped, line breaks among them: `\x1b`, `\u{202e}`.
pub fn terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => safe.push_str("\\n"),
            '\t' => safe.push_str("\\t"),
            '\r' => safe.push_str("\\r"),
            _ if !is_dangerous(character) => safe.push(character),
            _ if character.is_ascii() => {
                let _ = write!(safe, "\\x{:02x}", u32::from(character));
            }
            _ => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(character));
            }
        }
    }
    Cow::Owned(safe)
}

/// Whether a terminal, or the eye, could be led astray: controls (C0, DEL, C1), marks that reorder text (Unicode's UAX #9), breaks that
/// are not `\n`, and characters without width.
pub fn is_dangerous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_bidi_marks_are_written_out() {
        assert_eq!(terminal("a\x1b[2Jb\x07\u{9b}31m"), r"a\x1b[2Jb\x07\u{9b}31m");
        assert_eq!(terminal("/app/\u{202e}gpj.exe"), r"/app/\u{202e}gpj.exe");
        assert_eq!(terminal("two\nlines\tand\r\u{2028}"), r"two\nlines\tand\r\u{2028}");
    }

    #[test]
    fn ordinary_text_of_any_language_is_left_alone() {
        for text in ["/usr/lib/app.conf", "/srv/dätei", "/data/文件", "/x/ملف"] {
            assert!(matches!(terminal(text), Cow::Borrowed(same) if same == text));
            assert!(matches!(bytes(text.as_bytes()), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn escaped_bytes_are_read_back() {
        for plain in [&b"plain"[..], b"/a\xff\xfe/\xc3\xa4\xc3", b"\\x41\\xzz\\x", b"\\x", b""] {
            assert_eq!(&*unescape(&bytes(plain)), plain);
        }
        // This would be written as a letter.
        assert_eq!(&*unescape("\\xc3\\xa4"), b"\\xc3\\xa4");
    }

    #[test]
    fn bytes_that_are_no_utf8_are_escaped_one_by_one() {
        assert_eq!(bytes(b"/a\xff\xfe/\xc3\xa4\xc3"), "/a\\xff\\xfe/\u{e4}\\xc3");
    }
}
