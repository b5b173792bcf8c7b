//! Allow-lists and comments: what a project accepts is listed as suppressed and passes the gate.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use layersift::random::Random;
use layersift::source::builder::{ImageBuilder, LayerBuilder};
use serde_json::Value;

use crate::cli::{Run, program};
use crate::support::*;

/// Two secrets, in `/srv/test/a` and `/app/b`.
fn image() -> ImageBuilder {
    ImageBuilder::new().tag("example.org/shop:1").layer("COPY . .", |layer| {
        layer.file("/srv/test/a", token("a"));
        layer.file("/app/b", token("b"));
    })
}

/// A repository with an image and an ignore file.
fn with(image: &ImageBuilder, ignored: &str) -> Temp {
    let temp = Temp::new();
    temp.file(".git/HEAD", "");
    temp.file("app.tar", image.docker25().unwrap());
    temp.file(".layersiftignore", ignored);
    temp
}

fn run(temp: &Temp, words: &str) -> Run {
    run_in(temp, "", words)
}

fn run_in(temp: &Temp, folder: &str, words: &str) -> Run {
    let mut program = program();
    Run::new(program.env_remove("LAYERSIFT_CONFIG").current_dir(temp.path(folder)).args(words.split_whitespace()).output().unwrap())
}

fn json(temp: &Temp, flags: &str) -> (Run, Value) {
    let run = run(temp, &format!("scan app.tar --format json {flags}"));
    let report = valid(&run.stdout);
    (run, report)
}

/// Paths and suppressions of all findings.
fn suppressions(report: &Value) -> Vec<(&str, &str)> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings.map(|finding| (finding["place"]["path"].as_str().unwrap(), finding["suppressed"]["detail"].as_str().unwrap_or("-"))).collect()
}

#[test]
fn what_all_entries_together_allow_passes_the_gate() {
    let temp = with(&image(), "# ours\nrule:github-* path:/srv/test/** -- of the emulator\n");
    let (first, report) = json(&temp, "");
    assert_eq!(first.code, 1);
    assert_eq!(suppressions(&report), [("/srv/test/a", "of the emulator (.layersiftignore:2)"), ("/app/b", "-")]);
    assert_eq!(report["findings"][0]["suppressed"]["reason"], "allowed");

    let other = report["findings"][1]["id"].as_str().unwrap();
    temp.file(".layersiftignore", format!("path:/srv/test/ -- r\n{other} image:example.org/* -- revoked\n"));
    let second = run(&temp, "scan app.tar");
    assert_eq!((second.code, second.stderr.as_str()), (0, ""), "{}", second.stdout);
    assert!(second.stdout.contains("Suppressed: 2 (2 allowed); --show-suppressed lists them."), "{}", second.stdout);

    let listed = run(&temp, "scan app.tar --show-suppressed").stdout;
    assert!(listed.contains("/app/b:1\n        allowed: revoked (.layersiftignore:2)\n"), "{listed}");
    assert!(!listed.contains(token("b").trim()), "{listed}");
}

#[test]
fn an_expired_entry_and_one_that_matches_nothing_are_said() {
    let ignored =
        "path:** until:2001-12-31 -- old\nrule:no-such-rule -- r\nimage:other/* path:** -- not here\npath:/app/b until:9999-12-31 -- r\n";
    let temp = with(&image(), ignored);
    let (scanned, report) = json(&temp, "");
    assert_eq!(scanned.code, 1);
    let states: Vec<_> = report["allow"].as_array().unwrap().iter().map(|entry| (&entry["state"], &entry["count"])).collect();
    let expected =
        [("expired", 2), ("unused", 0), ("other-image", 0), ("used", 1)].map(|(state, count)| (Value::from(state), Value::from(count)));
    assert_eq!(states, expected.iter().map(|(state, count)| (state, count)).collect::<Vec<_>>());
    let notes = "note: allow-list entries that have expired: .layersiftignore:1 on 2001-12-31; what they match (2) is not suppressed by them\n\
                 note: allow-list entries that match nothing: .layersiftignore:2\n";
    assert_eq!(scanned.stderr, notes);
    assert_eq!(run(&temp, "scan app.tar --quiet").stderr, "");
    // Not all rules ran, so that nothing can be said of the entries of others.
    assert!(!run(&temp, "scan app.tar --only github-*").stderr.contains("match nothing"));
}

