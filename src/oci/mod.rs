//! The nouns of the OCI image spec (v1.1) and of Docker's image spec (v1.2), as pure data. No IO.
//!
//! Lenient on unknown and missing fields, strict on digests and sizes: images made by hand or by an attacker get read as far as they
//! make sense, and each part that does not is a value that says so, not the end of the scan.

mod config;
mod descriptor;
mod digest;
mod manifest;
mod media_type;
mod platform;

pub use config::{Config, HistoryStep};
pub use descriptor::{Descriptor, MalformedDescriptor};
pub use digest::{Algorithm, Digest, Hasher, MalformedDigest};
pub use manifest::{Document, Index, MalformedDocument, Manifest};
pub use media_type::MediaType;
pub use platform::{MalformedPlatform, Platform};
