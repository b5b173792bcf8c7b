//! Choosing rules, trying them on a text, and taking the built-in ones away to change them.

use crate::cli::{Run, program};
use crate::support::*;

fn rules(arguments: &[&str]) -> Run {
    Run::new(program().arg("rules").args(arguments).output().unwrap())
}

/// A rule file of a made-up provider.
const ACME: &str = r#"
provider = "Acme"
remediation = "Ask Acme."

[[rule]]
id = "acme-token"
description = "Acme token"
severity = "high"
keywords = ["acme_"]
regex = '''\b(?<secret>acme_[0-9a-f]{24})\b'''
tags = ["vcs"]
examples = ["TOKEN={{secret}}"]
"#;

#[test]
fn a_scan_uses_the_chosen_rules_only() {
    let temp = Temp::new();
    let folder = temp.file("root/app/.env", format!("A={}\nB={}\n", token("chosen"), secret("slack-bot-token", "chosen")));
    let folder = folder.parent().unwrap().parent().unwrap();
    let found = |flags: &[&str]| {
        let scan = program().args(["scan", "--format", "json"]).arg(folder).args(flags).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&scan.stdout).unwrap();
        let ids = report["findings"].as_array().unwrap().iter().map(|finding| finding["rule"].as_str().unwrap().to_owned());
        ids.collect::<std::collections::BTreeSet<_>>()
    };
    let all = found(&[]);
    assert!(all.contains(TOKEN_RULE) && all.contains("slack-bot-token"), "{all:?}");
    assert_eq!(found(&["--only", "provider:github"]), [TOKEN_RULE.to_owned()].into());
    assert!(!found(&["--skip", "provider:github"]).contains(TOKEN_RULE));
}

#[test]
fn a_choice_that_means_nothing_is_wrong_usage() {
    let run = Run::new(program().args(["scan", "example:", "--only", "gihub-token"]).output().unwrap());
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("`gihub-token`") && run.stderr.contains("hint: "), "{}", run.stderr);
}

#[test]
fn a_rule_is_tried_on_a_text_without_showing_the_secret() {
    let temp = Temp::new();
    let file = temp.file("acme.toml", ACME);
    let file = file.to_str().unwrap();
    let secret = format!("acme_{}", layersift::random::Random::new(5).text(b"0123456789abcdef", 24));
    let run = rules(&["test", file, "--text", &format!("one\n  TOKEN={secret}\n")]);
    assert_eq!((run.code, run.stdout.as_str()), (0, "text 1, line 2, column 9, 29 bytes: acme-token (high, likely)\n"));
    let run = rules(&["test", file, "--text", "TOKEN=acme_short"]);
    assert_eq!((run.code, run.stdout.as_str()), (1, "text 1: nothing\n"));
    assert_eq!(rules(&["test", file]).code, 2);
    let input = temp.file("input.txt", &secret);
    assert_eq!(rules(&["test", file, "--input", input.to_str().unwrap()]).code, 0);
}

#[test]
fn exported_rules_are_rule_files_that_find_the_same() {
    let temp = Temp::new();
    let folder = temp.path("rules");
    let folder = folder.to_str().unwrap();
    assert_eq!(rules(&["export", folder, "--only", "provider:github,provider:slack"]).code, 0);
    assert_eq!(rules(&["check", folder]).stdout, "no problems\n");
    assert_eq!(rules(&["test", folder, "--text", &token("export")]).code, 0);
    let again = rules(&["export", folder]);
    assert!(again.code == 2 && again.stderr.contains("not empty"), "{}", again.stderr);
}
