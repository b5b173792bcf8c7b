//! What to read, how, and by what to judge it: for all verbs that read images.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::super::registry::RegistryArguments;
use super::super::size::Size;
use super::words;
use crate::oci::Platform;
use crate::rule::{Selection, Selector};
use crate::scan::Bounds;
use crate::source::Lookup;

/// What to read, and how.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ReadArguments {
    /// Image archives, OCI layouts, folders, or names of images that a local engine holds or that are in a registry; `-` is standard input
    #[arg(required = true, value_name = "IMAGE")]
    pub(in crate::cli) targets: Vec<String>,

    #[command(flatten)]
    pub(in crate::cli) project: ProjectArguments,

    /// Where names are looked for that do not say it: a path, then the local engines, then a registry (auto); or one place only
    #[arg(
        long, value_name = "SOURCE", default_value = "auto", ignore_case = true,
        value_parser = words::<Lookup>(Lookup::ALL.map(Lookup::as_str)),
        help_heading = "Scan"
    )]
    pub(in crate::cli) source: Lookup,

    /// Only images for this platform: os/architecture or os/architecture/variant
    #[arg(long, value_name = "PLATFORM", help_heading = "Scan")]
    pub(in crate::cli) platform: Option<Platform>,

    /// Add rules from a file or a folder; may be given more than once
    #[arg(long, value_name = "FILE|DIR", help_heading = "Rules")]
    pub(in crate::cli) rules: Vec<PathBuf>,

    #[command(flatten)]
    pub(in crate::cli) choice: ChoiceArguments,

    #[command(flatten)]
    pub(in crate::cli) allow: AllowArguments,

    /// Do not check blobs and layers against their digests
    #[arg(long, help_heading = "Scan")]
    pub(in crate::cli) no_verify: bool,

    /// Let findings in public files fail as elsewhere: files that are as a published package has them, by the image's package databases or by
    /// the list of known public files
    #[arg(long, help_heading = "Scan")]
    pub(in crate::cli) no_public_files: bool,

    /// A file with the project's key for fingerprints; without it LAYERSIFT_KEY has the key, if it is set
    #[arg(long, value_name = "FILE", help_heading = "Scan")]
    pub(in crate::cli) key_file: Option<PathBuf>,

    /// Threads; as many as there are processors without it
    #[arg(short, long, value_name = "N", help_heading = "Scan")]
    pub(in crate::cli) jobs: Option<NonZeroUsize>,

    /// Bound on memory, for example 512M or 2G (powers of 1024)
    #[arg(long, value_name = "SIZE", help_heading = "Scan")]
    pub(in crate::cli) max_memory: Option<Size>,

    #[command(flatten)]
    pub(in crate::cli) nested: NestedArguments,

    #[command(flatten)]
    pub(in crate::cli) registry: RegistryArguments,

    /// Read every layer, and keep nothing for the next scan
    #[arg(long, help_heading = "Scan")]
    pub(in crate::cli) no_cache: bool,

    /// The folder in which results of layers are kept; without it LAYERSIFT_CACHE_DIR names it, or it is in the platform's folder for caches
    #[arg(long, value_name = "DIR", help_heading = "Configuration")]
    pub(in crate::cli) cache_dir: Option<PathBuf>,

    /// Show no progress
    #[arg(long, help_heading = "Scan")]
    pub(in crate::cli) no_progress: bool,

    /// Say nothing on standard error but errors
    #[arg(short, long, help_heading = "Scan")]
    pub(in crate::cli) quiet: bool,
}

/// What looking into files may cost.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct NestedArguments {
    /// How deep archives in each other are looked into; what is deeper is in the coverage
    #[arg(long, value_name = "N", help_heading = "Scan")]
    pub(in crate::cli) max_depth: Option<usize>,

    /// How many times its size a file may expand to; 64M are always allowed
    #[arg(long, value_name = "N", help_heading = "Scan")]
    pub(in crate::cli) max_expansion: Option<u64>,

    /// How much a file may expand to
    #[arg(long, value_name = "SIZE", help_heading = "Scan")]
    pub(in crate::cli) max_expanded: Option<Size>,

    /// How much the files of a layer may expand to, all together
    #[arg(long, value_name = "SIZE", help_heading = "Scan")]
    pub(in crate::cli) max_layer_expanded: Option<Size>,

    /// How many members archives in a file may have
    #[arg(long, value_name = "N", help_heading = "Scan")]
    pub(in crate::cli) max_members: Option<u64>,

    /// How large a file or git object may be that has to be held in memory to be looked into
    #[arg(long, value_name = "SIZE", help_heading = "Scan")]
    pub(in crate::cli) max_held: Option<Size>,

    /// How large a file may be that is written to disk to be looked into, in a temporary file without a name, because it is too large to be held
    /// in memory; 0 writes none
    #[arg(long, value_name = "SIZE", help_heading = "Scan")]
    pub(in crate::cli) max_spool: Option<Size>,
}

impl NestedArguments {
    /// The bounds that they mean.
    pub(in crate::cli) fn bounds(&self) -> Bounds {
        let usual = Bounds::default();
        Bounds {
            depth: self.max_depth.unwrap_or(usual.depth),
            ratio: self.max_expansion.unwrap_or(usual.ratio),
            file_bytes: self.max_expanded.map_or(usual.file_bytes, |size| size.0),
            layer_bytes: self.max_layer_expanded.map_or(usual.layer_bytes, |size| size.0),
            members: self.max_members.unwrap_or(usual.members),
            held_bytes: self.max_held.map_or(usual.held_bytes, |size| size.0),
            spooled_bytes: self.max_spool.map_or(usual.spooled_bytes, |size| size.0),
        }
    }
}

/// Where what is not said on the command line may be said.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ProjectArguments {
    /// The project file; without it layersift.toml in this folder, or in one above it up to the repository's or your home folder
    #[arg(long, value_name = "FILE", conflicts_with = "no_config", help_heading = "Configuration")]
    pub(in crate::cli) config: Option<PathBuf>,

    /// Read no project file
    #[arg(long, help_heading = "Configuration")]
    pub(in crate::cli) no_config: bool,
}

/// Puts flags of all verbs that read images after a verb's own ones under the same heading.
const AFTER: usize = 900;

/// Which findings are accepted.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct AllowArguments {
    /// Read what is accepted from this file; without it from .layersiftignore here or in a folder above
    #[arg(
        long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "no_ignore",
        help_heading = "Gate", display_order = AFTER
    )]
    pub(in crate::cli) ignore_file: Option<PathBuf>,

    /// Read no allow-list
    #[arg(long, help_heading = "Gate", display_order = AFTER)]
    pub(in crate::cli) no_ignore: bool,

    /// Pay no regard to `layersift:allow` and `gitleaks:allow` in the image's files
    #[arg(long, help_heading = "Gate", display_order = AFTER)]
    pub(in crate::cli) no_inline_allow: bool,
}

/// Which rules take part.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ChoiceArguments {
    /// Use only these rules, separated by commas: by id, tag, provider or severity; globs (`aws-*`) and prefixes (`tag:vcs`) may be used
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "Rules")]
    only: Vec<Selector>,

    /// Leave these rules out; as for --only
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "Rules")]
    skip: Vec<Selector>,
}

impl ChoiceArguments {
    pub(in crate::cli) fn selection(&self) -> Selection {
        Selection { only: self.only.clone(), skip: self.skip.clone() }
    }
}
