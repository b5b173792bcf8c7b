//! Compressed bytes become plain bytes: gzip, zstd, xz, bzip2, lzma and lz4, told apart by their first bytes only; and brotli, which has none.
//!
//! Media types and file names are never asked: they lie. (Who reads files in files asks for the name that a brotli stream needs.) Streams of many members (eStargz has one per file) are one stream to the reader.
//! Damage never costs what stood before it: every byte decoded before the damage is handed out first, then the error. This module does
//! not know what the bytes mean, and bounds no output: who reads decides when it is enough.

mod brotli;
mod codec;
mod input;
mod lz4;

use std::io::{self, BufRead, Read};

use crate::finding::Reason;
use crate::source::Blob;
use codec::{Codec, Progress};
pub use input::Input;

/// How a blob is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// Not at all, or in no way that is known.
    None,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The xz container.
    Xz,
    /// bzip2.
    Bzip2,
    /// What `xz --format=lzma` writes, and was there before xz.
    Lzma,
    /// LZ4 frames, of both forms.
    Lz4,
    /// RFC 7932. Never told by its bytes.
    Brotli,
}

/// Bytes of a blob's head that [`Compression::sniff`] looks at, at most.
pub const SNIFFED: usize = 16;

impl Compression {
    /// Reads the magic bytes. A zstd skippable frame counts as zstd: builders put one first.
    pub fn sniff(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, 8, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            // `BZh1` alone is a text; what must follow is the mark of a block or of the end.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Compression::Bzip2,
            [0x5d, 0, 0, _, _, ..] if is_lzma_header(head) => Compression::Lzma,
            _ if lz4::is_frame(head) => Compression::Lz4,
            _ => Compression::None,
        }
    }

    /// Whether bytes may be the beginning of a brotli stream, where a name says that they are.
    pub fn may_be_brotli(head: &[u8]) -> bool {
        brotli::may_be_stream(head)
    }

    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Xz => "xz",
            Compression::Bzip2 => "bzip2",
            Compression::Lzma => "lzma",
            Compression::Lz4 => "lz4",
            Compression::Brotli => "brotli",
        }
    }
}

/// Whether an lzma stream begins so: it has no mark, but the usual parameters, a dictionary of whole 64 KiB, a size that is not said or makes
/// sense, and a first byte of the coder that is always zero.
fn is_lzma_header(head: &[u8]) -> bool {
    let size = head.get(5..).and_then(<[u8]>::first_chunk::<8>).map(|size| u64::from_le_bytes(*size));
    size.is_some_and(|size| size == u64::MAX || size < 1 << 40) && head.get(13) == Some(&0)
}

/// A blob ready to be read.
pub enum Decoded<'a> {
    /// It was not compressed and is in memory: read in place.
    Mapped(&'a [u8]),
    /// One byte after the other.
    Stream(Decoder<'a>),
}

/// Finds out how `blob` is compressed and undoes it.
pub fn decode(blob: Blob<'_>) -> io::Result<(Compression, Decoded<'_>)> {
    let mut input = match blob {
        Blob::Mapped(bytes) if Compression::sniff(bytes) == Compression::None => return Ok((Compression::None, Decoded::Mapped(bytes))),
        Blob::Mapped(bytes) => Input::slice(bytes),
        Blob::Stream(reader) => Input::stream(reader),
    };
    let compression = Compression::sniff(input.peek(SNIFFED)?);
    let codec = codec::for_compression(compression)?;
    let decoder = Decoder { input, compression, codec, state: State::Member, trailing: 0, after: After::Drain };
    Ok((compression, Decoded::Stream(decoder)))
}

/// Where a [`Decoder`] is.
enum State {
    /// Within a member.
    Member,
    /// After a member: another one, padding or something else follows.
    Between,
    /// At the end.
    Done,
    /// Damaged; all that stood before the damage has been handed out.
    Damaged(io::ErrorKind, String),
}

/// Reads what a compressed blob holds.
///
/// Damaged input is an error of kind `InvalidData` or `UnexpectedEof`, after everything before the damage. Errors of the source itself
/// keep their kind.
pub struct Decoder<'a> {
    input: Input<'a>,
    compression: Compression,
    codec: Option<Box<dyn Codec>>,
    state: State,
    trailing: u64,
    after: After,
}

