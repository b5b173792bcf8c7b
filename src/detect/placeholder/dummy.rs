//! Texts that fill the place of a secret: runs, sequences, keyboard rows, words that say so.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::detect::words::WordList;

/// Words that make a text a placeholder when words make up most of it.
const TELLING: &str = "\
    changeme change changeit changethis replace replaceme replacewith example sample dummy placeholder redacted removed hidden \
    masked obfuscated censored foobar foobaz foo bar baz qux todo fixme tbd insert enter your yours yourself fake mock invalid \
    notreal lorem ipsum fill goes here put default demo test testing tester null none undefined unset empty blank unknown passw0rd \
    p@ssw0rd p@ssword pa55word pa55w0rd specify provide supply update setme somesecret some whatever anything something blah bogus \
    stub temp junk omitted superSecret abc123 notasecret notsecret notused unused deadbeef cafebabe xxx asdf qwerty qwertyuiop \
    asdfgh zxcvbn helloworld";
/// Names of what is missing: placeholders when they stand alone, or with words of the next list.
const NAMING: &str = "\
    password passwd passphrase pass pwd pw secret secrets token tokens key keys api apikey auth authorization credential credentials \
    bearer";
/// Words that stand beside those.
const FILLING: &str = "\
    access private public client user username login account admin root my the a an this that is it in on of or and to for with from \
    be not no value string text database db server host service app application session basic jwt oauth github gitlab aws azure \
    google slack id name super very long random real actual own new old please me you should must will production prod dev \
    development local staging only use used set get hash salt encryption signing webhook environment variable env config configured \
    required optional file mysql postgres redis mongo rabbitmq smtp mail email domain com org net foundation generated generate \
    characters chars at least security secure safe certificate cert pem begin end rsa ssh code data number one two three";
/// Whole texts that say there is nothing.
static NOTHING: WordList = WordList::new(
    "\
    none null nil nul undefined true false yes no on off n/a na nan tbd todo fixme xxx ... empty void unset default - ? null, none, \
    (null) (none) '' [] {} () <> optional required disabled enabled ok",
);
/// Rows that fingers run along.
const ROWS: &[&[u8]] = &[
    b"qwertyuiop",
    b"asdfghjkl",
    b"zxcvbnm",
    b"qwertzuiop",
    b"azertyuiop",
    b"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik",
    b"!@#$%^&*()",
    b"zaq12wsx",
    b"q1w2e3r4t5y6",
];

/// The kind of filling, as a word for people.
pub(super) fn dummy(text: &[u8]) -> Option<&'static str> {
    if text.is_empty() {
        return Some("empty");
    }
    if NOTHING.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes())) {
        return Some("nothing");
    }
    // In the middle of a long text it is no accident either: one in 10^11 random tokens of a hundred characters has it.
    let is_marked = text.len() >= 32 && memchr::memmem::find(text, b"EXAMPLE").is_some();
    if is_marked || text.ends_with(b"EXAMPLE") || text.ends_with(b"EXAMPLEKEY") || text.ends_with(b"EXAMPLETOKEN") {
        return Some("example");
    }
    if let Some(kind) = filled(text) {
        return Some(kind);
    }
    if is_bracketed(text) {
        return Some("brackets");
    }
    if is_sequence(text) {
        return Some("sequence");
    }
    is_words(text).then_some("word")
}

/// `<your key>`, `[key]`, `(secret)`, `*key*`: text that calls for another in its place.
fn is_bracketed(text: &[u8]) -> bool {
    match text {
        [b'<', inner @ .., b'>'] => !inner.iter().any(|byte| matches!(byte, b'<' | b'>')) && inner.len() <= 200,
        [b'[', inner @ .., b']'] | [b'(', inner @ .., b')'] | [b'*', inner @ .., b'*'] => super::randomness(inner) < super::RANDOM,
        _ => false,
    }
}

/// One or two characters over and over, a short text over and over, or a run that is most of the text.
pub(super) fn filled(text: &[u8]) -> Option<&'static str> {
    let mut seen = [false; 256];
    text.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    let distinct = seen.iter().filter(|seen| **seen).count();
    // Texts of digits, or bits, are short of characters by nature.
    if text.len() >= 3 && (distinct == 1 || distinct == 2 && text.len() >= 6) {
        return Some("repetition");
    }
    if (2..=8).any(|period| text.len() >= 3 * period && text.len() >= 9 && text[period..].iter().zip(text).all(|(next, byte)| next == byte))
    {
        return Some("repetition");
    }
    let (byte, run) = longest_run(text);
    let filler = matches!(byte, b'x' | b'X' | b'*' | b'.' | b'#' | b'?' | b'_' | b'-' | b'0' | b'=' | b'~' | 0xa2 | 0x80);
    // So reports write what they do not show: `ghp_****(40)`.
    let hidden = byte == b'*' && run >= 4;
    let most = hidden || run >= 4 && run * 2 >= text.len() && filler || run >= 5 && run * 4 >= text.len() * 3;
    let masked = distinct <= text.len() && run >= 8 && filler && run * 3 >= text.len();
    (most || masked || run >= 16 && run * 4 >= text.len()).then_some("repetition")
}

