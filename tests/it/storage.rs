//! Images in the storage of Podman, Buildah and CRI-O: a storage of the tests' own making, and its faults.
#![cfg(unix)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use layersift::finding::{Reason, Scan};
use layersift::oci::Digest;
use layersift::scan::Options;
use layersift::source::builder::ImageBuilder;
use serde_json::{Value, json};

use crate::support::*;

/// A storage with one image, called `localhost/app:1`.
struct Storage {
    temp: Temp,
    driver: &'static str,
}

impl Storage {
    fn new(driver: &'static str, image: &ImageBuilder) -> Self {
        let storage = Self { temp: Temp::new(), driver };
        let members = members(&image.docker_archive().unwrap());
        let member = |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, bytes)| bytes.clone()).unwrap();
        let list: Value = serde_json::from_slice(&member("manifest.json")).unwrap();
        let config = member(list[0]["Config"].as_str().unwrap());
        let mut layers = Vec::new();
        for (number, name) in list[0]["Layers"].as_array().unwrap().iter().enumerate() {
            let tar = member(name.as_str().unwrap());
            storage.layer(number, &tar);
            let parent = if number == 0 { Value::Null } else { json!(id(number - 1)) };
            layers.push(json!({ "id": id(number), "parent": parent, "diff-size": tar.len() }));
        }
        let descriptor = |bytes: &[u8]| json!({ "digest": Digest::sha256(bytes).to_string(), "size": bytes.len() });
        let manifest = json!({ "schemaVersion": 2, "config": descriptor(&config), "layers": [] }).to_string();
        let (config_name, image_id) = (Digest::sha256(&config).to_string(), Digest::sha256(&config).hex().to_owned());
        let record = json!([{
            "id": image_id, "digest": Digest::sha256(manifest.as_bytes()).to_string(), "names": ["localhost/app:1"],
            "layer": id(layers.len() - 1), "big-data-names": [config_name, "manifest"],
        }]);
        storage.file(&format!("{driver}-images/images.json"), record.to_string());
        storage.file(&format!("{driver}-layers/layers.json"), Value::Array(layers).to_string());
        storage.file(&format!("{driver}-images/{image_id}/manifest"), manifest);
        storage.file(&format!("{driver}-images/{image_id}/={}", BASE64_STANDARD.encode(config_name)), config);
        storage
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        self.temp.file(&format!("root/{name}"), bytes)
    }

    /// Where the contents of a layer's files are.
    fn files(&self, layer: usize) -> PathBuf {
        let id = id(layer);
        self.temp.path(&if self.driver == "vfs" { format!("root/vfs/dir/{id}") } else { format!("root/overlay/{id}/diff") })
    }

    fn headers(&self, layer: usize) -> PathBuf {
        self.temp.path(&format!("root/{}-layers/{}.tar-split.gz", self.driver, id(layer)))
    }

    /// Takes a layer's tar to pieces.
    fn layer(&self, number: usize, tar: &[u8]) {
        let (mut list, mut at) = (Vec::new(), 0);
        let segment = |bytes: &[u8]| json!({ "type": 2, "payload": BASE64_STANDARD.encode(bytes) });
        for entry in tar::Archive::new(tar).entries().unwrap().raw(true) {
            let mut entry = entry.unwrap();
            if !entry.header().entry_type().is_file() || entry.size() == 0 {
                continue;
            }
            let start = usize::try_from(entry.raw_file_position()).unwrap();
            list.push(segment(&tar[at..start]));
            at = start + usize::try_from(entry.size()).unwrap();
            let name = entry.path().unwrap().into_owned();
            list.push(json!({ "type": 1, "name": name.to_str().unwrap(), "size": entry.size(), "payload": "AAAAAAAAAAA=" }));
            let path = self.files(number).join(&name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            fs::write(path, contents).unwrap();
        }
        list.push(segment(&tar[at..]));
        let lines: String = list.iter().map(|line| format!("{line}\n")).collect();
        self.write_headers(number, &lines);
    }

    fn write_headers(&self, layer: usize, lines: &str) {
        let path = self.headers(layer);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut gzip = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
        gzip.write_all(lines.as_bytes()).unwrap();
        gzip.finish().unwrap();
    }

    fn scan(&self) -> Scan {
        let root = self.temp.path("root");
        sound(scan_text(&format!("containers-storage:[{}@{}]app:1", self.driver, root.display()), &Options::default()))
    }
}

fn id(layer: usize) -> String {
    format!("{layer:064x}")
}

