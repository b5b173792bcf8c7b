//! What ends a verb early, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::rule::RuleError;
use crate::source::SourceError;

/// A verb that could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// Rules that cannot be used.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// An id that no rule has.
    #[error("there is no rule `{id}`")]
    NoSuchRule {
        /// What was asked for.
        id: String,
    },
    /// The report cannot be written.
    #[error("cannot write {}: {error}", .path.display())]
    Output {
        /// Where to.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Stdout(io::Error),
}

impl CliError {
    /// What to do, where there is something to say.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            CliError::Rules(_) => Some("`layersift rules check FILE` names everything that is wrong with a rule file"),
            CliError::NoSuchRule { .. } => Some("`layersift rules list` names all rules"),
            CliError::Output { .. } | CliError::Stdout(_) => None,
        }
    }
}

/// What to do about a target that cannot be opened, where the message does not say it already.
pub(super) fn source_hint(error: &SourceError) -> Option<&'static str> {
    match error {
        SourceError::NotFound { .. } => {
            Some("name an image archive, an OCI layout or a folder; for an image that Docker holds: `docker save IMAGE | layersift scan -`")
        }
        SourceError::UnknownScheme { .. } => Some("put `./` before a path that has a colon in it"),
        SourceError::NoSuchPlatform { .. } => Some("ask for one of these with --platform, or leave it out to scan all of them"),
        _ => None,
    }
}