/// The longest run of one byte, without regard to case.
fn longest_run(text: &[u8]) -> (u8, usize) {
    let runs = text.chunk_by(|first, second| first.eq_ignore_ascii_case(second));
    runs.map(|run| (run[0], run.len())).max_by_key(|(_, length)| *length).unwrap_or((0, 0))
}

/// Letters, digits and rows of the keyboard in order, one by one, in pairs or doubled, for most of the text.
fn is_sequence(text: &[u8]) -> bool {
    let plain: Vec<u8> = text.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    if plain.len() < 6 || plain.len() * 3 < text.len() * 2 {
        return is_row(text);
    }
    let mut single = plain.clone();
    single.dedup();
    let halves = [0, 1].map(|from| plain.iter().skip(from).step_by(2).copied().collect::<Vec<u8>>());
    let interleaved = plain.len() >= 8 && halves.iter().all(|half| ordered(half) + 1 >= half.len());
    let most = |text: &[u8]| text.len() >= 6 && ordered(text) * 4 >= (text.len() - 1) * 3;
    most(&plain) || most(&single) && single.len() * 3 >= plain.len() || interleaved || is_row(&plain)
}

/// How many steps of the text go along the alphabet or the digits, up or down, three and more in one direction; `9` goes on to `0` and
/// to `a`, and the last letter back to the first digit.
fn ordered(text: &[u8]) -> usize {
    let step = |pair: &[u8]| match (pair[0], pair[1]) {
        (b'9', b'0' | b'a') | (b'z' | b'f', b'0' | b'1') => 1,
        (b'0', b'9') | (b'a', b'9') => -1,
        (first, second) if second == first + 1 => 1,
        (first, second) if first == second + 1 => -1,
        _ => 0,
    };
    let steps: Vec<i8> = text.windows(2).map(step).collect();
    steps.chunk_by(|first, second| first == second).filter(|run| run[0] != 0 && run.len() >= 3.min(steps.len())).map(<[i8]>::len).sum()
}

fn is_row(text: &[u8]) -> bool {
    let mut covered = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let length = ROWS.iter().map(|row| common(rest, row)).max().unwrap_or(0);
        covered += if length >= 4 { length } else { 0 };
        at += length.max(1);
    }
    text.len() >= 6 && covered * 4 >= text.len() * 3
}

/// Length of the longest start of the text that is part of a row, either way.
fn common(text: &[u8], row: &[u8]) -> usize {
    let Some(first) = text.first().map(u8::to_ascii_lowercase) else {
        return 0;
    };
    let Some(at) = row.iter().position(|byte| *byte == first) else {
        return 0;
    };
    let along =
        |row: &mut dyn Iterator<Item = &u8>| text.iter().zip(row).take_while(|(byte, key)| byte.to_ascii_lowercase() == **key).count();
    along(&mut row[at..].iter()).max(along(&mut row[..=at].iter().rev()))
}

/// All words in one automaton, those of [`TELLING`] first.
struct Words {
    automaton: AhoCorasick,
    telling: usize,
    naming: usize,
}

fn words() -> Option<&'static Words> {
    static WORDS: OnceLock<Option<Words>> = OnceLock::new();
    let build = || {
        let all = [TELLING, NAMING, FILLING].into_iter().flat_map(str::split_whitespace);
        let telling = TELLING.split_whitespace().count();
        let mut builder = AhoCorasick::builder();
        builder.ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest).kind(Some(AhoCorasickKind::ContiguousNFA));
        Some(Words { automaton: builder.build(all).ok()?, telling, naming: telling + NAMING.split_whitespace().count() })
    };
    WORDS.get_or_init(build).as_ref()
}

