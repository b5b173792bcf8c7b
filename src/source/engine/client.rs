//! Asks one engine for one image.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use ureq::config::Config;
use ureq::http::Response;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, Error};

use super::endpoint::{Address, Endpoint, Tls, Verification};
use super::error::shortened;
use super::{Engine, EngineError, EngineProblem, Inspected};

/// How long an engine may take to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// How long it may take to say what a name means. An export may take as long as it takes: engines put large ones together first.
const ANSWER: Duration = Duration::from_secs(30);

/// Most bytes of an answer other than an export.
const MAX_ANSWER: u64 = 4 << 20;

/// A way to ask an engine for an image.
pub(super) struct Client<'n> {
    engine: Engine,
    name: &'n str,
    endpoint: Endpoint,
    agent: Agent,
}

impl<'n> Client<'n> {
    pub(super) fn new(engine: Engine, name: &'n str) -> Result<Self, EngineError> {
        let failed = |endpoint, problem| EngineError { engine, endpoint, image: name.to_owned(), problem };
        if !may_be_name(name) {
            return Err(failed(String::new(), EngineProblem::Name));
        }
        let endpoint = Endpoint::of(engine).map_err(|problem| failed(String::new(), problem))?;
        let agent = agent(&endpoint).map_err(|problem| failed(endpoint.to_string(), problem))?;
        Ok(Self { engine, name, endpoint, agent })
    }

    /// What the engine says of the image.
    pub(super) fn inspect(&self) -> Result<Inspected, EngineError> {
        let ask = || {
            let answer = self.get(&format!("/images/{}/json", self.name), Some(ANSWER))?;
            let bytes = read(answer).map_err(|error| EngineProblem::Connection(error.to_string()))?;
            serde_json::from_slice(&bytes).map_err(|_| EngineProblem::NotAnEngine("its answer says nothing of an image"))
        };
        ask().map_err(|problem| self.error(problem))
    }

    /// The image `name` as a Docker archive, as it comes.
    pub(super) fn export(&self, name: &str) -> Result<impl Read + Send + 'static, EngineError> {
        let answer = self.get(&format!("/images/{name}/get"), None).map_err(|problem| self.error(problem))?;
        Ok(answer.into_body().into_reader())
    }

    fn error(&self, problem: EngineProblem) -> EngineError {
        EngineError { engine: self.engine, endpoint: self.endpoint.to_string(), image: self.name.to_owned(), problem }
    }

    fn get(&self, path: &str, patience: Option<Duration>) -> Result<Response<Body>, EngineProblem> {
        let request = self.agent.get(format!("{}{path}", self.endpoint.base())).config().timeout_global(patience).build();
        let answer = request.call().map_err(|error| self.problem(error))?;
        match answer.status().as_u16() {
            200 => Ok(answer),
            status => Err(refusal(status, answer)),
        }
    }

    fn problem(&self, error: Error) -> EngineProblem {
        let is_socket = matches!(self.endpoint.address, Address::Socket(_));
        match error {
            Error::Io(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => EngineProblem::Absent(error.to_string()),
                io::ErrorKind::PermissionDenied if is_socket => EngineProblem::NoPermission,
                _ => EngineProblem::Connection(error.to_string()),
            },
            Error::HostNotFound => EngineProblem::Absent("its host has no address".to_owned()),
            Error::Timeout(_) => EngineProblem::Connection("no answer came".to_owned()),
            Error::Protocol(_) | Error::Http(_) | Error::LargeResponseHeader(..) => EngineProblem::NotAnEngine("it does not speak HTTP"),
            other => EngineProblem::Connection(other.to_string()),
        }
    }
}

