//! Built images, written as the tools of the field write them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::{ImageBuilder, LayerBuilder, StoredLayer};
use crate::layer::decode::Compression;
use crate::oci::Digest;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const STATEMENT: &str = "application/vnd.in-toto+json";
const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// Images that are written together.
#[derive(Debug, Clone, Default)]
pub struct ImageSet {
    images: Vec<ImageBuilder>,
    nested: Option<String>,
}

/// The blobs of a layout, by digest.
type Blobs = BTreeMap<Digest, Vec<u8>>;

/// A layout before it is written.
struct Layout {
    blobs: Blobs,
    /// Descriptors of the outermost index.
    manifests: Vec<Value>,
}

/// An image's config, and its layers as they are stored.
struct Rendered {
    config: Vec<u8>,
    layers: Vec<StoredLayer>,
}

impl Rendered {
    fn new(image: &ImageBuilder) -> io::Result<Self> {
        let layers = image.layers()?;
        Ok(Self { config: image.config_document(&layers), layers })
    }
}

impl ImageSet {
    /// No images.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an image.
    pub fn image(mut self, image: ImageBuilder) -> Self {
        self.images.push(image);
        self
    }

    /// In layouts, puts all images under one further index, called `name`, as builds for several platforms do.
    pub fn nested(mut self, name: &str) -> Self {
        self.nested = Some(name.to_owned());
        self
    }

    /// A Docker archive as skopeo and podman write it: layers called by their diff_ids, a folder with a link for each, the list last.
    pub fn docker_archive(&self) -> io::Result<Vec<u8>> {
        self.docker(|tar, layer, parent| {
            let (name, id) = (format!("{}.tar", layer.diff_id.hex()), legacy_id(layer, parent));
            tar.file(&name, &layer.blob);
            tar.symlink(format!("{id}/layer.tar"), format!("../{name}"));
            legacy_facts(tar, &id, parent);
            (name, id)
        })
    }

    /// A Docker archive as Docker wrote it up to version 24: a folder with the layer itself for each.
    pub fn docker_archive_legacy(&self) -> io::Result<Vec<u8>> {
        self.docker(|tar, layer, parent| {
            let id = legacy_id(layer, parent);
            let name = format!("{id}/layer.tar");
            legacy_facts(tar, &id, parent);
            tar.file(&name, &layer.blob);
            (name, id)
        })
    }

    /// Writes a Docker archive; `write` adds one layer, given the id of the one below it, and gives its name and its own id.
    fn docker(&self, write: impl Fn(&mut LayerBuilder, &StoredLayer, &str) -> (String, String)) -> io::Result<Vec<u8>> {
        let mut tar = LayerBuilder::new();
        let mut known = BTreeMap::new();
        let mut list = Vec::new();
        for image in &self.images {
            let rendered = Rendered::new(image)?;
            let mut names = Vec::new();
            let mut parent = String::new();
            for layer in &rendered.layers {
                let key = (parent.clone(), layer.diff_id.clone());
                let (name, id) = known.entry(key).or_insert_with(|| write(&mut tar, layer, &parent)).clone();
                names.push(name);
                parent = id;
            }
            let config = format!("{}.json", Digest::sha256(&rendered.config).hex());
            tar.file(&config, &rendered.config);
            list.push(json!({ "Config": config, "RepoTags": image.tags, "Layers": names }));
        }
        tar.file("manifest.json", Value::from(list).to_string());
        Ok(tar.finish())
    }

    /// What Docker writes from version 25 on: an OCI layout, with the list of a Docker archive in it.
    pub fn docker25(&self) -> io::Result<Vec<u8>> {
        let layout = self.layout()?;
        let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
        let mut list = Vec::new();
        for image in &self.images {
            let rendered = Rendered::new(image)?;
            let layers: Vec<String> = rendered.layers.iter().map(|layer| blob(&Digest::sha256(&layer.blob))).collect();
            list.push(json!({ "Config": blob(&Digest::sha256(&rendered.config)), "RepoTags": image.tags, "Layers": layers }));
        }
        let mut tar = layout.tar();
        tar.file("index.json", layout.index().to_string());
        tar.file("manifest.json", Value::from(list).to_string());
        tar.file("oci-layout", LAYOUT);
        Ok(tar.finish())
    }

