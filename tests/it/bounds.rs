//! What is too much is cut, and said.

use layersift::finding::Reason;
use layersift::random::Random;
use layersift::report::Exposure;
use layersift::scan::{Limits, Options};
use layersift::source::builder::ImageBuilder;

use crate::support::*;

#[test]
fn findings_of_documents_beyond_the_bound_are_counted() {
    let image =
        (0..30).fold(ImageBuilder::new(), |image, number| image.env(&format!("TOKEN_{number}"), &token(&format!("bound {number}"))));
    let temp = Temp::new();
    let path = temp.file("image.tar", image.docker_archive().unwrap());
    let options = Options { limits: Limits { findings_per_layer: 10, ..Limits::default() }, ..Options::default() };
    let scan = sound(scan_text(path.to_str().unwrap(), &options));
    assert_eq!(scan.findings.len(), 10);
    assert!(reasons(&scan).contains(&Reason::FindingsLimit), "{:?}", scan.coverage.skipped);
    assert!(!scan.coverage.is_complete());
}

#[test]
fn two_secrets_on_one_line_are_two_findings() {
    let (one, other) = (token("one"), secret("npm-access-token", "other"));
    let password = Random::new(7).text(b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 20);
    let line = format!("run --token {one} --npm={other} DB_PASSWORD={password} https://robot:Xk2{password}@db.internal/\n");
    let scan = scan_image(&ImageBuilder::new().layer("COPY . /", |layer| layer.file("/run.sh", &line)));
    for secret in [&one, &other, &password, &format!("Xk2{password}")] {
        let finding = only(&scan, secret);
        let position = finding.place.position().unwrap();
        assert_eq!((position.line, position.column), (1, line.find(secret.as_str()).unwrap() as u64 + 1), "{}", finding.rule.id);
    }
}

#[test]
fn a_line_as_long_as_a_file_costs_a_bounded_report() {
    let line: String = (0..3_000).map(|number| format!("token={} {} ", token(&format!("long {number}")), "x".repeat(1_000))).collect();
    let scan = scan_image(&ImageBuilder::new().layer("COPY . /", |layer| layer.file("/bundle.js", &line)));
    assert_eq!(scan.findings.len(), Options::default().limits.findings_per_file);
    assert!(reasons(&scan).contains(&Reason::FindingsLimit), "{:?}", scan.coverage.skipped);
    let report = report(&scan, Exposure::Redacted);
    assert!(report.len() < 4 << 20, "{}", report.len());
}
