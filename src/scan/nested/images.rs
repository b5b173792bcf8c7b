//! Images that lie in files of a layer: archives that were saved into it, and layouts in its folders.
//!
//! Their layers are read as any tar in a file is. What is kept as they pass are small JSON documents that may describe an image, and the paths
//! of tars that may be its layers; when the layer has been read, a secret in one of them gets the image, the layer of it and its life there.
//! An archive and its layers are known by their names, so a layout whose documents and blobs are in different layers of the scanned image is
//! not put together.

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::gather::{Key, key};
use crate::content::nested::images::{self, Document};
use crate::finding::{NestedImage, NestedLayer, Visibility};
use crate::layer::index::PathIndex;
use crate::layer::life::{self, Life};
use crate::layer::{Entry, EntryKind, path};
use crate::source::passing::{self, Passing};
use crate::source::{Image, Layer};

/// Most bytes of documents that are kept of a layer: the first ones.
const MAX_DOCUMENTS: usize = 16 << 20;
/// Most bytes of paths that are kept of the archives in a layer: the first ones.
const MAX_PATHS: usize = 24 << 20;
/// Most images of a layer.
const MAX_IMAGES: usize = 1_000;
/// Most layers of all of them.
const MAX_LAYERS: usize = 100_000;
/// The diff_id of an archive of nothing, in which no reader sees a tar.
const EMPTY_LAYER: &str = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/// A file by its name: the containers round it (empty for a file of the layer), and its path in the innermost one.
type Address = (Vec<u8>, Vec<u8>);

/// Things of one kind by their place in the layer: the first ones that fit a bound, in whatever order they come.
#[derive(Debug)]
struct First<T> {
    kept: BTreeMap<Key, (T, usize)>,
    bytes: usize,
    end: Option<Key>,
}

impl<T> Default for First<T> {
    fn default() -> Self {
        Self { kept: BTreeMap::new(), bytes: 0, end: None }
    }
}

impl<T> First<T> {
    fn add(&mut self, at: Key, thing: T, cost: usize, limit: usize) {
        if self.end.as_ref().is_none_or(|end| at < *end) {
            self.bytes += cost;
            self.kept.insert(at, (thing, cost));
        }
        while self.bytes > limit {
            let Some((at, (_, cost))) = self.kept.pop_last() else { return };
            self.bytes -= cost;
            self.end = Some(at);
        }
    }

    fn merge(&mut self, other: Self, limit: usize) {
        for (at, (thing, cost)) in other.kept {
            self.add(at, thing, cost, limit);
        }
        if let Some(end) = other.end {
            self.kept.split_off(&end).into_values().for_each(|(_, cost)| self.bytes -= cost);
            self.end = Some(self.end.take().map_or(end.clone(), |known| known.min(end)));
        }
    }
}

/// What is kept while a layer is read.
#[derive(Debug, Default)]
pub(in super::super) struct Images {
    documents: First<(Address, Vec<u8>)>,
    layers: First<(Address, PathIndex)>,
}

impl Images {
    /// Takes in a whole file if it may be a document of an image.
    pub(in super::super) fn document(&mut self, entry: &Entry, bytes: &[u8]) {
        if images::document(name_of(entry), bytes).is_some() {
            self.documents.add(key(entry), (address(entry), bytes.to_vec()), bytes.len() + 256, MAX_DOCUMENTS);
        }
    }

    /// Takes in the paths of an archive that may be a layer.
    pub(super) fn layer(&mut self, entry: &Entry, index: PathIndex) {
        // A tar in a tar, or one that is called as blobs are.
        if !entry.members().is_empty() || images::is_blob_name(name_of(entry)) {
            let cost = index.cost() + 256;
            self.layers.add(key(entry), (address(entry), index), cost, MAX_PATHS);
        }
    }

    pub(in super::super) fn merge(&mut self, other: Self) {
        self.documents.merge(other.documents, MAX_DOCUMENTS);
        self.layers.merge(other.layers, MAX_PATHS);
    }

