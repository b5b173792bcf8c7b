//! Quay's API, version 1: `/api/v1/repository?namespace=NAMESPACE`, whose pages name the next one by a token, and `/api/v1/repository/NAME/tag/`, whose pages have numbers and
//! say whether there are more. Its logins are OAuth tokens; passwords and robots' tokens are for the registry alone.

use serde::Deserialize;

use super::target::Target;
use super::{Catalog, Tag, sound_repositories, sound_tags};
use crate::source::registry::{Api, Manner, Next, Problem, Progress, Proof, RegistryError, RegistryOptions, escaped};

const MANNER: Manner = Manner {
    accept: "application/json",
    headers: &[],
    advice: "log in at the registry with `docker login`, with the user $oauthtoken and an OAuth token that may view repositories",
};

/// The user of an OAuth token.
const TOKEN_USER: &str = "$oauthtoken";

/// Repositories of a namespace.
pub(super) struct Quay {
    target: Target,
    api: Api,
}

#[derive(Deserialize)]
struct Repositories {
    repositories: Vec<Repository>,
    next_page: Option<String>,
}

#[derive(Deserialize)]
struct Repository {
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct Tags {
    tags: Vec<QuayTag>,
    #[serde(default)]
    has_additional: bool,
}

#[derive(Deserialize)]
struct QuayTag {
    name: String,
    start_ts: Option<i64>,
    last_modified: Option<String>,
}

impl Quay {
    pub(super) fn new(target: &Target, options: &RegistryOptions) -> Result<Self, RegistryError> {
        Ok(Self { target: target.clone(), api: super::api(target, MANNER, options)? })
    }

    fn proof(&self) -> Result<Option<Proof>, Problem> {
        let login = self.api.login().filter(|(user, _)| *user == TOKEN_USER);
        login.map(|(_, token)| Proof::bearer(token)).transpose()
    }

    fn read_repositories(&self) -> Result<Vec<String>, Problem> {
        let (namespace, _) = self.target.halves();
        let path = format!("/api/v1/repository?namespace={namespace}&public=true&repo_kind=image");
        let listed = self.api.list(&path, self.proof()?.as_ref(), |page: Repositories, _| {
            let next = page.next_page.map(|token| Next::Path(format!("{path}&next_page={}", escaped(&token))));
            Ok((page.repositories, next.unwrap_or(Next::End)))
        })?;
        sound_repositories(
            &self.target,
            listed.into_iter().map(|repository| format!("{}/{}", repository.namespace, repository.name)).collect(),
        )
    }

    fn read_tags(&self, repository: &str) -> Result<Vec<Tag>, Problem> {
        let at = |page: usize| format!("/api/v1/repository/{repository}/tag/?onlyActiveTags=true&limit=100&page={page}");
        let listed = self.api.list(&at(1), self.proof()?.as_ref(), |page: Tags, progress: Progress| {
            let next = if page.has_additional { Next::Path(at(progress.page + 1)) } else { Next::End };
            Ok((page.tags, next))
        })?;
        let tag = |tag: QuayTag| {
            let modified = || jiff::fmt::rfc2822::parse(tag.last_modified.as_deref()?).ok().map(|time| time.timestamp().as_second());
            let pushed = tag.start_ts.or_else(modified);
            Tag { name: tag.name, pushed }
        };
        sound_tags(listed.into_iter().map(tag).collect())
    }
}

impl Catalog for Quay {
    fn repositories(&self) -> Result<Vec<String>, RegistryError> {
        self.read_repositories().map_err(|problem| self.api.error(&self.target.prefix, "the list of repositories", problem))
    }

    fn tags(&self, repository: &str) -> Result<Vec<Tag>, RegistryError> {
        self.read_tags(repository).map_err(|problem| self.api.error(repository, "the list of tags", problem))
    }

    fn notes(&self) -> Vec<String> {
        self.api.notes()
    }
}
