//! Which places of a text have a window of four bytes that may be one of a keyword's.
//!
//! Each byte of an image goes through here once, and most of them are no text. An engine asks two questions, the cheap one of all places at once:
//!
//! 1. *Groups.* The windows are put into eight groups, so that those of a group are alike. For each of a window's four bytes a table says which groups have a window
//!    with that byte there; the four answers anded are not zero for a seventh of the places of an image. 64 places take four permutations (AVX-512), 32 take eight (AVX2).
//! 2. *Bits.* Of a place that is left the folded window is hashed to one of 2^18 bits, 32 KiB, which stay in a core's first cache. Where many of 16 neighbours are left, as in text, all 16 are
//!    looked up at once.
//!
//! What did not pay, on a sample of 256 MiB of an image of compilers and Java, by processor time against the portable engine (1.00): bits for all places by gathers alone, 0.75; groups, then bits
//! for those that are left one by one, 0.55; the same with a queue that is looked up 16 at a time, 0.75. Groups and bits as above: 0.51. More groups hardly help: 16 leave 12 % of the places, 8 leave 15 %, one 22 %.
//!
//! The portable engine takes a table of bytes instead of bits, since it has to shift by hand.

use super::Engine;

/// Bits of a window's hash.
const BITS: u32 = 18;
/// What a folded window is multiplied with; the highest bits of the product are its hash.
const FACTOR: u32 = 0x9E37_79B1;
/// Sets bit 5 of each byte: ASCII letters become lower case.
const FOLD: u32 = 0x2020_2020;

/// Number of groups: one bit each of a byte.
const GROUPS: usize = 8;

/// What the engines look windows up in.
#[derive(Debug)]
pub(crate) struct Tables {
    /// One for each hash of a folded window, else zero: for the portable engine. 256 KiB, which stay in a core's second cache.
    bytes: Box<[u8; 1 << BITS]>,
    /// The same as bits.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "the engines that use it are for other processors"))]
    bits: Box<[u32; 1 << (BITS - 5)]>,
    /// For each of the four places of a window, and each folded byte, the groups that have it there.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "the engines that use it are for other processors"))]
    groups: [[u8; 128]; 4],
}

impl Tables {
    /// Tables for folded windows.
    pub(crate) fn new(windows: impl Iterator<Item = u32>) -> Self {
        let mut bytes = Box::new([0u8; 1 << BITS]);
        let mut bits = Box::new([0u32; 1 << (BITS - 5)]);
        let mut ascii = Vec::new();
        for window in windows {
            let hash = hash(window);
            bytes[hash as usize] = 1;
            bits[(hash >> 5) as usize] |= 1 << (hash & 31);
            ascii.push(window.to_le_bytes());
        }
        Self { bytes, bits, groups: groups(&ascii) }
    }

    /// Calls `hit` with places from `start` on, in order, whose window, which ends before `end`, may be one of those that the tables were made for: all of these, and a few others.
    pub(crate) fn find(&self, engine: Engine, text: &[u8], start: usize, end: usize, hit: &mut impl FnMut(usize)) {
        let text = &text[..end.min(text.len())];
        let rest = match engine {
            Engine::Portable => start,
            // SAFETY: an engine is made by `Engine::all` only, where the processor has what it needs.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code, reason = "the processor has the features, see above")]
            Engine::Avx2 => unsafe { self.avx2(text, start, hit) },
            // SAFETY: likewise.
            #[cfg(target_arch = "x86_64")]
            #[allow(unsafe_code, reason = "the processor has the features, see above")]
            Engine::Avx512 => unsafe { self.avx512(text, start, hit) },
        };
        self.portable(text, rest, hit);
    }

