//! The rows of a database: those that a query gives, those that were deleted and are still there, and those in logs.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use super::node::{Node, Payload};
use super::pages::{Encoding, HEADER, JOURNAL, Pages, page_size};
use super::record::{Value, values};
use super::schema::{Tree, trees};
use super::{File, long};
use crate::content::nested::Problem;
use crate::content::nested::budget::Budget;

/// Bytes of a log's header, and of that of each page in it.
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// What a row costs beside its bytes.
const ROW: u64 = 16;
/// Longest name of a setting that stands in a column beside its value.
const MAX_KEY: usize = 64;

/// What became of what stands somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// A query gives it.
    Live,
    /// Its page is free.
    Freed,
    /// It stands in bytes of a page that are not in use.
    Unused,
    /// It stands in a write-ahead log.
    Logged,
    /// It stands in a rollback journal.
    Journaled,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// What became of it.
    pub life: Life,
    /// The tree that it is of, by its place among the trees, where that is known.
    pub tree: Option<usize>,
    /// Its page.
    pub page: u32,
    /// Its number, for a row of a table.
    pub row: Option<i64>,
}

impl Spot {
    /// `users[17]`, `page 5 of users_by_name`, `page 12[17]`, `page 12`.
    pub fn name(&self, trees: &[Tree]) -> String {
        let tree = self.tree.and_then(|tree| trees.get(tree)).filter(|_| self.life != Life::Unused);
        match (tree, self.row) {
            (Some(tree), Some(row)) => format!("{}[{row}]", tree.name),
            (Some(tree), None) => format!("page {} of {}", self.page, tree.name),
            (None, Some(row)) => format!("page {}[{row}]", self.page),
            (None, None) => format!("page {}", self.page),
        }
    }

    /// What there is to say of it to people.
    pub fn note(&self, trees: &[Tree]) -> Option<String> {
        let of = || self.tree.and_then(|tree| trees.get(tree)).map(|tree| format!(" of {}", tree.name)).unwrap_or_default();
        match self.life {
            Life::Live => None,
            Life::Freed => Some("in a freed page of the database: it was deleted, and can still be read".to_owned()),
            Life::Unused => {
                Some(format!("in unused bytes of a page{} of the database: it was deleted or moved, and can still be read", of()))
            }
            Life::Logged => Some("in a write-ahead log".to_owned()),
            Life::Journaled => Some("in a rollback journal: as it was before a change".to_owned()),
        }
    }
}

/// A value that holds text or bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'r> {
    /// What it is called: its column, or the setting whose value it is.
    pub name: Option<&'r [u8]>,
    /// The text in UTF-8, or the bytes.
    pub bytes: Cow<'r, [u8]>,
}

/// A row, or bytes that are no longer in one.
#[derive(Debug)]
pub struct Row<'r> {
    /// Where it stands.
    pub spot: Spot,
    /// What it holds, but for numbers.
    pub texts: Vec<Text<'r>>,
    /// The trees of the database.
    pub trees: &'r [Tree],
}

/// What reading came to.
#[derive(Debug, Default)]
pub struct Read {
    /// Bytes that were understood: all that they hold was handed on.
    pub used: Vec<Range<usize>>,
    /// What is wrong with the file.
    pub problems: Vec<Problem>,
}

/// Takes a row.
type Take<'f> = &'f mut dyn FnMut(&Row<'_>);

/// Reads a file and hands on its rows.
pub fn read(bytes: &[u8], file: File, budget: &Budget, found: Take<'_>) -> Read {
    match file {
        File::Database => database(bytes, budget, found),
        File::Log => log(bytes, budget, found),
        File::Journal => journal(bytes, budget, found),
    }
}

/// A text in UTF-8.
pub(super) fn text(bytes: &[u8], encoding: Encoding) -> Cow<'_, [u8]> {
    let unit = match encoding {
        Encoding::Utf8 => return Cow::Borrowed(bytes),
        Encoding::Utf16Little => u16::from_le_bytes,
        Encoding::Utf16Big => u16::from_be_bytes,
    };
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let text: String = char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Cow::Owned(text.into_bytes())
}

