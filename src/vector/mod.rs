//! The fast path: what every byte of an image goes through, many bytes at a time. [`windows`] says where a keyword could be, [`classes`] where encoded text could be;
//! [`inflate`] undoes compression of what lies in memory.
//!
//! The first two have the same answer from every [`Engine`], byte for byte; tests compare them with the portable one, which has neither `unsafe` code nor instructions of a kind of
//! processor. This folder is the only place besides `source/mmap.rs` with `unsafe` code: loads from slices whose length is known, calls of functions that
//! need what the processor was asked for, and calls of a decoder in C. Miri runs the tests of the engines (`fuzz/miri`), and a fuzz target compares all of them with plain definitions under the
//! address sanitizer (`tests/it/fuzz/engines.rs`).

pub(crate) mod classes;
// Miri cannot call C.
#[cfg(not(miri))]
pub(crate) mod inflate;
pub(crate) mod windows;

/// Which instructions are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Those that any processor has.
    Portable,
    /// 32 bytes at a time.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 64 bytes at a time, with the byte permutations of VBMI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Engine {
    /// All that this processor has, the fastest last.
    pub(crate) fn all() -> Vec<Engine> {
        let mut all = vec![Engine::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") {
                all.push(Engine::Avx2);
            }
            let has_bytes = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
            if has_bytes && is_x86_feature_detected!("avx512vbmi") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("popcnt")
            {
                all.push(Engine::Avx512);
            }
        }
        all
    }

    /// The fastest that this processor has.
    pub(crate) fn best() -> Engine {
        use std::sync::OnceLock;
        static BEST: OnceLock<Engine> = OnceLock::new();
        *BEST.get_or_init(|| Engine::all().pop().unwrap_or(Engine::Portable))
    }
}
