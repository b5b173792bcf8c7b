//! What the parts of a scan cost, one by one, over inputs that are generated with a fixed seed. What whole processes cost over images on disk is for `benches/goals` and `benches/compare`.
//!
//! | bench | measures |
//! |---|---|
//! | `text/*`, `binary/*` | over program text, over bytes like a program's: `windows`, the first stage of the prefilter; `prefilter`, both; `prefilter, plain automaton`, what it is compared with; `detect`, all that is done with bytes, the rules included |
//! | `rules/N` | detection with N rules |
//! | `encodings/*` | the look for encoded text, and its decoding: over text that holds none, and over text full of base64, of hex, of escapes |
//! | `inflate/*` | DEFLATE alone: `memory`, the decoder for what lies in memory; `layer`, the one that a layer is read through; `layer, zstd` beside them |
//! | `layer/walk/*`, `layer/walk small files` | a layer cut into batches, and nothing done with them: by compression, and with many entries |
//! | `scan/*` | a whole scan of an image in an archive on disk: `none` is match and walk, `gzip` inflates as well |
//! | `rules, built-in set` | loading the rules, which is most of what a scan of nothing costs |
//!
//! `cargo bench --bench scan` runs all, `cargo bench --bench scan -- encodings` those whose name has the word, and `cargo bench --bench scan -- --test` each once, to see that it works.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use layersift::content::decode::views;
use layersift::detect::{Chunk, Subject, candidates};
use layersift::fuzzing;
use layersift::layer::Batch;
use layersift::layer::decode::{Compression, Decoded, decode};
use layersift::layer::walk::{Options as WalkOptions, SLAB, Sink, walk};
use layersift::random::Random;
use layersift::rule::RuleSet;
use layersift::scan::{NoProgress, Options, Verify, run};
use layersift::source::builder::{ImageBuilder, LayerBuilder, compress};
use layersift::source::{Blob, Reference};

const SIZE: usize = 8 << 20;

/// Something like program text: words, punctuation, now and then a keyword.
fn text(size: usize) -> Vec<u8> {
    let mut random = Random::new(1);
    let words: Vec<String> = (0..400)
        .map(|_| {
            let length = 2 + random.below(9);
            random.text(b"etaoinshrdlucmfwypvbgkqjxz_", length)
        })
        .collect();
    let rare = ["password", "token", "secret = value", "https://host/path", "0x1f", "AKIA", "api_key:"];
    let mut text = Vec::with_capacity(size + 64);
    while text.len() < size {
        let word = if random.below(200) == 0 { rare[random.below(rare.len())] } else { words[random.below(words.len())].as_str() };
        text.extend_from_slice(word.as_bytes());
        text.push(b" \n(){};=.,"[random.below(10)]);
    }
    text.truncate(size);
    text
}

/// Something like a program: random bytes with runs of zeros.
fn binary(size: usize) -> Vec<u8> {
    let mut random = Random::new(2);
    let mut bytes = Vec::with_capacity(size + 64);
    while bytes.len() < size {
        let part = random.bytes(48);
        bytes.extend_from_slice(&part);
        let zeros = random.below(32);
        bytes.resize(bytes.len() + zeros, 0);
    }
    bytes.truncate(size);
    bytes
}

fn detection(c: &mut Criterion) {
    let rules = RuleSet::builtin();
    for (name, bytes) in [("text", text(SIZE)), ("binary", binary(SIZE))] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(SIZE as u64)).sample_size(20);
        group.bench_function("windows", |b| b.iter(|| fuzzing::places(rules.prefilter(), black_box(&bytes))));
        group.bench_function("prefilter", |b| {
            b.iter(|| {
                let mut hits = 0u64;
                rules.prefilter().find(black_box(&bytes), 0..bytes.len(), |_| hits += 1);
                hits
            });
        });
        group.bench_function("prefilter, plain automaton", |b| b.iter(|| rules.prefilter().plain(black_box(&bytes), 0..bytes.len()).len()));
        group.bench_function("detect", |b| {
            b.iter(|| candidates(&rules, &Chunk::whole(black_box(&bytes)), &Subject::DOCUMENT).candidates.len())
        });
        group.finish();
    }
}

/// What a rule costs that finds nothing: the time may hardly grow from a hundred rules to all.
fn rule_count(c: &mut Criterion) {
    let bytes = text(SIZE);
    let mut group = c.benchmark_group("rules");
    group.throughput(Throughput::Bytes(SIZE as u64)).sample_size(20);
    let all = RuleSet::builtin().len();
    for count in [100, 300, all] {
        // Spread over the providers, so that a part is a fair sample of the whole.
        let number = std::cell::Cell::new(0);
        let is_chosen = |_: &_| {
            let index = number.replace(number.get() + 1);
            index * count / all != (index + 1) * count / all
        };
        let rules = RuleSet::builtin().retain(is_chosen, "sample");
        assert_eq!(rules.len(), count);
        group.bench_function(count.to_string(), |b| {
            b.iter(|| candidates(&rules, &Chunk::whole(black_box(&bytes)), &Subject::DOCUMENT).candidates.len())
        });
    }
    group.finish();
}

