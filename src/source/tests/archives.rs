//! Image archives on disk.

use super::*;

fn config_of(layers: &[&[u8]]) -> (String, Vec<u8>) {
    let diff_ids: Vec<String> = layers.iter().map(|layer| Digest::sha256(layer).to_string()).collect();
    let config = json!({ "os": "linux", "architecture": "amd64", "rootfs": { "diff_ids": diff_ids } }).to_string().into_bytes();
    (format!("{}.json", Digest::sha256(&config).hex()), config)
}

fn list(entries: &Value) -> (String, Vec<u8>) {
    member("manifest.json", entries.to_string())
}

#[test]
fn a_docker_archive_whose_layers_are_links_and_whose_list_comes_last() {
    let temp = Temp::new();
    let l = layer("one");
    let name = format!("{}.tar", Digest::sha256(&l).hex());
    let config = config_of(&[&l]);
    let entries = json!([
        { "Config": config.0, "RepoTags": ["good:1", "good:2"], "Layers": ["id/layer.tar"] },
        { "Config": config.0, "RepoTags": ["again:1"], "Layers": [name] },
        { "Config": config.0, "RepoTags": null, "Layers": ["loop/layer.tar"] },
        { "Config": config.0, "RepoTags": ["bad:1"], "Layers": ["../../etc/passwd", "missing.tar"] },
    ]);
    let members = [
        (name.clone(), l.clone()),
        member("./id/layer.tar", format!("->../{name}")),
        member("id/VERSION", "1.0"),
        member("loop/layer.tar", "->../loop/layer.tar"),
        config,
        list(&entries),
    ];
    let path = temp.file("image", &tar(&members));
    assert_eq!(Reference::parse(path.to_str().unwrap()).unwrap(), Reference::DockerArchive(path.clone()));
    let seen = read_path(&path);
    assert_eq!(seen.names(), [Some("good:1"), None, Some("bad:1")]);
    assert_eq!(seen.layers(0), [Some(&l[..])]);
    assert_eq!(seen.layers(2), [None, None]);
    assert_eq!(seen.documents(0), [(DocumentKind::Config, "config"), (DocumentKind::Manifest, "manifest.json")]);
    assert_eq!(seen.reasons(), [Reason::MissingBlob, Reason::MissingBlob, Reason::MissingBlob, Reason::MalformedDocument]);
    assert_eq!(seen.extras(), ["id/VERSION"]);
    assert_eq!(seen.blobs.len(), 2);
}

#[test]
fn an_archive_with_both_documents_has_each_image_once_with_its_whole_name() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let image = blobs.image("1", "amd64", &[layer("one")]);
    let lone = config_of(&[b"lone"]);
    let config = blobs.0.iter().find(|(_, bytes)| bytes.starts_with(br#"{"os""#)).unwrap().0.clone();
    let layer_name = format!("blobs/sha256/{}", Digest::sha256(&layer("one")).hex());
    let mut members = blobs.members(&[image]);
    members.extend([lone.clone(), member("lone.tar", "lone")]);
    members.push(list(&json!([
        { "Config": config, "RepoTags": ["example.org/app:1"], "Layers": [layer_name] },
        { "Config": lone.0, "RepoTags": ["lone:1"], "Layers": ["lone.tar"] },
    ])));
    let seen = read_path(&temp.file("image", &tar(&members)));
    assert_eq!(seen.names(), [Some("example.org/app:1"), Some("lone:1")]);
    assert_eq!((seen.reasons(), seen.extras()), (vec![], vec!["oci-layout"]));
}

#[test]
fn a_layout_in_an_archive_is_the_layout_in_a_folder() {
    let (temp, folder, mut blobs) = (Temp::new(), Temp::new(), Blobs::default());
    let one = blobs.image("v1", "amd64", &[layer("one")]);
    let two = blobs.image("v2", "arm64", &[layer("two"), layer("three")]);
    let members = blobs.members(&[one.clone(), two.clone()]);
    let dotted: Vec<_> = members.into_iter().map(|(name, bytes)| (format!("./{name}"), bytes)).collect();
    let path = temp.file("image", &tar(&dotted));
    let (archive, layout) = (read_path(&path), read_path(&blobs.write(&folder, &[one, two])));
    assert_eq!(archive.names(), layout.names());
    for image in 0..2 {
        assert_eq!(archive.layers(image), layout.layers(image));
        assert_eq!(archive.documents(image), layout.documents(image));
    }
    let text = path.to_str().unwrap();
    assert_eq!(read(&format!("oci-archive:{text}:v2")).unwrap().names(), [Some("v2")]);
    assert_eq!(for_platform(text, "linux/arm64").unwrap().names(), [Some("v2")]);
}

#[test]
fn a_member_that_comes_twice_means_the_later_one_and_the_first_is_read_too() {
    let temp = Temp::new();
    let config = config_of(&[b"later"]);
    let entries = json!([{ "Config": config.0, "RepoTags": ["a:1"], "Layers": ["l.tar"] }]);
    let members = [member("l.tar", "first"), member("l.tar", "later"), config, list(&entries)];
    let seen = read_path(&temp.file("image", &tar(&members)));
    assert_eq!(seen.layers(0), [Some(&b"later"[..])]);
    assert_eq!(seen.blobs[&seen.contents.extras[0].1], b"first");
}

#[test]
fn an_archive_cut_midway_gives_what_it_has() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let image = blobs.image("a", "amd64", &[layer("one")]);
    let mut members = vec![blobs.members(&[image]).pop().unwrap()];
    members.extend(blobs.0.clone());
    members.push(member("zzz", vec![b'z'; 5_000]));
    let whole = tar(&members);
    let seen = read_path(&temp.file("image", &whole[..whole.len() - 4_000]));
    assert_eq!(seen.layers(0), [Some(&layer("one")[..])]);
    assert_eq!(seen.reasons(), [Reason::TruncatedArchive]);
    assert_eq!(seen.extras(), ["zzz"]);
}

#[test]
fn an_archive_without_a_list_is_all_extras() {
    let temp = Temp::new();
    let path = temp.file("image", &tar(&[member("x.tar", "x")]));
    let seen = read(&format!("docker-archive:{}", path.display())).unwrap();
    assert_eq!((seen.reasons(), seen.extras()), (vec![Reason::NotAnImage], vec!["x.tar"]));
    assert_eq!(seen.contents.images.len(), 1, "findings need an image to belong to");
    let broken = temp.file("broken", &tar(&[member("manifest.json", "[]")]));
    assert!(matches!(read(&format!("docker-archive:{}", broken.display())), Err(SourceError::Document { .. })));
}

#[test]
fn a_config_of_another_digest_is_used_and_said() {
    let temp = Temp::new();
    let (name, mut config) = config_of(&[b"l"]);
    config.push(b' ');
    let entries = json!([{ "Config": name, "Layers": ["l.tar"] }]);
    let seen = read_path(&temp.file("image", &tar(&[(name, config), member("l.tar", "l"), list(&entries)])));
    assert_eq!(seen.reasons(), [Reason::DigestMismatch]);
}
