//! The distribution API as far as reading goes: manifests, blobs, tags, repositories, referrers.
//!
//! Each request may be answered by a challenge, a redirect, a plea for patience, or not at all. What may go better is tried again; what comes in the
//! end is an answer, or an error that says which registry, what, and why. Documents are bounded; blobs are streams. Nothing is written to disk.

use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use ureq::Body;
use ureq::http::{Response, Uri, header};

use super::auth::{Auth, Scope, Way};
use super::body::{self, BlobReader};
use super::error::{Problem, RegistryError};
use super::gate::{Gate, Permit};
use super::mirror::{self, Mirrors};
use super::name::{host_of, is_repository, is_tag};
use super::options::{Patience, PlainHttp, RegistryOptions};
use super::pause;
use super::reach::is_loopback;
use super::transport::{Bound, Transport, of_read};
use super::url;
use crate::oci::Digest;
use crate::source::members::MAX_DOCUMENT;

/// Most redirects of one request.
pub(super) const MAX_REDIRECTS: usize = 5;

/// Most pages of a list.
pub(super) const MAX_PAGES: usize = 1_000;

/// Most entries of a list.
pub(super) const MAX_ENTRIES: usize = 1_000_000;

/// What is taken for a manifest.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// Reads one registry, or what its mirrors have of it. May be used by many threads.
pub struct Client {
    registry: String,
    host: String,
    transport: Transport,
    auth: Auth,
    plain_http: PlainHttp,
    pub(super) patience: Patience,
    gate: Arc<Gate>,
    speech: Mutex<Option<Speech>>,
    pub(super) mirrors: Mirrors,
}

/// What a registry speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    Https,
    PlainHttp,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    pub(super) scope: Scope<'a>,
    /// After `/v2/`.
    pub(super) path: String,
    pub(super) accept: &'static str,
    /// The first byte that is wanted.
    pub(super) from: u64,
    pub(super) bound: Bound,
}

/// An answer, and where it came from.
pub(super) struct Answer {
    pub(super) response: Response<Body>,
    uri: Uri,
}

impl Client {
    /// For a registry, by the name that it has in the names of images: `docker.io`, `localhost:5000`. Connects to nothing yet.
    pub fn new(registry: &str, options: &RegistryOptions) -> Result<Self, RegistryError> {
        Ok(Self { mirrors: Mirrors::of(registry, options)?, ..Self::alone(registry, None, options)? })
    }

    /// For a registry without its mirrors; `speech` is what it speaks, if the user says so.
    pub(super) fn alone(registry: &str, speech: Option<Speech>, options: &RegistryOptions) -> Result<Self, RegistryError> {
        let failed = |problem| {
            let (registry, what, problem) = (registry.to_owned(), "a connection".to_owned(), Box::new(problem));
            RegistryError { registry, repository: String::new(), what, problem }
        };
        let host = host_of(registry).to_owned();
        let transport = Transport::new(registry, &host, options).map_err(failed)?;
        Ok(Self {
            registry: registry.to_owned(),
            gate: options.gates.of(&host),
            host,
            transport,
            auth: Auth::new(registry, options),
            plain_http: options.plain_http,
            patience: options.patience,
            speech: Mutex::new(speech),
            mirrors: Mirrors::default(),
        })
    }

    /// The registry, as it stands in names.
    pub(super) fn registry(&self) -> &str {
        &self.registry
    }

    /// A manifest or index by tag or digest, as it is: who asks for a digest must check it.
    pub fn manifest(&self, repository: &str, reference: &str) -> Result<Vec<u8>, RegistryError> {
        let mirrored = self.mirrors.ask(repository, |mirror, name| {
            let bytes = mirror.manifest(name, reference)?;
            reference.parse().map_or(Ok(bytes.clone()), |digest| mirror::checked(mirror, name, &digest, bytes))
        });
        if let Some(bytes) = mirrored {
            return Ok(bytes);
        }
        let path = format!("{repository}/manifests/{reference}");
        let ask = Ask { scope: Scope::Repository(repository), path, accept: MANIFESTS, from: 0, bound: Bound::Document };
        self.document(&ask, || format!("manifest {reference}")).map(|(bytes, _)| bytes)
    }

    /// A blob that is read as a whole, such as a config. The digest is not checked.
    pub fn small_blob(&self, repository: &str, digest: &Digest) -> Result<Vec<u8>, RegistryError> {
        let mirrored = self.mirrors.ask(repository, |mirror, name| mirror::checked(mirror, name, digest, mirror.small_blob(name, digest)?));
        if let Some(bytes) = mirrored {
            return Ok(bytes);
        }
        self.document(&Self::ask_blob(repository, digest, Bound::Document), || format!("blob {digest}")).map(|(bytes, _)| bytes)
    }

