//! Equal input, equal report: whatever the number of threads, and wherever a buffer happens to end.

use std::collections::BTreeMap;

use layersift::detect::{AFTER, BEFORE};
use layersift::finding::Scan;
use layersift::layer::decode::Compression;
use layersift::random::Random;
use layersift::report::Exposure;
use layersift::scan::{Limits, Options};
use layersift::source::builder::{ImageBuilder, LayerBuilder, compress};

use crate::support::*;

/// Layers of many small files, some of them shared, and one that is longer than any buffer.
fn crowd(compression: Compression) -> ImageBuilder {
    let mut random = Random::new(7);
    let noise = random.text(b"abcdefghijklmnop =\n", 3 << 20);
    (0..6).fold(ImageBuilder::new().compression(compression), |image, number| {
        image.layer(&format!("COPY {number}"), |layer| {
            for file in 0..200 {
                let text = if random.below(8) == 0 { token(&format!("{}", random.below(40))) } else { "nothing\n".to_owned() };
                layer.file(format!("/{}/{file}", random.below(3)), text);
            }
            if number % 2 == 0 {
                layer.file("/long", &noise);
                layer.file("/behind", token("behind"));
            }
        })
    })
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    for (what, compression, outer) in [
        ("mapped", Compression::None, Compression::None),
        ("compressed layers", Compression::Gzip, Compression::None),
        ("passing by", Compression::None, Compression::Zstd),
    ] {
        let temp = Temp::new();
        let path = temp.file("image.tar", compress(&crowd(compression).docker25().unwrap(), outer).unwrap());
        let reports: Vec<String> = [1, 2, 8]
            .map(|jobs| {
                let scan = sound(scan_text(path.to_str().unwrap(), &Options { jobs, ..Options::default() }));
                assert!(scan.findings.len() > 100, "{}", scan.findings.len());
                report(&scan, Exposure::Shown)
            })
            .into();
        assert!(reports[1..].iter().all(|other| *other == reports[0]), "{what}");
    }
}

/// Where a secret stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At {
    offset: u64,
    line: u64,
    column: u64,
}

/// A text whose every buffer border lies within tokens, each of which is there once.
struct Text {
    bytes: Vec<u8>,
    tokens: BTreeMap<Vec<u8>, At>,
}

/// Where pieces of the file end: a layer that is read in place is cut after each megabyte; a buffer of a megabyte hands the bytes over
/// that a match may look ahead, and the next one begins with those that a match may look back.
const BORDERS: [usize; 3] = [(1 << 20) - AFTER - HEADER, 1 << 20, (2 << 20) - 2 * AFTER - BEFORE - HEADER];

/// The bytes of the layer before the file.
const HEADER: usize = 512;

impl Text {
    /// `shift` bytes later than without.
    fn new(shift: usize, tokens: &[String]) -> Self {
        let mut text = Text { bytes: vec![b'#'; shift], tokens: BTreeMap::new() };
        let mut random = Random::new(shift as u64);
        let (mut line, mut line_start) = (1, 0);
        let mut tokens = tokens.iter();
        while text.bytes.len() < 5 << 19 {
            // Tokens side by side round the borders, and here and there elsewhere.
            if random.below(30) == 0 || BORDERS.iter().any(|border| border.abs_diff(text.bytes.len()) < 4096) {
                let token = tokens.next().unwrap();
                let offset = text.bytes.len() as u64;
                text.tokens.insert(token.clone().into_bytes(), At { offset, line, column: offset - line_start + 1 });
                text.bytes.extend(token.bytes());
            } else {
                text.bytes.extend(std::iter::repeat_n(b'.', random.below(3000)));
            }
            // Most tokens share a line with others; some lines end.
            let end = if random.below(3) == 0 { b'\n' } else { b' ' };
            text.bytes.push(end);
            if end == b'\n' {
                (line, line_start) = (line + 1, text.bytes.len() as u64);
            }
        }
        text
    }
}

fn seen(scan: &Scan) -> BTreeMap<Vec<u8>, At> {
    let mut seen = BTreeMap::new();
    for finding in &scan.findings {
        let position = finding.place.position().unwrap();
        let at = At { offset: position.offset, line: position.line, column: position.column };
        assert!(finding.also.is_empty(), "{finding:?}");
        assert!(seen.insert(finding.secret.expose().to_vec(), at).is_none(), "found twice: {finding:?}");
    }
    seen
}

#[test]
fn a_token_on_any_border_is_found_once_and_at_its_place() {
    let tokens: Vec<String> = (0..2_000).map(|number| token(&number.to_string())).collect();
    let temp = Temp::new();
    let usual = Options::default();
    let options = Options { limits: Limits { findings_per_file: usize::MAX, ..usual.limits }, ..usual };
    // A token and the byte after it have 41 bytes: as many shifts put every byte of one on each border.
    for shift in 0..41 {
        let text = Text::new(shift, &tokens);
        let mut layer = LayerBuilder::new();
        layer.file("/text", &text.bytes);
        let layer = layer.finish();
        // The one is read in place, the other through buffers.
        let compression = if shift % 2 == 0 { Compression::Gzip } else { Compression::Zstd };
        for compression in [Compression::None, compression] {
            let path = temp.file("layer", compress(&layer, compression).unwrap());
            let scan = sound(scan_text(&format!("layer:{}", path.display()), &options));
            assert_eq!(reasons(&scan), [], "shift {shift}, {compression:?}");
            let seen = seen(&scan);
            let lost = text.tokens.iter().filter(|(token, at)| seen.get(*token) != Some(at));
            let lost: Vec<_> = lost.map(|(token, at)| (at, seen.get(token))).collect();
            assert!(lost.is_empty(), "shift {shift}, {compression:?}: expected and seen {lost:?}");
            assert_eq!(seen.len(), text.tokens.len(), "shift {shift}, {compression:?}");
        }
    }
}

#[test]
fn a_token_among_small_files_is_found_wherever_the_buffer_ends() {
    let secret = token("small");
    // Files of one block each: the border falls between, before and into them.
    for before in 2040..2050 {
        let mut layer = LayerBuilder::new();
        for number in 0..before / 2 {
            layer.file(format!("/{number}"), "nothing");
        }
        layer.file("/odd", vec![b'.'; before % 2 * 600]);
        layer.file("/secret", format!("\n{}{secret}", " ".repeat(450)));
        let temp = Temp::new();
        let path = temp.file("layer.gz", compress(&layer.finish(), Compression::Gzip).unwrap());
        let scan = scan(&path);
        let finding = only(&scan, &secret);
        let at = finding.place.position().unwrap();
        assert_eq!((path_of(finding).as_str(), at.offset, at.line, at.column), ("/secret", 451, 2, 451), "{before}");
    }
}
