//! Who asks: tokens, passwords, files and helpers, and that a login goes to nobody else.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use layersift::source::registry::Credential;
use serde_json::json;

use super::*;

const PASSWORD: &str = "correct-horse-1";

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

fn given(server: &Server, password: &str) -> RegistryOptions {
    let logins = Logins { given: Some((server.address.clone(), Credential::password("user", password))), files: Vec::new() };
    RegistryOptions { logins, ..options() }
}

/// A registry that wants tokens, each good for `uses` requests; its service gives them for the password, or to anybody.
fn bearer(uses: usize, wants_password: bool) -> Server {
    let (given, used) = (AtomicUsize::new(0), AtomicUsize::new(0));
    server(move |request, reply| {
        let host = request.header("host").unwrap();
        if request.path.starts_with("/token?") {
            if wants_password && request.header("authorization") != Some(&basic("user", PASSWORD)) {
                return Reply::new(401, "");
            }
            used.store(0, Ordering::SeqCst);
            return Reply::new(
                200,
                json!({ "token": format!("t{}", given.fetch_add(1, Ordering::SeqCst) + 1), "expires_in": 300 }).to_string(),
            );
        }
        let is_current = request.header("authorization") == Some(&format!("Bearer t{}", given.load(Ordering::SeqCst)));
        if is_current && used.fetch_add(1, Ordering::SeqCst) < uses {
            return reply;
        }
        let challenge = format!(r#"Bearer realm="http://{host}/token",service="the registry",scope="repository:other/secret:pull,push""#);
        Reply::new(401, "").with("WWW-Authenticate", challenge)
    })
}

#[test]
fn a_token_is_asked_for_with_the_password_which_goes_nowhere_else() {
    let server = bearer(usize::MAX, true);
    assert_eq!(sound(scan_with(&server, given(&server, PASSWORD))).findings.len(), 2);
    let requests = server.requests();
    let tokens: Vec<&Request> = requests.iter().filter(|request| request.path.starts_with("/token")).collect();
    // The scope is ours, whatever the registry says.
    assert_eq!(tokens[0].path, "/token?service=the%20registry&scope=repository:team/app:pull");
    assert_eq!(tokens.len(), 1);
    let others = requests.iter().filter(|request| !request.path.starts_with("/token"));
    assert!(others.filter_map(|request| request.header("authorization")).all(|header| header == "Bearer t1"));
}

#[test]
fn anybody_gets_a_token_where_that_will_do() {
    let server = bearer(usize::MAX, false);
    assert_eq!(sound(scan_with(&server, options())).findings.len(), 2);
    assert!(
        server
            .requests()
            .iter()
            .filter(|request| request.path.starts_with("/token"))
            .all(|request| request.header("authorization").is_none())
    );
}

#[test]
fn a_token_that_runs_out_is_renewed() {
    let server = bearer(2, true);
    let scan = sound(scan_with(&server, RegistryOptions { patience: Patience { attempts: 5, ..patience() }, ..given(&server, PASSWORD) }));
    assert_eq!((scan.findings.len(), reasons(&scan).len()), (2, 0), "{:?}", scan.coverage.skipped);
    assert!(server.count(|request| request.path.starts_with("/token")) >= 3);
}

#[test]
fn a_token_that_runs_out_in_the_middle_of_a_blob_is_renewed_there() {
    let second = shelf().layers()[1].to_string();
    let (given_out, cuts) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let server = server(move |request, reply| {
        if request.path.starts_with("/token?") {
            return Reply::new(200, json!({ "access_token": format!("t{}", given_out.fetch_add(1, Ordering::SeqCst) + 1) }).to_string());
        }
        if request.header("authorization") != Some(&format!("Bearer t{}", given_out.load(Ordering::SeqCst)))
            || (request.header("range").is_some() && given_out.load(Ordering::SeqCst) == 1)
        {
            let realm = format!(r#"Bearer realm="http://{}/token""#, request.header("host").unwrap());
            return Reply::new(401, "").with("WWW-Authenticate", realm);
        }
        if request.path.contains(&second) && cuts.fetch_add(1, Ordering::SeqCst) == 0 { reply.cut(1000) } else { reply }
    });
    let scan = sound(scan_text(&server.image(), &Options { registry: options(), jobs: 1, ..Options::default() }));
    assert_eq!((scan.findings.len(), reasons(&scan).len()), (2, 0), "{:?}", scan.coverage.skipped);
    let authorised = |request: &Request| request.header("range").is_some() && request.header("authorization") == Some("Bearer t2");
    assert_eq!(server.count(authorised), 1);
}

#[test]
fn a_login_that_is_wanted_and_one_that_is_wrong_are_told_apart() {
    for (server, wrong) in [(bearer(usize::MAX, true), "its token service 127.0.0.1: "), (password_only(), "")] {
        let (error, hint) = failure(&server, options());
        assert!(error.contains(wrong) && error.ends_with("the registry wants a login"), "{error}");
        assert_eq!(
            hint,
            format!("log in with `docker login {0}` or `podman login {0}`, or give --username and --password-stdin", server.address)
        );
        let (error, _) = failure(&server, given(&server, "wrong-pass-9"));
        assert!(
            error.contains(wrong) && error.ends_with("the registry does not accept the login") && !error.contains("wrong-pass-9"),
            "{error}"
        );
    }
}

fn password_only() -> Server {
    server(|request, reply| match request.header("authorization") {
        _ if request.path == "/v2/" => reply,
        Some(header) if header == basic("user", PASSWORD) => reply,
        _ => Reply::new(401, "").with("WWW-Authenticate", r#"Basic realm="registry""#),
    })
}

#[test]
fn logins_are_taken_from_the_files_of_other_tools() {
    let server = password_only();
    let (host, auth) = (&server.address, BASE64_STANDARD.encode(format!("user:{PASSWORD}")));
    let good = [
        json!({ "auths": { host: { "auth": auth } } }),
        json!({ "auths": { format!("https://{host}/v1/"): { "auth": auth } } }),
        json!({ "auths": { format!("{host}/team"): { "auth": auth }, host: { "auth": BASE64_STANDARD.encode("user:other") } } }),
        json!({ "auths": { format!("{host}/team/app"): { "username": "user", "password": PASSWORD } } }),
    ];
    for config in good {
        let temp = Temp::new();
        let scan = sound(scan_with(&server, RegistryOptions { logins: logins(&temp, &config), ..options() }));
        assert_eq!(scan.findings.len(), 2, "{config}");
    }
    let others = [
        json!({}),
        json!({ "auths": { "other.example": { "auth": auth } } }),
        json!({ "auths": { format!("{host}/team/app2"): { "auth": auth } } }),
        json!({ "auths": { format!("{host}.example"): { "auth": auth } } }),
        json!({ "auths": { host: {} } }),
    ];
    for config in others {
        let temp = Temp::new();
        let before = server.requests().len();
        let (error, _) = failure(&server, RegistryOptions { logins: logins(&temp, &config), ..options() });
        assert!(error.ends_with("wants a login"), "{config}: {error}");
        assert!(server.requests()[before..].iter().all(|request| request.header("authorization").is_none()), "{config}");
    }
}

#[test]
fn a_file_or_helper_that_makes_no_sense_is_said_and_not_quoted() {
    let server = password_only();
    let host = &server.address;
    let table = [
        (format!("{{\"auths\": {PASSWORD}"), "it is not JSON"),
        (json!({ "auths": { host: { "auth": PASSWORD } } }).to_string(), "not in base64"),
        (json!({ "credHelpers": { host: "../../bin/sh" } }).to_string(), "has a name that is none"),
        (json!({ "credsStore": "x; rm -rf /" }).to_string(), "has a name that is none"),
        (json!({ "credsStore": "layersift-test-none" }).to_string(), "docker-credential-layersift-test-none cannot be run"),
    ];
    for (config, message) in table {
        let temp = Temp::new();
        temp.file(".docker/config.json", &config);
        let said = run(&[&server.image()], &temp);
        assert_eq!(said.code, 2);
        assert!(said.stderr.contains("the registry wants a login; no login could be taken from"), "{}", said.stderr);
        assert!(said.stderr.contains(message) && !said.stderr.contains(PASSWORD), "{}", said.stderr);
    }
}

#[test]
fn the_program_takes_a_login_from_standard_input_and_the_environment() {
    use std::io::Write as _;
    let (server, home) = (password_only(), Temp::new());
    let mut command = program();
    command.env("HOME", home.path("")).args(["scan", &server.image(), "--username", "user", "--password-stdin", "--format", "json"]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{PASSWORD}").unwrap();
    let said = Run::new(child.wait_with_output().unwrap());
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(!said.stdout.contains(PASSWORD) && !said.stderr.contains(PASSWORD));

    let mut command = program();
    command.env("HOME", home.path("")).args(["scan", &server.image()]);
    command.env("LAYERSIFT_REGISTRY_USERNAME", "user").env("LAYERSIFT_REGISTRY_PASSWORD", PASSWORD);
    let said = Run::new(command.output().unwrap());
    assert!(said.code == 2 && said.stderr.contains("LAYERSIFT_REGISTRY is not set"), "{}", said.stderr);
    let said = Run::new(command.env("LAYERSIFT_REGISTRY", "other.example").output().unwrap());
    assert!(said.code == 2 && said.stderr.contains("wants a login"), "{}", said.stderr);
    assert!(server.requests().iter().filter(|request| request.header("authorization").is_some()).count() > 0);
    let said = Run::new(command.env("LAYERSIFT_REGISTRY", &server.address).output().unwrap());
    assert_eq!(said.code, 1, "{}", said.stderr);
}

#[test]
fn a_token_service_must_be_within_reach_and_say_something_sensible() {
    let with_realm = |realm: &'static str| {
        server(move |request, reply| {
            if request.path == "/v2/" { reply } else { Reply::new(401, "").with("WWW-Authenticate", format!("Bearer realm=\"{realm}\"")) }
        })
    };
    for realm in ["http://169.254.169.254/latest", "ftp://127.0.0.1/", "/token", ""] {
        let server = with_realm(realm);
        let (error, _) = failure(&server, given(&server, PASSWORD));
        assert!(error.contains("was not asked") || error.contains("token service has"), "{realm}: {error}");
    }
    for answer in ["", "{}", "[]", r#"{"token":""}"#, r#"{"token":"a\r\nX-Evil: 1"}"#] {
        let server = server(move |request, reply| match &request.path {
            path if path == "/v2/" => reply,
            path if path.starts_with("/token") => Reply::new(200, answer),
            _ => Reply::new(401, "").with("WWW-Authenticate", format!("Bearer realm=\"http://{}/token\"", request.header("host").unwrap())),
        });
        let (error, _) = failure(&server, options());
        assert!(error.ends_with("its answer makes no sense: it gives no token"), "{answer}: {error}");
    }
}

#[test]
fn an_identity_token_is_exchanged() {
    let server = server(|request, reply| match request.header("authorization") {
        _ if request.path == "/v2/" => reply,
        Some("Bearer good") => reply,
        _ if request.path == "/token" && request.method == "POST" && request.body.contains("refresh_token=id-secret") => {
            Reply::new(200, r#"{"access_token":"good"}"#)
        }
        _ => Reply::new(401, "")
            .with("WWW-Authenticate", format!("Bearer realm=\"http://{}/token\",service=s", request.header("host").unwrap())),
    });
    let temp = Temp::new();
    let config = json!({ "auths": { &server.address: { "auth": "", "identitytoken": "id-secret" } } });
    let scan = sound(scan_with(&server, RegistryOptions { logins: logins(&temp, &config), ..options() }));
    assert_eq!(scan.findings.len(), 2);
}

#[test]
fn a_login_never_shows() {
    let credential = Credential::password("user", PASSWORD);
    let options = RegistryOptions { logins: Logins { given: Some(("x".to_owned(), credential)), files: Vec::new() }, ..options() };
    assert!(!format!("{options:?}").contains(PASSWORD));
}