    /// A blob as a stream that goes on where it broke. It gives at most `size` bytes, if that is known. The digest is not checked. It takes one of the connections until it is
    /// dropped: a thread that holds one and asks for something else may wait for ever.
    pub fn blob<'c>(&'c self, repository: &str, digest: &Digest, size: Option<u64>) -> Result<BlobReader<'c>, RegistryError> {
        BlobReader::open(self, repository, digest, size)
    }

    /// `length` bytes of a blob from `from` on, which is not 0, or fewer where it ends. An error where the registry gives whole blobs only.
    pub(super) fn part(&self, repository: &str, digest: &Digest, from: u64, length: u64) -> Result<Vec<u8>, RegistryError> {
        if let Some(bytes) = self.mirrors.ask(repository, |mirror, name| mirror.part(name, digest, from, length)) {
            return Ok(bytes);
        }
        let ask = Ask { from, ..Self::ask_blob(repository, digest, Bound::Document) };
        let mut permit = self.enter();
        let read = || {
            let answer = self.once(&ask)?;
            if body::stale(&answer, from)? > 0 {
                return Err(Problem::Malformed("it gives no parts of blobs"));
            }
            let mut bytes = Vec::new();
            answer.response.into_body().into_reader().take(length).read_to_end(&mut bytes).map_err(of_read)?;
            Ok(bytes)
        };
        self.patiently(&mut permit, read).map_err(|problem| self.error(ask.scope, format!("a part of blob {digest}"), problem))
    }

    /// All tags of a repository.
    pub fn tags(&self, repository: &str) -> Result<Vec<String>, RegistryError> {
        #[derive(Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let path = format!("{repository}/tags/list?n=1000");
        self.list(Scope::Repository(repository), path, "the list of tags", is_tag, |page: Page| page.tags)
    }

    /// All repositories, where the registry lists them. Many do not, or only for some logins.
    pub fn repositories(&self) -> Result<Vec<String>, RegistryError> {
        #[derive(Deserialize)]
        struct Page {
            repositories: Option<Vec<String>>,
        }
        let path = "_catalog?n=1000".to_owned();
        self.list(Scope::Catalog, path, "the list of repositories", is_repository, |page: Page| page.repositories)
    }

    /// Indexes of what refers to a manifest: attestations, signatures. By the referrers API, or by the tag that stands in for it. None if
    /// there is nothing.
    pub fn referrers(&self, repository: &str, digest: &Digest) -> Result<Vec<Vec<u8>>, RegistryError> {
        if let Some(pages) = self.mirrors.ask(repository, |mirror, name| mirror.referrers(name, digest)) {
            return Ok(pages);
        }
        let scope = Scope::Repository(repository);
        let path = format!("{repository}/referrers/{digest}");
        let ask = Ask { scope, path, accept: MANIFESTS, from: 0, bound: Bound::Document };
        match self.pages(ask, || format!("referrers of {digest}")) {
            Ok(pages) => Ok(pages),
            Err(error) if error.problem.is_no() => {
                match self.manifest(repository, &format!("{}-{}", digest.algorithm().as_str(), digest.hex())) {
                    Ok(index) => Ok(vec![index]),
                    Err(error) if error.problem.is_no() => Ok(Vec::new()),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// What the user should know of the way to this registry: one sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = self.mirrors.notes().chain(self.auth.problems()).collect();
        if *self.speech.lock().unwrap_or_else(PoisonError::into_inner) == Some(Speech::PlainHttp) {
            notes.push(format!(
                "{} does not speak HTTPS: it was read over plain HTTP, which anybody on the way can read and change",
                self.host
            ));
        }
        notes
    }

    pub(super) fn ask_blob<'a>(repository: &'a str, digest: &Digest, bound: Bound) -> Ask<'a> {
        Ask { scope: Scope::Repository(repository), path: format!("{repository}/blobs/{digest}"), accept: "*/*", from: 0, bound }
    }

    pub(super) fn error(&self, scope: Scope<'_>, what: String, problem: Problem) -> RegistryError {
        RegistryError { registry: self.registry.clone(), repository: scope.repository().to_owned(), what, problem: Box::new(problem) }
    }

    pub(super) fn enter(&self) -> Permit<'_> {
        self.gate.enter()
    }

    /// Reads a list page by page.
    fn list<P: for<'d> Deserialize<'d>>(
        &self,
        scope: Scope<'_>,
        path: String,
        what: &str,
        is_sound: impl Fn(&str) -> bool,
        entries: impl Fn(P) -> Option<Vec<String>>,
    ) -> Result<Vec<String>, RegistryError> {
        let failed = |problem| self.error(scope, what.to_owned(), problem);
        let ask = Ask { scope, path, accept: "application/json", from: 0, bound: Bound::Document };
        let mut all = Vec::new();
        for page in self.pages(ask, || what.to_owned())? {
            let page: P = serde_json::from_slice(&page).map_err(|_| failed(Problem::Malformed("it is no list")))?;
            all.extend(entries(page).unwrap_or_default());
            if all.len() > MAX_ENTRIES {
                return Err(failed(Problem::Malformed("it lists more than a million entries")));
            }
        }
        if all.iter().all(|entry| is_sound(entry)) { Ok(all) } else { Err(failed(Problem::Malformed("it lists names that are none"))) }
    }

    /// A document and those that its `Link` headers lead to, within the bound of one.
    fn pages(&self, mut ask: Ask<'_>, what: impl Fn() -> String) -> Result<Vec<Vec<u8>>, RegistryError> {
        let failed = |problem| self.error(ask.scope, what(), problem);
        let (mut pages, mut size) = (Vec::new(), 0);
        for _ in 0..MAX_PAGES {
            let (bytes, next) = self.document(&ask, &what)?;
            size += bytes.len() as u64;
            pages.push(bytes);
            if size > MAX_DOCUMENT {
                return Err(failed(Problem::TooLarge { limit: MAX_DOCUMENT }));
            }
            match next {
                None => return Ok(pages),
                Some(path) => ask.path = path,
            }
        }
        Err(failed(Problem::Malformed("its list has no end")))
    }

    /// A document and, if it has one, the path of its next page.
    fn document(&self, ask: &Ask<'_>, what: impl Fn() -> String) -> Result<(Vec<u8>, Option<String>), RegistryError> {
        let mut permit = self.enter();
        let read = || {
            let answer = self.once(ask)?;
            let next = next_page(&answer)?;
            Ok((whole(answer.response)?, next))
        };
        self.patiently(&mut permit, read).map_err(|problem| self.error(ask.scope, what(), problem))
    }

    /// Tries again what may go better later.
    pub(super) fn patiently<T>(&self, permit: &mut Permit<'_>, step: impl FnMut() -> Result<T, Problem>) -> Result<T, Problem> {
        self.gate.patiently(permit, &self.patience, step)
    }

    /// One request, with the login and the redirects that it takes.
    pub(super) fn once(&self, ask: &Ask<'_>) -> Result<Answer, Problem> {
        let speech = self.speech()?;
        let base = self.uri(speech, &ask.path)?;
        let way = Way { transport: &self.transport, is_plain: speech == Speech::PlainHttp };
        let mut authorization = self.auth.header(ask.scope);
        let (mut uri, mut redirects, mut was_challenged) = (base.clone(), 0, false);
        loop {
            let is_own = url::is_same_origin(&uri, &base);
            if is_own {
                self.gate.pace();
            }
            // What proves who asks is for the registry alone.
            let response = self.send(&uri, ask, authorization.as_deref().filter(|_| is_own))?;
            match response.status().as_u16() {
                200..=299 => return not_html(response).map(|response| Answer { response, uri }),
                301 | 302 | 303 | 307 | 308 if redirects < MAX_REDIRECTS => {
                    redirects += 1;
                    uri = target(&uri, &response)?;
                }
                401 if is_own && was_challenged => return Err(self.auth.refused(ask.scope)),
                401 if is_own => {
                    was_challenged = true;
                    let challenges: Vec<&str> = values(&response, header::WWW_AUTHENTICATE);
                    authorization = Some(self.auth.answer(&challenges, authorization.as_deref(), ask.scope, &way)?);
                }
                status => return Err(refusal(status, is_own, response)),
            }
        }
    }

    fn send(&self, uri: &Uri, ask: &Ask<'_>, authorization: Option<&str>) -> Result<Response<Body>, Problem> {
        let range = format!("bytes={}-", ask.from);
        let mut headers = vec![("Accept", ask.accept)];
        headers.extend((ask.from > 0).then_some(("Range", range.as_str())));
        headers.extend(authorization.map(|authorization| ("Authorization", authorization)));
        self.transport.get(uri, &headers, ask.bound)
    }

    fn uri(&self, speech: Speech, path: &str) -> Result<Uri, Problem> {
        let scheme = match speech {
            Speech::Https => "https",
            Speech::PlainHttp => "http",
        };
        format!("{scheme}://{}/v2/{path}", self.host).parse().map_err(|_| Problem::Malformed("it has no such address"))
    }

    /// Finds out what the registry speaks. HTTPS is tried first; an untrusted certificate is never a reason to do without.
    fn speech(&self) -> Result<Speech, Problem> {
        let mut speech = self.speech.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = *speech {
            return Ok(known);
        }
        let may_be_plain =
            self.plain_http == PlainHttp::Anywhere || is_loopback(Uri::host(&self.uri(Speech::Https, "")?).unwrap_or_default());
        let found = if may_be_plain { self.try_both()? } else { Speech::Https };
        *speech = Some(found);
        Ok(found)
    }

    fn try_both(&self) -> Result<Speech, Problem> {
        let ping = |speech| self.transport.get(&self.uri(speech, "")?, &[], Bound::Document).map(|_| speech);
        match ping(Speech::Https) {
            Err(Problem::Tls(_) | Problem::Connect(_) | Problem::Broken(_) | Problem::Malformed(_)) => ping(Speech::PlainHttp),
            other => other,
        }
    }
}

