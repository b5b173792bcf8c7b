//! Proves to a registry who asks: with a password, or with a token that its token service gives.
//!
//! A password goes to the registry it is for, and to the token service that this registry names; a token, to its registry alone. A token
//! service is asked over plain HTTP only if the registry itself speaks it.

use std::collections::{BTreeSet, HashMap};
use std::io::Read as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use ureq::Body;
use ureq::http::{Response, Uri};

use super::challenge::{self, Challenge};
use super::error::Problem;
use super::login::{Credential, Logins};
use super::options::RegistryOptions;
use super::transport::{Bound, Transport, of_read};
use super::url;
use crate::finding::Secret;

/// Most bytes of a token service's answer.
const MAX_ANSWER: u64 = 1 << 20;

/// How long a token lasts whose service does not say it.
const USUAL_LIFE: u64 = 60;

/// A token is not used in its last moments.
const MARGIN: Duration = Duration::from_secs(5);

/// What is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope<'s> {
    /// A repository.
    Repository(&'s str),
    /// The list of repositories.
    Catalog,
}

impl<'s> Scope<'s> {
    fn text(self) -> String {
        match self {
            Scope::Repository(name) => format!("repository:{name}:pull"),
            Scope::Catalog => "registry:catalog:*".to_owned(),
        }
    }

    pub(super) fn repository(self) -> &'s str {
        match self {
            Scope::Repository(name) => name,
            Scope::Catalog => "",
        }
    }
}

/// Who asks at one registry.
pub(super) struct Auth {
    registry: String,
    logins: Logins,
    helper: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How the registry wants to be told who asks, once it has said so.
    is_basic: bool,
    tokens: HashMap<String, Token>,
    credentials: HashMap<String, Option<Credential>>,
    problems: BTreeSet<String>,
}

struct Token {
    header: String,
    expires: Instant,
}

