//! A scan becomes bytes: one file per format. Formats read [`Scan`] and nothing else; they know no source and open no file.
//!
//! What comes from the image passes through [`Redactor`] first, then, in formats for people, through [`sanitise`]. A new format is one
//! file with a [`Format`], its name in [`FormatName`], and a line in [`FORMATS`].

pub mod audit;
mod change;
mod csv;
mod cyclonedx;
mod explain;
mod github;
mod gitlab;
mod html;
mod intoto;
mod json;
pub mod jsonl;
mod junit;
mod markdown;
mod place;
pub mod read;
pub mod redact;
mod said;
pub mod sanitise;
mod sarif;
mod table;
#[cfg(test)]
mod testing;
mod times;
mod words;

use std::fmt;
use std::io;
use std::str::FromStr;

pub use explain::explain;
pub use read::{ReportError, read};
pub use redact::{Exposure, Redactor};
pub use times::Times;

use crate::finding::{Finding, Gate, Remembered, Scan};

/// The JSON Schema (draft 2020-12) of the JSON report.
pub const JSON_SCHEMA: &str = include_str!("schema/report-1.schema.json");

/// The JSON Schema of a line of the stream; refers to [`JSON_SCHEMA`].
pub const JSONL_SCHEMA: &str = include_str!("schema/jsonl-1.schema.json");

/// What a report is written with, besides the scan.
#[derive(Debug)]
pub struct Context {
    /// Built from the whole scan, before any filter.
    pub redactor: Redactor,
    /// What gates, so that a report for people can say so.
    pub gate: Gate,
    /// What the table makes of suppressed findings.
    pub suppressed: Suppressed,
    /// Columns of formats for people.
    pub width: usize,
    /// Colours of formats for people.
    pub colour: Colour,
    /// When the scan ran, for formats that have to say so.
    pub times: Times,
}

/// What the table makes of suppressed findings. Formats for machines have them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Suppressed {
    /// Their number.
    #[default]
    Counted,
    /// A line or two for each, with the reason.
    Listed,
}

/// Whether escape sequences may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// No.
    #[default]
    Plain,
    /// Colours and weights, which repeat what the words say.
    Styled,
}

/// What a baseline keeps of `finding`: its place without secrets.
pub fn remember(finding: &Finding, redactor: &Redactor) -> Remembered {
    Remembered::new(finding, place::place(redactor, &finding.place))
}

/// A way to write a scan down.
pub trait Format {
    /// Writes `scan` to `out`, piece by piece. Equal input gives equal bytes. Errors are those of `out`.
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()>;
}

/// The formats there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FormatName {
    /// For people at a terminal.
    #[default]
    Table,
    /// For programs; see [`JSON_SCHEMA`].
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// GitLab's secret detection report.
    Gitlab,
    /// JUnit XML, for build servers.
    Junit,
    /// Workflow commands of GitHub Actions.
    Github,
    /// Markdown, for summaries and comments.
    Markdown,
    /// One page for people, without network.
    Html,
    /// Comma-separated values, for spreadsheets.
    Csv,
    /// CycloneDX, to be signed.
    CycloneDx,
    /// One JSON value a line; see [`JSONL_SCHEMA`].
    Jsonl,
    /// An in-toto statement, to be signed.
    Intoto,
    /// Its predicate alone, for signers that make the statement.
    IntotoPredicate,
}

const FORMATS: &[(FormatName, &str, &(dyn Format + Sync))] = &[
    (FormatName::Table, "table", &table::Table),
    (FormatName::Json, "json", &json::Json),
    (FormatName::Sarif, "sarif", &sarif::Sarif),
    (FormatName::Gitlab, "gitlab", &gitlab::Gitlab),
    (FormatName::Junit, "junit", &junit::Junit),
    (FormatName::Github, "github", &github::Github),
    (FormatName::Markdown, "markdown", &markdown::Markdown),
    (FormatName::Html, "html", &html::Html),
    (FormatName::Csv, "csv", &csv::Csv),
    (FormatName::CycloneDx, "cyclonedx", &cyclonedx::CycloneDx),
    (FormatName::Jsonl, "jsonl", &jsonl::Jsonl),
    (FormatName::Intoto, "intoto", &intoto::Statement),
    (FormatName::IntotoPredicate, "intoto-predicate", &intoto::Predicate),
];

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a format: use one of {}", names())]
pub struct UnknownFormat {
    /// What was asked for.
    pub given: String,
}

fn names() -> String {
    FORMATS.iter().map(|(_, word, _)| *word).collect::<Vec<_>>().join(", ")
}

impl FormatName {
    fn entry(self) -> &'static (FormatName, &'static str, &'static (dyn Format + Sync)) {
        // The test below holds every name to its line; the first is a formality.
        FORMATS.iter().find(|(name, ..)| *name == self).unwrap_or(&FORMATS[0])
    }

    /// All, in the order of help texts.
    pub fn all() -> impl Iterator<Item = FormatName> {
        FORMATS.iter().map(|(name, ..)| *name)
    }

    /// The word in flags.
    pub fn as_str(self) -> &'static str {
        self.entry().1
    }

    /// What writes it.
    pub fn format(self) -> &'static dyn Format {
        self.entry().2
    }
}

impl FromStr for FormatName {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let known = FORMATS.iter().find(|(_, word, _)| word.eq_ignore_ascii_case(text));
        known.map(|(name, ..)| *name).ok_or_else(|| UnknownFormat { given: text.to_owned() })
    }
}

impl fmt::Display for FormatName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_found_by_its_word() {
        for name in FormatName::all() {
            assert_eq!(name.as_str().to_uppercase().parse(), Ok(name));
        }
        assert_eq!((FormatName::default().as_str(), FormatName::CycloneDx.as_str()), ("table", "cyclonedx"));
        let message = "yaml".parse::<FormatName>().unwrap_err().to_string();
        assert!(message.starts_with("`yaml` is not a format: use one of table, json, sarif, "), "{message}");
    }

    #[test]
    fn no_format_writes_a_secret_or_an_escape_sequence_of_the_image() {
        let scan = testing::rich();
        for name in FormatName::all() {
            let mut out = Vec::new();
            name.format().write(&scan, &testing::context(&scan, Exposure::Redacted), &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            for secret in testing::SECRETS {
                assert!(!text.contains(secret), "{name} shows {secret}");
            }
            assert!(!text.chars().any(|c| !"\r\n".contains(c) && sanitise::is_dangerous(c)), "{name}");
        }
    }

    #[test]
    fn equal_scans_give_equal_bytes() {
        for name in FormatName::all() {
            let write = |_| {
                let scan = testing::rich();
                let mut out = Vec::new();
                name.format().write(&scan, &testing::context(&scan, Exposure::Redacted), &mut out).map(|()| out)
            };
            assert_eq!(write(1).unwrap(), write(2).unwrap(), "{name}");
        }
    }
}