    /// Puts the images together.
    pub(in super::super) fn finish(self) -> Resolved {
        // A name that comes again means the later one, as it does for those who unpack.
        let documents: BTreeMap<Address, Vec<u8>> = self.documents.kept.into_values().map(|(document, _)| document).collect();
        let mut resolved = Resolved::default();
        if documents.is_empty() {
            return resolved;
        }
        for (key, ((address, index), _)) in self.layers.kept {
            resolved.layers.insert(address, resolved.archives.len());
            resolved.archives.push((key, index));
        }
        let mut copies: HashMap<&[u8], Vec<&Address>> = HashMap::new();
        for (address, bytes) in &documents {
            copies.entry(bytes).or_default().push(address);
        }
        let mut roots: BTreeSet<(&[u8], &[u8])> = BTreeSet::new();
        for ((container, path), bytes) in &documents {
            if images::document(path, bytes) == Some(Document::Start) {
                roots.insert((container, path::ancestors(path).next().unwrap_or(b"/")));
            }
        }
        for (container, path) in roots.into_iter().take(MAX_IMAGES) {
            let (mut images_left, mut layers_left) = (MAX_IMAGES - resolved.images.len(), MAX_LAYERS - resolved.count);
            let root = Root { container, path, documents: &documents, layers: &resolved.layers };
            let fits = |image: &Image| {
                let left = images_left.checked_sub(1).zip(layers_left.checked_sub(image.layers.len()));
                (images_left, layers_left) = left.unwrap_or((0, 0));
                left.is_some()
            };
            let images: Vec<Image> = passing::images(&root).into_iter().take_while(fits).collect();
            let members: Vec<(Address, usize, Member)> =
                images.iter().enumerate().flat_map(|(number, image)| root.members(image, number, &copies)).collect();
            resolved.take(images, members);
        }
        resolved
    }
}

/// A document or layer of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Document,
    Layer(usize),
}

/// Where an archive or a layout has its documents.
struct Root<'r> {
    container: &'r [u8],
    path: &'r [u8],
    documents: &'r BTreeMap<Address, Vec<u8>>,
    layers: &'r BTreeMap<Address, usize>,
}

impl Root<'_> {
    fn address(&self, name: &str) -> Address {
        (self.container.to_vec(), path::normalise(&[self.path, b"/", name.as_bytes()].concat()))
    }

    /// What belongs to an image; `copies` are all documents by what stands in them.
    fn members(&self, image: &Image, number: usize, copies: &HashMap<&[u8], Vec<&Address>>) -> Vec<(Address, usize, Member)> {
        let layers = image.layers.iter().enumerate().filter_map(|(index, layer)| Some((layer.blob.as_ref()?, Member::Layer(index))));
        let layers = layers.map(|(blob, member)| (self.address(&blob.0), number, member));
        let documents = image.documents.iter().filter_map(|document| copies.get(document.bytes.as_slice())).flatten();
        let beside = documents.filter(|address| address.0 == self.container && address.1.starts_with(self.path));
        layers.chain(beside.map(|address| ((*address).clone(), number, Member::Document))).collect()
    }
}

impl Passing for Root<'_> {
    fn document(&self, name: &str) -> Option<&[u8]> {
        self.documents.get(&self.address(name)).map(Vec::as_slice)
    }

    fn has_layer(&self, name: &str) -> bool {
        self.layers.contains_key(&self.address(name))
    }
}

/// The images in the files of a layer.
#[derive(Debug, Default)]
pub(in super::super) struct Resolved {
    images: Vec<Image>,
    /// Layers of all of them.
    count: usize,
    /// For each image its layers, as indexes of `archives`.
    blobs: Vec<Vec<Option<usize>>>,
    members: BTreeMap<Address, (usize, Member)>,
    /// Archives that may be layers, by name: indexes of `archives`.
    layers: BTreeMap<Address, usize>,
    archives: Vec<(Key, PathIndex)>,
}

impl Resolved {
    fn take(&mut self, images: Vec<Image>, members: Vec<(Address, usize, Member)>) {
        let first = self.images.len();
        self.blobs.extend(images.iter().map(|image| vec![None; image.layers.len()]));
        self.count += images.iter().map(|image| image.layers.len()).sum::<usize>();
        // Of what stood in the documents, names and instructions are all that is told.
        self.images.extend(images.into_iter().map(|image| Image { config: None, documents: Vec::new(), ..image }));
        for (address, number, member) in members {
            if let Member::Layer(index) = member {
                self.blobs[first + number][index] = self.layers.get(&address).copied();
            }
            // A blob that several images have is told of the first.
            if let Slot::Vacant(slot) = self.members.entry(address) {
                slot.insert((first + number, member));
            }
        }
    }

