//! SARIF 2.1.0 (OASIS), as code scanning reads it: a run with the rules that found something, and a result per finding.
//!
//! The artifact of a result is the path inside the image, relative, because readers refuse absolute ones; image, layer and instruction
//! are logical locations. Results are made while they are written, so that memory does not grow with their number.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde_json::{Value, json};

use super::json::{self as document, Each};
use super::said::{Said, uri_of};
use super::{Context, Format, place};
use crate::finding::{Confidence, Finding, Novelty, Place, RuleFacts, Scan, Severity, Spot};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The format.
pub(super) struct Sarif;

impl Format for Sarif {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        let rules = rules(scan);
        let numbers: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(number, id)| (*id, number)).collect();
        let rules: Vec<&RuleFacts> = rules.into_values().collect();
        let any_suppressed = scan.findings.iter().any(|finding| finding.suppressed.is_some());
        let run = Run {
            tool: Tool { driver: Driver::new(scan, Each(&rules, |rule: &&RuleFacts| descriptor(rule))) },
            automation_details: scan.images.first().map(|image| {
                let name = place::clean(&context.redactor, image.name.as_deref().unwrap_or(&image.source));
                json!({ "id": format!("layersift/{name}/") })
            }),
            invocations: [invocation(scan, context)],
            results: Each(&scan.findings, |finding: &Finding| {
                let mut result = result(scan, context, finding, numbers.get(finding.rule.id.as_str()).copied().unwrap_or_default());
                if any_suppressed && finding.suppressed.is_none() {
                    // Where one result says whether it is suppressed, all must (section 3.27.23).
                    result["suppressions"] = json!([]);
                }
                result
            }),
            properties: json!({
                "rulesHash": scan.rules_hash,
                "fixed": scan.fixed.as_ref().map(|fixed| document::fixed_views(fixed, &context.redactor)),
            }),
        };
        document::write(out, &Log { schema: SCHEMA, version: "2.1.0", runs: [run] })
    }
}

