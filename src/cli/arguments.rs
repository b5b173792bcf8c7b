//! Arguments as typed, with their help.

mod read;
mod report;
mod rules;
mod scan;

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(super) use read::{AllowArguments, ChoiceArguments, ProjectArguments, ReadArguments};
pub(super) use report::{Destination, GateArguments, ReportArguments};
pub(super) use rules::{RulesArguments, RulesVerb, TestArguments};
pub(super) use scan::ScanArguments;

use super::audit::AuditArguments;
use super::examples;
use super::explain::ExplainArguments;
use super::registry::RegistryArguments;
use crate::oci::Platform;
use crate::report::FormatName;

/// Finds secrets in every layer of a container image.
#[derive(Debug, Parser)]
#[command(name = "layersift", version, about, propagate_version = true, after_help = EXIT_CODES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  clean: nothing at or above the gate, and everything was read
  1  findings at or above the gate (another code with --exit-code)
  2  wrong usage, or something that was asked for could not be opened
  3  nothing at or above the gate, but something could not be read (1 with --require-complete)";

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Look for secrets in images
    Scan(Box<ScanArguments>),
    /// Look for secrets in all images of registries, reading each layer once
    Audit(Box<AuditArguments>),
    /// Write a JSON report in another format
    Convert(ConvertArguments),
    /// Say what is new, moved, fixed and still there in an image or report since another one
    Diff(Box<DiffArguments>),
    /// Say how a finding came about, and what to write where to accept it
    Explain(Box<ExplainArguments>),
    /// Keep what is known of images, so that only new findings fail
    Baseline(BaselineArguments),
    /// List the files that layers in a registry say they have, without fetching the layers (eStargz, zstd:chunked)
    #[command(after_help = examples::TOC)]
    Toc(Box<TocArguments>),
    /// List, show and check rules
    Rules(RulesArguments),
    /// Say what is kept from scan to scan, check it, or remove it
    #[command(after_help = examples::CACHE)]
    Cache(CacheArguments),
    /// Say what the project file, the environment and the flags come to
    Config(ConfigArguments),
    /// Print the JSON Schema of the JSON report, of a line of the stream, or of the report of an audit
    #[command(after_help = examples::SCHEMA)]
    Schema(SchemaArguments),
    /// Print the completion script of a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages, one for each verb
    #[command(after_help = examples::MAN)]
    Man {
        /// Where to; without it the page of the program goes to standard output
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Make layersift a command of the Docker client: `docker layersift IMAGE`
    #[command(after_help = examples::DOCKER_PLUGIN)]
    DockerPlugin {
        #[command(subcommand)]
        verb: DockerPluginVerb,
    },
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum DockerPluginVerb {
    /// Put a link to this program into the Docker client's folder of plugins
    Install,
    /// Take it out again
    Uninstall,
}

const CONVERT_EXAMPLES: &str = "\
Examples:
  One scan, and the other formats later:
      layersift scan app.tar --format json --output report.json
      layersift convert report.json --output sarif=app.sarif --output html=app.html
  What a report of elsewhere says:
      curl -s https://ci.example.com/report.json | layersift convert -";

#[derive(Debug, Args)]
#[command(after_help = CONVERT_EXAMPLES)]
pub(super) struct ConvertArguments {
    /// A report that `scan --format json` wrote; `-` is standard input
    #[arg(value_name = "REPORT")]
    pub(super) input: PathBuf,

    #[command(flatten)]
    pub(super) report: ReportArguments,

    #[command(flatten)]
    pub(super) gate: GateArguments,
}

const DIFF_EXAMPLES: &str = "\
Examples:
  What the new image has that the old one has not:
      layersift diff app-1.4.tar app-1.5.tar
  The same where a report of the old one was kept:
      layersift diff report-1.4.json app-1.5.tar --format markdown

Exit codes:
  0  nothing new at or above the gate, and all of NEW was read
  1  something new at or above the gate
  2  wrong usage, or one of the two could not be opened, or they cannot be compared
  3  nothing new at or above the gate, but something of NEW could not be read (1 with --require-complete)";

#[derive(Debug, Args)]
#[command(after_help = DIFF_EXAMPLES, override_usage = "layersift diff [OPTIONS] <OLD> <NEW>")]
pub(super) struct DiffArguments {
    #[command(flatten)]
    pub(super) read: ReadArguments,

    #[command(flatten)]
    pub(super) report: ReportArguments,

    #[command(flatten)]
    pub(super) gate: GateArguments,
}

#[derive(Debug, Args)]
pub(super) struct SchemaArguments {
    /// Which format's
    #[arg(
        long, value_name = "FORMAT", default_value = "json", ignore_case = true,
        value_parser = words::<FormatName>([FormatName::Json.as_str(), FormatName::Jsonl.as_str()])
    )]
    pub(super) format: FormatName,

    /// That of the report of an audit, as one value or in lines
    #[arg(long, conflicts_with = "format")]
    pub(super) audit: bool,
}

#[derive(Debug, Args)]
pub(super) struct TocArguments {
    /// Names of images in registries
    #[arg(required = true, value_name = "IMAGE")]
    pub(super) names: Vec<String>,

    /// Only files whose names tell that a secret may be in them; they are marked with `!` in the whole list
    #[arg(long)]
    pub(super) telling: bool,

    /// Only images for this platform: os/architecture or os/architecture/variant
    #[arg(long, value_name = "PLATFORM")]
    pub(super) platform: Option<Platform>,

    #[command(flatten)]
    pub(super) registry: RegistryArguments,
}

#[derive(Debug, Args)]
pub(super) struct CacheArguments {
    #[command(subcommand)]
    pub(super) verb: CacheVerb,

