//! Where an image comes from. IO lives here, and only here: no rule and no report is known to a source.
//!
//! A source either opens blobs in any order ([`Source`]) or hands over what it holds once, in its own order ([`OnePass`]: standard
//! input, a compressed archive). Both end in the same [`Image`]s, whose layers name blobs by [`BlobKey`].

mod archive;
mod archive_index;
pub mod builder;
mod containerd;
mod docker_images;
mod docker_save;
mod engine;
mod error;
mod example;
mod folder;
mod layer_file;
mod layout;
mod lookup;
mod members;
mod mmap;
mod oci_images;
mod onepass;
mod open;
pub mod passing;
mod reference;
pub mod registry;
mod resolve;
mod rootfs;
mod skopeo_dir;
mod sniff;
mod stamp;
mod storage;
mod tar_walk;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::io::Read;

pub(crate) use containerd::bolt_entries;
pub use docker_save::{DockerClient, DockerSave};
pub use engine::{Engine, EngineError, EngineProblem};
pub use error::SourceError;
pub use lookup::Lookup;
pub use mmap::Mapping;
pub use open::{OpenOptions, Opened, open};
pub use reference::{Reference, Selector};
pub use stamp::{Known, Settles, Stamp};

use crate::finding::Skipped;
use crate::oci::{Config, Descriptor, Digest, Platform};

/// Names a blob within one source; blobs of the same key are read once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(pub String);

/// A blob's bytes.
pub enum Blob<'a> {
    /// All of them at once, read in place.
    Mapped(&'a [u8]),
    /// One after the other.
    Stream(Box<dyn Read + Send + 'a>),
}

/// What kind of document a [`TextDocument`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// An image config.
    Config,
    /// A manifest or index: annotations and whatever else stands in it.
    Manifest,
    /// An attestation.
    Attestation,
}

/// A JSON document to be scanned for secrets, value by value.
#[derive(Debug, Clone)]
pub struct TextDocument {
    /// What it is.
    pub kind: DocumentKind,
    /// What reports call it: `manifest`, `index.json`, a digest.
    pub name: String,
    /// Its bytes. They need not parse.
    pub bytes: Vec<u8>,
}

/// One layer of an image.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The blob that holds it; none if the manifest's reference to it makes no sense (a [`Skipped`] says so).
    pub blob: Option<BlobKey>,
    /// The manifest's reference, where there is a manifest.
    pub descriptor: Option<Descriptor>,
    /// What the config says the uncompressed layer hashes to.
    pub diff_id: Option<Digest>,
    /// The instruction that made it.
    pub created_by: Option<String>,
    /// Index of the step in the config's history.
    pub step: Option<usize>,
}

/// An image with its layers in order, base first.
#[derive(Debug, Clone)]
pub struct Image {
    /// Reference name or tag.
    pub name: Option<String>,
    /// Digest of the manifest, or of the config where there is no manifest.
    pub digest: Option<Digest>,
    /// Platform, from the config or the index.
    pub platform: Option<Platform>,
    /// Base first.
    pub layers: Vec<Layer>,
    /// The parsed config, where there is one.
    pub config: Option<Config>,
    /// Documents to scan: config, manifest, the index entry's annotations, attestations.
    pub documents: Vec<TextDocument>,
    /// Whether it is a root filesystem or folder rather than an image: its one layer's findings are rootfs files.
    pub is_rootfs: bool,
}

/// What a source holds.
#[derive(Debug, Default)]
pub struct Contents {
    /// Images in order.
    pub images: Vec<Image>,
    /// What could not be resolved.
    pub skipped: Vec<Skipped>,
    /// Blobs that belong to no image and are there all the same: a member's name, and the blob. Empty where the user asked for one image
    /// of several.
    pub extras: Vec<(String, BlobKey)>,
}

/// A source that opens blobs in any order.
pub trait Source: Send + Sync {
    /// Lists images. Errors that spare some images are in [`Contents::skipped`].
    fn contents(&self) -> Result<Contents, SourceError>;

    /// Opens a blob that [`Source::contents`] named.
    fn open(&self, blob: &BlobKey) -> Result<Blob<'_>, SourceError>;

    /// By what a blob is known without being read; none if it has to be. To be asked before the blob is opened.
    fn known(&self, _blob: &BlobKey) -> Option<Known> {
        None
    }

    /// Is told that the bytes of a mapped blob have been read: their pages may be given back. They can still be read again.
    fn release(&self, _bytes: &[u8]) {}

    /// What the user should know of how it was read: one sentence each. Ask at the end.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// What could not be read so far of blobs that are made while they are read. Each is told once; ask when all blobs have been read.
    fn skipped_while_reading(&self) -> Vec<Skipped> {
        Vec::new()
    }
}

/// A source that can be read once, in its own order.
pub trait OnePass: Send {
    /// Reads to the end. Every part that may be a layer goes to `sink` as it passes; what the parts mean is known, and returned, at
    /// the end only. The layers of the returned images name the keys given to `sink`.
    fn read(self: Box<Self>, sink: &mut dyn BlobSink) -> Result<Contents, SourceError>;
}

/// Takes the blobs of a [`OnePass`] source.
pub trait BlobSink {
    /// Reads `blob` as far as it wants; the source skips the rest.
    fn blob(&mut self, key: &BlobKey, blob: &mut (dyn Read + Send));
}
