//! Manifests become images: the part that all sources share.
//!
//! A [`Resolver`] gathers images, documents and what was lost. It asks [`Members`] for bytes and never opens anything itself. Everything an
//! attacker can multiply (documents, descriptors, layers) is counted and bounded; what is beyond a bound is said.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::members::{Located, Lost, MAX_DOCUMENT, MAX_DOCUMENTS, Members};
use super::{BlobKey, Contents, DocumentKind, Image, Layer, Selector, SourceError, TextDocument};
use crate::finding::{Reason, Skipped};
use crate::oci::{Config, Descriptor, Digest, Hasher, MalformedDescriptor, Platform};

/// Most layers of all images of one source together.
const MAX_LAYERS: usize = 100_000;

/// Most entries that an error lists.
const MAX_LISTED: usize = 20;

/// Which of the source's images are wanted; all by default.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub(super) platform: Option<Platform>,
    pub(super) selector: Option<Selector>,
}

impl Wanted {
    /// Whether every image is.
    pub(super) fn is_all(&self) -> bool {
        self.platform.is_none() && self.selector.is_none()
    }

    /// Whether an image called `name` is, going by its name alone. The tag of a full name will do.
    pub(super) fn names(&self, name: &str) -> bool {
        match &self.selector {
            Some(Selector::Tag(tag)) => name == tag || tag_of(name) == Some(tag.as_str()),
            _ => false,
        }
    }
}

/// `v1` of `example.org:5000/team/app:v1`.
fn tag_of(name: &str) -> Option<&str> {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.split_once('@').map_or(last, |(last, _)| last).split_once(':').map(|(_, tag)| tag)
}

/// A layer as a manifest gives it.
pub(super) struct LayerRef {
    pub(super) blob: Option<BlobKey>,
    pub(super) descriptor: Option<Descriptor>,
}

/// What an image is made of, before its config is read.
pub(super) struct Parts {
    pub(super) name: Option<String>,
    /// Of the manifest; the config's will do where there is none.
    pub(super) digest: Option<Digest>,
    pub(super) platform: Option<Platform>,
    pub(super) config: Option<(BlobKey, Vec<u8>)>,
    pub(super) layers: Vec<LayerRef>,
    pub(super) documents: Vec<TextDocument>,
}

/// What makes two entries the same image: its config and its layers.
type Identity = (Option<BlobKey>, Vec<Option<BlobKey>>);

