//! An OCI image layout in a folder (image spec v1.1, `image-layout.md`).

use std::path::Path;

use super::folder::{Folder, Naming};
use super::members::Members;
use super::oci_images::IndexWalk;
use super::resolve::{Resolver, Wanted};
use super::{Blob, BlobKey, Contents, DocumentKind, Known, Source, SourceError, TextDocument};
use crate::oci::Index;

/// Most blobs that belong to no image and are read all the same.
const MAX_EXTRAS: usize = 100_000;

/// An OCI layout folder.
pub(super) struct Layout {
    folder: Folder,
    wanted: Wanted,
}

impl Layout {
    pub(super) fn open(path: &Path, wanted: Wanted) -> Result<Self, SourceError> {
        Ok(Self { folder: Folder::open(path, Naming::Layout)?, wanted })
    }
}

impl Source for Layout {
    fn contents(&self) -> Result<Contents, SourceError> {
        let path = self.folder.path();
        let not_an_image = || SourceError::NotAnImage { path: path.to_owned(), problem: "it has no index.json".to_owned() };
        let bytes = self.folder.fixed_document("index.json")?.ok_or_else(not_an_image)?;
        let malformed = |problem| SourceError::Document { path: path.to_owned(), document: "index.json".to_owned(), problem };
        let index = Index::parse(&bytes).map_err(malformed)?;
        let mut resolver = Resolver::new(&self.folder, &self.wanted);
        let document = TextDocument { kind: DocumentKind::Manifest, name: "index.json".to_owned(), bytes };
        IndexWalk::new(&mut resolver).run(&index, document);
        let (mut contents, used) = resolver.finish(path)?;
        if self.wanted.is_all() {
            let names = self.folder.blob_names().into_iter().filter(|name| !used.contains(&BlobKey(name.clone())));
            let extras = names.take(MAX_EXTRAS).filter_map(|name| Some((name.clone(), self.folder.find(&name).ok()?.key)));
            contents.extras = extras.collect();
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
