//! GitLab's API, version 4: `/groups/GROUP/registry/repositories`, or `/projects/...`, and `/projects/ID/registry/repositories/ID/tags`; when a tag was pushed, only the
//! details of each one say. Pages are linked by headers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use super::target::Target;
use super::{Catalog, Tag, Times, outside, seconds, sound_repositories, sound_tags};
use crate::source::registry::{Api, Manner, Next, Problem, Proof, RegistryError, RegistryOptions};

const MANNER: Manner = Manner {
    accept: "application/json",
    headers: &[],
    advice: "log in at the registry with `docker login` and a personal, group or project access token that has read_api",
};

/// The user of the token of a CI job.
const JOB_USER: &str = "gitlab-ci-token";

/// Registry repositories of a group with its subgroups, or of a project.
pub(super) struct Gitlab {
    target: Target,
    api: Api,
    times: Times,
    /// Project and repository, by name.
    numbers: Mutex<Option<BTreeMap<String, (u64, u64)>>>,
}

#[derive(Deserialize)]
struct Repository {
    id: u64,
    project_id: u64,
    path: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Details {
    created_at: Option<String>,
}

impl Gitlab {
    pub(super) fn new(target: &Target, options: &RegistryOptions, times: Times) -> Result<Self, RegistryError> {
        Ok(Self { target: target.clone(), api: super::api(target, MANNER, options)?, times, numbers: Mutex::default() })
    }

    fn proof(&self) -> Result<Option<Proof>, Problem> {
        let header = |(user, token)| Proof::header(if user == JOB_USER { "JOB-TOKEN" } else { "PRIVATE-TOKEN" }, token);
        self.api.login().map(header).transpose()
    }

    fn list<T: for<'d> Deserialize<'d>>(&self, path: &str) -> Result<Vec<T>, Problem> {
        self.api.list(path, self.proof()?.as_ref(), |page: Vec<T>, _| Ok((page, Next::Link)))
    }

    /// The prefix is a group, a project, or below a project.
    fn find(&self) -> Result<Vec<Repository>, Problem> {
        let mut path = self.target.prefix.as_str();
        loop {
            for kind in ["groups", "projects"] {
                match self.list(&format!("/api/v4/{kind}/{}/registry/repositories?per_page=100", path.replace('/', "%2F"))) {
                    Err(Problem::NotFound) => {}
                    other => return other,
                }
            }
            path = path.rsplit_once('/').ok_or(Problem::NotFound)?.0;
        }
    }

    /// Names and numbers of repositories, as they are listed now.
    fn read(&self) -> Result<BTreeMap<String, (u64, u64)>, Problem> {
        let mut found: BTreeMap<String, (u64, u64)> =
            self.find()?.into_iter().map(|repository| (repository.path, (repository.project_id, repository.id))).collect();
        let sound = sound_repositories(&self.target, found.keys().cloned().collect())?;
        found.retain(|name, _| sound.binary_search(name).is_ok());
        Ok(found)
    }

    /// The numbers of a repository. Another process may have listed the repositories; then nothing is known here yet.
    fn numbers(&self, repository: &str) -> Result<Option<(u64, u64)>, Problem> {
        let mut known = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let numbers = match &mut *known {
            Some(numbers) => numbers,
            none => none.insert(self.read()?),
        };
        Ok(numbers.get(repository).copied())
    }

    fn read_tags(&self, (project, repository): (u64, u64)) -> Result<Vec<Tag>, Problem> {
        let path = format!("/api/v4/projects/{project}/registry/repositories/{repository}/tags");
        let listed = self.list::<Named>(&format!("{path}?per_page=100"))?;
        let mut tags = sound_tags(listed.into_iter().map(|tag| Tag { name: tag.name, pushed: None }).collect())?;
        if self.times == Times::Wanted {
            let proof = self.proof()?;
            for tag in &mut tags {
                match self.api.document::<Details>(&format!("{path}/{}", tag.name), proof.as_ref()) {
                    Ok(details) => tag.pushed = details.created_at.as_deref().and_then(seconds),
                    // It has gone meanwhile, which will show when it is read.
                    Err(Problem::NotFound) => {}
                    Err(problem) => return Err(problem),
                }
            }
        }
        Ok(tags)
    }
}

impl Catalog for Gitlab {
    fn repositories(&self) -> Result<Vec<String>, RegistryError> {
        let found = self.read().map_err(|problem| self.api.error(&self.target.prefix, "the list of repositories", problem))?;
        let names = found.keys().cloned().collect();
        *self.numbers.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        Ok(names)
    }

    fn tags(&self, repository: &str) -> Result<Vec<Tag>, RegistryError> {
        let failed = |problem| self.api.error(repository, "the list of tags", problem);
        let numbers = self.numbers(repository).map_err(failed)?.ok_or_else(|| outside(&self.target, repository))?;
        self.read_tags(numbers).map_err(failed)
    }

    fn notes(&self) -> Vec<String> {
        self.api.notes()
    }
}
