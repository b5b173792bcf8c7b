//! `layersift explain`: how a finding came about, and what to write where to accept it.

use std::collections::BTreeSet;

use clap::Args;

use super::arguments::ReadArguments;
use super::config::Layers;
use super::error::CliError;
use super::output::Output;
use super::{FATAL, key, report_file, scan};
use crate::finding::{Finding, Gate, Scan};
use crate::report::{self, Colour, Context, Exposure, Redactor, Suppressed, Times};
use crate::scan::{Explain, Outcome};

const EXAMPLES: &str = "\
Examples:
  A finding of a report, by its fingerprint or the beginning of it:
      layersift scan app.tar --explain --format json --output report.json
      layersift explain report.json 3f9c
  The same without a report, at the price of a scan:
      layersift explain app.tar 3f9c";

/// Fingerprints that a message names.
const MAX_NAMED: usize = 5;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, override_usage = "layersift explain [OPTIONS] <REPORT|IMAGE> <FINGERPRINT>...")]
pub(super) struct ExplainArguments {
    #[command(flatten)]
    read: ReadArguments,
}

pub(super) fn run(arguments: &ExplainArguments, layers: &Layers) -> Result<u8, CliError> {
    let [target, ids @ ..] = &arguments.read.targets[..] else { return Err(CliError::NothingToExplain) };
    if ids.is_empty() {
        return Err(CliError::NothingToExplain);
    }
    let Some(scan) = read(target, &arguments.read, layers)? else { return Ok(FATAL) };
    let mut findings = Vec::new();
    for id in ids {
        findings.extend(meant(&scan, id)?);
    }
    let mut output = Output::Stdout;
    let context = Context {
        redactor: Redactor::new(&scan, Exposure::Redacted),
        gate: Gate::default(),
        suppressed: Suppressed::Counted,
        width: output.width(),
        colour: Colour::Plain,
        times: Times { started: 0, ended: 0 },
    };
    output.write(|out| {
        findings.iter().enumerate().try_for_each(|(number, finding)| {
            if number > 0 {
                writeln!(out)?;
            }
            report::explain(&scan, &context, finding, out)
        })
    })?;
    Ok(0)
}

/// Reads a report or scans an image; none, and said so, where the image cannot be opened.
fn read(target: &str, arguments: &ReadArguments, layers: &Layers) -> Result<Option<Scan>, CliError> {
    if let Some(path) = report_file::named(target) {
        return report_file::load(path).map(|loaded| Some(loaded.scan));
    }
    let arguments = ReadArguments { targets: vec![target.to_owned()], ..arguments.clone() };
    let key = key::load(arguments.key_file.as_deref())?;
    let Outcome { scan, failures, .. } = scan::read(&arguments, layers, key, Explain::Candidates)?;
    scan::complain_of(&failures, &Redactor::new(&scan, Exposure::Redacted));
    Ok(failures.is_empty().then_some(scan))
}

/// The findings whose fingerprint begins with `id`: several only if all have the same one.
fn meant<'s>(scan: &'s Scan, id: &str) -> Result<Vec<&'s Finding>, CliError> {
    let wanted = id.to_ascii_lowercase();
    let found: Vec<&Finding> = scan.findings.iter().filter(|finding| !wanted.is_empty() && finding.id.starts_with(&wanted)).collect();
    let names: BTreeSet<&str> = found.iter().map(|finding| finding.id.as_str()).collect();
    match names.len() {
        0 => Err(CliError::NoSuchFinding { id: id.to_owned() }),
        1 => Ok(found),
        _ => Err(CliError::ManyFindings { id: id.to_owned(), those: names.into_iter().take(MAX_NAMED).map(str::to_owned).collect() }),
    }
}
