//! What the user typed, as a source that is meant.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::engine::Engine;
use super::registry::ImageName;
use super::sniff::{Sniffed, sniff};
use super::{DockerSave, SourceError};
use crate::oci::Digest;

/// One image of a layout that has several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// By its name in the index, or the tag of that name.
    Tag(String),
    /// By the digest of a manifest or index.
    Digest(Digest),
}

/// A source, as the user meant it. [`fmt::Display`] writes it with its scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// What `docker save` writes, compressed or not.
    DockerArchive(PathBuf),
    /// An OCI layout folder.
    Oci(PathBuf, Option<Selector>),
    /// An OCI layout in a tar, compressed or not.
    OciArchive(PathBuf, Option<Selector>),
    /// A single layer.
    Layer(PathBuf),
    /// A folder: skopeo's `dir:`, or a root filesystem.
    Dir(PathBuf),
    /// An image that a local engine holds, by name, id or digest.
    Engine(Engine, String),
    /// An image in the storage of Podman, Buildah and CRI-O: `NAME`, or `[DRIVER@ROOT]NAME`.
    ContainersStorage(String),
    /// An image in containerd's store: `NAME`, or `[NAMESPACE@ROOT]NAME`.
    Containerd(String),
    /// An image in a registry.
    Registry(ImageName),
    /// A pipe, which can be read once only: an image archive or a layer.
    Pipe(PathBuf),
    /// Standard input: an image archive or a layer.
    Stdin,
    /// An image that a Docker Engine holds. Nothing that is typed is taken for it: what asks for it knows the client.
    DockerSave(DockerSave),
    /// The built-in example.
    Example,
}

/// What may stand before the colon.
const SCHEMES: &str = "registry:NAME[:TAG][@DIGEST], docker-archive:FILE, oci:DIR[:TAG|@DIGEST], oci-archive:FILE[:TAG|@DIGEST], \
                       layer:FILE, dir:DIR, docker:NAME, podman:NAME, containers-storage:NAME, containerd:NAME, example:, - for standard input, a path, or \
                       the name of an image that a local engine holds or that is in a registry";

/// Schemes of other tools, that are not taken for the name of an image.
const FOREIGN_SCHEMES: [&str; 4] = ["docker-daemon", "http", "https", "file"];

/// Schemes that are taken for nothing else, not even for a path.
const SCHEME_WORDS: [&str; 11] =
    ["docker-archive", "oci", "oci-archive", "layer", "dir", "docker", "podman", "containers-storage", "containerd", "registry", "example"];

impl Reference {
    /// Reads what the user typed. Without a scheme it is a path that exists, which is looked at, or else the name of an image in a registry.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        if text == "-" {
            return Ok(Reference::Stdin);
        }
        if let Some((scheme, rest)) = scheme_of(text) {
            match scheme {
                "docker-archive" => return existing(rest).map(Reference::DockerArchive),
                "oci" => return selected(rest).map(|(path, selector)| Reference::Oci(path, selector)),
                "oci-archive" => return selected(rest).map(|(path, selector)| Reference::OciArchive(path, selector)),
                "layer" => return existing(rest).map(Reference::Layer),
                "dir" => return existing(rest).map(Reference::Dir),
                "docker" if !rest.starts_with("//") => return Ok(Reference::Engine(Engine::Docker, rest.to_owned())),
                "podman" => return Ok(Reference::Engine(Engine::Podman, rest.to_owned())),
                "containers-storage" => return Ok(Reference::ContainersStorage(rest.to_owned())),
                "containerd" => return Ok(Reference::Containerd(rest.to_owned())),
                "example" => return Ok(Reference::Example),
                "registry" => return in_registry(rest),
                // As skopeo and podman write it.
                "docker" if rest.starts_with("//") => return in_registry(&rest[2..]),
                _ if Path::new(text).exists() => {}
                _ if FOREIGN_SCHEMES.contains(&scheme) || rest.starts_with("//") => {
                    return Err(SourceError::UnknownScheme { scheme: scheme.to_owned(), known: SCHEMES.to_owned() });
                }
                _ => {}
            }
        }
        Self::of_path(Path::new(text), text)
    }

    /// Whether the user said what kind of source it is.
    pub(super) fn says_where(text: &str) -> bool {
        text == "-" || scheme_of(text).is_some_and(|(scheme, _)| SCHEME_WORDS.contains(&scheme) || FOREIGN_SCHEMES.contains(&scheme))
    }

    /// Whether it may be the name of an image, and cannot be that of a layout with a tag.
    pub(super) fn may_be_image(text: &str) -> bool {
        looks_like_image_name(text) && selected(text).is_err()
    }

    /// What the user typed, with its path taken to start at `folder` in place of the working directory. Without a scheme it is a path if
    /// there is one of that name.
    pub fn below(folder: &Path, text: &str) -> OsString {
        match scheme_of(text) {
            Some((scheme @ ("docker-archive" | "oci" | "oci-archive" | "layer" | "dir"), path)) => {
                let mut below = OsString::from(format!("{scheme}:"));
                below.push(folder.join(path));
                below
            }
            _ if text != "-" && folder.join(text).exists() => folder.join(text).into(),
            _ => text.into(),
        }
    }

    fn of_path(path: &Path, text: &str) -> Result<Self, SourceError> {
        let path = path.to_owned();
        match sniff(&path) {
            Ok(Sniffed::Layout) => Ok(Reference::Oci(path, None)),
            Ok(Sniffed::Folder) => Ok(Reference::Dir(path)),
            Ok(Sniffed::DockerArchive) => Ok(Reference::DockerArchive(path)),
            Ok(Sniffed::OciArchive) => Ok(Reference::OciArchive(path, None)),
            Ok(Sniffed::Layer) => Ok(Reference::Layer(path)),
            Ok(Sniffed::Pipe) => Ok(Reference::Pipe(path)),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(SourceError::Io { action: "read", path, error }),
            Err(_) => Err(match selected(text) {
                // `layout:tag` without a scheme: nearly right.
                Ok((layout, Some(_))) => SourceError::NotAnImage {
                    path,
                    problem: format!("there is no such path, but {} is one: write oci:{text} or oci-archive:{text}", layout.display()),
                },
                _ if looks_like_image_name(text) => return in_registry(text),
                _ => SourceError::NotFound { path },
            }),
        }
    }
}

