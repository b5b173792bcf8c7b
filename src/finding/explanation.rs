//! How a finding came about. Pure data: `detect` notes it where it is asked for, `scan` adds whose the file is, reports print it.
//!
//! It is shown as it is, so it holds no part of a secret: words of rules, numbers, and what checks say in words of ours.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Package;

/// How a finding came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// How its rule looks for it.
    pub matcher: MatcherKind,
    /// The word that woke the rule; none where a file is known by its path or its first bytes.
    pub keyword: Option<String>,
    /// What the rule looked at.
    pub window: Window,
    /// The checks that the match went through, in their order.
    pub checks: Vec<Checked>,
    /// What the scorer makes of the value, for rules that ask it.
    pub score: Option<Score>,
    /// Whose file it is; none for what stands in no file, or not in the content of one.
    pub ownership: Option<Ownership>,
}

/// The kinds of matchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatcherKind {
    /// An expression round a word.
    Marker,
    /// A value that is given to a name.
    Assignment,
    /// All between two marks.
    Block,
    /// A file by its path or its first bytes.
    File,
}

/// Bytes of the text that were looked at, the text being the decoded one where something was decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Before the first byte of the keyword, or of the file.
    pub before: u64,
    /// From there on.
    pub after: u64,
}

/// What a match is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Are its characters spread as in a secret?
    Entropy,
    /// Does it only stand for a secret?
    Placeholder,
    /// Is it what its format says, down to its parts?
    Structure,
    /// Does its checksum agree?
    Checksum,
    /// Does it read as words, or stand where examples do?
    Words,
    /// Is it a value that its provider publishes?
    WellKnown,
    /// Is it alike enough to a secret for the scorer?
    Score,
}

impl Check {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Check::Entropy => "entropy",
            Check::Placeholder => "placeholder",
            Check::Structure => "structure",
            Check::Checksum => "checksum",
            Check::Words => "words",
            Check::WellKnown => "well-known",
            Check::Score => "score",
        }
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckOutcome {
    /// It speaks for a secret, or not against one.
    Passed,
    /// It speaks against one.
    Failed,
    /// It says nothing here.
    Silent,
}

impl CheckOutcome {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            CheckOutcome::Passed => "passed",
            CheckOutcome::Failed => "failed",
            CheckOutcome::Silent => "silent",
        }
    }
}

/// A check with what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Which.
    pub check: Check,
    /// What came of it.
    pub outcome: CheckOutcome,
    /// The same for people.
    pub detail: String,
}

/// What the scorer makes of a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// How sure it is, from 0 to 1, to two places.
    pub probability: f64,
    /// What weighs most, for (positive) and against, the heaviest first.
    pub reasons: Vec<Reason>,
}

/// A reason of the scorer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// In words.
    pub feature: Cow<'static, str>,
    /// What it adds to the sum, to two places.
    pub weight: f64,
}

/// A number as explanations give it.
pub fn two_places(number: f32) -> f64 {
    (f64::from(number) * 100.0).round() / 100.0
}

/// Whose the file is, and how that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// What came of asking.
    pub verdict: OwnershipVerdict,
    /// What databases say of the path, those nearest to the file first; at most [`super::MAX_ALSO`].
    pub claims: Vec<OwnershipClaim>,
}

/// What came of asking whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnershipVerdict {
    /// It is in the list of public files.
    Known,
    /// A package database vouches for it.
    Vouched,
    /// A database has its hash, and is not believed.
    NotBelieved,
    /// Databases have the path with another hash.
    Changed,
    /// No database has the path.
    Unowned,
    /// The file was not hashed: it is too large, sparse, or its blob has no files.
    NotHashed,
    /// Nobody asked, since the finding is suppressed for another reason.
    NotAsked,
    /// Public files count like others in this scan.
    Off,
}

impl OwnershipVerdict {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            OwnershipVerdict::Known => "known",
            OwnershipVerdict::Vouched => "vouched",
            OwnershipVerdict::NotBelieved => "not-believed",
            OwnershipVerdict::Changed => "changed",
            OwnershipVerdict::Unowned => "unowned",
            OwnershipVerdict::NotHashed => "not-hashed",
            OwnershipVerdict::NotAsked => "not-asked",
            OwnershipVerdict::Off => "off",
        }
    }
}

/// What a package database says of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnershipClaim {
    /// Whose the file is. Raw: may hold anything until a report redacts it.
    pub package: Package,
    /// Index of the layer that the database stands in.
    pub layer: usize,
    /// Whether the file has the hash that the database gives.
    pub hash_agrees: bool,
    /// Whether the package says that it is published.
    pub is_published: bool,
    /// Whether the layer was made by installing packages.
    pub is_installed: bool,
}

impl MatcherKind {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            MatcherKind::Marker => "marker",
            MatcherKind::Assignment => "assignment",
            MatcherKind::Block => "block",
            MatcherKind::File => "file",
        }
    }
}
