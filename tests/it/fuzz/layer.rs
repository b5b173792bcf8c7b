//! The walk through a layer's tar, with the records of PAX and GNU: it has to come upon the same entries, bytes and matches however the layer is handed over, and through buffers of any size.
//!
//! An input is the size of the buffers in two bytes, how much stands before in one byte, and the archive. What stands before is a sound file, so that the ends of buffers come to
//! lie anywhere in a short archive.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use layersift::content::kind::{Kind, KindOf};
use layersift::detect::{AFTER, BEFORE, Chunk, Explain, Subject, candidates};
use layersift::layer::decode::decode;
use layersift::layer::walk::{Options, SLAB, Sink, Walked, walk};
use layersift::layer::{Batch, Piece, Where};
use layersift::rule::RuleSet;
use layersift::source::Blob;
use layersift::source::builder::LayerBuilder;
use tar::EntryType;

use super::input::Input;
use super::nested::{self, Slow};

static RULES: LazyLock<RuleSet> =
    LazyLock::new(|| RuleSet::builtin().retain(|rule| matches!(rule.facts.id.as_str(), "github-pat-classic" | "private-key"), "few"));

/// What one part of an entry says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    label: String,
    bytes: Vec<u8>,
    /// Where matches begin and end, and what they are.
    found: Vec<String>,
}

/// Puts the pieces of each part together again: by the entry's number, the number of the text among those of its headers, or the part.
#[derive(Default)]
struct Collector {
    parts: BTreeMap<(u32, bool, String), Seen>,
    texts: usize,
}

impl<'a> Sink<'a> for Collector {
    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn batch(&mut self, batch: Batch<'a>) {
        for piece in &batch.pieces {
            self.piece(piece, batch.buffer(piece));
        }
    }
}

impl Collector {
    fn piece(&mut self, piece: &Piece, buffer: &[u8]) {
        let (bytes, owned) = (&buffer[piece.bytes.clone()], &piece.owned);
        let is_text = piece.place == Where::Metadata;
        assert!(piece.bytes.start <= owned.start && owned.start <= owned.end && owned.end <= piece.bytes.end, "{piece:?}");
        assert!(piece.is_start || owned.start - piece.bytes.start >= BEFORE, "enough before {owned:?} in {:?}", piece.bytes);
        assert!(piece.is_end || piece.bytes.end - owned.end >= AFTER, "enough after {owned:?} in {:?}", piece.bytes);
        assert!(piece.whole.as_ref().is_none_or(|whole| whole.start <= owned.start && owned.end <= whole.end && whole.end <= buffer.len()));
        self.texts += usize::from(is_text);
        let name = if is_text { format!("{:?} {}", piece.part, self.texts) } else { format!("{:?}", piece.part) };
        let seen = self.parts.entry((piece.entry.order, is_text, name)).or_default();
        seen.label = format!("{:?} {:?} {:?} {}", piece.entry.path, piece.entry.kind, piece.entry.sparse, piece.entry.base);
        assert_eq!(piece.offset, seen.bytes.len() as u64, "the pieces of {} follow each other", seen.label);
        let owned = owned.start - piece.bytes.start..owned.end - piece.bytes.start;
        seen.bytes.extend(&bytes[owned.clone()]);
        let chunk = Chunk { bytes, owned: owned.clone(), is_start: piece.is_start, is_end: piece.is_end };
        let subject =
            Subject { path: None, kind: KindOf::Known(Kind::Config), is_metadata: is_text, explain: Explain::Nothing, watch: None };
        for candidate in candidates(&RULES, &chunk, &subject).candidates {
            let at = piece.offset as i64 + candidate.span.start as i64 - owned.start as i64;
            seen.found.push(format!("{at} {} {} {:?}", candidate.span.len(), candidate.rule, candidate.secret.expose()));
        }
        seen.found.sort();
    }
}

type Layer = (Walked, BTreeMap<(u32, bool, String), Seen>);

fn read(blob: Blob<'_>, slab: usize) -> Layer {
    let mut collector = Collector::default();
    let (_, input) = decode(blob).unwrap();
    let walked = walk(input, Options { hash: None, max_expanded: 8 << 20, slab }, &mut collector);
    (walked, collector.parts)
}

