//! Puts the candidates of a blob in order: the order of the archive, whatever thread found them when; lines counted, overlaps resolved,
//! repetitions folded, bounds kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::Limits;
use super::expanded::Expanded;
use super::nested::images::Images;
use crate::content::nested::git::{self, History};
use crate::content::packages::{self, DatabaseFile, FileHashes};
use crate::detect::overlap::{self, Spanned};
use crate::detect::structure::public::Public;
use crate::detect::{Candidate, Chunk, Detected};
use crate::finding::{MAX_ALSO, MAX_SKIPPED, NestedImage, Part, Position, Reason};
use crate::layer::walk::Oddity;
use crate::layer::{Entry, EntryKind, Piece};

/// A secret found in a blob.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) entry: Arc<Entry>,
    /// Whether the entry's path held a secret and was kept without it, so that nobody knows what became of the file.
    pub(super) is_masked: bool,
    pub(super) part: Part,
    /// None where the part has no lines.
    pub(super) position: Option<Position>,
    /// Further positions of the same secret in the same part.
    pub(super) also: Vec<Position>,
    pub(super) candidate: Candidate,
    /// Rules of lower rank that matched the same text.
    pub(super) matched_too: Vec<u32>,
    /// Of the file, where it may be known by them.
    pub(super) hashes: Option<Arc<FileHashes>>,
    /// Of the member of a container in the file, where it may be known by them.
    pub(super) member: Option<Arc<FileHashes>>,
    /// The image in a file that it stands in.
    pub(super) nested_image: Option<Arc<NestedImage>>,
}

/// A public key in a blob.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) entry: Arc<Entry>,
    /// Bytes of the file before it.
    pub(super) offset: u64,
    pub(super) public: Public,
}

/// Most public keys of a blob that are kept: the first ones.
const MAX_PUBLISHED: usize = 10_000;
/// Most bytes of package databases of a blob that are kept: the first ones.
const MAX_DATABASES: usize = 64 << 20;

/// A candidate with what is known of its place when its piece is matched.
#[derive(Debug)]
struct Raw {
    entry: Arc<Entry>,
    part: Part,
    /// Stored bytes of the part before the piece's owned ones.
    piece: u64,
    /// The secret's bytes in the part.
    span: Range<u64>,
    /// Line feeds between the piece's first owned byte and the secret.
    lines: u64,
    /// Bytes since the last of them, or since the first owned byte.
    column: u64,
    candidate: Candidate,
}

/// What a piece of a longer file adds to the line count of those after it.
#[derive(Debug, Clone, Copy)]
struct Lines {
    feeds: u64,
    /// Bytes after the last line feed, or all of them.
    tail: u64,
}

fn cost(file: &DatabaseFile) -> usize {
    size_of::<DatabaseFile>() + file.path.len() + file.bytes.len()
}

/// A file, or a member of a container in one: [`Entry::key`].
pub(super) type Key = (u32, Vec<u32>);

pub(super) fn key(entry: &Entry) -> Key {
    let (order, inside) = entry.key();
    (order, inside.to_vec())
}

/// Collects from many threads.
#[derive(Debug, Default)]
pub(super) struct Gatherer {
    raw: Vec<Raw>,
    published: Vec<Published>,
    /// Of files that came in several pieces: by file and part, by the piece's offset.
    lines: HashMap<(Key, Part), BTreeMap<u64, Lines>>,
    /// Of files in which something was found, by their position in the archive.
    hashes: HashMap<u32, Arc<FileHashes>>,
    /// The same of members of containers.
    members: HashMap<Key, Arc<FileHashes>>,
    /// Bytes that came out of files, by their position in the archive.
    pub(super) expanded: Expanded,
    /// What git's trees and commits say, by the folder of their objects.
    histories: BTreeMap<Vec<u8>, History>,
    /// Images that lie in files.
    pub(super) images: Images,
    /// What was wrong with containers.
    oddities: BTreeSet<(Key, Oddity)>,
    databases: Databases,
    scanned: u64,
    dropped: u64,
    exhausted: Vec<Vec<u8>>,
}

