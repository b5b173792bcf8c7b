//! Entries read, and held against findings.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::super::{Confidence, Part, RuleFacts, Secret, Severity};
use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef";

fn list(text: &str) -> AllowList {
    let mut list = AllowList::default();
    list.add_lines("ignore", text).unwrap();
    list
}

fn finding(rule: &str, place: Place) -> Finding {
    let rule = RuleFacts {
        id: rule.to_owned(),
        description: String::new(),
        provider: String::new(),
        docs: None,
        severity: Severity::High,
        remediation: String::new(),
        pairs: Vec::new(),
    };
    Finding { id: ID.to_owned(), confidence: Confidence::Likely, ..Finding::new(&Arc::new(rule), Secret::new(*b"hunter2", 0), place) }
}

fn file(path: &[u8]) -> Place {
    Place::LayerFile { layer: 0, path: path.to_vec(), inner: Vec::new(), part: Part::Content, position: None }
}

fn scan(findings: Vec<Finding>) -> Scan {
    let image = ImageFacts {
        source: "docker-archive:app.tar".to_owned(),
        name: Some("example.org/shop/api:1.4".to_owned()),
        digest: None,
        platform: None,
        layers: Vec::new(),
        base: None,
        history: Vec::new(),
    };
    Scan { images: vec![image], findings, ..Scan::new("") }
}

/// What became of one finding of `aws-key` in `path`, and of the only entry.
fn apply(text: &str, path: &str, now: Option<i64>) -> (Option<String>, AllowState, u64) {
    let mut scan = scan(vec![finding("aws-key", file(path.as_bytes()))]);
    list(text).apply(&mut scan, now);
    let suppressed = scan.findings[0].suppressed.take().map(|suppression| format!("{}: {}", suppression.reason, suppression.detail));
    (suppressed, scan.allowed[0].state, scan.allowed[0].count)
}

#[test]
fn all_criteria_of_an_entry_must_match() {
    let table = [
        ("rule:aws-* -- r", true),
        ("rule:AWS-key -- r", false),
        ("rule:aws -- r", false),
        ("path:/srv/test/** -- r", true),
        ("path:/srv/test/ -- r", true),
        ("path:/srv/test -- r", false),
        ("path:/srv/* -- r", false),
        ("path:**/*.env -- r", true),
        ("path:*.env -- r", false),
        ("path:\"/srv/test/a b.env\" -- r", true),
        ("path:/srv/test/a?b.{env,ini} -- r", true),
        ("image:example.org/* -- r", true),
        ("image:docker-archive:* -- r", true),
        ("image:example.org/shop/api -- r", false),
        (&format!("{ID} -- r"), true),
        (&format!("fingerprint:{} -- r", ID.to_uppercase()), true),
        ("ffffffffffffffffffffffffffffffff -- r", false),
        ("rule:aws-* path:/srv/** image:*:1.4 -- r", true),
        ("rule:gcp-* path:/srv/** image:*:1.4 -- r", false),
        ("rule:aws-* path:/opt/** image:*:1.4 -- r", false),
        ("rule:aws-* path:/srv/** image:*:1.5 -- r", false),
    ];
    for (text, expected) in table {
        let (suppressed, state, count) = apply(text, "/srv/test/a b.env", None);
        assert_eq!((suppressed.is_some(), state == AllowState::Used, count), (expected, expected, u64::from(expected)), "{text}");
    }
    assert_eq!(apply("\n# x\nrule:* --  as agreed ", "/a", None).0.unwrap(), "allowed: as agreed (ignore:3)");
}

#[test]
fn an_entry_holds_on_its_last_day_and_not_on_the_next() {
    let midnight = 1_801_440_000; // 2027-02-01T00:00:00Z
    let text = "rule:* until:2027-01-31 -- r";
    let states = [None, Some(midnight - 1), Some(midnight)].map(|now| apply(text, "/a", now));
    assert_eq!(states.clone().map(|(suppressed, ..)| suppressed.is_some()), [true, true, false]);
    assert_eq!(states.map(|(_, state, count)| (state, count)), [(AllowState::Used, 1), (AllowState::Used, 1), (AllowState::Expired, 1)]);
}

#[test]
fn an_entry_that_matches_nothing_is_unused_unless_it_is_about_another_image() {
    assert_eq!(apply("rule:gcp-* -- r", "/a", None), (None, AllowState::Unused, 0));
    assert_eq!(apply("rule:gcp-* image:*:1.4 -- r", "/a", None), (None, AllowState::Unused, 0));
    assert_eq!(apply("rule:aws-* image:other -- r", "/a", None), (None, AllowState::OtherImage, 0));
}

#[test]
fn a_finding_that_is_suppressed_for_what_it_is_keeps_its_reason() {
    let placeholder = Suppression { reason: "placeholder".into(), detail: String::new() };
    let mut scan = scan(vec![Finding { suppressed: Some(placeholder.clone()), ..finding("aws-key", file(b"/a")) }]);
    list("rule:* -- r").apply(&mut scan, None);
    assert_eq!((scan.findings[0].suppressed.as_ref(), scan.allowed[0].state), (Some(&placeholder), AllowState::Unused));
}

#[test]
fn the_first_entry_that_holds_gives_the_reason_and_all_that_match_are_used() {
    let mut scan = scan(vec![finding("aws-key", file(b"/a"))]);
    list("rule:* until:2020-01-01 -- old\nrule:aws-* -- first\npath:/a -- second").apply(&mut scan, Some(1_801_440_000));
    assert_eq!(scan.findings[0].suppressed.as_ref().unwrap().detail, "first (ignore:2)");
    let states: Vec<_> = scan.allowed.iter().map(|entry| (entry.state, entry.count)).collect();
    assert_eq!(states, [(AllowState::Expired, 1), (AllowState::Used, 1), (AllowState::Used, 1)]);
}

