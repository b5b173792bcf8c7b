//! The only holder of raw secret bytes.

use std::fmt;
use std::sync::Arc;

use super::fingerprint::Sealed;
use super::trace::{Trace, TraceKey};

/// The text of a credential. Formatting it redacts; [`Secret::expose`] is the only way out, and greppable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret(Text);

/// Most bytes of a marker.
const MAX_MARKER: usize = 16;

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Text {
    Raw {
        bytes: Box<[u8]>,
        /// How many leading bytes are a public marker of the format (`ghp_`), the same for every such credential.
        marker: u8,
    },
    /// Read from a report: only what the report showed of it.
    Withheld(Box<str>),
    /// Found by an earlier scan: enough to name it, and to find it again in a text.
    Kept(Box<Kept>),
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Kept {
    redacted: Box<str>,
    seal: Sealed,
    traces: Box<[Trace]>,
    key: Arc<TraceKey>,
}

impl Secret {
    /// Takes the raw bytes; `marker` leading bytes are public knowledge and may be shown.
    pub fn new(bytes: impl Into<Box<[u8]>>, marker: usize) -> Self {
        let bytes = bytes.into();
        // A marker that is most of the text would show most of the text.
        let marker = if marker * 3 <= bytes.len() { marker.min(MAX_MARKER) as u8 } else { 0 };
        Self(Text::Raw { bytes, marker })
    }

    /// A secret that is not at hand: `redacted` is what a report showed of it.
    pub fn withheld(redacted: impl Into<Box<str>>) -> Self {
        Self(Text::Withheld(redacted.into()))
    }

    /// Whether `text` is what [`Secret::redacted`] gives, and so no secret.
    pub fn is_redacted(text: &str) -> bool {
        let parts = text.rsplit_once("****(").and_then(|(marker, length)| Some((marker, length.strip_suffix(')')?)));
        parts.is_some_and(|(marker, length)| {
            let is_number = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
            let fits = length.parse::<usize>().is_ok_and(|length| marker.len() * 3 <= length);
            is_number && fits && marker.len() <= MAX_MARKER && marker.bytes().all(|byte| byte.is_ascii_graphic())
        })
    }

    /// A secret that an earlier scan found: what may be shown of it, its seal, and its traces under `key`.
    pub fn kept(redacted: impl Into<Box<str>>, seal: Sealed, traces: impl Into<Box<[Trace]>>, key: &Arc<TraceKey>) -> Self {
        Self(Text::Kept(Box::new(Kept { redacted: redacted.into(), seal, traces: traces.into(), key: Arc::clone(key) })))
    }

    /// The raw bytes, for matching, hashing, and reports that were asked to show secrets; of a withheld one what may be shown.
    pub fn expose(&self) -> &[u8] {
        match &self.0 {
            Text::Raw { bytes, .. } => bytes,
            Text::Withheld(redacted) => redacted.as_bytes(),
            Text::Kept(kept) => kept.redacted.as_bytes(),
        }
    }

    /// What differs between two secrets of one scan, shown or not: the raw bytes where they are at hand. Never to be shown.
    pub fn identity(&self) -> &[u8] {
        match &self.0 {
            Text::Kept(kept) => kept.seal.bytes(),
            _ => self.expose(),
        }
    }

    /// The seal of a secret that an earlier scan found.
    pub fn seal(&self) -> Option<&Sealed> {
        match &self.0 {
            Text::Kept(kept) => Some(&kept.seal),
            _ => None,
        }
    }

    /// By what a secret that an earlier scan found can be found again.
    pub fn traces(&self) -> Option<(&TraceKey, &[Trace])> {
        match &self.0 {
            Text::Kept(kept) => Some((&kept.key, &kept.traces)),
            _ => None,
        }
    }

    /// Whether the raw bytes are not at hand.
    pub fn is_withheld(&self) -> bool {
        matches!(self.0, Text::Withheld(_) | Text::Kept(_))
    }

    /// What may be shown: the format's public marker, if it has one, and the length.
    pub fn redacted(&self) -> String {
        match &self.0 {
            Text::Withheld(redacted) => redacted.to_string(),
            Text::Kept(kept) => kept.redacted.to_string(),
            Text::Raw { bytes, marker } => {
                let shown = &bytes[..usize::from(*marker)];
                let shown: String = shown.iter().filter(|b| b.is_ascii_graphic()).map(|&b| char::from(b)).collect();
                format!("{shown}****({})", bytes.len())
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.redacted())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_shows_the_marker_and_the_length_only() {
        let secret = Secret::new(*b"ghp_0123456789abcdefghij", 4);
        assert_eq!(format!("{secret} {secret:?}"), "ghp_****(24) Secret(ghp_****(24))");
    }

    #[test]
    fn what_redaction_gives_is_told_from_a_secret() {
        for secret in ["", "hunter2", "ghp_0123456789abcdefghij"] {
            assert!(Secret::is_redacted(&Secret::new(secret.as_bytes(), 4).redacted()), "{secret}");
            assert!(!Secret::is_redacted(secret), "{secret}");
        }
        for secret in [
            "hunter2****(8)",
            "****()",
            "****(+3)",
            "****(3) ",
            "a-b-c-d-e-f-g-h-i****(900)",
            "a b****(90)",
            "****(99999999999999999999999)",
        ] {
            assert!(!Secret::is_redacted(secret), "{secret}");
        }
    }

    #[test]
    fn a_marker_that_is_most_of_the_text_is_not_shown() {
        assert_eq!(Secret::new(*b"ghp_0123", 4).redacted(), "****(8)");
    }
}
