//! A file as a slice. The one place with `unsafe`.

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// A regular file's bytes, mapped read-only; they stay as long as this value does.
#[derive(Debug)]
pub(super) struct Mapping(Option<Mmap>);

impl Mapping {
    /// Maps `file`, which must be a regular one. An empty file has nothing to map and is an empty slice.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            return Ok(Self(None));
        }
        // Safety: the mapping is read-only and private to this process, and nothing here writes to image files. If another program cuts
        // the file short while it is mapped, the system ends this process (SIGBUS) as it would any reader of a mapping; the bytes are
        // only ever looked at as bytes, so that a change in place can make a scan wrong, but not unsound parsing of typed data.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(file)? };
        Ok(Self(Some(map)))
    }

    /// All of the file's bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}
