//! The parts of the JSON report as they are written: everything from the image redacted, every field of the schema there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::super::{Exposure, Redactor, sanitise};
use crate::finding::{
    Allowed, BaseFacts, Coverage, DockerfileFix, Explanation, Finding, ImageFacts, KeyFacts, LayerFacts, NestedImage, NestedLayer, Novelty,
    Origin, Package, Part, Place, Remembered, Scan, Skipped, Spot, StepFacts, Suppression, Visibility,
};

/// An instruction stands in full under `images`; repeated in each finding, a long one would make the report as long as their product.
const MAX_REPEATED: usize = 500;

#[derive(Serialize)]
pub(in super::super) struct Tool<'a> {
    name: &'a str,
    version: &'a str,
    rules_hash: &'a str,
}

impl<'a> Tool<'a> {
    pub(in super::super) fn new(scan: &'a Scan) -> Self {
        Self { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION"), rules_hash: &scan.rules_hash }
    }
}

/// What was known before and is gone; its place may name a secret that only the scan found.
pub(in super::super) fn fixed_views(fixed: &[Remembered], redactor: &Redactor) -> Vec<Remembered> {
    fixed.iter().map(|one| Remembered { place: redactor.text(&one.place).into_owned(), ..one.clone() }).collect()
}

#[derive(Serialize)]
pub(in super::super) struct ImageView {
    source: String,
    name: Option<String>,
    digest: Option<String>,
    platform: Option<String>,
    layers: Vec<LayerView>,
    base: Option<BaseView>,
    history: Vec<StepView>,
}

#[derive(Serialize)]
struct StepView {
    created_by: Option<String>,
    layer: Option<usize>,
}

impl StepView {
    fn new(step: &StepFacts, redactor: &Redactor) -> Self {
        Self { created_by: step.created_by.as_deref().map(|text| redactor.text(text).into_owned()), layer: step.layer }
    }
}

#[derive(Serialize)]
struct BaseView {
    name: Option<String>,
    digest: Option<String>,
    layers: usize,
    evidence: &'static str,
}

impl BaseView {
    fn new(base: &BaseFacts, redactor: &Redactor) -> Self {
        Self {
            name: base.name.as_deref().map(|name| redactor.text(name).into_owned()),
            digest: base.digest.as_ref().map(ToString::to_string),
            layers: base.layers,
            evidence: base.evidence.as_str(),
        }
    }
}

#[derive(Serialize)]
struct LayerView {
    index: usize,
    digest: Option<String>,
    diff_id: Option<String>,
    created_by: Option<String>,
    size: Option<u64>,
}

impl ImageView {
    pub(in super::super) fn new(image: &ImageFacts, redactor: &Redactor) -> Self {
        Self {
            source: redactor.text(&image.source).into_owned(),
            name: image.name.as_deref().map(|name| redactor.text(name).into_owned()),
            digest: image.digest.as_ref().map(ToString::to_string),
            platform: image.platform.as_ref().map(|platform| redactor.text(&platform.to_string()).into_owned()),
            layers: image.layers.iter().map(|layer| LayerView::new(layer, redactor)).collect(),
            base: image.base.as_ref().map(|base| BaseView::new(base, redactor)),
            history: image.history.iter().map(|step| StepView::new(step, redactor)).collect(),
        }
    }
}

impl LayerView {
    fn new(layer: &LayerFacts, redactor: &Redactor) -> Self {
        Self {
            index: layer.index,
            digest: layer.digest.as_ref().map(ToString::to_string),
            diff_id: layer.diff_id.as_ref().map(ToString::to_string),
            created_by: layer.created_by.as_deref().map(|text| redactor.text(text).into_owned()),
            size: layer.size,
        }
    }
}

/// A layer as findings name it.
#[derive(Serialize)]
pub(in super::super) struct LayerReference {
    index: usize,
    digest: Option<String>,
    diff_id: Option<String>,
    created_by: Option<String>,
}

impl LayerReference {
    pub(in super::super) fn new(layer: &LayerFacts, redactor: &Redactor) -> Self {
        let LayerView { index, digest, diff_id, created_by, .. } = LayerView::new(layer, redactor);
        Self { index, digest, diff_id, created_by: created_by.map(shorten) }
    }
}

fn shorten(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_REPEATED) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[derive(Serialize)]
pub(in super::super) struct FindingView<'a> {
    id: &'a str,
    secret_id: &'a str,
    rule: &'a str,
    description: &'a str,
    provider: &'a str,
    docs: Option<&'a str>,
    severity: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_severity: Option<&'a str>,
    confidence: &'a str,
    secret: String,
    suppressed: Option<SuppressedView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    novelty: Option<&'static str>,
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin_evidence: Option<&'static str>,
    image: usize,
    place: PlaceView<'a>,
    also: Vec<PlaceView<'a>>,
    decoding: &'a [std::borrow::Cow<'static, str>],
    visibility: Option<VisibilityView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nested_image: Option<NestedImageView>,
    key: Option<KeyView>,
    note: Option<String>,
    host: Option<String>,
    pair: &'a [String],
    matched_too: &'a [String],
    remediation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    dockerfile: Option<DockerfileView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Explanation>,
}

