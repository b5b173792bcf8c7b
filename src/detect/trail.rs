//! Notes how a candidate came about. Where nobody asked for it a trail is nothing, and noting costs a look at that.

use std::ops::Range;

use crate::finding::{Check, CheckOutcome, Checked, Explanation, MatcherKind, Score, Window};

/// Whether candidates come with how they came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Explain {
    /// They do not.
    #[default]
    Nothing,
    /// They do.
    Candidates,
}

/// What a candidate went through.
pub(super) struct Trail(Option<Box<Explanation>>);

impl Trail {
    /// Begins where a rule looked at `window` of `text`, having met `keyword` there; a file rule meets none.
    pub(super) fn new(explain: Explain, matcher: MatcherKind, text: &[u8], keyword: Option<Range<usize>>, window: Range<usize>) -> Self {
        if explain == Explain::Nothing {
            return Self(None);
        }
        let at = keyword.as_ref().map_or(window.start, |keyword| keyword.start);
        let window = Window { before: at.saturating_sub(window.start) as u64, after: window.end.saturating_sub(at) as u64 };
        // Only words of rules are keywords, so there is nothing of the secret in it but what all of its kind begin with.
        let keyword = keyword.map(|keyword| String::from_utf8_lossy(&text[keyword]).into_owned());
        Self(Some(Box::new(Explanation { matcher, keyword, window, checks: Vec::new(), score: None, ownership: None })))
    }

    /// Notes what came of a check.
    pub(super) fn note(&mut self, check: Check, outcome: CheckOutcome, detail: impl FnOnce() -> String) {
        if let Some(explanation) = &mut self.0 {
            explanation.checks.push(Checked { check, outcome, detail: detail() });
        }
    }

    /// Notes what the scorer says.
    pub(super) fn score(&mut self, score: impl FnOnce() -> Option<Score>) {
        if let Some(explanation) = &mut self.0 {
            explanation.score = score();
        }
    }

    /// What was noted.
    pub(super) fn into_explanation(self) -> Option<Box<Explanation>> {
        self.0
    }
}
