//! Images that lie in a file of another image: what their documents say, and what a scan makes of an archive of them.
//!
//! An input is parts between bytes of 0xff: the name of a member, a line feed, and its bytes.

use std::collections::BTreeMap;
use std::io::Read as _;

use layersift::content::nested::images::{document, is_blob_name};
use layersift::layer::decode::Compression;
use layersift::source::builder::ImageBuilder;
use layersift::source::passing::{Passing, images};

use super::nested;
use crate::archives::tar;

/// Between two members.
const BETWEEN: u8 = 0xff;
/// Most bytes of the documents of all images: those that are read, in each image that they are of.
const MOST: usize = 64 << 20;

struct Members<'m>(BTreeMap<&'m str, &'m [u8]>);

impl Passing for Members<'_> {
    fn document(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).copied().filter(|bytes| document(name.as_bytes(), bytes).is_some())
    }

    fn has_layer(&self, name: &str) -> bool {
        self.0.contains_key(name) && self.document(name).is_none()
    }
}

pub(super) fn run(data: &[u8]) {
    let members: Vec<(&str, &[u8])> = data
        .split(|&byte| byte == BETWEEN)
        .filter_map(|part| {
            let end = part.iter().position(|&byte| byte == b'\n')?;
            Some((std::str::from_utf8(&part[..end]).ok()?, &part[end + 1..]))
        })
        .take(64)
        .collect();
    for (name, bytes) in &members {
        let _ = is_blob_name(name.as_bytes());
        assert!(document(name.as_bytes(), bytes).is_none() || matches!(bytes.first(), Some(b'{' | b'[')));
    }
    let passing = Members(members.iter().copied().collect());
    let found = images(&passing);
    assert_eq!(format!("{:?}", images(&passing)), format!("{found:?}"));
    let mut bytes = 0;
    for image in &found {
        bytes += image.documents.iter().map(|document| document.bytes.len()).sum::<usize>();
        for blob in image.layers.iter().filter_map(|layer| layer.blob.as_ref()) {
            assert!(passing.0.contains_key(blob.0.as_str()), "{blob:?} is no member");
        }
    }
    assert!(bytes <= MOST, "{bytes} bytes of documents of {} images", found.len());
    let members: Vec<(&str, &[u8])> = members.into_iter().filter(|(name, _)| is_name(name)).collect();
    nested::check("f.tar", &tar(&members));
}

/// Whether the writer of archives takes it for one.
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\0', '\\']);
    name.len() < 200 && name.split('/').all(is_part)
}

/// The members of an archive as an input.
fn input(archive: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in ::tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if !entry.header().entry_type().is_dir() && !bytes.contains(&BETWEEN) {
            out.extend([name.as_bytes(), b"\n", &bytes, &[BETWEEN]].concat());
        }
    }
    out
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("images");
    let image = ImageBuilder::new()
        .tag("example.org/inner:1")
        // Without a byte of 0xff.
        .compression(Compression::None)
        .env("TOKEN", "x")
        .layer("COPY base /", |layer| layer.file("/a", &text))
        .layer("RUN rm /a", |layer| layer.whiteout("/a"));
    let mut seeds: Vec<Vec<u8>> = [image.docker_archive(), image.docker_archive_legacy(), image.docker25(), image.oci_archive()]
        .map(|archive| input(&archive.unwrap()))
        .into();
    // An index that names itself, and layers that are none.
    let own = "ab".repeat(32);
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:{own}","size":1}}]}}"#
    );
    seeds.push([b"index.json\n", index.as_bytes(), &[BETWEEN], format!("blobs/sha256/{own}\n{index}").as_bytes()].concat());
    seeds.push(
        [b"l.tar\n", &tar(&[("a", &text)])[..], &[BETWEEN], b"manifest.json\n[{\"Layers\":[\"l.tar\",\"l.tar\",\"../l.tar\",7]}]"].concat(),
    );
    seeds
}
