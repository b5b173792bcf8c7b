//! From an index to its images: nested indexes, platforms, names, and attestations, which are documents about an image.

use std::collections::HashMap;

use super::members::looks_like_json;
use super::resolve::{LayerRef, Parts, Resolver};
use super::{BlobKey, DocumentKind, Selector, TextDocument};
use crate::finding::Reason;
use crate::oci::{Descriptor, Digest, Document, Index, MalformedDescriptor, Manifest, MediaType, Platform};

/// Deepest nesting of indexes.
const MAX_DEPTH: usize = 32;

/// Most descriptors of indexes that are looked at, over all indexes of a source.
const MAX_DESCRIPTORS: usize = 10_000;

/// The annotation by which BuildKit says which image an attestation is about.
const SUBJECT: &str = "vnd.docker.reference.digest";

/// A manifest that says something about an image.
struct Attestation {
    /// Its own digest.
    digest: Digest,
    /// The image it is about, where it says so.
    subject: Option<Digest>,
    manifest: Manifest,
    bytes: Vec<u8>,
    /// Whether it was asked for by its own digest.
    is_asked_for: bool,
}

/// Where the walk stands.
#[derive(Clone, Copy)]
struct Context<'c> {
    depth: usize,
    /// The name of the entry in the outermost index.
    name: Option<&'c str>,
    /// Whether the selector matched this entry or one above; true without one.
    is_selected: bool,
}

/// A walk through indexes.
pub(super) struct IndexWalk<'r, 'a> {
    resolver: &'r mut Resolver<'a>,
    /// Indexes on the way from the outermost one.
    stack: Vec<Digest>,
    /// The first image that each index or manifest led to, by digest and by whether it was selected.
    seen: HashMap<(Digest, bool), Option<usize>>,
    attestations: Vec<Attestation>,
    descriptors: usize,
}

impl<'r, 'a> IndexWalk<'r, 'a> {
    pub(super) fn new(resolver: &'r mut Resolver<'a>) -> Self {
        Self { resolver, stack: Vec::new(), seen: HashMap::new(), attestations: Vec::new(), descriptors: 0 }
    }

    /// Adds all images that the outermost index leads to.
    pub(super) fn run(mut self, index: &Index, document: TextDocument) {
        let is_selected = self.resolver.wanted.selector.is_none();
        self.index(index, document, Context { depth: 0, name: None, is_selected });
        self.place_attestations();
    }

    /// Adds the image of one manifest that no index led to.
    pub(super) fn run_manifest(mut self, digest: &Digest, manifest: Manifest, bytes: Vec<u8>) {
        self.manifest(digest, None, manifest, bytes, None);
    }

    /// The first image that the index leads to.
    fn index(&mut self, index: &Index, document: TextDocument, context: Context<'_>) -> Option<usize> {
        let mut first = None;
        for (position, entry) in index.manifests.iter().enumerate() {
            self.descriptors += 1;
            if self.descriptors > MAX_DESCRIPTORS {
                let detail = format!("indexes list more than {MAX_DESCRIPTORS} manifests; the rest were not looked at");
                self.resolver.note(Reason::EntriesLimit, "index", None, detail);
                break;
            }
            match entry {
                Ok(descriptor) => first = first.or(self.descriptor(descriptor, context)),
                Err(problem) => self.resolver.malformed(&format!("manifest {position} of {}", document.name), problem),
            }
        }
        match first {
            Some(image) => self.resolver.images[image].documents.push(document),
            None if context.is_selected && self.resolver.wanted.is_all() => self.resolver.homeless.push(document),
            None => {}
        }
        first
    }

