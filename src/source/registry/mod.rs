//! Images in registries, by name: the distribution API, read as every other source is read. Layers are streamed from the socket; nothing is written
//! to disk.

mod api;
mod auth;
mod body;
mod challenge;
mod client;
mod error;
mod gate;
mod helper;
mod login;
mod mirror;
mod name;
mod options;
mod pause;
mod reach;
mod shelf;
pub mod toc;
mod transport;
mod trust;
mod url;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

pub(crate) use api::{Api, Manner, Next, Progress, Proof};
pub use api::{ApiUrl, MalformedUrl};
pub use body::BlobReader;
pub use client::Client;
pub use error::{Problem, RegistryError};
pub use gate::{Bounds, Gates};
pub use login::{Credential, Logins};
pub use mirror::{MalformedMirror, MirrorAddress};
pub use name::{ImageName, MalformedName, host_of, is_host, is_repository, is_tag, registry_of};
pub use options::{ClientCertificate, Patience, PlainHttp, Referrals, RegistryOptions};
pub use shelf::{NoShelf, Shelf};
pub use trust::certificate_folders;
pub(crate) use url::escaped;

use super::members::{Located, Lost, Members};
use super::oci_images::IndexWalk;
use super::resolve::{Resolver, Wanted};
use super::{Blob, BlobKey, Contents, DocumentKind, Known, Source, SourceError, TextDocument};
use crate::finding::Reason;
use crate::oci::{Algorithm, Descriptor, Digest, Document, Hasher, Index, MediaType, Platform};

/// An image, or several for several platforms, in a registry.
pub struct Registry {
    client: Arc<Client>,
    name: ImageName,
    wanted: Wanted,
    shelf: Arc<dyn Shelf>,
    depth: Depth,
    /// What the manifests say of the layers that they name.
    layers: OnceLock<HashMap<BlobKey, Descriptor>>,
}

/// How much of an image is read to list it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Manifests, configs, and what refers to them.
    All,
    /// Manifests and configs.
    Configs,
    /// Manifests alone: enough to know the layers, unless the platform is said by the config only.
    Manifests,
}

/// What stands before the digest in a key or a name: which endpoint has it.
const BLOB: &str = "blobs/";
const MANIFEST: &str = "manifests/";

impl Registry {
    pub(super) fn open(name: &ImageName, wanted: Wanted, options: &RegistryOptions) -> Result<Self, SourceError> {
        let client = Arc::new(Client::new(name.registry(), options)?);
        Ok(Self { client, name: name.clone(), wanted, shelf: Arc::new(NoShelf), depth: Depth::All, layers: OnceLock::new() })
    }

    /// The image `name` of the registry that `client` reads; of several images those for `platform`, if one is given. Documents that `shelf` has are
    /// not asked for.
    pub fn of(client: Arc<Client>, name: ImageName, platform: Option<Platform>, shelf: Arc<dyn Shelf>, depth: Depth) -> Self {
        let wanted = Wanted { platform, selector: None };
        Self { client, name, wanted, shelf, depth, layers: OnceLock::new() }
    }

    /// A document that is known by its digest.
    fn by_digest(&self, key: &str) -> Result<Vec<u8>, Lost> {
        let unknown = || Lost::new(Reason::MissingBlob, "it is named by no digest");
        let fetch = || {
            let read = match (key.strip_prefix(MANIFEST), key.strip_prefix(BLOB)) {
                (Some(digest), _) => self.client.manifest(self.name.repository(), digest),
                (_, Some(digest)) => self.client.small_blob(self.name.repository(), &digest.parse().map_err(|_| unknown())?),
                _ => return Err(unknown()),
            };
            read.map_err(|error| Lost::new(error.reason(), error.to_string()))
        };
        let mut lost = None;
        let read = self.shelf.read(key, &mut || fetch().map_err(|why| lost = Some(why)).ok());
        read.ok_or_else(|| lost.unwrap_or_else(unknown))
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(self.name.to_string())
    }

    /// The manifest or index of the name, which must be the one that the name's digest says.
    fn top(&self) -> Result<(Digest, Vec<u8>), SourceError> {
        let wanted = self.name.wanted();
        let mut failed = None;
        let read = self.shelf.read(&format!("{MANIFEST}{wanted}"), &mut || {
            self.client.manifest(self.name.repository(), &wanted).map_err(|error| failed = Some(error)).ok()
        });
        let Some(bytes) = read else {
            return Err(failed.map_or_else(|| SourceError::MissingBlob { path: self.path(), key: wanted }, SourceError::from));
        };
        let algorithm = self.name.digest().map_or(Algorithm::Sha256, Digest::algorithm);
        let mut hasher = Hasher::new(algorithm);
        hasher.update(&bytes);
        let actual = hasher.finish();
        match self.name.digest() {
            Some(digest) if *digest != actual => {
                let problem = Box::new(Problem::DigestMismatch { actual });
                let (registry, repository) = (self.name.registry().to_owned(), self.name.repository().to_owned());
                Err(RegistryError { registry, repository, what: format!("manifest {wanted}"), problem }.into())
            }
            _ => Ok((actual, bytes)),
        }
    }

