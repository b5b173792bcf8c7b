//! Whether a text reads as words or looks random: what tells `password = forgot_password_link` from `password = kT9vQz2mWx`.
//!
//! Letters are judged by how usual each pair of neighbours is in the words of programs and their documentation; the rest by how often
//! the text changes between letters, digits and punctuation. Linear in the text, no allocation.

use crate::detect::entropy::shannon;

/// At and above this, a text looks random; see [`randomness`].
pub const RANDOM: f32 = 0.5;

/// How much a text looks random rather than made of words, from 0 to 1.
///
/// A logistic sum over a handful of features, fitted to generated passwords, keys and identifiers on one side and to identifiers, string literals,
/// paths, addresses and sentences of a programming language's library on the other. At [`RANDOM`], on texts that the fit
/// had not seen, one random text of 12 characters and more in about 300 reads as words, and one text of words in about 60 looks random (most of
/// them hold digests); of random texts of 8 to 12 characters, one in 16 reads as words.
pub fn randomness(value: &[u8]) -> f32 {
    let value = value.trim_ascii();
    if value.len() < 2 || is_foreign_text(value) {
        return 0.0;
    }
    let sum: f32 = BIAS + features(value).iter().zip(WEIGHTS).map(|(feature, weight)| feature * weight).sum::<f32>();
    1.0 / (1.0 + (-sum).exp())
}

/// Whether a person would read the text as words, not as a secret: identifiers, dotted, dashed and camel-case names, paths, sentences,
/// addresses without user information, numbers, versions, dates, words of any language.
pub fn is_wordlike(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    if value.is_empty() || is_foreign_text(value) || is_number(value) || is_address(value) {
        return true;
    }
    let has_user = memchr::memmem::find(value, b"://").is_some() && value.contains(&b'@');
    randomness(value) < RANDOM && !has_inner_digits(value) && !has_user && !is_by_policy(value)
}

/// Words made into a password as sign-up forms demand it: upper and lower case, a digit, a special character.
pub fn is_by_policy(value: &[u8]) -> bool {
    let special = |byte: &u8| b"!@#$%^&*?~+=".contains(byte);
    let classes = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit];
    (8..=40).contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || special(byte))
        && value.iter().any(special)
        && classes.iter().all(|class| value.iter().any(class))
}

/// By how many bits for each pair of letters the text is likelier to be words than letters at random; 0 for a text without letters.
pub fn word_bits(value: &[u8]) -> f32 {
    let letters = letters(value);
    letters.bits / letters.pairs.max(1) as f32
}

/// Letters beyond ASCII: words of a language we have no statistics of.
fn is_foreign_text(value: &[u8]) -> bool {
    !value.is_ascii() && std::str::from_utf8(value).is_ok_and(|text| text.chars().any(|char| !char.is_ascii() && char.is_alphabetic()))
}

/// Numbers, versions, dates, times, sizes: digits in groups of at most eight with marks between, few letters.
fn is_number(value: &[u8]) -> bool {
    let value = value.strip_prefix(b"v").unwrap_or(value);
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let marks = |byte: &u8| matches!(byte, b'.' | b'-' | b':' | b'/' | b'+' | b'_' | b',' | b' ' | b'%' | b'T' | b'Z');
    let groups = value.split(|byte| !byte.is_ascii_digit());
    value.first().is_some_and(u8::is_ascii_digit)
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || marks(byte))
        && groups.clone().all(|group| group.len() <= 8)
        && (letters <= 2 || letters <= 8 && value.contains(&b'.') && randomness(value) < RANDOM)
}

/// A URL that carries neither a user nor anything random.
fn is_address(value: &[u8]) -> bool {
    let Some(at) = memchr::memmem::find(value, b"://").filter(|at| *at <= 24) else {
        return false;
    };
    let scheme = value[..at].iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b':'));
    let rest = &value[at + 3..];
    let authority = rest.split(|byte| matches!(byte, b'/' | b'?' | b'#')).next().unwrap_or(rest);
    let random = |part: &[u8]| part.len() >= 16 && randomness(part) >= RANDOM;
    scheme && !authority.contains(&b'@') && !rest.split(|byte| matches!(byte, b'/' | b'?' | b'&' | b'=' | b'#')).any(random)
}

