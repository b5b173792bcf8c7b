//! Brotli (RFC 7932). A stream has no mark at its beginning, so a name has to say what it is, and its first bytes not to contradict.

use std::io;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::codec::{Codec, Progress, Step};

type State = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// Decodes one stream. Its window has 16 MiB at most.
pub(super) struct Brotli(Box<State>);

impl Brotli {
    pub(super) fn new() -> Self {
        Self(Box::new(State::new_strict(StandardAlloc::default(), StandardAlloc::default(), StandardAlloc::default())))
    }
}

/// Whether a stream may begin so: it is no text, and its first bytes can be decoded.
pub(super) fn may_be_stream(head: &[u8]) -> bool {
    // A character at the end may be cut.
    let is_text = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    };
    let is_text = is_text && !head.iter().any(|&byte| byte < b' ' && !byte.is_ascii_whitespace());
    let mut output = [0; 4096];
    !is_text && !matches!(Brotli::new().step(head, &mut output).progress, Progress::Damaged(_))
}

impl Codec for Brotli {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let (mut left, mut consumed) = (input.len(), 0);
        let (mut room, mut produced, mut total) = (output.len(), 0, 0);
        let result = BrotliDecompressStream(&mut left, &mut consumed, input, &mut room, &mut produced, output, &mut total, &mut self.0);
        let progress = match result {
            BrotliResult::ResultSuccess => Progress::EndOfMember,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => Progress::More,
            BrotliResult::ResultFailure => Progress::Damaged("the stream is damaged".to_owned()),
        };
        Step { consumed, produced, progress }
    }

    fn reset(&mut self) -> io::Result<()> {
        *self = Self::new();
        Ok(())
    }
}
