//! `layersift schema`: the JSON Schema of the JSON report, and of a line of the stream.

use super::arguments::SchemaArguments;
use super::error::CliError;
use super::output::Output;
use crate::report::{FormatName, JSON_SCHEMA, JSONL_SCHEMA};

pub(super) fn run(arguments: &SchemaArguments) -> Result<u8, CliError> {
    let schema = if arguments.format == FormatName::Jsonl { JSONL_SCHEMA } else { JSON_SCHEMA };
    Output::Stdout.write(|out| out.write_all(schema.as_bytes()))?;
    Ok(0)
}
