//! The fast path: every engine that the processor has against definitions that are plain enough to be seen to be right.
//!
//! An input is keywords, how the text is cut, and the text, in which [`MARK`] stands for a keyword, so that keywords are there at all.

use std::ops::Range;
use std::sync::LazyLock;

use layersift::detect::prefilter::{Hit, Prefilter};
use layersift::fuzzing;
use layersift::random::Random;
use layersift::rule::RuleSet;

use super::input::Input;

/// In a text: a keyword follows, of the number in the next byte.
const MARK: u8 = 0xF5;
/// Longest text.
const MAX_TEXT: usize = 128 * 1024;
/// Keywords of which the text is made where the built-in ones are looked for.
const SHOWN: usize = 200;

/// Keywords, and a prefilter of them. The built-in ones are many, and their tables take long to make.
struct Keywords {
    all: Vec<String>,
    /// The numbers of the keywords that begin with a byte.
    by_first: Vec<Vec<usize>>,
    prefilter: Prefilter,
}

impl Keywords {
    fn new(all: Vec<String>) -> Self {
        let mut by_first = vec![Vec::new(); 256];
        all.iter().enumerate().for_each(|(number, keyword)| by_first[usize::from(keyword.as_bytes()[0])].push(number));
        Self { prefilter: Prefilter::new(all.clone()), by_first, all }
    }
}

static BUILTIN: LazyLock<Keywords> = LazyLock::new(|| {
    let rules = RuleSet::builtin();
    let mut all: Vec<String> = rules.rules().flat_map(|rule| rule.keywords.iter()).map(|keyword| keyword.to_ascii_lowercase()).collect();
    all.sort();
    all.dedup();
    Keywords::new(all)
});

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let count = usize::from(input.byte()) % 24;
    let made: Option<Keywords> = (count > 0).then(|| Keywords::new(keywords(&mut input, count)));
    let keywords = made.as_ref().unwrap_or(&BUILTIN);
    let (start, end) = (input.below(1 << 16), input.below(1 << 16));
    let text = text(&mut input, &keywords.all);
    let start = start % (text.len() + 1);
    let owned = start..start + end % (text.len() - start + 1);
    check_hits(keywords, &text, owned.clone());
    if let Some(made) = &made {
        check_windows(&made.all, &text, owned);
    }
    check_classes(&text[start..]);
}

/// Lower-case ASCII of at least three bytes.
fn keywords(input: &mut Input<'_>, count: usize) -> Vec<String> {
    let mut keywords: Vec<String> = (0..count)
        .map(|_| {
            let length = 3 + usize::from(input.byte()) % 45;
            let bytes = input.take(length).iter().map(|byte| (byte & 0x7F).to_ascii_lowercase());
            let keyword: String = bytes.map(char::from).collect();
            format!("{keyword:k<3}")
        })
        .collect();
    keywords.sort();
    keywords.dedup();
    keywords
}

/// A buffer that ends where the text does, so that a read beyond it is seen.
fn text(input: &mut Input<'_>, keywords: &[String]) -> Box<[u8]> {
    let mut text = Vec::new();
    while !input.0.is_empty() && text.len() < MAX_TEXT {
        match input.byte() {
            MARK => {
                let number = input.byte();
                let keyword = &keywords[usize::from(number) * SHOWN % keywords.len()];
                text.extend(
                    keyword.bytes().enumerate().map(
                        |(at, byte)| {
                            if number as usize >> (at % 8) & 1 == 1 { byte.to_ascii_uppercase() } else { byte }
                        },
                    ),
                );
            }
            byte => text.push(byte),
        }
    }
    text.into_boxed_slice()
}

/// Every keyword that begins within `owned`, once, but not in a long row of one byte. One of three bytes is found before a byte of a name, and may be found before others.
fn check_hits(keywords: &Keywords, text: &[u8], owned: Range<usize>) {
    let (mut must, mut may) = (Vec::new(), Vec::new());
    for start in owned.clone() {
        let rest = &text[start..];
        if rest.len() >= 64 && rest[..64].iter().all(|byte| *byte == rest[0]) {
            continue;
        }
        for &number in &keywords.by_first[usize::from(rest[0].to_ascii_lowercase())] {
            let keyword = keywords.all[number].as_bytes();
            if !rest.get(..keyword.len()).is_some_and(|head| head.eq_ignore_ascii_case(keyword)) {
                continue;
            }
            let hit = Hit { start, end: start + keyword.len(), keyword: number };
            let is_named = rest.get(keyword.len()).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
            if keyword.len() > 3 || is_named { must.push(hit) } else { may.push(hit) }
        }
    }
    must.sort_unstable();
    may.sort_unstable();
    for (engine, hits) in fuzzing::hits(&keywords.prefilter, text, owned.clone()) {
        let mut hits: Vec<Hit> = hits.into_iter().filter(|hit| may.binary_search(hit).is_err()).collect();
        hits.sort_unstable();
        assert_eq!(hits, must, "{engine} in {owned:?} of {}", text.escape_ascii());
    }
}

