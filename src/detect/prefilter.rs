//! Finds keywords: which rules are worth trying, and where.
//!
//! Two stages. [`crate::vector::windows`] says where a keyword *could* be, by windows of four bytes: of each keyword the rarest of its windows is looked for, so that most
//! bytes of an image are passed over without a second look. At such a place, if the window is one of a keyword and not only of its hash, the keywords that have it
//! are compared with the text, first by their first eight bytes. An Aho-Corasick automaton gives the same hits ([`Prefilter::plain`], which the tests
//! compare all engines with), but takes longer to look, and so much longer to build that every start of the program would tell.
//!
//! Everything is case-insensitive for ASCII letters: windows are folded by setting bit 5, which also joins a few punctuation marks; the
//! comparison sorts those out.

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, Input};

use crate::vector::Engine;
use crate::vector::windows::{Tables, fold, hash, rarity};

/// A keyword's window lies within its first bytes, so that the places to try are a bit set.
const MAX_OFFSET: usize = 31;

/// Finds keywords in text.
#[derive(Debug)]
pub struct Prefilter {
    tables: Tables,
    engine: Engine,
    /// The windows themselves, by their hash. Open addressing.
    windows: Box<[Slot]>,
    /// The keywords of all windows, those of one after the other, by their offsets.
    members: Vec<Member>,
    keywords: Vec<String>,
    /// Of the same keywords; built when it is asked.
    plain: OnceLock<AhoCorasick>,
}

/// So many equal bytes are no secret's beginning.
const FILLER: usize = 64;

/// Whether a text begins with [`FILLER`] equal bytes.
#[inline]
fn is_filler(text: &[u8]) -> bool {
    text.get(..FILLER).is_some_and(|head| head[0] == head[FILLER - 1] && head[0] == head[1] && head[1..] == head[..FILLER - 1])
}

/// A window, and where its keywords are in the list of members. Without any it is free.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    window: u32,
    first: u32,
    end: u32,
}

/// A keyword that a window may be part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    /// Where the window stands in it.
    offset: u8,
    head: Head,
    /// Its number.
    keyword: u32,
}

/// The first bytes of a keyword, eight at most: what most texts that have its window have not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    /// Makes its letters lower case.
    fold: u64,
    /// The bytes that count.
    care: u64,
    bytes: u64,
}

impl Head {
    fn new(keyword: &[u8]) -> Self {
        let each = |of: fn(u8) -> u8| u64::from_le_bytes(std::array::from_fn(|index| keyword.get(index).map_or(0, |&byte| of(byte))));
        Self { fold: each(|byte| if byte.is_ascii_lowercase() { 0x20 } else { 0 }), care: each(|_| 0xFF), bytes: each(|byte| byte) }
    }

    /// Whether `text` may begin with the keyword; what is too short to tell may.
    #[inline]
    fn may_begin(self, text: &[u8]) -> bool {
        text.first_chunk().is_none_or(|&bytes| (u64::from_le_bytes(bytes) | self.fold) & self.care == self.bytes)
    }
}

/// A keyword at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Number of the keyword.
    pub keyword: usize,
}

impl Prefilter {
    /// Builds the tables for lower-case ASCII keywords of at least three bytes. A keyword of three bytes is found only before one of
    /// `0-9A-Za-z_-`, and before what follows it in a keyword that is longer.
    pub fn new(keywords: Vec<String>) -> Self {
        let members = members_by_window(&keywords);
        let by_window = || members.chunk_by(|(one, _), (next, _)| one == next);
        let tables = Tables::new(by_window().map(|of_window| of_window[0].0));
        let mut windows = vec![Slot::default(); (by_window().count() * 4).next_power_of_two()].into_boxed_slice();
        let mut first = 0;
        for of_window in by_window() {
            let window = of_window[0].0;
            let mut slot = hash(window) as usize & (windows.len() - 1);
            while windows[slot].end != 0 {
                slot = (slot + 1) & (windows.len() - 1);
            }
            let end = first + of_window.len() as u32;
            windows[slot] = Slot { window, first, end };
            first = end;
        }
        let members = members.into_iter().map(|(_, member)| member).collect();
        Self { tables, engine: Engine::best(), windows, members, keywords, plain: OnceLock::new() }
    }

    /// Calls `found` for every keyword that begins within `owned`, in order of the windows that gave them away. Each comes once: by its own
    /// keyword's window. One that begins [`FILLER`] equal bytes is passed over: that is no secret, and megabytes of it would wake rules at every byte.
    pub fn find(&self, text: &[u8], owned: Range<usize>, mut found: impl FnMut(Hit)) {
        self.find_by(self.engine, text, owned, &mut found);
    }

