//! Arguments as typed, with their help.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueHint};
use clap_complete::Shell;

use super::audit::AuditArguments;
use super::examples;
use super::explain::ExplainArguments;
use super::registry::RegistryArguments;
use super::size::Size;
use crate::finding::{Confidence, Gaps, Gate, Scope, Severity, UnknownLevel, Whose};
use crate::oci::Platform;
use crate::report::{Exposure, FormatName};
use crate::rule::{Selection, Selector};
use crate::scan::Bounds;
use crate::source::Lookup;

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

const SCAN_EXAMPLES: &str = "\
Examples:
  An image that Docker or Podman saved:
      docker save app:1.4 -o app.tar && layersift scan app.tar
  The same without a file in between:
      docker save app:1.4 | layersift scan -
  An image that the Docker daemon or Podman holds:
      layersift scan docker:app:1.4
  An OCI layout, as a folder or as an archive; the kind may be said:
      layersift scan oci:build/image
      layersift scan oci-archive:image.tar --platform linux/arm64
  An image in a registry, with what `docker login` or `podman login` keeps:
      layersift scan ghcr.io/team/app:1.4
  A gate in CI: fail on severity high and critical only, and keep the report:
      layersift scan app.tar --fail-on high --format json --output report.json
  The report on the terminal, and two more for machines:
      layersift scan app.tar --output sarif=app.sarif --output junit=app.xml
  What to change in the Dockerfile:
      layersift scan app.tar --dockerfile Dockerfile
  What a running container would see, and what is deleted but still there:
      layersift scan app.tar --scope final
      layersift scan app.tar --scope deleted
  Why each of them is one:
      layersift scan app.tar --explain
  Fail on what the image itself brought, not on what its base image has:
      layersift scan app.tar --base oci:base --gate own

Exit codes:
  0  clean: nothing at or above the gate, and everything was read
  1  findings at or above the gate (another code with --exit-code)
  2  wrong usage, or something that was asked for could not be opened
  3  nothing at or above the gate, but something could not be read (1 with --require-complete)";

#[derive(Debug, Args)]
#[command(after_help = SCAN_EXAMPLES)]
pub(super) struct ScanArguments {
    #[command(flatten)]
    pub(super) read: ReadArguments,

    #[command(flatten)]
    pub(super) report: ReportArguments,

    /// List findings of these severities only, separated by commas
    #[arg(
        long, value_name = "LIST", value_delimiter = ',', ignore_case = true,
        value_parser = words::<Severity>(Severity::ALL.map(Severity::as_str)),
        help_heading = "Report"
    )]
    pub(super) severity: Vec<Severity>,

    /// List only what a container sees (final), or only what is overwritten or deleted (deleted)
    #[arg(
        long, value_name = "SCOPE", default_value = "all", ignore_case = true,
        value_parser = words::<Scope>(Scope::ALL.map(Scope::as_str)),
        help_heading = "Report"
    )]
    pub(super) scope: Scope,

    /// List suppressed findings in the table too, with the reason
    #[arg(long, help_heading = "Report")]
    pub(super) show_suppressed: bool,

    /// Say how each finding came about: what woke the rule, the checks, the score, whose file it is; reports in JSON have it as data
    #[arg(long, help_heading = "Report")]
    pub(super) explain: bool,

    /// The Dockerfile that the images were built from: say which of its lines brought each secret, and what to write instead
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(super) dockerfile: Option<PathBuf>,

    /// The stage of the Dockerfile that was built; without it the stage that fits the image's history best
    #[arg(long, value_name = "STAGE", help_heading = "Report")]
    pub(super) target: Option<String>,

    #[command(flatten)]
    pub(super) gate: GateArguments,

    /// The base image: anything that can be scanned, of which only manifest and config are read; or a digest: the chain id of its layers,
    /// that of its last layer, or that of its manifest or config if it is scanned too; may be given more than once
    #[arg(long, value_name = "IMAGE|DIGEST", help_heading = "Gate")]
    pub(super) base: Vec<String>,

    /// Exit code for findings, instead of 1; not 0, 2 or 3
    #[arg(long, value_name = "N", default_value = "1", value_parser = exit_code, help_heading = "Gate")]
    pub(super) exit_code: u8,

    /// Fail only on findings that this file does not know; `layersift baseline create` writes it
    #[arg(long, value_name = "FILE", help_heading = "Gate")]
    pub(super) baseline: Option<PathBuf>,
}