    /// The folder; without it LAYERSIFT_CACHE_DIR names it, or it is in the platform's folder for caches
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) cache_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum CacheVerb {
    /// Say where it is and how much is in it
    Info,
    /// Remove everything in it
    Clear,
    /// Read everything in it and remove what is damaged: exit code 1 if something was
    Verify,
}

const CONFIG_EXAMPLES: &str = "\
Examples:
  What a scan in this folder would do, and who said so:
      layersift config show
  The same of a scan with flags:
      layersift config show -- --fail-on high --format sarif";

#[derive(Debug, Args)]
#[command(after_help = CONFIG_EXAMPLES)]
pub(super) struct ConfigArguments {
    #[command(subcommand)]
    pub(super) verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigVerb {
    /// Show what is in force for a scan, and where each value is from
    Show(ShowArguments),
}

#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// How to write it
    #[arg(
        long, value_name = "FORMAT", default_value = "table", ignore_case = true,
        value_parser = words::<FormatName>(["table", "json"])
    )]
    pub(super) format: FormatName,

    #[command(flatten)]
    pub(super) project: ProjectArguments,

    /// Flags of the scan
    #[arg(last = true, value_name = "FLAGS")]
    pub(super) flags: Vec<OsString>,
}

const BASELINE_EXAMPLES: &str = "\
Examples:
  Take what is there today for known, and fail on what comes later only:
      layersift baseline create app.tar
      layersift scan app.tar --baseline layersift-baseline.json
  What has changed, and then the same for good:
      layersift baseline diff app.tar
      layersift baseline update app.tar";

#[derive(Debug, Args)]
#[command(after_help = BASELINE_EXAMPLES)]
pub(super) struct BaselineArguments {
    #[command(subcommand)]
    pub(super) verb: BaselineVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum BaselineVerb {
    /// Write a new baseline of all findings that are not suppressed
    Create(Box<KnownArguments>),
    /// Write a baseline anew, and say what changed
    Update(Box<KnownArguments>),
    /// Say what changed since the baseline was written: exit code 1 if something is new
    Diff(Box<KnownArguments>),
}

#[derive(Debug, Args)]
pub(super) struct KnownArguments {
    /// The baseline
    #[arg(id = "baseline", short = 'f', long = "file", value_name = "FILE", default_value = "layersift-baseline.json")]
    pub(super) file: PathBuf,

    #[command(flatten)]
    pub(super) read: ReadArguments,
}

/// A parser whose words appear in help and in messages.
pub(super) fn words<T>(words: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr + Clone + Send + Sync + 'static,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

/// 0 would say clean, 2 and 3 that something was not read.
pub(super) fn exit_code(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(0) => Err("0 means clean; to never fail on findings, use --fail-on never".to_owned()),
        Ok(code @ (2 | 3)) => Err(format!("{code} already means that something could not be read")),
        Ok(code) => Ok(code),
        Err(_) => Err("use a number from 1 to 255".to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::CommandFactory as _;

    use super::report::FailOn;
    use super::*;
    use crate::finding::{Gate, Scope, Severity};

    fn scan(flags: &str) -> Result<ScanArguments, String> {
        let words = ["layersift", "scan", "app.tar"].into_iter().chain(flags.split_whitespace());
        match Arguments::try_parse_from(words).map_err(|error| error.to_string())?.verb {
            Verb::Scan(arguments) => Ok(*arguments),
            _ => unreachable!(),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_verb_has_examples() {
        for verb in Arguments::command().get_subcommands() {
            let after = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.starts_with("Examples:\n") && after.contains(&format!("layersift {}", verb.get_name())), "{}", verb.get_name());
        }
    }

    #[test]
    fn defaults_gate_on_anything_likely() {
        let scan = scan("").unwrap();
        assert_eq!((scan.gate.gate(), scan.exit_code), (Gate::default(), 1));
        assert_eq!((scan.report.format, scan.scope, scan.severity), (FormatName::Table, Scope::All, vec![]));
        assert!(scan.base.is_empty());
        assert_eq!(scan.read.targets, ["app.tar"]);
    }

    #[test]
    fn words_are_read_without_regard_to_case() {
        let scan = scan("--severity CRITICAL,High --fail-on NEVER --scope Deleted --format JSON --min-confidence Possible").unwrap();
        assert_eq!(scan.severity, [Severity::Critical, Severity::High]);
        assert_eq!((scan.gate.fail_on, scan.scope, scan.report.format), (FailOn(None), Scope::Deleted, FormatName::Json));
    }

    #[test]
    fn values_that_mean_something_else_are_refused() {
        for bad in ["0", "2", "3", "256", "x", "-1"] {
            assert!(scan(&format!("--exit-code={bad}")).is_err(), "{bad}");
        }
        assert_eq!(scan("--exit-code 42").unwrap().exit_code, 42);
        for bad in ["--jobs 0", "--platform linux", "--max-memory lots", "--severity worst", "--scope some", "--gate mine"] {
            assert!(scan(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_output_may_say_its_format() {
        let to = |format, path: &str| Destination { format, path: PathBuf::from(path) };
        let scan = scan("-o report.txt --output SARIF=a=b.sarif --output x=y").unwrap();
        assert_eq!(scan.report.output, [to(None, "report.txt"), to(Some(FormatName::Sarif), "a=b.sarif"), to(None, "x=y")]);
    }

    #[test]
    fn a_wrong_word_is_answered_with_the_right_ones() {
        assert!(scan("--fail-on worst").unwrap_err().contains("[possible values: low, medium, high, critical, never]"));
    }
}
