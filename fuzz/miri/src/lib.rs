//! `src/vector` and what its tests need: small enough for Miri, which would take hours for the whole library.

#![allow(dead_code, reason = "who calls it is not here")]

#[path = "../../../src/random.rs"]
pub mod random;
#[path = "../../../src/vector/mod.rs"]
mod vector;
