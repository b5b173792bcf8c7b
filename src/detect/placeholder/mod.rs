//! Texts that are no secret but stand for one: `${DB_PASSWORD}`, `<your-key>`, `changeme`, `xxxxxxxx`; and whether a text reads as words.
//!
//! Pure, linear in the text, and careful the other way round too: a random token that happens to hold the word `test` is a token.
//! [`reference`] tells texts that name where the secret is, [`dummy`] those that only fill its place.

mod dummy;
mod reference;
mod wordlike;

pub use dummy::holds_telling_word;
pub use wordlike::{RANDOM, is_by_policy, is_wordlike, randomness, word_bits};

/// What a text that is no secret is instead. The word names the form, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder {
    /// It names where the secret is: a variable, a template, a vault, a file, a call.
    Reference(&'static str),
    /// It fills the place of one: an example, a run of one character, a word that says so.
    Dummy(&'static str),
}

/// Longest text that is looked at; no placeholder is longer.
const MAX_LENGTH: usize = 1_024;

/// Whether a text stands for a secret. For tokens with a marker (`ghp_`), pass what follows the marker.
pub fn placeholder(secret: &[u8]) -> Option<Placeholder> {
    let text = unquoted(secret);
    if text.len() > MAX_LENGTH {
        return dummy::filled(text).map(Placeholder::Dummy);
    }
    reference::reference(text).map(Placeholder::Reference).or_else(|| dummy::dummy(text).map(Placeholder::Dummy))
}

/// Without blanks and one pair of quotes.
fn unquoted(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    match text {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] | [b'`', inner @ .., b'`'] => inner.trim_ascii(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(state: &mut u64) -> usize {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as usize
    }

    #[test]
    fn references_and_dummies_are_told_apart() {
        assert_eq!(placeholder(b"${DB_PASSWORD}"), Some(Placeholder::Reference("variable")));
        assert_eq!(placeholder(b"\"changeme\""), Some(Placeholder::Dummy("word")));
        assert_eq!(placeholder(b" "), Some(Placeholder::Dummy("empty")));
    }

    #[test]
    fn random_tokens_are_no_placeholders_whatever_they_spell() {
        let mut state = 11;
        let alphabets: [&[u8]; 4] = [
            b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            b"0123456789abcdef",
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&*+-./=?@^_~",
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        ];
        for round in 0..40_000 {
            let alphabet = alphabets[round % 4];
            let length = 16 + random(&mut state) % 32;
            let mut text: Vec<u8> = (0..length).map(|_| alphabet[random(&mut state) % alphabet.len()]).collect();
            if round % 3 == 0 {
                let word: &[u8] = [b"test".as_slice(), b"Secret", b"example", b"key", b"todo"][round % 5];
                let at = random(&mut state) % (text.len() - word.len());
                text[at..at + word.len()].copy_from_slice(word);
            }
            assert_eq!(placeholder(&text), None, "{}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn no_input_panics() {
        let mut state = 3;
        let pieces: [&[u8]; 20] = [
            b"${",
            b"}",
            b"{{",
            b"}}",
            b"%",
            b"$",
            b"(",
            b")",
            b"<",
            b">",
            b"[",
            b"ENC",
            b"test",
            b"xxxx",
            b"0123",
            b"\xff\xc3",
            b"/",
            b".",
            b"::",
            b"__",
        ];
        for _ in 0..20_000 {
            let text: Vec<u8> = (0..random(&mut state) % 6).flat_map(|_| pieces[random(&mut state) % pieces.len()]).copied().collect();
            placeholder(&text);
            is_wordlike(&text);
            assert!((0.0..=1.0).contains(&randomness(&text)));
        }
        let long = vec![b'x'; 100_000];
        assert_eq!(placeholder(&long), Some(Placeholder::Dummy("repetition")));
        assert_eq!(placeholder(&[b"ab".as_slice(), &[0xff; 3_000], b"Q9"].concat()), Some(Placeholder::Dummy("repetition")));
    }
}
