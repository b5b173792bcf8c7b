//! What an image adds to the report of an audit: redacted, as text and as plain values that can be kept.

use serde::{Deserialize, Serialize};

use super::super::json::{self, FindingView};
use super::super::{Exposure, Redactor, place};
use crate::finding::{Confidence, Finding, Gate, ImageFacts, Place, Scan, Severity, Skipped, Visibility, Whose};

/// How many findings there are of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Of critical severity, and not suppressed.
    pub critical: u64,
    /// Of high severity, and not suppressed.
    pub high: u64,
    /// Of medium severity, and not suppressed.
    pub medium: u64,
    /// Of low severity, and not suppressed.
    pub low: u64,
    /// Suppressed, whatever the severity.
    pub suppressed: u64,
}

impl Tally {
    /// Counts one.
    pub fn add(&mut self, severity: Severity, is_suppressed: bool) {
        *match (is_suppressed, severity) {
            (true, _) => &mut self.suppressed,
            (_, Severity::Critical) => &mut self.critical,
            (_, Severity::High) => &mut self.high,
            (_, Severity::Medium) => &mut self.medium,
            (_, Severity::Low) => &mut self.low,
        } += 1;
    }

    /// Those that are not suppressed.
    pub fn listed(&self) -> u64 {
        self.critical + self.high + self.medium + self.low
    }

    /// Those of a severity that are not suppressed.
    pub fn of(&self, severity: Severity) -> u64 {
        match severity {
            Severity::Critical => self.critical,
            Severity::High => self.high,
            Severity::Medium => self.medium,
            Severity::Low => self.low,
        }
    }
}

/// Something of an image that was not read, or is not what it said it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Why, in one word.
    pub reason: String,
    /// Where.
    pub r#where: String,
    /// Bytes, where known.
    pub size: Option<u64>,
    /// For people.
    pub detail: String,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerLine {
    /// Digest of the blob.
    pub digest: Option<String>,
    /// Its bytes.
    pub size: Option<u64>,
}

/// An image for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformLine {
    /// Digest of its manifest.
    pub digest: Option<String>,
    /// What it runs on.
    pub platform: Option<String>,
    /// When it was made, in seconds since 1970, as its config says.
    pub created: Option<i64>,
    /// Base first.
    pub layers: Vec<LayerLine>,
    /// What was found in it.
    pub findings: Tally,
}

/// What a tag leads to: an image, or an index of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageLine {
    /// `ghcr.io/team/app`.
    pub repository: String,
    /// Digest of the manifest or index.
    pub digest: String,
    /// One for each platform.
    pub images: Vec<PlatformLine>,
    /// Whether all of it was read and was what it said it was.
    pub complete: bool,
    /// What was not.
    pub skipped: Vec<Gap>,
    /// How many more there are.
    pub skipped_more: u64,
}

/// An image that has a finding, and the finding's life there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carrier {
    /// Digest of the image's manifest.
    pub digest: Option<String>,
    /// What it runs on.
    pub platform: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created: Option<i64>,
    /// Index of the layer in the image; none for documents.
    pub layer: Option<usize>,
    /// What became of the secret, in one word; none for what no layer can hide.
    pub visibility: Option<String>,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// Whether it is suppressed there.
    pub suppressed: bool,
    /// Whether the image has it from its base, beyond doubt.
    pub inherited: bool,
}

impl Carrier {
    /// Whether the finding fails the gate in this image.
    pub fn gates(&self, gate: &Gate) -> bool {
        let ours = gate.whose == Whose::All || !self.inherited;
        ours && !self.suppressed && gate.reaches(self.severity, self.confidence)
    }
}

/// A finding, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// Why it is suppressed, in one word.
    pub suppressed: Option<String>,
    /// The rule's id.
    pub rule: String,
    /// What it is.
    pub what: String,
    /// What may be shown of it.
    pub secret: String,
    /// Where.
    pub place: String,
    /// What became of it, in one word.
    pub life: String,
    /// What to do.
    pub remedy: String,
    /// How many images of the repository have it; counted when rows are put together.
    #[serde(default)]
    pub images: u64,
}

/// A finding of an image, ready to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptFinding {
    /// The finding's id.
    pub id: String,
    /// The layer's digest, or the kind of document.
    pub part: String,
    /// Number of the image.
    pub image: usize,
    /// The finding as the JSON report has it.
    pub text: String,
    /// The image.
    pub carrier: Carrier,
    /// The same for people.
    pub row: Row,
}

