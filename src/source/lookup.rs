//! Where an image is looked for whose name does not say it.

use std::path::Path;
use std::str::FromStr;

use super::engine::{Engine, EngineProblem};
use super::registry::host_of;
use super::{Reference, SourceError, containerd};
use crate::finding::UnknownLevel;

/// What a name without a scheme means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lookup {
    /// A path if there is one, else an image of a local engine if one has it, else one in a registry.
    #[default]
    Auto,
    /// An image of the Docker daemon.
    Docker,
    /// An image of Podman's service.
    Podman,
    /// An image in the storage of Podman, Buildah and CRI-O.
    ContainersStorage,
    /// An image in containerd's store.
    Containerd,
    /// An image in a registry.
    Registry,
}

impl Lookup {
    /// All, the usual one first.
    pub const ALL: [Lookup; 6] =
        [Lookup::Auto, Lookup::Docker, Lookup::Podman, Lookup::ContainersStorage, Lookup::Containerd, Lookup::Registry];

    /// The word used in flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Lookup::Auto => "auto",
            Lookup::Docker => "docker",
            Lookup::Podman => "podman",
            Lookup::ContainersStorage => "containers-storage",
            Lookup::Containerd => "containerd",
            Lookup::Registry => "registry",
        }
    }

    /// Finds what the user typed; a text that says where it is is taken at its word. What the user should know of the way to it, found or
    /// not, is added to `notes`: one sentence each.
    pub fn find(self, text: &str, notes: &mut Vec<String>) -> Result<Reference, SourceError> {
        if Reference::says_where(text) {
            return Reference::parse(text);
        }
        match self {
            Lookup::Auto => auto(text, notes),
            Lookup::Docker => Ok(Reference::Engine(Engine::Docker, text.to_owned())),
            Lookup::Podman => Ok(Reference::Engine(Engine::Podman, text.to_owned())),
            Lookup::Registry => Reference::parse(&format!("registry:{text}")),
            Lookup::ContainersStorage => Ok(Reference::ContainersStorage(text.to_owned())),
            Lookup::Containerd => Ok(Reference::Containerd(text.to_owned())),
        }
    }
}

fn auto(text: &str, notes: &mut Vec<String>) -> Result<Reference, SourceError> {
    let is_name = Reference::may_be_image(text) && !Path::new(text).exists();
    if let Some(engine) = [Engine::Docker, Engine::Podman].into_iter().find(|&engine| is_name && has(engine, text, notes)) {
        notes.push(format!("reading {text} from {engine}"));
        return Ok(Reference::Engine(engine, text.to_owned()));
    }
    let found = if is_name { in_containerd(text, notes) } else { None };
    if let Some(found) = found {
        notes.push(format!("reading {text} from containerd, where it is {found}"));
        return Ok(Reference::Containerd(found));
    }
    let reference = Reference::parse(text)?;
    if let Reference::Registry(name) = &reference {
        notes.push(format!("{text} is no path here; reading it from {}/{}", host_of(name.registry()), name.repository()));
    }
    Ok(reference)
}

/// What containerd's store on this machine calls the image. That it cannot be read is said.
fn in_containerd(name: &str, notes: &mut Vec<String>) -> Option<String> {
    containerd::look_up(name).unwrap_or_else(|error| {
        notes.push(error.to_string());
        None
    })
}

/// Whether `engine` has the image. That it cannot be asked is no error, as nobody named it; but it is said.
fn has(engine: Engine, name: &str, notes: &mut Vec<String>) -> bool {
    match engine.look_up(name) {
        Ok(()) => true,
        Err(error) if matches!(error.problem, EngineProblem::NoSuchImage | EngineProblem::Absent(_)) => false,
        Err(error) => {
            notes.push(error.to_string());
            false
        }
    }
}

impl FromStr for Lookup {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let known = "auto, docker, podman, containers-storage, containerd, registry";
        let found = Self::ALL.into_iter().find(|lookup| lookup.as_str().eq_ignore_ascii_case(text.trim()));
        found.ok_or_else(|| UnknownLevel { given: text.to_owned(), what: "source", known })
    }
}