    fn descriptor(&mut self, descriptor: &Descriptor, context: Context<'_>) -> Option<usize> {
        let asked_for = self.is_asked_for(descriptor, context.depth);
        let is_selected = context.is_selected || asked_for;
        if !is_selected && !self.may_lead_to_wanted(descriptor) {
            return None;
        }
        if !descriptor.is_attestation() && !self.resolver.wants_platform(descriptor.platform.as_ref()) {
            return None;
        }
        let context = Context { depth: context.depth + 1, name: context.name.or(descriptor.ref_name()), is_selected };
        if let Some(first) = self.seen.get(&(descriptor.digest.clone(), is_selected)).copied() {
            self.name_if_nameless(first, context.name);
            return first;
        }
        let place = format!("manifest {}", descriptor.digest);
        if self.stack.contains(&descriptor.digest) {
            self.resolver.note(Reason::TooDeep, &place, descriptor.size, "the index leads back to itself");
            return None;
        }
        if context.depth > MAX_DEPTH {
            self.resolver.note(Reason::TooDeep, &place, descriptor.size, format!("it is nested in more than {MAX_DEPTH} indexes"));
            return None;
        }
        let first = self.follow(descriptor, &place, context, asked_for);
        self.seen.insert((descriptor.digest.clone(), is_selected), first);
        first
    }

    /// Whether the digest asked for may stand in what this entry leads to.
    fn may_lead_to_wanted(&self, descriptor: &Descriptor) -> bool {
        matches!(self.resolver.wanted.selector, Some(Selector::Digest(_)))
            && matches!(descriptor.kind(), MediaType::Index | MediaType::Other)
    }

    /// Whether the user named this very entry.
    fn is_asked_for(&mut self, descriptor: &Descriptor, depth: usize) -> bool {
        let name_keys = ["org.opencontainers.image.ref.name", "io.containerd.image.name"];
        let names = name_keys.iter().filter_map(|key| descriptor.annotations.get(*key));
        match &self.resolver.wanted.selector {
            None => false,
            Some(Selector::Digest(digest)) => {
                self.resolver.known.insert(descriptor.digest.to_string());
                // What is said about the image goes with it.
                descriptor.digest == *digest || descriptor.annotations.get(SUBJECT).is_some_and(|subject| *subject == digest.to_string())
            }
            Some(Selector::Tag(_)) if depth > 0 => false,
            Some(Selector::Tag(_)) => {
                self.resolver.known.extend(descriptor.ref_name().map(str::to_owned));
                names.into_iter().any(|name| self.resolver.wanted.names(name))
            }
        }
    }

    fn name_if_nameless(&mut self, image: Option<usize>, name: Option<&str>) {
        if let (Some(image), Some(name)) = (image, name) {
            self.resolver.images[image].name.get_or_insert_with(|| name.to_owned());
        }
    }

    fn follow(&mut self, descriptor: &Descriptor, place: &str, context: Context<'_>, asked_for: bool) -> Option<usize> {
        let name = self.resolver.members.manifest_name(&descriptor.digest);
        let (_, bytes) = self.resolver.document(&name, place, Some(descriptor))?;
        match Document::parse(&bytes, descriptor.kind()) {
            Ok(Document::Index(index)) => {
                let document = TextDocument { kind: DocumentKind::Manifest, name: descriptor.digest.to_string(), bytes };
                self.stack.push(descriptor.digest.clone());
                let first = self.index(&index, document, context);
                self.stack.pop();
                first
            }
            Ok(Document::Manifest(_)) if !context.is_selected => None,
            Ok(Document::Manifest(manifest)) if descriptor.is_attestation() || manifest.subject.is_some() => {
                let referenced = descriptor.annotations.get(SUBJECT).and_then(|digest| digest.parse().ok());
                let subject = referenced.or_else(|| manifest.subject.as_ref().map(|subject| subject.digest.clone()));
                let digest = descriptor.digest.clone();
                self.attestations.push(Attestation { digest, subject, manifest: *manifest, bytes, is_asked_for: asked_for });
                None
            }
            Ok(Document::Manifest(manifest)) => {
                self.manifest(&descriptor.digest, descriptor.platform.clone(), *manifest, bytes, context.name)
            }
            Err(problem) => {
                self.resolver.note(Reason::MalformedDocument, place, Some(bytes.len() as u64), problem.to_string());
                if context.is_selected {
                    let document = TextDocument { kind: DocumentKind::Manifest, name: descriptor.digest.to_string(), bytes };
                    self.resolver.homeless.push(document);
                }
                None
            }
        }
    }

