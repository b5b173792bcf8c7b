//! Media types, only as far as they say what a blob is *for*. What a blob *is* comes from its bytes.

/// What a descriptor says its blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// An image index or Docker manifest list.
    Index,
    /// An image manifest.
    Manifest,
    /// An image config.
    Config,
    /// A layer that is encrypted (`+encrypted`): its bytes are noise to us.
    EncryptedLayer,
    /// A layer that registries do not carry (`nondistributable`, Docker's `foreign`).
    ForeignLayer,
    /// A layer.
    Layer,
    /// An in-toto statement or another JSON document.
    Statement,
    /// Anything else, an empty text among them.
    Other,
}

impl MediaType {
    /// Reads a media type; parameters after `;` do not count.
    pub fn of(text: &str) -> Self {
        let text = text.split(';').next().unwrap_or_default().trim();
        match text {
            "application/vnd.oci.image.index.v1+json" | "application/vnd.docker.distribution.manifest.list.v2+json" => MediaType::Index,
            "application/vnd.oci.image.manifest.v1+json" | "application/vnd.docker.distribution.manifest.v2+json" => MediaType::Manifest,
            "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json" => MediaType::Config,
            _ if text.ends_with("+encrypted") => MediaType::EncryptedLayer,
            _ if text.contains(".foreign.") || text.contains(".nondistributable.") => MediaType::ForeignLayer,
            _ if text.starts_with("application/vnd.oci.image.layer.") || text.starts_with("application/vnd.docker.image.rootfs.diff.") => {
                MediaType::Layer
            }
            _ if text.ends_with("+json") || text == "application/json" => MediaType::Statement,
            _ => MediaType::Other,
        }
    }
}
