//! The codecs behind one small trait: bytes in, bytes out, one member at a time.
//!
//! The libraries' own readers are not used, because they drop what a step produced when the same step meets damage. Their raw states say
//! how much they produced in every case.

use std::io;

use flate2::{Crc, Decompress, FlushDecompress};
use zstd::stream::raw::{DParameter, InBuffer, Operation, OutBuffer};

use super::Compression;
use super::brotli::Brotli;
use super::lz4::Lz4;

/// Most memory that an xz or lzma stream may ask for.
const XZ_MEMORY: u64 = 256 << 20;

/// Base-2 logarithm of the largest zstd window: what the tools of the field decode by default.
const ZSTD_WINDOW_LOG: u32 = 27;

/// What one step did.
pub(super) struct Step {
    pub(super) consumed: usize,
    pub(super) produced: usize,
    pub(super) progress: Progress,
}

/// How a step ended.
pub(super) enum Progress {
    /// More input or more room is needed.
    More,
    /// The member is complete and its checksum right.
    EndOfMember,
    /// The bytes are not what they should be; the text says how and holds none of them.
    Damaged(String),
}

/// A decoder of one member at a time.
pub(super) trait Codec: Send {
    /// Decodes from `input` into `output`; an empty input means its end.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step;

    /// Gets ready for the next member.
    fn reset(&mut self) -> io::Result<()>;
}

/// The codec for `compression`; none for none.
pub(super) fn for_compression(compression: Compression) -> io::Result<Option<Box<dyn Codec>>> {
    Ok(match compression {
        Compression::None => None,
        Compression::Gzip => Some(Box::new(Gzip::new())),
        Compression::Zstd => Some(Box::new(Zstd::new()?)),
        Compression::Xz => Some(Box::new(Xz::new(xz_stream)?)),
        Compression::Lzma => Some(Box::new(Xz::new(lzma_stream)?)),
        Compression::Lz4 => Some(Box::new(Lz4::new())),
        Compression::Brotli => Some(Box::new(Brotli::new())),
        Compression::Bzip2 => Some(Box::new(Bzip2(bzip2::Decompress::new(false)))),
    })
}

fn step(consumed: u64, produced: u64, progress: Progress) -> Step {
    // Both are at most the length of a slice.
    Step { consumed: consumed as usize, produced: produced as usize, progress }
}

/// Where a gzip member is (RFC 1952, section 2.3).
#[derive(Clone, Copy)]
enum GzipPart {
    /// In the ten fixed bytes; how many were seen.
    Fixed(u8),
    /// In the length of the extra field; how many bytes were seen, and the length so far.
    ExtraLength(u8, u16),
    /// In the extra field; how many bytes are left.
    Extra(u16),
    /// In the name.
    Name,
    /// In the comment.
    Comment,
    /// In the header's checksum; how many bytes were seen.
    HeaderCrc(u8),
    /// In the deflate stream.
    Body,
    /// In the trailer; how many bytes were seen.
    Trailer(u8),
}

struct Gzip {
    part: GzipPart,
    flags: u8,
    trailer: [u8; 8],
    inflate: Decompress,
    crc: Crc,
}

const FHCRC: u8 = 2;
const FEXTRA: u8 = 4;
const FNAME: u8 = 8;
const FCOMMENT: u8 = 16;

impl Gzip {
    fn new() -> Self {
        Self { part: GzipPart::Fixed(0), flags: 0, trailer: [0; 8], inflate: Decompress::new(false), crc: Crc::new() }
    }

    /// What follows the header's part at `position` in the order of the standard, given the flags.
    fn header_part_after(&self, position: u8) -> GzipPart {
        let parts = [
            (FEXTRA, GzipPart::ExtraLength(0, 0)),
            (FNAME, GzipPart::Name),
            (FCOMMENT, GzipPart::Comment),
            (FHCRC, GzipPart::HeaderCrc(0)),
        ];
        let next = parts.iter().skip(usize::from(position)).find(|(flag, _)| self.flags & flag != 0);
        next.map_or(GzipPart::Body, |(_, part)| *part)
    }