/// Digits between letters more than once, or more digits in all than a number at the end of a name has.
fn has_inner_digits(value: &[u8]) -> bool {
    let inner = value.windows(2).filter(|pair| pair[0].is_ascii_digit() && pair[1].is_ascii_alphabetic()).count();
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    inner > 1 + value.len() / 24 || digits > 4 && digits * 3 > value.len()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Digit,
    /// Stands between words.
    Separator,
    Punctuation,
}

fn class(byte: u8) -> Class {
    match byte {
        b'a'..=b'z' => Class::Lower,
        b'A'..=b'Z' => Class::Upper,
        b'0'..=b'9' => Class::Digit,
        b' ' | b'_' | b'-' | b'.' | b'/' | b':' | b',' | b'\\' => Class::Separator,
        _ => Class::Punctuation,
    }
}

const FEATURES: usize = 11;
const BIAS: f32 = WEIGHTED[0];
const WEIGHTS: [f32; FEATURES] = {
    let mut weights = [0.0; FEATURES];
    let mut at = 0;
    while at < FEATURES {
        weights[at] = WEIGHTED[at + 1];
        at += 1;
    }
    weights
};

/// What the fit says of the bias and of each feature.
#[rustfmt::skip]
const WEIGHTED: [f32; FEATURES + 1] = [-18.024, 0.489, -4.127, 30.088, 15.376, -0.903, -11.274, -7.940, 10.922, 2.932, -7.083, 0.561];

/// Letters as words of a program would have them, changes of class, digits, punctuation, evenness, length.
fn features(value: &[u8]) -> [f32; FEATURES] {
    let letters = letters(value);
    let length = value.len() as f32;
    let share = |wanted: fn(Class) -> bool| value.iter().filter(|byte| wanted(class(**byte))).count() as f32 / length;
    let is_hex = value.iter().all(u8::is_ascii_hexdigit);
    let (mut changes, mut broken) = (0u32, 0u32);
    for pair in value.windows(2) {
        match (class(pair[0]), class(pair[1])) {
            (Class::Separator, _) | (_, Class::Separator) | (Class::Upper, Class::Lower) => {}
            (Class::Lower, Class::Upper) => changes += 1,
            (first, second) => broken += u32::from(first != second),
        }
    }
    [
        letters.bits / letters.pairs.max(1) as f32,
        letters.bits / length,
        changes as f32 / length,
        broken as f32 / length,
        share(|class| class == Class::Digit),
        share(|class| class == Class::Punctuation),
        share(|class| class == Class::Separator),
        shannon(value) as f32 / (length.min(64.0)).log2(),
        length.min(64.0).ln(),
        letters.in_words as f32 / length,
        f32::from(u8::from(is_hex)),
    ]
}

/// What the letters of a text say.
#[derive(Default)]
struct Letters {
    /// Log-likelihood of being words, against letters at random, in bits.
    bits: f32,
    /// Pairs of neighbours judged, the ends of words among them.
    pairs: u32,
    /// Letters in runs of four and more that read as words.
    in_words: u32,
}

fn letters(value: &[u8]) -> Letters {
    let mut sum = Letters::default();
    let mut start = 0;
    while start < value.len() {
        let Some(first) = value[start..].iter().position(u8::is_ascii_alphabetic) else {
            break;
        };
        start += first;
        let run = &value[start..];
        let mut end = 1;
        while end < run.len() && run[end].is_ascii_alphabetic() && !(run[end - 1].is_ascii_lowercase() && run[end].is_ascii_uppercase()) {
            end += 1;
        }
        sum.add(&run[..end]);
        start += end;
    }
    sum
}

impl Letters {
    fn add(&mut self, word: &[u8]) {
        const END: usize = 26;
        let index = |byte: &u8| usize::from(byte.to_ascii_lowercase() - b'a');
        let mut last = END;
        let mut eighths = 0i32;
        for next in word.iter().map(index).chain([END]) {
            eighths += i32::from(PAIRS[last][next]);
            last = next;
        }
        let bits = eighths as f32 / 8.0;
        self.bits += bits;
        self.pairs += word.len() as u32 + 1;
        if word.len() >= 4 && bits > 0.3 * word.len() as f32 {
            self.in_words += word.len() as u32;
        }
    }
}

