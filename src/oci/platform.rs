//! `os/architecture[/variant]`.

use std::fmt;
use std::str::FromStr;

/// The platform an image is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// `linux`, `windows`, ...
    pub os: String,
    /// `amd64`, `arm64`, ...
    pub architecture: String,
    /// `v7`, `v8`, ...
    pub variant: Option<String>,
}

/// A text that is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a platform: write os/architecture or os/architecture/variant, for example linux/arm64/v8")]
pub struct MalformedPlatform {
    /// What was given.
    pub text: String,
}

impl Platform {
    /// Whether an image for `self` is one that `wanted` asks for; a variant is compared only if `wanted` names one.
    pub fn satisfies(&self, wanted: &Platform) -> bool {
        self.os == wanted.os && self.architecture == wanted.architecture && (wanted.variant.is_none() || self.variant == wanted.variant)
    }

    /// `unknown/unknown`: what builders put on attestation manifests.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }
}

impl FromStr for Platform {
    type Err = MalformedPlatform;

    fn from_str(text: &str) -> Result<Self, MalformedPlatform> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [os, architecture] if !os.is_empty() && !architecture.is_empty() => {
                Ok(Self { os: os.to_owned(), architecture: architecture.to_owned(), variant: None })
            }
            [os, architecture, variant] if !os.is_empty() && !architecture.is_empty() && !variant.is_empty() => {
                Ok(Self { os: os.to_owned(), architecture: architecture.to_owned(), variant: Some(variant.to_owned()) })
            }
            _ => Err(MalformedPlatform { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}
