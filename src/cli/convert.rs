//! `layersift convert`: a JSON report in another format. It says what gates, and does not gate.

use super::arguments::ConvertArguments;
use super::error::CliError;
use super::report_file;
use super::reports::Reports;
use crate::report::{Colour, Context, Redactor, Suppressed, Times};

pub(super) fn run(arguments: &ConvertArguments) -> Result<u8, CliError> {
    // Read before anything is opened to write: it may be the same file.
    let report_file::Loaded { scan, written } = report_file::load(&arguments.input)?;
    let exposure = arguments.report.exposure();
    let reports = Reports::open(arguments.report.format, &arguments.report.output, exposure)?;
    // The report does not say when the scan ran; it ended when the report was written.
    let times = Times { started: written, ended: written };
    let redactor = Redactor::new(&scan, exposure);
    reports.write(
        &scan,
        &mut Context { redactor, gate: arguments.gate.gate(), suppressed: Suppressed::Counted, width: 0, colour: Colour::Plain, times },
    )?;
    Ok(0)
}
