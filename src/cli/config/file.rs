//! The project file: TOML whose tables are the headings of the help and whose keys are the flags.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Arg;
use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::error::{ConfigError, Instead};
use super::options::{self, FLAGS_ONLY, Options, TABLES};
use super::{Origin, Setting};
use crate::cli::arguments::Destination;
use crate::finding::allow::Entry;
use crate::source::Reference;

/// The name of the tables that accept findings.
const ALLOW: &str = "allow";

/// A project file that was read. A table that sets no options is a field of its own, and an arm in [`Reader::table`].
#[derive(Debug)]
pub(super) struct ProjectFile {
    pub(super) path: PathBuf,
    /// In the order of the file.
    pub(super) settings: Vec<Setting>,
    /// The entries of `[[allow]]`, each with the line that begins it.
    pub(super) allowed: Vec<(usize, Entry)>,
}

impl ProjectFile {
    pub(super) fn read(path: PathBuf, options: &Options<'_>) -> Result<Self, ConfigError> {
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(path, &text, options),
            Err(error) => Err(ConfigError::Io { path, error }),
        }
    }

    /// What `text`, the contents of `path`, says.
    pub(super) fn parse(path: PathBuf, text: &str, options: &Options<'_>) -> Result<Self, ConfigError> {
        let document = match DeTable::parse(text) {
            Ok(document) => document.into_inner(),
            Err(error) => {
                let line = line(text, error.span().map_or(0, |span| span.start));
                return Err(ConfigError::Syntax { path, line, message: error.message().to_owned() });
            }
        };
        let mut reader = Reader { options, text, file: Self { path, settings: Vec::new(), allowed: Vec::new() } };
        for (name, value) in document {
            reader.table(&name, value)?;
        }
        Ok(reader.file)
    }
}

struct Reader<'a> {
    options: &'a Options<'a>,
    text: &'a str,
    file: ProjectFile,
}

impl Reader<'_> {
    fn table(&mut self, name: &Spanned<impl AsRef<str>>, value: Spanned<DeValue<'_>>) -> Result<(), ConfigError> {
        let at = self.at(name);
        let name = name.get_ref().as_ref();
        if name == ALLOW {
            return self.allow(at, value.into_inner());
        }
        match (TABLES.into_iter().find(|table| *table == name), value.into_inner()) {
            (Some(table), DeValue::Table(keys)) => keys.iter().try_for_each(|(key, value)| self.setting(table, key, value.get_ref())),
            (Some(table), _) => Err(ConfigError::NoTable { at, key: table.to_owned() }),
            (None, DeValue::Table(_)) => Err(self.unknown(at, None, name, options::nearest_table(name).map(Instead::Table))),
            (None, _) => Err(self.unknown(at, None, name, self.nearest(name))),
        }
    }

    fn allow(&mut self, at: Origin, value: DeValue<'_>) -> Result<(), ConfigError> {
        let DeValue::Array(entries) = value else { return Err(ConfigError::NoList { at }) };
        for entry in entries {
            let start = entry.span().start;
            if !matches!(entry.get_ref(), DeValue::Table(_)) {
                return Err(ConfigError::NoList { at });
            }
            let read = Entry::deserialize(ValueDeserializer::from(entry)).map_err(|error| ConfigError::Allow {
                at: self.place(error.span().map_or(start, |span| span.start)),
                message: error.message().to_owned(),
            })?;
            self.file.allowed.push((line(self.text, start), read));
        }
        Ok(())
    }

    fn setting(&mut self, table: &'static str, key: &Spanned<impl AsRef<str>>, value: &DeValue<'_>) -> Result<(), ConfigError> {
        let (origin, key) = (self.at(key), key.get_ref().as_ref());
        let Some(option) = self.options.find(table, key) else { return Err(self.unknown(origin, Some(table), key, self.nearest(key))) };
        let words = words(value, option);
        let folder = self.file.path.parent().unwrap_or(Path::new(""));
        let values = words.iter().flatten().map(|word| match key {
            "base" => Reference::below(folder, word),
            key if options::is_path(option) => below(folder, key, word),
            _ => word.into(),
        });
        let setting = Setting { id: option.get_id().clone(), key: key.to_owned(), values: values.collect(), origin };
        if words.is_none() {
            return Err(options::wrong(option, &setting));
        }
        self.options.check(option, &setting)?;
        self.file.settings.push(setting);
        Ok(())
    }

    fn nearest(&self, key: &str) -> Option<Instead> {
        self.options.nearest(key).map(|(table, key)| Instead::Key { table, key: key.to_owned() })
    }

    fn unknown(&self, at: Origin, table: Option<&'static str>, key: &str, nearest: Option<Instead>) -> ConfigError {
        if FLAGS_ONLY.contains(&key.replace('_', "-").as_str()) {
            return ConfigError::FlagOnly { at, key: key.replace('_', "-") };
        }
        let instead = match (nearest, table) {
            (Some(nearest), _) => nearest,
            (None, Some(table)) => {
                let keys = self.options.all().filter(|(of, ..)| *of == table).map(|(_, key, _)| format!("`{key}`"));
                Instead::AnyOf(keys.collect())
            }
            (None, None) => Instead::AnyOf(TABLES.map(|table| format!("[{table}]")).into_iter().chain([format!("[[{ALLOW}]]")]).collect()),
        };
        ConfigError::UnknownKey { at, table, key: key.to_owned(), instead }
    }

    fn at<T>(&self, key: &Spanned<T>) -> Origin {
        self.place(key.span().start)
    }

    fn place(&self, offset: usize) -> Origin {
        Origin::File { path: self.file.path.clone(), line: line(self.text, offset) }
    }
}

