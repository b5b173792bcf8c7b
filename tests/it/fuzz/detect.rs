//! All built-in rules, their checks and readers of keys, on any text, and how matches are found wherever it is cut.
//!
//! An input is a place to cut at, in two bytes, and a text.

use std::ops::Range;
use std::sync::LazyLock;

use layersift::content::kind::KindOf;
use layersift::detect::{Chunk, Explain, Subject, candidates};
use layersift::random::Random;
use layersift::rule::{RuleSet, generate};

use super::input::Input;

static RULES: LazyLock<RuleSet> = LazyLock::new(RuleSet::builtin);

/// What is found in a part of a text, as texts that can be compared.
fn found(text: &[u8], owned: Range<usize>) -> Vec<String> {
    let path = &b"/srv/app/settings.py"[..];
    let subject = Subject { path: Some(path), kind: KindOf::Path(path), is_metadata: false, explain: Explain::Nothing, watch: None };
    let is_start = owned.start == 0;
    let detected = candidates(&RULES, &Chunk { bytes: text, owned, is_start: true, is_end: true }, &subject);
    let mut found = Vec::new();
    for candidate in detected.candidates {
        assert!(candidate.span.start <= candidate.span.end && candidate.span.end <= text.len(), "{:?} of {}", candidate.span, text.len());
        // A key store is a file as a whole, and belongs to its beginning.
        assert!(is_start || candidate.span.start > 0);
        found.push(format!("{candidate:?} {:?}", candidate.secret.expose()));
    }
    for (at, public) in detected.publics {
        assert!(at <= text.len());
        found.push(format!("{at} {public:?}"));
    }
    found.sort();
    found.dedup();
    found
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let cut = input.below(1 << 16);
    let text = input.0;
    let whole = found(text, 0..text.len());
    assert_eq!(found(text, 0..text.len()), whole);
    let cut = cut % (text.len() + 1);
    let mut parts = [found(text, 0..cut), found(text, cut..text.len())].concat();
    parts.sort();
    parts.dedup();
    assert_eq!(parts, whole, "cut at {cut} of {}", text.len());
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut random = Random::new(11);
    let mut seeds = Vec::new();
    let mut text = Vec::new();
    for rule in RULES.rules() {
        if let Some(example) = rule.examples.first() {
            let secret = generate::secret(rule, &mut random).unwrap_or_default();
            text.extend(example.replace("{{secret}}", &secret).bytes().chain([b'\n']));
        }
        if text.len() > 1500 {
            seeds.push([&[0, 4][..], &std::mem::take(&mut text)].concat());
        }
    }
    seeds
}
