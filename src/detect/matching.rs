//! Tries one rule at one place: the four kinds of matchers. What matched goes through [`super::checks`].

use std::ops::Range;

use regex::bytes::Captures;

use super::assignment::Found;
use super::checks::{self, Match};
use super::prefilter::Hit;
use super::trail::Trail;
use super::{Chunk, Search, assignment, generic};
use crate::finding::{Confidence, MatcherKind};
use crate::rule::{Assignment, Block, Marker, Matcher, Rule, Scorer};

/// Longest first part of a file that path rules look at.
const FILE_HEAD: usize = 64 * 1024;

/// Tries the rule that a keyword woke.
pub(super) fn keyword(search: &mut Search<'_>, number: u32, chunk: &Chunk<'_>, hit: &Hit, decoding: &[&'static str]) {
    let rule = search.rules.rule(number);
    match &rule.matcher {
        Matcher::Marker(marker) => self::marker(search, number, rule, marker, chunk, hit, decoding),
        Matcher::Assignment(assignment) => self::assignment(search, number, rule, assignment, chunk, hit, decoding),
        Matcher::Block(block) => self::block(search, number, rule, block, chunk, hit, decoding),
        Matcher::File(_) => {}
    }
}

/// An expression on a window round the keyword.
fn marker(search: &mut Search<'_>, number: u32, rule: &Rule, marker: &Marker, chunk: &Chunk<'_>, hit: &Hit, decoding: &[&'static str]) {
    let Some(compiled) = marker.get() else { return };
    let text = chunk.bytes;
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let end = (hit.start + compiled.max_len + 1).min(text.len());
    if compiled.anchored {
        if compiled.left_boundary && hit.start.checked_sub(1).is_some_and(|before| is_word(text[before])) {
            return;
        }
        let window = &text[hit.start..end];
        // Most windows do not match, and captures cost more than knowing that.
        let found = (search.spend(window.len().min(64)) && compiled.regex.is_match(window)).then(|| compiled.regex.captures(window));
        if let Some(found) = found.flatten() {
            let trail = Trail::new(search.subject.explain, MatcherKind::Marker, text, Some(hit.start..hit.end), hit.start..end);
            accept(search, number, rule, text, hit.start, &found, hit.end - hit.start, decoding, trail);
        }
        return;
    }
    let start = hit.start.saturating_sub(compiled.max_len + 1);
    let end = (hit.end + compiled.max_len + 1).min(text.len());
    if !search.spend(end - start) {
        return;
    }
    let found = compiled.regex.captures_iter(&text[start..end]).find(|found| {
        let whole = found.get(0).map_or(0..0, |whole| whole.range());
        start + whole.start <= hit.start && hit.end <= start + whole.end
    });
    if let Some(found) = found {
        let trail = Trail::new(search.subject.explain, MatcherKind::Marker, text, Some(hit.start..hit.end), start..end);
        accept(search, number, rule, text, start, &found, hit.end - hit.start, decoding, trail);
    }
}

/// Turns an expression's match into a candidate.
#[allow(clippy::too_many_arguments, reason = "a private helper; grouping these would name nothing")]
fn accept(
    search: &mut Search<'_>,
    number: u32,
    rule: &Rule,
    text: &[u8],
    base: usize,
    found: &Captures<'_>,
    keyword: usize,
    decoding: &[&'static str],
    trail: Trail,
) {
    let Some(secret) = found.name("secret").or_else(|| found.get(0)) else { return };
    let group = |name: &str| found.name(name).map(|group| group.range()).map(|range| base + range.start..base + range.end);
    let span = base + secret.start()..base + secret.end();
    // The marker of the format is public; the keyword of a context is not part of the secret.
    let starts_with_keyword =
        rule.keywords.iter().any(|k| text[span.clone()].get(..k.len()).is_some_and(|start| start.eq_ignore_ascii_case(k.as_bytes())));
    let marker = if starts_with_keyword { keyword } else { 0 };
    let matched = Match { number, rule, text, span, marker, decoding, score: None, kind: search.kind() };
    if let Some(candidate) = checks::judge(&matched, &group, trail) {
        search.push(candidate);
    }
}

/// A value assigned to a name.
fn assignment(
    search: &mut Search<'_>,
    number: u32,
    rule: &Rule,
    wanted: &Assignment,
    chunk: &Chunk<'_>,
    hit: &Hit,
    decoding: &[&'static str],
) {
    if search.subject.is_metadata {
        return;
    }
    assignment::parse(chunk.bytes, hit.start..hit.end, |found| assigned(search, number, rule, wanted, chunk.bytes, hit, &found, decoding));
}

/// One value of an assignment.
#[allow(clippy::too_many_arguments, reason = "a private helper; grouping these would name nothing")]
fn assigned(
    search: &mut Search<'_>,
    number: u32,
    rule: &Rule,
    wanted: &Assignment,
    text: &[u8],
    hit: &Hit,
    found: &Found,
    decoding: &[&'static str],
) {
    let value = &text[found.value.clone()];
    let Some(regex) = wanted.value.get() else { return };
    if !search.spend(value.len()) || !regex.is_match(value) {
        return;
    }
    let score = match wanted.scorer {
        Scorer::Shape => None,
        Scorer::Generic => {
            let Some(confidence) = generic::score(text, found, search.kind(), !decoding.is_empty()) else { return };
            Some(confidence)
        }
    };
    let group = |name: &str| {
        let captures = regex.captures(value)?;
        captures.name(name).map(|group| found.value.start + group.start()..found.value.start + group.end())
    };
    let span = group("secret").unwrap_or_else(|| found.value.clone());
    let window = found.name.start.min(hit.start)..found.value.end.max(hit.end);
    let mut trail = Trail::new(search.subject.explain, MatcherKind::Assignment, text, Some(hit.start..hit.end), window);
    if score.is_some() {
        trail.score(|| generic::explain(text, found, search.kind(), !decoding.is_empty()).map(|judgement| judgement.score()));
    }
    let matched = Match { number, rule, text, span, marker: 0, decoding, score, kind: search.kind() };
    if let Some(candidate) = checks::judge(&matched, &group, trail) {
        search.push(candidate);
    }
}

/// All bytes between two marks.
fn block(search: &mut Search<'_>, number: u32, rule: &Rule, block: &Block, chunk: &Chunk<'_>, hit: &Hit, decoding: &[&'static str]) {
    let text = chunk.bytes;
    if &text[hit.start..hit.end] != block.begin.as_bytes() {
        return;
    }
    let limit = (hit.start + block.limit).min(text.len());
    let body = &text[hit.end..limit];
    // A second opening mark before the closing one: the first has no body. It also keeps many marks in a row linear.
    let body = &body[..memchr::memmem::find(body, block.begin.as_bytes()).unwrap_or(body.len())];
    if !search.spend(body.len() / 16) {
        return;
    }
    let Some(length) = memchr::memmem::find(body, block.end.as_bytes()) else { return };
    let span = hit.start..hit.end + length + block.end.len();
    let trail = Trail::new(search.subject.explain, MatcherKind::Block, text, Some(hit.start..hit.end), span.clone());
    let matched = Match { number, rule, text, span, marker: 0, decoding, score: None, kind: search.kind() };
    if let Some(candidate) = checks::judge(&matched, &|_| None, trail) {
        search.push(candidate);
    }
}

/// A file known by its path or first bytes.
pub(super) fn file(search: &mut Search<'_>, number: u32, chunk: &Chunk<'_>) {
    let rule = search.rules.rule(number);
    let Matcher::File(file) = &rule.matcher else { return };
    let head = &chunk.bytes[..chunk.bytes.len().min(FILE_HEAD)];
    if !file.is_magic(head) {
        return;
    }
    let explain = search.subject.explain;
    let trail = || Trail::new(explain, MatcherKind::File, chunk.bytes, None, 0..head.len());
    let Some(regex) = &file.regex else {
        let whole: Range<usize> = 0..head.len();
        let proof = file.structure.or(rule.structure);
        if let Some(candidate) = checks::whole_file(number, rule, proof, &chunk.bytes[whole], chunk, trail()) {
            search.push(candidate);
        }
        return;
    };
    let Some(regex) = regex.get() else { return };
    for found in regex.captures_iter(head) {
        accept(search, number, rule, chunk.bytes, 0, &found, 0, &[], trail());
    }
}

/// What the generic scorer says of a value.
pub(super) type Score = Option<Confidence>;
