//! Registries that fail, lie or are slow. What is lost is said, what is there is scanned.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use layersift::finding::{Outcome as Verdict, Reason, Scan};
use layersift::source::registry::{Bounds, Gates, Referrals};

use super::*;

/// An answer for the first `times` requests that `applies` to; then the one that is due.
fn first(
    times: usize,
    applies: impl Fn(&Request) -> bool + Send + Sync + 'static,
    fault: impl Fn(Reply) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static {
    let count = AtomicUsize::new(0);
    move |request, reply| if applies(request) && count.fetch_add(1, Ordering::SeqCst) < times { fault(reply) } else { reply }
}

/// Applies to the tag, which is asked for first.
fn is_tag(request: &Request) -> bool {
    request.path.ends_with("/manifests/1")
}

/// Applies to the larger layer, the last one.
fn is_second() -> impl Fn(&Request) -> bool + Send + Sync + 'static {
    let second = shelf().layers()[1].to_string();
    move |request| request.path.contains(&second)
}

/// Both tokens, and nothing missing.
#[track_caller]
fn whole(scan: &Scan) {
    assert_eq!(scan.findings.len(), 2, "{:?}", scan.coverage.skipped);
    assert!(reasons(scan).is_empty(), "{:?}", scan.coverage.skipped);
}

/// The first layer's token; the second layer is missing for `reason`, and the message says so.
#[track_caller]
fn half(scan: &Scan, reason: Reason, message: &str) {
    only(scan, &token("first"));
    let skipped = &scan.coverage.skipped;
    let layer = format!("layer 1 ({})", shelf().layers()[1]);
    let is_said = skipped.iter().any(|skip| skip.reason == reason && skip.place.contains(&layer) && skip.detail.contains(message));
    assert!(is_said, "{skipped:#?}");
    assert!(!scan.coverage.is_complete());
    // Without findings the exit code would say it.
    let empty = Scan { findings: Vec::new(), ..scan.clone() };
    assert!(matches!(verdict(&empty), Verdict::Incomplete(_)));
}

#[test]
fn what_fails_once_is_tried_again() {
    for status in [429, 500, 502, 503, 504] {
        let server = server(first(2, is_tag, move |_| Reply::new(status, "").with("Retry-After", "0")));
        whole(&scan_of(&server));
        assert_eq!(server.count(is_tag), 3, "{status}");
    }
    whole(&scan_of(&server(first(2, is_second(), |_| Reply::new(500, "")))));
}

#[test]
fn what_fails_for_good_is_said_with_what_to_do() {
    let table: [(u16, &str, &str); 5] = [
        (403, "cannot get manifest 1: access is denied", "docker login"),
        (404, "there is none, or no access to it", "spelling"),
        (429, "it was asked too often (HTTP status 429)", "later"),
        (500, "it answered with HTTP status 500", ""),
        (418, "it answered with HTTP status 418", ""),
    ];
    for (status, message, advice) in table {
        let server = server(move |request, reply| if is_tag(request) { Reply::new(status, "") } else { reply });
        let (error, hint) = failure(&server, options());
        assert!(error.starts_with(&format!("{}/team/app: ", server.address)) && error.contains(message), "{error}");
        assert!(hint.contains(advice), "{hint}");
        assert_eq!(server.count(is_tag), if status == 429 || status == 500 { 3 } else { 1 }, "{status}");
    }
}

#[test]
fn a_registry_cannot_make_us_wait_for_ever() {
    let server = server(|request, reply| if is_tag(request) { Reply::new(429, "").with("Retry-After", "86400") } else { reply });
    let (error, _) = failure(&server, options());
    assert!(error.ends_with("it wants to be left alone for 86400 s"), "{error}");
    assert_eq!(server.count(is_tag), 1);
}

