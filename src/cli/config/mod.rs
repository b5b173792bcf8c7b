//! From what the user typed, the environment and the project file to the arguments in force.
//!
//! clap's definition of the flags is the only list of options: a setting of the file or of a variable becomes the default of its option, and
//! clap parses the command line again. So values are read by the same code wherever they come from, a flag wins over a variable and a
//! variable over the file, and an option added to `scan` under one of the headings of [`options::TABLES`] can be set everywhere at once.
//! What excludes each other is for the verb to check: clap sees conflicts of flags only.

mod environment;
mod error;
mod file;
pub(super) mod find;
mod options;
pub(super) mod show;

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command, FromArgMatches, Id};

use self::environment::Environment;
pub(super) use self::error::ConfigError;
use self::file::ProjectFile;
use self::options::Options;
pub(super) use self::options::command;
use super::arguments::Arguments;
use super::error::CliError;
use crate::finding::allow::Entry;

/// What is set for one option outside the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    id: Id,
    /// The option's name without its dashes.
    key: String,
    /// As typed; none to say that the option is not to be set at all.
    values: Vec<OsString>,
    origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nobody set it.
    Default,
    /// A project file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of this name.
    Variable(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Variable(name) => f.write_str(name),
            Origin::Flag => f.write_str("flag"),
        }
    }
}

/// What lies under the command line.
#[derive(Debug, Default)]
pub(super) struct Layers {
    file: Option<ProjectFile>,
    environment: Environment,
}

impl Layers {
    /// Reads the environment, and the file that `typed` or the environment name or that is found.
    fn load(options: &Options<'_>, typed: &ArgMatches) -> Result<Self, CliError> {
        let environment = Environment::read(options, std::env::vars_os())?;
        let path = if typed.get_flag("no_config") {
            None
        } else {
            let named = typed.get_one::<PathBuf>("config").or(environment.config.as_ref());
            named.cloned().or_else(|| find::nearest(find::NAME, &std::env::current_dir().ok()?, std::env::home_dir().as_deref()))
        };
        let file = path.map(|path| ProjectFile::read(path, options)).transpose()?;
        Ok(Self { file, environment })
    }

    fn setting(&self, id: &Id) -> Option<&Setting> {
        let file = self.file.iter().flat_map(|file| &file.settings);
        self.environment.settings.iter().chain(file).find(|setting| setting.id == *id)
    }

    /// `command` with what is set as the defaults of the options of every verb that reads images.
    fn apply(&self, command: Command) -> Command {
        let command = command.mut_subcommands(|verb| self.apply(verb));
        if !options::reads_images(&command) {
            return command;
        }
        command.mut_args(|option| match self.setting(option.get_id()) {
            Some(setting) => option.default_values(setting.values.iter().cloned()),
            None => option,
        })
    }

    /// The project file and the entries of its `[[allow]]`, each with its line.
    pub(super) fn allowed(&self) -> Option<(&Path, &[(usize, Entry)])> {
        self.file.as_ref().map(|file| (file.path.as_path(), file.allowed.as_slice()))
    }

    /// What a person should know of the environment, a line each; nothing if only errors are to be said.
    pub(super) fn remarks(&self) -> &[String] {
        &self.environment.remarks
    }
}

/// The arguments in force, and what lies under them. Wrong usage, and help, come before any file is read.
pub(super) fn parse(words: &[OsString]) -> Result<(Arguments, Layers), CliError> {
    let (matches, layers) = layered(options::command(), words)?;
    Ok((Arguments::from_arg_matches(&matches)?, layers))
}

/// The same for another command line, which has the options of `scan` too.
pub(super) fn parse_by<A: FromArgMatches>(command: Command, words: &[OsString]) -> Result<(A, Layers), CliError> {
    let (matches, layers) = layered(options::switches(command), words)?;
    Ok((A::from_arg_matches(&matches)?, layers))
}

fn layered(command: Command, words: &[OsString]) -> Result<(ArgMatches, Layers), CliError> {
    let typed = command.clone().try_get_matches_from(words)?;
    let verb = innermost(&typed);
    if !options::are_of_images(verb) {
        return Ok((typed, Layers::default()));
    }
    let mut layers = Layers::load(&Options::of(&options::command()), verb)?;
    let matches = layers.apply(command).try_get_matches_from(words)?;
    if innermost(&matches).get_flag("quiet") {
        layers.environment.remarks.clear();
    }
    Ok((matches, layers))
}

fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, verb)| innermost(verb))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::arguments::Verb;
    use super::*;
    use crate::finding::Severity;

    /// The arguments of `words` over these layers.
    fn over(file: &str, variables: &[(&str, &str)], words: &str) -> Arguments {
        let command = options::command();
        let options = Options::of(&command);
        let environment = Environment::read(&options, variables.iter().map(|(name, value)| (name.into(), value.into()))).unwrap();
        let file = Some(ProjectFile::parse(PathBuf::from("/p/layersift.toml"), file, &options).unwrap());
        let words = ["layersift"].into_iter().chain(words.split_whitespace());
        let matches = Layers { file, environment }.apply(command).try_get_matches_from(words).unwrap();
        Arguments::from_arg_matches(&matches).unwrap()
    }

    fn fail_on(file: &str, variables: &[(&str, &str)], flags: &str) -> Option<Severity> {
        match over(file, variables, &format!("scan x {flags}")).verb {
            Verb::Scan(scan) => scan.gate.fail_on.0,
            _ => unreachable!(),
        }
    }

    #[test]
    fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
        let (file, variable) = ("gate.fail-on = 'critical'", [("LAYERSIFT_FAIL_ON", "high")]);
        assert_eq!(fail_on("", &[], ""), Some(Severity::Low));
        assert_eq!(fail_on(file, &[], ""), Some(Severity::Critical));
        assert_eq!(fail_on(file, &variable, ""), Some(Severity::High));
        assert_eq!(fail_on(file, &variable, "--fail-on Medium"), Some(Severity::Medium));
        assert_eq!(fail_on(file, &[("LAYERSIFT_FAIL_ON", "")], ""), Some(Severity::Critical), "an empty variable is none");
    }

    #[test]
    fn a_list_is_replaced_and_a_switch_can_be_turned_off() {
        let file = "report.severity = ['high', 'critical']\nscan = { quiet = true, no-verify = true, jobs = 3 }";
        let Verb::Scan(scan) = over(file, &[("LAYERSIFT_NO_VERIFY", "0")], "scan x --severity low").verb else { unreachable!() };
        assert_eq!(scan.severity, [Severity::Low]);
        assert_eq!((scan.read.quiet, scan.read.no_verify, scan.read.jobs.map(|jobs| jobs.get())), (true, false, Some(3)));
        let Verb::Scan(scan) = over(file, &[], "scan x --quiet=false --require-complete -j2").verb else { unreachable!() };
        assert_eq!((scan.read.quiet, scan.read.no_verify, scan.gate.require_complete), (false, true, true));
        assert_eq!(scan.severity, [Severity::High, Severity::Critical]);
    }

    #[test]
    fn a_baseline_verb_takes_what_it_shares_and_no_other_verb_takes_anything() {
        let file =
            "gate = { baseline = 'known.json', fail-on = 'never' }\nreport.format = 'json'\nrules.skip = 'tag:broad'\nscan.quiet = true";
        let Verb::Baseline(baseline) = over(file, &[], "baseline update x").verb else { unreachable!() };
        let super::super::arguments::BaselineVerb::Update(update) = baseline.verb else { unreachable!() };
        assert_eq!((update.file, update.read.quiet), (PathBuf::from("/p/known.json"), true));
        assert_eq!(update.read.choice.selection().skip.len(), 1);
        let list = format!("{:?}", over(file, &[], "rules list"));
        assert!(list.contains("format: Table") && list.contains("skip: []"), "{list}");
    }

    #[test]
    fn a_key_in_the_environment_wins_over_a_key_file_of_the_project_file() {
        let file = "scan.key-file = 'key'";
        let key_file = |variables: &[_], flags: &str| match over(file, variables, &format!("scan x {flags}")).verb {
            Verb::Scan(scan) => scan.read.key_file,
            _ => unreachable!(),
        };
        assert_eq!(key_file(&[], ""), Some(PathBuf::from("/p/key")));
        assert_eq!(key_file(&[("LAYERSIFT_KEY", "k")], ""), None);
        assert_eq!(key_file(&[("LAYERSIFT_KEY", "k"), ("LAYERSIFT_KEY_FILE", "other")], ""), Some(PathBuf::from("other")));
        assert_eq!(key_file(&[("LAYERSIFT_KEY", "k")], "--key-file mine"), Some(PathBuf::from("mine")));
    }
}