/// A part of a file: the file's position in the archive, and where in the file it begins.
type PartAt = (u32, u64);

/// Files of package databases, or their parts, by their position in the archive: the first ones that fit the bound, in whatever order they
/// come.
#[derive(Debug, Default)]
struct Databases {
    files: BTreeMap<PartAt, DatabaseFile>,
    bytes: usize,
    /// The first one that did not fit.
    end: Option<PartAt>,
}

impl Databases {
    fn add(&mut self, at: PartAt, file: DatabaseFile) {
        if self.end.is_none_or(|end| at < end) {
            self.bytes += cost(&file);
            self.files.insert(at, file);
        }
        while self.bytes > MAX_DATABASES {
            let Some((at, last)) = self.files.pop_last() else { return };
            self.bytes -= cost(&last);
            self.end = Some(at);
        }
    }

    /// The whole files as they are kept. One of which a part did not fit is none.
    fn finish(self) -> Vec<DatabaseFile> {
        let cut = self.end.filter(|(_, offset)| *offset > 0).map(|(order, _)| order);
        let mut whole: Vec<(u32, DatabaseFile)> = Vec::new();
        for ((order, offset), part) in self.files.into_iter().filter(|((order, _), _)| Some(*order) != cut) {
            match whole.last_mut().filter(|(last, _)| *last == order) {
                Some((_, file)) => {
                    // What lies between two parts was nothing but zeros.
                    file.bytes.resize(usize::try_from(offset).unwrap_or(usize::MAX).min(MAX_DATABASES).max(file.bytes.len()), 0);
                    file.bytes.extend(part.bytes);
                }
                None if offset == 0 => whole.push((order, part)),
                None => {}
            }
        }
        whole.into_iter().map(|(_, file)| packages::condensed(file)).collect()
    }
}

/// All that was found in a blob, in order.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) found: Vec<Found>,
    pub(super) published: Vec<Published>,
    pub(super) databases: Vec<DatabaseFile>,
    pub(super) scanned: u64,
    pub(super) oddities: Vec<Oddity>,
}

impl Gatherer {
    /// Nothing of the file at a position of the archive, which was passed over.
    pub(super) fn passing(order: u32) -> Self {
        let mut gatherer = Self::default();
        gatherer.expanded.add(order, 0);
        gatherer
    }

    /// Candidates so far.
    pub(super) fn len(&self) -> usize {
        self.raw.len()
    }

    /// Takes in a piece that holds nothing but zeros.
    pub(super) fn blank(&mut self, piece: &Piece) {
        self.scanned += piece.owned.len() as u64;
        self.count_lines(piece, &[], piece.owned.len() as u64);
    }

    /// Takes in the hashes of the file at a position of the archive, if they are not known yet.
    pub(super) fn hashes(&mut self, order: u32, hashes: impl FnOnce() -> FileHashes) {
        self.hashes.entry(order).or_insert_with(|| Arc::new(hashes()));
    }

    /// The same for a member of a container.
    pub(super) fn member_hashes(&mut self, entry: &Entry, hashes: impl FnOnce() -> FileHashes) {
        self.members.entry(key(entry)).or_insert_with(|| Arc::new(hashes()));
    }

    /// Takes in what is wrong with a container.
    pub(super) fn odd(&mut self, entry: &Entry, reason: Reason, size: Option<u64>, detail: impl Into<String>) {
        self.odd_entry(entry, Oddity { reason, path: Some(entry.label()), size, detail: detail.into() });
    }

    /// The same, as the walk says it.
    pub(super) fn odd_entry(&mut self, entry: &Entry, oddity: Oddity) {
        self.oddities.insert((key(entry), oddity));
        // One more than is told, so that it shows that there are more.
        while self.oddities.len() > MAX_SKIPPED + 1 {
            self.oddities.pop_last();
        }
    }

