//! Where the project's key for fingerprints comes from.

use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::finding::fingerprint::Key;

/// The variable that has the key.
pub(super) const VARIABLE: &str = "LAYERSIFT_KEY";

/// The key in `file`, else in the environment; none if there is neither.
pub(super) fn load(file: Option<&Path>) -> Result<Option<Key>, CliError> {
    let bytes = match file {
        Some(path) => std::fs::read(path).map_err(|error| CliError::Input { path: path.to_owned(), error })?,
        None => match std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            Some(value) => value.into_encoded_bytes(),
            None => return Ok(None),
        },
    };
    let origin = file.map_or_else(|| PathBuf::from(VARIABLE), Path::to_owned);
    Key::new(&bytes).map(Some).map_err(|error| CliError::Key { origin, error })
}
