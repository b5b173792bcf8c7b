//! A cpio archive, in each of its forms.

use layersift::content::nested::cpio::{MAX_HEADER, header, is_header};

use super::nested;
use crate::archives::{cpio, gzip};

pub(super) fn run(data: &[u8]) {
    let found = header(data);
    assert_eq!(is_header(data), found.is_some_and(|header| header.name > 1));
    if let Some(header) = found {
        assert!(
            header.length <= MAX_HEADER && header.before() >= (header.length + header.name) as u64 && header.padding() < 4,
            "{header:?}"
        );
    }
    nested::check("f.cpio", data);
}

/// A member in the old ASCII form, and one in the binary form.
fn old(name: &str, body: &[u8]) -> [Vec<u8>; 2] {
    let fields = [0, 1, 0o100644, 0, 0, 1, 0].map(|field: u32| format!("{field:06o}")).concat();
    let ascii = format!("070707{fields}{:011o}{:06o}{:011o}{name}\0", 0, name.len() + 1, body.len());
    let words: [u16; 13] = [0o070707, 0, 1, 0o100644, 0, 0, 1, 0, 0, 0, name.len() as u16 + 1, 0, body.len() as u16];
    let mut binary = words.map(u16::to_le_bytes).concat();
    binary.extend(name.bytes().chain([0]));
    binary.resize(binary.len().next_multiple_of(2), 0);
    binary.extend(body);
    binary.resize(binary.len().next_multiple_of(2), 0);
    [[ascii.as_bytes(), body].concat(), binary]
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("cpio");
    let new = cpio(&[("a.env", &text), ("b", b"")]);
    let [ascii, binary] = old("a.env", &text);
    let ends = old("TRAILER!!!", b"");
    let appended = [new.clone(), vec![0; 200], gzip(&new)].concat();
    vec![new, appended, [ascii, ends[0].clone()].concat(), [binary, ends[1].clone()].concat()]
}