    /// The git history of the objects in a folder.
    pub(super) fn history(&mut self, folder: &[u8]) -> &mut History {
        self.histories.entry(folder.to_vec()).or_default()
    }

    /// Keeps no more than the bounds allow. What is dropped comes after what is kept in any order of arrival, so the report does not depend on it.
    pub(super) fn bound(&mut self, limits: &Limits) {
        if self.raw.len() > 4 * limits.findings_per_layer {
            self.dropped += cut(&mut self.raw, 2 * limits.findings_per_layer);
        }
        if self.published.len() > 4 * MAX_PUBLISHED {
            first(&mut self.published);
        }
    }

    /// Whether something was found in an entry, or a member of it, that is not suppressed, among all but the first `from` candidates.
    pub(super) fn has_found(&self, from: usize, order: u32) -> bool {
        let new = self.raw.get(from..).unwrap_or_default();
        new.iter().any(|raw| raw.entry.order == order && raw.candidate.suppressed.is_none())
    }

    /// Takes in bytes of an entry that were not matched as text, so that lines after them are counted right.
    pub(super) fn passed(&mut self, entry: &Entry, offset: u64, bytes: &[u8]) {
        let feeds = memchr::memchr_iter(b'\n', bytes).count() as u64;
        let tail = memchr::memrchr(b'\n', bytes).map_or(bytes.len(), |at| bytes.len() - at - 1) as u64;
        self.lines.entry((key(entry), Part::Content)).or_default().insert(offset, Lines { feeds, tail });
    }

    /// Takes in a file of a package database, or the part of it that begins at `offset`.
    pub(super) fn database(&mut self, order: u32, offset: u64, file: DatabaseFile) {
        self.databases.add((order, offset), file);
    }

    /// Takes in what was detected in a piece.
    pub(super) fn add(&mut self, piece: &Piece, chunk: &Chunk<'_>, detected: Detected) {
        if piece.part == Part::Content {
            self.scanned += chunk.owned.len() as u64;
        }
        self.count_lines(piece, &chunk.bytes[chunk.owned.clone()], chunk.owned.len() as u64);
        self.dropped += detected.dropped as u64;
        if detected.exhausted && self.exhausted.len() < 100 {
            self.exhausted.push(piece.entry.label());
        }
        for (at, public) in detected.publics.into_iter().filter(|_| piece.part == Part::Content) {
            let offset = piece.offset + at.saturating_sub(chunk.owned.start) as u64;
            self.published.push(Published { entry: Arc::clone(&piece.entry), offset, public });
        }
        for candidate in detected.candidates {
            let span = candidate.span.clone();
            let start = span.start.max(chunk.owned.start);
            let before = &chunk.bytes[chunk.owned.start..start];
            let lines = memchr::memchr_iter(b'\n', before).count() as u64;
            let column = memchr::memrchr(b'\n', before).map_or(before.len(), |at| before.len() - at - 1) as u64;
            let to_part = |at: usize| piece.offset + at.saturating_sub(chunk.owned.start) as u64;
            self.raw.push(Raw {
                entry: Arc::clone(&piece.entry),
                part: piece.part.clone(),
                piece: piece.offset,
                span: to_part(span.start)..to_part(span.end),
                lines,
                column,
                candidate,
            });
        }
    }

    /// Takes in how many bytes of records were matched, and what was detected in them but the candidates.
    pub(super) fn records(&mut self, entry: &Arc<Entry>, length: usize, detected: Detected) {
        self.scanned += length as u64;
        self.dropped += detected.dropped as u64;
        if detected.exhausted && self.exhausted.len() < 100 {
            self.exhausted.push(entry.label());
        }
        let publics = detected.publics.into_iter();
        self.published.extend(publics.map(|(at, public)| Published { entry: Arc::clone(entry), offset: at as u64, public }));
    }

