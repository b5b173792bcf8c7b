//! Images in the storage of Podman, Buildah and CRI-O, from disk: nothing is asked, mounted or written.
//!
//! The storage keeps a layer unpacked, and beside it all of the layer's tar but the files' contents. Both together are the very tar that was
//! pulled or built ([`TarSplit`]), so that a layer is read as anywhere else and checked against its diff_id. The blobs that the manifest
//! names are not kept: nothing is checked against their digests.

mod name;
mod place;
mod tar_split;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use self::name::Wish;
use self::place::Place;
use self::tar_split::TarSplit;
use super::folder::read_bounded;
use super::members::{Located, Lost, Members};
use super::resolve::{LayerRef, Parts, Resolver, Wanted};
use super::{Blob, BlobKey, Contents, DocumentKind, Source, SourceError, TextDocument};
use crate::finding::{Reason, Skipped};
use crate::oci::{Digest, Document, Manifest, MediaType};

/// What stands before a layer's id in its name.
const LAYER: &str = "layer/";

/// An image as the storage lists it.
#[derive(Debug, Clone, Deserialize)]
struct Record {
    id: String,
    digest: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    /// The topmost one.
    layer: Option<String>,
    /// What its documents are called.
    #[serde(default, rename = "big-data-names")]
    documents: Vec<String>,
}

/// A layer as the storage lists it.
#[derive(Debug, Deserialize)]
struct LayerRecord {
    id: String,
    /// The layer below.
    parent: Option<String>,
    #[serde(rename = "diff-size")]
    size: Option<u64>,
}

/// An image in a storage.
pub(super) struct Storage {
    place: Place,
    record: Record,
    wanted: Wanted,
    layers: HashMap<String, LayerRecord>,
    skipped: Mutex<Vec<Skipped>>,
}

impl Storage {
    /// Finds the image `text`: `NAME`, or `[DRIVER@ROOT]NAME` for a storage elsewhere.
    pub(super) fn open(text: &str, wanted: Wanted) -> Result<Self, SourceError> {
        let (given, name) = place::split(text);
        let places = place::places(given)?;
        let wish = Wish::new(name);
        let mut known = Vec::new();
        for place in &places {
            let records: Vec<Record> = list(&place.images().join("images.json"))?;
            if let Some(record) = wish.choose(&records) {
                let layers: Vec<LayerRecord> = list(&place.layers().join("layers.json"))?;
                let layers = layers.into_iter().map(|layer| (layer.id.clone(), layer)).collect();
                return Ok(Self { place: place.clone(), record: record.clone(), wanted, layers, skipped: Mutex::default() });
            }
            known.extend(records.into_iter().flat_map(|record| record.names));
        }
        known.sort_unstable();
        known.truncate(20);
        let path = places.first().map(|place| place.root.clone()).unwrap_or_default();
        Err(SourceError::NoSuchReference { path, wanted: name.to_owned(), known })
    }

    /// The ids of the image's layers, base first.
    fn chain(&self, resolver: &mut Resolver<'_>) -> Vec<String> {
        let mut chain = Vec::new();
        let mut seen = HashSet::new();
        let mut next = self.record.layer.clone().filter(|id| !id.is_empty());
        while let Some(id) = next.filter(|id| seen.insert(id.clone())) {
            match self.layers.get(&id) {
                Some(layer) => next = layer.parent.clone().filter(|id| !id.is_empty()),
                None => {
                    resolver.note(Reason::MissingBlob, &format!("layer {id}"), None, "the storage lists no such layer");
                    next = None;
                }
            }
            chain.push(id);
        }
        chain.reverse();
        chain
    }

    /// The document that says what the image is made of.
    fn manifest(&self, resolver: &mut Resolver<'_>) -> Option<(Digest, Vec<u8>)> {
        let (_, bytes) = resolver.document("manifest", "manifest", None)?;
        let digest = Digest::sha256(&bytes);
        let is_known = self.record.digest.as_deref().is_none_or(|known| known == digest.to_string());
        if !is_known {
            resolver.note(Reason::DigestMismatch, "manifest", None, format!("its bytes hash to {digest}; they were scanned as they are"));
        }
        Some((digest, bytes))
    }

    fn parse(&self, bytes: &[u8], resolver: &mut Resolver<'_>) -> Result<Option<Manifest>, SourceError> {
        match Document::parse(bytes, MediaType::Other) {
            Ok(Document::Manifest(manifest)) => Ok(Some(*manifest)),
            Ok(Document::Index(_)) => {
                let problem = "it is a list of images: name one of them".to_owned();
                Err(SourceError::NotAnImage { path: PathBuf::from(&self.record.id), problem })
            }
            Err(problem) => {
                resolver.note(Reason::MalformedDocument, "manifest", None, problem.to_string());
                Ok(None)
            }
        }
    }

