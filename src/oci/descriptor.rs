//! A typed reference to a blob.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Digest, MalformedDigest, MediaType, Platform};

/// A reference to a blob: its digest, its size, and what it is said to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Descriptor {
    /// As written; may be empty.
    pub media_type: String,
    /// Of the blob's bytes.
    pub digest: Digest,
    /// Of the blob in bytes.
    pub size: Option<u64>,
    /// Free texts; builders put references and, sometimes, secrets here.
    pub annotations: BTreeMap<String, String>,
    /// Set in an index.
    pub platform: Option<Platform>,
    /// Where a foreign layer is; never fetched.
    pub urls: Vec<String>,
}

/// A value that should have been a descriptor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedDescriptor {
    /// Its digest does not parse.
    #[error(transparent)]
    Digest(#[from] MalformedDigest),
    /// It is not an object with a `digest`.
    #[error("a descriptor is not a JSON object with a `digest` text")]
    Shape,
}

impl Descriptor {
    /// Reads a descriptor out of JSON.
    pub fn from_json(value: &Value) -> Result<Self, MalformedDescriptor> {
        let digest = value.get("digest").and_then(Value::as_str).ok_or(MalformedDescriptor::Shape)?;
        Ok(Self {
            media_type: text(value, "mediaType").unwrap_or_default(),
            digest: digest.parse()?,
            size: value.get("size").and_then(Value::as_u64),
            annotations: annotations(value),
            platform: value.get("platform").and_then(platform),
            urls: value.get("urls").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }

    /// What the blob is said to be.
    pub fn kind(&self) -> MediaType {
        MediaType::of(&self.media_type)
    }

    /// Whether this is a BuildKit attestation manifest: documents about an image, not an image.
    pub fn is_attestation(&self) -> bool {
        self.annotations.get("vnd.docker.reference.type").is_some_and(|kind| kind == "attestation-manifest")
            || self.platform.as_ref().is_some_and(Platform::is_unknown)
    }

    /// Whether it is a layer that registries and archives do not carry.
    pub fn is_foreign(&self) -> bool {
        self.kind() == MediaType::ForeignLayer || !self.urls.is_empty()
    }

    /// The name that a layout's index gives an image.
    pub fn ref_name(&self) -> Option<&str> {
        ["org.opencontainers.image.ref.name", "io.containerd.image.name"]
            .iter()
            .find_map(|key| self.annotations.get(*key))
            .map(String::as_str)
    }
}

pub(super) fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}

pub(super) fn annotations(value: &Value) -> BTreeMap<String, String> {
    let object = value.get("annotations").and_then(Value::as_object);
    object.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

pub(super) fn platform(value: &Value) -> Option<Platform> {
    Some(Platform {
        os: text(value, "os")?,
        architecture: text(value, "architecture")?,
        variant: text(value, "variant").filter(|v| !v.is_empty()),
    })
}
