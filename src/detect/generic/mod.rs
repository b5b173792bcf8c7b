//! Tells a secret from a word, for values that only their name gives away: `password = "..."`.

mod features;
mod model;
mod names;

pub use features::{COUNT, Feature, Features};
pub use model::Judgement;
pub(super) use names::words;

use super::assignment::Found;
use super::placeholder;
use super::weak::is_weak_password;
use crate::content::kind::Kind;
use crate::finding::Confidence;

/// How sure we are that the assigned value is a secret; none if it is not worth mentioning.
pub(super) fn score(text: &[u8], found: &Found, kind: Kind, is_decoded: bool) -> Option<Confidence> {
    let features = survey(text, found, kind, is_decoded)?;
    // Words that people choose for passwords look like any others: what stands beside them decides, and never to more than a guess.
    let chosen = || placeholder::is_wordlike(&text[found.value.clone()]) && is_weak_password(text, found, kind);
    let confidence = model::confidence(&features).or_else(|| chosen().then_some(Confidence::Possible))?;
    // Values in documentation, tests and examples are mostly made up, however random they look.
    let is_shown = matches!(kind, Kind::Prose | Kind::Sample);
    Some(if is_shown { confidence.min(Confidence::Possible) } else { confidence })
}

/// The same with its reasons.
pub fn explain(text: &[u8], found: &Found, kind: Kind, is_decoded: bool) -> Option<Judgement> {
    Some(model::judge(&survey(text, found, kind, is_decoded)?))
}

/// The features of an assignment; none where syntax alone says that it gives no secret to its name.
pub fn survey(text: &[u8], found: &Found, kind: Kind, is_decoded: bool) -> Option<Features> {
    let name = &text[found.name.clone()];
    let value = &text[found.value.clone()];
    let may_be = names::may_hold(name)
        && is_plain(value)
        && !matches!(kind, Kind::Locale | Kind::Checksums)
        && !is_reference(value)
        && !is_binary_around(text, found)
        && placeholder::placeholder(value).is_none();
    may_be.then(|| Features::of(text, found, kind, is_decoded))
}

/// Printable ASCII without blanks (a passphrase of words is a guess too far), not a path and not a URL.
fn is_plain(value: &[u8]) -> bool {
    value.len() >= 4
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
    use crate::random::Random;

    /// What is said of the values of the first name in `text` that holds a word for a secret.
    fn judge(text: &str, kind: Kind) -> Vec<Option<Confidence>> {
        let lower = text.to_ascii_lowercase();
        let at = ["passw", "secret", "token"].iter().find_map(|word| lower.find(word)).unwrap();
        let mut all = Vec::new();
        assignment::parse(text.as_bytes(), at..at + 5, |found| all.push(score(text.as_bytes(), &found, kind, false)));
        all
    }

    #[test]
    fn random_values_are_likely_and_words_are_nothing() {
        let random = Random::new(5).text(b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 20);
        assert_eq!(judge(&format!("DB_PASSWORD={random}"), Kind::Config), [Some(Confidence::Likely)]);
        assert_eq!(judge(&format!("password = \"{random}\""), Kind::Code), [Some(Confidence::Likely)]);
        for text in [
            "password=username_field",
            "token: application/json",
            "secret = some-setting-name",
            "password=${DB_PASSWORD}",
            "public_token=x8Jk2mQ9vLp3x8Jk2mQ9",
        ] {
            assert!(judge(text, Kind::Config).iter().all(Option::is_none), "{text}");
        }
    }

    #[test]
    fn a_bare_word_in_code_is_a_variable() {
        assert_eq!(judge("password = previousPasswordOrNull", Kind::Code), [None]);
    }

    #[test]
    fn each_value_of_a_list_is_judged() {
        let mut random = Random::new(9);
        let mut value = || random.text(b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 24);
        let text = format!("passwords: [\"{}\", \"see-below\", \"{}\"]", value(), value());
        assert_eq!(judge(&text, Kind::Config).iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn a_judgement_names_the_features_that_weigh_most() {
        let text = b"DB_PASSWORD=dbInstanceType";
        let mut judgement = None;
        assignment::parse(text, 3..8, |found| judgement = explain(text, &found, Kind::Config, false));
        let judgement = judgement.unwrap();
        let weights: Vec<f32> = judgement.reasons.iter().map(|(_, weight)| weight.abs()).collect();
        assert!(weights.len() == 3 && weights.is_sorted_by(|one, other| one >= other), "{judgement:?}");
        assert_eq!(judgement.confidence, None);
        assert!(judgement.reasons.iter().any(|(feature, weight)| *feature == Feature::Bits && *weight < 0.0), "{judgement:?}");
    }
}