impl<'a> FindingView<'a> {
    /// `layers` are those of the finding's image.
    pub(in super::super) fn new(finding: &'a Finding, layers: &'a [LayerReference], redactor: &Redactor) -> Self {
        let rule = &*finding.rule;
        Self {
            id: &finding.id,
            secret_id: &finding.secret_id,
            rule: &rule.id,
            description: &rule.description,
            provider: &rule.provider,
            docs: rule.docs.as_deref(),
            severity: finding.severity.as_str(),
            rule_severity: (finding.severity != rule.severity).then(|| rule.severity.as_str()),
            confidence: finding.confidence.as_str(),
            secret: match redactor.exposure() {
                Exposure::Redacted => finding.secret.redacted(),
                Exposure::Shown => sanitise::bytes(finding.secret.expose()).into_owned(),
            },
            suppressed: finding.suppressed.as_ref().map(|suppression| SuppressedView::new(suppression, finding.package.as_ref(), redactor)),
            novelty: finding.novelty.map(Novelty::as_str),
            origin: finding.origin.as_str(),
            origin_evidence: match finding.origin {
                Origin::Own => None,
                Origin::Inherited(evidence) => Some(evidence.as_str()),
            },
            image: finding.image,
            place: PlaceView::new(&finding.place, layers, redactor),
            also: finding.also.iter().map(|place| PlaceView::new(place, layers, redactor)).collect(),
            decoding: &finding.decoding,
            visibility: finding.visibility.map(|visibility| VisibilityView::new(visibility, layers)),
            nested_image: finding.nested_image.as_deref().map(|image| NestedImageView::new(image, redactor)),
            key: finding.key.as_ref().map(|key| KeyView::new(key, redactor)),
            note: finding.note.as_deref().map(|note| redactor.text(note).into_owned()),
            host: finding.host.as_deref().map(|host| redactor.text(host).into_owned()),
            pair: &finding.pair,
            matched_too: &finding.matched_too,
            remediation: &rule.remediation,
            dockerfile: finding.dockerfile.as_deref().map(|fix| DockerfileView::new(fix, redactor)),
            explanation: finding.explanation.as_deref().map(|explanation| explained(explanation, redactor)),
        }
    }
}

/// The names of packages come from the image; all else is ours.
fn explained(explanation: &Explanation, redactor: &Redactor) -> Explanation {
    let mut explanation = explanation.clone();
    for claim in explanation.ownership.iter_mut().flat_map(|ownership| &mut ownership.claims) {
        claim.package.name = redactor.text(&claim.package.name).into_owned();
        claim.package.version = redactor.text(&claim.package.version).into_owned();
    }
    explanation
}

#[derive(Serialize)]
struct DockerfileView {
    file: String,
    r#match: &'static str,
    line: Option<usize>,
    end_line: Option<usize>,
    instruction: Option<String>,
    base: Option<String>,
    advice: String,
    replacement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignore: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_command: Option<String>,
}