pub(super) fn values(response: &Response<Body>, name: header::HeaderName) -> Vec<&str> {
    response.headers().get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
}

/// Where a redirect leads.
pub(super) fn target(from: &Uri, response: &Response<Body>) -> Result<Uri, Problem> {
    let location = values(response, header::LOCATION).first().and_then(|location| url::resolve(from, location));
    let uri = location.ok_or(Problem::Malformed("it redirects to nowhere"))?;
    if from.scheme_str() == Some("https") && uri.scheme_str() != Some("https") {
        let host = uri.host().unwrap_or_default().to_owned();
        return Err(Problem::Refused { host, why: "the way there is plain HTTP".to_owned() });
    }
    Ok(uri)
}

/// What a status means that is no answer.
pub(super) fn refusal(status: u16, is_own: bool, response: Response<Body>) -> Problem {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let wait = pause::asked(response.headers(), i64::try_from(now).unwrap_or(i64::MAX));
    match status {
        429 => Problem::TooManyRequests { wait },
        503 if wait.is_some() => Problem::TooManyRequests { wait },
        // A signed address may have run out: the registry makes a new one.
        401 | 403 if !is_own => Problem::Broken(format!("its storage answered with HTTP status {status}")),
        // GitHub's way to say that it was asked too often.
        403 if wait.is_some() => Problem::TooManyRequests { wait },
        403 => Problem::Forbidden,
        404 | 410 if is_html(&response) => Problem::NotARegistry("it answers with a web page"),
        404 | 410 => Problem::NotFound,
        300..=399 => Problem::Malformed("it redirects too often"),
        status => Problem::Status(status),
    }
}

