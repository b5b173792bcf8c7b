//! Images in containerd's store, from disk: nothing is asked, locked or written.
//!
//! The store keeps blobs as they were pulled, by their digests, and beside them a database that says what names mean in which namespace. A node of
//! a cluster may throw layers away once they are unpacked, and pulls one platform of an index only: what is not there is said.

mod bolt;
mod place;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

pub(crate) use self::bolt::entries as bolt_entries;
#[cfg(test)]
pub(in crate::source) use self::bolt::testing;
use self::bolt::{Bolt, BoltError, Value};
use self::place::Given;
use super::folder::{Folder, Naming};
use super::members::{Located, Lost, Members};
use super::oci_images::IndexWalk;
use super::resolve::{Resolver, Wanted};
use super::{Blob, BlobKey, Contents, DocumentKind, Known, Source, SourceError, TextDocument};
use crate::finding::Reason;
use crate::oci::{Digest, Document, Hasher, Index, MediaType};

/// How often the database is read if it changes meanwhile.
const ATTEMPTS: usize = 5;

/// Most names that an error or a note lists.
const MAX_LISTED: usize = 20;

/// A name in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    namespace: String,
    name: String,
    /// The index or manifest that it means; none if the database says something else there.
    target: Option<Digest>,
}

/// An image in a store.
pub(super) struct Containerd {
    content: Content,
    name: String,
    target: Digest,
    wanted: Wanted,
    notes: Mutex<BTreeSet<String>>,
}

impl Containerd {
    /// Finds the image `text`: `NAME`, or `[NAMESPACE@ROOT]NAME`.
    pub(super) fn open(text: &str, wanted: Wanted) -> Result<Self, SourceError> {
        let (root, records, given) = read(text)?;
        let record = chosen(&given, &records, &root)?;
        let malformed = || SourceError::NotAnImage { path: database(&root), problem: format!("`{}` means no digest there", record.name) };
        let target = record.target.clone().ok_or_else(malformed)?;
        let content = Content(Folder::open(&root.join("io.containerd.content.v1.content"), Naming::Layout)?);
        let notes = if given.namespace.is_none() { namespace_note(record, &records) } else { None };
        Ok(Self { content, name: record.name.clone(), target, wanted, notes: Mutex::new(notes.into_iter().collect()) })
    }

    fn path(&self) -> &Path {
        self.content.0.path()
    }

    /// The index or manifest of the name.
    fn top(&self, resolver: &mut Resolver<'_>) -> Result<Vec<u8>, SourceError> {
        let missing =
            |lost: Lost| SourceError::NotAnImage { path: self.path().to_owned(), problem: format!("{}: {}", self.name, lost.detail) };
        let (_, bytes) = resolver.try_document(&self.content.manifest_name(&self.target)).map_err(missing)?;
        let mut hasher = Hasher::new(self.target.algorithm());
        hasher.update(&bytes);
        let actual = hasher.finish();
        if actual != self.target {
            let place = format!("manifest {}", self.target);
            resolver.note(Reason::DigestMismatch, &place, None, format!("its bytes hash to {actual}; they were scanned as they are"));
        }
        Ok(bytes)
    }

    /// Leaves out what the index lists and the store has never had: the images for other platforms. If it has none, all are left in.
    fn held(&self, index: Index) -> Index {
        let is_absent =
            |digest: &Digest| self.content.find(&self.content.manifest_name(digest)).is_err_and(|lost| lost.reason == Reason::MissingBlob);
        let (absent, held): (Vec<_>, Vec<_>) =
            index.manifests.iter().cloned().partition(|entry| entry.as_ref().is_ok_and(|descriptor| is_absent(&descriptor.digest)));
        if held.is_empty() || absent.is_empty() {
            return index;
        }
        let name = |descriptor: &crate::oci::Descriptor| {
            descriptor.platform.as_ref().map_or_else(|| descriptor.digest.to_string(), ToString::to_string)
        };
        let names: BTreeSet<String> = absent.iter().flatten().map(name).collect();
        let listed = names.into_iter().take(MAX_LISTED).collect::<Vec<_>>().join(", ");
        let note = format!("{}: of what its index lists, containerd holds no manifest for {listed}: nothing of that was read", self.name);
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).insert(note);
        Index { manifests: held }
    }
}

impl Source for Containerd {
    fn contents(&self) -> Result<Contents, SourceError> {
        let mut resolver = Resolver::new(&self.content, &self.wanted);
        let bytes = self.top(&mut resolver)?;
        let malformed = |problem| SourceError::Document { path: self.path().to_owned(), document: self.name.clone(), problem };
        let document = Document::parse(&bytes, MediaType::Other).map_err(malformed)?;
        let walk = IndexWalk::new(&mut resolver);
        match document {
            Document::Index(index) => {
                let document = TextDocument { kind: DocumentKind::Manifest, name: self.target.to_string(), bytes };
                walk.run(&self.held(index), document);
            }
            Document::Manifest(manifest) => walk.run_manifest(&self.target, *manifest, bytes),
        }
        let (mut contents, _) = resolver.finish(self.path())?;
        // What documents call it counts less; what only holds attestations keeps the name that says so.
        for image in contents.images.iter_mut().filter(|image| image.name.is_none() || !image.layers.is_empty()) {
            image.name = Some(self.name.clone());
        }
        self.content.0.listed();
        Ok(contents)
    }

