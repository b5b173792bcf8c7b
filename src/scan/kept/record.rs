//! How a result is written down.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::gather::Found;
use super::holds;
use crate::content::packages::{DatabaseFile, FileHashes};
use crate::detect::Candidate;
use crate::detect::structure::public::Public;
use crate::finding::fingerprint::Sealed;
use crate::finding::trace::Trace;
use crate::finding::{Confidence, Explanation, KeyFacts, NestedImage, Part, Position, Secret, Severity, Suppression};
use crate::layer::Entry;
use crate::layer::index::PathIndex;
use crate::layer::walk::Oddity;
use crate::report::Redactor;

/// A [`BlobResult`](super::super::blob::BlobResult) as it is kept. The form is that of the build that wrote it; other builds do not look for it.
#[derive(Serialize, Deserialize)]
pub(super) struct Record<'r> {
    pub(super) secrets: Vec<SecretRecord>,
    pub(super) found: Vec<FoundRecord<'r>>,
    pub(super) published: Vec<(Cow<'r, Entry>, u64, Cow<'r, Public>)>,
    pub(super) databases: Cow<'r, [DatabaseFile]>,
    pub(super) index: Cow<'r, PathIndex>,
    pub(super) digest: String,
    pub(super) diff_id: Option<String>,
    pub(super) is_archive: bool,
    pub(super) entries: u64,
    pub(super) read: u64,
    pub(super) expanded: u64,
    pub(super) scanned: u64,
    pub(super) oddities: Cow<'r, [Oddity]>,
}

impl Record<'_> {
    /// Masks secrets in all that comes from the image.
    pub(super) fn mask(&mut self, redactor: &Redactor) {
        let path = |path: &mut Vec<u8>| {
            if let Cow::Owned(masked) = redactor.raw(path) {
                *path = masked;
                return true;
            }
            false
        };
        let text = |text: &mut String| {
            if let Cow::Owned(masked) = redactor.text(text) {
                *text = masked;
            }
        };
        let inside = |entry: &mut Entry| {
            if let Some(inside) = &mut entry.inside {
                inside.members.iter_mut().chain([&mut inside.path]).for_each(|one| _ = path(one));
                inside.note.iter_mut().for_each(text);
            }
        };
        for found in &mut self.found {
            if holds(redactor, &found.entry.path) {
                found.is_masked = path(&mut found.entry.to_mut().path);
            }
            if inside_holds(redactor, &found.entry) {
                inside(found.entry.to_mut());
            }
            if let Part::Pax(key) = &mut found.part {
                text(key);
            }
            found.suppressed.iter_mut().for_each(|suppression| text(&mut suppression.detail));
            found.note.iter_mut().chain(&mut found.host).for_each(text);
            found.nested_image.iter_mut().flat_map(NestedImage::texts_mut).for_each(text);
        }
        for (entry, _, public) in &mut self.published {
            if holds(redactor, &entry.path) {
                path(&mut entry.to_mut().path);
            }
            if inside_holds(redactor, entry) {
                inside(entry.to_mut());
            }
            if holds(redactor, public.what.as_bytes()) {
                text(&mut public.to_mut().what);
            }
        }
        if self.index.links().iter().any(|link| holds(redactor, &link.path) || holds(redactor, &link.target)) {
            self.index.to_mut().links_mut().for_each(|link| {
                path(&mut link.path);
                path(&mut link.target);
            });
        }
        if self
            .oddities
            .iter()
            .any(|oddity| holds(redactor, oddity.detail.as_bytes()) || oddity.path.iter().any(|path| holds(redactor, path)))
        {
            for oddity in self.oddities.to_mut() {
                text(&mut oddity.detail);
                oddity.path.iter_mut().for_each(|one| _ = path(one));
            }
        }
    }
}

/// Whether a secret stands in the names of an entry's members, or in what is said of it.
fn inside_holds(redactor: &Redactor, entry: &Entry) -> bool {
    let Some(inside) = &entry.inside else { return false };
    let names = inside.members.iter().chain([&inside.path]).map(Vec::as_slice);
    names.chain(inside.note.iter().map(String::as_bytes)).any(|bytes| holds(redactor, bytes))
}

#[derive(Serialize, Deserialize)]
pub(super) struct SecretRecord {
    pub(super) redacted: String,
    pub(super) seal: Sealed,
    pub(super) traces: Vec<Trace>,
}

/// A [`Found`] as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct FoundRecord<'r> {
    /// Number of the secret in the record.
    secret: u32,
    entry: Cow<'r, Entry>,
    /// See [`Found`].
    is_masked: bool,
    part: Part,
    position: Option<Position>,
    also: Cow<'r, [Position]>,
    matched_too: Cow<'r, [u32]>,
    hashes: Option<FileHashes>,
    member: Option<FileHashes>,
    nested_image: Option<NestedImage>,
    rule: u32,
    decoding: Vec<Cow<'static, str>>,
    severity: Severity,
    confidence: Confidence,
    suppressed: Option<Suppression>,
    key: Option<KeyFacts>,
    note: Option<String>,
    expires: Option<i64>,
    host: Option<String>,
    rank: u8,
    explanation: Option<Box<Explanation>>,
}

impl<'r> FoundRecord<'r> {
    pub(super) fn new(found: &'r Found, secret: u32) -> Self {
        let Found { entry, is_masked, part, position, also, candidate, matched_too, hashes, member, nested_image } = found;
        let candidate = candidate.clone();
        // Where it stood in its piece is of no use later.
        let Candidate { rule, span: _, secret: _, decoding, severity, confidence, suppressed, key, note, expires, host, rank, explanation } =
            candidate;
        Self {
            secret,
            entry: Cow::Borrowed(entry),
            is_masked: *is_masked,
            part: part.clone(),
            position: *position,
            also: Cow::Borrowed(also),
            matched_too: Cow::Borrowed(matched_too),
            hashes: hashes.as_deref().copied(),
            member: member.as_deref().copied(),
            nested_image: nested_image.as_deref().cloned(),
            rule,
            decoding,
            severity,
            confidence,
            suppressed,
            key,
            note,
            expires,
            host,
            rank,
            explanation,
        }
    }

    pub(super) fn restore(self, secrets: &[Secret], rules: usize) -> Option<Found> {
        let is_rule = |rule: &u32| (*rule as usize) < rules;
        if !is_rule(&self.rule) || !self.matched_too.iter().all(is_rule) {
            return None;
        }
        let candidate = Candidate {
            rule: self.rule,
            span: 0..0,
            secret: secrets.get(self.secret as usize)?.clone(),
            decoding: self.decoding,
            severity: self.severity,
            confidence: self.confidence,
            suppressed: self.suppressed,
            key: self.key,
            note: self.note,
            expires: self.expires,
            host: self.host,
            rank: self.rank,
            explanation: self.explanation,
        };
        Some(Found {
            entry: Arc::new(self.entry.into_owned()),
            is_masked: self.is_masked,
            part: self.part,
            position: self.position,
            also: self.also.into_owned(),
            candidate,
            matched_too: self.matched_too.into_owned(),
            hashes: self.hashes.map(Arc::new),
            member: self.member.map(Arc::new),
            nested_image: self.nested_image.map(Arc::new),
        })
    }
}
