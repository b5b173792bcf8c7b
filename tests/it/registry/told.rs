//! What a user sees of a registry that fails: the message, what is said not to have been read, the exit code. And what nobody sees: whatever a
//! hostile registry repeats of them, no credential shows.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use layersift::finding::{Outcome as Verdict, Reason};
use layersift::oci::Digest;
use layersift::report::{Exposure, FormatName};
use layersift::source::registry::Credential;
use serde_json::{Value, json};

use super::*;

const PASSWORD: &str = "battery-staple-7";
/// What the token service gives.
const BEARER: &str = "bearer-of-the-tests-5f2c";

fn basic() -> String {
    BASE64_STANDARD.encode(format!("user:{PASSWORD}"))
}

/// Fails if a credential stands in `text`.
#[track_caller]
fn no_credential(text: &str) {
    for credential in [PASSWORD, BEARER, &basic()] {
        assert!(!text.contains(credential), "{credential} shows in {text}");
    }
}

/// A registry that wants a token for the user's password, and answers with `plan` whoever has one. What is no success repeats who asked, in
/// the body and in headers.
fn hostile(shelf: Shelf, plan: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(shelf, move |request, reply| {
        let reply = match request.header("authorization") {
            _ if request.path == "/v2/" => return reply,
            Some(asked) if request.path.starts_with("/token") && asked == format!("Basic {}", basic()) => {
                return Reply::new(200, json!({ "token": BEARER }).to_string());
            }
            Some(asked) if asked == format!("Bearer {BEARER}") => plan(request, reply),
            _ if request.path.starts_with("/token") => Reply::new(401, ""),
            _ => {
                let realm = format!("Bearer realm=\"http://{}/token\"", request.header("host").unwrap());
                Reply::new(401, "").with("WWW-Authenticate", realm)
            }
        };
        if (200..300).contains(&reply.status) {
            return reply;
        }
        let asked = request.header("authorization").unwrap_or_default().to_owned();
        let body = json!({ "errors": [{ "code": "X", "message": format!("{asked} {PASSWORD}") }] }).to_string();
        Reply { body: body.into_bytes(), ..reply }.with("X-Asked", &asked).with("Warning", format!("199 - \"{asked}\""))
    })
}

/// The program's run as a user with that password; nothing that it writes has a credential.
fn told(server: &Server, password: &str) -> (Run, Value) {
    let home = Temp::new();
    let mut command = scan_by(&home);
    command.args([&server.image(), "--username", "user", "--password-stdin", "--fail-on", "never", "--format", "json"]);
    for format in ["table", "html"] {
        command.args(["--output", &format!("{format}={}", home.path(format).display())]);
    }
    command.args(["--output", &format!("json={}", home.path("json").display())]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    let run = Run::new(child.wait_with_output().unwrap());
    let read = |name: &str| std::fs::read_to_string(home.path(name)).unwrap();
    for text in [&run.stdout, &run.stderr, &read("table"), &read("html"), &read("json")] {
        no_credential(text);
    }
    let report = valid(&read("json"));
    (run, report)
}

/// The scan with little patience; nothing that it gives has a credential.
fn soon_told(server: &Server, patience: Patience) -> Outcome {
    let logins = Logins { given: Some((server.address.clone(), Credential::password("user", PASSWORD))), files: Vec::new() };
    let outcome = scan_with(server, RegistryOptions { logins, patience, ..options() });
    for format in [FormatName::Json, FormatName::Table, FormatName::Html] {
        no_credential(&String::from_utf8_lossy(&write(&outcome.scan, format, Exposure::Shown)));
    }
    no_credential(&format!("{outcome:?}"));
    outcome
}

type Plan = Box<dyn Fn(&Request, Reply) -> Reply + Send + Sync>;

/// Does to what `applies` to what `fault` says.
fn when(
    applies: impl Fn(&Request) -> bool + Send + Sync + 'static,
    fault: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static,
) -> Plan {
    Box::new(move |request, reply| if applies(request) { fault(request, reply) } else { reply })
}

fn is_tag(request: &Request) -> bool {
    request.path.ends_with("/manifests/1")
}

fn is_second() -> impl Fn(&Request) -> bool + Send + Sync + 'static {
    let second = shelf().layers()[1].to_string();
    move |request| request.path.contains(&second)
}

