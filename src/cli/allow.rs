//! Where the allow-lists of a scan come from, and what is said of entries that are of no use any more.

use std::fs;
use std::path::{Path, PathBuf};

use super::arguments::{AllowArguments, ReadArguments};
use super::config::{Layers, find};
use super::error::CliError;
use super::{clean, note};
use crate::finding::allow::FileLine;
use crate::finding::{AllowList, AllowState, Allowed};
use crate::scan::Outcome;

/// What a project's ignore file is called.
const NAME: &str = ".layersiftignore";
/// Most entries that a note names.
const MAX_NAMED: usize = 20;

/// The entries that take part: those of the ignore file, then those of the project file.
pub(super) fn load(arguments: &AllowArguments, layers: &Layers) -> Result<AllowList, CliError> {
    let mut list = AllowList::default();
    if arguments.no_ignore {
        return Ok(list);
    }
    let project = layers.allowed();
    if let Some(path) = arguments.ignore_file.clone().or_else(|| find(project.map(|(path, _)| path))) {
        let text = fs::read_to_string(&path).map_err(|error| CliError::Input { path: path.clone(), error })?;
        list.add_lines(&said(&path), &text)?;
    }
    if let Some((path, entries)) = project {
        for (line, entry) in entries {
            list.push(FileLine { file: said(path), line: *line }, entry.clone());
        }
    }
    Ok(list)
}

/// The ignore file that is found as a project file is, else the one beside the project file.
fn find(project: Option<&Path>) -> Option<PathBuf> {
    let nearest = std::env::current_dir().ok().and_then(|folder| find::nearest(NAME, &folder, std::env::home_dir().as_deref()));
    nearest.or_else(|| project.map(|path| path.with_file_name(NAME)).filter(|path| path.is_file()))
}

/// A file as seen from the working directory, if it lies there or above: a report says the same wherever the repository lies.
fn said(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let above = here.ancestors().position(|folder| path.parent() == Some(folder));
    match above.zip(path.file_name()) {
        Some((steps, name)) => "../".repeat(steps) + &name.to_string_lossy(),
        None => path.display().to_string(),
    }
}

/// Suppresses what `list` allows at `now` (seconds since 1970), and says which of its entries have expired and which match nothing.
pub(super) fn apply(list: &AllowList, arguments: &ReadArguments, outcome: &mut Outcome, now: Option<i64>) {
    list.apply(&mut outcome.scan, now);
    if arguments.quiet {
        return;
    }
    let of = |state: AllowState| outcome.scan.allowed.iter().filter(move |entry| entry.state == state).collect::<Vec<_>>();
    // Where some rules were left out or a target could not be opened, an entry may be of use all the same.
    let is_whole = outcome.failures.is_empty() && arguments.choice.selection().is_all();
    let unused = is_whole.then(|| unused(&of(AllowState::Unused))).flatten();
    for line in [expired(&of(AllowState::Expired)), unused].into_iter().flatten() {
        note("note", &clean(&line));
    }
}

fn expired(entries: &[&Allowed]) -> Option<String> {
    let named = |entry: &&Allowed| format!("{} on {}", entry.origin, entry.until.as_deref().unwrap_or_default());
    let matching: u64 = entries.iter().map(|entry| entry.count).sum();
    let named = named_first(entries, named)?;
    Some(format!("allow-list entries that have expired: {named}; what they match ({matching}) is not suppressed by them"))
}

fn unused(entries: &[&Allowed]) -> Option<String> {
    Some(format!("allow-list entries that match nothing: {}", named_first(entries, |entry| entry.origin.clone())?))
}

fn named_first(entries: &[&Allowed], name: impl Fn(&&Allowed) -> String) -> Option<String> {
    let named = entries.iter().take(MAX_NAMED).map(name).collect::<Vec<_>>().join(", ");
    let more = entries.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!entries.is_empty()).then(|| named + &more)
}
