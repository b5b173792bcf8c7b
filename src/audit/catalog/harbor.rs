//! Harbor's API, version 2: `/api/v2.0/projects/PROJECT/repositories`, or `/repositories` for all projects, and `.../repositories/NAME/artifacts`. A slash in a
//! repository's name is escaped twice. Pages have numbers, and `X-Total-Count` says how many entries there are.

use serde::Deserialize;

use super::target::Target;
use super::{Catalog, Tag, outside, seconds, sound_repositories, sound_tags};
use crate::source::registry::{Api, Manner, Next, Problem, Progress, RegistryError, RegistryOptions};

const MANNER: Manner = Manner {
    accept: "application/json",
    headers: &[],
    advice: "log in at the registry with `docker login`, as a user or robot who may list the project's repositories and artifacts",
};

/// Entries of a page; more are not given.
const PAGE: usize = 100;

/// Repositories of a Harbor, or of a project of it.
pub(super) struct Harbor {
    target: Target,
    api: Api,
}

#[derive(Deserialize)]
struct Repository {
    name: String,
}

#[derive(Deserialize)]
struct Artifact {
    push_time: Option<String>,
    tags: Option<Vec<HarborTag>>,
}

#[derive(Deserialize)]
struct HarborTag {
    name: String,
    push_time: Option<String>,
}

impl Harbor {
    pub(super) fn new(target: &Target, options: &RegistryOptions) -> Result<Self, RegistryError> {
        Ok(Self { target: target.clone(), api: super::api(target, MANNER, options)? })
    }

    /// Lists what is at a path below `/api/v2.0`, which has no query yet.
    fn list<T: for<'d> Deserialize<'d>>(&self, path: &str, query: &str) -> Result<Vec<T>, Problem> {
        let at = |page: usize| format!("/api/v2.0{path}?page={page}&page_size={PAGE}{query}");
        self.api.list(&at(1), self.api.basic().as_ref(), |entries: Vec<T>, progress: Progress| {
            let listed = progress.listed + entries.len();
            let has_more = progress.total.map_or(entries.len() >= PAGE, |total| listed < total);
            match has_more {
                true if entries.is_empty() => Err(Problem::Malformed("it lists fewer entries than it says there are")),
                true => Ok((entries, Next::Path(at(progress.page + 1)))),
                false => Ok((entries, Next::End)),
            }
        })
    }
}

impl Catalog for Harbor {
    fn repositories(&self) -> Result<Vec<String>, RegistryError> {
        let path = match self.target.halves() {
            ("", _) => "/repositories".to_owned(),
            (project, _) => format!("/projects/{project}/repositories"),
        };
        let listed = self.list::<Repository>(&path, "");
        listed
            .and_then(|listed| sound_repositories(&self.target, listed.into_iter().map(|repository| repository.name).collect()))
            .map_err(|problem| self.api.error(&self.target.prefix, "the list of repositories", problem))
    }

    fn tags(&self, repository: &str) -> Result<Vec<Tag>, RegistryError> {
        let (project, name) = repository.split_once('/').ok_or_else(|| outside(&self.target, repository))?;
        let path = format!("/projects/{project}/repositories/{}/artifacts", name.replace('/', "%252F"));
        let tags = |artifact: Artifact| {
            let pushed = artifact.push_time;
            let tag = move |tag: HarborTag| {
                let pushed = tag.push_time.as_deref().or(pushed.as_deref()).and_then(seconds);
                Tag { name: tag.name, pushed }
            };
            artifact.tags.unwrap_or_default().into_iter().map(tag)
        };
        self.list::<Artifact>(&path, "&with_tag=true")
            .and_then(|listed| sound_tags(listed.into_iter().flat_map(tags).collect()))
            .map_err(|problem| self.api.error(repository, "the list of tags", problem))
    }

    fn notes(&self) -> Vec<String> {
        self.api.notes()
    }
}
