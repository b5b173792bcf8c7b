//! The listing of zip archives, their records as a reader from the beginning comes by them, and what a scan makes of both.

use std::io::{self, Read as _};

use flate2::bufread::DeflateDecoder;
use layersift::content::nested::zip::{LZMA_PREFIX, Local, Method, ends_as_zip, list, lzma_header};
use layersift::layer::decode::{Compression, Input};
use layersift::source::builder::compress;

use super::nested::{self, Slow};
use crate::archives::{Said, Zip, deflate, zip};

/// Bytes of a member whose end only its own stream tells, at most.
const MOST: u64 = 64 << 10;

/// The records from the beginning on, as far as it can be told where the next one is; the bytes that each member took, and how many follow.
fn in_order(mut input: Input<'_>) -> (Vec<(Local, u64)>, u64) {
    let mut members = Vec::new();
    while let Some(local) = Local::read(&mut input) {
        let passed = match local.stored {
            Some(size) => io::copy(&mut (&mut input).take(size), &mut io::sink()).unwrap(),
            None if local.method == Method::Deflate => {
                let mut decoder = DeflateDecoder::new(&mut input);
                let is_whole = io::copy(&mut decoder.by_ref().take(MOST), &mut io::sink()).is_ok_and(|count| count < MOST);
                let passed = decoder.total_in();
                if !is_whole {
                    // How far it has read depends on what it is given at once.
                    return (members, 0);
                }
                Local::pass_descriptor(&mut input);
                passed
            }
            None => 0,
        };
        members.push((local, passed));
    }
    (members, input.drain().unwrap().0)
}

pub(super) fn run(data: &[u8]) {
    const LIMIT: usize = 100;
    let _ = ends_as_zip(data);
    let listing = list(data, LIMIT);
    assert!(listing.members.len() <= LIMIT);
    assert_eq!(list(data, LIMIT), listing);
    for member in &listing.members {
        assert!(member.data.start <= member.data.end && member.data.end <= data.len(), "{member:?} of {}", data.len());
    }
    for record in &listing.records {
        assert!(record.start <= record.end && record.end <= data.len(), "{record:?} of {}", data.len());
    }
    let (members, rest) = in_order(Input::slice(data));
    let step = 1 + data.len() % 100;
    assert_eq!(in_order(Input::stream(Box::new(Slow(data, step)))), (members.clone(), rest), "{step} bytes at once");
    let taken: u64 = members.iter().map(|(local, passed)| 30 + local.name.len() as u64 + passed).sum();
    assert!(taken + rest <= data.len() as u64, "{taken} and {rest} bytes of {}", data.len());
    assert!(members.is_empty() || data.starts_with(b"PK\x03\x04"));
    let header = lzma_header(data, Some(5));
    assert!(header.is_none_or(|header| header.len() == 13 && header[..5] == data[LZMA_PREFIX - 5..LZMA_PREFIX]));
    nested::check("f.zip", data);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("zip");
    let files: [(&str, &[u8]); 3] = [("a", &text), ("b/", b""), ("b/c.env", &text)];
    let sound = zip(&files);
    // With a descriptor after the member, whose sizes stand in the directory only.
    let mut streamed = Zip::default();
    let said = Said { flags: 8, ..streamed.said("late", &text, text.len(), 0) };
    streamed.bytes.extend(Said { stored: 0, size: 0, ..said.clone() }.local());
    streamed.bytes.extend(&text);
    streamed.bytes.extend(b"PK\x07\x08\0\0\0\0");
    streamed.bytes.extend([text.len() as u32; 2].map(u32::to_le_bytes).concat());
    streamed.central.push(said);
    // A member that only its own record names, an encrypted one, one of an unknown method.
    let hidden = Zip::default().add("shown", &text, 0);
    let unlisted = hidden.said("hidden", &text, text.len(), 0);
    let hidden = hidden.raw(&unlisted.local()).raw(&text);
    let mut odd = Zip::default().add("strange", &text, 77);
    let said = Said { flags: 1, ..odd.said("locked", &text, text.len(), 0) };
    odd.bytes.extend([said.local(), text.clone()].concat());
    odd.central.push(said);
    // Members of the other methods: what nothing refers far back in is the same in Deflate64 as in Deflate.
    let lzma = compress(&text, Compression::Lzma).unwrap();
    let lzma = [&[21, 1, 5, 0][..], &lzma[..5], &lzma[13..]].concat();
    let bzip2 = compress(&text, Compression::Bzip2).unwrap();
    let mut methods = Zip::default();
    for (method, stored) in [(9, deflate(&text)), (14, lzma), (12, bzip2), (93, compress(&text, Compression::Zstd).unwrap())] {
        let said = methods.said(&format!("m{method}"), &stored, text.len(), method);
        methods = methods.raw(&said.local()).raw(&stored);
        methods.central.push(said);
    }
    // A deflated member whose size stands behind it only.
    let mut piped = Zip::default();
    let said = Said { flags: 8, ..piped.said("late", &deflate(&text), text.len(), 8) };
    piped = piped.raw(&Said { stored: 0, size: 0, ..said.clone() }.local()).raw(&deflate(&text)).raw(b"PK\x07\x08\0\0\0\0");
    piped = piped.raw(&[said.stored, said.size].map(u32::to_le_bytes).concat());
    piped.central.push(said);
    let piped = piped.add("next", &text, 0);
    let mut large = sound.clone();
    let end = large.len() - 22;
    large.splice(end..end, [&b"PK\x06\x06"[..], &[44, 0, 0, 0, 0, 0, 0, 0], &[0; 44], b"PK\x06\x07", &[0; 16]].concat());
    let at = large.len() - 10;
    large[at..at + 8].fill(0xFF);
    let all = [sound.clone(), streamed.finish(), hidden.finish(), odd.finish(), methods.finish(), piped.finish(), large];
    all.into_iter().chain([[b"MZ program ".to_vec(), sound].concat(), zip(&[])]).collect()
}
