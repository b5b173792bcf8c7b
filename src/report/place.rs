//! Places and lives in words, for formats for people. Everything is redacted, sanitised and cut here.

use super::redact::Redactor;
use super::{sanitise, words};
use crate::finding::{Counterpart, Finding, ImageFacts, KeyFacts, NestedImage, NestedLayer, Part, Place, Position, Visibility};

/// Texts longer than this are no help to a reader; the JSON report has them in full.
pub(super) const MAX_COLUMNS: usize = 400;

/// Text of the image, fit for a terminal.
pub(super) fn clean(redactor: &Redactor, text: &str) -> String {
    words::shorten(&sanitise::terminal(&redactor.text(text)), MAX_COLUMNS)
}

/// Bytes of the image, fit for a terminal.
pub(super) fn clean_bytes(redactor: &Redactor, bytes: &[u8]) -> String {
    words::shorten(&sanitise::terminal(&redactor.bytes(bytes)), MAX_COLUMNS)
}

/// The instruction that made a layer, cut to `width`.
pub(super) fn instruction(redactor: &Redactor, image: &ImageFacts, layer: usize, width: usize) -> Option<String> {
    let created_by = image.layers.get(layer)?.created_by.as_deref()?;
    // Blanks are folded before control characters are written out, so that a here-document reads as one line.
    let folded = words::instruction(&redactor.text(created_by));
    (!folded.is_empty()).then(|| words::shorten(&sanitise::terminal(&folded), width))
}

/// `layer 7 (COPY . .)`.
pub(super) fn layer(redactor: &Redactor, image: &ImageFacts, layer: usize, width: usize) -> String {
    let index = image.layers.get(layer).map_or(layer, |facts| facts.index);
    match instruction(redactor, image, layer, width) {
        Some(instruction) => format!("layer {index} ({instruction})"),
        None => format!("layer {index}"),
    }
}

/// `/srv/app.jar!BOOT-INF/application.yml:7`.
pub(super) fn place(redactor: &Redactor, place: &Place) -> String {
    let text = match place {
        Place::LayerFile { .. } | Place::RootfsFile { .. } | Place::ArchiveMember { .. } => file(redactor, place),
        Place::LayerBytes { position, .. } => format!("bytes of the layer outside any file, at offset {}", position.offset),
        Place::Config { pointer } => format!("config {}", clean(redactor, pointer)),
        Place::History { pointer, .. } => format!("history {}", clean(redactor, pointer)),
        Place::Label { pointer } => format!("label {}", clean(redactor, pointer)),
        Place::Annotation { document, pointer } => format!("annotation {} of {}", clean(redactor, pointer), clean(redactor, document)),
        Place::Attestation { document, pointer } => format!("attestation {} of {}", clean(redactor, pointer), clean(redactor, document)),
    };
    match place.part() {
        None | Some(Part::Content) => text,
        Some(Part::Name) => format!("{text} (in the name itself)"),
        Some(Part::LinkTarget) => format!("{text} (in the target of the link)"),
        Some(Part::Pax(key)) => format!("{text} (in PAX record {})", clean(redactor, key)),
    }
}

fn file(redactor: &Redactor, place: &Place) -> String {
    let mut text = clean_bytes(redactor, place.path().unwrap_or_default());
    for member in place.inner() {
        text.push('!');
        text.push_str(&clean_bytes(redactor, member));
    }
    if let Some(Position { line, .. }) = place.position() {
        text.push_str(&format!(":{line}"));
    }
    text
}

/// What became of the secret, cut to about `width` columns.
pub(super) fn life(redactor: &Redactor, image: &ImageFacts, finding: &Finding, width: usize) -> Option<String> {
    let nested = finding.nested_image.as_deref().map(|image| nested_life(redactor, image, width));
    [outer_life(redactor, image, finding, width), nested].into_iter().flatten().reduce(|outer, nested| format!("{outer}; {nested}"))
}

/// What became of it in an image that lies in the file.
fn nested_life(redactor: &Redactor, image: &NestedImage, width: usize) -> String {
    let name = match (&image.name, &image.digest) {
        (Some(name), _) => format!("the image {} in the file", clean(redactor, name)),
        (None, Some(digest)) => format!("the image {digest} in the file"),
        (None, None) => "the image in the file".to_owned(),
    };
    let layer = |layer: &NestedLayer| match layer.created_by.as_deref().map(|text| words::instruction(&redactor.text(text))) {
        Some(text) if !text.is_empty() => format!("layer {} ({})", layer.index, words::shorten(&sanitise::terminal(&text), width)),
        _ => format!("layer {}", layer.index),
    };
    let Some(brought) = &image.layer else { return format!("in the metadata of {name}") };
    let by = image.hidden_by.as_ref().map(layer).unwrap_or_default();
    let fate = match image.visibility {
        None => String::new(),
        Some(Visibility::InFinalImage) => ", where no later one hides it".to_owned(),
        Some(Visibility::Overwritten { .. }) => format!(", overwritten in its {by}: still readable"),
        Some(Visibility::Deleted { .. }) => format!(", deleted in its {by}: still readable"),
    };
    format!("in {} of {name}{fate}", layer(brought))
}

fn outer_life(redactor: &Redactor, image: &ImageFacts, finding: &Finding, width: usize) -> Option<String> {
    let by = |index| layer(redactor, image, index, width);
    Some(match finding.visibility {
        Some(Visibility::InFinalImage) => "in the final image".to_owned(),
        Some(Visibility::Overwritten { layer }) => format!("overwritten in {}: still readable by anyone who pulls", by(layer)),
        Some(Visibility::Deleted { layer }) => format!("deleted in {}: still readable by anyone who pulls", by(layer)),
        None => match finding.place {
            Place::LayerFile { .. } | Place::LayerBytes { .. } => "readable by anyone who pulls".to_owned(),
            Place::RootfsFile { .. } | Place::ArchiveMember { .. } => return None,
            _ => "in the image's metadata: readable by anyone who pulls".to_owned(),
        },
    })
}

/// `certificate of shop.example, issued by ..., in /etc/ssl/shop.pem of layer 3`.
pub(super) fn counterpart(redactor: &Redactor, counterpart: &Counterpart) -> String {
    let layer = counterpart.layer.map(|layer| format!(" of layer {layer}")).unwrap_or_default();
    let path = clean(redactor, &super::sanitise::bytes(&counterpart.path));
    format!("{} in {path}{layer}", clean(redactor, &counterpart.what))
}

/// `ed25519, 256 bits, without passphrase, SHA256:...`.
pub(super) fn key(redactor: &Redactor, key: &KeyFacts) -> String {
    let facts = [
        key.algorithm.as_deref().map(|algorithm| clean(redactor, algorithm)),
        key.bits.map(|bits| format!("{bits} bits")),
        key.encrypted.map(|encrypted| if encrypted { "with passphrase" } else { "without passphrase" }.to_owned()),
        key.fingerprint.as_deref().map(|fingerprint| clean(redactor, fingerprint)),
    ];
    facts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