/// Every place with a window that is looked for, in order.
fn check_windows(keywords: &[String], text: &[u8], owned: Range<usize>) {
    let windows: Vec<[u8; 4]> = keywords.iter().filter_map(|keyword| keyword.as_bytes().last_chunk().copied()).collect();
    let folded = |window: &[u8]| [window[0] | 0x20, window[1] | 0x20, window[2] | 0x20, window[3] | 0x20];
    let sought: Vec<[u8; 4]> = windows.iter().map(|window| folded(window)).collect();
    let is_sought = |at: &usize| text.get(*at..*at + 4).is_some_and(|window| *at + 4 <= owned.end && sought.contains(&folded(window)));
    let must: Vec<usize> = owned.clone().filter(is_sought).collect();
    for (engine, places) in fuzzing::windows(&windows, text, owned.start, owned.end) {
        assert!(places.is_sorted_by(|one, next| one < next), "{engine}: places in order, each once");
        assert!(places.iter().all(|place| *place >= owned.start && place + 4 <= owned.end), "{engine}: within {owned:?}");
        let mut places = places.into_iter();
        let missed = must.iter().find(|place| !places.any(|found| found == **place));
        assert_eq!(missed, None, "{engine} in {owned:?} of {}", text.escape_ascii());
    }
}

/// What each byte is, by its neighbours within its 64 bytes.
fn check_classes(text: &[u8]) {
    let mut expected = vec![[0u64; 4]; text.len().div_ceil(64)];
    for (at, &byte) in text.iter().enumerate() {
        let is_last = at % 64 == 63;
        let next = text.get(at + 1).copied().unwrap_or(1);
        let follows = next.is_ascii_hexdigit() || b"#qux/\n\r".contains(&next);
        let is_quote = |byte: u8| b"\"'".contains(&byte);
        // What stands so many bytes before, if that is asked.
        let before = |back: usize, is: &dyn Fn(u8) -> bool| at % 64 < back || is(text[at - back]);
        let is_joint = if b"+.&|".contains(&byte) {
            before(1, &|byte| byte.is_ascii_whitespace() || is_quote(byte))
        } else if is_quote(byte) {
            before(1, &is_quote) || before(1, &|byte| byte.is_ascii_whitespace()) && before(2, &is_quote)
        } else {
            byte == b'\n' && before(1, &is_quote)
        };
        let of = [
            byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte),
            byte == 0,
            b"%&\\=".contains(&byte) && (is_last || follows),
            is_joint,
        ];
        for (word, is) in expected[at / 64].iter_mut().zip(of) {
            *word |= u64::from(is) << (at % 64);
        }
    }
    for (engine, classes) in fuzzing::classes(text) {
        assert_eq!(classes, expected, "{engine} of {}", text.escape_ascii());
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut random = Random::new(7);
    let mut seeds = Vec::new();
    for length in [0, 3, 4, 63, 64, 65, 80, 200, 700, 5000] {
        // The built-in keywords, and some of our own: whole ones, ones of three bytes, long ones, rows of one byte.
        let own: Vec<u8> = [&b"pass"[..], b"key", b"aaaa", b"://", b"-----begin rsa private key-----", b"token", b"a\0b"]
            .iter()
            .flat_map(|keyword| [&[keyword.len() as u8 - 3], *keyword].concat())
            .collect();
        for head in [vec![0], [&[7], &own[..]].concat()] {
            let mut seed = [&head[..], &[0, 0, 0xFF, 0xFF]].concat();
            let until = seed.len() + length;
            while seed.len() < until {
                match random.below(6) {
                    0 | 1 => seed.extend([MARK, random.below(256) as u8]),
                    2 => seed.extend(std::iter::repeat_n(b"aA\0+"[random.below(4)], random.below(90))),
                    3 => seed.extend(b"%41&#65;\\u0041 'a' + \"b\"+c 'd' .. \"e\" \"f\"\n'g' =3D PassWord=key_"),
                    4 => seed.extend(random.text(b"abcdefghijklmnop =\n0123456789", 40).bytes()),
                    _ => seed.extend((0..random.below(60)).map(|_| random.below(256) as u8)),
                }
            }
            seeds.push(seed);
        }
    }
    seeds
}