/// Eighths of a bit by which a letter (row) is followed by another (column) more often in words than at random; the last of each is the
/// end of a word. Counted over the distinct words of a language's standard library and of documentation.
#[rustfmt::skip]
const PAIRS: [[i8; 27]; 27] = [
    [-22, 2, 6, 3, -26, -18, -4, -25, -1, -36, -10, 12, 4, 13, -38, -1, -43, 13, 7, 16, -7, -11, -18, -19, -11, -30, 2],
    [12, -6, 0, -10, 11, -21, -16, -22, 9, -3, -32, 17, -13, -20, 9, -12, -45, 3, 4, -11, 10, -36, -36, -24, -4, -28, 10],
    [11, -23, -6, -13, 11, -20, -28, 12, 0, -35, 7, 2, -13, -23, 19, -19, -32, 0, -8, 11, -2, -24, -30, -40, -19, -36, 8],
    [6, -14, -12, -5, 20, -13, -20, -28, 15, -31, -30, -7, -18, -17, 4, -19, -39, -3, -1, -11, -2, -23, -28, -33, -18, -44, 24],
    [0, -18, 3, 9, -7, -5, -12, -28, -16, -36, -26, 2, -3, 11, -21, -7, -20, 15, 12, 5, -24, -10, -16, -2, -17, -35, 18],
    [6, -24, -11, -8, 8, 13, -15, -30, 19, -39, -35, 3, -23, -15, 13, -15, -36, 6, -2, -1, 4, -36, -30, -31, -11, -63, 13],
    [2, -28, -14, -20, 19, -22, -8, 1, 5, -44, -40, -2, -12, 1, -1, -23, -50, 8, 2, -12, -2, -30, -30, -39, -24, -25, 25],
    [18, -27, -23, -16, 19, -30, -30, -31, 12, -42, -22, -10, -13, -10, 14, -24, -43, 1, -12, 1, -2, -34, -23, -47, -14, -55, 17],
    [-2, -2, 6, 0, 0, -6, -1, -38, -31, -35, -21, 6, 1, 22, 8, -4, -40, -2, 9, 10, -31, -5, -48, -15, -43, -6, -2],
    [15, -14, 0, -1, 16, -19, -23, -22, 7, -21, -6, -21, -15, -15, 15, -2, -15, -12, 7, -11, 12, -33, -20, -40, -29, -42, 11],
    [6, -20, -21, -10, 21, -18, -7, -8, 11, -29, -22, 0, -18, -4, 0, -13, -29, -8, 7, -7, -5, -28, -11, -34, -15, -33, 22],
    [11, -23, -17, -3, 19, -17, -24, -31, 17, -41, -25, 10, -19, -21, 11, -17, -57, -25, -2, 0, -3, -19, -36, -38, 3, -33, 13],
    [19, -3, -20, -10, 20, -26, -28, -34, 11, -39, -22, -9, 0, -21, 9, 11, -44, -26, -1, -11, -2, -36, -38, -37, -13, -54, 11],
    [7, -22, 5, 9, 9, -6, 14, -26, 4, -32, -11, -14, -24, -10, 3, -17, -36, -23, 9, 14, -8, -13, -33, -43, -20, -34, 17],
    [-14, -6, 3, 4, -18, -11, -7, -26, -12, -32, -11, 5, 6, 19, -2, 3, -57, 15, 2, 1, 5, -6, -2, -21, -24, -32, 5],
    [15, -32, -13, -15, 16, -17, -23, -5, 4, -47, -20, 9, -22, -22, 9, 2, -35, 14, -1, 5, -3, -34, -22, -41, -3, -62, 12],
    [-11, -22, -23, -19, -9, -19, -36, -22, -11, -36, -55, -7, -21, -12, -21, -19, -18, -15, -4, -15, 33, -33, -13, -55, -32, -55, 18],
    [11, -20, -5, -5, 20, -17, -8, -32, 11, -46, -14, -11, -4, -7, 10, -13, -49, -4, 5, 3, -7, -17, -23, -45, -7, -44, 16],
    [-2, -30, -2, -22, 13, -22, -23, 0, 6, -43, -14, -9, -17, -19, 0, -1, -29, -20, 4, 16, 1, -28, -22, -42, -12, -35, 24],
    [9, -26, -7, -15, 18, -15, -32, 4, 15, -42, -28, -10, -14, -21, 5, -12, -53, 9, 3, -1, -7, -30, -19, -33, -4, -27, 18],
    [-1, 4, 0, -4, 3, -8, -6, -32, 1, -43, -20, 9, 4, 17, -14, 5, -64, 12, 10, 13, -27, -32, -35, -23, -34, -25, -4],
    [18, -20, -13, -24, 28, -22, -17, -30, 15, -64, -30, -23, -10, -17, 1, -22, -54, -15, -13, -15, -25, -26, -32, -25, -36, -40, 12],
    [17, -21, -9, -6, 12, -17, -17, 3, 17, -52, -26, -6, -17, 4, 9, -17, -33, 7, 6, -16, -25, -28, -19, -17, -36, -45, 14],
    [3, -11, 6, -6, 10, -5, -24, -11, 6, -50, -34, -12, -2, -22, -12, 12, -52, -12, -2, 16, -19, -23, -33, -1, -7, -26, 20],
    [-3, -13, -6, -13, -2, -16, -22, -33, -6, -40, -26, -6, -4, 2, -6, 11, -52, -11, 5, 1, -15, -22, -20, -34, -24, -16, 30],
    [11, -14, -25, -17, 26, -18, -34, -8, 14, -62, -28, -7, -7, -20, 4, -23, -45, -23, -10, -12, -12, -30, -25, -29, -8, -2, 17],
    [6, 1, 9, 5, 2, 2, -1, -4, 3, -11, -12, 1, 4, -1, -4, 7, -23, 5, 11, 4, -3, -11, -4, -14, -25, -21, -64],
];

