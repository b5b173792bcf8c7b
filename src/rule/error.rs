//! What can be wrong with a rule file.

use std::path::PathBuf;

/// A rule file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// The file cannot be read.
    #[error("cannot read rule file {}: {error}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not TOML of the right shape.
    #[error("{}: {message}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The parser's message, with line and column.
        message: String,
    },
    /// A field of a rule makes no sense.
    #[error("{file}: rule `{rule}`: {field}: {problem}")]
    Field {
        /// The file.
        file: String,
        /// The rule's id.
        rule: String,
        /// The field.
        field: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A selector that no rule answers to.
    #[error("no rule has the id, tag, provider or severity `{selector}`")]
    SelectsNothing {
        /// The selector as written.
        selector: String,
    },
    /// Every rule was left out.
    #[error("--only and --skip together leave no rule")]
    NoRuleLeft,
}