/// What the scan of an index, or of an image, adds to an audit. `created` says for each image when it was made.
pub fn keep(scan: &Scan, repository: &str, digest: &str, created: &[Option<i64>]) -> (ImageLine, Vec<KeptFinding>) {
    let redactor = Redactor::new(scan, Exposure::Redacted);
    let created = |image: usize| created.get(image).copied().flatten();
    let platforms = scan.images.iter().enumerate().map(|(index, image)| platform_line(scan, index, image, created(index), &redactor));
    let text = |text: &str| redactor.text(text).into_owned();
    let gap = |skipped: &Skipped| Gap {
        reason: skipped.reason.as_str().to_owned(),
        r#where: text(&skipped.place),
        size: skipped.size,
        detail: text(&skipped.detail),
    };
    let line = ImageLine {
        repository: repository.to_owned(),
        digest: digest.to_owned(),
        images: platforms.collect(),
        complete: scan.coverage.is_complete(),
        skipped: scan.coverage.skipped.iter().map(gap).collect(),
        skipped_more: scan.coverage.skipped_more,
    };
    let layers = json::layer_references(scan, &redactor);
    let findings = scan.findings.iter().filter_map(|finding| {
        let of_image = layers.get(finding.image).map_or(&[][..], Vec::as_slice);
        let mut text = Vec::new();
        // Its images are listed, and it is told as it is in the first of them.
        let told = Finding { image: 0, ..finding.clone() };
        json::write_line(&mut text, &FindingView::new(&told, of_image, &redactor)).ok()?;
        Some(KeptFinding {
            id: finding.id.clone(),
            part: part(scan, finding),
            image: finding.image,
            text: String::from_utf8(text).ok()?.trim_end().to_owned(),
            carrier: carrier(scan, finding, created(finding.image), &redactor),
            row: row(finding, &redactor),
        })
    });
    (line, findings.collect())
}

fn platform_line(scan: &Scan, index: usize, image: &ImageFacts, created: Option<i64>, redactor: &Redactor) -> PlatformLine {
    let mut findings = Tally::default();
    for finding in scan.findings.iter().filter(|finding| finding.image == index) {
        findings.add(finding.severity, finding.suppressed.is_some());
    }
    let layers = image.layers.iter().map(|layer| LayerLine { digest: layer.digest.as_ref().map(ToString::to_string), size: layer.size });
    PlatformLine {
        digest: image.digest.as_ref().map(ToString::to_string),
        platform: platform(image, redactor),
        created,
        layers: layers.collect(),
        findings,
    }
}

fn platform(image: &ImageFacts, redactor: &Redactor) -> Option<String> {
    image.platform.as_ref().map(|platform| redactor.text(&platform.to_string()).into_owned())
}

/// What findings with the same id are one finding in: a layer, or documents of a kind, which each build writes anew.
fn part(scan: &Scan, finding: &Finding) -> String {
    let layer = match finding.place {
        Place::LayerFile { layer, .. } | Place::LayerBytes { layer, .. } => {
            scan.images.get(finding.image).and_then(|image| image.layers.get(layer))
        }
        _ => None,
    };
    let digest = layer.and_then(|layer| layer.digest.as_ref());
    digest.map_or_else(|| finding.place.kind().to_owned(), ToString::to_string)
}

fn carrier(scan: &Scan, finding: &Finding, created: Option<i64>, redactor: &Redactor) -> Carrier {
    let image = scan.images.get(finding.image);
    Carrier {
        digest: image.and_then(|image| image.digest.as_ref()).map(ToString::to_string),
        platform: image.and_then(|image| platform(image, redactor)),
        created,
        layer: finding.place.layer(),
        visibility: finding.visibility.map(|visibility| state(visibility).to_owned()),
        severity: finding.severity,
        confidence: finding.confidence,
        suppressed: finding.suppressed.is_some(),
        inherited: finding.origin.is_surely_inherited(),
    }
}

/// The word in reports.
fn state(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::InFinalImage => "in-final-image",
        Visibility::Overwritten { .. } => "overwritten",
        Visibility::Deleted { .. } => "deleted",
    }
}

fn row(finding: &Finding, redactor: &Redactor) -> Row {
    let life = match finding.visibility {
        Some(Visibility::InFinalImage) => "in the final image",
        Some(Visibility::Overwritten { .. }) => "overwritten, and still readable by anyone who pulls",
        Some(Visibility::Deleted { .. }) => "deleted, and still readable by anyone who pulls",
        None => "readable by anyone who pulls",
    };
    Row {
        severity: finding.severity,
        confidence: finding.confidence,
        suppressed: finding.suppressed.as_ref().map(|suppression| suppression.reason.to_string()),
        rule: finding.rule.id.clone(),
        what: finding.rule.description.clone(),
        secret: finding.secret.redacted(),
        place: place::place(redactor, &finding.place),
        life: life.to_owned(),
        remedy: finding.rule.remediation.clone(),
        images: 0,
    }
}