    fn manifest(
        &mut self,
        digest: &Digest,
        platform: Option<Platform>,
        manifest: Manifest,
        bytes: Vec<u8>,
        name: Option<&str>,
    ) -> Option<usize> {
        let image = format!("image {digest}");
        let config = manifest.config.and_then(|config| self.config(config, &image));
        let layers = manifest.layers.into_iter().enumerate();
        let layers = layers.map(|(position, layer)| self.layer(layer, position, &image)).collect();
        let document = TextDocument { kind: DocumentKind::Manifest, name: "manifest".to_owned(), bytes };
        let (name, digest) = (name.map(str::to_owned), Some(digest.clone()));
        self.resolver.image(Parts { name, digest, platform, config, layers, documents: vec![document] })
    }

    fn config(&mut self, config: Result<Descriptor, MalformedDescriptor>, image: &str) -> Option<(BlobKey, Vec<u8>)> {
        let place = format!("config of {image}");
        match config {
            Ok(config) => {
                let name = self.resolver.members.blob_name(&config.digest);
                self.resolver.document(&name, &place, Some(&config))
            }
            Err(problem) => {
                self.resolver.malformed(&place, &problem);
                None
            }
        }
    }

    fn layer(&mut self, layer: Result<Descriptor, MalformedDescriptor>, position: usize, image: &str) -> LayerRef {
        match layer {
            Ok(layer) => {
                let name = self.resolver.members.blob_name(&layer.digest);
                let blob = self.resolver.layer(&name, &format!("layer {}", layer.digest), Some(&layer));
                LayerRef { blob, descriptor: Some(layer) }
            }
            Err(problem) => {
                self.resolver.malformed(&format!("layer {position} of {image}"), &problem);
                LayerRef { blob: None, descriptor: None }
            }
        }
    }

    fn place_attestations(&mut self) {
        for attestation in std::mem::take(&mut self.attestations) {
            let subject = attestation.subject.as_ref();
            let image = self.resolver.images.iter().position(|image| image.digest.is_some() && image.digest.as_ref() == subject);
            if image.is_none() && !self.resolver.wanted.is_all() && !attestation.is_asked_for {
                continue;
            }
            let name = Some(format!("attestation {}", attestation.digest));
            match self.statements(&attestation) {
                Some(documents) => {
                    let image = image.unwrap_or_else(|| self.resolver.holder(name, Some(attestation.digest)));
                    self.resolver.images[image].documents.extend(documents);
                }
                // It calls itself an attestation, but holds other things than documents: they are read as any image's.
                None => {
                    self.manifest(&attestation.digest, None, attestation.manifest, attestation.bytes, name.as_deref());
                }
            }
        }
    }

    /// The attestation's documents; none if one of its blobs is not a document.
    fn statements(&mut self, attestation: &Attestation) -> Option<Vec<TextDocument>> {
        let document = |digest: &Digest, bytes| TextDocument { kind: DocumentKind::Attestation, name: digest.to_string(), bytes };
        let mut documents = vec![document(&attestation.digest, attestation.bytes.clone())];
        let manifest = &attestation.manifest;
        for (position, descriptor) in manifest.config.iter().chain(&manifest.layers).enumerate() {
            let descriptor = match descriptor {
                Ok(descriptor) => descriptor,
                Err(problem) => {
                    self.resolver.malformed(&format!("document {position} of attestation {}", attestation.digest), problem);
                    continue;
                }
            };
            let place = format!("attestation {}", descriptor.digest);
            match self.resolver.try_document(&self.resolver.members.blob_name(&descriptor.digest)) {
                Ok((_, bytes)) if looks_like_json(&bytes) => {
                    self.resolver.verify(&bytes, descriptor, &place);
                    documents.push(document(&descriptor.digest, bytes));
                }
                Err(lost) if lost.reason == Reason::MissingBlob => self.resolver.lost(&place, lost),
                Ok(_) | Err(_) => return None,
            }
        }
        Some(documents)
    }
}
