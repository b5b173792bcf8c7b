//! A file of a layer, and whatever stands inside it, read as a scan reads it.
//!
//! An input is a file, and how it is handed over in one byte before it.

use std::io::{self, Read};
use std::sync::LazyLock;

use layersift::fuzzing::{LayerFacts, layer};
use layersift::layer::walk::SLAB;
use layersift::random::Random;
use layersift::rule::{RuleSet, generate};
use layersift::scan::{Bounds, Limits, Options, Verify};
use layersift::source::Blob;

use crate::archives::{Packed, Zip, ar, cpio, delta, gzip, object_id, pack, tar, zip, zlib};

/// Bytes that a file may become here.
const EXPANDED: u64 = 1 << 20;

/// Few rules: what is matched is not the question here, but where.
static RULES: LazyLock<RuleSet> =
    LazyLock::new(|| RuleSet::builtin().retain(|rule| matches!(rule.facts.id.as_str(), "github-pat-classic" | "private-key"), "few"));

/// Small bounds, so that they are met.
static OPTIONS: LazyLock<Options> = LazyLock::new(|| {
    let (held_bytes, spooled_bytes) = (256 << 10, 0);
    let nested = Bounds { depth: 5, ratio: 100, file_bytes: EXPANDED, layer_bytes: 4 << 20, members: 300, held_bytes, spooled_bytes };
    Options { jobs: 1, verify: Verify::Nothing, limits: Limits { nested, ..Limits::default() }, ..Options::default() }
});

/// The names of files that are told by them.
const NAMES: [&str; 4] = ["f", "m.pyc", "r/objects/aa/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "a.tar.gz"];

/// Gives few bytes at once.
pub(super) struct Slow<'b>(pub(super) &'b [u8], pub(super) usize);

impl Read for Slow<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = out.len().min(self.0.len()).min(self.1);
        let (now, rest) = self.0.split_at(count);
        out[..count].copy_from_slice(now);
        self.0 = rest;
        Ok(count)
    }
}

/// Reads a file called `name` in a layer of its own in all the ways there are; each has to give the same.
pub(super) fn check(name: &str, file: &[u8]) -> LayerFacts {
    let blob = tar(&[(name, file)]);
    let read = |blob: Blob<'_>, slab: usize| layer(&RULES, &OPTIONS, blob, slab);
    let facts = read(Blob::Mapped(&blob), SLAB);
    // Each byte of the file, and each that came out of it, is matched once at most; names and marks come on top.
    let bound = (file.len() as u64 + EXPANDED + SLAB as u64) * 2;
    assert!(facts.scanned <= bound, "{} bytes were matched of {} in the file", facts.scanned, file.len());
    assert_eq!((facts.entries, facts.expanded), (1, blob.len() as u64));
    let step = 1 + file.len() % 600;
    assert_eq!(read(Blob::Stream(Box::new(Slow(&blob, step))), SLAB), facts, "as a stream, {step} bytes at once");
    assert_eq!(read(Blob::Stream(Box::new(&blob[..])), 100 << 10), facts, "through smaller buffers");
    facts
}

pub(super) fn run(data: &[u8]) {
    let Some((&how, file)) = data.split_first() else { return };
    check(NAMES[usize::from(how) % NAMES.len()], file);
}

/// A text with a secret that a rule finds.
pub(super) fn text(seed: &str) -> Vec<u8> {
    static PAT: LazyLock<RuleSet> = LazyLock::new(RuleSet::builtin);
    let rule = PAT.rules().find(|rule| rule.facts.id == "github-pat-classic").unwrap();
    let secret = generate::secret(rule, &mut Random::from_text(seed)).unwrap();
    format!("# settings\nname = {seed}\n\ntoken = \"{secret}\"\n").into_bytes()
}

/// Containers of all kinds, each with texts in it.
pub(super) fn containers() -> Vec<Vec<u8>> {
    let (one, two) = (text("one"), text("two"));
    let files: [(&str, &[u8]); 2] = [("a.env", &one), ("lib/b", &two)];
    let blob = object_id("blob", &one);
    let tree = [&b"100644 .env\0"[..], &blob].concat();
    let git = pack(&[
        Packed::Tree(tree),
        Packed::Blob(one.clone()),
        Packed::Back(1, delta(&one, 12, &two[12..])),
        Packed::Named(blob, delta(&one, 12, b"new")),
    ]);
    let header = b"\x8e\xad\xe8\x01\0\0\0\0\0\0\0\0\0\0\0\0";
    let rpm = [&[0xed, 0xab, 0xee, 0xdb], &[0; 92][..], header, header, &gzip(&cpio(&files))].concat();
    let mixed = Zip::default().add("stored", &one, 0).add("deflated", &two, 8).add("in.zip", &zip(&files), 0).finish();
    let mut class = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61, 0, 4, 1];
    class.extend((one.len() as u16).to_be_bytes());
    class.extend(&one);
    class.extend([5, 0, 0, 0, 0, 0, 0, 0, 1, 8, 0, 1]);
    let python = [&b"\xcb\x0d\r\n\0\0\0\0\0\0\0\0\0\0\0\0\xe3\xda"[..], &[one.len() as u8], &one, b"s\x06\0\0\0token!"].concat();
    vec![
        mixed,
        [b"#!/bin/sh\nexit\n".to_vec(), zip(&files)].concat(),
        tar(&[("a.env", &one), ("b.zip", &zip(&files)), ("c.tar", &tar(&files))]),
        ar(&[("debian-binary", b"2.0\n"), ("data.tar.gz", &gzip(&tar(&files)))]),
        [cpio(&files), vec![0; 512], gzip(&cpio(&files))].concat(),
        rpm,
        git,
        class,
        python,
        [gzip(&one), gzip(&two), b"after".to_vec()].concat(),
        zlib(&[format!("blob {}\0", one.len()).as_bytes(), &one].concat()),
        b"7z\xbc\xaf\x27\x1c rest".to_vec(),
    ]
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = containers().into_iter().map(|file| [vec![0], file].concat()).collect();
    for (how, number) in [(1, 8), (2, 10), (3, 9)] {
        seeds.push([vec![how], containers().swap_remove(number)].concat());
    }
    seeds
}