#[test]
fn an_image_that_cannot_be_had_is_an_error_and_two() {
    let status = |status: u16| when(is_tag, move |_, _| Reply::new(status, ""));
    let table: Vec<(Plan, &str, &str, &str)> = vec![
        (status(401), "access is denied", "log in with `docker login", "unreadable"),
        (status(403), "access is denied", "log in with `docker login", "unreadable"),
        (status(404), "there is none, or no access to it", "spelling", "missing-blob"),
        (status(400), "HTTP status 400", "", "unreadable"),
        (
            when(is_tag, |request, _| Reply::new(200, format!("<p>{:?}", request.headers)).with("Content-Type", "text/html")),
            "what answers there is no registry",
            "",
            "unreadable",
        ),
        (when(is_tag, |_, reply| reply.at(Pace::Endless)), "it is larger than 67108864 bytes", "", "too-large"),
        (when(is_tag, |request, _| Reply::new(200, format!("{:?}", request.headers))), "the manifest is not", "", "unreadable"),
        (
            when(is_tag, |request, _| Reply::to(&format!("http://10.0.0.1/?who={}", request.header("authorization").unwrap()))),
            "it redirects to nowhere",
            "",
            "unreadable",
        ),
        (
            when(is_tag, |request, _| Reply::to(&format!("http://10.0.0.1/?who={}", &request.header("authorization").unwrap()[7..]))),
            "it refers to 10.0.0.1, which was not asked: its address 10.0.0.1 is in a private network",
            "--allow-internal-hosts",
            "unreadable",
        ),
        (
            when(is_tag, |_, _| Reply::new(429, "").with("Retry-After", "86400")),
            "it wants to be left alone for 86400 s",
            "try again later",
            "unreadable",
        ),
    ];
    for (plan, message, hint, reason) in table {
        let server = hostile(shelf(), plan);
        let (run, report) = told(&server, PASSWORD);
        assert_eq!(run.code, 2, "{message}: {}", run.stderr);
        assert!(run.stderr.contains(message) && run.stderr.contains(hint), "{message}: {}", run.stderr);
        assert_eq!(run.stderr.contains("hint: "), !hint.is_empty(), "{}", run.stderr);
        let skipped = &report["coverage"]["skipped"];
        assert_eq!((&report["complete"], &skipped[0]["reason"]), (&json!(false), &json!(reason)), "{message}: {skipped}");
    }
    let (run, _) = told(&hostile(shelf(), |_, reply| reply), "a wrong one");
    assert!(run.code == 2 && run.stderr.contains("the registry does not accept the login"), "{}", run.stderr);
    assert!(!run.stderr.contains("a wrong one"));
    let (run, report) = told(&hostile(shelf(), |_, reply| reply), PASSWORD);
    assert_eq!((run.code, &report["complete"]), (0, &json!(true)), "without a fault: {}", run.stderr);
}

#[test]
fn a_layer_that_cannot_be_had_is_said_and_three() {
    let status = |status: u16| when(is_second(), move |_, _| Reply::new(status, ""));
    let table: Vec<(Plan, &str, &str)> = vec![
        (status(401), "it wants a login and does not say how", "unreadable"),
        (status(403), "access is denied", "unreadable"),
        (status(404), "there is none, or no access to it", "missing-blob"),
        (
            when(is_second(), |request, _| {
                Reply::to(&format!("http://169.254.169.254/?{}", &request.header("authorization").unwrap()[7..]))
            }),
            "its address 169.254.169.254 is link-local",
            "unreadable",
        ),
        (when(is_second(), |_, reply| Reply { body: [&reply.body[..], b"more"].concat(), ..reply }), "it is larger than", "unreadable"),
        (
            when(is_second(), |_, mut reply| {
                let last = reply.body.len() - 20_000;
                reply.body[last] ^= 1;
                reply
            }),
            "it is not the one the manifest names",
            "digest-mismatch",
        ),
    ];
    for (plan, message, reason) in table {
        let (run, report) = told(&hostile(shelf(), plan), PASSWORD);
        assert_eq!((run.code, &report["complete"]), (3, &json!(false)), "{message}: {}", run.stderr);
        let skipped = report["coverage"]["skipped"].as_array().unwrap();
        let is_said = |skip: &&Value| skip["reason"] == reason && skip["detail"].as_str().is_some_and(|detail| detail.contains(message));
        assert!(skipped.iter().any(|skip| is_said(&skip)), "{message}: {skipped:#?}");
    }
}

/// A registry with the image and an index of it, which is tagged; the index is as `change` leaves it.
fn indexed(change: impl Fn(&mut Value)) -> (Shelf, Digest) {
    let mut shelf = shelf();
    let manifest = shelf.top.clone().unwrap();
    let (kind, bytes) = shelf.documents[&format!("manifests/{manifest}")].clone();
    let mut index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{ "mediaType": kind, "digest": manifest.to_string(), "size": bytes.len() }],
    });
    change(&mut index);
    let index = shelf.put(index.to_string().into_bytes());
    shelf.tag("1", &index);
    shelf.top = Some(index);
    (shelf, manifest)
}

