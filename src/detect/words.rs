//! Lists of words that are written as one text, so that they can be read, and are taken apart once.

use std::ops::Deref;
use std::sync::OnceLock;

/// The words of a text; parted when they are first asked for.
#[derive(Debug)]
pub(super) struct WordList {
    text: &'static str,
    words: OnceLock<Vec<&'static str>>,
}

impl WordList {
    /// What stands between the blanks of `text`.
    pub(super) const fn new(text: &'static str) -> Self {
        Self { text, words: OnceLock::new() }
    }
}

impl Deref for WordList {
    type Target = [&'static str];

    fn deref(&self) -> &[&'static str] {
        self.words.get_or_init(|| self.text.split_whitespace().collect())
    }
}
