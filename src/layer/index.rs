//! What a layer does to the paths of the layers below it, and of itself: enough to say whether a file is still there at the end.
//!
//! Twelve bytes an entry, whatever the length of its path: a 64-bit hash, its position in the archive and what it is.

use std::hash::Hasher;

use super::path::{self, Whiteout};
use super::{Entry, EntryKind};

/// Most entries remembered of one layer: 48 MB. Beyond it, life is not known for the rest, and coverage says so.
pub const MAX_INDEXED: usize = 4_000_000;
/// Most hard links remembered of one layer.
const MAX_LINKS: usize = 100_000;

/// What a recorded path is in its layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    Directory,
    NonDirectory,
    Whiteout,
    Opaque,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
struct Record {
    high: u32,
    low: u32,
    /// Position in the archive, and the mark in the two lowest bits.
    order: u32,
}

/// A further name of a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HardLink {
    /// The new name.
    pub path: Vec<u8>,
    /// The name it was made from.
    pub target: Vec<u8>,
    /// Position in the archive.
    pub order: u32,
}

/// The paths that a layer touches.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct PathIndex {
    records: Vec<Record>,
    links: Vec<HardLink>,
    is_sorted: bool,
    left_out: u64,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Replaced by another entry.
    Overwritten,
    /// Removed.
    Deleted,
}

fn key(path: &[u8]) -> (u32, u32) {
    // Fixed keys: the same image gives the same report. Who crafts a collision makes his own file look overwritten.
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(path);
    let hash = hasher.finish();
    ((hash >> 32) as u32, hash as u32)
}

impl PathIndex {
    /// Takes in an entry of a layer, or of an archive that may be one.
    pub fn add(&mut self, entry: &Entry, link: Option<&[u8]>) {
        let (path, order) = (entry.rule_path(), entry.position());
        match path::whiteout(path) {
            Some(Whiteout::Explicit(path)) => return self.record(&path, Mark::Whiteout, order),
            Some(Whiteout::Opaque(path)) => return self.record(&path, Mark::Opaque, order),
            None => {}
        }
        match entry.kind {
            EntryKind::Directory => self.record(path, Mark::Directory, order),
            // Engines differ on it: an overlay hides the file, others make a device. The file may still be there: say so.
            EntryKind::OverlayWhiteout | EntryKind::Stray => {}
            _ => self.record(path, Mark::NonDirectory, order),
        }
        if let (EntryKind::HardLink, Some(target)) = (entry.kind, link) {
            if self.links.len() < MAX_LINKS {
                self.links.push(HardLink { path: path.to_vec(), target: path::normalise(target), order });
            } else {
                self.left_out += 1;
            }
        }
    }

    /// Counts an entry that is not taken in.
    pub fn leave_out(&mut self) {
        self.left_out += 1;
    }

    fn record(&mut self, path: &[u8], mark: Mark, order: u32) {
        if self.records.len() >= MAX_INDEXED {
            self.left_out += 1;
            return;
        }
        let (high, low) = key(path);
        self.records.push(Record { high, low, order: order << 2 | mark as u32 });
        self.is_sorted = false;
    }

    /// To be called when all entries are in.
    pub fn finish(&mut self) {
        self.records.sort_unstable();
        self.records.shrink_to_fit();
        self.is_sorted = true;
    }

    /// How many entries did not fit.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What it holds in memory, roughly.
    pub fn cost(&self) -> usize {
        let links = self.links.iter().map(|link| size_of::<HardLink>() + link.path.len() + link.target.len());
        self.records.len() * size_of::<Record>() + links.sum::<usize>()
    }

    /// The layer's hard links.
    pub fn links(&self) -> &[HardLink] {
        &self.links
    }

    /// The same, to change the names.
    pub fn links_mut(&mut self) -> impl Iterator<Item = &mut HardLink> {
        self.links.iter_mut()
    }

    /// The positions at which `path` stands with one of `marks`, lowest first.
    fn at(&self, path: &[u8], marks: &[Mark]) -> impl Iterator<Item = u32> {
        debug_assert!(self.is_sorted || self.records.is_empty(), "finish() comes first");
        let (high, low) = key(path);
        let first = self.records.partition_point(|record| (record.high, record.low) < (high, low));
        self.records[first..]
            .iter()
            .take_while(move |record| (record.high, record.low) == (high, low))
            .filter(move |record| marks.iter().any(|&mark| mark as u32 == record.order & 3))
            .map(|record| record.order >> 2)
    }

