//! `layersift schema`: the JSON Schemas of the JSON report, of a line of the stream, and of the report of an audit.

use super::arguments::SchemaArguments;
use super::error::CliError;
use super::output::Output;
use crate::report::audit::AUDIT_SCHEMA;
use crate::report::{FormatName, JSON_SCHEMA, JSONL_SCHEMA};

pub(super) fn run(arguments: &SchemaArguments) -> Result<u8, CliError> {
    let schema = match (arguments.audit, arguments.format) {
        (true, _) => AUDIT_SCHEMA,
        (false, FormatName::Jsonl) => JSONL_SCHEMA,
        (false, _) => JSON_SCHEMA,
    };
    Output::Stdout.write(|out| out.write_all(schema.as_bytes()))?;
    Ok(0)
}
