//! Indexes and manifests.

use serde_json::Value;

use super::{Descriptor, MalformedDescriptor, MediaType};

/// Bytes that are not the document they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}: {problem}")]
pub struct MalformedDocument {
    /// `an image index`, `an image manifest`, ...
    pub expected: &'static str,
    /// What is wrong; holds no text of the document.
    pub problem: String,
}

/// A list of manifests and further indexes.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// Entries in order; one that does not parse does not spoil the others.
    pub manifests: Vec<Result<Descriptor, MalformedDescriptor>>,
}

/// An image or artifact manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The image config.
    pub config: Option<Result<Descriptor, MalformedDescriptor>>,
    /// Layers, base first.
    pub layers: Vec<Result<Descriptor, MalformedDescriptor>>,
    /// What it describes, for attestations and signatures.
    pub subject: Option<Descriptor>,
    /// Set on artifacts.
    pub artifact_type: Option<String>,
}

/// What a JSON document of a layout turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// An index.
    Index(Index),
    /// A manifest.
    Manifest(Box<Manifest>),
}

/// Parses JSON, leaving the reason without the text.
pub(super) fn json(bytes: &[u8], expected: &'static str) -> Result<Value, MalformedDocument> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|error| MalformedDocument { expected, problem: json_problem(&error) })
}

/// What went wrong, without quoting the document: serde_json's own text may.
pub(super) fn json_problem(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let kind = match error.classify() {
        Category::Eof => "ends too early",
        Category::Syntax => "is not JSON",
        Category::Data => "has another shape",
        Category::Io => "cannot be read",
    };
    format!("it {kind} at line {} column {}", error.line(), error.column())
}

fn list(value: &Value, key: &str, expected: &'static str) -> Result<Vec<Result<Descriptor, MalformedDescriptor>>, MalformedDocument> {
    let items = value.get(key).and_then(Value::as_array);
    let items = items.ok_or_else(|| MalformedDocument { expected, problem: format!("it has no `{key}` list") })?;
    Ok(items.iter().map(Descriptor::from_json).collect())
}

impl Index {
    /// Parses an index, whatever its media type says.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedDocument> {
        const EXPECTED: &str = "an image index";
        Ok(Self { manifests: list(&json(bytes, EXPECTED)?, "manifests", EXPECTED)? })
    }
}

impl Manifest {
    fn from_json(value: &Value) -> Result<Self, MalformedDocument> {
        Ok(Self {
            config: value.get("config").filter(|config| !config.is_null()).map(Descriptor::from_json),
            layers: list(value, "layers", "an image manifest")?,
            subject: value.get("subject").and_then(|subject| Descriptor::from_json(subject).ok()),
            artifact_type: super::descriptor::text(value, "artifactType"),
        })
    }
}

impl Document {
    /// Parses what a descriptor of an index points to: an index if it says so or has `manifests`, a manifest otherwise.
    pub fn parse(bytes: &[u8], media_type: MediaType) -> Result<Self, MalformedDocument> {
        let value = json(bytes, "an image index or manifest")?;
        let inner = value.get("mediaType").and_then(Value::as_str).map_or(media_type, MediaType::of);
        if inner == MediaType::Index || (value.get("manifests").is_some() && value.get("layers").is_none()) {
            const EXPECTED: &str = "an image index";
            return Ok(Document::Index(Index { manifests: list(&value, "manifests", EXPECTED)? }));
        }
        Manifest::from_json(&value).map(Box::new).map(Document::Manifest)
    }
}
