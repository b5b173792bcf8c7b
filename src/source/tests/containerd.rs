//! Stores of containerd's, and their faults.

use super::super::containerd::testing::{Node, Tree, database};
use super::*;

/// A store in `temp` with these blobs, and names: namespace, name, and what that means.
fn store(temp: &Temp, blobs: &Blobs, names: &[(&str, &str, &Value)]) -> String {
    for (name, bytes) in &blobs.0 {
        temp.file(&format!("io.containerd.content.v1.content/{name}"), bytes);
    }
    let mut namespaces = Tree::new();
    for (namespace, name, descriptor) in names {
        let bytes = |text: &str| Node::Bytes(text.as_bytes().to_vec());
        let target: Tree = [
            (b"digest".to_vec(), bytes(descriptor["digest"].as_str().unwrap())),
            (b"mediatype".to_vec(), bytes(descriptor["mediaType"].as_str().unwrap())),
        ]
        .into();
        let image: Tree = [(b"createdat".to_vec(), bytes("?")), (b"target".to_vec(), Node::Bucket(target))].into();
        let empty = || Node::Bucket([(b"images".to_vec(), Node::Bucket(Tree::new()))].into());
        let Node::Bucket(tree) = namespaces.entry(namespace.as_bytes().to_vec()).or_insert_with(empty) else { unreachable!() };
        let Some(Node::Bucket(images)) = tree.get_mut(&b"images"[..]) else { unreachable!() };
        images.insert(name.as_bytes().to_vec(), Node::Bucket(image));
    }
    namespaces.insert(b"version".to_vec(), Node::Bytes(vec![3]));
    let tree = [(b"v1".to_vec(), Node::Bucket(namespaces))].into();
    temp.file("io.containerd.metadata.v1.bolt/meta.db", &database(&tree, 3));
    temp.0.display().to_string()
}

fn notes(text: &str) -> Vec<String> {
    let Opened::Random(source) = open(&Reference::parse(text).unwrap(), &OpenOptions::default()).unwrap() else { panic!() };
    source.contents().unwrap();
    source.notes()
}

#[test]
fn an_image_in_containerds_store_is_read_as_it_was_pulled() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let image = blobs.image("", "amd64", &[layer("one"), gzip(&layer("two"))]);
    let other = blobs.image("", "amd64", &[layer("other")]);
    let many: Vec<String> = (0..20).map(|number| format!("docker.io/team/many:{number}")).collect();
    let mut names: Vec<(&str, &str, &Value)> = many.iter().map(|name| ("default", name.as_str(), &other)).collect();
    names.extend([("k8s.io", "docker.io/library/app:1", &image), ("k8s.io", "docker.io/team/many:1", &image)]);
    let root = store(&temp, &blobs, &names);
    for text in [format!("containerd:[{root}]app:1"), format!("containerd:[k8s.io@{root}]docker.io/library/app:1")] {
        let seen = read(&text).unwrap();
        assert_eq!(seen.names(), [Some("docker.io/library/app:1")]);
        assert_eq!(seen.contents.images[0].digest, Some(digest_of(&image)));
        assert_eq!(seen.layers(0), [Some(&layer("one")[..]), Some(&gzip(&layer("two"))[..])]);
        assert_eq!((seen.reasons(), seen.extras()), (vec![], vec![]));
    }
    assert_eq!(notes(&format!("containerd:[{root}]app:1")), ["docker.io/library/app:1 was found in containerd's namespace k8s.io"]);
    assert_eq!(notes(&format!("containerd:[k8s.io@{root}]app:1")), Vec::<String>::new());
    let failure = |text: String| read(&text).err().unwrap().to_string();
    let said = failure(format!("containerd:[{root}]team/many:1"));
    assert!(said.ends_with("in each of the namespaces default, k8s.io: write containerd:[NAMESPACE]team/many:1"), "{said}");
    let said = failure(format!("containerd:[k8s.io@{root}]none"));
    assert!(said.contains("no image `none`; it has [default]docker.io/team/many:0, "), "{said}");
}

#[test]
fn what_containerd_does_not_hold_is_said() {
    let (temp, mut blobs) = (Temp::new(), Blobs::default());
    let [mut amd, mut arm] = ["amd64", "arm64"].map(|architecture| blobs.image("", architecture, &[layer(architecture)]));
    for (image, architecture) in [(&mut amd, "amd64"), (&mut arm, "arm64")] {
        image["platform"] = json!({ "os": "linux", "architecture": architecture });
    }
    let index = blobs.index(&[amd.clone(), arm.clone()]);
    let root = store(&temp, &blobs, &[("default", "docker.io/library/app:1", &index)]);
    let text = format!("containerd:[{root}]app:1");
    let seen = read(&text).unwrap();
    assert_eq!((seen.names().len(), seen.reasons(), notes(&text)), (2, vec![], vec![]));

    // One platform is not pulled.
    let blob = |digest: &Digest| temp.0.join(format!("io.containerd.content.v1.content/blobs/sha256/{}", digest.hex()));
    fs::remove_file(blob(&digest_of(&arm))).unwrap();
    let seen = read(&text).unwrap();
    assert_eq!((seen.layers(0), seen.names().len(), seen.reasons()), (vec![Some(&layer("amd64")[..])], 1, vec![]));
    let said = "docker.io/library/app:1: of what its index lists, containerd holds no manifest for linux/arm64: nothing of that was read";
    assert_eq!(notes(&text), [said]);

    // A layer that was thrown away.
    fs::remove_file(blob(&Digest::sha256(&layer("amd64")))).unwrap();
    let seen = read(&text).unwrap();
    assert_eq!((seen.reasons(), seen.layers(0)), (vec![Reason::MissingBlob], vec![None]));
    assert!(seen.contents.skipped[0].detail.contains("once they are unpacked"), "{:?}", seen.contents.skipped);

    // A manifest of other bytes, and none at all.
    fs::write(blob(&digest_of(&index)), json!({ "manifests": [amd], "other": 1 }).to_string()).unwrap();
    assert!(read(&text).unwrap().reasons().contains(&Reason::DigestMismatch));
    fs::remove_file(blob(&digest_of(&amd))).unwrap();
    assert!(read(&text).unwrap().reasons().contains(&Reason::MissingBlob), "all of an index that has nothing is said");
    fs::remove_file(blob(&digest_of(&index))).unwrap();
    let said = read(&text).err().unwrap().to_string();
    assert!(said.contains("docker.io/library/app:1: containerd does not hold it"), "{said}");
}

#[test]
fn a_store_that_is_none_is_said() {
    let temp = Temp::new();
    let text = format!("containerd:[{}]app", temp.0.display());
    let said = || read(&text).err().unwrap().to_string();
    assert!(said().contains("cannot read ") && said().contains("meta.db"), "{}", said());
    temp.file("io.containerd.metadata.v1.bolt/meta.db", b"no database");
    assert!(said().ends_with("it is no bbolt database, or its beginning is damaged"), "{}", said());
    let mut whole = database(&[(b"v1".to_vec(), Node::Bucket(Tree::new()))].into(), 3);
    temp.file("io.containerd.metadata.v1.bolt/meta.db", &whole);
    assert!(said().ends_with("no image `app`; it has none"), "{}", said());
    whole.truncate(whole.len() - 100);
    temp.file("io.containerd.metadata.v1.bolt/meta.db", &whole);
    assert!(said().contains("of the database is damaged: it goes beyond the end"), "{}", said());
}
