//! Git's objects: loose ones, packs of them (gitformat-pack), and bundles (gitformat-bundle), with names by SHA-1 or SHA-256.
//!
//! A pack is read from its beginning: its index says nothing that the pack does not, and an object that the index leaves out is one more
//! place to hide something. An object that is the difference to another one is put together, and of it only what is new is looked at.

mod history;
mod pack;

pub use history::{Commit, History, Origin};
pub use pack::{Object, Packed, Pending, Taken, Turn, read};

use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// How objects of a repository are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// By SHA-1.
    Sha1,
    /// By SHA-256.
    Sha256,
}

impl Naming {
    /// Bytes of a name.
    fn length(self) -> usize {
        match self {
            Naming::Sha1 => 20,
            Naming::Sha256 => 32,
        }
    }

    /// By the name that git gives a pack, which is a hash too.
    pub fn of_pack(path: &[u8]) -> Option<Self> {
        let name = path.rsplit(|&byte| byte == b'/').next()?.strip_prefix(b"pack-")?.strip_suffix(b".pack")?;
        from_hex(name).map(|id| id.naming())
    }
}

/// Name of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Id {
    /// By SHA-1.
    Sha1([u8; 20]),
    /// By SHA-256.
    Sha256([u8; 32]),
}

impl Id {
    /// How it is made.
    pub fn naming(&self) -> Naming {
        match self {
            Id::Sha1(_) => Naming::Sha1,
            Id::Sha256(_) => Naming::Sha256,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Id::Sha1(bytes) => bytes,
            Id::Sha256(bytes) => bytes,
        }
    }

    /// Reads the one that bytes begin with.
    fn read(naming: Naming, bytes: &[u8]) -> Option<Self> {
        match naming {
            Naming::Sha1 => bytes.first_chunk().map(|bytes| Id::Sha1(*bytes)),
            Naming::Sha256 => bytes.first_chunk().map(|bytes| Id::Sha256(*bytes)),
        }
    }
}

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

/// Whether bytes begin as a bundle does.
pub fn is_bundle(head: &[u8]) -> bool {
    head.starts_with(b"# v2 git bundle\n") || head.starts_with(b"# v3 git bundle\n")
}

/// Where the pack of a bundle begins: after lines of what it needs and what it names, and an empty one.
pub fn bundled(bytes: &[u8]) -> Option<usize> {
    let pack = memchr::memmem::find(bytes, b"\n\n")? + 2;
    is_pack(&bytes[pack..]).then_some(pack)
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
pub fn id(naming: Naming, kind: Kind, content: &[u8]) -> Id {
    let header = format!("{} {}\0", kind.as_str(), content.len());
    match naming {
        Naming::Sha1 => Id::Sha1(Sha1::new().chain_update(header).chain_update(content).finalize().into()),
        Naming::Sha256 => Id::Sha256(Sha256::new().chain_update(header).chain_update(content).finalize().into()),
    }
}

/// A name as git writes it.
pub fn hex(id: &Id) -> String {
    id.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a name as git writes it.
pub fn from_hex(text: &[u8]) -> Option<Id> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Vec<u8> = text[..digits].chunks_exact(2).map(pair).collect::<Option<_>>()?;
    match digits {
        40 => Id::read(Naming::Sha1, &bytes),
        64 => Id::read(Naming::Sha256, &bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_git_gives() {
        // The two objects that every repository knows.
        assert_eq!(hex(&id(Naming::Sha1, Kind::Blob, b"")), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(hex(&id(Naming::Sha1, Kind::Tree, b"")), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        let long = "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813";
        assert_eq!(hex(&id(Naming::Sha256, Kind::Blob, b"")), long);
        assert_eq!(from_hex(long.as_bytes()), Some(id(Naming::Sha256, Kind::Blob, b"")));
        assert_eq!(from_hex(&long.as_bytes()[..50]), None);
        assert_eq!(
            from_hex(b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n").map(|id| hex(&id)).as_deref(),
            Some("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
        );
    }

    #[test]
    fn packs_are_named_by_a_hash_and_bundles_say_where_theirs_is() {
        for (name, naming) in [("4b825dc642cb6eb9a060e54bf8d69288fbee4904", Some(Naming::Sha1)), ("1", None)] {
            assert_eq!(Naming::of_pack(format!("/srv/.git/objects/pack/pack-{name}.pack").as_bytes()), naming);
        }
        let bundle = b"# v3 git bundle\n@object-format=sha1\n-4b825dc642cb6eb9a060e54bf8d69288fbee4904 x\n\nPACK\0\0\0\x02\0\0\0\0";
        assert!(is_bundle(bundle));
        assert_eq!(bundled(bundle).map(|pack| &bundle[pack..pack + 4]), Some(&b"PACK"[..]));
        assert_eq!(bundled(b"# v2 git bundle\n\nPAC"), None);
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
