//! The tables of contents that some layers carry: which files a layer has, without the layer.
//!
//! eStargz ends in a footer of 51 bytes (47 in its older form, stargz): an empty gzip member whose extra field has the offset of another member, a tar of the one
//! file `stargz.index.json`. zstd:chunked layers have an annotation with the place of a zstd-compressed document of the same shape. A table is what
//! whoever made the layer says of it: files may be in the layer that are not in the table. Only a scan reads what is there.

use std::fmt;
use std::io::{self, Read};

use serde::Deserialize;

use super::client::Client;
use super::name::ImageName;
use super::options::RegistryOptions;
use super::{Registry, RegistryError};
use crate::finding::Skipped;
use crate::oci::{Descriptor, Digest, Hasher, Platform};
use crate::source::members::MAX_DOCUMENT;
use crate::source::resolve::Wanted;
use crate::source::{Source as _, SourceError};

/// Bytes of an eStargz footer.
const FOOTER: u64 = 51;
/// Bytes of the gzip header that it begins with, up to the extra field's length.
const GZIP_HEADER: usize = 10;
/// The one file of the tar that holds an eStargz table.
const INDEX: &str = "stargz.index.json";

const POSITION: [&str; 2] = ["io.github.containers.zstd-chunked.manifest-position", "io.containers.zstd-chunked.manifest-position"];
const CHECKSUM: [&str; 2] = ["io.github.containers.zstd-chunked.manifest-checksum", "io.containers.zstd-chunked.manifest-checksum"];
const STARGZ_DIGEST: &str = "containerd.io/snapshot/stargz/toc.digest";

/// What an image in a registry says of its files.
#[derive(Debug)]
pub struct Tables {
    /// Each image with its layers, base first.
    pub images: Vec<ImageTables>,
    /// What could not be resolved.
    pub skipped: Vec<Skipped>,
    /// What the user should know of the way: one sentence each.
    pub notes: Vec<String>,
}

/// What one image says of its files.
#[derive(Debug)]
pub struct ImageTables {
    /// Of the manifest.
    pub digest: Option<Digest>,
    /// Its platform.
    pub platform: Option<Platform>,
    /// Its layers; a malformed reference has no digest.
    pub layers: Vec<LayerTable>,
}

/// What one layer says of its files.
#[derive(Debug)]
pub struct LayerTable {
    /// Of the layer as stored.
    pub digest: Option<Digest>,
    /// Bytes of the layer as stored, as far as the manifest says it.
    pub size: Option<u64>,
    /// Its table.
    pub table: Result<Table, NoTable>,
}

/// A table of contents.
#[derive(Debug)]
pub struct Table {
    /// The form of the layer: `eStargz`, `zstd:chunked`.
    pub form: &'static str,
    /// Bytes that were read for it.
    pub read: u64,
    /// In the order of the table.
    pub entries: Vec<Entry>,
}

/// A file, as a table has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// As in the layer's tar.
    pub name: String,
    /// `reg`, `dir`, `symlink`, `hardlink`, `char`, `block`, `fifo`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Bytes of a regular file.
    #[serde(default)]
    pub size: u64,
    /// Where a link leads.
    #[serde(default, rename = "linkName")]
    pub target: String,
}