    fn config(&self, manifest: Option<Manifest>, resolver: &mut Resolver<'_>) -> Option<(BlobKey, Vec<u8>)> {
        match manifest?.config? {
            Ok(config) => resolver.document(&config.digest.to_string(), "config", Some(&config)),
            Err(problem) => {
                resolver.malformed("config", &problem);
                None
            }
        }
    }

    fn path_of(&self, name: &str) -> PathBuf {
        self.place.images().join(&self.record.id).join(file_name(name))
    }
}

impl Source for Storage {
    fn contents(&self) -> Result<Contents, SourceError> {
        let mut resolver = Resolver::new(self, &self.wanted);
        let (digest, bytes) = self.manifest(&mut resolver).unzip();
        let manifest = bytes.as_ref().map_or(Ok(None), |bytes| self.parse(bytes, &mut resolver))?;
        let config = self.config(manifest, &mut resolver);
        let mut layers = Vec::new();
        for id in self.chain(&mut resolver) {
            let blob = resolver.layer(&format!("{LAYER}{id}"), &format!("layer {id}"), None);
            layers.push(LayerRef { blob, descriptor: None });
        }
        let document = |bytes| TextDocument { kind: DocumentKind::Manifest, name: "manifest".to_owned(), bytes };
        let (name, documents) = (self.record.names.first().cloned(), bytes.map(document).into_iter().collect());
        resolver.image(Parts { name, digest, platform: None, config, layers, documents });
        let (contents, _) = resolver.finish(&self.place.root)?;
        Ok(contents)
    }

    fn open(&self, blob: &BlobKey) -> Result<Blob<'_>, SourceError> {
        let missing = || SourceError::MissingBlob { path: self.place.root.clone(), key: blob.0.clone() };
        let id = blob.0.strip_prefix(LAYER).filter(|id| self.layers.contains_key(*id)).ok_or_else(missing)?;
        let path = self.place.headers(id);
        let failed = |error| SourceError::Io { action: "read", path: path.clone(), error };
        let headers = File::open(&path).map_err(failed)?;
        let reader = TarSplit::new(headers, self.place.files(id), &self.skipped).map_err(failed)?;
        Ok(Blob::Stream(Box::new(reader)))
    }

    fn skipped_while_reading(&self) -> Vec<Skipped> {
        std::mem::take(&mut *self.skipped.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Members for Storage {
    fn find(&self, name: &str) -> Result<Located, Lost> {
        let key = BlobKey(name.to_owned());
        if let Some(id) = name.strip_prefix(LAYER) {
            let layer = self.layers.get(id).filter(|_| is_id(id));
            let layer = layer.ok_or_else(|| Lost::new(Reason::MissingBlob, "the storage has no such layer"))?;
            if !self.place.headers(id).is_file() {
                return Err(Lost::new(Reason::MissingBlob, "the storage does not keep what its tar was made of (tar-split)"));
            }
            return Ok(Located { key, size: layer.size });
        }
        match std::fs::metadata(self.path_of(name)) {
            Ok(meta) => Ok(Located { key, size: Some(meta.len()) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Lost::new(Reason::MissingBlob, "the storage has no such document"))
            }
            Err(error) => Err(Lost::new(Reason::Unreadable, error.to_string())),
        }
    }

    fn document(&self, key: &BlobKey) -> Result<Vec<u8>, Lost> {
        read_bounded(&self.path_of(&key.0)).map_err(|error| Lost::new(Reason::Unreadable, error.to_string()))
    }
}

/// What the storage calls the file of a document: names that are more than lower-case letters, digits and full stops are base64.
fn file_name(name: &str) -> String {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.');
    if is_plain { name.to_owned() } else { format!("={}", BASE64_STANDARD.encode(name)) }
}

/// Ids become parts of paths.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// One of the storage's own lists.
fn list<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, SourceError> {
    let bytes = read_bounded(path).map_err(|error| SourceError::Io { action: "read", path: path.to_owned(), error })?;
    serde_json::from_slice(&bytes).map_err(|error| SourceError::NotAnImage {
        path: path.to_owned(),
        problem: format!("it is not a list of the storage at line {} column {}", error.line(), error.column()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_lie_under_the_names_that_the_storage_gives_them() {
        assert_eq!(file_name("manifest"), "manifest");
        assert_eq!(file_name("sha256:ab"), "=c2hhMjU2OmFi");
        assert_eq!(file_name("manifest-sha256:ab"), "=bWFuaWZlc3Qtc2hhMjU2OmFi");
    }
}
