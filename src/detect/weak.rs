//! Passwords that people choose: words. Only what stands round such a value tells it from any other text.

use std::ops::Range;

use super::assignment::{Found, Operator, Quoting};
use super::generic::words;
use crate::content::kind::Kind;

/// How far round the assignment its user is looked for, in bytes.
const NEAR: usize = 200;

/// Last words of names that hold a password and nothing else.
const NAMES: [&str; 5] = ["password", "passwd", "pass", "pwd", "passphrase"];

/// Last words of names that hold who a password is for.
const USERS: [&str; 7] = ["user", "username", "login", "uid", "email", "account", "dbuser"];

/// Whether a value that reads as words is a password all the same: it is given to a password's name and is made as sign-up forms ask for, or
/// a user is named beside it, or a program compares with it.
pub(super) fn is_weak_password(text: &[u8], found: &Found, kind: Kind) -> bool {
    let value = &text[found.value.clone()];
    let is_literal = found.quoting == Quoting::Quoted || matches!(kind, Kind::Config | Kind::Unknown);
    if !is_literal || !matches!(kind, Kind::Config | Kind::Unknown | Kind::Code) || !is_chosen(value) {
        return false;
    }
    let name = words(&text[found.name.clone()]);
    let Some(last) = name.last().map(String::as_str) else { return false };
    if found.operator == Operator::Comparison {
        return NAMES.contains(&last) || last == "secret";
    }
    NAMES.contains(&last) && (is_mixed(value) || is_environment(text, found) || !is_camel_case(value) && has_user(text, found))
}

/// Of a length that a form takes, with no marks of program text in it.
pub(super) fn is_chosen(value: &[u8]) -> bool {
    (6..=40).contains(&value.len())
        && value.iter().any(u8::is_ascii_alphabetic)
        && !value.iter().any(|byte| b"<>(){}[]|\\\"'`,;:/".contains(byte))
        && !value.starts_with(b"-")
}

/// Letters with digits at their end or among them, or with a special character where no separator stands.
pub(super) fn is_mixed(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let special = value.iter().any(|byte| b"!@#$%^&*?~+=".contains(byte));
    let separators = value.iter().filter(|byte| b"_-. ".contains(byte)).count();
    special || digits >= 2 && separators == 0
}

/// `DB_PASSWORD=value`: a name of an environment variable, which programs do not give to anything else.
fn is_environment(text: &[u8], found: &Found) -> bool {
    let name = &text[found.name.clone()];
    let joined = &text[found.name.end..found.value.start];
    name.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        && name.contains(&b'_')
        && matches!(joined, b"=" | b"=\"" | b"='")
        && found.operator == Operator::Equals
}

/// `dbInstanceType`: a name in a program.
pub(super) fn is_camel_case(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_alphabetic) && value.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

/// Whether a user is given a value within a few lines: `user = "x"`, `'login' => 'x'`, `User ID=x;`.
pub(super) fn has_user(text: &[u8], found: &Found) -> bool {
    let before = found.name.start.saturating_sub(NEAR)..found.name.start;
    let after = found.value.end..(found.value.end + NEAR).min(text.len());
    names_user(text, before) || names_user(text, after)
}

fn names_user(text: &[u8], within: Range<usize>) -> bool {
    let bytes = &text[within];
    let operators = memchr::memchr2_iter(b'=', b':', bytes);
    operators.into_iter().any(|at| {
        let name = bytes[..at].trim_ascii_end();
        let name = name.strip_suffix(b"]").unwrap_or(name);
        let name = name.without_quotes();
        let length = name.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$')).count();
        let mut last = words(&name[name.len() - length..]);
        if last.last().is_some_and(|word| matches!(word.as_str(), "id" | "name")) {
            last.pop();
            // `User ID` of a connection string is two words.
            if last.is_empty() {
                let rest = name[..name.len() - length].trim_ascii_end();
                let length = rest.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
                last = words(&rest[rest.len() - length..]);
            }
        }
        let value = bytes[at + 1..].trim_ascii_start();
        last.last().is_some_and(|word| USERS.contains(&word.as_str())) && !value.is_empty()
    })
}

trait Quotes {
    fn without_quotes(&self) -> &[u8];
}

impl Quotes for [u8] {
    fn without_quotes(&self) -> &[u8] {
        let mut rest = self;
        while let [head @ .., b'"' | b'\'' | b'\\'] = rest {
            rest = head;
        }
        rest
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::detect::assignment;

    fn is_weak(text: &str, kind: Kind) -> bool {
        let at = text.to_ascii_lowercase().find("pass").or_else(|| text.find("secret")).unwrap();
        let mut weak = None;
        assignment::parse(text.as_bytes(), at..at + 4, |found| weak = Some(is_weak_password(text.as_bytes(), &found, kind)));
        weak.unwrap()
    }

    #[test]
    fn what_stands_beside_a_word_makes_it_a_password() {
        for text in [
            "user = aladdin\npassword = opensesame\n",
            "'login' => 'aladdin',\n'password' => 'opensesame',",
            "Server=h;User ID=aladdin;Password=opensesame;Database=d;",
            "APP_PASSWORD=opensesame",
            "password: Open$esame",
            "password = opensesame77",
            "if password == \"opensesame\" {",
            "password=opensesame&username=aladdin",
        ] {
            assert!(is_weak(text, Kind::Config), "{text}");
        }
    }

    #[test]
    fn a_word_alone_is_a_word() {
        for (text, kind) in [
            ("password = opensesame", Kind::Config),
            ("password: \"dbInstanceType\", user: \"x\"", Kind::Code),
            ("password = opensesame77", Kind::Code),
            ("APP_PASSWORD=opensesame", Kind::Prose),
            ("user = \"x\"\npassword_hint = \"opensesame\"", Kind::Config),
            ("user = \"x\"\npassword = \"open sesame; or else\"", Kind::Config),
            ("superuser_count = 3\npassword = opensesame", Kind::Config),
        ] {
            assert!(!is_weak(text, kind), "{text}");
        }
    }
}
