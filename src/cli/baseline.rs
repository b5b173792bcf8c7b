//! `layersift baseline`: keep what is known, and say what changed since.

use std::io::{self, Write};
use std::path::Path;

use super::arguments::{BaselineArguments, BaselineVerb, KnownArguments};
use super::config::Layers;
use super::error::CliError;
use super::output::Output;
use super::{FATAL, key, note, scan};
use crate::finding::fingerprint::Key;
use crate::finding::{Baseline, Compared, Finding, Novelty, Remembered, Scan};
use crate::report::sanitise::terminal;
use crate::report::{Exposure, Redactor, remember};
use crate::scan::{Explain, Outcome};

/// Exit code of a comparison that found something new.
const NEW: u8 = 1;
/// Exit code where something could not be read.
const INCOMPLETE: u8 = 3;

pub(super) fn run(arguments: BaselineArguments, layers: &Layers) -> Result<u8, CliError> {
    match arguments.verb {
        BaselineVerb::Create(arguments) => create(&arguments, layers),
        BaselineVerb::Update(arguments) => update(&arguments, layers),
        BaselineVerb::Diff(arguments) => diff(&arguments, layers),
    }
}

/// Reads a baseline whose fingerprints were made with `key`.
pub(super) fn load(path: &Path, key: Option<&Key>) -> Result<Baseline, CliError> {
    let text = std::fs::read_to_string(path).map_err(|error| CliError::Input { path: path.to_owned(), error })?;
    Baseline::parse(&text, key.map(Key::name)).map_err(|error| CliError::Baseline { path: path.to_owned(), error })
}

/// All of `scan` that is not suppressed.
pub(super) fn of(scan: &Scan, redactor: &Redactor) -> Baseline {
    let known = scan.findings.iter().filter(|finding| finding.suppressed.is_none()).map(|finding| remember(finding, redactor));
    Baseline::new(scan.fingerprint_key.clone(), known)
}

fn create(arguments: &KnownArguments, layers: &Layers) -> Result<u8, CliError> {
    if arguments.file.exists() {
        return Err(CliError::BaselineExists { path: arguments.file.clone() });
    }
    let key = key::load(arguments.read.key_file.as_deref())?;
    let outcome = scan::read(&arguments.read, layers, key, Explain::Nothing)?;
    keep(arguments, &outcome, None)
}

fn update(arguments: &KnownArguments, layers: &Layers) -> Result<u8, CliError> {
    let key = key::load(arguments.read.key_file.as_deref())?;
    let former = load(&arguments.file, key.as_ref())?;
    let mut outcome = scan::read(&arguments.read, layers, key, Explain::Nothing)?;
    let compared = former.compare(&mut outcome.scan);
    keep(arguments, &outcome, Some(compared))
}

fn diff(arguments: &KnownArguments, layers: &Layers) -> Result<u8, CliError> {
    let key = key::load(arguments.read.key_file.as_deref())?;
    let former = load(&arguments.file, key.as_ref())?;
    let mut outcome = scan::read(&arguments.read, layers, key, Explain::Nothing)?;
    let compared = former.compare(&mut outcome.scan);
    let redactor = Redactor::new(&outcome.scan, Exposure::Redacted);
    Output::Stdout.write(|out| changes(&outcome.scan, &redactor, compared, out))?;
    scan::complain_of(&outcome.failures, &redactor);
    Ok(match code(&outcome) {
        FATAL => FATAL,
        _ if compared.new > 0 => NEW,
        code => code,
    })
}

/// Writes the baseline and says so. A baseline of a scan that failed would call the rest fixed: nothing is written then.
fn keep(arguments: &KnownArguments, outcome: &Outcome, compared: Option<Compared>) -> Result<u8, CliError> {
    let redactor = Redactor::new(&outcome.scan, Exposure::Redacted);
    scan::complain_of(&outcome.failures, &redactor);
    if !outcome.failures.is_empty() {
        return Ok(FATAL);
    }
    let baseline = of(&outcome.scan, &redactor);
    std::fs::write(&arguments.file, baseline.to_json()).map_err(|error| CliError::Output { path: arguments.file.clone(), error })?;
    if !arguments.read.quiet {
        let changed = compared.map(|compared| format!(" ({})", summary(compared))).unwrap_or_default();
        note("note", &format!("{} known findings in {}{changed}", baseline.len(), arguments.file.display()));
        if !outcome.scan.coverage.is_complete() {
            note("note", "something could not be read: what is there is not in the baseline");
        }
    }
    Ok(code(outcome))
}

fn code(outcome: &Outcome) -> u8 {
    match (outcome.failures.is_empty(), outcome.scan.coverage.is_complete()) {
        (false, _) => FATAL,
        (true, false) => INCOMPLETE,
        (true, true) => 0,
    }
}

fn summary(compared: Compared) -> String {
    format!("{} new, {} moved, {} known, {} fixed", compared.new, compared.moved, compared.known, compared.fixed)
}

/// A line for each finding that is new or has moved and for each that is fixed, and one that counts.
pub(super) fn changes(scan: &Scan, redactor: &Redactor, compared: Compared, out: &mut dyn Write) -> io::Result<()> {
    let changed = |finding: &&Finding| finding.suppressed.is_none() && finding.novelty.is_some_and(|novelty| novelty != Novelty::Known);
    for finding in scan.findings.iter().filter(changed) {
        let word = finding.novelty.map_or("", Novelty::as_str);
        line(out, word, &remember(finding, redactor))?;
    }
    for fixed in scan.fixed.iter().flatten() {
        line(out, "fixed", &Remembered { place: redactor.text(&fixed.place).into_owned(), ..fixed.clone() })?;
    }
    writeln!(out, "{}", summary(compared))
}

fn line(out: &mut dyn Write, word: &str, finding: &Remembered) -> io::Result<()> {
    // A baseline is a file like any other: somebody may have put anything in it.
    let [id, rule, place] = [&finding.id, &finding.rule, &finding.place].map(|text| terminal(text));
    writeln!(out, "{word:<6} {:<8} {rule}  {place}  {id}", finding.severity)
}
