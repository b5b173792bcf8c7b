//! A single layer blob on disk, compressed or not, presented as an image of one layer.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::mmap::Mapping;
use super::stamp::{Known, Stamp};
use super::{Blob, BlobKey, Contents, Image, Layer, Source, SourceError};

/// The key of the one blob.
const KEY: &str = "layer";

/// A layer in a file.
pub(super) struct LayerFile {
    path: PathBuf,
    file: File,
    mapping: Option<Mapping>,
}

impl LayerFile {
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        let file = File::open(path).map_err(|error| SourceError::Io { action: "open", path: path.to_owned(), error })?;
        if file.metadata().is_ok_and(|meta| meta.len() == 0) {
            return Err(SourceError::Empty { path: path.to_owned() });
        }
        let mapping = Mapping::of(&file).ok();
        Ok(Self { path: path.to_owned(), file, mapping })
    }
}

/// An image of one layer and nothing else.
pub(super) fn single_layer(key: BlobKey, is_rootfs: bool) -> Image {
    let layer = Layer { blob: Some(key), descriptor: None, diff_id: None, created_by: None, step: None };
    Image { name: None, digest: None, platform: None, layers: vec![layer], config: None, documents: Vec::new(), is_rootfs }
}

impl Source for LayerFile {
    fn contents(&self) -> Result<Contents, SourceError> {
        Ok(Contents { images: vec![single_layer(BlobKey(KEY.to_owned()), false)], ..Contents::default() })
    }

    fn known(&self, _blob: &BlobKey) -> Option<Known> {
        Stamp::of(&self.path, &self.file, 0..self.file.metadata().ok()?.len()).map(Known::File)
    }

    fn release(&self, bytes: &[u8]) {
        if let Some(mapping) = &self.mapping {
            mapping.release(bytes);
        }
    }

    fn open(&self, blob: &BlobKey) -> Result<Blob<'_>, SourceError> {
        if blob.0 != KEY {
            return Err(SourceError::MissingBlob { path: self.path.clone(), key: blob.0.clone() });
        }
        if let Some(mapping) = &self.mapping {
            return Ok(Blob::Mapped(mapping.bytes()));
        }
        let file = File::open(&self.path).map_err(|error| SourceError::Io { action: "open", path: self.path.clone(), error })?;
        Ok(Blob::Stream(Box::new(file)))
    }
}
