//! The report of an audit: by repository for people, finding by finding for programs. It is longer than what fits into memory, so each format asks a
//! [`View`] for one part after the other, and writes it as it comes.
//!
//! What an image adds to it is redacted while the image's secrets are known, and kept as text ([`keep`]): a view has no secret to give.

mod facts;
mod html;
mod json;
mod table;
#[cfg(test)]
mod testing;

use std::fmt;
use std::io;
use std::str::FromStr;

use serde::Serialize;

pub use facts::{Carrier, Gap, ImageLine, KeptFinding, PlatformLine, Row, Tally, keep};

use super::{Colour, Times};
use crate::finding::{Novelty, Severity, UnknownLevel};

/// The JSON Schema of the lines of an audit's report; refers to [`super::JSON_SCHEMA`].
pub const AUDIT_SCHEMA: &str = include_str!("../schema/audit-1.schema.json");

/// What an audit was of.
#[derive(Debug, Clone)]
pub struct Head {
    /// When it began, in seconds since 1970.
    pub started: i64,
    /// What was asked for, as it was typed.
    pub targets: Vec<String>,
    /// Hash of the rules used.
    pub rules_hash: String,
    /// Name of the key of the fingerprints; none without a key.
    pub fingerprint_key: Option<String>,
    /// Whether it is compared with an earlier one.
    pub is_compared: bool,
}

/// What all of it comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Repositories of which something was asked for.
    pub repositories: u64,
    /// Tags that were read.
    pub tags: u64,
    /// Tags that have no image for the platform that is wanted, and were left out.
    pub other_platforms: u64,
    /// Images that tags lead to, one for each platform.
    pub images: u64,
    /// Distinct layers of these.
    pub layers: u64,
    /// Layers that several images have.
    pub shared_layers: u64,
    /// Bytes of the distinct layers as they are stored.
    pub layer_bytes: u64,
    /// Distinct findings.
    pub findings: Tally,
    /// How many of those that are not suppressed fail the gate.
    pub gating: u64,
    /// Of those that are not suppressed, which the last audit did not know; none without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<u64>,
    /// Findings of the last audit that are gone; none without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<u64>,
    /// Findings of the last audit of which nothing can be said, since what they were in could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsure: Option<u64>,
    /// Things that could not be listed or read.
    pub failures: u64,
    /// Whether all that was asked for was read.
    pub complete: bool,
}

/// A repository, in few words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositoryLine {
    /// `ghcr.io/team/app`.
    pub name: String,
    /// Tags that were read.
    pub tags: u64,
    /// Images that they lead to.
    pub images: u64,
    /// Distinct findings in it.
    pub findings: Tally,
    /// Things of it that could not be listed or read.
    pub failures: u64,
    /// Whether all of it was read.
    pub complete: bool,
}

/// Something that could not be listed or read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureLine {
    /// `listing`, `repository`, `tag`, `layer` or `image`.
    pub stage: &'static str,
    /// The repository, or the target of a listing.
    pub repository: String,
    /// The tag or digest; empty where all of the repository is concerned.
    pub what: String,
    /// Why, for people.
    pub problem: String,
}

/// A tag that a finding was in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TagAt {
    /// When it was pushed or, where the registry does not say, its image was made; in seconds since 1970.
    pub time: Option<i64>,
    /// `ghcr.io/team/app:1.4`.
    pub tag: String,
}

/// A finding, before its images come.
#[derive(Debug)]
pub struct FindingHead<'f> {
    /// The finding as the JSON report has it, as it is in the first of its images.
    pub text: &'f str,
    /// How it stands to the last audit; none without one.
    pub novelty: Option<Novelty>,
}

/// An image that a finding is in.
#[derive(Debug)]
pub struct FoundIn<'f> {
    /// The repository.
    pub repository: &'f str,
    /// Digest of what the tags lead to: the image's manifest, or an index of several.
    pub index: &'f str,
    /// The tags that lead there.
    pub tags: &'f [String],
    /// The image and the finding's place in it.
    pub carrier: &'f Carrier,
    /// Whether it is the first image of the finding.
    pub is_first: bool,
}