/// Why there is no table of a layer.
#[derive(Debug, thiserror::Error)]
pub enum NoTable {
    /// It has none.
    #[error("no table of contents")]
    Absent,
    /// The registry did not give it.
    #[error(transparent)]
    Registry(Box<RegistryError>),
    /// It makes no sense.
    #[error("its table of contents makes no sense: {0}")]
    Malformed(&'static str),
    /// It is not the one that the manifest names.
    #[error("its table of contents hashes to {actual}: it is not the one the manifest names")]
    Other {
        /// Of what is there.
        actual: Digest,
    },
}

impl From<RegistryError> for NoTable {
    fn from(error: RegistryError) -> Self {
        NoTable::Registry(Box::new(error))
    }
}

/// Where a table lies in a layer.
#[derive(Debug, PartialEq, Eq)]
struct Position {
    offset: u64,
    length: u64,
}

/// Asks for the tables of all layers of an image, each once.
pub fn tables(name: &ImageName, platform: Option<Platform>, options: &RegistryOptions) -> Result<Tables, SourceError> {
    let registry = Registry::open(name, Wanted { platform, selector: None }, options)?;
    let contents = registry.contents()?;
    let of = |layer: crate::source::Layer| match &layer.descriptor {
        None => LayerTable { digest: None, size: None, table: Err(NoTable::Malformed("the manifest's reference to the layer is none")) },
        Some(layer) => {
            LayerTable { digest: Some(layer.digest.clone()), size: layer.size, table: table(&registry.client, name.repository(), layer) }
        }
    };
    let images = contents.images.into_iter().filter(|image| !image.layers.is_empty());
    let images = images.map(|image| ImageTables {
        digest: image.digest,
        platform: image.platform,
        layers: image.layers.into_iter().map(of).collect(),
    });
    Ok(Tables { images: images.collect(), skipped: contents.skipped, notes: registry.notes() })
}

fn table(client: &Client, repository: &str, layer: &Descriptor) -> Result<Table, NoTable> {
    let annotation = |keys: &[&str]| keys.iter().find_map(|key| layer.annotations.get(*key));
    if let Some(position) = annotation(&POSITION) {
        let position = chunked(position).ok_or(NoTable::Malformed("the annotation with its place is none"))?;
        let bytes = part(client, repository, layer, &position)?;
        check(&bytes, annotation(&CHECKSUM))?;
        let json = zstd::Decoder::new(&bytes[..]).and_then(whole).map_err(|_| NoTable::Malformed("it is not zstd"))?;
        return Ok(Table { form: "zstd:chunked", read: position.length, entries: entries(&json)? });
    }
    let Some(size) = layer.size.filter(|size| *size > FOOTER && layer.media_type.ends_with("gzip")) else { return Err(NoTable::Absent) };
    let footer = part(client, repository, layer, &Position { offset: size - FOOTER, length: FOOTER })?;
    let offset = stargz(&footer).ok_or(NoTable::Absent)?;
    let length = (size - FOOTER).checked_sub(offset).ok_or(NoTable::Malformed("it lies beyond the end"))?;
    let bytes = part(client, repository, layer, &Position { offset, length })?;
    let tar = whole(flate2::bufread::GzDecoder::new(&bytes[..])).map_err(|_| NoTable::Malformed("it is not gzip"))?;
    let json = index(&tar).ok_or(NoTable::Malformed("there is no stargz.index.json in it"))?;
    check(&json, layer.annotations.get(STARGZ_DIGEST))?;
    Ok(Table { form: "eStargz", read: FOOTER + length, entries: entries(&json)? })
}

fn part(client: &Client, repository: &str, layer: &Descriptor, position: &Position) -> Result<Vec<u8>, NoTable> {
    let end = position.offset.checked_add(position.length);
    let problem = match (position.length, layer.size) {
        (MAX_DOCUMENT.., _) => Some("it is larger than 64 MiB"),
        (_, Some(size)) if end.is_none_or(|end| end > size) => Some("it lies beyond the end"),
        // What begins there needs no range, so that a registry would give the whole.
        _ if position.offset == 0 => Some("it lies where the layer begins"),
        _ => None,
    };
    if let Some(problem) = problem {
        return Err(NoTable::Malformed(problem));
    }
    let bytes = client.part(repository, &layer.digest, position.offset, position.length)?;
    if bytes.len() as u64 == position.length { Ok(bytes) } else { Err(NoTable::Malformed("it is cut off")) }
}

/// `OFFSET:LENGTH:LENGTH OF THE DOCUMENT:1`.
fn chunked(annotation: &str) -> Option<Position> {
    let numbers: Vec<u64> = annotation.split(':').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let &[offset, length, _, 1] = &numbers[..] else { return None };
    Some(Position { offset, length })
}

/// The offset that a footer of either form has: sixteen hex digits and `STARGZ` in gzip's extra field, in eStargz as its subfield `SG`.
fn stargz(footer: &[u8]) -> Option<u64> {
    let of_form = |footer: &[u8], before: &[u8]| {
        let is_gzip = footer.starts_with(&[0x1f, 0x8b, 8, 4]);
        let extra = footer.get(GZIP_HEADER..)?.strip_prefix(before).filter(|_| is_gzip)?;
        let digits = extra.get(..22)?.strip_suffix(b"STARGZ")?;
        u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    of_form(footer, b"\x1a\0SG\x16\0").or_else(|| of_form(footer.get(4..)?, b"\x16\0"))
}

/// All that `reader` gives, within the bound of a document.
fn whole(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_DOCUMENT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_DOCUMENT { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

fn index(tar: &[u8]) -> Option<Vec<u8>> {
    let mut archive = tar::Archive::new(tar);
    let entry = archive.entries().ok()?.next()?.ok()?;
    if entry.path_bytes() != INDEX.as_bytes() {
        return None;
    }
    whole(entry).ok()
}

fn check(bytes: &[u8], digest: Option<&String>) -> Result<(), NoTable> {
    let Some(digest) = digest else { return Ok(()) };
    let digest: Digest = digest.parse().map_err(|_| NoTable::Malformed("the annotation with its digest is none"))?;
    let mut hasher = Hasher::new(digest.algorithm());
    hasher.update(bytes);
    let actual = hasher.finish();
    if actual == digest { Ok(()) } else { Err(NoTable::Other { actual }) }
}

fn entries(json: &[u8]) -> Result<Vec<Entry>, NoTable> {
    #[derive(Deserialize)]
    struct Document {
        entries: Vec<Entry>,
    }
    // What serde says of the text could quote it.
    let document: Document = serde_json::from_slice(json).map_err(|_| NoTable::Malformed("it is not the JSON that it should be"))?;
    // Further parts of a large file are entries of their own.
    Ok(document.entries.into_iter().filter(|entry| entry.kind != "chunk").collect())
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.trim_start_matches("./").trim_matches('/');
        write!(f, "/{name}")?;
        if self.target.is_empty() { Ok(()) } else { write!(f, " -> {}", self.target) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn footers_of_both_forms_are_read() {
        let header = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff];
        let rest = [1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        let new = [&header[..], b"\x1a\0SG\x16\0", b"00000000000004d2STARGZ", &rest].concat();
        let old = [&b"data"[..], &header, b"\x16\0", b"00000000000004d2STARGZ", &rest].concat();
        assert_eq!((new.len() as u64, old.len() as u64), (FOOTER, FOOTER));
        assert_eq!((stargz(&new), stargz(&old)), (Some(1234), Some(1234)));
        for end in 0..new.len() - rest.len() {
            assert_eq!((stargz(&new[..end]), stargz(&old[..end])), (None, None), "{end}");
        }
        for at in 0..3 {
            let mut other = new.clone();
            other[at] ^= 1;
            assert_eq!(stargz(&other), None);
        }
        assert_eq!(stargz(&new.iter().map(|byte| if *byte == b'4' { b'x' } else { *byte }).collect::<Vec<_>>()), None);
    }

    #[test]
    fn places_are_read() {
        assert_eq!(chunked("12:34:56:1"), Some(Position { offset: 12, length: 34 }));
        for none in ["", "12:34:56", "12:34:56:2", "12:34:56:1:1", "-1:2:3:1", "a:b:c:1"] {
            assert_eq!(chunked(none), None, "{none}");
        }
    }
}
