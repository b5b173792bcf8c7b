//! The JSON report, schema 1, which other programs read: it only grows. Written value by value, so that memory does not grow with the
//! number of findings.
//!
//! Unlike reports for people it keeps text as it is, control characters included: JSON has escapes for them, and
//! [`Careful`] uses these for everything that could lead a terminal astray.

mod view;

use std::io;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter};

pub(super) use self::view::{AllowedView, CoverageView, FindingView, ImageView, LayerReference, Tool, fixed_views};
use super::{Context, Format, Redactor, sanitise};
use crate::finding::{Allowed, Finding, ImageFacts, Scan};

/// Major version of the report's shape.
const SCHEMA: u32 = 1;

/// The format.
pub(super) struct Json;

impl Format for Json {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        let redactor = &context.redactor;
        write(out, &Report { scan, redactor, layers: layer_references(scan, redactor) })
    }
}

/// Writes `value` as pretty-printed JSON, with escapes for everything that could lead a terminal astray, and ends the line.
pub(super) fn write(out: &mut dyn io::Write, value: &impl Serialize) -> io::Result<()> {
    let mut out = io::BufWriter::with_capacity(1 << 16, out);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Careful(PrettyFormatter::new())))?;
    io::Write::write_all(&mut out, b"\n")?;
    io::Write::flush(&mut out)
}

/// The same in one line.
pub(super) fn write_line(out: &mut dyn io::Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Careful(CompactFormatter)))?;
    out.write_all(b"\n")
}

/// By image: what findings say of their layers, redacted once.
pub(super) fn layer_references(scan: &Scan, redactor: &Redactor) -> Vec<Vec<LayerReference>> {
    scan.images.iter().map(|image| image.layers.iter().map(|layer| LayerReference::new(layer, redactor)).collect()).collect()
}

struct Report<'a> {
    scan: &'a Scan,
    redactor: &'a Redactor,
    /// By image: what findings say of their layers, redacted once.
    layers: Vec<Vec<LayerReference>>,
}

impl<'a> Serialize for Report<'a> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (scan, redactor): (&'a Scan, &'a Redactor) = (self.scan, self.redactor);
        let tool = Tool::new(scan);
        let mut report = serializer.serialize_struct("Report", 8)?;
        report.serialize_field("schema", &SCHEMA)?;
        report.serialize_field("tool", &tool)?;
        report.serialize_field("fingerprint_key", &scan.fingerprint_key)?;
        report.serialize_field("images", &Each(&scan.images, |image: &'a ImageFacts| ImageView::new(image, redactor)))?;
        report.serialize_field(
            "findings",
            &Each(&scan.findings, |finding: &'a Finding| FindingView::new(finding, self.layers_of(finding), redactor)),
        )?;
        report.serialize_field("coverage", &CoverageView::new(&scan.coverage, redactor))?;
        match &scan.fixed {
            Some(fixed) => report.serialize_field("fixed", &fixed_views(fixed, redactor))?,
            None => report.skip_field("fixed")?,
        }
        if scan.allowed.is_empty() {
            report.skip_field("allow")?;
        } else {
            report.serialize_field("allow", &Each(&scan.allowed, |entry: &'a Allowed| AllowedView::new(entry, redactor)))?;
        }
        report.serialize_field("complete", &scan.coverage.is_complete())?;
        report.end()
    }
}

impl Report<'_> {
    fn layers_of(&self, finding: &Finding) -> &[LayerReference] {
        self.layers.get(finding.image).map_or(&[], Vec::as_slice)
    }
}

/// A list whose items are made while they are written.
pub(super) struct Each<'a, T, F>(pub(super) &'a [T], pub(super) F);

impl<'a, T, V: Serialize, F: Fn(&'a T) -> V> Serialize for Each<'a, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(&self.1))
    }
}

/// JSON laid out as `F` does, in which the characters that [`sanitise`] is about are written as `\uNNNN`. The values are the same.
struct Careful<F>(F);

