//! `docker layersift push IMAGE`: what was scanned is what is pushed, or nothing is.
//!
//! The image is scanned by its ID. A tag can be moved while that lasts, so it is looked at again before the push.

use std::io;
use std::process::{Command, Stdio};

use super::super::arguments::ScanArguments;
use super::super::config::Layers;
use super::super::error::CliError;
use super::super::{FATAL, clean, note};
use crate::source::{DockerClient, DockerSave};

pub(super) fn run(client: DockerClient, arguments: &ScanArguments, layers: &Layers) -> Result<u8, CliError> {
    let image = arguments.read.targets.first().cloned().unwrap_or_default();
    let say = |text: String| {
        if !arguments.read.quiet {
            note("note", &clean(&text));
        }
    };
    let id = id_of(&client, &image)?;
    say(format!("scanning {image} ({id}) before it is pushed"));
    let save = DockerSave { client: client.clone(), name: image.clone(), id: Some(id.clone()) };
    let code = super::scan_saved(arguments, vec![save], layers)?;
    if code != 0 {
        say(format!("{image} was not pushed"));
        return Ok(code);
    }
    let now = id_of(&client, &image)?;
    if now != id {
        return Err(CliError::ImageMoved { image, scanned: id, now });
    }
    say(format!("{image} passed, and is still {id}: pushing it"));
    push(&client, &image, arguments)
}

/// What an image is, whatever it is called.
fn id_of(client: &DockerClient, image: &str) -> Result<String, CliError> {
    let mut command = client.command();
    command.args(["image", "inspect", "--format", "{{.Id}}", "--", image]).stderr(Stdio::inherit());
    let output = command.output().map_err(|error| cannot_run(&command, error))?;
    let id = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !id.is_empty() {
        Ok(id)
    } else {
        Err(CliError::Docker { command: format!("docker image inspect {image}"), status: output.status })
    }
}

/// Pushes with the standard streams of this process; the exit code is the client's.
fn push(client: &DockerClient, image: &str, arguments: &ScanArguments) -> Result<u8, CliError> {
    let mut command = client.command();
    command.args(["image", "push"]);
    if arguments.read.quiet {
        command.arg("--quiet");
    }
    if let Some(platform) = &arguments.read.platform {
        command.arg("--platform").arg(platform.to_string());
    }
    command.args(["--", image]);
    let status = command.status().map_err(|error| cannot_run(&command, error))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(FATAL))
}

fn cannot_run(command: &Command, error: io::Error) -> CliError {
    CliError::Run { program: command.get_program().into(), error }
}