    fn portable(&self, text: &[u8], start: usize, hit: &mut impl FnMut(usize)) {
        const WIDE_FOLD: u64 = (FOLD as u64) << 32 | FOLD as u64;
        let has = |window: u32| u64::from(self.bytes[hash(window) as usize]);
        let mut at = start;
        let Some(mut bytes) = text.get(at..) else { return };
        // Two loads of eight bytes serve eight windows.
        while let Some(chunk) = bytes.first_chunk::<12>() {
            let first = u64::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3], chunk[4], chunk[5], chunk[6], chunk[7]]) | WIDE_FOLD;
            let second = u64::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7], chunk[8], chunk[9], chunk[10], chunk[11]]) | WIDE_FOLD;
            let mut hits = 0u64;
            for step in 0..4 {
                hits |= has((first >> (8 * step)) as u32) << step;
                hits |= has((second >> (8 * step)) as u32) << (step + 4);
            }
            while hits != 0 {
                hit(at + hits.trailing_zeros() as usize);
                hits &= hits - 1;
            }
            bytes = &bytes[8..];
            at += 8;
        }
        while let Some(chunk) = bytes.first_chunk::<4>() {
            if has(fold(*chunk)) != 0 {
                hit(at);
            }
            bytes = &bytes[1..];
            at += 1;
        }
    }

    /// Whether the bit of a window is set.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn has_bit(&self, window: u32) -> bool {
        let hash = hash(window);
        self.bits[(hash >> 5) as usize] >> (hash & 31) & 1 != 0
    }

    /// Looks at as many places as there are whole steps; gives the first one that was not looked at.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1")]
    fn avx2(&self, text: &[u8], start: usize, hit: &mut impl FnMut(usize)) -> usize {
        use std::arch::x86_64::*;
        const STEP: usize = 32;
        let low = self.nibbles(|byte| byte & 0x0F);
        let high = self.nibbles(|byte| byte >> 4);
        let twice = |table: &[u8; 16]| {
            let [first, second] = [0, 8].map(|at| i64::from_le_bytes(std::array::from_fn(|index| table[at + index])));
            _mm256_set_epi64x(second, first, second, first)
        };
        let (low, high) = (low.each_ref().map(twice), high.each_ref().map(twice));
        let (fold, nibble, zero) = (_mm256_set1_epi8(0x20), _mm256_set1_epi8(0x0F), _mm256_setzero_si256());
        let mut at = start;
        while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<{ STEP + 3 }>()) {
            let mut groups = _mm256_set1_epi8(-1);
            for place in 0..4 {
                // SAFETY: 32 bytes from `place` on are within the chunk, which has three more.
                #[allow(unsafe_code, reason = "a load of bytes that are there, see above")]
                let bytes = unsafe { _mm256_loadu_si256(chunk[place..place + STEP].as_ptr().cast()) };
                let bytes = _mm256_or_si256(bytes, fold);
                // Beyond ASCII the high half names no group.
                let of_low = _mm256_shuffle_epi8(low[place], _mm256_and_si256(bytes, nibble));
                let of_high = _mm256_shuffle_epi8(high[place], _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble));
                groups = _mm256_and_si256(groups, _mm256_and_si256(of_low, of_high));
            }
            let mut left = !(_mm256_movemask_epi8(_mm256_cmpeq_epi8(groups, zero)) as u32);
            while left != 0 {
                let place = left.trailing_zeros() as usize;
                left &= left - 1;
                let window = u32::from_le_bytes([chunk[place], chunk[place + 1], chunk[place + 2], chunk[place + 3]]) | FOLD;
                if self.has_bit(window) {
                    hit(at + place);
                }
            }
            at += STEP;
        }
        at
    }

    /// For each place of a window the groups that have a byte there of which `part` is the index.
    #[cfg(target_arch = "x86_64")]
    fn nibbles(&self, part: impl Fn(usize) -> usize) -> [[u8; 16]; 4] {
        let mut nibbles = [[0; 16]; 4];
        for (place, table) in self.groups.iter().enumerate() {
            for (byte, groups) in table.iter().enumerate() {
                nibbles[place][part(byte)] |= groups;
            }
        }
        nibbles
    }

    /// As [`Tables::avx2`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,bmi1,popcnt")]
    fn avx512(&self, text: &[u8], start: usize, hit: &mut impl FnMut(usize)) -> usize {
        use std::arch::x86_64::*;
        const STEP: usize = 64;
        /// From so many places on they are looked up together.
        const MANY: u32 = 4;
        // SAFETY: the slice has 64 bytes.
        #[allow(unsafe_code, reason = "a load of bytes that are there, see above")]
        let load = |bytes: &[u8; STEP]| unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
        let tables = self.groups.each_ref().map(|table| {
            let (low, high) = table.split_at(64);
            [low, high].map(|half| load(&std::array::from_fn(|index| half[index])))
        });
        // The four bytes of each of 16 windows.
        let spread = load(&std::array::from_fn(|index| (index / 4 + index % 4) as u8));
        let fold = _mm512_set1_epi8(0x20);
        let factor = _mm512_set1_epi32(FACTOR as i32);
        let (low_bits, one) = (_mm512_set1_epi32(31), _mm512_set1_epi32(1));
        let mut at = start;
        while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<{ STEP + 16 }>()) {
            let mut groups = _mm512_set1_epi8(-1);
            let mut beyond = _mm512_setzero_si512();
            for place in 0..4 {
                let Some(bytes) = chunk[place..].first_chunk::<STEP>() else { break };
                let bytes = _mm512_or_si512(load(bytes), fold);
                beyond = _mm512_or_si512(beyond, bytes);
                groups = _mm512_and_si512(groups, _mm512_permutex2var_epi8(tables[place][0], bytes, tables[place][1]));
            }
            let mut left = _mm512_test_epi8_mask(groups, groups) & !_mm512_movepi8_mask(beyond);
            if left.count_ones() >= MANY {
                let mut have = 0u64;
                for quarter in 0..4 {
                    if (left >> (16 * quarter)) as u16 == 0 {
                        continue;
                    }
                    // SAFETY: 32 bytes from 16 * quarter on, and that is at most 48, are within the chunk of 80.
                    #[allow(unsafe_code, reason = "a load of bytes that are there, see above")]
                    let bytes = unsafe { _mm256_loadu_si256(chunk[16 * quarter..16 * quarter + 32].as_ptr().cast()) };
                    let windows = _mm512_or_si512(_mm512_permutexvar_epi8(spread, _mm512_castsi256_si512(bytes)), fold);
                    let hashes = _mm512_srli_epi32::<{ 32 - BITS }>(_mm512_mullo_epi32(windows, factor));
                    // SAFETY: a hash has BITS bits, so that a fifth less of them is an index into the table.
                    #[allow(unsafe_code, reason = "loads within the table, see above")]
                    let words = unsafe { _mm512_i32gather_epi32::<4>(_mm512_srli_epi32::<5>(hashes), self.bits.as_ptr().cast()) };
                    let bits = _mm512_srlv_epi32(words, _mm512_and_si512(hashes, low_bits));
                    have |= u64::from(_mm512_test_epi32_mask(bits, one)) << (16 * quarter);
                }
                left &= have;
                while left != 0 {
                    hit(at + left.trailing_zeros() as usize);
                    left &= left - 1;
                }
            }
            while left != 0 {
                let place = left.trailing_zeros() as usize;
                left &= left - 1;
                let window = u32::from_le_bytes([chunk[place], chunk[place + 1], chunk[place + 2], chunk[place + 3]]) | FOLD;
                if self.has_bit(window) {
                    hit(at + place);
                }
            }
            at += STEP;
        }
        at
    }
}