impl<F: Formatter> Formatter for Careful<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) = rest.char_indices().find(|(_, character)| sanitise::is_dangerous(*character)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        self.0.write_char_escape(writer, escape)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Exposure, JSON_SCHEMA, testing};
    use super::*;

    fn text(scan: &Scan, exposure: Exposure) -> String {
        let mut out = Vec::new();
        Json.write(scan, &testing::context(scan, exposure), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn report(scan: &Scan, exposure: Exposure) -> Value {
        serde_json::from_str(&text(scan, exposure)).unwrap()
    }

    #[test]
    fn every_report_is_valid_by_the_schema() {
        let schema: Value = serde_json::from_str(JSON_SCHEMA).unwrap();
        assert!(jsonschema::draft202012::meta::is_valid(&schema));
        let schema = jsonschema::draft202012::new(&schema).unwrap();
        for scan in [testing::empty(), testing::rich()] {
            for exposure in [Exposure::Redacted, Exposure::Shown] {
                let report = report(&scan, exposure);
                let problems: Vec<String> =
                    schema.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
                assert_eq!(problems, Vec::<String>::new());
            }
        }
    }

    #[test]
    fn the_schema_asks_for_every_field_of_a_finding() {
        let schema = jsonschema::draft202012::new(&serde_json::from_str(JSON_SCHEMA).unwrap()).unwrap();
        let whole = report(&testing::rich(), Exposure::Redacted);
        for field in [
            "id",
            "rule",
            "description",
            "severity",
            "confidence",
            "secret",
            "suppressed",
            "image",
            "place",
            "also",
            "decoding",
            "visibility",
            "remediation",
        ] {
            let mut part = whole.clone();
            part["findings"][1].as_object_mut().unwrap().remove(field);
            assert!(!schema.is_valid(&part), "{field}");
        }
    }

    #[test]
    fn an_empty_scan_is_all_fields_and_no_items() {
        let expected = json!({
            "schema": 1,
            "tool": { "name": "layersift", "version": env!("CARGO_PKG_VERSION"), "rules_hash": "r0" },
            "fingerprint_key": null,
            "images": [],
            "findings": [],
            "coverage": {
                "layers": 0, "entries": 0, "documents": 0, "bytes_read": 0, "bytes_expanded": 0, "bytes_scanned": 0,
                "skipped": [], "skipped_more": 0
            },
            "complete": true
        });
        assert_eq!(report(&testing::empty(), Exposure::Redacted), expected);
    }

    #[test]
    fn a_finding_has_its_place_its_layer_and_its_life() {
        let report = report(&testing::rich(), Exposure::Redacted);
        let finding = &report["findings"][1];
        assert_eq!(finding["secret"], "tok_****(24)");
        assert_eq!(finding["place"]["kind"], "layer-file");
        assert_eq!(finding["place"]["path"], "/app/.env");
        assert_eq!(finding["place"]["line"], 3);
        assert_eq!(finding["place"]["part"], "content");
        assert_eq!(finding["place"]["layer"]["diff_id"], report["images"][0]["layers"][1]["diff_id"]);
        assert_eq!(finding["visibility"]["state"], "deleted");
        assert_eq!(finding["visibility"]["layer"]["created_by"], "RUN |1 PASSWORD=**** /bin/sh -c rm -rf /app/.env # buildkit");
        assert_eq!(finding["also"][1]["pointer"], "/config/Env/2");
        assert_eq!(report["findings"][4]["visibility"], Value::Null);
        assert_eq!(report["findings"][4]["place"]["layer"]["index"], 2);
        let package = json!({ "manager": "dpkg", "name": "****", "version": "1.0" });
        let suppressed = json!({ "reason": "placeholder", "detail": "it says so: ****", "package": package });
        assert_eq!(report["findings"][6]["suppressed"], suppressed);
        assert_eq!(report["complete"], false);
        let reason = "it was **** once\u{1b}[2J";
        let entry = json!({ "origin": ".layersiftignore:3", "state": "expired", "count": 1, "reason": reason, "until": "2026-01-31" });
        assert_eq!(report["allow"], json!([entry]));
    }

    #[test]
    fn a_long_instruction_is_whole_once_and_cut_in_findings_without_showing_half_a_secret() {
        let mut scan = testing::rich();
        let long = format!("RUN {}swordfish-77 {}", "x".repeat(490), "y".repeat(5_000));
        scan.images[0].layers[1].created_by = Some(long.clone());
        let report = report(&scan, Exposure::Redacted);
        assert_eq!(report["images"][0]["layers"][1]["created_by"], long.replace("swordfish-77", "****"));
        let repeated = report["findings"][1]["place"]["layer"]["created_by"].as_str().unwrap();
        assert!(repeated.ends_with("x**** y…") && repeated.chars().count() == 501, "{repeated}");
    }

    #[test]
    fn a_path_that_is_not_utf8_has_its_bytes_beside_it_and_neither_shows_a_secret() {
        let place = &report(&testing::rich(), Exposure::Redacted)["findings"][2]["place"];
        assert_eq!(place["path"], "/app/****/\\xff.jar");
        assert_eq!(place["path_bytes"], "L2FwcC8qKioqL/8uamFy");
        assert_eq!(place["inner"], json!(["a.zip", "b\\xfe.yml"]));
        assert_eq!(place["inner_bytes"], json!(["YS56aXA=", "Yv4ueW1s"]));
    }

    #[test]
    fn shown_secrets_are_whole_and_bytes_are_escaped() {
        let report = report(&testing::rich(), Exposure::Shown);
        assert_eq!(report["findings"][1]["secret"], "tok_0123456789abcdefghij");
        assert_eq!(report["findings"][7]["secret"], "\\xff\\xfe\0binary");
    }

    #[test]
    fn control_and_bidi_characters_are_escaped_and_keep_their_value() {
        let text = text(&testing::rich(), Exposure::Redacted);
        assert!(text.contains(r"/app/README\u001b[2J.md") && text.contains(r"/big\u202e.zip"));
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["coverage"]["skipped"][2]["where"], "app.tar layer 2 /big\u{202e}.zip");
    }
}
