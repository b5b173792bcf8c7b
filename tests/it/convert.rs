//! Reports read back: written in another format, compared, and streamed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use layersift::finding::Scan;
use layersift::report::{Exposure, FormatName, read};
use layersift::source::builder::ImageBuilder;
use serde_json::Value;

use crate::cli::{Run, program};
use crate::support::*;

fn run(folder: &Temp, words: &str) -> Run {
    Run::new(program().current_dir(folder.path("")).args(words.split_whitespace()).output().unwrap())
}

/// An image of the scenario in `app.tar`, and its reports.
fn with_reports() -> (Temp, Vec<String>) {
    let scenario = scenario();
    let temp = Temp::new();
    temp.file("app.tar", scenario.image.docker25().unwrap());
    for (name, flags) in [("report.json", ""), ("shown.json", "--show-secrets")] {
        assert_eq!(run(&temp, &format!("scan app.tar --format json --output {name} {flags}")).code, 1);
    }
    (temp, scenario.secrets)
}

fn both(scan: &Scan) -> Scan {
    let text = report(scan, Exposure::Redacted);
    let back = read(&text).unwrap();
    assert_eq!(report(&back, Exposure::Redacted), text);
    let shown = report(scan, Exposure::Shown);
    assert_eq!(report(&read(&shown).unwrap(), Exposure::Shown), shown);
    back
}

#[test]
fn scans_of_all_kinds_are_read_back_whole() {
    let odd = ImageBuilder::new().layer("COPY \u{1b}[31m .", |layer| {
        layer.file(b"/app/\xff\xfe", token("odd"));
        layer.file("/app/\u{202e}x", format!("TOKEN={}\n", token("odd")));
    });
    for scan in [scan_example(), scan_image(&scenario().image), scan_image(&odd)] {
        let back = both(&scan);
        for format in FormatName::all() {
            let [given, expected] = [&back, &scan].map(|scan| String::from_utf8(write(scan, format, Exposure::Redacted)).unwrap());
            assert_eq!(given, expected, "{format}");
        }
    }
}

#[test]
fn a_converted_report_is_what_the_scan_would_have_written() {
    let (temp, secrets) = with_reports();
    for format in FormatName::all() {
        // What these begin with depends on the clock, or on the scan going on.
        let has_times = matches!(format, FormatName::Gitlab | FormatName::Intoto | FormatName::IntotoPredicate);
        if has_times || format == FormatName::Jsonl {
            continue;
        }
        for flags in ["", "--fail-on never", "--min-confidence confirmed"] {
            let scanned = run(&temp, &format!("scan app.tar --format {format} {flags}"));
            let converted = run(&temp, &format!("convert report.json --format {format} {flags}"));
            assert_eq!((converted.code, converted.stderr.as_str()), (0, ""), "{format}");
            assert_eq!(converted.stdout, scanned.stdout, "{format} {flags}");
        }
    }
    // Several at a time, one of them over the report itself.
    assert_eq!(run(&temp, "convert report.json -o report.json --format json --output csv=app.csv").code, 0);
    valid(&std::fs::read_to_string(temp.path("report.json")).unwrap());
    assert_eq!(std::fs::read_to_string(temp.path("app.csv")).unwrap().lines().count(), secrets.len() + 1);
}

#[test]
fn secrets_stay_redacted_unless_asked_for() {
    let (temp, secrets) = with_reports();
    for format in FormatName::all() {
        let redacted = run(&temp, &format!("convert shown.json --format {format}")).stdout;
        assert!(secrets.iter().all(|secret| !redacted.contains(secret.as_str())), "{format}");
    }
    let shown = run(&temp, "convert shown.json --format json --show-secrets").stdout;
    assert_eq!(shown, std::fs::read_to_string(temp.path("shown.json")).unwrap());
    let withheld = run(&temp, "convert report.json --format json --show-secrets").stdout;
    assert_eq!(withheld, std::fs::read_to_string(temp.path("report.json")).unwrap());
}

