//! A folder presented as one layer: a tar made on the fly, so that the rest of the pipeline sees nothing new.
//!
//! Symbolic links are entries and never followed. Files are opened one at a time, folders are listed one at a time and in order, and
//! nothing else is kept. What cannot be read is noted while the tar is read; ask [`Source::skipped_while_reading`] afterwards.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::layer_file::single_layer;
use super::{Blob, BlobKey, Contents, Source, SourceError};
use crate::finding::{MAX_SKIPPED, Reason, Skipped};

/// The key of the one blob.
const KEY: &str = "rootfs";

/// Files up to this size are read before their header is written, so that header and contents always agree.
const SMALL: u64 = 256 * 1024;

const BLOCK: usize = 512;

/// A folder.
pub(super) struct Rootfs {
    path: PathBuf,
    skipped: Mutex<Vec<Skipped>>,
}

impl Rootfs {
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        fs::read_dir(path).map_err(|error| SourceError::Io { action: "list", path: path.to_owned(), error })?;
        Ok(Self { path: path.to_owned(), skipped: Mutex::default() })
    }
}

impl Source for Rootfs {
    fn contents(&self) -> Result<Contents, SourceError> {
        Ok(Contents { images: vec![single_layer(BlobKey(KEY.to_owned()), true)], ..Contents::default() })
    }

