//! What there is in a registry: repositories and tags, by the distribution API or by the API of the service that runs it, since many do not list their
//! repositories to everybody. And which tags of a repository are wanted.

use crate::source::registry::RegistryError;

/// A tag, with what the service says of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// When it was last pushed, in seconds since 1970; none where the service does not say (the distribution API never does).
    pub pushed: Option<i64>,
}

/// Lists what a registry holds.
pub trait Catalog: Send + Sync {
    /// Full names of repositories (`team/app`, without the registry) below the prefix that it was made for, sorted, each once.
    fn repositories(&self) -> Result<Vec<String>, RegistryError>;

    /// The tags of one, sorted by name.
    fn tags(&self, repository: &str) -> Result<Vec<Tag>, RegistryError>;
}
