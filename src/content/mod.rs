//! From an entry's bytes to texts that rules can see: what kind of file it is, what is encoded in it, what a JSON document
//! says, what package databases say of files.
//!
//! Knows no rule and no thread.

pub mod decode;
pub mod document;
pub mod kind;
pub mod nested;
pub mod packages;
pub mod sqlite;
