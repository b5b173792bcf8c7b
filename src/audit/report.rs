//! The report of a run, put together from what its images left in the state.
//!
//! Repositories, tags and digests of layers are held in memory; findings are read in the order of their keys, one part after the other, each with those of the
//! last run that it is compared with.

mod sinks;

use std::collections::{BTreeMap, HashMap};
use std::io;

use self::sinks::{Counter, Nobody, Span};
use super::Audit;
use super::facts::{self, FindingFact, RowFact, TagFact};
use super::state::{Run, RunId, Stage, State, StateError, Work};
use super::task::{Task, after_name};
use crate::finding::fingerprint::Key;
use crate::finding::{Gate, Novelty};
use crate::report::audit::{Each, FailureLine, FindingHead, FindingSink, FoundIn, Head, ImageLine, RepositoryLine, Row, Summary, View};

/// The report of a run whose work is done.
pub struct Report<'a> {
    audit: &'a Audit<'a>,
    state: &'a dyn State,
    run: &'a Run,
    gate: Gate,
    head: Head,
    summary: Summary,
    repositories: Vec<RepositoryLine>,
    /// By repository and digest, what leads there.
    tags: HashMap<String, Leading>,
    /// Of layers that failed, the first repository that has them: which one was asked depends on who was faster.
    lost_layers: HashMap<String, Option<String>>,
    /// Whether a listing failed, so that nobody knows what it would have named.
    is_listing_lost: bool,
}

/// The tags that lead to an image.
#[derive(Default)]
struct Leading {
    /// Sorted.
    names: Vec<String>,
    /// Of the references in full, when they were pushed.
    times: Vec<(String, Option<i64>)>,
}

/// A finding of the last run.
struct Former {
    text: String,
    repositories: Vec<String>,
}

impl<'a> Report<'a> {
    /// Goes through all that is known of the run. `gate` says what fails.
    pub fn new(audit: &'a Audit<'a>, state: &'a dyn State, run: &'a Run, gate: Gate) -> io::Result<Self> {
        let head = Head {
            started: run.started,
            targets: audit.plan.names(),
            rules_hash: audit.rules.hash().to_owned(),
            fingerprint_key: audit.scan.key.as_ref().map(Key::name),
            is_compared: run.previous.is_some(),
        };
        let (summary, repositories, tags) = (Summary::default(), Vec::new(), HashMap::new());
        let mut report =
            Self { audit, state, run, gate, head, summary, repositories, tags, lost_layers: HashMap::new(), is_listing_lost: false };
        report.gather()?;
        Ok(report)
    }

    fn gather(&mut self) -> io::Result<()> {
        let mut lines: BTreeMap<String, RepositoryLine> = BTreeMap::new();
        let new = |name: &str| RepositoryLine { name: name.to_owned(), complete: true, ..RepositoryLine::default() };
        self.facts(self.run.id, facts::REPOSITORY, &mut |key, _| {
            let name = key.strip_prefix(facts::REPOSITORY).unwrap_or_default();
            lines.insert(name.to_owned(), new(name));
            Ok(())
        })?;
        let (mut tags, mut count): (HashMap<String, Leading>, u64) = (HashMap::new(), 0);
        self.facts(self.run.id, facts::TAG, &mut |_, value| {
            let TagFact { repository, reference, digest, pushed } = read(value)?;
            count += 1;
            lines.entry(repository.clone()).or_insert_with(|| new(&repository)).tags += 1;
            let leading = tags.entry(format!("{repository}@{digest}")).or_default();
            leading.times.push((format!("{repository}{}", after_name(&reference)), pushed));
            if !reference.contains(':') {
                leading.names.push(reference);
            }
            Ok(())
        })?;
        (self.tags, self.summary.tags) = (tags, count);
        let mut other_platforms = 0;
        self.facts(self.run.id, facts::OTHER_PLATFORM, &mut |_, _| {
            other_platforms += 1;
            Ok(())
        })?;
        self.summary.other_platforms = other_platforms;
        self.gather_lost_layers()?;
        self.gather_images(&mut lines)?;
        self.gather_failures(&mut lines)?;
        self.gather_rows(&mut lines)?;
        self.summary.repositories = lines.len() as u64;
        self.summary.complete = self.summary.failures == 0 && lines.values().all(|line| line.complete);
        self.repositories = lines.into_values().collect();
        self.gather_findings()
    }

