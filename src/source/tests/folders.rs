//! OCI layouts, skopeo's folders and root filesystems.

use super::*;

#[test]
fn an_image_has_its_layers_history_and_documents() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let image = blobs.image("app:1", "amd64", &[layer("one"), layer("two")]);
    let seen = read_path(&blobs.write(&temp, std::slice::from_ref(&image)));
    let found = &seen.contents.images[0];
    assert_eq!(seen.names(), [Some("app:1")]);
    assert_eq!(found.digest, Some(digest_of(&image)));
    assert_eq!(found.platform.as_ref().unwrap().to_string(), "linux/amd64");
    assert_eq!(seen.layers(0), [Some(&layer("one")[..]), Some(&layer("two")[..])]);
    let steps: Vec<_> = found.layers.iter().map(|layer| layer.created_by.as_deref()).collect();
    assert_eq!(steps, [Some("step 0"), Some("step 1")]);
    assert_eq!(found.layers[1].diff_id, Some(Digest::sha256(&layer("two"))));
    assert_eq!(
        seen.documents(0),
        [(DocumentKind::Config, "config"), (DocumentKind::Manifest, "manifest"), (DocumentKind::Manifest, "index.json")]
    );
    assert_eq!((seen.reasons(), seen.extras()), (vec![], vec![]));
}

#[test]
fn nested_indexes_give_all_platforms_and_attestations_go_to_their_image() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let mut amd = blobs.image("", "amd64", &[layer("amd")]);
    let mut arm = blobs.image("", "arm64", &[layer("arm")]);
    for (image, architecture) in [(&mut amd, "amd64"), (&mut arm, "arm64")] {
        image["annotations"] = json!({});
        image["platform"] = json!({ "os": "linux", "architecture": architecture });
    }
    let statement = blobs.put("application/vnd.in-toto+json", b"{\"predicate\":1}");
    let empty = blobs.put("application/vnd.oci.empty.v1+json", b"{}");
    let mut attestation = blobs.manifest("", &json!({ "config": empty, "layers": [statement] }));
    attestation["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    attestation["annotations"] =
        json!({ "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": arm["digest"] });
    let inner = blobs.index(&[amd.clone(), arm.clone(), attestation.clone()]);
    let mut outer = blobs.index(std::slice::from_ref(&inner));
    outer["annotations"] = json!({ "org.opencontainers.image.ref.name": "multi" });
    let path = blobs.write(&temp, &[outer.clone(), amd.clone()]);
    let text = path.to_str().unwrap().to_owned();

    let seen = read(&text).unwrap();
    assert_eq!(seen.names(), [Some("multi"), Some("multi")]);
    let inner_name = inner["digest"].as_str().unwrap();
    assert!(seen.documents(0).contains(&(DocumentKind::Manifest, inner_name)));
    assert_eq!(seen.documents(0).iter().filter(|(_, name)| *name == "index.json").count(), 1);
    let attested: Vec<_> = seen.documents(1).into_iter().filter(|(kind, _)| *kind == DocumentKind::Attestation).collect();
    assert_eq!(attested.len(), 3);
    assert_eq!((seen.reasons(), seen.extras()), (vec![], vec![]));

    let only_arm = for_platform(&text, "linux/arm64").unwrap();
    assert_eq!(only_arm.layers(0), [Some(&layer("arm")[..])]);
    assert_eq!(only_arm.contents.images.len(), 1);
    assert!(
        matches!(for_platform(&text, "linux/s390x"), Err(SourceError::NoSuchPlatform { known, .. }) if known == ["linux/amd64", "linux/arm64"])
    );

    let by_digest = read(&format!("oci:{text}@{}", arm["digest"].as_str().unwrap())).unwrap();
    assert_eq!(by_digest.layers(0), [Some(&layer("arm")[..])]);
    assert_eq!(by_digest.documents(0).iter().filter(|(kind, _)| *kind == DocumentKind::Attestation).count(), 3);
}

#[test]
fn an_attestation_that_holds_a_tar_is_read_as_an_image() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let mut image = blobs.image("", "amd64", &[layer("hidden")]);
    image["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    let seen = read_path(&blobs.write(&temp, &[image]));
    assert_eq!(seen.layers(0), [Some(&layer("hidden")[..])]);
}

