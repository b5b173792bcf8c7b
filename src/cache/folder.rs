//! A folder of entries, one file each, for its owner only.
//!
//! Files are written beside their place and then renamed, so that no process ever sees half an entry and none has to wait for another.
//! Nothing is removed but what this module itself puts there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{CacheError, Kind, Name, Store, entry};
use crate::finding::trace::TraceKey;
use crate::private;

/// Most bytes of all entries, if nothing else is said.
pub const MAX_BYTES: u64 = 512 << 20;
/// Most bytes of one entry.
const MAX_ENTRY: u64 = 64 << 20;
/// Says to people and to backups what the folder is.
const TAG: &str = "CACHEDIR.TAG";
/// The text that such a file begins with by convention, whatever the program.
const TAG_TEXT: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# Results of layersift's scans. The folder may be removed at any time.\n";
const KEY: &str = "key";
/// What is half written after that time was left by a process that died.
const ABANDONED: Duration = Duration::from_secs(3600);

/// A folder of entries.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    max_bytes: u64,
}

/// What a folder holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Blobs whose results are kept.
    pub blobs: u64,
    /// All files, those that only lead to blobs among them.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// A file of the folder.
struct Kept {
    path: PathBuf,
    kind: Kind,
    size: u64,
    used: SystemTime,
    is_half: bool,
}

impl Folder {
    /// Opens or makes the folder at `path`; its entries may come to `max_bytes`.
    ///
    /// # Errors
    /// When it cannot be made, other users can write to it, or it is a folder of other things.
    pub fn open(path: &Path, max_bytes: u64) -> Result<Self, CacheError> {
        let failed = |error| CacheError::Io { path: path.to_owned(), error };
        if is_foreign(path) {
            return Err(CacheError::Foreign { path: path.to_owned() });
        }
        for folder in [path.to_owned(), path.join(folder_of(Kind::Blob)), path.join(folder_of(Kind::File))] {
            private::folders().create(&folder).map_err(failed)?;
            if private::is_shared(&fs::metadata(&folder).map_err(failed)?) {
                return Err(CacheError::Shared { path: folder });
            }
        }
        let folder = Self { path: path.to_owned(), max_bytes };
        if !path.join(TAG).is_file() {
            folder.write(&path.join(TAG), TAG_TEXT.as_bytes()).map_err(failed)?;
        }
        Ok(folder)
    }

    /// The folder at `path`, if there is one.
    pub fn existing(path: &Path) -> Option<Self> {
        path.join(TAG).is_file().then(|| Self { path: path.to_owned(), max_bytes: MAX_BYTES })
    }

    /// The key of the traces in this folder; made when it is asked for first.
    pub fn trace_key(&self) -> Result<TraceKey, CacheError> {
        let path = self.path.join(KEY);
        let failed = |error| CacheError::Io { path: path.clone(), error };
        if !path.is_file() {
            let mut bytes = [0; TraceKey::LEN];
            getrandom::fill(&mut bytes).map_err(|error| failed(io::Error::other(error.to_string())))?;
            let new = self.beside(&path).map_err(failed)?;
            write_new(&new, &bytes).map_err(failed)?;
            // Of several processes at once the first one wins. Where there are no links the last one does: what the others keep has
            // another key in its name, and is not found again.
            let made = match fs::hard_link(&new, &path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => fs::rename(&new, &path),
                _ => Ok(()),
            };
            let _ = fs::remove_file(&new);
            made.map_err(failed)?;
        }
        let bytes = fs::read(&path).map_err(failed)?;
        bytes.try_into().map(TraceKey::new).map_err(|_| CacheError::Key { path: path.clone() })
    }

    /// What it holds.
    pub fn usage(&self) -> io::Result<Usage> {
        let mut usage = Usage::default();
        for kept in self.list()? {
            usage.blobs += u64::from(kept.kind == Kind::Blob && !kept.is_half);
            usage.files += 1;
            usage.bytes += kept.size;
        }
        Ok(usage)
    }

    /// Removes all entries and the key; gives what there was.
    pub fn clear(&self) -> io::Result<Usage> {
        let usage = self.usage()?;
        for kept in self.list()? {
            remove(&kept.path)?;
        }
        remove(&self.path.join(KEY))?;
        Ok(usage)
    }

