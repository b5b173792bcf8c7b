//! Images made in memory, in a few lines, and written in every form that the sources read: for tests, benchmarks and the built-in example.
//!
//! Equal calls give equal bytes: times are fixed, and nothing is taken from the machine. A builder makes damaged images as well as sound
//! ones (raw headers, bytes after the end, blobs that are not what they say), because those are what a scanner has to be tried on.
//!
//! ```
//! use layersift::source::builder::ImageBuilder;
//!
//! let image = ImageBuilder::new()
//!     .tag("app:1")
//!     .env("MODE", "production")
//!     .layer("COPY . /app", |layer| layer.file("/app/.env", "TOKEN=..."))
//!     .layer("RUN rm /app/.env", |layer| layer.whiteout("/app/.env"));
//! assert!(!image.docker_archive()?.is_empty());
//! # Ok::<(), std::io::Error>(())
//! ```

mod compress;
mod forms;
mod layer;

use std::io;
use std::path::Path;

use serde_json::{Map, Value, json};

pub use compress::compress;
pub use forms::ImageSet;
pub use layer::LayerBuilder;

use crate::layer::decode::Compression;
use crate::oci::{Digest, Platform};

/// Every time in a built image.
const CREATED: &str = "2024-01-01T00:00:00Z";

/// One image: its config, its history and its layers, base first.
#[derive(Debug, Clone)]
pub struct ImageBuilder {
    tags: Vec<String>,
    platform: Platform,
    compression: Compression,
    created: String,
    config: Map<String, Value>,
    env: Vec<String>,
    labels: Map<String, Value>,
    arguments: Vec<String>,
    steps: Vec<Step>,
    annotations: Map<String, Value>,
    attestations: Vec<Vec<u8>>,
}

/// A step of the history.
#[derive(Debug, Clone)]
struct Step {
    created_by: String,
    layer: Option<Content>,
}

/// What a layer's blob holds.
#[derive(Debug, Clone)]
enum Content {
    /// A tar, stored as the image compresses its layers.
    Tar(Vec<u8>),
    /// A blob that is stored as it is, and what the config says it decompresses to.
    Stored { blob: Vec<u8>, diff_id: Digest },
}

/// A layer as it is stored.
#[derive(Debug, Clone)]
struct StoredLayer {
    blob: Vec<u8>,
    diff_id: Digest,
}

impl Default for ImageBuilder {
    fn default() -> Self {
        Self {
            tags: Vec::new(),
            platform: Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None },
            compression: Compression::None,
            created: CREATED.to_owned(),
            config: Map::new(),
            env: Vec::new(),
            labels: Map::new(),
            arguments: Vec::new(),
            steps: Vec::new(),
            annotations: Map::new(),
            attestations: Vec::new(),
        }
    }
}

impl ImageBuilder {
    /// An image for linux/amd64 without layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a name: `app:1`.
    pub fn tag(mut self, name: &str) -> Self {
        self.tags.push(name.to_owned());
        self
    }

    /// What it runs on.
    pub fn platform(mut self, platform: Platform) -> Self {
        self.platform = platform;
        self
    }

    /// When it was made: `2026-01-31T00:00:00Z`.
    pub fn created(mut self, time: &str) -> Self {
        self.created = time.to_owned();
        self
    }

