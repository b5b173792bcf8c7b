//! A folder of blobs on disk: an OCI layout, or what `skopeo copy` makes of `dir:`.
//!
//! No path is ever made of anything but a fixed name or a parsed digest. Blobs may be symbolic links, as some builders make them. Within
//! the folder a link is followed; one that leaves it is followed only if the bytes it leads to hash to the digest that names the blob: a
//! folder made by an attacker can then name no file whose contents its maker does not already know.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::members::{Located, Lost, MAX_DOCUMENT, Members};
use super::mmap::Mapping;
use super::stamp::{Known, Stamp};
use super::{Blob, BlobKey, SourceError};
use crate::finding::Reason;
use crate::oci::{Digest, Hasher};

/// How files are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// `blobs/sha256/<hex>`.
    Layout,
    /// `<hex>`, and `<hex>.manifest.json` for the manifests of a list.
    Skopeo,
}

/// A folder of blobs.
pub(super) struct Folder {
    path: PathBuf,
    real_path: PathBuf,
    naming: Naming,
    /// Blobs that were found, with their paths.
    found: Mutex<BTreeMap<BlobKey, PathBuf>>,
    /// The same, from the end of the first listing on. A mapping, once made, stays as long as the folder does.
    slots: OnceLock<BTreeMap<BlobKey, Slot>>,
}

struct Slot {
    path: PathBuf,
    mapping: OnceLock<Option<Mapping>>,
}

