//! `layersift scan`: from flags to a scan, from the scan to a report and an exit code.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::arguments::{ReadArguments, ScanArguments};
use super::cache::Secrets;
use super::config::Layers;
use super::dockerfile::Given;
use super::error::{CliError, source_hint};
use super::reports::Reports;
use super::streams::{Streams, Watch};
use super::timings::Account;
use super::{FATAL, allow, base, baseline, cache, clean, complain, key, note, progress, rules};
use crate::finding::fingerprint::Key;
use crate::finding::{Filter, Gate, Reason, Scan};
use crate::report::{Colour, Context, Exposure, Redactor, Suppressed, Times};
use crate::rule::RuleSet;
use crate::scan::{self, Base, Comments, Explain, Failure, Limits, Options, Outcome, PublicFiles, Timings, Verify};
use crate::source::Reference;
use crate::watch::Work;

/// What to make of a scan.
#[derive(Debug)]
struct Plan {
    exposure: Exposure,
    filter: Filter,
    gate: Gate,
    suppressed: Suppressed,
    /// Exit code for findings.
    findings_code: u8,
    quiet: bool,
}

pub(super) fn run(arguments: ScanArguments, layers: &Layers) -> Result<u8, CliError> {
    run_on(&arguments, targets(&arguments.read), layers)
}

/// Scans these targets, whatever `arguments` name.
pub(super) fn run_on(arguments: &ScanArguments, targets: Targets, layers: &Layers) -> Result<u8, CliError> {
    let account = Account::new(arguments.timings);
    let plan = Plan::new(arguments);
    let key = key::load(arguments.read.key_file.as_deref())?;
    // What is asked for is opened before the scan, so that nobody waits in vain.
    let baseline = arguments.baseline.as_deref().map(|path| baseline::load(path, key.as_ref())).transpose()?;
    let allowed = allow::load(&arguments.read.allow, layers)?;
    if arguments.dockerfile.is_none() && arguments.target.is_some() {
        return Err(CliError::StageOfNothing);
    }
    let dockerfile = arguments.dockerfile.as_deref().map(|path| Given::load(path, arguments.target.as_deref())).transpose()?;
    let mut reports = Reports::open(arguments.report.format, &arguments.report.output, plan.exposure)?;
    let streams = Streams::new(reports.take_streams(), plan.exposure);
    if plan.exposure == Exposure::Shown && !arguments.read.quiet && io::stderr().is_terminal() {
        note("note", "secrets will be shown in clear");
    }
    let started = now();
    let prepare = account.stretch(Work::Prepare);
    let rules = load_rules(&arguments.read)?;
    drop(prepare);
    // To show a secret, or to find it in a Dockerfile, takes its text, which is not kept.
    let wants_secrets = plan.exposure == Exposure::Shown || dockerfile.is_some();
    let secrets = if wants_secrets { Secrets::Wanted } else { Secrets::Redacted };
    let explain = if arguments.explain { Explain::Candidates } else { Explain::Nothing };
    let asked = Asked { bases: &arguments.base, secrets, explain, timings: account.timings() };
    let mut outcome = read_with(&arguments.read, targets, &rules, key, &streams, &asked)?;
    allow::apply(&allowed, &arguments.read, &mut outcome, now());
    if let Some(baseline) = baseline {
        baseline.compare(&mut outcome.scan);
    }
    let mut further = Vec::new();
    if let Some(dockerfile) = dockerfile {
        further = dockerfile.secrets(&rules);
        dockerfile.advise(&mut outcome.scan);
    }
    let code = {
        let _report = account.stretch(Work::Report);
        plan.conclude(outcome, &further, reports, streams, started)?
    };
    account.say();
    // The process is about to end. The system takes the memory of all rules back at once, and not piece by piece.
    std::mem::forget(rules);
    Ok(code)
}

