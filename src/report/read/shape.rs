//! The report as it is written, each field with its type. A new field of the report is a line here and one where it is used; what older
//! reports lack has a default.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::finding::{AllowState, Confidence, Evidence, Explanation, Novelty, Package, Reason, Remembered, Severity};

/// Enough to tell a report from other JSON.
#[derive(Deserialize)]
pub(super) struct Head {
    pub(super) schema: u64,
}

#[derive(Deserialize)]
pub(super) struct Report {
    pub(super) tool: Tool,
    pub(super) fingerprint_key: Option<String>,
    pub(super) images: Vec<Image>,
    pub(super) findings: Vec<Finding>,
    pub(super) coverage: Coverage,
    pub(super) fixed: Option<Vec<Remembered>>,
    #[serde(default)]
    pub(super) allow: Vec<Allow>,
    pub(super) complete: bool,
}

#[derive(Deserialize)]
pub(super) struct Allow {
    pub(super) origin: String,
    pub(super) state: AllowState,
    pub(super) count: Number,
    pub(super) reason: String,
    pub(super) until: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Tool {
    pub(super) rules_hash: String,
}

#[derive(Deserialize)]
pub(super) struct Image {
    pub(super) source: String,
    pub(super) name: Option<String>,
    pub(super) digest: Option<Digest>,
    pub(super) platform: Option<String>,
    pub(super) layers: Vec<Layer>,
    pub(super) base: Option<Base>,
    #[serde(default)]
    pub(super) history: Vec<Step>,
}

#[derive(Deserialize)]
pub(super) struct Step {
    pub(super) created_by: Option<String>,
    pub(super) layer: Option<Number>,
}

#[derive(Deserialize)]
pub(super) struct Base {
    pub(super) name: Option<String>,
    pub(super) digest: Option<Digest>,
    pub(super) layers: Number,
    pub(super) evidence: Evidence,
}

#[derive(Deserialize)]
pub(super) struct Layer {
    pub(super) index: Number,
    pub(super) digest: Option<Digest>,
    pub(super) diff_id: Option<Digest>,
    pub(super) created_by: Option<String>,
    pub(super) size: Option<Number>,
}

/// A layer as findings name it: all but its index stands under its image too.
#[derive(Deserialize)]
pub(super) struct LayerReference {
    pub(super) index: Number,
}

#[derive(Deserialize)]
pub(super) struct Finding {
    pub(super) id: String,
    pub(super) secret_id: String,
    pub(super) rule: String,
    pub(super) description: String,
    #[serde(default)]
    pub(super) provider: String,
    pub(super) docs: Option<String>,
    pub(super) severity: Severity,
    pub(super) rule_severity: Option<Severity>,
    pub(super) confidence: Confidence,
    pub(super) secret: String,
    pub(super) suppressed: Option<Suppressed>,
    pub(super) novelty: Option<Novelty>,
    #[serde(default)]
    pub(super) origin: Origin,
    pub(super) origin_evidence: Option<Evidence>,
    pub(super) image: Number,
    pub(super) place: Place,
    pub(super) also: Vec<Place>,
    pub(super) decoding: Vec<String>,
    pub(super) visibility: Option<Visibility>,
    pub(super) nested_image: Option<NestedImage>,
    pub(super) key: Option<Key>,
    pub(super) note: Option<String>,
    pub(super) host: Option<String>,
    #[serde(default)]
    pub(super) pair: Vec<String>,
    #[serde(default)]
    pub(super) matched_too: Vec<String>,
    pub(super) remediation: String,
    pub(super) dockerfile: Option<Dockerfile>,
    pub(super) explanation: Option<Explanation>,
}

/// Who brought it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Origin {
    #[default]
    Own,
    Inherited,
}

#[derive(Deserialize)]
pub(super) struct Dockerfile {
    pub(super) file: String,
    pub(super) r#match: String,
    pub(super) line: Option<Number>,
    pub(super) end_line: Option<Number>,
    pub(super) instruction: Option<String>,
    pub(super) base: Option<String>,
    pub(super) advice: String,
    pub(super) replacement: Option<String>,
    pub(super) ignore: Option<String>,
    pub(super) build_command: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Suppressed {
    pub(super) reason: String,
    #[serde(default)]
    pub(super) detail: String,
    pub(super) package: Option<Package>,
}

#[derive(Deserialize)]
pub(super) struct Place {
    pub(super) kind: String,
    pub(super) layer: Option<LayerReference>,
    pub(super) path: Option<String>,
    pub(super) path_bytes: Option<Base64>,
    #[serde(default)]
    pub(super) inner: Vec<String>,
    pub(super) inner_bytes: Option<Vec<Base64>>,
    pub(super) part: Option<String>,
    pub(super) line: Option<Number>,
    pub(super) column: Option<Number>,
    pub(super) offset: Option<Number>,
    #[serde(default)]
    pub(super) document: String,
    pub(super) pointer: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Visibility {
    pub(super) state: String,
    pub(super) layer: Option<LayerReference>,
}

#[derive(Deserialize)]
pub(super) struct NestedImage {
    pub(super) name: Option<String>,
    pub(super) digest: Option<Digest>,
    pub(super) layer: Option<NestedLayer>,
    pub(super) visibility: Option<NestedVisibility>,
}

#[derive(Deserialize)]
pub(super) struct NestedLayer {
    pub(super) index: Number,
    pub(super) digest: Option<Digest>,
    pub(super) diff_id: Option<Digest>,
    pub(super) created_by: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct NestedVisibility {
    pub(super) state: String,
    pub(super) layer: Option<NestedLayer>,
}

#[derive(Deserialize)]
pub(super) struct Key {
    pub(super) algorithm: Option<String>,
    pub(super) bits: Option<u32>,
    pub(super) encrypted: Option<bool>,
    pub(super) fingerprint: Option<String>,
    #[serde(default)]
    pub(super) counterparts: Vec<Counterpart>,
}

#[derive(Deserialize)]
pub(super) struct Counterpart {
    pub(super) what: String,
    pub(super) path: String,
    pub(super) layer: Option<Number>,
}

#[derive(Deserialize)]
pub(super) struct Coverage {
    pub(super) layers: Number,
    pub(super) entries: Number,
    pub(super) documents: Number,
    pub(super) bytes_read: Number,
    pub(super) bytes_expanded: Number,
    pub(super) bytes_scanned: Number,
    pub(super) skipped: Vec<Skipped>,
    pub(super) skipped_more: Number,
}

#[derive(Deserialize)]
pub(super) struct Skipped {
    pub(super) reason: Reason,
    pub(super) r#where: String,
    pub(super) size: Option<Number>,
    #[serde(default)]
    pub(super) detail: String,
}

/// A whole number that every reader of JSON can hold, so that sums of a few of them cannot overflow.
pub(super) struct Number(pub(super) u64);

impl Number {
    pub(super) const BOUND: u64 = 1 << 53;
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(deserializer)?;
        if number < Self::BOUND { Ok(Self(number)) } else { Err(D::Error::custom("expected a number below 2^53")) }
    }
}

pub(super) struct Digest(pub(super) crate::oci::Digest);

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digest = text.parse().map_err(|_| D::Error::custom("expected sha256: and 64 lower-case hex digits, or sha512: and 128"));
        digest.map(Self)
    }
}

/// Bytes that are not UTF-8.
pub(super) struct Base64(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::Engine as _;
        let text = String::deserialize(deserializer)?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).map_err(|_| D::Error::custom("expected base64"));
        bytes.map(Self)
    }
}
