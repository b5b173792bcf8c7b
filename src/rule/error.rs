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
    #[error("{file}{}: rule `{rule}`: {field}: {problem}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
    Field {
        /// The file.
        file: String,
        /// The line on which the rule's id stands, from 1, where the text is at hand.
        line: Option<usize>,
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

impl RuleError {
    /// The same with the line on which the rule begins in the text of its file.
    pub(super) fn in_text(self, text: &str) -> Self {
        match self {
            RuleError::Field { file, line: None, rule, field, problem } => {
                let line = line_of(text, &rule);
                RuleError::Field { file, line, rule, field, problem }
            }
            other => other,
        }
    }
}

/// The line, from 1, of `id = "ID"` (or `id: ID`); other scanners' ids may have been written otherwise, and then there is none.
pub(super) fn line_of(text: &str, id: &str) -> Option<usize> {
    let is_it = |line: &str| {
        let line = line.trim_start_matches([' ', '\t', '-', '{']);
        let value = line.strip_prefix("id").map(|rest| rest.trim_start()).and_then(|rest| rest.strip_prefix(['=', ':']));
        value.is_some_and(|value| {
            let value = value.trim_start().trim_start_matches(['"', '\'']);
            value.strip_prefix(id).is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '-'))
        })
    };
    text.lines().position(is_it).map(|at| at + 1)
}