/// What to write, and where to.
#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    /// How to write the report
    #[arg(
        long, value_name = "FORMAT", default_value = "table", ignore_case = true,
        value_parser = words::<FormatName>(FormatName::all().map(FormatName::as_str)),
        help_heading = "Report"
    )]
    pub(super) format: FormatName,

    /// Where to write the report, instead of standard output; with FORMAT=, a further report (may be given more than once)
    #[arg(short, long, value_name = "[FORMAT=]FILE", value_hint = ValueHint::FilePath, help_heading = "Report")]
    pub(super) output: Vec<Destination>,

    /// Write secrets in clear
    #[arg(long, help_heading = "Report")]
    pub(super) show_secrets: bool,
}

impl ReportArguments {
    pub(super) fn exposure(&self) -> Exposure {
        if self.show_secrets { Exposure::Shown } else { Exposure::Redacted }
    }
}

/// What fails.
#[derive(Debug, Args)]
pub(super) struct GateArguments {
    /// Least severity that fails
    #[arg(
        long, value_name = "SEVERITY", default_value = "low", ignore_case = true,
        value_parser = words::<FailOn>(FailOn::WORDS),
        help_heading = "Gate"
    )]
    pub(super) fail_on: FailOn,

    /// Least confidence that fails
    #[arg(
        long, value_name = "CONFIDENCE", default_value = "likely", ignore_case = true,
        value_parser = words::<Confidence>(Confidence::ALL.map(Confidence::as_str)),
        help_heading = "Gate"
    )]
    pub(super) min_confidence: Confidence,

    /// Whose findings fail: all, or the image's own, without those inherited from its base by digest; what only its history suggests to be
    /// inherited fails, since whoever builds an image can write its history
    #[arg(
        long = "gate", value_name = "WHOSE", default_value = "all", ignore_case = true,
        value_parser = words::<Whose>(Whose::ALL.map(Whose::as_str)),
        help_heading = "Gate"
    )]
    pub(super) whose: Whose,

    /// Fail, as for a finding, if something could not be read
    #[arg(long, help_heading = "Gate")]
    pub(super) require_complete: bool,
}

impl GateArguments {
    pub(super) fn gate(&self) -> Gate {
        Gate {
            fail_on: self.fail_on.0,
            min_confidence: self.min_confidence,
            whose: self.whose,
            gaps: if self.require_complete { Gaps::Fail } else { Gaps::Warn },
        }
    }
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

/// What to read, and how.
#[derive(Debug, Clone, Args)]
pub(super) struct ReadArguments {
    /// Image archives, OCI layouts, folders, or names of images that a local engine holds or that are in a registry; `-` is standard input
    #[arg(required = true, value_name = "IMAGE")]
    pub(super) targets: Vec<String>,

    #[command(flatten)]
    pub(super) project: ProjectArguments,