    /// Takes in a candidate of a record, with where it stands in that.
    pub(super) fn record(&mut self, entry: &Arc<Entry>, span: Range<u64>, candidate: Candidate) {
        self.raw.push(Raw { entry: Arc::clone(entry), part: Part::Content, piece: 0, span, lines: 0, column: 0, candidate });
    }

    /// Takes in that candidates were left out.
    pub(super) fn drop_more(&mut self, count: u64) {
        self.dropped += count;
    }

    fn count_lines(&mut self, piece: &Piece, owned: &[u8], length: u64) {
        let is_whole = piece.offset == 0 && piece.is_end && piece.owned.end == piece.bytes.end;
        if is_whole || piece.part != Part::Content {
            return;
        }
        let feeds = memchr::memchr_iter(b'\n', owned).count() as u64;
        let tail = memchr::memrchr(b'\n', owned).map_or(length, |at| (owned.len() - at - 1) as u64);
        self.lines.entry((key(&piece.entry), piece.part.clone())).or_default().insert(piece.offset, Lines { feeds, tail });
    }

    /// Forgets the lines of a file in which nothing was found.
    pub(super) fn forget_lines(&mut self, entry: &Entry) {
        self.lines.remove(&(key(entry), Part::Content));
    }

    /// Takes in what another thread gathered; keeps no more than the bounds allow.
    pub(super) fn merge(&mut self, other: Gatherer, limits: &Limits) {
        self.raw.extend(other.raw);
        for (file, pieces) in other.lines {
            self.lines.entry(file).or_default().extend(pieces);
        }
        self.hashes.extend(other.hashes);
        self.members.extend(other.members);
        self.expanded.merge(other.expanded);
        for (folder, history) in other.histories {
            self.history(&folder).merge(history);
        }
        self.images.merge(other.images);
        self.oddities.extend(other.oddities);
        while self.oddities.len() > MAX_SKIPPED + 1 {
            self.oddities.pop_last();
        }
        let databases = other.databases;
        for (at, file) in databases.files {
            self.databases.add(at, file);
        }
        self.published.extend(other.published);
        self.scanned += other.scanned;
        self.dropped += other.dropped;
        self.exhausted.extend(other.exhausted);
        self.bound(limits);
    }

    /// Puts everything in order.
    pub(super) fn finish(mut self, limits: &Limits) -> Gathered {
        if let Some((beyond, count)) = self.expanded.beyond(limits.nested.layer_bytes) {
            self.raw.retain(|raw| !self.expanded.is_beyond(raw.entry.order, beyond));
            self.published.retain(|one| !self.expanded.is_beyond(one.entry.order, beyond));
            let detail = format!(
                "{count} files were not looked into: the files before them expand to the {} bytes that the files of a layer may; --max-layer-expanded allows more",
                limits.nested.layer_bytes
            );
            self.oddities.insert(((beyond, Vec::new()), Oddity { reason: Reason::TooLarge, path: None, size: None, detail }));
        }
        sort(&mut self.raw);
        first(&mut self.published);
        let databases = self.databases.finish();
        let mut gathered = Gathered { published: self.published, databases, scanned: self.scanned, ..Gathered::default() };
        let images = self.images.finish();
        let mut dropped = self.dropped;
        let mut raw = self.raw.into_iter().peekable();
        while let Some(first) = raw.next() {
            let mut group = vec![first];
            while let Some(next) = raw.next_if(|next| next.entry.key() == group[0].entry.key() && next.part == group[0].part) {
                group.push(next);
            }
            let key = key(&group[0].entry);
            let member = self.members.get(&key).filter(|_| group[0].part == Part::Content).cloned();
            name_object(&mut group, &self.histories);
            let pieces = self.lines.get(&(key, group[0].part.clone()));
            // The name or an attribute of a public file is not of its content.
            let is_content = group[0].part == Part::Content || group[0].entry.inside.is_some();
            let hashes = self.hashes.get(&group[0].entry.order).filter(|_| is_content).cloned();
            let mut found = fold(overlap::resolve(group), pieces);
            let nested_image = found.first().and_then(|found| images.of(&found.entry)).map(Arc::new);
            for found in &mut found {
                (found.hashes, found.member, found.nested_image) = (hashes.clone(), member.clone(), nested_image.clone());
            }
            if found.len() > limits.findings_per_file {
                dropped += (found.len() - limits.findings_per_file) as u64;
                found.truncate(limits.findings_per_file);
            }
            gathered.found.extend(found);
        }
        if gathered.found.len() > limits.findings_per_layer {
            dropped += (gathered.found.len() - limits.findings_per_layer) as u64;
            gathered.found.truncate(limits.findings_per_layer);
        }
        if dropped > 0 {
            let detail = format!(
                "{dropped} more matches than the bounds ({} a file, {} a layer) are not listed; the first ones are",
                limits.findings_per_file, limits.findings_per_layer
            );
            gathered.oddities.push(Oddity { reason: Reason::FindingsLimit, path: None, size: None, detail });
        }
        gathered.oddities.extend(self.oddities.into_iter().map(|(_, oddity)| oddity));
        self.exhausted.sort();
        self.exhausted.dedup();
        for path in self.exhausted {
            let detail = "matching it takes more work than the bound; part of it was not matched against all rules".to_owned();
            gathered.oddities.push(Oddity { reason: Reason::WorkLimit, path: Some(path), size: None, detail });
        }
        gathered
    }
}

