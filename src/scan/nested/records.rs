//! Records of databases: matched many at once, since most are short, and each told as a place of its own.
//!
//! A record is written out with a line for each of its values, under the name that the value has there, so that what a column is called counts as much as the
//! name of a setting does. A secret that stands in several records is one finding, at the first of them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::Matcher;
use crate::content::kind::{Kind, KindOf};
use crate::content::nested::Format;
use crate::content::nested::budget::Budget;
use crate::content::sqlite::{self, File, Row, Text};
use crate::detect::inline::{self, Comments};
use crate::detect::overlap::{self, Spanned};
use crate::detect::{self, Candidate, Chunk, Subject};
use crate::layer::{Entry, EntryKind};

/// Bytes of records that are matched at once.
const BATCH: usize = 512 * 1024;
/// Shortest value that is looked at.
const MIN_VALUE: usize = 4;
/// Longest value that is written as a literal, and longest name.
const MAX_LITERAL: usize = 4096;
const MAX_NAME: usize = 80;
/// Fewest bytes of a value that may be a container.
const MIN_CONTAINER: usize = 64;
/// Stands between two records.
const BETWEEN: &[u8] = b"\n\x0c\n";
/// Stands round bytes that are no text: what lies beside those is taken for part of a program.
const APART: &[u8] = &[b'\n'; 40];

impl Matcher<'_, '_> {
    /// A file of SQLite's.
    pub(super) fn sqlite(&mut self, entry: &Arc<Entry>, bytes: &[u8], file: File, budget: &Arc<Budget>) -> Vec<Range<usize>> {
        let mut records = Records::new(self, entry, budget);
        let read = sqlite::read(bytes, file, budget, &mut |row| records.row(row));
        records.finish();
        self.found.problems(entry, read.problems);
        read.used
    }
}

/// Records that wait to be matched, and what was found in those before.
pub(super) struct Records<'r, 'm, 'c> {
    matcher: &'r mut Matcher<'m, 'c>,
    entry: &'r Arc<Entry>,
    budget: &'r Arc<Budget>,
    text: Vec<u8>,
    waiting: Vec<Waiting>,
    /// For each value in the text: where its line begins, and how long its name is there.
    names: Vec<(usize, usize)>,
    number: u32,
    /// Places among `kept`, by what makes two findings one.
    known: HashMap<(u32, Vec<u8>, bool), usize>,
    kept: Vec<Kept>,
    dropped: u64,
}

/// A record in the text.
struct Waiting {
    start: usize,
    number: u32,
    name: String,
    note: Option<String>,
}

struct Kept {
    entry: Arc<Entry>,
    span: Range<u64>,
    candidate: Candidate,
    also: u64,
}

impl<'r, 'm, 'c> Records<'r, 'm, 'c> {
    /// With none yet, of the database `entry`.
    pub(super) fn new(matcher: &'r mut Matcher<'m, 'c>, entry: &'r Arc<Entry>, budget: &'r Arc<Budget>) -> Self {
        let (known, kept) = (HashMap::new(), Vec::new());
        Self { matcher, entry, budget, text: Vec::new(), waiting: Vec::new(), names: Vec::new(), number: 0, known, kept, dropped: 0 }
    }

    fn row(&mut self, row: &Row<'_>) {
        if row.texts.iter().all(|text| text.bytes.len() < MIN_VALUE) {
            return;
        }
        self.add(row.spot.name(row.trees), row.spot.note(row.trees), &row.texts);
    }

