//! Reports that are written while the scan goes on.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use super::error::CliError;
use super::output::Output;
use crate::finding::{LayerRead, Scan};
use crate::report::{Context, Exposure, jsonl};
use crate::scan::Progress;

/// Streams with their open places.
#[derive(Debug)]
pub(super) struct Streams {
    exposure: Exposure,
    streams: Mutex<Vec<Stream>>,
}

#[derive(Debug)]
struct Stream {
    output: Output,
    /// What went wrong first; nothing more is written then.
    failed: Option<CliError>,
}

impl Streams {
    /// Streams to `outputs`.
    pub(super) fn new(outputs: Vec<Output>, exposure: Exposure) -> Self {
        let streams = outputs.into_iter().map(|output| Stream { output, failed: None }).collect();
        Self { exposure, streams: Mutex::new(streams) }
    }

    /// No stream.
    pub(super) fn none() -> Self {
        Self::new(Vec::new(), Exposure::Redacted)
    }

    /// Whether there is none.
    pub(super) fn is_none(&self) -> bool {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether one goes to standard output, where a line of progress would be in its way.
    pub(super) fn on_stdout(&self) -> bool {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.iter().any(|stream| matches!(stream.output, Output::Stdout))
    }

    /// Writes the first line. `scan` has read nothing yet.
    pub(super) fn start(&self, scan: &Scan) {
        self.write(|out| jsonl::start(scan, out));
    }

    fn layer(&self, layer: &LayerRead) {
        self.write(|out| jsonl::layer(layer, self.exposure, out));
    }

    /// Writes the rest, and says what went wrong.
    pub(super) fn finish(self, scan: &Scan, context: &Context) -> Result<(), CliError> {
        for mut stream in self.streams.into_inner().unwrap_or_else(PoisonError::into_inner) {
            match stream.failed {
                Some(error) => return Err(error),
                None => stream.output.write(|out| jsonl::rest(scan, context, out))?,
            }
        }
        Ok(())
    }

    /// Writes one line to all of them, in one piece.
    fn write(&self, line: impl Fn(&mut dyn Write) -> io::Result<()>) {
        for stream in &mut *self.streams.lock().unwrap_or_else(PoisonError::into_inner) {
            let mut bytes = Vec::new();
            if stream.failed.is_none() {
                stream.failed = stream.output.write(|out| line(&mut bytes).and_then(|()| out.write_all(&bytes))).err();
            }
        }
    }
}

/// Tells the streams of layers, and somebody else of the rest.
pub(super) struct Watch<'a> {
    pub(super) progress: Box<dyn Progress>,
    pub(super) streams: &'a Streams,
}

impl Progress for Watch<'_> {
    fn layer_started(&self, what: &str, size: Option<u64>) {
        self.progress.layer_started(what, size);
    }

    fn bytes(&self, count: u64) {
        self.progress.bytes(count);
    }

    fn layer_finished(&self) {
        self.progress.layer_finished();
    }

    fn findings(&self, count: usize) {
        self.progress.findings(count);
    }

    fn layer_read(&self, layer: &LayerRead) {
        self.streams.layer(layer);
    }
}
