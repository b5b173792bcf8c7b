//! Comments in the image's own files that accept a secret: `layersift:allow` and `gitleaks:allow` on the line of the secret.
//!
//! Costs nothing where there is no candidate, and looks at [`LOOK`] bytes round one at most: lines can be as long as files.

use super::{Candidate, Chunk};
use crate::finding::{Suppression, allow};
use crate::rule::RuleSet;

/// Farthest that a comment stands from its secret, in bytes.
pub const LOOK: usize = 2 * 1024;
/// Longer texts after a mark are code, and no reason.
const MAX_REASON: usize = 200;
/// What both marks end with.
const ALLOW: &[u8] = b":allow";
const OURS: &str = "layersift";
const GITLEAKS: &str = "gitleaks";

/// Whether comments count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Comments {
    /// A secret with such a comment on its line is suppressed.
    #[default]
    Heeded,
    /// They say nothing.
    Ignored,
}

/// Suppresses those candidates that the line of their first or last byte accepts. Where a text was decoded, it is the line of the encoded
/// text.
pub fn suppress(rules: &RuleSet, chunk: &Chunk<'_>, candidates: &mut [Candidate]) {
    for candidate in candidates.iter_mut().filter(|candidate| candidate.suppressed.is_none()) {
        let rule = rules.rule(candidate.rule).facts.id.as_str();
        let detail = parts_of_lines(chunk.bytes, candidate.span.start, candidate.span.end).into_iter().find_map(|part| part.accepts(rule));
        candidate.suppressed = detail.map(|detail| Suppression { reason: allow::ALLOWED.into(), detail });
    }
}

/// A part of a line beside a secret.
struct Part<'t> {
    text: &'t [u8],
    /// Whether what follows a mark in it, to the end of the line, can be told: not what leads up to a secret or is part of one, nor what
    /// was cut, for half a secret cannot be redacted.
    is_tellable: bool,
}

/// What stands before the secret on its first line, after it on its last one, and after the first line's end of one of several lines, such
/// as the mark that begins a key.
fn parts_of_lines(text: &[u8], start: usize, end: usize) -> [Part<'_>; 3] {
    let (start, end) = (start.min(text.len()), end.min(text.len()));
    let before = &text[start.saturating_sub(LOOK)..start];
    let before = &before[before.iter().rposition(ends_line).map_or(0, |at| at + 1)..];
    let window = &text[end..text.len().min(end + LOOK)];
    let line_end = window.iter().position(ends_line);
    let is_whole = line_end.is_some() || end + window.len() == text.len();
    let after = &window[..line_end.unwrap_or(window.len())];
    let secret = &text[start..end.min(start + LOOK)];
    let first_line = secret.iter().position(ends_line).map_or(&[][..], |at| &secret[..at]);
    [Part { text: after, is_tellable: is_whole }, Part { text: before, is_tellable: false }, Part { text: first_line, is_tellable: false }]
}

/// In a binary file a text ends with a zero.
fn ends_line(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r' | 0)
}

impl Part<'_> {
    /// What says that a secret of `rule` is accepted, for people.
    fn accepts(&self, rule: &str) -> Option<String> {
        memchr::memmem::find_iter(self.text, ALLOW).find_map(|at| {
            let (before, after) = (&self.text[..at], &self.text[at + ALLOW.len()..]);
            let tool = [OURS, GITLEAKS].into_iter().find(|tool| ends_with_word(before, tool.as_bytes()))?;
            if after.first().is_some_and(|byte| is_word(byte) || *byte == b':') {
                return None;
            }
            let after = after.trim_ascii_start();
            let (rules, reason) = if tool == OURS { rules_and_reason(after) } else { (None, after) };
            let is_meant = rules.is_none_or(|rules| rules.split(|byte| *byte == b',').any(|id| id == rule.as_bytes()));
            let reason = if self.is_tellable { told(reason) } else { String::new() };
            let colon = if reason.is_empty() { "" } else { ": " };
            is_meant.then(|| format!("the line says {tool}:allow{colon}{reason}"))
        })
    }
}

fn is_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn ends_with_word(text: &[u8], word: &[u8]) -> bool {
    text.strip_suffix(word).is_some_and(|before| !before.last().is_some_and(is_word))
}

/// Takes the first word for ids of rules if it looks like some: one with a hyphen, as all ids of built-in rules have, or several with commas.
/// An id that is mistyped then accepts nothing, instead of everything.
fn rules_and_reason(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let (word, rest) = text.split_at(text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len()));
    let is_of_ids = word.iter().all(|byte| is_word(byte) || matches!(byte, b',' | b'*' | b'.'));
    let looks_like_ids = is_of_ids && word.first().is_some_and(u8::is_ascii_alphanumeric) && word.iter().any(|byte| b",-*".contains(byte));
    if looks_like_ids { (Some(word), rest) } else { (None, text) }
}

