//! GitLab's secret detection report (security report schema 15): what `artifacts:reports:secret_detection` takes.
//!
//! The container scanning form is not used: each of its findings must name a package and its version, and a secret has neither.

use std::io;

use serde::Serialize;
use serde_json::{Value, json};

use super::json::{self, Each};
use super::said::Said;
use super::{Context, Format, Times};
use crate::finding::{Finding, Scan, Severity};

/// Of GitLab's security report schemas; 15.x readers take all of 15.
const SCHEMA_VERSION: &str = "15.0.2";
/// Most characters of a name, by the schema.
const MAX_NAME: usize = 255;
/// Most characters of a solution, by the schema.
const MAX_SOLUTION: usize = 7_000;

/// The format.
pub(super) struct Gitlab;

impl Format for Gitlab {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        let report = Report {
            version: SCHEMA_VERSION,
            scan: header(scan, &context.times),
            vulnerabilities: Each(&scan.findings, |finding: &Finding| vulnerability(scan, context, finding)),
        };
        json::write(out, &report)
    }
}

#[derive(Serialize)]
struct Report<V: Serialize> {
    version: &'static str,
    scan: Value,
    vulnerabilities: V,
}

fn header(scan: &Scan, times: &Times) -> Value {
    let tool = json!({
        "id": "layersift",
        "name": "layersift",
        "version": env!("CARGO_PKG_VERSION"),
        "vendor": { "name": "layersift" },
    });
    json!({
        "analyzer": tool,
        "scanner": tool,
        "type": "secret_detection",
        "start_time": times.started(),
        "end_time": times.ended(),
        "status": if scan.coverage.is_complete() { "success" } else { "failure" },
    })
}

fn vulnerability(scan: &Scan, context: &Context, finding: &Finding) -> Value {
    let said = Said::new(scan, context, finding);
    let fix = said.fix();
    let mut details = serde_json::Map::new();
    let image = scan.images.get(finding.image);
    for (key, name, value) in [
        ("image", "Image", Some(said.image())),
        ("digest", "Image digest", image.and_then(|image| image.digest.as_ref()).map(ToString::to_string)),
        ("layer", "Layer", said.layer()),
        ("life", "State", said.life()),
        ("origin", "Origin", said.origin()),
        ("secret", "Secret", Some(said.secret())),
        ("confidence", "Confidence", Some(finding.confidence.to_string())),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            details.insert(key.to_owned(), json!({ "type": "text", "name": name, "value": value }));
        }
    }
    let description = [said.title()].into_iter().chain(said.details()).collect::<Vec<_>>().join("\n\n");
    // Paths in the report are of the repository, and so without a slash in front.
    let mut location = json!({ "file": said.path().trim_start_matches('/'), "commit": { "sha": "0000000" } });
    if let Some(position) = finding.place.position() {
        location["start_line"] = position.line.into();
    }
    let mut identifier =
        json!({ "type": "layersift_rule_id", "name": format!("layersift rule {}", finding.rule.id), "value": finding.rule.id });
    if let Some(page) = &fix.page {
        identifier["url"] = page.as_str().into();
    }
    let solution = [format!("{} {}", fix.rotate, fix.persists)].into_iter().chain(fix.change).collect::<Vec<_>>().join("\n");
    let mut vulnerability = json!({
        "id": finding.id,
        "category": "secret_detection",
        "name": shorten(&finding.rule.description, MAX_NAME),
        "description": description,
        "severity": severity(finding.severity),
        "solution": shorten(&solution, MAX_SOLUTION),
        "scanner": { "id": "layersift", "name": "layersift" },
        "location": location,
        "identifiers": [identifier],
        "details": details,
    });
    if let Some(reason) = said.suppression() {
        vulnerability["flags"] = json!([{ "type": "flagged-as-likely-false-positive", "origin": "layersift", "description": reason }]);
    }
    vulnerability
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

fn shorten(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Exposure, testing};
    use super::*;

    fn write(scan: &Scan) -> Value {
        let mut out = Vec::new();
        Gitlab.write(scan, &testing::context(scan, Exposure::Redacted), &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_finding_is_where_gitlab_looks_for_it() {
        let scan = testing::rich();
        let report = write(&scan);
        let finding = &report["vulnerabilities"][1];
        assert_eq!(finding["location"]["file"], "app/.env");
        assert_eq!(finding["location"]["start_line"], 3);
        assert_eq!(finding["severity"], "Critical");
        assert_eq!(finding["identifiers"][0]["value"], "example-token");
        assert_eq!(report["vulnerabilities"][6]["flags"][0]["description"], "placeholder: it says so: ****");
        assert_eq!(report["scan"]["status"], "failure");
        assert_eq!(report["scan"]["start_time"], "1970-01-01T00:00:00");
    }

    #[test]
    fn an_empty_scan_succeeded() {
        let report = write(&testing::empty());
        assert_eq!((&report["scan"]["status"], &report["vulnerabilities"]), (&"success".into(), &json!([])));
    }
}
