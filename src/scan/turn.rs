//! Tells of blobs that have been read in the order in which reading them began, whichever is done first.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Progress;
use super::blob::BlobResult;
use crate::finding::{Finding, LayerRead, MAX_CANDIDATES, Part, Place};
use crate::layer::EntryKind;
use crate::rule::RuleSet;

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Turn(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Numbers given out.
    given: usize,
    /// The number whose turn it is.
    next: usize,
    /// What is done before its turn.
    waiting: BTreeMap<usize, LayerRead>,
}

impl Turn {
    /// A number for a blob that is to be read. Each must be [told](Self::tell) of once, or those after it wait for ever.
    pub(super) fn number(&self) -> usize {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.given += 1;
        state.given - 1
    }

    /// Tells of a blob, and of those that waited for it.
    pub(super) fn tell(&self, number: usize, layer: LayerRead, progress: &dyn Progress) {
        // Held while `progress` is told, so that nobody overtakes.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting.insert(number, layer);
        let mut next = state.next;
        while let Some(layer) = state.waiting.remove(&next) {
            progress.layer_read(&layer);
            next += 1;
        }
        state.next = next;
    }
}

/// What can be said of a blob without the images it is part of.
pub(super) fn layer_read(result: &BlobResult, rules: &RuleSet) -> LayerRead {
    let candidates = result.found.iter().take(MAX_CANDIDATES).map(|found| {
        let place = match (found.entry.kind, found.position) {
            (EntryKind::Stray, Some(position)) => Place::LayerBytes { layer: 0, position },
            (_, position) => {
                let part = if found.entry.kind == EntryKind::Stray { Part::Content } else { found.part.clone() };
                Place::LayerFile { layer: 0, path: found.entry.path.clone(), inner: Vec::new(), part, position }
            }
        };
        let candidate = &found.candidate;
        Finding {
            severity: candidate.severity,
            confidence: candidate.confidence,
            suppressed: candidate.suppressed.clone(),
            ..Finding::new(&rules.rule(candidate.rule).facts, candidate.secret.clone(), place)
        }
    });
    LayerRead {
        digest: result.digest.clone(),
        diff_id: result.diff_id.clone(),
        entries: result.entries,
        bytes: result.expanded,
        found: result.found.len() as u64,
        candidates: candidates.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<u64>>);

    impl Progress for Told {
        fn layer_started(&self, _what: &str, _size: Option<u64>) {}
        fn bytes(&self, _count: u64) {}
        fn layer_finished(&self) {}
        fn findings(&self, _count: usize) {}
        fn layer_read(&self, layer: &LayerRead) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(layer.entries);
        }
    }

    #[test]
    fn what_is_done_early_waits_for_its_turn() {
        let (turn, told) = (Turn::default(), Told::default());
        let numbers: Vec<usize> = (0..4).map(|_| turn.number()).collect();
        for index in [2, 0, 3, 1] {
            let layer = LayerRead { digest: None, diff_id: None, entries: index as u64, bytes: 0, found: 0, candidates: Vec::new() };
            turn.tell(numbers[index], layer, &told);
        }
        assert_eq!(*told.0.lock().unwrap_or_else(PoisonError::into_inner), [0, 1, 2, 3]);
    }
}
