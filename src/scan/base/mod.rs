//! Which layers, build steps and settings of an image are inherited from the image that it was built on, and how that is known.
//!
//! Of a base only the documents are read, never a layer. What an image says of itself (its annotations, its history) can be made up by
//! whoever builds it, so it is kept apart from what hashes prove: only layers whose bytes were hashed here count as proved.

pub(super) mod history;

use std::io::Read;

use serde_json::Value;

use super::Results;
use crate::finding::{BaseFacts, Evidence, Origin, Place};
use crate::oci::{Digest, Hasher};
use crate::source::registry::RegistryOptions;
use crate::source::{self, BlobKey, BlobSink, DocumentKind, Image, Lookup, OpenOptions, Opened, SourceError};

const NAME: &str = "org.opencontainers.image.base.name";
const DIGEST: &str = "org.opencontainers.image.base.digest";

/// A base image that the user gave.
#[derive(Debug, Clone)]
pub struct Base {
    given: String,
    known: Known,
    taken: Vec<String>,
    notes: Vec<String>,
}

#[derive(Debug, Clone)]
enum Known {
    /// Its documents are at hand; one image for each platform.
    Images(Vec<Image>),
    /// Of a manifest, a config, a layer or a chain of layers.
    Digest(Digest),
}

impl Base {
    /// Reads what the user typed: a digest, or anything that can be scanned, of which the documents are read.
    pub fn open(text: &str, lookup: Lookup, registry: &RegistryOptions) -> Result<Self, SourceError> {
        if let Ok(digest) = text.parse() {
            return Ok(Self { given: text.to_owned(), known: Known::Digest(digest), taken: Vec::new(), notes: Vec::new() });
        }
        let (mut taken, mut notes, open) = (Vec::new(), Vec::new(), OpenOptions { platform: None, registry: registry.clone() });
        let contents = match source::open(&lookup.find(text, &mut taken)?, &open)? {
            Opened::Random(source) => {
                let contents = source.contents();
                notes = source.notes();
                contents?
            }
            Opened::OnePass(source) => source.read(&mut Unread)?,
        };
        let comparable = |image: &Image| !image.layers.is_empty() && (0..image.layers.len()).all(|layer| Hashes::said(image, layer).any());
        let images: Vec<Image> = contents.images.into_iter().filter(comparable).collect();
        if images.is_empty() {
            let problem = "a base image needs a manifest or a config that names its layers by digest".to_owned();
            return Err(SourceError::NotAnImage { path: text.into(), problem });
        }
        Ok(Self { given: text.to_owned(), known: Known::Images(images), taken, notes })
    }

    /// Where it was taken from, if the user did not say: one sentence each.
    pub fn taken(&self) -> &[String] {
        &self.taken
    }

    /// What the user should know of how it was read: one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What of `image` is this base's; none if it is not the base.
    fn part_of(&self, image: &Image, siblings: &[Image], results: &Results) -> Option<Inheritance> {
        match &self.known {
            Known::Images(bases) => {
                let fits = bases.iter().filter(|base| is_base(base, image, results));
                // Of several that fit the longest; of equal ones that for the same platform, then the first.
                let base = fits.rev().max_by_key(|base| (base.layers.len(), base.platform == image.platform))?;
                Some(Inheritance::of_image(base, image, Evidence::Image, Some(&self.given)))
            }
            Known::Digest(digest) => by_digest(digest, image, siblings, results),
        }
    }
}

/// Lets the blobs of a stream pass by.
struct Unread;

impl BlobSink for Unread {
    fn blob(&mut self, _key: &BlobKey, _blob: &mut (dyn Read + Send)) {}
}

/// What names a layer's bytes.
#[derive(Default)]
struct Hashes {
    digest: Option<Digest>,
    diff_id: Option<Digest>,
}

impl Hashes {
    /// As the documents say.
    fn said(image: &Image, layer: usize) -> Self {
        let layer = image.layers.get(layer);
        Self {
            digest: layer.and_then(|layer| layer.descriptor.as_ref()).map(|descriptor| descriptor.digest.clone()),
            diff_id: layer.and_then(|layer| layer.diff_id.clone()),
        }
    }

    /// As they were worked out; those of a layer that is not there, and so can hold nothing, as the documents say.
    fn found(image: &Image, results: &Results, layer: usize) -> Self {
        let result = image.layers.get(layer).and_then(|layer| layer.blob.as_ref()).and_then(|key| results.get(key));
        match result {
            Some(result) => Self { digest: result.digest.clone(), diff_id: result.diff_id.clone() },
            None => Self::said(image, layer),
        }
    }

    fn any(&self) -> bool {
        self.digest.is_some() || self.diff_id.is_some()
    }

    fn have(&self, digest: &Digest) -> bool {
        self.digest.as_ref() == Some(digest) || self.diff_id.as_ref() == Some(digest)
    }

    /// Whether they are of the same bytes. A layer that was compressed anew keeps its diff_id.
    fn agree(&self, other: &Self) -> bool {
        let equal = |one: &Option<Digest>, other: &Option<Digest>| one.is_some() && one == other;
        equal(&self.diff_id, &other.diff_id) || equal(&self.digest, &other.digest)
    }
}

