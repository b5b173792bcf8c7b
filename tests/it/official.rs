//! Reports are held to the official schemas of their formats, which `tests/official` fetches. `OFFICIAL_SCHEMAS` names their folder.

use std::path::PathBuf;
use std::process::Command;

use jsonschema::{Retrieve, Uri};
use layersift::finding::{Confidence, Scan};
use layersift::report::{Exposure, FormatName};
use layersift::source::builder::ImageBuilder;
use serde_json::Value;

use crate::support::*;

fn schemas() -> PathBuf {
    std::env::var_os("OFFICIAL_SCHEMAS").expect("OFFICIAL_SCHEMAS has to name the folder that `tests/official` filled").into()
}

/// Finds the schemas that a schema refers to beside it.
struct Beside;

impl Retrieve for Beside {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = uri.path().as_str().rsplit('/').next().unwrap_or_default();
        Ok(serde_json::from_slice(&std::fs::read(schemas().join(name))?)?)
    }
}

/// An empty scan, the example, and names that mean something to XML, JSON, Markdown and shells.
fn scans() -> Vec<Scan> {
    let temp = Temp::new();
    let hostile = ImageBuilder::new().layer("COPY <![CDATA[ ]]> & \u{1b}[31m \u{7} /", |layer| {
        for name in ["<img src=x onerror=alert(1)>", "a|b`c", "]]>", "\u{202e}txt", "a&b;\"'", "=1+1", "::error::x", "\u{b}"] {
            layer.file(format!("/app/{name}"), token("hostile"));
        }
        // Suppressed, and a guess.
        layer.file("/app/allowed", format!("TOKEN={} # layersift:allow\n", token("allowed")));
        layer.file("/app/settings.ini", "user = robot\npassword = opensesame77\n");
    });
    let empty = ImageBuilder::new().layer("COPY nothing /", |layer| layer.file("/nothing", "nothing\n"));
    let read = |name: &str, image: ImageBuilder| scan(&temp.file(name, image.docker25().unwrap()));
    let hostile = read("hostile.tar", hostile);
    assert!(hostile.findings.iter().any(|finding| finding.suppressed.is_some()), "{:?}", hostile.findings);
    assert!(hostile.findings.iter().any(|finding| finding.confidence == Confidence::Possible), "{:?}", hostile.findings);
    vec![Scan::new("none"), read("empty.tar", empty), scan_example(), hostile]
}

#[track_caller]
fn holds(format: FormatName, schema: &str) {
    let mut schema: Value = serde_json::from_slice(&std::fs::read(schemas().join(schema)).unwrap()).unwrap();
    // SARIF's pattern for a language, which no report has, is no regular expression of ECMA-262: a bracket too many.
    for part in ["run", "toolComponent"] {
        if let Some(language) = schema.pointer_mut(&format!("/definitions/{part}/properties/language")) {
            language.as_object_mut().unwrap().remove("pattern");
        }
    }
    let schema = jsonschema::options().with_retriever(Beside).build(&schema).unwrap();
    for scan in scans() {
        let report: Value = serde_json::from_slice(&write(&scan, format, Exposure::Redacted)).unwrap();
        let problems: Vec<String> =
            schema.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).take(5).collect();
        assert_eq!(problems, Vec::<String>::new(), "{format}");
    }
}

#[test]
#[ignore = "needs the official schemas; tests/run includes it where they can be fetched"]
fn sarif_holds_to_the_schema_of_oasis() {
    holds(FormatName::Sarif, "sarif.json");
}

#[test]
#[ignore = "needs the official schemas; tests/run includes it where they can be fetched"]
fn cyclonedx_holds_to_its_schema() {
    holds(FormatName::CycloneDx, "bom-1.6.SNAPSHOT.schema.json");
}

#[test]
#[ignore = "needs the official schemas and xmllint; tests/run includes it where they are"]
fn junit_holds_to_the_schema_of_jenkins() {
    let temp = Temp::new();
    for scan in scans() {
        let path = temp.file("report.xml", write(&scan, FormatName::Junit, Exposure::Redacted));
        let output =
            Command::new("xmllint").args(["--noout", "--nonet", "--schema"]).arg(schemas().join("junit.xsd")).arg(path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// What is asked of a report in GitLab's documentation and in its schema 15, whose text no package registry has.
#[test]
fn gitlab_reports_have_all_that_gitlab_asks_for() {
    let texts = |of: &Value, fields: &[&str]| {
        for field in fields {
            assert!(of[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {of}");
        }
    };
    for scan in scans() {
        let report: Value = serde_json::from_slice(&write(&scan, FormatName::Gitlab, Exposure::Redacted)).unwrap();
        assert_eq!((&report["version"], &report["scan"]["type"]), (&"15.0.2".into(), &"secret_detection".into()));
        for part in ["analyzer", "scanner"] {
            texts(&report["scan"][part], &["id", "name", "version"]);
            texts(&report["scan"][part]["vendor"], &["name"]);
        }
        for time in ["start_time", "end_time"] {
            let time = report["scan"][time].as_str().unwrap();
            assert!(time.len() == 19 && time.as_bytes()[10] == b'T', "{time}");
        }
        for finding in report["vulnerabilities"].as_array().unwrap() {
            texts(finding, &["id", "name", "description", "solution"]);
            assert!(["Low", "Medium", "High", "Critical"].iter().any(|severity| finding["severity"] == *severity));
            texts(&finding["location"]["commit"], &["sha"]);
            texts(&finding["identifiers"][0], &["type", "name", "value"]);
            for detail in finding["details"].as_object().unwrap().values() {
                texts(detail, &["type", "name", "value"]);
            }
            assert!(finding.get("raw_source_code_extract").is_none());
        }
    }
}

#[test]
fn no_format_shows_a_secret_of_the_example_to_a_second_scan() {
    let temp = Temp::new();
    let example = scan_example();
    for format in FormatName::all() {
        temp.file(&format!("{format}/report.{format}"), write(&example, format, Exposure::Redacted));
        let again = scan(&temp.path(format.as_str()));
        let found: Vec<_> = again.findings.iter().map(|finding| (&finding.rule.id, &finding.place)).collect();
        assert!(found.is_empty(), "{format}: {found:?}");
        // And it would have found them, but for what is cut into annotations, and attestations, which hold none in any case.
        let shows_none = matches!(format, FormatName::Github | FormatName::Intoto | FormatName::IntotoPredicate);
        temp.file(&format!("{format}/report.{format}"), write(&example, format, Exposure::Shown));
        assert!(!scan(&temp.path(format.as_str())).findings.is_empty() || shows_none, "{format}");
    }
}
