//! `LAYERSIFT_*`: every option that the project file can set, under the flag's name in capitals.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::Arg;

use super::super::{cache, key, registry};
use super::options::{self, Options};
use super::{ConfigError, Origin, Setting};

const PREFIX: &str = "LAYERSIFT_";
/// Names the project file, as --config does.
const CONFIG: &str = "LAYERSIFT_CONFIG";
/// The option that a key in the environment takes the place of.
const KEY_FILE: &str = "key-file";

/// What the environment sets.
#[derive(Debug, Default)]
pub(super) struct Environment {
    pub(super) settings: Vec<Setting>,
    /// The project file.
    pub(super) config: Option<PathBuf>,
    /// Variables that mean nothing. They are no errors, as unknown keys of a file are: pipelines have variables of that kind for other ends
    /// (`LAYERSIFT_VERSION` for what installs the program), or for another version of the program, and a build must not fail for them.
    pub(super) remarks: Vec<String>,
}

impl Environment {
    /// What `variables` set; empty ones set nothing.
    pub(super) fn read(options: &Options<'_>, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, ConfigError> {
        let mut read = Self::default();
        let mut has_key = false;
        for (name, value) in ours(variables) {
            if name == CONFIG {
                read.config = Some(PathBuf::from(value));
            } else if name == cache::VARIABLE {
                // Not laid under the flags: the verbs about the cache ask for it too.
            } else if name == key::VARIABLE {
                has_key = true;
            } else if registry::VARIABLES.contains(&name.as_str()) {
                // A login is no option: no file and no flag can hold one.
            } else if let Some((_, key, option)) = options.all().find(|(_, key, _)| variable(key) == name) {
                let setting = Setting {
                    id: option.get_id().clone(),
                    key: key.to_owned(),
                    values: values(option, &value),
                    origin: Origin::Variable(name),
                };
                options.check(option, &setting)?;
                read.settings.push(setting);
            } else {
                read.remarks.push(remark(options, &name));
            }
        }
        if has_key {
            read.prefer_key(options);
        }
        Ok(read)
    }

    /// A key in the environment wins over a key file that the project file names, as every variable does.
    fn prefer_key(&mut self, options: &Options<'_>) {
        if self.settings.iter().all(|setting| setting.key != KEY_FILE) {
            let option = options.find("scan", KEY_FILE);
            let origin = Origin::Variable(key::VARIABLE.to_owned());
            self.settings.extend(option.map(|option| Setting {
                id: option.get_id().clone(),
                key: KEY_FILE.to_owned(),
                values: Vec::new(),
                origin,
            }));
        }
    }
}

/// The variables that begin with our prefix and are not empty, by name, so that messages come in the same order each time.
fn ours(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(String, OsString)> {
    let named = variables.into_iter().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        // Windows does not tell them apart.
        Some((if cfg!(windows) { name.to_ascii_uppercase() } else { name }, value))
    });
    let mut ours: Vec<_> = named.filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty()).collect();
    ours.sort();
    ours
}

/// `LAYERSIFT_FAIL_ON` for `fail-on`.
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('-', "_"))
}

/// Several paths in one variable are separated as those of PATH are, other lists as in flags.
fn values(option: &Arg, value: &OsStr) -> Vec<OsString> {
    if options::is_list(option) && options::is_path(option) {
        std::env::split_paths(value).map(PathBuf::into_os_string).collect()
    } else {
        vec![value.to_owned()]
    }
}

fn remark(options: &Options<'_>, name: &str) -> String {
    if let Some(flag) = options::FLAGS_ONLY.into_iter().find(|flag| variable(flag) == name) {
        return format!("{name} has no effect: --{flag} can be given as a flag only");
    }
    match options.nearest(&name[PREFIX.len()..]) {
        Some((_, key)) => format!("{name} has no effect: there is no such setting; did you mean {}?", variable(key)),
        None => format!("{name} has no effect: there is no such setting"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, ConfigError> {
        let command = options::command();
        Environment::read(&Options::of(&command), variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn a_variable_that_means_nothing_is_remarked_on_and_others_are_not_looked_at() {
        let remarks =
            read(&[("LAYERSIFT_FAILON", "x"), ("LAYERSIFT_VERSION", "1"), ("PATH", "/"), ("LAYERSIFT_JOBS", "2")]).unwrap().remarks;
        assert_eq!(
            remarks,
            [
                "LAYERSIFT_FAILON has no effect: there is no such setting; did you mean LAYERSIFT_FAIL_ON?",
                "LAYERSIFT_VERSION has no effect: there is no such setting"
            ]
        );
    }

    #[test]
    fn secrets_cannot_be_shown_by_a_variable() {
        let read = read(&[("LAYERSIFT_SHOW_SECRETS", "true")]).unwrap();
        assert_eq!(read.settings, []);
        assert_eq!(read.remarks, ["LAYERSIFT_SHOW_SECRETS has no effect: --show-secrets can be given as a flag only"]);
    }

    #[test]
    fn a_wrong_value_names_the_variable_and_not_the_value() {
        for (name, value) in [("LAYERSIFT_FAIL_ON", "hunter2"), ("LAYERSIFT_MAX_MEMORY", "hunter2"), ("LAYERSIFT_QUIET", "hunter2")] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.to_string().starts_with(name), "{error}");
            assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn paths_are_separated_as_those_of_path() {
        let both = std::env::join_paths(["a", "b"]).unwrap();
        let read = read(&[("LAYERSIFT_RULES", both.to_str().unwrap()), ("LAYERSIFT_BASELINE", "a:b")]).unwrap();
        let values: Vec<_> = read.settings.iter().map(|setting| setting.values.len()).collect();
        assert_eq!(values, [1, 2]);
    }
}
