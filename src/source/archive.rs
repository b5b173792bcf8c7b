//! Image archives: a Docker archive, an OCI layout in a tar, or both in one, as Docker 25 and later write them.
//!
//! [`Archive`] is one that lies uncompressed on disk; it is mapped, and its blobs are read in place. How members become images is
//! [`contents_of`], for archives that come as a stream too.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::archive_index::ArchiveIndex;
use super::members::{Located, Lost, Members};
use super::mmap::Mapping;
use super::oci_images::IndexWalk;
use super::resolve::{Resolver, Wanted};
use super::stamp::{Known, Stamp};
use super::tar_walk::{Cut, Walk};
use super::{Blob, BlobKey, Contents, DocumentKind, Source, SourceError, TextDocument, docker_images};
use crate::finding::{Reason, Skipped};
use crate::oci::Index;

/// An uncompressed image archive on disk.
pub(super) struct Archive {
    path: PathBuf,
    file: File,
    mapping: Mapping,
    index: ArchiveIndex,
    skipped: Vec<Skipped>,
    wanted: Wanted,
}

impl Archive {
    pub(super) fn open(path: &Path, wanted: Wanted) -> Result<Self, SourceError> {
        let failed = |action| move |error| SourceError::Io { action, path: path.to_owned(), error };
        let file = File::open(path).map_err(failed("open"))?;
        let mapping = Mapping::of(&file).map_err(failed("map"))?;
        let (index, cut) = index(mapping.bytes());
        let skipped = index_problems(&index, cut, path);
        Ok(Self { path: path.to_owned(), file, mapping, index, skipped, wanted })
    }

    fn bytes(&self, key: &BlobKey) -> Option<&[u8]> {
        let file = self.index.file(key)?;
        let bytes = self.mapping.bytes().get(usize::try_from(file.position).ok()?..)?;
        // The last member of a cut archive has less than its header says.
        Some(&bytes[..usize::try_from(file.size).map_or(bytes.len(), |size| size.min(bytes.len()))])
    }
}

/// Indexes all members up to the end or the damage.
fn index(bytes: &[u8]) -> (ArchiveIndex, Option<Cut>) {
    let mut index = ArchiveIndex::default();
    let mut walk = Walk::new(bytes);
    loop {
        match walk.next() {
            Ok(Some(member)) => {
                index.add(&member);
            }
            Ok(None) => return (index, None),
            Err(cut) => return (index, Some(cut)),
        }
    }
}

/// What could not be indexed.
pub(super) fn index_problems(index: &ArchiveIndex, cut: Option<Cut>, path: &Path) -> Vec<Skipped> {
    let place = path.display().to_string();
    let skipped = |reason, detail: String| Skipped { reason, place: place.clone(), size: None, detail };
    let mut problems = Vec::new();
    match cut {
        None => {}
        Some(Cut::Truncated) => {
            problems.push(skipped(Reason::TruncatedArchive, "the archive ends within a member; what came before was used".to_owned()))
        }
        Some(Cut::Malformed(problem, position)) => {
            let detail = format!("the header at byte {position} is damaged ({problem}); what came before was used, the rest was not read");
            problems.push(skipped(Reason::TruncatedArchive, detail));
        }
        Some(Cut::Io(error)) => problems.push(skipped(Reason::DamagedStream, format!("{error}; what came before was used"))),
    }
    if index.is_full() {
        problems.push(skipped(Reason::EntriesLimit, "the archive has more than 1,000,000 members; the rest were not looked at".to_owned()));
    }
    problems
}

impl Members for Archive {
    fn find(&self, name: &str) -> Result<Located, Lost> {
        self.index.find(name)
    }

    fn document(&self, key: &BlobKey) -> Result<Vec<u8>, Lost> {
        self.bytes(key).map(<[u8]>::to_vec).ok_or_else(|| Lost::new(Reason::MissingBlob, "the archive has no such member"))
    }
}

impl Source for Archive {
    fn contents(&self) -> Result<Contents, SourceError> {
        let mut contents = contents_of(self, &self.index, &self.wanted, &self.path)?;
        contents.skipped.extend(self.skipped.iter().cloned());
        Ok(contents)
    }

    fn known(&self, blob: &BlobKey) -> Option<Known> {
        let member = self.index.file(blob)?;
        Stamp::of(&self.path, &self.file, member.position..member.position.checked_add(member.size)?).map(Known::File)
    }

    fn release(&self, bytes: &[u8]) {
        self.mapping.release(bytes);
    }

    fn open(&self, blob: &BlobKey) -> Result<Blob<'_>, SourceError> {
        let missing = || SourceError::MissingBlob { path: self.path.clone(), key: blob.0.clone() };
        self.bytes(blob).map(Blob::Mapped).ok_or_else(missing)
    }
}

/// The images of an archive whose members are known. `index.json` comes first, because it knows platforms and attestations;
/// `manifest.json` gives whole names, and images that the index does not have. Members that belong to no image are extras.
pub(super) fn contents_of(members: &dyn Members, index: &ArchiveIndex, wanted: &Wanted, path: &Path) -> Result<Contents, SourceError> {
    let (mut contents, used) = images_of(members, wanted, path)?;
    if wanted.is_all() {
        let unused = index.files().iter().filter(|file| !used.contains(&file.key));
        contents.extras = unused.map(|file| (file.name.clone(), file.key.clone())).collect();
    }
    Ok(contents)
}

/// The same without the extras; and what belongs to the images.
pub(super) fn images_of(members: &dyn Members, wanted: &Wanted, path: &Path) -> Result<(Contents, HashSet<BlobKey>), SourceError> {
    let mut resolver = Resolver::new(members, wanted);
    let has = |name| members.find(name).is_ok();
    let (has_index, has_list) = (has("index.json"), has("manifest.json"));
    let malformed = |document: &str, problem| SourceError::Document { path: path.to_owned(), document: document.to_owned(), problem };
    if has_index && let Some((_, bytes)) = resolver.document("index.json", "index.json", None) {
        let document = |bytes| TextDocument { kind: DocumentKind::Manifest, name: "index.json".to_owned(), bytes };
        match Index::parse(&bytes) {
            Ok(index) => IndexWalk::new(&mut resolver).run(&index, document(bytes)),
            Err(problem) if !has_list => return Err(malformed("index.json", problem)),
            Err(problem) => {
                resolver.note(Reason::MalformedDocument, "index.json", None, problem.to_string());
                resolver.homeless.push(document(bytes));
            }
        }
    }
    if has_list && let Some((_, bytes)) = resolver.document("manifest.json", "manifest.json", None) {
        match docker_images::parse(&bytes) {
            Ok(entries) => docker_images::add(&mut resolver, &entries, docker_images::document(bytes)),
            Err(problem) if !has_index => return Err(malformed("manifest.json", problem)),
            Err(problem) => {
                resolver.note(Reason::MalformedDocument, "manifest.json", None, problem.to_string());
                resolver.homeless.push(docker_images::document(bytes));
            }
        }
    }
    resolver.finish(path)
}
