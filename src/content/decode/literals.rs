//! Strings as programs and settings write them: with escapes, cut at the end of a line, or put together from several literals.

use std::ops::Range;

use super::escapes::{backslash, word_at};
use super::{View, is_text, mostly_text, named};
use crate::vector::classes::{Classes, STEP};

/// Fewest bytes of a text that is put together.
const MIN_JOINED: usize = 16;
/// Most bytes of one literal of it.
const MAX_LITERAL: usize = 512;
/// Most literals of it.
const MAX_LITERALS: usize = 64;

/// Calls `found` for each such string whose first mark lies within `owned`.
pub(super) fn views(text: &[u8], owned: Range<usize>, classes: &[Classes], found: &mut dyn FnMut(View)) {
    for (index, word) in classes.iter().enumerate() {
        let base = owned.start + index * STEP;
        let mut bits = word.escape | word.joint;
        while bits != 0 {
            let place = base + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            if place >= owned.end {
                return;
            }
            match text[place..] {
                [b'\\', b'/', b'\\', b'/', ..] | [b'\\', b'\n', ..] | [b'\\', b'\r', b'\n', ..] => {
                    unescaped(text, place).into_iter().for_each(&mut *found);
                }
                [b'+' | b'.' | b'&' | b'|' | b'"' | b'\'' | b'\n', ..] => joined(text, place).into_iter().for_each(&mut *found),
                _ => {}
            }
        }
    }
}

/// The word round a backslash without its escapes, where that may matter: a URL whose slashes are escaped, a character that is written as a number,
/// a word that goes on in the next line.
pub(super) fn unescaped(text: &[u8], at: usize) -> Option<View> {
    let after = text.get(at + 1..)?;
    let is_worth = match after.first()? {
        b'/' => at > 0 && text[at - 1] == b':' && after.starts_with(b"/\\/"),
        b'u' | b'x' => backslash(&text[at..]).is_some(),
        b'\n' | b'\r' => at > 0 && text[at - 1].is_ascii_alphanumeric(),
        _ => false,
    };
    if !is_worth {
        return None;
    }
    let mut word = word_at(text, at);
    for _ in 0..MAX_LITERALS {
        let is_open = text[..word.end].ends_with(b"\\") && matches!(text.get(word.end), Some(b'\n' | b'\r'));
        let blanks = text[word.end..].iter().take(256).take_while(|byte| byte.is_ascii_whitespace()).count();
        if !is_open || word.end + blanks >= text.len() {
            break;
        }
        word.end = word_at(text, word.end + blanks).end;
    }
    // Its first escape that matters is the one that the word is told for.
    if text[word.start..at].windows(2).any(|pair| pair[0] == b'\\' && matches!(pair[1], b'/' | b'u' | b'x' | b'\n' | b'\r')) {
        return None;
    }
    let bytes = undone(&text[word.clone()]);
    (bytes.len() >= MIN_JOINED && mostly_text(&bytes)).then(|| named(text, word, bytes, "escapes"))
}

/// A text without the escapes that JSON, Java, JavaScript, YAML and `.properties` have in common.
fn undone(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte != b'\\' {
            out.push(byte);
            at += 1;
        } else if let Some((byte, length)) = backslash(&text[at..]) {
            out.push(byte);
            at += length;
        } else if matches!(text.get(at + 1), Some(b'\n' | b'\r')) {
            at += 1;
            at += text[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        } else {
            out.extend(text.get(at + 1).filter(|byte| is_text(**byte)));
            at += 2;
        }
    }
    out
}