/// Whether the layers of `base` are the first ones of `image`, by what was hashed.
fn is_base(base: &Image, image: &Image, results: &Results) -> bool {
    base.layers.len() <= image.layers.len()
        && (0..base.layers.len()).all(|layer| Hashes::said(base, layer).agree(&Hashes::found(image, results, layer)))
}

/// Whether the layers of `base`, of the same source, are the first ones of `image`: the same blobs, whatever the documents say of them.
fn is_beneath(base: &Image, image: &Image) -> bool {
    let mut blobs = base.layers.iter().zip(&image.layers);
    let fits = !base.layers.is_empty() && base.layers.len() <= image.layers.len();
    fits && blobs.all(|(base, own)| base.blob.is_some() && base.blob == own.blob)
}

/// What a digest that the user gave says of `image`.
fn by_digest(digest: &Digest, image: &Image, siblings: &[Image], results: &Results) -> Option<Inheritance> {
    let is_base = |layers: Vec<Hashes>| {
        let fits = !layers.is_empty() && layers.len() <= image.layers.len();
        fits && layers.iter().enumerate().all(|(layer, hashes)| hashes.agree(&Hashes::found(image, results, layer)))
    };
    if let Some(base) = siblings.iter().find(|sibling| layers_called(sibling, digest).is_some_and(is_base)) {
        let found = Inheritance::of_image(base, image, Evidence::Image, None);
        return Some(if has_config_called(base, digest) { found } else { Inheritance { config: None, ..found } });
    }
    let says = Says::of(image);
    let facts = |layers, evidence| BaseFacts { name: says.name.clone(), digest: Some(digest.clone()), layers, evidence };
    let mut chain: Option<Digest> = None;
    for layer in 0..image.layers.len() {
        let hashes = Hashes::found(image, results, layer);
        chain = match (&chain, &hashes.diff_id) {
            (_, Some(diff_id)) if layer == 0 => Some(diff_id.clone()),
            (Some(below), Some(diff_id)) => Some(below.chain(diff_id)),
            _ => None,
        };
        let evidence = match (chain.as_ref() == Some(digest), hashes.have(digest)) {
            (true, _) => Evidence::Chain,
            (false, true) if layer == 0 => Evidence::Chain,
            (false, true) => Evidence::Layer,
            (false, false) => continue,
        };
        // The history of these layers is the image's own word all the same.
        let steps = image.layers[layer].step.map_or(0, |step| step + 1);
        return Some(Inheritance { facts: Some(facts(layer + 1, evidence)), steps, config: None });
    }
    (says.digest.as_ref() == Some(digest)).then(|| Inheritance::guess(image, says))
}

/// Whether the bytes of a document of the image hash to `digest`, whatever an index says of them.
fn is_called(image: &Image, kind: DocumentKind, digest: &Digest) -> bool {
    document(image, kind).is_some_and(|bytes| {
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(bytes);
        hasher.finish() == *digest
    })
}

/// The layers that the manifest or the config of this digest names; a manifest proves no diff_id and a config no digest.
fn layers_called(image: &Image, digest: &Digest) -> Option<Vec<Hashes>> {
    let said = (0..image.layers.len()).map(|layer| Hashes::said(image, layer));
    if is_called(image, DocumentKind::Manifest, digest) {
        return Some(said.map(|hashes| Hashes { diff_id: None, ..hashes }).collect());
    }
    is_called(image, DocumentKind::Config, digest).then(|| said.map(|hashes| Hashes { digest: None, ..hashes }).collect())
}

/// Whether the image's config is the one of this digest, or the one that the manifest of this digest names.
fn has_config_called(image: &Image, digest: &Digest) -> bool {
    let named = || json(image, DocumentKind::Manifest)?.pointer("/config/digest")?.as_str()?.parse().ok();
    let config = if is_called(image, DocumentKind::Manifest, digest) { named() } else { Some(digest.clone()) };
    config.is_some_and(|config| is_called(image, DocumentKind::Config, &config))
}

fn document(image: &Image, kind: DocumentKind) -> Option<&[u8]> {
    let name = if kind == DocumentKind::Config { "config" } else { "manifest" };
    image.documents.iter().find(|document| document.kind == kind && document.name == name).map(|document| document.bytes.as_slice())
}

fn json(image: &Image, kind: DocumentKind) -> Option<Value> {
    let bytes = document(image, kind)?;
    serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).ok()
}

/// What an image says of its base.
#[derive(Default)]
struct Says {
    name: Option<String>,
    digest: Option<Digest>,
}

impl Says {
    /// By the annotations of the manifest, or the labels of the same names.
    fn of(image: &Image) -> Self {
        let mut says = Says::default();
        let manifest = json(image, DocumentKind::Manifest);
        let config = json(image, DocumentKind::Config);
        let annotations = manifest.as_ref().and_then(|manifest| manifest.get("annotations"));
        let labels = config.as_ref().and_then(|config| config.pointer("/config/Labels"));
        for said in [annotations, labels].into_iter().flatten() {
            let text = |key: &str| said.get(key).and_then(Value::as_str);
            says.name = says.name.or_else(|| text(NAME).map(str::to_owned));
            says.digest = says.digest.or_else(|| text(DIGEST)?.parse().ok());
        }
        says
    }
}

