//! Mirrors: registries that have what another one has. A mirror is asked first; where it fails, the registry itself is, and the user is told.
//!
//! A mirror is another registry in all that has to do with trust: it is told its own login, never that of the registry, and no client certificate
//! that the user names. What it gives is what a digest names, or is not taken; which manifest a tag means is its word.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ureq::http::Uri;

use super::client::{Client, Speech};
use super::error::{Problem, RegistryError};
use super::name::{ImageName, registry_of};
use super::options::RegistryOptions;
use crate::oci::{Digest, Hasher};

/// A mirror, as the user names it: `[REGISTRY=]URL`. Without a registry it is one of Docker Hub's; without a scheme, HTTPS is spoken, and plain HTTP
/// where it may be for any registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorAddress {
    /// As it stands in names.
    registry: String,
    speech: Option<Speech>,
    /// Host, and port where there is one.
    host: String,
    /// What stands before the repositories of the registry; may be empty.
    folder: String,
}

/// A text that names no mirror. It is not repeated: a password may stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a mirror is written as [REGISTRY=][https://]HOST[:PORT][/FOLDER], without user and password: its own login is used")]
pub struct MalformedMirror;

impl FromStr for MirrorAddress {
    type Err = MalformedMirror;

    fn from_str(text: &str) -> Result<Self, MalformedMirror> {
        let (registry, url) = text.split_once('=').unwrap_or(("docker.io", text));
        let (speech, place) = match url.split_once("://") {
            Some(("https", place)) => (Some(Speech::Https), place),
            Some(("http", place)) => (Some(Speech::PlainHttp), place),
            Some(_) => return Err(MalformedMirror),
            None => (None, url),
        };
        let (host, folder) = place.split_once('/').unwrap_or((place, ""));
        let folder = folder.trim_matches('/');
        let is_folder = folder.is_empty() || is_repository(folder);
        if !is_host(registry) || !is_host(host) || !is_folder {
            return Err(MalformedMirror);
        }
        Ok(Self { registry: registry_of(registry).to_owned(), speech, host: host.to_owned(), folder: folder.to_owned() })
    }
}

/// Whether a text is a host, with a port or without, and no more.
fn is_host(text: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    let uri = || format!("https://{text}/").parse::<Uri>().ok();
    text.bytes().all(may_stand) && uri().and_then(|uri| Some(!uri.host()?.is_empty())).unwrap_or(false)
}

fn is_repository(text: &str) -> bool {
    ImageName::parse(&format!("localhost/{text}")).is_ok_and(|name| name.repository() == text)
}

/// The mirrors of one registry, in the order in which they are asked.
#[derive(Default)]
pub(super) struct Mirrors(Vec<Mirror>);

/// A mirror of one registry.
pub(super) struct Mirror {
    client: Client,
    folder: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether it is not to be asked any more.
    is_down: bool,
    /// Repositories of which it lacks something.
    lacking: BTreeSet<String>,
    /// The first thing that went wrong.
    trouble: Option<String>,
}

impl Mirrors {
    /// Those of `registry`. Connects to nothing yet.
    pub(super) fn of(registry: &str, options: &RegistryOptions) -> Result<Self, RegistryError> {
        let own = RegistryOptions { client_certificate: None, ..options.clone() };
        let mirror = |address: &MirrorAddress| {
            let client = Client::alone(&address.host, address.speech, &own)?;
            Ok(Mirror { client, folder: address.folder.clone(), state: Mutex::default() })
        };
        options.mirrors.iter().filter(|address| address.registry == registry).map(mirror).collect::<Result<_, _>>().map(Self)
    }

    /// The mirrors that may have something of `repository`, and what it is called there.
    pub(super) fn with(&self, repository: &str) -> Vec<(&Mirror, String)> {
        let may_have = |mirror: &&Mirror| {
            let state = mirror.state();
            !state.is_down && !state.lacking.contains(repository)
        };
        self.0.iter().filter(may_have).map(|mirror| (mirror, mirror.name_of(repository))).collect()
    }

    /// What the first mirror gives that does not fail.
    pub(super) fn ask<T>(&self, repository: &str, ask: impl Fn(&Client, &str) -> Result<T, RegistryError>) -> Option<T> {
        self.with(repository)
            .into_iter()
            .find_map(|(mirror, name)| ask(&mirror.client, &name).map_err(|error| mirror.failed(repository, &error)).ok())
    }

    /// What the user should know of them: one sentence each.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(|mirror| {
            let trouble = mirror.state().trouble.clone();
            let trouble = trouble.map(|trouble| format!("the mirror {} failed: {trouble}", mirror.client.registry()));
            mirror.client.notes().into_iter().chain(trouble)
        })
    }
}

impl Mirror {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name_of(&self, repository: &str) -> String {
        if self.folder.is_empty() { repository.to_owned() } else { format!("{}/{repository}", self.folder) }
    }

    /// Notes that it did not give something of `repository`: it is not asked for that again, and for nothing if it does not answer as registries do.
    pub(super) fn failed(&self, repository: &str, error: &RegistryError) {
        let mut state = self.state();
        state.is_down |= !error.problem.is_no() && !matches!(*error.problem, Problem::DigestMismatch { .. });
        state.lacking.insert(repository.to_owned());
        state.trouble.get_or_insert_with(|| error.to_string());
    }
}

/// The bytes, if they are those that `digest` names.
pub(super) fn checked(client: &Client, repository: &str, digest: &Digest, bytes: Vec<u8>) -> Result<Vec<u8>, RegistryError> {
    let mut hasher = Hasher::new(digest.algorithm());
    hasher.update(&bytes);
    let actual = hasher.finish();
    if actual == *digest { Ok(bytes) } else { Err(mismatch(client, repository, digest, actual)) }
}

/// That a registry gave other bytes than `digest` names.
pub(super) fn mismatch(client: &Client, repository: &str, digest: &Digest, actual: Digest) -> RegistryError {
    let (registry, repository) = (client.registry().to_owned(), repository.to_owned());
    RegistryError { registry, repository, what: digest.to_string(), problem: Box::new(Problem::DigestMismatch { actual }) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_read_as_they_are_written() {
        let address = |registry: &str, speech, host: &str, folder: &str| {
            let (registry, host, folder) = (registry.to_owned(), host.to_owned(), folder.to_owned());
            Ok(MirrorAddress { registry, speech, host, folder })
        };
        let (https, plain) = (Some(Speech::Https), Some(Speech::PlainHttp));
        let table = [
            ("https://mirror.example", address("docker.io", https, "mirror.example", "")),
            ("https://mirror.example/", address("docker.io", https, "mirror.example", "")),
            ("ghcr.io=http://mirror.example:5000/hub/two", address("ghcr.io", plain, "mirror.example:5000", "hub/two")),
            ("index.docker.io=mirror", address("docker.io", None, "mirror", "")),
            ("localhost:5000=[::1]:5001", address("localhost:5000", None, "[::1]:5001", "")),
            ("", Err(MalformedMirror)),
            ("ftp://mirror.example", Err(MalformedMirror)),
            ("https://user:password@mirror.example", Err(MalformedMirror)),
            ("https://mirror.example?x=1", Err(MalformedMirror)),
            ("https://mirror.example/Upper", Err(MalformedMirror)),
            ("https://mirror.example/../x", Err(MalformedMirror)),
            ("a/b=https://mirror.example", Err(MalformedMirror)),
            ("ghcr.io=", Err(MalformedMirror)),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<MirrorAddress>(), expected, "{text}");
        }
    }
}