#[test]
fn a_registry_that_bears_less_is_asked_less_at_a_time() {
    /// Requests for layers under way; how many there were at most after the first ones; how many were refused.
    #[derive(Default)]
    struct Load {
        now: usize,
        seen: usize,
        later: usize,
        refused: usize,
    }
    let image = (0..4).fold(ImageBuilder::new().tag("1"), |image, number| {
        image.layer("COPY x /", |layer| layer.file(format!("/{number}"), token(&format!("layer {number}"))))
    });
    let shelf = Shelf::of(&ImageSet::new().image(image));
    let layers: Vec<String> = shelf.layers().iter().map(ToString::to_string).collect();
    let load = Arc::new((Mutex::new(Load::default()), Condvar::new()));
    let shared = Arc::clone(&load);
    let server = Server::start(shelf, move |request, reply| {
        if !layers.iter().any(|layer| request.path.ends_with(layer)) {
            return reply;
        }
        let (load, changed) = &*shared;
        let mut load = load.lock().unwrap();
        (load.now, load.seen) = (load.now + 1, load.seen + 1);
        let (place, is_later) = (load.now, load.seen > 4);
        load.later = load.later.max(if is_later { place } else { 0 });
        changed.notify_all();
        // The first four are held until all of them are here. Two are too many.
        load = changed.wait_while(load, |load| load.seen < 4).unwrap();
        let is_refused = place > 2;
        load.refused += usize::from(is_refused);
        changed.notify_all();
        if !is_refused && !is_later {
            // The other two last long enough for a client that would come back too soon.
            load = changed.wait_while(load, |load| load.refused < 2).unwrap();
            load = changed.wait_timeout_while(load, Duration::from_millis(300), |load| load.seen == 4).unwrap().0;
        }
        load.now -= 1;
        if is_refused { Reply::new(429, "").with("Retry-After", "0") } else { reply }
    });
    let gates = Gates::new(Bounds { connections: NonZeroUsize::new(4).unwrap(), per_second: None });
    let registry = RegistryOptions { gates, ..options() };
    let scan = sound(scan_text(&server.image(), &Options { registry, jobs: 4, ..Options::default() }));
    assert_eq!((scan.findings.len(), reasons(&scan).len()), (4, 0), "{:?}", scan.coverage.skipped);
    let load = load.0.lock().unwrap();
    assert_eq!((load.seen, load.refused), (6, 2));
    assert!(load.later <= 2, "{} at a time", load.later);
}

#[test]
fn a_blob_that_breaks_goes_on_where_it_broke() {
    let server = server(first(2, is_second(), |reply| reply.cut(100_000)));
    whole(&scan_of(&server));
    let ranges: Vec<_> =
        server.requests().into_iter().filter(is_second()).map(|request| request.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some("bytes=100000-".to_owned()), Some("bytes=200000-".to_owned())]);
}

#[test]
fn a_registry_that_knows_no_ranges_begins_anew() {
    let (is_second, is_blob) = (is_second(), is_second());
    let count = AtomicUsize::new(0);
    let whole_blob = shelf().documents[&format!("blobs/{}", shelf().layers()[1])].1.clone();
    let server = server(move |request, reply| match is_second(request).then(|| count.fetch_add(1, Ordering::SeqCst)) {
        None => reply,
        Some(0) => reply.cut(100_000),
        Some(_) => Reply::new(200, whole_blob.clone()),
    });
    whole(&scan_of(&server));
    assert_eq!(server.count(is_blob), 2);
}

#[test]
fn a_blob_that_never_comes_whole_is_said_and_the_rest_is_scanned() {
    let is_second = is_second();
    let server = server(move |request, reply| if is_second(request) { reply.cut(10) } else { reply });
    half(&scan_of(&server), Reason::Unreadable, "the connection broke");
}

#[test]
fn a_blob_that_is_not_there_is_said_and_the_rest_is_scanned() {
    for (status, reason, message) in [(404, Reason::MissingBlob, "there is none"), (403, Reason::Unreadable, "access is denied")] {
        let is_second = is_second();
        let server = server(move |request, reply| if is_second(request) { Reply::new(status, "") } else { reply });
        half(&scan_of(&server), reason, message);
    }
}

#[test]
fn a_layer_that_registries_do_not_carry_is_said_to_be_one() {
    let is_second = is_second();
    let server = server(move |request, reply| match request.path.contains("/manifests/") {
        true => {
            let text = String::from_utf8(reply.body.clone()).unwrap();
            let kind = "application/vnd.oci.image.layer";
            Reply { body: text.replace(&format!("{kind}.v1"), &format!("{kind}.nondistributable.v1")).into_bytes(), ..reply }
        }
        false if is_second(request) => Reply::new(404, ""),
        false => reply,
    });
    half(&scan_of(&server), Reason::Foreign, "only at URLs");
}

#[test]
fn other_bytes_than_the_digest_names_are_said() {
    let is_second = is_second();
    let server = server(move |request, mut reply| {
        if is_second(request) {
            let last = reply.body.len() - 20_000;
            reply.body[last] ^= 1;
        }
        reply
    });
    let scan = scan_of(&server);
    assert_eq!(reasons(&scan), [Reason::DigestMismatch, Reason::DiffIdMismatch]);
    assert_eq!(scan.findings.len(), 2);
}

#[test]
fn more_bytes_than_the_descriptor_says_are_not_read() {
    let is_second = is_second();
    let server = server(move |request, mut reply| {
        if is_second(request) {
            reply.body.extend([b'x'; 1000]);
        }
        reply
    });
    half(&scan_of(&server), Reason::Unreadable, "it is larger than");
}

#[test]
fn a_range_that_was_not_asked_for_is_not_taken() {
    let is_second = is_second();
    let count = AtomicUsize::new(0);
    let server = server(move |request, reply| match is_second(request).then(|| count.fetch_add(1, Ordering::SeqCst)) {
        None => reply,
        Some(0) => reply.cut(1000),
        Some(_) => Reply::new(206, "elsewhere").with("Content-Range", "bytes 5000-5008/400000"),
    });
    half(&scan_of(&server), Reason::Unreadable, "another range");
}