#[test]
fn an_attestation_without_its_image_gets_one_without_layers() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let statement = blobs.put("application/vnd.in-toto+json", b"{}");
    let mut attestation = blobs.manifest("", &json!({ "layers": [statement] }));
    attestation["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    let seen = read_path(&blobs.write(&temp, &[attestation]));
    assert!(seen.names()[0].unwrap().starts_with("attestation sha256:"));
    assert_eq!((seen.layers(0).len(), seen.documents(0).len()), (0, 3));
}

#[test]
fn one_image_of_several_is_chosen_by_tag_or_by_the_tag_of_a_whole_name() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let one = blobs.image("v1", "amd64", &[layer("one")]);
    let mut two = blobs.image("", "amd64", &[layer("two")]);
    two["annotations"] = json!({ "io.containerd.image.name": "example.org/app:v2" });
    let path = blobs.write(&temp, &[one, two]);
    let text = path.to_str().unwrap();
    assert_eq!(read(&format!("oci:{text}:v1")).unwrap().names(), [Some("v1")]);
    let second = read(&format!("oci:{text}:v2")).unwrap();
    assert_eq!((second.names(), second.extras()), (vec![Some("example.org/app:v2")], vec![]));
    assert!(matches!(read(&format!("oci:{text}:v3")), Err(SourceError::NoSuchReference { known, .. }) if known.len() == 2));
}

#[test]
fn one_manifest_under_two_tags_is_one_image() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let one = blobs.image("a", "amd64", &[layer("one")]);
    let mut again = one.clone();
    again["annotations"] = json!({ "org.opencontainers.image.ref.name": "b" });
    assert_eq!(read_path(&blobs.write(&temp, &[one, again])).names(), [Some("a")]);
}

#[test]
fn a_layer_repeated_is_one_blob() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let seen = read_path(&{
        let image = blobs.image("a", "amd64", &vec![layer("same"); 5_000]);
        blobs.write(&temp, &[image])
    });
    assert_eq!((seen.contents.images[0].layers.len(), seen.blobs.len()), (5_000, 1));
}

#[test]
fn what_is_broken_is_said_and_the_rest_is_read() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let config = blobs.put(CONFIG, b"{ not json");
    let good = blobs.put(LAYER, &layer("good"));
    let (mut gone, mut wrong_size) = (blobs.put(LAYER, b"gone"), blobs.put(LAYER, b"12345"));
    gone["digest"] = json!(Digest::sha256(b"never there").to_string());
    wrong_size["size"] = json!(4);
    let mut foreign = gone.clone();
    foreign["digest"] = json!(Digest::sha256(b"foreign").to_string());
    foreign["urls"] = json!(["http://127.0.0.1:9/never"]);
    let evil = json!({ "mediaType": LAYER, "digest": "sha256:../../../../etc/passwd", "size": 1 });
    let image = blobs.manifest("a", &json!({ "config": config, "layers": [good, gone, wrong_size, evil, foreign, 7] }));
    let missing = json!({ "mediaType": MANIFEST, "digest": Digest::sha256(b"no manifest").to_string() });
    let seen = read_path(&blobs.write(&temp, &[image, missing, json!("text")]));
    let layers: Vec<bool> = seen.layers(0).iter().map(Option::is_some).collect();
    assert_eq!(layers, [true, false, true, false, false, false]);
    assert_eq!(seen.documents(0)[0], (DocumentKind::Config, "config"), "its bytes are scanned all the same");
    let expected = [
        Reason::MissingBlob,
        Reason::SizeMismatch,
        Reason::MalformedDigest,
        Reason::Foreign,
        Reason::MalformedDocument,
        Reason::MalformedDocument,
        Reason::MissingBlob,
        Reason::MalformedDocument,
    ];
    assert_eq!(seen.reasons(), expected);
}

#[test]
fn a_document_of_another_digest_is_used_and_said() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let image = blobs.image("a", "amd64", &[layer("one")]);
    let path = blobs.write(&temp, std::slice::from_ref(&image));
    let manifest = path.join(format!("blobs/sha256/{}", digest_of(&image).hex()));
    let mut bytes = fs::read(&manifest).unwrap();
    bytes.push(b' ');
    fs::write(manifest, bytes).unwrap();
    let seen = read_path(&path);
    assert_eq!(seen.reasons(), [Reason::DigestMismatch, Reason::SizeMismatch]);
    assert_eq!(seen.layers(0), [Some(&layer("one")[..])]);
}