struct Reader<'a, 'f> {
    pages: Pages<'a>,
    budget: &'f Budget,
    trees: Vec<Tree>,
    encoding: Encoding,
    found: Take<'f>,
    used: Vec<Range<usize>>,
}

impl<'a, 'f> Reader<'a, 'f> {
    fn new(pages: Pages<'a>, budget: &'f Budget, found: Take<'f>) -> Self {
        let (trees, encoding) = (trees(&pages), pages.encoding());
        Self { pages, budget, trees, encoding, found, used: Vec::new() }
    }

    /// Hands on all records of a page of a tree. `passed` is told of the pages that they go on in, and how much of each they take.
    fn node(&mut self, node: &Node<'a>, spot: Spot, passed: &mut dyn FnMut(u32, usize)) {
        for cell in &node.cells {
            let Some(payload) = &cell.payload else { continue };
            if !self.budget.spend(payload.length as u64 + ROW) {
                return;
            }
            self.record(node, payload, Spot { row: cell.rowid, ..spot }, passed);
        }
    }

    fn record(&mut self, node: &Node<'a>, payload: &Payload, spot: Spot, passed: &mut dyn FnMut(u32, usize)) {
        let limit = usize::try_from(self.budget.bounds().held_bytes).unwrap_or(usize::MAX);
        let record = node.payload(&self.pages, payload, limit, passed);
        let tree = spot.tree.and_then(|tree| self.trees.get(tree));
        let columns = tree.map_or(&[][..], |tree| &tree.columns);
        let texts = match values(&record, payload.length) {
            Some(values) => texts(&values, columns, self.encoding),
            None => vec![Text { name: None, bytes: record }],
        };
        if !texts.is_empty() {
            (self.found)(&Row { spot, texts, trees: &self.trees });
        }
    }

    /// The tree that each page belongs to, as far as the pages above it are there.
    fn owners(&self) -> HashMap<u32, usize> {
        let mut owners = HashMap::new();
        for (index, tree) in self.trees.iter().enumerate() {
            let mut open = vec![tree.root];
            while let Some(page) = open.pop() {
                if let Entry::Vacant(vacant) = owners.entry(page) {
                    vacant.insert(index);
                    open.extend(Node::parse(&self.pages, page).iter().flat_map(Node::children));
                }
            }
        }
        owners
    }

    /// Hands on bytes that are in no row, if there is anything in them.
    fn bytes(&mut self, spot: Spot, bytes: Cow<'_, [u8]>) {
        if bytes.iter().any(|&byte| byte != 0) && self.budget.spend(bytes.len() as u64) {
            (self.found)(&Row { spot, texts: vec![Text { name: None, bytes }], trees: &self.trees });
        }
    }

    /// All of a page was handed on.
    fn is_read(&mut self, number: u32) {
        if let Some(range) = self.pages.range(number) {
            // What the first page begins with stays, so that the file is known by it.
            self.used.push(if number == 1 { range.start + HEADER..range.end } else { range });
        }
    }
}

/// The values that hold text or bytes, each with its name. Of two columns for the name and the value of a setting the former names the latter.
fn texts<'r>(values: &[Value<'r>], columns: &'r [String], encoding: Encoding) -> Vec<Text<'r>> {
    let mut texts = Vec::new();
    let mut setting: Option<&'r [u8]> = None;
    for (number, value) in values.iter().enumerate() {
        let (Value::Text(bytes) | Value::Blob(bytes)) = *value else { continue };
        let column = columns.get(number).map_or("", String::as_str);
        let is_text = matches!(value, Value::Text(_));
        let ends = |ending: &str| {
            let start = column.len().checked_sub(ending.len());
            start.is_some_and(|start| column.as_bytes()[start..].eq_ignore_ascii_case(ending.as_bytes()))
        };
        let name = match setting {
            Some(setting) if ends("value") || ends("val") => Some(setting),
            _ => Some(column.as_bytes()).filter(|name| !name.is_empty()),
        };
        let is_word =
            |bytes: &[u8]| bytes.len() <= MAX_KEY && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/".contains(byte));
        if is_text && encoding == Encoding::Utf8 && (ends("key") || ends("name") || column == "id") && is_word(bytes) {
            setting = Some(bytes);
        }
        let bytes = if is_text { text(bytes, encoding) } else { Cow::Borrowed(bytes) };
        if !bytes.is_empty() {
            texts.push(Text { name, bytes });
        }
    }
    texts
}