    /// How its layers are stored.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// `ENV name=value`, in the config and in the history.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push(format!("{name}={value}"));
        self.empty_step(&format!("ENV {name}={value}"))
    }

    /// `LABEL name=value`, in the config and in the history.
    pub fn label(mut self, name: &str, value: &str) -> Self {
        self.labels.insert(name.to_owned(), json!(value));
        self.empty_step(&format!("LABEL {name}={value}"))
    }

    /// `ARG name`, built with a value: BuildKit repeats it in the history of every `RUN` that follows.
    pub fn history_arg(mut self, name: &str, value: &str) -> Self {
        self.arguments.push(format!("{name}={value}"));
        self.empty_step(&format!("ARG {name}"))
    }

    /// A step of the history that makes no layer.
    pub fn empty_step(mut self, created_by: &str) -> Self {
        self.steps.push(Step { created_by: created_by.to_owned(), layer: None });
        self
    }

    /// Sets a field of the config's `config` object: `Cmd`, `Healthcheck`, ...
    pub fn config(mut self, field: &str, value: Value) -> Self {
        self.config.insert(field.to_owned(), value);
        self
    }

    /// An annotation of the manifest.
    pub fn annotation(mut self, name: &str, value: &str) -> Self {
        self.annotations.insert(name.to_owned(), json!(value));
        self
    }

    /// An attestation manifest beside the image, with one document. Docker's older archives have no place for it.
    pub fn attestation(mut self, document: impl Into<Vec<u8>>) -> Self {
        self.attestations.push(document.into());
        self
    }

    /// A layer, and the instruction that made it, as BuildKit writes it down.
    pub fn layer(self, instruction: &str, fill: impl FnOnce(&mut LayerBuilder)) -> Self {
        let mut layer = LayerBuilder::new();
        fill(&mut layer);
        self.layer_step(instruction, Content::Tar(layer.finish()))
    }

    /// A layer of exactly these uncompressed bytes, stored as the image's others are.
    pub fn layer_bytes(self, instruction: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.layer_step(instruction, Content::Tar(bytes.into()))
    }

    /// A layer whose blob is exactly `blob`, whatever it is; the config says that it decompresses to `diff_id`.
    pub fn stored_layer(self, instruction: &str, blob: impl Into<Vec<u8>>, diff_id: Digest) -> Self {
        self.layer_step(instruction, Content::Stored { blob: blob.into(), diff_id })
    }

    fn layer_step(mut self, instruction: &str, content: Content) -> Self {
        let created_by = match (instruction.strip_prefix("RUN "), self.arguments.as_slice()) {
            (None, _) => format!("{instruction} # buildkit"),
            (Some(command), []) => format!("RUN /bin/sh -c {command} # buildkit"),
            (Some(command), arguments) => {
                format!("RUN |{} {} /bin/sh -c {command} # buildkit", arguments.len(), arguments.join(" "))
            }
        };
        self.steps.push(Step { created_by, layer: Some(content) });
        self
    }

    fn layers(&self) -> io::Result<Vec<StoredLayer>> {
        let stored = |content: &Content| match content {
            Content::Tar(bytes) => Ok(StoredLayer { blob: compress(bytes, self.compression)?, diff_id: Digest::sha256(bytes) }),
            Content::Stored { blob, diff_id } => Ok(StoredLayer { blob: blob.clone(), diff_id: diff_id.clone() }),
        };
        self.steps.iter().filter_map(|step| step.layer.as_ref()).map(stored).collect()
    }

    fn config_document(&self, layers: &[StoredLayer]) -> Vec<u8> {
        let mut config = self.config.clone();
        if !self.env.is_empty() {
            config.insert("Env".to_owned(), json!(self.env));
        }
        if !self.labels.is_empty() {
            config.insert("Labels".to_owned(), json!(self.labels));
        }
        let step = |step: &Step| match step.layer {
            Some(_) => json!({ "created": CREATED, "created_by": step.created_by }),
            None => json!({ "created": CREATED, "created_by": step.created_by, "empty_layer": true }),
        };
        let mut document = json!({
            "architecture": self.platform.architecture,
            "os": self.platform.os,
            "created": self.created,
            "config": config,
            "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|layer| layer.diff_id.to_string()).collect::<Vec<_>>() },
            "history": self.steps.iter().map(step).collect::<Vec<_>>(),
        });
        if let Some(variant) = &self.platform.variant {
            document["variant"] = json!(variant);
        }
        document.to_string().into_bytes()
    }

    /// This image alone, as a set.
    fn set(&self) -> ImageSet {
        ImageSet::new().image(self.clone())
    }

    /// See [`ImageSet::docker_archive`].
    pub fn docker_archive(&self) -> io::Result<Vec<u8>> {
        self.set().docker_archive()
    }

    /// See [`ImageSet::docker_archive_legacy`].
    pub fn docker_archive_legacy(&self) -> io::Result<Vec<u8>> {
        self.set().docker_archive_legacy()
    }

    /// See [`ImageSet::docker25`].
    pub fn docker25(&self) -> io::Result<Vec<u8>> {
        self.set().docker25()
    }

    /// See [`ImageSet::oci_archive`].
    pub fn oci_archive(&self) -> io::Result<Vec<u8>> {
        self.set().oci_archive()
    }

    /// See [`ImageSet::oci_layout`].
    pub fn oci_layout(&self, folder: &Path) -> io::Result<()> {
        self.set().oci_layout(folder)
    }

    /// See [`ImageSet::skopeo_dir`].
    pub fn skopeo_dir(&self, folder: &Path) -> io::Result<()> {
        self.set().skopeo_dir(folder)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sample() -> ImageBuilder {
        ImageBuilder::new().tag("a:1").env("A", "b").history_arg("T", "v").layer("RUN make", |layer| layer.file("/a", "x"))
    }

    #[test]
    fn equal_calls_give_equal_bytes() {
        assert_eq!(sample().docker25().unwrap(), sample().docker25().unwrap());
    }

    #[test]
    fn the_history_is_what_buildkit_writes() {
        let image = sample();
        let config: Value = serde_json::from_slice(&image.config_document(&image.layers().unwrap())).unwrap();
        let history: Vec<&str> = config["history"].as_array().unwrap().iter().filter_map(|step| step["created_by"].as_str()).collect();
        assert_eq!(history, ["ENV A=b", "ARG T", "RUN |1 T=v /bin/sh -c make # buildkit"]);
        assert_eq!((&config["history"][0]["empty_layer"], &config["history"][2]["empty_layer"]), (&json!(true), &Value::Null));
        assert_eq!(config["config"]["Env"], json!(["A=b"]));
    }
}