    fn gather_lost_layers(&mut self) -> io::Result<()> {
        let mut lost = HashMap::new();
        self.failures(&mut |failure| {
            if failure.stage == stage_word(Stage::Layer) {
                lost.insert(failure.what.clone(), None);
            }
            Ok(())
        })?;
        self.lost_layers = lost;
        Ok(())
    }

    fn gather_images(&mut self, lines: &mut BTreeMap<String, RepositoryLine>) -> io::Result<()> {
        let mut layers: HashMap<String, (u64, u64)> = HashMap::new();
        let mut lost = self.lost_layers.clone();
        let mut images = 0;
        self.images(&mut |image, _| {
            images += image.images.len() as u64;
            if let Some(line) = lines.get_mut(&image.repository) {
                line.images += image.images.len() as u64;
                line.complete &= image.complete;
            }
            for platform in &image.images {
                let mut digests: Vec<_> = platform.layers.iter().filter_map(|layer| Some((layer.digest.clone()?, layer.size))).collect();
                digests.sort();
                digests.dedup();
                for (digest, size) in digests {
                    if let Some(first) = lost.get_mut(&digest) {
                        first.get_or_insert_with(|| image.repository.clone());
                    }
                    layers.entry(digest).or_insert((0, size.unwrap_or_default())).0 += 1;
                }
            }
            Ok(())
        })?;
        self.lost_layers = lost;
        self.summary.images = images;
        self.summary.layers = layers.len() as u64;
        self.summary.shared_layers = layers.values().filter(|(images, _)| *images > 1).count() as u64;
        self.summary.layer_bytes = layers.values().map(|(_, size)| size).sum();
        Ok(())
    }

    fn gather_failures(&mut self, lines: &mut BTreeMap<String, RepositoryLine>) -> io::Result<()> {
        let (mut failures, mut is_listing_lost) = (0, false);
        self.failures(&mut |failure| {
            failures += 1;
            is_listing_lost |= failure.stage == stage_word(Stage::Listing);
            if failure.stage != stage_word(Stage::Listing) {
                let line = lines
                    .entry(failure.repository.clone())
                    .or_insert_with(|| RepositoryLine { name: failure.repository.clone(), ..Default::default() });
                line.failures += 1;
                line.complete = false;
            }
            Ok(())
        })?;
        (self.summary.failures, self.is_listing_lost) = (failures, is_listing_lost);
        Ok(())
    }

    fn gather_rows(&self, lines: &mut BTreeMap<String, RepositoryLine>) -> io::Result<()> {
        self.each_row(facts::ROW, &mut |repository, row| {
            if let Some(line) = lines.get_mut(repository) {
                line.findings.add(row.severity, row.suppressed.is_some());
            }
        })
    }

    fn gather_findings(&mut self) -> io::Result<()> {
        let mut counter = Counter::new(self.gate);
        let (mut fixed, mut unsure) = (0, 0);
        self.each_finding(&mut counter, &mut |_, is_sure| {
            *(if is_sure { &mut fixed } else { &mut unsure }) += 1;
            Ok(())
        })?;
        (self.summary.findings, self.summary.gating) = (counter.tally, counter.gating);
        if self.head.is_compared {
            (self.summary.new, self.summary.fixed, self.summary.unsure) = (Some(counter.new), Some(fixed), Some(unsure));
        }
        Ok(())
    }

