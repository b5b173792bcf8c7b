//! Images that a Docker Engine or Podman holds, by name, over the API that both speak: one request says what the name means, one exports it
//! as a Docker archive, which is read as it comes from the socket.
//!
//! An export has no length that could be checked, and an engine that fails in the middle of one writes why behind what it has written, and
//! ends the answer as if all were well. [`Export`] makes an error of that.

mod client;
mod context;
mod endpoint;
mod error;
#[cfg(unix)]
mod socket;

use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;

use serde::Deserialize;

use self::client::Client;
pub use self::error::{EngineError, EngineProblem};
use super::onepass::{Form, Stream};
use super::resolve::Wanted;

/// An engine that holds images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Docker's, or one that takes its place.
    Docker,
    /// Podman's service.
    Podman,
}

impl Engine {
    /// The scheme of its images.
    pub fn as_str(self) -> &'static str {
        match self {
            Engine::Docker => "docker",
            Engine::Podman => "podman",
        }
    }

    /// Fails if there is no such image, or no engine to ask.
    pub(super) fn look_up(self, name: &str) -> Result<(), EngineError> {
        Client::new(self, name)?.inspect().map(|_| ())
    }

    /// An image as it passes by.
    pub(super) fn export(self, name: &str, wanted: Wanted) -> Result<Stream, EngineError> {
        let client = Client::new(self, name)?;
        let image = client.inspect()?;
        let reader = client.export(&image.exported_as(name))?;
        let path = PathBuf::from(format!("{}:{name}", self.as_str()));
        Ok(Stream { path, reader: Box::new(Export::new(reader)), form: Form::Archive, wanted })
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Docker => "the Docker daemon",
            Engine::Podman => "Podman",
        })
    }
}

/// What an engine says of an image.
#[derive(Debug, Deserialize)]
struct Inspected {
    #[serde(rename = "Id")]
    id: String,
}

impl Inspected {
    /// What to ask the export for. A bare name would export all tags of it.
    fn exported_as(&self, name: &str) -> String {
        let last = name.rsplit('/').next().unwrap_or(name);
        let hex = self.id.strip_prefix("sha256:").unwrap_or(&self.id);
        match name {
            _ if last.contains('@') || name == self.id || hex.starts_with(name) => self.id.clone(),
            _ if last.contains(':') => name.to_owned(),
            _ => format!("{name}:latest"),
        }
    }
}

/// Bytes of the end that are kept: more than an engine's message has.
const TAIL: usize = 8192;

/// An export as it comes.
struct Export<R> {
    reader: R,
    tail: Vec<u8>,
}

impl<R> Export<R> {
    fn new(reader: R) -> Self {
        Self { reader, tail: Vec::new() }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(TAIL)..];
        let surplus = (self.tail.len() + bytes.len()).saturating_sub(TAIL);
        self.tail.drain(..surplus);
        self.tail.extend_from_slice(bytes);
    }

    /// What the engine wrote behind an export that failed. A tar ends in NULs, so that nothing in it is taken for this.
    fn complaint(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Complaint {
            error: String,
        }
        let tail = self.tail.trim_ascii_end();
        let starts = (0..tail.len()).rev().filter(|&at| tail.last() == Some(&b'}') && tail[at..].starts_with(b"{\"error"));
        let complaint = starts.into_iter().find_map(|at| serde_json::from_slice::<Complaint>(&tail[at..]).ok());
        complaint.map(|complaint| error::shortened(&complaint.error))
    }
}

impl<R: Read> Read for Export<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(out)?;
        self.keep(&out[..read]);
        if read > 0 || out.is_empty() {
            return Ok(read);
        }
        match self.complaint() {
            Some(why) => Err(io::Error::other(format!("the engine broke the export off: {why}"))),
            None => Ok(0),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_image_is_exported_whatever_it_was_called() {
        let image = Inspected { id: format!("sha256:{}", "ab12".repeat(16)) };
        for (name, exported) in [
            ("app", "app:latest"),
            ("localhost:5000/app", "localhost:5000/app:latest"),
            ("app:1", "app:1"),
            ("ab12ab", image.id.as_str()),
            (image.id.as_str(), image.id.as_str()),
            ("app:1@sha256:00", image.id.as_str()),
            ("abc", "abc:latest"),
        ] {
            assert_eq!(image.exported_as(name), exported);
        }
    }

    #[test]
    fn what_an_engine_writes_behind_an_export_is_an_error() {
        let complaint = br#"{"errorDetail":{"message":"no space"},"error":"no space"}"#;
        let read = |bytes: &[u8]| Export::new(bytes).read_to_end(&mut Vec::new());
        for before in [0, 1, 700, TAIL, 3 * TAIL] {
            let bytes = [&vec![0; before][..], complaint, b"\r\n"].concat();
            assert_eq!(read(&bytes).unwrap_err().to_string(), "the engine broke the export off: no space");
        }
        for sound in [&b""[..], b"{}", &[complaint, &[0; 512][..]].concat()] {
            assert_eq!(read(sound).unwrap(), sound.len());
        }
    }
}