#[test]
fn a_chain_of_indexes_ends_at_the_bound_and_a_circle_at_once() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let image = blobs.image("a", "amd64", &[layer("one")]);
    let mut deep = blobs.image("", "amd64", &[layer("deep")]);
    for _ in 0..40 {
        deep = blobs.index(&[deep]);
    }
    let fake = Digest::sha256(b"circle");
    let circle = json!({ "mediaType": INDEX, "digest": fake.to_string() });
    blobs.0.insert(format!("blobs/sha256/{}", fake.hex()), json!({ "manifests": [circle] }).to_string().into_bytes());
    let seen = read_path(&blobs.write(&temp, &[image, deep, circle]));
    assert_eq!(seen.names(), [Some("a")]);
    assert_eq!(seen.reasons().iter().filter(|reason| **reason == Reason::TooDeep).count(), 2);
    assert!(!seen.extras().is_empty(), "what was too deep is read as blobs of no image");
}

#[test]
fn an_index_of_nothing_is_not_a_clean_scan_and_no_index_is_an_error() {
    let temp = Temp::new();
    let path = Blobs::default().write(&temp, &[]);
    let seen = read_path(&path);
    assert_eq!((seen.reasons(), seen.documents(0).len()), (vec![Reason::NotAnImage], 1));
    for shape in ["", "null", "[]", "{}", r#"{"manifests":"x"}"#] {
        temp.file("index.json", shape.as_bytes());
        assert!(matches!(read(path.to_str().unwrap()), Err(SourceError::Document { .. })), "{shape}");
    }
}

#[test]
#[cfg(unix)]
fn a_link_out_of_the_folder_is_followed_only_to_the_bytes_it_names() {
    let (temp, outside, mut blobs) = (Temp::new(), Temp::new(), Blobs::default());
    let image = blobs.image("a", "amd64", &[layer("linked"), layer("stolen")]);
    let path = blobs.write(&temp, &[image]);
    let secret = outside.file("shadow", b"not the image's business");
    let honest = outside.file("store", &layer("linked"));
    for (contents, target) in [("linked", &honest), ("stolen", &secret)] {
        let blob = path.join(format!("blobs/sha256/{}", Digest::sha256(&layer(contents)).hex()));
        fs::remove_file(&blob).unwrap();
        std::os::unix::fs::symlink(target, blob).unwrap();
    }
    let seen = read_path(&path);
    assert_eq!(seen.layers(0), [Some(&layer("linked")[..]), None]);
    assert_eq!(seen.reasons(), [Reason::MissingBlob]);
}

#[test]
fn blobs_of_no_image_are_extras() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let image = blobs.image("a", "amd64", &[layer("one")]);
    blobs.put(LAYER, b"forgotten");
    temp.file("blobs/sha256/README", b"no digest, no blob");
    let seen = read_path(&blobs.write(&temp, &[image]));
    assert_eq!(seen.extras(), [format!("blobs/sha256/{}", Digest::sha256(b"forgotten").hex())]);
    assert_eq!(seen.blobs[&seen.contents.extras[0].1], b"forgotten");
}

#[test]
fn skopeos_folder() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let image = blobs.image("a", "amd64", &[layer("one")]);
    let manifest = blobs.0[&format!("blobs/sha256/{}", digest_of(&image).hex())].clone();
    for (name, bytes) in &blobs.0 {
        temp.file(name.rsplit('/').next().unwrap(), bytes);
    }
    temp.file("version", b"Directory Transport Version: 1.1\n");
    temp.file("manifest.json", &manifest);
    fs::remove_file(temp.0.join(digest_of(&image).hex())).unwrap();
    let seen = read_path(&temp.0);
    assert_eq!(seen.contents.images[0].digest, Some(digest_of(&image)));
    assert_eq!(seen.layers(0), [Some(&layer("one")[..])]);
    assert_eq!((seen.reasons(), seen.extras()), (vec![], vec![]));

    temp.file(&format!("{}.manifest.json", digest_of(&image).hex()), &manifest);
    temp.file("manifest.json", json!({ "manifests": [image] }).to_string().as_bytes());
    assert_eq!(read_path(&temp.0).layers(0), [Some(&layer("one")[..])], "a list of manifests");
}

