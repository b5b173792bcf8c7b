//! Makes archives in memory, sound ones and hostile ones, from which the tests of what stands inside files are made.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use sha1::{Digest as _, Sha1};

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A tar of files.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

/// What one of the two tables of a zip archive says of a member.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) name: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) stored: u32,
    pub(crate) size: u32,
    /// Of the local record; for the central table.
    pub(crate) offset: u32,
}

impl Said {
    fn fields(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(20u16.to_le_bytes());
        out.extend(self.flags.to_le_bytes());
        out.extend(self.method.to_le_bytes());
        out.extend([0; 8]);
        out.extend(self.stored.to_le_bytes());
        out.extend(self.size.to_le_bytes());
        out.extend((self.name.len() as u16).to_le_bytes());
        out.extend([0; 2]);
        out
    }

    pub(crate) fn local(&self) -> Vec<u8> {
        [&b"PK\x03\x04"[..], &self.fields(), &self.name].concat()
    }

    fn central(&self) -> Vec<u8> {
        let mut out = b"PK\x01\x02\x14\0".to_vec();
        out.extend(self.fields());
        out.extend([0; 10]);
        out.extend(self.offset.to_le_bytes());
        out.extend(&self.name);
        out
    }
}

/// A zip archive that is written part by part, so that any part can lie.
#[derive(Debug, Default)]
pub(crate) struct Zip {
    pub(crate) bytes: Vec<u8>,
    pub(crate) central: Vec<Said>,
}

impl Zip {
    /// Adds a sound member.
    pub(crate) fn add(mut self, name: &str, content: &[u8], method: u16) -> Self {
        let stored = if method == 8 { deflate(content) } else { content.to_vec() };
        let said = self.said(name, &stored, content.len(), method);
        self.bytes.extend(said.local());
        self.bytes.extend(&stored);
        self.central.push(said);
        self
    }

    /// What a sound member's record here says.
    pub(crate) fn said(&self, name: &str, stored: &[u8], size: usize, method: u16) -> Said {
        let (stored, offset) = (stored.len() as u32, self.bytes.len() as u32);
        Said { name: name.into(), flags: 0, method, stored, size: size as u32, offset }
    }

    /// Adds bytes as they are.
    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    /// The archive, with the directory at its end.
    pub(crate) fn finish(self) -> Vec<u8> {
        let (mut out, offset) = (self.bytes, 0);
        let start = out.len() + offset;
        self.central.iter().for_each(|said| out.extend(said.central()));
        let size = out.len() - start;
        out.extend(b"PK\x05\x06\0\0\0\0");
        out.extend([self.central.len() as u16, self.central.len() as u16].map(u16::to_le_bytes).concat());
        out.extend((size as u32).to_le_bytes());
        out.extend((start as u32).to_le_bytes());
        out.extend([0, 0]);
        out
    }
}

/// A zip archive of deflated files.
pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    files.iter().fold(Zip::default(), |zip, (name, bytes)| zip.add(name, bytes, 8)).finish()
}

/// An `ar` archive.
pub(crate) fn ar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, bytes) in files {
        out.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "100644", bytes.len()).bytes());
        out.extend(*bytes);
        out.extend(&b"\n"[..bytes.len() % 2]);
    }
    out
}

