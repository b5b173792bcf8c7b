//! A tar written entry by entry: a layer, or an archive of images.

use tar::{EntryType, Header};

const BLOCK: usize = 512;

/// Every time in a built layer: the first second of 2024.
const MTIME: u64 = 1_704_067_200;

/// A tar in memory. Names are written as bytes, without a leading `/`, as image builders do.
#[derive(Debug, Default)]
pub struct LayerBuilder {
    bytes: Vec<u8>,
    after_end: Vec<u8>,
}

impl LayerBuilder {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A regular file.
    pub fn file(&mut self, path: impl AsRef<[u8]>, contents: impl AsRef<[u8]>) {
        let mut header = header(EntryType::Regular, 0o644);
        self.named(path.as_ref(), &mut header, b"", contents.as_ref());
    }

    /// A folder.
    pub fn directory(&mut self, path: impl AsRef<[u8]>) {
        let path = [path.as_ref(), b"/"].concat();
        self.named(&path, &mut header(EntryType::Directory, 0o755), b"", b"");
    }

    /// A symbolic link to `target`.
    pub fn symlink(&mut self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) {
        self.named(path.as_ref(), &mut header(EntryType::Symlink, 0o777), target.as_ref(), b"");
    }

    /// A further name of `target`, which is a path from the root of the layer.
    pub fn hard_link(&mut self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) {
        self.named(path.as_ref(), &mut header(EntryType::Link, 0o644), relative(target.as_ref()), b"");
    }

    /// A whiteout: `path` of the layers below is deleted.
    pub fn whiteout(&mut self, path: impl AsRef<[u8]>) {
        let path = path.as_ref();
        let cut = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
        self.file([&path[..cut], b".wh.", &path[cut..]].concat(), b"");
    }

    /// An opaque whiteout: all that the layers below have in the folder `path` is deleted.
    pub fn opaque(&mut self, path: impl AsRef<[u8]>) {
        self.file([path.as_ref(), b"/.wh..wh..opq"].concat(), b"");
    }

    /// PAX records of the next entry.
    pub fn pax(&mut self, records: &[(&str, &[u8])]) {
        let body: Vec<u8> = records.iter().flat_map(|(key, value)| pax_record(key, value)).collect();
        self.named(b"PaxHeaders/entry", &mut header(EntryType::XHeader, 0o644), b"", &body);
    }

    /// An entry with a header of the caller's own, written as it is, and a body, padded to whole blocks.
    pub fn raw(&mut self, header: &Header, body: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(header.as_bytes());
        self.padded(body.as_ref());
    }

    /// Bytes of the archive that are no entry.
    pub fn bytes(&mut self, bytes: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(bytes.as_ref());
    }

    /// Bytes after the end-of-archive mark.
    pub fn after_end(&mut self, bytes: impl AsRef<[u8]>) {
        self.after_end.extend_from_slice(bytes.as_ref());
    }

    /// A header for an entry of `size` bytes at `path`, which is cut if it has more than 100, to be altered and given to
    /// [`LayerBuilder::raw`]. Its checksum is right until then.
    pub fn header(path: impl AsRef<[u8]>, kind: EntryType, size: u64) -> Header {
        let mut header = header(kind, 0o644);
        set_name(&mut header, relative(path.as_ref()));
        header.set_size(size);
        header.set_cksum();
        header
    }

    /// The tar, with its end-of-archive mark.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes.append(&mut self.after_end);
        self.bytes
    }

    fn named(&mut self, path: &[u8], header: &mut Header, link: &[u8], body: &[u8]) {
        let path = relative(path);
        self.long(path, EntryType::GNULongName);
        self.long(link, EntryType::GNULongLink);
        set_name(header, path);
        let field = &mut header.as_old_mut().linkname;
        let length = link.len().min(field.len());
        field[..length].copy_from_slice(&link[..length]);
        header.set_size(body.len() as u64);
        header.set_cksum();
        self.raw(header, body);
    }

    /// A name that the header has no room for goes before it, as GNU tar does.
    fn long(&mut self, name: &[u8], kind: EntryType) {
        if name.len() <= 100 {
            return;
        }
        let body = [name, b"\0"].concat();
        let header = Self::header("././@LongLink", kind, body.len() as u64);
        self.raw(&header, body);
    }

    fn padded(&mut self, body: &[u8]) {
        self.bytes.extend_from_slice(body);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
    }
}

fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(MTIME);
    header.set_size(0);
    header
}

fn set_name(header: &mut Header, path: &[u8]) {
    let field = &mut header.as_old_mut().name;
    let length = path.len().min(field.len());
    field.fill(0);
    field[..length].copy_from_slice(&path[..length]);
}

fn relative(path: &[u8]) -> &[u8] {
    path.strip_prefix(b"/").unwrap_or(path)
}

/// `<length> <key>=<value>\n`, where the length counts its own digits.
fn pax_record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
    let mut length = rest.len() + 1;
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    [length.to_string().as_bytes(), &rest].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn another_reader_reads_what_was_written() {
        let long = format!("/{}/end", "folder/".repeat(30));
        let mut layer = LayerBuilder::new();
        layer.directory("/a");
        layer.file("/a/b", "text");
        layer.pax(&[("comment", b"note"), ("SCHILY.xattr.user.x", b"1\n2")]);
        layer.file(&long, "far");
        layer.symlink("/l", &long);
        layer.hard_link("/h", "/a/b");
        layer.whiteout("/a/c");
        layer.opaque("/d");
        layer.after_end("rest");
        let bytes = layer.finish();
        assert!(bytes.ends_with(b"\0rest"));
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut seen = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let link = entry.link_name_bytes().map(|link| String::from_utf8(link.into_owned()).unwrap());
            seen.push((String::from_utf8(entry.path_bytes().into_owned()).unwrap(), link.unwrap_or(text)));
        }
        let expected =
            [("a/", ""), ("a/b", "text"), (&long[1..], "far"), ("l", long.as_str()), ("h", "a/b"), ("a/.wh.c", ""), ("d/.wh..wh..opq", "")];
        assert_eq!(seen, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
    }

    #[test]
    fn the_length_of_a_record_counts_itself() {
        assert_eq!(pax_record("a", b"b"), b"6 a=b\n");
        for length in 0..200 {
            let record = pax_record("key", &vec![b'x'; length]);
            assert!(record.starts_with(format!("{} key=", record.len()).as_bytes()));
        }
    }
}
