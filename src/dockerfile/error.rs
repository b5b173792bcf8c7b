//! What is wrong with a Dockerfile. Its text may hold secrets, so no message quotes it.

/// A Dockerfile that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DockerfileError {
    /// Longer than [`super::MAX_BYTES`].
    #[error("it has {size} bytes; a Dockerfile of more than {} bytes is not read", super::MAX_BYTES)]
    TooLarge {
        /// Its length.
        size: u64,
    },
    /// Not UTF-8.
    #[error("line {line} is not UTF-8")]
    NotText {
        /// From 1.
        line: usize,
    },
    /// Not a Dockerfile.
    #[error("line {line}: {problem}")]
    Syntax {
        /// From 1.
        line: usize,
        /// What the parser expected.
        problem: String,
    },
    /// More than [`super::MAX_INSTRUCTIONS`].
    #[error("it has {count} instructions; at most {} are read", super::MAX_INSTRUCTIONS)]
    TooManyInstructions {
        /// How many.
        count: usize,
    },
    /// The stage that was asked for is not there.
    #[error("there is no stage `{name}`; stages: {known}")]
    NoSuchStage {
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
}