    /// An OCI layout in a tar.
    pub fn oci_archive(&self) -> io::Result<Vec<u8>> {
        let layout = self.layout()?;
        let mut tar = layout.tar();
        tar.file("index.json", layout.index().to_string());
        tar.file("oci-layout", LAYOUT);
        Ok(tar.finish())
    }

    /// An OCI layout in `folder`, which is made.
    pub fn oci_layout(&self, folder: &Path) -> io::Result<()> {
        let layout = self.layout()?;
        let blobs = folder.join("blobs").join("sha256");
        fs::create_dir_all(&blobs)?;
        for (digest, blob) in &layout.blobs {
            fs::write(blobs.join(digest.hex()), blob)?;
        }
        fs::write(folder.join("index.json"), layout.index().to_string())?;
        fs::write(folder.join("oci-layout"), LAYOUT)
    }

    /// What `skopeo copy ... dir:FOLDER` makes, in `folder`, which is made: one image as its manifest, several as an index of theirs.
    pub fn skopeo_dir(&self, folder: &Path) -> io::Result<()> {
        let layout = Self { nested: None, ..self.clone() }.layout()?;
        fs::create_dir_all(folder)?;
        fs::write(folder.join("version"), "Directory Transport Version: 1.1\n")?;
        let manifests: Vec<Digest> = layout.manifests.iter().filter_map(digest_of).collect();
        for (digest, blob) in &layout.blobs {
            let name = match (manifests.contains(digest), manifests.len()) {
                (true, 1) => "manifest.json".to_owned(),
                (true, _) => format!("{}.manifest.json", digest.hex()),
                (false, _) => digest.hex().to_owned(),
            };
            fs::write(folder.join(name), blob)?;
        }
        if manifests.len() == 1 { Ok(()) } else { fs::write(folder.join("manifest.json"), layout.index().to_string()) }
    }

    fn layout(&self) -> io::Result<Layout> {
        let mut layout = Layout { blobs: Blobs::new(), manifests: Vec::new() };
        for image in &self.images {
            layout.add(image)?;
        }
        if let Some(name) = &self.nested {
            let index = layout.index();
            let mut descriptor = put(&mut layout.blobs, INDEX, index.to_string().into_bytes());
            descriptor["annotations"] = names(name);
            layout.manifests = vec![descriptor];
        }
        Ok(layout)
    }
}

impl Layout {
    fn add(&mut self, image: &ImageBuilder) -> io::Result<()> {
        let Rendered { config, layers } = Rendered::new(image)?;
        let media_type = layer_type(image.compression);
        let config = put(&mut self.blobs, CONFIG, config);
        let layers: Vec<Value> = layers.into_iter().map(|layer| put(&mut self.blobs, &media_type, layer.blob)).collect();
        let mut manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
        if !image.annotations.is_empty() {
            manifest["annotations"] = json!(image.annotations);
        }
        let mut descriptor = put(&mut self.blobs, MANIFEST, manifest.to_string().into_bytes());
        descriptor["platform"] = json!({ "architecture": image.platform.architecture, "os": image.platform.os });
        if let Some(variant) = &image.platform.variant {
            descriptor["platform"]["variant"] = json!(variant);
        }
        for tag in &image.tags {
            let mut named = descriptor.clone();
            named["annotations"] = names(tag);
            self.manifests.push(named);
        }
        if image.tags.is_empty() {
            self.manifests.push(descriptor.clone());
        }
        for document in &image.attestations {
            let attestation = self.attestation(document, &descriptor["digest"]);
            self.manifests.push(attestation);
        }
        Ok(())
    }

