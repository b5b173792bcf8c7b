//! What can go wrong before anything is scanned.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::engine::EngineError;
use super::registry::{MalformedName, RegistryError};
use crate::finding::Reason;
use crate::oci::MalformedDocument;

/// A source that cannot be opened or makes no sense. Anything smaller is a [`crate::finding::Skipped`].
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The operating system said no.
    #[error("cannot {action} {}: {error}", .path.display())]
    Io {
        /// `open`, `read`, `list`, `map`, `run`.
        action: &'static str,
        /// What was being read.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// There is no such path.
    #[error("{}: no such file or folder", .path.display())]
    NotFound {
        /// What was asked for.
        path: PathBuf,
    },
    /// Not one byte, which says nothing about any image: what was to write them has failed.
    #[error("{}: there is nothing in it", .path.display())]
    Empty {
        /// What was read.
        path: PathBuf,
    },
    /// A document that everything hangs on is broken.
    #[error("{}: {document} is {problem}", .path.display())]
    Document {
        /// The archive or folder.
        path: PathBuf,
        /// The document in it.
        document: String,
        /// What is wrong with it.
        problem: MalformedDocument,
    },
    /// The path is none of the forms that are known.
    #[error("{}: not an image: {problem}", .path.display())]
    NotAnImage {
        /// What was asked for.
        path: PathBuf,
        /// What was looked for and not found, and what to try.
        problem: String,
    },
    /// A tag or digest that the layout does not have.
    #[error("{}: no image `{wanted}`; it has {}", .path.display(), known_or_none(.known))]
    NoSuchReference {
        /// The layout.
        path: PathBuf,
        /// The tag or digest asked for.
        wanted: String,
        /// What it has, at most twenty.
        known: Vec<String>,
    },
    /// No image is for the platform asked for.
    #[error("{}: no image for platform {wanted}; it has {}", .path.display(), known_or_none(.known))]
    NoSuchPlatform {
        /// The source.
        path: PathBuf,
        /// What was asked for.
        wanted: String,
        /// What it has.
        known: Vec<String>,
    },
    /// A blob that was named is not there.
    #[error("{}: blob {key} is missing", .path.display())]
    MissingBlob {
        /// The source.
        path: PathBuf,
        /// The blob.
        key: String,
    },
    /// The Docker client did not give out all of an image.
    #[error("`docker image save {image}` failed ({status})")]
    DockerSave {
        /// What the user calls the image.
        image: String,
        /// How the client ended.
        status: ExitStatus,
    },
    /// An engine did not give the image.
    #[error(transparent)]
    Engine(Box<EngineError>),
    /// A layer that registries do not carry.
    #[error("the layer is only at URLs, which are never fetched")]
    Foreign,
    /// The name of an image in a registry that is none.
    #[error("{}: {problem}", .name.escape_default())]
    Name {
        /// What was given.
        name: String,
        /// What is wrong with it.
        problem: MalformedName,
    },
    /// A registry did not give what was asked for.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A reference with a scheme nobody knows.
    #[error("`{scheme}:` is not a kind of source; use one of {known}")]
    UnknownScheme {
        /// What stood before the colon.
        scheme: String,
        /// What may stand there.
        known: String,
    },
}

impl SourceError {
    /// What it means for coverage.
    pub fn reason(&self) -> Reason {
        match self {
            SourceError::MissingBlob { .. } => Reason::MissingBlob,
            SourceError::Foreign => Reason::Foreign,
            SourceError::Registry(error) => error.reason(),
            _ => Reason::Unreadable,
        }
    }
}

impl From<EngineError> for SourceError {
    fn from(error: EngineError) -> Self {
        SourceError::Engine(Box::new(error))
    }
}

fn known_or_none(known: &[String]) -> String {
    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
}
