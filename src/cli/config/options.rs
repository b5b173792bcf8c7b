//! Which options can be set outside the command line: those of `scan` that stand under a heading of [`TABLES`]. Their names, what they
//! take and what they are for are clap's to say.

use std::ffi::OsString;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory as _, ValueHint};

use super::super::arguments::Arguments;
use super::{ConfigError, Setting};

/// The tables of the project file: the headings of the help, in lower case.
pub(super) const TABLES: [&str; 4] = ["gate", "report", "rules", "scan"];

/// A file that somebody commits, or a variable that somebody sets once for all, must not make the log of a build show secrets.
pub(super) const FLAGS_ONLY: [&str; 1] = ["show-secrets"];

/// Least likeness of two words, from 0 to 1, of which one may be meant to be the other.
const ALIKE: f64 = 0.8;

/// What every verb that reads images asks for.
const IMAGES: &str = "targets";

/// The command line. Switches that can be set elsewhere take `=false`, so that they can be turned off again.
pub(in crate::cli) fn command() -> Command {
    switches(Arguments::command())
}

/// The same done to any command line.
pub(super) fn switches(command: Command) -> Command {
    let command = command.mut_subcommands(switches);
    if !reads_images(&command) {
        return command;
    }
    command.mut_args(|option| match (table(&option), option.get_action()) {
        (Some(_), ArgAction::SetTrue) => {
            let option = option.action(ArgAction::Set).num_args(0..=1).require_equals(true).value_name("true|false");
            let option = option.value_parser(BoolishValueParser::new()).default_missing_value("true").default_value("false");
            option.hide_default_value(true).hide_possible_values(true)
        }
        _ => option,
    })
}

/// Whether `command` is a verb that reads images.
pub(super) fn reads_images(command: &Command) -> bool {
    command.get_arguments().any(|argument| argument.get_id() == IMAGES)
}

/// The same of a verb as typed.
pub(super) fn are_of_images(matches: &ArgMatches) -> bool {
    matches.ids().any(|id| id == IMAGES)
}

/// The table that `option` belongs to; none if it cannot be set outside the command line.
fn table(option: &Arg) -> Option<&'static str> {
    let key = option.get_long()?;
    let heading = option.get_help_heading()?;
    TABLES.into_iter().find(|table| table.eq_ignore_ascii_case(heading) && !FLAGS_ONLY.contains(&key))
}

/// Whether `option` may have several values.
pub(super) fn is_list(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::Append)
}

/// Whether the values of `option` are paths.
pub(super) fn is_path(option: &Arg) -> bool {
    option.get_value_hint() != ValueHint::Unknown
}

/// The options of `scan` that can be set outside the command line.
#[derive(Debug)]
pub(super) struct Options<'a> {
    scan: Option<&'a Command>,
}

impl<'a> Options<'a> {
    /// Those of the command line `command`.
    pub(super) fn of(command: &'a Command) -> Self {
        Self { scan: command.find_subcommand("scan") }
    }

    /// All, each with its table and its key, by table.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &'a str, &'a Arg)> + use<'a> {
        let options: Vec<&Arg> = self.scan.into_iter().flat_map(Command::get_arguments).collect();
        TABLES.into_iter().flat_map(move |wanted| {
            let options = options.clone().into_iter();
            options.filter(move |option| table(option) == Some(wanted)).filter_map(move |option| Some((wanted, option.get_long()?, option)))
        })
    }

    /// The option that `key` in `table` means.
    pub(super) fn find(&self, table: &str, key: &str) -> Option<&'a Arg> {
        self.all().find(|(in_table, name, _)| *in_table == table && *name == key).map(|(_, _, option)| option)
    }

    /// What somebody who wrote `key` may have meant, as table and key.
    pub(super) fn nearest(&self, key: &str) -> Option<(&'static str, &'a str)> {
        nearest(key, self.all().map(|(table, name, _)| (name, (table, name))))
    }

    /// Lets clap parse the values of `setting` as if they had been typed.
    pub(super) fn check(&self, option: &Arg, setting: &Setting) -> Result<(), ConfigError> {
        let typed = setting.values.iter().map(|value| {
            let mut word = OsString::from(format!("--{}=", setting.key));
            word.push(value);
            word
        });
        let words = [OsString::from("scan")].into_iter().chain(typed).chain([OsString::from("-")]);
        let good = self.scan.is_some_and(|scan| scan.clone().try_get_matches_from(words).is_ok());
        if good { Ok(()) } else { Err(wrong(option, setting)) }
    }
}

/// The table that somebody who wrote `name` may have meant.
pub(super) fn nearest_table(name: &str) -> Option<&'static str> {
    nearest(name, TABLES.into_iter().map(|table| (table, table)))
}

/// What has the name most like `typed`, if one is like it.
fn nearest<'n, T>(typed: &str, known: impl Iterator<Item = (&'n str, T)>) -> Option<T> {
    let typed = typed.to_lowercase().replace('_', "-");
    let alike = known.map(|(name, meant)| (strsim::jaro_winkler(&typed, name), meant)).filter(|(alike, _)| *alike >= ALIKE);
    alike.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, meant)| meant)
}

/// Says what the option takes, and not what it was given: that could be a secret by mistake.
pub(super) fn wrong(option: &Arg, setting: &Setting) -> ConfigError {
    let words = option.get_possible_values();
    let words: Vec<&str> = words.iter().filter(|word| !word.is_hide_set()).map(|word| word.get_name()).collect();
    let takes = if words.is_empty() {
        let name = option.get_value_names().and_then(|names| names.first()).map_or("value", |name| name.as_str());
        format!("it takes {name}: {}", option.get_help().map(ToString::to_string).unwrap_or_default())
    } else if is_list(option) {
        format!("any of {}", words.join(", "))
    } else {
        format!("one of {}", words.join(", "))
    };
    ConfigError::WrongValue { origin: setting.origin.clone(), key: setting.key.clone(), takes }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_option_of_a_scan_can_be_set_or_is_known_not_to_be() {
        let command = command();
        command.clone().debug_assert();
        let scan = command.find_subcommand("scan").unwrap();
        let not: Vec<&str> = scan.get_arguments().filter(|option| table(option).is_none()).filter_map(Arg::get_long).collect();
        let registry =
            ["username", "password-stdin", "ca-file", "client-cert", "client-key", "registry-mirror", "insecure", "allow-internal-hosts"];
        assert_eq!(not, [&["config", "no-config"][..], &registry, &["cache-dir", "show-secrets"]].concat());
        assert!(Options::of(&command).all().count() >= 19);
    }

    #[test]
    fn a_slip_of_the_pen_is_understood_and_nonsense_is_not() {
        let command = command();
        let options = Options::of(&command);
        for (typed, meant) in
            [("fail_on", Some(("gate", "fail-on"))), ("Fail-On", Some(("gate", "fail-on"))), ("job", Some(("scan", "jobs"))), ("xyz", None)]
        {
            assert_eq!(options.nearest(typed), meant, "{typed}");
        }
    }

    #[test]
    fn paths_are_known_as_such() {
        let command = command();
        let paths: Vec<&str> = Options::of(&command).all().filter(|(_, _, option)| is_path(option)).map(|(_, key, _)| key).collect();
        assert_eq!(paths, ["ignore-file", "baseline", "output", "dockerfile", "rules", "key-file"]);
    }
}