/// A cpio archive in the new ASCII form.
pub(crate) fn cpio(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in files.iter().chain([&("TRAILER!!!", &b""[..])]) {
        let fields = [1, 0o100644, 0, 0, 1, 0, bytes.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
        out.extend(format!("070701{}{name}\0", fields.map(|field| format!("{field:08X}")).concat()).bytes());
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(*bytes);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

/// An LZ4 frame whose blocks are stored as they are.
pub(crate) fn lz4(bytes: &[u8]) -> Vec<u8> {
    // Independent blocks of 64 KiB, no checksums but the header's own.
    let mut out = vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
    for block in bytes.chunks(64 << 10) {
        out.extend((block.len() as u32 | 1 << 31).to_le_bytes());
        out.extend(block);
    }
    out.extend([0; 4]);
    out
}

/// An asar archive.
pub(crate) fn asar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tree = serde_json::json!({});
    let mut offset = 0;
    for (name, bytes) in files {
        let mut node = &mut tree;
        for part in name.split('/') {
            node = &mut node["files"][part];
        }
        *node = serde_json::json!({ "size": bytes.len(), "offset": offset.to_string() });
        offset += bytes.len();
    }
    let tree = tree.to_string();
    let padded = tree.len().next_multiple_of(4);
    let mut out = [4, padded + 8, padded + 4, tree.len()].map(|number| (number as u32).to_le_bytes()).concat();
    out.extend(tree.bytes());
    out.resize(16 + padded, 0);
    files.iter().for_each(|(_, bytes)| out.extend(*bytes));
    out
}

/// A 7z archive of one stream.
pub(crate) struct SevenZip<'s> {
    pub(crate) files: &'s [(&'s str, &'s [u8])],
    /// What is undone, one after the other: the name of the method, and its parameters.
    pub(crate) steps: &'s [(&'s [u8], &'s [u8])],
    /// All files as they are stored.
    pub(crate) stored: &'s [u8],
    /// Bytes of all files.
    pub(crate) size: usize,
}

impl SevenZip<'_> {
    fn number(out: &mut Vec<u8>, number: usize) {
        if number < 0x80 {
            out.push(number as u8);
        } else {
            out.push(0xff);
            out.extend((number as u64).to_le_bytes());
        }
    }

    /// The part of a table that says where a stream is and how it is stored.
    fn stream(offset: usize, stored: usize, steps: &[(&[u8], &[u8])], size: usize) -> Vec<u8> {
        let mut table = vec![6];
        Self::number(&mut table, offset);
        table.extend([1, 9]);
        Self::number(&mut table, stored);
        table.extend([0, 7, 11, 1, 0, steps.len() as u8]);
        for (method, parameters) in steps {
            table.push(method.len() as u8 | if parameters.is_empty() { 0 } else { 0x20 });
            table.extend(*method);
            if !parameters.is_empty() {
                table.push(parameters.len() as u8);
                table.extend(*parameters);
            }
        }
        // What goes into a step comes out of the one before it.
        (1..steps.len() as u8).for_each(|step| table.extend([step, step - 1]));
        table.push(12);
        steps.iter().for_each(|_| Self::number(&mut table, size));
        table.push(0);
        table
    }

    fn table(&self) -> Vec<u8> {
        let files = self.files;
        let mut table = [vec![1, 4], Self::stream(0, self.stored.len(), self.steps, self.size), vec![8, 13]].concat();
        Self::number(&mut table, files.len());
        table.push(9);
        files[..files.len() - 1].iter().for_each(|(_, bytes)| Self::number(&mut table, bytes.len()));
        table.extend([0, 0, 5]);
        Self::number(&mut table, files.len());
        let names: Vec<u8> = files.iter().flat_map(|(name, _)| name.encode_utf16().chain([0])).flat_map(u16::to_le_bytes).collect();
        table.push(17);
        Self::number(&mut table, names.len() + 1);
        table.push(0);
        table.extend(names);
        table.extend([0, 0]);
        table
    }

    fn archive(body: &[u8], table: &[u8]) -> Vec<u8> {
        let mut out = b"7z\xbc\xaf\x27\x1c\0\x04\0\0\0\0".to_vec();
        out.extend((body.len() as u64).to_le_bytes());
        out.extend((table.len() as u64).to_le_bytes());
        out.extend([0; 4]);
        [&out[..], body, table].concat()
    }

    /// The archive.
    pub(crate) fn plain(&self) -> Vec<u8> {
        Self::archive(self.stored, &self.table())
    }

    /// The same with a table that is a stream of its own.
    pub(crate) fn with_packed_table(&self) -> Vec<u8> {
        let table = self.table();
        let outer = [vec![23], Self::stream(self.stored.len(), table.len(), &[(&[0], b"")], table.len()), vec![0]].concat();
        Self::archive(&[self.stored, &table].concat(), &outer)
    }
}

/// A 7z archive of one stream, stored as it is.
pub(crate) fn seven_zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let body: Vec<u8> = files.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
    SevenZip { files, steps: &[(&[0], b"")], stored: &body, size: body.len() }.plain()
}

/// Bytes of a sector of a disc.
const SECTOR: usize = 2048;
/// The sector of the folder.
const FOLDER: usize = 18;

/// Bytes of a folder's record of a file.
fn iso_record_length(name: &str) -> usize {
    33 + name.len() + (name.len() + 1) % 2
}

