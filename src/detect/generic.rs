//! Tells a secret from a word, for values that only their name gives away: `password = "..."`.

use super::assignment::{Found, Operator, Quoting};
use super::placeholder;
use super::weak::is_weak_password;
use crate::content::kind::Kind;
use crate::finding::Confidence;

/// How sure we are that the assigned value is a secret; none if it is not worth mentioning.
pub(super) fn score(text: &[u8], found: &Found, kind: Kind, is_decoded: bool) -> Option<Confidence> {
    let name = &text[found.name.clone()];
    let value = &text[found.value.clone()];
    if !is_secret_name(name) || !is_plain(value) || is_binary_around(text, found) {
        return None;
    }
    // In program text a bare word is a variable, and after a comparison or in a list of arguments it says little.
    let is_code = matches!(kind, Kind::Code);
    if found.quoting == Quoting::Bare && (is_code || found.operator == Operator::Comparison) {
        return None;
    }
    if matches!(kind, Kind::Locale | Kind::Checksums)
        || is_reference(value)
        || is_self_naming(name, value) && !placeholder::is_by_policy(value)
    {
        return None;
    }
    if placeholder::is_wordlike(value) {
        return is_weak_password(text, found, kind).then_some(Confidence::Possible);
    }
    let randomness = placeholder::randomness(value);
    let strong = is_strong_name(name);
    let context = match kind {
        Kind::Config => 2,
        Kind::Code | Kind::Unknown => 1,
        Kind::Prose | Kind::Sample | Kind::Locale | Kind::Checksums => 0,
    };
    let floor = match (context, strong) {
        (2, true) => 0.45,
        (2, false) => 0.6,
        (1, true) => 0.6,
        (1, false) => 0.75,
        _ => 2.0,
    } + if is_decoded { 0.1 } else { 0.0 };
    if randomness >= floor && value.len() >= 10 && mixes(value) && !is_uuid(value) {
        return Some(Confidence::Likely);
    }
    (randomness >= 0.3 && !matches!(kind, Kind::Prose) && value.len() >= 6).then_some(Confidence::Possible)
}

/// Names whose last word says that the value is itself the secret: not `password_file`, `token_url`, `secret_name`, `passwordField`.
fn is_secret_name(name: &[u8]) -> bool {
    let words = words(name);
    const ABOUT: &[&str] = &[
        "file",
        "path",
        "dir",
        "url",
        "uri",
        "name",
        "names",
        "id",
        "ids",
        "field",
        "label",
        "title",
        "hint",
        "help",
        "error",
        "message",
        "msg",
        "type",
        "length",
        "len",
        "size",
        "min",
        "max",
        "count",
        "policy",
        "policies",
        "prompt",
        "placeholder",
        "input",
        "format",
        "expired",
        "expires",
        "expiry",
        "ttl",
        "age",
        "algorithm",
        "algo",
        "alg",
        "encoding",
        "store",
        "manager",
        "provider",
        "service",
        "class",
        "regex",
        "pattern",
        "endpoint",
        "header",
        "prefix",
        "suffix",
        "column",
        "table",
        "version",
        "ref",
        "arn",
        "keyword",
        "keywords",
        "callback",
        "env",
        "var",
        "command",
        "cmd",
        "text",
        "desc",
        "description",
        "required",
        "enabled",
        "disabled",
        "hash",
        "hashes",
        "checksum",
        "digest",
        "public",
        "usage",
        "limit",
        "mode",
        "method",
        "kind",
        "index",
        "offset",
        "pos",
        "position",
        "begin",
        "end",
        "start",
        "stop",
        "state",
        "status",
        "kwargs",
        "args",
        "is",
        "has",
        "no",
        "use",
        "tokenizer",
        "tokens",
        "tokenize",
        "tokenization",
        "bytes",
        "cost",
        "rounds",
        "strength",
    ];
    // Tokens that mark a place in a list or make a request unique open nothing.
    const MARKS: &[&str] = &[
        "next",
        "page",
        "paging",
        "pagination",
        "continuation",
        "continue",
        "client",
        "request",
        "sync",
        "lock",
        "change",
        "resume",
        "idempotency",
        "idempotent",
        "cancellation",
        "cancel",
        "marker",
        "cursor",
        "previous",
        "prev",
        "starting",
        "update",
        "dedup",
        "creation",
        "creator",
        "caller",
    ];
    let is_mark = words.iter().any(|word| word == "token") && words.iter().any(|word| MARKS.contains(&word.as_str()));
    if is_mark {
        return false;
    }
    match words.last() {
        Some(last) => {
            !ABOUT.contains(&last.as_str()) && !matches!(words.first().map(String::as_str), Some("is" | "has" | "no" | "use" | "public"))
        }
        None => false,
    }
}

