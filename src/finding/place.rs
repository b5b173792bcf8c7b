//! Where a secret stands. An enum, so that no place can carry a field that means nothing for it.

/// Offsets of the secret's first byte within the text it was found in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// Bytes from the start of the file (or of the innermost member).
    pub offset: u64,
    /// Line, from 1.
    pub line: u64,
    /// Byte within the line, from 1.
    pub column: u64,
}

/// Which part of a tar entry holds the secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Part {
    /// The file's bytes.
    Content,
    /// The entry's own path.
    Name,
    /// The target of a symbolic or hard link.
    LinkTarget,
    /// A PAX record, an extended attribute among them; holds the record's key.
    Pax(String),
}

/// Where a secret stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// In an entry of a layer.
    LayerFile {
        /// Index into the image's layers, base first.
        layer: usize,
        /// Normalised absolute path, bytes as in the archive.
        path: Vec<u8>,
        /// Names of the containers' members inside the file, outermost first.
        inner: Vec<Vec<u8>>,
        /// Which part of the entry.
        part: Part,
        /// None where the part has no lines.
        position: Option<Position>,
    },
    /// In bytes of a layer blob that belong to no entry: after the end-of-archive mark, or a blob that is no archive.
    LayerBytes {
        /// Index into the image's layers, base first.
        layer: usize,
        /// Bytes from the start of the decompressed blob, and line and column from the start of the odd bytes.
        position: Position,
    },
    /// In the image's config, but for history and labels.
    Config {
        /// JSON pointer into the config.
        pointer: String,
    },
    /// In a step of the image's history.
    History {
        /// JSON pointer into the config.
        pointer: String,
        /// The layer that the step made, if it made one.
        layer: Option<usize>,
    },
    /// In a label of the config.
    Label {
        /// JSON pointer into the config.
        pointer: String,
    },
    /// In an annotation of a descriptor, manifest or index, or elsewhere in one of these documents.
    Annotation {
        /// Name of the document: `manifest`, `index`, or a digest.
        document: String,
        /// JSON pointer into the document.
        pointer: String,
    },
    /// In an attestation document (provenance, SBOM, signature).
    Attestation {
        /// Digest of the document.
        document: String,
        /// JSON pointer into the document.
        pointer: String,
    },
    /// In a file of a root filesystem or folder.
    RootfsFile {
        /// Path within the folder, absolute, bytes as the system gave them.
        path: Vec<u8>,
        /// Names of the containers' members inside the file, outermost first.
        inner: Vec<Vec<u8>>,
        /// Which part of the file.
        part: Part,
        /// None where the part has no lines.
        position: Option<Position>,
    },
    /// In a member of an image archive that no manifest refers to.
    ArchiveMember {
        /// The member's name.
        path: Vec<u8>,
        /// Where in it.
        position: Option<Position>,
    },
}

impl Place {
    /// The `place.kind` of the JSON report.
    pub fn kind(&self) -> &'static str {
        match self {
            Place::LayerFile { .. } => "layer-file",
            Place::LayerBytes { .. } => "layer-bytes",
            Place::Config { .. } => "config",
            Place::History { .. } => "history",
            Place::Label { .. } => "label",
            Place::Annotation { .. } => "annotation",
            Place::Attestation { .. } => "attestation",
            Place::RootfsFile { .. } => "rootfs-file",
            Place::ArchiveMember { .. } => "archive-member",
        }
    }

    /// The layer it belongs to, as an index into the image's layers.
    pub fn layer(&self) -> Option<usize> {
        match self {
            Place::LayerFile { layer, .. } | Place::LayerBytes { layer, .. } => Some(*layer),
            Place::History { layer, .. } => *layer,
            _ => None,
        }
    }

    /// The path of the file, for places that are files.
    pub fn path(&self) -> Option<&[u8]> {
        match self {
            Place::LayerFile { path, .. } | Place::RootfsFile { path, .. } | Place::ArchiveMember { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Members inside the file, outermost first.
    pub fn inner(&self) -> &[Vec<u8>] {
        match self {
            Place::LayerFile { inner, .. } | Place::RootfsFile { inner, .. } => inner,
            _ => &[],
        }
    }

    /// Line, column and offset, where the place has them.
    pub fn position(&self) -> Option<Position> {
        match self {
            Place::LayerFile { position, .. } | Place::RootfsFile { position, .. } | Place::ArchiveMember { position, .. } => *position,
            Place::LayerBytes { position, .. } => Some(*position),
            _ => None,
        }
    }

    /// The JSON pointer of places in documents.
    pub fn pointer(&self) -> Option<&str> {
        match self {
            Place::Config { pointer }
            | Place::History { pointer, .. }
            | Place::Label { pointer }
            | Place::Annotation { pointer, .. }
            | Place::Attestation { pointer, .. } => Some(pointer),
            _ => None,
        }
    }

    /// Which part of a tar entry, for places that are files.
    pub fn part(&self) -> Option<&Part> {
        match self {
            Place::LayerFile { part, .. } | Place::RootfsFile { part, .. } => Some(part),
            _ => None,
        }
    }
}