/// Scans what `arguments` name, and suppresses what is allowed.
pub(super) fn read(arguments: &ReadArguments, layers: &Layers, key: Option<Key>, explain: Explain) -> Result<Outcome, CliError> {
    let allowed = allow::load(&arguments.allow, layers)?;
    let (rules, targets) = (load_rules(arguments)?, targets(arguments));
    let asked = Asked { bases: &[], secrets: Secrets::Redacted, explain, timings: None };
    let mut outcome = read_with(arguments, targets, &rules, key, &Streams::none(), &asked)?;
    allow::apply(&allowed, arguments, &mut outcome, now());
    Ok(outcome)
}

fn load_rules(arguments: &ReadArguments) -> Result<RuleSet, CliError> {
    let rules = rules::load(&arguments.rules, &arguments.choice.selection())?;
    if !arguments.quiet {
        rules::say_left_out(rules.left_out());
    }
    Ok(rules)
}

/// What only some verbs ask of a scan.
struct Asked<'a> {
    /// The images that those scanned may be built on, as typed.
    bases: &'a [String],
    secrets: Secrets,
    explain: Explain,
    timings: Option<Arc<Timings>>,
}

/// Scans `targets` with `rules`. `streams` are told of layers as they are read.
fn read_with(
    arguments: &ReadArguments,
    targets: Targets,
    rules: &RuleSet,
    key: Option<Key>,
    streams: &Streams,
    asked: &Asked<'_>,
) -> Result<Outcome, CliError> {
    // A stream has a line for each layer that is read, with what was found there.
    let cache = if streams.is_none() { cache::open(arguments, asked.secrets) } else { None };
    let registry = arguments.registry.options(&targets.references)?;
    let bases = base::open(asked.bases, arguments, &registry)?;
    if !arguments.quiet {
        bases.iter().flat_map(Base::taken).for_each(|text| note("note", &clean(text)));
    }
    let mut notes: Vec<String> = bases.iter().flat_map(Base::notes).cloned().collect();
    let options = Options {
        bases,
        registry,
        cache: cache.clone(),
        explain: asked.explain,
        timings: asked.timings.clone(),
        ..options(arguments, key)
    };
    streams.start(&scan::begin(rules, &options));
    let wanted = !arguments.quiet && !arguments.no_progress && !streams.on_stdout();
    let watch = Watch { progress: progress::progress(wanted), streams };
    let mut outcome = scan::run(&targets.references, rules, &options, &watch);
    // The line has to go before anything else is written to the terminal.
    drop(watch);
    if let Some(cache) = cache {
        cache::report(arguments, &cache);
    }
    if !arguments.quiet {
        notes.extend(outcome.notes.iter().filter(|note| !notes.contains(note)).cloned().collect::<Vec<_>>());
        notes.iter().for_each(|text| note("warning", &clean(text)));
    }
    add_unknown(&mut outcome, targets.unknown);
    Ok(outcome)
}

/// Says what could not be opened.
pub(super) fn complain_of(failures: &[Failure], redactor: &Redactor) {
    for Failure { error, .. } in failures {
        complain(&redactor.text(&error.to_string()), source_hint(error).as_deref());
    }
}

fn options(arguments: &ReadArguments, key: Option<Key>) -> Options {
    let usual = Options::default();
    Options {
        jobs: arguments.jobs.map_or(usual.jobs, std::num::NonZeroUsize::get),
        max_memory: arguments.max_memory.map(|size| size.0),
        limits: Limits { nested: arguments.nested.bounds(), ..usual.limits },
        verify: if arguments.no_verify { Verify::Nothing } else { Verify::Digests },
        platform: arguments.platform.clone(),
        public_files: if arguments.no_public_files { PublicFiles::Report } else { PublicFiles::Suppress },
        now: now(),
        comments: if arguments.allow.no_inline_allow { Comments::Ignored } else { Comments::Heeded },
        key,
        ..usual
    }
}

/// Seconds since 1970; none on a machine whose clock says it is earlier.
pub(super) fn now() -> Option<i64> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok())
}

/// What to scan. One wrong name does not keep the others from being scanned.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// Those that make sense.
    pub(super) references: Vec<Reference>,
    /// Those that do not.
    pub(super) unknown: Vec<Failure>,
}

