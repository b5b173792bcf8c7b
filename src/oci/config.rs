//! The image config, as far as layers need it. Its texts are scanned as a document, field by field, whatever the fields are.

use serde_json::Value;

use super::descriptor::{platform, text};
use super::manifest::json;
use super::{Digest, MalformedDigest, MalformedDocument, Platform};

/// What a config says of its layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Of the uncompressed layers, base first.
    pub diff_ids: Vec<Result<Digest, MalformedDigest>>,
    /// Build steps, oldest first.
    pub history: Vec<HistoryStep>,
    /// What the image runs on.
    pub platform: Option<Platform>,
    /// When the image was made, where that makes sense. Builds that can be repeated write 1970.
    pub created: Option<jiff::Timestamp>,
}

/// One build step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryStep {
    /// The instruction.
    pub created_by: Option<String>,
    /// What the builder says besides: its name, or what the step is built on.
    pub comment: Option<String>,
    /// Who made the step; some builders name themselves.
    pub author: Option<String>,
    /// When, where that makes sense.
    pub created: Option<jiff::Timestamp>,
    /// Whether the step made no layer.
    pub empty_layer: bool,
}

impl Config {
    /// Parses a config; what is missing is empty.
    pub fn parse(bytes: &[u8]) -> Result<Self, MalformedDocument> {
        let value = json(bytes, "an image config")?;
        if !value.is_object() {
            return Err(MalformedDocument { expected: "an image config", problem: "it is not an object".to_owned() });
        }
        let diff_ids = value.pointer("/rootfs/diff_ids").and_then(Value::as_array);
        let history = value.get("history").and_then(Value::as_array);
        Ok(Self {
            diff_ids: diff_ids.into_iter().flatten().map(|id| id.as_str().unwrap_or_default().parse()).collect(),
            history: history.into_iter().flatten().map(HistoryStep::from_json).collect(),
            platform: platform(&value),
            created: time(&value),
        })
    }

    /// For each of `layers` layers, the index of the history step that made it. Steps with `empty_layer` made none. None where the
    /// history is too short.
    pub fn steps_of_layers(&self, layers: usize) -> Vec<Option<usize>> {
        let mut made: Vec<Option<usize>> =
            self.history.iter().enumerate().filter(|(_, step)| !step.empty_layer).map(|(index, _)| Some(index)).collect();
        made.resize(layers, None);
        made
    }
}

impl HistoryStep {
    fn from_json(value: &Value) -> Self {
        Self {
            created_by: text(value, "created_by"),
            comment: text(value, "comment"),
            author: text(value, "author"),
            created: time(value),
            empty_layer: value.get("empty_layer").and_then(Value::as_bool).unwrap_or(false),
        }
    }
}

fn time(value: &Value) -> Option<jiff::Timestamp> {
    text(value, "created").and_then(|created| created.parse().ok())
}
