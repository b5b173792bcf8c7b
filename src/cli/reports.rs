//! The reports of one run: which formats go where.

use std::path::Path;

use super::arguments::Destination;
use super::error::CliError;
use super::output::Output;
use crate::finding::Scan;
use crate::report::{Context, Exposure, FormatName};

/// Where GitHub Actions takes the summary of a job's step from.
const GITHUB_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Reports to be written, each with its open place.
#[derive(Debug)]
pub(super) struct Reports(Vec<(FormatName, Output)>);

/// Opens all places, before the work, so that nobody waits in vain. `format` goes to the destination that names no format of its
/// own, or to standard output if there is none and no other report goes there.
pub(super) fn places<F: Copy>(format: F, destinations: &[Destination<F>], exposure: Exposure) -> Result<Vec<(F, Output)>, CliError> {
    let mut wanted: Vec<(F, Option<&Path>)> =
        destinations.iter().map(|destination| (destination.format.unwrap_or(format), Some(destination.path.as_path()))).collect();
    let to_stdout = |path: Option<&Path>| path.is_none_or(|path| path == Path::new("-"));
    if destinations.iter().all(|destination| destination.format.is_some() && !to_stdout(Some(&destination.path))) {
        wanted.insert(0, (format, None));
    }
    if wanted.iter().filter(|(_, path)| to_stdout(*path)).count() > 1 {
        return Err(CliError::TwoOnStdout);
    }
    wanted.iter().map(|&(format, path)| Ok((format, Output::open(path, exposure)?))).collect()
}

impl Reports {
    /// Opens all places, and that of the summary of a step of GitHub Actions; see [`places`].
    pub(super) fn open(format: FormatName, destinations: &[Destination], exposure: Exposure) -> Result<Self, CliError> {
        let mut reports = places(format, destinations, exposure)?;
        let summary = std::env::var_os(GITHUB_SUMMARY).filter(|path| !path.is_empty());
        if let Some(path) = summary.filter(|_| reports.iter().any(|(format, _)| *format == FormatName::Github)) {
            reports.push((FormatName::Markdown, Output::append(Path::new(&path))?));
        }
        Ok(Self(reports))
    }

    /// Takes out the places of the reports that are written while the scan goes on.
    pub(super) fn take_streams(&mut self) -> Vec<Output> {
        self.0.extract_if(.., |(format, _)| *format == FormatName::Jsonl).map(|(_, output)| output).collect()
    }

    /// Writes them all.
    pub(super) fn write(self, scan: &Scan, context: &mut Context) -> Result<(), CliError> {
        for (format, mut output) in self.0 {
            (context.width, context.colour) = (output.width(), output.colour());
            output.write(|out| format.format().write(scan, context, out))?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn formats(destinations: &[&str]) -> Result<Vec<String>, CliError> {
        let folder = std::env::temp_dir().join(format!("layersift-reports-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let inside = |text: &str| text.replace("@", &format!("{}/", folder.display())).parse::<Destination>().unwrap();
        let destinations: Vec<Destination> = destinations.iter().map(|text| inside(text)).collect();
        let reports = Reports::open(FormatName::Table, &destinations, Exposure::Redacted)?;
        Ok(reports.0.iter().map(|(format, output)| format!("{format} {}", matches!(output, Output::Stdout))).collect())
    }

    #[test]
    fn the_main_report_goes_to_standard_output_unless_something_else_takes_its_place() {
        assert_eq!(formats(&[]).unwrap(), ["table true"]);
        assert_eq!(formats(&["@a"]).unwrap(), ["table false"]);
        assert_eq!(formats(&["json=@b", "sarif=@c"]).unwrap(), ["table true", "json false", "sarif false"]);
        assert_eq!(formats(&["json=-"]).unwrap(), ["json true"]);
        assert_eq!(formats(&["@a", "json=-"]).unwrap(), ["table false", "json true"]);
        assert!(matches!(formats(&["csv=-", "json=-"]), Err(CliError::TwoOnStdout)));
    }
}
