//! Finds keywords: which rules are worth trying, and where.
//!
//! Two stages. [`crate::vector::windows`] says where a keyword *could* be, by windows of four bytes: of each keyword the rarest of its windows is looked for, so that most
//! bytes of an image are passed over without a second look. At such a place, if the window is one of a keyword and not only of its hash, an Aho-Corasick
//! automaton, anchored where the keyword would begin, says which keywords are there. The automaton alone gives the same hits ([`Prefilter::plain`], which the tests
//! compare all engines with), but takes longer.
//!
//! Everything is case-insensitive for ASCII letters: windows are folded by setting bit 5, which also joins a few punctuation marks; the
//! automaton sorts those out.

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind};

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
    /// For each keyword, the offset of its window.
    offset_of: Vec<u8>,
    /// Of all keywords; built when one of them may be there, which in an image without text is never.
    automaton: OnceLock<NFA>,
    keywords: Vec<String>,
    /// For the plain engine; built when it is asked.
    plain: OnceLock<AhoCorasick>,
    longest: usize,
}

/// So many equal bytes are no secret's beginning.
const FILLER: usize = 64;

/// Whether a text begins with [`FILLER`] equal bytes.
#[inline]
fn is_filler(text: &[u8]) -> bool {
    text.get(..FILLER).is_some_and(|head| head[0] == head[FILLER - 1] && head[0] == head[1] && head[1..] == head[..FILLER - 1])
}

/// A window, and where its keywords begin in the list of members. Small, so that the table stays in a core's cache.
#[derive(Debug, Clone, Copy)]
struct Slot {
    window: u32,
    first: u32,
}

impl Slot {
    /// Of no window.
    const FREE: Slot = Slot { window: 0, first: u32::MAX };
}

/// A keyword that a window may be part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    /// Where the window stands in it.
    offset: u8,
    head: Head,
    /// Whether it is the last one of its window.
    is_last: bool,
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
    /// `0-9A-Za-z_-`.
    pub fn new(keywords: Vec<String>) -> Self {
        let mut members_of = std::collections::BTreeMap::<u32, Vec<Member>>::new();
        let mut offset_of = Vec::with_capacity(keywords.len());
        for keyword in &keywords {
            let bytes = keyword.as_bytes();
            let head = Head::new(bytes);
            let mut add = |window: u32, offset: u8| members_of.entry(window).or_default().push(Member { offset, head, is_last: false });
            if bytes.len() == 3 {
                for next in (b'0'..=b'9').chain(b'a'..=b'z').chain([b'_', b'-']) {
                    add(fold([bytes[0], bytes[1], bytes[2], next]), 0);
                }
                offset_of.push(0);
            } else {
                let (offset, window) = rarest_window(bytes);
                add(window, offset as u8);
                offset_of.push(offset as u8);
            }
        }
        let tables = Tables::new(members_of.keys().copied());
        let mut windows = vec![Slot::FREE; (members_of.len() * 2 + 1).next_power_of_two()].into_boxed_slice();
        let mut members = Vec::new();
        for (window, mut of_window) in members_of {
            let mut slot = hash(window) as usize & (windows.len() - 1);
            while windows[slot].first != Slot::FREE.first {
                slot = (slot + 1) & (windows.len() - 1);
            }
            of_window.sort_unstable();
            of_window.dedup();
            of_window.iter_mut().rev().take(1).for_each(|member| member.is_last = true);
            windows[slot] = Slot { window, first: members.len() as u32 };
            members.append(&mut of_window);
        }
        Self {
            tables,
            engine: Engine::best(),
            windows,
            members,
            offset_of,
            longest: keywords.iter().map(String::len).max().unwrap_or(0),
            automaton: OnceLock::new(),
            keywords,
            plain: OnceLock::new(),
        }
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
        let mut tried = None;
        for member in self.members(fold([text[place], text[place + 1], text[place + 2], text[place + 3]])) {
            let offset = usize::from(member.offset);
            let start = place.checked_sub(offset).filter(|start| owned.contains(start) && tried != Some(offset));
            if let Some(start) = start.filter(|&start| member.head.may_begin(&text[start..]) && !is_filler(&text[start..])) {
                tried = Some(offset);
                self.keywords_with(text, start, offset, found);
            }
            if member.is_last {
                return;
            }
        }
    }

    /// Tells of the keywords that begin at `start` and have their window at `offset`.
    #[cold]
    #[inline(never)]
    fn keywords_with(&self, text: &[u8], start: usize, offset: usize, found: &mut impl FnMut(Hit)) {
        self.keywords_at(text, start, |hit| {
            if usize::from(self.offset_of[hit.keyword]) == offset {
                found(hit);
            }
        });
    }

    /// The keywords that a window is of, up to the last one of them; none for most windows that share a hash with one.
    #[inline]
    fn members(&self, window: u32) -> &[Member] {
        let mut at = hash(window) as usize & (self.windows.len() - 1);
        loop {
            match self.windows[at] {
                Slot { first, .. } if first == Slot::FREE.first => return &[],
                Slot { window: known, first } if known == window => return &self.members[first as usize..],
                _ => at = (at + 1) & (self.windows.len() - 1),
            }
        }
    }

    /// Every keyword that begins at `start`.
    fn keywords_at(&self, text: &[u8], start: usize, mut found: impl FnMut(Hit)) {
        let end = (start + self.longest).min(text.len());
        let automaton = self
            .automaton
            .get_or_init(|| built(NFA::builder().ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(&self.keywords)));
        let Ok(mut state) = automaton.start_state(Anchored::Yes) else { return };
        for (index, &byte) in text[start..end].iter().enumerate() {
            state = automaton.next_state(Anchored::Yes, state, byte);
            if !automaton.is_special(state) {
                continue;
            }
            if automaton.is_dead(state) {
                return;
            }
            if automaton.is_match(state) {
                for nth in 0..automaton.match_len(state) {
                    let keyword = automaton.match_pattern(state, nth).as_usize();
                    let found_end = start + index + 1;
                    if automaton.pattern_len(aho_corasick::PatternID::must(keyword)) == index + 1 {
                        found(Hit { start, end: found_end, keyword });
                    }
                }
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