impl DockerfileView {
    fn new(fix: &DockerfileFix, redactor: &Redactor) -> Self {
        let text = |text: &str| redactor.text(text).into_owned();
        let (r#match, lines, instruction, base) = match &fix.spot {
            Spot::Instruction { line, end_line, text, certainty } => (certainty.as_str(), Some((*line, *end_line)), Some(text), None),
            Spot::Base { image } => ("base", None, None, Some(image)),
            Spot::Unknown => ("none", None, None, None),
        };
        Self {
            file: text(&fix.file),
            r#match,
            line: lines.map(|(line, _)| line),
            end_line: lines.map(|(_, end_line)| end_line),
            instruction: instruction.map(|instruction| shorten(text(instruction))),
            base: base.map(|base| text(base)),
            advice: text(&fix.advice),
            replacement: fix.replacement.as_deref().map(text),
            ignore: fix.ignore.as_deref().map(text),
            build_command: fix.build_command.as_deref().map(text),
        }
    }
}

#[derive(Serialize)]
struct SuppressedView {
    reason: String,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<PackageView>,
}

#[derive(Serialize)]
struct PackageView {
    manager: &'static str,
    name: String,
    version: String,
}

impl SuppressedView {
    fn new(suppression: &Suppression, package: Option<&Package>, redactor: &Redactor) -> Self {
        let package = package.map(|package| PackageView {
            manager: package.manager.as_str(),
            name: redactor.text(&package.name).into_owned(),
            version: redactor.text(&package.version).into_owned(),
        });
        Self { reason: suppression.reason.to_string(), detail: redactor.text(&suppression.detail).into_owned(), package }
    }
}

#[derive(Serialize)]
struct VisibilityView<'a> {
    state: &'static str,
    layer: Option<&'a LayerReference>,
}

impl<'a> VisibilityView<'a> {
    fn new(visibility: Visibility, layers: &'a [LayerReference]) -> Self {
        Self { state: visibility.as_str(), layer: visibility.layer().and_then(|layer| layers.get(layer)) }
    }
}

/// An image in a file of the scanned one.
#[derive(Serialize)]
struct NestedImageView {
    name: Option<String>,
    digest: Option<String>,
    layer: Option<LayerReference>,
    visibility: Option<NestedVisibilityView>,
}

#[derive(Serialize)]
struct NestedVisibilityView {
    state: &'static str,
    layer: Option<LayerReference>,
}

impl NestedImageView {
    fn new(image: &NestedImage, redactor: &Redactor) -> Self {
        let layer = |layer: &NestedLayer| LayerReference {
            index: layer.index,
            digest: layer.digest.as_ref().map(ToString::to_string),
            diff_id: layer.diff_id.as_ref().map(ToString::to_string),
            created_by: layer.created_by.as_deref().map(|text| shorten(redactor.text(text).into_owned())),
        };
        let by = || image.hidden_by.as_ref().map(layer);
        let visibility = |visibility: Visibility| NestedVisibilityView { state: visibility.as_str(), layer: by() };
        Self {
            name: image.name.as_deref().map(|name| redactor.text(name).into_owned()),
            digest: image.digest.as_ref().map(ToString::to_string),
            layer: image.layer.as_ref().map(layer),
            visibility: image.visibility.map(visibility),
        }
    }
}

#[derive(Serialize)]
struct KeyView {
    algorithm: Option<String>,
    bits: Option<u32>,
    encrypted: Option<bool>,
    fingerprint: Option<String>,
    counterparts: Vec<CounterpartView>,
}

#[derive(Serialize)]
struct CounterpartView {
    what: String,
    path: String,
    layer: Option<usize>,
}

