//! One JSON value a line, to be read while the scan goes on: `start`, a `layer` for each layer as soon as it has been read, then, when all
//! is known, `image`, `finding` as in the JSON report, and `end`. A stream without `end` was cut off.
//!
//! What a layer's line can say is less than what a finding's can. Which layer of which image it is, what became of the secret and whether
//! it is suppressed by what stands elsewhere is not known yet; nor are the secrets of the layers after it, so that no path can be redacted
//! yet, and none is given. Lines of layers exist only in the stream of a scan: they say nothing that those of findings do not.

use std::io;

use serde::Serialize;

use super::json::{self, CoverageView, FindingView, ImageView, Tool};
use super::{Context, Exposure, Format, sanitise};
use crate::finding::{Finding, LayerRead, Remembered, Scan};

/// Version of the lines' shape.
const SCHEMA: u32 = 1;

/// The format, for a scan that is over.
pub(super) struct Jsonl;

impl Format for Jsonl {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        start(scan, out)?;
        rest(scan, context, out)
    }
}

#[derive(Serialize)]
struct Line<T> {
    r#type: &'static str,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize)]
struct Start<'a> {
    schema: u32,
    tool: Tool<'a>,
    fingerprint_key: Option<&'a str>,
}

#[derive(Serialize)]
struct Layer<'a> {
    digest: Option<String>,
    diff_id: Option<String>,
    entries: u64,
    bytes: u64,
    found: u64,
    candidates: Vec<Candidate<'a>>,
}

#[derive(Serialize)]
struct Candidate<'a> {
    rule: &'a str,
    severity: &'a str,
    confidence: &'a str,
    secret: String,
    suppressed: Option<&'a str>,
    line: Option<u64>,
}

#[derive(Serialize)]
struct Image {
    index: usize,
    #[serde(flatten)]
    image: ImageView,
}

#[derive(Serialize)]
struct End {
    findings: usize,
    coverage: CoverageView,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed: Option<Vec<Remembered>>,
    complete: bool,
}

