//! What is to be done, as it stands in the queue.

use serde::{Deserialize, Serialize};

use super::state::{Stage, Work};

/// A piece of work. Its payload is of this build: another one has another plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Task {
    /// List the repositories of a target of the plan.
    Listing {
        /// Which target.
        target: usize,
    },
    /// List the tags of a repository, and choose some.
    Repository {
        /// Which target it is of.
        target: usize,
        registry: String,
        repository: String,
    },
    /// See what a tag leads to.
    Tag {
        registry: String,
        repository: String,
        /// The tag, or a digest.
        reference: String,
        /// When it was pushed, in seconds since 1970.
        pushed: Option<i64>,
        /// Whether it is new enough.
        age: Known,
        /// Who named it.
        origin: Origin,
    },
    /// Read and scan a layer.
    Layer {
        /// Where it can be had; it may be in other places too.
        registry: String,
        repository: String,
        digest: String,
        size: Option<u64>,
    },
    /// Put together what a tag leads to.
    Image { registry: String, repository: String, digest: String },
}

/// Whether something is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Known {
    Yes,
    No,
}

/// Who named a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Origin {
    /// The user: there has to be an image.
    Named,
    /// A list: there may be none for the platform that is wanted.
    Listed,
}

impl Task {
    /// As it was written.
    pub(super) fn read(work: &Work) -> Option<Self> {
        postcard::from_bytes(&work.payload).ok()
    }

    pub(super) fn stage(&self) -> Stage {
        match self {
            Task::Listing { .. } => Stage::Listing,
            Task::Repository { .. } => Stage::Repository,
            Task::Tag { .. } => Stage::Tag,
            Task::Layer { .. } => Stage::Layer,
            Task::Image { .. } => Stage::Image,
        }
    }

    /// The same for the same work.
    pub(super) fn key(&self) -> String {
        match self {
            Task::Listing { target } => target.to_string(),
            Task::Repository { registry, repository, .. } => format!("{registry}/{repository}"),
            Task::Tag { registry, repository, reference, .. } => format!("{registry}/{repository}{}", after_name(reference)),
            // A layer is the same wherever it is.
            Task::Layer { digest, .. } => digest.clone(),
            Task::Image { registry, repository, digest } => format!("{registry}/{repository}@{digest}"),
        }
    }

    /// For the queue.
    pub(super) fn work(&self, after: Vec<String>) -> Work {
        let size = if let Task::Layer { size, .. } = self { size.unwrap_or_default() } else { 0 };
        // There is nothing in a task that cannot be written.
        Work { stage: self.stage(), key: self.key(), payload: postcard::to_stdvec(self).unwrap_or_default(), after, size }
    }
}

/// A tag, or a digest, as it stands after the name of its repository.
pub(super) fn after_name(reference: &str) -> String {
    if reference.contains(':') { format!("@{reference}") } else { format!(":{reference}") }
}
