//! The program as people and pipelines run it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use layersift::layer::decode::Compression;
use layersift::source::builder::{ImageBuilder, compress};

use crate::support::*;

pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn new(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// The program, which sees none of our variables and a project file that sets nothing.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_layersift"));
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("LAYERSIFT_")) {
        command.env_remove(name);
    }
    // What somebody keeps at home is not for tests.
    command.env("LAYERSIFT_NO_CACHE", "true");
    // Nor is what a containerd of the machine holds.
    command.env_remove("CONTAINERD_NAMESPACE").env("CONTAINERD_ROOT", "/no/such/folder");
    command.env("LAYERSIFT_CONFIG", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/nothing.toml"));
    command
}

/// `layersift scan PATH FLAGS`.
fn scan(path: &Path, flags: &str) -> Run {
    Run::new(program().arg("scan").arg(path).args(flags.split_whitespace()).output().unwrap())
}

/// With an image in `image.tar`.
fn with_image(image: &ImageBuilder) -> (Temp, std::path::PathBuf) {
    let temp = Temp::new();
    let path = temp.file("image.tar", image.docker25().unwrap());
    (temp, path)
}

/// One finding of severity critical, in a file that is deleted.
pub(crate) fn deleted() -> ImageBuilder {
    let image = ImageBuilder::new().layer("COPY . .", |layer| layer.file("/token", token("cli")));
    image.layer("RUN rm /token", |layer| layer.whiteout("/token"))
}

fn clean() -> ImageBuilder {
    ImageBuilder::new().layer("COPY . .", |layer| layer.file("/motd", "hello\n"))
}

/// A layer that is cut off, with nothing in it.
pub(crate) fn damaged() -> ImageBuilder {
    let mut whole = layersift::source::builder::LayerBuilder::new();
    whole.file("/noise", layersift::random::Random::new(3).text(b"abcdef \n", 100_000));
    let whole = whole.finish();
    let blob = compress(&whole, Compression::Gzip).unwrap();
    ImageBuilder::new().stored_layer("COPY . .", &blob[..blob.len() / 2], layersift::oci::Digest::sha256(&whole))
}

#[test]
fn the_exit_code_says_what_the_scan_came_to() {
    let (_found, found) = with_image(&deleted());
    let (_clean, clean) = with_image(&clean());
    let (_damaged, damaged) = with_image(&damaged());
    let table = [
        (&clean, "", 0),
        (&found, "", 1),
        (&found, "--exit-code 42", 42),
        (&found, "--fail-on critical", 1),
        (&found, "--fail-on never", 0),
        (&found, "--severity low,medium", 0),
        (&found, "--severity critical", 1),
        (&found, "--scope final", 0),
        (&found, "--scope deleted", 1),
        (&damaged, "", 3),
        (&damaged, "--exit-code 42", 3),
        (&damaged, "--fail-on never", 3),
        (&damaged, "--require-complete", 1),
        (&damaged, "--require-complete --fail-on never --exit-code 42", 42),
        (&clean, "--require-complete", 0),
        (&clean, "--no-such-flag", 2),
        (&clean, "--exit-code 3", 2),
    ];
    for (path, flags, code) in table {
        let run = scan(path, flags);
        assert_eq!(run.code, code, "{} {flags}\n{}{}", path.display(), run.stdout, run.stderr);
    }
}

#[test]
fn what_cannot_be_opened_is_two_and_spares_the_others() {
    let (temp, found) = with_image(&deleted());
    let missing = temp.path("missing.tar");
    let run = scan(&missing, "");
    assert_eq!((run.code, run.stderr.contains("error: "), run.stderr.contains("hint: ")), (2, true, true), "{}", run.stderr);
    assert!(run.stderr.contains("missing.tar"), "{}", run.stderr);

    let output = program().arg("scan").args([&missing, &found]).args(["--format", "json"]).output().unwrap();
    let run = Run::new(output);
    let report = valid(&run.stdout);
    assert_eq!((run.code, report["findings"].as_array().unwrap().len(), &report["complete"]), (2, 1, &false.into()));
}

#[test]
fn nothing_to_read_is_no_clean_image() {
    let temp = Temp::new();
    let (plain, compressed) = (temp.file("plain", ""), temp.file("compressed", compress(b"", Compression::Gzip).unwrap()));
    for path in [&plain, &compressed] {
        let stdin = std::fs::File::open(path).unwrap();
        let run = Run::new(program().args(["scan", "-"]).stdin(stdin).output().unwrap());
        assert_eq!((run.code, run.stderr.contains("error: -: there is nothing in it\nhint: ")), (2, true), "{}", run.stderr);
    }
    assert_eq!(scan(&plain, "").code, 2);
}

