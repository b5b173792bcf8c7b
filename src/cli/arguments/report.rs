//! What to write, where to, and what fails.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueHint};

use super::words;
use crate::finding::{Confidence, Gaps, Gate, Severity, UnknownLevel, Whose};
use crate::report::{Exposure, FormatName};

/// What to write, and where to.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReportArguments {
    /// How to write the report
    #[arg(
        long, value_name = "FORMAT", default_value = "table", ignore_case = true,
        value_parser = words::<FormatName>(FormatName::all().map(FormatName::as_str)),
        help_heading = "Report"
    )]
    pub(in crate::cli) format: FormatName,

    /// Where to write the report, instead of standard output; with FORMAT=, a further report (may be given more than once)
    #[arg(short, long, value_name = "[FORMAT=]FILE", value_hint = ValueHint::FilePath, help_heading = "Report")]
    pub(in crate::cli) output: Vec<Destination>,

    /// Write secrets in clear
    #[arg(long, help_heading = "Report")]
    pub(in crate::cli) show_secrets: bool,
}

impl ReportArguments {
    pub(in crate::cli) fn exposure(&self) -> Exposure {
        if self.show_secrets { Exposure::Shown } else { Exposure::Redacted }
    }
}

/// What fails.
#[derive(Debug, Args)]
pub(in crate::cli) struct GateArguments {
    /// Least severity that fails
    #[arg(
        long, value_name = "SEVERITY", default_value = "low", ignore_case = true,
        value_parser = words::<FailOn>(FailOn::WORDS),
        help_heading = "Gate"
    )]
    pub(in crate::cli) fail_on: FailOn,

    /// Least confidence that fails
    #[arg(
        long, value_name = "CONFIDENCE", default_value = "likely", ignore_case = true,
        value_parser = words::<Confidence>(Confidence::ALL.map(Confidence::as_str)),
        help_heading = "Gate"
    )]
    pub(in crate::cli) min_confidence: Confidence,

    /// Whose findings fail: all, or the image's own, without those inherited from its base by digest; what only its history suggests to be
    /// inherited fails, since whoever builds an image can write its history
    #[arg(
        long = "gate", value_name = "WHOSE", default_value = "all", ignore_case = true,
        value_parser = words::<Whose>(Whose::ALL.map(Whose::as_str)),
        help_heading = "Gate"
    )]
    pub(in crate::cli) whose: Whose,

    /// Fail, as for a finding, if something could not be read
    #[arg(long, help_heading = "Gate")]
    pub(in crate::cli) require_complete: bool,
}

impl GateArguments {
    pub(in crate::cli) fn gate(&self) -> Gate {
        Gate {
            fail_on: self.fail_on.0,
            min_confidence: self.min_confidence,
            whose: self.whose,
            gaps: if self.require_complete { Gaps::Fail } else { Gaps::Warn },
        }
    }
}

/// Where a report goes, and in which format if it is not the one of `--format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Destination<F = FormatName> {
    pub(in crate::cli) format: Option<F>,
    pub(in crate::cli) path: PathBuf,
}

impl<F: FromStr> Destination<F> {
    /// The format, if `text` begins with one and `=`, and the path.
    pub(in crate::cli) fn split(text: &str) -> (Option<F>, &str) {
        match text.split_once('=').and_then(|(word, path)| Some((word.parse().ok()?, path))) {
            Some((format, path)) => (Some(format), path),
            None => (None, text),
        }
    }
}

impl<F: FromStr> FromStr for Destination<F> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (format, path) = Self::split(text);
        if path.is_empty() { Err("the name of the file is missing") } else { Ok(Self { format, path: PathBuf::from(path) }) }
    }
}

/// Least severity that fails, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct FailOn(pub(in crate::cli) Option<Severity>);

impl FailOn {
    const WORDS: [&str; 5] = ["low", "medium", "high", "critical", "never"];
}

impl FromStr for FailOn {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        if text.eq_ignore_ascii_case("never") { Ok(Self(None)) } else { text.parse().map(|severity| Self(Some(severity))) }
    }
}