    /// The same with a certain engine.
    pub(crate) fn find_by(&self, engine: Engine, text: &[u8], owned: Range<usize>, found: &mut impl FnMut(Hit)) {
        let end = owned.end + MAX_OFFSET + 4;
        self.tables.find(engine, text, owned.start, end, &mut |place| self.at_window(text, place, &owned, found));
    }

    /// How many places of a text the first stage leaves to the second.
    pub(crate) fn places(&self, text: &[u8]) -> usize {
        let mut places = 0;
        self.tables.find(self.engine, text, 0, text.len(), &mut |_| places += 1);
        places
    }

    /// Tries the keywords that the window at `place` may be part of. Most windows are of none, or of one that does not begin as it has to.
    #[inline(never)]
    fn at_window(&self, text: &[u8], place: usize, owned: &Range<usize>, found: &mut impl FnMut(Hit)) {
        for member in self.members(fold([text[place], text[place + 1], text[place + 2], text[place + 3]])) {
            let start = place.checked_sub(usize::from(member.offset)).filter(|start| owned.contains(start));
            let Some(start) = start.filter(|&start| member.head.may_begin(&text[start..]) && !is_filler(&text[start..])) else { continue };
            self.at_start(text, start, member.keyword, found);
        }
    }

    /// Tells of a keyword if it begins at `start`.
    #[cold]
    #[inline(never)]
    fn at_start(&self, text: &[u8], start: usize, keyword: u32, found: &mut impl FnMut(Hit)) {
        let keyword = keyword as usize;
        let sought = self.keywords[keyword].as_bytes();
        let end = start + sought.len();
        if text.get(start..end).is_some_and(|there| there.eq_ignore_ascii_case(sought)) {
            found(Hit { start, end, keyword });
        }
    }

    /// The keywords that a window is of; none for most windows that share a hash with one.
    #[inline]
    fn members(&self, window: u32) -> &[Member] {
        let mut at = hash(window) as usize & (self.windows.len() - 1);
        loop {
            match self.windows[at] {
                Slot { end: 0, .. } => return &[],
                Slot { window: known, first, end } if known == window => return &self.members[first as usize..end as usize],
                _ => at = (at + 1) & (self.windows.len() - 1),
            }
        }
    }

    /// The same hits by the automaton alone, sorted: the engine the fast one is compared with. Keywords of three bytes come without
    /// regard to what follows.
    pub fn plain(&self, text: &[u8], owned: Range<usize>) -> Vec<Hit> {
        let input = Input::new(text).range(owned.start..text.len());
        let plain = self.plain.get_or_init(|| built(AhoCorasick::builder().ascii_case_insensitive(true).build(&self.keywords)));
        let hits = plain.find_overlapping_iter(input).map(|found| Hit {
            start: found.start(),
            end: found.end(),
            keyword: found.pattern().as_usize(),
        });
        let mut hits: Vec<Hit> = hits.filter(|hit| owned.contains(&hit.start)).collect();
        hits.sort_unstable();
        hits
    }
}

/// The keywords of each window, by windows, then by where the window stands, then the shorter one of two that one text may begin with.
fn members_by_window(keywords: &[String]) -> Vec<(u32, Member)> {
    let mut members = Vec::with_capacity(keywords.len() * 2);
    let mut short = Vec::new();
    let mut beginnings = Vec::new();
    for (number, keyword) in keywords.iter().enumerate() {
        let bytes = keyword.as_bytes();
        let member = |offset: usize| Member { offset: offset as u8, head: Head::new(bytes), keyword: number as u32 };
        if let [first, second, third] = *bytes {
            let before = (b'0'..=b'9').chain(b'a'..=b'z').chain([b'_', b'-']);
            members.extend(before.map(|next| (fold([first, second, third, next]), member(0))));
            short.push((bytes, member(0)));
        } else {
            let (offset, window) = rarest_window(bytes);
            members.push((window, member(offset)));
            if offset == 0 {
                beginnings.push((bytes, window));
            }
        }
    }
    // Where the longer one is there, the short one is too.
    for (keyword, member) in short {
        members.extend(beginnings.iter().filter(|(longer, _)| longer.starts_with(keyword)).map(|(_, window)| (*window, member)));
    }
    members.sort_unstable_by_key(|(window, member)| {
        (*window, member.offset, member.head, keywords[member.keyword as usize].len(), member.keyword)
    });
    members.dedup();
    members
}

/// The window of a keyword that is rarest in images, going by the frequency of its pairs of bytes.
fn rarest_window(keyword: &[u8]) -> (usize, u32) {
    let windows = keyword.windows(4).take(MAX_OFFSET + 1).enumerate();
    let information = |window: &[u8]| window.windows(2).map(|pair| rarity(pair[0], pair[1])).sum::<u32>();
    let best = windows.max_by_key(|(offset, window)| (information(window), std::cmp::Reverse(*offset)));
    best.map_or((0, 0), |(offset, window)| (offset, fold([window[0], window[1], window[2], window[3]])))
}

