//! layersift finds secrets in container images: in every layer, every version of every file, the config and its history, and says of
//! each which layer brought it and whether a later one hides it.
//!
//! The folders are the data flow: [`source`] -> [`layer`] -> [`content`] -> [`detect`] (by [`rule`]) -> [`finding`] -> [`report`], wired by
//! [`scan`]; [`oci`] holds the nouns of the image spec. `ARCHITECTURE.md` has the map and the invariants.

pub mod audit;
pub mod cache;
pub mod cli;
pub mod content;
pub mod detect;
pub mod dockerfile;
pub mod finding;
#[doc(hidden)]
pub mod fuzzing;
pub mod layer;
pub mod oci;
mod private;
pub mod random;
pub mod report;
pub mod rule;
pub mod scan;
pub mod source;
mod vector;
pub mod watch;

/// The README's code is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