#[test]
fn standard_input_is_an_image_or_a_layer() {
    let (_temp, path) = with_image(&deleted());
    let archive = std::fs::read(path).unwrap();
    for (what, bytes) in [("plain", archive.clone()), ("compressed", compress(&archive, Compression::Gzip).unwrap())] {
        let mut child = program()
            .args(["scan", "-", "--format", "json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&bytes).unwrap();
        drop(stdin);
        let run = Run::new(child.wait_with_output().unwrap());
        let report = valid(&run.stdout);
        assert_eq!(run.code, 1, "{what}: {}", run.stderr);
        assert_eq!(
            (&report["findings"][0]["rule"], &report["findings"][0]["visibility"]["state"]),
            (&TOKEN_RULE.into(), &"deleted".into())
        );
        assert_eq!(report["complete"], true, "{what}: {}", report["coverage"]);
    }
}

#[test]
fn no_secret_is_shown_unless_asked_for() {
    let scenario = scenario();
    let (temp, path) = with_image(&scenario.image);
    for format in ["table", "json"] {
        let run = scan(&path, &format!("--format {format}"));
        assert_eq!(run.code, 1);
        for secret in &scenario.secrets {
            // Neither whole nor in part: what follows the public marker is never shown.
            for part in [secret.as_str(), &secret[4..24], &secret[16..]] {
                assert!(!run.stdout.contains(part) && !run.stderr.contains(part), "{format} shows a secret");
            }
        }
        let shown = scan(&path, &format!("--format {format} --show-secrets --scope all"));
        let missing = scenario.secrets.iter().filter(|secret| !shown.stdout.contains(secret.as_str())).count();
        assert_eq!(missing, 0, "{format} shows them on request:\n{}", shown.stdout);
    }
    // What is filtered out is redacted all the same: the instruction stays in the list of layers.
    let run = scan(&path, "--format json --scope deleted");
    assert!(run.stdout.contains("RUN |1 CI_TOKEN="), "{}", run.stdout);
    assert!(scenario.secrets.iter().all(|secret| !run.stdout.contains(secret.as_str())));
    drop(temp);
}

#[test]
fn in_a_pipe_nothing_is_said_but_the_report() {
    let (temp, path) = with_image(&deleted());
    for format in ["table", "json"] {
        let run = scan(&path, &format!("--format {format}"));
        assert_eq!(run.stderr, "", "{format}");
        assert!(!run.stdout.contains('\u{1b}'), "{format}: no escape sequences");
    }
    let file = temp.path("report.json");
    let run = scan(&path, &format!("--format json --output {}", file.display()));
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (1, "", ""));
    valid(&std::fs::read_to_string(file).unwrap());
}

#[test]
fn filters_choose_what_is_listed() {
    let scenario = scenario();
    let (_temp, path) = with_image(&scenario.image);
    let states = |flags: &str| {
        let report = valid(&scan(&path, &format!("--format json {flags}")).stdout);
        let findings = report["findings"].as_array().unwrap().clone();
        findings.iter().map(|finding| finding["visibility"]["state"].as_str().unwrap_or("none").to_owned()).collect::<Vec<_>>()
    };
    let (all, last, deleted) = (states(""), states("--scope final"), states("--scope deleted"));
    assert_eq!((all.len(), last.len(), deleted.len()), (8, 5, 3));
    assert!(last.iter().all(|state| state == "in-final-image" || state == "none"), "{last:?}");
    assert!(deleted.iter().all(|state| state == "deleted" || state == "overwritten"), "{deleted:?}");
    assert_eq!(states("--severity low"), Vec::<String>::new());
}

#[test]
fn the_number_of_threads_does_not_show() {
    let (_temp, path) = with_image(&scenario().image);
    let reports = [1, 2, 8].map(|jobs| scan(&path, &format!("--format json --jobs {jobs}")).stdout);
    valid(&reports[0]);
    assert!(reports[0] == reports[1] && reports[1] == reports[2]);
}

#[test]
fn names_from_the_image_cannot_steer_the_terminal() {
    let image = ImageBuilder::new().layer("COPY \u{1b}[31m .", |layer| layer.file("/app/\u{1b}[2J\u{202e}name", token("steer")));
    let (_temp, path) = with_image(&image);
    for format in ["table", "json"] {
        let run = scan(&path, &format!("--format {format}"));
        assert_eq!(run.code, 1);
        assert!(!run.stdout.contains(['\u{1b}', '\u{202e}']), "{format}");
    }
}

#[test]
fn the_example_needs_no_file() {
    let run = scan(Path::new("example:"), "--format json");
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    assert_eq!(valid(&run.stdout)["complete"], true);
}

#[test]
fn the_schema_is_printed() {
    let run = Run::new(program().arg("schema").output().unwrap());
    assert_eq!(run.code, 0);
    assert_eq!(run.stdout.trim_end(), layersift::report::JSON_SCHEMA.trim_end());
}
