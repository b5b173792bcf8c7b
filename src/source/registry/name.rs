//! The name of an image in a registry, as people write it: `alpine`, `ghcr.io/team/app:1.2`, `localhost:5000/app@sha256:...`.
//!
//! A name without a registry is one of Docker Hub's, as it is for Docker. Opens nothing.

use std::fmt;

use crate::oci::{Digest, MalformedDigest};

/// Docker Hub, as it stands in names.
const HUB: &str = "docker.io";
/// Other names of Docker Hub.
const HUB_TOO: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];
/// The host that speaks for Docker Hub.
const HUB_HOST: &str = "registry-1.docker.io";

/// An image in a registry. [`fmt::Display`] writes it in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that names no image in a registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedName {
    /// The registry is no host, or host and port.
    #[error("`{}` is no host of a registry: write HOST or HOST:PORT", .0.escape_default())]
    Registry(String),
    /// The repository has signs that may not stand there.
    #[error("`{}` is no repository: write lower-case letters, digits and single . _ - between them, in parts divided by /", .0.escape_default())]
    Repository(String),
    /// The tag has signs that may not stand there.
    #[error("`{}` is no tag: write at most 128 letters, digits, _ . and -, and none of . and - first", .0.escape_default())]
    Tag(String),
    /// What stands after `@` is no digest.
    #[error(transparent)]
    Digest(#[from] MalformedDigest),
}

impl ImageName {
    /// Reads `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]`. Without tag and digest the tag `latest` is meant.
    pub fn parse(text: &str) -> Result<Self, MalformedName> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest.parse()?)),
            None => (text, None),
        };
        let (registry, rest) = split_registry(name);
        // A colon in the last part is before a tag; the registry's port went with the registry.
        let (repository, tag) = match rest.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (rest, None),
        };
        let registry = registry_of(registry);
        if registry != HUB && !is_host(registry) {
            return Err(MalformedName::Registry(cut(registry)));
        }
        let is_short = registry == HUB && !repository.contains('/');
        let repository = if is_short { format!("library/{repository}") } else { repository.to_owned() };
        if !is_repository(&repository) {
            return Err(MalformedName::Repository(cut(&repository)));
        }
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(MalformedName::Tag(cut(tag)));
        }
        let tag = tag.or(if digest.is_none() { Some("latest") } else { None }).map(str::to_owned);
        Ok(Self { registry: registry.to_owned(), repository, tag, digest })
    }

    /// The registry, as it stands in names and in files of credentials: `docker.io`, `localhost:5000`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in it: `library/alpine`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The digest, where one was given. It says more than the tag.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What to ask the registry for: the digest, or else the tag.
    pub fn wanted(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }
}

/// A registry as it stands in names: Docker Hub has several.
pub fn registry_of(text: &str) -> &str {
    if HUB_TOO.contains(&text) { HUB } else { text }
}

/// The host, and the port where there is one, that speaks for a registry.
pub fn host_of(registry: &str) -> &str {
    if registry == HUB { HUB_HOST } else { registry }
}

/// What stands for a registry in files of credentials: its own name, and for Docker Hub those of old.
pub(super) fn keys_of(registry: &str) -> Vec<&str> {
    if registry == HUB { vec![HUB, "index.docker.io", HUB_HOST] } else { vec![registry] }
}

/// What helpers know a registry by.
pub(super) fn server_of(registry: &str) -> &str {
    if registry == HUB { "https://index.docker.io/v1/" } else { registry }
}

/// The first part is a registry if it cannot be a part of a repository: it has a dot or a colon, or is `localhost`.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((first, rest))
            if first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|byte| byte.is_ascii_uppercase()) =>
        {
            (first, rest)
        }
        _ => (HUB, name),
    }
}

/// Whether a text can be a repository's name in a registry: `team/app`.
pub fn is_repository(text: &str) -> bool {
    text.len() <= 255 && text.split('/').all(is_component)
}

