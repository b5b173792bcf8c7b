//! What survived: a finding with its provenance, its life and its proof, and the account of what was read.
//!
//! Pure data. Nothing here reads, matches or prints.

pub mod allow;
mod baseline;
mod coverage;
mod explanation;
pub mod fingerprint;
mod fix;
mod gate;
mod layer_read;
mod level;
mod nested_image;
mod origin;
mod package;
mod pair;
mod place;
mod secret;
pub mod trace;

use std::borrow::Cow;
use std::sync::Arc;

pub use allow::{AllowList, AllowState, Allowed};
pub use baseline::{Baseline, BaselineError, Compared};
pub use coverage::{Coverage, MAX_SKIPPED, Reason, Skipped};
pub use explanation::{
    Check, CheckOutcome, Checked, Explanation, MatcherKind, Ownership, OwnershipClaim, OwnershipVerdict, Reason as ScoreReason, Score,
    Window, two_places,
};
pub use fix::{Certainty, DockerfileFix, Spot};
pub use gate::{Filter, Gaps, Gate, Outcome, Scope};
pub use layer_read::{LayerRead, MAX_CANDIDATES};
pub use level::{Confidence, Severity, UnknownLevel};
pub use nested_image::{NestedImage, NestedLayer};
pub use origin::{BaseFacts, Evidence, Origin, Whose};
pub use package::{Manager, Package};
pub use pair::pair;
pub use place::{Part, Place, Position};
pub use secret::Secret;

use crate::oci::{Digest, Platform};

/// What a report says of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RuleFacts {
    /// Stable id.
    pub id: String,
    /// One line for people.
    pub description: String,
    /// Who issues such credentials.
    pub provider: String,
    /// Where the format or the revocation is described.
    pub docs: Option<String>,
    /// What the finder can do.
    pub severity: Severity,
    /// What to do about it.
    pub remediation: String,
    /// Ids of the rules that find the other half, for secrets that open something only together with it.
    pub pairs: Vec<String>,
}

/// Whether the final filesystem still has the bytes; anyone who pulls the image can read them in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Visibility {
    /// A container started from the image sees them.
    InFinalImage,
    /// A later entry of the same path replaced them; index of the layer that did.
    Overwritten {
        /// Index into the image's layers.
        layer: usize,
    },
    /// A whiteout removed them; index of the layer that did.
    Deleted {
        /// Index into the image's layers.
        layer: usize,
    },
}

impl Visibility {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Visibility::InFinalImage => "in-final-image",
            Visibility::Overwritten { .. } => "overwritten",
            Visibility::Deleted { .. } => "deleted",
        }
    }

    /// The layer that hides the bytes, if one does.
    pub fn layer(self) -> Option<usize> {
        match self {
            Visibility::InFinalImage => None,
            Visibility::Overwritten { layer } | Visibility::Deleted { layer } => Some(layer),
        }
    }
}

/// Why a finding is listed but never gates.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Suppression {
    /// One word: `checksum-mismatch`, `well-known`, `placeholder`, `public-file`, ...
    pub reason: Cow<'static, str>,
    /// The same for people.
    pub detail: String,
}

/// Public facts of a private key.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct KeyFacts {
    /// `rsa`, `ed25519`, `ec`, ... where known.
    pub algorithm: Option<String>,
    /// Size in bits where known.
    pub bits: Option<u32>,
    /// Whether a passphrase protects it; none where the format does not say.
    pub encrypted: Option<bool>,
    /// Fingerprint of the public key, `SHA256:...` as OpenSSH prints it, where it could be worked out.
    pub fingerprint: Option<String>,
    /// Certificates and public keys of the same image that it belongs to; at most [`MAX_ALSO`].
    pub counterparts: Vec<Counterpart>,
}

/// A certificate or public key that belongs to a private one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counterpart {
    /// Whose it is, for people.
    pub what: String,
    /// The file it stands in.
    pub path: Vec<u8>,
    /// Index into the image's layers; none in a folder.
    pub layer: Option<usize>,
}

/// How a finding stands to a baseline, or to an older image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Novelty {
    /// Was not there.
    New,
    /// The secret was there, under another path.
    Moved,
    /// Was there.
    Known,
}

impl Novelty {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Novelty::New => "new",
            Novelty::Moved => "moved",
            Novelty::Known => "known",
        }
    }
}

/// A finding that was there once, as baselines and older reports remember it: no secret, no hash that could be guessed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Remembered {
    /// [`Finding::id`].
    pub id: String,
    /// [`Finding::secret_id`].
    pub secret_id: String,
    /// The rule's id.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// Where, for people; redacted.
    pub place: String,
}

