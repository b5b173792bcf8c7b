//! What ends a verb early, and what to do about it.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use super::config::ConfigError;
use crate::audit::AuditError;
use crate::cache::CacheError;
use crate::dockerfile::DockerfileError;
use crate::finding::BaselineError;
use crate::finding::allow::AllowError;
use crate::finding::fingerprint::WeakKey;
use crate::report::ReportError;
use crate::rule::RuleError;
use crate::source::SourceError;
use crate::source::registry::MalformedMirror;

/// A verb that could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// Wrong usage, or help and version, for clap to say.
    #[error(transparent)]
    Told(#[from] clap::Error),
    /// A project file or a variable that cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Rules that cannot be used.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// An id that no rule has.
    #[error("there is no rule `{id}`")]
    NoSuchRule {
        /// What was asked for.
        id: String,
    },
    /// `rules test` without a text.
    #[error("there is no text to try the rules on")]
    NothingToTest,
    /// A text that cannot be read.
    #[error("cannot read {}: {error}", .path.display())]
    Input {
        /// Where from.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A baseline that cannot be used.
    #[error("cannot use {}: {error}", .path.display())]
    Baseline {
        /// The baseline.
        path: PathBuf,
        /// Why.
        error: BaselineError,
    },
    /// A Dockerfile that cannot be used.
    #[error("cannot use {}: {error}", .path.display())]
    Dockerfile {
        /// The Dockerfile.
        path: PathBuf,
        /// Why.
        error: DockerfileError,
    },
    /// A report that cannot be used.
    #[error("cannot use {}: {error}", .path.display())]
    Report {
        /// The report.
        path: PathBuf,
        /// Why.
        error: ReportError,
    },
    /// A comparison of more or fewer than two.
    #[error("two images or reports can be compared, and {given} were given")]
    NotTwo {
        /// How many there are.
        given: usize,
    },
    /// An explanation of nothing.
    #[error("there is no finding to explain: an image or a report and at least one fingerprint are needed")]
    NothingToExplain,
    /// A fingerprint that no finding has.
    #[error("there is no finding whose fingerprint begins with `{id}`")]
    NoSuchFinding {
        /// What was asked for.
        id: String,
    },
    /// The beginning of several fingerprints.
    #[error("`{id}` begins the fingerprints of several findings: {}", .those.join(", "))]
    ManyFindings {
        /// What was asked for.
        id: String,
        /// The first of them.
        those: Vec<String>,
    },
    /// A comparison of what cannot be compared.
    #[error("cannot compare with {old}: {error}")]
    OtherKey {
        /// What to compare with.
        old: String,
        /// Why not.
        error: BaselineError,
    },
    /// A new baseline in the place of an old one.
    #[error("there is a baseline at {} already", .path.display())]
    BaselineExists {
        /// The baseline.
        path: PathBuf,
    },
    /// An allow-list that cannot be used.
    #[error(transparent)]
    Allow(#[from] AllowError),
    /// A key for fingerprints that is none.
    #[error("cannot use {}: {error}", .origin.display())]
    Key {
        /// The file or the variable.
        origin: PathBuf,
        /// Why.
        error: WeakKey,
    },
    /// A base image that cannot be read.
    #[error("cannot use {given} as the base image: {error}")]
    Base {
        /// What was given.
        given: String,
        /// Why.
        error: SourceError,
    },
    /// Two images would come from standard input.
    #[error("both an image and its base would be read from standard input")]
    BaseOnStdin,
    /// A base image, and nothing to know its layers by.
    #[error("a base image cannot be used where digests are not checked")]
    BaseUnverified,
    /// A folder to write rules to that is not fit for it.
    #[error("cannot export to {}: {problem}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// A cache that cannot be looked at.
    #[error("cannot use the cache: {0}")]
    Cache(CacheError),
    /// A machine without a folder for caches.
    #[error("there is no folder for caches on this machine")]
    NoCacheFolder,
    /// A stage of a Dockerfile that is not given.
    #[error("--target names a stage of a Dockerfile, and there is none")]
    StageOfNothing,
    /// A login for a registry that cannot be used.
    #[error("cannot log in: {0}")]
    Login(String),
    /// A mirror that is none.
    #[error("--registry-mirror: {0}")]
    Mirror(MalformedMirror),
    /// Reports that would run into each other.
    #[error("two reports would go to standard output")]
    TwoOnStdout,
    /// The report cannot be written.
    #[error("cannot write {}: {error}", .path.display())]
    Output {
        /// Where to.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file of the plugin, run by a person.
    #[error("this file is a plugin of the Docker client, and does nothing without it")]
    NotTheClient,
    /// A program that does not start.
    #[error("cannot run {}: {error}", .program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The Docker client was asked something, and failed.
    #[error("`{command}` failed ({status})")]
    Docker {
        /// What it was asked.
        command: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// A tag that names another image than the one that was scanned.
    #[error("{image} was not pushed: it is {now} by now, and {scanned} was scanned")]
    ImageMoved {
        /// The tag.
        image: String,
        /// ID of what was scanned.
        scanned: String,
        /// ID of what it is now.
        now: String,
    },
    /// Nowhere to put a user's own files.
    #[error("there is no home folder")]
    NoHome,
    /// An audit that cannot be gone on with.
    #[error("cannot go on with the audit: {0}")]
    Audit(#[from] AuditError),
    /// The report of an audit cannot be put together.
    #[error("cannot put the report together: {0}")]
    AuditReport(io::Error),
    /// Not one tag could be listed.
    #[error("nothing that was asked for could be listed")]
    NothingListed,
    /// Something that is no target of an audit.
    #[error("{place}{problem}")]
    Target {
        /// The file and line, if it is from a list; ends with a colon and a blank.
        place: String,
        /// Why.
        problem: String,
    },
    /// A list without a target.
    #[error("there is no target in {}", .path.display())]
    NoTarget {
        /// The list.
        path: PathBuf,
    },
    /// A machine without a folder for the state of programs.
    #[error("there is no folder for the state of programs on this machine")]
    NoStateFolder,
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Stdout(io::Error),
}

impl CliError {
    /// What to do, where there is something to say.
    pub(super) fn hint(&self) -> Option<Cow<'static, str>> {
        match self {
            CliError::Config(error) => error.hint().map(Cow::Owned),
            CliError::Base { error, .. } => source_hint(error),
            other => other.fixed_hint().map(Cow::Borrowed),
        }
    }

    fn fixed_hint(&self) -> Option<&'static str> {
        match self {
            CliError::Rules(RuleError::SelectsNothing { .. } | RuleError::NoRuleLeft) | CliError::NoSuchRule { .. } => Some(
                "`layersift rules list` names all rules; a selector is a word or a glob, or id:, tag:, provider: or severity: and a word",
            ),
            CliError::Rules(_) => Some("`layersift rules check FILE` names everything that is wrong with a rule file"),
            CliError::Baseline { error: BaselineError::OtherKey { .. }, .. } => {
                Some("give the key that the baseline was made with (--key-file or LAYERSIFT_KEY), or create the baseline anew")
            }
            CliError::Baseline { .. } => Some("`layersift baseline create IMAGE` writes one"),
            CliError::Report { error: ReportError::NoReport { .. }, .. } => Some("`layersift scan IMAGE --format json` writes one"),
            CliError::Report { error: ReportError::Schema { .. } | ReportError::Field { .. }, .. } => {
                Some("if a later layersift wrote it, that one can read it")
            }
            CliError::NotTwo { .. } => Some("layersift diff OLD NEW"),
            CliError::NothingToExplain => Some("layersift explain REPORT|IMAGE FINGERPRINT"),
            CliError::NoSuchFinding { .. } => {
                Some("`id` in a JSON report is the fingerprint; it is another one with another key (--key-file or LAYERSIFT_KEY)")
            }
            CliError::ManyFindings { .. } => Some("give more of it"),
            CliError::OtherKey { .. } => Some("scan both with the same key (--key-file or LAYERSIFT_KEY), or both without one"),
            CliError::BaselineExists { .. } => Some("`layersift baseline update` writes it anew and says what changed"),
            CliError::Dockerfile { error: DockerfileError::NoSuchStage { .. }, .. } => {
                Some("--target takes the name of a stage (`FROM ... AS name`) or its number, from 0")
            }
            CliError::Dockerfile { .. } => Some("--dockerfile takes the Dockerfile that the image was built from"),
            CliError::Allow(error) => Some(error.problem.hint()),
            CliError::Key { .. } => Some("for example: `head -c 32 /dev/urandom | base64`"),
            CliError::BaseOnStdin => Some("save the base image to a file: --base FILE"),
            CliError::BaseUnverified => {
                Some("leave --no-verify out, or, if it is set elsewhere, give --no-verify=false; `layersift config show` says where")
            }
            CliError::StageOfNothing => Some("give it with --dockerfile"),
            CliError::NoCacheFolder => Some("name one with --cache-dir or LAYERSIFT_CACHE_DIR"),
            CliError::TwoOnStdout => Some("give all but one a file: --output FORMAT=FILE"),
            CliError::NothingToTest => Some("say it with --text, or name a file with --input (`-` is standard input)"),
            CliError::NotTheClient => Some("run `docker layersift IMAGE`"),
            CliError::Docker { .. } => Some(CLIENT_HINT),
            CliError::ImageMoved { .. } => Some("run it again, to scan and push what the tag names now"),
            CliError::NoHome => Some("set DOCKER_CONFIG to the Docker client's folder"),
            CliError::Login(_) => Some("give --username NAME and --password-stdin, or nothing to use what `docker login` keeps"),
            CliError::NothingListed => Some("what failed stands in the report"),
            CliError::Target { .. } => {
                Some("write registry://HOST or registry://HOST/PREFIX for a registry, HOST/REPOSITORY:TAG for an image")
            }
            CliError::NoTarget { .. } => Some("write a target a line"),
            CliError::NoStateFolder => Some("name a file with --state"),
            CliError::Audit(_) => Some("what was done is kept: the same command goes on with it"),
            CliError::Told(_)
            | CliError::AuditReport(_)
            | CliError::Mirror(_)
            | CliError::Cache(_)
            | CliError::Config(_)
            | CliError::Run { .. }
            | CliError::Base { .. }
            | CliError::Input { .. }
            | CliError::Output { .. }
            | CliError::Folder { .. }
            | CliError::Stdout(_) => None,
        }
    }
}

/// Where to look when the Docker client fails.
const CLIENT_HINT: &str = "what the client said stands above; `docker image ls` lists the images that the engine has";

/// What to do about a target that cannot be opened, where the message does not say it already.
pub(super) fn source_hint(error: &SourceError) -> Option<Cow<'static, str>> {
    let hint = match error {
        SourceError::Engine(error) => return error.hint().map(Cow::Owned),
        SourceError::Registry(error) => return error.hint().map(Cow::Owned),
        SourceError::NotFound { .. } => {
            "name an image archive, an OCI layout, a folder, or an image in a registry or (docker:IMAGE) in the Docker daemon"
        }
        SourceError::Empty { .. } => "see whether what was to write it, `docker save` for example, has failed",
        SourceError::UnknownScheme { .. } => "put `./` before a path that has a colon in it",
        SourceError::NoSuchPlatform { .. } => "ask for one of these with --platform, or leave it out to scan all of them",
        SourceError::DockerSave { .. } => CLIENT_HINT,
        _ => return None,
    };
    Some(Cow::Borrowed(hint))
}