    /// Takes one byte of the header.
    fn header_byte(&mut self, byte: u8) -> Result<(), &'static str> {
        self.part = match self.part {
            GzipPart::Fixed(seen) => {
                match (seen, byte) {
                    (0, 0x1f) | (1, 0x8b) | (2, 8) | (4.., _) => {}
                    (3, flags) if flags & 0xe0 == 0 => self.flags = flags,
                    _ => return Err("the member's header is damaged"),
                }
                if seen == 9 { self.header_part_after(0) } else { GzipPart::Fixed(seen + 1) }
            }
            GzipPart::ExtraLength(0, _) => GzipPart::ExtraLength(1, u16::from(byte)),
            GzipPart::ExtraLength(_, low) => match low | (u16::from(byte) << 8) {
                0 => self.header_part_after(1),
                length => GzipPart::Extra(length),
            },
            GzipPart::Extra(1) => self.header_part_after(1),
            GzipPart::Extra(left) => GzipPart::Extra(left - 1),
            GzipPart::Name if byte == 0 => self.header_part_after(2),
            GzipPart::Comment if byte == 0 => self.header_part_after(3),
            GzipPart::HeaderCrc(0) => GzipPart::HeaderCrc(1),
            GzipPart::HeaderCrc(_) => GzipPart::Body,
            part @ (GzipPart::Name | GzipPart::Comment | GzipPart::Body | GzipPart::Trailer(_)) => part,
        };
        Ok(())
    }

    fn header(&mut self, input: &[u8]) -> Step {
        for (index, byte) in input.iter().enumerate() {
            if matches!(self.part, GzipPart::Body) {
                return Step { consumed: index, produced: 0, progress: Progress::More };
            }
            if let Err(problem) = self.header_byte(*byte) {
                return Step { consumed: index, produced: 0, progress: Progress::Damaged(problem.into()) };
            }
        }
        Step { consumed: input.len(), produced: 0, progress: Progress::More }
    }

    fn body(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let result = self.inflate.decompress(input, output, FlushDecompress::None);
        let (consumed, produced) = (self.inflate.total_in() - before_in, self.inflate.total_out() - before_out);
        self.crc.update(&output[..produced as usize]);
        match result {
            Ok(flate2::Status::StreamEnd) => {
                self.part = GzipPart::Trailer(0);
                // The trailer may be all that is left of the input, or may not be there: it must be asked for.
                let trailer = self.take_trailer(&input[consumed as usize..]);
                Step { consumed: consumed as usize + trailer.consumed, produced: produced as usize, progress: trailer.progress }
            }
            Ok(_) => step(consumed, produced, Progress::More),
            Err(_) => step(consumed, produced, Progress::Damaged("the deflate stream is damaged".into())),
        }
    }

    fn take_trailer(&mut self, input: &[u8]) -> Step {
        let GzipPart::Trailer(seen) = self.part else {
            return Step { consumed: 0, produced: 0, progress: Progress::More };
        };
        let seen = usize::from(seen);
        let taken = input.len().min(8 - seen);
        self.trailer[seen..seen + taken].copy_from_slice(&input[..taken]);
        self.part = GzipPart::Trailer((seen + taken) as u8);
        let progress = if seen + taken < 8 { Progress::More } else { self.verdict() };
        Step { consumed: taken, produced: 0, progress }
    }

    fn verdict(&self) -> Progress {
        let [a, b, c, d, e, f, g, h] = self.trailer;
        if u32::from_le_bytes([a, b, c, d]) != self.crc.sum() {
            return Progress::Damaged("the member's CRC-32 does not match its contents".into());
        }
        if u32::from_le_bytes([e, f, g, h]) != self.crc.amount() {
            return Progress::Damaged("the member's length does not match its contents".into());
        }
        Progress::EndOfMember
    }
}

impl Codec for Gzip {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        match self.part {
            GzipPart::Body => self.body(input, output),
            GzipPart::Trailer(_) => self.take_trailer(input),
            _ => self.header(input),
        }
    }

    fn reset(&mut self) -> io::Result<()> {
        self.part = GzipPart::Fixed(0);
        self.crc.reset();
        self.inflate.reset(false);
        Ok(())
    }
}

struct Zstd {
    decoder: zstd::stream::raw::Decoder<'static>,
    /// How much input the next block needs.
    hint: usize,
    /// Whether the last call ran out of room, so that decoded bytes may wait in the library.
    waiting: bool,
}

impl Zstd {
    /// Enough for any frame header.
    const FIRST_HINT: usize = 5;
    /// Bytes of a block's header.
    const BLOCK_HEADER: usize = 3;