    /// Where names are looked for that do not say it: a path, then the local engines, then a registry (auto); or one place only
    #[arg(
        long, value_name = "SOURCE", default_value = "auto", ignore_case = true,
        value_parser = words::<Lookup>(Lookup::ALL.map(Lookup::as_str)),
        help_heading = "Scan"
    )]
    pub(super) source: Lookup,

    /// Only images for this platform: os/architecture or os/architecture/variant
    #[arg(long, value_name = "PLATFORM", help_heading = "Scan")]
    pub(super) platform: Option<Platform>,

    /// Add rules from a file or a folder; may be given more than once
    #[arg(long, value_name = "FILE|DIR", help_heading = "Rules")]
    pub(super) rules: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) choice: ChoiceArguments,

    #[command(flatten)]
    pub(super) allow: AllowArguments,

    /// Do not check blobs and layers against their digests
    #[arg(long, help_heading = "Scan")]
    pub(super) no_verify: bool,

    /// Let findings in public files fail as elsewhere: files that are as a published package has them, by the image's package databases or by
    /// the list of known public files
    #[arg(long, help_heading = "Scan")]
    pub(super) no_public_files: bool,

    /// A file with the project's key for fingerprints; without it LAYERSIFT_KEY has the key, if it is set
    #[arg(long, value_name = "FILE", help_heading = "Scan")]
    pub(super) key_file: Option<PathBuf>,

    /// Threads; as many as there are processors without it
    #[arg(short, long, value_name = "N", help_heading = "Scan")]
    pub(super) jobs: Option<NonZeroUsize>,

    /// Bound on memory, for example 512M or 2G (powers of 1024)
    #[arg(long, value_name = "SIZE", help_heading = "Scan")]
    pub(super) max_memory: Option<Size>,

    #[command(flatten)]
    pub(super) nested: NestedArguments,

    #[command(flatten)]
    pub(super) registry: RegistryArguments,

    /// Read every layer, and keep nothing for the next scan
    #[arg(long, help_heading = "Scan")]
    pub(super) no_cache: bool,

    /// The folder in which results of layers are kept; without it LAYERSIFT_CACHE_DIR names it, or it is in the platform's folder for caches
    #[arg(long, value_name = "DIR", help_heading = "Configuration")]
    pub(super) cache_dir: Option<PathBuf>,

    /// Show no progress
    #[arg(long, help_heading = "Scan")]
    pub(super) no_progress: bool,

    /// Say nothing on standard error but errors
    #[arg(short, long, help_heading = "Scan")]
    pub(super) quiet: bool,
}

/// What looking into files may cost.
#[derive(Debug, Clone, Args)]
pub(super) struct NestedArguments {
    /// How deep archives in each other are looked into; what is deeper is in the coverage
    #[arg(long, value_name = "N", help_heading = "Scan")]
    pub(super) max_depth: Option<usize>,

    /// How many times its size a file may expand to; 64M are always allowed
    #[arg(long, value_name = "N", help_heading = "Scan")]
    pub(super) max_expansion: Option<u64>,

    /// How much a file may expand to
    #[arg(long, value_name = "SIZE", help_heading = "Scan")]
    pub(super) max_expanded: Option<Size>,

    /// How much the files of a layer may expand to, all together
    #[arg(long, value_name = "SIZE", help_heading = "Scan")]
    pub(super) max_layer_expanded: Option<Size>,

    /// How many members archives in a file may have
    #[arg(long, value_name = "N", help_heading = "Scan")]
    pub(super) max_members: Option<u64>,

    /// How large a file or git object may be that has to be held in memory to be looked into
    #[arg(long, value_name = "SIZE", help_heading = "Scan")]
    pub(super) max_held: Option<Size>,
}

impl NestedArguments {
    /// The bounds that they mean.
    pub(super) fn bounds(&self) -> Bounds {
        let usual = Bounds::default();
        Bounds {
            depth: self.max_depth.unwrap_or(usual.depth),
            ratio: self.max_expansion.unwrap_or(usual.ratio),
            file_bytes: self.max_expanded.map_or(usual.file_bytes, |size| size.0),
            layer_bytes: self.max_layer_expanded.map_or(usual.layer_bytes, |size| size.0),
            members: self.max_members.unwrap_or(usual.members),
            held_bytes: self.max_held.map_or(usual.held_bytes, |size| size.0),
        }
    }
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

/// Where what is not said on the command line may be said.
#[derive(Debug, Clone, Args)]
pub(super) struct ProjectArguments {
    /// The project file; without it layersift.toml in this folder, or in one above it up to the repository's or your home folder
    #[arg(long, value_name = "FILE", conflicts_with = "no_config", help_heading = "Configuration")]
    pub(super) config: Option<PathBuf>,

    /// Read no project file
    #[arg(long, help_heading = "Configuration")]
    pub(super) no_config: bool,
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

/// Puts flags of all verbs that read images after a verb's own ones under the same heading.
const AFTER: usize = 900;

/// Which findings are accepted.
#[derive(Debug, Clone, Args)]
pub(super) struct AllowArguments {
    /// Read what is accepted from this file; without it from .layersiftignore here or in a folder above
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "no_ignore",
        help_heading = "Gate", display_order = AFTER
    )]
    pub(super) ignore_file: Option<PathBuf>,

    /// Read no allow-list
    #[arg(long, help_heading = "Gate", display_order = AFTER)]
    pub(super) no_ignore: bool,

