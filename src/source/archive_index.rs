//! What the members of an image archive are called, and which name leads where. No IO: the archive is read by others.

use std::collections::HashMap;

use super::BlobKey;
use super::members::{Located, Lost};
use super::tar_walk::{Kind, Member};
use crate::finding::Reason;

/// Most members that are remembered.
const MAX_MEMBERS: usize = 1_000_000;

/// Most links that are followed for one name.
const MAX_LINKS: usize = 40;

/// A member with contents.
pub(super) struct File {
    pub(super) name: String,
    pub(super) key: BlobKey,
    pub(super) position: u64,
    pub(super) size: u64,
}

enum Target {
    /// Index into the files.
    File(usize),
    /// The name it leads to, from the root.
    Link(Option<String>),
}

/// The members of an archive.
#[derive(Default)]
pub(super) struct ArchiveIndex {
    names: HashMap<String, Target>,
    files: Vec<File>,
    keys: HashMap<BlobKey, usize>,
    is_full: bool,
}

impl ArchiveIndex {
    /// Adds a member; gives the key of one with contents. A name that comes again means the later member; both keep a key, so that none
    /// goes unread.
    pub(super) fn add(&mut self, member: &Member) -> Option<BlobKey> {
        let name = normalise(&member.name).unwrap_or_else(|| member.name.clone());
        if self.names.len().max(self.files.len()) >= MAX_MEMBERS {
            self.is_full = true;
            return None;
        }
        let target = match &member.kind {
            Kind::Other => return None,
            Kind::Symlink(link) => Target::Link(beside(&name, link)),
            Kind::Hardlink(link) => Target::Link(normalise(link)),
            Kind::File => Target::File(self.files.len()),
        };
        let is_file = matches!(target, Target::File(_));
        self.names.insert(name.clone(), target);
        is_file.then(|| self.add_file(name, member))
    }

    fn add_file(&mut self, name: String, member: &Member) -> BlobKey {
        let mut key = BlobKey(name.clone());
        if self.keys.contains_key(&key) {
            key = BlobKey(format!("{name}@{}", member.position));
        }
        self.keys.insert(key.clone(), self.files.len());
        self.files.push(File { name, key: key.clone(), position: member.position, size: member.size });
        key
    }

    /// Whether there were more members than are remembered.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Members with contents, in the archive's order.
    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    /// The member of a key.
    pub(super) fn file(&self, key: &BlobKey) -> Option<&File> {
        self.keys.get(key).map(|index| &self.files[*index])
    }

    /// Looks a name up, following links within the archive.
    pub(super) fn find(&self, name: &str) -> Result<Located, Lost> {
        let escapes = || Lost::new(Reason::MissingBlob, "its name leads out of the archive");
        let mut name = normalise(name).ok_or_else(escapes)?;
        for _ in 0..MAX_LINKS {
            match self.names.get(&name) {
                None => return Err(Lost::new(Reason::MissingBlob, "the archive has no such member")),
                Some(Target::Link(target)) => name = target.clone().ok_or_else(escapes)?,
                Some(Target::File(index)) => {
                    let file = &self.files[*index];
                    return Ok(Located { key: file.key.clone(), size: Some(file.size) });
                }
            }
        }
        Err(Lost::new(Reason::MissingBlob, "links lead in a circle"))
    }
}

/// Without `.`, `..` and empty parts; none if it leads out of the root.
fn normalise(name: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// What a symbolic link at `name` leads to.
fn beside(name: &str, link: &str) -> Option<String> {
    match name.rsplit_once('/') {
        Some((folder, _)) if !link.starts_with('/') => normalise(&format!("{folder}/{link}")),
        _ => normalise(link),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn index(members: &[(&str, Kind)]) -> ArchiveIndex {
        let mut index = ArchiveIndex::default();
        for (position, (name, kind)) in members.iter().enumerate() {
            index.add(&Member { name: (*name).to_owned(), kind: kind.clone(), position: position as u64, size: 1 });
        }
        index
    }

    fn found(index: &ArchiveIndex, name: &str) -> Result<String, String> {
        index.find(name).map(|located| located.key.0).map_err(|lost| lost.detail)
    }

    #[test]
    fn names_are_the_same_with_and_without_a_leading_dot() {
        let index = index(&[("./blobs/a", Kind::File), ("/b", Kind::File)]);
        assert_eq!(found(&index, "blobs/a").unwrap(), "blobs/a");
        assert_eq!(found(&index, "./b").unwrap(), "b");
    }

    #[test]
    fn links_are_followed_within_the_archive_only() {
        let index = index(&[
            ("l.tar", Kind::File),
            ("id/layer.tar", Kind::Symlink("../l.tar".into())),
            ("hard", Kind::Hardlink("id/layer.tar".into())),
            ("loop/x", Kind::Symlink("../loop/x".into())),
            ("out", Kind::Symlink("../../etc/passwd".into())),
        ]);
        assert_eq!(found(&index, "hard").unwrap(), "l.tar");
        assert!(found(&index, "loop/x").unwrap_err().contains("circle"));
        assert!(found(&index, "out").unwrap_err().contains("out of the archive"));
        assert!(found(&index, "../../etc/passwd").unwrap_err().contains("out of the archive"));
        assert!(found(&index, "missing").unwrap_err().contains("no such member"));
    }

    #[test]
    fn the_last_of_two_members_wins_and_both_have_keys() {
        let index = index(&[("a", Kind::File), ("a", Kind::File)]);
        assert_eq!(found(&index, "a").unwrap(), "a@1");
        let keys: Vec<&str> = index.files().iter().map(|file| file.key.0.as_str()).collect();
        assert_eq!(keys, ["a", "a@1"]);
    }
}
