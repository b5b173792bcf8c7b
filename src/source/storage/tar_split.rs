//! A layer's tar, put together again: a list says of each run of bytes what they are, or which file has them.
//!
//! The names in the list are the image's. They are followed below the layer's folder only, symbolic links too: an image must not have the
//! machine's own files read.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::super::Blob;
use crate::finding::{MAX_SKIPPED, Reason, Skipped};
use crate::layer::decode::{Decoded, Decoder, decode};

/// Most bytes of a line of the list: a run of 48 MiB.
const MAX_LINE: u64 = 64 << 20;

/// Most symbolic links on the way to a file, as Linux has it.
const MAX_LINKS: usize = 40;

/// The contents of a file of the tar.
const FILE: u8 = 1;
/// Any other bytes of the tar.
const SEGMENT: u8 = 2;

/// A line of the list.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: u8,
    name: Option<String>,
    /// In base64, where it is not UTF-8.
    name_raw: Option<String>,
    size: Option<u64>,
    /// The bytes in base64; a file's is a checksum.
    payload: Option<String>,
}

/// A file whose contents are being read.
struct Body {
    file: Option<File>,
    name: PathBuf,
    left: u64,
}

/// Reads a layer's tar.
pub(super) struct TarSplit<'s> {
    list: BufReader<Decoder<'static>>,
    folder: PathBuf,
    skipped: &'s Mutex<Vec<Skipped>>,
    segment: Cursor<Vec<u8>>,
    body: Option<Body>,
}

impl<'s> TarSplit<'s> {
    /// Of the list in `list` and the files in `folder`.
    pub(super) fn new(list: File, folder: PathBuf, skipped: &'s Mutex<Vec<Skipped>>) -> io::Result<Self> {
        let (_, Decoded::Stream(list)) = decode(Blob::Stream(Box::new(list)))? else {
            return Err(io::Error::other("a stream was decoded into a mapping"));
        };
        Ok(Self { list: BufReader::new(list), folder, skipped, segment: Cursor::default(), body: None })
    }

    /// Goes on to the next line; false at the end.
    fn advance(&mut self) -> io::Result<bool> {
        let damaged = |problem: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the list of the layer's tar: {problem}"));
        let mut line = Vec::new();
        (&mut self.list).take(MAX_LINE).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(false);
        }
        let entry: Entry = serde_json::from_slice(&line).map_err(|_| damaged("a line does not make sense"))?;
        let bytes = |text: Option<String>| BASE64_STANDARD.decode(text.unwrap_or_default()).map_err(|_| damaged("a line is not base64"));
        match (entry.kind, entry.size.unwrap_or_default()) {
            (SEGMENT, _) => self.segment = Cursor::new(bytes(entry.payload)?),
            (FILE, 0) => {}
            (FILE, size) => {
                let name = match entry.name {
                    Some(name) => name.into_bytes(),
                    None => bytes(entry.name_raw)?,
                };
                self.body = Some(self.open(&name, size));
            }
            _ => return Err(damaged("a line is of no known kind")),
        }
        Ok(true)
    }

    fn open(&self, name: &[u8], size: u64) -> Body {
        let name = PathBuf::from(os_text(name));
        let file = open_below(&self.folder, &name);
        if let Err(error) = &file {
            self.note(Reason::Unreadable, &name, size, error.to_string());
        }
        Body { file: file.ok(), name, left: size }
    }

    fn note(&self, reason: Reason, name: &Path, size: u64, detail: String) {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        // One more than a report lists, so that the reader still counts that there were more.
        if skipped.len() <= MAX_SKIPPED {
            skipped.push(Skipped { reason, place: Path::new("/").join(name).display().to_string(), size: Some(size), detail });
        }
    }

    /// Reads on in the file; NULs stand for what cannot be read, so that the rest of the tar stays in its place.
    fn read_body(&mut self, out: &mut [u8]) -> usize {
        let Some(mut body) = self.body.take() else { return 0 };
        let room = usize::try_from(body.left).map_or(out.len(), |left| left.min(out.len()));
        let out = &mut out[..room];
        let read = body.file.as_mut().map_or(Ok(0), |file| retrying(file, out));
        let problem = match &read {
            Ok(0) if body.file.is_some() => Some((Reason::SizeMismatch, "it is shorter than the layer says".to_owned())),
            Err(error) => Some((Reason::Unreadable, error.to_string())),
            Ok(_) => None,
        };
        if let Some((reason, detail)) = problem {
            self.note(reason, &body.name, body.left, detail);
            body.file = None;
        }
        let count = read.ok().filter(|&count| count > 0).unwrap_or_else(|| {
            out.fill(0);
            room
        });
        body.left -= count as u64;
        self.body = Some(body).filter(|body| body.left > 0);
        count
    }
}

impl Read for TarSplit<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let count = if self.body.is_some() { self.read_body(out) } else { self.segment.read(out)? };
            if count > 0 || !self.advance()? {
                return Ok(count);
            }
        }
    }
}

fn retrying(file: &mut File, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Opens the regular file `name`, as a system whose root is `root` would.
fn open_below(root: &Path, name: &Path) -> io::Result<File> {
    let refused = |problem: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, problem.to_owned()));
    let mut ahead: VecDeque<OsString> = parts(name).collect();
    let (mut at, mut links) = (PathBuf::new(), 0);
    while let Some(part) = ahead.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        let path = root.join(&at).join(&part);
        let meta = fs::symlink_metadata(&path)?;
        if ahead.is_empty() && !meta.is_file() {
            return refused("the storage has no regular file there");
        }
        if !meta.is_symlink() {
            at.push(part);
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return refused("the way to it has too many symbolic links");
        }
        let target = fs::read_link(&path)?;
        if target.has_root() {
            at = PathBuf::new();
        }
        for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
            ahead.push_front(part);
        }
    }
    File::open(root.join(at))
}

/// The names along a path, `..` among them.
fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    })
}

#[cfg(unix)]
fn os_text(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStrExt;
    OsStr::from_bytes(bytes).to_owned()
}

#[cfg(not(unix))]
fn os_text(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}
