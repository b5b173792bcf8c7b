//! Arguments of `layersift scan`.

use std::path::PathBuf;

use clap::Args;

use super::{GateArguments, ReadArguments, ReportArguments, exit_code, words};
use crate::finding::{Scope, Severity};

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
pub(in crate::cli) struct ScanArguments {
    #[command(flatten)]
    pub(in crate::cli) read: ReadArguments,

    #[command(flatten)]
    pub(in crate::cli) report: ReportArguments,

    /// List findings of these severities only, separated by commas
    #[arg(
        long, value_name = "LIST", value_delimiter = ',', ignore_case = true,
        value_parser = words::<Severity>(Severity::ALL.map(Severity::as_str)),
        help_heading = "Report"
    )]
    pub(in crate::cli) severity: Vec<Severity>,

    /// List only what a container sees (final), or only what is overwritten or deleted (deleted)
    #[arg(
        long, value_name = "SCOPE", default_value = "all", ignore_case = true,
        value_parser = words::<Scope>(Scope::ALL.map(Scope::as_str)),
        help_heading = "Report"
    )]
    pub(in crate::cli) scope: Scope,

    /// List suppressed findings in the table too, with the reason
    #[arg(long, help_heading = "Report")]
    pub(in crate::cli) show_suppressed: bool,

    /// Say how each finding came about: what woke the rule, the checks, the score, whose file it is; reports in JSON have it as data
    #[arg(long, help_heading = "Report")]
    pub(in crate::cli) explain: bool,

    /// Say on standard error how long threads were busy with what
    #[arg(long, help_heading = "Report")]
    pub(in crate::cli) timings: bool,

    /// The Dockerfile that the images were built from: say which of its lines brought each secret, and what to write instead
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    pub(in crate::cli) dockerfile: Option<PathBuf>,

    /// The stage of the Dockerfile that was built; without it the stage that fits the image's history best
    #[arg(long, value_name = "STAGE", help_heading = "Report")]
    pub(in crate::cli) target: Option<String>,

    #[command(flatten)]
    pub(in crate::cli) gate: GateArguments,

    /// The base image: anything that can be scanned, of which only manifest and config are read; or a digest: the chain id of its layers,
    /// that of its last layer, or that of its manifest or config if it is scanned too; may be given more than once
    #[arg(long, value_name = "IMAGE|DIGEST", help_heading = "Gate")]
    pub(in crate::cli) base: Vec<String>,

    /// Exit code for findings, instead of 1; not 0, 2 or 3
    #[arg(long, value_name = "N", default_value = "1", value_parser = exit_code, help_heading = "Gate")]
    pub(in crate::cli) exit_code: u8,

    /// Fail only on findings that this file does not know; `layersift baseline create` writes it
    #[arg(long, value_name = "FILE", help_heading = "Gate")]
    pub(in crate::cli) baseline: Option<PathBuf>,
}