    fn new() -> io::Result<Self> {
        let mut decoder = zstd::stream::raw::Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
        Ok(Self { decoder, hint: Self::FIRST_HINT, waiting: false })
    }

    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let room = output.len();
        let mut source = InBuffer::around(input);
        let mut target = OutBuffer::around(output);
        let result = self.decoder.run(&mut source, &mut target);
        let (consumed, produced) = (source.pos(), target.pos());
        self.waiting = produced == room;
        let progress = match result {
            Ok(0) => Progress::EndOfMember,
            Ok(hint) => {
                self.hint = hint;
                Progress::More
            }
            Err(error) => Progress::Damaged(error.to_string()),
        };
        Step { consumed, produced, progress }
    }
}

impl Codec for Zstd {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        // The library forgets what it wrote when the same call then meets damage. So what waits is fetched first, and each call gets one
        // block at most: not the header of the next one, for which the library asks as well.
        if self.waiting {
            let step = self.run(&[], output);
            if step.produced > 0 || !matches!(step.progress, Progress::More) {
                return step;
            }
        }
        let wanted = if self.hint > Self::BLOCK_HEADER { self.hint - Self::BLOCK_HEADER } else { self.hint };
        self.run(&input[..input.len().min(wanted)], output)
    }

    fn reset(&mut self) -> io::Result<()> {
        (self.hint, self.waiting) = (Self::FIRST_HINT, false);
        self.decoder.reinit()
    }
}

/// Makes the state of one stream.
type Begin = fn() -> Result<liblzma::stream::Stream, liblzma::stream::Error>;

fn xz_stream() -> Result<liblzma::stream::Stream, liblzma::stream::Error> {
    liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 0)
}

fn lzma_stream() -> Result<liblzma::stream::Stream, liblzma::stream::Error> {
    liblzma::stream::Stream::new_lzma_decoder(XZ_MEMORY)
}

/// The codec for LZMA2 without a container.
pub(super) fn lzma2(property: u8) -> io::Result<Box<dyn Codec>> {
    // The library's raw decoder has no bound of its own: the property says 2 or 3 times a power of two (xz's `xz-file-format.txt`, 5.3.1).
    let dictionary = (2 | u64::from(property & 1)) << (property / 2 + 11).min(63);
    if property > 40 || dictionary > XZ_MEMORY {
        let problem = format!("the stream asks for more than {} MiB of memory", XZ_MEMORY >> 20);
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    let mut filters = liblzma::stream::Filters::new();
    filters.lzma2_properties(&[property])?;
    Ok(Box::new(Xz { stream: liblzma::stream::Stream::new_raw_decoder(&filters)?, begin: xz_stream }))
}

struct Xz {
    stream: liblzma::stream::Stream,
    begin: Begin,
}

impl Xz {
    fn new(begin: Begin) -> io::Result<Self> {
        Ok(Self { stream: begin()?, begin })
    }
}

impl Codec for Xz {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        use liblzma::stream::{Action, Error, Status};
        let (before_in, before_out) = (self.stream.total_in(), self.stream.total_out());
        let result = self.stream.process(input, output, if input.is_empty() { Action::Finish } else { Action::Run });
        let progress = match result {
            Ok(Status::StreamEnd) => Progress::EndOfMember,
            Ok(_) => Progress::More,
            Err(Error::MemLimit) => Progress::Damaged(format!("the stream asks for more than {} MiB of memory", XZ_MEMORY >> 20)),
            Err(error) => Progress::Damaged(error.to_string()),
        };
        step(self.stream.total_in() - before_in, self.stream.total_out() - before_out, progress)
    }

    fn reset(&mut self) -> io::Result<()> {
        self.stream = (self.begin)()?;
        Ok(())
    }
}

struct Bzip2(bzip2::Decompress);

impl Codec for Bzip2 {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let (before_in, before_out) = (self.0.total_in(), self.0.total_out());
        let progress = match self.0.decompress(input, output) {
            Ok(bzip2::Status::StreamEnd) => Progress::EndOfMember,
            Ok(_) => Progress::More,
            Err(error) => Progress::Damaged(error.to_string()),
        };
        step(self.0.total_in() - before_in, self.0.total_out() - before_out, progress)
    }

    fn reset(&mut self) -> io::Result<()> {
        self.0 = bzip2::Decompress::new(false);
        Ok(())
    }
}
