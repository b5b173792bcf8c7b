//! An image in a file of the scanned image: what its documents say of the layer that a secret stands in.

use super::Visibility;
use crate::oci::Digest;

/// An image that lies in a file, as an archive or a layout. All of this is what its documents say; its digests were not checked.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NestedImage {
    /// Reference name or tag, where its archive gives one. Raw.
    pub name: Option<String>,
    /// Digest of its manifest, or of its config where there is no manifest.
    pub digest: Option<Digest>,
    /// The layer that the secret stands in; none in its config or another of its documents.
    pub layer: Option<NestedLayer>,
    /// What becomes of the secret in it; none where that is not known, and in its documents. Indexes are those of its own layers.
    pub visibility: Option<Visibility>,
    /// The layer that hides the secret.
    pub hidden_by: Option<NestedLayer>,
}

/// A layer of such an image.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NestedLayer {
    /// Position, base first.
    pub index: usize,
    /// Digest of the blob.
    pub digest: Option<Digest>,
    /// Digest of the uncompressed layer.
    pub diff_id: Option<Digest>,
    /// The instruction that made it. Raw: may hold secrets until a report redacts it.
    pub created_by: Option<String>,
}

impl NestedImage {
    /// All texts that come from the image.
    pub fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let layers = [&mut self.layer, &mut self.hidden_by].into_iter().flatten();
        self.name.iter_mut().chain(layers.filter_map(|layer| layer.created_by.as_mut()))
    }
}
