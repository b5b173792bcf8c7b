//! Git's objects: loose ones, and packs of them (gitformat-pack).
//!
//! A pack is read from its beginning: its index says nothing that the pack does not, and an object that the index leaves out is one more
//! place to hide something. An object that is the difference to another one is put together, and of it only what is new is looked at.

mod history;
mod pack;

pub use history::{Commit, History, Origin};
pub use pack::{Object, Packed, Pending, read};

use sha1::{Digest as _, Sha1};

/// Name of an object. Of repositories that use SHA-256 the objects are read as well, under the names they would have with SHA-1.
pub type Id = [u8; 20];

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A commit.
    Commit,
    /// A folder.
    Tree,
    /// A file.
    Blob,
    /// A tag.
    Tag,
}

impl Kind {
    /// The word in objects.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Commit => "commit",
            Kind::Tree => "tree",
            Kind::Blob => "blob",
            Kind::Tag => "tag",
        }
    }
}

/// Whether bytes begin as a pack does.
pub fn is_pack(head: &[u8]) -> bool {
    head.starts_with(b"PACK\0\0\0\x02") || head.starts_with(b"PACK\0\0\0\x03")
}

/// The folder of objects and the object's name, if the path is that of a loose object.
pub fn loose(path: &[u8]) -> Option<(&[u8], String)> {
    let cut = path.iter().rposition(|&byte| byte == b'/')?;
    let (folder, name) = (&path[..cut], &path[cut + 1..]);
    let cut = folder.iter().rposition(|&byte| byte == b'/')?;
    let (objects, first) = (&folder[..cut], &folder[cut + 1..]);
    let is_name = first.len() == 2 && matches!(name.len(), 38 | 62) && first.iter().chain(name).all(u8::is_ascii_hexdigit);
    (is_name && objects.ends_with(b"/objects"))
        .then(|| (objects, String::from_utf8_lossy(first).into_owned() + &String::from_utf8_lossy(name)))
}

/// Whether a file is a loose object: by its path, and by how zlib streams begin.
pub fn is_loose(path: &[u8], head: &[u8]) -> bool {
    let is_zlib =
        matches!(head, [first, second, ..] if first & 15 == 8 && (u32::from(*first) * 256 + u32::from(*second)).is_multiple_of(31));
    is_zlib && loose(path).is_some()
}

/// The header of a loose object, undone: its kind, and where its content begins.
pub fn loose_header(content: &[u8]) -> Option<(Kind, usize)> {
    let head = &content[..content.len().min(32)];
    let end = head.iter().position(|&byte| byte == 0)?;
    let word = head[..end].split(|&byte| byte == b' ').next()?;
    let kind = [Kind::Commit, Kind::Tree, Kind::Blob, Kind::Tag].into_iter().find(|kind| kind.as_str().as_bytes() == word)?;
    Some((kind, end + 1))
}

/// The name of an object.
pub fn id(kind: Kind, content: &[u8]) -> Id {
    let mut hasher = Sha1::new();
    hasher.update(format!("{} {}\0", kind.as_str(), content.len()));
    hasher.update(content);
    hasher.finalize().into()
}

/// A name as git writes it.
pub fn hex(id: &Id) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a name as git writes it.
pub fn from_hex(text: &[u8]) -> Option<Id> {
    let mut id = Id::default();
    for (byte, pair) in id.iter_mut().zip(text.get(..40)?.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_git_gives() {
        // The two objects that every repository knows.
        assert_eq!(hex(&id(Kind::Blob, b"")), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(hex(&id(Kind::Tree, b"")), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        assert_eq!(
            from_hex(b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n").map(|id| hex(&id)).as_deref(),
            Some("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
        );
    }

    #[test]
    fn loose_objects_are_known_by_their_paths() {
        let path = b"/srv/app/.git/objects/e6/9de29bb2d1d6434b8b29ae775ad8c2e48c5391";
        assert!(is_loose(path, &[0x78, 0x01]) && !is_loose(path, b"xx"));
        assert_eq!(loose(path).map(|(folder, _)| folder), Some(&b"/srv/app/.git/objects"[..]));
        assert!(loose(b"/srv/e6/9de29bb2d1d6434b8b29ae775ad8c2e48c5391").is_none());
        assert_eq!(loose_header(b"blob 3\0abc"), Some((Kind::Blob, 7)));
    }
}
