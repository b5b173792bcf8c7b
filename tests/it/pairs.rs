//! What a finding says beyond its bytes: the other half, the host, and until when it opens anything.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use layersift::finding::{Confidence, Finding, Scan, Severity};
use layersift::scan::Options;

use crate::support::*;

fn of_rule<'s>(scan: &'s Scan, rule: &str) -> Vec<&'s Finding> {
    scan.findings.iter().filter(|finding| finding.rule.id == rule).collect()
}

fn scan_folder(files: &[(&str, String)], options: &Options) -> Scan {
    let temp = Temp::new();
    for (name, text) in files {
        temp.file(&format!("root/{name}"), text);
    }
    sound(scan_text(&format!("dir:{}", temp.path("root").display()), options))
}

#[test]
fn both_halves_name_each_other_within_a_file() {
    let pair = |seed: &str| {
        format!(
            "AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n",
            secret("aws-access-key-id", seed),
            secret("aws-secret-access-key", seed)
        )
    };
    let far = format!(
        "AWS_ACCESS_KEY_ID={}\n{}AWS_SECRET_ACCESS_KEY={}\n",
        secret("aws-access-key-id", "far"),
        "# nothing\n".repeat(400),
        secret("aws-secret-access-key", "far")
    );
    let files = [
        ("a/.env", pair("one") + &pair("two")),
        ("b/.env", format!("AWS_SECRET_ACCESS_KEY={}\n", secret("aws-secret-access-key", "three"))),
        ("c/.env", far),
    ];
    let scan = scan_folder(&files, &Options::default());
    let (ids, secrets) = (of_rule(&scan, "aws-access-key-id"), of_rule(&scan, "aws-secret-access-key"));
    assert_eq!((ids.len(), secrets.len()), (3, 4));
    for half in 0..2 {
        assert_eq!(secrets[half].pair, [ids[half].id.clone()], "the nearest one");
        assert!(ids[half].pair.contains(&secrets[half].id));
    }
    assert_eq!(secrets[2].place.path(), Some(b"/b/.env".as_slice()));
    assert!(secrets[2].pair.is_empty(), "alone");
    assert!(secrets[3].pair.is_empty() && ids[2].pair.is_empty(), "too far away");
    valid(&report(&scan, layersift::report::Exposure::Redacted));
}

#[test]
fn a_password_in_a_url_names_its_host() {
    let url = format!("DATABASE_URL=postgres://shop:{}@db.internal:5432/shop\n", secret("url-credentials", "host"));
    let scan = scan_folder(&[(".env", url)], &Options::default());
    let found = of_rule(&scan, "url-credentials");
    assert_eq!(found.iter().map(|finding| finding.host.as_deref()).collect::<Vec<_>>(), [Some("db.internal:5432")]);
}

#[test]
fn a_token_says_who_issued_it_and_is_of_low_severity_once_it_expired() {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = part(r#"{"iss":"https://login.corp.internal","sub":"robot-17","exp":1893456000}"#);
    let signature = URL_SAFE_NO_PAD.encode((0..32).map(|byte: u8| byte.wrapping_mul(37) ^ 0x5a).collect::<Vec<u8>>());
    let token = format!("{}.{claims}.{signature}", part(r#"{"alg":"HS256","typ":"JWT"}"#));
    let at = |now: Option<i64>| {
        let scan = scan_folder(&[("token", format!("{token}\n"))], &Options { now, ..Options::default() });
        of_rule(&scan, "jwt")[0].clone()
    };
    let live = at(Some(1_893_455_999));
    assert_eq!(live.note.as_deref(), Some("issued by https://login.corp.internal; for robot-17; expires 2030-01-01T00:00:00Z"));
    assert!(live.severity > Severity::Low);
    assert_eq!(at(None).severity, live.severity, "without a clock nothing is expired");
    assert_eq!(at(Some(1_893_456_001)).severity, Severity::Low);
}

#[test]
fn a_wrong_checksum_is_a_doubt_that_says_why() {
    let right = token("checksum");
    let last = right.chars().last().unwrap();
    let wrong = format!("{}{}", &right[..right.len() - 1], if last == 'a' { 'b' } else { 'a' });
    let scan = scan_folder(&[(".env", format!("A={right}\nB={wrong}\n"))], &Options::default());
    assert_eq!(only(&scan, &right).confidence, Confidence::Confirmed);
    let doubted = only(&scan, &wrong);
    assert_eq!(doubted.confidence, Confidence::Possible);
    assert!(doubted.note.as_deref().is_some_and(|note| note.contains("wrong")), "{:?}", doubted.note);
}
