//! `layersift docker-plugin install` and `uninstall`: a file in the Docker client's folder of plugins.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::error::CliError;
use super::super::note;
use super::call::FILE;

/// Makes this program a plugin of the user's Docker client. What is there by this name is replaced.
pub(in crate::cli) fn install() -> Result<u8, CliError> {
    let file = file(&config_folder()?);
    let program = std::env::current_exe().map_err(|error| CliError::Run { program: "layersift".into(), error })?;
    put(&program, &file).map_err(|error| CliError::Output { path: file.clone(), error })?;
    note("note", &format!("{} is in place: try `docker layersift --help`", file.display()));
    Ok(0)
}

/// Takes it away again.
pub(in crate::cli) fn uninstall() -> Result<u8, CliError> {
    let file = file(&config_folder()?);
    match fs::remove_file(&file) {
        Ok(()) => note("note", &format!("{} is gone", file.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => note("note", &format!("there is no {}", file.display())),
        Err(error) => return Err(CliError::Output { path: file, error }),
    }
    Ok(0)
}

/// Where the client keeps what is the user's own.
fn config_folder() -> Result<PathBuf, CliError> {
    let set = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    set.or_else(|| std::env::home_dir().map(|home| home.join(".docker"))).ok_or(CliError::NoHome)
}

fn file(config: &Path) -> PathBuf {
    config.join("cli-plugins").join(format!("{FILE}{}", std::env::consts::EXE_SUFFIX))
}

/// A new file takes the place of an old one in one step, so that no client ever sees half of it.
fn put(program: &Path, file: &Path) -> io::Result<()> {
    let new = file.with_extension(format!("new-{}", std::process::id()));
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    link(program, &new)?;
    fs::rename(&new, file).inspect_err(|_| drop(fs::remove_file(&new)))
}

/// A link, so that the plugin is as new as the program is.
#[cfg(unix)]
fn link(program: &Path, file: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(program, file)
}

/// A copy: links are for administrators only.
#[cfg(not(unix))]
fn link(program: &Path, file: &Path) -> io::Result<()> {
    fs::copy(program, file).map(drop)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_replaced_and_its_target_is_not() {
        let folder = std::env::temp_dir().join(format!("layersift-plugin-{}", std::process::id()));
        let (one, two, file) = (folder.join("one"), folder.join("two"), file(&folder));
        fs::create_dir_all(&folder).unwrap();
        fs::write(&one, "one").unwrap();
        fs::write(&two, "two").unwrap();
        for (program, text) in [(&one, "one"), (&two, "two")] {
            put(program, &file).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        assert_eq!(fs::read_to_string(&one).unwrap(), "one");
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }
}
