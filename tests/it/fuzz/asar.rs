//! Archives of Electron programs: where their members are said to lie, and what a scan makes of them.

use layersift::content::nested::asar::{is_archive, list};
use layersift::content::nested::listing::Listing;

use super::nested;
use crate::archives::asar;

/// What holds for any listing of members that stand in a container as they are.
pub(super) fn check(file: &[u8], limit: usize, list: fn(&[u8], usize) -> Listing) -> Listing {
    let listing = list(file, limit);
    assert_eq!(list(file, limit), listing);
    assert!(listing.members.len() <= limit, "{} members", listing.members.len());
    for member in &listing.members {
        assert!(member.range.start <= member.range.end && member.range.end <= file.len(), "{member:?} of {}", file.len());
        assert!(member.name.starts_with(b"/"), "{member:?}");
    }
    assert!(list(file, 1).members.len() <= 1);
    listing
}

pub(super) fn run(data: &[u8]) {
    let _ = is_archive(data);
    check(data, 50, list);
    nested::check("f.asar", data);
}

/// An archive with a tree as it is written.
fn tree(tree: &str, files: &[u8]) -> Vec<u8> {
    let padded = tree.len().next_multiple_of(4);
    let lengths = [4, padded + 8, padded + 4, tree.len()].map(|number| (number as u32).to_le_bytes()).concat();
    [&lengths[..], tree.as_bytes(), &[0; 3][..padded - tree.len()], files].concat()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("asar");
    let mut deep = String::new();
    (0..20).for_each(|_| deep += r#"{"files":{"a":"#);
    deep += r#"{"size":9,"offset":"1"}"#;
    (0..20).for_each(|_| deep += "}}");
    let odd = r#"{"files":{"u":{"unpacked":true,"size":9},"l":{"link":"a"},"x":{"offset":4,"size":"9"},"y":{"offset":"4","size":1e9,"integrity":{"blocks":["x"]}},"z":{"offset":"0","size":18446744073709551615}},"size":[1]}"#;
    vec![asar(&[("main.js", &text), ("lib/.env", &text), ("lib/b/c", b"")]), tree(&deep, &text), tree(odd, &text), tree("{}", b"")]
}