    /// What this layer does to a file at `path`: of a lower layer (`after` none), or of this layer at position `after`. With the position
    /// of the first entry that does it.
    ///
    /// Within a layer the order of entries counts, as it does for the engines that unpack them: a whiteout removes what stands before it.
    /// An opaque mark removes only what lower layers have, wherever it stands.
    pub fn fate(&self, path: &[u8], after: Option<u32>) -> Option<(Fate, u32)> {
        let first = |path: &[u8], marks: &[Mark]| self.at(path, marks).find(|&order| after.is_none_or(|after| order > after));
        let replaced = first(path, &[Mark::Directory, Mark::NonDirectory]).map(|order| (Fate::Overwritten, order));
        let removed = first(path, &[Mark::Whiteout]).map(|order| (Fate::Deleted, order));
        let mut events: Vec<(Fate, u32)> = replaced.into_iter().chain(removed).collect();
        for folder in path::ancestors(path) {
            events.extend(first(folder, &[Mark::Whiteout]).map(|order| (Fate::Deleted, order)));
            if after.is_none() {
                events.extend(self.at(folder, &[Mark::Opaque]).next().map(|_| (Fate::Deleted, 0)));
            }
            // A file or link in the place of a folder takes all that was below it away.
            if folder != b"/" {
                events.extend(first(folder, &[Mark::NonDirectory]).map(|order| (Fate::Overwritten, order)));
            }
        }
        let (fate, order) = events.into_iter().min_by_key(|&(_, order)| order)?;
        // What is removed and then made anew in one layer was overwritten, as seen from above.
        Some((if replaced.is_some() { Fate::Overwritten } else { fate }, order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(entries: &[(&str, EntryKind)]) -> PathIndex {
        let mut index = PathIndex::default();
        for (order, (path, kind)) in entries.iter().enumerate() {
            index.add(
                &Entry { path: path.as_bytes().to_vec(), kind: *kind, order: order as u32, sparse: None, base: 0, inside: None },
                None,
            );
        }
        index.finish();
        index
    }

    const F: EntryKind = EntryKind::File;
    const D: EntryKind = EntryKind::Directory;

    #[test]
    fn a_layer_overwrites_deletes_and_spares() {
        for (entries, fate) in [
            (vec![("/a/b", F)], Some(Fate::Overwritten)),
            (vec![("/a/b", D)], Some(Fate::Overwritten)),
            (vec![("/a/.wh.b", F)], Some(Fate::Deleted)),
            (vec![("/.wh.a", F)], Some(Fate::Deleted)),
            (vec![("/a/.wh..wh..opq", F)], Some(Fate::Deleted)),
            (vec![("/.wh..wh..opq", F)], Some(Fate::Deleted)),
            (vec![("/a/.wh..wh..opq", F), ("/a/b", F)], Some(Fate::Overwritten)),
            (vec![("/a", EntryKind::Symlink)], Some(Fate::Overwritten)),
            (vec![("/a", D), ("/a/c", F)], None),
            (vec![("/a/b/c", F), ("/a/bb", F), ("/.wh.b", F)], None),
            (vec![("/a/b", EntryKind::OverlayWhiteout)], None),
        ] {
            assert_eq!(index(&entries).fate(b"/a/b", None).map(|(fate, _)| fate), fate, "{entries:?}");
        }
    }

    #[test]
    fn within_a_layer_the_order_counts() {
        assert_eq!(index(&[("/b", F), ("/.wh.b", F)]).fate(b"/b", Some(0)), Some((Fate::Deleted, 1)));
        assert_eq!(index(&[("/.wh.b", F), ("/b", F)]).fate(b"/b", Some(1)), None);
        assert_eq!(index(&[("/b", F), ("/b", F)]).fate(b"/b", Some(0)), Some((Fate::Overwritten, 1)));
        assert_eq!(index(&[("/b", F), ("/b", F)]).fate(b"/b", Some(1)), None);
        assert_eq!(index(&[("/a/b", F), ("/a/.wh..wh..opq", F)]).fate(b"/a/b", Some(0)), None);
    }
}