/// Names that hardly ever stand before anything but a secret.
fn is_strong_name(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    [
        "passw",
        "pwd",
        "secret",
        "_pass",
        "passphrase",
        "api_key",
        "apikey",
        "api-key",
        "access_key",
        "accesskey",
        "private_key",
        "credential",
        "auth_token",
        "access_token",
    ]
    .iter()
    .any(|word| name.contains(word))
        || name == "pass"
        || name.ends_with("token")
}

/// Splits `dbPassword`, `DB_PASSWORD` and `db.password` into words.
pub(super) fn words(name: &[u8]) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last_lower = false;
    for &byte in name {
        let boundary = !byte.is_ascii_alphanumeric() || (byte.is_ascii_uppercase() && last_lower);
        if boundary && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| byte.is_ascii_alphanumeric()) {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        last_lower = byte.is_ascii_lowercase() || byte.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Printable ASCII without blanks (a passphrase of words is a guess too far), not a path and not a URL.
fn is_plain(value: &[u8]) -> bool {
    value.len() >= 6
        && value.iter().all(u8::is_ascii_graphic)
        && !value.starts_with(b"/")
        && !value.starts_with(b"./")
        && !value.starts_with(b"~/")
        && memchr::memmem::find(value, b"://").is_none()
}

/// Text that stands for a value kept elsewhere, or computed.
fn is_reference(value: &[u8]) -> bool {
    if value.ends_with(b"...") || value.ends_with(b"..") || value.ends_with(b"\xe2\x80\xa6") {
        return true;
    }
    let has = |needle: &[u8]| memchr::memmem::find(value, needle).is_some();
    value.starts_with(b"$")
        || value.starts_with(b"%")
        || value.starts_with(b"@")
        || value.starts_with(b"&")
        || value.starts_with(b"*")
        || has(b"${")
        || has(b"{{")
        || has(b"#{")
        || has(b"$(")
        || has(b"%s")
        || has(b"(?")
        || has(b"\\d")
        || has(b"[^")
        || has(b"<%")
        || has(b"()")
        || has(b"::")
        || has(b"->")
        || value.ends_with(b":")
        || value.ends_with(b"(")
}

/// `password = "password1"`: the value repeats its name.
fn is_self_naming(name: &[u8], value: &[u8]) -> bool {
    let (name, value) = (String::from_utf8_lossy(name).to_ascii_lowercase(), String::from_utf8_lossy(value).to_ascii_lowercase());
    let letters: String = value.chars().filter(char::is_ascii_alphabetic).collect();
    letters.is_empty()
        || name.contains(&letters)
        || (letters.len() >= 5 && ["password", "secret", "token", "apikey", "credential"].iter().any(|word| letters.contains(word)))
}

/// At least two of lower case, upper case, digits and punctuation; plain hex needs both digits and letters.
fn mixes(value: &[u8]) -> bool {
    let classes = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit, u8::is_ascii_punctuation];
    classes.iter().filter(|is| value.iter().any(*is)).count() >= 2 && value.iter().any(u8::is_ascii_digit)
}

/// An identifier in five groups of hex digits: some services issue secrets of this form, most use it for names.
fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, b)| if matches!(at, 8 | 13 | 18 | 23) { *b == b'-' } else { b.is_ascii_hexdigit() })
}

/// Whether the bytes round the assignment are a program's rather than a text's.
fn is_binary_around(text: &[u8], found: &Found) -> bool {
    let start = found.name.start.saturating_sub(32);
    let end = (found.value.end + 32).min(text.len());
    text[start..end].iter().any(|&b| b < 9 || (14..32).contains(&b) && b != 27)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::detect::assignment;

    fn judge(text: &str, kind: Kind) -> Option<Confidence> {
        let lower = text.to_ascii_lowercase();
        let at = ["passw", "secret", "token"].iter().find_map(|word| lower.find(word)).unwrap();
        score(text.as_bytes(), &assignment::parse(text.as_bytes(), at..at + 5)?, kind, false)
    }

    #[test]
    fn random_values_are_likely_and_words_are_nothing() {
        let random = crate::rule::generate::Random::new(5).text(b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 20);
        assert_eq!(judge(&format!("DB_PASSWORD={random}"), Kind::Config), Some(Confidence::Likely));
        assert_eq!(judge(&format!("password = \"{random}\""), Kind::Code), Some(Confidence::Likely));
        for text in [
            "password=username_field",
            "token: application/json",
            "secret = some-setting-name",
            "password=${DB_PASSWORD}",
            "password_file=x8Jk2mQ9vLp3",
        ] {
            assert_eq!(judge(text, Kind::Config), None, "{text}");
        }
    }

    #[test]
    fn a_bare_word_in_code_is_a_variable() {
        assert_eq!(judge("password = xK8vQ2mZ7pLw3nR", Kind::Code), None);
    }
}
