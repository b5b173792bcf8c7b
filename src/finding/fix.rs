//! What to change in the Dockerfile so that the next image is without a secret. Pure data: `dockerfile` makes it, reports print it.
//!
//! All texts are raw: they come from the Dockerfile and the image, and may hold secrets until a report redacts them.

use std::sync::Arc;

/// How sure it is that an instruction made a step of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Certainty {
    /// Kind and text agree.
    Exact,
    /// The kind and the order agree, the text does not.
    Probable,
}

/// Where the secret came in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Spot {
    /// An instruction of the Dockerfile.
    Instruction {
        /// Its first line, from 1.
        line: usize,
        /// Its last line.
        end_line: usize,
        /// The instruction, without the continuation marks of its lines.
        text: Arc<str>,
        /// Whether it is the one.
        certainty: Certainty,
    },
    /// A step before those of the Dockerfile.
    Base {
        /// The image that the Dockerfile starts from, as typed.
        image: String,
    },
    /// Not to be told; `advice` says why.
    Unknown,
}

/// A change of a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DockerfileFix {
    /// The Dockerfile, as the user named it.
    pub file: String,
    /// Where in it.
    pub spot: Spot,
    /// What to do, in sentences.
    pub advice: String,
    /// What is to stand in place of the instruction: empty to remove it, none to leave it or where nothing general can be said.
    pub replacement: Option<String>,
    /// A line for `.dockerignore`.
    pub ignore: Option<String>,
    /// How to build with the replacement.
    pub build_command: Option<String>,
}

impl Certainty {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Certainty::Exact => "exact",
            Certainty::Probable => "probable",
        }
    }
}