    /// Facts in the order of their keys.
    fn facts(&self, run: RunId, prefix: &str, each: &mut dyn FnMut(&str, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut failed = None;
        let stopped = |error: io::Error, failed: &mut Option<io::Error>| {
            let problem = error.to_string();
            *failed = Some(error);
            StateError { place: String::new(), action: "write a report", problem }
        };
        let read = self.state.facts(run, prefix, &mut |key, value| each(key, value).map_err(|error| stopped(error, &mut failed)));
        match (read, failed) {
            (_, Some(error)) => Err(error),
            (read, None) => read.map_err(io::Error::other),
        }
    }

    /// Rows by repository, each put together from those of its images.
    fn each_row(&self, prefix: &str, each: &mut dyn FnMut(&str, &Row)) -> io::Result<()> {
        let mut open: Option<(String, String, Row)> = None;
        self.facts(self.run.id, prefix, &mut |key, value| {
            let RowFact { repository, name, row } = RowFact::read(key, value).ok_or_else(damaged)?;
            match &mut open {
                Some((of, called, known)) if of == repository && called == name => join(known, row),
                _ => {
                    if let Some((of, _, known)) = open.replace((repository.to_owned(), name.to_owned(), Row { images: 1, ..row })) {
                        each(&of, &known);
                    }
                }
            }
            Ok(())
        })?;
        if let Some((of, _, known)) = open {
            each(&of, &known);
        }
        Ok(())
    }

    /// Findings with their images, and those of the last run that are not there any more, with whether they are surely gone.
    fn each_finding(&self, sink: &mut dyn FindingSink, gone: &mut dyn FnMut(&str, bool) -> io::Result<()>) -> io::Result<()> {
        let Some(previous) = self.run.previous else { return self.findings_of(facts::FINDING, None, sink) };
        for shard in 0..=u8::MAX {
            let prefix = format!("{}{shard:02x}", facts::FINDING);
            let mut former = self.former(previous, &prefix)?;
            self.findings_of(&prefix, Some(&mut former), sink)?;
            for Former { text, repositories } in former.into_values().filter_map(|(former, is_there)| (!is_there).then_some(former)) {
                gone(&text, repositories.iter().all(|repository| self.is_read(repository)))?;
            }
        }
        Ok(())
    }

    /// The findings of the last run whose keys begin so, by id, none of which has been met yet.
    fn former(&self, previous: RunId, prefix: &str) -> io::Result<BTreeMap<String, (Former, bool)>> {
        let mut former: BTreeMap<String, (Former, bool)> = BTreeMap::new();
        self.facts(previous, prefix, &mut |key, value| {
            let fact = FindingFact::read(key, value).ok_or_else(damaged)?;
            let new = || (Former { text: fact.text.to_owned(), repositories: Vec::new() }, false);
            let (known, _) = former.entry(fact.id.to_owned()).or_insert_with(new);
            if known.repositories.last().is_none_or(|last| last != fact.repository) {
                known.repositories.push(fact.repository.to_owned());
            }
            Ok(())
        })?;
        Ok(former)
    }

    /// Whether what is not found in a repository is not there.
    fn is_read(&self, repository: &str) -> bool {
        match self.repositories.binary_search_by(|line| line.name.as_str().cmp(repository)) {
            Ok(index) => self.repositories[index].complete,
            Err(_) => !self.is_listing_lost,
        }
    }

    fn findings_of(
        &self,
        prefix: &str,
        mut former: Option<&mut BTreeMap<String, (Former, bool)>>,
        sink: &mut dyn FindingSink,
    ) -> io::Result<()> {
        let mut open: Option<(String, Span)> = None;
        self.facts(self.run.id, prefix, &mut |key, value| {
            let fact = FindingFact::read(key, value).ok_or_else(damaged)?;
            let is_first = open.as_ref().is_none_or(|(name, _)| name != fact.name);
            if is_first {
                if let Some((_, span)) = open.replace((fact.name.to_owned(), Span::default())) {
                    span.end(sink)?;
                }
                let novelty = former.as_deref_mut().map(|former| match former.get_mut(fact.id) {
                    Some((_, is_there)) => {
                        *is_there = true;
                        Novelty::Known
                    }
                    None => Novelty::New,
                });
                sink.begin(&FindingHead { text: fact.text, novelty })?;
            }
            let leading = self.tags.get(&format!("{}@{}", fact.repository, fact.digest));
            if let Some((_, span)) = &mut open {
                span.add(leading, fact.carrier.created);
            }
            let tags = leading.map_or(&[][..], |leading| &leading.names);
            sink.image(&FoundIn { repository: fact.repository, index: fact.digest, tags, carrier: &fact.carrier, is_first })
        })?;
        open.map_or(Ok(()), |(_, span)| span.end(sink))
    }
}

impl View for Report<'_> {
    fn head(&self) -> &Head {
        &self.head
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }

