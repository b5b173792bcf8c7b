//! Where the files of a project are.

use std::path::{Path, PathBuf};

/// The project file's name.
pub(super) const NAME: &str = "layersift.toml";

/// The first file called `name` in `from` or a folder above it. The last folder looked at is the first that is a repository (has a `.git`), is the
/// user's `home`, or has none above it: what lies beyond belongs to somebody else.
pub(in crate::cli) fn nearest(name: &str, from: &Path, home: Option<&Path>) -> Option<PathBuf> {
    for folder in from.ancestors() {
        let path = folder.join(name);
        if path.is_file() {
            return Some(path);
        }
        if Some(folder) == home || folder.join(".git").exists() {
            return None;
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_search_goes_up_to_the_repository_or_home() {
        let root = std::env::temp_dir().join(format!("layersift-find-{}", std::process::id()));
        let below = root.join("repository/a/b");
        std::fs::create_dir_all(&below).unwrap();
        let file = |folder: &str| root.join(folder).join(NAME);
        std::fs::write(file(""), "").unwrap();
        assert_eq!(nearest(NAME, &below, None), Some(file("")));
        assert_eq!(nearest(NAME, &below, Some(&root)), Some(file("")), "home itself is looked at");
        assert_eq!(nearest(NAME, &below, Some(&root.join("repository"))), None);
        // A worktree has a file of that name.
        std::fs::write(root.join("repository/.git"), "").unwrap();
        assert_eq!(nearest(NAME, &below, None), None);
        std::fs::write(file("repository"), "").unwrap();
        assert_eq!(nearest(NAME, &below, None), Some(file("repository")));
        std::fs::create_dir(file("repository/a")).unwrap();
        assert_eq!(nearest(NAME, &below, None), Some(file("repository")), "a folder of that name is none");
        std::fs::remove_dir_all(root).unwrap();
    }
}
