//! `layersift diff`: what has changed from one image or report to another.

use super::arguments::{DiffArguments, ReadArguments};
use super::config::Layers;
use super::error::CliError;
use super::output::Output;
use super::reports::Reports;
use super::{FATAL, baseline, key, note, report_file, scan};
use crate::finding::fingerprint::Key;
use crate::finding::{BaselineError, Scan};
use crate::report::{Colour, Context, Exposure, FormatName, Redactor, Suppressed, Times};
use crate::scan::{Explain, Outcome};

/// Exit code for something new.
const NEW: u8 = 1;

pub(super) fn run(arguments: &DiffArguments, layers: &Layers) -> Result<u8, CliError> {
    let [old, new] = &arguments.read.targets[..] else { return Err(CliError::NotTwo { given: arguments.read.targets.len() }) };
    let key = key::load(arguments.read.key_file.as_deref())?;
    let started = scan::now();
    let former = one(old, &arguments.read, layers, key.as_ref())?;
    let latter = one(new, &arguments.read, layers, key.as_ref())?;
    let (Some(former), Some(mut latter)) = (former, latter) else { return Ok(FATAL) };
    if !former.coverage.is_complete() && !arguments.read.quiet {
        note("note", "not all of OLD could be read: what is called new may have been there");
    }
    // What is remembered of the old one is redacted by its own secrets; the report redacts it by those of the new one, too.
    let known = baseline::of(&former, &Redactor::new(&former, Exposure::Redacted));
    if known.key != latter.fingerprint_key {
        let error = BaselineError::OtherKey { theirs: known.key, ours: latter.fingerprint_key };
        return Err(CliError::OtherKey { old: old.clone(), error });
    }
    let compared = known.compare(&mut latter);
    let exposure = arguments.report.exposure();
    let redactor = Redactor::new(&latter, exposure);
    let gate = arguments.gate.gate();
    // A person wants to see what changed; the table lists all there is.
    if arguments.report.format == FormatName::Table && arguments.report.output.is_empty() {
        Output::Stdout.write(|out| baseline::changes(&latter, &redactor, compared, out))?;
    } else {
        let reports = Reports::open(arguments.report.format, &arguments.report.output, exposure)?;
        let times = Times { started: started.unwrap_or_default(), ended: scan::now().unwrap_or_default() };
        reports.write(&latter, &mut Context { redactor, gate, suppressed: Suppressed::Counted, width: 0, colour: Colour::Plain, times })?;
    }
    Ok(gate.outcome(&latter).exit_code(NEW))
}

/// Reads a report or scans an image; none, and said so, where the image cannot be opened.
fn one(target: &str, arguments: &ReadArguments, layers: &Layers, key: Option<&Key>) -> Result<Option<Scan>, CliError> {
    if let Some(path) = report_file::named(target) {
        return report_file::load(path).map(|loaded| Some(loaded.scan));
    }
    let arguments = ReadArguments { targets: vec![target.to_owned()], ..arguments.clone() };
    let Outcome { scan, failures, .. } = scan::read(&arguments, layers, key.cloned(), Explain::Nothing)?;
    scan::complain_of(&failures, &Redactor::new(&scan, Exposure::Redacted));
    Ok(failures.is_empty().then_some(scan))
}
