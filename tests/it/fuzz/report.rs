//! The JSON report, read back and written in every format.

use layersift::finding::{Gate, Scan};
use layersift::report::{Colour, Context, Exposure, FormatName, Redactor, Suppressed, Times, read};

fn write(scan: &Scan, format: FormatName) -> Vec<u8> {
    let context = Context {
        redactor: Redactor::new(scan, Exposure::Redacted),
        gate: Gate::default(),
        suppressed: Suppressed::Listed,
        width: 80,
        colour: Colour::Plain,
        times: Times::default(),
    };
    let mut out = Vec::new();
    format.format().write(scan, &context, &mut out).unwrap();
    out
}

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(scan) = read(text) else { return };
    for format in FormatName::all() {
        let report = String::from_utf8(write(&scan, format)).unwrap();
        assert!(!report.chars().any(|c| c == '\u{1b}' || c == '\u{202e}'), "{format} has an escape sequence");
    }
    // What was written is a report, which says the same.
    let once = write(&scan, FormatName::Json);
    let again = read(std::str::from_utf8(&once).unwrap()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(String::from_utf8(write(&again, FormatName::Json)), String::from_utf8(once));
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    use layersift::rule::RuleSet;
    use layersift::scan::{NoProgress, Options, Verify, run};
    use layersift::source::Reference;
    let rules = RuleSet::builtin();
    let options = Options { jobs: 1, verify: Verify::Nothing, ..Options::default() };
    let scan = run(&[Reference::Example], &rules, &options, &NoProgress).scan;
    let mut few = scan;
    few.findings.truncate(6);
    vec![write(&few, FormatName::Json), write(&Scan::new("sha256:00".to_owned()), FormatName::Json)]
}
