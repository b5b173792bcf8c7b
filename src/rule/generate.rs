//! Random texts of a rule's own shape, so that no live-looking token has to be stored for an example or a test.

use std::ops::Range;

use regex_syntax::hir::{Class, Hir, HirKind};

use super::compile::{Decode, Matcher, Rule, Scorer};
use super::hir;
use crate::detect::{checksum, structure};
pub use crate::random::Random;

/// A generated text and where its named groups are.
#[derive(Debug, Default)]
struct Drawn {
    bytes: Vec<u8>,
    groups: Vec<(String, Range<usize>)>,
}

/// A random secret of the rule's shape, with a right checksum; none for rules whose secret is a whole file or a parsed structure that
/// no expression can draw.
pub fn secret(rule: &Rule, random: &mut Random) -> Option<String> {
    if let Some(text) = structured(rule, random) {
        return Some(text);
    }
    let source = match &rule.matcher {
        Matcher::Marker(marker) => marker.source().to_owned(),
        Matcher::Assignment(assignment) if assignment.scorer == Scorer::Generic => {
            return Some(random.text(b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 24));
        }
        Matcher::Assignment(assignment) => assignment.value.source().to_owned(),
        Matcher::File(file) => file.regex.as_ref()?.source().to_owned(),
        Matcher::Block(_) => return None,
    };
    let hir = hir::parse(&source).ok()?;
    // A random text can fall below the entropy floor, or hit a word that stands for a placeholder: draw again.
    for _ in 0..200 {
        let mut drawn = Drawn::default();
        draw(&hir, random, &mut drawn);
        let range = drawn.groups.iter().find(|(name, _)| name == "secret").map_or(0..drawn.bytes.len(), |(_, range)| range.clone());
        seal(rule, &mut drawn, &range);
        let body = &drawn.bytes[range.clone()];
        let entropy_enough = rule.entropy.as_ref().is_none_or(|check| {
            let group = drawn.groups.iter().find(|(name, _)| *name == check.group).map_or(range.clone(), |(_, range)| range.clone());
            crate::detect::entropy::shannon(&drawn.bytes[group]) >= check.min
        });
        let allowed = rule.allow.iter().any(|allow| allow.get().is_some_and(|allow| allow.is_match(body)));
        if entropy_enough && !allowed && crate::detect::placeholder::placeholder(body).is_none() {
            return String::from_utf8(body.to_vec()).ok();
        }
    }
    None
}

/// Secrets that have to parse, not only to match.
fn structured(rule: &Rule, random: &mut Random) -> Option<String> {
    if rule.decode == Some(Decode::Base64) {
        let password = random.text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 22);
        return Some(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("robot:{password}")));
    }
    let begin = match &rule.matcher {
        Matcher::Block(block) => block.begin.as_str(),
        _ => "",
    };
    String::from_utf8(structure::sample(rule.structure?, begin, &mut || random.next_u64() as u8)).ok()
}

/// Writes the right checksum into a drawn token.
fn seal(rule: &Rule, drawn: &mut Drawn, secret: &Range<usize>) {
    let Some(check) = &rule.checksum else { return };
    let within = |name: &Option<String>| {
        let name = name.as_ref()?;
        let (_, range) = drawn.groups.iter().find(|(group, _)| group == name)?;
        Some(range.start.checked_sub(secret.start)?..range.end.checked_sub(secret.start)?)
    };
    let (over, equals) = (within(&check.over), within(&check.equals));
    let mut token = drawn.bytes[secret.clone()].to_vec();
    checksum::seal(check.kind, &mut token, over, equals);
    if token.len() == secret.len() {
        drawn.bytes[secret.clone()].copy_from_slice(&token);
    }
}

/// Appends a random text that `hir` matches. Assertions are taken to hold.
fn draw(hir: &Hir, random: &mut Random, out: &mut Drawn) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.bytes.extend_from_slice(&literal.0),
        HirKind::Class(class) => out.bytes.push(byte_of(class, random)),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(repetition.min + 8).min(repetition.min.saturating_add(24)).max(repetition.min);
            let count = repetition.min as usize + random.below((most - repetition.min) as usize + 1);
            for _ in 0..count {
                draw(&repetition.sub, random, out);
            }
        }
        HirKind::Capture(capture) => {
            let start = out.bytes.len();
            draw(&capture.sub, random, out);
            if let Some(name) = &capture.name {
                out.groups.push((name.to_string(), start..out.bytes.len()));
            }
        }
        HirKind::Concat(parts) => parts.iter().for_each(|part| draw(part, random, out)),
        HirKind::Alternation(parts) => draw(&parts[random.below(parts.len())], random, out),
    }
}

/// A printable byte of the class where it has one, letters and digits before punctuation.
fn byte_of(class: &Class, random: &mut Random) -> u8 {
    let ranges: Vec<(u8, u8)> = match class {
        Class::Bytes(class) => class.ranges().iter().map(|range| (range.start(), range.end())).collect(),
        Class::Unicode(class) => class
            .ranges()
            .iter()
            .filter(|range| range.start().is_ascii())
            .map(|range| (range.start() as u8, (range.end() as u32).min(126) as u8))
            .collect(),
    };
    let all: Vec<u8> = ranges.iter().flat_map(|&(start, end)| start..=end).collect();
    let preferred: Vec<u8> = all.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    let graphic: Vec<u8> = all.iter().copied().filter(u8::is_ascii_graphic).collect();
    let pool = [preferred, graphic, all].into_iter().find(|pool| !pool.is_empty()).unwrap_or_else(|| vec![b'x']);
    pool[random.below(pool.len())]
}

/// A random text that `hir` matches, but for assertions.
pub(super) fn matching(hir: &Hir, random: &mut Random) -> Vec<u8> {
    let mut drawn = Drawn::default();
    draw(hir, random, &mut drawn);
    drawn.bytes
}
