//! Finds keywords: which rules are worth trying, and where.
//!
//! Two stages. A table over four-byte windows says in about a nanosecond per byte where a keyword *could* be: for each
//! keyword the rarest of its four-byte windows is in the table, so that most bytes of an image are passed over without a second look.
//! At such a place, if the window is one of a keyword and not only of its hash, an Aho-Corasick automaton, anchored where the keyword would
//! begin, says which keywords are there. The automaton alone gives the same hits ([`Prefilter::plain`], which the tests compare with), but
//! takes longer.
//!
//! Everything is case-insensitive for ASCII letters: windows are folded by setting bit 5, which also joins a few punctuation marks; the
//! automaton sorts those out.

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::automaton::Automaton;
use aho_corasick::{AhoCorasick, Anchored, Input, MatchKind};

/// Bits of the table's index: 256 KiB, which stay in a core's second cache. A bit set of an eighth of the size, for the first cache, costs
/// more in shifts than it saves in loads.
const BITS: u32 = 18;
/// Sets bit 5 of each byte: ASCII letters become lower case.
const FOLD: u32 = 0x2020_2020;
/// A keyword's window lies within its first bytes, so that the places to try are a bit set.
const MAX_OFFSET: usize = 31;

/// Finds keywords in text.
#[derive(Debug)]
pub struct Prefilter {
    /// One for each hash of a folded window of a keyword, else zero.
    table: Box<[u8; 1 << BITS]>,
    /// The windows themselves, by their hash, with the offsets of a keyword at which they stand, one bit each. Open addressing; an entry
    /// without offsets is free.
    windows: Box<[(u32, u32)]>,
    /// For each keyword, the offset of its window.
    offset_of: Vec<u8>,
    automaton: aho_corasick::nfa::contiguous::NFA,
    /// The same keywords for the plain engine, which is built when it is asked.
    keywords: Vec<String>,
    plain: OnceLock<AhoCorasick>,
    longest: usize,
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
    pub fn new(keywords: &[String]) -> Self {
        let mut table = Box::new([0u8; 1 << BITS]);
        let mut offsets = std::collections::BTreeMap::new();
        let mut offset_of = Vec::with_capacity(keywords.len());
        let mut add = |window: u32, offset: usize| {
            table[hash(window) as usize] = 1;
            *offsets.entry(window).or_insert(0u32) |= 1 << offset;
        };
        for keyword in keywords {
            let bytes = keyword.as_bytes();
            if bytes.len() == 3 {
                for next in (b'0'..=b'9').chain(b'a'..=b'z').chain([b'_', b'-']) {
                    add(fold(&[bytes[0], bytes[1], bytes[2], next]), 0);
                }
                offset_of.push(0);
            } else {
                let (offset, window) = rarest_window(bytes);
                add(window, offset);
                offset_of.push(offset as u8);
            }
        }
        let mut windows = vec![(0u32, 0u32); (offsets.len() * 4).next_power_of_two()].into_boxed_slice();
        for (window, mask) in offsets {
            let mut slot = hash(window) as usize & (windows.len() - 1);
            while windows[slot].1 != 0 {
                slot = (slot + 1) & (windows.len() - 1);
            }
            windows[slot] = (window, mask);
        }
        let automaton =
            aho_corasick::nfa::contiguous::NFA::builder().ascii_case_insensitive(true).match_kind(MatchKind::Standard).build(keywords);
        Self {
            table,
            windows,
            offset_of,
            automaton: built(automaton),
            keywords: keywords.to_vec(),
            plain: OnceLock::new(),
            longest: keywords.iter().map(String::len).max().unwrap_or(0),
        }
    }