/// A window with its letters in lower case, and a few punctuation marks joined.
#[inline(always)]
pub(crate) fn fold(window: [u8; 4]) -> u32 {
    u32::from_le_bytes(window) | FOLD
}

/// The hash of a folded window.
#[inline(always)]
pub(crate) fn hash(window: u32) -> u32 {
    window.wrapping_mul(FACTOR) >> (32 - BITS)
}

/// Eighths of a bit of information in a pair of folded bytes, counted over 350 MB of layers of two images (compilers, Java, Python and Node
/// applications).
pub(crate) fn rarity(first: u8, second: u8) -> u32 {
    /// 64 rows of 64: after folding, bytes are 0x20 to 0x3F and 0x60 to 0x7F.
    static PAIRS: &[u8; 4096] = include_bytes!("bigrams.bin");
    let index = |byte: u8| usize::from((byte | 0x20) & 0x1F | (byte & 0x40) >> 1);
    u32::from(PAIRS[index(first) * 64 + index(second)])
}

/// Puts windows into groups so that few other texts seem to belong to one: each goes where it adds least to the share of texts that would, if bytes
/// were independent.
fn groups(windows: &[[u8; 4]]) -> [[u8; 128]; 4] {
    const ROUNDS: usize = 3;
    let share = shares();
    // By places and bytes: how many windows of each group have the byte there. By places: the share of all bytes that are one of a group's there. Of all
    // groups side by side, since each window asks all of them.
    let mut counts = [[[0u32; GROUPS]; 128]; 4];
    let mut sums = [[0f64; GROUPS]; 4];
    let mut group_of: Vec<Option<usize>> = vec![None; windows.len()];
    let index = |byte: u8| usize::from(byte & 0x7F);
    for _ in 0..ROUNDS {
        for (window, group_of) in windows.iter().zip(&mut group_of) {
            if let Some(group) = *group_of {
                for (place, &byte) in window.iter().enumerate() {
                    let count = &mut counts[place][index(byte)][group];
                    *count -= 1;
                    if *count == 0 {
                        sums[place][group] -= share[index(byte)];
                    }
                }
            }
            let (mut with, mut without) = ([1f64; GROUPS], [1f64; GROUPS]);
            for (place, &byte) in window.iter().enumerate() {
                let (counts, share) = (&counts[place][index(byte)], share[index(byte)]);
                for (((with, without), &sum), &count) in with.iter_mut().zip(&mut without).zip(&sums[place]).zip(counts) {
                    *with *= sum + if count == 0 { share } else { 0.0 };
                    *without *= sum;
                }
            }
            let cost = |group: &usize| with[*group] - without[*group];
            let best = (0..GROUPS).min_by(|one, other| cost(one).total_cmp(&cost(other))).unwrap_or(0);
            for (place, &byte) in window.iter().enumerate() {
                let count = &mut counts[place][index(byte)][best];
                if *count == 0 {
                    sums[place][best] += share[index(byte)];
                }
                *count += 1;
            }
            *group_of = Some(best);
        }
    }
    let mut groups = [[0u8; 128]; 4];
    for (groups, counts) in groups.iter_mut().zip(&counts) {
        for (groups, counts) in groups.iter_mut().zip(counts) {
            *groups = counts.iter().enumerate().map(|(group, &count)| u8::from(count > 0) << group).sum();
        }
    }
    groups
}