impl KeyView {
    fn new(key: &KeyFacts, redactor: &Redactor) -> Self {
        Self {
            algorithm: key.algorithm.as_deref().map(|text| redactor.text(text).into_owned()),
            bits: key.bits,
            encrypted: key.encrypted,
            fingerprint: key.fingerprint.as_deref().map(|text| redactor.text(text).into_owned()),
            counterparts: key
                .counterparts
                .iter()
                .map(|counterpart| CounterpartView {
                    what: redactor.text(&counterpart.what).into_owned(),
                    path: redactor.text(&sanitise::bytes(&counterpart.path)).into_owned(),
                    layer: counterpart.layer,
                })
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct PlaceView<'a> {
    kind: &'static str,
    layer: Option<&'a LayerReference>,
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    inner: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner_bytes: Option<Vec<String>>,
    part: Option<String>,
    line: Option<u64>,
    column: Option<u64>,
    offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    pointer: Option<String>,
}

impl<'a> PlaceView<'a> {
    fn new(place: &Place, layers: &'a [LayerReference], redactor: &Redactor) -> Self {
        let position = place.position();
        let inner = place.inner();
        let odd_inner = inner.iter().any(|member| !is_utf8(member));
        Self {
            kind: place.kind(),
            layer: place.layer().and_then(|layer| layers.get(layer)),
            path: place.path().map(|path| redactor.bytes(path)),
            path_bytes: place.path().filter(|path| !is_utf8(path)).map(|path| base64(redactor, path)),
            inner: inner.iter().map(|member| redactor.bytes(member)).collect(),
            inner_bytes: odd_inner.then(|| inner.iter().map(|member| base64(redactor, member)).collect()),
            part: place.part().map(|part| part_word(part, redactor)),
            line: position.map(|position| position.line),
            column: position.map(|position| position.column),
            offset: position.map(|position| position.offset),
            document: match place {
                Place::Annotation { document, .. } | Place::Attestation { document, .. } => Some(redactor.text(document).into_owned()),
                _ => None,
            },
            pointer: place.pointer().map(|pointer| redactor.text(pointer).into_owned()),
        }
    }
}

fn is_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}

/// Redacted first: base64 of a secret is the secret.
fn base64(redactor: &Redactor, bytes: &[u8]) -> String {
    STANDARD.encode(redactor.raw(bytes))
}

fn part_word(part: &Part, redactor: &Redactor) -> String {
    match part {
        Part::Content => "content".to_owned(),
        Part::Name => "name".to_owned(),
        Part::LinkTarget => "link-target".to_owned(),
        Part::Pax(key) => format!("pax:{}", redactor.text(key)),
    }
}

#[derive(Serialize)]
pub(in super::super) struct AllowedView<'a> {
    origin: &'a str,
    state: &'static str,
    count: u64,
    reason: String,
    until: Option<&'a str>,
}

impl<'a> AllowedView<'a> {
    pub(super) fn new(entry: &'a Allowed, redactor: &Redactor) -> Self {
        let Allowed { origin, state, count, reason, until } = entry;
        Self { origin, state: state.as_str(), count: *count, reason: redactor.text(reason).into_owned(), until: until.as_deref() }
    }
}

#[derive(Serialize)]
pub(in super::super) struct CoverageView {
    layers: u64,
    entries: u64,
    documents: u64,
    bytes_read: u64,
    bytes_expanded: u64,
    bytes_scanned: u64,
    skipped: Vec<SkippedView>,
    skipped_more: u64,
}

#[derive(Serialize)]
struct SkippedView {
    reason: &'static str,
    r#where: String,
    size: Option<u64>,
    detail: String,
}

impl CoverageView {
    pub(in super::super) fn new(coverage: &Coverage, redactor: &Redactor) -> Self {
        Self {
            layers: coverage.layers,
            entries: coverage.entries,
            documents: coverage.documents,
            bytes_read: coverage.bytes_read,
            bytes_expanded: coverage.bytes_expanded,
            bytes_scanned: coverage.bytes_scanned,
            skipped: coverage.skipped.iter().map(|skipped| SkippedView::new(skipped, redactor)).collect(),
            skipped_more: coverage.skipped_more,
        }
    }
}

impl SkippedView {
    fn new(skipped: &Skipped, redactor: &Redactor) -> Self {
        Self {
            reason: skipped.reason.as_str(),
            r#where: redactor.text(&skipped.place).into_owned(),
            size: skipped.size,
            detail: redactor.text(&skipped.detail).into_owned(),
        }
    }
}