#[test]
fn a_path_allows_what_stands_nowhere_else() {
    let path = Pattern::path("/srv/test/**").unwrap();
    let link = |also: Place| Finding { also: vec![also], ..finding("r", file(b"/srv/test/a")) };
    assert!(is_within(&path, &link(file(b"/srv/test/b"))));
    assert!(!is_within(&path, &link(file(b"/etc/a"))));
    assert!(!is_within(&path, &finding("r", Place::Config { pointer: "/srv/test/a".to_owned() })));
    let member = Place::ArchiveMember { path: b"odd\xff.txt".to_vec(), position: None };
    assert!(is_within(&Pattern::path("/odd*").unwrap(), &finding("r", member)));
}

#[test]
fn lines_that_make_no_sense_are_refused_with_their_place_and_never_quoted() {
    let id = &format!("{ID} {ID} -- r");
    let table = [
        ("rule:s3cr3t", 1, Problem::NoReason),
        ("rule:s3cr3t --", 1, Problem::NoReason),
        ("  -- s3cr3t", 3, Problem::NoCriterion),
        ("until:2027-01-31 -- s3cr3t", 1, Problem::NoCriterion),
        ("s3cr3t -- r", 1, Problem::Unknown),
        ("rule:a s3cr3t:b -- r", 8, Problem::Unknown),
        ("rule:a --s3cr3t", 8, Problem::Unknown),
        ("rule:a rule:s3cr3t -- r", 8, Problem::Twice("rule")),
        (id, 34, Problem::Twice("fingerprint")),
        ("rule: s3cr3t -- r", 1, Problem::Empty("rule")),
        ("path:\"\" -- r", 1, Problem::Empty("path")),
        ("path:\"/s3cr3t -- r", 1, Problem::Quote),
        ("path:\"/s3cr3t\"x -- r", 1, Problem::Quote),
        ("path:s3cr3t/** -- r", 1, Problem::Relative),
        ("fingerprint:s3cr3t -- r", 1, Problem::Fingerprint),
        ("rule:a until:s3cr3t -- r", 8, Problem::Date),
        ("rule:a until:2027-1-31 -- r", 8, Problem::Date),
        ("rule:a until:2027-02-30 -- r", 8, Problem::Date),
        ("rule:a until:20270131 -- r", 8, Problem::Date),
    ];
    for (text, column, problem) in table {
        let error = AllowList::default().add_lines("ignore", &format!("# fine\n{text}\n")).unwrap_err();
        assert_eq!((error.origin.line, error.column, &error.problem), (2, column, &problem), "{text}");
        let said = format!("{error} {}", error.problem.hint());
        assert!(said.starts_with("ignore:2:") && !said.contains("s3cr3t"), "{said}");
    }
    let error = AllowList::default().add_lines("ignore", "rule:[s3cr3t -- r").unwrap_err();
    assert!(matches!(error.problem, Problem::Glob { field: "rule", .. }) && !error.to_string().contains("s3cr3t"), "{error}");
}

#[test]
fn a_byte_order_mark_and_line_ends_of_windows_are_no_matter() {
    assert_eq!(list("\u{feff}# x\r\n\r\nrule:a -- r\r\n").entries.len(), 1);
}

#[derive(serde::Deserialize)]
#[allow(dead_code)]
struct Document {
    allow: Vec<Entry>,
}

#[test]
fn tables_say_the_same_as_lines() {
    let text = "[[allow]]\nrule = 'aws-*'\npath = '/srv/**'\nuntil = 2027-01-31\nreason = ' r '\n[[allow]]\nuntil = '2027-01-31'\nimage = '*'\nreason = 'r'";
    let document: Document = toml::from_str(text).unwrap();
    let lines = list("rule:aws-* path:/srv/** until:2027-01-31 -- r\nuntil:2027-01-31 image:* -- r");
    for (table, (_, line)) in document.allow.iter().zip(&lines.entries) {
        assert_eq!(format!("{table:?}"), format!("{line:?}"));
    }
}

#[test]
fn tables_that_make_no_sense_are_refused_where_they_do_not() {
    let table = [
        ("rule = 'a'", "the reason is missing", 1),
        ("reason = 'r'", "it does not say what it allows", 1),
        ("rule = 'a'\nreason = ' '", "the reason is missing", 1),
        ("rule = 'a'\nreason = 'r'\nuntil = 2027-01-31T10:00:00Z", "`until` is not a date", 4),
        ("rule = 'a'\nreason = 'r'\nuntil = 5", "`until` is not a date", 4),
        ("reason = 'r'\npath = 'etc/**'", "`path` matches no path", 3),
        ("reason = 'r'\nfingerprint = 'x'", "`fingerprint` is not one", 3),
        ("rule = 'a'\nreason = 'r'\nrules = 'b'", "unknown field `rules`", 4),
    ];
    for (text, problem, line) in table {
        let text = format!("[[allow]]\n{text}\n");
        let error = toml::from_str::<Document>(&text).err().unwrap();
        let at = text[..error.span().unwrap().start].matches('\n').count() + 1;
        assert!(error.message().contains(problem), "{text}: {}", error.message());
        assert_eq!(at, line, "{error}");
    }
}