/// One secret at one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The same for the same secret, rule and path, whatever the layer; see [`fingerprint`].
    pub id: String,
    /// The same for the same secret, whatever the rule and the path.
    pub secret_id: String,
    /// What found it.
    pub rule: Arc<RuleFacts>,
    /// The rule's, unless the secret itself says otherwise.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// The bytes, redacting.
    pub secret: Secret,
    /// Set for findings that are listed but never gate.
    pub suppressed: Option<Suppression>,
    /// The package that the file is of, where that is why it is suppressed.
    pub package: Option<Package>,
    /// Index into [`Scan::images`].
    pub image: usize,
    /// Where.
    pub place: Place,
    /// Further places of the same secret that say nothing new; at most [`MAX_ALSO`].
    pub also: Vec<Place>,
    /// Steps from the file's bytes to the secret.
    pub decoding: Vec<Cow<'static, str>>,
    /// None for places that no layer can hide: config, history, labels, annotations, attestations.
    pub visibility: Option<Visibility>,
    /// The image that the file is of, for what stands in one that lies in a file.
    pub nested_image: Option<Box<NestedImage>>,
    /// Public facts, for private keys.
    pub key: Option<KeyFacts>,
    /// What the secret says of itself, or why it is doubted: when it expires, who issued it, that its checksum is wrong. For people.
    pub note: Option<String>,
    /// The host that the secret is for, where its URL says so.
    pub host: Option<String>,
    /// Ids of the findings beside it that hold the other half: an access key's id, an account's number; at most [`MAX_ALSO`].
    pub pair: Vec<String>,
    /// Ids of less specific rules that matched the same text.
    pub matched_too: Vec<String>,
    /// Set where findings were compared with older ones.
    pub novelty: Option<Novelty>,
    /// Whether the image brought it, or the one that it was built on.
    pub origin: Origin,
    /// What to change in the Dockerfile; set where one was given.
    pub dockerfile: Option<Box<DockerfileFix>>,
    /// How it came about; set where that was asked for.
    pub explanation: Option<Box<Explanation>>,
}

impl Finding {
    /// A likely finding of `rule` in the first image, with nothing more known of it.
    pub fn new(rule: &Arc<RuleFacts>, secret: Secret, place: Place) -> Self {
        Self {
            id: String::new(),
            secret_id: String::new(),
            rule: Arc::clone(rule),
            severity: rule.severity,
            confidence: Confidence::Likely,
            secret,
            suppressed: None,
            package: None,
            image: 0,
            place,
            also: Vec::new(),
            decoding: Vec::new(),
            visibility: None,
            nested_image: None,
            key: None,
            note: None,
            host: None,
            pair: Vec::new(),
            matched_too: Vec::new(),
            novelty: None,
            origin: Origin::Own,
            dockerfile: None,
            explanation: None,
        }
    }
}

/// Most entries of [`Finding::also`].
pub const MAX_ALSO: usize = 20;

/// A layer of an image, as reports name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerFacts {
    /// Position, base first.
    pub index: usize,
    /// Digest of the blob as stored.
    pub digest: Option<Digest>,
    /// Digest of the uncompressed archive.
    pub diff_id: Option<Digest>,
    /// The instruction that made it. Raw: may hold secrets until a report redacts it.
    pub created_by: Option<String>,
    /// Bytes of the blob as stored.
    pub size: Option<u64>,
}

/// A step of an image's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFacts {
    /// The instruction. Raw: may hold secrets until a report redacts it.
    pub created_by: Option<String>,
    /// The layer that it made, as an index into the image's layers, if it made one.
    pub layer: Option<usize>,
}

/// An image, as reports name it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageFacts {
    /// What the user asked for, with its scheme.
    pub source: String,
    /// Reference name or tag, where the source has one.
    pub name: Option<String>,
    /// Digest of the manifest, or of the config where there is no manifest.
    pub digest: Option<Digest>,
    /// Platform the config or the index gives.
    pub platform: Option<Platform>,
    /// Base first.
    pub layers: Vec<LayerFacts>,
    /// The image that it was built on, where anything is known of it.
    pub base: Option<BaseFacts>,
    /// Build steps, oldest first; empty where there is no config.
    pub history: Vec<StepFacts>,
}

/// All that a scan found: the input of every report.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// Hash of the rules used.
    pub rules_hash: String,
    /// Name of the key that fingerprints were made with; none without a key.
    pub fingerprint_key: Option<String>,
    /// Images in the order they were asked for and found.
    pub images: Vec<ImageFacts>,
    /// Sorted by image, layer, path, offset, rule.
    pub findings: Vec<Finding>,
    /// What was read and what was not.
    pub coverage: Coverage,
    /// Findings of the baseline or of the older image that are no longer there; none without a comparison.
    pub fixed: Option<Vec<Remembered>>,
    /// What the entries of allow-lists came to, in the order written.
    pub allowed: Vec<Allowed>,
}

impl Scan {
    /// A scan that read nothing yet.
    pub fn new(rules_hash: impl Into<String>) -> Self {
        Self {
            rules_hash: rules_hash.into(),
            fingerprint_key: None,
            images: Vec::new(),
            findings: Vec::new(),
            coverage: Coverage::default(),
            fixed: None,
            allowed: Vec::new(),
        }
    }
}