/// Whether a text is `host`, `host:port` or `[v6]:port`.
pub fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = port.is_none_or(|port| port.len() <= 5 && port.parse::<u16>().is_ok_and(|port| port > 0));
    let is_v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok());
    let is_label = |label: &str| {
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && label.bytes().all(is_sign) && !label.starts_with('-') && !label.ends_with('-')
    };
    is_port && host.len() <= 253 && (is_v6 || host.split('.').all(is_label))
}

/// Letters and digits, with `.`, `_`, `__` or any number of `-` between them.
fn is_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends_in_word = text.bytes().next().is_some_and(is_word) && text.bytes().last().is_some_and(is_word);
    let mut between = text.split(|sign: char| sign.is_ascii() && is_word(sign as u8)).filter(|run| !run.is_empty());
    ends_in_word && between.all(|run| matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'))
}

/// Whether a text can be a tag.
pub fn is_tag(text: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    !text.is_empty() && text.len() <= 128 && text.bytes().all(is_sign) && !text.starts_with(['.', '-'])
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_docker_reads_them() {
        let digest = Digest::sha256(b"x").to_string();
        let with_digest = |name: &str| format!("{name}@{digest}");
        let table = [
            ("alpine", "docker.io/library/alpine:latest", "latest"),
            ("alpine:3.20", "docker.io/library/alpine:3.20", "3.20"),
            ("team/app", "docker.io/team/app:latest", "latest"),
            ("docker.io/alpine", "docker.io/library/alpine:latest", "latest"),
            ("index.docker.io/team/app:1", "docker.io/team/app:1", "1"),
            ("registry-1.docker.io/library/alpine", "docker.io/library/alpine:latest", "latest"),
            ("localhost/app", "localhost/app:latest", "latest"),
            ("localhost:5000/app:v1", "localhost:5000/app:v1", "v1"),
            ("127.0.0.1:5000/a/b/c:v1", "127.0.0.1:5000/a/b/c:v1", "v1"),
            ("[::1]:5000/app", "[::1]:5000/app:latest", "latest"),
            ("example.org/app:V1.2_3-x", "example.org/app:V1.2_3-x", "V1.2_3-x"),
            ("Registry/app", "Registry/app:latest", "latest"),
            ("ghcr.io/a__b/c--d.e_f", "ghcr.io/a__b/c--d.e_f:latest", "latest"),
            (&with_digest("alpine"), &with_digest("docker.io/library/alpine"), &digest),
            (&with_digest("alpine:3.20"), &with_digest("docker.io/library/alpine:3.20"), &digest),
        ];
        for (text, full, wanted) in table {
            let name = ImageName::parse(text).unwrap();
            assert_eq!((name.to_string().as_str(), name.wanted().as_str()), (full, wanted), "{text}");
            assert_eq!(ImageName::parse(full), Ok(name), "what is written is read again");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "Alpine",
            "a//b",
            "a..b",
            "a/-b",
            "a/b-",
            "a___b",
            "app:",
            "app:-x",
            "app:a b",
            "app@sha256:00",
            "a\u{e9}",
        ] {
            assert!(ImageName::parse(bad).is_err(), "{bad}");
        }
        for bad in ["example.org:0/app", "example.org:99999/app", "-x.org/app", "a..b/app", "exa mple.org/app", "[::1/app", "a.b?c/app"] {
            assert!(matches!(ImageName::parse(bad), Err(MalformedName::Registry(_))), "{bad}");
        }
        assert!(ImageName::parse(&format!("app:{}", "x".repeat(129))).is_err());
        assert!(ImageName::parse(&"a".repeat(300)).is_err());
    }

    #[test]
    fn one_host_speaks_for_docker_hub() {
        assert_eq!((host_of("docker.io"), host_of("ghcr.io")), ("registry-1.docker.io", "ghcr.io"));
    }
}
