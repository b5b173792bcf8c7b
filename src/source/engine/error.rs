//! Why an engine did not give an image.

use std::fmt;
use std::path::PathBuf;

use super::Engine;

/// An engine that did not give an image.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {image} from {engine}{}: {problem}", At(.endpoint))]
pub struct EngineError {
    /// Which.
    pub engine: Engine,
    /// Where it was looked for; empty if that could not be found out.
    pub endpoint: String,
    /// The image's name.
    pub image: String,
    /// Why.
    pub problem: EngineProblem,
}

struct At<'e>(&'e str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " at {}", self.0) }
    }
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum EngineProblem {
    /// Nobody answers.
    #[error("it is not there ({0})")]
    Absent(String),
    /// The socket is not for this user.
    #[error("the socket may not be used by this user")]
    NoPermission,
    /// It has no such image.
    #[error("there is no such image")]
    NoSuchImage,
    /// It refuses.
    #[error("it refuses{}", Said(.message))]
    Forbidden {
        /// In its own words, if it gave any.
        message: String,
    },
    /// It failed.
    #[error("it answered with HTTP status {status}{}", Said(.message))]
    Failed {
        /// The status.
        status: u16,
        /// In its own words, if it gave any.
        message: String,
    },
    /// What answers is none.
    #[error("what answers there is not an engine ({0})")]
    NotAnEngine(&'static str),
    /// The connection broke.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// A way to an engine that is not known.
    #[error("engines cannot be reached over {0}")]
    Unsupported(String),
    /// No image can be called so.
    #[error("that is no name of an image")]
    Name,
    /// A setting that says where the engine is, and makes no sense.
    #[error("{what}: {problem}")]
    Setting {
        /// The variable, the context or the file.
        what: String,
        /// Why.
        problem: String,
    },
    /// A file that the connection needs.
    #[error("cannot use {}: {problem}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

struct Said<'e>(&'e str);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

impl EngineError {
    /// What to do.
    pub fn hint(&self) -> Option<String> {
        let name = &self.image;
        let program = self.engine.as_str();
        let pipe = format!("`{program} save {name} | layersift scan -`");
        Some(match (&self.problem, self.engine) {
            (EngineProblem::Absent(_), Engine::Docker) => "start it, or say where it is with DOCKER_HOST or DOCKER_CONTEXT".to_owned(),
            (EngineProblem::Absent(_), Engine::Podman) => format!(
                "start its service with `podman system service --time=0`, say where it is with CONTAINER_HOST, or do without it: \
                 containers-storage:{name}"
            ),
            (EngineProblem::NoPermission, _) => {
                format!("run it as a user that may use the socket, or let one save the image: {pipe}")
            }
            (EngineProblem::Failed { status: 400, .. }, Engine::Docker) => {
                "if it wants TLS, set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder of the certificates".to_owned()
            }
            (EngineProblem::NoSuchImage, _) => format!("`{program} images` lists what it has"),
            (EngineProblem::Unsupported(scheme), _) if scheme == "ssh" => format!(
                "forward the socket with `ssh -nNT -L /tmp/engine.sock:SOCKET HOST` and name unix:///tmp/engine.sock in its place, or pipe the \
                 image: {pipe}"
            ),
            (EngineProblem::Unsupported(_) | EngineProblem::Connection(_) | EngineProblem::Forbidden { .. }, _) => {
                format!("pipe the image instead: {pipe}")
            }
            _ => return None,
        })
    }
}

/// Most characters of an engine's message that are quoted.
const MAX_MESSAGE: usize = 300;

/// An engine's message, fit to be quoted.
pub(super) fn shortened(message: &str) -> String {
    message.trim().chars().take(MAX_MESSAGE).collect()
}
