//! What the project file, the environment and the flags come to, as people run the program.

use std::path::Path;

use crate::cli::{Run, damaged, deleted, program};
use crate::support::*;

/// A repository with an image that has a critical finding, `damaged.tar`, and this project file.
fn project(file: &str) -> Temp {
    let temp = Temp::new();
    std::fs::create_dir(temp.path(".git")).unwrap();
    temp.file("app.tar", deleted().docker25().unwrap());
    temp.file("damaged.tar", damaged().docker25().unwrap());
    temp.file("layersift.toml", file);
    temp
}

fn run_in(folder: &Path, variables: &[(&str, &str)], words: &str) -> Run {
    let mut program = program();
    program.env_remove("LAYERSIFT_CONFIG").envs(variables.iter().copied()).current_dir(folder);
    Run::new(program.args(words.split_whitespace()).output().unwrap())
}

fn run(temp: &Temp, words: &str) -> Run {
    run_in(&temp.path(""), &[], words)
}

#[test]
fn a_flag_beats_a_variable_and_a_variable_beats_the_file() {
    let temp = project("[gate]\nexit-code = 10\n");
    let variable = [("LAYERSIFT_EXIT_CODE", "20")];
    assert_eq!(run(&temp, "scan app.tar --no-config").code, 1);
    assert_eq!(run(&temp, "scan app.tar").code, 10);
    assert_eq!(run_in(&temp.path(""), &variable, "scan app.tar").code, 20);
    assert_eq!(run_in(&temp.path(""), &variable, "scan app.tar --exit-code 30").code, 30);
}

#[test]
fn the_file_is_found_from_below_and_may_be_named() {
    let temp = project("gate.exit-code = 10");
    let below = temp.path("a/b");
    std::fs::create_dir_all(&below).unwrap();
    temp.file("a/ci.toml", "gate.exit-code = 20");
    assert_eq!(run_in(&below, &[], "scan ../../app.tar").code, 10);
    assert_eq!(run_in(&below, &[], "scan ../../app.tar --config ../ci.toml").code, 20);
    let variable = [("LAYERSIFT_CONFIG", "../ci.toml")];
    assert_eq!(run_in(&below, &variable, "scan ../../app.tar").code, 20);
    assert_eq!(run_in(&below, &variable, "scan ../../app.tar --no-config").code, 1);
    assert_eq!(run_in(&below, &variable, "scan ../../app.tar --config ../../layersift.toml").code, 10);
    assert_eq!(run_in(&below, &[], "scan ../../app.tar --config none.toml").code, 2, "a file that is asked for must be there");
    std::fs::create_dir(below.join(".git")).unwrap();
    assert_eq!(run_in(&below, &[], "scan ../../app.tar").code, 1, "the file of another repository");
}

#[test]
fn paths_in_the_file_are_relative_to_it() {
    let temp = project("[gate]\nbaseline = 'known/app.json'\n[report]\noutput = ['json=reports/app.json', 'app.txt']\n");
    for folder in ["known", "reports", "below"] {
        std::fs::create_dir(temp.path(folder)).unwrap();
    }
    let below = temp.path("below");
    let created = run_in(&below, &[], "baseline create ../app.tar");
    assert_eq!((created.code, temp.path("known/app.json").exists()), (0, true), "{}", created.stderr);
    let scan = run_in(&below, &[], "scan ../app.tar");
    assert_eq!((scan.code, scan.stdout.as_str()), (0, ""), "{}", scan.stderr);
    valid(&std::fs::read_to_string(temp.path("reports/app.json")).unwrap());
    assert!(std::fs::read_to_string(temp.path("app.txt")).unwrap().contains("[known]"));
}

#[test]
fn what_is_wrong_with_the_file_is_said_with_a_hint() {
    let temp = project("[gate]\nfail_on = 'high'\n");
    let wrong = run(&temp, "scan app.tar");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (2, ""));
    let expected = "layersift.toml:2: there is no `fail_on` in [gate]\nhint: did you mean `fail-on`?\n";
    assert!(wrong.stderr.starts_with("error: ") && wrong.stderr.ends_with(expected), "{}", wrong.stderr);
    assert_eq!(run(&temp, "baseline create app.tar").code, 2);
    assert_eq!(run(&temp, "scan --help").code, 0, "help needs no file");
    assert_eq!(run(&temp, "rules show github-pat-classic").code, 0, "and neither do rules");
}