#[test]
fn an_ignore_file_is_found_above_named_or_left_alone() {
    let temp = with(&image(), "path:** -- r\n");
    temp.file("build/deep/none", "");
    temp.file("other", "path:/app/** -- r\n");
    let within = |words: &str| run_in(&temp, "build/deep", words);
    let found = within("scan ../../app.tar --show-suppressed");
    assert_eq!(found.code, 0);
    assert!(found.stdout.replace('\\', "/").contains("(../../.layersiftignore:1)"), "{}", found.stdout);
    assert_eq!(within("scan ../../app.tar --no-ignore").code, 1);
    assert_eq!(within("scan ../../app.tar --ignore-file ../../other").code, 1);
    assert_eq!(within("scan ../../app.tar --no-ignore --ignore-file x").code, 2);
    // Not beyond the folder that holds the repository.
    temp.file("build/.git/HEAD", "");
    assert_eq!(within("scan ../../app.tar").code, 1);

    let missing = run(&temp, "scan app.tar --ignore-file no-such-file");
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.starts_with("error: cannot read no-such-file: "), "{}", missing.stderr);
}

#[test]
fn a_project_file_allows_as_well() {
    let temp = with(&image(), "path:/app/** -- r\n");
    let project =
        "gate.exit-code = 9\n\n[[allow]]\nrule = 'github-*'\npath = '/srv/test/'\nuntil = 9999-12-31\nreason = 'of the emulator'\n";
    temp.file("layersift.toml", project);
    let (scanned, report) = json(&temp, "");
    assert_eq!((scanned.code, scanned.stderr.as_str()), (0, ""));
    assert_eq!(suppressions(&report), [("/srv/test/a", "of the emulator (layersift.toml:3)"), ("/app/b", "r (.layersiftignore:1)")]);
    assert_eq!(report["allow"].as_array().unwrap().len(), 2);
    assert_eq!(run(&temp, "scan app.tar --no-ignore").code, 9);
    assert_eq!(run(&temp, "baseline create app.tar").code, 0);
    assert!(!std::fs::read_to_string(temp.path("layersift-baseline.json")).unwrap().contains("/srv/test/a"));

    // Beside a project file that is named, if there is none on the way up.
    temp.file("elsewhere/.git/HEAD", "");
    assert_eq!(run_in(&temp, "elsewhere", "scan ../app.tar --config ../layersift.toml").code, 0);
    assert_eq!(run_in(&temp, "elsewhere", "scan ../app.tar").code, 1);

    temp.file("layersift.toml", "[[allow]]\npath = '/a'\n\nrules = 'x'\nreason = 'r'\n");
    let refused = run(&temp, "scan app.tar");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("layersift.toml:4: unknown field `rules`"), "{}", refused.stderr);
}

#[test]
fn a_line_that_makes_no_sense_is_named_and_not_quoted() {
    let temp = with(&image(), &format!("path:** -- r\npath:/a {} -- r\n", token("mistake")));
    let refused = run(&temp, "scan app.tar");
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    assert!(refused.stderr.starts_with("error: .layersiftignore:2:9: a word that is no criterion\nhint: "), "{}", refused.stderr);
    assert!(!refused.stderr.contains(token("mistake").trim()));
}

#[test]
fn a_baseline_does_not_know_what_is_allowed() {
    let temp = with(&image(), "path:/app/** -- r\n");
    assert_eq!(run(&temp, "baseline create app.tar").code, 0);
    let text = std::fs::read_to_string(temp.path("layersift-baseline.json")).unwrap();
    assert!(text.contains("/srv/test/a") && !text.contains("/app/b"), "{text}");
    assert_eq!(run(&temp, "scan app.tar --baseline layersift-baseline.json").code, 0);
    assert_eq!(run(&temp, "scan app.tar --baseline layersift-baseline.json --no-ignore").code, 1);
}

/// One line of 200 KiB with `comment` at `distance` bytes behind the secret.
fn long_line(comment: &str, distance: usize) -> String {
    let far = ";".repeat(100 << 10);
    format!("{far} k = '{}'; {}{comment}\n{far}", token("long"), ";".repeat(distance))
}

