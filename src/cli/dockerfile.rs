//! The Dockerfile that the user names: read before the scan, and laid beside it afterwards.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::detect::{self, Chunk, Subject};
use crate::dockerfile::{self, Dockerfile, MAX_BYTES};
use crate::finding::Scan;
use crate::rule::RuleSet;

/// A Dockerfile and the stage of it that was built.
pub(super) struct Given {
    path: PathBuf,
    dockerfile: Dockerfile,
    target: Option<usize>,
}

impl Given {
    /// Reads the Dockerfile at `path`; `target` names a stage.
    pub(super) fn load(path: &Path, target: Option<&str>) -> Result<Self, CliError> {
        let mut bytes = Vec::new();
        // One byte more than may be tells a file that is too long, whatever it is: a device has no length.
        let read = File::open(path).and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
        read.map_err(|error| CliError::Input { path: path.to_owned(), error })?;
        let wrong = |error| CliError::Dockerfile { path: path.to_owned(), error };
        let dockerfile = Dockerfile::parse(&bytes).map_err(wrong)?;
        let target = target.map(|name| dockerfile.target(name)).transpose().map_err(wrong)?;
        Ok(Self { path: path.to_owned(), dockerfile, target })
    }

    /// Secrets that stand in it. Not all of them need be in an image, and reports show its instructions.
    pub(super) fn secrets(&self, rules: &RuleSet) -> Vec<Vec<u8>> {
        let in_text = |text: &str| {
            let bytes = text.as_bytes();
            let found = detect::candidates(rules, &Chunk::whole(bytes), &Subject::DOCUMENT).candidates;
            // As it stands there, and as it is when decoded.
            let both = |candidate: detect::Candidate| [bytes[candidate.span.clone()].to_vec(), candidate.secret.expose().to_vec()];
            found.into_iter().flat_map(both).collect::<Vec<_>>()
        };
        self.dockerfile.texts().flat_map(in_text).collect()
    }

    /// Says of each finding what to change.
    pub(super) fn advise(&self, scan: &mut Scan) {
        dockerfile::advise(scan, &self.dockerfile, &self.path.display().to_string(), self.target);
    }
}
