//! How bad and how sure: two ordered scales.

use std::fmt;
use std::str::FromStr;

/// What the finder of the secret can do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Of use only together with something else.
    Low,
    /// One service, narrow rights.
    Medium,
    /// One service, wide rights.
    High,
    /// An account, a cluster, a supply chain.
    Critical,
}

/// How sure we are that the text is a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// It may be one; does not gate unless asked.
    Possible,
    /// Shape, context and entropy say so.
    Likely,
    /// Proved offline, by a checksum or by a structure that parses.
    Confirmed,
}

/// A word that is not a level; lists those that are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a {what}: use one of {known}")]
pub struct UnknownLevel {
    /// What was asked for.
    pub given: String,
    /// `severity` or `confidence`.
    pub what: &'static str,
    /// The words that exist.
    pub known: &'static str,
}

impl Severity {
    /// All, lowest first.
    pub const ALL: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// The word used in rule files, reports and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl Confidence {
    /// All, lowest first.
    pub const ALL: [Confidence; 3] = [Confidence::Possible, Confidence::Likely, Confidence::Confirmed];

    /// The word used in rule files, reports and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Confidence::Possible => "possible",
            Confidence::Likely => "likely",
            Confidence::Confirmed => "confirmed",
        }
    }
}

impl FromStr for Severity {
    type Err = UnknownLevel;
    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Self::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(text.trim())).ok_or_else(|| UnknownLevel {
            given: text.to_owned(),
            what: "severity",
            known: "low, medium, high, critical",
        })
    }
}

impl FromStr for Confidence {
    type Err = UnknownLevel;
    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        Self::ALL.into_iter().find(|level| level.as_str().eq_ignore_ascii_case(text.trim())).ok_or_else(|| UnknownLevel {
            given: text.to_owned(),
            what: "confidence",
            known: "possible, likely, confirmed",
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
