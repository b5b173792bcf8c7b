//! Where the members of an asar archive lie, in which Electron programs keep their sources: a length-prefixed JSON tree of names, offsets and
//! sizes, and the files one after the other behind it (Electron's `asar` README, "Format").

use serde_json::{Map, Value};

use super::listing::{Listing, Stored};
use super::{Problem, little};

/// Longest tree that is read.
const MAX_TREE: usize = 16 << 20;
/// Bytes before the tree.
const PREFIX: usize = 16;

/// Whether bytes begin as an archive does: four lengths that agree, and a JSON object.
pub fn is_archive(head: &[u8]) -> bool {
    let lengths = [0, 4, 8, 12].map(|at| little::<4>(head, at).unwrap_or(0));
    let [four, outer, inner, tree] = lengths;
    four == 4 && outer == inner + 4 && (inner.saturating_sub(8)..inner).contains(&tree) && head.get(PREFIX) == Some(&b'{')
}

/// The members of an archive, `limit` at most.
pub fn list(bytes: &[u8], limit: usize) -> Listing {
    let mut listing = Listing::default();
    let tree = little::<4>(bytes, 12).and_then(|length| bytes.get(PREFIX..)?.get(..usize::try_from(length).ok()?));
    let files = little::<4>(bytes, 4).and_then(|length| usize::try_from(length + 8).ok());
    let (Some(tree), Some(files)) = (tree, files) else {
        listing.problems.push(Problem::Damaged("it ends within its table of files"));
        return listing;
    };
    if tree.len() > MAX_TREE {
        listing.problems.push(Problem::Damaged("its table of files is longer than 16 MiB"));
        return listing;
    }
    match serde_json::from_slice::<Value>(tree) {
        Ok(tree) => folder(&tree, &mut Vec::new(), &Archive { bytes, files, limit }, &mut listing),
        Err(_) => listing.problems.push(Problem::Damaged("its table of files is not JSON")),
    }
    listing.problems.dedup();
    listing
}

struct Archive<'a> {
    bytes: &'a [u8],
    /// Where the files begin.
    files: usize,
    limit: usize,
}

/// Lists what is below a folder. The tree is no deeper than the JSON parser allows.
fn folder(node: &Value, path: &mut Vec<u8>, archive: &Archive<'_>, listing: &mut Listing) {
    for (name, node) in node.get("files").and_then(Value::as_object).into_iter().flat_map(Map::iter) {
        let length = path.len();
        path.push(b'/');
        path.extend(name.as_bytes());
        if node.get("files").is_some() {
            folder(node, path, archive, listing);
        } else if listing.members.len() < archive.limit {
            file(node, path, archive, listing);
        }
        path.truncate(length);
    }
}

fn file(node: &Value, path: &[u8], archive: &Archive<'_>, listing: &mut Listing) {
    // What is unpacked lies in a folder beside the archive; a link is a name more.
    let is_elsewhere = node.get("unpacked").and_then(Value::as_bool) == Some(true) || node.get("link").is_some();
    if is_elsewhere {
        return;
    }
    let offset = node.get("offset").and_then(|offset| offset.as_str()?.parse::<usize>().ok());
    let size = node.get("size").and_then(|size| usize::try_from(size.as_u64()?).ok());
    let range = offset.zip(size).and_then(|(offset, size)| {
        let start = archive.files.checked_add(offset)?;
        Some(start..start.checked_add(size)?)
    });
    match range {
        Some(range) if range.end <= archive.bytes.len() => listing.members.push(Stored { name: path.to_vec(), range }),
        Some(range) => {
            listing.problems.push(Problem::Damaged("a file of it ends after its end"));
            if range.start < archive.bytes.len() {
                listing.members.push(Stored { name: path.to_vec(), range: range.start..archive.bytes.len() });
            }
        }
        None => listing.problems.push(Problem::Damaged("a file of it has no place or no size")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(tree: &str, files: &[u8]) -> Vec<u8> {
        let padded = tree.len().next_multiple_of(4);
        let mut out = Vec::new();
        for number in [4, padded + 8, padded + 4, tree.len()] {
            out.extend((number as u32).to_le_bytes());
        }
        out.extend(tree.bytes());
        out.resize(PREFIX + padded, 0);
        out.extend(files);
        out
    }

    #[test]
    fn files_stand_behind_the_tree() {
        let tree =
            r#"{"files":{"a":{"files":{"b.js":{"offset":"2","size":3}}},"u":{"unpacked":true,"size":9},"x":{"offset":"4","size":9}}}"#;
        let bytes = archive(tree, b"..one");
        assert!(is_archive(&bytes) && !is_archive(&bytes[1..]));
        let listing = list(&bytes, 10);
        let found: Vec<(&[u8], &[u8])> =
            listing.members.iter().map(|member| (member.name.as_slice(), &bytes[member.range.clone()])).collect();
        assert_eq!(found, [(&b"/a/b.js"[..], &b"one"[..]), (b"/x", b"e")]);
        assert_eq!(listing.problems, [Problem::Damaged("a file of it ends after its end")]);
    }

    #[test]
    fn lies_are_told() {
        for (bytes, problem) in [
            (archive("{\"files\":{\"a\":{}}}", b""), "a file of it has no place or no size"),
            (archive("{\"files\"", b""), "its table of files is not JSON"),
            (archive("{}", b"")[..17].to_vec(), "it ends within its table of files"),
        ] {
            assert_eq!(list(&bytes, 10).problems, [Problem::Damaged(problem)]);
        }
    }
}
