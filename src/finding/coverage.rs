//! What was read and what was not. "0 findings" must never mean "not read".

use std::fmt;

/// Why something was not looked at, or not looked at in full, or is not what it said it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// A blob that a manifest names is not there.
    MissingBlob,
    /// A document is not JSON, or not of the shape it should have.
    MalformedDocument,
    /// A digest that is not one: unknown algorithm, wrong length, path characters.
    MalformedDigest,
    /// The compressed stream ends early or is damaged.
    DamagedStream,
    /// The archive ends in the middle of an entry.
    TruncatedArchive,
    /// Bytes of a layer after its end-of-archive mark.
    TrailingBytes,
    /// A tar header that does not parse.
    MalformedEntry,
    /// The blob is neither an archive nor a document; its bytes were scanned as they are.
    NotAnArchive,
    /// A file is of a kind that holds others and cannot be read here; its bytes were scanned as they are.
    UnreadFormat,
    /// An archive inside a file is damaged; what could be read of it was scanned, and the rest as it is.
    DamagedFile,
    /// An archive says two things of what it holds. Both were read.
    Contradiction,
    /// The layer is encrypted, or members of an archive are.
    Encrypted,
    /// Bytes do not hash to what the manifest says.
    DigestMismatch,
    /// The decompressed layer does not hash to what the config says.
    DiffIdMismatch,
    /// The blob's size is not the descriptor's.
    SizeMismatch,
    /// Expanded to more than the bound.
    TooLarge,
    /// Nested deeper than the bound.
    TooDeep,
    /// More matching work than the bound.
    WorkLimit,
    /// More findings than the bound; the first ones are reported.
    FindingsLimit,
    /// More entries than the bound on what is remembered of them.
    EntriesLimit,
    /// The operating system said no.
    Unreadable,
    /// Not a file that can be read: socket, device, pipe.
    NotAFile,
    /// The layer exists only at URLs that are never fetched.
    Foreign,
    /// Nothing in it is an image.
    NotAnImage,
}

impl Reason {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::MissingBlob => "missing-blob",
            Reason::MalformedDocument => "malformed-document",
            Reason::MalformedDigest => "malformed-digest",
            Reason::DamagedStream => "damaged-stream",
            Reason::TruncatedArchive => "truncated-archive",
            Reason::TrailingBytes => "trailing-bytes",
            Reason::MalformedEntry => "malformed-entry",
            Reason::NotAnArchive => "not-an-archive",
            Reason::UnreadFormat => "unread-format",
            Reason::DamagedFile => "damaged-file",
            Reason::Contradiction => "contradiction",
            Reason::Encrypted => "encrypted",
            Reason::DigestMismatch => "digest-mismatch",
            Reason::DiffIdMismatch => "diff-id-mismatch",
            Reason::SizeMismatch => "size-mismatch",
            Reason::TooLarge => "too-large",
            Reason::TooDeep => "too-deep",
            Reason::WorkLimit => "work-limit",
            Reason::FindingsLimit => "findings-limit",
            Reason::EntriesLimit => "entries-limit",
            Reason::Unreadable => "unreadable",
            Reason::NotAFile => "not-a-file",
            Reason::Foreign => "foreign",
            Reason::NotAnImage => "not-an-image",
        }
    }

    /// Whether a scan with such an entry is still complete: all bytes were looked at, and are what they said they were. A damaged archive inside a
    /// file is one that nobody can read on: packages bring such files for their tests.
    pub fn is_harmless(self) -> bool {
        matches!(self, Reason::NotAFile | Reason::TrailingBytes | Reason::DamagedFile)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that was not (wholly) read, or is not what it said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skipped {
    /// Why.
    pub reason: Reason,
    /// Where: image, layer, path, as a person would say it. May hold bytes of the image; writers neutralise and redact it.
    pub place: String,
    /// Size in bytes of what was not read, where known.
    pub size: Option<u64>,
    /// What exactly was wrong and, where there is something to do, what to do.
    pub detail: String,
}

/// Counts of what was seen and scanned, and the list of what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Distinct layer blobs read.
    pub layers: u64,
    /// Entries of layers (or files of folders) seen.
    pub entries: u64,
    /// Bytes of blobs read from the source, compressed as they are.
    pub bytes_read: u64,
    /// Bytes of layers after decompression, headers and padding among them.
    pub bytes_expanded: u64,
    /// Bytes of file contents that went through detection.
    pub bytes_scanned: u64,
    /// Configs, manifests, indexes and attestations scanned.
    pub documents: u64,
    /// What was not read.
    pub skipped: Vec<Skipped>,
    /// How many more there are than the list holds.
    pub skipped_more: u64,
}

/// Most entries of [`Coverage::skipped`]; the rest are counted.
pub const MAX_SKIPPED: usize = 1_000;

impl Coverage {
    /// Notes one thing that was not read.
    pub fn skip(&mut self, reason: Reason, place: impl Into<String>, size: Option<u64>, detail: impl Into<String>) {
        if self.skipped.len() < MAX_SKIPPED {
            self.skipped.push(Skipped { reason, place: place.into(), size, detail: detail.into() });
        } else {
            self.skipped_more += 1;
        }
    }

    /// Adds what another part of the scan saw.
    pub fn absorb(&mut self, other: Coverage) {
        self.layers += other.layers;
        self.entries += other.entries;
        self.bytes_read += other.bytes_read;
        self.bytes_expanded += other.bytes_expanded;
        self.bytes_scanned += other.bytes_scanned;
        self.documents += other.documents;
        self.skipped_more += other.skipped_more;
        for skipped in other.skipped {
            self.skip(skipped.reason, skipped.place, skipped.size, skipped.detail);
        }
    }

    /// Whether everything was read and was what it said it was.
    pub fn is_complete(&self) -> bool {
        self.skipped_more == 0 && self.skipped.iter().all(|skipped| skipped.reason.is_harmless())
    }
}
