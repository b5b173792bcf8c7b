//! The targets of `tests/it/fuzz/`, for the programs in `src/bin/`.

#![allow(clippy::unwrap_used, dead_code, reason = "as in the tests, to which the two modules belong")]

#[path = "../../tests/it/archives.rs"]
mod archives;
#[path = "../../tests/it/fuzz/mod.rs"]
mod fuzz;

#[cfg(fuzzing)]
pub use libfuzzer_sys;

/// The program of a target. `cargo fuzz` makes a fuzzer of it; built by anything else it runs the target once with each file that it is given.
#[macro_export]
macro_rules! program {
    ($name:literal) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::run($name, data));

        #[cfg(not(fuzzing))]
        fn main() {
            $crate::replay($name);
        }
    };
}

/// Runs a target.
pub fn run(name: &str, data: &[u8]) {
    (fuzz::target(name).run)(data);
}

/// Runs a target with the files that the command line names.
pub fn replay(name: &str) {
    for path in std::env::args_os().skip(1) {
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        run(name, &bytes);
    }
}

/// The names of all targets, and the bytes that each begins with.
pub fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    fuzz::TARGETS.iter().map(|target| (target.name, (target.seeds)())).collect()
}
