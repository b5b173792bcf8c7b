//! What an entry can ask of a finding, read strictly. No message quotes what was written: a secret may have got there by mistake.

use globset::{Candidate, ErrorKind, GlobBuilder, GlobMatcher};
use jiff::civil::Date;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::super::fingerprint;

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No reason, or an empty one.
    #[error("the reason is missing")]
    NoReason,
    /// Nothing but a reason, which would allow everything.
    #[error("it does not say what it allows")]
    NoCriterion,
    /// A word that asks for nothing known.
    #[error("a word that is no criterion")]
    Unknown,
    /// A criterion more than once.
    #[error("`{0}` stands here twice")]
    Twice(&'static str),
    /// A criterion without a value.
    #[error("`{0}` has no value")]
    Empty(&'static str),
    /// A quotation mark without its counterpart, or with something directly behind it.
    #[error("the quoted value does not end with a quotation mark and a blank")]
    Quote,
    /// A pattern that cannot be read.
    #[error("`{field}` is not a glob: {why}")]
    Glob {
        /// The criterion.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A pattern that no absolute path can match.
    #[error("`path` matches no path: it begins neither with `/` nor with `*`")]
    Relative,
    /// Not as many hex digits as a fingerprint has.
    #[error("`fingerprint` is not one")]
    Fingerprint,
    /// No day.
    #[error("`until` is not a date")]
    Date,
}

impl Problem {
    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Problem::NoReason => "end the line with ` -- ` and the reason; in a TOML file: reason = \"...\"",
            Problem::NoCriterion => "give a fingerprint, rule, path or image, or several of them",
            Problem::Unknown => {
                "an entry is a fingerprint, rule:GLOB, path:GLOB, image:GLOB or until:YYYY-MM-DD, and then ` -- ` and the reason"
            }
            Problem::Twice(_) => "all criteria of an entry must match; for either of two things write two entries",
            Problem::Empty(_) => "write the value directly after the colon, in quotation marks if there are blanks in it",
            Problem::Quote => "for example: path:\"/srv/two words/**\"",
            Problem::Glob { .. } => {
                "`*` stands for anything, in a path up to the next `/`; `**` for any folders; `?`, `[a-z]` and `{a,b}` are known too"
            }
            Problem::Relative => "paths in an image are absolute: begin with `/`, or with `**/` for any folder",
            Problem::Fingerprint => "it is the 32 hex digits that the JSON report calls `id`",
            Problem::Date => "write the last day on which the entry holds as YYYY-MM-DD",
        }
    }
}

/// A pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern(GlobMatcher);

impl Pattern {
    /// For rules' ids.
    pub(super) fn rule(text: &str) -> Result<Self, Problem> {
        Self::new("rule", text, false)
    }

    /// For absolute paths; one that ends in `/` means all below it.
    pub(super) fn path(text: &str) -> Result<Self, Problem> {
        if !text.is_empty() && !text.starts_with(['/', '*']) {
            return Err(Problem::Relative);
        }
        let below = if text.ends_with('/') { "**" } else { "" };
        Self::new("path", &format!("{text}{below}"), true)
    }

    /// For names of images, in which `/` is a character like any other.
    pub(super) fn image(text: &str) -> Result<Self, Problem> {
        Self::new("image", text, false)
    }

    fn new(field: &'static str, text: &str, literal_separator: bool) -> Result<Self, Problem> {
        if text.is_empty() {
            return Err(Problem::Empty(field));
        }
        // Said, because it is another one on Windows if it is not.
        let glob = GlobBuilder::new(text).literal_separator(literal_separator).backslash_escape(true).build();
        let why = |error: globset::Error| match error.kind() {
            ErrorKind::Regex(_) => "it is too large".to_owned(),
            kind => kind.to_string(),
        };
        glob.map(|glob| Self(glob.compile_matcher())).map_err(|error| Problem::Glob { field, why: why(error) })
    }

    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        self.0.is_match_candidate(&Candidate::from_bytes(text))
    }
}

/// A fingerprint in small letters.
pub(super) fn fingerprint(text: &str) -> Result<String, Problem> {
    if fingerprint::is_fingerprint(text) { Ok(text.to_ascii_lowercase()) } else { Err(Problem::Fingerprint) }
}

/// A day, and nothing but a day.
pub(super) fn date(text: &str) -> Result<Date, Problem> {
    let is_day = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
    text.parse().ok().filter(|_| is_day).ok_or(Problem::Date)
}

/// Reads a text of a document by `parse`, so that the document's reader knows where a wrong one stands.
pub(super) fn read<'de, D, T>(from: D, parse: impl Fn(&str) -> Result<T, Problem>) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
{
    let text = String::deserialize(from)?;
    parse(&text).map(Some).map_err(D::Error::custom)
}

/// A date of TOML, or one in quotation marks.
pub(super) fn read_date<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Date>, D::Error> {
    let text = match toml::Value::deserialize(from)? {
        toml::Value::String(text) => text,
        toml::Value::Datetime(day) => day.to_string(),
        _ => return Err(D::Error::custom(Problem::Date)),
    };
    date(&text).map(Some).map_err(D::Error::custom)
}
