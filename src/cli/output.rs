//! Where a verb writes its result: standard output or a file.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::report::{Colour, Exposure};

/// Columns where there is no terminal to ask.
const WIDTH: usize = 120;

/// An open place to write to.
#[derive(Debug)]
pub(super) enum Output {
    /// Standard output.
    Stdout,
    /// A file, emptied.
    File(PathBuf, File),
}

impl Output {
    /// Opens `path`, or standard output for none and for `-`. Done before a scan, so that nobody waits in vain. A new file that will
    /// hold secrets is for its owner only.
    pub(super) fn open(path: Option<&Path>, exposure: Exposure) -> Result<Self, CliError> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Output::Stdout);
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        if exposure == Exposure::Shown {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        #[cfg(not(unix))]
        let _ = exposure;
        let file = options.open(path).map_err(|error| CliError::Output { path: path.to_owned(), error })?;
        Ok(Output::File(path.to_owned(), file))
    }

    /// Opens `path` to add to what it holds.
    pub(super) fn append(path: &Path) -> Result<Self, CliError> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|error| CliError::Output { path: path.to_owned(), error })?;
        Ok(Output::File(path.to_owned(), file))
    }

    /// Colours for a terminal that wants them (NO_COLOR, CLICOLOR, TERM), none elsewhere.
    pub(super) fn colour(&self) -> Colour {
        match self {
            Output::Stdout if anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never => Colour::Styled,
            _ => Colour::Plain,
        }
    }

    /// Columns.
    pub(super) fn width(&self) -> usize {
        match self {
            Output::Stdout if io::stdout().is_terminal() => {
                terminal_size::terminal_size().map_or(WIDTH, |(width, _)| usize::from(width.0).clamp(60, 200))
            }
            _ => WIDTH,
        }
    }

    /// Lets `write` write. A reader that has gone away (`| head`) has what it wanted, and is no error.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
        match self {
            Output::Stdout => {
                let mut out = io::stdout().lock();
                let written = write(&mut out).and_then(|()| out.flush());
                unless_gone(written).map_err(CliError::Stdout)
            }
            Output::File(path, file) => write(file).map_err(|error| CliError::Output { path: path.clone(), error }),
        }
    }
}

fn unless_gone(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_no_error_and_a_full_disk_is() {
        assert!(unless_gone(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        assert!(unless_gone(Err(io::ErrorKind::StorageFull.into())).is_err());
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named() {
        let error = Output::open(Some(Path::new("/no/such/folder/report.json")), Exposure::Redacted).unwrap_err();
        assert!(error.to_string().starts_with("cannot write /no/such/folder/report.json: "), "{error}");
    }

    #[test]
    fn a_dash_is_standard_output() {
        assert!(matches!(Output::open(Some(Path::new("-")), Exposure::Redacted), Ok(Output::Stdout)));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_with_secrets_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = std::env::temp_dir().join(format!("layersift-output-{}", std::process::id()));
        Output::open(Some(&path), Exposure::Shown).unwrap().write(|out| out.write_all(b"x")).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(mode & 0o777, 0o600);
    }
}