/// Lines of settings, their values written by `encode`.
fn encoded(encode: impl Fn(&[u8]) -> String) -> Vec<u8> {
    let plain = text(SIZE / 4);
    let lines = plain.chunks(96).map(|line| format!("value = {}\n", encode(line)));
    lines.flat_map(String::into_bytes).take(SIZE / 4).collect()
}

fn encodings(c: &mut Criterion) {
    let each = |line: &[u8], of: fn(u8) -> String| line.iter().map(|byte| of(*byte)).collect::<String>();
    let inputs = [
        ("none", encoded(|line| String::from_utf8_lossy(line).into_owned())),
        ("base64", encoded(|line| STANDARD.encode(line))),
        ("hex", encoded(|line| each(line, |byte| format!("{byte:02x}")))),
        ("escapes", encoded(|line| each(line, |byte| format!("\\u{byte:04x}")))),
    ];
    let mut group = c.benchmark_group("encodings");
    group.sample_size(20);
    for (name, bytes) in inputs {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut decoded = 0;
                views(black_box(&bytes), 0..bytes.len(), &mut |view| decoded += view.bytes.len());
                decoded
            });
        });
    }
    group.finish();
}

fn inflate(c: &mut Criterion) {
    let plain = [text(SIZE / 2), binary(SIZE / 2)].concat();
    let gzip = compress(&plain, Compression::Gzip).unwrap();
    let mut group = c.benchmark_group("inflate");
    group.throughput(Throughput::Bytes(plain.len() as u64)).sample_size(20);
    assert!(fuzzing::gunzipped(&gzip, plain.len()).is_some());
    group.bench_function("memory", |b| b.iter(|| fuzzing::gunzipped(black_box(&gzip), plain.len())));
    for (name, blob) in [("layer", &gzip), ("layer, zstd", &compress(&plain, Compression::Zstd).unwrap())] {
        group.bench_function(name, |b| {
            let mut buffer = vec![0; SLAB];
            b.iter(|| {
                let (_, Decoded::Stream(mut decoder)) = decode(Blob::Mapped(black_box(blob))).unwrap() else { unreachable!() };
                while decoder.read(&mut buffer).unwrap() > 0 {}
            });
        });
    }
    group.finish();
}

struct Discard(Vec<u8>);

impl<'a> Sink<'a> for Discard {
    fn buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    fn batch(&mut self, batch: Batch<'a>) {
        if let layersift::layer::Slab::Owned(mut buffer) = batch.slab {
            buffer.clear();
            self.0 = buffer;
        }
    }
}

fn image() -> ImageBuilder {
    let (text, binary) = (text(SIZE), binary(SIZE));
    ImageBuilder::new().layer("COPY . /", |layer| {
        for (index, part) in text.chunks(20_000).enumerate() {
            layer.file(format!("/srv/app/{index}.py"), part);
        }
        layer.file("/usr/bin/program", &binary);
    })
}

fn layers(c: &mut Criterion) {
    let walked = |blob: &[u8]| {
        let (_, decoded) = decode(Blob::Mapped(black_box(blob))).unwrap();
        walk(decoded, WalkOptions { hash: None, max_expanded: u64::MAX, slab: SLAB }, &mut Discard(Vec::new())).entries
    };
    let mut builder = LayerBuilder::new();
    builder.file("/data", text(SIZE));
    let layer = builder.finish();
    let mut group = c.benchmark_group("layer");
    group.throughput(Throughput::Bytes(layer.len() as u64)).sample_size(20);
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let blob = compress(&layer, compression).unwrap();
        group.bench_with_input(BenchmarkId::new("walk", compression.as_str()), &blob, |b, blob| {
            b.iter(|| walked(blob));
        });
    }
    let mut builder = LayerBuilder::new();
    for (index, part) in text(SIZE / 4).chunks(700).enumerate() {
        builder.file(format!("/usr/lib/node_modules/package-{}/lib/{index}.js", index / 20), part);
    }
    let small = builder.finish();
    group.throughput(Throughput::Bytes(small.len() as u64));
    group.bench_function("walk small files", |b| b.iter(|| walked(&small)));
    group.finish();
}

fn whole(c: &mut Criterion) {
    let rules = RuleSet::builtin();
    let path = std::env::temp_dir().join(format!("layersift-bench-{}.tar", std::process::id()));
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Bytes(2 * SIZE as u64)).sample_size(10);
    for compression in [Compression::None, Compression::Gzip] {
        std::fs::write(&path, image().compression(compression).oci_archive().unwrap()).unwrap();
        let target = [Reference::parse(path.to_str().unwrap()).unwrap()];
        for jobs in [1, 2] {
            let options = Options { jobs, verify: Verify::Nothing, ..Options::default() };
            group.bench_function(format!("{} layers, {jobs} jobs", compression.as_str()), |b| {
                b.iter(|| run(&target, &rules, &options, &NoProgress).scan.coverage.bytes_scanned);
            });
        }
    }
    group.finish();
    let _ = std::fs::remove_file(path);
    c.bench_function("rules, built-in set", |b| b.iter(|| RuleSet::builtin().len()));
}

criterion_group!(benches, detection, rule_count, encodings, inflate, layers, whole);
criterion_main!(benches);