/// Where in an [`iso`] of files of these names their records are.
pub(crate) fn iso_records(names: &[String]) -> Vec<usize> {
    let mut at = FOLDER * SECTOR;
    let mut record = |name: &String| {
        at += iso_record_length(name);
        at - iso_record_length(name)
    };
    names.iter().map(&mut record).collect()
}

/// An ISO 9660 image with a folder of some files.
pub(crate) fn iso(files: &[(&str, &[u8])]) -> Vec<u8> {
    let record = |sector: usize, size: usize, flags: u8, name: &str| {
        let mut out = vec![0; iso_record_length(name)];
        out[0] = out.len() as u8;
        out[2..6].copy_from_slice(&(sector as u32).to_le_bytes());
        out[10..14].copy_from_slice(&(size as u32).to_le_bytes());
        out[25] = flags;
        out[32] = name.len() as u8;
        out[33..33 + name.len()].copy_from_slice(name.as_bytes());
        out
    };
    let mut out = vec![0; (FOLDER + 1) * SECTOR];
    for (sector, kind) in [(16, 1), (17, 255)] {
        out[sector * SECTOR..sector * SECTOR + 6].copy_from_slice(&[&[kind][..], b"CD001"].concat());
    }
    out[16 * SECTOR + 156..16 * SECTOR + 190].copy_from_slice(&record(FOLDER, SECTOR, 2, "\0"));
    let mut at = FOLDER * SECTOR;
    for (name, bytes) in files {
        let record = record(out.len() / SECTOR, bytes.len(), 0, name);
        assert!(at + record.len() <= (FOLDER + 1) * SECTOR, "a folder of one sector");
        out[at..at + record.len()].copy_from_slice(&record);
        at += record.len();
        out.extend(*bytes);
        out.resize(out.len().next_multiple_of(SECTOR), 0);
    }
    out
}

/// An object of a pack.
pub(crate) enum Packed {
    Commit(Vec<u8>),
    Tree(Vec<u8>),
    Blob(Vec<u8>),
    /// A difference to the object so many before it.
    Back(usize, Vec<u8>),
    /// A difference to the object of this name.
    Named([u8; 20], Vec<u8>),
}

/// A pack of objects.
pub(crate) fn pack(objects: &[Packed]) -> Vec<u8> {
    let mut out = [&b"PACK\0\0\0\x02"[..], &(objects.len() as u32).to_be_bytes()].concat();
    let mut offsets = Vec::new();
    for object in objects {
        let at = out.len();
        offsets.push(at);
        let (kind, body, base) = match object {
            Packed::Commit(body) => (1u8, body, Vec::new()),
            Packed::Tree(body) => (2, body, Vec::new()),
            Packed::Blob(body) => (3, body, Vec::new()),
            Packed::Back(back, body) => (6, body, distance(at - offsets[offsets.len() - 1 - back])),
            Packed::Named(id, body) => (7, body, id.to_vec()),
        };
        let mut size = body.len();
        let mut byte = kind << 4 | (size & 15) as u8;
        size >>= 4;
        while size > 0 {
            out.push(byte | 0x80);
            byte = (size & 0x7f) as u8;
            size >>= 7;
        }
        out.push(byte);
        out.extend(base);
        out.extend(zlib(body));
    }
    let sum: [u8; 20] = Sha1::digest(&out).into();
    out.extend(sum);
    out
}

fn distance(mut back: usize) -> Vec<u8> {
    let mut out = vec![(back & 0x7f) as u8];
    back >>= 7;
    while back > 0 {
        back -= 1;
        out.insert(0, (back & 0x7f) as u8 | 0x80);
        back >>= 7;
    }
    out
}

/// A number as differences write it.
pub(crate) fn number(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// A difference that keeps the first `keep` bytes of a base and adds `added`.
pub(crate) fn delta(base: &[u8], keep: u16, added: &[u8]) -> Vec<u8> {
    let mut out = number(base.len() as u64);
    out.extend(number(u64::from(keep) + added.len() as u64));
    out.push(0x80 | 0x30);
    out.extend(keep.to_le_bytes());
    for run in added.chunks(127) {
        out.push(run.len() as u8);
        out.extend(run);
    }
    out
}

/// The name of an object of git.
pub(crate) fn object_id(kind: &str, body: &[u8]) -> [u8; 20] {
    Sha1::digest([format!("{kind} {}\0", body.len()).as_bytes(), body].concat()).into()
}
