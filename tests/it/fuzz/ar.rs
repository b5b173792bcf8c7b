//! An `ar` archive: a Debian package, a library.

use layersift::content::nested::ar::list;

use super::nested;
use crate::archives::{ar, gzip, tar};

pub(super) fn run(data: &[u8]) {
    let mut reached = 0;
    for (name, range) in list(data) {
        assert!(reached <= range.start && range.start <= range.end && range.end <= data.len(), "{range:?} after {reached}");
        assert!(name.len() <= data.len());
        reached = range.end;
    }
    nested::check("f.deb", data);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("ar");
    let packed = gzip(&tar(&[("etc/x", &text)]));
    vec![
        ar(&[("debian-binary", b"2.0\n"), ("data.tar.gz", &packed)]),
        ar(&[("//", b"a-name-that-is-long.o/\n"), ("/0", &text), ("#1/8", &[b"bsd\0\0\0\0\0", &text[..]].concat()), ("short/", b"odd")]),
    ]
}