// --- databases ------------------------------------------------------------------------------------------------------------------------

/// What is known of the pages of a database.
struct Known {
    /// Of each page, whether it was handed on, or will be.
    seen: Vec<bool>,
    /// Bytes of pages that are not in use, with the tree of their page.
    unused: Vec<(u32, Range<usize>, Option<usize>)>,
    is_damaged: bool,
}

impl Known {
    /// Marks a page; false if it was marked already, or is none.
    fn see(&mut self, number: u32) -> bool {
        self.seen.get_mut(number as usize).is_some_and(|seen| !std::mem::replace(seen, true))
    }
}

fn database(bytes: &[u8], budget: &Budget, found: Take<'_>) -> Read {
    let damaged = || vec![Problem::Damaged("pages of the database make no sense; their bytes were scanned as they are")];
    let Some(pages) = Pages::of_database(bytes) else { return Read { used: Vec::new(), problems: damaged() } };
    let mut known = Known { seen: vec![false; pages.count() as usize + 1], unused: Vec::new(), is_damaged: false };
    let mut reader = Reader::new(pages, budget, found);
    for index in 0..reader.trees.len() {
        reader.tree(index, &mut known);
    }
    reader.freed(&mut known);
    let problems = if known.is_damaged && budget.stopped().is_none() { damaged() } else { Vec::new() };
    Read { used: reader.used, problems }
}

impl Reader<'_, '_> {
    /// Reads a tree, each page once.
    fn tree(&mut self, index: usize, known: &mut Known) {
        let mut open = vec![self.trees[index].root];
        while let Some(number) = open.pop() {
            let spot = Spot { life: Life::Live, tree: Some(index), page: number, row: None };
            let node = Node::parse(&self.pages, number).filter(|_| known.see(number));
            let Some(node) = node.filter(|_| self.budget.spend(self.pages.size() as u64)) else {
                known.is_damaged = true;
                continue;
            };
            open.extend(node.children().rev());
            known.unused.extend(node.unused().into_iter().map(|range| (number, range, Some(index))));
            let (usable, mut passed) = (self.pages.usable(), Vec::new());
            self.node(&node, spot, &mut |page, taken| passed.push((page, taken)));
            if self.budget.stopped().is_some() {
                return;
            }
            self.is_read(number);
            for (page, taken) in passed {
                if known.see(page) {
                    self.is_read(page);
                    known.unused.extend((taken < usable).then_some((page, taken..usable, Some(index))));
                }
            }
        }
    }

    /// Reads what is not in use: free pages, and the unused bytes of others. A long value that was deleted begins in the latter and goes on in the former.
    fn freed(&mut self, known: &mut Known) {
        let read_before = self.used.len();
        let (trunks, leaves) = self.free_list(known);
        // Pages of no tree are those that long values go on in.
        let mut chained: Vec<u32> = Vec::new();
        let mut passed = BTreeMap::new();
        for &number in &leaves {
            self.is_read(number);
            let Some(node) = Node::parse(&self.pages, number) else {
                chained.push(number);
                continue;
            };
            let spot = Spot { life: Life::Freed, tree: None, page: number, row: None };
            self.node(&node, spot, &mut |page, taken| {
                passed.entry(page).or_insert(taken);
            });
            known.unused.extend(node.unused().into_iter().map(|range| (number, range, None)));
        }
        for (number, start) in trunks {
            self.is_read(number);
            known.unused.push((number, start..self.pages.usable(), None));
        }
        // What of a page a value does not take may be anything.
        chained.retain(|page| {
            passed.get(page).is_none_or(|taken| {
                known.unused.push((*page, *taken..self.pages.usable(), None));
                false
            })
        });
        let mut chains = self.chains(&chained);
        for (page, range, tree) in std::mem::take(&mut known.unused) {
            let life = if tree.is_some() { Life::Unused } else { Life::Freed };
            let Some(bytes) = self.pages.page(page).and_then(|bytes| bytes.get(range)) else { continue };
            let spot = Spot { life, tree, page, row: None };
            self.bytes(spot, Cow::Borrowed(bytes));
            let mut start = 0;
            for at in 0..if chains.is_empty() { 0 } else { bytes.len().saturating_sub(3) } {
                let Some(chain) = long(bytes, at).and_then(|first| chains.remove(&first)) else { continue };
                self.bytes(spot, Cow::Owned([&bytes[start.min(at)..at], &self.chain(&chain)].concat()));
                start = at + 4;
            }
        }
        for (page, chain) in chains {
            let spot = Spot { life: Life::Freed, tree: None, page, row: None };
            self.bytes(spot, Cow::Owned(self.chain(&chain)));
        }
        if self.budget.stopped().is_some() {
            self.used.truncate(read_before);
        }
    }

