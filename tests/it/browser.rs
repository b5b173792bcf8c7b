//! The HTML report in a real browser: `tests/browser.js` opens it in Chromium, without a display, and says what does not hold.

use std::fs;
use std::path::Path;
use std::process::Command;

use layersift::report::{Exposure, FormatName};
use layersift::source::builder::{ImageBuilder, LayerBuilder};

use crate::support::*;

/// What means something to HTML, in a name.
const HOSTILE: &str = "<img src=x onerror=document.title='run'>\"'&amp;<script>document.title='run'<";

/// An image with as many secrets, ten to a file, in two layers that the third one empties in part.
fn many(findings: usize) -> ImageBuilder {
    let files: Vec<String> = (0..findings / 10)
        .map(|file| (0..10).map(|line| format!("TOKEN_{line}={}\n", token(&format!("{file} {line}")))).collect())
        .collect();
    let half = files.len() / 2;
    let put = |layer: &mut LayerBuilder, from: usize, files: &[String]| {
        for (index, file) in files.iter().enumerate() {
            layer.file(format!("/srv/app/{}.env", from + index), file);
        }
    };
    ImageBuilder::new()
        .tag("example.org/many:1")
        .layer("COPY a /srv", |layer| put(layer, 0, &files[..half]))
        .layer("COPY b /srv", |layer| put(layer, half, &files[half..]))
        .layer("RUN rm /srv/app/0.env", |layer| layer.whiteout("/srv/app/0.env"))
}

#[test]
#[ignore = "needs chromium, node and playwright-core; tests/run includes it where they are"]
fn the_html_report_works_in_chromium() {
    let temp = Temp::new();
    let hostile = ImageBuilder::new().tag(HOSTILE).layer(&format!("COPY {HOSTILE} /"), |layer| {
        layer.file(format!("/app/{HOSTILE}"), token("hostile"));
    });
    let empty = ImageBuilder::new().layer("COPY nothing /", |layer| layer.file("/nothing", "nothing\n"));
    for (name, scan) in
        [("example", scan_example()), ("many", scan_image(&many(10_000))), ("hostile", scan_image(&hostile)), ("empty", scan_image(&empty))]
    {
        fs::write(temp.path(&format!("{name}.html")), write(&scan, FormatName::Html, Exposure::Redacted)).unwrap();
        fs::write(temp.path(&format!("{name}.json")), report(&scan, Exposure::Redacted)).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser.js");
    let output = Command::new("node").arg(script).arg(temp.path("")).output().unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