/// Reads the targets that the user typed.
fn targets(arguments: &ReadArguments) -> Targets {
    let mut targets = Targets::default();
    for target in &arguments.targets {
        let mut notes = Vec::new();
        let found = arguments.source.find(target, &mut notes);
        if !arguments.quiet {
            notes.iter().for_each(|text| note("note", &clean(text)));
        }
        match found {
            Ok(reference) => targets.references.push(reference),
            Err(error) => targets.unknown.push(Failure { target: target.clone(), error }),
        }
    }
    targets
}

impl Plan {
    fn new(arguments: &ScanArguments) -> Self {
        let severities = arguments.severity.iter().copied().collect();
        Self {
            exposure: arguments.report.exposure(),
            filter: Filter { severities: (!arguments.severity.is_empty()).then_some(severities), scope: arguments.scope },
            gate: arguments.gate.gate(),
            suppressed: if arguments.show_suppressed { Suppressed::Listed } else { Suppressed::Counted },
            findings_code: arguments.exit_code,
            quiet: arguments.read.quiet,
        }
    }

    /// Writes the report, says what failed, and gives the exit code. Reports show none of the `further` secrets either.
    fn conclude(
        &self,
        outcome: Outcome,
        further: &[Vec<u8>],
        reports: Reports,
        streams: Streams,
        started: Option<i64>,
    ) -> Result<u8, CliError> {
        let Outcome { mut scan, failures, .. } = outcome;
        // All secrets have to be known before some findings are filtered out.
        let redactor = Redactor::with(&scan, further, self.exposure);
        self.filter.apply(&mut scan);
        let times = Times { started: started.unwrap_or_default(), ended: now().unwrap_or_default() };
        let mut context = Context { redactor, gate: self.gate, suppressed: self.suppressed, width: 0, colour: Colour::Plain, times };
        streams.finish(&scan, &context)?;
        reports.write(&scan, &mut context)?;
        if !self.quiet {
            base::notes(&scan, self.gate.whose, &context.redactor);
        }
        complain_of(&failures, &context.redactor);
        Ok(self.exit_code(&scan, &failures))
    }

    fn exit_code(&self, scan: &Scan, failures: &[Failure]) -> u8 {
        if failures.is_empty() { self.gate.outcome(scan).exit_code(self.findings_code) } else { FATAL }
    }
}

