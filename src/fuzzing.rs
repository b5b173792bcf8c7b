//! The way in for the fuzz targets (`tests/it/fuzz/`, which `fuzz/` makes programs of) and the benches: parsers and engines that no caller of this library has a use for, so that they are private.
//!
//! Not part of the library's interface. It is always compiled, and not by a feature or a `cfg`: the targets run in the ordinary integration tests as well, which could not be built
//! without it. Nothing of the program calls it, so that nothing of it is in the program.

use std::ops::Range;
use std::path::Path;

use crate::detect::prefilter::{Hit, Prefilter};
use crate::rule::{RuleError, RuleSet};
pub use crate::scan::fuzzing::{LayerFacts, layer};
use crate::source::bolt_entries;
use crate::vector::inflate::{Inflater, Wrapping};
use crate::vector::windows::{Tables, fold};
use crate::vector::{Engine, classes};

/// What each engine that this processor has says, by its name.
pub type ByEngine<T> = Vec<(String, T)>;

fn by_engine<T>(of: impl Fn(Engine) -> T) -> ByEngine<T> {
    Engine::all().into_iter().map(|engine| (format!("{engine:?}"), of(engine))).collect()
}

/// The places that may have one of `windows`, of those that end before `end`.
pub fn windows(windows: &[[u8; 4]], text: &[u8], start: usize, end: usize) -> ByEngine<Vec<usize>> {
    let tables = Tables::new(windows.iter().map(|window| fold(*window)));
    by_engine(|engine| {
        let mut places = Vec::new();
        tables.find(engine, text, start, end, &mut |place| places.push(place));
        places
    })
}

/// For each 64 bytes: what is base64, zero, the beginning of an escape, and what may join literals.
pub fn classes(text: &[u8]) -> ByEngine<Vec<[u64; 4]>> {
    by_engine(|engine| {
        classes::of(engine, text).iter().map(|classes| [classes.base64, classes.zero, classes.escape, classes.joint]).collect()
    })
}

/// What is found of a prefilter's keywords, in the order in which it is found.
pub fn hits(prefilter: &Prefilter, text: &[u8], owned: Range<usize>) -> ByEngine<Vec<Hit>> {
    by_engine(|engine| {
        let mut hits = Vec::new();
        prefilter.find_by(engine, text, owned.clone(), &mut |hit| hits.push(hit));
        hits
    })
}

/// How many places of a text the first stage of a prefilter leaves to the second, by the engine that a scan takes.
pub fn places(prefilter: &Prefilter, text: &[u8]) -> usize {
    prefilter.places(text)
}

/// What the decoder for bytes that lie in memory makes of the stream of DEFLATE that `stored` begins with, if that is `size` bytes at most: the text, and how many bytes it
/// took. None if that decoder has no answer.
pub fn inflated(stored: &[u8], size: usize) -> Option<(Vec<u8>, usize)> {
    undone(Wrapping::Bare, stored, size)
}

/// The same of a member of a gzip file.
pub fn gunzipped(stored: &[u8], size: usize) -> Option<(Vec<u8>, usize)> {
    undone(Wrapping::Gzip, stored, size)
}

fn undone(wrapping: Wrapping, stored: &[u8], size: usize) -> Option<(Vec<u8>, usize)> {
    let mut text = Vec::new();
    let used = Inflater::new()?.inflate(wrapping, stored, size, &mut text)?;
    Some((text, used))
}

/// Number of entries of a containerd database, of its first buckets. None if it cannot be read.
pub fn bolt(bytes: &[u8]) -> Option<usize> {
    bolt_entries(bytes)
}

/// The rules of a file called `name`, of ours or of another scanner.
///
/// # Errors
/// As for a rule file that the user names.
pub fn rules(name: &str, text: &str) -> Result<RuleSet, RuleError> {
    RuleSet::of_text(Path::new(name), text)
}