/// Takes findings one after the other: the head, its images, the end.
pub trait FindingSink {
    /// A finding begins.
    fn begin(&mut self, head: &FindingHead<'_>) -> io::Result<()>;
    /// It is in this image too.
    fn image(&mut self, image: &FoundIn<'_>) -> io::Result<()>;
    /// It ends, with the first tag that had it and the last.
    fn end(&mut self, first: Option<&TagAt>, last: Option<&TagAt>) -> io::Result<()>;
}

/// Takes what comes one by one.
pub type Each<'e, T> = &'e mut dyn FnMut(&T) -> io::Result<()>;

/// What a report is written from. Equal audits give equal parts in the same order, whoever did what when.
pub trait View {
    /// What it was of.
    fn head(&self) -> &Head;
    /// What it comes to.
    fn summary(&self) -> &Summary;
    /// All repositories, by name.
    fn repositories(&self) -> &[RepositoryLine];
    /// What could not be read, in the order of stage and name.
    fn failures(&self, each: Each<'_, FailureLine>) -> io::Result<()>;
    /// What the tags lead to, by repository and digest; with the tags.
    fn images(&self, each: &mut dyn FnMut(&ImageLine, &[String]) -> io::Result<()>) -> io::Result<()>;
    /// Distinct findings, by id and layer or document.
    fn findings(&self, sink: &mut dyn FindingSink) -> io::Result<()>;
    /// Findings of the last audit that are gone, as the JSON report has them, by id.
    fn fixed(&self, each: Each<'_, str>) -> io::Result<()>;
    /// The findings of a repository, the worst first; the first `most` of them.
    fn rows(&self, repository: &str, most: usize) -> io::Result<Vec<Row>>;
}

/// What a report is written with.
#[derive(Debug, Clone, Copy)]
pub struct AuditContext {
    /// Columns, for people.
    pub width: usize,
    /// Colours, for people.
    pub colour: Colour,
}

/// The formats there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditFormat {
    /// By repository, for people at a terminal.
    #[default]
    Table,
    /// One JSON value a line; see [`AUDIT_SCHEMA`].
    Jsonl,
    /// The same as one value.
    Json,
    /// One page for people, by repository.
    Html,
}

impl AuditFormat {
    /// All, in the order of help texts.
    pub const ALL: [AuditFormat; 4] = [AuditFormat::Table, AuditFormat::Jsonl, AuditFormat::Json, AuditFormat::Html];

    /// The word in flags.
    pub fn as_str(self) -> &'static str {
        match self {
            AuditFormat::Table => "table",
            AuditFormat::Jsonl => "jsonl",
            AuditFormat::Json => "json",
            AuditFormat::Html => "html",
        }
    }

    /// Writes the report to `out`, piece by piece. Errors are those of `out` and of the view.
    pub fn write(self, view: &dyn View, context: &AuditContext, out: &mut dyn io::Write) -> io::Result<()> {
        let mut out = io::BufWriter::with_capacity(1 << 16, out);
        match self {
            AuditFormat::Table => table::write(view, context, &mut out)?,
            AuditFormat::Jsonl => json::write_lines(view, &mut out)?,
            AuditFormat::Json => json::write_value(view, &mut out)?,
            AuditFormat::Html => html::write(view, &mut out)?,
        }
        io::Write::flush(&mut out)
    }
}

impl FromStr for AuditFormat {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let known = Self::ALL.into_iter().find(|format| format.as_str().eq_ignore_ascii_case(text));
        known.ok_or_else(|| UnknownLevel { given: text.to_owned(), what: "format", known: "table, jsonl, json, html" })
    }
}

impl fmt::Display for AuditFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// `2026-02-14T16:01:59Z`.
fn time(seconds: i64) -> String {
    format!("{}Z", Times { started: seconds, ended: seconds }.started())
}

/// The worst first.
fn severities() -> impl Iterator<Item = Severity> {
    Severity::ALL.into_iter().rev()
}
