//! Comma-separated values (RFC 4180): a line a finding, for spreadsheets.

use std::borrow::Cow;
use std::io;

use super::said::Said;
use super::{Context, Format};
use crate::finding::Scan;

/// The format.
pub(super) struct Csv;

const HEADER: [&str; 22] = [
    "id",
    "rule",
    "description",
    "severity",
    "confidence",
    "secret",
    "image",
    "image_digest",
    "layer",
    "layer_digest",
    "instruction",
    "kind",
    "path",
    "line",
    "state",
    "gates",
    "novelty",
    "suppressed",
    "note",
    "fix",
    "docs",
    "origin",
];

impl Format for Csv {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        let mut table = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        table.write_record(HEADER)?;
        for finding in &scan.findings {
            let said = Said::new(scan, context, finding);
            let image = scan.images.get(finding.image);
            let layer = finding.place.layer().and_then(|layer| image?.layers.get(layer));
            let row = [
                finding.id.clone(),
                finding.rule.id.clone(),
                finding.rule.description.clone(),
                finding.severity.to_string(),
                finding.confidence.to_string(),
                said.secret(),
                said.image(),
                image.and_then(|image| image.digest.as_ref()).map(ToString::to_string).unwrap_or_default(),
                layer.map(|layer| layer.index.to_string()).unwrap_or_default(),
                layer.and_then(|layer| layer.digest.as_ref()).map(ToString::to_string).unwrap_or_default(),
                said.instruction().unwrap_or_default(),
                finding.place.kind().to_owned(),
                said.path(),
                finding.place.position().map(|position| position.line.to_string()).unwrap_or_default(),
                said.state().to_owned(),
                if context.gate.gates(finding) { "yes" } else { "no" }.to_owned(),
                finding.novelty.map(|novelty| novelty.as_str()).unwrap_or_default().to_owned(),
                said.suppression().unwrap_or_default(),
                said.note().unwrap_or_default(),
                said.fix().rotate,
                said.fix().page.unwrap_or_default(),
                finding.origin.as_str().to_owned(),
            ];
            table.write_record(row.iter().map(|cell| inert(cell).into_owned()))?;
        }
        table.flush()
    }
}

/// A cell that no spreadsheet takes for a formula.
fn inert(cell: &str) -> Cow<'_, str> {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Exposure, testing};
    use super::*;

    #[test]
    fn every_finding_is_a_row_of_as_many_cells_as_the_header() {
        let scan = testing::rich();
        let mut out = Vec::new();
        Csv.write(&scan, &testing::context(&scan, Exposure::Redacted), &mut out).unwrap();
        // The reader refuses rows of another length.
        let mut table = csv::Reader::from_reader(&out[..]);
        let rows: Vec<csv::StringRecord> = table.records().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows.len(), scan.findings.len());
        let column = |name: &str| HEADER.iter().position(|header| *header == name).unwrap();
        assert_eq!(&rows[1][column("path")], "/app/.env");
        assert_eq!(&rows[1][column("line")], "3");
        assert_eq!(&rows[1][column("state")], "deleted");
        assert_eq!(&rows[1][column("instruction")], "COPY . .");
        assert_eq!(&rows[1][column("gates")], "yes");
        assert_eq!(&rows[6][column("suppressed")], "placeholder: it says so: ****");
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        for (cell, expected) in [("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("-x", "'-x"), ("+1", "'+1"), ("/a=b", "/a=b")] {
            assert_eq!(inert(cell), expected);
        }
    }
}