#[test]
fn what_is_no_registry_is_said() {
    for status in [200, 404] {
        let page = move || Reply::new(status, "<html>hello</html>").with("Content-Type", "text/html; charset=utf-8");
        let server = server(move |request, reply| if request.path == "/v2/" { reply } else { page() });
        let (error, _) = failure(&server, options());
        assert!(error.ends_with("no registry: it answers with a web page"), "{error}");
    }
    let server = server(|request, reply| if is_tag(request) { Reply::new(200, "hello") } else { reply });
    let (error, _) = failure(&server, options());
    assert!(error.contains("the manifest is not an image index or manifest"), "{error}");
}

#[test]
fn answers_are_bounded() {
    let huge = "x".repeat(200_000);
    type Plan = Box<dyn Fn(Reply) -> Reply + Send + Sync>;
    let table: [(Plan, &str); 4] = [
        (Box::new(|reply| Reply { length: Some(65 << 20), ..reply }), "it is larger than 67108864 bytes"),
        (Box::new(move |reply| reply.with("X-Huge", huge.clone())), "its head is too large"),
        (Box::new(|reply| Reply { length: Some(100_000), ..reply }), "the connection broke"),
        (Box::new(|_| Reply::to("/v2/team/app/manifests/1")), "it redirects too often"),
    ];
    for (fault, message) in table {
        let server = server(move |request, reply| if is_tag(request) { fault(reply) } else { reply });
        let (error, _) = failure(&server, options());
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_registry_that_falls_silent_is_left() {
    let soon = || RegistryOptions { patience: Patience { idle: Duration::from_secs(1), attempts: 2, ..patience() }, ..options() };
    let silent = server(|request, reply| if is_tag(request) { reply.cut(5).at(Pace::Hangs) } else { reply });
    let (error, _) = failure(&silent, soon());
    assert!(error.contains("it takes too long"), "{error}");
    let is_second = is_second();
    let silent = server(move |request, reply| if is_second(request) { reply.cut(100).at(Pace::Hangs) } else { reply });
    half(&sound(scan_with(&silent, soon())), Reason::Unreadable, "it takes too long");
}

#[test]
fn nobody_at_home_is_said_at_once() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = run(&[&format!("{address}/app")], &Temp::new());
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("no connection: it was refused") && run.stderr.contains("hint: "), "{}", run.stderr);
}

#[test]
fn a_redirect_is_followed_and_told_no_login() {
    let storage = Server::start(shelf(), |_, reply| reply);
    let base = storage.url("");
    let server = server(move |request, reply| match request.header("authorization") {
        _ if request.path == "/v2/" => reply,
        None => Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
        Some(_) if request.is_blob() => Reply::to(&format!("{base}{}", request.path)),
        Some(_) if request.path.ends_with("/1") => Reply::to(&request.path.replace("/1", "/1?again")),
        Some(_) if request.path.ends_with("/1?again") => Reply::to(&request.path.replace("1?again", &shelf().top.unwrap().to_string())),
        Some(_) => reply,
    });
    let given = Some((server.address.clone(), layersift::source::registry::Credential::password("u", "p")));
    whole(&sound(scan_with(&server, RegistryOptions { logins: Logins { given, files: Vec::new() }, ..options() })));
    assert_eq!(storage.requests().len(), 3);
    assert!(storage.requests().iter().all(|request| request.header("authorization").is_none()), "{:?}", storage.requests());
}

#[test]
fn a_redirect_into_the_network_of_the_machine_is_refused() {
    for host in ["169.254.169.254", "10.0.0.1", "0.0.0.0", "[fe80::1]", "[::ffff:169.254.169.254]"] {
        let is_second = is_second();
        let server = server(move |request, reply| if is_second(request) { Reply::to(&format!("http://{host}/latest")) } else { reply });
        let scan = scan_of(&server);
        half(&scan, Reason::Unreadable, "which was not asked: its address");
        let (error, hint) = {
            let server = super::server(move |request, reply| if is_tag(request) { Reply::to(&format!("http://{host}/")) } else { reply });
            failure(&server, options())
        };
        assert!(error.contains(&format!("it refers to {host}")) && hint.contains("--allow-internal-hosts"), "{error} {hint}");
    }
}

#[test]
fn a_redirect_that_is_none_is_refused() {
    for location in ["file:///etc/passwd", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "http://"] {
        let server = server(move |request, reply| if is_tag(request) { Reply::to(location) } else { reply });
        let (error, _) = failure(&server, RegistryOptions { referrals: Referrals::Any, ..options() });
        assert!(error.ends_with("it redirects to nowhere"), "{location}: {error}");
    }
}
