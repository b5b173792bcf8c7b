//! Strings of compiled code, of Java and of Python, each at its place in the file.

use layersift::content::nested::strings::{Strings, is_class, of_class, of_python};

use super::nested;

fn check(data: &[u8], strings: &Strings) {
    for string in strings.text.split_inclusive(|&byte| byte == 0) {
        let at = string.as_ptr() as usize - strings.text.as_ptr() as usize;
        let origin = strings.origin(at);
        // A string of Java may hold a NUL itself: then it goes on after it.
        let stands = data.get(origin..origin + string.len() - 1).is_some_and(|bytes| bytes == &string[..string.len() - 1]);
        assert!(stands, "the string at {at} stands at {origin}");
    }
    assert!(strings.table.as_ref().is_none_or(|table| table.start <= table.end && table.end <= data.len()));
}

pub(super) fn run(data: &[u8]) {
    let _ = is_class(data);
    check(data, &of_class(data));
    check(data, &of_python(data));
    nested::check("f.class", data);
    nested::check("f.pyc", data);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("strings");
    let utf8 = [&[1][..], &(text.len() as u16).to_be_bytes(), &text].concat();
    let constants = [&utf8[..], &[5, 0, 0, 0, 0, 0, 0, 0, 1], &[8, 0, 1, 12, 0, 1, 0, 2, 15, 1, 0, 1], &[1, 0, 6], b"a\0bcde"].concat();
    let class = [&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61, 0, 8][..], &constants, b"\0\x21 the rest of it"].concat();
    let short = [&[b'z' | 0x80, text.len() as u8][..], &text].concat();
    let long = [&b"u"[..], &(text.len() as u32).to_le_bytes(), &text].concat();
    let code = [&b"\xcb\x0d\r\n\0\0\0\0\0\0\0\0\0\0\0\0\xe3"[..], &short, b"r\x01\0\0\0", &long, b"s\x06\0\0\0token!N"].concat();
    vec![class, code]
}
