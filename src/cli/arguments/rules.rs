//! Arguments of `layersift rules`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::super::examples;
use super::{ChoiceArguments, words};
use crate::report::FormatName;

#[derive(Debug, Args)]
#[command(after_help = examples::RULES)]
pub(in crate::cli) struct RulesArguments {
    #[command(subcommand)]
    pub(in crate::cli) verb: RulesVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RulesVerb {
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
pub(in crate::cli) struct TestArguments {
    /// Rule files, or folders of them; nothing but their rules is tried
    #[arg(required = true, value_name = "FILE|DIR")]
    pub(in crate::cli) paths: Vec<PathBuf>,
    /// A text; may be given more than once
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) text: Vec<String>,
    /// A file with a text; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) input: Option<PathBuf>,
    /// Where in an image to pretend that the text stands; rules by path need it
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) path: Option<String>,
}
