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

/// A rule file of Gitleaks' form: one rule to carry over, three that cannot be.
const GITLEAKS: &str = r#"
title = "acme"

[extend]
useDefault = true

[[allowlists]]
stopwords = ["beaded"]

[[rules]]
id = "Acme_Key"
description = "Acme key"
regex = '''(?i)acme[\w.-]{0,10}\s*=\s*["']?(acm_[0-9a-f]{24})["']?'''
secretGroup = 1
entropy = 2.5
keywords = ["acme"]
path = '''\.env$'''

[[rules.allowlists]]
regexes = ['''^acm_f''']

[[rules]]
id = "no-literal"
regex = '''[0-9a-f]{32}'''

[[rules]]
id = "file-only"
path = '''\.p12$'''

[[rules]]
id = "look-behind"
regex = '''(?<!x)acme_[0-9]{8}'''
filter = "entropy(secret) > 3"
"#;

/// A rule file of Trivy's form.
const TRIVY: &str = r#"
disable-rules: [some-rule]
rules:
  - id: acme-pass
    category: Acme
    title: Acme pass
    severity: CRITICAL
    regex: acme_pass[ \t]*[=:][ \t]*(?P<pass>acp_[0-9a-f]{24})
    secret-group-name: pass
    keywords: [acp_]
    path: .*\.env
"#;

#[test]
fn rule_files_of_other_scanners_are_used_and_what_is_lost_is_said() {
    let temp = Temp::new();
    let gitleaks = temp.file("rules/gitleaks.toml", GITLEAKS);
    let trivy = temp.file("rules/trivy-secret.yaml", TRIVY);
    let check = rules(&["check", temp.path("rules").to_str().unwrap()]);
    assert_eq!(check.code, 0, "{}", check.stderr);
    for said in [
        "gitleaks.toml: extend: not carried over",
        "rule `Acme_Key`: path: not carried over: the rule runs on all files",
        "rule `Acme_Key`: regex: not carried over: repetitions without a limit",
        "rule `no-literal`: keywords: not carried over: the rule is not used",
        "rule `file-only`: path: not carried over: the rule is not used",
        "rule `look-behind`: filter: not carried over",
        "rule `look-behind`: regex: not carried over: the rule is not used",
        "trivy-secret.yaml: disable-rules: not carried over",
        "rule `acme-pass`: path: not carried over",
    ] {
        assert!(check.stderr.contains(said), "{said}: {}", check.stderr);
    }
    let hex = |seed: &str| {
        token(seed).bytes().take(28).skip(4).map(|byte| char::from(b"0123456789abcde"[usize::from(byte) % 15])).collect::<String>()
    };
    let text = format!(
        "ACME_ONE = acm_{}\nacme = acm_f{}\nacme = acm_beaded{}\nacme_pass: acp_{}\n",
        hex("one"),
        &hex("two")[1..],
        &hex("three")[6..],
        hex("four")
    );
    let folder = temp.file("root/notes", text);
    let scan = |more: &[&str]| {
        let mut command = program();
        command
            .args(["scan", "--format", "json", "--only", "acme-key", "--only", "acme-pass", "--rules"])
            .arg(&gitleaks)
            .arg("--rules")
            .arg(&trivy);
        Run::new(command.args(more).arg(folder.parent().unwrap()).output().unwrap())
    };
    let run = scan(&[]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let found = report["findings"].as_array().unwrap().iter().map(|finding| {
        let word = |name: &str| finding[name].as_str().unwrap().to_owned();
        (word("rule"), word("severity"), finding["place"]["line"].as_u64().unwrap(), finding["suppressed"].is_null())
    });
    let wanted =
        [("acme-key", "high", 1, true), ("acme-key", "high", 2, false), ("acme-key", "high", 3, false), ("acme-pass", "critical", 4, true)];
    let wanted = wanted.map(|(rule, severity, line, loud)| (rule.to_owned(), severity.to_owned(), line, loud));
    assert_eq!(found.collect::<Vec<_>>(), wanted, "what an allowlist names is excused");
    assert!(run.stderr.contains("not carried over"), "a scan says it too");
    assert!(!scan(&["--quiet"]).stderr.contains("not carried over"));
}

#[test]
fn an_error_in_a_rule_file_names_file_line_rule_and_field() {
    let temp = Temp::new();
    let wrong = |regex: &str, keywords: &str| {
        let text = format!(
            "provider = \"x\"\n\n[[rule]]\nid = \"acme-x\"\ndescription = \"x\"\nseverity = \"high\"\nkeywords = [{keywords}]\nregex = '{regex}'\n"
        );
        let file = temp.file("wrong.toml", text);
        (
            rules(&["check", file.to_str().unwrap()]),
            Run::new(program().args(["scan", "--rules"]).arg(&file).arg(temp.path("")).output().unwrap()),
        )
    };
    for (regex, keywords, said) in [
        ("(acme_)?", "\"acme_\"", "wrong.toml:4: rule `acme-x`: regex: it can match the empty text"),
        ("acme_[0-9]+", "\"acme_\"", "wrong.toml:4: rule `acme-x`: regex: it has no length bound: write {n,m}"),
        ("[0-9a-f]{32}", "\"acme_\"", "wrong.toml:4: rule `acme-x`: keywords: the expression matches a text that holds none of them"),
        ("acme_[0-9]{4}", "", "wrong.toml:4: rule `acme-x`: keywords:"),
        ("acme_[0-9]{4}", "\"ab\"", "wrong.toml:4: rule `acme-x`: keywords: `ab` is not at least three"),
    ] {
        let (check, scan) = wrong(regex, keywords);
        assert_eq!((check.code, scan.code), (1, 2), "{regex}: {} {}", check.stderr, scan.stderr);
        assert!(check.stderr.contains(said), "{said}: {}", check.stderr);
        assert!(scan.stderr.contains(said), "{said}: {}", scan.stderr);
    }
    let yaml = temp.file("wrong.yaml", "rules: 7\n");
    let run = rules(&["check", yaml.to_str().unwrap()]);
    assert!(run.code == 1 && run.stderr.contains("wrong.yaml") && run.stderr.contains("line 1"), "{}", run.stderr);
}
