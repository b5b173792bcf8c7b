//! What is found by name is what is found on disk.

use std::sync::Arc;

use layersift::cache::{Cache, Folder, MAX_BYTES};
use layersift::finding::Reason;
use layersift::oci::Digest;
use layersift::report::Exposure;
use layersift::source::registry::{Client, Problem};
use serde_json::json;

use super::*;

/// Facts of the scan of a layout, and of the same images in a registry.
fn both(images: &ImageSet) -> (Vec<Facts>, layersift::finding::Scan, Server) {
    let temp = Temp::new();
    images.oci_layout(&temp.path("layout")).unwrap();
    let on_disk = facts(&scan(&temp.path("layout")));
    let server = Server::start(Shelf::of(images), |_, reply| reply);
    let by_name = scan_of(&server);
    (on_disk, by_name, server)
}

#[test]
fn an_image_in_a_registry_says_what_its_layout_says() {
    let (on_disk, by_name, server) = both(&ImageSet::new().image(scenario().image));
    assert_eq!(facts(&by_name), on_disk);
    assert!(on_disk.len() >= 8 && reasons(&by_name).is_empty(), "{:?}", by_name.coverage.skipped);
    assert_eq!(by_name.images[0].source, server.image());
    assert!(server.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn all_platforms_and_attestations_are_read_and_shared_layers_once() {
    let of = |architecture: &str| {
        let platform = format!("linux/{architecture}").parse().unwrap();
        image().platform(platform).env("KEY", &token(architecture)).attestation(json!({ "key": token("attested") }).to_string())
    };
    let set = ImageSet::new().image(of("amd64")).image(of("arm64")).nested("1");
    let (on_disk, by_name, server) = both(&set);
    assert_eq!(facts(&by_name), on_disk);
    assert!(by_name.images.len() == 2 && reasons(&by_name).is_empty(), "{:?}", by_name.coverage.skipped);
    let layer = Shelf::of(&set).layers()[1].to_string();
    assert_eq!(server.count(|request| request.path.contains(&layer)), 1);
    let only = Options { platform: Some("linux/arm64".parse().unwrap()), registry: options(), ..Options::default() };
    let only = sound(scan_text(&server.image(), &only));
    assert_eq!(only.images.iter().map(|image| image.platform.as_ref().unwrap().to_string()).collect::<Vec<_>>(), ["linux/arm64"]);
    let none = Options { platform: Some("linux/s390x".parse().unwrap()), registry: options(), ..Options::default() };
    let failures = scan_text(&server.image(), &none).failures;
    assert!(failures[0].error.to_string().ends_with("it has linux/amd64, linux/arm64"), "{failures:?}");
}

#[test]
fn attestations_that_only_refer_to_the_image_are_found_by_either_way() {
    for by_api in [true, false] {
        let mut shelf = shelf();
        let subject = shelf.top.clone().unwrap();
        let descriptor =
            |digest: &Digest, kind: &str, size: usize| json!({ "mediaType": kind, "digest": digest.to_string(), "size": size });
        let statement = json!({ "builder": { "key": token("referrer") } }).to_string().into_bytes();
        let size = statement.len();
        let statement = shelf.put(statement);
        const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.in-toto+json",
            "layers": [descriptor(&statement, "application/vnd.in-toto+json", size)],
            "subject": descriptor(&subject, MANIFEST, shelf.documents[&format!("manifests/{subject}")].1.len()),
        });
        let manifest = manifest.to_string().into_bytes();
        let size = manifest.len();
        let manifest = shelf.put(manifest);
        const INDEX: &str = "application/vnd.oci.image.index.v1+json";
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(&manifest, MANIFEST, size)] });
        let path = if by_api { format!("referrers/{subject}") } else { format!("manifests/sha256-{}", subject.hex()) };
        shelf.documents.insert(path, (INDEX.to_owned(), index.to_string().into_bytes()));
        let scan = scan_of(&Server::start(shelf, |_, reply| reply));
        assert_eq!(only(&scan, &token("referrer")).place.kind(), "attestation", "by API: {by_api}");
        assert!(reasons(&scan).is_empty(), "{:?}", scan.coverage.skipped);
    }
}

#[test]
fn a_digest_is_held_to_its_word() {
    let server = server(|_, reply| reply);
    let top = shelf().top.unwrap();
    let image = |digest: &Digest| format!("registry:{}/team/app@{digest}", server.address);
    let with = Options { registry: options(), ..Options::default() };
    assert_eq!(sound(scan_text(&image(&top), &with)).images[0].digest, Some(top.clone()));
    let lying = super::server(move |request, reply| {
        let is_top = request.path.contains("/manifests/");
        if is_top { Reply { body: [&reply.body[..], b" "].concat(), ..reply } } else { reply }
    });
    let outcome = scan_text(&format!("registry:{}/team/app:1@{top}", lying.address), &with);
    let error = outcome.failures[0].error.to_string();
    assert!(error.contains("answered with other bytes: they hash to sha256:"), "{error}");
}

#[test]
fn a_tag_is_asked_for_once_so_that_it_cannot_change_in_between() {
    let server = server(|_, reply| reply);
    scan_of(&server);
    assert_eq!(server.count(|request| request.path.ends_with("/manifests/1")), 1);
}