#[derive(Serialize)]
struct Log<R: Serialize> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [R; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<D: Serialize, R: Serialize> {
    tool: Tool<D>,
    #[serde(skip_serializing_if = "Option::is_none")]
    automation_details: Option<Value>,
    invocations: [Value; 1],
    results: R,
    properties: Value,
}

#[derive(Serialize)]
struct Tool<D: Serialize> {
    driver: D,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<R: Serialize> {
    name: &'static str,
    semantic_version: &'static str,
    properties: Value,
    rules: R,
}

impl<R: Serialize> Driver<R> {
    fn new(scan: &Scan, rules: R) -> Self {
        let properties = json!({ "rulesHash": scan.rules_hash });
        Self { name: env!("CARGO_PKG_NAME"), semantic_version: env!("CARGO_PKG_VERSION"), properties, rules }
    }
}

/// The rules that found something, by id.
fn rules(scan: &Scan) -> BTreeMap<&str, &RuleFacts> {
    scan.findings.iter().map(|finding| (finding.rule.id.as_str(), finding.rule.as_ref())).collect()
}

fn descriptor(rule: &RuleFacts) -> Value {
    let page = rule.docs.as_deref().map(|docs| format!("\n\n[{docs}]({docs})")).unwrap_or_default();
    let mut descriptor = json!({
        "id": rule.id,
        "name": rule.id,
        "shortDescription": { "text": rule.description },
        "fullDescription": { "text": format!("{} ({})", rule.description.trim_end_matches('.'), rule.provider) },
        "help": { "text": rule.remediation, "markdown": format!("{}{page}", rule.remediation) },
        "defaultConfiguration": { "level": level(rule.severity) },
        // `security-severity` is what code scanning sorts by: from 9.0 critical, from 7.0 high, from 4.0 medium.
        "properties": { "tags": ["security", "secret", "external/cwe/cwe-798"], "security-severity": score(rule.severity), "precision": "high" },
    });
    if let Some(docs) = &rule.docs {
        descriptor["helpUri"] = docs.as_str().into();
    }
    descriptor
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
    }
}

fn result(scan: &Scan, context: &Context, finding: &Finding, rule: usize) -> Value {
    let said = Said::new(scan, context, finding);
    let message = [format!("{}: {}", said.title(), said.secret())].into_iter().chain(said.details()).collect::<Vec<_>>().join(".\n");
    let level = if finding.confidence == Confidence::Possible { "note" } else { level(finding.severity) };
    let mut result = json!({
        "ruleId": finding.rule.id,
        "ruleIndex": rule,
        "level": level,
        "message": { "text": message },
        "locations": [location(scan, &said, finding)],
        "partialFingerprints": { "layersiftFinding/v1": finding.id, "layersiftSecret/v1": finding.secret_id },
        "properties": {
            "severity": finding.severity.as_str(),
            "confidence": finding.confidence.as_str(),
            "state": said.state(),
            "place": finding.place.kind(),
            "origin": finding.origin.as_str(),
            "gates": context.gate.gates(finding),
        },
    });
    if let Some(fix) = finding.dockerfile.as_deref() {
        let lines = said.fix().change;
        if let Some(text) = result["message"]["text"].as_str() {
            result["message"]["text"] = format!("{text}.\n{}", lines.join("\n")).into();
        }
        if let Spot::Instruction { line, end_line, .. } = fix.spot {
            let file = uri_of(&context.redactor.raw(fix.file.replace('\\', "/").as_bytes()));
            result["relatedLocations"] = json!([{
                "id": 1,
                "physicalLocation": { "artifactLocation": { "uri": file }, "region": { "startLine": line, "endLine": end_line } },
                "message": { "text": lines.first() },
            }]);
        }
    }
    if let Some(reason) = said.suppression() {
        result["suppressions"] = json!([{ "kind": "external", "status": "accepted", "justification": reason }]);
    }
    if let Some(novelty) = finding.novelty {
        result["baselineState"] = match novelty {
            Novelty::New => "new",
            Novelty::Moved => "updated",
            Novelty::Known => "unchanged",
        }
        .into();
    }
    result
}

fn location(scan: &Scan, said: &Said<'_>, finding: &Finding) -> Value {
    let line = finding.place.position().map_or(1, |position| position.line);
    let mut logical = Vec::new();
    if let Some(image) = scan.images.get(finding.image) {
        let digest = image.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        logical.push(json!({ "name": said.image(), "fullyQualifiedName": format!("{}{digest}", said.image()), "kind": "image" }));
    }
    if let Some(layer) = said.layer_facts() {
        let name = format!("layer {}", layer.index);
        let digest = layer.digest.as_ref().or(layer.diff_id.as_ref()).map(ToString::to_string);
        logical.push(json!({ "name": name, "fullyQualifiedName": digest.unwrap_or_else(|| name.clone()), "kind": "layer" }));
    }
    if let Some(instruction) = said.instruction() {
        logical.push(json!({ "name": instruction, "kind": "instruction" }));
    }
    json!({
        "physicalLocation": { "artifactLocation": { "uri": uri(&said.path_uri(), &finding.place) }, "region": { "startLine": line } },
        "logicalLocations": logical,
        "message": { "text": said.place() },
    })
}

/// The artifact: the path inside the image, or the document that the place is in.
fn uri(path: &str, place: &Place) -> String {
    match place {
        Place::LayerFile { .. } | Place::RootfsFile { .. } | Place::ArchiveMember { .. } => path.trim_start_matches('/').to_owned(),
        Place::LayerBytes { .. } => "layer".to_owned(),
        Place::Config { .. } | Place::History { .. } | Place::Label { .. } => "config.json".to_owned(),
        Place::Annotation { .. } => "manifest.json".to_owned(),
        Place::Attestation { .. } => "attestation.json".to_owned(),
    }
}

fn invocation(scan: &Scan, context: &Context) -> Value {
    let notifications: Vec<Value> = scan
        .coverage
        .skipped
        .iter()
        .map(|skipped| {
            let [place, detail] = [&skipped.place, &skipped.detail].map(|text| place::clean(&context.redactor, text));
            let level = if skipped.reason.is_harmless() { "note" } else { "warning" };
            json!({ "level": level, "message": { "text": format!("{place}: {}: {detail}", skipped.reason) }, "descriptor": { "id": skipped.reason.as_str() } })
        })
        .collect();
    json!({ "executionSuccessful": scan.coverage.is_complete(), "toolExecutionNotifications": notifications })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Exposure, testing};
    use super::*;

    fn write(scan: &Scan) -> Value {
        let mut out = Vec::new();
        Sarif.write(scan, &testing::context(scan, Exposure::Redacted), &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn the_types_of_another_implementation_read_it() {
        for scan in [testing::empty(), testing::rich()] {
            let log: serde_sarif::sarif::Sarif = serde_json::from_value(write(&scan)).unwrap();
            assert_eq!(log.runs[0].results.as_ref().unwrap().len(), scan.findings.len());
        }
    }

    #[test]
    fn artifacts_are_relative_and_say_the_layer() {
        let log = write(&testing::rich());
        let location = &log["runs"][0]["results"][1]["locations"][0];
        assert_eq!(location["physicalLocation"]["artifactLocation"]["uri"], "app/.env");
        assert_eq!(location["physicalLocation"]["region"]["startLine"], 3);
        assert_eq!(location["logicalLocations"][1]["name"], "layer 1");
        assert_eq!(location["logicalLocations"][2]["name"], "COPY . .");
        assert_eq!(log["runs"][0]["results"][6]["suppressions"][0]["justification"], "placeholder: it says so: ****");
        assert_eq!(log["runs"][0]["results"][4]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "config.json");
    }

    #[test]
    fn a_path_with_odd_bytes_is_a_uri() {
        let log = write(&testing::rich());
        let uri = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        assert_eq!(uri, "app/README%1B%5B2J.md");
    }

    #[test]
    fn each_result_points_to_its_rule() {
        let log = write(&testing::rich());
        let run = &log["runs"][0];
        for result in run["results"].as_array().unwrap() {
            let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
            assert_eq!(rule["id"], result["ruleId"]);
        }
    }
}
