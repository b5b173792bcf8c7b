//! Arguments of `layersift audit`, with their help.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueHint};

use super::super::arguments::{AllowArguments, ChoiceArguments, Destination, GateArguments, ProjectArguments, exit_code, words};
use super::super::registry::RegistryArguments;
use super::super::size::Size;
use crate::oci::Platform;
use crate::report::audit::AuditFormat;

const EXAMPLES: &str = "\
Examples:
  Everything in a registry, each layer read once; the same command goes on where it was killed:
      layersift audit registry://registry.example.org --output html=audit.html
  Part of it, the newest tags only, and what is new since the last time:
      layersift audit registry://ghcr.io/team --max-tags 5 --output jsonl=audit.jsonl
  Images from a list:
      kubectl get pods -A -o jsonpath='{..image}' | tr ' ' '\\n' | sort -u | layersift audit --from -
  Several machines on one audit, and the report on one of them:
      layersift audit registry://registry.example.org --state postgres://audit@db.example.org/audit --worker
      layersift audit registry://registry.example.org --state postgres://audit@db.example.org/audit

Exit codes:
  0  clean: nothing at or above the gate, and everything was read
  1  findings at or above the gate (another code with --exit-code)
  2  wrong usage, or nothing that was asked for could be listed
  3  nothing at or above the gate, but something could not be read (1 with --require-complete)";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in super::super) struct AuditArguments {
    /// Registries, or parts of them (registry://HOST[/PREFIX]), and images (ghcr.io/team/app:1.4)
    #[arg(required_unless_present = "from", value_name = "TARGET")]
    pub(super) targets: Vec<String>,

    /// Read further targets from this file, a line each; what follows a # at the beginning or after a blank is a comment; `-` is standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Targets")]
    pub(super) from: Option<PathBuf>,

    /// Only images for this platform: os/architecture or os/architecture/variant
    #[arg(long, value_name = "PLATFORM", help_heading = "Targets")]
    pub(super) platform: Option<Platform>,

    /// Only tags that match this glob (*, ?, [...], {a,b}); may be given more than once
    #[arg(long, value_name = "GLOB", help_heading = "Targets")]
    pub(super) tag: Vec<String>,

    /// No tags that match this glob; may be given more than once
    #[arg(long, value_name = "GLOB", help_heading = "Targets")]
    pub(super) exclude_tag: Vec<String>,

    /// Only tags that were pushed since a day (2026-01-31) or in the last days (30d); where the registry does not say it, whose image was made since
    #[arg(long, value_name = "TIME", help_heading = "Targets")]
    pub(super) since: Option<String>,

    /// Only the newest version of each MAJOR.MINOR, for each variant (-alpine) by itself; all tags where none is a version
    #[arg(long, help_heading = "Targets")]
    pub(super) latest_versions: bool,

    /// At most so many tags of a repository, the newest
    #[arg(long, value_name = "N", help_heading = "Targets")]
    pub(super) max_tags: Option<NonZeroUsize>,

    /// Which API lists repositories: that of the service (hub, ghcr, gitlab, harbor, quay), by the host's name (auto), or the registry's own
    #[arg(
        long, value_name = "API", default_value = "auto", ignore_case = true,
        value_parser = ["auto", "distribution", "hub", "ghcr", "gitlab", "harbor", "quay"],
        help_heading = "Targets"
    )]
    pub(super) catalog: String,

    /// Where that API is, if the registry's name does not say it: https://gitlab.example.org
    #[arg(long, value_name = "URL", help_heading = "Targets")]
    pub(super) catalog_url: Option<String>,

    #[command(flatten)]
    pub(super) project: ProjectArguments,

    /// Add rules from a file or a folder; may be given more than once
    #[arg(long, value_name = "FILE|DIR", help_heading = "Rules")]
    pub(super) rules: Vec<PathBuf>,

    #[command(flatten)]
    pub(super) choice: ChoiceArguments,

    #[command(flatten)]
    pub(super) allow: AllowArguments,

    /// Let findings in public files fail as elsewhere
    #[arg(long, help_heading = "Scan")]
    pub(super) no_public_files: bool,

    /// A file with the project's key for fingerprints; without it LAYERSIFT_KEY has the key, if it is set
    #[arg(long, value_name = "FILE", help_heading = "Scan")]
    pub(super) key_file: Option<PathBuf>,

    /// Threads that are busy at a time; as many as there are processors without it
    #[arg(short, long, value_name = "N", help_heading = "Scan")]
    pub(super) jobs: Option<NonZeroUsize>,

    /// Layers, images and lists that are read at a time; as many as --jobs, and at least 4, without it
    #[arg(long, value_name = "N", help_heading = "Audit")]
    pub(super) concurrency: Option<NonZeroUsize>,

    /// Ask each host at most so many times a second; it is asked less often when it says that this is too much
    #[arg(long, value_name = "N", help_heading = "Audit")]
    pub(super) rate: Option<NonZeroU32>,

    /// Fetch at most so many bytes, for example 20G (powers of 1024); what is beyond is not read, and said
    #[arg(long, value_name = "SIZE", help_heading = "Audit")]
    pub(super) budget: Option<Size>,

    /// Where the audit is kept: a SQLite file, or postgres://USER@HOST/DATABASE for workers on several machines, with the password in
    /// PGPASSWORD; without it, a file in the platform's folder for the state of programs
    #[arg(long, value_name = "PATH|URL", value_hint = ValueHint::FilePath, help_heading = "Audit")]
    pub(super) state: Option<String>,

    /// Take part in the work of an audit that others do with the same targets and options, and write no report
    #[arg(long, conflicts_with_all = ["audit-output", "audit-format"], help_heading = "Audit")]
    pub(super) worker: bool,

    /// After so many seconds the work of a worker that says nothing any more is given to others
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds, help_heading = "Audit")]
    pub(super) lease: Duration,

    #[command(flatten)]
    pub(super) registry: RegistryArguments,

    /// How to write the report
    #[arg(
        id = "audit-format", long = "format", value_name = "FORMAT", default_value = "table", ignore_case = true,
        value_parser = words::<AuditFormat>(AuditFormat::ALL.map(AuditFormat::as_str)),
        help_heading = "Report"
    )]
    pub(super) format: AuditFormat,

    /// Where to write the report, instead of standard output; with FORMAT=, a further report (may be given more than once)
    #[arg(id = "audit-output", short = 'o', long = "output", value_name = "[FORMAT=]FILE", value_hint = ValueHint::FilePath, help_heading = "Report")]
    pub(super) output: Vec<Destination<AuditFormat>>,

    #[command(flatten)]
    pub(super) gate: GateArguments,

    /// Exit code for findings, instead of 1; not 0, 2 or 3
    #[arg(long, value_name = "N", default_value = "1", value_parser = exit_code, help_heading = "Gate")]
    pub(super) exit_code: u8,

    /// Show no progress
    #[arg(long, help_heading = "Scan")]
    pub(super) no_progress: bool,

    /// Say nothing on standard error but errors
    #[arg(short, long, help_heading = "Scan")]
    pub(super) quiet: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("use a number of seconds from 1 to 86400".to_owned()),
    }
}
