//! What 64 bytes of a text show at a glance: which of them could be encoded text. One bit a byte, the first byte lowest.

use super::Engine;

/// Bytes that are looked at together.
pub(crate) const STEP: usize = 64;

/// What some bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Classes {
    /// Characters of base64 or base64url.
    pub(crate) base64: u64,
    /// Zeros.
    pub(crate) zero: u64,
    /// `%`, `&`, `\` and `=`, with what follows in an escape that is read: a hex digit, `#`, `q`, `u`, `x`, `/` or the end of a line. Of the last byte it is not asked what
    /// follows.
    pub(crate) escape: u64,
    /// Where one literal may end and another go on: `+`, `.`, `&` and `|` after a quote or a blank, a quote after one or after a quote and a blank, and the end of a line
    /// after a quote. Of the first two bytes it is not asked what stands before.
    pub(crate) joint: u64,
}

/// Stands for bytes after the end of a text: is of no class.
const FILLER: u8 = 1;

/// The classes of `text`, 64 bytes each; the last ones may be fewer.
pub(crate) fn of(engine: Engine, text: &[u8]) -> Vec<Classes> {
    let mut all = Vec::with_capacity(text.len().div_ceil(STEP));
    let (whole, rest) = text.as_chunks::<STEP>();
    extend(engine, whole, &mut all);
    if !rest.is_empty() {
        let mut last = [FILLER; STEP];
        last[..rest.len()].copy_from_slice(rest);
        extend(engine, &[last], &mut all);
    }
    all
}

fn extend(engine: Engine, chunks: &[[u8; STEP]], all: &mut Vec<Classes>) {
    match engine {
        Engine::Portable => all.extend(chunks.iter().map(portable)),
        // SAFETY: an engine is made by `Engine::all` only, where the processor has what it needs.
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code, reason = "the processor has the features, see above")]
        Engine::Avx2 => unsafe { avx2(chunks, all) },
        // SAFETY: likewise.
        #[cfg(target_arch = "x86_64")]
        #[allow(unsafe_code, reason = "the processor has the features, see above")]
        Engine::Avx512 => unsafe { avx512(chunks, all) },
    }
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

const fn is_escape(byte: u8) -> bool {
    matches!(byte, b'%' | b'&' | b'\\' | b'=')
}

/// What may follow the first byte of an escape.
const fn follows(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b'#' | b'q' | b'u' | b'x' | b'/' | b'\n' | b'\r')
}

/// What puts literals together.
const fn is_operator(byte: u8) -> bool {
    matches!(byte, b'+' | b'.' | b'&' | b'|')
}

const fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'')
}

/// What may stand before that.
const fn precedes(byte: u8) -> bool {
    byte.is_ascii_whitespace() || is_quote(byte)
}

/// What each byte of 64 is by itself.
#[derive(Default)]
struct Bits {
    base64: u64,
    zero: u64,
    escape: u64,
    follows: u64,
    operator: u64,
    precedes: u64,
    quote: u64,
    feed: u64,
}

impl Bits {
    fn classes(&self) -> Classes {
        let after_quote = self.quote << 1 | 1;
        let after_blank = (self.precedes & !self.quote) << 1 | 1;
        let joins = self.operator & (self.precedes << 1 | 1);
        let adjoins = self.quote & (after_quote | after_blank & (self.quote << 2 | 3));
        Classes {
            base64: self.base64,
            zero: self.zero,
            escape: self.escape & (self.follows >> 1 | 1 << (STEP - 1)),
            joint: joins | adjoins | self.feed & after_quote,
        }
    }
}

const BASE64: u8 = 1;
const ZERO: u8 = 2;
const ESCAPE: u8 = 4;
const FOLLOWS: u8 = 8;
const OPERATOR: u8 = 16;
const PRECEDES: u8 = 32;
const QUOTE: u8 = 64;
const FEED: u8 = 128;

/// What each byte is.
static TABLE: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let of = byte as u8;
        table[byte] |=
            if is_base64(of) { BASE64 } else { 0 } | if is_escape(of) { ESCAPE } else { 0 } | if follows(of) { FOLLOWS } else { 0 };
        table[byte] |= if is_operator(of) { OPERATOR } else { 0 } | if precedes(of) { PRECEDES } else { 0 };
        table[byte] |= if is_quote(of) { QUOTE } else { 0 } | if of == b'\n' { FEED } else { 0 };
        byte += 1;
    }
    table[0] |= ZERO;
    table
};

fn portable(chunk: &[u8; STEP]) -> Classes {
    let mut bits = Bits::default();
    for (eighth, bytes) in chunk.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(bytes.map(|byte| TABLE[usize::from(byte)]));
        // The lowest bits of eight bytes are brought together by one multiplication.
        let gather =
            |bit: u8| ((word >> bit.trailing_zeros() & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * eighth);
        bits.base64 |= gather(BASE64);
        bits.zero |= gather(ZERO);
        bits.escape |= gather(ESCAPE);
        bits.follows |= gather(FOLLOWS);
        bits.operator |= gather(OPERATOR);
        bits.precedes |= gather(PRECEDES);
        bits.quote |= gather(QUOTE);
        bits.feed |= gather(FEED);
    }
    bits.classes()
}