    /// The innermost image that an entry stands in, if it stands in one.
    pub(in super::super) fn of(&self, entry: &Entry) -> Option<NestedImage> {
        if self.images.is_empty() {
            return None;
        }
        (0..=entry.members().len()).rev().find_map(|depth| {
            let address = address_at(entry, depth);
            let &(number, member) = self.members.get(&address)?;
            let image = self.images.get(number)?;
            // A blob that comes again under its name is the later one.
            let archive = self.layers.get(&address).and_then(|archive| self.archives.get(*archive));
            if archive.is_some_and(|(place, _)| !is_within(entry, place)) {
                return None;
            }
            let (layer, visibility) = match member {
                Member::Document if depth == entry.members().len() => (None, None),
                Member::Document => return None,
                Member::Layer(index) => (Some(index), archive.and_then(|(place, _)| self.visibility(entry, depth, number, index, place))),
            };
            let hidden_by = visibility.and_then(|visibility| visibility.layer());
            let facts = |index: usize| image.layers.get(index).map(|layer| facts(index, layer));
            Some(NestedImage {
                name: image.name.clone(),
                digest: image.digest.clone(),
                layer: layer.and_then(facts),
                visibility,
                hidden_by: hidden_by.and_then(facts),
            })
        })
    }

    /// What becomes of an entry of a nested layer; none if not all layers above it are known, or it is none.
    fn visibility(&self, entry: &Entry, depth: usize, number: usize, layer: usize, place: &Key) -> Option<Visibility> {
        let position = *entry.key().1.strip_prefix(place.1.as_slice())?.first()?;
        let path = path::normalise(entry.members().get(depth)?);
        let blobs = self.blobs.get(number)?;
        let layers = &self.images.get(number)?.layers;
        let index = |blob: &Option<usize>| Some(&self.archives.get((*blob)?)?.1);
        let indexes: Vec<Option<&PathIndex>> = blobs.iter().map(index).collect();
        let is_known = |(index, layer): (&Option<&PathIndex>, &Layer)| {
            let is_empty = || layer.diff_id.as_ref().is_some_and(|diff_id| diff_id.to_string() == EMPTY_LAYER);
            index.is_some_and(|index| index.left_out() == 0) || is_empty()
        };
        if !indexes.iter().zip(layers).skip(layer).all(is_known) {
            return None;
        }
        let life = Life(indexes);
        let is_file = entry.kind == EntryKind::File || depth + 1 < entry.members().len();
        Some(life::visibility(&if is_file { life.names(&path, layer, position) } else { vec![life.name(&path, layer, position)] }))
    }
}

/// Whether an entry is the archive at a place, or stands in it.
fn is_within(entry: &Entry, (file, within): &Key) -> bool {
    let (order, key) = entry.key();
    order == *file && key.starts_with(within)
}

fn facts(index: usize, layer: &Layer) -> NestedLayer {
    NestedLayer {
        index,
        digest: layer.descriptor.as_ref().map(|descriptor| descriptor.digest.clone()),
        diff_id: layer.diff_id.clone(),
        created_by: layer.created_by.clone(),
    }
}

/// The path of a file in its innermost container.
fn name_of(entry: &Entry) -> &[u8] {
    entry.members().last().unwrap_or(&entry.path)
}

fn address(entry: &Entry) -> Address {
    address_at(entry, entry.members().len())
}

/// The address of the container that is `depth` members deep in the file that an entry stands in.
fn address_at(entry: &Entry, depth: usize) -> Address {
    match entry.members()[..depth].split_last() {
        None => (Vec::new(), entry.path.clone()),
        Some((name, outer)) => {
            let container = outer.iter().fold(entry.path.clone(), |label, member| [&label[..], b"!", member].concat());
            (container, path::normalise(name))
        }
    }
}
