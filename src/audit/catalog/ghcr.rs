//! GitHub's REST API: `/orgs/OWNER/packages?package_type=container`, or `/users/...` where the owner is no organisation, and `.../packages/container/NAME/versions`, where
//! each version has its tags in `metadata.container.tags`. Pages are linked by headers. It answers to nobody without a login.

use std::sync::OnceLock;

use serde::Deserialize;

use super::target::Target;
use super::{Catalog, Tag, outside, seconds, sound_repositories, sound_tags};
use crate::source::registry::{Api, Manner, Next, Problem, Proof, RegistryError, RegistryOptions};

const MANNER: Manner = Manner {
    accept: "application/vnd.github+json",
    headers: &[("X-GitHub-Api-Version", "2022-11-28")],
    advice: "GitHub lists packages for a login only: log in with `docker login ghcr.io` and a personal access token (classic) that has read:packages",
};

/// What an owner can be, in the order of the questions.
const OWNERS: [&str; 2] = ["orgs", "users"];

/// Container packages of an organisation or a user.
pub(super) struct Ghcr {
    target: Target,
    api: Api,
    /// Which of [`OWNERS`] the target's is.
    owner: OnceLock<&'static str>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
struct Version {
    updated_at: Option<String>,
    created_at: Option<String>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    container: Option<Container>,
}

#[derive(Deserialize)]
struct Container {
    #[serde(default)]
    tags: Vec<String>,
}

impl Ghcr {
    pub(super) fn new(target: &Target, options: &RegistryOptions) -> Result<Self, RegistryError> {
        Ok(Self { target: target.clone(), api: super::api(target, MANNER, options)?, owner: OnceLock::new() })
    }

    fn proof(&self) -> Result<Option<Proof>, Problem> {
        self.api.login().map(|(_, token)| Proof::bearer(token)).transpose()
    }

    /// Lists what is below the owner, be it an organisation or a user.
    fn list<T: for<'d> Deserialize<'d>>(&self, path: &str) -> Result<Vec<T>, Problem> {
        let proof = self.proof()?;
        let list = |kind: &str| self.api.list(&format!("/{kind}/{path}"), proof.as_ref(), |page: Vec<T>, _| Ok((page, Next::Link)));
        if let Some(kind) = self.owner.get() {
            return list(kind);
        }
        for kind in OWNERS {
            match list(kind) {
                Err(Problem::NotFound) => {}
                Ok(listed) => {
                    // Whoever was first found the same.
                    let _ = self.owner.set(kind);
                    return Ok(listed);
                }
                Err(problem) => return Err(problem),
            }
        }
        Err(Problem::NotFound)
    }
}

impl Catalog for Ghcr {
    fn repositories(&self) -> Result<Vec<String>, RegistryError> {
        let (owner, _) = self.target.halves();
        let listed = self.list::<Package>(&format!("{owner}/packages?package_type=container&per_page=100"));
        let names = listed.map(|listed| listed.into_iter().map(|package| format!("{owner}/{}", package.name)).collect());
        names
            .and_then(|names| sound_repositories(&self.target, names))
            .map_err(|problem| self.api.error(&self.target.prefix, "the list of repositories", problem))
    }

    fn tags(&self, repository: &str) -> Result<Vec<Tag>, RegistryError> {
        let (owner, name) = repository.split_once('/').ok_or_else(|| outside(&self.target, repository))?;
        let path = format!("{owner}/packages/container/{}/versions?per_page=100", name.replace('/', "%2F"));
        let tags = |version: Version| {
            // A version changes when its tags do, so this is never before the push of one.
            let pushed = version.updated_at.or(version.created_at).as_deref().and_then(seconds);
            let tags = version.metadata.and_then(|metadata| metadata.container).map(|container| container.tags).unwrap_or_default();
            tags.into_iter().map(move |name| Tag { name, pushed })
        };
        self.list::<Version>(&path)
            .and_then(|listed| sound_tags(listed.into_iter().flat_map(tags).collect()))
            .map_err(|problem| self.api.error(repository, "the list of tags", problem))
    }

    fn notes(&self) -> Vec<String> {
        self.api.notes()
    }
}