/// What stands before the first colon, if it can be a scheme: no path, and longer than a drive letter.
fn scheme_of(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_word = scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    is_word.then_some((scheme, rest))
}

/// Whether an image in a registry could be called so: no path of this system, a name that a registry takes.
fn looks_like_image_name(text: &str) -> bool {
    let is_path = text.starts_with(['/', '.', '~', '\\']) || text.ends_with('/') || text.contains('\\');
    let has_name = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_file_name = [".tar", ".gz", ".tgz", ".zst", ".xz", ".bz2", ".json"].iter().any(|end| text.ends_with(end));
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"/:._-@".contains(&byte);
    !is_path && has_name && !is_file_name && text.bytes().all(may_stand)
}

fn in_registry(name: &str) -> Result<Reference, SourceError> {
    ImageName::parse(name).map(Reference::Registry).map_err(|problem| SourceError::Name { name: name.to_owned(), problem })
}

fn existing(text: &str) -> Result<PathBuf, SourceError> {
    let path = PathBuf::from(text);
    if path.exists() { Ok(path) } else { Err(SourceError::NotFound { path }) }
}

/// Splits `PATH[:TAG|@DIGEST]`. A path may hold colons and at signs too: the longest one that exists is meant.
fn selected(text: &str) -> Result<(PathBuf, Option<Selector>), SourceError> {
    if Path::new(text).exists() {
        return Ok((PathBuf::from(text), None));
    }
    for (at, sign) in text.char_indices().rev().filter(|(_, sign)| matches!(sign, ':' | '@')) {
        let (path, selector) = (&text[..at], &text[at + 1..]);
        if path.is_empty() || selector.is_empty() || !Path::new(path).exists() {
            continue;
        }
        let selector = match (sign, selector.parse()) {
            ('@', Ok(digest)) => Selector::Digest(digest),
            ('@', Err(problem)) => {
                return Err(SourceError::NotAnImage { path: PathBuf::from(path), problem: problem.to_string() });
            }
            _ => Selector::Tag(selector.to_owned()),
        };
        return Ok((PathBuf::from(path), Some(selector)));
    }
    Err(SourceError::NotFound { path: PathBuf::from(text) })
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selector::Tag(tag) => f.write_str(tag),
            Selector::Digest(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, path, selector) = match self {
            Reference::DockerArchive(path) => ("docker-archive:", path, &None),
            Reference::Oci(path, selector) => ("oci:", path, selector),
            Reference::OciArchive(path, selector) => ("oci-archive:", path, selector),
            Reference::Layer(path) => ("layer:", path, &None),
            Reference::Dir(path) => ("dir:", path, &None),
            Reference::Pipe(path) => ("", path, &None),
            Reference::Engine(engine, name) => return write!(f, "{}:{name}", engine.as_str()),
            Reference::ContainersStorage(name) => return write!(f, "containers-storage:{name}"),
            Reference::Containerd(name) => return write!(f, "containerd:{name}"),
            Reference::Registry(name) => return write!(f, "registry:{name}"),
            Reference::Stdin => return f.write_str("-"),
            Reference::DockerSave(save) => return write!(f, "docker-daemon:{}", save.name),
            Reference::Example => return f.write_str("example:"),
        };
        write!(f, "{scheme}{}", path.display())?;
        match selector {
            None => Ok(()),
            Some(Selector::Tag(tag)) => write!(f, ":{tag}"),
            Some(Selector::Digest(digest)) => write!(f, "@{digest}"),
        }
    }
}
