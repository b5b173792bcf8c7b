//! What can go wrong with a registry, and what to do about it. No credential and no text of an answer stands in it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::finding::Reason;
use crate::oci::Digest;

/// Something that a registry did not give.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: cannot get {what}: {problem}", Place(.registry, .repository))]
pub struct RegistryError {
    /// The registry, as it stands in names.
    pub registry: String,
    /// The repository; empty where none is concerned.
    pub repository: String,
    /// What was asked for: `manifest 3.20`, `blob sha256:...`.
    pub what: String,
    /// Why there is none.
    pub problem: Box<Problem>,
}

/// Why a registry did not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It wants to know who asks.
    #[error("the registry wants a login{}", also(.tried))]
    NoLogin {
        /// What kept a login that is kept on this machine from being used.
        tried: Vec<String>,
    },
    /// It does not take the login.
    #[error("the registry does not accept the login")]
    LoginRefused,
    /// It says no.
    #[error("access is denied")]
    Forbidden,
    /// There is none, or none that we may see.
    #[error("there is none, or no access to it")]
    NotFound,
    /// It has been asked too often.
    #[error("it was asked too often (HTTP status 429){}", pause_asked(.wait))]
    TooManyRequests {
        /// How long it wants to be left alone, where it says so.
        wait: Option<Duration>,
    },
    /// Another answer than any that helps.
    #[error("it answered with HTTP status {0}")]
    Status(u16),
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The name has no address.
    #[error("the host is not known")]
    UnknownHost,
    /// It cannot prove who it is.
    #[error("its certificate is not trusted: {0}")]
    Certificate(String),
    /// It does not speak TLS.
    #[error("it does not speak HTTPS: {0}")]
    Tls(String),
    /// It takes too long.
    #[error("it takes too long: {0}")]
    Slow(&'static str),
    /// The connection ended early.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// Something answers that is no registry.
    #[error("what answers there is no registry: {0}")]
    NotARegistry(&'static str),
    /// More than is read.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: u64,
    },
    /// Other bytes than the digest names.
    #[error("the registry answered with other bytes: they hash to {actual}")]
    DigestMismatch {
        /// Of what came.
        actual: Digest,
    },
    /// A redirect or token service that is not followed.
    #[error("it refers to {host}, which was not asked: {why}")]
    Refused {
        /// Where it led.
        host: String,
        /// Why not.
        why: String,
    },
    /// An answer that makes no sense.
    #[error("its answer makes no sense: {0}")]
    Malformed(&'static str),
    /// It wants to see a certificate.
    #[error("the registry wants a certificate of its clients, and has got none that it accepts")]
    ClientCertificate,
    /// A file with certificates or a key that is none.
    #[error("cannot use {}: {problem}", .path.display())]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The token service failed.
    #[error("its token service {host}: {problem}")]
    Token {
        /// The service.
        host: String,
        /// Why.
        problem: Box<Problem>,
    },
    /// The API of the service that runs the registry failed.
    #[error("the API at {host}: {problem}")]
    Api {
        /// Its host.
        host: String,
        /// Why.
        problem: Box<Problem>,
        /// What to do where it wants a login, or another one.
        advice: &'static str,
    },
    /// Its repositories are not to be had by the distribution API.
    #[error("the registry does not list its repositories: {0}")]
    NoList(Box<Problem>),
}

impl Problem {
    /// Whether it may go better a little later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Problem::TooManyRequests { .. } | Problem::Slow(_) | Problem::Broken(_) => true,
            Problem::Status(status) => matches!(status, 408 | 500..=599),
            Problem::Token { problem, .. } => problem.is_transient(),
            _ => false,
        }
    }

    /// Whether the answer is no: there is no such thing, or it is not for us, or the question is not known.
    pub(crate) fn is_no(&self) -> bool {
        matches!(self, Problem::NotFound | Problem::Forbidden | Problem::NotARegistry(_) | Problem::Status(400..=499))
    }

    /// Whether a login is wanted and there is none.
    pub(crate) fn is_no_login(&self) -> bool {
        match self {
            Problem::NoLogin { .. } => true,
            Problem::Token { problem, .. } => problem.is_no_login(),
            _ => false,
        }
    }

    /// Whether asking with a login, or another one, may help.
    fn is_about_login(&self) -> bool {
        match self {
            Problem::NoLogin { .. } | Problem::LoginRefused | Problem::Forbidden => true,
            Problem::Token { problem, .. } | Problem::Api { problem, .. } => problem.is_about_login(),
            _ => false,
        }
    }
}

impl RegistryError {
    /// What it means for coverage.
    pub fn reason(&self) -> Reason {
        match *self.problem {
            Problem::NotFound => Reason::MissingBlob,
            Problem::TooLarge { .. } => Reason::TooLarge,
            Problem::DigestMismatch { .. } => Reason::DigestMismatch,
            _ => Reason::Unreadable,
        }
    }

    /// What to do, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        self.hint_for(&self.problem)
    }

    fn hint_for(&self, problem: &Problem) -> Option<String> {
        let registry = &self.registry;
        let hint = match problem {
            Problem::Api { problem, advice, host } => match **problem {
                Problem::Tls(_) => {
                    format!("if it speaks plain HTTP, and the way to it can be trusted, add --insecure and --catalog-url http://{host}")
                }
                Problem::NotFound => format!("look at the spelling; if it is private, {advice}"),
                ref problem if problem.is_about_login() => (*advice).to_owned(),
                ref problem => return self.hint_for(problem),
            },
            Problem::NoList(_) => format!(
                "name the service that runs it with --catalog, or give a list of images; some registries list for a login only (`docker login {registry}`)"
            ),
            problem if problem.is_about_login() => {
                format!("log in with `docker login {registry}` or `podman login {registry}`, or give --username and --password-stdin")
            }
            Problem::NotFound => format!("look at the spelling; if it is private, log in with `docker login {registry}`"),
            Problem::TooManyRequests { .. } => format!("try again later; with a login (`docker login {registry}`) registries allow more"),
            Problem::Certificate(_) => "if its certificate is of an authority of your own, name that with --ca-file".to_owned(),
            Problem::ClientCertificate => "name certificate and key with --client-cert and --client-key".to_owned(),
            Problem::Tls(_) => "if it speaks plain HTTP, and the way to it can be trusted, add --insecure".to_owned(),
            Problem::Connect(_) | Problem::UnknownHost => {
                "is the name of the registry right? a proxy is taken from HTTPS_PROXY and NO_PROXY".to_owned()
            }
            Problem::Refused { .. } => "if the registry is to be trusted, add --allow-internal-hosts".to_owned(),
            _ => return None,
        };
        Some(hint)
    }
}

/// A registry and a repository of it.
struct Place<'a>(&'a str, &'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)?;
        if self.1.is_empty() { Ok(()) } else { write!(f, "/{}", self.1) }
    }
}

fn also(tried: &[String]) -> String {
    if tried.is_empty() { String::new() } else { format!("; {}", tried.join("; ")) }
}

fn pause_asked(wait: &Option<Duration>) -> String {
    wait.map_or_else(String::new, |wait| format!("; it wants to be left alone for {} s", wait.as_secs()))
}