    /// Length of the longest keyword.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Calls `found` for every keyword that begins within `owned`, in order of the windows that gave them away. Each comes once: by its own
    /// keyword's window.
    pub fn find(&self, text: &[u8], owned: Range<usize>, mut found: impl FnMut(Hit)) {
        const WIDE_FOLD: u64 = (FOLD as u64) << 32 | FOLD as u64;
        let end = (owned.end + MAX_OFFSET + 4).min(text.len());
        let mut at = owned.start;
        let Some(mut bytes) = text[..end].get(at..) else { return };
        // Two loads of eight bytes serve eight windows.
        while let Some(chunk) = bytes.first_chunk::<12>() {
            let first = u64::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3], chunk[4], chunk[5], chunk[6], chunk[7]]) | WIDE_FOLD;
            let second = u64::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7], chunk[8], chunk[9], chunk[10], chunk[11]]) | WIDE_FOLD;
            let mut hits = 0u64;
            for step in 0..4 {
                hits |= self.has((first >> (8 * step)) as u32) << step;
                hits |= self.has((second >> (8 * step)) as u32) << (step + 4);
            }
            while hits != 0 {
                self.at_window(text, at + hits.trailing_zeros() as usize, &owned, &mut found);
                hits &= hits - 1;
            }
            bytes = &bytes[8..];
            at += 8;
        }
        while let Some(chunk) = bytes.first_chunk::<4>() {
            if self.has(fold(chunk)) != 0 {
                self.at_window(text, at, &owned, &mut found);
            }
            bytes = &bytes[1..];
            at += 1;
        }
    }

    /// Tries the keywords that the window at `place` may be part of.
    #[cold]
    #[inline(never)]
    fn at_window(&self, text: &[u8], place: usize, owned: &Range<usize>, found: &mut impl FnMut(Hit)) {
        let mut mask = self.offsets(fold(&[text[place], text[place + 1], text[place + 2], text[place + 3]]));
        while mask != 0 {
            let offset = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            if let Some(start) = place.checked_sub(offset).filter(|start| owned.contains(start)) {
                self.keywords_at(text, start, |hit| {
                    if usize::from(self.offset_of[hit.keyword]) == offset {
                        found(hit);
                    }
                });
            }
        }
    }

    /// The offsets of keywords at which a window stands; none for most windows that share a hash with one.
    #[inline]
    fn offsets(&self, window: u32) -> u32 {
        let mut slot = hash(window) as usize & (self.windows.len() - 1);
        loop {
            match self.windows[slot] {
                (_, 0) => return 0,
                (known, mask) if known == window => return mask,
                _ => slot = (slot + 1) & (self.windows.len() - 1),
            }
        }
    }

    #[inline(always)]
    fn has(&self, window: u32) -> u64 {
        u64::from(self.table[hash(window) as usize])
    }

    /// Every keyword that begins at `start`.
    fn keywords_at(&self, text: &[u8], start: usize, mut found: impl FnMut(Hit)) {
        let end = (start + self.longest).min(text.len());
        let Ok(mut state) = self.automaton.start_state(Anchored::Yes) else { return };
        for (index, &byte) in text[start..end].iter().enumerate() {
            state = self.automaton.next_state(Anchored::Yes, state, byte);
            if !self.automaton.is_special(state) {
                continue;
            }
            if self.automaton.is_dead(state) {
                return;
            }
            if self.automaton.is_match(state) {
                for nth in 0..self.automaton.match_len(state) {
                    let keyword = self.automaton.match_pattern(state, nth).as_usize();
                    let found_end = start + index + 1;
                    if self.automaton.pattern_len(aho_corasick::PatternID::must(keyword)) == index + 1 {
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

#[inline(always)]
fn hash(window: u32) -> u32 {
    window.wrapping_mul(0x9E37_79B1) >> (32 - BITS)
}

fn fold(window: &[u8; 4]) -> u32 {
    u32::from_le_bytes(*window) | FOLD
}

/// The window of a keyword that is rarest in images, going by the frequency of its pairs of bytes.
fn rarest_window(keyword: &[u8]) -> (usize, u32) {
    let windows = keyword.windows(4).take(MAX_OFFSET + 1).enumerate();
    let information = |window: &[u8]| window.windows(2).map(|pair| rarity(pair[0], pair[1])).sum::<u32>();
    let best = windows.max_by_key(|(offset, window)| (information(window), std::cmp::Reverse(*offset)));
    best.map_or((0, 0), |(offset, window)| (offset, fold(&[window[0], window[1], window[2], window[3]])))
}

/// Eighths of a bit of information in a pair of folded bytes, counted over 350 MB of layers of two images (compilers, Java, Python and Node
/// applications).
fn rarity(first: u8, second: u8) -> u32 {
    /// 64 rows of 64: after folding, bytes are 0x20 to 0x3F and 0x60 to 0x7F.
    static PAIRS: &[u8; 4096] = include_bytes!("bigrams.bin");
    let index = |byte: u8| usize::from((byte | 0x20) & 0x1F | (byte & 0x40) >> 1);
    u32::from(PAIRS[index(first) * 64 + index(second)])
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

    fn fast(prefilter: &Prefilter, text: &[u8], owned: Range<usize>) -> Vec<Hit> {
        let mut hits = Vec::new();
        prefilter.find(text, owned, |hit| hits.push(hit));
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
    fn both_engines_agree() {
        let prefilter = Prefilter::new(&keywords());
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
    fn every_hit_belongs_to_exactly_one_part() {
        let prefilter = Prefilter::new(&keywords());
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