/// What of an image is inherited.
pub(super) struct Inheritance {
    pub(super) facts: Option<BaseFacts>,
    /// How many of the first steps of the history are the base's, if the image is to be believed.
    steps: usize,
    /// The configs of the base and of the image, where the base's is at hand.
    config: Option<(Value, Value)>,
}

impl Inheritance {
    /// By the best evidence there is. `siblings` are the images of the same source, all of which are scanned.
    pub(super) fn new(image: &Image, siblings: &[Image], results: &Results, bases: &[Base]) -> Self {
        let found = bases.iter().rev().filter_map(|base| base.part_of(image, siblings, results));
        let best = found.max_by_key(|found| found.facts.as_ref().map(|facts| (facts.evidence.is_sure(), facts.layers)));
        if let Some(best) = best {
            return best;
        }
        if !bases.is_empty() && !image.layers.is_empty() && !image.is_rootfs {
            let (name, digest) = match bases {
                [Base { known: Known::Digest(digest), .. }] => (None, Some(digest.clone())),
                [Base { given, .. }] => (Some(given.clone()), None),
                _ => (None, None),
            };
            let facts = BaseFacts { name, digest, layers: 0, evidence: Evidence::Mismatch };
            return Self { facts: Some(facts), steps: 0, config: None };
        }
        let says = Says::of(image);
        // Of fewer layers only, so that of two images which name each other one is on its own.
        let is_named = |base: &&Image| says.digest.as_ref().is_some_and(|digest| layers_called(base, digest).is_some());
        let beneath = |base: &&Image| base.layers.len() < image.layers.len() && is_beneath(base, image);
        match siblings.iter().filter(is_named).find(beneath) {
            Some(base) => Self::of_image(base, image, Evidence::Annotation, says.name.as_deref()),
            None => Self::guess(image, says),
        }
    }

    /// All layers of `base`, and what its config has too.
    fn of_image(base: &Image, image: &Image, evidence: Evidence, given: Option<&str>) -> Self {
        let name = base.name.as_deref().or(given).map(str::to_owned);
        let facts = BaseFacts { name, digest: base.digest.clone(), layers: base.layers.len(), evidence };
        let config = json(base, DocumentKind::Config).zip(json(image, DocumentKind::Config));
        Self { facts: Some(facts), steps: 0, config }
    }

    /// By the history.
    fn guess(image: &Image, says: Says) -> Self {
        let history = image.config.as_ref().map_or(&[][..], |config| config.history.as_slice());
        let made = |steps: &[crate::oci::HistoryStep]| steps.iter().filter(|step| !step.empty_layer).count();
        // A history of other layers than the image has says nothing.
        let steps = if made(history) == image.layers.len() { history::base_steps(history) } else { 0 };
        let layers = made(&history[..steps]);
        let evidence = if steps > 0 { Evidence::History } else { Evidence::Named };
        let known = steps > 0 || says.name.is_some() || says.digest.is_some();
        let facts = known.then_some(BaseFacts { name: says.name, digest: says.digest, layers, evidence });
        Self { facts, steps, config: None }
    }

    /// Whose a layer is.
    pub(super) fn of_layer(&self, layer: usize) -> Origin {
        match &self.facts {
            Some(facts) if layer < facts.layers => Origin::Inherited(facts.evidence),
            _ => Origin::Own,
        }
    }

    /// Whose a place is. What stands beside the layers and the config is the image's own.
    pub(super) fn of_place(&self, place: &Place) -> Origin {
        match place {
            Place::LayerFile { layer, .. } | Place::LayerBytes { layer, .. } => self.of_layer(*layer),
            // As surely as the layers.
            Place::Config { pointer } | Place::Label { pointer } if self.has_config(pointer) => self.of_layer(0),
            Place::History { pointer, .. } if self.has_config(pointer) => self.of_layer(0),
            Place::History { pointer, .. } if step_of(pointer).is_some_and(|step| step < self.steps) => {
                Origin::Inherited(Evidence::History)
            }
            _ => Origin::Own,
        }
    }

    /// Whether the base's config says the same there. The environment may be in another order.
    fn has_config(&self, pointer: &str) -> bool {
        let Some((base, own)) = &self.config else { return false };
        let Some(value) = own.pointer(pointer) else { return false };
        match (pointer.strip_prefix("/config/Env/"), base.pointer("/config/Env").and_then(Value::as_array)) {
            (Some(_), Some(environment)) => environment.contains(value),
            _ => base.pointer(pointer) == Some(value),
        }
    }
}

/// The step that a pointer into the config leads to.
fn step_of(pointer: &str) -> Option<usize> {
    pointer.strip_prefix("/history/")?.split('/').next()?.parse().ok()
}
