//! What a Dockerfile has to do with a finding: which of its instructions brought the secret, and what to write instead.
//!
//! An image does not say which lines it was built from, only its steps as text ([`Step`]). [`align`] lays the steps beside the
//! instructions of a stage, in order; [`advise`] turns the match into a fix for each finding. Opens no file and prints nothing: the text
//! comes from `cli`, the fixes go to `report`, which redacts them.

mod advice;
mod align;
mod context;
mod error;
mod kind;
mod pairs;
mod parse;
mod replacement;
mod secret;
mod step;
#[cfg(test)]
mod tests;

pub use advice::{advise, general};
pub use align::{Alignment, Matched};
pub use error::DockerfileError;
pub use kind::Kind;
pub use pairs::Pair;
pub use parse::{Body, CopyParts, Dockerfile, Form, Instruction, RunParts, Stage};
pub use step::Step;

/// Most bytes of a Dockerfile.
pub const MAX_BYTES: usize = 1 << 20;
/// Most instructions of a Dockerfile, and most steps of a history that are compared with them, the last ones.
pub const MAX_INSTRUCTIONS: usize = 1_000;
