//! Mirrors: they are asked first, and neither trusted with a login nor with what a digest names.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use layersift::finding::Reason;
use layersift::source::registry::Credential;
use serde_json::json;

use super::*;

const PASSWORD: &str = "of-the-registry-4";
const PASSWORD_OF_MIRROR: &str = "of-the-mirror-8";

/// With a mirror of the registry at `address`.
fn with_mirror(address: &str, mirror: &str) -> RegistryOptions {
    RegistryOptions { mirrors: vec![format!("{address}={mirror}").parse().unwrap()], ..options() }
}

/// The scan of the registry's image, and what the user is told.
fn scan_mirrored(registry: &Server, mirror: &Server) -> (layersift::finding::Scan, Vec<String>) {
    let outcome = scan_with(registry, with_mirror(&registry.address, &mirror.url("")));
    let notes = outcome.notes.clone();
    (sound(outcome), notes)
}

/// The one note that says of the mirror what went wrong.
#[track_caller]
fn trouble(notes: &[String], mirror: &str) -> String {
    let said: Vec<&String> = notes.iter().filter(|note| note.starts_with(&format!("the mirror {mirror} failed: "))).collect();
    assert_eq!(said.len(), 1, "{notes:?}");
    said[0].clone()
}

#[test]
fn what_the_mirror_has_is_not_asked_of_the_registry() {
    let (registry, mirror) = (server(|_, reply| reply), server(|_, reply| reply));
    let (scan, notes) = scan_mirrored(&registry, &mirror);
    assert_eq!((scan.findings.len(), reasons(&scan)), (2, vec![]));
    assert!(registry.requests().is_empty(), "{:?}", registry.requests());
    let is_plain = |note: &String| note.contains(&mirror.address) && note.contains("read over plain HTTP");
    assert!(notes.len() == 1 && is_plain(&notes[0]), "{notes:?}");
    assert_eq!(facts(&scan), facts(&scan_of(&registry)));

    // Below a folder, and of another registry.
    let outcome = scan_text(
        "registry:registry.example/app:1",
        &Options { registry: with_mirror("registry.example", &mirror.url("/team/")), ..Options::default() },
    );
    assert_eq!(sound(outcome).findings.len(), 2);
    let other = scan_with(&registry, with_mirror("registry.example", &mirror.url("")));
    assert!(sound(other).findings.len() == 2 && mirror.count(|request| request.path.ends_with("/manifests/1")) == 2);
}

#[test]
fn what_the_mirror_has_not_comes_from_the_registry_and_is_said() {
    let registry = server(|_, reply| reply);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let outcome = scan_with(&registry, with_mirror(&registry.address, &format!("http://{nobody}")));
    let said = trouble(&outcome.notes, &nobody);
    assert!(said.ends_with("no connection: it was refused"), "{said}");
    let scan = sound(outcome);
    assert_eq!((scan.findings.len(), reasons(&scan)), (2, vec![]));

    let table: [(u16, &str, usize); 4] = [
        (404, "there is none, or no access to it", 1),
        (403, "access is denied", 1),
        (401, "does not say how", 1),
        (500, "HTTP status 500", 3),
    ];
    for (status, message, times) in table {
        let mirror = server(move |request, reply| if request.path == "/v2/" { reply } else { Reply::new(status, "") });
        let (scan, notes) = scan_mirrored(&registry, &mirror);
        let said = trouble(&notes, &mirror.address);
        assert!(said.contains("cannot get manifest 1: ") && said.ends_with(message), "{said}");
        assert_eq!((scan.findings.len(), reasons(&scan)), (2, vec![]), "{status}");
        assert_eq!(mirror.requests().len(), times, "it is left alone then: {:?}", mirror.requests());
    }
    // It has the manifest, and not the second layer.
    let second = shelf().layers()[1].to_string();
    let mirror = server(move |request, reply| if request.path.contains(&second) { Reply::new(404, "") } else { reply });
    let (scan, notes) = scan_mirrored(&registry, &mirror);
    assert!(trouble(&notes, &mirror.address).contains("cannot get blob sha256:"), "{notes:?}");
    assert_eq!((scan.findings.len(), reasons(&scan)), (2, vec![]));
}

#[test]
fn a_blob_that_breaks_at_the_mirror_goes_on_at_the_registry() {
    let second = shelf().layers()[1].to_string();
    let is_second = {
        let second = second.clone();
        move |request: &Request| request.path.contains(&second)
    };
    let mirror = server(move |request, reply| match request.header("range") {
        _ if !request.path.contains(&second) => reply,
        None => reply.cut(100_000),
        Some(_) => Reply::new(500, ""),
    });
    let registry = server(|_, reply| reply);
    let (scan, notes) = scan_mirrored(&registry, &mirror);
    assert_eq!((scan.findings.len(), reasons(&scan)), (2, vec![]), "{:?}", scan.coverage.skipped);
    assert!(trouble(&notes, &mirror.address).ends_with("HTTP status 500"), "{notes:?}");
    let requests: Vec<Request> = registry.requests().into_iter().filter(|request| request.path != "/v2/").collect();
    assert!(matches!(&requests[..], [one] if is_second(one) && one.header("range") == Some("bytes=100000-")), "{requests:?}");
}