    /// Pages that each begin with the number of the next one, in rows, by the first.
    fn chains(&self, pages: &[u32]) -> BTreeMap<u32, Vec<u32>> {
        let all: HashSet<u32> = pages.iter().copied().collect();
        let next = |number: u32| self.pages.page(number).and_then(|page| long(page, 0)).filter(|next| all.contains(next));
        let followers: HashSet<u32> = pages.iter().filter_map(|&page| next(page)).collect();
        let mut taken = HashSet::new();
        let mut chains = BTreeMap::new();
        // Pages in a circle have no first one.
        let (heads, others): (Vec<u32>, Vec<u32>) = pages.iter().copied().partition(|page| !followers.contains(page));
        for start in heads.into_iter().chain(others) {
            let chain: Vec<u32> = std::iter::successors(Some(start), |&page| next(page)).take_while(|page| taken.insert(*page)).collect();
            if !chain.is_empty() {
                chains.insert(start, chain);
            }
        }
        chains
    }

    fn chain(&self, chain: &[u32]) -> Vec<u8> {
        chain.iter().filter_map(|&page| self.pages.page(page)?.get(4..)).collect::<Vec<_>>().concat()
    }

    /// The free pages: those that list others, each with where its list ends, and those that are listed.
    fn free_list(&self, known: &mut Known) -> (Vec<(u32, usize)>, Vec<u32>) {
        let (mut trunks, mut leaves) = (Vec::new(), Vec::new());
        let mut next = long(self.pages.file(), 32).unwrap_or(0);
        while next != 0 && known.see(next) {
            let Some(trunk) = self.pages.page(next) else { break };
            let count = long(trunk, 4).map_or(0, |count| count as usize).min(trunk.len() / 4 - 2);
            leaves.extend((0..count).filter_map(|leaf| long(trunk, 8 + 4 * leaf)).filter(|leaf| known.see(*leaf)));
            trunks.push((next, 8 + 4 * count));
            next = long(trunk, 0).unwrap_or(0);
        }
        (trunks, leaves)
    }
}

// --- logs -----------------------------------------------------------------------------------------------------------------------------

/// A page in a log: its number, where it begins, and whether a transaction ends with it.
#[derive(Debug, Clone, Copy)]
struct Frame {
    number: u32,
    at: usize,
    is_last: bool,
}

/// A write-ahead log. It is written over from its beginning, so that older pages may follow newer ones; those that have the same salt are of one time.
fn log(bytes: &[u8], budget: &Budget, found: Take<'_>) -> Read {
    let size = long(bytes, 8).and_then(|size| page_size(size as usize));
    let Some(size) = size else { return Read::default() };
    let mut read = Read { used: crate::content::nested::just(0..LOG_HEADER.min(bytes.len())), problems: Vec::new() };
    let mut group: Vec<Frame> = Vec::new();
    let mut salt = &bytes[..0];
    let mut at = LOG_HEADER;
    while let Some(header) = bytes.get(at..at + FRAME_HEADER).filter(|_| bytes.len() - at >= FRAME_HEADER + size) {
        if header[8..16] != *salt {
            read.used.extend(frames(bytes, size, Life::Logged, &std::mem::take(&mut group), budget, found));
            salt = &header[8..16];
        }
        let (number, pages) = (long(header, 0).unwrap_or(0), long(header, 4).unwrap_or(0));
        group.push(Frame { number, at: at + FRAME_HEADER, is_last: pages != 0 });
        read.used.push(at..at + FRAME_HEADER);
        at += FRAME_HEADER + size;
    }
    read.used.extend(frames(bytes, size, Life::Logged, &group, budget, found));
    read
}