/// What a walk says besides the pieces.
fn facts(walked: &Walked) -> impl PartialEq + std::fmt::Debug {
    (walked.entries, walked.expanded, walked.is_archive, walked.oddities.clone())
}

pub(super) fn run(data: &[u8]) {
    static BEFORE_IT: LazyLock<Vec<u8>> = LazyLock::new(|| b"one line of text, and another\n".repeat(6000));
    let mut input = Input(data);
    let slab = input.below(1 << 16) * 4;
    let before = usize::from(input.byte()) * 700;
    let mut blob = Vec::new();
    if before > 0 {
        let body = &BEFORE_IT[..before.min(BEFORE_IT.len())];
        let mut layer = LayerBuilder::new();
        layer.file("/before", body);
        blob = layer.finish();
        blob.truncate(512 + body.len().next_multiple_of(512));
    }
    blob.extend(input.0);
    if layersift::layer::decode::Compression::sniff(&blob) != layersift::layer::decode::Compression::None {
        return;
    }
    let (walked, parts) = read(Blob::Mapped(&blob), SLAB);
    assert_eq!(walked.expanded, blob.len() as u64);
    let read_bytes: usize = parts.iter().filter(|((_, is_text, _), _)| !is_text).map(|(_, seen)| seen.bytes.len()).sum();
    assert!(read_bytes <= blob.len(), "{read_bytes} bytes of {}", blob.len());
    for (step, slab) in [(usize::MAX, SLAB), (1 + slab % 3000, slab)] {
        let (other, other_parts) = read(Blob::Stream(Box::new(Slow(&blob, step))), slab);
        assert_eq!(facts(&other), facts(&walked), "through {slab} bytes");
        assert!(other_parts == parts, "through {slab} bytes: {}", difference(&parts, &other_parts));
    }
}

/// The first part that is not the same.
fn difference(one: &BTreeMap<(u32, bool, String), Seen>, other: &BTreeMap<(u32, bool, String), Seen>) -> String {
    let differs = one.keys().chain(other.keys()).find(|key| one.get(key) != other.get(key));
    let short = |seen: Option<&Seen>| seen.map(|seen| format!("{} bytes of {}, {:?}", seen.bytes.len(), seen.label, seen.found));
    differs.map(|key| format!("{key:?}: {:?} and {:?}", short(one.get(key)), short(other.get(key)))).unwrap_or_default()
}

/// An archive with records of all kinds.
pub(super) fn records() -> Vec<u8> {
    let text = nested::text("layer");
    let mut layer = LayerBuilder::new();
    layer.directory("/app");
    layer.file("/app/a.env", &text);
    layer.pax(&[("path", b"app/by-pax"), ("SCHILY.xattr.user.note", &text), ("size", text.len().to_string().as_bytes())]);
    layer.file("x".repeat(120), &text);
    layer.symlink("/app/link", "/app/a.env");
    layer.hard_link("/app/hard", "/app/a.env");
    layer.whiteout("/app/old");
    layer.opaque("/app");
    let mut header = LayerBuilder::header("/sparse", EntryType::GNUSparse, text.len() as u64);
    header.as_mut_bytes()[386..410].copy_from_slice(format!("{:011o}\0{:011o}\0", 8192, text.len()).as_bytes());
    header.as_mut_bytes()[483..495].copy_from_slice(format!("{:011o}\0", 16384).as_bytes());
    header.set_cksum();
    layer.raw(&header, &text);
    layer.pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.name", b"thin"), ("GNU.sparse.realsize", b"16384")]);
    let mut body = format!("1\n8192\n{}\n", text.len()).into_bytes();
    body.resize(512, 0);
    layer.file("GNUSparseFile.0/thin", [body, text].concat());
    layer.finish()
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("stray");
    let all = records();
    // A header that is broken in the middle, bytes after the end, an archive that ends too early, no archive at all.
    let mut broken = all.clone();
    broken[1024 + 150] ^= 1;
    let stray = [&all[..], &text].concat();
    let short = all[..all.len() - 1300].to_vec();
    let archives = [all, broken, stray, short, text.repeat(9), vec![0; 2000]];
    let mut seeds: Vec<Vec<u8>> = archives.into_iter().map(|archive| [&[0, 0, 0][..], &archive].concat()).collect();
    for before in [100, 115, 117, 200] {
        seeds.push([&[0, 0x50, before][..], &records()].concat());
    }
    seeds
}
