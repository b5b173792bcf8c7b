//! What is too much is cut, and said.

use layersift::finding::Reason;
use layersift::scan::{Limits, Options};
use layersift::source::builder::ImageBuilder;

use crate::support::*;

#[test]
fn findings_of_documents_beyond_the_bound_are_counted() {
    let image =
        (0..30).fold(ImageBuilder::new(), |image, number| image.env(&format!("TOKEN_{number}"), &token(&format!("bound {number}"))));
    let temp = Temp::new();
    let path = temp.file("image.tar", image.docker_archive().unwrap());
    let options = Options { limits: Limits { findings_per_layer: 10, ..Limits::default() }, ..Options::default() };
    let scan = sound(scan_text(path.to_str().unwrap(), &options));
    assert_eq!(scan.findings.len(), 10);
    assert!(reasons(&scan).contains(&Reason::FindingsLimit), "{:?}", scan.coverage.skipped);
    assert!(!scan.coverage.is_complete());
}
