//! From a match to a candidate: placeholder, entropy, allow list, checksum, structure. A failed proof demotes or suppresses with a
//! reason; nothing that a rule matched with a marker of its own is dropped in silence but what falls below its entropy floor.

use std::borrow::Cow;
use std::ops::Range;

use super::checksum::{self, Verdict};
use super::documentation::is_shown_url;
use super::matching::Score;
use super::placeholder::{Placeholder, is_wordlike, placeholder, randomness};
use super::structure::{self, Facts, Parsed, StructureKind};
use super::trail::Trail;
use super::{Candidate, Chunk, entropy};
use crate::content::kind::Kind;
use crate::finding::{Check, CheckOutcome, Confidence, Secret, Suppression};
use crate::oci::Digest;
use crate::rule::{Decode, Matcher, Mismatch, Rule};

/// A rule's match before its checks.
pub(super) struct Match<'a> {
    pub(super) number: u32,
    pub(super) rule: &'a Rule,
    pub(super) text: &'a [u8],
    /// The secret's bytes in the text.
    pub(super) span: Range<usize>,
    /// Leading bytes of the secret that are the format's public marker.
    pub(super) marker: usize,
    pub(super) decoding: &'a [&'static str],
    /// What the generic scorer says, for rules that ask it.
    pub(super) score: Score,
    /// What the path says of the text.
    pub(super) kind: Kind,
}

/// Looks up the span of a named group of the match.
type Groups<'a> = dyn Fn(&str) -> Option<Range<usize>> + 'a;

/// Runs a rule's checks on its match.
pub(super) fn judge(matched: &Match<'_>, groups: &Groups<'_>, mut trail: Trail) -> Option<Candidate> {
    let rule = matched.rule;
    let raw = &matched.text[matched.span.clone()];
    let mut decoding = matched.decoding.to_vec();
    let secret = match rule.decode {
        None => raw.to_vec(),
        Some(Decode::Base64) => {
            decoding.push("base64");
            from_base64(raw)?
        }
        Some(Decode::Percent) => {
            let decoded = from_percent(raw);
            if decoded != raw {
                decoding.push("percent");
            }
            decoded
        }
    };
    if secret.is_empty() {
        return None;
    }
    if let Some(check) = &rule.entropy {
        let group = groups(&check.group).unwrap_or_else(|| matched.span.clone());
        let measured = entropy::shannon(&matched.text[group]);
        if measured < check.min {
            return None;
        }
        trail.note(Check::Entropy, CheckOutcome::Passed, || format!("{measured:.1} bits a character, {:.1} at least", check.min));
    }
    let suppressed = dummy(matched, &secret, groups)?;
    trail.note(Check::Placeholder, outcome(suppressed.is_none()), || match &suppressed {
        Some(dummy) => dummy.detail.clone(),
        None => "it stands for nothing but itself".to_owned(),
    });
    if let Some(confidence) = matched.score {
        trail.note(Check::Score, CheckOutcome::Passed, || format!("{confidence}, after what the kind of file says"));
    }
    let mut verdict = Verdicts { confidence: matched.score.unwrap_or(rule.confidence), suppressed, facts: Facts::default(), trail };
    if let Some(kind) = rule.structure {
        verdict.structure(kind, structure::parse(kind, &secret))?;
    }
    verdict.checksum(matched, raw, groups);
    if let Some(account) = groups("account") {
        verdict.facts.note = Some(format!("for {}", String::from_utf8_lossy(&matched.text[account])));
    }
    verdict.doubt(matched, &secret, groups);
    let is_well_known = rule.allow.iter().any(|allow| allow.get().is_some_and(|allow| allow.is_match(&secret)));
    if !rule.allow.is_empty() {
        let said = if is_well_known {
            "it is a value that the provider publishes"
        } else {
            "it is none of the values that the provider publishes"
        };
        verdict.trail.note(Check::WellKnown, outcome(!is_well_known), || said.to_owned());
    }
    if is_well_known {
        verdict.suppressed = Some(Suppression {
            reason: "well-known".into(),
            detail: "a value that the provider's documentation or tools publish".to_owned(),
        });
    }
    let secret = Secret::new(without_marks(rule, secret), matched.marker);
    Some(verdict.candidate(matched.number, rule, matched.span.clone(), secret, decoding, host_after(matched.text, matched.span.end)))
}