    /// Pay no regard to `layersift:allow` and `gitleaks:allow` in the image's files
    #[arg(long, help_heading = "Gate", display_order = AFTER)]
    pub(super) no_inline_allow: bool,
}

/// Which rules take part.
#[derive(Debug, Clone, Args)]
pub(super) struct ChoiceArguments {
    /// Use only these rules, separated by commas: by id, tag, provider or severity; globs (`aws-*`) and prefixes (`tag:vcs`) may be used
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "Rules")]
    only: Vec<Selector>,

    /// Leave these rules out; as for --only
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "Rules")]
    skip: Vec<Selector>,
}

impl ChoiceArguments {
    pub(super) fn selection(&self) -> Selection {
        Selection { only: self.only.clone(), skip: self.skip.clone() }
    }
}

#[derive(Debug, Args)]
#[command(after_help = examples::RULES)]
pub(super) struct RulesArguments {
    #[command(subcommand)]
    pub(super) verb: RulesVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesVerb {
    /// List all rules
    List {
        /// How to write them
        #[arg(
            long, value_name = "FORMAT", default_value = "table", ignore_case = true,
            value_parser = words::<FormatName>(["table", "json"])
        )]
        format: FormatName,
        /// Add rules from a file or a folder; may be given more than once
        #[arg(long, value_name = "FILE|DIR")]
        rules: Vec<PathBuf>,
        #[command(flatten)]
        choice: ChoiceArguments,
    },
    /// Show one rule
    Show {
        /// The rule's id
        id: String,
        /// Add rules from a file or a folder; may be given more than once
        #[arg(long, value_name = "FILE|DIR")]
        rules: Vec<PathBuf>,
    },
    /// Check rule files as the built-in ones are checked: exit code 1 if there is something wrong with one
    Check {
        /// Rule files, or folders of them
        #[arg(required = true, value_name = "FILE|DIR")]
        paths: Vec<PathBuf>,
    },
    /// Try rule files on a text and say what they make of it: exit code 1 if nothing is found
    Test(TestArguments),
    /// Write the built-in rules as rule files, one a provider, to be read, changed and used with --rules
    Export {
        /// An empty folder, or one to be made
        folder: PathBuf,
        #[command(flatten)]
        choice: ChoiceArguments,
    },
}

const TEST_EXAMPLES: &str = "\
Examples:
      layersift rules test my-rules.toml --text 'API_KEY=acme_0123456789abcdef'
      layersift rules test my-rules.toml --input .env --path /srv/app/.env";

#[derive(Debug, Args)]
#[command(after_help = TEST_EXAMPLES)]
pub(super) struct TestArguments {
    /// Rule files, or folders of them; nothing but their rules is tried
    #[arg(required = true, value_name = "FILE|DIR")]
    pub(super) paths: Vec<PathBuf>,
    /// A text; may be given more than once
    #[arg(long, value_name = "TEXT")]
    pub(super) text: Vec<String>,
    /// A file with a text; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) input: Option<PathBuf>,
    /// Where in an image to pretend that the text stands; rules by path need it
    #[arg(long, value_name = "PATH")]
    pub(super) path: Option<String>,
}

/// Where a report goes, and in which format if it is not the one of `--format`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination<F = FormatName> {
    pub(super) format: Option<F>,
    pub(super) path: PathBuf,
}

impl<F: FromStr> Destination<F> {
    /// The format, if `text` begins with one and `=`, and the path.
    pub(super) fn split(text: &str) -> (Option<F>, &str) {
        match text.split_once('=').and_then(|(word, path)| Some((word.parse().ok()?, path))) {
            Some((format, path)) => (Some(format), path),
            None => (None, text),
        }
    }
}

impl<F: FromStr> FromStr for Destination<F> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (format, path) = Self::split(text);
        if path.is_empty() { Err("the name of the file is missing") } else { Ok(Self { format, path: PathBuf::from(path) }) }
    }
}

/// Least severity that fails, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FailOn(pub(super) Option<Severity>);

impl FailOn {
    const WORDS: [&str; 5] = ["low", "medium", "high", "critical", "never"];
}

impl FromStr for FailOn {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        if text.eq_ignore_ascii_case("never") { Ok(Self(None)) } else { text.parse().map(|severity| Self(Some(severity))) }
    }
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

    use super::*;

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