#[test]
fn a_report_may_come_on_standard_input_and_what_is_none_is_two() {
    let (temp, _) = with_reports();
    let text = std::fs::read(temp.path("report.json")).unwrap();
    let mut child = program().args(["convert", "-", "--format", "json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&text).unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, text);

    temp.file("none.json", "{\"schema\": 1, \"findings\": 7}");
    for (file, message) in [
        ("none.json", "error: cannot use none.json: its `findings` cannot be used: expected a sequence at line 1 column 27"),
        ("app.tar", "error: cannot "),
        ("missing.json", "error: cannot read missing.json: "),
    ] {
        let run = run(&temp, &format!("convert {file}"));
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.starts_with(message)), (2, "", true), "{}", run.stderr);
    }
}

/// `release` changes every layer; `token` is in it at `path`.
fn image(release: &str, path: &str, seed: &str) -> ImageBuilder {
    ImageBuilder::new().layer("COPY . .", |layer| {
        layer.file("/app/release", release);
        layer.file("/app/kept", token("kept"));
        layer.file(path, token(seed));
    })
}

/// Three releases: in `b.tar` a token has moved, in `c.tar` it is another one. The report of the first is `a.json`.
fn releases() -> Temp {
    let temp = Temp::new();
    for (name, path, seed) in [("a", "/app/token", "first"), ("b", "/srv/token", "first"), ("c", "/app/token", "second")] {
        temp.file(&format!("{name}.tar"), image(name, path, seed).docker25().unwrap());
    }
    assert_eq!(run(&temp, "scan a.tar --format json --output a.json").code, 1);
    temp
}

#[test]
fn a_comparison_says_what_is_new_moved_and_fixed() {
    let temp = releases();
    assert_eq!(run(&temp, "scan c.tar --format json --output c.json").code, 1);
    for (words, code, summary) in [
        ("a.tar a.tar", 0, "0 new, 0 moved, 2 known, 0 fixed"),
        ("a.tar b.tar", 0, "0 new, 1 moved, 1 known, 0 fixed"),
        ("a.tar c.tar", 1, "1 new, 0 moved, 1 known, 1 fixed"),
        ("a.json c.tar", 1, "1 new, 0 moved, 1 known, 1 fixed"),
        ("report:a.json c.json", 1, "1 new, 0 moved, 1 known, 1 fixed"),
        ("c.json docker-archive:a.tar", 1, "1 new, 0 moved, 1 known, 1 fixed"),
        ("a.json c.json --fail-on never", 0, "1 new, 0 moved, 1 known, 1 fixed"),
    ] {
        let run = run(&temp, &format!("diff {words}"));
        assert_eq!((run.code, run.stdout.lines().last()), (code, Some(summary)), "{words}: {}{}", run.stdout, run.stderr);
    }
    let report = valid(&run(&temp, "diff a.json c.tar --format json").stdout);
    assert_eq!(report["fixed"][0]["place"], "/app/token:1");
    assert_eq!(report["findings"].as_array().unwrap().iter().filter(|finding| finding["novelty"] == "new").count(), 1);
    assert!(run(&temp, "diff a.json c.tar --format markdown").stdout.contains("Fixed since the baseline: 1"));
}

#[test]
fn what_cannot_be_compared_is_two() {
    let temp = releases();
    temp.file("key", "a key of the project's own\n");
    for (words, message) in [
        ("a.json c.tar --key-file key", "were made without a key"),
        ("a.json", "two images or reports can be compared, and 1 were given"),
        ("a.json missing.tar", "missing.tar"),
        ("missing.tar a.json", "missing.tar"),
        ("report:a.tar c.tar", "cannot "),
    ] {
        let run = run(&temp, &format!("diff {words}"));
        assert_eq!((run.code, run.stderr.contains(message)), (2, true), "{words}: {}", run.stderr);
    }
    assert_eq!(run(&temp, "diff a.tar c.tar --key-file key").code, 1);
}

