//! An RPM package: two headers, then a compressed archive.

use layersift::content::nested::rpm::payload;

use super::nested;
use crate::archives::{cpio, gzip};

pub(super) fn run(data: &[u8]) {
    assert!(payload(data).is_none_or(|start| start < data.len()));
    nested::check("f.rpm", data);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("rpm");
    let header = |entries: u8, data: &[u8]| {
        let lengths = [[0, 0, 0, entries], (data.len() as u32).to_be_bytes()].concat();
        [&b"\x8e\xad\xe8\x01\0\0\0\0"[..], &lengths, &vec![7; usize::from(entries) * 16], data].concat()
    };
    let package = |script: &[u8], payload: &[u8]| {
        let mut package = [&[0xed, 0xab, 0xee, 0xdb][..], &[0; 92], &header(1, b"sig")].concat();
        package.resize(package.len().next_multiple_of(8), 0);
        package.extend(header(2, script));
        package.extend(payload);
        package
    };
    vec![package(&text, &gzip(&cpio(&[("./etc/x", &text)]))), package(b"", b"no archive")]
}
