//! Baselines: what is known passes the gate in a rebuilt image, what is new does not, and what is gone is said.

use layersift::source::builder::ImageBuilder;

use crate::cli::{Run, program};
use crate::support::*;

const PASSWORD: &str = "kV7x2qLw9tGz";

/// Two secrets; `release` changes every layer's digest and nothing else.
fn image(release: &str) -> ImageBuilder {
    let image = ImageBuilder::new().layer("COPY rootfs /", |layer| layer.file("/etc/release", release));
    image.layer("COPY . .", |layer| {
        layer.file("/app/release", release);
        layer.file("/app/token", token("known"));
        layer.file("/app/.env", format!("DB_URL=postgres://app:{PASSWORD}@db.acme-bank.net:5432/app\n"));
    })
}

fn run(temp: &Temp, words: &str) -> Run {
    Run::new(program().current_dir(temp.path("")).args(words.split_whitespace()).output().unwrap())
}

/// A folder with the baseline of the first release.
fn with_baseline() -> Temp {
    let temp = Temp::new();
    temp.file("app.tar", image("1").docker25().unwrap());
    let created = run(&temp, "baseline create app.tar");
    assert_eq!(created.code, 0, "{}", created.stderr);
    temp
}

#[test]
fn a_rebuilt_image_with_the_same_leak_passes() {
    let temp = with_baseline();
    temp.file("app.tar", image("2").docker25().unwrap());
    assert_eq!(run(&temp, "scan app.tar").code, 1);
    let again = run(&temp, "scan app.tar --baseline layersift-baseline.json");
    assert_eq!(again.code, 0, "{}", again.stdout);
    assert!(again.stdout.contains("[known]"), "{}", again.stdout);
}

#[test]
fn a_new_secret_fails_and_a_fixed_one_is_said() {
    let temp = with_baseline();
    let later = ImageBuilder::new().layer("COPY . .", |layer| {
        layer.file("/app/token", token("another"));
        layer.file("/app/.env", format!("DB_URL=postgres://app:{PASSWORD}@db.acme-bank.net:5432/app\n"));
    });
    temp.file("app.tar", later.docker25().unwrap());
    let report = run(&temp, "scan app.tar --baseline layersift-baseline.json --format json");
    assert_eq!(report.code, 1, "{}", report.stderr);
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    let novelties: Vec<_> = report["findings"].as_array().unwrap().iter().map(|finding| finding["novelty"].as_str().unwrap()).collect();
    assert_eq!(novelties.iter().filter(|novelty| **novelty == "new").count(), 1, "{novelties:?}");
    assert_eq!(report["fixed"][0]["place"], "/app/token:1");

    let diff = run(&temp, "baseline diff app.tar");
    assert_eq!(diff.code, 1);
    assert!(diff.stdout.contains("1 new, 0 moved, 1 known, 1 fixed"), "{}", diff.stdout);
    assert_eq!(run(&temp, "baseline update app.tar").code, 0);
    assert_eq!(run(&temp, "baseline diff app.tar").code, 0);
}

#[test]
fn a_changed_password_at_the_same_place_is_new() {
    let temp = with_baseline();
    let later = ImageBuilder::new()
        .layer("COPY . .", |layer| layer.file("/app/.env", "DB_URL=postgres://app:kV7x2qLw9tGy@db.acme-bank.net:5432/app\n"));
    temp.file("app.tar", later.docker25().unwrap());
    assert_eq!(run(&temp, "scan app.tar --baseline layersift-baseline.json").code, 1);
}

#[test]
fn a_baseline_holds_no_secret() {
    let temp = with_baseline();
    let text = std::fs::read_to_string(temp.path("layersift-baseline.json")).unwrap();
    assert!(text.contains("/app/.env") && !text.contains(PASSWORD) && !text.contains(token("known").trim()), "{text}");
}

#[test]
fn another_key_is_an_error_that_says_what_to_do() {
    let temp = with_baseline();
    temp.file("key", "a key of the project's own\n");
    let run = run(&temp, "scan app.tar --baseline layersift-baseline.json --key-file key");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("were made without a key") && run.stderr.contains("hint: give the key"), "{}", run.stderr);
}

#[test]
fn a_baseline_is_not_overwritten_by_chance() {
    let temp = with_baseline();
    let again = run(&temp, "baseline create app.tar");
    assert_eq!(again.code, 2);
    assert!(again.stderr.contains("baseline update"), "{}", again.stderr);
}