/// Adds targets that make no sense to those that the scan could not open. They, too, are in the report, as things that were not read.
fn add_unknown(outcome: &mut Outcome, unknown: Vec<Failure>) {
    for Failure { target, error } in &unknown {
        outcome.scan.coverage.skip(Reason::NotAnImage, target.clone(), None, error.to_string());
    }
    outcome.failures.splice(0..0, unknown);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use clap::Parser as _;

    use super::super::arguments::{Arguments, Verb};
    use super::*;
    use crate::finding::{Confidence, Finding, Place, RuleFacts, Secret, Severity};
    use crate::source::SourceError;

    fn arguments(flags: &str) -> ScanArguments {
        let words = ["layersift", "scan", "x"].into_iter().chain(flags.split_whitespace());
        match Arguments::try_parse_from(words).unwrap().verb {
            Verb::Scan(arguments) => *arguments,
            _ => unreachable!(),
        }
    }

    fn finding(severity: Severity, confidence: Confidence) -> Finding {
        let rule = RuleFacts {
            id: "r".to_owned(),
            description: String::new(),
            provider: String::new(),
            docs: None,
            severity,
            remediation: String::new(),
            pairs: Vec::new(),
        };
        let place = Place::Config { pointer: "/config/Env/0".to_owned() };
        Finding { severity, confidence, ..Finding::new(&Arc::new(rule), Secret::new(*b"hunter2-hunter2", 0), place) }
    }

    fn scan_of(findings: Vec<Finding>, gap: bool) -> Scan {
        let mut scan = Scan { findings, ..Scan::new("") };
        if gap {
            scan.coverage.skip(Reason::DamagedStream, "layer 1", None, "");
        }
        scan
    }

    fn failure() -> Failure {
        Failure { target: "b.tar".to_owned(), error: SourceError::NotFound { path: PathBuf::from("b.tar") } }
    }

    /// Runs all but the scan; gives the exit code and the report.
    fn conclude(flags: &str, scan: Scan, failures: Vec<Failure>) -> (u8, String) {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("layersift-scan-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        let arguments = arguments(&format!("{flags} --output {}", path.display()));
        let plan = Plan::new(&arguments);
        let reports = Reports::open(arguments.report.format, &arguments.report.output, plan.exposure).unwrap();
        let code = plan.conclude(Outcome { scan, failures, notes: Vec::new() }, &[], reports, Streams::none(), None).unwrap();
        let report = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        (code, report)
    }

    #[test]
    fn the_exit_code_is_fatal_then_findings_then_gaps() {
        use {Confidence::*, Severity::*};
        let high = || vec![finding(High, Likely)];
        let table = [
            ("", vec![], false, 0, 0),
            ("", high(), false, 0, 1),
            ("", high(), true, 0, 1),
            ("", vec![], true, 0, 3),
            ("", vec![], false, 1, 2),
            ("", high(), true, 1, 2),
            ("--exit-code 9", high(), false, 0, 9),
            ("--exit-code 9", vec![], true, 0, 3),
            ("--fail-on critical", high(), false, 0, 0),
            ("--fail-on never", high(), false, 0, 0),
            ("--fail-on never", high(), true, 0, 3),
            ("--require-complete", vec![], true, 0, 1),
            ("--require-complete --exit-code 9 --fail-on never", high(), true, 0, 9),
            ("--require-complete", vec![], false, 0, 0),
            ("--require-complete", vec![], true, 1, 2),
            ("", vec![finding(High, Possible)], false, 0, 0),
            ("--min-confidence possible", vec![finding(High, Possible)], false, 0, 1),
            ("--severity low,medium", high(), false, 0, 0),
            ("--severity HIGH", high(), false, 0, 1),
            ("--scope deleted", high(), false, 0, 0),
        ];
        for (flags, findings, gap, failed, code) in table {
            let failures = (0..failed).map(|_| failure()).collect();
            assert_eq!(conclude(flags, scan_of(findings, gap), failures).0, code, "{flags} gap {gap} failed {failed}");
        }
    }

    #[test]
    fn a_target_that_makes_no_sense_is_in_the_report_of_the_others() {
        let scan = scan_of(vec![finding(Severity::High, Confidence::Likely)], false);
        let mut outcome = Outcome { scan, failures: Vec::new(), notes: Vec::new() };
        add_unknown(&mut outcome, vec![failure()]);
        let (code, report) = conclude("--format json", outcome.scan, outcome.failures);
        assert_eq!(code, 2);
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["findings"].as_array().unwrap().len(), 1);
        assert_eq!((&report["coverage"]["skipped"][0]["where"], &report["complete"]), (&"b.tar".into(), &false.into()));
    }

    #[test]
    fn the_secret_of_a_finding_that_is_filtered_out_is_redacted_all_the_same() {
        let mut scan = scan_of(vec![finding(Severity::High, Confidence::Likely)], true);
        scan.coverage.skip(Reason::TooLarge, "/srv/hunter2-hunter2.zip", None, "");
        let (_, report) = conclude("--severity low", scan, vec![]);
        assert!(report.contains("/srv/****.zip") && !report.contains("hunter2"), "{report}");
    }

    #[test]
    fn secrets_are_shown_on_request_only() {
        let scan = || scan_of(vec![finding(Severity::High, Confidence::Likely)], false);
        assert!(!conclude("--format json", scan(), vec![]).1.contains("hunter2-hunter2"));
        assert!(conclude("--format json --show-secrets", scan(), vec![]).1.contains("hunter2-hunter2"));
    }
}