    fn open(&self, blob: &BlobKey) -> Result<Blob<'_>, SourceError> {
        if blob.0 != KEY {
            return Err(SourceError::MissingBlob { path: self.path.clone(), key: blob.0.clone() });
        }
        Ok(Blob::Stream(Box::new(FolderTar::new(&self.path, &self.skipped))))
    }

    fn skipped_while_reading(&self) -> Vec<Skipped> {
        std::mem::take(&mut *self.skipped.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A folder that is being walked: what is left of it, last name first.
struct Level {
    /// From the root, empty for the root.
    path: PathBuf,
    names: Vec<OsString>,
}

/// A file whose contents are being written.
struct Open {
    file: File,
    path: PathBuf,
    left: u64,
    padding: usize,
    /// Its end came too early; the rest are NULs.
    is_short: bool,
}

/// A tar of a folder.
struct FolderTar<'s> {
    root: PathBuf,
    device: Option<u64>,
    skipped: &'s Mutex<Vec<Skipped>>,
    levels: Vec<Level>,
    /// Bytes ready to be read, and how many have been.
    ready: Vec<u8>,
    taken: usize,
    open: Option<Open>,
    is_done: bool,
}

impl<'s> FolderTar<'s> {
    fn new(root: &Path, skipped: &'s Mutex<Vec<Skipped>>) -> Self {
        let device = fs::metadata(root).ok().and_then(|meta| device(&meta));
        let root = root.to_owned();
        let mut tar = Self { root, device, skipped, levels: Vec::new(), ready: Vec::new(), taken: 0, open: None, is_done: false };
        tar.enter(PathBuf::new());
        tar
    }

    fn note(&self, reason: Reason, path: &Path, size: Option<u64>, detail: impl Into<String>) {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        // One more than a report lists, so that the reader still counts that there were more.
        if skipped.len() <= MAX_SKIPPED {
            skipped.push(Skipped { reason, place: Path::new("/").join(path).display().to_string(), size, detail: detail.into() });
        }
    }

    fn unreadable(&self, path: &Path, error: &io::Error) {
        self.note(Reason::Unreadable, path, None, error.to_string());
    }

    /// Lists a folder, to be walked next.
    fn enter(&mut self, path: PathBuf) {
        match fs::read_dir(self.root.join(&path)) {
            Ok(entries) => {
                let mut names = Vec::new();
                for entry in entries {
                    match entry {
                        Ok(entry) => names.push(entry.file_name()),
                        Err(error) => self.unreadable(&path, &error),
                    }
                }
                names.sort_unstable_by(|a, b| b.cmp(a));
                self.levels.push(Level { path, names });
            }
            Err(error) => self.unreadable(&path, &error),
        }
    }

    /// Gets the next entry ready; false at the end.
    fn advance(&mut self) -> bool {
        let Some(level) = self.levels.last_mut() else { return false };
        let Some(name) = level.names.pop() else {
            self.levels.pop();
            return true;
        };
        let path = level.path.join(name);
        if let Err(error) = self.entry(&path) {
            self.unreadable(&path, &error);
        }
        true
    }

    fn entry(&mut self, path: &Path) -> io::Result<()> {
        let full = self.root.join(path);
        let meta = fs::symlink_metadata(&full)?;
        let kind = meta.file_type();
        if kind.is_symlink() {
            let target = path_bytes(&fs::read_link(&full)?);
            self.header(path, tar::EntryType::Symlink, &target, 0, &meta);
        } else if kind.is_dir() {
            if self.is_kernel_folder(path, &meta) {
                self.note(Reason::NotAFile, path, None, "the running system's own file system, not files of this folder");
                return Ok(());
            }
            self.header(path, tar::EntryType::Directory, b"", 0, &meta);
            self.enter(path.to_owned());
        } else if kind.is_file() {
            self.file(path, &full, &meta)?;
        } else {
            self.note(Reason::NotAFile, path, None, "a socket, device or pipe");
        }
        Ok(())
    }

    /// Whether this is the mount of `/proc`, `/sys` or `/dev`: endless and made of no files.
    fn is_kernel_folder(&self, path: &Path, meta: &Metadata) -> bool {
        ["proc", "sys", "dev"].iter().any(|name| path == Path::new(name)) && device(meta) != self.device
    }

    fn file(&mut self, path: &Path, full: &Path, meta: &Metadata) -> io::Result<()> {
        let mut file = File::open(full)?;
        if meta.len() > SMALL {
            self.header(path, tar::EntryType::Regular, b"", meta.len(), meta);
            let padding = padding(meta.len());
            self.open = Some(Open { file, path: path.to_owned(), left: meta.len(), padding, is_short: false });
            return Ok(());
        }
        let mut bytes = Vec::new();
        (&mut file).take(SMALL + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > SMALL {
            self.note(Reason::SizeMismatch, path, None, "it grew while it was read; its first 256 KiB were scanned");
            bytes.truncate(SMALL as usize);
        }
        self.header(path, tar::EntryType::Regular, b"", bytes.len() as u64, meta);
        self.ready.extend_from_slice(&bytes);
        self.pad_ready();
        Ok(())
    }

    fn pad_ready(&mut self) {
        let len = self.ready.len().next_multiple_of(BLOCK);
        self.ready.resize(len, 0);
    }

    /// Writes a header, after further ones for a long name or target.
    fn header(&mut self, path: &Path, kind: tar::EntryType, link: &[u8], size: u64, meta: &Metadata) {
        let mut name = path_bytes(path);
        if kind == tar::EntryType::Directory {
            name.push(b'/');
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(mode(meta));
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        if let Some(gnu) = header.as_gnu_mut() {
            for (field, value, extension) in
                [(&mut gnu.name, &name[..], tar::EntryType::GNULongName), (&mut gnu.linkname, link, tar::EntryType::GNULongLink)]
            {
                let fits = value.len().min(field.len());
                field[..fits].copy_from_slice(&value[..fits]);
                if value.len() > field.len() {
                    extend(&mut self.ready, extension, value);
                }
            }
        }
        header.set_cksum();
        self.ready.extend_from_slice(header.as_bytes());
    }

    /// Reads on in the open file; NULs stand for what is not there any more.
    fn read_open(&mut self, out: &mut [u8]) -> usize {
        let Some(open) = &mut self.open else { return 0 };
        let room = usize::try_from(open.left).map_or(out.len(), |left| left.min(out.len()));
        let out = &mut out[..room];
        let mut read = if open.is_short { Ok(0) } else { open.file.read(out) };
        while read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
            read = open.file.read(out);
        }
        let problem = match &read {
            Ok(0) if !open.is_short => Some((Reason::SizeMismatch, "it was cut short while it was read".to_owned())),
            Err(error) => Some((Reason::Unreadable, error.to_string())),
            Ok(_) => None,
        };
        let count = match read {
            Ok(count) if count > 0 => count,
            _ => {
                out.fill(0);
                open.is_short = true;
                room
            }
        };
        open.left -= count as u64;
        let noted = problem.map(|(reason, detail)| (open.path.clone(), open.left + count as u64, reason, detail));
        if open.left == 0 {
            self.close();
        }
        if let Some((path, lost, reason, detail)) = noted {
            self.note(reason, &path, Some(lost), detail);
        }
        count
    }

    fn close(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        self.ready.resize(self.ready.len() + open.padding, 0);
        if !open.is_short && open.file.read(&mut [0]).is_ok_and(|read| read > 0) {
            self.note(Reason::SizeMismatch, &open.path, None, "it grew while it was read; what it had at first was scanned");
        }
    }
}

impl Read for FolderTar<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if self.taken < self.ready.len() {
                let count = out.len().min(self.ready.len() - self.taken);
                out[..count].copy_from_slice(&self.ready[self.taken..self.taken + count]);
                self.taken += count;
                return Ok(count);
            }
            self.ready.clear();
            self.taken = 0;
            if self.open.is_some() {
                return Ok(self.read_open(out));
            }
            if self.is_done {
                return Ok(0);
            }
            if !self.advance() {
                self.is_done = true;
                self.ready.resize(2 * BLOCK, 0);
            }
        }
    }
}

/// A GNU extension header with a long name or target.
fn extend(ready: &mut Vec<u8>, kind: tar::EntryType, value: &[u8]) {
    let mut header = tar::Header::new_gnu();
    if let Some(gnu) = header.as_gnu_mut() {
        gnu.name[..13].copy_from_slice(b"././@LongLink");
    }
    header.set_entry_type(kind);
    header.set_size(value.len() as u64 + 1);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    ready.extend_from_slice(header.as_bytes());
    ready.extend_from_slice(value);
    ready.resize(ready.len() + 1 + padding(value.len() as u64 + 1), 0);
}

fn padding(size: u64) -> usize {
    ((BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64) as usize
}

#[cfg(unix)]
fn path_bytes(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}

#[cfg(not(unix))]
fn path_bytes(path: &Path) -> Vec<u8> {
    path.to_string_lossy().replace('\\', "/").into_bytes()
}

#[cfg(unix)]
fn device(meta: &Metadata) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    Some(meta.dev())
}

#[cfg(not(unix))]
fn device(_: &Metadata) -> Option<u64> {
    None
}

#[cfg(unix)]
fn mode(meta: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> u32 {
    0o644
}
