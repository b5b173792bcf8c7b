//! How a finding came about: the facts in the report, the words of `explain`, and what it says to write, tried out.

use layersift::random::Random;
use layersift::report::Exposure;
use layersift::scan::{Explain, Options};
use layersift::source::builder::ImageBuilder;
use serde_json::{Value, json};

use crate::cli::{Run, program};
use crate::support::*;

/// A password that only the scorer judges, tokens with a checksum (one in base64, one in a package), one whose checksum is wrong, and a dummy.
fn image() -> ImageBuilder {
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("token: {}\n", token("encoded")));
    let mut wrong = token("wrong");
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    ImageBuilder::new()
        .layer("RUN apt-get update && apt-get install -y x", |layer| {
            layer.file("/usr/lib/x/token", token("package"));
            layer.file(
                "/var/lib/dpkg/status",
                "Package: x\nStatus: install ok installed\nMaintainer: X <x@example.org>\nArchitecture: all\nVersion: 1-2\n\n",
            );
            let sum: String = <md5::Md5 as md5::Digest>::digest(token("package")).iter().map(|byte| format!("{byte:02x}")).collect();
            layer.file("/var/lib/dpkg/info/x.md5sums", format!("{sum}  usr/lib/x/token\n"));
        })
        .layer("COPY . /app", move |layer| {
            layer.file("/app/config.yml", format!("user: shop\npassword: {}\n", password()));
            layer.file("/app/token.py", format!("TOKEN = '{}'\n", token("python")));
            layer.file("/app/wrong", wrong);
            layer.file("/app/dummy", format!("AKIA{}EXAMPLE\n", Random::new(3).text(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 9)));
            layer.file("/app/encoded", encoded);
            layer.file("/app/data.json", format!("{{\"token\": \"{}\"}}\n", token("json")));
        })
}

fn password() -> String {
    Random::new(5).text(b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 20)
}

/// The image as a file, and its report with explanations.
fn explained() -> (Temp, Value) {
    let temp = Temp::new();
    temp.file("app.tar", image().docker_archive().unwrap());
    let run = layersift(&temp, "scan app.tar --explain --format json --output report.json");
    assert_eq!(run.code, 1, "{}", run.stderr);
    let report = valid(&std::fs::read_to_string(temp.path("report.json")).unwrap());
    (temp, report)
}

fn layersift(temp: &Temp, words: &str) -> Run {
    Run::new(program().current_dir(temp.path("")).args(words.split_whitespace()).output().unwrap())
}

#[track_caller]
fn of<'r>(report: &'r Value, path: &str) -> &'r Value {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["place"]["path"] == path).unwrap_or_else(|| panic!("nothing in {path}"))
}

fn checks(finding: &Value) -> Vec<(&str, &str)> {
    let checks = finding["explanation"]["checks"].as_array().unwrap();
    checks.iter().map(|one| (one["check"].as_str().unwrap(), one["outcome"].as_str().unwrap())).collect()
}

fn id(finding: &Value) -> &str {
    finding["id"].as_str().unwrap()
}

#[test]
fn a_report_has_the_facts_if_it_was_asked_for_them() {
    let (temp, report) = explained();
    let token = of(&report, "/app/token.py");
    let explanation = &token["explanation"];
    assert_eq!((&explanation["matcher"], &explanation["keyword"]), (&json!("marker"), &json!("ghp_")));
    assert_eq!(explanation["window"], json!({ "before": 0, "after": 41 }));
    assert_eq!(checks(token), [("entropy", "passed"), ("placeholder", "passed"), ("checksum", "passed")]);
    assert_eq!(explanation["ownership"], json!({ "verdict": "unowned", "claims": [] }));
    assert_eq!(explanation["score"], Value::Null);

    let password = of(&report, "/app/config.yml");
    assert_eq!(password["explanation"]["matcher"], "assignment");
    assert_eq!(checks(password), [("placeholder", "passed"), ("score", "passed")]);
    let score = &password["explanation"]["score"];
    assert!(score["probability"].as_f64().unwrap() > 0.9, "{score}");
    assert_eq!(score["reasons"].as_array().unwrap().len(), 3);

    let wrong = of(&report, "/app/wrong");
    assert!(checks(wrong).contains(&("checksum", "failed")) && wrong["confidence"] == "possible", "{wrong}");
    let dummy = of(&report, "/app/dummy");
    assert!(checks(dummy).contains(&("placeholder", "failed")) && dummy["suppressed"]["reason"] == "placeholder", "{dummy}");
    assert_eq!(dummy["explanation"]["ownership"]["verdict"], "not-asked");

    // The package is not one of the distribution: its database is not believed, and says so.
    let ownership = &of(&report, "/usr/lib/x/token")["explanation"]["ownership"];
    assert_eq!(ownership["verdict"], "not-believed");
    let package = json!({ "manager": "dpkg", "name": "x", "version": "1-2" });
    let claim = json!({ "package": package, "layer": 0, "hash_agrees": true, "is_published": false, "is_installed": true });
    assert_eq!(ownership["claims"], json!([claim]));

    let plain = valid(&layersift(&temp, "scan app.tar --format json").stdout);
    assert!(plain["findings"].as_array().unwrap().iter().all(|finding| finding.get("explanation").is_none()));
    // All else is the same.
    let mut without = report.clone();
    without["findings"].as_array_mut().unwrap().iter_mut().for_each(|finding| {
        finding.as_object_mut().unwrap().remove("explanation");
    });
    assert_eq!(without, plain);
}