/// Says of a loose object of git what file of what commit it is.
fn name_object(group: &mut [Raw], histories: &BTreeMap<Vec<u8>, History>) {
    let Some((folder, name)) = git::loose(&group[0].entry.path).filter(|_| group[0].entry.depth() == 1) else { return };
    let id = git::from_hex(name.as_bytes());
    let origin = id.and_then(|id| histories.get(folder)?.origin(&id));
    let mut entry = Entry::clone(&group[0].entry);
    if let (Some(origin), Some(inside)) = (origin, &mut entry.inside) {
        inside.note = Some(origin.describe());
        let entry = Arc::new(entry);
        group.iter_mut().for_each(|raw| raw.entry = Arc::clone(&entry));
    }
}

/// Keeps the first ones, in order: the same whatever the order of arrival.
fn first(published: &mut Vec<Published>) {
    published.sort_by(|a, b| (a.entry.key(), a.offset, &a.public).cmp(&(b.entry.key(), b.offset, &b.public)));
    published.dedup_by(|a, b| (a.entry.key(), a.offset) == (b.entry.key(), b.offset));
    published.truncate(MAX_PUBLISHED);
}

fn sort(raw: &mut [Raw]) {
    raw.sort_by(|a, b| {
        let span = |raw: &Raw| (raw.span.start, raw.span.end, raw.candidate.rule);
        let by_span = || span(a).cmp(&span(b)).then_with(|| a.candidate.secret.cmp(&b.candidate.secret));
        // All parts of an entry together, in their own order.
        a.entry.key().cmp(&b.entry.key()).then_with(|| a.part.cmp(&b.part)).then_with(by_span)
    });
}

fn cut(raw: &mut Vec<Raw>, keep: usize) -> u64 {
    sort(raw);
    let dropped = raw.len().saturating_sub(keep);
    raw.truncate(keep);
    dropped as u64
}

impl Spanned for Raw {
    fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    fn span(&self) -> Range<u64> {
        self.span.clone()
    }
}

