//! `layersift schema`: the JSON Schema of the JSON report.

use super::error::CliError;
use super::output::Output;
use crate::report::JSON_SCHEMA;

pub(super) fn run() -> Result<u8, CliError> {
    Output::Stdout.write(|out| out.write_all(JSON_SCHEMA.as_bytes()))?;
    Ok(0)
}
