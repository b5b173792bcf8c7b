//! Whose a finding is: the image's own, or inherited from the image that it was built on; and how that is known.

use std::str::FromStr;

use super::UnknownLevel;
use crate::oci::Digest;

/// What says that layers are inherited. Only what cannot be made up by whoever builds the image is sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The base image is at hand, and the hashes of its layers are those of the image's first layers.
    Image,
    /// The user named the stack of layers by its chain id, or the lowest layer by its digest.
    Chain,
    /// The image names a base that was scanned beside it and whose layers are its first ones: what is in them is the base's own there.
    Annotation,
    /// The user named the last layer of the base by its digest, which says nothing of the layers below.
    Layer,
    /// The image's history reads as if another build had ended there.
    History,
    /// The image names a base, and nothing says how many layers that is.
    Named,
    /// The base that the user gave is not what the image was built on.
    Mismatch,
}

impl Evidence {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Evidence::Image => "image",
            Evidence::Chain => "chain",
            Evidence::Annotation => "annotation",
            Evidence::Layer => "layer",
            Evidence::History => "history",
            Evidence::Named => "named",
            Evidence::Mismatch => "mismatch",
        }
    }

    /// Whether it is as good as the digests are, so that a gate may rely on it.
    pub fn is_sure(self) -> bool {
        matches!(self, Evidence::Image | Evidence::Chain | Evidence::Annotation)
    }
}

/// Who brought a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// The image itself, or nobody knows.
    #[default]
    Own,
    /// The image that it was built on, by this evidence.
    Inherited(Evidence),
}

impl Origin {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Own => "own",
            Origin::Inherited(_) => "inherited",
        }
    }

    /// Whether it is inherited beyond doubt.
    pub fn is_surely_inherited(self) -> bool {
        matches!(self, Origin::Inherited(evidence) if evidence.is_sure())
    }

    /// Of a secret that stands at two places: inherited only if both are, and no surer than the less sure one.
    pub fn and(self, other: Origin) -> Origin {
        match (self, other) {
            (Origin::Inherited(one), Origin::Inherited(other)) => Origin::Inherited(if one.is_sure() { other } else { one }),
            _ => Origin::Own,
        }
    }
}

/// What is known of the image that an image was built on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseFacts {
    /// As the user gave it, or as the image or the base itself says. Raw: may hold secrets until a report redacts it.
    pub name: Option<String>,
    /// Of its manifest or config, or what the user gave.
    pub digest: Option<Digest>,
    /// How many of the image's layers are its.
    pub layers: usize,
    /// What says so.
    pub evidence: Evidence,
}

/// Whose findings gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whose {
    /// All.
    #[default]
    All,
    /// All but those that are surely inherited.
    Own,
}

impl Whose {
    /// All.
    pub const ALL: [Whose; 2] = [Whose::All, Whose::Own];

    /// The word in flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Whose::All => "all",
            Whose::Own => "own",
        }
    }
}

impl FromStr for Whose {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let known = Self::ALL.into_iter().find(|whose| whose.as_str().eq_ignore_ascii_case(text));
        known.ok_or_else(|| UnknownLevel { given: text.to_owned(), what: "gate", known: "all, own" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_at_two_places_is_inherited_only_if_both_are_and_as_surely_as_the_less_sure_one() {
        use Evidence::{History, Image};
        let inherited = Origin::Inherited;
        assert_eq!(inherited(Image).and(Origin::Own), Origin::Own);
        assert_eq!(Origin::Own.and(inherited(Image)), Origin::Own);
        assert_eq!(inherited(Image).and(inherited(History)), inherited(History));
        assert_eq!(inherited(History).and(inherited(Image)), inherited(History));
        assert!(!inherited(History).is_surely_inherited() && inherited(Image).is_surely_inherited());
    }
}