#[test]
fn explaining_shows_no_secret_in_any_format() {
    let (temp, report) = explained();
    let ids: Vec<&str> = report["findings"].as_array().unwrap().iter().map(id).collect();
    let explained = layersift(&temp, &format!("explain report.json {}", ids.join(" "))).stdout;
    let table = layersift(&temp, "scan app.tar --explain --show-suppressed").stdout;
    let lines = layersift(&temp, "scan app.tar --explain --format jsonl").stdout;
    for secret in ["package", "python", "json", "encoded"].map(token).into_iter().chain([password()]) {
        for text in [&report.to_string(), &explained, &table, &lines] {
            assert!(!text.contains(&secret), "{text}");
        }
    }
    assert!(lines.contains("\"explanation\""));
    assert!(table.contains("passed checksum: the crc32-base62 agrees"), "{table}");
}

#[test]
fn a_finding_is_explained_from_a_report_or_from_its_image() {
    let (temp, report) = explained();
    let password = of(&report, "/app/config.yml");
    let from_report = layersift(&temp, &format!("explain report.json {}", &id(password)[..8]));
    let from_image = layersift(&temp, &format!("explain app.tar {}", id(password).to_uppercase()));
    assert_eq!((from_report.code, from_report.stderr.as_str()), (0, ""));
    assert_eq!(from_report.stdout, from_image.stdout);
    let text = from_report.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        "in /app/config.yml:2",
        "Brought by layer 1 (COPY . /app)",
        "the rule looks for a value that is given to a name: \"password\" woke it",
        "most of all by: the value looks random (+",
        "no package database of the image has the hash of this file",
        "nothing says that it is inherited",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
    let encoded = layersift(&temp, &format!("explain report.json {}", id(of(&report, "/app/encoded")))).stdout;
    assert!(encoded.contains("Decoded from base64"), "{encoded}");
    let package = layersift(&temp, &format!("explain report.json {}", id(of(&report, "/usr/lib/x/token")))).stdout;
    let doubted = "x 1-2 (dpkg), in the database of layer 0: nothing says that the package is a published one";
    assert!(package.contains(doubted), "{package}");
    let dummy = layersift(&temp, &format!("explain report.json {}", id(of(&report, "/app/dummy")))).stdout;
    assert!(dummy.contains("Suppressed: placeholder") && dummy.contains("To make it count"), "{dummy}");
    assert!(!dummy.contains("To accept it"), "{dummy}");
}

#[test]
fn what_it_says_to_write_accepts_the_finding() {
    let (temp, report) = explained();
    let python = of(&report, "/app/token.py");
    let text = layersift(&temp, &format!("explain report.json {}", id(python))).stdout;
    let after = |heading: &str, lines: usize| -> Vec<String> {
        let rest = text.split_once(heading).unwrap_or_else(|| panic!("{heading} in {text}")).1;
        rest.lines().skip(1).take(lines).map(|line| line.trim().to_owned()).collect()
    };
    let accepts = |name: &str, content: String| {
        temp.file(name, content);
        let scanned = valid(&layersift(&temp, "scan app.tar --format json").stdout);
        assert_eq!(of(&scanned, "/app/token.py")["suppressed"]["reason"], "allowed", "{name}");
        assert_eq!(of(&scanned, "/app/data.json")["suppressed"], Value::Null, "{name}");
        std::fs::remove_file(temp.path(name)).unwrap();
    };
    // The folder of a repository, so that no other project file is found.
    temp.file(".git/HEAD", "");
    accepts(".layersiftignore", after("in .layersiftignore:", 1).join("\n"));
    let project = after("in layersift.toml:", 3).join("\n");
    temp.file("p.toml", project);
    let scanned = valid(&layersift(&temp, "scan app.tar --format json --config p.toml").stdout);
    assert_eq!(of(&scanned, "/app/token.py")["suppressed"]["reason"], "allowed");

    let comment = after("on its line, /app/token.py:1:", 1).join("");
    let image = ImageBuilder::new()
        .layer("COPY . /app", |layer| layer.file("/app/token.py", format!("TOKEN = '{}'  {comment}\n", token("python"))));
    let scan = scan_image(&image);
    assert_eq!(only(&scan, &token("python")).suppressed.as_ref().unwrap().reason, "allowed", "{comment}");
    // A JSON file has no comments.
    let json = layersift(&temp, &format!("explain report.json {}", id(of(&report, "/app/data.json")))).stdout;
    assert!(!json.contains("on its line"), "{json}");
}

