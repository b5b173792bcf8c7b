//! Images in registries, by name: a registry of the tests' own with every fault, and the real one.

mod access;
mod catalogs;
mod certificates;
mod content;
mod faults;
mod helper;
mod identity;
mod mirrors;
mod proxy;
mod real;
pub(crate) mod server;
mod toc;
mod told;
mod ways;

use std::process::Command;
use std::time::Duration;

use layersift::scan::{Options, Outcome};
use layersift::source::builder::{ImageBuilder, ImageSet};
use layersift::source::registry::{Logins, Patience, RegistryOptions};

use crate::cli::{Run, program};
use crate::support::*;
pub(crate) use real::certificates;
use server::{Pace, Reply, Request, Server, Shelf};

/// Waits that tests can bear. What must come in time has plenty of it.
fn patience() -> Patience {
    Patience { attempts: 3, backoff: Duration::from_millis(1), longest_wait: Duration::from_secs(20), ..Patience::default() }
}

fn options() -> RegistryOptions {
    RegistryOptions { patience: patience(), ..RegistryOptions::default() }
}

fn scan_with(server: &Server, registry: RegistryOptions) -> Outcome {
    scan_text(&server.image(), &Options { registry, jobs: 2, ..Options::default() })
}

/// The scan of a server's image, which must come about.
fn scan_of(server: &Server) -> layersift::finding::Scan {
    sound(scan_with(server, options()))
}

/// What the user is told of an image that cannot be scanned: what went wrong, and what to do.
#[track_caller]
fn failure(server: &Server, registry: RegistryOptions) -> (String, String) {
    let outcome = scan_with(server, registry);
    let [failure] = &outcome.failures[..] else { panic!("{} failures, {:?}", outcome.failures.len(), outcome.scan.coverage.skipped) };
    let hint = match &failure.error {
        layersift::source::SourceError::Registry(error) => error.hint().unwrap_or_default(),
        _ => String::new(),
    };
    (failure.error.to_string(), hint)
}

/// Variables by which a machine of the tests could have a say.
const OF_THE_MACHINE: [&str; 13] = [
    "DOCKER_CONFIG",
    "REGISTRY_AUTH_FILE",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "SSL_CERT_FILE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];

/// `layersift scan`, by a user who has nothing in the home folder but what is in `home`.
fn scan_by(home: &Temp) -> Command {
    let mut command = program_of(home);
    command.arg("scan");
    command
}

/// `layersift`, by such a user.
fn program_of(home: &Temp) -> Command {
    let mut command = program();
    for name in OF_THE_MACHINE {
        command.env_remove(name);
    }
    command.env("HOME", home.path("")).env("USERPROFILE", home.path(""));
    command
}

/// `layersift scan ARGUMENTS`, by such a user.
fn run(arguments: &[&str], home: &Temp) -> Run {
    Run::new(scan_by(home).args(arguments).output().unwrap())
}

/// Two layers with a token each; the second is large enough to break in the middle.
fn image() -> ImageBuilder {
    ImageBuilder::new().tag("1").layer("COPY a /", |layer| layer.file("/a", token("first"))).layer("COPY b /", |layer| {
        layer.file("/b", token("second"));
        layer.file("/noise", layersift::random::Random::new(5).text(b"abcdef \n", 300_000));
    })
}

fn shelf() -> Shelf {
    Shelf::of(&ImageSet::new().image(image()))
}

/// A registry without faults, but for those of `plan`.
fn server(plan: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(shelf(), plan)
}

/// Logins as `docker login` keeps them, in a file of `temp`.
fn logins(temp: &Temp, config: &serde_json::Value) -> Logins {
    Logins { given: None, files: vec![temp.file(".docker/config.json", config.to_string())] }
}