    fn repositories(&self) -> &[RepositoryLine] {
        &self.repositories
    }

    fn failures(&self, each: Each<'_, FailureLine>) -> io::Result<()> {
        let mut failed = None;
        let read = self.state.failures(self.run.id, &mut |work, problem| {
            each(&self.failure(work, problem)).map_err(|error| {
                let problem = error.to_string();
                failed = Some(error);
                StateError { place: String::new(), action: "write a report", problem }
            })
        });
        match (read, failed) {
            (_, Some(error)) => Err(error),
            (read, None) => read.map_err(io::Error::other),
        }
    }

    fn images(&self, each: &mut dyn FnMut(&ImageLine, &[String]) -> io::Result<()>) -> io::Result<()> {
        self.facts(self.run.id, facts::IMAGE, &mut |key, value| {
            let name = key.strip_prefix(facts::IMAGE).unwrap_or_default();
            let tags = self.tags.get(name).map_or(&[][..], |leading| &leading.names);
            each(&read(value)?, tags)
        })
    }

    fn findings(&self, sink: &mut dyn FindingSink) -> io::Result<()> {
        self.each_finding(sink, &mut |_, _| Ok(()))
    }

    fn fixed(&self, each: Each<'_, str>) -> io::Result<()> {
        self.each_finding(&mut Nobody, &mut |text, is_sure| if is_sure { each(text) } else { Ok(()) })
    }

    fn rows(&self, repository: &str, most: usize) -> io::Result<Vec<Row>> {
        let mut rows: Vec<Row> = Vec::new();
        let worst_first = |rows: &mut Vec<Row>| {
            rows.sort_by_cached_key(|row| {
                (row.suppressed.is_some(), std::cmp::Reverse((row.severity, row.confidence)), row.place.clone(), row.rule.clone())
            });
            rows.truncate(most);
        };
        self.each_row(&format!("{}{repository} ", facts::ROW), &mut |_, row| {
            rows.push(row.clone());
            if rows.len() >= 2 * most.max(1) {
                worst_first(&mut rows);
            }
        })?;
        worst_first(&mut rows);
        Ok(rows)
    }
}

impl Report<'_> {
    fn failure(&self, work: &Work, problem: &str) -> FailureLine {
        let target = |target: usize| self.audit.plan.targets.get(target).map(ToString::to_string).unwrap_or_default();
        let (repository, what) = match Task::read(work) {
            Some(Task::Listing { target: number }) => (target(number), String::new()),
            Some(Task::Repository { registry, repository, .. }) => (format!("{registry}/{repository}"), String::new()),
            Some(Task::Tag { registry, repository, reference, .. }) => (format!("{registry}/{repository}"), reference),
            Some(Task::Layer { registry, repository, digest, .. }) => {
                let first = self.lost_layers.get(&digest).cloned().flatten();
                (first.unwrap_or_else(|| format!("{registry}/{repository}")), digest)
            }
            Some(Task::Image { registry, repository, digest }) => (format!("{registry}/{repository}"), digest),
            None => (work.key.clone(), String::new()),
        };
        FailureLine { stage: stage_word(work.stage), repository, what, problem: problem.to_owned() }
    }
}

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Listing => "listing",
        Stage::Repository => "repository",
        Stage::Tag => "tag",
        Stage::Layer => "layer",
        Stage::Image => "image",
    }
}

/// Takes in what another image says of the same finding.
fn join(known: &mut Row, row: Row) {
    known.images += 1;
    // It is suppressed only if it is everywhere.
    if row.suppressed.is_none() && known.suppressed.is_some() {
        *known = Row { images: known.images, ..row };
    }
}

fn read<T: for<'d> serde::Deserialize<'d>>(value: &[u8]) -> io::Result<T> {
    serde_json::from_slice(value).map_err(|_| damaged())
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the state of the audit is damaged")
}