    /// What [`Source::contents`] gives, and the digest of the manifest or index that it begins with.
    pub fn top_and_contents(&self) -> Result<(Digest, Contents), SourceError> {
        let (digest, bytes) = self.top()?;
        let path = self.path();
        let malformed = |problem| SourceError::Document { path: path.clone(), document: "the manifest".to_owned(), problem };
        let document = Document::parse(&bytes, MediaType::Other).map_err(malformed)?;
        let mut resolver = Resolver::new(self, &self.wanted);
        let walk = IndexWalk::new(&mut resolver);
        match document {
            Document::Index(index) => {
                walk.run(&index, TextDocument { kind: DocumentKind::Manifest, name: digest.to_string(), bytes });
            }
            Document::Manifest(manifest) => walk.run_manifest(&digest, *manifest, bytes),
        }
        if self.depth == Depth::All {
            self.add_referrers(&digest, &mut resolver);
        }
        let (contents, _) = resolver.finish(&path)?;
        let layers = contents.images.iter().flat_map(|image| &image.layers);
        let layers = layers.filter_map(|layer| Some((layer.blob.clone()?, layer.descriptor.clone()?)));
        // A second listing finds the same layers.
        let _ = self.layers.set(layers.collect());
        Ok((digest, contents))
    }

    /// Adds what refers to the images that were found: attestations and signatures that are in no index.
    fn add_referrers(&self, top: &Digest, resolver: &mut Resolver<'_>) {
        let mut subjects = vec![top.clone()];
        subjects.extend(resolver.images.iter().filter_map(|image| image.digest.clone()).filter(|digest| digest != top));
        for subject in subjects {
            let place = format!("referrers of {subject}");
            match self.client.referrers(self.name.repository(), &subject) {
                Ok(documents) => documents.into_iter().for_each(|bytes| add_index(bytes, &place, resolver)),
                Err(error) => resolver.note(Reason::Unreadable, &place, None, error.to_string()),
            }
        }
    }
}

fn add_index(bytes: Vec<u8>, place: &str, resolver: &mut Resolver<'_>) {
    match Index::parse(&bytes) {
        Ok(index) if index.manifests.is_empty() => {}
        Ok(index) => {
            let document = TextDocument { kind: DocumentKind::Manifest, name: place.to_owned(), bytes };
            IndexWalk::new(resolver).run(&index, document);
        }
        Err(problem) => resolver.note(Reason::MalformedDocument, place, Some(bytes.len() as u64), problem.to_string()),
    }
}

impl Source for Registry {
    fn contents(&self) -> Result<Contents, SourceError> {
        self.top_and_contents().map(|(_, contents)| contents)
    }

    fn open(&self, blob: &BlobKey) -> Result<Blob<'_>, SourceError> {
        let missing = || SourceError::MissingBlob { path: self.path(), key: blob.0.clone() };
        let digest = blob.0.strip_prefix(BLOB).and_then(|digest| digest.parse().ok()).ok_or_else(missing)?;
        let layer = self.layers.get().and_then(|layers| layers.get(blob));
        match self.client.blob(self.name.repository(), &digest, layer.and_then(|layer| layer.size)) {
            Ok(reader) => Ok(Blob::Stream(Box::new(reader))),
            Err(error) if *error.problem == Problem::NotFound && layer.is_some_and(Descriptor::is_foreign) => Err(SourceError::Foreign),
            Err(error) => Err(error.into()),
        }
    }

    fn known(&self, blob: &BlobKey) -> Option<Known> {
        Some(Known::Digest(blob.0.strip_prefix(BLOB)?.parse().ok()?))
    }

    fn notes(&self) -> Vec<String> {
        self.client.notes()
    }
}

/// Nothing is looked up: whether the registry has what a manifest names shows when it is read.
impl Members for Registry {
    fn find(&self, name: &str) -> Result<Located, Lost> {
        Ok(Located { key: BlobKey(name.to_owned()), size: None })
    }

    fn document(&self, key: &BlobKey) -> Result<Vec<u8>, Lost> {
        if self.depth == Depth::Manifests && key.0.starts_with(BLOB) {
            return Err(Lost::new(Reason::MissingBlob, "it is not wanted"));
        }
        self.by_digest(&key.0)
    }

    fn blob_name(&self, digest: &Digest) -> String {
        format!("{BLOB}{digest}")
    }

    fn manifest_name(&self, digest: &Digest) -> String {
        format!("{MANIFEST}{digest}")
    }
}
