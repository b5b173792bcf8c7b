//! What a thread is busy with, told as it changes: so that who may read a clock can say where the time went, and pure modules need none.

use std::fmt::Debug;

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Loading and compiling rules.
    Prepare,
    /// Waiting for bytes of blobs.
    Read,
    /// Undoing the compression of layers and of long files.
    Decompress,
    /// Hashing blobs and layers.
    Digest,
    /// Finding the entries of archives.
    Walk,
    /// Looking into files: finding members and undoing their compression.
    Open,
    /// Looking for keywords.
    Keywords,
    /// Trying rules where their keywords are.
    Match,
    /// Looking for encoded text and undoing the encoding.
    Encodings,
    /// Taking in what was found, and all that is between the others.
    Gather,
    /// Working out what findings mean in their images.
    Assemble,
    /// Sealing secrets, so that fingerprints can be made of them.
    Seal,
    /// Writing reports.
    Report,
}

impl Work {
    /// All kinds, in the order in which bytes go through them.
    pub const ALL: [Work; 13] = [
        Work::Prepare,
        Work::Read,
        Work::Decompress,
        Work::Digest,
        Work::Walk,
        Work::Open,
        Work::Keywords,
        Work::Match,
        Work::Encodings,
        Work::Gather,
        Work::Assemble,
        Work::Seal,
        Work::Report,
    ];
}

/// Is told. Stretches of a thread lie within each other: the one that began last ends first.
pub trait Watch: Debug + Sync {
    /// This thread begins.
    fn begin(&self, work: Work);
    /// This thread is done with what it began last.
    fn end(&self);
}

/// A stretch of work, which ends when this is dropped.
#[must_use = "the stretch ends when this is dropped"]
#[derive(Debug)]
pub struct Stretch<'w>(Option<&'w dyn Watch>);

/// Begins a stretch, if there is anybody to be told.
pub fn stretch(watch: Option<&dyn Watch>, work: Work) -> Stretch<'_> {
    if let Some(watch) = watch {
        watch.begin(work);
    }
    Stretch(watch)
}

impl Drop for Stretch<'_> {
    fn drop(&mut self) {
        if let Some(watch) = self.0 {
            watch.end();
        }
    }
}
