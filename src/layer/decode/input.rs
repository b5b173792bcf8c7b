//! Compressed bytes on their way in: a slice read in place, or a buffered stream that can be looked at ahead. Knows no format.

use std::io::{self, BufRead, Read};

/// Bytes of a stream that are read at once.
const BUFFER: usize = 256 * 1024;

/// Where compressed bytes come from.
pub enum Input<'a> {
    /// They lie in memory.
    Slice(&'a [u8]),
    /// One after the other.
    Stream(Buffered<'a>),
}

/// A buffered stream. Unlike `BufReader` it can be asked for several bytes ahead, whatever the reads of the stream return.
pub struct Buffered<'a> {
    reader: Box<dyn Read + Send + 'a>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<'a> Input<'a> {
    /// Bytes that lie in memory.
    pub fn slice(bytes: &'a [u8]) -> Self {
        Input::Slice(bytes)
    }

    /// Bytes that come one after the other.
    pub fn stream(reader: Box<dyn Read + Send + 'a>) -> Self {
        Input::Stream(Buffered { reader, buffer: vec![0; BUFFER].into_boxed_slice(), start: 0, end: 0 })
    }

    /// The next bytes, at least `count` of them unless the input ends before.
    pub fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        match self {
            Input::Slice(bytes) => Ok(bytes),
            Input::Stream(stream) => stream.peek(count),
        }
    }

    /// Passes over NULs; how many.
    pub fn skip_nuls(&mut self) -> io::Result<u64> {
        let mut skipped = 0;
        loop {
            let bytes = self.fill_buf()?;
            let nuls = bytes.iter().take_while(|byte| **byte == 0).count();
            let is_end = bytes.is_empty() || nuls < bytes.len();
            self.consume(nuls);
            skipped += nuls as u64;
            if is_end {
                return Ok(skipped);
            }
        }
    }

    /// Reads to the end: how many bytes there were, and whether all were NULs.
    pub fn drain(&mut self) -> io::Result<(u64, bool)> {
        let (mut count, mut nuls_only) = (0, true);
        loop {
            let bytes = self.fill_buf()?;
            let read = bytes.len();
            nuls_only = nuls_only && bytes.iter().all(|byte| *byte == 0);
            self.consume(read);
            count += read as u64;
            if read == 0 {
                return Ok((count, nuls_only));
            }
        }
    }
}

impl Buffered<'_> {
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        debug_assert!(count <= self.buffer.len());
        if self.start + count > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < count {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer[self.start..self.end])
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Input::Slice(bytes) => Ok(bytes),
            Input::Stream(stream) => {
                if stream.start == stream.end {
                    (stream.start, stream.end) = (0, 0);
                }
                stream.peek(1)
            }
        }
    }

    fn consume(&mut self, count: usize) {
        match self {
            Input::Slice(bytes) => *bytes = &bytes[count..],
            Input::Stream(stream) => stream.start += count,
        }
    }
}

impl Read for Input<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(out.len());
        out[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}