/// The row of literals whose first joint is at `place`: `"ab" + "cd"` and what other languages have for it, or literals side by side.
fn joined(text: &[u8], place: usize) -> Option<View> {
    // Nearly always no other literal follows, which is seen at once.
    let operators = text[place..].iter().take(2).take_while(|byte| matches!(byte, b'+' | b'.' | b'&' | b'|')).count();
    if !is_quote(text[after_blanks(text, place + operators)?]) {
        return None;
    }
    let first = literal_before(text, place)?;
    let next = joint_after(text, first.end).filter(|joint| joint.place == place)?;
    // A row is told at its first joint. Sentences are put together as well, and all the time.
    if !text[first.clone()].iter().all(u8::is_ascii_graphic) || is_continued(text, first.start - 1) {
        return None;
    }
    let mut joined = text[first.clone()].to_vec();
    let (mut end, mut next) = (first.end, Some(next));
    for _ in 0..MAX_LITERALS {
        let Some(joint) = next else { break };
        joined.extend_from_slice(&text[joint.literal.clone()]);
        end = joint.literal.end;
        next = joint_after(text, end);
    }
    let is_worth = joined.len() >= MIN_JOINED && joined.iter().all(u8::is_ascii_graphic);
    is_worth.then(|| named(text, first.start..end, joined, "concatenation"))
}

/// What joins a literal to the one before it.
struct Joint {
    /// By which byte it is known: the operator, the end of the line that stands between, or else the opening quote.
    place: usize,
    literal: Range<usize>,
}

/// What joins the literal whose closing quote is at `end` to another: `+`, `.`, `..`, `&`, `||`, or blanks, or that one ends and the other begins.
fn joint_after(text: &[u8], end: usize) -> Option<Joint> {
    let at = after_blanks(text, end + 1)?;
    let length = match text[at..] {
        [b'.', b'.', ..] | [b'|', b'|', ..] => 2,
        [b'+' | b'.' | b'&', ..] => 1,
        [quote, ..] if is_quote(quote) && adjoins(text, end, at) => 0,
        _ => return None,
    };
    let literal = literal_after(text, at + length)?;
    let place = if length == 0 && text[end + 1] == b'\n' { end + 1 } else { at };
    Some(Joint { place, literal })
}

/// Whether the literal whose opening quote is at `start` goes on from another.
fn is_continued(text: &[u8], start: usize) -> bool {
    let Some(mut at) = before_blanks(text, start) else { return false };
    if !is_quote(text[at]) {
        let length = text[..=at].iter().rev().take(2).take_while(|&&byte| byte == text[at]).count();
        at = match (text[at], length) {
            (b'+' | b'&', _) | (b'.', 1) => at,
            (b'.' | b'|', 2) => at - 1,
            _ => return false,
        };
        return literal_before(text, at).is_some();
    }
    adjoins(text, at, start) && literal_before(text, at + 1).is_some()
}

/// Whether literals, of which one closes at `end` and the next opens at `start`, are one by standing side by side: with a blank between them, in lines that follow each other, or
/// with other quotes. More blanks part the columns of a table.
fn adjoins(text: &[u8], end: usize, start: usize) -> bool {
    match start - end {
        1 => text[end] != text[start],
        2 => true,
        _ => text[end + 1] == b'\n',
    }
}

const fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

fn after_blanks(text: &[u8], at: usize) -> Option<usize> {
    let blanks = text.get(at..)?.iter().take(64).take_while(|byte| byte.is_ascii_whitespace()).count();
    (at + blanks < text.len()).then_some(at + blanks)
}

fn before_blanks(text: &[u8], at: usize) -> Option<usize> {
    let blanks = text[..at].iter().rev().take(64).take_while(|byte| byte.is_ascii_whitespace()).count();
    (at - blanks).checked_sub(1)
}

/// What stands between the quotes of the literal that ends before `at`.
fn literal_before(text: &[u8], at: usize) -> Option<Range<usize>> {
    let end = before_blanks(text, at).filter(|&end| is_quote(text[end]))?;
    let from = end.saturating_sub(MAX_LITERAL);
    let start = text[from..end].iter().rposition(|&byte| byte == text[end] || byte == b'\n').map(|start| from + start)?;
    (text[start] == text[end]).then_some(start + 1..end)
}