/// Gathers the images of one source.
pub(super) struct Resolver<'a> {
    pub(super) members: &'a dyn Members,
    pub(super) wanted: &'a Wanted,
    pub(super) images: Vec<Image>,
    /// Documents that led to no image; they go to the first one.
    pub(super) homeless: Vec<TextDocument>,
    /// Names and digests that could have been asked for.
    pub(super) known: BTreeSet<String>,
    skipped: Vec<Skipped>,
    noted: HashSet<(Reason, String)>,
    platforms: BTreeSet<Platform>,
    identities: HashMap<Identity, usize>,
    layers: HashMap<String, Option<Located>>,
    layers_count: usize,
    documents_size: u64,
    used: HashSet<BlobKey>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(members: &'a dyn Members, wanted: &'a Wanted) -> Self {
        Self {
            members,
            wanted,
            images: Vec::new(),
            homeless: Vec::new(),
            known: BTreeSet::new(),
            skipped: Vec::new(),
            noted: HashSet::new(),
            platforms: BTreeSet::new(),
            identities: HashMap::new(),
            layers: HashMap::new(),
            layers_count: 0,
            documents_size: 0,
            used: HashSet::new(),
        }
    }

    /// Notes what was not read, once for each reason and place.
    pub(super) fn note(&mut self, reason: Reason, place: &str, size: Option<u64>, detail: impl Into<String>) {
        if self.noted.insert((reason, place.to_owned())) {
            self.skipped.push(Skipped { reason, place: place.to_owned(), size, detail: detail.into() });
        }
    }

    /// Notes what could not be had.
    pub(super) fn lost(&mut self, place: &str, lost: Lost) {
        self.note(lost.reason, place, lost.size, lost.detail);
    }

    /// Notes a value that should have been a descriptor.
    pub(super) fn malformed(&mut self, place: &str, problem: &MalformedDescriptor) {
        let reason = match problem {
            MalformedDescriptor::Digest(_) => Reason::MalformedDigest,
            MalformedDescriptor::Shape => Reason::MalformedDocument,
        };
        self.note(reason, place, None, problem.to_string());
    }

    /// Whether an image for `platform` is asked for. One that says nothing is: it cannot be ruled out.
    pub(super) fn wants_platform(&mut self, platform: Option<&Platform>) -> bool {
        let (Some(wanted), Some(platform)) = (&self.wanted.platform, platform) else {
            return true;
        };
        let satisfies = platform.satisfies(wanted);
        if !satisfies && !platform.is_unknown() {
            self.platforms.insert(platform.clone());
        }
        satisfies
    }

    /// Reads a document. None, and noted, if it cannot be had; used all the same, and noted, if it is not what its descriptor says.
    pub(super) fn document(&mut self, name: &str, place: &str, descriptor: Option<&Descriptor>) -> Option<(BlobKey, Vec<u8>)> {
        match self.try_document(name) {
            Ok((key, bytes)) => {
                if let Some(descriptor) = descriptor {
                    self.verify(&bytes, descriptor, place);
                }
                Some((key, bytes))
            }
            Err(lost) => {
                self.lost(place, lost);
                None
            }
        }
    }

    /// Reads a document within the bounds.
    pub(super) fn try_document(&mut self, name: &str) -> Result<(BlobKey, Vec<u8>), Lost> {
        let Located { key, size } = self.members.find(name)?;
        self.check_size(size.unwrap_or(0))?;
        let bytes = self.members.document(&key)?;
        let size = size.unwrap_or(bytes.len() as u64);
        self.check_size(size)?;
        self.documents_size += size;
        self.used.insert(key.clone());
        Ok((key, bytes))
    }

    /// Whether a document of this size may still be kept.
    fn check_size(&self, size: u64) -> Result<(), Lost> {
        let too_large = |detail: &str| Err(Lost { reason: Reason::TooLarge, size: Some(size), detail: detail.to_owned() });
        if size > MAX_DOCUMENT {
            return too_large("documents of more than 64 MiB are not read");
        }
        if self.documents_size + size > MAX_DOCUMENTS {
            return too_large("the documents of one source come to more than 256 MiB");
        }
        Ok(())
    }

    /// Notes where a document is not what its descriptor says.
    pub(super) fn verify(&mut self, bytes: &[u8], descriptor: &Descriptor, place: &str) {
        let mut hasher = Hasher::new(descriptor.digest.algorithm());
        hasher.update(bytes);
        let actual = hasher.finish();
        if actual != descriptor.digest {
            self.note(Reason::DigestMismatch, place, None, format!("its bytes hash to {actual}; they were scanned as they are"));
        }
        self.verify_size(bytes.len() as u64, descriptor, place);
    }

    fn verify_size(&mut self, size: u64, descriptor: &Descriptor, place: &str) {
        if let Some(expected) = descriptor.size.filter(|expected| *expected != size) {
            self.note(Reason::SizeMismatch, place, Some(size), format!("it has {size} bytes, its descriptor says {expected}"));
        }
    }

    /// Finds a layer by name, once however often it is used.
    pub(super) fn layer(&mut self, name: &str, place: &str, descriptor: Option<&Descriptor>) -> Option<BlobKey> {
        if let Some(known) = self.layers.get(name) {
            return known.as_ref().map(|located| located.key.clone());
        }
        let located = match self.members.find(name) {
            Ok(located) => {
                self.used.insert(located.key.clone());
                if let (Some(descriptor), Some(size)) = (descriptor, located.size) {
                    self.verify_size(size, descriptor, place);
                }
                Some(located)
            }
            Err(lost) => {
                let is_foreign = descriptor.is_some_and(Descriptor::is_foreign);
                let foreign = || Lost::new(Reason::Foreign, "the layer is only at URLs, which are never fetched");
                self.lost(place, if is_foreign { foreign() } else { lost });
                None
            }
        };
        let key = located.as_ref().map(|located| located.key.clone());
        self.layers.insert(name.to_owned(), located);
        key
    }

    /// Adds an image, unless it is for another platform; gives its index.
    pub(super) fn image(&mut self, mut parts: Parts) -> Option<usize> {
        let identity: Identity =
            (parts.config.as_ref().map(|(key, _)| key.clone()), parts.layers.iter().map(|layer| layer.blob.clone()).collect());
        let subject = parts.digest.as_ref().map_or_else(|| "image".to_owned(), |digest| format!("image {digest}"));
        let config = self.config(&mut parts, &subject);
        let platform =
            parts.platform.filter(|platform| !platform.is_unknown()).or_else(|| config.as_ref().and_then(|config| config.platform.clone()));
        if !self.wants_platform(platform.as_ref()) {
            return None;
        }
        let layers = self.layers_of(parts.layers, config.as_ref(), &subject);
        let image =
            Image { name: parts.name, digest: parts.digest, platform, layers, config, documents: parts.documents, is_rootfs: false };
        self.images.push(image);
        self.identities.entry(identity).or_insert(self.images.len() - 1);
        Some(self.images.len() - 1)
    }

    /// Parses the config and puts it, parsed or not, first among the documents.
    fn config(&mut self, parts: &mut Parts, subject: &str) -> Option<Config> {
        let (_, bytes) = parts.config.take()?;
        if parts.digest.is_none() {
            parts.digest = Some(Digest::sha256(&bytes));
        }
        let config = Config::parse(&bytes);
        parts.documents.insert(0, TextDocument { kind: DocumentKind::Config, name: "config".to_owned(), bytes });
        config.map_err(|problem| self.note(Reason::MalformedDocument, &format!("config of {subject}"), None, problem.to_string())).ok()
    }

    fn layers_of(&mut self, mut refs: Vec<LayerRef>, config: Option<&Config>, subject: &str) -> Vec<Layer> {
        let room = MAX_LAYERS - self.layers_count;
        if refs.len() > room {
            let detail = format!("{} of its layers are beyond the bound of {MAX_LAYERS} for one source", refs.len() - room);
            self.note(Reason::EntriesLimit, subject, None, detail);
            refs.truncate(room);
        }
        self.layers_count += refs.len();
        let diff_ids = self.diff_ids(config, refs.len(), subject);
        let steps = config.map_or_else(Vec::new, |config| config.steps_of_layers(refs.len()));
        let created_by = |step: Option<usize>| config?.history.get(step?)?.created_by.clone();
        let layer = |(index, layer): (usize, LayerRef)| {
            let step = steps.get(index).copied().flatten();
            let diff_id = diff_ids.get(index).cloned().flatten();
            Layer { blob: layer.blob, descriptor: layer.descriptor, diff_id, created_by: created_by(step), step }
        };
        refs.into_iter().enumerate().map(layer).collect()
    }

    fn diff_ids(&mut self, config: Option<&Config>, layers: usize, subject: &str) -> Vec<Option<Digest>> {
        let Some(config) = config.filter(|config| !config.diff_ids.is_empty()) else {
            return Vec::new();
        };
        let place = format!("config of {subject}");
        if config.diff_ids.len() != layers {
            let detail = format!("it has {} diff_ids for {layers} layers", config.diff_ids.len());
            self.note(Reason::MalformedDocument, &place, None, detail);
        }
        let mut diff_ids = Vec::new();
        for diff_id in &config.diff_ids {
            if let Err(problem) = diff_id {
                self.note(Reason::MalformedDigest, &place, None, format!("diff_id: {problem}"));
            }
            diff_ids.push(diff_id.as_ref().ok().cloned());
        }
        diff_ids
    }

    /// The image of the same config and layers, if there is one.
    pub(super) fn same_image(&self, config: Option<&BlobKey>, layers: &[LayerRef]) -> Option<usize> {
        let identity: Identity = (config.cloned(), layers.iter().map(|layer| layer.blob.clone()).collect());
        self.identities.get(&identity).copied()
    }

    /// An image without layers, for documents that belong to none.
    pub(super) fn holder(&mut self, name: Option<String>, digest: Option<Digest>) -> usize {
        let (platform, config) = (None, None);
        self.images.push(Image { name, digest, platform, layers: Vec::new(), config, documents: Vec::new(), is_rootfs: false });
        self.images.len() - 1
    }

    /// The end: what was found, or why nothing that was asked for was.
    pub(super) fn finish(mut self, path: &Path) -> Result<(Contents, HashSet<BlobKey>), SourceError> {
        if self.images.is_empty() {
            self.nothing_found(path)?;
            self.note(Reason::NotAnImage, &path.display().to_string(), None, "it lists no image");
            self.holder(None, None);
        }
        let homeless = std::mem::take(&mut self.homeless);
        self.images[0].documents.extend(homeless);
        let contents = Contents { images: self.images, skipped: self.skipped, extras: Vec::new() };
        Ok((contents, self.used))
    }

    fn nothing_found(&mut self, path: &Path) -> Result<(), SourceError> {
        let path = path.to_owned();
        if let (Some(wanted), false) = (&self.wanted.platform, self.platforms.is_empty()) {
            let known = self.platforms.iter().take(MAX_LISTED).map(Platform::to_string).collect();
            return Err(SourceError::NoSuchPlatform { path, wanted: wanted.to_string(), known });
        }
        if let Some(selector) = &self.wanted.selector {
            let known = self.known.iter().take(MAX_LISTED).cloned().collect();
            return Err(SourceError::NoSuchReference { path, wanted: selector.to_string(), known });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_what_follows_the_name() {
        assert_eq!(tag_of("example.org:5000/team/app:v1"), Some("v1"));
        assert_eq!(tag_of("example.org:5000/team/app"), None);
        assert_eq!(tag_of("app:v1@sha256:00"), Some("v1"));
        let wanted = Wanted { selector: Some(Selector::Tag("v1".into())), platform: None };
        assert!(wanted.names("v1") && wanted.names("docker.io/library/app:v1") && !wanted.names("app:v10"));
    }
}
