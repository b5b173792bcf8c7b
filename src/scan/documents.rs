//! Finds secrets in an image's documents: config, history, labels, annotations, attestations.

use crate::content::document;
use crate::detect::{self, Candidate, Chunk, Explain, Subject, overlap};
use crate::finding::Place;
use crate::oci::Config;
use crate::rule::RuleSet;
use crate::source::{DocumentKind, TextDocument};

/// A candidate and the place it stands at.
pub(super) struct InDocument {
    pub(super) place: Place,
    pub(super) candidate: Candidate,
    pub(super) matched_too: Vec<u32>,
}

/// What was found in a document, in its order, and what was not looked at.
#[derive(Default)]
pub(super) struct Search {
    pub(super) found: Vec<InDocument>,
    /// Candidates beyond the bound of one text.
    pub(super) left_out: usize,
    /// Whether matching stopped early.
    pub(super) is_exhausted: bool,
    explain: Explain,
}

/// Matches a document text by text.
pub(super) fn search(rules: &RuleSet, document: &TextDocument, config: Option<&Config>, layers: usize, explain: Explain) -> Search {
    let mut search = Search { explain, ..Search::default() };
    let Some(texts) = document::texts(&document.bytes) else {
        // Not JSON: its bytes are a text like any other.
        search.text(rules, &document.bytes, &place_of(document, "", None));
        return search;
    };
    let layer_of_step = layer_of_step(config, layers);
    for text in texts {
        search.text(rules, &text.bytes, &place_of(document, &text.pointer, layer_of_step.as_deref()));
    }
    search
}

impl Search {
    fn text(&mut self, rules: &RuleSet, bytes: &[u8], place: &Place) {
        let mut detected = detect::candidates(rules, &Chunk::whole(bytes), &Subject { explain: self.explain, ..Subject::DOCUMENT });
        self.left_out += detected.dropped;
        self.is_exhausted |= detected.exhausted;
        detected.candidates.sort_by_key(|candidate| (candidate.span.start, candidate.span.end, candidate.rule));
        let resolved = overlap::resolve(detected.candidates);
        self.found.extend(resolved.into_iter().map(|(candidate, matched_too)| InDocument { place: place.clone(), candidate, matched_too }));
    }
}

fn place_of(document: &TextDocument, pointer: &str, layer_of_step: Option<&[Option<usize>]>) -> Place {
    let pointer = pointer.to_owned();
    match document.kind {
        DocumentKind::Manifest => Place::Annotation { document: document.name.clone(), pointer },
        DocumentKind::Attestation => Place::Attestation { document: document.name.clone(), pointer },
        DocumentKind::Config => {
            let mut steps = pointer.strip_prefix("/history/").into_iter().flat_map(|rest| rest.split('/'));
            if let Some(step) = steps.next() {
                let layer = step.parse::<usize>().ok().and_then(|step| layer_of_step?.get(step).copied().flatten());
                return Place::History { pointer, layer };
            }
            if pointer.starts_with("/config/Labels/") || pointer.starts_with("/container_config/Labels/") {
                return Place::Label { pointer };
            }
            Place::Config { pointer }
        }
    }
}

/// For each step of the history, the layer it made.
fn layer_of_step(config: Option<&Config>, layers: usize) -> Option<Vec<Option<usize>>> {
    let config = config?;
    let mut made = vec![None; config.history.len()];
    for (layer, step) in config.steps_of_layers(layers).into_iter().enumerate().take(layers) {
        if let Some(slot) = step.and_then(|step| made.get_mut(step)) {
            *slot = Some(layer);
        }
    }
    Some(made)
}
