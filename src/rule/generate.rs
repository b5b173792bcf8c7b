//! Random texts of a rule's own shape, so that no live-looking token has to be stored for an example or a test.

use std::ops::Range;

use regex_syntax::hir::{Class, Hir, HirKind};

use super::compile::{Decode, Matcher, Rule, Scorer};
use super::hir;
use crate::detect::checksum;

/// A small deterministic generator (SplitMix64). Not for cryptography: its output stands in for secrets that never were.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Seeded by a number.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Seeded by a text.
    pub fn from_text(text: &str) -> Self {
        Self(text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_u64() % bound.max(1) as u64) as usize
    }

    /// `length` characters of `alphabet`.
    pub fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length).map(|_| char::from(alphabet[self.below(alphabet.len())])).collect()
    }
}

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
    use crate::detect::structure::StructureKind;
    const ALNUM: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let base64url = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes);
    let base64 = |bytes: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    let password = random.text(ALNUM, 22);
    if rule.decode == Some(Decode::Base64) {
        return Some(base64(format!("robot:{password}").as_bytes()));
    }
    match rule.structure? {
        StructureKind::Jwt => {
            let header = base64url(br#"{"alg":"HS256","typ":"JWT"}"#);
            let payload = base64url(format!(r#"{{"sub":"{}","iss":"corp","exp":4102444800}}"#, random.text(ALNUM, 12)).as_bytes());
            let signature: Vec<u8> = (0..32).map(|_| random.below(256) as u8).collect();
            Some(format!("{header}.{payload}.{}", base64url(&signature)))
        }
        StructureKind::PemPrivateKey => {
            let Matcher::Block(block) = &rule.matcher else { return None };
            Some(pem(block, random))
        }
        StructureKind::PypiMacaroon => {
            let mut bytes = b"\x02\x01\x08pypi.org\x02\x24".to_vec();
            bytes.extend(random.text(b"0123456789abcdef", 36).bytes());
            bytes.extend(b"\x00\x00\x06\x20");
            bytes.extend((0..32).map(|_| random.below(256) as u8));
            Some(format!("pypi-{}", base64url(&bytes)))
        }
        StructureKind::DockerAuth => Some(base64(format!("robot:{password}").as_bytes())),
        StructureKind::Sendgrid => {
            let parts: Vec<u8> = (0..48).map(|_| random.below(256) as u8).collect();
            Some(format!("SG.{}.{}", base64url(&parts[..16]), base64url(&parts[16..])))
        }
        _ => None,
    }
}

/// A private key that parses: Ed25519 in PKCS#8, which is a fixed prefix and 32 random bytes; under other armours, none is drawn.
fn pem(block: &super::compile::Block, random: &mut Random) -> String {
    let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    der.extend((0..32).map(|_| random.below(256) as u8));
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der);
    format!("{}\n{body}\n{}", block.begin, block.end)
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
        Class::Unicode(class) => class.ranges().iter().filter(|range| range.start().is_ascii()).map(|range| (range.start() as u8, (range.end() as u32).min(126) as u8)).collect(),
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