    fn open(&self, blob: &BlobKey) -> Result<Blob<'_>, SourceError> {
        self.content.0.blob(blob)
    }

    fn known(&self, blob: &BlobKey) -> Option<Known> {
        self.content.0.known(blob)
    }

    fn release(&self, bytes: &[u8]) {
        self.content.0.release(bytes);
    }

    fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// The blobs of a store.
struct Content(Folder);

impl Members for Content {
    fn find(&self, name: &str) -> Result<Located, Lost> {
        self.0.find(name).map_err(|lost| match lost.reason {
            Reason::MissingBlob => {
                Lost::new(Reason::MissingBlob, "containerd does not hold it; it may throw layers away once they are unpacked")
            }
            _ => lost,
        })
    }

    fn document(&self, key: &BlobKey) -> Result<Vec<u8>, Lost> {
        self.0.document(key)
    }
}

/// Whether the store where containerd usually keeps things has the image: then its name with the namespace, as [`Containerd::open`] takes it. A store
/// that is not there, or is for others to read, has none.
pub(super) fn look_up(name: &str) -> Result<Option<String>, SourceError> {
    let (_, records, given) = match read(name) {
        Err(SourceError::Io { error, .. }) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            return Ok(None);
        }
        read => read?,
    };
    let found = given.choose(&records).unwrap_or_default();
    Ok(found.map(|record| format!("[{}]{}", record.namespace, record.name)))
}

/// The root of a store, the names in it, and what is asked for.
fn read(text: &str) -> Result<(PathBuf, Vec<Record>, Given<'_>), SourceError> {
    let mut given = Given::new(text);
    let variable = || std::env::var("CONTAINERD_NAMESPACE").ok().filter(|value| !value.is_empty());
    given.namespace = given.namespace.or_else(variable);
    let root = given.root();
    let records = list(&database(&root))?;
    Ok((root, records, given))
}

fn database(root: &Path) -> PathBuf {
    root.join("io.containerd.metadata.v1.bolt/meta.db")
}

fn chosen<'r>(given: &Given<'_>, records: &'r [Record], root: &Path) -> Result<&'r Record, SourceError> {
    match given.choose(records) {
        Ok(Some(record)) => Ok(record),
        Ok(None) => {
            let mut known: Vec<String> = records.iter().map(|record| format!("[{}]{}", record.namespace, record.name)).collect();
            known.sort_unstable();
            known.truncate(MAX_LISTED);
            Err(SourceError::NoSuchReference { path: root.to_owned(), wanted: given.name.to_owned(), known })
        }
        Err(namespaces) => {
            let listed = namespaces.join(", ");
            let problem = format!("`{}` is another image in each of the namespaces {listed}: write containerd:[NAMESPACE]{0}", given.name);
            Err(SourceError::NotAnImage { path: root.to_owned(), problem })
        }
    }
}

/// Which namespace a name was found in, where there are several.
fn namespace_note(record: &Record, records: &[Record]) -> Option<String> {
    let has_others = records.iter().any(|other| other.namespace != record.namespace);
    has_others.then(|| format!("{} was found in containerd's namespace {}", record.name, record.namespace))
}

/// All names of a database that may be written to meanwhile.
fn list(path: &Path) -> Result<Vec<Record>, SourceError> {
    let failed = |error| match error {
        BoltError::Io(error) => SourceError::Io { action: "read", path: path.to_owned(), error },
        other => SourceError::NotAnImage { path: path.to_owned(), problem: other.to_string() },
    };
    let open = || File::open(path).map_err(BoltError::from).and_then(Bolt::open).map_err(failed);
    let mut before = open()?;
    for _ in 0..ATTEMPTS {
        let records = records(&mut before);
        let after = open()?;
        if after.transaction() == before.transaction() {
            return records.map_err(failed);
        }
        before = after;
    }
    let error = io::Error::other("containerd writes to it all the time");
    Err(SourceError::Io { action: "read", path: path.to_owned(), error })
}

/// The names of all namespaces: `v1/NAMESPACE/images/NAME/target/digest`, as containerd's `metadata/buckets.go` has it.
fn records(bolt: &mut Bolt<File>) -> Result<Vec<Record>, BoltError> {
    let mut records = Vec::new();
    let root = bolt.root();
    let Some(version) = bolt.bucket(&root, b"v1")? else { return Ok(records) };
    for (namespace, value) in bolt.entries(&version)? {
        let Value::Bucket(namespace_bucket) = value else { continue };
        let Some(images) = bolt.bucket(&namespace_bucket, b"images")? else { continue };
        for (name, value) in bolt.entries(&images)? {
            let Value::Bucket(image) = value else { continue };
            let digest = match bolt.bucket(&image, b"target")? {
                Some(target) => bolt.get(&target, b"digest")?,
                None => None,
            };
            let target = match digest {
                Some(Value::Bytes(bytes)) => String::from_utf8(bytes).ok().and_then(|text| text.parse().ok()),
                _ => None,
            };
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            records.push(Record { namespace: text(&namespace), name: text(&name), target });
        }
    }
    Ok(records)
}
