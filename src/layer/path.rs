//! Paths of tar entries, as bytes.

/// An entry's name as an absolute path: no empty, `.` or `..` components; what would climb above the root stays at the root, as it does
/// when an engine unpacks it.
pub fn normalise(name: &[u8]) -> Vec<u8> {
    let mut path: Vec<u8> = Vec::with_capacity(name.len() + 1);
    for component in name.split(|&b| b == b'/') {
        match component {
            b"" | b"." => {}
            b".." => path.truncate(path.iter().rposition(|&b| b == b'/').unwrap_or(0)),
            _ => {
                path.push(b'/');
                path.extend_from_slice(component);
            }
        }
    }
    if path.is_empty() {
        path.push(b'/');
    }
    path
}

/// The folders above a normalised path, nearest first, the root last.
pub fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = path;
    std::iter::from_fn(move || {
        if rest.len() <= 1 {
            return None;
        }
        let cut = rest.iter().rposition(|&b| b == b'/').unwrap_or(0);
        rest = if cut == 0 { &rest[..1] } else { &rest[..cut] };
        Some(rest)
    })
}

/// What an entry's name says to do to lower layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whiteout {
    /// Remove this path, and all below it.
    Explicit(Vec<u8>),
    /// Remove all that lower layers have below this folder.
    Opaque(Vec<u8>),
}

/// Reads a normalised path as a whiteout. Other names that begin with `.wh..wh.` are aufs's own and mean nothing.
pub fn whiteout(path: &[u8]) -> Option<Whiteout> {
    let cut = path.iter().rposition(|&b| b == b'/')?;
    let (folder, name) = (&path[..cut], &path[cut + 1..]);
    let hidden = name.strip_prefix(b".wh.")?;
    match hidden {
        b".wh..opq" => Some(Whiteout::Opaque(if folder.is_empty() { b"/".to_vec() } else { folder.to_vec() })),
        b"" | b"." | b".." => None,
        _ if hidden.starts_with(b".wh.") => None,
        _ => Some(Whiteout::Explicit([folder, b"/", hidden].concat())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_absolute_paths() {
        for (name, path) in [
            ("./a/b", "/a/b"),
            ("/a//b/./c", "/a/b/c"),
            ("a/../../b", "/b"),
            ("..", "/"),
            ("", "/"),
            ("a/", "/a"),
            ("../../etc/x", "/etc/x"),
        ] {
            assert_eq!(normalise(name.as_bytes()), path.as_bytes(), "{name}");
        }
    }

    #[test]
    fn ancestors_end_at_the_root() {
        let up: Vec<&[u8]> = ancestors(b"/a/b/c").collect();
        assert_eq!(up, [&b"/a/b"[..], b"/a", b"/"]);
        assert_eq!(ancestors(b"/").count(), 0);
    }

    #[test]
    fn only_whiteouts_are_whiteouts() {
        assert_eq!(whiteout(b"/a/.wh.b"), Some(Whiteout::Explicit(b"/a/b".to_vec())));
        assert_eq!(whiteout(b"/.wh.b"), Some(Whiteout::Explicit(b"/b".to_vec())));
        assert_eq!(whiteout(b"/a/.wh..wh..opq"), Some(Whiteout::Opaque(b"/a".to_vec())));
        assert_eq!(whiteout(b"/.wh..wh..opq"), Some(Whiteout::Opaque(b"/".to_vec())));
        for name in ["/a/.wh.", "/a/.wh..wh.plnk", "/a/.wh..wh.aufs", "/a/x.wh.b", "/a/.wh..wh."] {
            assert_eq!(whiteout(name.as_bytes()), None, "{name}");
        }
    }
}
