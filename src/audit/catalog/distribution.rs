//! The distribution API: `/v2/_catalog` and `/v2/NAME/tags/list`, with `Link` headers from page to page. It knows no times.

use super::target::Target;
use super::{Catalog, Tag, sound_repositories, sound_tags};
use crate::source::registry::{Client, Problem, RegistryError, RegistryOptions};

/// A registry that lists its repositories itself.
pub(super) struct Distribution {
    target: Target,
    client: Client,
}

impl Distribution {
    pub(super) fn new(target: &Target, options: &RegistryOptions) -> Result<Self, RegistryError> {
        Ok(Self { target: target.clone(), client: Client::new(&target.registry, options)? })
    }

    fn error(&self, repository: &str, what: &str, problem: Problem) -> RegistryError {
        let (registry, repository) = (self.target.registry.clone(), repository.to_owned());
        RegistryError { registry, repository, what: what.to_owned(), problem: Box::new(problem) }
    }
}

impl Catalog for Distribution {
    fn repositories(&self) -> Result<Vec<String>, RegistryError> {
        let prefix = &self.target.prefix;
        match self.client.repositories() {
            Ok(names) => sound_repositories(&self.target, names).map_err(|problem| self.error(prefix, "the list of repositories", problem)),
            Err(error) if error.problem.is_no() || error.problem.is_no_login() => {
                // The prefix may be a repository, which needs no list.
                if !prefix.is_empty() && self.client.tags(prefix).is_ok() {
                    return Ok(vec![prefix.clone()]);
                }
                Err(RegistryError { problem: Box::new(Problem::NoList(error.problem)), ..error })
            }
            Err(error) => Err(error),
        }
    }

    fn tags(&self, repository: &str) -> Result<Vec<Tag>, RegistryError> {
        let tags = self.client.tags(repository)?.into_iter().map(|name| Tag { name, pushed: None }).collect();
        sound_tags(tags).map_err(|problem| self.error(repository, "the list of tags", problem))
    }

    fn notes(&self) -> Vec<String> {
        self.client.notes()
    }
}