#[test]
fn a_new_image_that_could_not_be_read_is_three() {
    let temp = releases();
    // The layer is not the one that its digest names.
    let mut bytes = std::fs::read(temp.path("a.tar")).unwrap();
    let at = bytes.windows(12).position(|window| window == b"/app/release" || window == &b"app/release\0"[..]).unwrap();
    bytes[at + 4] = b'R';
    temp.file("broken.tar", bytes);
    let run = run(&temp, "diff a.json broken.tar");
    assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
}

fn lines(text: &str) -> Vec<Value> {
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'l>(lines: &'l [Value], kind: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

#[test]
fn a_stream_is_the_same_at_any_number_of_threads_and_wherever_it_goes() {
    let (temp, secrets) = with_reports();
    let streams = [1, 2, 8].map(|jobs| run(&temp, &format!("scan app.tar --format jsonl --jobs {jobs}")).stdout);
    assert!(streams[0] == streams[1] && streams[1] == streams[2]);
    assert!(secrets.iter().all(|secret| !streams[0].contains(secret.as_str())));
    run(&temp, "scan app.tar --output jsonl=app.jsonl");
    assert_eq!(std::fs::read_to_string(temp.path("app.jsonl")).unwrap(), streams[0]);

    let scanned = lines(&streams[0]);
    let report = valid(&std::fs::read_to_string(temp.path("report.json")).unwrap());
    assert_eq!((&scanned[0]["type"], &scanned[0]["tool"]), (&"start".into(), &report["tool"]));
    assert_eq!((&scanned[scanned.len() - 1]["type"], &scanned[scanned.len() - 1]["complete"]), (&"end".into(), &true.into()));
    let layers = of(&scanned, "layer");
    assert_eq!(Some(layers.len() as u64), report["coverage"]["layers"].as_u64());
    for layer in report["images"][0]["layers"].as_array().unwrap() {
        assert!(layers.iter().any(|read| read["diff_id"] == layer["diff_id"]), "{layer}");
    }
    // All but the three in documents.
    assert_eq!(layers.iter().map(|layer| layer["found"].as_u64().unwrap()).sum::<u64>(), secrets.len() as u64 - 3);
    assert_eq!(of(&scanned, "finding").len(), secrets.len());

    // A report that is read back has no layer being read, and is the same but for these.
    let converted = lines(&run(&temp, "convert report.json --format jsonl").stdout);
    let without: Vec<&Value> = scanned.iter().filter(|line| line["type"] != "layer").collect();
    assert_eq!(converted.iter().collect::<Vec<_>>(), without);
}

#[test]
fn a_layer_is_told_of_before_the_image_has_come() {
    let image = ImageBuilder::new().layer("COPY a /", |layer| layer.file("/token", token("early")));
    let image = image.layer("COPY b /", |layer| layer.file("/noise", layersift::random::Random::new(5).text(b"abcdef \n", 3 << 20)));
    let archive = image.docker25().unwrap();
    let (most, last) = archive.split_at(archive.len() - 1024);
    let mut child = program().args(["scan", "-", "--format", "jsonl"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    stdin.write_all(most).unwrap();
    let mut early = String::new();
    while !early.contains("\"found\":1") {
        assert!(stdout.read_line(&mut early).unwrap() > 0, "{early}");
    }
    stdin.write_all(last).unwrap();
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(!early.contains("\"finding\"") && rest.contains("{\"type\":\"end\","), "{early}{rest}");
}

#[test]
fn both_schemas_are_printed() {
    let temp = Temp::new();
    let schemas = ["", " --format jsonl"].map(|flags| run(&temp, &format!("schema{flags}")).stdout);
    assert_eq!(schemas, [layersift::report::JSON_SCHEMA, layersift::report::JSONL_SCHEMA]);
    assert_eq!(run(&temp, "schema --format sarif").code, 2);
}