impl Folder {
    pub(super) fn open(path: &Path, naming: Naming) -> Result<Self, SourceError> {
        let failed = |error| SourceError::Io { action: "open", path: path.to_owned(), error };
        let real_path = path.canonicalize().map_err(failed)?;
        Ok(Self { path: path.to_owned(), real_path, naming, found: Mutex::default(), slots: OnceLock::new() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of a document with a fixed name; none if there is no such file.
    pub(super) fn fixed_document(&self, name: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let path = self.path.join(name);
        let failed = |error| SourceError::Io { action: "read", path: path.clone(), error };
        match fs::metadata(&path) {
            Ok(meta) if meta.is_file() && meta.len() <= MAX_DOCUMENT => read_bounded(&path).map(Some).map_err(failed),
            Ok(_) => Err(SourceError::NotAnImage { path: path.clone(), problem: "it is not a file of at most 64 MiB".to_owned() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// To be called when the listing is over: from now on the blobs that it found can be opened.
    pub(super) fn listed(&self) {
        let found = std::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner));
        let slots = found.into_iter().map(|(key, path)| (key, Slot { path, mapping: OnceLock::new() })).collect();
        // A second listing finds the same blobs.
        let _ = self.slots.set(slots);
    }

    pub(super) fn blob(&self, key: &BlobKey) -> Result<Blob<'_>, SourceError> {
        let missing = || SourceError::MissingBlob { path: self.path.clone(), key: key.0.clone() };
        let slot = self.slots.get().and_then(|slots| slots.get(key)).ok_or_else(missing)?;
        let failed = |error| SourceError::Io { action: "open", path: slot.path.clone(), error };
        let file = File::open(&slot.path).map_err(failed)?;
        match slot.mapping.get_or_init(|| Mapping::of(&file).ok()) {
            Some(mapping) => Ok(Blob::Mapped(mapping.bytes())),
            // Some file systems cannot map, and the number of mappings is bounded.
            None => Ok(Blob::Stream(Box::new(file))),
        }
    }

    /// By what a blob is known: the file that is opened for it.
    pub(super) fn known(&self, key: &BlobKey) -> Option<Known> {
        let path = &self.slots.get()?.get(key)?.path;
        let file = File::open(path).ok()?;
        Stamp::of(path, &file, 0..file.metadata().ok()?.len()).map(Known::File)
    }

    /// Gives the pages of a mapped blob back.
    pub(super) fn release(&self, bytes: &[u8]) {
        let mappings = self.slots.get().into_iter().flat_map(BTreeMap::values).filter_map(|slot| slot.mapping.get()?.as_ref());
        for mapping in mappings {
            if mapping.release(bytes) {
                return;
            }
        }
    }

    /// Names of all blobs that lie in the folder itself, in order: no links, nothing that is not named by a digest.
    pub(super) fn blob_names(&self) -> Vec<String> {
        let folders: &[(&str, &str)] = match self.naming {
            Naming::Layout => &[("blobs/sha256", "sha256"), ("blobs/sha512", "sha512")],
            Naming::Skopeo => &[("", "sha256")],
        };
        let mut names = Vec::new();
        for (folder, algorithm) in folders {
            let path = self.path.join(folder);
            let is_inside = path.canonicalize().is_ok_and(|real| real.starts_with(&self.real_path));
            for entry in fs::read_dir(path).into_iter().flatten().flatten().filter(|_| is_inside) {
                let Ok(name) = entry.file_name().into_string() else { continue };
                let is_blob = format!("{algorithm}:{name}").parse::<Digest>().is_ok() && entry.file_type().is_ok_and(|kind| kind.is_file());
                if is_blob {
                    names.push(if folder.is_empty() { name } else { format!("{folder}/{name}") });
                }
            }
        }
        names.sort_unstable();
        names
    }

    /// The digest that a blob's name promises.
    fn promised(name: &str) -> Option<Digest> {
        let last = name.rsplit('/').next().unwrap_or(name);
        let hex = last.strip_suffix(".manifest.json").unwrap_or(last);
        ["sha256", "sha512"].iter().find_map(|algorithm| format!("{algorithm}:{hex}").parse().ok())
    }

    /// The path behind a name, if it may be opened.
    fn check(&self, name: &str) -> Result<(PathBuf, u64), Lost> {
        let path = self.path.join(name);
        let real = path.canonicalize().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Lost::new(Reason::MissingBlob, "there is no such file"),
            _ => Lost::new(Reason::Unreadable, error.to_string()),
        })?;
        let meta = fs::metadata(&real).map_err(|error| Lost::new(Reason::Unreadable, error.to_string()))?;
        if !meta.is_file() {
            return Err(Lost::new(Reason::MissingBlob, "it is not a regular file"));
        }
        if !real.starts_with(&self.real_path) && !Self::promised(name).is_some_and(|digest| hashes_to(&real, &digest)) {
            return Err(Lost::new(
                Reason::MissingBlob,
                "it is a link that leaves the folder to bytes of another digest; it was not followed",
            ));
        }
        Ok((real, meta.len()))
    }
}

impl Members for Folder {
    fn find(&self, name: &str) -> Result<Located, Lost> {
        let (path, size) = self.check(name)?;
        let key = BlobKey(name.to_owned());
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), path);
        Ok(Located { key, size: Some(size) })
    }

    fn document(&self, key: &BlobKey) -> Result<Vec<u8>, Lost> {
        let path = self.found.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        let path = path.ok_or_else(|| Lost::new(Reason::MissingBlob, "there is no such file"))?;
        read_bounded(&path).map_err(|error| Lost::new(Reason::Unreadable, error.to_string()))
    }

    fn blob_name(&self, digest: &Digest) -> String {
        match self.naming {
            Naming::Layout => format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex()),
            Naming::Skopeo => digest.hex().to_owned(),
        }
    }

    fn manifest_name(&self, digest: &Digest) -> String {
        match self.naming {
            Naming::Layout => self.blob_name(digest),
            Naming::Skopeo => format!("{}.manifest.json", digest.hex()),
        }
    }
}

/// The first [`MAX_DOCUMENT`] bytes of a file.
pub(super) fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_DOCUMENT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn hashes_to(path: &Path, digest: &Digest) -> bool {
    let mut hasher = Hasher::new(digest.algorithm());
    let Ok(mut file) = File::open(path) else { return false };
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return hasher.finish() == *digest,
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return false,
        }
    }
}
