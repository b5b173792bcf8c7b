//! A zip archive that passes by and can neither be held nor spooled: its members are read in order, by the records before them. What its directory at the
//! end says of them is not compared.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use deflate64::Deflate64Decoder;
use flate2::bufread::DeflateDecoder;

use super::{Gatherer, Lent, Streamer, one_file};
use crate::content::nested::Problem;
use crate::content::nested::budget::Metered;
use crate::content::nested::zip::{LZMA_PREFIX, Local, Method, lzma_header};
use crate::layer::decode::{self, Compression, Decoder, Input, NestedInput};
use crate::layer::walk::Sink as _;
use crate::layer::{Entry, EntryKind};

impl Streamer<'_, '_> {
    pub(super) fn zip(&self, entry: &Arc<Entry>, reader: &mut (dyn Read + Send), sink: &mut Lent<'_, '_, '_, '_>, found: &mut Gatherer) {
        let mut input = Input::stream(Box::new(reader));
        let (mut encrypted, mut unknown) = ((0, Vec::new()), (0, Vec::new()));
        let mut number = 0;
        while self.budget.member() {
            let Some(local) = Local::read(&mut input) else { break };
            let child = Arc::new(entry.member(number, &local.name, EntryKind::File));
            number += 1;
            sink.batch(one_file(&child, Vec::new(), local.name.clone()));
            // Without a size only a stream that says where it ends can be passed over.
            let is_read = match local.stored {
                Some(size) => {
                    let mut body = (&mut input).take(size);
                    let is_undone = !local.is_encrypted && self.undone(&child, &local, &mut body, sink, found);
                    if local.is_encrypted {
                        count(&mut encrypted, &local.name);
                    } else if !is_undone {
                        count(&mut unknown, &local.name);
                        self.text(entry, &mut body, sink, found);
                    }
                    io::copy(&mut body, &mut io::sink()).is_ok() && body.limit() == 0
                }
                None if local.method == Method::Deflate && !local.is_encrypted => {
                    let mut reader = Metered::new(DeflateDecoder::new(&mut input), &self.budget);
                    self.long(&child, &mut reader, sink, found);
                    let is_whole = matches!(reader.read(&mut [0]), Ok(0));
                    Local::pass_descriptor(&mut input);
                    is_whole
                }
                None => false,
            };
            if !is_read {
                found.problems(entry, vec![Problem::Damaged("a member's end cannot be told; what follows was scanned as it is")]);
                break;
            }
        }
        if encrypted.0 > 0 {
            found.problems(entry, vec![Problem::Encrypted(encrypted.0, encrypted.1)]);
        }
        if unknown.0 > 0 {
            found.problems(entry, vec![Problem::UnknownMethod(unknown.0, unknown.1)]);
        }
        // The directory, or what could not be read.
        self.text(entry, &mut input, sink, found);
    }

    /// Hands on a member, if it is known how it is stored.
    fn undone(
        &self,
        entry: &Arc<Entry>,
        local: &Local,
        body: &mut (dyn BufRead + Send),
        sink: &mut Lent<'_, '_, '_, '_>,
        found: &mut Gatherer,
    ) -> bool {
        let Some(reader) = undone(local, body) else { return false };
        self.long(entry, &mut Metered::new(reader, &self.budget), sink, found);
        true
    }
}

/// A member's bytes as they were; none if it is not known how they are stored.
fn undone<'r>(local: &Local, body: &'r mut (dyn BufRead + Send)) -> Option<Box<dyn Read + Send + 'r>> {
    Some(match local.method {
        Method::Stored => Box::new(body),
        Method::Deflate => Box::new(DeflateDecoder::new(body)),
        Method::Deflate64 => Box::new(Deflate64Decoder::with_buffer(body)),
        Method::Lzma => {
            let mut prefix = [0; LZMA_PREFIX];
            body.read_exact(&mut prefix).ok()?;
            let input = io::Cursor::new(lzma_header(&prefix, local.size)?).chain(body);
            Box::new(Decoder::nested(Compression::Lzma, NestedInput::Stream(Box::new(input))).ok()?)
        }
        Method::Stream => {
            let mut input = Input::stream(Box::new(body));
            let compression = Compression::sniff(input.peek(decode::SNIFFED).ok()?);
            let is_known = compression != Compression::None;
            Box::new(Decoder::nested(compression, NestedInput::Stream(Box::new(input))).ok().filter(|_| is_known)?)
        }
        Method::Unknown => return None,
    })
}

/// Counts, and keeps the first name.
fn count((count, first): &mut (u64, Vec<u8>), name: &[u8]) {
    if *count == 0 {
        *first = name.to_vec();
    }
    *count += 1;
}