fn members(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut members = Vec::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        members.push((entry.path().unwrap().to_str().unwrap().to_owned(), bytes));
    }
    members
}

/// An image with one file.
fn one_file(path: &str, contents: &str) -> ImageBuilder {
    ImageBuilder::new().layer("COPY . .", |layer| layer.file(path, contents))
}

#[test]
fn an_image_in_a_storage_is_what_its_archive_is() {
    let image = scenario().image;
    let expected = facts(&scan_image(&image));
    for driver in ["overlay", "vfs"] {
        let storage = Storage::new(driver, &image);
        let scan = storage.scan();
        assert_eq!(facts(&scan), expected, "{driver}");
        assert_eq!(reasons(&scan), [], "{driver}");
        assert_eq!(scan.images[0].name.as_deref(), Some("localhost/app:1"));
    }
}

#[test]
fn what_the_storage_has_lost_is_said() {
    let image = one_file("/app/token", &format!("TOKEN={}\n", token("lost")));
    let storage = |harm: &dyn Fn(&Storage)| {
        let storage = Storage::new("overlay", &image);
        harm(&storage);
        reasons(&storage.scan())
    };
    let lost = |path: PathBuf| fs::remove_file(path).unwrap();
    assert_eq!(storage(&|storage| lost(storage.files(0).join("app/token"))), [Reason::DiffIdMismatch, Reason::Unreadable]);
    assert_eq!(
        storage(&|storage| fs::write(storage.files(0).join("app/token"), "T").unwrap()),
        [Reason::DiffIdMismatch, Reason::SizeMismatch]
    );
    assert_eq!(storage(&|storage| lost(storage.headers(0))), [Reason::MissingBlob]);
    assert_eq!(storage(&|storage| storage.write_headers(0, "{}\n"))[0], Reason::DamagedStream);
    assert_eq!(storage(&|storage| fs::write(storage.headers(0), "").unwrap())[0], Reason::DiffIdMismatch);
    let listed = |storage: &Storage| storage.file("overlay-layers/layers.json", "[]");
    assert!(storage(&|storage| drop(listed(storage))).contains(&Reason::MissingBlob));
}

#[test]
fn an_image_has_no_file_of_the_machine_read() {
    let secret = token("of the machine");
    let outside = Temp::new();
    outside.file("passwords", format!("TOKEN={secret}\n"));
    let size = fs::metadata(outside.path("passwords")).unwrap().len();
    let image = one_file("/etc/link/passwords", &"x".repeat(usize::try_from(size).unwrap()));
    let read = |target: &Path, link: &str| {
        let storage = Storage::new("overlay", &image);
        fs::remove_dir_all(storage.files(0).join("etc")).unwrap();
        let link = storage.files(0).join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(target, link).unwrap();
        storage.scan()
    };
    let up = Path::new("../../../../../../../../../../..").join(outside.path("").strip_prefix("/").unwrap());
    for (target, link) in [(outside.path(""), "etc/link"), (up, "etc/link"), (outside.path("passwords"), "etc/link/passwords")] {
        let scan = read(&target, link);
        assert_eq!((facts(&scan).len(), reasons(&scan)), (0, vec![Reason::DiffIdMismatch, Reason::Unreadable]), "{}", target.display());
    }
    // Not a fault: a link within the layer.
    let image = one_file("/lib/token", &format!("TOKEN={secret}\n"));
    for target in ["usr/lib", "/usr/lib", "usr/../../usr/lib/."] {
        let storage = Storage::new("overlay", &image);
        fs::create_dir_all(storage.files(0).join("usr")).unwrap();
        fs::rename(storage.files(0).join("lib"), storage.files(0).join("usr/lib")).unwrap();
        symlink(target, storage.files(0).join("lib")).unwrap();
        let scan = storage.scan();
        assert_eq!(path_of(only(&scan, &secret)), "/lib/token");
        assert_eq!(reasons(&scan), [], "{target}");
    }
}

#[test]
fn a_storage_or_an_image_that_is_not_there_is_said() {
    let storage = Storage::new("overlay", &one_file("/a", "b"));
    let failure = |text: &str| {
        let outcome = scan_text(text, &Options::default());
        outcome.failures[0].error.to_string()
    };
    let root = storage.temp.path("root").display().to_string();
    let said = failure(&format!("containers-storage:[overlay@{root}]other"));
    assert!(said.contains("no image `other`; it has localhost/app:1"), "{said}");
    let said = failure(&format!("containers-storage:[btrfs@{root}]app:1"));
    assert!(said.contains("no storage with the driver overlay or vfs in"), "{said}");
}
