//! Which file of which commit an object is: from the trees and commits that were read beside it.

use std::collections::BTreeMap;

use super::{Id, from_hex, hex};

/// Most names and commits that are remembered of a repository. Where there are more nothing is said, so that it does not depend on threads what is.
const MAX: usize = 200_000;
/// Most folders above an object that are remembered.
const MAX_PARENTS: usize = 4;
/// Most folders that are looked at on the way from an object to a commit.
const MAX_STEPS: usize = 256;

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Commit {
    /// When it was written, in seconds since 1970.
    pub authored: i64,
    /// Its name.
    pub id: Id,
}

/// Where an object comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The oldest commit known that has it.
    pub commit: Commit,
    /// The file's path there.
    pub path: Vec<u8>,
}

impl Origin {
    /// `config/app.py of commit 1a2b... (2024-01-31)`.
    pub fn describe(&self) -> String {
        let date = jiff::Timestamp::from_second(self.commit.authored).map(|time| time.strftime("%Y-%m-%d").to_string());
        let date = date.map(|date| format!(", written {date}")).unwrap_or_default();
        format!("{} of commit {}{date}", String::from_utf8_lossy(&self.path), hex(&self.commit.id))
    }
}

/// What trees and commits say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct History {
    parents: BTreeMap<Id, Vec<(Id, Vec<u8>)>>,
    commits: BTreeMap<Id, Commit>,
    names: usize,
    is_full: bool,
}

impl History {
    /// Takes in a tree.
    pub fn tree(&mut self, id: Id, content: &[u8]) {
        let mut rest = content;
        while let Some(end) = memchr::memchr(0, rest) {
            let Some(child) = Id::read(id.naming(), &rest[end + 1..]) else { return };
            let name = rest[..end].splitn(2, |&byte| byte == b' ').nth(1).unwrap_or_default();
            self.parent(child, id, name.to_vec());
            rest = &rest[end + 1 + id.naming().length()..];
        }
    }

    fn parent(&mut self, child: Id, tree: Id, name: Vec<u8>) {
        if !self.has_room() {
            return;
        }
        let parents = self.parents.entry(child).or_default();
        if let Err(at) = parents.binary_search(&(tree, name.clone())) {
            self.names += 1;
            parents.insert(at, (tree, name));
            if parents.len() > MAX_PARENTS {
                parents.pop();
                self.names -= 1;
            }
        }
    }

    /// Takes in a commit.
    pub fn commit(&mut self, id: Id, content: &[u8]) {
        let mut lines = content.split(|&byte| byte == b'\n').take_while(|line| !line.is_empty());
        let tree = lines.next().and_then(|line| from_hex(line.strip_prefix(b"tree ")?));
        let author = lines.find(|line| line.starts_with(b"author "));
        let authored = author.and_then(|line| {
            let seconds = line.rsplit(|&byte| byte == b' ').nth(1)?;
            std::str::from_utf8(seconds).ok()?.parse().ok()
        });
        if let (Some(tree), Some(authored)) = (tree, authored) {
            self.root(tree, Commit { authored, id });
        }
    }

    fn root(&mut self, tree: Id, commit: Commit) {
        if !self.has_room() {
            return;
        }
        let known = self.commits.entry(tree).or_insert_with(|| commit.clone());
        if commit < *known {
            *known = commit;
        }
    }

    fn has_room(&mut self) -> bool {
        if self.names + self.commits.len() >= MAX && !self.is_full {
            *self = Self { is_full: true, ..Self::default() };
        }
        !self.is_full
    }

    /// Takes in what another thread read.
    pub fn merge(&mut self, other: History) {
        if other.is_full {
            *self = other;
            return;
        }
        for (child, parents) in other.parents {
            parents.into_iter().for_each(|(tree, name)| self.parent(child, tree, name));
        }
        other.commits.into_iter().for_each(|(tree, commit)| self.root(tree, commit));
    }

    /// Where an object comes from; the oldest commit if there are several.
    pub fn origin(&self, id: &Id) -> Option<Origin> {
        let mut found: Option<Origin> = None;
        let mut open: Vec<(Id, Vec<u8>)> = vec![(*id, Vec::new())];
        for _ in 0..MAX_STEPS {
            let Some((id, path)) = open.pop() else { break };
            if let Some(commit) = self.commits.get(&id).filter(|_| !path.is_empty()) {
                let origin = Origin { commit: commit.clone(), path: path.clone() };
                found = Some(found.filter(|known| *known <= origin).unwrap_or(origin));
            }
            for (tree, name) in self.parents.get(&id).into_iter().flatten() {
                let below = if path.is_empty() { name.clone() } else { [name, &b"/"[..], &path].concat() };
                if below.len() < 4096 {
                    open.push((*tree, below));
                }
            }
        }
        found
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Kind, Naming};
    use super::*;

    fn tree(name: &str, child: Id) -> Vec<u8> {
        [format!("100644 {name}\0").as_bytes(), child.bytes()].concat()
    }

    #[test]
    fn an_object_has_the_path_and_the_oldest_commit() {
        for naming in [Naming::Sha1, Naming::Sha256] {
            check(&|kind, content| super::super::id(naming, kind, content));
        }
    }

    fn check(id: &dyn Fn(Kind, &[u8]) -> Id) {
        let blob = id(Kind::Blob, b"x");
        let inner = tree("app.py", blob);
        let inner_id = id(Kind::Tree, &inner);
        let root = tree("config", inner_id);
        let root_id = id(Kind::Tree, &root);
        let commit = |time: u32| format!("tree {}\nauthor A <a@example.org> {time} +0100\ncommitter A\n\nmessage\n", hex(&root_id));
        let mut histories: Vec<History> = (0..2).map(|_| History::default()).collect();
        histories[0].tree(inner_id, &inner);
        histories[1].tree(root_id, &root);
        for (number, time) in [(0, 1_700_000_000), (1, 1_600_000_000), (0, 1_800_000_000)] {
            let content = commit(time);
            histories[number].commit(id(Kind::Commit, content.as_bytes()), content.as_bytes());
        }
        let mut all = History::default();
        histories.into_iter().for_each(|history| all.merge(history));
        let origin = all.origin(&blob).unwrap();
        assert_eq!((origin.commit.authored, origin.path.as_slice()), (1_600_000_000, &b"config/app.py"[..]));
        assert!(origin.describe().ends_with(", written 2020-09-13"), "{}", origin.describe());
        assert_eq!(all.origin(&id(Kind::Blob, b"y")), None);
    }

    #[test]
    fn a_tree_that_holds_itself_ends() {
        let mut history = History::default();
        history.tree(Id::Sha1([1; 20]), &tree("a", Id::Sha1([1; 20])));
        assert_eq!(history.origin(&Id::Sha1([1; 20])), None);
    }
}
