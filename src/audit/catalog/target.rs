//! What an audit is of, as it is typed: `registry://HOST[/PREFIX]`, and which API says what there is. Opens nothing.

use std::fmt;
use std::str::FromStr;

use crate::source::registry::{ApiUrl, MalformedUrl, is_host, is_repository, registry_of};

/// What stands before a registry.
const SCHEME: &str = "registry://";

/// A registry, or the part of it below a prefix, and the API that lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The registry, as it stands in names of images: `docker.io`, `localhost:5000`.
    pub registry: String,
    /// A repository, or what stands before a `/` in the names of several; empty for all.
    pub prefix: String,
    /// What lists it.
    pub service: Service,
    /// Where the API of the service lives; none for the distribution API, which is the registry's own.
    pub api: Option<ApiUrl>,
}

/// An API that lists repositories and tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The distribution API, which every registry has; many keep its list of repositories to themselves.
    Distribution,
    /// Docker Hub's.
    Hub,
    /// GitHub's REST API, for its container registry.
    Ghcr,
    /// GitLab's.
    Gitlab,
    /// Harbor's, version 2.
    Harbor,
    /// Quay's, version 1.
    Quay,
}

/// Which API is to be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ServiceChoice {
    /// The one that the host is known to have; else the distribution API.
    #[default]
    Auto,
    /// This one.
    Is(Service),
}

/// A text that names no target of an audit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedTarget {
    /// Something else than `registry://`.
    #[error("`{}` is no registry: write registry://HOST or registry://HOST/PREFIX", .0.escape_default())]
    Scheme(String),
    /// The host is none.
    #[error("`{}` is no host of a registry: write HOST or HOST:PORT", .0.escape_default())]
    Host(String),
    /// The prefix can be before no repository.
    #[error("`{}` is before no repository: write lower-case letters, digits and single . _ - between them, in parts divided by /", .0.escape_default())]
    Prefix(String),
    /// No such service.
    #[error("`{}` is no catalog: choose one of auto, distribution, hub, ghcr, gitlab, harbor, quay", .0.escape_default())]
    Service(String),
    /// The service lists a namespace, not all there is.
    #[error("{service} lists the repositories of one {whole} at a time: write registry://{registry}/{}", .whole.to_uppercase())]
    NoPrefix {
        /// The registry.
        registry: String,
        /// The service.
        service: Service,
        /// What it lists.
        whole: &'static str,
    },
    /// Nobody knows where the API is.
    #[error("where the API of {service} for {registry} is cannot be told from its name: say it with --catalog-url")]
    NoUrl {
        /// The registry.
        registry: String,
        /// The service.
        service: Service,
    },
    /// The distribution API is at no other place.
    #[error("the distribution API is at the registry itself: name the service that --catalog-url belongs to with --catalog")]
    NeedlessUrl,
    /// The URL is none.
    #[error("--catalog-url: {0}")]
    Url(#[from] MalformedUrl),
}

impl Target {
    /// Reads `registry://HOST[/PREFIX]`. `url` is where the API lives, if the user says it: `https://gitlab.example.org`.
    pub fn parse(text: &str, choice: ServiceChoice, url: Option<&str>) -> Result<Self, MalformedTarget> {
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| MalformedTarget::Scheme(cut(text)))?;
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let (registry, prefix) = (registry_of(host), prefix.trim_end_matches('/'));
        if !is_host(registry) {
            return Err(MalformedTarget::Host(cut(host)));
        }
        if !prefix.is_empty() && !is_repository(prefix) {
            return Err(MalformedTarget::Prefix(cut(prefix)));
        }
        let registry = registry.to_owned();
        let service = match choice {
            ServiceChoice::Auto => Service::of(&registry),
            ServiceChoice::Is(service) => service,
        };
        if let Some(whole) = service.lists_one().filter(|_| prefix.is_empty()) {
            return Err(MalformedTarget::NoPrefix { registry, service, whole });
        }
        let api = match (service, url) {
            (Service::Distribution, None) => None,
            (Service::Distribution, Some(_)) => return Err(MalformedTarget::NeedlessUrl),
            (_, Some(url)) => Some(url.parse()?),
            (_, None) => match service.url(&registry) {
                Some(url) => Some(url.parse()?),
                None => return Err(MalformedTarget::NoUrl { registry, service }),
            },
        };
        Ok(Self { registry, prefix: prefix.to_owned(), service, api })
    }

    /// Whether a repository is the prefix or below it.
    pub fn covers(&self, repository: &str) -> bool {
        match repository.strip_prefix(self.prefix.as_str()) {
            Some(rest) => self.prefix.is_empty() || rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }

    /// The first part of the prefix, and the rest.
    pub(super) fn halves(&self) -> (&str, &str) {
        self.prefix.split_once('/').unwrap_or((&self.prefix, ""))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.registry)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

impl Service {
    /// The one that runs a registry.
    fn of(registry: &str) -> Self {
        match registry {
            "docker.io" => Service::Hub,
            "ghcr.io" => Service::Ghcr,
            "quay.io" => Service::Quay,
            "registry.gitlab.com" => Service::Gitlab,
            _ => Service::Distribution,
        }
    }

    /// Where its API lives for a registry, where that is known.
    fn url(self, registry: &str) -> Option<String> {
        match self {
            Service::Distribution => None,
            Service::Hub => Some("https://hub.docker.com".to_owned()),
            Service::Ghcr => (registry == "ghcr.io").then(|| "https://api.github.com".to_owned()),
            Service::Gitlab => (registry == "registry.gitlab.com").then(|| "https://gitlab.com".to_owned()),
            Service::Harbor | Service::Quay => Some(format!("https://{registry}")),
        }
    }

    /// What it lists at a time, where that is less than the registry.
    fn lists_one(self) -> Option<&'static str> {
        match self {
            Service::Distribution | Service::Harbor => None,
            Service::Hub | Service::Quay => Some("namespace"),
            Service::Ghcr => Some("owner"),
            Service::Gitlab => Some("group"),
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Service::Distribution => "the distribution API",
            Service::Hub => "Docker Hub",
            Service::Ghcr => "GitHub",
            Service::Gitlab => "GitLab",
            Service::Harbor => "Harbor",
            Service::Quay => "Quay",
        })
    }
}