#[test]
fn an_index_that_leads_to_itself_ends() {
    // Only a registry that lies can make one: no index holds its own digest.
    let digest = Digest::sha256(b"nothing");
    let index = json!({
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{ "mediaType": "application/vnd.oci.image.index.v1+json", "digest": digest.to_string(), "size": 3 }],
    });
    let index = index.to_string();
    let server = server(move |request, reply| if request.path.contains("/manifests/") { Reply::new(200, index.clone()) } else { reply });
    let scan = scan_of(&server);
    let reasons = reasons(&scan);
    assert!(reasons.contains(&Reason::TooDeep) && reasons.contains(&Reason::DigestMismatch), "{:?}", scan.coverage.skipped);
    assert!(server.requests().len() < 20);
}

#[test]
fn a_second_scan_asks_for_manifests_and_configs_only() {
    let set = ImageSet::new().image(scenario().image);
    let shelf = Shelf::of(&set);
    let layers = shelf.layers();
    let server = Server::start(shelf, |_, reply| reply);
    let temp = Temp::new();
    let once = || {
        let before = server.requests().len();
        let folder = Folder::open(&temp.path("cache"), MAX_BYTES).unwrap();
        let key = folder.trace_key().unwrap();
        let cache = Arc::new(Cache::new(folder, key));
        let outcome = scan_text(&server.image(), &Options { registry: options(), cache: Some(Arc::clone(&cache)), ..Options::default() });
        let report = report(&sound(outcome), Exposure::Redacted);
        let asked: Vec<String> = server.requests()[before..].iter().map(|request| request.path.clone()).collect();
        (report, asked, cache.reused())
    };
    let is_layer = |path: &String| layers.iter().any(|layer| path.ends_with(&format!("/blobs/{layer}")));
    let (cold, asked, reused) = once();
    assert_eq!((asked.iter().filter(|path| is_layer(path)).count(), reused.0), (layers.len(), 0), "{asked:?}");
    let documents: Vec<&String> = asked.iter().filter(|path| !is_layer(path)).collect();
    let (warm, asked_again, reused) = once();
    assert_eq!(reused.0, layers.len() as u64);
    assert_eq!(asked_again.iter().collect::<Vec<_>>(), documents);
    assert_eq!(asked_again.iter().filter(|path| path.contains("/blobs/")).count(), 1, "the config: {asked_again:?}");
    assert!(warm == cold, "byte for byte");
    assert!(valid(&cold)["findings"].as_array().unwrap().len() >= 8);
}

#[test]
fn tags_and_repositories_are_listed_page_by_page() {
    let server = Server::start(Shelf::default(), |request, reply| match request.path.as_str() {
        "/v2/team/app/tags/list?n=1000" => {
            Reply::new(200, r#"{"name":"team/app","tags":["1","2"]}"#).with("Link", r#"</v2/team/app/tags/list?n=1000&last=2>; rel="next""#)
        }
        "/v2/team/app/tags/list?n=1000&last=2" => Reply::new(200, r#"{"tags":["3"]}"#),
        "/v2/team/empty/tags/list?n=1000" => Reply::new(200, r#"{"tags":null}"#),
        "/v2/team/odd/tags/list?n=1000" => Reply::new(200, r#"{"tags":["../../x"]}"#),
        "/v2/team/far/tags/list?n=1000" => Reply::new(200, r#"{"tags":[]}"#).with("Link", r#"<http://localhost:1/v2/x>; rel="next""#),
        "/v2/team/loop/tags/list?n=1000" => {
            Reply::new(200, r#"{"tags":[]}"#).with("Link", r#"</v2/team/loop/tags/list?n=1000>; rel="next""#)
        }
        "/v2/_catalog?n=1000" => Reply::new(200, r#"{"repositories":["team/app","team/empty"]}"#),
        _ => reply,
    });
    let client = Client::new(&server.address, &options()).unwrap();
    assert_eq!(client.tags("team/app").unwrap(), ["1", "2", "3"]);
    assert_eq!(client.tags("team/empty").unwrap(), Vec::<String>::new());
    assert_eq!(client.repositories().unwrap(), ["team/app", "team/empty"]);
    for bad in ["team/odd", "team/far", "team/loop"] {
        assert!(matches!(*client.tags(bad).unwrap_err().problem, Problem::Malformed(_)), "{bad}");
    }
    assert_eq!(*client.tags("team/none").unwrap_err().problem, Problem::NotFound);
}

#[test]
fn the_program_says_where_it_looked_and_what_it_read_in_the_open() {
    let (server, home) = (server(|_, reply| reply), Temp::new());
    let name = format!("{}/team/app:1", server.address);
    let said = run(&[&name, "--format", "json"], &home);
    assert_eq!((said.code, valid(&said.stdout)["findings"].as_array().unwrap().len()), (1, 2), "{}", said.stderr);
    assert!(
        said.stderr.contains(&format!("note: {name} is no path here; reading it from {}/team/app\n", server.address)),
        "{}",
        said.stderr
    );
    assert!(said.stderr.contains("warning: ") && said.stderr.contains("read over plain HTTP"), "{}", said.stderr);
    let quiet = run(&[&server.image(), "-q"], &home);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (1, ""));
    let docker = run(&[&format!("docker://{name}")], &home);
    assert!(docker.code == 1 && !docker.stderr.contains("no path"), "{}", docker.stderr);
}
