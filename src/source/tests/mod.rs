//! Sources over small images made in memory and, where they must be, in a temporary folder.

mod archives;
mod containerd;
mod folders;
mod references;
mod streams;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::*;
use crate::finding::Reason;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A temporary folder, gone at the end.
struct Temp(PathBuf);

impl Temp {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("layersift-source-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A tar of files; a value that begins with `->` is a symbolic link.
fn tar(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = ::tar::Header::new_gnu();
        if let Some(target) = bytes.strip_prefix(b"->") {
            header.set_entry_type(::tar::EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, name, std::str::from_utf8(target).unwrap()).unwrap();
        } else {
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, &bytes[..]).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

fn member(name: &str, bytes: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (name.to_owned(), bytes.into())
}

fn layer(text: &str) -> Vec<u8> {
    tar(&[member("file", text)])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::bufread::GzEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut out).unwrap();
    out
}

/// The blobs of an OCI layout.
#[derive(Default, Clone)]
struct Blobs(BTreeMap<String, Vec<u8>>);

impl Blobs {
    /// Adds a blob; its descriptor.
    fn put(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::sha256(bytes);
        self.0.insert(format!("blobs/sha256/{}", digest.hex()), bytes.to_vec());
        json!({ "mediaType": media_type, "digest": digest.to_string(), "size": bytes.len() })
    }

    fn put_json(&mut self, media_type: &str, value: &Value) -> Value {
        self.put(media_type, value.to_string().as_bytes())
    }

    /// Adds an image for linux/`architecture`; its descriptor, called `name`.
    fn image(&mut self, name: &str, architecture: &str, layers: &[Vec<u8>]) -> Value {
        let layers: Vec<Value> = layers.iter().map(|layer| self.put(LAYER, layer)).collect();
        let diff_ids: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
        let history: Vec<Value> = (0..layers.len()).map(|at| json!({ "created_by": format!("step {at}") })).collect();
        let config = json!({ "os": "linux", "architecture": architecture, "rootfs": { "diff_ids": diff_ids }, "history": history });
        let config = self.put_json(CONFIG, &config);
        self.manifest(name, &json!({ "schemaVersion": 2, "config": config, "layers": layers }))
    }

    fn manifest(&mut self, name: &str, manifest: &Value) -> Value {
        let mut descriptor = self.put_json(MANIFEST, manifest);
        descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        descriptor
    }

    fn index(&mut self, manifests: &[Value]) -> Value {
        self.put_json(INDEX, &json!({ "schemaVersion": 2, "manifests": manifests }))
    }

    /// All members of the layout.
    fn members(&self, manifests: &[Value]) -> Vec<(String, Vec<u8>)> {
        let mut members: Vec<_> = self.0.clone().into_iter().collect();
        members.push(member("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#));
        members.push(member("index.json", json!({ "schemaVersion": 2, "manifests": manifests }).to_string()));
        members
    }

    fn write(&self, temp: &Temp, manifests: &[Value]) -> PathBuf {
        for (name, bytes) in self.members(manifests) {
            temp.file(&name, &bytes);
        }
        temp.0.clone()
    }
}

fn digest_of(descriptor: &Value) -> Digest {
    descriptor["digest"].as_str().unwrap().parse().unwrap()
}

/// What a source holds, with the bytes of every blob that it names.
struct Seen {
    contents: Contents,
    blobs: BTreeMap<BlobKey, Vec<u8>>,
    late: Vec<Skipped>,
}

impl Seen {
    fn reasons(&self) -> Vec<Reason> {
        self.contents.skipped.iter().map(|skipped| skipped.reason).collect()
    }

    fn names(&self) -> Vec<Option<&str>> {
        self.contents.images.iter().map(|image| image.name.as_deref()).collect()
    }

    /// The bytes of each layer of an image.
    fn layers(&self, image: usize) -> Vec<Option<&[u8]>> {
        let layers = self.contents.images[image].layers.iter();
        layers.map(|layer| layer.blob.as_ref().map(|key| self.blobs[key].as_slice())).collect()
    }

    fn documents(&self, image: usize) -> Vec<(DocumentKind, &str)> {
        self.contents.images[image].documents.iter().map(|document| (document.kind, document.name.as_str())).collect()
    }

    fn extras(&self) -> Vec<&str> {
        self.contents.extras.iter().map(|(name, _)| name.as_str()).collect()
    }
}

struct Collect(BTreeMap<BlobKey, Vec<u8>>);

impl BlobSink for Collect {
    fn blob(&mut self, key: &BlobKey, blob: &mut (dyn Read + Send)) {
        let mut bytes = Vec::new();
        let _ = blob.read_to_end(&mut bytes);
        assert!(self.0.insert(key.clone(), bytes).is_none(), "a blob is handed over once");
    }
}

fn read_random(source: &dyn Source) -> Result<Seen, SourceError> {
    let contents = source.contents()?;
    let layers = contents.images.iter().flat_map(|image| &image.layers).filter_map(|layer| layer.blob.clone());
    let keys: Vec<BlobKey> = layers.chain(contents.extras.iter().map(|(_, key)| key.clone())).collect();
    let mut blobs = BTreeMap::new();
    for key in keys {
        let mut bytes = Vec::new();
        match source.open(&key)? {
            Blob::Mapped(mapped) => bytes.extend_from_slice(mapped),
            Blob::Stream(mut stream) => drop(stream.read_to_end(&mut bytes)),
        }
        blobs.insert(key, bytes);
    }
    Ok(Seen { contents, blobs, late: source.skipped_while_reading() })
}

fn read_once(source: Box<dyn OnePass>) -> Result<Seen, SourceError> {
    let mut sink = Collect(BTreeMap::new());
    let contents = source.read(&mut sink)?;
    Ok(Seen { contents, blobs: sink.0, late: Vec::new() })
}

fn read_with(reference: &Reference, options: &OpenOptions) -> Result<Seen, SourceError> {
    match open(reference, options)? {
        Opened::Random(source) => read_random(source.as_ref()),
        Opened::OnePass(source) => read_once(source),
    }
}

fn read(reference: &str) -> Result<Seen, SourceError> {
    read_with(&Reference::parse(reference)?, &OpenOptions::default())
}

fn read_path(path: &Path) -> Seen {
    read(path.to_str().unwrap()).unwrap()
}

fn for_platform(reference: &str, platform: &str) -> Result<Seen, SourceError> {
    let options = OpenOptions { platform: Some(platform.parse().unwrap()), ..OpenOptions::default() };
    read_with(&Reference::parse(reference)?, &options)
}