#[test]
fn documents_that_lie_are_scanned_as_they_are_and_said() {
    let (sound, manifest) = indexed(|_| {});
    let (run, report) = told(&hostile(sound.clone(), |_, reply| reply), PASSWORD);
    assert_eq!((run.code, report["findings"].as_array().unwrap().len()), (0, 2), "without a fault: {}", run.stderr);

    let said = |shelf: &Shelf, plan: Plan| {
        let (run, report) = told(&hostile(shelf.clone(), plan), PASSWORD);
        assert_eq!(run.code, 3, "{}", run.stderr);
        let skipped = report["coverage"]["skipped"].as_array().unwrap().clone();
        (skipped.iter().map(|skip| skip["reason"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), report)
    };
    // The size of a manifest, in the index.
    let (lying, _) = indexed(|index| index["manifests"][0]["size"] = json!(3));
    let (reasons, report) = said(&lying, Box::new(|_, reply| reply));
    assert_eq!((reasons, report["findings"].as_array().unwrap().len()), (vec!["size-mismatch".to_owned()], 2));

    // A manifest that is another one each time it is asked for.
    let count = AtomicUsize::new(0);
    let path = format!("/manifests/{manifest}");
    let changing = when(
        move |request| request.path.ends_with(&path),
        move |_, reply| {
            let blanks = " ".repeat(count.fetch_add(1, Ordering::SeqCst) + 1);
            Reply { body: [&reply.body[..], blanks.as_bytes()].concat(), ..reply }
        },
    );
    let (reasons, report) = said(&sound, changing);
    assert_eq!(reasons, ["digest-mismatch", "size-mismatch"]);
    assert_eq!(report["findings"].as_array().unwrap().len(), 2);

    // An index that names itself, as far as a registry can make one.
    let own = Digest::sha256(b"itself");
    let index = json!({
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{ "mediaType": "application/vnd.oci.image.index.v1+json", "digest": own.to_string(), "size": 3 }],
    });
    let cycle = when(|request| request.path.contains("/manifests/"), move |_, _| Reply::new(200, index.to_string()));
    let (reasons, report) = said(&sound, cycle);
    assert!(reasons.contains(&"too-deep".to_owned()), "{reasons:?}");
    assert!(report["coverage"].to_string().contains("the index leads back to itself"));

    // More manifests than anybody reads.
    let (endless, _) = indexed(|index| {
        let entry = |number: u32| {
            json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1,
                    "digest": manifest.to_string(), "annotations": { "number": number.to_string() } })
        };
        let entries: Vec<Value> = (0..10_050).map(entry).collect();
        index["manifests"].as_array_mut().unwrap().extend(entries);
    });
    let (reasons, _) = said(&endless, Box::new(|_, reply| reply));
    assert_eq!(reasons, ["entries-limit"]);
}

/// The first layer's token; the second layer is not read, for `reason`, and `message` says so.
#[track_caller]
fn half(outcome: Outcome, reason: Reason, message: &str) {
    let scan = sound(outcome);
    only(&scan, &token("first"));
    let skipped = &scan.coverage.skipped;
    let is_said = skipped.iter().any(|skip| skip.reason == reason && skip.detail.contains(message));
    assert!(is_said, "{message}: {skipped:#?}");
    let empty = layersift::finding::Scan { findings: Vec::new(), ..scan };
    assert!(matches!(verdict(&empty), Verdict::Incomplete(_)), "the exit code says so");
}

#[test]
fn a_storm_of_failures_has_an_end() {
    const STORM: [u16; 6] = [429, 500, 502, 503, 504, 408];
    // Each request fails twice before it is answered.
    let asked = std::sync::Mutex::new(std::collections::BTreeMap::<String, usize>::new());
    let passing = hostile(shelf(), move |request, reply| {
        let mut asked = asked.lock().unwrap();
        let times = asked.entry(request.path.clone()).or_default();
        *times += 1;
        if *times <= 2 { Reply::new(STORM[(*times + request.path.len()) % STORM.len()], "").with("Retry-After", "0") } else { reply }
    });
    let scan = sound(soon_told(&passing, patience()));
    assert_eq!((scan.findings.len(), reasons(&scan)), (2, vec![]));

    for status in STORM {
        let (second, is_second) = (is_second(), is_second());
        let server = hostile(shelf(), when(second, move |_, _| Reply::new(status, "")));
        half(soon_told(&server, patience()), Reason::Unreadable, &format!("HTTP status {status}"));
        let authorised = |request: &Request| is_second(request) && request.header("authorization").is_some();
        assert_eq!(server.count(authorised), 3, "as often as patience has it: {status}");
    }
    let everywhere = hostile(shelf(), |_, _| Reply::new(503, ""));
    let outcome = soon_told(&everywhere, patience());
    assert!(outcome.failures[0].error.to_string().ends_with("HTTP status 503"), "{:?}", outcome.failures);
    assert!(everywhere.requests().len() <= 8, "{}", everywhere.requests().len());
}