/// For a class the high halves of its bytes, as bits, by the low half: a byte is of the class if the bit of its high half is set.
#[cfg(target_arch = "x86_64")]
const fn rows(class: u8) -> [u8; 16] {
    let mut rows = [0; 16];
    let mut byte = 0;
    while byte < 128 {
        if TABLE[byte] & class != 0 {
            rows[byte & 0x0F] |= 1 << (byte >> 4);
        }
        byte += 1;
    }
    rows
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1")]
fn avx2(chunks: &[[u8; STEP]], all: &mut Vec<Classes>) {
    use std::arch::x86_64::*;
    static ROWS: [[u8; 16]; 4] = [rows(BASE64), rows(FOLLOWS), rows(PRECEDES), rows(OPERATOR)];
    static HIGH: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0];
    let twice = |table: &[u8; 16]| {
        let [first, second] = [0, 8].map(|at| i64::from_le_bytes(std::array::from_fn(|index| table[at + index])));
        _mm256_set_epi64x(second, first, second, first)
    };
    let ([base64_rows, follows_rows, precedes_rows, operator_rows], high) = (ROWS.each_ref().map(twice), twice(&HIGH));
    let (nibble, zeros) = (_mm256_set1_epi8(0x0F), _mm256_setzero_si256());
    let is = |bytes: __m256i, byte: u8| _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8));
    let mask = |bytes: __m256i| u64::from(_mm256_movemask_epi8(bytes) as u32);
    for chunk in chunks {
        let mut bits = Bits::default();
        for (half, bytes) in chunk.as_chunks::<32>().0.iter().enumerate() {
            // SAFETY: the array has 32 bytes.
            #[allow(unsafe_code, reason = "a load of bytes that are there, see above")]
            let bytes = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
            let low = _mm256_and_si256(bytes, nibble);
            let row = _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), nibble));
            // The shuffles give zero for what is beyond ASCII in `row`.
            let has = |rows: __m256i| !mask(_mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(rows, low), row), zeros)) & 0xFFFF_FFFF;
            let marks = _mm256_or_si256(is(bytes, b'\\'), is(bytes, b'='));
            let escapes = _mm256_or_si256(_mm256_or_si256(is(bytes, b'%'), is(bytes, b'&')), marks);
            bits.base64 |= has(base64_rows) << (32 * half);
            bits.follows |= has(follows_rows) << (32 * half);
            bits.precedes |= has(precedes_rows) << (32 * half);
            bits.zero |= mask(_mm256_cmpeq_epi8(bytes, zeros)) << (32 * half);
            bits.escape |= mask(escapes) << (32 * half);
            bits.operator |= has(operator_rows) << (32 * half);
            bits.quote |= mask(_mm256_or_si256(is(bytes, b'"'), is(bytes, b'\''))) << (32 * half);
            bits.feed |= mask(is(bytes, b'\n')) << (32 * half);
        }
        all.push(bits.classes());
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn avx512(chunks: &[[u8; STEP]], all: &mut Vec<Classes>) {
    use std::arch::x86_64::*;
    // SAFETY: the array has 64 bytes.
    #[allow(unsafe_code, reason = "a load of bytes that are there, see above")]
    let load = |bytes: &[u8; STEP]| unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
    let table: [[u8; STEP]; 2] = [0, STEP].map(|from| std::array::from_fn(|index| TABLE[from + index]));
    let (low, high) = (load(&table[0]), load(&table[1]));
    for chunk in chunks {
        let bytes = load(chunk);
        let of = _mm512_permutex2var_epi8(low, bytes, high);
        let ascii = !_mm512_movepi8_mask(bytes);
        let has = |class: u8| _mm512_test_epi8_mask(of, _mm512_set1_epi8(class as i8)) & ascii;
        let (base64, zero, escape, follows) = (has(BASE64), has(ZERO), has(ESCAPE), has(FOLLOWS));
        let (operator, precedes, quote, feed) = (has(OPERATOR), has(PRECEDES), has(QUOTE), has(FEED));
        all.push(Bits { base64, zero, escape, follows, operator, precedes, quote, feed }.classes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn all_engines_say_what_each_byte_is() {
        let mut random = Random::new(5);
        let mut texts: Vec<Vec<u8>> =
            vec![(0..=255).collect(), Vec::new(), b"%41&#65;\\u0041\\x41% & \\\n 'a' + \"b\"+c++ 'a'.'b' \"c\"\n|| ''".repeat(9)];
        texts.extend((0..200).map(|length| random.bytes(length)));
        for text in texts {
            for engine in Engine::all() {
                let found = of(engine, &text);
                assert_eq!(found.len(), text.len().div_ceil(STEP));
                for (at, &byte) in text.iter().enumerate() {
                    let bit = |word: u64| word >> (at % STEP) & 1 != 0;
                    let classes = found[at / STEP];
                    assert_eq!((bit(classes.base64), bit(classes.zero)), (is_base64(byte), byte == 0), "{engine:?} at {at} of {text:?}");
                    let is_last = at % STEP == STEP - 1;
                    let may_follow = is_last || text.get(at + 1).is_some_and(|&next| follows(next));
                    assert_eq!(bit(classes.escape), is_escape(byte) && may_follow, "{engine:?} at {at} of {text:?}");
                    let before = |back: usize, is: fn(u8) -> bool| at % STEP < back || is(text[at - back]);
                    let is_joint = is_operator(byte) && before(1, precedes)
                        || is_quote(byte) && (before(1, is_quote) || before(1, |byte| byte.is_ascii_whitespace()) && before(2, is_quote))
                        || byte == b'\n' && before(1, is_quote);
                    assert_eq!(bit(classes.joint), is_joint, "{engine:?} at {at} of {text:?}");
                }
            }
        }
    }
}