/// A block's text without its opening and closing marks, which say what it is and are no secret, nor is the public half of a key.
fn without_marks(rule: &Rule, secret: Vec<u8>) -> Vec<u8> {
    let marks = match &rule.matcher {
        Matcher::Block(block) => Some((block.begin.len(), block.end.len())),
        _ if rule.structure == Some(StructureKind::PemPrivateKey) => armour(&secret),
        _ => None,
    };
    let Some((begin, end)) = marks else { return secret };
    let inner = secret.get(begin..secret.len().saturating_sub(end)).map(<[u8]>::trim_ascii).map(structure::private_text);
    inner.filter(|inner| !inner.is_empty()).map(<[u8]>::to_vec).unwrap_or(secret)
}

/// Lengths of the opening and closing line of a PEM text.
fn armour(text: &[u8]) -> Option<(usize, usize)> {
    const DASHES: &[u8] = b"-----";
    let rest = text.strip_prefix(DASHES)?.strip_suffix(DASHES)?;
    let begin = memchr::memmem::find(rest, DASHES)? + 2 * DASHES.len();
    let end = rest.len() - memchr::memmem::rfind(rest, DASHES)? + DASHES.len();
    Some((begin, end))
}

/// A file that is itself the secret. What is reported of it is the digest of its bytes.
pub(super) fn whole_file(
    number: u32,
    rule: &Rule,
    proof: Option<StructureKind>,
    head: &[u8],
    chunk: &Chunk<'_>,
    trail: Trail,
) -> Option<Candidate> {
    let mut verdict = Verdicts { confidence: rule.confidence, suppressed: None, facts: Facts::default(), trail };
    let bytes = if chunk.is_end { chunk.bytes } else { head };
    if let Some(kind) = proof {
        verdict.structure(kind, structure::parse(kind, bytes))?;
    }
    let digest = Digest::sha256(bytes).to_string();
    Some(verdict.candidate(number, rule, 0..head.len().min(16), Secret::new(digest.into_bytes(), 0), Vec::new(), None))
}

/// What the checks said so far.
struct Verdicts {
    confidence: Confidence,
    suppressed: Option<Suppression>,
    facts: Facts,
    trail: Trail,
}

fn outcome(is_passed: bool) -> CheckOutcome {
    if is_passed { CheckOutcome::Passed } else { CheckOutcome::Failed }
}

impl Verdicts {
    /// None if the text is not of the structure at all.
    fn structure(&mut self, kind: StructureKind, parsed: Parsed) -> Option<()> {
        let (outcome, said) = match &parsed {
            Parsed::Proved(_) => (CheckOutcome::Passed, "proved to its parts"),
            Parsed::Plausible(_) => (CheckOutcome::Passed, "of the form, without proof"),
            Parsed::Dummy { .. } => (CheckOutcome::Failed, "of the form, and a sample"),
            Parsed::No => return None,
        };
        self.trail.note(Check::Structure, outcome, || format!("{}: {said}", kind.name()));
        match parsed {
            Parsed::Proved(facts) => {
                self.confidence = Confidence::Confirmed;
                self.facts = facts;
            }
            Parsed::Plausible(facts) => self.facts = facts,
            Parsed::Dummy { reason, detail } => self.suppressed = Some(Suppression { reason: reason.into(), detail }),
            Parsed::No => return None,
        }
        Some(())
    }

    fn checksum(&mut self, matched: &Match<'_>, raw: &[u8], groups: &Groups<'_>) {
        let Some(check) = &matched.rule.checksum else { return };
        let group = |name: &Option<String>| name.as_ref().and_then(|name| groups(name)).map(|range| &matched.text[range]);
        let verdict = checksum::verify(check.kind, raw, group(&check.over), group(&check.equals));
        let (outcome, said) = match verdict {
            Verdict::Match => (CheckOutcome::Passed, "agrees"),
            Verdict::Mismatch => (CheckOutcome::Failed, "is wrong"),
            Verdict::NotApplicable => (CheckOutcome::Silent, "is not there to be checked"),
        };
        self.trail.note(Check::Checksum, outcome, || format!("the {} {said}", check.kind.name()));
        match (verdict, check.mismatch) {
            (Verdict::Match, _) => {
                self.confidence = Confidence::Confirmed;
                self.suppressed = None;
            }
            (Verdict::Mismatch, Mismatch::Suppress) => {
                let detail = format!("the {} in it is wrong: not a token that was ever issued", check.kind.name());
                self.suppressed = Some(Suppression { reason: "checksum-mismatch".into(), detail });
            }
            (Verdict::Mismatch, Mismatch::Demote) => {
                self.confidence = Confidence::Possible;
                self.facts.note = Some(format!("the {} in it is wrong", check.kind.name()));
            }
            (Verdict::Mismatch, Mismatch::Ignore) | (Verdict::NotApplicable, _) => {}
        }
    }