#[test]
fn a_token_service_that_fails_is_said_to_be_the_one() {
    let service = |status: u16| {
        Server::start(shelf(), move |request, reply| match request.path.as_str() {
            "/v2/" => reply,
            path if path.starts_with("/token") => Reply::new(status, format!("{:?}", request.headers)),
            _ => {
                let realm = format!("Bearer realm=\"http://{}/token\"", request.header("host").unwrap());
                Reply::new(401, "").with("WWW-Authenticate", realm)
            }
        })
    };
    let table = [
        (429, "it was asked too often (HTTP status 429)", 3),
        (500, "it answered with HTTP status 500", 3),
        (401, "the registry does not accept the login", 1),
        (403, "the registry does not accept the login", 1),
        (404, "there is none, or no access to it", 1),
        (200, "it gives no token", 1),
    ];
    for (status, message, times) in table {
        let server = service(status);
        let outcome = soon_told(&server, patience());
        let error = outcome.failures[0].error.to_string();
        assert!(error.contains("its token service 127.0.0.1: ") && error.contains(message), "{error}");
        assert_eq!(server.count(|request| request.path.starts_with("/token")), times, "{status}");
    }
}

#[test]
fn a_token_that_cannot_be_renewed_in_the_middle_of_a_blob_is_said() {
    let second = is_second();
    let cut = hostile(shelf(), move |request, reply| match request.header("range") {
        _ if !second(request) => reply,
        None => reply.cut(1000),
        // The token is good no more, and neither is any other.
        Some(_) => Reply::new(401, "").with("WWW-Authenticate", "Bearer realm=\"/token\""),
    });
    half(soon_told(&cut, patience()), Reason::Unreadable, "its token service has no host");
    let second = is_second();
    let cut = hostile(shelf(), move |request, reply| match request.header("range") {
        _ if !second(request) => reply,
        None => reply.cut(1000),
        Some(_) => {
            let realm = format!("Bearer realm=\"http://{}/token\"", request.header("host").unwrap());
            Reply::new(401, "").with("WWW-Authenticate", realm)
        }
    });
    half(soon_told(&cut, patience()), Reason::Unreadable, "access is denied");
}

/// What comes at all comes in time; what trickles would take hours.
const SOON: Duration = Duration::from_secs(2);

#[test]
fn heads_that_trickle_are_left() {
    let soon = Patience { response: SOON, attempts: 1, ..patience() };
    let tag = hostile(shelf(), when(is_tag, |_, reply| reply.at(Pace::TricklingHead)));
    let error = soon_told(&tag, soon).failures[0].error.to_string();
    assert!(error.ends_with("it takes too long: no answer came"), "{error}");
    let blob = hostile(shelf(), when(is_second(), |_, reply| reply.at(Pace::TricklingHead)));
    half(soon_told(&blob, soon), Reason::Unreadable, "it takes too long: no answer came");
}

#[test]
fn bodies_that_trickle_are_left() {
    let tag = hostile(shelf(), when(is_tag, |_, reply| reply.at(Pace::TricklingBody)));
    let error = soon_told(&tag, Patience { document: SOON, attempts: 1, ..patience() }).failures[0].error.to_string();
    assert!(error.ends_with("it takes too long: the answer did not come to its end"), "{error}");
    let blob = hostile(shelf(), when(is_second(), |_, reply| reply.at(Pace::TricklingBody)));
    let outcome = soon_told(&blob, Patience { idle: SOON, attempts: 1, ..patience() });
    half(outcome, Reason::Unreadable, "it takes too long: the blob trickles");
}

#[test]
fn blobs_that_are_shorter_than_they_should_be_are_said() {
    // The connection ends early; the head says less; the blob itself has less.
    let faults: [fn(Reply) -> Reply; 3] = [
        |reply| reply.cut(1000),
        |reply| Reply { length: Some(1000), ..reply }.cut(1000),
        |reply| Reply { body: reply.body[..reply.body.len().min(1000)].to_vec(), ..reply },
    ];
    for fault in faults {
        let server = hostile(shelf(), when(is_second(), move |_, reply| fault(reply)));
        half(soon_told(&server, patience()), Reason::Unreadable, "the connection broke");
    }
}
