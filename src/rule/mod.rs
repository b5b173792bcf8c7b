//! What a secret looks like: rules as data. No IO but reading the rule files that the user names; nothing here looks at an image.

pub mod check;
mod compile;
mod error;
pub mod generate;
mod hir;
mod import;
mod select;
mod set;
pub mod syntax;

pub use compile::{Assignment, Block, ChecksumCheck, Decode, EntropyCheck, FileRule, Marker, Matcher, Mismatch, Rule, Scorer};
pub use error::RuleError;
pub use hir::{MAX_MATCH, Shape};
pub use import::LeftOut;
pub use select::{Selection, Selector};
pub use set::RuleSet;
pub(crate) use set::{builtin_facts, builtin_files};
