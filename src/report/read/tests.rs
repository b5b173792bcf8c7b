#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::super::{Exposure, FormatName, sanitise, testing};
use super::*;
use crate::finding::{Counterpart, DockerfileFix, Evidence, Novelty, Origin, Part, Place, Reason, Remembered, Severity, Spot, StepFacts};

fn write(scan: &Scan, name: FormatName, exposure: Exposure) -> String {
    let mut out = Vec::new();
    name.format().write(scan, &testing::context(scan, exposure), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// One of everything, after a comparison.
fn compared() -> Scan {
    let mut scan = testing::rich();
    scan.fingerprint_key = Some("0123456789abcdef".to_owned());
    let words = [Novelty::New, Novelty::Moved, Novelty::Known];
    for (index, finding) in scan.findings.iter_mut().enumerate() {
        finding.novelty = Some(words[index % 3]);
    }
    let finding = &mut scan.findings[3];
    finding.note = Some("expires in a year".to_owned());
    finding.host = Some("db.acme-bank.net".to_owned());
    finding.pair = vec![finding.id.clone()];
    finding.severity = Severity::Low;
    let what = "certificate of shop.example".to_owned();
    let counterpart = Counterpart { what, path: b"/etc/ssl/shop.pem".to_vec(), layer: Some(1) };
    finding.key.as_mut().unwrap().counterparts = vec![counterpart];
    let pointer = "/subject/0".to_owned();
    let position = scan.findings[0].place.position().unwrap();
    scan.findings[1].also.extend([
        Place::Annotation { document: "index".to_owned(), pointer: pointer.clone() },
        Place::Attestation { document: "sha256:0".to_owned(), pointer },
        Place::LayerFile {
            layer: 0,
            path: b"/x".to_vec(),
            inner: Vec::new(),
            part: Part::Pax("SCHILY.xattr.user.x".to_owned()),
            position: None,
        },
        Place::LayerFile { layer: 0, path: b"/x".to_vec(), inner: Vec::new(), part: Part::LinkTarget, position: None },
        Place::LayerBytes { layer: 2, position },
    ]);
    let fix = scan.findings[1].dockerfile.clone().unwrap();
    scan.findings[2].dockerfile = Some(Box::new(DockerfileFix { spot: Spot::Unknown, replacement: None, ignore: None, ..*fix.clone() }));
    scan.findings[3].dockerfile = Some(Box::new(DockerfileFix { spot: Spot::Base { image: "debian:12".to_owned() }, ..*fix }));
    let step = |created_by: &str, layer| StepFacts { created_by: Some(created_by.to_owned()), layer };
    scan.images[0].history = vec![step("ENV PASSWORD=swordfish-77", None), step("COPY . .", Some(1))];
    // By another evidence than the layers.
    scan.findings[4].origin = Origin::Inherited(Evidence::History);
    let former = Remembered {
        id: "f".to_owned(),
        secret_id: "s".to_owned(),
        rule: "example-token".to_owned(),
        severity: Severity::High,
        place: "/gone/swordfish-77:1".to_owned(),
    };
    scan.fixed = Some(vec![former]);
    scan
}

#[test]
fn a_report_that_is_read_and_written_is_the_same() {
    for exposure in [Exposure::Redacted, Exposure::Shown] {
        for scan in [testing::empty(), testing::rich(), compared()] {
            let report = write(&scan, FormatName::Json, exposure);
            assert_eq!(write(&read(&report).unwrap(), FormatName::Json, exposure), report);
        }
    }
}

#[test]
fn every_format_of_a_report_is_that_of_its_scan() {
    for scan in [testing::empty(), testing::rich(), compared()] {
        let back = read(&write(&scan, FormatName::Json, Exposure::Redacted)).unwrap();
        for name in FormatName::all() {
            assert_eq!(write(&back, name, Exposure::Redacted), write(&scan, name, Exposure::Redacted), "{name}");
        }
        let shown = read(&write(&scan, FormatName::Json, Exposure::Shown)).unwrap();
        for name in FormatName::all() {
            assert_eq!(write(&shown, name, Exposure::Shown), write(&scan, name, Exposure::Shown), "{name} with secrets");
        }
    }
}

#[test]
fn secrets_that_a_report_shows_are_redacted_again() {
    let shown = read(&write(&testing::rich(), FormatName::Json, Exposure::Shown)).unwrap();
    for name in FormatName::all() {
        let text = write(&shown, name, Exposure::Redacted);
        assert!(testing::SECRETS.iter().all(|secret| !text.contains(secret)), "{name}");
    }
    // Which part of it is a public marker the report does not say.
    assert_eq!(shown.findings[1].secret.redacted(), "****(24)");
    assert_eq!(shown.findings[7].secret.expose(), b"\xff\xfe\x00binary");
}

#[test]
fn what_redaction_left_is_taken_for_no_secret() {
    let mut scan = testing::rich();
    scan.images[0].layers[0].created_by = Some("RUN login ****(12) tok_****(24)".to_owned());
    let report = write(&scan, FormatName::Json, Exposure::Redacted);
    let back = read(&report).unwrap();
    assert!(back.findings.iter().all(|finding| finding.secret.is_withheld()));
    assert_eq!(write(&back, FormatName::Json, Exposure::Redacted), report);
    assert_eq!(write(&back, FormatName::Json, Exposure::Shown), report);
}

#[test]
fn every_reason_is_read_back() {
    let all = [
        Reason::MissingBlob,
        Reason::MalformedDocument,
        Reason::MalformedDigest,
        Reason::DamagedStream,
        Reason::TruncatedArchive,
        Reason::TrailingBytes,
        Reason::MalformedEntry,
        Reason::NotAnArchive,
        Reason::Encrypted,
        Reason::DigestMismatch,
        Reason::DiffIdMismatch,
        Reason::SizeMismatch,
        Reason::TooLarge,
        Reason::TooDeep,
        Reason::WorkLimit,
        Reason::FindingsLimit,
        Reason::EntriesLimit,
        Reason::Unreadable,
        Reason::NotAFile,
        Reason::Foreign,
        Reason::NotAnImage,
    ];
    let mut scan = testing::empty();
    for reason in all {
        scan.coverage.skip(reason, "", None, "");
    }
    assert_eq!(read(&write(&scan, FormatName::Json, Exposure::Redacted)).unwrap(), scan);
}

fn rich() -> Value {
    serde_json::from_str(&write(&compared(), FormatName::Json, Exposure::Redacted)).unwrap()
}

#[test]
fn fields_and_members_of_later_versions_are_passed_over() {
    let mut report = rich();
    let plain = read(&report.to_string()).unwrap();
    for at in ["", "/tool", "/images/0", "/images/0/layers/0", "/findings/1", "/findings/1/place", "/findings/1/place/layer", "/coverage"] {
        report.pointer_mut(at).unwrap()["later"] = json!({ "a": [1, { "b": null }] });
    }
    assert_eq!(read(&report.to_string()).unwrap(), plain);
}

#[test]
fn an_error_says_where_and_what_and_quotes_nothing() {
    let table = [
        ("/schema", json!(2), "it is a report of schema 2, and only schema 1 is known"),
        ("/schema", json!("hunter2"), "it is not a JSON report of layersift: expected u64 at line 1 column 19"),
        (
            "/images/0/layers/1/index",
            json!(2),
            "its `images[0].layers[1].index` cannot be used: expected 1: layers stand in their order, base first",
        ),
        (
            "/images/0/platform",
            json!("hunter2"),
            "its `images[0].platform` cannot be used: expected os/architecture or os/architecture/variant",
        ),
        ("/findings/1/image", json!(7), "its `findings[1].image` cannot be used: there is no such image"),
        ("/findings/1/id", json!(""), "its `findings[1].id` cannot be used: expected a fingerprint"),
        (
            "/findings/1/docs",
            json!("javascript:hunter2"),
            "its `findings[1].docs` cannot be used: expected an address that begins with https:// or http://",
        ),
        (
            "/findings/1/place/kind",
            json!("hunter2"),
            "its `findings[1].place.kind` cannot be used: not a kind of place that this version knows",
        ),
        ("/findings/1/place/layer/index", json!(3), "its `findings[1].place.layer.index` cannot be used: the image has no such layer"),
        ("/findings/1/place/layer", json!(null), "its `findings[1].place.layer` cannot be used: expected a layer"),
        ("/findings/1/also/1/pointer", json!(null), "its `findings[1].also[1].pointer` cannot be used: expected a JSON pointer"),
        (
            "/findings/1/visibility/state",
            json!("hunter2"),
            "its `findings[1].visibility.state` cannot be used: expected in-final-image, overwritten or deleted",
        ),
        (
            "/findings/1/place/line",
            json!(0),
            "its `findings[1].place.line` cannot be used: expected line and column, from 1, and offset, or none of them",
        ),
        ("/complete", json!(true), "its `complete` cannot be used: `coverage` says otherwise"),
    ];
    for (at, value, message) in table {
        let mut report = rich();
        *report.pointer_mut(at).unwrap() = value;
        assert_eq!(read(&report.to_string()).unwrap_err().to_string(), message, "{at}");
    }
    // What the deserializer finds it gives line and column of, too.
    for (at, value, message) in [
        ("/coverage/layers", json!(-1), "its `coverage.layers` cannot be used: expected u64 at "),
        ("/coverage/layers", json!(1.5), "its `coverage.layers` cannot be used: expected u64 at "),
        ("/coverage/skipped_more", json!(u64::MAX), "its `coverage.skipped_more` cannot be used: expected a number below 2^53 at "),
        ("/findings/1/severity", json!("hunter2"), "its `findings[1].severity` cannot be used: expected one of `low`, "),
        ("/findings/1/secret", json!(12_345_678), "its `findings[1].secret` cannot be used: expected a string at "),
        ("/images/0/digest", json!("sha256:hunter2"), "its `images[0].digest` cannot be used: expected sha256: and 64 "),
        ("/coverage/skipped/0/reason", json!("hunter2"), "its `coverage.skipped[0].reason` cannot be used: expected one of `missing-blob`"),
    ] {
        let mut report = rich();
        *report.pointer_mut(at).unwrap() = value;
        let error = read(&report.to_string()).unwrap_err().to_string();
        assert!(error.starts_with(message) && !error.contains("hunter2") && !error.contains("12345678"), "{error}");
    }
}

#[test]
fn what_is_no_report_is_said_to_be_none() {
    let deep = "[".repeat(200_000);
    let nested = format!("{{\"schema\":1,\"x\":{deep}");
    for text in ["", "hello", "[]", "{}", "null", "{\"schema\":-1}", "{\"schema\":1", &deep, &nested] {
        assert!(matches!(read(text), Err(ReportError::NoReport { .. })), "{:.20}", text);
    }
    assert!(matches!(read("{\"schema\":1}"), Err(ReportError::Field { .. })));
}

#[test]
fn sizes_that_no_image_has_are_refused() {
    let mut report = rich();
    let size = json!((1_u64 << 53) - 1);
    report["images"][0]["layers"] = (0..5_000).map(|index| json!({ "index": index, "size": size })).collect();
    let error = read(&report.to_string()).unwrap_err().to_string();
    assert_eq!(error, "its `images[0].layers` cannot be used: their sizes add up to more than any image has");
}

#[test]
fn what_is_said_to_be_inherited_without_evidence_is_a_guess() {
    let mut report = rich();
    let finding = report["findings"][1].as_object_mut().unwrap();
    finding.insert("origin".to_owned(), "inherited".into());
    finding.shift_remove("origin_evidence");
    assert_eq!(read(&report.to_string()).unwrap().findings[1].origin, Origin::Inherited(Evidence::History));
}

/// All nodes of a value.
fn pointers(value: &Value, at: String, out: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(index, item)| pointers(item, format!("{at}/{index}"), out)),
        Value::Object(fields) => fields.iter().for_each(|(name, field)| pointers(field, format!("{at}/{name}"), out)),
        _ => {}
    }
    out.push(at);
}