/// Counts lines and folds repetitions of a secret within a file into one finding.
fn fold(raws: Vec<(Raw, Vec<u32>)>, pieces: Option<&BTreeMap<u64, Lines>>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    // A comment accepts the secret on its own line and nowhere else: those that are suppressed are not one finding with those that are not.
    let mut known: HashMap<(u32, Vec<u8>, bool), usize> = HashMap::new();
    let mut counter = LineCounter { pieces, at: None };
    for (raw, matched_too) in raws {
        let position = (raw.part == Part::Content && !raw.entry.is_record()).then(|| counter.position(&raw));
        let key = (raw.candidate.rule, raw.candidate.secret.expose().to_vec(), raw.candidate.suppressed.is_some());
        if let Some(&index) = known.get(&key) {
            let same: &mut Found = &mut found[index];
            if let Some(position) = position.filter(|_| same.also.len() < MAX_ALSO) {
                same.also.push(position);
            }
            continue;
        }
        known.insert(key, found.len());
        let mut candidate = raw.candidate;
        if let Some(inside) = &raw.entry.inside {
            candidate.decoding = inside.steps.iter().cloned().chain(candidate.decoding).collect();
            candidate.note = [candidate.note, inside.note.clone()].into_iter().flatten().reduce(|one, other| format!("{one}; {other}"));
        }
        let (hashes, member, nested_image) = (None, None, None);
        let also = Vec::new();
        found.push(Found {
            entry: raw.entry,
            is_masked: false,
            part: raw.part,
            position,
            also,
            candidate,
            matched_too,
            hashes,
            member,
            nested_image,
        });
    }
    found
}

/// Turns places within pieces into places within the file. Asked in the order of the file.
struct LineCounter<'a> {
    pieces: Option<&'a BTreeMap<u64, Lines>>,
    /// The piece last asked about, with the lines before it and the bytes of its first line that stand before it.
    at: Option<(u64, u64, u64)>,
}

impl LineCounter<'_> {
    fn position(&mut self, raw: &Raw) -> Position {
        let (lines_before, column_before) = self.before(raw.piece);
        let column = if raw.lines == 0 { column_before + raw.column } else { raw.column };
        let stored = raw.span.start;
        let offset = raw.entry.sparse.as_ref().map_or(stored, |map| map.offset(stored));
        let base = if raw.entry.kind == EntryKind::Stray { raw.entry.base } else { 0 };
        Position { offset: base + offset, line: lines_before + raw.lines + 1, column: column + 1 }
    }

    fn before(&mut self, piece: u64) -> (u64, u64) {
        let Some(pieces) = self.pieces else { return (0, 0) };
        let (from, mut feeds, mut tail) = self.at.filter(|&(at, ..)| at <= piece).unwrap_or((0, 0, 0));
        for lines in pieces.range(from..piece).map(|(_, lines)| lines) {
            feeds += lines.feeds;
            tail = if lines.feeds > 0 { lines.tail } else { tail + lines.tail };
        }
        self.at = Some((piece, feeds, tail));
        (feeds, tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_database_are_put_together_and_one_that_is_not_whole_is_left_out() {
        let part = |bytes: &[u8]| DatabaseFile { path: b"/x".to_vec(), bytes: bytes.to_vec() };
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let parts = [((3, 0), part(b"ab")), ((3, 4), part(b"ef")), ((5, 0), part(b"x"))];
            let mut databases = Databases::default();
            order.iter().for_each(|index| databases.add(parts[*index].0, parts[*index].1.clone()));
            assert_eq!(databases.finish().into_iter().map(|file| file.bytes).collect::<Vec<_>>(), [b"ab\0\0ef".to_vec(), b"x".to_vec()]);
        }
        let mut databases = Databases::default();
        databases.add((1, 0), part(b"small"));
        for offset in 0..3 {
            databases.add((2, offset << 25), part(&vec![1; 1 << 25]));
        }
        assert_eq!(databases.finish().into_iter().map(|file| file.bytes).collect::<Vec<_>>(), [b"small".to_vec()]);
    }

    #[test]
    fn the_first_databases_that_fit_are_kept_whatever_order_they_come_in() {
        let sizes = [30 << 20, 30 << 20, 20 << 20, 1];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
            let mut databases = Databases::default();
            for position in order {
                let file = DatabaseFile { path: b"/x".to_vec(), bytes: vec![0; sizes[position]] };
                databases.add((position as u32, 0), file);
            }
            assert_eq!(databases.files.keys().copied().collect::<Vec<_>>(), [(0, 0), (1, 0)], "{order:?}");
        }
    }
}
