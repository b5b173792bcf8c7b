//! Docker Hub's API, version 2: `/v2/namespaces/NAMESPACE/repositories` and `.../repositories/NAME/tags`. Pages name the next one in `next`. Anybody may list what is public;
//! for the rest the login gives a token that lasts ten minutes (`/v2/auth/token`).

use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::target::Target;
use super::{Catalog, Tag, outside, seconds, sound_repositories, sound_tags};
use crate::source::registry::{Api, Manner, Next, Problem, Proof, RegistryError, RegistryOptions};

const MANNER: Manner = Manner {
    accept: "application/json",
    headers: &[],
    advice: "log in with `docker login`, with a password or a token that may read the repositories of the namespace",
};

/// Repositories of a namespace of Docker Hub.
pub(super) struct Hub {
    target: Target,
    api: Api,
    /// The token that the login gave.
    proof: Mutex<Option<Proof>>,
}

#[derive(Deserialize)]
struct Page<T> {
    next: Option<String>,
    results: Vec<T>,
}

#[derive(Deserialize)]
struct Repository {
    name: String,
}

#[derive(Deserialize)]
struct HubTag {
    name: String,
    tag_last_pushed: Option<String>,
    last_updated: Option<String>,
}

impl Hub {
    pub(super) fn new(target: &Target, options: &RegistryOptions) -> Result<Self, RegistryError> {
        Ok(Self { target: target.clone(), api: super::api(target, MANNER, options)?, proof: Mutex::default() })
    }

    /// A token, if there is a login.
    fn proof(&self) -> Result<Option<Proof>, Problem> {
        let Some((username, password)) = self.api.login() else { return Ok(None) };
        let mut known = self.proof.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            let password = std::str::from_utf8(password.expose()).map_err(|_| Problem::Malformed("the login is not a text"))?;
            *known = Some(self.api.token("/v2/auth/token", &json!({ "identifier": username, "secret": password }))?);
        }
        Ok(known.clone())
    }

    /// The token does not do any more.
    fn forget(&self) {
        *self.proof.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Problem> {
        let list = |proof: Option<&Proof>| {
            self.api.list(path, proof, |page: Page<T>, _| Ok((page.results, page.next.map_or(Next::End, Next::Url))))
        };
        match self.proof()? {
            // A token that ran out is renewed once.
            Some(proof) => list(Some(&proof)).or_else(|problem| match problem {
                Problem::LoginRefused => {
                    self.forget();
                    list(self.proof()?.as_ref())
                }
                other => Err(other),
            }),
            None => list(None),
        }
    }
}

impl Catalog for Hub {
    fn repositories(&self) -> Result<Vec<String>, RegistryError> {
        let (namespace, _) = self.target.halves();
        let listed = self.list::<Repository>(&format!("/v2/namespaces/{namespace}/repositories?page_size=100"));
        let names = listed.map(|listed| listed.into_iter().map(|repository| format!("{namespace}/{}", repository.name)).collect());
        names
            .and_then(|names| sound_repositories(&self.target, names))
            .map_err(|problem| self.api.error(&self.target.prefix, "the list of repositories", problem))
    }

    fn tags(&self, repository: &str) -> Result<Vec<Tag>, RegistryError> {
        let (namespace, name) = repository.split_once('/').ok_or_else(|| outside(&self.target, repository))?;
        let listed = self.list::<HubTag>(&format!("/v2/namespaces/{namespace}/repositories/{name}/tags?page_size=100"));
        let tag = |tag: HubTag| {
            let pushed = tag.tag_last_pushed.or(tag.last_updated).as_deref().and_then(seconds);
            Tag { name: tag.name, pushed }
        };
        listed
            .and_then(|listed| sound_tags(listed.into_iter().map(tag).collect()))
            .map_err(|problem| self.api.error(repository, "the list of tags", problem))
    }

    fn notes(&self) -> Vec<String> {
        self.api.notes()
    }
}
