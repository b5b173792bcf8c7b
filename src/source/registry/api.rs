//! The web API of a service that runs a registry: lists in JSON, page by page.
//!
//! What it says is held to the rules of the registries themselves: documents and pages are bounded, a redirect carries no login and leads to no host that only this machine can
//! reach, and the next page of a list is at the API's own host. What a service's documents mean, its catalog knows.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Body;
use ureq::http::{Response, Uri, header};

use super::client::{MAX_ENTRIES, MAX_PAGES, MAX_REDIRECTS, not_html, refusal, target, values, whole};
use super::error::{Problem, RegistryError};
use super::gate::Gate;
use super::login::{Credential, Logins, Search};
use super::options::{Patience, PlainHttp, RegistryOptions};
use super::reach::is_loopback;
use super::transport::{Bound, Transport};
use super::url;
use crate::finding::Secret;
use crate::source::members::MAX_DOCUMENT;

/// Most bytes of a list, which is taken apart page by page.
const MAX_LIST: u64 = 4 * MAX_DOCUMENT;

/// Where an API lives: a scheme, a host, and a path where there is one, without `/` at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiUrl(Uri, String);

/// A text that is no such URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("that is no URL of an API: write https://HOST, or https://HOST/PATH, without a login and without a query")]
pub struct MalformedUrl;

/// What tells one service from another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// What is asked for.
    pub(crate) accept: &'static str,
    /// Headers of every request.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// What to do where it wants a login, or another one.
    pub(crate) advice: &'static str,
}

/// A header that says who asks. It is never shown.
#[derive(Clone)]
pub(crate) struct Proof {
    name: &'static str,
    value: Secret,
}

/// Speaks with the API that belongs to one registry. May be used by many threads.
pub(crate) struct Api {
    registry: String,
    /// The part of the registry that is wanted: a login may be for that alone.
    scope: String,
    url: ApiUrl,
    manner: Manner,
    transport: Transport,
    gate: Arc<Gate>,
    patience: Patience,
    logins: Logins,
    search: OnceLock<Search>,
}

/// How far a list is, page by page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// The page, from 1.
    pub(crate) page: usize,
    /// Entries of the pages before.
    pub(crate) listed: usize,
    /// How many entries there are in all, where a header says it (`X-Total-Count`).
    pub(crate) total: Option<usize>,
}

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nowhere.
    End,
    /// Where the `Link` header says, if there is one.
    Link,
    /// Where the page says.
    Url(String),
    /// At a path of the API.
    Path(String),
}

struct Page {
    bytes: Vec<u8>,
    uri: Uri,
    link: Option<String>,
    total: Option<usize>,
}

impl Api {
    /// Connects to nothing yet.
    pub(crate) fn new(registry: &str, scope: &str, url: &ApiUrl, manner: Manner, options: &RegistryOptions) -> Result<Self, RegistryError> {
        let failed = |problem| of_api(registry, "", "a connection", url, manner.advice, problem);
        let authority = url.0.authority().map_or("", |authority| authority.as_str());
        let is_plain = url.0.scheme_str() != Some("https");
        if is_plain && options.plain_http != PlainHttp::Anywhere && !url.0.host().is_some_and(is_loopback) {
            return Err(failed(Problem::Tls("its address begins with http:".to_owned())));
        }
        Ok(Self {
            registry: registry.to_owned(),
            scope: scope.to_owned(),
            url: url.clone(),
            manner,
            transport: Transport::new(authority, authority, options).map_err(failed)?,
            gate: options.gates.of(authority),
            patience: options.patience,
            logins: options.logins.clone(),
            search: OnceLock::new(),
        })
    }

    /// What could not be had of the API.
    pub(crate) fn error(&self, repository: &str, what: &str, problem: Problem) -> RegistryError {
        of_api(&self.registry, repository, what, &self.url, self.manner.advice, problem)
    }

    /// User and password of the registry, if there are some on this machine. Tokens that give tokens are for the registry alone.
    pub(crate) fn login(&self) -> Option<(&str, &Secret)> {
        match &self.search().credential {
            Some(Credential::Password { username, password }) => Some((username, password)),
            _ => None,
        }
    }

    /// User and password as HTTP's own way to say who asks.
    pub(crate) fn basic(&self) -> Option<Proof> {
        let header = self.search().credential.as_ref()?.basic()?;
        Some(Proof { name: "Authorization", value: Secret::new(header.into_bytes(), 0) })
    }

