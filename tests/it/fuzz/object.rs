//! A loose object of git, packed and as it is; trees and commits, and what they say of files.

use layersift::content::nested::git::{self, History, Id, Kind, Naming};

use super::nested;
use crate::archives::{object_id, zlib};

pub(super) fn run(data: &[u8]) {
    let header = git::loose_header(data);
    let content = match header {
        Some((_, start)) => {
            assert!(start <= data.len());
            &data[start..]
        }
        None => data,
    };
    check_history(Naming::Sha1, content, |bytes| bytes.first_chunk().copied().map(Id::Sha1));
    check_history(Naming::Sha256, content, |bytes| bytes.first_chunk().copied().map(Id::Sha256));
    let _ = git::loose(data);
    nested::check("r/objects/aa/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", data);
    nested::check("r/objects/aa/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", &zlib(data));
}

/// What bytes say as a tree and as a commit.
fn check_history(naming: Naming, content: &[u8], id_of: impl Fn(&[u8]) -> Option<Id>) {
    let mut history = History::default();
    let (tree, commit) = (git::id(naming, Kind::Tree, content), git::id(naming, Kind::Commit, content));
    history.tree(tree, content);
    history.commit(commit, content);
    // Every object that it names, and the tree of the commit.
    for id in content.windows(32).step_by(7).filter_map(id_of).chain([tree, commit]).take(200) {
        let origin = history.origin(&id);
        assert!(origin.is_none_or(|origin| origin.path.len() < 4096 && !origin.describe().is_empty()));
    }
    let mut merged = History::default();
    merged.merge(History::default());
    merged.tree(tree, content);
    merged.commit(commit, content);
    assert_eq!(merged, history);
    assert_eq!(git::from_hex(git::hex(&tree).as_bytes()), Some(tree));
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("object");
    let blob = [format!("blob {}\0", text.len()).as_bytes(), &text].concat();
    let tree = [&b"tree 60\x00100644 .env\0"[..], &object_id("blob", &text), b"40000 lib\0", &[7; 20]].concat();
    let commit = format!(
        "commit 200\0tree {}\nauthor A <a@example.org> 1600000000 +0000\ncommitter A\n\nx\n",
        git::hex(&Id::Sha1(object_id("tree", &tree[8..])))
    );
    let loose = [zlib(&blob), zlib(&tree), zlib(commit.as_bytes())];
    [blob, tree, commit.into_bytes()].into_iter().chain(loose).collect()
}
