//! `layersift audit`: from flags to a plan, from the state of its work to a report and an exit code.

mod arguments;
mod progress;
mod targets;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use etcetera::base_strategy::{BaseStrategy as _, choose_native_strategy};

pub(super) use self::arguments::AuditArguments;
use super::config::Layers;
use super::error::CliError;
use super::output::Output;
use super::scan::now;
use super::{allow, clean, key, note, reports, rules};
use crate::audit::state::{self, State};
use crate::audit::{self, Audit, AuditError, Worked};
use crate::finding::{Gate, Outcome};
use crate::private;
use crate::report::Exposure;
use crate::report::audit::{AuditContext, AuditFormat, View as _};
use crate::scan::{Comments, Options, PublicFiles};
use crate::source::registry::{Bounds, Gates, RegistryOptions};

/// The file in the platform's folder that keeps audits if no other place is named.
const FILE: &str = "audits.sqlite";

/// Pieces of work at a time, at least: registries are waited for more than anything else.
const LEAST_WORKERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);

pub(super) fn run(arguments: &AuditArguments, layers: &Layers) -> Result<u8, CliError> {
    let plan = targets::plan(arguments)?;
    let key = key::load(arguments.key_file.as_deref())?;
    let allowed = allow::load(&arguments.allow, layers)?;
    let rules = rules::load(&arguments.rules, &arguments.choice.selection())?;
    if !arguments.quiet {
        rules::say_left_out(rules.left_out());
    }
    let registry = RegistryOptions { gates: gates(arguments), ..arguments.registry.options(&targets::references(&plan, arguments))? };
    let scan = Options {
        platform: arguments.platform.clone(),
        public_files: if arguments.no_public_files { PublicFiles::Report } else { PublicFiles::Suppress },
        comments: if arguments.allow.no_inline_allow { Comments::Ignored } else { Comments::Heeded },
        key,
        ..Options::default()
    };
    let audit = Audit { plan: &plan, rules: &rules, scan: &scan, allowed: &allowed };
    // What is asked for is opened before the work, so that nobody waits in vain.
    let destinations = if arguments.worker { Vec::new() } else { places(arguments)? };
    let state: Arc<dyn State> = Arc::from(state::open(&place(arguments.state.as_deref())?).map_err(AuditError::from)?);
    let worked = work(arguments, &audit, &state, registry)?;
    if arguments.worker {
        return Ok(0);
    }
    let code = report(arguments, &audit, &*state, &worked, destinations)?;
    // What failed is tried again by the next audit, and not by this one.
    state.complete(worked.run.id, now().unwrap_or_default()).map_err(AuditError::from)?;
    code.ok_or(CliError::NothingListed)
}

/// How much each host is asked for.
fn gates(arguments: &AuditArguments) -> Gates {
    let usual = Bounds::default().connections;
    Gates::new(Bounds { connections: arguments.concurrency.map_or(usual, |at_a_time| at_a_time.max(usual)), per_second: arguments.rate })
}

/// Does what there is to do.
fn work(arguments: &AuditArguments, audit: &Audit<'_>, state: &Arc<dyn State>, registry: RegistryOptions) -> Result<Worked, CliError> {
    let jobs = arguments.jobs.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let options = audit::Options {
        workers: arguments.concurrency.unwrap_or(jobs.max(LEAST_WORKERS)),
        jobs,
        budget: arguments.budget.map(|size| size.0),
        lease: arguments.lease,
        registry,
    };
    let watch = progress::progress(!arguments.quiet && !arguments.no_progress);
    let worked = audit.work(state, &options, &*watch, now().unwrap_or_default());
    // The line has to go before anything else is written to the terminal.
    drop(watch);
    let worked = worked?;
    if !arguments.quiet {
        if worked.run.is_resumed {
            note("note", "this audit was begun before, and was gone on with");
        }
        worked.notes.iter().for_each(|text| note("warning", &clean(text)));
    }
    Ok(worked)
}

/// Writes the reports, and gives the exit code; none if nothing could be listed.
fn report(
    arguments: &AuditArguments,
    audit: &Audit<'_>,
    state: &dyn State,
    worked: &Worked,
    destinations: Vec<(AuditFormat, Output)>,
) -> Result<Option<u8>, CliError> {
    let gate = arguments.gate.gate();
    let report = audit::Report::new(audit, state, &worked.run, gate).map_err(CliError::AuditReport)?;
    for (format, mut output) in destinations {
        let context = AuditContext { width: output.width(), colour: output.colour() };
        output.write(|out| format.write(&report, &context, out))?;
    }
    if !arguments.quiet {
        let fetched = state.counts(worked.run.id).map_err(AuditError::from)?.fetched;
        note("note", &format!("{fetched} bytes were fetched for it"));
    }
    let summary = report.summary();
    let is_lost = summary.tags == 0 && !summary.complete;
    Ok((!is_lost).then(|| exit_code(gate, summary.gating, summary.complete, arguments.exit_code)))
}

fn exit_code(gate: Gate, gating: u64, is_complete: bool, findings_code: u8) -> u8 {
    let outcome = match (gating, is_complete) {
        (1.., _) => Outcome::Findings,
        (0, true) => Outcome::Clean,
        (0, false) => Outcome::Incomplete(gate.gaps),
    };
    outcome.exit_code(findings_code)
}

fn places(arguments: &AuditArguments) -> Result<Vec<(AuditFormat, Output)>, CliError> {
    reports::places(arguments.format, &arguments.output, Exposure::Redacted)
}

/// The state that was named, or the file of the platform, in a folder that is made for its owner only.
fn place(given: Option<&str>) -> Result<String, CliError> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let folder = state_folder().ok_or(CliError::NoStateFolder)?;
    private::folders().create(&folder).map_err(|error| CliError::Output { path: folder.clone(), error })?;
    let path = folder.join(FILE);
    path.to_str().map(str::to_owned).ok_or(CliError::NoStateFolder)
}

fn state_folder() -> Option<PathBuf> {
    let strategy = choose_native_strategy().ok()?;
    Some(strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join(Path::new("layersift")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Gaps;

    #[test]
    fn findings_win_over_gaps() {
        let gate = Gate::default();
        let strict = Gate { gaps: Gaps::Fail, ..gate };
        for (gate, gating, is_complete, code) in
            [(gate, 0, true, 0), (gate, 1, false, 9), (gate, 0, false, 3), (strict, 0, false, 9), (strict, 0, true, 0)]
        {
            assert_eq!(exit_code(gate, gating, is_complete, 9), code);
        }
    }
}