#[test]
fn other_bytes_than_a_digest_names_are_not_taken_from_a_mirror() {
    // The image by its digest: a manifest that is another one.
    let registry = server(|_, reply| reply);
    let top = shelf().top.unwrap();
    let manifests = server(|request, reply| match request.path.contains("/manifests/sha256") {
        true => Reply { body: [&reply.body[..], b" "].concat(), ..reply },
        false => reply,
    });
    let image = format!("registry:{}/team/app@{top}", registry.address);
    let with = with_mirror(&registry.address, &manifests.url(""));
    let outcome = scan_text(&image, &Options { registry: with, ..Options::default() });
    assert!(trouble(&outcome.notes, &manifests.address).contains("answered with other bytes: they hash to sha256:"));
    let scan = sound(outcome);
    assert_eq!((scan.findings.len(), reasons(&scan)), (2, vec![]));

    // A config that is another one, and a layer, which is scanned by the time that it shows.
    let layers = shelf().layers();
    let of_layers = layers.clone();
    let is_layer = move |request: &Request| of_layers.iter().any(|layer| request.path.contains(&layer.to_string()));
    let spoil = |mut reply: Reply| {
        let at = reply.body.len() - 20;
        reply.body[at] ^= 1;
        reply
    };
    let configs = {
        let is_layer = is_layer.clone();
        server(move |request, reply| if request.is_blob() && !is_layer(request) { spoil(reply) } else { reply })
    };
    let (scan, notes) = scan_mirrored(&registry, &configs);
    assert!(trouble(&notes, &configs.address).contains("answered with other bytes"), "{notes:?}");
    assert_eq!((scan.findings.len(), reasons(&scan)), (2, vec![]));
    let blobs = server(move |request, reply| if is_layer(request) { spoil(reply) } else { reply });
    let (scan, notes) = scan_mirrored(&registry, &blobs);
    assert!(trouble(&notes, &blobs.address).contains("answered with other bytes"), "{notes:?}");
    assert!(reasons(&scan).contains(&Reason::DigestMismatch), "{:?}", scan.coverage.skipped);
}

#[test]
fn a_mirror_is_told_its_own_login_and_no_other() {
    let basic = |password: &str| format!("Basic {}", BASE64_STANDARD.encode(format!("user:{password}")));
    let wanting = |password: &str| {
        let wanted = basic(password);
        server(move |request, reply| match request.header("authorization") {
            _ if request.path == "/v2/" => reply,
            Some(asked) if asked == wanted => reply,
            _ => Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
        })
    };
    let seen = |server: &Server| -> Vec<String> {
        server.requests().iter().filter_map(|request| request.header("authorization").map(str::to_owned)).collect()
    };
    let (registry, mirror) = (wanting(PASSWORD), wanting(PASSWORD_OF_MIRROR));
    let given = Some((registry.address.clone(), Credential::password("user", PASSWORD)));
    let scan_as = |files| {
        let logins = Logins { given: given.clone(), files };
        scan_with(&registry, RegistryOptions { logins, ..with_mirror(&registry.address, &mirror.url("")) })
    };
    let outcome = scan_as(Vec::new());
    assert!(trouble(&outcome.notes, &mirror.address).ends_with("the registry wants a login"), "{:?}", outcome.notes);
    assert_eq!(sound(outcome).findings.len(), 2);
    assert!(seen(&mirror).is_empty() && seen(&registry).iter().all(|asked| *asked == basic(PASSWORD)));

    let (temp, before) = (Temp::new(), registry.requests().len());
    let auth = BASE64_STANDARD.encode(format!("user:{PASSWORD_OF_MIRROR}"));
    let outcome = scan_as(logins(&temp, &json!({ "auths": { &mirror.address: { "auth": auth } } })).files);
    assert_eq!(sound(outcome).findings.len(), 2);
    assert!(seen(&mirror).iter().all(|asked| *asked == basic(PASSWORD_OF_MIRROR)) && !seen(&mirror).is_empty());
    assert_eq!(registry.requests().len(), before);
}

#[test]
fn the_program_takes_mirrors_and_repeats_none_that_is_wrong() {
    let (registry, mirror, home) = (server(|_, reply| reply), server(|_, reply| reply), Temp::new());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let flags = [format!("{}=http://{nobody}", registry.address), format!("{}={}", registry.address, mirror.url(""))];
    let said = run(&[&registry.image(), "--registry-mirror", &flags[0], "--registry-mirror", &flags[1]], &home);
    assert!(said.code == 1 && said.stderr.contains(&format!("warning: the mirror {nobody} failed: ")), "{}", said.stderr);
    assert!(registry.requests().is_empty() && !mirror.requests().is_empty());
    let said = run(&[&registry.image(), "--registry-mirror", &format!("https://user:{PASSWORD}@{}", mirror.address)], &home);
    assert!(said.code == 2 && said.stderr.contains("--registry-mirror: a mirror is written as"), "{}", said.stderr);
    assert!(!said.stderr.contains(PASSWORD));
}
