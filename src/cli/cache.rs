//! `layersift cache`, and the cache of a scan: where it is, and what to say of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use etcetera::base_strategy::{BaseStrategy as _, choose_native_strategy};

use super::arguments::{CacheArguments, CacheVerb, ReadArguments};
use super::error::CliError;
use super::output::Output;
use super::{clean, note};
use crate::cache::{Cache, CacheError, Folder, MAX_BYTES, Usage};

/// The variable that names the folder. A project file cannot: it may come from somebody else, and so would the results.
pub(super) const VARIABLE: &str = "LAYERSIFT_CACHE_DIR";

/// Exit code where an entry was damaged.
const DAMAGED: u8 = 1;

/// Whether a scan may use results whose secrets are not at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    /// Redacted ones will do.
    Redacted,
    /// Their text is wanted.
    Wanted,
}

/// The cache for a scan; none if it is not wanted or cannot be used, which is said.
pub(super) fn open(arguments: &ReadArguments, secrets: Secrets) -> Option<Arc<Cache>> {
    if arguments.no_cache || arguments.no_verify || secrets == Secrets::Wanted {
        return None;
    }
    let path = folder(arguments.cache_dir.as_deref())?;
    let opened = Folder::open(&path, MAX_BYTES).and_then(|folder| Ok((folder.trace_key()?, folder)));
    match opened {
        Ok((key, folder)) => Some(Arc::new(Cache::new(folder, key))),
        Err(error) => {
            say(arguments, &error.to_string());
            None
        }
    }
}

/// Says how much of a scan came from the cache, and what was wrong with it.
pub(super) fn report(arguments: &ReadArguments, cache: &Cache) {
    if let Some(problem) = cache.problem() {
        say(arguments, problem);
    }
    let (reused, asked) = cache.reused();
    if reused > 0 && !arguments.quiet {
        note("note", &format!("{reused} of {asked} layers from the cache"));
    }
}

fn say(arguments: &ReadArguments, problem: &str) {
    if !arguments.quiet {
        note("note", &clean(&format!("the cache is of no use, every layer is read: {problem}")));
    }
}

/// The folder that was named, or that of the platform; none on a machine without one.
fn folder(given: Option<&Path>) -> Option<PathBuf> {
    let variable = || std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let platform = || choose_native_strategy().ok().map(|strategy| strategy.cache_dir().join("layersift"));
    given.map(Path::to_owned).or_else(variable).or_else(platform)
}

pub(super) fn run(arguments: &CacheArguments) -> Result<u8, CliError> {
    let path = folder(arguments.cache_dir.as_deref()).ok_or(CliError::NoCacheFolder)?;
    let failed = |error| CliError::Cache(CacheError::Io { path: path.clone(), error });
    let folder = Folder::existing(&path);
    match arguments.verb {
        CacheVerb::Info => {
            let usage = folder.map(|folder| folder.usage()).transpose().map_err(failed)?.unwrap_or_default();
            say_usage("holds", &path, usage)?;
        }
        CacheVerb::Clear => {
            let usage = folder.map(|folder| folder.clear()).transpose().map_err(failed)?.unwrap_or_default();
            say_usage("held", &path, usage)?;
        }
        CacheVerb::Verify => {
            let (sound, damaged) = folder.map(|folder| folder.verify()).transpose().map_err(failed)?.unwrap_or_default();
            Output::Stdout.write(|out| writeln!(out, "{sound} entries are sound, {damaged} were damaged and are removed"))?;
            return Ok(if damaged > 0 { DAMAGED } else { 0 });
        }
    }
    Ok(0)
}

fn say_usage(holds: &str, path: &Path, usage: Usage) -> Result<(), CliError> {
    let Usage { blobs, files, bytes } = usage;
    let (path, bound) = (clean(&path.display().to_string()), MAX_BYTES >> 20);
    Output::Stdout.write(|out| writeln!(out, "{path} {holds} {blobs} layers in {files} files, {bytes} bytes of {bound} MiB at most"))
}