#[test]
fn a_file_or_a_variable_cannot_show_secrets() {
    let temp = project("[report]\nshow-secrets = true\n");
    let refused = run(&temp, "scan app.tar");
    assert_eq!((refused.code, refused.stdout.as_str()), (2, ""));
    assert!(refused.stderr.contains("`show-secrets` cannot be set in a file\nhint: "), "{}", refused.stderr);

    let temp = project("");
    let ignored = run_in(&temp.path(""), &[("LAYERSIFT_SHOW_SECRETS", "true")], "scan app.tar --format json");
    assert_eq!(ignored.code, 1);
    assert!(!ignored.stdout.contains(&token("cli")));
    assert_eq!(ignored.stderr, "note: LAYERSIFT_SHOW_SECRETS has no effect: --show-secrets can be given as a flag only\n");
}

#[test]
fn a_variable_that_means_nothing_is_remarked_on_unless_only_errors_are_wanted() {
    let temp = project("");
    let variables = [("LAYERSIFT_FAILON", "never")];
    let told = run_in(&temp.path(""), &variables, "scan app.tar");
    assert_eq!(told.code, 1);
    assert!(told.stderr.contains("did you mean LAYERSIFT_FAIL_ON?"), "{}", told.stderr);
    assert_eq!(run_in(&temp.path(""), &variables, "scan app.tar --quiet").stderr, "");
}

#[test]
fn a_base_and_unchecked_digests_exclude_each_other_wherever_they_are_said() {
    let temp = project("[gate]\nbase = 'app.tar'\n");
    let below = temp.path("below");
    std::fs::create_dir(&below).unwrap();
    assert_eq!(run_in(&below, &[], "scan ../app.tar --gate own").code, 0, "all of it is inherited");
    let variable = [("LAYERSIFT_NO_VERIFY", "true")];
    for refused in [run(&temp, "scan app.tar --no-verify"), run_in(&below, &variable, "scan ../app.tar")] {
        assert_eq!(refused.code, 2);
        assert!(refused.stderr.contains("hint: leave --no-verify out"), "{}", refused.stderr);
    }
    assert_eq!(run_in(&below, &variable, "scan ../app.tar --gate own --no-verify=false").code, 0);
}

#[test]
fn a_gap_fails_the_gate_where_the_project_says_so() {
    let temp = project("[gate]\nrequire-complete = true\n");
    assert_eq!(run(&temp, "scan damaged.tar --no-config").code, 3);
    let failed = run(&temp, "scan damaged.tar");
    assert_eq!(failed.code, 1);
    assert!(failed.stdout.contains("INCOMPLETE, which fails the gate: "), "{}", failed.stdout);
    assert_eq!(run(&temp, "scan damaged.tar --require-complete=false").code, 3);
}

#[test]
fn what_is_in_force_is_shown_with_where_it_is_from() {
    let temp = project("[gate]\n\nfail-on = 'high'\nbaseline = 'known.json'\n");
    let variables = [("LAYERSIFT_JOBS", "2"), ("LAYERSIFT_KEY", "a key of sixteen bytes")];
    let shown = run_in(&temp.path(""), &variables, "config show -- --skip tag:broad,aws-*");
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    for (line, origin) in [
        ("fail-on = \"high\"", "layersift.toml:3"),
        ("min-confidence = \"likely\"", "default"),
        ("exit-code = 1", "default"),
        ("jobs = 2", "LAYERSIFT_JOBS"),
        ("skip = [\"tag:broad\", \"aws-*\"]", "flag"),
        ("quiet = false", "default"),
        ("# platform is not set", "default"),
        ("# key-file is not set", "LAYERSIFT_KEY"),
    ] {
        let found = shown.stdout.lines().any(|shown| shown.starts_with(line) && shown.ends_with(origin));
        assert!(found, "{line} from {origin}\n{}", shown.stdout);
    }
    assert!(!shown.stdout.contains("sixteen"), "{}", shown.stdout);

    // What is shown is a project file of the same meaning.
    temp.file("again.toml", &shown.stdout);
    let again = run(&temp, "config show --config again.toml --format json");
    let again: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(again["file"], "again.toml");
    let options = again["options"].as_array().unwrap();
    let of = |key: &str| options.iter().find(|option| option["key"] == key).unwrap();
    assert_eq!((&of("fail-on")["value"], &of("fail-on")["origin"]["kind"]), (&"high".into(), &"file".into()));
    assert_eq!((&of("jobs")["value"], &of("platform")["value"]), (&2.into(), &serde_json::Value::Null));
    assert_eq!(of("skip")["value"], serde_json::json!(["tag:broad", "aws-*"]));
    assert_eq!(of("platform")["origin"], serde_json::json!({ "kind": "default" }));
    assert_eq!(run(&temp, "config show -- --fail-on worst").code, 2);
}