/// Names, ids and digests; nothing that would lead to another path of the API.
fn may_be_name(name: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"/:._-@".contains(&byte);
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(may_stand)
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// What an answer that is not 200 means.
fn refusal(status: u16, answer: Response<Body>) -> EngineProblem {
    let said: Option<Value> = read(answer).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let message = said.as_ref().and_then(|said| said.get("message")).and_then(Value::as_str).map(shortened);
    match (status, message) {
        (404, Some(_)) => EngineProblem::NoSuchImage,
        (404, None) => EngineProblem::NotAnEngine("it does not know the question"),
        (300..=399, _) => EngineProblem::NotAnEngine("it redirects"),
        (401 | 403, message) => EngineProblem::Forbidden { message: message.unwrap_or_default() },
        (status, message) => EngineProblem::Failed { status, message: message.unwrap_or_default() },
    }
}

fn read(answer: Response<Body>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    answer.into_body().into_reader().take(MAX_ANSWER).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn agent(endpoint: &Endpoint) -> Result<Agent, EngineProblem> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("layersift/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT));
    let config = match &endpoint.tls {
        Some(tls) => config.tls_config(tls_config(tls)?),
        None => config,
    };
    match &endpoint.address {
        Address::Socket(path) => of_socket(path, config.build()),
        Address::Host(_) => Ok(Agent::new_with_config(config.build())),
    }
}

#[cfg(unix)]
fn of_socket(path: &Path, config: Config) -> Result<Agent, EngineProblem> {
    Ok(super::socket::agent(path, config))
}

#[cfg(not(unix))]
fn of_socket(_: &Path, _: Config) -> Result<Agent, EngineProblem> {
    Err(EngineProblem::Unsupported("unix sockets on this system".to_owned()))
}

/// `ca.pem` says whom to trust, `cert.pem` and `key.pem` who asks.
fn tls_config(tls: &Tls) -> Result<TlsConfig, EngineProblem> {
    let config = TlsConfig::builder().disable_verification(tls.verification == Verification::Off);
    let authorities = certificates(&tls.folder.join("ca.pem"))?;
    let config = match authorities {
        Some(authorities) => config.root_certs(RootCerts::new_with_certs(&authorities)),
        None => config,
    };
    let client = match (certificates(&tls.folder.join("cert.pem"))?, key(&tls.folder.join("key.pem"))?) {
        (Some(chain), Some(key)) => Some(ClientCert::new_with_certs(&chain, key)),
        _ => None,
    };
    Ok(config.client_cert(client).build())
}

fn certificates(path: &Path) -> Result<Option<Vec<Certificate<'static>>>, EngineProblem> {
    let certificate = |item| match item {
        PemItem::Certificate(certificate) => Some(certificate),
        _ => None,
    };
    pem(path, "certificate", certificate)
}

fn key(path: &Path) -> Result<Option<PrivateKey<'static>>, EngineProblem> {
    let key = |item| match item {
        PemItem::PrivateKey(key) => Some(key),
        _ => None,
    };
    Ok(pem(path, "private key", key)?.and_then(|keys| keys.into_iter().next()))
}

/// The items of a file; none if there is no such file.
fn pem<T>(path: &Path, what: &str, of_item: impl Fn(PemItem<'static>) -> Option<T>) -> Result<Option<Vec<T>>, EngineProblem> {
    let failed = |problem: String| EngineProblem::File { path: path.to_owned(), problem };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    let items: Result<Vec<PemItem<'static>>, Error> = parse_pem(&bytes).collect();
    let found: Vec<T> = items.map_err(|_| failed("it is not PEM".to_owned()))?.into_iter().filter_map(of_item).collect();
    if found.is_empty() { Err(failed(format!("there is no {what} in it"))) } else { Ok(Some(found)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_no_other_path() {
        for name in ["app", "app:1", "localhost:5000/team/app@sha256:ab", "0123abcd"] {
            assert!(may_be_name(name), "{name}");
        }
        for name in ["", "../x", "a/../b", "a//b", "a?b", "a b", "-a", "/a", "a#b", "a%2f"] {
            assert!(!may_be_name(name), "{name}");
        }
    }
}
