//! `layersift rules export`: the built-in rules as files to start one's own from.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::super::error::CliError;
use super::super::output::Output;
use crate::report::Exposure;
use crate::rule::syntax::RuleFile;
use crate::rule::{RuleSet, Selection, builtin_files};

pub(super) fn run(folder: &Path, selection: &Selection) -> Result<u8, CliError> {
    let chosen = selection.apply(RuleSet::builtin())?;
    let ids: std::collections::HashSet<&str> = chosen.rules().map(|rule| rule.facts.id.as_str()).collect();
    make_empty(folder)?;
    let mut files = 0;
    for (name, mut file) in builtin_files() {
        file.rules.retain(|rule| ids.contains(rule.id.as_str()));
        if !file.rules.is_empty() {
            write(&folder.join(name), &file)?;
            files += 1;
        }
    }
    Output::Stdout.write(|out| writeln!(out, "{} rules in {files} files", ids.len()))?;
    Ok(0)
}

/// Files that are there already might be somebody's work.
fn make_empty(folder: &Path) -> Result<(), CliError> {
    let fail = |problem: String| CliError::Folder { path: folder.to_owned(), problem };
    fs::create_dir_all(folder).map_err(|error| fail(error.to_string()))?;
    match fs::read_dir(folder).map_err(|error| fail(error.to_string()))?.next() {
        None => Ok(()),
        Some(_) => Err(fail("the folder is not empty".to_owned())),
    }
}

fn write(path: &Path, file: &RuleFile) -> Result<(), CliError> {
    let text = Value::try_from(file)
        .and_then(|value| toml::to_string(&without_empty(value)))
        .map_err(|error| CliError::Folder { path: path.to_owned(), problem: format!("a rule cannot be written as TOML: {error}") })?;
    Output::open(Some(path), Exposure::Redacted)?.write(|out| out.write_all(text.as_bytes()))
}

/// A value without the empty lists in it, which nobody writes.
fn without_empty(value: Value) -> Value {
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    match value {
        Value::Table(table) => table
            .into_iter()
            .filter(|(_, value)| !is_empty(value))
            .map(|(key, value)| (key, without_empty(value)))
            .collect::<Table>()
            .into(),
        Value::Array(values) => values.into_iter().map(without_empty).collect::<Vec<_>>().into(),
        other => other,
    }
}