/// The first line, which a scan that has read nothing yet can give.
pub fn start(scan: &Scan, out: &mut dyn io::Write) -> io::Result<()> {
    let content = Start { schema: SCHEMA, tool: Tool::new(scan), fingerprint_key: scan.fingerprint_key.as_deref() };
    json::write_line(out, &Line { r#type: "start", content })
}

/// The line of a layer.
pub fn layer(layer: &LayerRead, exposure: Exposure, out: &mut dyn io::Write) -> io::Result<()> {
    let content = Layer {
        digest: layer.digest.as_ref().map(ToString::to_string),
        diff_id: layer.diff_id.as_ref().map(ToString::to_string),
        entries: layer.entries,
        bytes: layer.bytes,
        found: layer.found,
        candidates: layer.candidates.iter().map(|found| candidate(found, exposure)).collect(),
    };
    json::write_line(out, &Line { r#type: "layer", content })
}

fn candidate(found: &Finding, exposure: Exposure) -> Candidate<'_> {
    Candidate {
        rule: &found.rule.id,
        severity: found.severity.as_str(),
        confidence: found.confidence.as_str(),
        secret: match exposure {
            Exposure::Redacted => found.secret.redacted(),
            Exposure::Shown => sanitise::bytes(found.secret.expose()).into_owned(),
        },
        suppressed: found.suppressed.as_ref().map(|suppression| suppression.reason.as_ref()),
        line: found.place.position().map(|position| position.line),
    }
}

/// All lines after those of layers.
pub fn rest(scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
    let redactor = &context.redactor;
    let mut out = io::BufWriter::with_capacity(1 << 16, out);
    for (index, image) in scan.images.iter().enumerate() {
        let content = Image { index, image: ImageView::new(image, redactor) };
        json::write_line(&mut out, &Line { r#type: "image", content })?;
    }
    let layers = json::layer_references(scan, redactor);
    for finding in &scan.findings {
        let layers = layers.get(finding.image).map_or(&[][..], Vec::as_slice);
        json::write_line(&mut out, &Line { r#type: "finding", content: FindingView::new(finding, layers, redactor) })?;
    }
    let content = End {
        findings: scan.findings.len(),
        coverage: CoverageView::new(&scan.coverage, redactor),
        fixed: scan.fixed.as_ref().map(|fixed| json::fixed_views(fixed, redactor)),
        complete: scan.coverage.is_complete(),
    };
    json::write_line(&mut out, &Line { r#type: "end", content })?;
    io::Write::flush(&mut out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jsonschema::{Retrieve, Uri};
    use serde_json::Value;

    use super::super::{FormatName, JSON_SCHEMA, JSONL_SCHEMA, testing};
    use super::*;

    /// Gives the schema of the report, which that of the lines refers to.
    struct Report;

    impl Retrieve for Report {
        fn retrieve(&self, _: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
            Ok(serde_json::from_str(JSON_SCHEMA)?)
        }
    }

    fn lines(text: Vec<u8>) -> Vec<Value> {
        let text = String::from_utf8(text).unwrap();
        assert!(text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn stream(scan: &Scan, exposure: Exposure) -> Vec<Value> {
        let context = testing::context(scan, exposure);
        let mut out = Vec::new();
        start(scan, &mut out).unwrap();
        let image = scan.images.first();
        for facts in image.iter().flat_map(|image| &image.layers) {
            let candidates: Vec<Finding> = scan.findings.iter().filter(|found| found.place.layer() == Some(facts.index)).cloned().collect();
            let (digest, diff_id) = (facts.digest.clone(), facts.diff_id.clone());
            let read = LayerRead { digest, diff_id, entries: 3, bytes: 4096, found: candidates.len() as u64, candidates };
            layer(&read, exposure, &mut out).unwrap();
        }
        rest(scan, &context, &mut out).unwrap();
        lines(out)
    }

    #[test]
    fn every_line_is_valid_by_the_schema() {
        let schema: Value = serde_json::from_str(JSONL_SCHEMA).unwrap();
        assert!(jsonschema::draft202012::meta::is_valid(&schema));
        let schema = jsonschema::draft202012::options().with_retriever(Report).build(&schema).unwrap();
        let compared = Scan { fixed: Some(Vec::new()), ..testing::rich() };
        for scan in [testing::empty(), testing::rich(), compared] {
            for line in [Exposure::Redacted, Exposure::Shown].into_iter().flat_map(|exposure| stream(&scan, exposure)) {
                let problems: Vec<String> = schema.iter_errors(&line).map(|error| format!("{}: {error}", error.instance_path())).collect();
                assert_eq!(problems, Vec::<String>::new(), "{line}");
                let mut other = line.clone();
                other["type"] = "another".into();
                assert!(!schema.is_valid(&other));
            }
        }
    }

    #[test]
    fn findings_and_images_are_those_of_the_json_report_between_start_and_end() {
        let scan = testing::rich();
        let context = testing::context(&scan, Exposure::Redacted);
        let [lines_of, report] = [FormatName::Jsonl, FormatName::Json].map(|name| {
            let mut out = Vec::new();
            name.format().write(&scan, &context, &mut out).unwrap();
            out
        });
        let lines = lines(lines_of);
        let report: Value = serde_json::from_slice(&report).unwrap();
        let of = |kind: &str| -> Vec<Value> {
            let those = lines.iter().filter(|line| line["type"] == kind).cloned();
            those
                .map(|mut line| {
                    line.as_object_mut().unwrap().shift_remove("type");
                    line
                })
                .collect()
        };
        assert_eq!(Value::from(of("finding")), report["findings"]);
        let images: Vec<Value> = of("image")
            .into_iter()
            .enumerate()
            .map(|(index, mut image)| {
                assert_eq!(image.as_object_mut().unwrap().shift_remove("index"), Some(index.into()));
                image
            })
            .collect();
        assert_eq!(Value::from(images), report["images"]);
        let (first, last) = (&lines[0], &lines[lines.len() - 1]);
        assert_eq!((&first["type"], &first["tool"]), (&"start".into(), &report["tool"]));
        assert_eq!((&last["type"], &last["coverage"], &last["complete"]), (&"end".into(), &report["coverage"], &false.into()));
    }

    #[test]
    fn the_line_of_a_layer_shows_neither_secret_nor_path() {
        let scan = testing::rich();
        let lines = stream(&scan, Exposure::Redacted);
        let layers: Vec<&Value> = lines.iter().filter(|line| line["type"] == "layer").collect();
        assert_eq!(layers.len(), 3);
        assert_eq!(layers[1]["candidates"][1]["secret"], "tok_****(24)");
        assert_eq!(layers[1]["candidates"][1]["line"], 3);
        let text = format!("{layers:?}");
        assert!(!text.contains("/app") && testing::SECRETS.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}
