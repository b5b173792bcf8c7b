//! Credential helpers that say what they should not. What they say is no text for anybody.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::*;

const PASSWORD: &str = "helper-password-9";

/// A registry that takes the user's password, and no other.
fn registry() -> Server {
    let wanted = format!("Basic {}", BASE64_STANDARD.encode(format!("user:{PASSWORD}")));
    server(move |request, reply| match request.header("authorization") {
        _ if request.path == "/v2/" => reply,
        Some(asked) if asked == wanted => reply,
        _ => Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"registry\""),
    })
}

/// The scan by a user whose logins `docker-credential-evil` keeps, which does what `script` says.
fn with_helper(server: &Server, script: &str) -> Run {
    let home = Temp::new();
    home.file(".docker/config.json", json!({ "credHelpers": { &server.address: "evil" } }).to_string());
    let program = home.file("bin/docker-credential-evil", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let path = format!("{}:{}", home.path("bin").display(), std::env::var("PATH").unwrap());
    let mut command = scan_by(&home);
    command.args([&server.image(), "--fail-on", "never", "--format", "json"]);
    let run = Run::new(command.env("PATH", path).output().unwrap());
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.contains(PASSWORD) && !text.contains('\u{1b}'), "{script}: {text}");
    }
    run
}

/// What the helper answers, as JSON.
fn says(answer: serde_json::Value) -> String {
    format!("cat <<'END'\n{answer}\nEND")
}

#[test]
fn a_helper_is_believed_as_far_as_its_answer_is_a_login() {
    let server = registry();
    // One of another server's name is the login that was asked for all the same, as Docker takes it.
    for url in [server.address.as_str(), "other.example"] {
        let run = with_helper(&server, &says(json!({ "ServerURL": url, "Username": "user", "Secret": PASSWORD })));
        assert_eq!((run.code, valid(&run.stdout)["findings"].as_array().unwrap().len()), (0, 2), "{}", run.stderr);
    }
    let wrong = with_helper(&server, &says(json!({ "Username": "user\r\nX-Evil: 1", "Secret": PASSWORD })));
    assert!(wrong.code == 2 && wrong.stderr.contains("the registry does not accept the login"), "{}", wrong.stderr);
    assert!(server.requests().iter().all(|request| request.header("x-evil").is_none()));
}

#[test]
fn a_helper_that_makes_no_sense_is_said_and_not_quoted() {
    let server = registry();
    let table = [
        (format!("echo 'not JSON {PASSWORD}'"), "docker-credential-evil gave no login"),
        (format!("printf '\\033[2J{PASSWORD}'; echo {PASSWORD} >&2; exit 3"), "docker-credential-evil gave no login"),
        (says(json!({ "Username": PASSWORD })), "docker-credential-evil gave no login"),
        (says(json!({ "Username": 1, "Secret": [PASSWORD] })), "docker-credential-evil gave no login"),
        (format!("while :; do echo {PASSWORD}; done"), "docker-credential-evil said more than 65536 bytes"),
        ("exit 0".to_owned(), "docker-credential-evil gave no login"),
    ];
    for (script, message) in table {
        let run = with_helper(&server, &script);
        assert_eq!(run.code, 2, "{script}: {}", run.stderr);
        assert!(run.stderr.contains("the registry wants a login; no login could be taken from"), "{}", run.stderr);
        assert!(run.stderr.contains(message), "{script}: {}", run.stderr);
        assert_eq!(valid(&run.stdout)["coverage"]["skipped"][0]["reason"], "unreadable");
    }
    let none = with_helper(&server, &format!("echo 'credentials not found in native keychain {PASSWORD}'; exit 1"));
    assert!(none.code == 2 && none.stderr.contains("the registry wants a login\n"), "{}", none.stderr);
    assert!(server.requests().iter().all(|request| request.header("authorization").is_none()));
}