/// The share of each folded byte in images, by the frequencies of pairs.
fn shares() -> [f64; 128] {
    let folded = |byte: u8| byte & 0x20 != 0;
    let mut share = [0f64; 128];
    for first in (0..128u8).filter(|&byte| folded(byte)) {
        for second in (0..128u8).filter(|&byte| folded(byte)) {
            share[usize::from(first)] += 0.5f64.powf(f64::from(rarity(first, second)) / 8.0);
        }
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn all_engines_come_upon_every_window_that_is_looked_for() {
        let mut random = Random::new(9);
        let rounds = if cfg!(miri) { 3 } else { 200 };
        for round in 0..rounds {
            let windows: Vec<[u8; 4]> = (0..=random.below(20)).map(|_| std::array::from_fn(|_| random.below(128) as u8)).collect();
            let tables = Tables::new(windows.iter().map(|window| fold(*window)));
            let mut text = random.bytes(round);
            for window in &windows {
                text.extend(window.map(|byte| if random.below(2) == 0 { byte ^ 0x20 } else { byte }));
                let between = random.below(9);
                text.extend(random.bytes(between));
            }
            // Reads beyond the end are seen where the buffer ends there.
            let text = text.into_boxed_slice();
            let (start, end) = (random.below(text.len()), text.len() - random.below(4));
            let is_sought = |at: usize| windows.iter().any(|window| fold(*window) == fold(std::array::from_fn(|index| text[at + index])));
            for engine in Engine::all() {
                let mut places = Vec::new();
                tables.find(engine, &text, start, end, &mut |place| places.push(place));
                assert!(places.is_sorted_by(|one, next| one < next), "{engine:?}: {places:?}");
                assert!(places.iter().all(|place| *place >= start && place + 4 <= end), "{engine:?}: {places:?} in {start}..{end}");
                let missed = (start..(end + 1).saturating_sub(4)).find(|&at| is_sought(at) && !places.contains(&at));
                assert_eq!(missed, None, "{engine:?} in {}", text.escape_ascii());
            }
        }
    }
}
