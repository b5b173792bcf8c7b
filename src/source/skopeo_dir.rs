//! A folder as `skopeo copy ... dir:FOLDER` makes it: `manifest.json`, and blobs named by the hex of their digest.

use std::path::Path;

use super::folder::{Folder, Naming};
use super::members::Members;
use super::oci_images::IndexWalk;
use super::resolve::{Resolver, Wanted};
use super::{Blob, BlobKey, Contents, DocumentKind, Known, Source, SourceError, TextDocument};
use crate::oci::{Digest, Document, MediaType};

/// What the file `version` of such a folder begins with.
const VERSION: &str = "Directory Transport Version";

/// A folder of skopeo's.
pub(super) struct SkopeoDir {
    folder: Folder,
    wanted: Wanted,
}

/// Whether `path` is such a folder.
pub(super) fn is_skopeo_dir(path: &Path) -> bool {
    let version = path.join("version");
    // The size is asked first, so that no large file of that name is read.
    let is_small = std::fs::metadata(&version).is_ok_and(|meta| meta.is_file() && meta.len() < 200);
    is_small && path.join("manifest.json").is_file() && std::fs::read(version).is_ok_and(|text| text.starts_with(VERSION.as_bytes()))
}

impl SkopeoDir {
    pub(super) fn open(path: &Path, wanted: Wanted) -> Result<Self, SourceError> {
        Ok(Self { folder: Folder::open(path, Naming::Skopeo)?, wanted })
    }
}

impl Source for SkopeoDir {
    fn contents(&self) -> Result<Contents, SourceError> {
        let path = self.folder.path();
        let not_an_image = || SourceError::NotAnImage { path: path.to_owned(), problem: "it has no manifest.json".to_owned() };
        let bytes = self.folder.fixed_document("manifest.json")?.ok_or_else(not_an_image)?;
        let malformed = |problem| SourceError::Document { path: path.to_owned(), document: "manifest.json".to_owned(), problem };
        let document = Document::parse(&bytes, MediaType::Other).map_err(malformed)?;
        let mut resolver = Resolver::new(&self.folder, &self.wanted);
        let walk = IndexWalk::new(&mut resolver);
        match document {
            Document::Index(index) => {
                walk.run(&index, TextDocument { kind: DocumentKind::Manifest, name: "manifest.json".to_owned(), bytes });
            }
            Document::Manifest(manifest) => walk.run_manifest(&Digest::sha256(&bytes), *manifest, bytes),
        }
        let (mut contents, used) = resolver.finish(path)?;
        if self.wanted.is_all() {
            let names = self.folder.blob_names().into_iter().filter(|name| !used.contains(&BlobKey(name.clone())));
            contents.extras = names.filter_map(|name| Some((name.clone(), self.folder.find(&name).ok()?.key))).collect();
        }
        self.folder.listed();
        Ok(contents)
    }

    fn known(&self, blob: &BlobKey) -> Option<Known> {
        self.folder.known(blob)
    }

    fn release(&self, bytes: &[u8]) {
        self.folder.release(bytes);
    }

    fn open(&self, blob: &BlobKey) -> Result<Blob<'_>, SourceError> {
        self.folder.blob(blob)
    }
}
