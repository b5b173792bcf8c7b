//! The only holder of raw secret bytes.

use std::fmt;

/// The text of a credential. Formatting it redacts; [`Secret::expose`] is the only way out, and greppable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret {
    bytes: Box<[u8]>,
    /// How many leading bytes are a public marker of the format (`ghp_`), the same for every such credential.
    marker: u8,
}

impl Secret {
    /// Takes the raw bytes; `marker` leading bytes are public knowledge and may be shown.
    pub fn new(bytes: impl Into<Box<[u8]>>, marker: usize) -> Self {
        let bytes = bytes.into();
        // A marker that is most of the text would show most of the text.
        let marker = if marker * 3 <= bytes.len() { marker.min(16) as u8 } else { 0 };
        Self { bytes, marker }
    }

    /// The raw bytes, for matching, hashing, and reports that were asked to show secrets.
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What may be shown: the format's public marker, if it has one, and the length.
    pub fn redacted(&self) -> String {
        let shown = &self.bytes[..usize::from(self.marker)];
        let shown: String = shown.iter().filter(|b| b.is_ascii_graphic()).map(|&b| char::from(b)).collect();
        format!("{shown}****({})", self.bytes.len())
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
    fn a_marker_that_is_most_of_the_text_is_not_shown() {
        assert_eq!(Secret::new(*b"ghp_0123", 4).redacted(), "****(8)");
    }
}