fn is_html(response: &Response<Body>) -> bool {
    response.body().mime_type().is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"))
}

pub(super) fn not_html(response: Response<Body>) -> Result<Response<Body>, Problem> {
    if is_html(&response) { Err(Problem::NotARegistry("it answers with a web page")) } else { Ok(response) }
}

/// The path after `/v2/` of the next page. It must be the registry's own.
fn next_page(answer: &Answer) -> Result<Option<String>, Problem> {
    let Some(link) = values(&answer.response, header::LINK).into_iter().find_map(url::next_link) else { return Ok(None) };
    let next = url::resolve(&answer.uri, link).filter(|next| url::is_same_origin(next, &answer.uri));
    let path = next.and_then(|next| next.path_and_query()?.as_str().strip_prefix("/v2/").map(str::to_owned));
    path.map(Some).ok_or(Problem::Malformed("its next page is elsewhere"))
}

/// The whole of a document.
pub(super) fn whole(response: Response<Body>) -> Result<Vec<u8>, Problem> {
    let too_large = Problem::TooLarge { limit: MAX_DOCUMENT };
    if response.body().content_length().is_some_and(|length| length > MAX_DOCUMENT) {
        return Err(too_large);
    }
    let mut bytes = Vec::new();
    response.into_body().into_reader().take(MAX_DOCUMENT + 1).read_to_end(&mut bytes).map_err(of_read)?;
    if bytes.len() as u64 > MAX_DOCUMENT { Err(too_large) } else { Ok(bytes) }
}
