//! `layersift config show`: what is in force for a scan, and who said so.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};
use serde_json::json;
use toml::Value;

use super::options::{self, Options};
use super::{Layers, Origin, innermost, layered};
use crate::cli::arguments::ShowArguments;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::report::FormatName;
use crate::report::sanitise::terminal;

/// Columns that values are given before their origin; longer ones push it away.
const MAX_WIDTH: usize = 60;

/// One option.
#[derive(Debug)]
struct Shown {
    table: &'static str,
    key: String,
    /// A list for options that may have several values; none for what is not set.
    value: Option<Value>,
    origin: Origin,
}

pub(in crate::cli) fn run(arguments: &ShowArguments) -> Result<u8, CliError> {
    let (matches, layers) = layered(options::command(), &scan_line(arguments))?;
    super::super::remark(&layers);
    let command = options::command();
    let all = Options::of(&command).all();
    let shown: Vec<Shown> = all.map(|(table, key, option)| shown(table, key, option, innermost(&matches), &layers)).collect();
    let file = layers.file.as_ref().map(|file| file.path.as_path());
    Output::Stdout.write(|out| match arguments.format {
        FormatName::Json => write_json(file, &shown, out),
        // The arguments allow no other.
        _ => write_text(file, &shown, out),
    })?;
    Ok(0)
}

/// The scan whose configuration is asked for; of what image does not matter.
fn scan_line(arguments: &ShowArguments) -> Vec<OsString> {
    let mut words = vec![OsString::from(env!("CARGO_PKG_NAME")), OsString::from("scan")];
    if let Some(path) = &arguments.project.config {
        words.extend(["--config".into(), path.clone().into()]);
    }
    if arguments.project.no_config {
        words.push("--no-config".into());
    }
    words.extend(arguments.flags.iter().cloned());
    words.push("-".into());
    words
}

fn shown(table: &'static str, key: &str, option: &Arg, matches: &ArgMatches, layers: &Layers) -> Shown {
    let id = option.get_id();
    let words = matches.get_raw(id.as_str()).into_iter().flatten();
    let mut words = words.map(|word| typed(&word.to_string_lossy()));
    let value = if options::is_list(option) { Some(Value::Array(words.collect())) } else { words.next() };
    let origin = match (matches.value_source(id.as_str()), layers.setting(id)) {
        (Some(ValueSource::CommandLine), _) => Origin::Flag,
        (_, Some(setting)) => setting.origin.clone(),
        (_, None) => Origin::Default,
    };
    Shown { table, key: key.to_owned(), value, origin }
}

/// A word of a command line as one would write it in the file.
fn typed(word: &str) -> Value {
    match (word.parse(), word.parse()) {
        (Ok(switch), _) => Value::Boolean(switch),
        (_, Ok(number)) => Value::Integer(number),
        _ => Value::String(word.to_owned()),
    }
}

/// A project file that would say the same, with the origin of each line.
fn write_text(file: Option<&Path>, shown: &[Shown], out: &mut dyn Write) -> io::Result<()> {
    match file {
        Some(path) => writeln!(out, "# {}", terminal(&path.display().to_string()))?,
        None => writeln!(out, "# no project file")?,
    }
    let lines: Vec<String> = shown.iter().map(|option| terminal(&line(option)).into_owned()).collect();
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or_default().min(MAX_WIDTH);
    let mut last = "";
    for (option, line) in shown.iter().zip(&lines) {
        if option.table != last {
            writeln!(out, "\n[{}]", option.table)?;
            last = option.table;
        }
        writeln!(out, "{line:<width$}  # {}", terminal(&option.origin.to_string()))?;
    }
    Ok(())
}

fn line(option: &Shown) -> String {
    match &option.value {
        Some(value) => format!("{} = {value}", option.key),
        None => format!("# {} is not set", option.key),
    }
}

fn write_json(file: Option<&Path>, shown: &[Shown], out: &mut dyn Write) -> io::Result<()> {
    let text = |path: &Path| path.display().to_string();
    let origin = |origin: &Origin| match origin {
        Origin::Default => json!({ "kind": "default" }),
        Origin::File { path, line } => json!({ "kind": "file", "path": text(path), "line": line }),
        Origin::Variable(name) => json!({ "kind": "variable", "name": name }),
        Origin::Flag => json!({ "kind": "flag" }),
    };
    let options = shown
        .iter()
        .map(|option| json!({ "table": option.table, "key": option.key, "value": option.value, "origin": origin(&option.origin) }));
    let view = json!({ "file": file.map(text), "options": options.collect::<Vec<_>>() });
    writeln!(out, "{view:#}")
}
