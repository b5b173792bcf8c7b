//! What a path that was given without a scheme is: looked at, never guessed from its name.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::members::MAX_DOCUMENT;
use super::mmap::Mapping;
use super::skopeo_dir::is_skopeo_dir;
use super::tar_walk::{Kind, Member, Walk};
use super::{Blob, docker_images};
use crate::layer::decode::{Compression, Decoded, SNIFFED, decode};
use crate::oci::Index;

/// Decompressed bytes of a compressed archive that are looked at.
const PEEKED: u64 = 1 << 20;

/// What a path holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sniffed {
    /// An OCI layout folder.
    Layout,
    /// Any other folder.
    Folder,
    /// An archive with `manifest.json` or with parts named like a Docker archive's.
    DockerArchive,
    /// An archive with an OCI layout in it.
    OciArchive,
    /// A tar, compressed or not, that is no image archive; or any other file.
    Layer,
    /// A pipe or device, which can be read once only.
    Pipe,
}

/// Looks at what `path` holds.
pub(super) fn sniff(path: &Path) -> io::Result<Sniffed> {
    let meta = std::fs::metadata(path)?;
    if meta.is_dir() {
        return Ok(if is_layout(path) && !is_skopeo_dir(path) { Sniffed::Layout } else { Sniffed::Folder });
    }
    if !meta.is_file() {
        return Ok(Sniffed::Pipe);
    }
    let file = File::open(path)?;
    if compression_of(&file)? == Compression::None {
        return Ok(sniff_archive(Mapping::of(&file)?.bytes()));
    }
    let (_, Decoded::Stream(decoder)) = decode(Blob::Stream(Box::new(File::open(path)?)))? else {
        return Ok(Sniffed::Layer);
    };
    let mut head = Vec::new();
    // Damage shows, and is told, when the file is scanned.
    let _ = decoder.take(PEEKED).read_to_end(&mut head);
    Ok(if !looks_like_image_archive(&head) {
        Sniffed::Layer
    } else if first_name(&head).is_some_and(|name| is_layout_name(&name)) {
        Sniffed::OciArchive
    } else {
        Sniffed::DockerArchive
    })
}

/// How a file is compressed; the file's position is moved.
pub(super) fn compression_of(mut file: &File) -> io::Result<Compression> {
    let mut head = Vec::new();
    file.by_ref().take(SNIFFED as u64).read_to_end(&mut head)?;
    Ok(Compression::sniff(&head))
}

fn is_layout(path: &Path) -> bool {
    if path.join("oci-layout").is_file() {
        return true;
    }
    let index = path.join("index.json");
    let is_small = std::fs::metadata(&index).is_ok_and(|meta| meta.is_file() && meta.len() <= MAX_DOCUMENT);
    is_small && std::fs::read(index).is_ok_and(|bytes| Index::parse(&bytes).is_ok())
}

/// An uncompressed file: walks all its members, for the documents may come last.
fn sniff_archive(bytes: &[u8]) -> Sniffed {
    let mut walk = Walk::new(bytes);
    let mut by_first_name = None;
    let mut has_index = false;
    let is_cut = loop {
        let member = match walk.next() {
            Ok(Some(member)) => member,
            Ok(None) => break false,
            Err(_) => break true,
        };
        let name = member.name.trim_start_matches("./").trim_start_matches('/');
        if name.is_empty() {
            continue;
        }
        by_first_name.get_or_insert_with(|| names_an_image_archive(name).then(|| is_layout_name(name)));
        match name {
            "manifest.json" if docker_images::parse(contents(bytes, &member)).is_ok() => return Sniffed::DockerArchive,
            "index.json" => has_index = has_index || Index::parse(contents(bytes, &member)).is_ok(),
            "oci-layout" => has_index = true,
            _ => {}
        }
    };
    match by_first_name.flatten() {
        _ if has_index => Sniffed::OciArchive,
        Some(true) => Sniffed::OciArchive,
        // The document that says it all comes last and is lost; without damage it would be there if this were an image.
        Some(false) if is_cut => Sniffed::DockerArchive,
        Some(false) | None => Sniffed::Layer,
    }
}

fn contents<'b>(bytes: &'b [u8], member: &Member) -> &'b [u8] {
    let start = usize::try_from(member.position).ok();
    let size = usize::try_from(member.size.min(MAX_DOCUMENT)).ok();
    let range = start.zip(size).map(|(start, size)| start..start.saturating_add(size));
    range.and_then(|range| bytes.get(range)).filter(|_| member.kind == Kind::File).unwrap_or_default()
}

/// Whether the head of a tar, of which no more can be seen, is an image archive's: its first member that is not the root is called like one.
pub(super) fn looks_like_image_archive(head: &[u8]) -> bool {
    first_name(head).is_some_and(|name| names_an_image_archive(&name))
}

fn first_name(head: &[u8]) -> Option<String> {
    let mut walk = Walk::new(head);
    while let Ok(Some(member)) = walk.next() {
        let name = member.name.trim_start_matches("./").trim_start_matches('/');
        if !name.is_empty() && name != "." {
            return Some(name.to_owned());
        }
    }
    None
}

fn is_layout_name(name: &str) -> bool {
    name == "oci-layout" || name == "index.json" || name == "blobs" || name.starts_with("blobs/")
}

/// The names that the tools of the field give the members of image archives.
fn names_an_image_archive(name: &str) -> bool {
    let first = name.split('/').next().unwrap_or(name);
    let stem = [".tar.gz", ".tar", ".json"].iter().find_map(|end| first.strip_suffix(end)).unwrap_or(first);
    let is_hex = stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_layout_name(name) || matches!(name, "manifest.json" | "repositories") || is_hex || first.starts_with("sha256:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_image_archives() {
        let hex = "0a".repeat(32);
        let sha = format!("sha256:{hex}");
        for name in ["manifest.json", "index.json", "oci-layout", "repositories", "blobs/", "blobs/sha256/x", &hex, &sha] {
            assert!(names_an_image_archive(name), "{name}");
        }
        for end in [".tar", ".tar.gz", ".json", "/", "/layer.tar"] {
            assert!(names_an_image_archive(&format!("{hex}{end}")), "{end}");
        }
        for name in ["etc/", "bin/sh", "app/manifest.json", "blobsy", "sha256", "abc.tar"] {
            assert!(!names_an_image_archive(name), "{name}");
        }
    }
}