/// Keywords are short ASCII texts: only gigabytes of them could fail to build, and an automaton that finds less would make an image look
/// clean.
fn built<T>(automaton: Result<T, aho_corasick::BuildError>) -> T {
    #[allow(clippy::expect_used, reason = "see above")]
    automaton.expect("an automaton over the keywords of rules")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keywords() -> Vec<String> {
        ["ghp_", "password", "pass", "word", "akia", "eyj", "-----begin rsa private key-----", "aaaa", "://"].map(str::to_owned).to_vec()
    }

    /// What all engines find.
    fn fast(prefilter: &Prefilter, text: &[u8], owned: Range<usize>) -> Vec<Hit> {
        let by = |engine: Engine| {
            let mut hits = Vec::new();
            prefilter.find_by(engine, text, owned.clone(), &mut |hit| hits.push(hit));
            hits
        };
        let mut hits = by(Engine::Portable);
        for engine in Engine::all() {
            assert_eq!(by(engine), hits, "{engine:?} in {}", text.escape_ascii());
        }
        hits.sort_unstable();
        hits
    }

    fn texts() -> Vec<Vec<u8>> {
        let mut texts: Vec<Vec<u8>> =
            ["", "a", "PASSWORD=x", "passwordpassword", "aaaaaaaaa", "xx ghp_GHP_ akiAKIA", "eyJ0 eyJ", "-----BEGIN RSA PRIVATE KEY-----"]
                .map(|text| text.as_bytes().to_vec())
                .to_vec();
        let mut seed = 7u64;
        for length in [40, 300, 4000] {
            let pieces = [&b"pass"[..], b"word", b"ghp_", b"a", b"eyJ", b"\0", b"://", b"AKIA", b"-----BEGIN", b"xyz"];
            let mut text = Vec::new();
            while text.len() < length {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                text.extend_from_slice(pieces[(seed >> 33) as usize % pieces.len()]);
            }
            texts.push(text);
        }
        texts
    }

    #[test]
    fn engines_agree_on_bytes_that_are_no_text() {
        let prefilter = Prefilter::new(keywords());
        let mut random = crate::random::Random::new(11);
        for round in 0..400 {
            // Keywords with their case changed, bytes beyond ASCII that differ from theirs in the highest bit, and anything else.
            let mut text = Vec::new();
            while text.len() < 40 + round {
                let keyword = &prefilter.keywords[random.below(prefilter.keywords.len())];
                match random.below(4) {
                    0 => text.extend_from_slice(keyword.to_ascii_uppercase().as_bytes()),
                    1 => text.extend(keyword.bytes().map(|byte| byte | 0x80)),
                    2 => text.extend_from_slice(keyword.as_bytes()),
                    _ => text.extend((0..random.below(90)).map(|_| random.below(256) as u8)),
                }
            }
            let start = random.below(30);
            let _ = fast(&prefilter, &text, start..text.len() - random.below(8));
        }
    }

    #[test]
    fn both_engines_agree() {
        let prefilter = Prefilter::new(keywords());
        let follows = |text: &[u8], hit: &Hit| {
            hit.end - hit.start > 3 || text.get(hit.end).is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        };
        for text in texts() {
            let mut plain = prefilter.plain(&text, 0..text.len());
            plain.retain(|hit| follows(&text, hit));
            let mut fast = fast(&prefilter, &text, 0..text.len());
            fast.retain(|hit| follows(&text, hit));
            assert_eq!(fast, plain, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn a_keyword_in_a_long_row_of_one_byte_counts_near_its_end() {
        let prefilter = Prefilter::new(keywords());
        let text = [&[b'A'; 200][..], b"!"].concat();
        let starts: Vec<usize> = fast(&prefilter, &text, 0..text.len()).iter().map(|hit| hit.start).collect();
        assert_eq!(starts, (137..=196).collect::<Vec<_>>());
    }

    #[test]
    fn every_hit_belongs_to_exactly_one_part() {
        let prefilter = Prefilter::new(keywords());
        for text in texts() {
            let whole = fast(&prefilter, &text, 0..text.len());
            for cut in 0..=text.len().min(80) {
                let mut parts = fast(&prefilter, &text, 0..cut);
                parts.extend(fast(&prefilter, &text, cut..text.len()));
                parts.sort_unstable();
                assert_eq!(parts, whole, "cut at {cut} in {}", text.escape_ascii());
            }
        }
    }
}