/// What to do with bytes that follow the last member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// Read them, so that a digest of the blob can be finished, and say that they are there.
    Drain,
    /// Leave them to who asks for [`Decoder::rest`].
    Keep,
}

impl<'a> Decoder<'a> {
    /// Undoes `compression`, and leaves what follows the compressed stream to be read from [`Decoder::rest`].
    pub fn nested(compression: Compression, input: NestedInput<'a>) -> io::Result<Self> {
        let input = match input {
            NestedInput::Slice(bytes) => Input::slice(bytes),
            NestedInput::Stream(reader) => Input::stream(reader),
        };
        let codec = codec::for_compression(compression)?;
        Ok(Self { input, compression, codec, state: State::Member, trailing: 0, after: After::Keep })
    }

    /// Undoes LZMA2 without a container; `property` is the byte that says how large its dictionary is.
    pub fn lzma2(property: u8, input: NestedInput<'a>) -> io::Result<Self> {
        let mut decoder = Self::nested(Compression::None, input)?;
        decoder.codec = Some(codec::lzma2(property)?);
        decoder.compression = Compression::Lzma;
        Ok(decoder)
    }

    /// What follows the compressed stream, or the place where it is damaged. Ask after the end.
    pub fn rest(&mut self) -> &mut (dyn Read + Send) {
        &mut self.input
    }
}

/// What compressed bytes inside a file are read from.
pub enum NestedInput<'a> {
    /// They lie in memory.
    Slice(&'a [u8]),
    /// One after the other.
    Stream(Box<dyn Read + Send + 'a>),
}

impl Decoder<'_> {
    /// What was odd about the stream. Ask after the end.
    pub fn problems(&self) -> Vec<(Reason, String)> {
        if self.trailing == 0 {
            return Vec::new();
        }
        let detail = format!("{} bytes follow the end of the {} stream and were not decoded", self.trailing, self.compression.as_str());
        vec![(Reason::DamagedStream, detail)]
    }

    /// Reads the rest of the input without decoding it, so that a digest of the blob can be finished; gives the number of bytes.
    pub fn skip_rest(&mut self) -> io::Result<u64> {
        let (rest, _) = self.input.drain()?;
        if !matches!(self.state, State::Damaged(..)) {
            self.state = State::Done;
        }
        Ok(rest)
    }

    /// After a member: starts the next one, or takes what follows for padding (NULs) or garbage.
    fn next_member(&mut self) -> io::Result<()> {
        let padding = self.input.skip_nuls()?;
        if Compression::sniff(self.input.peek(SNIFFED)?) == self.compression {
            self.codec.as_mut().map_or(Ok(()), |codec| codec.reset())?;
            self.state = State::Member;
            return Ok(());
        }
        if self.after == After::Keep {
            self.state = State::Done;
            return Ok(());
        }
        let (rest, nuls_only) = self.input.drain()?;
        self.trailing = if nuls_only { 0 } else { padding + rest };
        self.state = State::Done;
        Ok(())
    }

    /// Remembers the damage, so that it is told again if asked again.
    fn damaged(&mut self, kind: io::ErrorKind, problem: String) {
        self.state = State::Damaged(kind, format!("{}: {problem}", self.compression.as_str()));
    }

    /// One step of the codec; none if it gave nothing yet.
    fn step(&mut self, out: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(codec) = &mut self.codec else {
            return self.input.read(out).map(Some);
        };
        let input = self.input.fill_buf()?;
        let at_end = input.is_empty();
        let step = codec.step(input, out);
        self.input.consume(step.consumed);
        match step.progress {
            Progress::More if step.produced == 0 && at_end => {
                self.damaged(io::ErrorKind::UnexpectedEof, "the stream ends too early".into())
            }
            Progress::More if step.produced == 0 && step.consumed == 0 => {
                self.damaged(io::ErrorKind::InvalidData, "the stream makes no progress".into());
            }
            Progress::More => {}
            Progress::EndOfMember => self.state = State::Between,
            Progress::Damaged(problem) => self.damaged(io::ErrorKind::InvalidData, problem),
        }
        Ok(Some(step.produced).filter(|&produced| produced > 0))
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match &self.state {
                State::Done => return Ok(0),
                State::Damaged(kind, problem) => return Err(io::Error::new(*kind, problem.clone())),
                State::Between => self.next_member()?,
                State::Member => {
                    if let Some(produced) = self.step(out)? {
                        return Ok(produced);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
