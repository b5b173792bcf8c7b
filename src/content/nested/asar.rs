//! Where the members of an asar archive lie, in which Electron programs keep their sources: a length-prefixed JSON tree of names, offsets and
//! sizes, and the files one after the other behind it (Electron's `asar` README, "Format").

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::listing::{Listing, Stored};
use super::little;

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
        listing.problem("it ends within its table of files");
        return listing;
    };
    if tree.len() > MAX_TREE {
        listing.too_large("its table of files is longer than 16 MiB");
        return listing;
    }
    let archive = Archive { bytes, files, limit };
    let mut json = serde_json::Deserializer::from_slice(tree);
    let node = Node { archive: &archive, path: &mut Vec::new(), listing: &mut listing };
    if node.deserialize(&mut json).is_err() {
        listing.problem("its table of files is not JSON, or too deep");
    }
    listing
}

struct Archive<'a> {
    bytes: &'a [u8],
    /// Where the files begin.
    files: usize,
    limit: usize,
}

/// A file or a folder of the tree. What it says is listed as it is read: a tree of values would be many times as long as its text. It is no
/// deeper than the JSON parser allows.
struct Node<'n, 'a> {
    archive: &'n Archive<'a>,
    path: &'n mut Vec<u8>,
    listing: &'n mut Listing,
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a file or folder")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut offset, mut size) = (Field::Other, Field::Other);
        // What is unpacked lies in a folder beside the archive; a link is a name more.
        let mut is_elsewhere = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "files" => {
                    is_elsewhere = true;
                    map.next_value_seed(Files(Node { archive: self.archive, path: &mut *self.path, listing: &mut *self.listing }))?;
                }
                "offset" => offset = map.next_value()?,
                "size" => size = map.next_value()?,
                "unpacked" => is_elsewhere |= map.next_value::<Field>()? == Field::Yes,
                "link" => {
                    is_elsewhere = true;
                    map.next_value::<IgnoredAny>()?;
                }
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        if !is_elsewhere
            && !self.path.is_empty()
            && self.listing.members.len() < self.archive.limit
            && self.listing.has_room(self.path.len())
        {
            self.archive.file(self.path, offset.number().zip(size.number()), self.listing);
        }
        Ok(())
    }
}

/// The files of a folder.
struct Files<'n, 'a>(Node<'n, 'a>);

impl<'de> DeserializeSeed<'de> for Files<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Files<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the files of a folder")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Node { archive, path, listing } = self.0;
        while let Some(name) = map.next_key::<String>()? {
            let length = path.len();
            path.push(b'/');
            path.extend(name.as_bytes());
            map.next_value_seed(Node { archive, path: &mut *path, listing: &mut *listing })?;
            path.truncate(length);
        }
        Ok(())
    }
}

/// A value that says something of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Number(u64),
    Yes,
    Other,
}

impl Field {
    fn number(self) -> Option<usize> {
        match self {
            Field::Number(number) => usize::try_from(number).ok(),
            _ => None,
        }
    }
}

impl<'de> serde::Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyField)
    }
}

struct AnyField;

impl<'de> Visitor<'de> for AnyField {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Field, E> {
        Ok(if value { Field::Yes } else { Field::Other })
    }

    fn visit_u64<E>(self, value: u64) -> Result<Field, E> {
        Ok(Field::Number(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_str<E>(self, value: &str) -> Result<Field, E> {
        Ok(value.parse().map_or(Field::Other, Field::Number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

impl Archive<'_> {
    fn file(&self, path: &[u8], place: Option<(usize, usize)>, listing: &mut Listing) {
        let range = place.and_then(|(offset, size)| {
            let start = self.files.checked_add(offset)?;
            Some(start..start.checked_add(size)?)
        });
        match range {
            Some(range) if range.end <= self.bytes.len() => listing.members.push(Stored { name: path.to_vec(), range }),
            Some(range) => {
                listing.problem("a file of it ends after its end");
                if range.start < self.bytes.len() {
                    listing.members.push(Stored { name: path.to_vec(), range: range.start..self.bytes.len() });
                }
            }
            None => listing.problem("a file of it has no place or no size"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Problem;
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
            (archive("{\"files\"", b""), "its table of files is not JSON, or too deep"),
            (archive("{}", b"")[..17].to_vec(), "it ends within its table of files"),
        ] {
            assert_eq!(list(&bytes, 10).problems, [Problem::Damaged(problem)]);
        }
    }
}