#[test]
fn a_report_without_explanations_says_where_to_get_one() {
    let (temp, report) = explained();
    layersift(&temp, "scan app.tar --format json --output plain.json");
    let wanted = id(of(&report, "/app/token.py"));
    let run = layersift(&temp, &format!("explain plain.json {wanted}"));
    assert_eq!(run.code, 0);
    let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&format!("layersift explain docker-archive:app.tar {wanted}")), "{text}");
    // What the report does have is told all the same.
    assert!(run.stdout.contains("Brought by layer 1"), "{}", run.stdout);
}

#[test]
fn wrong_usage_is_said() {
    let (temp, _) = explained();
    for (words, message) in [
        ("explain report.json", "at least one fingerprint"),
        ("explain report.json zz", "no finding whose fingerprint begins with `zz`"),
        ("explain no-such-image.tar 00", "no-such-image.tar"),
    ] {
        let run = layersift(&temp, words);
        assert!(run.code == 2 && run.stderr.contains(message), "{words}: {}", run.stderr);
    }
    let mut empty = program();
    let run = Run::new(empty.current_dir(temp.path("")).args(["explain", "report.json", ""]).output().unwrap());
    assert_eq!(run.code, 2);
}

#[test]
fn several_findings_that_begin_alike_are_named() {
    let image = (0..40).fold(ImageBuilder::new(), |image, number| {
        image.layer("COPY . /", move |layer| layer.file(format!("/{number}"), token(&format!("alike {number}"))))
    });
    let scan = scan_image(&image);
    let temp = Temp::new();
    temp.file("report.json", report(&scan, Exposure::Redacted));
    let first = |scan: &layersift::finding::Scan| {
        let digits: Vec<&str> = scan.findings.iter().map(|finding| &finding.id[..1]).collect();
        digits.iter().find(|digit| digits.iter().filter(|other| other == digit).count() > 1).map(ToString::to_string)
    };
    // Of forty fingerprints two begin with the same of sixteen digits.
    let run = layersift(&temp, &format!("explain report.json {}", first(&scan).unwrap()));
    assert!(run.code == 2 && run.stderr.contains("begins the fingerprints of several findings: "), "{}", run.stderr);
}

#[test]
fn the_cache_keeps_explanations_apart() {
    let temp = Temp::new();
    let path = temp.file("app.tar", image().docker_archive().unwrap());
    let scan = |flags: &str| {
        let mut program = program();
        program.env_remove("LAYERSIFT_NO_CACHE").env("LAYERSIFT_CACHE_DIR", temp.path("cache"));
        let run = Run::new(program.arg("scan").arg(&path).args(flags.split_whitespace()).args(["--format", "json"]).output().unwrap());
        run.stdout
    };
    let plain = scan("");
    let cold = scan("--explain");
    assert_ne!(plain, cold);
    assert_eq!(scan("--explain"), cold);
    assert_eq!(scan(""), plain);
}

#[test]
fn a_file_that_was_not_hashed_is_not_called_unowned() {
    let temp = Temp::new();
    let large = [vec![b' '; 5 << 20], token("large").into_bytes()].concat();
    let path = temp.file("app.tar", ImageBuilder::new().layer("COPY . /", |layer| layer.file("/large", large)).docker_archive().unwrap());
    let scan = sound(scan_text(path.to_str().unwrap(), &Options { explain: Explain::Candidates, ..Options::default() }));
    let explanation = only(&scan, &token("large")).explanation.clone().unwrap();
    assert_eq!(explanation.ownership.unwrap().verdict.as_str(), "not-hashed");
}
