//! The decompressed layer as a window that moves forward: a whole mapped blob, or a buffer of one megabyte (more where a file is to lie in it
//! whole) that is filled from a decoder and changed for a fresh one, with its tail carried over, when its end is reached.

use std::io::{self, Read};

use super::Slab;
use super::decode::{Decoded, Decoder};
use super::walk::Options;
use crate::detect::{AFTER, BEFORE};
use crate::oci::{Digest, Hasher};
use crate::watch::{Watch, Work, stretch};

/// Fewest bytes of a buffer: those that are carried over from one to the next are not all of it.
const MIN_SLAB: usize = BEFORE + AFTER + 4096;

/// A window on the layer's bytes.
pub(super) struct Tape<'a> {
    decoder: Option<Decoder<'a>>,
    slab: Slab<'a>,
    /// Next byte to be taken, as an index into the slab.
    pos: usize,
    /// Bytes of the layer before the slab's first.
    base: u64,
    is_ended: bool,
    error: Option<io::Error>,
    hasher: Option<Hasher>,
    /// Bytes of the layer that went into the hash.
    hashed: u64,
    limit: u64,
    /// Bytes of a buffer.
    size: usize,
}

impl<'a> Tape<'a> {
    /// Opens a layer.
    pub(super) fn new(input: Decoded<'a>, options: Options, buffer: Vec<u8>, watch: Option<&dyn Watch>) -> Self {
        let Options { hash, max_expanded: limit, slab: size } = options;
        let size = size.max(MIN_SLAB);
        let (decoder, slab) = match input {
            Decoded::Mapped(bytes) => (None, Slab::Mapped(&bytes[..bytes.len().min(usize::try_from(limit).unwrap_or(usize::MAX))])),
            Decoded::Stream(decoder) => (Some(decoder), Slab::Owned(buffer)),
        };
        let is_ended = decoder.is_none();
        let mut tape =
            Self { decoder, slab, pos: 0, base: 0, is_ended, error: None, hasher: hash.map(Hasher::new), hashed: 0, limit, size };
        tape.fill(size, watch);
        tape
    }

    /// All bytes of the slab.
    pub(super) fn slab(&self) -> &[u8] {
        self.slab.bytes()
    }

    /// Index of the next byte in the slab.
    pub(super) fn pos(&self) -> usize {
        self.pos
    }

    /// Bytes of the layer before the next one.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.pos as u64
    }

    /// The bytes from the next one to the end of the slab.
    pub(super) fn rest(&self) -> &[u8] {
        &self.slab.bytes()[self.pos..]
    }

    /// Whether the slab's end is the layer's end.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Moves forward within the slab.
    pub(super) fn take(&mut self, count: usize) {
        self.pos += count;
        debug_assert!(self.pos <= self.slab.bytes().len(), "within the slab");
    }

    /// A copy of the mapped slab, for a batch that borrows it. None if the slab is a buffer.
    pub(super) fn mapped(&self) -> Option<&'a [u8]> {
        match self.slab {
            Slab::Mapped(bytes) => Some(bytes),
            Slab::Owned(_) | Slab::Spooled(_) => None,
        }
    }

    /// Changes to `fresh`, carrying over all from index `keep` on, and fills it, to `least` bytes or more. Gives the old slab.
    pub(super) fn rotate(&mut self, keep: usize, least: usize, mut fresh: Vec<u8>, watch: Option<&dyn Watch>) -> Slab<'a> {
        fresh.clear();
        fresh.extend_from_slice(&self.slab.bytes()[keep..]);
        let old = std::mem::replace(&mut self.slab, Slab::Owned(fresh));
        self.base += keep as u64;
        self.pos -= keep;
        self.fill(self.size.max(least), watch);
        old
    }

    /// Fills the buffer anew, of which all has been taken and nothing is held.
    pub(super) fn refill(&mut self, watch: Option<&dyn Watch>) {
        if let Slab::Owned(buffer) = &mut self.slab {
            self.base += self.pos as u64;
            self.pos = 0;
            buffer.clear();
            self.fill(self.size, watch);
        }
    }

    /// Takes the slab out at the end.
    pub(super) fn take_slab(&mut self) -> Slab<'a> {
        self.base += self.pos as u64;
        self.pos = 0;
        std::mem::replace(&mut self.slab, Slab::Owned(Vec::new()))
    }

    /// Adds bytes of the mapped layer to the hash, up to index `end` of the slab.
    pub(super) fn hash_mapped(&mut self, end: usize, watch: Option<&dyn Watch>) {
        if let (Slab::Mapped(bytes), Some(hasher)) = (&self.slab, &mut self.hasher) {
            let from = self.hashed as usize;
            if end > from {
                let _digest = stretch(watch, Work::Digest);
                hasher.update(&bytes[from..end]);
                self.hashed = end as u64;
            }
        }
    }

    /// The digest of all bytes read; none if it was not asked for or the layer could not be read to its end.
    pub(super) fn digest(&mut self, watch: Option<&dyn Watch>) -> Option<Digest> {
        if let Slab::Mapped(bytes) = self.slab {
            self.hash_mapped(bytes.len(), watch);
        }
        let hasher = self.hasher.take()?;
        self.error.is_none().then(|| hasher.finish())
    }

    /// What the decoder stopped at.
    pub(super) fn error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// What the decoder has to say after its end.
    pub(super) fn decoder(&self) -> Option<&Decoder<'a>> {
        self.decoder.as_ref()
    }

    fn fill(&mut self, size: usize, watch: Option<&dyn Watch>) {
        let (Some(decoder), Slab::Owned(buffer)) = (&mut self.decoder, &mut self.slab) else { return };
        let decompress = stretch(watch, Work::Decompress);
        let mut filled = buffer.len();
        let start = filled;
        buffer.resize(size.max(filled), 0);
        while !self.is_ended && filled < buffer.len() {
            match decoder.read(&mut buffer[filled..]) {
                Ok(0) => self.is_ended = true,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.error = Some(error);
                    self.is_ended = true;
                }
            }
            if self.base + filled as u64 > self.limit {
                let over = (self.base + filled as u64 - self.limit) as usize;
                filled -= over.min(filled - start);
                self.error = Some(io::Error::new(io::ErrorKind::FileTooLarge, "the layer expands to more than the bound"));
                self.is_ended = true;
            }
        }
        buffer.truncate(filled);
        drop(decompress);
        if let Some(hasher) = &mut self.hasher {
            let _digest = stretch(watch, Work::Digest);
            hasher.update(&buffer[start..]);
        }
    }
}