/// Names, link targets and contents of a root filesystem's tar.
#[cfg(unix)]
fn entries(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut archive = ::tar::Archive::new(bytes);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut contents = entry.link_name_bytes().map(|name| name.into_owned()).unwrap_or_default();
        entry.read_to_end(&mut contents).unwrap();
        (entry.path_bytes().into_owned(), contents)
    });
    entries.collect()
}

#[test]
#[cfg(unix)]
fn a_folder_is_a_layer_in_order_with_every_kind_of_name() {
    use std::os::unix::ffi::OsStrExt;
    let temp = Temp::new();
    let long = format!("{}/{}", "d".repeat(90), "f".repeat(90));
    let large = vec![b'x'; 300_001];
    temp.file("b/large", &large);
    temp.file("a.env", b"A=1");
    temp.file(&long, b"long");
    let odd = std::ffi::OsStr::from_bytes(b"odd-\xff\n");
    fs::write(temp.0.join(odd), b"odd").unwrap();
    let target = "t".repeat(150);
    std::os::unix::fs::symlink("/etc/passwd", temp.0.join("link")).unwrap();
    std::os::unix::fs::symlink(&target, temp.0.join("long-link")).unwrap();
    std::os::unix::fs::symlink(".", temp.0.join("circle")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(temp.0.join("socket")).unwrap();

    let seen = read_path(&temp.0);
    assert!(seen.contents.images[0].is_rootfs);
    let bytes = seen.layers(0)[0].unwrap();
    let entries = entries(bytes);
    let expected: Vec<(&[u8], &[u8])> = vec![
        (b"a.env", b"A=1"),
        (b"b/", b""),
        (b"b/large", &large),
        (b"circle", b"."),
        (b"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd/", b""),
        (long.as_bytes(), b"long"),
        (b"link", b"/etc/passwd"),
        (b"long-link", target.as_bytes()),
        (b"odd-\xff\n", b"odd"),
    ];
    assert_eq!(entries.iter().map(|(name, bytes)| (&name[..], &bytes[..])).collect::<Vec<_>>(), expected);
    let late: Vec<_> = seen.late.iter().map(|skipped| (skipped.reason, skipped.place.as_str())).collect();
    assert_eq!(late, [(Reason::NotAFile, "/socket")]);
    assert_eq!(bytes.len() % 512, 0);
}

#[test]
fn a_file_that_shrinks_or_grows_while_it_is_read_does_not_shift_what_follows() {
    let temp = Temp::new();
    temp.file("a-shrinks", &[b'x'; 600_000]);
    temp.file("b-grows", &[b'y'; 300_000]);
    temp.file("c", b"after");
    let source = match open(&Reference::Dir(temp.0.clone()), &OpenOptions::default()).unwrap() {
        Opened::Random(source) => source,
        Opened::OnePass(_) => panic!("a folder can be read in any order"),
    };
    let key = source.contents().unwrap().images[0].layers[0].blob.clone().unwrap();
    let Blob::Stream(mut stream) = source.open(&key).unwrap() else { panic!("made on the fly") };
    let mut bytes = vec![0; 100_000];
    stream.read_exact(&mut bytes).unwrap();
    fs::write(temp.0.join("a-shrinks"), b"").unwrap();
    let mut more = vec![0; 550_000];
    stream.read_exact(&mut more).unwrap();
    fs::write(temp.0.join("b-grows"), vec![b'y'; 400_000]).unwrap();
    bytes.extend(more);
    stream.read_to_end(&mut bytes).unwrap();
    drop(stream);
    let mut archive = ::tar::Archive::new(&bytes[..]);
    let sizes: Vec<u64> = archive.entries().unwrap().map(|entry| entry.unwrap().size()).collect();
    assert_eq!(sizes, [600_000, 300_000, 5]);
    let noted = source.skipped_while_reading();
    assert_eq!(noted.iter().map(|skipped| skipped.reason).collect::<Vec<_>>(), [Reason::SizeMismatch, Reason::SizeMismatch]);
    assert!(source.skipped_while_reading().is_empty(), "told once");
}
