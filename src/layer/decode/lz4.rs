//! LZ4 frames (the format of lz4's `lz4_Frame_format.md`, version 1.6) and the older ones that kernels and `lz4 -l` write. Blocks are undone
//! by `lz4_flex`; its reader of frames is not used, since it drops what a read produced when the same read meets damage.

use std::hash::Hasher as _;
use std::io;

use twox_hash::XxHash32;

use super::codec::{Codec, Progress, Step};

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
const LEGACY: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];
/// Bytes of a block of the older form.
const LEGACY_BLOCK: usize = 8 << 20;
/// What a block may refer back to.
const HISTORY: usize = 64 << 10;
/// Set in the size of a block that is stored as it is.
const IS_STORED: u32 = 1 << 31;

/// Whether bytes begin with a frame of either form.
pub(super) fn is_frame(head: &[u8]) -> bool {
    head.starts_with(&MAGIC) || head.starts_with(&LEGACY)
}

/// What the next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Magic,
    /// The flags; then the header as a whole.
    Flags,
    Header,
    BlockSize,
    /// A block, and whether it is stored as it is.
    Block(bool),
    ContentSum,
}

/// Decodes one frame after the other.
pub(super) struct Lz4 {
    part: Part,
    /// The bytes of the part so far, and how many it has.
    held: Vec<u8>,
    needed: usize,
    flags: u8,
    is_legacy: bool,
    /// Most bytes of a block.
    largest: usize,
    history: Vec<u8>,
    /// The last block, and how much of it was handed out.
    block: Vec<u8>,
    given: usize,
    sum: XxHash32,
}

impl Lz4 {
    pub(super) fn new() -> Self {
        Self {
            part: Part::Magic,
            held: Vec::new(),
            needed: 4,
            flags: 0,
            is_legacy: false,
            largest: 0,
            history: Vec::new(),
            block: Vec::new(),
            given: 0,
            sum: XxHash32::with_seed(0),
        }
    }

    fn has(&self, bit: u8) -> bool {
        self.flags & 1 << bit != 0
    }

    fn expect(&mut self, part: Part, needed: usize) {
        (self.part, self.needed) = (part, needed);
        self.held.clear();
    }

    /// Takes a part that is whole; whether the frame ends with it.
    fn take(&mut self) -> Result<bool, &'static str> {
        match self.part {
            Part::Magic => {
                self.is_legacy = self.held == LEGACY;
                self.largest = LEGACY_BLOCK;
                match self.is_legacy {
                    true => self.expect(Part::BlockSize, 4),
                    false => self.expect(Part::Flags, 1),
                }
            }
            Part::Flags => {
                self.flags = self.held[0];
                if self.flags >> 6 != 1 || self.has(1) {
                    return Err("the frame's version is not known");
                }
                // The size of the content, and the name of a dictionary.
                self.part = Part::Header;
                self.needed = 3 + if self.has(3) { 8 } else { 0 } + if self.has(0) { 4 } else { 0 };
            }
            Part::Header => {
                let (sum, described) = self.held.split_last().ok_or("the frame has no header")?;
                if (XxHash32::oneshot(0, described) >> 8) as u8 != *sum {
                    return Err("the checksum of the frame's header does not match");
                }
                if self.has(0) {
                    return Err("it needs a dictionary");
                }
                self.largest = match self.held[1] >> 4 & 7 {
                    size @ 4..=7 => 1 << (8 + 2 * size),
                    _ => return Err("the size of its blocks is not known"),
                };
                self.expect(Part::BlockSize, 4);
            }
            Part::BlockSize => return self.block_size(),
            Part::Block(is_stored) => {
                self.undo(is_stored)?;
                self.expect(Part::BlockSize, 4);
            }
            Part::ContentSum => {
                let is_right = self.held == self.sum.finish_32().to_le_bytes();
                return if is_right { Ok(true) } else { Err("the checksum of the content does not match") };
            }
        }
        Ok(false)
    }

    fn block_size(&mut self) -> Result<bool, &'static str> {
        let size = self.held.first_chunk::<4>().map_or(0, |size| u32::from_le_bytes(*size));
        if self.is_legacy && self.held == LEGACY {
            self.expect(Part::BlockSize, 4);
            return Ok(false);
        }
        if size == 0 {
            if self.is_legacy || !self.has(2) {
                return Ok(true);
            }
            self.expect(Part::ContentSum, 4);
            return Ok(false);
        }
        let (is_stored, size) = if self.is_legacy { (false, size) } else { (size & IS_STORED != 0, size & !IS_STORED) };
        // A block that grows when it is compressed is stored as it is, but the older form has no such blocks.
        let largest = if self.is_legacy { self.largest + self.largest / 255 + 16 } else { self.largest };
        if size as usize > largest {
            return Err("a block is larger than the frame says");
        }
        self.expect(Part::Block(is_stored), size as usize + if !self.is_legacy && self.has(4) { 4 } else { 0 });
        Ok(false)
    }

    fn undo(&mut self, is_stored: bool) -> Result<(), &'static str> {
        let mut stored = &self.held[..];
        if !self.is_legacy && self.has(4) {
            let (bytes, sum) = stored.split_last_chunk::<4>().ok_or("a block has no checksum")?;
            if XxHash32::oneshot(0, bytes) != u32::from_le_bytes(*sum) {
                return Err("the checksum of a block does not match");
            }
            stored = bytes;
        }
        // Blocks of a frame may build on those before.
        let is_linked = !self.is_legacy && !self.has(5);
        self.given = 0;
        if is_stored {
            self.block.clear();
            self.block.extend_from_slice(stored);
        } else {
            self.block.resize(self.largest, 0);
            let history: &[u8] = if is_linked { &self.history } else { &[] };
            let result = lz4_flex::block::decompress_into_with_dict(stored, &mut self.block, history);
            self.block.truncate(result.as_ref().copied().unwrap_or(0));
            result.map_err(|_| "a block is damaged")?;
        }
        if is_linked {
            let kept = (HISTORY.saturating_sub(self.block.len())).min(self.history.len());
            self.history.drain(..self.history.len() - kept);
            self.history.extend_from_slice(&self.block[self.block.len().saturating_sub(HISTORY)..]);
        }
        if !self.is_legacy && self.has(2) {
            self.sum.write(&self.block);
        }
        Ok(())
    }
}

impl Codec for Lz4 {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let left = &self.block[self.given..];
        if !left.is_empty() {
            let count = left.len().min(output.len());
            output[..count].copy_from_slice(&left[..count]);
            self.given += count;
            return Step { consumed: 0, produced: count, progress: Progress::More };
        }
        // The older form has no mark at its end.
        if input.is_empty() && self.is_legacy && self.part == Part::BlockSize && self.held.is_empty() {
            return Step { consumed: 0, produced: 0, progress: Progress::EndOfMember };
        }
        let consumed = input.len().min(self.needed - self.held.len());
        self.held.extend_from_slice(&input[..consumed]);
        let progress = match self.held.len() < self.needed {
            true => Progress::More,
            false => match self.take() {
                Ok(false) => Progress::More,
                Ok(true) => Progress::EndOfMember,
                Err(problem) => Progress::Damaged(problem.to_owned()),
            },
        };
        Step { consumed, produced: 0, progress }
    }

    fn reset(&mut self) -> io::Result<()> {
        let block = std::mem::take(&mut self.block);
        *self = Self { block, ..Self::new() };
        self.block.clear();
        Ok(())
    }
}