    /// What no proof supports and reads like a word is a guess; so is what context alone gives away in a file of examples.
    fn doubt(&mut self, matched: &Match<'_>, secret: &[u8], groups: &Groups<'_>) {
        let is_judged = matched.score.is_some() || matches!(matched.rule.matcher, Matcher::Block(_));
        if is_judged || self.confidence == Confidence::Possible || matched.rule.checksum.is_some() {
            return;
        }
        let is_broad = matched.rule.is_broad();
        let is_shown = is_broad && (matched.kind == Kind::Sample || is_shown_url(matched.text, &matched.span));
        if is_shown {
            self.confidence = Confidence::Possible;
        }
        let body = body(matched, secret, groups);
        let reads_like_words = is_wordlike(body) || (is_broad && (body.len() < 6 || randomness(body) < 0.35));
        let said = match (is_shown, reads_like_words) {
            (true, _) => "it stands where examples do",
            (false, true) => "it reads as words",
            (false, false) => "it does not read as words, nor stand where examples do",
        };
        self.trail.note(Check::Words, outcome(!is_shown && !reads_like_words), || said.to_owned());
        if self.confidence == Confidence::Likely && reads_like_words {
            self.confidence = Confidence::Possible;
        }
    }

    fn candidate(
        self,
        rule_number: u32,
        rule: &Rule,
        span: Range<usize>,
        secret: Secret,
        decoding: Vec<&'static str>,
        host: Option<String>,
    ) -> Candidate {
        Candidate {
            rule: rule_number,
            span,
            secret,
            decoding: decoding.into_iter().map(Cow::Borrowed).collect(),
            severity: self.facts.severity.unwrap_or(rule.facts.severity),
            confidence: self.confidence,
            suppressed: self.suppressed,
            key: self.facts.key,
            note: self.facts.note,
            expires: self.facts.expires,
            host,
            rank: rule.rank(),
            explanation: self.trail.into_explanation(),
        }
    }
}

/// The part of the secret that is not the same for all of its kind.
fn body<'m>(matched: &Match<'m>, secret: &'m [u8], groups: &Groups<'_>) -> &'m [u8] {
    match groups("body") {
        Some(range) if matched.rule.decode.is_none() => &matched.text[range],
        _ => secret.get(matched.marker..).unwrap_or(secret),
    }
}

/// The host of a URL whose user information ends at `at`: `db.internal:5432` of `://robot:secret@db.internal:5432/shop`.
fn host_after(text: &[u8], at: usize) -> Option<String> {
    const MAX_HOST: usize = 260;
    let rest = text.get(at..)?.strip_prefix(b"@")?;
    let is_host = |byte: &&u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(*byte);
    let length = rest.iter().take(MAX_HOST).take_while(is_host).count();
    let host = std::str::from_utf8(&rest[..length]).ok()?.trim_end_matches([':', '.']);
    (!host.is_empty()).then(|| host.to_owned())
}

/// Whether the secret stands for one. `None`: it names where the secret is, so there is none here; `Some(None)`: it is no placeholder.
fn dummy(matched: &Match<'_>, secret: &[u8], groups: &Groups<'_>) -> Option<Option<Suppression>> {
    // A block speaks through its structure, and two or three bytes are what the rule asked for to the letter.
    if matches!(matched.rule.matcher, Matcher::Block(_)) || secret.len() < 4 {
        return Some(None);
    }
    let body = body(matched, secret, groups);
    let detail = |word: &str| format!("it stands for a secret: {word}");
    match placeholder(body) {
        None => Some(None),
        Some(Placeholder::Reference(_)) => None,
        // A guess that turns out to be a placeholder was a wrong guess.
        Some(Placeholder::Dummy(_)) if matched.marker == 0 => None,
        Some(Placeholder::Dummy(word)) => Some(Some(Suppression { reason: "placeholder".into(), detail: detail(word) })),
    }
}

fn from_base64(raw: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine;
    use base64::alphabet::{STANDARD, URL_SAFE};
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
    let alphabet = if raw.iter().any(|b| matches!(b, b'-' | b'_')) { &URL_SAFE } else { &STANDARD };
    let decoded = GeneralPurpose::new(alphabet, config).decode(raw).ok()?;
    decoded.iter().all(|&b| b >= 0x20 && b != 0x7f).then_some(decoded)
}

fn from_percent(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail
            .get(..2)
            .filter(|_| byte == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex {
            Some(decoded) => {
                out.push(decoded);
                rest = &tail[2..];
            }
            None => {
                out.push(byte);
                rest = tail;
            }
        }
    }
    out
}