#[test]
fn a_report_of_anybody_is_refused_or_written_without_harm() {
    const HOSTILE: &str = "https://x/\u{1b}[2J\u{202e}\n::error::<script>alert(1)</script>|`]]>](javascript:x)\u{0}";
    let mut report = rich();
    report["findings"].as_array_mut().unwrap().truncate(4);
    let mut all = Vec::new();
    pointers(&report, String::new(), &mut all);
    let values = [json!(null), json!(-1), json!((1_u64 << 53) - 1), json!(1e300), json!(HOSTILE), json!([]), json!({}), json!(true)];
    let mut taken = 0;
    for (at, value) in all.iter().flat_map(|at| values.iter().map(move |value| (at, value))) {
        let mut changed = report.clone();
        *changed.pointer_mut(at).unwrap() = value.clone();
        let Ok(scan) = read(&changed.to_string()) else { continue };
        taken += 1;
        for name in FormatName::all() {
            let text = write(&scan, name, Exposure::Redacted);
            let is_harmless = |c: char| "\r\n".contains(c) || !sanitise::is_dangerous(c);
            assert!(text.chars().all(is_harmless), "{name} of {at} {value}");
            assert!(
                name != FormatName::Github || text.lines().all(|line| line.starts_with("::") && !line.starts_with("::error::")),
                "{at}"
            );
            assert!(name != FormatName::Html || text.matches("<script").count() == 1, "{at}");
            assert!(name != FormatName::Markdown || !text.contains("(javascript:"), "{at} {text}");
        }
    }
    assert!(taken > 100 && taken < all.len() * values.len() / 2, "{taken} of {}", all.len() * values.len());
}
