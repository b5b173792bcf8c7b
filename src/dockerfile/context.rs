//! Which path of the build context a file of the image came from, by the sources and the destination of its `COPY`.

use globset::GlobBuilder;

use super::{Body, CopyParts, Instruction, Kind};

/// How a `COPY` or `ADD` brought a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Brought {
    /// The source with this index is the file itself.
    Itself(usize),
    /// It lies in a folder that is a source; its path in the context.
    Within(String),
    /// It was unpacked from the archive that is a source.
    Unpacked(String),
    /// Downloaded.
    Download(String),
    /// Not to be told.
    Unclear,
}

/// The working folder of `instructions[index]`; none where the base image decides.
pub(super) fn workdir(instructions: &[&Instruction], index: usize) -> Option<String> {
    let mut folder: Option<String> = None;
    for instruction in &instructions[..index] {
        if let (Kind::Workdir, Body::Other(path)) = (instruction.kind, &instruction.body) {
            let path = path.trim().trim_matches(['"', '\'']);
            folder = match folder {
                _ if path.contains('$') => None,
                _ if path.starts_with('/') => Some(normal(path)),
                Some(folder) => Some(normal(&format!("{folder}/{path}"))),
                None => None,
            };
        }
    }
    folder
}

/// How `copy` brought the file at `path`, an absolute path without `.` and `..`.
pub(super) fn brought(copy: &CopyParts, workdir: Option<&str>, path: &str) -> Brought {
    let [source] = copy.sources.as_slice() else {
        let found: Vec<Brought> = (0..copy.sources.len()).map(|index| one(copy, index, workdir, path)).collect();
        let itself = found.iter().find(|brought| matches!(brought, Brought::Itself(_)));
        let mut others = found.iter().filter(|brought| **brought != Brought::Unclear);
        return match (itself, others.next(), others.next()) {
            (Some(itself), ..) => itself.clone(),
            (None, Some(only), None) => only.clone(),
            _ => Brought::Unclear,
        };
    };
    if source.contains("://") {
        return Brought::Download(source.clone());
    }
    one(copy, 0, workdir, path)
}

fn one(copy: &CopyParts, index: usize, workdir: Option<&str>, path: &str) -> Brought {
    let source = copy.sources[index].as_str();
    let Some(dest) = absolute(&copy.dest, workdir) else { return Brought::Unclear };
    let into_folder = copy.sources.len() > 1 || copy.dest.ends_with('/') || matches!(copy.dest.as_str(), "." | "..");
    if dest == path {
        return if into_folder { Brought::Unclear } else { Brought::Itself(index) };
    }
    let Some(rest) = path.strip_prefix(dest.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/')) else { return Brought::Unclear };
    let source = source.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
    let (folder, name) = source.rsplit_once('/').unwrap_or(("", source));
    if [".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst"].iter().any(|end| name.ends_with(end)) && rest != name {
        return Brought::Unpacked(source.to_owned());
    }
    if name.contains(['*', '?', '[']) {
        let glob = GlobBuilder::new(name).literal_separator(true).build();
        let matches = glob.is_ok_and(|glob| glob.compile_matcher().is_match(rest));
        return if matches { Brought::Within(join(folder, rest)) } else { Brought::Unclear };
    }
    match source {
        "" | "." => Brought::Within(rest.to_owned()),
        _ if rest == name => Brought::Itself(index),
        _ => Brought::Within(join(source, rest)),
    }
}

/// A line of `.dockerignore` that keeps out this very path; none where it cannot be written.
pub(super) fn ignore(path: &str) -> Option<String> {
    if path.is_empty() || path.chars().any(char::is_control) || path.trim() != path {
        return None;
    }
    let mut line = String::with_capacity(path.len());
    for character in path.chars() {
        // Patterns are Go's `filepath.Match`. `!` and `#` mean something at the beginning.
        if "*?[\\".contains(character) || (line.is_empty() && "!#".contains(character)) {
            line.push('\\');
        }
        line.push(character);
    }
    Some(line)
}

fn join(folder: &str, rest: &str) -> String {
    if folder.is_empty() { rest.to_owned() } else { format!("{folder}/{rest}") }
}

fn absolute(path: &str, workdir: Option<&str>) -> Option<String> {
    if path.contains('$') {
        return None;
    }
    if path.starts_with('/') { Some(normal(path)) } else { workdir.map(|folder| normal(&format!("{folder}/{path}"))) }
}

/// Without `.`, `..` and further slashes.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_in_the_context_follows_from_source_and_destination() {
        let within = |path: &str| Brought::Within(path.to_owned());
        let table = [
            (&["."][..], ".", Some("/app"), "/app/conf/.env", within("conf/.env")),
            (&["."], "/app/", None, "/app/.env", within(".env")),
            (&["./"], "/", None, "/srv/.env", within("srv/.env")),
            (&["conf"], "/etc/app", None, "/etc/app/.env", within("conf/.env")),
            (&["/conf/"], "/etc/app/", None, "/etc/app/a/b", within("conf/a/b")),
            (&[".npmrc"], "/root/.npmrc", None, "/root/.npmrc", Brought::Itself(0)),
            (&["a/.npmrc"], "/root/", None, "/root/.npmrc", Brought::Itself(0)),
            (&["package.json", ".npmrc"], "./", Some("/app"), "/app/.npmrc", Brought::Itself(1)),
            (&["src", "conf"], "/app/", None, "/app/.env", Brought::Unclear),
            (&["*.env", "x"], "/app/", None, "/app/prod.env", Brought::Unclear),
            (&["conf/*.env"], "/app/", None, "/app/prod.env", within("conf/prod.env")),
            (&["conf/*.env"], "/app/", None, "/app/key.pem", Brought::Unclear),
            (&["."], ".", None, "/app/.env", Brought::Unclear),
            (&["."], "$HOME/x", None, "/app/.env", Brought::Unclear),
            (&["."], "/app", None, "/other/.env", Brought::Unclear),
            (&["root.tar.gz"], "/", None, "/etc/x.key", Brought::Unpacked("root.tar.gz".to_owned())),
            (&["https://example.com/x"], "/y", None, "/y", Brought::Download("https://example.com/x".to_owned())),
        ];
        for (sources, dest, workdir, path, expected) in table {
            let copy = CopyParts {
                flags: Vec::new(),
                from: None,
                sources: sources.iter().map(|source| (*source).to_owned()).collect(),
                inline: false,
                dest: dest.to_owned(),
            };
            assert_eq!(brought(&copy, workdir, path), expected, "{sources:?} {dest} {path}");
        }
    }

    #[test]
    fn a_line_of_dockerignore_means_this_path_alone() {
        assert_eq!(ignore("conf/.env").as_deref(), Some("conf/.env"));
        assert_eq!(ignore("a*[1]?.env").as_deref(), Some("a\\*\\[1]\\?.env"));
        assert_eq!(ignore("#x").as_deref(), Some("\\#x"));
        assert_eq!(ignore("a\nb"), None);
    }
}