/// A reason without the end of the comment; nothing if it is too long to be one.
fn told(text: &[u8]) -> String {
    let ends = [&b"*/"[..], b"-->"];
    let end = ends.iter().filter_map(|end| memchr::memmem::find(text, end)).min().unwrap_or(text.len());
    let text = text[..end].trim_ascii();
    let text = text.strip_prefix(b"--").unwrap_or(text).trim_ascii_start();
    if text.len() > MAX_REASON { String::new() } else { String::from_utf8_lossy(text).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What accepts a secret of `rule`, the secret being `@` in the text.
    fn says(text: &str, rule: &str) -> Option<String> {
        let at = text.find('@').unwrap_or_default();
        parts_of_lines(text.as_bytes(), at, at + 1).into_iter().find_map(|part| part.accepts(rule))
    }

    #[test]
    fn a_mark_on_the_line_accepts_and_gives_its_reason() {
        let table = [
            ("x = '@' # layersift:allow", Some("the line says layersift:allow")),
            ("x = '@' # gitleaks:allow", Some("the line says gitleaks:allow")),
            ("x = '@' // gitleaks:allow of the emulator", Some("the line says gitleaks:allow: of the emulator")),
            ("x = '@' # layersift:allow a-rule", Some("the line says layersift:allow")),
            ("x = '@' # layersift:allow b-rule,a-rule, as agreed", Some("the line says layersift:allow: as agreed")),
            ("x = '@' # layersift:allow b-rule,a-rule as agreed", Some("the line says layersift:allow: as agreed")),
            ("x = '@' # layersift:allow a-rule -- as agreed", Some("the line says layersift:allow: as agreed")),
            ("x = '@' # layersift:allow -- test-key", Some("the line says layersift:allow: test-key")),
            ("x = '@' /* layersift:allow as agreed */ + y", Some("the line says layersift:allow: as agreed")),
            ("<!-- layersift:allow as agreed --> <x>@</x>", Some("the line says layersift:allow")),
            ("x = '@' # layersift:allow\r\nnext", Some("the line says layersift:allow")),
            ("\0x=@ layersift:allow\0", Some("the line says layersift:allow")),
            ("x = '@' # layersift:allow b-rule gitleaks:allow", Some("the line says gitleaks:allow")),
        ];
        for (text, expected) in table {
            assert_eq!(says(text, "a-rule").as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn other_lines_other_words_and_other_rules_accept_nothing() {
        let table = [
            "# layersift:allow\nx = '@'",
            "x = '@'\n# layersift:allow",
            "layersift:allow\0@",
            "x = '@' # layersift:allowed",
            "x = '@' # layersift:allow:a-rule",
            "x = '@' # Layersift:allow",
            "x = '@' # my-gitleaks:allow",
            "x = '@' # layersift: allow",
            "x = '@' # layersift:allow b-rule",
            "x = '@' # layersift:allow a-*",
            "x = '@' # layersift:allow a-rules,b",
        ];
        for text in table {
            assert_eq!(says(text, "a-rule"), None, "{text}");
        }
    }

    #[test]
    fn a_key_of_several_lines_is_accepted_on_its_first_and_last() {
        let says = |text: &str| {
            let (start, end) = (text.find('<').unwrap_or_default(), text.find('>').map_or(0, |at| at + 1));
            parts_of_lines(text.as_bytes(), start, end).into_iter().find_map(|part| part.accepts("r"))
        };
        for accepted in ["layersift:allow <BEGIN\nbody\nEND>", "<BEGIN layersift:allow\nbody\nEND>", "<BEGIN\nbody\nEND> layersift:allow"] {
            assert!(says(accepted).is_some(), "{accepted}");
        }
        for not in ["layersift:allow\n<BEGIN\nEND>", "<BEGIN\nbody layersift:allow\nEND>", "<one line layersift:allow>"] {
            assert_eq!(says(not), None, "{not}");
        }
    }

    #[test]
    fn only_so_much_of_a_long_line_is_looked_at_and_a_cut_reason_is_not_told() {
        let line = |before: usize, after: usize| format!("layersift:allow {}@{} layersift:allow", ".".repeat(before), ".".repeat(after));
        assert!(says(&line(LOOK - 16, LOOK), "r").is_some());
        assert!(says(&line(LOOK, LOOK - 16), "r").is_some());
        assert_eq!(says(&line(LOOK, LOOK - 15), "r"), None);
        let bare = Some("the line says layersift:allow".to_owned());
        assert_eq!(says(&format!("@ layersift:allow {}", "word ".repeat(LOOK)), "r"), bare);
        assert_eq!(says(&format!("@ layersift:allow {}", "x".repeat(MAX_REASON + 1)), "r"), bare);
        assert_eq!(says("layersift:allow for @", "r"), bare);
    }
}