    /// Adds an attestation manifest about the image `subject`, as BuildKit does; its descriptor.
    fn attestation(&mut self, document: &[u8], subject: &Value) -> Value {
        let config = json!({ "architecture": "unknown", "os": "unknown", "config": {}, "rootfs": { "type": "layers", "diff_ids": [] } });
        let config = put(&mut self.blobs, CONFIG, config.to_string().into_bytes());
        let statement = put(&mut self.blobs, STATEMENT, document.to_vec());
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [statement] });
        let mut descriptor = put(&mut self.blobs, MANIFEST, manifest.to_string().into_bytes());
        descriptor["annotations"] = json!({ "vnd.docker.reference.digest": subject, "vnd.docker.reference.type": "attestation-manifest" });
        descriptor["platform"] = json!({ "architecture": "unknown", "os": "unknown" });
        descriptor
    }

    fn index(&self) -> Value {
        json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": self.manifests })
    }

    /// An archive of the blobs, to which the documents are still to be added.
    fn tar(&self) -> LayerBuilder {
        let mut tar = LayerBuilder::new();
        for folder in ["blobs", "blobs/sha256"] {
            tar.directory(folder);
        }
        for (digest, blob) in &self.blobs {
            tar.file(format!("blobs/sha256/{}", digest.hex()), blob);
        }
        tar
    }
}

/// Adds a blob; its descriptor.
fn put(blobs: &mut Blobs, media_type: &str, bytes: Vec<u8>) -> Value {
    let digest = Digest::sha256(&bytes);
    let descriptor = json!({ "mediaType": media_type, "digest": digest.to_string(), "size": bytes.len() });
    blobs.insert(digest, bytes);
    descriptor
}

fn digest_of(descriptor: &Value) -> Option<Digest> {
    descriptor["digest"].as_str()?.parse().ok()
}

/// The media type of layers. For others there is none: such layers call themselves plain, as they do in the field.
fn layer_type(compression: Compression) -> String {
    match compression {
        Compression::Gzip => format!("{LAYER}+gzip"),
        Compression::Zstd => format!("{LAYER}+zstd"),
        _ => LAYER.to_owned(),
    }
}

/// The annotations by which an index names an image.
fn names(name: &str) -> Value {
    let tag = name.rsplit('/').next().and_then(|last| last.split_once(':')).map_or(name, |(_, tag)| tag);
    json!({ "io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag })
}

/// An id in the manner of Docker's first image format: of the layer and of all below it.
fn legacy_id(layer: &StoredLayer, parent: &str) -> String {
    Digest::sha256(format!("{parent} {}", layer.diff_id).as_bytes()).hex().to_owned()
}

fn legacy_facts(tar: &mut LayerBuilder, id: &str, parent: &str) {
    tar.file(format!("{id}/VERSION"), "1.0");
    tar.file(format!("{id}/json"), json!({ "id": id, "parent": parent }).to_string());
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names_of(archive: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(archive);
        archive.entries().unwrap().map(|entry| String::from_utf8(entry.unwrap().path_bytes().into_owned()).unwrap()).collect()
    }

    fn image(name: &str) -> ImageBuilder {
        let base = ImageBuilder::new().tag(name).layer("COPY base", |layer| layer.file("/base", "same"));
        base.layer("COPY own", |layer| layer.file("/own", name))
    }

    #[test]
    fn layers_that_images_share_are_written_once() {
        let set = ImageSet::new().image(image("a:1")).image(image("b:1"));
        let links = names_of(&set.docker_archive().unwrap()).into_iter().filter(|name| name.ends_with("layer.tar")).count();
        assert_eq!(links, 3);
        // Two configs, two manifests, three layers, and the two folders.
        let blobs = names_of(&set.oci_archive().unwrap()).into_iter().filter(|name| name.starts_with("blobs")).count();
        assert_eq!(blobs, 9);
    }

    #[test]
    fn the_list_comes_last_in_a_docker_archive_and_the_marks_of_both_forms_are_in_that_of_docker_25() {
        assert_eq!(names_of(&image("a:1").docker_archive().unwrap()).last().unwrap(), "manifest.json");
        let names = names_of(&image("a:1").docker25().unwrap());
        assert!(names.ends_with(&["index.json".to_owned(), "manifest.json".to_owned(), "oci-layout".to_owned()]));
    }
}
