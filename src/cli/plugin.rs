//! layersift as a plugin of the Docker client: `docker layersift IMAGE`, and `docker layersift push IMAGE`, which pushes what is clean.
//!
//! The client starts a file called `docker-layersift` in its folder of plugins. Everything about the engine is asked through the client
//! that started it, with the options that it was started with.

mod arguments;
mod call;
mod install;
mod push;

use std::ffi::OsString;

use serde_json::json;

use self::arguments::{PluginArguments, PluginVerb};
pub(super) use self::call::Call;
pub(super) use self::install::{install, uninstall};
use super::arguments::ScanArguments;
use super::config::Layers;
use super::error::CliError;
use super::output::Output;
use super::{config, remark, scan};
use crate::source::{DockerClient, DockerSave, Reference};

/// Does what the client wants.
pub(super) fn run(call: Call) -> Result<u8, CliError> {
    match call {
        Call::Metadata => metadata(),
        Call::Command { client, words } => command(client, &words),
        Call::Unknown => Err(CliError::NotTheClient),
    }
}

/// What the client is told of the plugin.
fn metadata() -> Result<u8, CliError> {
    let metadata = json!({
        "SchemaVersion": "0.1.0",
        "Vendor": "layersift",
        "Version": env!("CARGO_PKG_VERSION"),
        "ShortDescription": "Find secrets in every layer of an image",
    });
    Output::Stdout.write(|out| writeln!(out, "{metadata}"))?;
    Ok(0)
}

fn command(client: DockerClient, words: &[OsString]) -> Result<u8, CliError> {
    let (arguments, layers) = config::parse_by::<PluginArguments>(arguments::command(), words)?;
    remark(&layers);
    match arguments.verb {
        Some(PluginVerb::Push(arguments)) => push::run(client, &arguments, &layers),
        None => {
            let images = arguments.scan.read.targets.iter();
            let saved = images.map(|name| DockerSave { client: client.clone(), name: name.clone(), id: None });
            scan_saved(&arguments.scan, saved.collect(), &layers)
        }
    }
}

fn scan_saved(arguments: &ScanArguments, images: Vec<DockerSave>, layers: &Layers) -> Result<u8, CliError> {
    let references = images.into_iter().map(Reference::DockerSave).collect();
    scan::run_on(arguments, scan::Targets { references, ..Default::default() }, layers)
}
