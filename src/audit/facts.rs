//! What is left in the state for the report: keys, in an order that lets the report be put together in one pass, and what stands under them.

use serde::{Deserialize, Serialize};

use super::task::after_name;
use crate::report::audit::{Carrier, ImageLine, KeptFinding, Row};

// What keys begin with. No part of a key has a blank in it.
pub(super) const REPOSITORY: &str = "repository ";
pub(super) const TAG: &str = "tag ";
pub(super) const OTHER_PLATFORM: &str = "other-platform ";
pub(super) const IMAGE: &str = "image ";
pub(super) const FINDING: &str = "finding ";
pub(super) const ROW: &str = "row ";

/// A fact, as it is put into the state.
pub(super) type Fact = (String, Vec<u8>);

/// What a tag leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TagFact {
    /// `ghcr.io/team/app`.
    pub(super) repository: String,
    /// The tag, or a digest that was asked for.
    pub(super) reference: String,
    /// Digest of the manifest or index.
    pub(super) digest: String,
    /// When it was pushed, in seconds since 1970.
    pub(super) pushed: Option<i64>,
}

impl TagFact {
    pub(super) fn fact(&self) -> Fact {
        (format!("{TAG}{}{}", self.repository, after_name(&self.reference)), json(self))
    }
}

/// A repository of which something was asked for.
pub(super) fn repository(name: &str) -> Fact {
    (format!("{REPOSITORY}{name}"), Vec::new())
}

/// A tag that has no image for the platform that is wanted.
pub(super) fn other_platform(name: &str, reference: &str) -> Fact {
    (format!("{OTHER_PLATFORM}{name}{}", after_name(reference)), Vec::new())
}

/// What an image adds.
pub(super) fn of_image(line: &ImageLine, findings: &[KeptFinding]) -> Vec<Fact> {
    let ImageLine { repository, digest, .. } = line;
    let mut facts = vec![(format!("{IMAGE}{repository}@{digest}"), json(line))];
    let mut last: Option<(&str, &str, usize)> = None;
    let mut ordered: Vec<&KeptFinding> = findings.iter().collect();
    ordered.sort_by(|a, b| order(a).cmp(&order(b)));
    for kept in ordered {
        // Of a file that is twice in a layer, one is told.
        if last.replace(order(kept)) == Some(order(kept)) {
            continue;
        }
        let KeptFinding { id, part, image, text, carrier, row } = kept;
        let mut both = json(carrier);
        both.push(b'\n');
        both.extend_from_slice(text.as_bytes());
        facts.push((format!("{FINDING}{id} {part} {repository}@{digest} {image:05}"), both));
        facts.push((format!("{ROW}{repository} {id} {part} {digest} {image:05}"), json(row)));
    }
    facts
}

fn order(kept: &KeptFinding) -> (&str, &str, usize) {
    (&kept.id, &kept.part, kept.image)
}

/// A fact of a finding, read back.
#[derive(Debug, Clone)]
pub(super) struct FindingFact<'f> {
    /// Id and part.
    pub(super) name: &'f str,
    pub(super) id: &'f str,
    pub(super) repository: &'f str,
    pub(super) digest: &'f str,
    pub(super) carrier: Carrier,
    /// The finding as the JSON report has it.
    pub(super) text: &'f str,
}

impl<'f> FindingFact<'f> {
    /// None if it makes no sense.
    pub(super) fn read(key: &'f str, value: &'f [u8]) -> Option<Self> {
        let rest = key.strip_prefix(FINDING)?;
        let (id, after) = rest.split_once(' ')?;
        let (part, after) = after.split_once(' ')?;
        let (image, _) = after.split_once(' ')?;
        let (repository, digest) = image.split_once('@')?;
        let (carrier, text) = std::str::from_utf8(value).ok()?.split_once('\n')?;
        let name = &rest[..id.len() + 1 + part.len()];
        Some(Self { name, id, repository, digest, carrier: serde_json::from_str(carrier).ok()?, text })
    }
}

/// A fact of a row, read back.
#[derive(Debug, Clone)]
pub(super) struct RowFact<'f> {
    pub(super) repository: &'f str,
    /// Id and part.
    pub(super) name: &'f str,
    pub(super) row: Row,
}

impl<'f> RowFact<'f> {
    /// None if it makes no sense.
    pub(super) fn read(key: &'f str, value: &[u8]) -> Option<Self> {
        let (repository, rest) = key.strip_prefix(ROW)?.split_once(' ')?;
        let (id, after) = rest.split_once(' ')?;
        let (part, _) = after.split_once(' ')?;
        let name = &rest[..id.len() + 1 + part.len()];
        Some(Self { repository, name, row: serde_json::from_slice(value).ok()? })
    }
}

/// All of it is texts, numbers and lists, which can always be written.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Severity};

    fn kept(id: &str, part: &str, text: &str) -> KeptFinding {
        let (severity, confidence) = (Severity::High, Confidence::Likely);
        let (digest, platform, created, layer, visibility) = Default::default();
        let row = Row {
            severity,
            confidence,
            suppressed: None,
            rule: String::new(),
            what: String::new(),
            secret: String::new(),
            place: text.to_owned(),
            life: String::new(),
            remedy: String::new(),
            images: 0,
        };
        let carrier = Carrier { digest, platform, created, layer, visibility, severity, confidence, suppressed: false, inherited: false };
        KeptFinding { id: id.to_owned(), part: part.to_owned(), image: 0, text: text.to_owned(), carrier, row }
    }

    #[test]
    fn what_is_left_is_read_back_and_the_same_finding_is_left_once() {
        let (repository, digest) = ("localhost:5000/a".to_owned(), "sha256:00".to_owned());
        let line = ImageLine { repository, digest, images: Vec::new(), complete: true, skipped: Vec::new(), skipped_more: 0 };
        let facts = of_image(&line, &[kept("b", "config", "{}"), kept("a", "sha256:11", "{1}"), kept("a", "sha256:11", "{2}")]);
        let keys: Vec<&str> = facts.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "image localhost:5000/a@sha256:00",
                "finding a sha256:11 localhost:5000/a@sha256:00 00000",
                "row localhost:5000/a a sha256:11 sha256:00 00000",
                "finding b config localhost:5000/a@sha256:00 00000",
                "row localhost:5000/a b config sha256:00 00000",
            ]
        );
        let finding = FindingFact::read(keys[1], &facts[1].1).unwrap();
        assert_eq!((finding.name, finding.id, finding.repository, finding.digest), ("a sha256:11", "a", "localhost:5000/a", "sha256:00"));
        assert_eq!(finding.text, "{1}");
        let row = RowFact::read(keys[4], &facts[4].1).unwrap();
        assert_eq!((row.repository, row.name, row.row.place.as_str()), ("localhost:5000/a", "b config", "{}"));
        assert!(FindingFact::read(keys[2], &facts[2].1).is_none());
    }
}