#[test]
fn a_comment_on_the_line_of_a_secret_accepts_it() {
    let hidden = token("reason");
    let image = ImageBuilder::new().layer("COPY . .", |layer| {
        layer.file("/a.py", format!("x = 1\nk = '{}'  # gitleaks:allow of the emulator\n", token("a")));
        layer.file("/b.py", format!("k = '{}'  # layersift:allow {TOKEN_RULE} not {hidden}\x1b[2J\n", token("b")));
        layer.file("/c.js", long_line("// layersift:allow", 1_000));
        layer.file("/d.txt", format!("layersift:allow {}", STANDARD.encode(format!("key {} ", token("d")))));
    });
    let temp = with(&image, "");
    let (scanned, report) = json(&temp, "");
    assert_eq!(scanned.code, 0, "{}", scanned.stderr);
    let details = suppressions(&report);
    assert!(details.contains(&("/a.py", "the line says gitleaks:allow: of the emulator")), "{details:?}");
    assert!(details.contains(&("/b.py", "the line says layersift:allow: not ****\u{1b}[2J")), "{details:?}");
    assert!(details.contains(&("/c.js", "the line says layersift:allow")), "{details:?}");
    assert!(details.contains(&("/d.txt", "the line says layersift:allow")), "{details:?}");
    let table = run(&temp, "scan app.tar --show-suppressed").stdout;
    assert!(table.contains(r"not ****\x1b[2J") && !table.contains(&hidden), "{table}");

    let (ignored, report) = json(&temp, "--no-inline-allow");
    assert_eq!(ignored.code, 1);
    assert!(suppressions(&report).iter().all(|(_, detail)| *detail == "-"));
}

#[test]
fn a_comment_elsewhere_or_for_another_rule_accepts_nothing() {
    let image = ImageBuilder::new().env("TOKEN", &format!("{} gitleaks:allow", token("env"))).layer("COPY . .", |layer| {
        layer.file("/a.py", format!("# layersift:allow\nk = '{}'\n# layersift:allow\n", token("a")));
        layer.file("/b.py", format!("k = '{}'  # layersift:allow aws-access-key\n", token("b")));
        layer.file("/c.js", long_line("// layersift:allow", 3_000));
    });
    let temp = with(&image, "");
    let (_, report) = json(&temp, "");
    assert_eq!(report["findings"].as_array().unwrap().len(), 4);
    assert!(report["findings"].as_array().unwrap().iter().all(|finding| finding["suppressed"].is_null()), "{report:#}");
}

#[test]
fn a_comment_does_not_hide_the_same_secret_on_another_line() {
    let secret = token("twice");
    let image = ImageBuilder::new().layer("COPY . .", |layer| layer.file("/a", format!("{secret} # layersift:allow\n\n{secret}\n")));
    let temp = with(&image, "");
    let (scanned, report) = json(&temp, "");
    assert_eq!(scanned.code, 1);
    let lines: Vec<_> =
        report["findings"].as_array().unwrap().iter().map(|finding| (&finding["place"]["line"], finding["suppressed"].is_null())).collect();
    assert_eq!(lines, [(&Value::from(1), false), (&Value::from(3), true)]);
}

/// An Ed25519 key in PKCS #8 (RFC 8410, section 7).
fn private_key() -> String {
    let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let body = STANDARD.encode([head.as_slice(), &Random::new(9).bytes(32)].concat());
    let [begin, end] = ["BEGIN", "END"].map(|word| format!("-----{word} PRIVATE KEY-----"));
    format!("{begin}\n{body}\n{end}")
}

#[test]
fn a_key_is_accepted_on_the_line_that_begins_it() {
    let key = private_key();
    let image = ImageBuilder::new().layer("COPY . .", |layer| {
        layer.file("/a.conf", format!("key = \"\"\" layersift:allow {key}\"\"\"\n"));
        layer.file("/b.conf", format!("layersift:allow\n{key}\n"));
    });
    let temp = with(&image, "");
    let (_, report) = json(&temp, "");
    assert_eq!(suppressions(&report), [("/a.conf", "the line says layersift:allow"), ("/b.conf", "-")], "{report:#}");
}

#[test]
fn a_comment_in_a_member_that_belongs_to_no_image_accepts_no_other_member() {
    let secret = token("member");
    let mut inner = LayerBuilder::new();
    inner.file("/a", format!("{secret} # layersift:allow\n"));
    inner.file("/b", &secret);
    let mut outer = LayerBuilder::new();
    outer.file("odd.tar", inner.finish());
    let archive = ImageBuilder::new().layer("COPY . .", |layer| layer.file("/motd", "hello\n")).docker25().unwrap();
    let end = (archive.iter().rposition(|byte| *byte != 0).unwrap() + 1).next_multiple_of(512);
    let temp = Temp::new();
    temp.file("app.tar", [&archive[..end], &outer.finish()].concat());
    let (scanned, report) = json(&temp, "");
    assert_eq!(scanned.code, 1);
    assert_eq!(suppressions(&report), [("odd.tar!/a", "the line says layersift:allow"), ("odd.tar!/b", "-")], "{report:#}");
}
