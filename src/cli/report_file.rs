//! JSON reports as files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::error::CliError;
use crate::finding::Scan;
use crate::report;

/// Longest report that is read. One of 100,000 findings has some 200 MB.
const MAX_BYTES: u64 = 2 << 30;
/// Says that what follows is a report, whatever it looks like.
const REPORT: &str = "report:";
/// How far a report is looked for the word that every one begins with.
const HEAD: u64 = 4096;

/// A report that was read.
pub(super) struct Loaded {
    pub(super) scan: Scan,
    /// When it was written, in seconds since 1970; now for standard input.
    pub(super) written: i64,
}

/// Reads the report at `path`; `-` is standard input.
pub(super) fn load(path: &Path) -> Result<Loaded, CliError> {
    let failed = |error| CliError::Input { path: path.to_owned(), error };
    let (text, written) = if path == Path::new("-") {
        (text(io::stdin().lock()).map_err(failed)?, SystemTime::now())
    } else {
        let file = File::open(path).map_err(failed)?;
        let written = file.metadata().and_then(|meta| meta.modified()).unwrap_or_else(|_| SystemTime::now());
        (text(file).map_err(failed)?, written)
    };
    let scan = report::read(text.trim_start_matches('\u{feff}')).map_err(|error| CliError::Report { path: path.to_owned(), error })?;
    let written = written.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok());
    Ok(Loaded { scan, written: written.unwrap_or_default() })
}

fn text(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    input.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is longer than 2 GiB"));
    }
    Ok(text)
}

/// The report that `target` names, where images can be named as well; none for an image.
pub(super) fn named(target: &str) -> Option<&Path> {
    let named = target.strip_prefix(REPORT).or_else(|| is_report(Path::new(target)).then_some(target));
    named.map(Path::new)
}

/// Whether the file at `path` looks like a report: no image begins with a brace.
fn is_report(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    let head = String::from_utf8_lossy(&head);
    read.is_ok() && head.trim_start_matches('\u{feff}').trim_start().starts_with('{') && head.contains("\"schema\"")
}