/// What a token service answers. It goes by two names.
#[derive(Deserialize)]
struct Granted {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

impl Auth {
    pub(super) fn new(registry: &str, options: &RegistryOptions) -> Self {
        let (logins, helper) = (options.logins.clone(), options.patience.helper);
        Self { registry: registry.to_owned(), logins, helper, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `Authorization` header for a request, if one is known to be wanted.
    pub(super) fn header(&self, scope: Scope<'_>) -> Option<String> {
        let mut state = self.state();
        if state.is_basic {
            return self.credential(&mut state, scope)?.basic();
        }
        let token = state.tokens.get(&scope.text())?;
        (token.expires > Instant::now()).then(|| token.header.clone())
    }

    /// What kept logins from being used.
    pub(super) fn problems(&self) -> Vec<String> {
        self.state().problems.iter().cloned().collect()
    }

    /// The header that answers a challenge; `used` is the one that did not do.
    pub(super) fn answer(&self, headers: &[&str], used: Option<&str>, scope: Scope<'_>, way: &Way<'_>) -> Result<String, Problem> {
        // Whoever comes second finds the token that the first has got.
        let mut state = self.state();
        match challenge::parse(headers) {
            None => Err(Problem::Malformed("it wants a login and does not say how")),
            Some(Challenge::Basic) => {
                state.is_basic = true;
                let credential = self.credential(&mut state, scope);
                match credential.and_then(|credential| credential.basic()) {
                    None => Err(self.no_login(&state)),
                    Some(header) if used == Some(&header) => Err(Problem::LoginRefused),
                    Some(header) => Ok(header),
                }
            }
            Some(Challenge::Bearer { realm, service }) => {
                let known = state.tokens.get(&scope.text()).filter(|token| token.expires > Instant::now());
                if let Some(token) = known.filter(|token| used != Some(&token.header)) {
                    return Ok(token.header.clone());
                }
                let credential = self.credential(&mut state, scope);
                let token = self.token(&state, &realm, service.as_deref(), scope, credential.as_ref(), way)?;
                let header = token.header.clone();
                state.tokens.insert(scope.text(), token);
                Ok(header)
            }
        }
    }

    /// What it means that a registry is not content with the answer.
    pub(super) fn refused(&self, scope: Scope<'_>) -> Problem {
        let mut state = self.state();
        match self.credential(&mut state, scope) {
            Some(_) if state.is_basic => Problem::LoginRefused,
            Some(_) => Problem::Forbidden,
            None => self.no_login(&state),
        }
    }

    fn no_login(&self, state: &State) -> Problem {
        Problem::NoLogin { tried: state.problems.iter().cloned().collect() }
    }

    fn credential(&self, state: &mut State, scope: Scope<'_>) -> Option<Credential> {
        let repository = scope.repository();
        if let Some(known) = state.credentials.get(repository) {
            return known.clone();
        }
        let search = self.logins.find(&self.registry, repository, self.helper);
        state.problems.extend(search.problems);
        state.credentials.insert(repository.to_owned(), search.credential.clone());
        search.credential
    }

    fn token(
        &self,
        state: &State,
        realm: &str,
        service: Option<&str>,
        scope: Scope<'_>,
        credential: Option<&Credential>,
        way: &Way<'_>,
    ) -> Result<Token, Problem> {
        let uri: Uri = realm.parse().map_err(|_| Problem::Malformed("its token service has an address that is none"))?;
        let host = uri.host().ok_or(Problem::Malformed("its token service has no host"))?.to_owned();
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if way.is_plain => {}
            _ => return Err(Problem::Refused { host, why: "its token service does not speak HTTPS".to_owned() }),
        }
        let failed = |problem| Problem::Token { host: host.clone(), problem: Box::new(problem) };
        let response = ask(&uri, service, scope, credential, way.transport).map_err(|problem| match problem {
            refused @ Problem::Refused { .. } => refused,
            other => failed(other),
        })?;
        match (response.status().as_u16(), credential) {
            (200..=299, _) => read(response).map_err(failed),
            (401 | 403, Some(_)) => Err(failed(Problem::LoginRefused)),
            (401 | 403, None) => Err(failed(self.no_login(state))),
            (404, _) => Err(failed(Problem::NotFound)),
            (429, _) => Err(failed(Problem::TooManyRequests { wait: None })),
            // A password would have to go along.
            (300..=399, _) => Err(failed(Problem::Malformed("it redirects"))),
            (status, _) => Err(failed(Problem::Status(status))),
        }
    }
}

/// How a registry is spoken to.
pub(super) struct Way<'w> {
    pub(super) transport: &'w Transport,
    /// Whether the registry itself speaks plain HTTP.
    pub(super) is_plain: bool,
}

fn ask(
    realm: &Uri,
    service: Option<&str>,
    scope: Scope<'_>,
    credential: Option<&Credential>,
    transport: &Transport,
) -> Result<Response<Body>, Problem> {
    let scope = scope.text();
    let service = service.map(|service| ("service", service));
    if let Some(Credential::IdentityToken(token)) = credential {
        let token = text(token)?;
        let form = [("grant_type", "refresh_token"), ("client_id", "layersift"), ("scope", &scope), ("refresh_token", token)];
        return transport.post(realm, &form.into_iter().chain(service).collect::<Vec<_>>());
    }
    let uri = url::with_query(realm, service.into_iter().chain([("scope", scope.as_str())]));
    let uri = uri.ok_or(Problem::Malformed("its token service has an address that is none"))?;
    let basic = credential.and_then(Credential::basic);
    let headers: Vec<(&str, &str)> = basic.iter().map(|basic| ("Authorization", basic.as_str())).collect();
    transport.get(&uri, &headers, Bound::Document)
}

fn text(secret: &Secret) -> Result<&str, Problem> {
    std::str::from_utf8(secret.expose()).map_err(|_| Problem::Malformed("the login is not a text"))
}

fn read(response: Response<Body>) -> Result<Token, Problem> {
    let mut bytes = Vec::new();
    response.into_body().into_reader().take(MAX_ANSWER + 1).read_to_end(&mut bytes).map_err(of_read)?;
    if bytes.len() as u64 > MAX_ANSWER {
        return Err(Problem::TooLarge { limit: MAX_ANSWER });
    }
    let granted: Granted = serde_json::from_slice(&bytes).map_err(|_| Problem::Malformed("it gives no token"))?;
    let token = granted.token.filter(|token| !token.is_empty()).or(granted.access_token).unwrap_or_default();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Problem::Malformed("it gives no token"));
    }
    let life = Duration::from_secs(granted.expires_in.unwrap_or(USUAL_LIFE).clamp(1, 24 * 60 * 60));
    let expires = Instant::now() + life.checked_sub(MARGIN).unwrap_or(life / 2);
    Ok(Token { header: format!("Bearer {token}"), expires })
}
