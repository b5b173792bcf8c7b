//! Which files may be parts of an image that lies in another: its documents by their first bytes and the words in them, its layers by
//! how they are called.

use memchr::memmem;

/// Larger documents are not kept. Manifests have some KiB; configs grow with the history.
const MAX_DOCUMENT: usize = 1 << 20;

/// A document of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// The one that all others are found from: `index.json` of a layout, `manifest.json` of a Docker archive.
    Start,
    /// An index, a manifest or a config.
    Other,
}

/// What a whole file is, if it may be a document of an image.
pub fn document(path: &[u8], bytes: &[u8]) -> Option<Document> {
    if !matches!(bytes.first(), Some(b'{' | b'[')) || bytes.len() > MAX_DOCUMENT {
        return None;
    }
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    let has = |word: &str| memmem::find(bytes, word.as_bytes()).is_some();
    match name {
        b"manifest.json" if has("\"Layers\"") => Some(Document::Start),
        b"index.json" if has("\"manifests\"") => Some(Document::Start),
        _ if has("\"diff_ids\"") || has("\"digest\"") && (has("\"layers\"") || has("\"manifests\"")) => Some(Document::Other),
        _ => None,
    }
}

/// Whether a file is called as layers are in layouts and in archives that were unpacked.
pub fn is_blob_name(path: &[u8]) -> bool {
    let mut parts = path.rsplit(|&byte| byte == b'/');
    let name = parts.next().unwrap_or_default();
    let digits = name.strip_prefix(b"sha256:").unwrap_or(name);
    let is_hex = |digits: &[u8]| digits.len() >= 64 && digits[..64].iter().all(u8::is_ascii_hexdigit);
    name == b"layer.tar" || is_hex(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_by_their_words() {
        for (path, bytes, expected) in [
            ("/manifest.json", r#"[{"Config":"x","Layers":[]}]"#, Some(Document::Start)),
            ("/a/index.json", r#"{"manifests":[]}"#, Some(Document::Start)),
            ("/manifest.json", r#"{"name":"web app"}"#, None),
            ("/blobs/sha256/x", r#"{"rootfs":{"diff_ids":[]}}"#, Some(Document::Other)),
            ("/blobs/sha256/x", r#"{"layers":[{"digest":"x"}]}"#, Some(Document::Other)),
            ("/package.json", r#"{"layers":1}"#, None),
            ("/x", "no json \"diff_ids\"", None),
        ] {
            assert_eq!(document(path.as_bytes(), bytes.as_bytes()), expected, "{path} {bytes}");
        }
    }

    #[test]
    fn blobs_are_told_by_their_names() {
        let hex = "0a".repeat(32);
        for (path, expected) in [
            (format!("/x/blobs/sha256/{hex}"), true),
            (format!("/sha256:{hex}.tar.gz"), true),
            (format!("/{hex}/layer.tar"), true),
            ("/layer2.tar".to_owned(), false),
        ] {
            assert_eq!(is_blob_name(path.as_bytes()), expected, "{path}");
        }
    }
}
