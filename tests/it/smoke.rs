//! Each fuzz target, briefly: with its seeds, and with some thousand inputs that are made from them, always the same ones. Days of fuzzing are for `cargo fuzz`; this sees that the targets hold
//! for what they begin with, and that no change breaks a parser on what is a little wrong.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use layersift::random::Random;

use crate::fuzz::{TARGETS, Target};

/// Inputs that are made of the seeds of a target, for most of them.
const INPUTS: usize = 2000;
/// The same for those that take long over an input, since all rules run on it or each keyword is looked for at each byte.
const SLOW: [(&str, usize); 2] = [("detect", 120), ("engines", 200)];
/// Bytes of the inputs of a target, all together: those whose seeds are long have fewer inputs.
const BYTES: usize = 4 << 20;
/// Longest input that is made.
const MAX_INPUT: usize = 256 * 1024;

/// Numbers that are on an edge of something, and marks of formats.
const MAGIC: [&[u8]; 20] = [
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"\xff\xff",
    b"\xff\x7f",
    b"\x00\x00\x00\x00",
    b"\x01\x00\x00\x00",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"77777777777",
    b"-1",
    b"99999999999999999999",
    b"\n\n",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"ustar\x0000",
    b"\x1f\x8b\x08\x00",
    b"BZh91AY&SY",
    b"\x28\xb5\x2f\xfd",
    b"070701",
];

/// An input with some of it changed, as fuzzers do.
fn mutated(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        let length = random.below(input.len() - at + 1).min(random.below(64) + 1);
        match random.below(8) {
            0 | 1 if at < input.len() => input[at] ^= 1 << random.below(8),
            2 if at < input.len() => input[at] = random.below(256) as u8,
            3 => drop(input.drain(at..at + length)),
            4 => input.truncate(at),
            5 => {
                let magic = MAGIC[random.below(MAGIC.len())];
                let end = (at + magic.len() * random.below(2)).min(input.len());
                input.splice(at..end, magic.iter().copied());
            }
            6 => {
                let again = input[at..at + length].repeat(1 + random.below(3));
                input.splice(at..at, again);
            }
            _ => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                let end = if random.below(2) == 0 { input.len() } else { at };
                input.splice(at..end, other[from..].iter().copied());
            }
        }
    }
    input.truncate(MAX_INPUT);
    input
}

/// Runs a target; which input it was, if it does not hold.
fn run(target: &Target, input: &[u8], what: &dyn Fn() -> String) {
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let shown = &input[..input.len().min(4096)];
    assert!(outcome.is_ok(), "target {}, {}: {} bytes, {}", target.name, what(), input.len(), shown.escape_ascii());
}

fn smoke(target: &Target) {
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty(), "{} has seeds", target.name);
    for (number, seed) in seeds.iter().enumerate() {
        run(target, seed, &|| format!("seed {number}"));
    }
    let mut random = Random::from_text(target.name);
    let mut bytes = 0;
    let inputs = SLOW.iter().find(|(name, _)| *name == target.name).map_or(INPUTS, |(_, inputs)| *inputs);
    for number in 0..inputs {
        let input = mutated(&mut random, &seeds);
        bytes += input.len();
        if bytes > BYTES {
            break;
        }
        run(target, &input, &|| format!("input {number}"));
    }
}

/// One test for each target, so that they run side by side and are named when they fail.
macro_rules! smoke {
    ($($name:ident)*) => {
        const SMOKED: &[&str] = &[$(stringify!($name)),*];

        $(
            #[test]
            fn $name() {
                smoke(crate::fuzz::target(stringify!($name)));
            }
        )*
    };
}

smoke!(
    ar asar bolt compressed cpio decode detect dockerfile engines images inflate iso layer nested object oci pack packages reference report rpm rpmdb rules seven_zip sqlite squashfs strings tar zip
);

#[test]
fn every_target_runs_here_and_has_a_program() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(SMOKED, names);
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/src/bin");
    let mut found: Vec<String> = fs::read_dir(programs).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    let expected: Vec<String> = names.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(found, expected, "a program for each target");
}