/// What stands between the quotes of the literal that begins after `at`.
fn literal_after(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = after_blanks(text, at).filter(|&start| is_quote(text[start]))?;
    let rest = &text[start + 1..(start + 1 + MAX_LITERAL).min(text.len())];
    let end = rest.iter().position(|&byte| byte == text[start] || byte == b'\n').map(|end| start + 1 + end)?;
    (text[end] == text[start]).then_some(start + 1..end)
}

#[cfg(test)]
mod tests {
    use super::super::views;

    fn decoded(text: &str) -> Vec<(String, &'static str)> {
        let mut out = Vec::new();
        views(text.as_bytes(), 0..text.len(), &mut |view| out.push((String::from_utf8_lossy(&view.bytes).into_owned(), view.step)));
        out
    }

    #[test]
    fn literals_are_put_together_whatever_stands_between_them() {
        for text in [
            "key = \"abcdefgh\" + \"ijklmnop\"",
            "key = 'abcdefgh'+\n    'ijkl' + 'mnop';",
            "key = \"abcd\" + \"efgh\" + 'ijklmnop'",
            "key = 'abcdefgh' . 'ijkl'.'mnop';",
            "key = \"abcdefgh\" .. \"ijklmnop\"",
            "key = \"abcdefgh\" & \"ijkl\" &\r\n \"mnop\"",
            "key = 'abcdefgh' || 'ijklmnop'",
            "key = \"abcdefgh\" \"ijklmnop\"",
            "key = \"abcdefgh\"\n      \"ijkl\"\n\"mnop\"",
            "key = 'abcdefgh'\"ijkl\"'mnop'",
        ] {
            assert_eq!(decoded(text), [("key = abcdefghijklmnop".to_owned(), "concatenation")], "{text}");
        }
        for text in [
            "key = \"abcdefgh\", \"ijklmnop\"",
            "key = \"abcdefgh\"\"ijklmnop\"",
            "\"abcdefghi\".join(\"jklmnop\")",
            "'abcdefgh' && 'ijklmnop'",
            "key = \"abcdefgh\"  \"ijklmnop\"",
        ] {
            for shift in 0..70 {
                assert_eq!(decoded(&(" ".repeat(shift) + text)), [], "{text} after {shift} blanks");
            }
        }
        assert_eq!(decoded("'column'  'abcdefghi' 'jklmnopq'"), [("abcdefghijklmnopq".to_owned(), "concatenation")]);
        assert_eq!(decoded("x = \"Some words \" + \"and others of them\" + y"), []);
        assert_eq!(decoded("a + b + \"abcdefghijklmnopq\" + c"), []);
    }

    #[test]
    fn a_row_of_literals_belongs_to_the_part_that_owns_its_first_plus() {
        for text in [
            "key = 'abcdefgh' + 'ijkl' + 'mnop' + 'qrst'",
            "key = 'abcdefgh'\n 'ijkl' 'mnop'\n+ 'qrst'",
            "k = 'abcdefgh'\"ijkl\" 'mnop' . 'qrst'",
        ] {
            for cut in 0..text.len() {
                let mut count = 0;
                views(text.as_bytes(), 0..cut, &mut |_| count += 1);
                views(text.as_bytes(), cut..text.len(), &mut |_| count += 1);
                assert_eq!(count, 1, "cut at {cut} of {text}");
            }
        }
    }

    #[test]
    fn escapes_of_strings_are_undone() {
        let url = decoded(r#"{"url":"https:\/\/user:pa\u0026ss@example.org\/x"}"#);
        assert_eq!(url, [("{\"url\":https://user:pa&ss@example.org/x".to_owned(), "escapes")]);
        assert_eq!(decoded("token=abcdefghij\\\n    klmnopqrst\nx"), [("token=abcdefghijklmnopqrst".to_owned(), "escapes")]);
        assert_eq!(decoded("a = abcdefgh\\\r\n\tijkl\\\r\n\tmnopqrst\r\nx"), [("a = abcdefghijklmnopqrst".to_owned(), "escapes")]);
        assert_eq!(decoded("cd /usr/src \\\n  && make install"), []);
    }
}
