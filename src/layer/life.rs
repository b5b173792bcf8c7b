//! What becomes of a file in an image's layers: where each of its names ends, and whether the last one is still there.

use super::index::{Fate, PathIndex};
use crate::finding::Visibility;

/// Most hard links of a file that are followed.
const MAX_NAMES: usize = 32;

/// One name of a file, from where it was given to where it ends.
#[derive(Debug)]
pub struct Name {
    /// The path.
    pub path: Vec<u8>,
    /// Index of the layer that gives it.
    pub layer: usize,
    order: u32,
    end: Option<End>,
}

/// What takes a name away, and where.
#[derive(Debug, Clone, Copy)]
struct End {
    layer: usize,
    order: u32,
    fate: Fate,
}

/// The layers of an image, base first; none for one whose paths are not known.
#[derive(Debug)]
pub struct Life<'i>(pub Vec<Option<&'i PathIndex>>);

impl Life<'_> {
    /// What becomes of a path that stands in `layer` at position `order`.
    fn end(&self, path: &[u8], layer: usize, order: u32) -> Option<End> {
        let index = |layer: usize| self.0.get(layer).copied().flatten();
        let within = index(layer).and_then(|index| index.fate(path, Some(order))).map(|(fate, order)| End { layer, order, fate });
        within.or_else(|| {
            let above = layer + 1..self.0.len();
            above.into_iter().find_map(|layer| index(layer)?.fate(path, None).map(|(fate, order)| End { layer, order, fate }))
        })
    }

    /// The name that an entry has of its own.
    pub fn name(&self, path: &[u8], layer: usize, order: u32) -> Name {
        Name { path: path.to_vec(), layer, order, end: self.end(path, layer, order) }
    }

    /// All names of a file: its own, and those that hard links give it in its own layer or a later one while it has the name that the
    /// link was made from.
    pub fn names(&self, path: &[u8], layer: usize, order: u32) -> Vec<Name> {
        let mut names = vec![self.name(path, layer, order)];
        for (above, index) in self.0.iter().enumerate().skip(layer) {
            for link in index.map(PathIndex::links).unwrap_or_default() {
                let at = (above, link.order);
                let is_name = |name: &Name| {
                    let is_gone = name.end.is_some_and(|end| (end.layer, end.order) <= at);
                    name.path == link.target && (name.layer, name.order) < at && !is_gone
                };
                if names.len() < MAX_NAMES && names.iter().any(is_name) {
                    names.push(self.name(&link.path, above, link.order));
                }
            }
        }
        names
    }
}

/// The bytes are there as long as one of their names is; what took the last name takes them.
pub fn visibility(names: &[Name]) -> Visibility {
    let ends: Option<Vec<End>> = names.iter().map(|name| name.end).collect();
    // Of names that go in one layer, the one that the finding is listed under comes first.
    match ends.and_then(|ends| ends.into_iter().rev().max_by_key(|end| end.layer)) {
        None => Visibility::InFinalImage,
        Some(End { layer, fate: Fate::Overwritten, .. }) => Visibility::Overwritten { layer },
        Some(End { layer, fate: Fate::Deleted, .. }) => Visibility::Deleted { layer },
    }
}
