//! Parses, runs, ends the process: the only place that does the last.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(layersift::cli::run(std::env::args_os()))
}
