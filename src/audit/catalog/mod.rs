//! What there is in a registry: repositories and tags, by the distribution API or by the API of the service that runs it, since many do not list their
//! repositories to everybody.
//!
//! Each service is spoken to by its documented API. A login goes to the API's own host and nowhere else, and only in headers, but for Docker Hub, which takes it in a body.
//! What a service says is not believed blindly: names have to be names, pages have to end, and the next one has to be at the same host.

mod distribution;
mod ghcr;
mod gitlab;
mod harbor;
mod hub;
mod quay;
mod target;

pub use target::{MalformedTarget, Service, ServiceChoice, Target};

use crate::source::registry::{Api, Manner, Problem, RegistryError, RegistryOptions, is_repository, is_tag};

/// A tag, with what the service says of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// When it was last pushed, in seconds since 1970; none where the service does not say (the distribution API never does).
    pub pushed: Option<i64>,
}

/// Whether the times of tags are worth a request for each, where a service has no cheaper way to tell them (GitLab).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// They are.
    Wanted,
    /// They are not: [`Tag::pushed`] may be none.
    Spared,
}

/// Lists what a registry holds.
pub trait Catalog: Send + Sync {
    /// Full names of repositories (`team/app`, without the registry) below the prefix that it was made for, sorted, each once.
    fn repositories(&self) -> Result<Vec<String>, RegistryError>;

    /// The tags of one, sorted by name.
    fn tags(&self, repository: &str) -> Result<Vec<Tag>, RegistryError>;

    /// What the user should know of the way to the service: one sentence each.
    fn notes(&self) -> Vec<String>;
}

/// The catalog of a target. Connects to nothing yet.
pub fn open(target: &Target, options: &RegistryOptions, times: Times) -> Result<Box<dyn Catalog>, RegistryError> {
    Ok(match target.service {
        Service::Distribution => Box::new(distribution::Distribution::new(target, options)?),
        Service::Hub => Box::new(hub::Hub::new(target, options)?),
        Service::Ghcr => Box::new(ghcr::Ghcr::new(target, options)?),
        Service::Gitlab => Box::new(gitlab::Gitlab::new(target, options, times)?),
        Service::Harbor => Box::new(harbor::Harbor::new(target, options)?),
        Service::Quay => Box::new(quay::Quay::new(target, options)?),
    })
}

/// The API of a target that has one.
fn api(target: &Target, manner: Manner, options: &RegistryOptions) -> Result<Api, RegistryError> {
    match &target.api {
        Some(url) => Api::new(&target.registry, &target.prefix, url, manner, options),
        None => {
            let (registry, repository) = (target.registry.clone(), target.prefix.clone());
            let problem = Box::new(Problem::Malformed("no address is known for its API"));
            Err(RegistryError { registry, repository, what: "a connection".to_owned(), problem })
        }
    }
}

/// Sorts the repositories that the target covers. Names that are none make all of the answer doubtful. A prefix that covers nothing is misspelt, or of
/// something that is not for us to see.
fn sound_repositories(target: &Target, mut names: Vec<String>) -> Result<Vec<String>, Problem> {
    if !names.iter().all(|name| is_repository(name)) {
        return Err(Problem::Malformed("it lists names that are none"));
    }
    names.retain(|name| target.covers(name));
    names.sort();
    names.dedup();
    if names.is_empty() && !target.prefix.is_empty() { Err(Problem::NotFound) } else { Ok(names) }
}

/// Sorts tags. Of two of a name the later counts.
fn sound_tags(mut tags: Vec<Tag>) -> Result<Vec<Tag>, Problem> {
    if !tags.iter().all(|tag| is_tag(&tag.name)) {
        return Err(Problem::Malformed("it lists names that are none"));
    }
    tags.sort_by(|a, b| a.name.cmp(&b.name).then(b.pushed.cmp(&a.pushed)));
    tags.dedup_by(|later, kept| later.name == kept.name);
    Ok(tags)
}

/// A time as services write it (RFC 3339), in seconds since 1970. One that is none is not known.
fn seconds(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

/// The tags of a repository that the service cannot have.
fn outside(target: &Target, repository: &str) -> RegistryError {
    let (registry, repository) = (target.registry.clone(), repository.to_owned());
    RegistryError { registry, repository, what: "the list of tags".to_owned(), problem: Box::new(Problem::NotFound) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(name: &str, pushed: Option<i64>) -> Tag {
        Tag { name: name.to_owned(), pushed }
    }

    #[test]
    fn tags_are_sorted_and_told_once() {
        let tags = sound_tags(vec![tag("b", Some(1)), tag("a", None), tag("b", Some(2)), tag("b", None)]);
        assert_eq!(tags, Ok(vec![tag("a", None), tag("b", Some(2))]));
        for name in ["", "a b", "-x", "../x", "a/b", "\u{1b}[31m"] {
            assert_eq!(sound_tags(vec![tag(name, None)]), Err(Problem::Malformed("it lists names that are none")), "{name:?}");
        }
    }

    #[test]
    fn times_are_those_of_rfc_3339() {
        let known = [("2021-01-05T21:06:53.506400Z", Some(1_609_880_813)), ("2019-01-06T10:21:20.000+00:00", Some(1_546_770_080))];
        for (text, expected) in known.into_iter().chain([("", None), ("yesterday", None), ("2021-01-05", None)]) {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