#[cfg(test)]
mod tests {
    use super::*;

    fn random_text(state: &mut u64, alphabet: &[u8], length: usize) -> Vec<u8> {
        (0..length)
            .map(|_| {
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                alphabet[(*state >> 33) as usize % alphabet.len()]
            })
            .collect()
    }

    #[test]
    fn random_texts_look_random() {
        let mut state = 17;
        for (alphabet, length, least) in [
            (&b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[..], 20, 990),
            (b"0123456789abcdef", 32, 980),
            (b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 40, 990),
            (b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#%*+-.^_~", 16, 980),
            (b"abcdefghijklmnopqrstuvwxyz", 20, 970),
        ] {
            let random = (0..1_000).filter(|_| randomness(&random_text(&mut state, alphabet, length)) >= RANDOM).count();
            assert!(random >= least, "{random} of 1000, length {length}");
        }
    }

    #[test]
    fn what_people_read_is_wordlike() {
        for text in [
            "username",
            "forgot_password_link",
            "getUserPassword",
            "com.example.service.TokenProvider",
            "kebab-case-name",
            "HTTP_AUTHORIZATION",
            "Enter your password",
            "The token has expired and must be renewed.",
            "/etc/ssl/certs/ca-certificates",
            "https://host.example/login?next=home",
            "1.2.3",
            "v2.10.0",
            "2024-01-02",
            "2024-01-02T03:04:05Z",
            "3600",
            "application/json",
            "us-east-1",
            "en_US.UTF-8",
            "\u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}",
            "localhost:8080",
            "",
        ] {
            assert!(is_wordlike(text.as_bytes()), "{text}: {}", randomness(text.as_bytes()));
        }
    }

    #[test]
    fn what_nobody_reads_is_not() {
        let token = ["k9Xw2mVb", "7LpR4sT1", "yU6z"].concat();
        for text in [
            "tr0ub4dor&3",
            "S3cr3tP@ss",
            "Summer2024!",
            "Zxcv!2#4kQ",
            &token,
            "postgres://app:word@db/app",
            "9f86d081884c7d659a2feaa0c55ad015",
        ] {
            assert!(!is_wordlike(text.as_bytes()), "{text}: {}", randomness(text.as_bytes()));
        }
    }

    #[test]
    fn an_address_with_something_random_in_it_is_not_words() {
        assert!(!is_address(b"https://host.example/hook/k9Xw2mVb7LpR4sT1yU6z"));
        assert!(is_address(b"https://host.example/hook/list"));
        assert!(!is_address(b"https://me:pass@host.example/"));
    }
}
