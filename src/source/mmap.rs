//! A file as a slice. The one place with `unsafe`.

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Linux maps so many bytes round a page that is read, those that were given back among them.
const AROUND: usize = 64 << 10;

/// A regular file's bytes, mapped read-only; they stay as long as this value does, whether the file is still open or not.
#[derive(Debug)]
pub struct Mapping(Option<Mmap>);

impl Mapping {
    /// Maps `file`, which must be a regular one. An empty file has nothing to map and is an empty slice.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() == 0 {
            return Ok(Self(None));
        }
        // Safety: the mapping is read-only and private to this process, and nothing here writes to image files, or to a
        // temporary file once it is mapped. If another program cuts
        // the file short while it is mapped, the system ends this process (SIGBUS) as it would any reader of a mapping; the bytes are
        // only ever looked at as bytes, so that a change in place can make a scan wrong, but not unsound parsing of typed data.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(file)? };
        Ok(Self(Some(map)))
    }

    /// All of the file's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Gives the pages of `bytes` back to the system, if they are of this mapping. They can still be read: then they come from the file
    /// again. Without it, a scan of a large image would seem to need as much memory as the image has bytes.
    pub(super) fn release(&self, bytes: &[u8]) -> bool {
        let Some(map) = &self.0 else { return false };
        let Some(offset) = (bytes.as_ptr() as usize).checked_sub(map.as_ptr() as usize).filter(|offset| offset + bytes.len() <= map.len())
        else {
            return false;
        };
        // What was given back before these bytes came back with the first of them.
        let start = offset.saturating_sub(AROUND);
        // Safety: the mapping is of a file, shared and never written to, so that a page that is dropped holds nothing but what the file
        // has, and reading it again gives the same bytes.
        #[cfg(unix)]
        #[allow(unsafe_code)]
        let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, offset + bytes.len() - start) };
        #[cfg(not(unix))]
        let _ = start;
        true
    }
}
