//! What an audit is to read, and the hash that tells one plan from another: two processes with the same plan work on the same audit.

use std::fmt::Write as _;

use super::Audit;
use super::catalog::Target;
use super::state::Work;
use super::tags::TagChoice;
use super::task::{Known, Origin, Task};
use crate::finding::fingerprint::Key;
use crate::oci::Digest;
use crate::source::registry::ImageName;

/// What an audit is to read.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Registries, or parts of them.
    pub targets: Vec<Target>,
    /// Images.
    pub images: Vec<ImageName>,
    /// Which tags of the repositories of targets.
    pub tags: TagChoice,
    /// The same as it was typed, and all else of what was typed that the report depends on and that stands nowhere else.
    pub said: Vec<String>,
}

impl Plan {
    /// What is done first.
    pub(super) fn first(&self) -> Vec<Work> {
        let listings = (0..self.targets.len()).map(|target| Task::Listing { target });
        let images = self.images.iter().map(|name| Task::Tag {
            registry: name.registry().to_owned(),
            repository: name.repository().to_owned(),
            reference: name.wanted(),
            pushed: None,
            age: Known::Yes,
            origin: Origin::Named,
        });
        listings.chain(images).map(|task| task.work(Vec::new())).collect()
    }

    /// What was asked for, in the order of targets and images.
    pub fn names(&self) -> Vec<String> {
        self.targets.iter().map(ToString::to_string).chain(self.images.iter().map(ToString::to_string)).collect()
    }

    /// Hash of everything that the report depends on, but for the registries and the time.
    pub(super) fn hash(&self, audit: &Audit<'_>) -> String {
        let scan = audit.scan;
        let mut text = format!("{} {} {}\n", env!("CARGO_PKG_VERSION"), env!("LAYERSIFT_BUILD"), audit.rules.hash());
        // Writing to a text does not fail.
        let _ = writeln!(text, "{:?}", self.targets);
        for name in &self.images {
            let _ = writeln!(text, "{name}");
        }
        let _ = writeln!(text, "{:?} {:?} {:?}", self.said, scan.platform, scan.limits);
        let _ = writeln!(text, "{:?} {:?} {:?}", scan.comments, scan.public_files, scan.key.as_ref().map(Key::name));
        let _ = writeln!(text, "{:?}", audit.allowed);
        Digest::sha256(text.as_bytes()).hex().to_owned()
    }
}
