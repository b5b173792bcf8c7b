//! From the `manifest.json` of a Docker archive to its images (Docker image spec v1.2, "Combined Image JSON + Filesystem Changeset Format").

use std::collections::BTreeSet;

use serde_json::Value;

use super::resolve::{LayerRef, Parts, Resolver};
use super::{DocumentKind, Selector, TextDocument};
use crate::finding::Reason;
use crate::oci::{Digest, MalformedDocument};

/// Most entries that are looked at.
const MAX_ENTRIES: usize = 10_000;

/// One image of the list.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    config: Option<String>,
    tags: Vec<String>,
    /// None for one that is not a text.
    layers: Vec<Option<String>>,
}

/// Parses the list; entries of another shape are empty.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Entry>, MalformedDocument> {
    const EXPECTED: &str = "a Docker archive's manifest";
    let malformed = |problem: String| MalformedDocument { expected: EXPECTED, problem };
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // The library's own text may quote the document.
    let at = |error: serde_json::Error| malformed(format!("it does not parse at line {} column {}", error.line(), error.column()));
    let value: Value = serde_json::from_slice(bytes).map_err(at)?;
    let entries = value.as_array().ok_or_else(|| malformed("it is not a list".to_owned()))?;
    if !entries.iter().any(|entry| entry.get("Layers").is_some() || entry.get("Config").is_some()) {
        return Err(malformed("no entry has `Config` or `Layers`".to_owned()));
    }
    Ok(entries.iter().map(Entry::from_json).collect())
}

impl Entry {
    fn from_json(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let list = |key: &str| value.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        Self {
            config: value.get("Config").and_then(text),
            tags: list("RepoTags").iter().filter_map(text).collect(),
            layers: list("Layers").iter().map(text).collect(),
        }
    }

    /// The digest that the config's name promises: `<hex>.json` or `blobs/sha256/<hex>`.
    fn promised_digest(&self) -> Option<Digest> {
        let name = self.config.as_deref()?;
        let last = name.rsplit('/').next().unwrap_or(name);
        format!("sha256:{}", last.strip_suffix(".json").unwrap_or(last)).parse().ok()
    }
}

/// Adds the images of the list that are not there yet, and gives their names to those that are.
pub(super) fn add(resolver: &mut Resolver<'_>, entries: &[Entry], document: TextDocument) {
    let mut first = None;
    if entries.len() > MAX_ENTRIES {
        let detail = format!("it lists more than {MAX_ENTRIES} images; the rest were not looked at");
        resolver.note(Reason::EntriesLimit, &document.name, None, detail);
    }
    let mut named = BTreeSet::new();
    for (position, entry) in entries.iter().take(MAX_ENTRIES).enumerate() {
        if is_wanted(resolver, entry) {
            first = first.or(add_entry(resolver, entry, position, &mut named));
        }
    }
    match first {
        Some(image) => resolver.images[image].documents.push(document),
        None if resolver.wanted.is_all() => resolver.homeless.push(document),
        None => {}
    }
}

fn is_wanted(resolver: &mut Resolver<'_>, entry: &Entry) -> bool {
    match &resolver.wanted.selector {
        None => true,
        Some(Selector::Digest(digest)) => entry.promised_digest().as_ref() == Some(digest),
        Some(Selector::Tag(_)) => {
            resolver.known.extend(entry.tags.iter().cloned());
            entry.tags.iter().any(|tag| resolver.wanted.names(tag))
        }
    }
}

fn add_entry(resolver: &mut Resolver<'_>, entry: &Entry, position: usize, named: &mut BTreeSet<usize>) -> Option<usize> {
    let subject = entry.tags.first().map_or_else(|| format!("image {position} of manifest.json"), |tag| format!("image {tag}"));
    let layers: Vec<LayerRef> = entry.layers.iter().map(|layer| layer_ref(resolver, layer.as_deref(), &subject)).collect();
    let config_key = entry.config.as_ref().and_then(|name| resolver.members.find(name).ok()).map(|located| located.key);
    if let Some(image) = resolver.same_image(config_key.as_ref(), &layers) {
        // These names are whole, an index may have but the tag. The first one stays, as it would in a list of one entry.
        if let (Some(tag), true) = (entry.tags.first(), named.insert(image)) {
            resolver.images[image].name = Some(tag.clone());
        }
        return Some(image);
    }
    let place = format!("config of {subject}");
    let config = match &entry.config {
        Some(name) => resolver.document(name, &place, None),
        None => {
            resolver.note(Reason::MalformedDocument, &place, None, "the entry names no config");
            None
        }
    };
    if let (Some((_, bytes)), Some(promised)) = (&config, entry.promised_digest()) {
        let actual = Digest::sha256(bytes);
        if actual != promised {
            resolver.note(Reason::DigestMismatch, &place, None, format!("its bytes hash to {actual}; they were scanned as they are"));
        }
    }
    let digest = config.as_ref().map(|(_, bytes)| Digest::sha256(bytes));
    let image =
        resolver.image(Parts { name: entry.tags.first().cloned(), digest, platform: None, config, layers, documents: Vec::new() })?;
    named.insert(image);
    Some(image)
}

fn layer_ref(resolver: &mut Resolver<'_>, name: Option<&str>, subject: &str) -> LayerRef {
    let blob = match name {
        Some(name) => resolver.layer(name, &format!("layer {name} of {subject}"), None),
        None => {
            resolver.note(Reason::MalformedDocument, &format!("layers of {subject}"), None, "a layer's name is not a text");
            None
        }
    };
    LayerRef { blob, descriptor: None }
}

/// The document of the list.
pub(super) fn document(bytes: Vec<u8>) -> TextDocument {
    TextDocument { kind: DocumentKind::Manifest, name: "manifest.json".to_owned(), bytes }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_far_as_they_make_sense() {
        let entries = parse(br#"[{"Config":"a.json","RepoTags":null,"Layers":["x",7]},{"Layers":"x"}]"#).unwrap();
        assert_eq!(entries[0], Entry { config: Some("a.json".into()), tags: vec![], layers: vec![Some("x".into()), None] });
        assert_eq!(entries[1], Entry::default());
        for bad in [&b""[..], b"null", b"{}", b"[]", b"[1]", br#"[{"name":"web app"}]"#] {
            assert!(parse(bad).is_err());
        }
    }

    #[test]
    fn a_config_is_named_by_its_digest() {
        let hex = "a1".repeat(32);
        for name in [format!("{hex}.json"), format!("blobs/sha256/{hex}")] {
            let entry = Entry { config: Some(name), ..Entry::default() };
            assert_eq!(entry.promised_digest().unwrap().hex(), hex);
        }
        assert_eq!(Entry { config: Some("config.json".into()), ..Entry::default() }.promised_digest(), None);
    }
}
