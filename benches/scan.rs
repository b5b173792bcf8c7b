//! Throughput of the prefilter, of walking a layer, and of a whole scan. Inputs are generated with a fixed seed.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use layersift::detect::{Chunk, Subject, candidates};
use layersift::layer::Batch;
use layersift::layer::decode::{Compression, decode};
use layersift::layer::walk::{Options as WalkOptions, SLAB, Sink, walk};
use layersift::random::Random;
use layersift::rule::RuleSet;
use layersift::scan::{NoProgress, Options, Verify, run};
use layersift::source::builder::{ImageBuilder, compress};
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
    let mut builder = layersift::source::builder::LayerBuilder::new();
    builder.file("/data", text(SIZE));
    let layer = builder.finish();
    let mut group = c.benchmark_group("layer");
    group.throughput(Throughput::Bytes(layer.len() as u64)).sample_size(20);
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let blob = compress(&layer, compression).unwrap();
        group.bench_with_input(BenchmarkId::new("walk", compression.as_str()), &blob, |b, blob| {
            b.iter(|| {
                let (_, decoded) = decode(Blob::Mapped(black_box(blob))).unwrap();
                walk(decoded, WalkOptions { hash: None, max_expanded: u64::MAX, slab: SLAB }, &mut Discard(Vec::new())).entries
            });
        });
    }
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

criterion_group!(benches, detection, rule_count, layers, whole);
criterion_main!(benches);