    /// What the user should know.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = self.search.get().map(|search| search.problems.clone()).unwrap_or_default();
        if self.url.0.scheme_str() != Some("https") {
            notes.push(format!("{} is read over plain HTTP, which anybody on the way can read and change", self.url));
        }
        notes
    }

    fn search(&self) -> &Search {
        self.search.get_or_init(|| self.logins.find(&self.registry, &self.scope, self.patience.helper))
    }

    /// One document.
    pub(crate) fn document<P: DeserializeOwned>(&self, path: &str, proof: Option<&Proof>) -> Result<P, Problem> {
        let page = self.page(&self.at(path)?, proof)?;
        serde_json::from_slice(&page.bytes).map_err(|_| Problem::Malformed("it is not what its documentation says"))
    }

    /// All entries of a list. `read` takes a page apart, and says where the next one is.
    pub(crate) fn list<P: DeserializeOwned, T>(
        &self,
        path: &str,
        proof: Option<&Proof>,
        mut read: impl FnMut(P, Progress) -> Result<(Vec<T>, Next), Problem>,
    ) -> Result<Vec<T>, Problem> {
        let mut uri = self.at(path)?;
        let (mut seen, mut all, mut size) = (HashSet::new(), Vec::new(), 0);
        while seen.len() < MAX_PAGES && seen.insert(uri.to_string()) {
            let page = self.page(&uri, proof)?;
            size += page.bytes.len() as u64;
            if size > MAX_LIST {
                return Err(Problem::TooLarge { limit: MAX_LIST });
            }
            let document = serde_json::from_slice(&page.bytes).map_err(|_| Problem::Malformed("it is no list"))?;
            let (entries, next) = read(document, Progress { page: seen.len(), listed: all.len(), total: page.total })?;
            all.extend(entries);
            if all.len() > MAX_ENTRIES {
                return Err(Problem::Malformed("it lists more than a million entries"));
            }
            uri = match next {
                Next::End => return Ok(all),
                Next::Link if page.link.is_none() => return Ok(all),
                Next::Link => self.own(&page.uri, page.link.as_deref().unwrap_or_default())?,
                Next::Url(url) => self.own(&page.uri, &url)?,
                Next::Path(path) => self.at(&path)?,
            };
        }
        Err(Problem::Malformed("its list has no end"))
    }

    /// Posts a login as JSON, and gives the token that is answered as `access_token`.
    pub(crate) fn token(&self, path: &str, login: &Value) -> Result<Proof, Problem> {
        #[derive(Deserialize)]
        struct Granted {
            access_token: String,
        }
        let uri = self.at(path)?;
        let mut permit = self.gate.enter();
        let bytes = self.gate.patiently(&mut permit, &self.patience, || {
            self.gate.pace();
            let response = self.transport.post_json(&uri, &login.to_string())?;
            match response.status().as_u16() {
                200..=299 => whole(not_html(response)?),
                // It would have to be told the password.
                300..=399 => Err(Problem::Malformed("it redirects a login")),
                401 => Err(Problem::LoginRefused),
                status => Err(refusal(status, true, response)),
            }
        })?;
        let granted: Granted = serde_json::from_slice(&bytes).map_err(|_| Problem::Malformed("it gives no token"))?;
        Proof::bearer(&Secret::new(granted.access_token.into_bytes(), 0))
    }

    fn page(&self, uri: &Uri, proof: Option<&Proof>) -> Result<Page, Problem> {
        let mut permit = self.gate.enter();
        self.gate.patiently(&mut permit, &self.patience, || self.once(uri, proof))
    }

    /// One request, with the redirects that it takes.
    fn once(&self, uri: &Uri, proof: Option<&Proof>) -> Result<Page, Problem> {
        let mut uri = uri.clone();
        for _ in 0..=MAX_REDIRECTS {
            let is_own = url::is_same_origin(&uri, &self.url.0);
            let response = self.send(&uri, proof.filter(|_| is_own))?;
            match response.status().as_u16() {
                200..=299 => return page(uri, not_html(response)?),
                301 | 302 | 303 | 307 | 308 => uri = target(&uri, &response)?,
                401 if is_own && proof.is_some() => return Err(Problem::LoginRefused),
                401 if is_own => return Err(Problem::NoLogin { tried: self.search().problems.clone() }),
                status => return Err(refusal(status, is_own, response)),
            }
        }
        Err(Problem::Malformed("it redirects too often"))
    }

    fn send(&self, uri: &Uri, proof: Option<&Proof>) -> Result<Response<Body>, Problem> {
        self.gate.pace();
        let mut headers = vec![("Accept", self.manner.accept)];
        headers.extend(self.manner.headers);
        if let Some(proof) = proof {
            headers.push((proof.name, text(&proof.value)?));
        }
        self.transport.get(uri, &headers, Bound::Document)
    }

    fn at(&self, path: &str) -> Result<Uri, Problem> {
        format!("{}{path}", self.url).parse().map_err(|_| Problem::Malformed("it has no such address"))
    }

    /// What an answer of `base` refers to, which must be at the API's own host.
    fn own(&self, base: &Uri, reference: &str) -> Result<Uri, Problem> {
        let own = url::resolve(base, reference).filter(|uri| url::is_same_origin(uri, &self.url.0));
        own.ok_or(Problem::Malformed("its next page is elsewhere"))
    }
}

