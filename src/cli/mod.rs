//! The command line: arguments as typed become configuration as meant, a verb runs, its result becomes an exit code.
//!
//! Knows terminals, files to write to and words for people; what an image is and what a secret is, others know. Ends no process:
//! the code goes back to `main`.

mod allow;
mod arguments;
mod audit;
mod base;
mod baseline;
mod cache;
mod completions;
mod config;
mod convert;
mod diff;
mod dockerfile;
mod error;
mod examples;
mod explain;
mod key;
mod man;
mod output;
mod plugin;
mod progress;
mod registry;
mod report_file;
mod reports;
mod rules;
mod scan;
mod schema;
mod size;
mod streams;
mod timings;
mod toc;
mod version;

use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::error::ErrorKind;

use self::arguments::{ConfigVerb, DockerPluginVerb, Verb};
use self::config::Layers;
use self::error::CliError;

/// Exit code for wrong usage, and for a scan that did not come to its end.
const FATAL: u8 = 2;

/// Runs what `arguments` ask for (the program's name first) and returns the exit code: 0 clean and complete, 1 findings at or above
/// the gate, 2 usage or fatal error, 3 no gating finding but something could not be read.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = arguments.into_iter().collect();
    match perform(&words) {
        Ok(code) => code,
        Err(CliError::Told(told)) => {
            // Help comes this way too. Nobody is left to tell if printing fails.
            let _ = told.print();
            if told.use_stderr() { FATAL } else { 0 }
        }
        Err(error) => {
            complain(&error.to_string(), error.hint().as_deref());
            FATAL
        }
    }
}

fn perform(words: &[OsString]) -> Result<u8, CliError> {
    if let Some(call) = plugin::Call::of(words) {
        return plugin::run(call);
    }
    let (arguments, layers) = match config::parse(words) {
        Err(CliError::Told(told)) if told.kind() == ErrorKind::DisplayVersion => return version::run(),
        parsed => parsed?,
    };
    remark(&layers);
    match arguments.verb {
        Verb::Scan(arguments) => scan::run(*arguments, &layers),
        Verb::Audit(arguments) => audit::run(&arguments, &layers),
        Verb::Convert(arguments) => convert::run(&arguments),
        Verb::Diff(arguments) => diff::run(&arguments, &layers),
        Verb::Explain(arguments) => explain::run(&arguments, &layers),
        Verb::Baseline(arguments) => baseline::run(arguments, &layers),
        Verb::Rules(arguments) => rules::run(arguments),
        Verb::Toc(arguments) => toc::run(&arguments),
        Verb::Cache(arguments) => cache::run(&arguments),
        Verb::Config(arguments) => match arguments.verb {
            ConfigVerb::Show(arguments) => config::show::run(&arguments),
        },
        Verb::Schema(arguments) => schema::run(&arguments),
        Verb::Completions { shell } => completions::run(shell),
        Verb::Man { folder } => man::run(folder.as_deref()),
        Verb::DockerPlugin { verb: DockerPluginVerb::Install } => plugin::install(),
        Verb::DockerPlugin { verb: DockerPluginVerb::Uninstall } => plugin::uninstall(),
    }
}

/// Says what in the environment means nothing.
fn remark(layers: &Layers) {
    for remark in layers.remarks() {
        note("note", &clean(remark));
    }
}

/// `error: ...` and perhaps `hint: ...` on standard error. Messages may quote images and files, so they are neutralised.
fn complain(message: &str, hint: Option<&str>) {
    note("error", &clean(message));
    if let Some(hint) = hint {
        note("hint", hint);
    }
}

/// A text from a file, fit for a terminal; further lines are indented.
fn clean(text: &str) -> String {
    text.lines().map(crate::report::sanitise::terminal).collect::<Vec<_>>().join("\n  ")
}

/// One line for people on standard error. A closed standard error is no reason to fail.
fn note(kind: &str, text: &str) {
    let _ = writeln!(io::stderr(), "{kind}: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(arguments: &[&str]) -> u8 {
        run(std::iter::once("layersift").chain(arguments.iter().copied()).map(OsString::from))
    }

    #[test]
    fn wrong_usage_is_two_and_help_is_zero() {
        for wrong in [&[][..], &["scan"], &["scan", "x", "--format", "yaml"], &["scan", "x", "--fail-on", "worst"], &["no-such-verb"]] {
            assert_eq!(code(wrong), 2, "{wrong:?}");
        }
        for right in [&["--version"][..], &["--help"], &["scan", "--help"]] {
            assert_eq!(code(right), 0, "{right:?}");
        }
    }
}