/// A rollback journal: pages between their number and a checksum, in parts that each begin with a header.
fn journal(bytes: &[u8], budget: &Budget, found: Take<'_>) -> Read {
    let Some((sector, size)) = journal_sizes(bytes) else { return Read::default() };
    let mut group = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let header = at.next_multiple_of(sector);
        if at == 0 || bytes.get(header..).is_some_and(|rest| rest.starts_with(JOURNAL)) {
            at = header + sector;
        }
        let Some(number) = long(bytes, at).filter(|_| at + size + 8 <= bytes.len()) else { break };
        group.push(Frame { number, at: at + 4, is_last: false });
        at += size + 8;
    }
    let used = frames(bytes, size, Life::Journaled, &group, budget, found);
    Read { used, problems: Vec::new() }
}

/// The sizes of a journal's header and of its pages.
fn journal_sizes(head: &[u8]) -> Option<(usize, usize)> {
    let sector = long(head, 20)? as usize;
    let size = page_size(long(head, 24)? as usize)?;
    ((28..=65_536).contains(&sector)).then_some((sector, size))
}

/// Whether a file begins as a journal does before it has been synced: with zeros in place of its mark.
pub(super) fn is_unfinished_journal(head: &[u8]) -> bool {
    head.starts_with(&[0; 8]) && journal_sizes(head).is_some()
}

/// Reads pages of one time, in the order in which they were written: the bytes that were understood.
fn frames(bytes: &[u8], size: usize, life: Life, frames: &[Frame], budget: &Budget, found: Take<'_>) -> Vec<Range<usize>> {
    let mut all = Pages::scattered(bytes, size);
    frames.iter().for_each(|frame| all.put(frame.number, frame.at));
    let mut reader = Reader::new(all, budget, found);
    let owners = reader.owners();
    // What a page looked like when it was written, and not later.
    reader.pages.forget();
    let (mut first, mut passed, mut unread) = (0, HashMap::new(), Vec::new());
    while first < frames.len() && budget.stopped().is_none() {
        let count = frames[first..].iter().position(|frame| frame.is_last).map_or(frames.len() - first, |last| last + 1);
        let transaction = &frames[first..first + count];
        first += count;
        transaction.iter().for_each(|frame| reader.pages.put(frame.number, frame.at));
        for frame in transaction {
            match reader.frame(frame.number, frame.at, life, &owners) {
                Some(pages) => passed.extend(pages),
                None => unread.push(frame.at),
            }
        }
    }
    // Of a long value a later transaction may have written a part only.
    let last: BTreeMap<u32, usize> = frames.iter().filter(|_| !unread.is_empty()).map(|frame| (frame.number, frame.at)).collect();
    for (number, at) in last {
        passed.extend(reader.frame(number, at, life, &owners).into_iter().flatten());
    }
    reader.used.extend(unread.into_iter().filter_map(|at| Some(at..at + passed.get(&at)?)));
    reader.used
}

impl Reader<'_, '_> {
    /// Reads a page in a log, if it is of a tree: where the pages begin that its records go on in, and how much of each they take.
    fn frame(&mut self, number: u32, at: usize, life: Life, owners: &HashMap<u32, usize>) -> Option<Vec<(usize, usize)>> {
        let page = &self.pages.file()[at..at + self.pages.usable()];
        let node = Node::of(page, number, self.pages.file().len())?;
        let spot = Spot { life, tree: owners.get(&number).copied(), page: number, row: None };
        let mut places = Vec::new();
        self.node(&node, spot, &mut |page, taken| places.push((page, taken)));
        for range in node.unused() {
            self.bytes(spot, Cow::Borrowed(&page[range]));
        }
        if self.budget.stopped().is_none() {
            self.used.push(at..at + self.pages.size());
        }
        Some(places.into_iter().filter_map(|(page, taken)| Some((self.pages.range(page)?.start, taken))).collect())
    }
}