/// The value as words of a command line; none if nothing of that kind can be one.
fn words(value: &DeValue<'_>, option: &Arg) -> Option<Vec<String>> {
    match value {
        DeValue::Array(values) if options::is_list(option) => values.iter().map(|value| word(value.get_ref())).collect(),
        value => word(value).map(|word| vec![word]),
    }
}

fn word(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Boolean(switch) => Some(switch.to_string()),
        _ => None,
    }
}

/// `word` as a path from `folder` on; `-` is standard output, and `output` may name a format first.
fn below(folder: &Path, key: &str, word: &str) -> OsString {
    let (format, path) = if key == "output" { <Destination>::split(word) } else { (None, word) };
    if path == "-" || path.is_empty() {
        return word.into();
    }
    let mut value = OsString::from(format.map(|format| format!("{format}=")).unwrap_or_default());
    value.push(folder.join(path));
    value
}

/// The line of the byte at `offset`, from 1.
fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    /// A key, its values and its line.
    type Read = (String, Vec<OsString>, usize);

    /// What is set; else the error and its hint.
    fn parse(text: &str) -> Result<Vec<Read>, (String, Option<String>)> {
        let command = options::command();
        let file = ProjectFile::parse(PathBuf::from("/p/layersift.toml"), text, &Options::of(&command));
        let file = file.map_err(|error| (error.to_string(), error.hint()))?;
        let settings = file.settings.into_iter().map(|setting| match setting.origin {
            Origin::File { line, .. } => (setting.key, setting.values, line),
            other => unreachable!("{other}"),
        });
        Ok(settings.collect())
    }

    #[test]
    fn values_may_be_texts_numbers_switches_and_lists() {
        let text = "[gate]\nfail-on = 'HIGH'\nexit-code = 9\n\n[scan]\nno-verify = true\n[rules]\nskip = [\n 'tag:a',\n 'tag:b']\n";
        let mut settings = parse(text).unwrap();
        settings.sort_by_key(|setting| setting.2);
        let expected: [(&str, &[&str], usize); 4] =
            [("fail-on", &["HIGH"], 2), ("exit-code", &["9"], 3), ("no-verify", &["true"], 6), ("skip", &["tag:a", "tag:b"], 8)];
        for (setting, (key, values, line)) in settings.iter().zip(expected) {
            assert_eq!((setting.0.as_str(), setting.2), (key, line));
            assert_eq!(setting.1, values);
        }
        assert_eq!(settings.len(), expected.len());
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let values = |text: &str| parse(text).unwrap().remove(0).1;
        assert_eq!(values("rules.rules = ['own', '/abs']"), [Path::new("/p").join("own").as_os_str(), OsStr::new("/abs")]);
        let mut sarif = OsString::from("sarif=");
        sarif.push(Path::new("/p").join("out/a.sarif"));
        assert_eq!(values("report.output = 'sarif=out/a.sarif'"), [sarif]);
        let mut layout = OsString::from("oci:");
        layout.push(Path::new("/p").join("base:1"));
        assert_eq!(values("gate.base = 'oci:base:1'"), [layout]);
        assert_eq!(values("report.output = ['-', 'json=-']"), ["-", "json=-"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_file_line_key_and_what_is_right() {
        let table = [
            ("[gate]\nfail_on = 'high'", "/p/layersift.toml:2: there is no `fail_on` in [gate]", "did you mean `fail-on`?"),
            ("[scan]\n\nfail-on = 'high'", "/p/layersift.toml:3: there is no `fail-on` in [scan]", "did you mean `fail-on` in [gate]?"),
            ("fail-on = 'high'", "/p/layersift.toml:1: there is no `fail-on` in a project file", "did you mean `fail-on` in [gate]?"),
            ("[Rule]", "/p/layersift.toml:1: there is no `Rule` in a project file", "did you mean [rules]?"),
            ("[xyz]", "/p/layersift.toml:1: there is no `xyz` in a project file", "there are [gate], [report], [rules], [scan], [[allow]]"),
            (
                "[report]\nxyz = 1",
                "/p/layersift.toml:2: there is no `xyz` in [report]",
                "there are `format`, `output`, `severity`, `scope`, `show-suppressed`, `explain`, `timings`, `dockerfile`, `target`",
            ),
            ("gate = 'high'", "/p/layersift.toml:1: `gate` is a table", "write [gate] in a line of its own, and its keys below"),
            (
                "[gate]\nfail-on = 'hunter2'",
                "/p/layersift.toml:2: `fail-on` cannot have this value",
                "one of low, medium, high, critical, never",
            ),
            (
                "[scan]\nmax-memory = 'hunter2'",
                "/p/layersift.toml:2: `max-memory` cannot have this value",
                "it takes SIZE: Bound on memory, for example 512M or 2G (powers of 1024)",
            ),
            ("[scan]\nquiet = 'hunter2'", "/p/layersift.toml:2: `quiet` cannot have this value", "one of true, false"),
        ];
        for (text, error, hint) in table {
            assert_eq!(parse(text), Err((error.to_owned(), Some(hint.to_owned()))), "{text}");
        }
    }

    #[test]
    fn values_of_another_kind_are_refused() {
        for text in
            ["jobs = 2.5", "jobs = 0x10", "jobs = [2]", "jobs = { n = 2 }", "jobs = ''", "jobs = 0", "quiet = []", "platform = 'linux'"]
        {
            assert!(parse(&format!("[scan]\n{text}")).is_err(), "{text}");
        }
        assert!(parse("[rules]\nskip = [['a']]").is_err());
    }

    #[test]
    fn entries_of_allow_are_read_with_their_lines_and_refused_with_them() {
        let command = options::command();
        let parse = |text: &str| ProjectFile::parse(PathBuf::from("p.toml"), text, &Options::of(&command));
        let file =
            parse("[[allow]]\nrule = 'a'\nreason = 'r'\n\n[gate]\n\n[[allow]]\npath = '/b'\nuntil = 2027-01-31\nreason = 'r'\n").unwrap();
        assert_eq!(file.allowed.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 7]);
        let table = [
            ("[[allow]]\nrule = 'hunter2'", "p.toml:1: the reason is missing"),
            ("[[allow]]\nreason = 'hunter2'", "p.toml:1: it does not say what it allows"),
            ("[[allow]]\nrule = 'a'\n\nuntil = 'hunter2'", "p.toml:4: `until` is not a date"),
            ("[[allow]]\nrule = 'a'\nreason = ['hunter2']", "p.toml:3: invalid type: sequence, expected a string"),
            ("[gate]\n[allow]\nrule = 'hunter2'", "p.toml:2: `allow` is a list of tables"),
            ("\nallow = ['hunter2']", "p.toml:2: `allow` is a list of tables"),
        ];
        for (text, expected) in table {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().starts_with(expected) && !error.to_string().contains("hunter2"), "{text}: {error}");
            assert!(error.hint().unwrap().contains("[[allow]]"));
        }
    }

    #[test]
    fn secrets_cannot_be_shown_by_a_file() {
        for text in ["[report]\nshow-secrets = true", "\nshow_secrets = true", "\n[show-secrets]"] {
            let (error, hint) = parse(text).unwrap_err();
            assert_eq!(error, "/p/layersift.toml:2: `show-secrets` cannot be set in a file", "{text}");
            assert!(hint.unwrap().contains("give --show-secrets where you want it"));
        }
    }

    #[test]
    fn a_syntax_error_has_its_line_and_quotes_nothing() {
        for text in
            ["[gate]\nfail-on = hunter2", "[gate]\nhunter2", "[gate]\nfail-on = 'hunter2", "[gate]\nx = \"hunter2\\q\"", "\n[hunter2"]
        {
            let (error, _) = parse(text).unwrap_err();
            assert!(error.starts_with("/p/layersift.toml:2: ") && !error.contains("hunter2"), "{error}");
        }
    }
}