    /// Reads all entries and removes those that are damaged; how many are sound, and how many were not.
    pub fn verify(&self) -> io::Result<(u64, u64)> {
        let (mut sound, mut damaged) = (0, 0);
        for kept in self.list()?.iter().filter(|kept| !kept.is_half) {
            if read_bounded(&kept.path)?.and_then(entry::open).is_some() {
                sound += 1;
            } else {
                remove(&kept.path)?;
                damaged += 1;
            }
        }
        Ok((sound, damaged))
    }

    fn place(&self, name: &Name) -> PathBuf {
        self.path.join(folder_of(name.kind())).join(name.hex())
    }

    /// A new name beside `path`.
    fn beside(&self, path: &Path) -> io::Result<PathBuf> {
        // Processes in containers may share a folder and a process id.
        let unique = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(path.with_file_name(format!("{name}.{unique:016x}.half")))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let half = self.beside(path)?;
        let written = write_new(&half, bytes).and_then(|()| fs::rename(&half, path));
        if written.is_err() {
            let _ = fs::remove_file(&half);
        }
        written
    }

    /// All files of entries. One that another process has just removed is not there.
    fn list(&self) -> io::Result<Vec<Kept>> {
        let mut list = Vec::new();
        for kind in [Kind::Blob, Kind::File] {
            for entry in fs::read_dir(self.path.join(folder_of(kind)))? {
                let entry = entry?;
                let name = entry.file_name();
                let Some((hex, is_half)) = name.to_str().map(parts) else { continue };
                let is_ours = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
                let Ok(meta) = entry.metadata() else { continue };
                if is_ours && meta.is_file() {
                    let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    list.push(Kept { path: entry.path(), kind, size: meta.len(), used, is_half });
                }
            }
        }
        Ok(list)
    }
}

impl Store for Folder {
    fn get(&self, name: &Name) -> io::Result<Option<Vec<u8>>> {
        let path = self.place(name);
        let Some(bytes) = read_bounded(&path)? else { return Ok(None) };
        let payload = entry::open(bytes);
        if payload.is_none() {
            remove(&path)?;
        } else if let Ok(file) = OpenOptions::new().write(true).open(&path) {
            // What is used stays. A cache that cannot be written can be used all the same.
            let _ = file.set_modified(SystemTime::now());
        }
        Ok(payload)
    }

    fn put(&self, name: &Name, bytes: &[u8]) -> io::Result<()> {
        let sealed = entry::seal(bytes);
        // A bound, not a failure: such a blob is read again.
        if sealed.len() as u64 > MAX_ENTRY.min(self.max_bytes) {
            return Ok(());
        }
        self.write(&self.place(name), &sealed)
    }

    /// The oldest used go first, down to nine tenths of the bound.
    fn trim(&self) -> io::Result<()> {
        let mut list = self.list()?;
        let now = SystemTime::now();
        let is_abandoned = |kept: &Kept| kept.is_half && now.duration_since(kept.used).is_ok_and(|age| age > ABANDONED);
        for kept in list.iter().filter(|kept| is_abandoned(kept)) {
            remove(&kept.path)?;
        }
        list.retain(|kept| !kept.is_half);
        let mut bytes: u64 = list.iter().map(|kept| kept.size).sum();
        if bytes <= self.max_bytes {
            return Ok(());
        }
        list.sort_by(|a, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        for kept in list {
            if bytes <= self.max_bytes / 10 * 9 {
                break;
            }
            remove(&kept.path)?;
            bytes -= kept.size;
        }
        Ok(())
    }
}

/// Whether there are things in the folder that are not ours, in one that was never ours.
fn is_foreign(path: &Path) -> bool {
    let ours = [TAG, KEY, folder_of(Kind::Blob), folder_of(Kind::File)];
    let is_ours = |name: &str| ours.contains(&name) || (parts(name).1 && [TAG, KEY].iter().any(|ours| name.starts_with(ours)));
    let mut names = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.file_name());
    !path.join(TAG).is_file() && names.any(|name| !name.to_str().is_some_and(is_ours))
}

fn folder_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Blob => "blobs",
        Kind::File => "files",
    }
}

/// The hex digits of a file's name, and whether the file was being written.
fn parts(name: &str) -> (&str, bool) {
    match name.split_once('.') {
        Some((hex, rest)) => (hex, rest.ends_with("half")),
        None => (name, false),
    }
}

/// The bytes of a file; none if it is not there or beyond the bound.
fn read_bounded(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    if size > MAX_ENTRY {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(MAX_ENTRY).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Removes a file, which another process may have done already.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    private::new_file(path)?.write_all(bytes)
}