    /// Takes in a record.
    pub(super) fn add(&mut self, name: String, note: Option<String>, texts: &[Text<'_>]) {
        let waiting = Waiting { start: self.text.len(), number: self.number, name, note };
        self.number = self.number.saturating_add(1);
        let before = self.text.len();
        let (texts, others): (Vec<_>, Vec<_>) =
            texts.iter().filter(|text| text.bytes.len() >= MIN_VALUE).partition(|text| text.bytes.iter().copied().all(is_text));
        texts.iter().for_each(|text| self.write(text));
        for other in &others {
            if other.bytes.len() >= MIN_CONTAINER && Format::sniff(b"/", &other.bytes).is_some() {
                self.container(&waiting, other);
            } else {
                self.names.push((self.text.len(), 0));
                self.text.extend_from_slice(APART);
                self.text.extend_from_slice(&other.bytes);
                self.text.extend_from_slice(APART);
            }
        }
        self.text.extend_from_slice(BETWEEN);
        // Names come on top of what the file holds.
        self.budget.spend((self.text.len() - before) as u64);
        self.waiting.push(waiting);
        if self.text.len() >= BATCH {
            self.flush();
        }
    }

    /// Writes a text on a line: between quotes if it can be, as it is otherwise.
    fn write(&mut self, text: &Text<'_>) {
        let start = self.text.len();
        let quote = [b'"', b'\'', b'`'].into_iter().find(|quote| !text.bytes.contains(quote));
        let is_literal = text.bytes.len() <= MAX_LITERAL && !text.bytes.contains(&b'\n');
        let is_name = |byte: u8| if byte.is_ascii_graphic() && !b"\"'`<>()[]{}=:;,".contains(&byte) { byte } else { b'_' };
        self.text.extend(text.name.unwrap_or_default().iter().take(MAX_NAME).copied().map(is_name));
        let name = self.text.len() - start;
        self.names.push((start, name));
        match quote.filter(|_| is_literal && name > 0) {
            Some(quote) => {
                self.text.extend_from_slice(b" = ");
                self.text.push(quote);
                self.text.extend_from_slice(&text.bytes);
                self.text.push(quote);
            }
            None => {
                self.text.extend_from_slice(if name > 0 { b":\n" } else { b"" });
                self.text.extend_from_slice(&text.bytes);
            }
        }
        self.text.push(b'\n');
    }

    /// A value that is a file of its own.
    fn container(&mut self, record: &Waiting, text: &Text<'_>) {
        if self.budget.member() {
            let mut entry = self.entry(record, text.name.unwrap_or_default());
            if let Some(inside) = &mut entry.inside {
                inside.is_record = false;
                inside.path = b"/".to_vec();
            }
            self.matcher.file(&Arc::new(entry), &text.bytes);
        }
    }

    fn entry(&self, record: &Waiting, column: &[u8]) -> Entry {
        let mut entry = self.entry.member(record.number, b"", EntryKind::File);
        if let Some(inside) = &mut entry.inside {
            if let Some(name) = inside.members.last_mut() {
                *name = record.name.clone().into_bytes();
            }
            let column = (!column.is_empty()).then(|| format!("value of {}", String::from_utf8_lossy(column)));
            inside.note = [column, record.note.clone()].into_iter().flatten().reduce(|one, other| format!("{one}; {other}"));
            inside.path = self.entry.rule_path().to_vec();
            inside.is_record = true;
        }
        entry
    }

    /// Matches what waits.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let (waiting, names) = (std::mem::take(&mut self.waiting), std::mem::take(&mut self.names));
        let options = self.matcher.crew.options;
        // A column is to its value what the name of a setting is to its own.
        let kind = match Kind::of(self.entry.rule_path()) {
            Kind::Unknown => Kind::Config,
            kind => kind,
        };
        let subject = Subject {
            path: None,
            kind: KindOf::Known(kind),
            is_metadata: false,
            explain: options.explain,
            watch: self.matcher.crew.watch(),
        };
        let chunk = Chunk::whole(&text);
        let mut detected = detect::candidates(self.matcher.crew.rules, &chunk, &subject);
        if options.comments == Comments::Heeded {
            inline::suppress(self.matcher.crew.rules, &chunk, &mut detected.candidates);
        }
        let mut candidates = std::mem::take(&mut detected.candidates);
        self.matcher.found.records(self.entry, text.len(), detected);
        candidates.sort_by_key(|candidate| candidate.span.start);
        let mut rest = candidates.into_iter().peekable();
        while let Some(first) = rest.next() {
            let index = waiting.partition_point(|record| record.start <= first.span.start).saturating_sub(1);
            let end = waiting.get(index + 1).map_or(text.len(), |next| next.start);
            let mut group = vec![first];
            while let Some(next) = rest.next_if(|next| next.span.start < end) {
                group.push(next);
            }
            if let Some(record) = waiting.get(index) {
                self.keep(record, &text, &names, group);
            }
        }
        self.text = text;
        self.text.clear();
    }

    /// Keeps what was found in a record, but for secrets that an earlier one has.
    fn keep(&mut self, record: &Waiting, text: &[u8], names: &[(usize, usize)], group: Vec<Candidate>) {
        let key = |candidate: &Candidate| (candidate.rule, candidate.secret.expose().to_vec(), candidate.suppressed.is_some());
        // Those that speak for their text. What they speak for is not told again either.
        let winners = overlap::resolve(group.iter().map(Borrowed).collect());
        let again: Vec<(Range<u64>, usize)> =
            winners.iter().filter_map(|(winner, _)| Some((winner.span(), *self.known.get(&key(winner.0))?))).collect();
        again.iter().for_each(|(_, index)| self.kept[*index].also += 1);
        let limit = self.matcher.crew.options.limits.findings_per_file;
        for candidate in &group {
            let span = candidate.span();
            if again.iter().any(|(known, _)| known.start < span.end && span.start < known.end) {
                continue;
            }
            if self.kept.len() >= limit {
                self.dropped += 1;
                continue;
            }
            let line = names.partition_point(|(start, _)| *start <= candidate.span.start).checked_sub(1).map(|line| names[line]);
            let column = line.filter(|(start, _)| *start >= record.start).map_or(0..0, |(start, length)| start..start + length);
            let entry = Arc::new(self.entry(record, &text[column]));
            let start = record.start as u64;
            self.known.entry(key(candidate)).or_insert(self.kept.len());
            self.kept.push(Kept { entry, span: span.start - start..span.end - start, candidate: candidate.clone(), also: 0 });
        }
    }

    /// Matches what still waits, and hands on all that was found.
    pub(super) fn finish(mut self) {
        self.flush();
        for mut kept in self.kept {
            if kept.also > 0 {
                let also = format!("it stands in {} more places of the database", kept.also);
                if let Some(inside) = &mut Arc::make_mut(&mut kept.entry).inside {
                    inside.note = Some(inside.note.take().map_or(also.clone(), |note| format!("{note}; {also}")));
                }
            }
            self.matcher.found.record(&kept.entry, kept.span, kept.candidate);
        }
        self.matcher.found.drop_more(self.dropped);
    }
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..)
}

/// A candidate that is looked at only.
struct Borrowed<'c>(&'c Candidate);

impl Spanned for Borrowed<'_> {
    fn candidate(&self) -> &Candidate {
        self.0
    }

    fn span(&self) -> Range<u64> {
        self.0.span()
    }
}
