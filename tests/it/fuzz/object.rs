//! A loose object of git, packed and as it is; trees and commits, and what they say of files.

use layersift::content::nested::git::{self, History, Kind};

use super::nested;
use crate::archives::zlib;

pub(super) fn run(data: &[u8]) {
    let header = git::loose_header(data);
    let content = match header {
        Some((_, start)) => {
            assert!(start <= data.len());
            &data[start..]
        }
        None => data,
    };
    let mut history = History::default();
    let (tree, commit) = (git::id(Kind::Tree, content), git::id(Kind::Commit, content));
    history.tree(tree, content);
    history.commit(commit, content);
    // Every object that it names, and the tree of the commit.
    for id in content.windows(20).step_by(7).filter_map(|id| id.first_chunk().copied()).chain([tree, commit]).take(200) {
        let origin = history.origin(&id);
        assert!(origin.is_none_or(|origin| origin.path.len() < 4096 && !origin.describe().is_empty()));
    }
    let mut merged = History::default();
    merged.merge(History::default());
    merged.tree(tree, content);
    merged.commit(commit, content);
    assert_eq!(merged, history);
    assert_eq!(git::from_hex(git::hex(&tree).as_bytes()), Some(tree));
    let _ = git::loose(data);
    nested::check("r/objects/aa/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", data);
    nested::check("r/objects/aa/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", &zlib(data));
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("object");
    let blob = [format!("blob {}\0", text.len()).as_bytes(), &text].concat();
    let tree = [&b"tree 60\x00100644 .env\0"[..], &git::id(Kind::Blob, &text), b"40000 lib\0", &[7; 20]].concat();
    let commit = format!(
        "commit 200\0tree {}\nauthor A <a@example.org> 1600000000 +0000\ncommitter A\n\nx\n",
        git::hex(&git::id(Kind::Tree, &tree[8..]))
    );
    let loose = [zlib(&blob), zlib(&tree), zlib(commit.as_bytes())];
    [blob, tree, commit.into_bytes()].into_iter().chain(loose).collect()
}
