//! An in-toto attestation of the scan: a Statement (v1) whose subjects are the images, with a predicate of the type `vulns` (0.2): what
//! was scanned, when, by which program and rules, and what was found. [`Predicate`] is the predicate alone, for signers that make the
//! statement themselves.
//!
//! Attestations are made to be published: no secret stands here even where secrets are to be shown.
//!
//! Of the predicate's fields two need words. Rules carry no date: `lastUpdate` is when the scan began, and what they are says their hash,
//! the `version`. And how much was read, which `vulns` has no field for, stands under `metadata.layersift`, which readers that do not know
//! it pass over.

use std::io;

use serde::Serialize;
use serde_json::{Value, json};

use super::json::{self as document, CoverageView, Each};
use super::said::Said;
use super::{Context, Format, place};
use crate::finding::{Finding, ImageFacts, Scan};

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const VULNS: &str = "https://in-toto.io/attestation/vulns/v0.2";

/// The format of the whole statement.
pub(super) struct Statement;

/// The format of the predicate alone.
pub(super) struct Predicate;

impl Format for Statement {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        let findings = listed(scan);
        let statement = StatementView {
            r#type: STATEMENT,
            subject: subjects(scan, context),
            predicate_type: VULNS,
            predicate: predicate(scan, context, &findings),
        };
        document::write(out, &statement)
    }
}

impl Format for Predicate {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        document::write(out, &predicate(scan, context, &listed(scan)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatementView<P: Serialize> {
    #[serde(rename = "_type")]
    r#type: &'static str,
    subject: Vec<Value>,
    predicate_type: &'static str,
    predicate: P,
}

#[derive(Serialize)]
struct PredicateView<R: Serialize> {
    scanner: Scanner<R>,
    metadata: Metadata,
}

#[derive(Serialize)]
struct Scanner<R: Serialize> {
    uri: &'static str,
    version: &'static str,
    db: Value,
    result: R,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    scan_started_on: String,
    scan_finished_on: String,
    layersift: Account,
}

/// What the scan comes to, and what that rests on.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    outcome: &'static str,
    complete: bool,
    fail_on: &'static str,
    min_confidence: &'static str,
    gating: usize,
    suppressed: usize,
    coverage: CoverageView,
}

fn listed(scan: &Scan) -> Vec<&Finding> {
    scan.findings.iter().filter(|finding| finding.suppressed.is_none()).collect()
}

/// The images by their digests, each once. What has no digest cannot be a subject.
fn subjects(scan: &Scan, context: &Context) -> Vec<Value> {
    let mut subjects = Vec::new();
    for image in &scan.images {
        let Some(digest) = &image.digest else { continue };
        let subject = json!({ "name": name(context, image), "digest": { digest.algorithm().as_str(): digest.hex() } });
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    }
    subjects
}

fn name(context: &Context, image: &ImageFacts) -> String {
    place::clean(&context.redactor, image.name.as_deref().unwrap_or(&image.source))
}

fn predicate<'a>(scan: &'a Scan, context: &'a Context, findings: &'a [&Finding]) -> PredicateView<impl Serialize + 'a> {
    let gate = context.gate;
    // RFC 3339 in UTC.
    let (started, ended) = (format!("{}Z", context.times.started()), format!("{}Z", context.times.ended()));
    PredicateView {
        scanner: Scanner {
            uri: concat!("pkg:generic/layersift@", env!("CARGO_PKG_VERSION")),
            version: env!("CARGO_PKG_VERSION"),
            db: json!({ "uri": "urn:layersift:rules", "version": scan.rules_hash, "lastUpdate": started }),
            result: Each(findings, move |finding: &&Finding| result(scan, context, finding)),
        },
        metadata: Metadata {
            scan_started_on: started,
            scan_finished_on: ended,
            layersift: Account {
                outcome: gate.outcome(scan).as_str(),
                complete: scan.coverage.is_complete(),
                fail_on: gate.fail_on.map_or("never", |least| least.as_str()),
                min_confidence: gate.min_confidence.as_str(),
                gating: findings.iter().filter(|finding| gate.gates(finding)).count(),
                suppressed: scan.findings.len() - findings.len(),
                coverage: CoverageView::new(&scan.coverage, &context.redactor),
            },
        },
    }
}

fn result(scan: &Scan, context: &Context, finding: &Finding) -> Value {
    let said = Said::new(scan, context, finding);
    let image = scan.images.get(finding.image);
    let layer = said.layer_facts().and_then(|layer| layer.digest.as_ref().or(layer.diff_id.as_ref()));
    json!({
        "id": finding.id,
        "severity": [{ "method": "layersift", "score": finding.severity.as_str() }],
        "annotations": [{
            "rule": finding.rule.id,
            "description": finding.rule.description,
            "confidence": finding.confidence.as_str(),
            "gates": context.gate.gates(finding),
            "place": said.place(),
            "state": said.state(),
            "image": image.and_then(|image| image.digest.as_ref()).map(ToString::to_string),
            "layer": layer.map(ToString::to_string),
        }],
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Exposure, FormatName, Times, testing};
    use super::*;

    fn write(name: FormatName, scan: &Scan) -> Value {
        let context =
            Context { times: Times { started: 1_771_084_919, ended: 1_771_084_920 }, ..testing::context(scan, Exposure::Redacted) };
        let mut out = Vec::new();
        name.format().write(scan, &context, &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn the_subjects_are_the_images_that_have_a_digest() {
        let scan = testing::rich();
        let statement = write(FormatName::Intoto, &scan);
        let digest = scan.images[0].digest.as_ref().unwrap().hex();
        assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
        assert_eq!(statement["predicateType"], "https://in-toto.io/attestation/vulns/v0.2");
        assert_eq!(statement["subject"], json!([{ "name": "shop/api:1.4", "digest": { "sha256": digest } }]));
    }

    #[test]
    fn the_predicate_says_when_by_what_and_how_much_was_read() {
        let scan = testing::rich();
        let predicate = write(FormatName::IntotoPredicate, &scan);
        assert_eq!(write(FormatName::Intoto, &scan)["predicate"], predicate);
        assert_eq!(predicate["scanner"]["db"]["version"], "r1");
        assert_eq!(predicate["metadata"]["scanStartedOn"], "2026-02-14T16:01:59Z");
        let account = &predicate["metadata"]["layersift"];
        assert_eq!((&account["outcome"], &account["complete"], &account["failOn"]), (&"findings".into(), &false.into(), &"low".into()));
        assert_eq!(account["coverage"]["skipped"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn what_is_suppressed_is_counted_and_no_result() {
        let scan = testing::rich();
        let predicate = write(FormatName::IntotoPredicate, &scan);
        let result = predicate["scanner"]["result"].as_array().unwrap();
        assert_eq!((result.len(), &predicate["metadata"]["layersift"]["suppressed"]), (scan.findings.len() - 1, &1.into()));
        assert_eq!(result[1]["severity"], json!([{ "method": "layersift", "score": "critical" }]));
        assert_eq!(result[1]["annotations"][0]["place"], "/app/.env:3");
        assert_eq!(result[1]["annotations"][0]["layer"], scan.images[0].layers[1].digest.as_ref().unwrap().to_string());
    }
}
