//! A CycloneDX 1.6 document of the scan, ready to be signed as an attestation: which image, by which program and rules, and what was
//! found. Each finding is a vulnerability (CWE-798) that affects the layer it stands in.
//!
//! Has neither a time nor a serial number, so that the same image gives the same bytes; whoever signs it adds a time.

use std::io;

use serde::Serialize;
use serde_json::{Value, json};

use super::json::{self as document, Each};
use super::said::Said;
use super::{Context, Format, place};
use crate::finding::{Finding, ImageFacts, Scan};

/// Hard-coded credentials.
const CWE: u32 = 798;

/// The format.
pub(super) struct CycloneDx;

impl Format for CycloneDx {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        let components: Vec<(usize, &ImageFacts)> = scan.images.iter().enumerate().collect();
        // The order of the document's properties is that of the specification's examples.
        let document = Document {
            bom_format: "CycloneDX",
            spec_version: "1.6",
            version: 1,
            metadata: metadata(scan, context),
            components: Each(&components, |(index, image): &(usize, &ImageFacts)| component(context, *index, image)),
            vulnerabilities: Each(&scan.findings, |finding: &Finding| vulnerability(scan, context, finding)),
        };
        document::write(out, &document)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<C: Serialize, V: Serialize> {
    bom_format: &'static str,
    spec_version: &'static str,
    version: u32,
    metadata: Value,
    components: C,
    vulnerabilities: V,
}

fn metadata(scan: &Scan, context: &Context) -> Value {
    let outcome = context.gate.outcome(scan).as_str();
    let gating = scan.findings.iter().filter(|finding| context.gate.gates(finding)).count();
    let coverage = &scan.coverage;
    json!({
        "tools": { "components": [{ "type": "application", "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") }] },
        "properties": [
            property("rules-hash", &scan.rules_hash),
            property("outcome", outcome),
            property("complete", &coverage.is_complete().to_string()),
            property("findings", &scan.findings.iter().filter(|finding| finding.suppressed.is_none()).count().to_string()),
            property("gating", &gating.to_string()),
            property("not-read", &(coverage.skipped.len() as u64 + coverage.skipped_more).to_string()),
            property("bytes-scanned", &coverage.bytes_scanned.to_string()),
        ],
    })
}

fn property(name: &str, value: &str) -> Value {
    json!({ "name": format!("layersift:{name}"), "value": value })
}

fn component(context: &Context, index: usize, image: &ImageFacts) -> Value {
    let mut component = json!({
        "type": "container",
        "bom-ref": format!("image-{index}"),
        "name": place::clean(&context.redactor, image.name.as_deref().unwrap_or(&image.source)),
    });
    if let Some(digest) = &image.digest {
        component["version"] = digest.to_string().into();
        component["hashes"] = hashes(digest);
    }
    component["components"] = image
        .layers
        .iter()
        .map(|layer| {
            let mut part = json!({
                "type": "data",
                "bom-ref": format!("image-{index}-layer-{}", layer.index),
                "name": format!("layer {}", layer.index),
            });
            if let Some(digest) = layer.digest.as_ref().or(layer.diff_id.as_ref()) {
                part["version"] = digest.to_string().into();
                part["hashes"] = hashes(digest);
            }
            if let Some(instruction) = place::instruction(&context.redactor, image, layer.index, 500) {
                part["properties"] = json!([property("created-by", &instruction)]);
            }
            part
        })
        .collect();
    component
}

/// By the names of CycloneDX.
fn hashes(digest: &crate::oci::Digest) -> Value {
    let text = digest.to_string();
    match text.split_once(':') {
        Some(("sha256", hex)) => json!([{ "alg": "SHA-256", "content": hex }]),
        Some(("sha512", hex)) => json!([{ "alg": "SHA-512", "content": hex }]),
        _ => json!([]),
    }
}

fn vulnerability(scan: &Scan, context: &Context, finding: &Finding) -> Value {
    let said = Said::new(scan, context, finding);
    let fix = said.fix();
    let affects = match said.layer_facts() {
        Some(layer) => format!("image-{}-layer-{}", finding.image, layer.index),
        None => format!("image-{}", finding.image),
    };
    let mut vulnerability = json!({
        "id": finding.id,
        "source": { "name": "layersift" },
        "ratings": [{ "source": { "name": "layersift" }, "severity": finding.severity.as_str(), "method": "other" }],
        "cwes": [CWE],
        "description": format!("{}: {}", said.title(), said.secret()),
        "detail": said.details().join("\n"),
        "recommendation": format!("{} {}", fix.rotate, fix.persists),
        "affects": if finding.image < scan.images.len() { json!([{ "ref": affects }]) } else { json!([]) },
        "properties": [
            property("rule", &finding.rule.id),
            property("confidence", finding.confidence.as_str()),
            property("state", said.state()),
            property("origin", finding.origin.as_str()),
            property("gates", &context.gate.gates(finding).to_string()),
        ],
    });
    if let Some(page) = fix.page {
        vulnerability["advisories"] = json!([{ "title": "The provider on revoking it", "url": page }]);
    }
    if let Some(reason) = said.suppression() {
        vulnerability["analysis"] = json!({ "state": "false_positive", "detail": reason });
    }
    vulnerability
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;

    use super::super::{Exposure, testing};
    use super::*;

    #[test]
    fn what_a_finding_affects_is_in_the_document() {
        let scan = testing::rich();
        let mut out = Vec::new();
        CycloneDx.write(&scan, &testing::context(&scan, Exposure::Redacted), &mut out).unwrap();
        let document: Value = serde_json::from_slice(&out).unwrap();
        let mut refs = HashSet::new();
        for image in document["components"].as_array().unwrap() {
            refs.insert(image["bom-ref"].as_str().unwrap());
            refs.extend(image["components"].as_array().unwrap().iter().map(|layer| layer["bom-ref"].as_str().unwrap()));
        }
        for vulnerability in document["vulnerabilities"].as_array().unwrap() {
            assert!(refs.contains(vulnerability["affects"][0]["ref"].as_str().unwrap()), "{vulnerability}");
        }
        assert_eq!(document["vulnerabilities"][1]["affects"][0]["ref"], "image-0-layer-1");
    }
}
