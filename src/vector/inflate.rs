//! DEFLATE streams that lie in memory as a whole and say how long they become, in one call: members of zip archives are thousands of short ones.
//!
//! Whoever wrote the stream may lie about its length, and it may be damaged. Then there is no answer here, and the caller reads it as a
//! stream, which gives what can be had of it.
//!
//! By time on one thread, on 45,781 members of Java archives (128 MB): flate2 with a new state for each member 1.00, with one state for all 0.92, zune-inflate 0.78,
//! libdeflate 0.64.

use std::ptr::NonNull;

/// The longest output of a byte of DEFLATE: 258 bytes for two bits.
const MAX_RATIO: usize = 1032;

/// The state of a decoder, which is made once and used for many streams.
pub(crate) struct Inflater(NonNull<libdeflate_sys::libdeflate_decompressor>);

// SAFETY: the state is memory that the library keeps nothing about, neither for a thread nor for all: it may be used by one thread after another.
#[allow(unsafe_code, reason = "see above")]
unsafe impl Send for Inflater {}

/// How a stream is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapping {
    /// Not at all (RFC 1951).
    Bare,
    /// As one member of a gzip file (RFC 1952), whose checksum is compared.
    Gzip,
}

impl Inflater {
    /// A decoder; none if there is no memory for it.
    pub(crate) fn new() -> Option<Self> {
        // SAFETY: the call has no conditions. What it gives is freed in `drop`, and nowhere else.
        #[allow(unsafe_code, reason = "a call of C, see above")]
        let state = unsafe { libdeflate_sys::libdeflate_alloc_decompressor() };
        NonNull::new(state).map(Self)
    }

    /// Puts what `stored` begins with into `out`, in place of what is there: how many bytes of `stored` were used. None if it is more than `size` bytes, or
    /// damaged; what is in `out` is of no use then.
    pub(crate) fn inflate(&mut self, wrapping: Wrapping, stored: &[u8], size: usize, out: &mut Vec<u8>) -> Option<usize> {
        out.clear();
        if size > stored.len().saturating_mul(MAX_RATIO) {
            return None;
        }
        out.reserve(size);
        let room = out.spare_capacity_mut();
        let decompress = match wrapping {
            Wrapping::Bare => libdeflate_sys::libdeflate_deflate_decompress_ex,
            Wrapping::Gzip => libdeflate_sys::libdeflate_gzip_decompress_ex,
        };
        let (mut used, mut came) = (0, 0);
        // SAFETY: the state is alive and this one's alone (`&mut self`); `stored` and `room` are as long as is said; both counts outlive the call.
        #[allow(unsafe_code, reason = "a call of C, see above")]
        let result = unsafe {
            decompress(
                self.0.as_ptr(),
                stored.as_ptr().cast(),
                stored.len(),
                room.as_mut_ptr().cast(),
                room.len().min(size),
                &raw mut used,
                &raw mut came,
            )
        };
        if result != libdeflate_sys::libdeflate_result_LIBDEFLATE_SUCCESS || came > size {
            return None;
        }
        // SAFETY: `came` bytes from the beginning on were written; that is at most `size`, for which there is room.
        #[allow(unsafe_code, reason = "bytes that were written, see above")]
        unsafe {
            out.set_len(came);
        }
        Some(used.min(stored.len()))
    }
}

impl Drop for Inflater {
    fn drop(&mut self) {
        // SAFETY: it came from `libdeflate_alloc_decompressor`, and nobody has it any more.
        #[allow(unsafe_code, reason = "a call of C, see above")]
        unsafe {
            libdeflate_sys::libdeflate_free_decompressor(self.0.as_ptr());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{Read as _, Write as _};

    use flate2::Compression;
    use flate2::bufread::DeflateDecoder;
    use flate2::write::{DeflateEncoder, GzEncoder};

    use super::*;
    use crate::random::Random;

    fn deflated(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// The same by the plain engine: the text and how many bytes it took.
    fn plain(stored: &[u8]) -> Option<(Vec<u8>, usize)> {
        let mut decoder = DeflateDecoder::new(stored);
        let mut text = Vec::new();
        decoder.read_to_end(&mut text).ok()?;
        Some((text, decoder.total_in() as usize))
    }

    #[test]
    fn streams_become_what_the_plain_engine_makes_of_them() {
        let mut inflater = Inflater::new().unwrap();
        let mut random = Random::new(5);
        let mut out = Vec::new();
        let mut whole = 0;
        for length in 0..300 {
            let text: Vec<u8> = random.bytes(length).into_iter().map(|byte| byte % 7).collect();
            let mut stored = deflated(&text);
            stored.extend(random.bytes(length % 5));
            // One in three is damaged somewhere.
            if length % 3 == 0 {
                let at = random.below(stored.len());
                stored[at] ^= 1 << random.below(8);
            }
            let fast = inflater.inflate(Wrapping::Bare, &stored, text.len(), &mut out).map(|used| (out.clone(), used));
            whole += usize::from(fast.is_some());
            match fast {
                Some(fast) => assert_eq!(Some(fast), plain(&stored), "{length}"),
                None => assert!(plain(&stored).is_none_or(|(plain, _)| plain.len() > text.len()), "{length}"),
            }
        }
        assert!((200..300).contains(&whole), "some are damaged, and only those: {whole}");
    }

    #[test]
    fn lies_about_the_size_cost_nothing_and_give_nothing() {
        let mut inflater = Inflater::new().unwrap();
        let stored = deflated(&[7; 1000]);
        let mut out = Vec::new();
        assert_eq!(inflater.inflate(Wrapping::Bare, &stored, 999, &mut out), None);
        assert_eq!(inflater.inflate(Wrapping::Bare, &stored, usize::MAX, &mut out), None);
        assert!(out.capacity() < 1 << 20);
        assert_eq!(inflater.inflate(Wrapping::Bare, &stored, 5000, &mut out), Some(stored.len()));
        assert_eq!(out, [7; 1000]);
        assert_eq!(inflater.inflate(Wrapping::Bare, &[], 0, &mut out), None);
    }

    #[test]
    fn a_gzip_member_ends_where_it_ends() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(b"a text").unwrap();
        let mut stored = gzip.finish().unwrap();
        let length = stored.len();
        stored.extend(b"and more");
        let mut inflater = Inflater::new().unwrap();
        let mut out = Vec::new();
        assert_eq!(inflater.inflate(Wrapping::Gzip, &stored, 6, &mut out), Some(length));
        assert_eq!(out, b"a text");
        // The checksum.
        stored[length - 8] ^= 1;
        assert_eq!(inflater.inflate(Wrapping::Gzip, &stored, 6, &mut out), None);
    }
}
