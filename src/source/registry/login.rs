//! Whose login is used for a registry: the one given, or what `docker login` and `podman login` keep on this machine.
//!
//! A login is for one registry, or for repositories below a path of it, and is asked for by that name only. It never shows in a message: what
//! a file or a helper holds is not quoted, not even where it makes no sense.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::helper;
use super::name::{keys_of, server_of};
use crate::finding::Secret;

/// Largest file of logins that is read.
const MAX_FILE: u64 = 4 << 20;

/// The user that helpers give for a token instead of a password.
const TOKEN_USER: &str = "<token>";

/// What proves who asks. Shown, it is redacted.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// User and password.
    Password {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token that gives further tokens.
    IdentityToken(Secret),
}

impl Credential {
    /// A user's password.
    pub fn password(username: &str, password: &str) -> Self {
        let password = Secret::new(password.as_bytes(), 0);
        Credential::Password { username: username.to_owned(), password }
    }

    /// The value of an `Authorization` header; none for a token, which is for the token service only.
    pub(super) fn basic(&self) -> Option<String> {
        match self {
            Credential::Password { username, password } => {
                let pair = [username.as_bytes(), b":", password.expose()].concat();
                Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
            }
            Credential::IdentityToken(_) => None,
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(****)")
    }
}

/// Where logins come from.
#[derive(Debug, Clone, Default)]
pub struct Logins {
    /// A login that was given, and the registry it is for. No other one is looked for there.
    pub given: Option<(String, Credential)>,
    /// Files as `docker login` and `podman login` write them; the first that has a login is used.
    pub files: Vec<PathBuf>,
}

/// What was found, and what could not be used.
#[derive(Debug, Default)]
pub(super) struct Search {
    pub(super) credential: Option<Credential>,
    pub(super) problems: Vec<String>,
}

impl Logins {
    /// The files in which Podman, skopeo and Docker keep logins, those that the environment names first.
    pub fn of_this_machine() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = std::env::home_dir();
        let in_home = |path: &str| home.as_ref().map(|home| home.join(path));
        let config = variable("XDG_CONFIG_HOME").or_else(|| in_home(".config"));
        let docker = variable("DOCKER_CONFIG").or_else(|| in_home(".docker"));
        let files = [
            variable("REGISTRY_AUTH_FILE"),
            variable("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
            config.map(|folder| folder.join("containers/auth.json")),
            docker.map(|folder| folder.join("config.json")),
        ];
        Self { given: None, files: files.into_iter().flatten().collect() }
    }

    /// The login for a repository.
    pub(super) fn find(&self, registry: &str, repository: &str, patience: Duration) -> Search {
        if let Some((_, credential)) = self.given.as_ref().filter(|(given, _)| given == registry) {
            return Search { credential: Some(credential.clone()), problems: Vec::new() };
        }
        let mut search = Search::default();
        for path in self.files.iter().filter(|path| path.exists()) {
            match in_file(path, registry, repository, patience) {
                Ok(None) => {}
                Ok(Some(credential)) => {
                    search.credential = Some(credential);
                    break;
                }
                Err(problem) => search.problems.push(format!("no login could be taken from {}: {problem}", path.display())),
            }
        }
        search
    }
}

fn in_file(path: &Path, registry: &str, repository: &str, patience: Duration) -> Result<Option<Credential>, String> {
    let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > MAX_FILE {
        return Err(format!("it is larger than {MAX_FILE} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    // What serde says of the text could quote it.
    let file: Value = serde_json::from_slice(&bytes).map_err(|_| "it is not JSON".to_owned())?;
    let helpers = file.get("credHelpers");
    if let Some(name) = keys_of(registry).iter().find_map(|key| helpers?.get(*key)?.as_str()) {
        return helper(name, registry, patience);
    }
    let kept = entry(&file, registry, repository).map(in_entry).transpose()?.flatten();
    if kept.is_some() {
        return Ok(kept);
    }
    match file.get("credsStore").and_then(Value::as_str).filter(|name| !name.is_empty()) {
        Some(name) => helper(name, registry, patience),
        None => Ok(None),
    }
}

/// The entry with the longest name that is the repository's or above it.
fn entry<'f>(file: &'f Value, registry: &str, repository: &str) -> Option<&'f Value> {
    let auths = file.get("auths")?.as_object()?;
    let mut paths = vec![repository];
    while let Some((above, _)) = paths.last().and_then(|path| path.rsplit_once('/')) {
        paths.push(above);
    }
    let below = paths.iter().flat_map(|path| keys_of(registry).into_iter().map(move |key| format!("{key}/{path}")));
    let plain = keys_of(registry).into_iter().map(str::to_owned);
    below.chain(plain).find_map(|wanted| auths.iter().find(|(key, _)| host_and_path(key) == wanted).map(|(_, entry)| entry))
}

/// `https://index.docker.io/v1/` is how logins to a host were written once.
fn host_and_path(key: &str) -> &str {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key).trim_end_matches('/');
    if bare == key { bare } else { bare.split('/').next().unwrap_or(bare) }
}

fn in_entry(entry: &Value) -> Result<Option<Credential>, String> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(token) = text("identitytoken") {
        return Ok(Some(Credential::IdentityToken(Secret::new(token.as_bytes(), 0))));
    }
    if let (Some(username), Some(password)) = (text("username"), text("password")) {
        return Ok(Some(Credential::password(username, password)));
    }
    let Some(auth) = text("auth") else { return Ok(None) };
    let malformed = || "the login in it is not in base64, or has no colon".to_owned();
    let pair = BASE64_STANDARD.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(malformed)?;
    let (username, password) = pair.split_once(':').ok_or_else(malformed)?;
    // Docker pads passwords with NULs.
    Ok(Some(Credential::password(username, password.trim_end_matches('\0'))))
}

fn helper(name: &str, registry: &str, patience: Duration) -> Result<Option<Credential>, String> {
    let Some(answer) = helper::get(name, server_of(registry), patience)? else { return Ok(None) };
    if answer.username == TOKEN_USER {
        Ok(Some(Credential::IdentityToken(answer.secret)))
    } else {
        Ok(Some(Credential::Password { username: answer.username, password: answer.secret }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(auths: Value, registry: &str, repository: &str) -> Option<String> {
        entry(&json!({ "auths": auths }), registry, repository)?.as_str().map(str::to_owned)
    }

    #[test]
    fn docker_hub_has_several_names() {
        for key in ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io", "docker.io/library"] {
            assert_eq!(found(json!({ key: "x" }), "docker.io", "library/alpine").as_deref(), Some("x"), "{key}");
            assert_eq!(found(json!({ key: "x" }), "ghcr.io", "library/alpine"), None, "{key}");
        }
    }

    #[test]
    fn the_longest_path_counts() {
        let auths = json!({ "a.example": "all", "a.example/b": "b", "a.example/b/c": "c", "a.example/b/cd": "cd" });
        for (repository, login) in [("b/c", "c"), ("b/c/d", "c"), ("b/x", "b"), ("b", "b"), ("x/b", "all"), ("b/cd", "cd")] {
            assert_eq!(found(auths.clone(), "a.example", repository).as_deref(), Some(login), "{repository}");
        }
    }
}
