//! Findings that a project has looked at and accepts: they are listed as suppressed, with the reason that the project gives.
//!
//! One [`Entry`] serves both the lines of an ignore file and the tables of a project file. Where those files lie, and what day it is,
//! others know.

mod criterion;
mod line;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::civil::Date;
use jiff::tz::Offset;

use criterion::Pattern;
pub use criterion::Problem;

use super::{Finding, ImageFacts, Place, Scan, Suppression};

/// What is accepted, why and for how long. All criteria must match; a criterion that is not given matches everything.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(try_from = "Written")]
pub struct Entry {
    /// Compared with [`Finding::id`].
    fingerprint: Option<String>,
    rule: Option<Pattern>,
    path: Option<Pattern>,
    image: Option<Pattern>,
    reason: String,
    /// The last day on which it holds (UTC).
    until: Option<Date>,
}

/// An entry as written, each field sound in itself.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    #[serde(deserialize_with = "fingerprint")]
    fingerprint: Option<String>,
    #[serde(deserialize_with = "rule")]
    rule: Option<Pattern>,
    #[serde(deserialize_with = "path")]
    path: Option<Pattern>,
    #[serde(deserialize_with = "image")]
    image: Option<Pattern>,
    reason: Option<String>,
    #[serde(deserialize_with = "criterion::read_date")]
    until: Option<Date>,
}

fn fingerprint<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    criterion::read(from, criterion::fingerprint)
}

fn rule<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Pattern>, D::Error> {
    criterion::read(from, Pattern::rule)
}

fn path<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Pattern>, D::Error> {
    criterion::read(from, Pattern::path)
}

fn image<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Pattern>, D::Error> {
    criterion::read(from, Pattern::image)
}

impl TryFrom<Written> for Entry {
    type Error = Problem;

    fn try_from(written: Written) -> Result<Self, Problem> {
        let Written { fingerprint, rule, path, image, reason, until } = written;
        if fingerprint.is_none() && rule.is_none() && path.is_none() && image.is_none() {
            return Err(Problem::NoCriterion);
        }
        let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty()).ok_or(Problem::NoReason)?;
        Ok(Self { fingerprint, rule, path, image, reason, until })
    }
}

impl Entry {
    /// Whether `finding`, of `image`, is meant.
    fn is_match(&self, finding: &Finding, image: Option<&ImageFacts>) -> bool {
        self.fingerprint.as_ref().is_none_or(|fingerprint| *fingerprint == finding.id)
            && self.rule.as_ref().is_none_or(|rule| rule.is_match(finding.rule.id.as_bytes()))
            && image.map_or(self.image.is_none(), |image| self.is_about(image))
            && self.path.as_ref().is_none_or(|path| is_within(path, finding))
    }

    fn is_about(&self, image: &ImageFacts) -> bool {
        let names = [image.name.as_deref(), Some(image.source.as_str())];
        self.image.as_ref().is_none_or(|wanted| names.into_iter().flatten().any(|name| wanted.is_match(name.as_bytes())))
    }

    fn is_expired(&self, today: Option<Date>) -> bool {
        self.until.zip(today).is_some_and(|(until, today)| today > until)
    }
}

/// Whether all places of a finding are where `path` says: a hard link elsewhere is another way to the secret.
fn is_within(path: &Pattern, finding: &Finding) -> bool {
    let is_there = |place: &Place| {
        place.path().is_some_and(|at| match at.starts_with(b"/") {
            true => path.is_match(at),
            // A member of an archive.
            false => path.is_match(&[b"/", at].concat()),
        })
    };
    std::iter::once(&finding.place).chain(&finding.also).all(is_there)
}

/// Where an entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLine {
    /// The file's name, for people.
    pub file: String,
    /// From 1.
    pub line: usize,
}

impl fmt::Display for FileLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// An ignore file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}:{column}: {problem}")]
pub struct AllowError {
    /// The line.
    pub origin: FileLine,
    /// Byte within the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What became of an entry in a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AllowState {
    /// It suppresses something.
    Used,
    /// Nothing that is not suppressed anyway matches it.
    Unused,
    /// Its last day is over: it suppresses nothing.
    Expired,
    /// None of the images is one that it is about.
    OtherImage,
}

impl AllowState {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            AllowState::Used => "used",
            AllowState::Unused => "unused",
            AllowState::Expired => "expired",
            AllowState::OtherImage => "other-image",
        }
    }
}

/// What reports say of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// Where it stands: `FILE:LINE`.
    pub origin: String,
    /// What it came to.
    pub state: AllowState,
    /// Findings that match it, without those that detection suppressed; for an expired one those that it would allow.
    pub count: u64,
    /// As written.
    pub reason: String,
    /// Its last day, as YYYY-MM-DD.
    pub until: Option<String>,
}

/// All that a project accepts, in the order written.
#[derive(Debug, Clone, Default)]
pub struct AllowList {
    entries: Vec<(FileLine, Entry)>,
}

impl AllowList {
    /// Adds an entry.
    pub fn push(&mut self, origin: FileLine, entry: Entry) {
        self.entries.push((origin, entry));
    }

    /// Adds the entries of an ignore file, which is called `file` in what is said of them.
    ///
    /// # Errors
    /// For the first line that makes no sense.
    pub fn add_lines(&mut self, file: &str, text: &str) -> Result<(), AllowError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (index, line) in text.lines().enumerate() {
            let origin = FileLine { file: file.to_owned(), line: index + 1 };
            match line::entry(line) {
                Ok(entry) => self.entries.extend(entry.map(|entry| (origin, entry))),
                Err((column, problem)) => return Err(AllowError { origin, column, problem }),
            }
        }
        Ok(())
    }

    /// Suppresses what is allowed at `now` (seconds since 1970; none to take nothing for expired), and notes in the scan what each entry
    /// came to. The first entry that matches gives the reason. To be done before findings are compared with a baseline or filtered.
    pub fn apply(&self, scan: &mut Scan, now: Option<i64>) {
        let today = now.and_then(day);
        let mut counts = vec![0; self.entries.len()];
        for finding in scan.findings.iter_mut().filter(|finding| finding.suppressed.is_none()) {
            let image = scan.images.get(finding.image);
            let mut suppressed = None;
            for ((origin, entry), count) in self.entries.iter().zip(&mut counts).filter(|((_, entry), _)| entry.is_match(finding, image)) {
                *count += 1;
                if suppressed.is_none() && !entry.is_expired(today) {
                    suppressed = Some(Suppression { reason: ALLOWED.into(), detail: format!("{} ({origin})", entry.reason) });
                }
            }
            finding.suppressed = suppressed;
        }
        let said = self.entries.iter().zip(counts).map(|((origin, entry), count)| Allowed {
            origin: origin.to_string(),
            state: match count {
                _ if entry.is_expired(today) => AllowState::Expired,
                0 if !scan.images.iter().any(|image| entry.is_about(image)) => AllowState::OtherImage,
                0 => AllowState::Unused,
                _ => AllowState::Used,
            },
            count,
            reason: entry.reason.clone(),
            until: entry.until.map(|day| day.to_string()),
        });
        scan.allowed.extend(said);
    }
}

/// The word for findings that are suppressed because somebody accepts them.
pub const ALLOWED: &str = "allowed";

/// The day of a time, in UTC.
fn day(seconds: i64) -> Option<Date> {
    jiff::Timestamp::from_second(seconds).ok().map(|time| Offset::UTC.to_datetime(time).date())
}
