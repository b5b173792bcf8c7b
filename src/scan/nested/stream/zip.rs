//! A zip archive that passes by and is too long to be held: its members are read in order, by the records before them. What its directory at the
//! end says of them is not compared.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use flate2::bufread::DeflateDecoder;

use super::{Gatherer, Lent, Streamer, one_file};
use crate::content::nested::Problem;
use crate::content::nested::budget::Metered;
use crate::content::nested::zip::{Local, Method};
use crate::finding::Reason;
use crate::layer::decode::Input;
use crate::layer::walk::Sink as _;
use crate::layer::{Entry, EntryKind};

impl Streamer<'_, '_> {
    pub(super) fn zip(&self, entry: &Arc<Entry>, reader: &mut (dyn Read + Send), sink: &mut Lent<'_, '_, '_, '_>, found: &mut Gatherer) {
        let limit = self.budget.bounds().held_bytes;
        let detail = format!(
            "it is longer than the {limit} bytes that are held of a file at once: its members were read one after the other, and not \
             compared with the directory at its end; --max-held allows more"
        );
        found.odd(entry, Reason::TooLarge, None, detail);
        let mut input = Input::stream(Box::new(reader));
        let (mut encrypted, mut unknown) = ((0, Vec::new()), (0, Vec::new()));
        let mut number = 0;
        while self.budget.member() {
            let Some(local) = Local::read(&mut input) else { break };
            let child = Arc::new(entry.member(number, &local.name, EntryKind::File));
            number += 1;
            sink.batch(one_file(&child, Vec::new(), local.name.clone()));
            // Without a size only a stream that says where it ends can be passed over.
            let is_read = match (local.stored, local.method) {
                (Some(size), _) if local.is_encrypted => {
                    count(&mut encrypted, &local.name);
                    pass(&mut input, size)
                }
                (Some(size), Method::Stored) => {
                    let mut body = (&mut input).take(size);
                    self.long(&child, &mut body, sink, found);
                    io::copy(&mut body, &mut io::sink()).is_ok() && body.limit() == 0
                }
                (Some(size), Method::Deflate) => {
                    let mut body = (&mut input).take(size);
                    self.inflated(&child, &mut body, sink, found);
                    io::copy(&mut body, &mut io::sink()).is_ok() && body.limit() == 0
                }
                (None, Method::Deflate) if !local.is_encrypted => {
                    let is_whole = self.inflated(&child, &mut input, sink, found);
                    Local::pass_descriptor(&mut input);
                    is_whole
                }
                (Some(size), _) => {
                    count(&mut unknown, &local.name);
                    pass(&mut input, size)
                }
                (None, _) => false,
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

    /// Whether a deflated member ended as it should.
    fn inflated(
        &self,
        entry: &Arc<Entry>,
        input: &mut (dyn BufRead + Send),
        sink: &mut Lent<'_, '_, '_, '_>,
        found: &mut Gatherer,
    ) -> bool {
        let mut reader = Metered::new(DeflateDecoder::new(input), &self.budget);
        self.long(entry, &mut reader, sink, found);
        let mut more = [0];
        matches!(reader.read(&mut more), Ok(0))
    }
}

fn pass(input: &mut impl Read, size: u64) -> bool {
    io::copy(&mut input.take(size), &mut io::sink()).is_ok_and(|passed| passed == size)
}

/// Counts, and keeps the first name.
fn count((count, first): &mut (u64, Vec<u8>), name: &[u8]) {
    if *count == 0 {
        *first = name.to_vec();
    }
    *count += 1;
}