impl FromStr for ServiceChoice {
    type Err = MalformedTarget;

    fn from_str(word: &str) -> Result<Self, MalformedTarget> {
        Ok(ServiceChoice::Is(match word {
            "auto" => return Ok(ServiceChoice::Auto),
            "distribution" => Service::Distribution,
            "hub" => Service::Hub,
            "ghcr" => Service::Ghcr,
            "gitlab" => Service::Gitlab,
            "harbor" => Service::Harbor,
            "quay" => Service::Quay,
            _ => return Err(MalformedTarget::Service(cut(word))),
        }))
    }
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(text: &str, word: &str, url: Option<&str>) -> Result<Target, String> {
        let choice: ServiceChoice = word.parse().map_err(|error: MalformedTarget| error.to_string())?;
        Target::parse(text, choice, url).map_err(|error| error.to_string())
    }

    #[test]
    fn the_host_says_the_service_and_the_user_may_say_another() {
        let table = [
            ("registry://docker.io/library", "auto", None, Service::Hub, Some("https://hub.docker.com")),
            ("registry://index.docker.io/library/", "auto", None, Service::Hub, Some("https://hub.docker.com")),
            ("registry://ghcr.io/team/app", "auto", None, Service::Ghcr, Some("https://api.github.com")),
            ("registry://quay.io/team", "auto", None, Service::Quay, Some("https://quay.io")),
            ("registry://registry.gitlab.com/team", "auto", None, Service::Gitlab, Some("https://gitlab.com")),
            ("registry://localhost:5000", "auto", None, Service::Distribution, None),
            ("registry://docker.io/library", "distribution", None, Service::Distribution, None),
            ("registry://harbor.example/a", "harbor", None, Service::Harbor, Some("https://harbor.example")),
            ("registry://[::1]:5000/a", "quay", Some("http://[::1]:80/x/"), Service::Quay, Some("http://[::1]:80/x")),
        ];
        for (text, word, url, service, api) in table {
            let target = parse(text, word, url).unwrap();
            assert_eq!((target.service, target.api.map(|api| api.to_string()).as_deref()), (service, api), "{text}");
        }
        assert_eq!(parse("registry://index.docker.io/a/", "auto", None).unwrap().to_string(), "registry://docker.io/a");
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let table = [
            ("localhost:5000", "auto", None, "is no registry: write registry://HOST"),
            ("registry://", "auto", None, "is no host"),
            ("registry://a b/x", "auto", None, "is no host"),
            ("registry://u:p@host/x", "auto", None, "is no host"),
            ("registry://host/Team", "auto", None, "is before no repository"),
            ("registry://host/../x", "auto", None, "is before no repository"),
            ("registry://host/a?b", "auto", None, "is before no repository"),
            ("registry://host/a", "nexus", None, "choose one of auto"),
            ("registry://ghcr.io", "auto", None, "GitHub lists the repositories of one owner at a time: write registry://ghcr.io/OWNER"),
            ("registry://registry.example/a", "gitlab", None, "say it with --catalog-url"),
            ("registry://registry.example/a", "auto", Some("https://a"), "with --catalog"),
            ("registry://registry.example/a", "quay", Some("ftp://a"), "--catalog-url: "),
        ];
        for (text, word, url, message) in table {
            let error = parse(text, word, url).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn a_prefix_ends_where_a_name_does() {
        let covers =
            |prefix: &str, repository: &str| parse(&format!("registry://a.example/{prefix}"), "auto", None).unwrap().covers(repository);
        for (prefix, repository) in [("", "a"), ("a", "a"), ("a", "a/b"), ("a/b", "a/b/c")] {
            assert!(covers(prefix, repository), "{prefix} {repository}");
        }
        for (prefix, repository) in [("a", "ab"), ("a", "b/a"), ("a/b", "a"), ("a/b", "a/bc")] {
            assert!(!covers(prefix, repository), "{prefix} {repository}");
        }
    }
}
