//! `NAME=value` as `ENV`, `ARG` and `LABEL` have it, in Dockerfiles and in histories.

use super::Kind;

/// A name and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Without quotes.
    pub name: String,
    /// As typed, quotes and all; none for an `ARG` without a default.
    pub value: Option<String>,
    /// The whole of it, as typed.
    pub text: String,
}

/// The pairs of an instruction of `kind`, whose keyword is left out.
pub(super) fn of_instruction(kind: Kind, text: &str) -> Vec<Pair> {
    let words = words(text);
    // `ENV NAME the rest`, the old form.
    if kind != Kind::Arg && words.first().is_some_and(|word| !word.contains('=')) {
        let (name, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        return vec![Pair { name: unquoted(name), value: Some(value.trim().to_owned()), text: text.to_owned() }];
    }
    words.into_iter().map(pair).collect()
}

/// The pairs of a step. Builders write values down without quotes there, so a value goes on up to the next word with a `=` in it.
pub(super) fn of_step(text: &str) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    for word in text.split_whitespace() {
        match (is_named(word), pairs.last_mut()) {
            (false, Some(Pair { value: Some(value), text, .. })) => {
                for part in [value, text] {
                    part.push(' ');
                    part.push_str(word);
                }
            }
            _ => pairs.push(pair(word)),
        }
    }
    pairs
}

/// Whether `word` is `NAME=...`.
pub(super) fn is_named(word: &str) -> bool {
    let name = word.split_once('=').map(|(name, _)| name.trim_matches(['"', '\'']));
    name.is_some_and(|name| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_.-/".contains(c)))
}

fn pair(word: &str) -> Pair {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (word, None),
    };
    Pair { name: unquoted(name), value, text: word.to_owned() }
}

fn unquoted(text: &str) -> String {
    text.trim_matches(['"', '\'']).to_owned()
}

/// Words as a shell sees them, their quotes kept.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut quote, mut escaped) = (None, None, false);
    for (at, character) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if character.is_whitespace() && quote.is_none() {
            words.extend(start.take().map(|start| &text[start..at]));
            continue;
        } else if quote == Some(character) {
            quote = None;
        } else if quote.is_none() && matches!(character, '"' | '\'') {
            quote = Some(character);
        } else if character == '\\' && quote != Some('\'') {
            escaped = true;
        }
        start.get_or_insert(at);
    }
    words.extend(start.map(|start| &text[start..]));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pairs: &[Pair]) -> Vec<(&str, Option<&str>)> {
        pairs.iter().map(|pair| (pair.name.as_str(), pair.value.as_deref())).collect()
    }

    #[test]
    fn quotes_and_escapes_hold_a_value_together() {
        let pairs = of_instruction(Kind::Env, r#"A=b C="d e" F=g\ h I='j "k'"#);
        assert_eq!(names(&pairs), [("A", Some("b")), ("C", Some("\"d e\"")), ("F", Some(r"g\ h")), ("I", Some("'j \"k'"))]);
        assert_eq!(names(&of_instruction(Kind::Env, "A the rest = all")), [("A", Some("the rest = all"))]);
        assert_eq!(names(&of_instruction(Kind::Arg, "A B=c")), [("A", None), ("B", Some("c"))]);
        assert_eq!(names(&of_instruction(Kind::Label, "\"com.example\"=\"x y\"")), [("com.example", Some("\"x y\""))]);
    }

    #[test]
    fn a_value_of_a_step_goes_on_to_the_next_name() {
        assert_eq!(names(&of_step("A=b c d E=f")), [("A", Some("b c d")), ("E", Some("f"))]);
        assert_eq!(names(&of_step("TOKEN")), [("TOKEN", None)]);
    }
}