/// Words that say so, for most of the text, or that name what is missing, for all of it; with a number behind.
fn is_words(text: &[u8]) -> bool {
    let Some(words) = words() else { return false };
    let text = text.strip_suffix(b"...").unwrap_or(text);
    let end = text.iter().rposition(|byte| !byte.is_ascii_digit() && !matches!(byte, b'!' | b'.')).map_or(0, |last| last + 1);
    let (body, tail) = text.split_at(end);
    let total = body.iter().filter(|byte| byte.is_ascii_alphanumeric()).count();
    let digits = tail.iter().filter(|byte| byte.is_ascii_digit()).count();
    let (mut tells, mut names, mut covered) = (false, false, 0);
    for found in words.automaton.find_iter(body) {
        // Words of one or two letters count only where they stand alone.
        if found.len() <= 2 && !stands_alone(body, found.start(), found.end()) {
            continue;
        }
        covered += found.len();
        let word = found.pattern().as_usize();
        tells |= word < words.telling;
        names |= (words.telling..words.naming).contains(&word);
    }
    if total == 0 || !tells {
        return names && covered == total && digits <= 1;
    }
    let mark = |byte: &u8| matches!(byte, b'-' | b'_' | b' ' | b'.');
    let readable =
        body.iter().all(|byte| byte.is_ascii_alphabetic() || mark(byte) || matches!(byte, b'@' | b'0' | b'/' | b':' | b'\'' | b',' | b'!'));
    let most = covered * 4 >= total * 3 || body.iter().any(mark) && covered * 2 >= total && super::is_wordlike(body);
    digits <= 4 && (covered == total || readable && most)
}

/// Whether a word of at least four letters in the text tells that it is made up.
pub fn holds_telling_word(text: &[u8]) -> bool {
    words().is_some_and(|words| words.automaton.find_iter(text).any(|found| found.len() >= 4 && found.pattern().as_usize() < words.telling))
}

fn stands_alone(text: &[u8], start: usize, end: usize) -> bool {
    let letter = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    (start == 0 || !letter(start - 1)) && !letter(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fillings_are_known() {
        for (kind, texts) in [
            ("empty", &[""][..]),
            ("nothing", &["null", "None", "undefined", "true", "n/a", "TODO"]),
            ("example", &["wJalrXUtnFEMIbPxRfiCYEXAMPLEKEY", "7IOSFODNN7EXAMPLE"]),
            ("brackets", &["<your key>", "<API_KEY>", "[password]", "(secret)", "*token*"]),
            (
                "repetition",
                &[
                    "xxxxxxxx",
                    "********",
                    "....",
                    "00000000",
                    "aaaaaa",
                    "abababab",
                    "xxxx",
                    "abcabcabc",
                    "a1b2c3xxxxxxxxxxxxxxxx",
                    "XXXXXXXX-XXXX-XXXX",
                    "sk-xxxxxxxxxxxx",
                    "12341234123412341234",
                ],
            ),
            (
                "sequence",
                &[
                    "1234567890",
                    "0123456789abcdef",
                    "abcdefghijkl",
                    "ABCDEFGH",
                    "12345678",
                    "987654321",
                    "qwertyuiop",
                    "1qaz2wsx",
                    "a1b2c3d4e5f6",
                    "00112233445566778899aabbccddeeff",
                    "abcdef0123456789abcdef",
                ],
            ),
            (
                "word",
                &[
                    "changeme",
                    "CHANGE_ME",
                    "change-this",
                    "your-api-key-here",
                    "YOUR_API_KEY",
                    "my-secret",
                    "secret",
                    "password",
                    "Passw0rd",
                    "test",
                    "testing",
                    "test1234",
                    "foobar",
                    "dummy",
                    "placeholder",
                    "REDACTED",
                    "insert-token",
                    "example_token",
                    "api_key",
                    "sample-password",
                    "replace_with_real_secret",
                    "enter your password",
                    "the-secret-goes-here",
                    "some_token",
                    "fake-token",
                ],
            ),
        ] {
            for text in texts {
                assert_eq!(dummy(text.as_bytes()), Some(kind), "{text}");
            }
        }
    }

    #[test]
    fn words_inside_a_secret_do_not_make_it_a_dummy() {
        for text in [
            "kQtestz9Xw2mVb7LpR4sT1yU6",
            "example9Kx2QzvLm4TtR8aPq",
            "hunter2",
            "postgres",
            "admin",
            "4564545",
            "tr0ub4dor&3",
            "Summer2024!",
            "Kx2Qz-test-vLm4",
            "correcthorsebattery",
            "R00tPass77x",
            "EXAMPLEkq9z2x7w",
        ] {
            assert_eq!(dummy(text.as_bytes()), None, "{text}");
        }
    }
}