impl Proof {
    /// A token, as RFC 6750 has it.
    pub(crate) fn bearer(token: &Secret) -> Result<Self, Problem> {
        Ok(Self { name: "Authorization", value: Secret::new(format!("Bearer {}", text(token)?).into_bytes(), 0) })
    }

    /// A token in a header of its own.
    pub(crate) fn header(name: &'static str, token: &Secret) -> Result<Self, Problem> {
        text(token)?;
        Ok(Self { name, value: token.clone() })
    }
}

/// What can stand in a header.
fn text(secret: &Secret) -> Result<&str, Problem> {
    let text = std::str::from_utf8(secret.expose()).ok();
    let is_sign = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    text.filter(|text| !text.is_empty() && text.bytes().all(is_sign)).ok_or(Problem::Malformed("the login is not a text for a header"))
}

fn page(uri: Uri, response: Response<Body>) -> Result<Page, Problem> {
    let link = values(&response, header::LINK).into_iter().find_map(url::next_link).map(str::to_owned);
    let total = response.headers().get("x-total-count").and_then(|count| count.to_str().ok()?.trim().parse().ok());
    Ok(Page { bytes: whole(response)?, uri, link, total })
}

fn of_api(registry: &str, repository: &str, what: &str, url: &ApiUrl, advice: &'static str, problem: Problem) -> RegistryError {
    let host = url.0.authority().map_or_else(String::new, |authority| authority.as_str().to_owned());
    let problem = Box::new(Problem::Api { host, problem: Box::new(problem), advice });
    RegistryError { registry: registry.to_owned(), repository: repository.to_owned(), what: what.to_owned(), problem }
}

impl FromStr for ApiUrl {
    type Err = MalformedUrl;

    fn from_str(text: &str) -> Result<Self, MalformedUrl> {
        let text = text.trim_end_matches('/');
        let uri: Uri = text.parse().map_err(|_| MalformedUrl)?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let has_host =
            uri.host().is_some_and(|host| !host.is_empty()) && !uri.authority().is_some_and(|whole| whole.as_str().contains('@'));
        if is_http && has_host && uri.query().is_none() && !text.contains('#') { Ok(Self(uri, text.to_owned())) } else { Err(MalformedUrl) }
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn api(url: &str) -> Result<Api, RegistryError> {
        let manner = Manner { accept: "application/json", headers: &[], advice: "do this" };
        Api::new("registry.example", "team", &url.parse().unwrap(), manner, &RegistryOptions::default())
    }

    #[test]
    fn an_address_is_a_scheme_a_host_and_perhaps_a_path() {
        for (text, expected) in [("https://a.example/", "https://a.example"), ("http://[::1]:80/b/c/", "http://[::1]:80/b/c")] {
            assert_eq!(text.parse::<ApiUrl>().unwrap().to_string(), expected);
        }
        for text in
            ["", "a.example", "ftp://a.example", "https://", "https://u:p@a.example", "https://a.example/?x", "https://a.example/#x", "/a"]
        {
            assert_eq!(text.parse::<ApiUrl>(), Err(MalformedUrl), "{text}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        assert!(api("http://127.0.0.1:1").is_ok());
        let Err(error) = api("http://a.example") else { panic!("it is taken") };
        assert_eq!(
            error.to_string(),
            "registry.example: cannot get a connection: the API at a.example: it does not speak HTTPS: its address begins with http:"
        );
        assert!(error.hint().unwrap().contains("--insecure"));
    }

    #[test]
    fn the_next_page_is_at_the_same_host() {
        let api = api("https://a.example/api").unwrap();
        let base = api.at("/x?page=1").unwrap();
        assert_eq!(base, "https://a.example/api/x?page=1");
        for (next, expected) in [("?page=2", "https://a.example/api/x?page=2"), ("https://a.example/y", "https://a.example/y")] {
            assert_eq!(api.own(&base, next).unwrap(), expected);
        }
        for next in [
            "https://b.example/",
            "http://a.example/",
            "//b.example/",
            "https://a.example:444/",
            "https://u@a.example/",
            "file:///x",
            "https://",
        ] {
            assert_eq!(api.own(&base, next), Err(Problem::Malformed("its next page is elsewhere")), "{next}");
        }
    }

    #[test]
    fn a_login_that_cannot_stand_in_a_header_is_not_sent() {
        for token in ["", "a\nb", "a\r\nX: y", "\u{e9}"] {
            assert!(Proof::bearer(&Secret::new(token.as_bytes(), 0)).is_err(), "{token:?}");
        }
    }
}
