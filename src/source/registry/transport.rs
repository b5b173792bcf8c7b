//! One request, one answer: HTTP with bounds on time and size, and on where it may lead. Follows no redirect and knows no login.

use std::io;
use std::sync::OnceLock;

use ureq::config::Config;
use ureq::http::{Response, Uri};
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, Error, Proxy, Timeout};

use super::error::Problem;
use super::options::{Patience, Referrals, RegistryOptions};
use super::reach::{Guarded, OutOfReach, Reach, is_loopback};
use super::trust::Trust;

/// What a registry is told that asks who is there.
const USER_AGENT: &str = concat!("layersift/", env!("CARGO_PKG_VERSION"));

/// What an answer's body is, which bounds the time it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// A document: read as a whole, within [`Patience::document`].
    Document,
    /// A blob: may take as long as it takes, if it goes on.
    Blob,
}

/// Speaks HTTP with a registry and the hosts that it refers to.
pub(super) struct Transport {
    /// The registry's host, without port.
    host: String,
    patience: Patience,
    referrals: Referrals,
    /// For all others.
    tls: TlsConfig,
    /// For the registry itself.
    own: Agent,
    /// For all others, and where they may be.
    others: OnceLock<(Reach, Agent)>,
}

impl Transport {
    /// For `registry`, which is at `authority`: host, and port where there is one.
    pub(super) fn new(registry: &str, authority: &str, options: &RegistryOptions) -> Result<Self, Problem> {
        let host = authority.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
        let host = host.ok_or(Problem::UnknownHost)?;
        let trust = Trust::new(&[registry, authority], options)?;
        let own = Agent::new_with_config(config(&options.patience, &trust.own, proxy_for(&host)));
        Ok(Self { host, patience: options.patience, referrals: options.referrals, tls: trust.others, own, others: OnceLock::new() })
    }

    /// Asks for `uri`.
    pub(super) fn get(&self, uri: &Uri, headers: &[(&str, &str)], bound: Bound) -> Result<Response<Body>, Problem> {
        let mut request = self.agent(uri)?.get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let whole = (bound == Bound::Document).then_some(self.patience.document);
        request.config().timeout_global(whole).build().call().map_err(|error| problem(error, uri))
    }

    /// Posts a form, and asks for the answer.
    pub(super) fn post(&self, uri: &Uri, form: &[(&str, &str)]) -> Result<Response<Body>, Problem> {
        let request = self.agent(uri)?.post(uri).config().timeout_global(Some(self.patience.document)).build();
        request.send_form(form.iter().copied()).map_err(|error| problem(error, uri))
    }

    /// Posts a JSON document, and asks for the answer.
    pub(super) fn post_json(&self, uri: &Uri, document: &str) -> Result<Response<Body>, Problem> {
        let request = self.agent(uri)?.post(uri).content_type("application/json").header("Accept", "application/json");
        let request = request.config().timeout_global(Some(self.patience.document)).build();
        request.send(document).map_err(|error| problem(error, uri))
    }

    fn agent(&self, uri: &Uri) -> Result<&Agent, Problem> {
        let host = uri.host().unwrap_or_default();
        if host.eq_ignore_ascii_case(&self.host) {
            return Ok(&self.own);
        }
        let (reach, agent) = self.others.get_or_init(|| self.make_others());
        reach.check_host(host).map_err(|refused| Problem::Refused { host: host.to_owned(), why: refused.to_string() })?;
        Ok(agent)
    }

    fn make_others(&self) -> (Reach, Agent) {
        let proxy = Proxy::try_from_env();
        let reach = match self.referrals {
            Referrals::Any => Reach::Anywhere,
            Referrals::Guarded => Reach::of(&self.host),
        };
        let guarded = Guarded { reach: reach.clone(), resolver: DefaultResolver::default() };
        (reach, Agent::with_parts(config(&self.patience, &self.tls, proxy), DefaultConnector::default(), guarded))
    }
}

fn config(patience: &Patience, tls: &TlsConfig, proxy: Option<Proxy>) -> Config {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .tls_config(tls.clone())
        .proxy(proxy)
        .user_agent(USER_AGENT)
        .accept_encoding("identity")
        .timeout_resolve(Some(patience.connect))
        .timeout_connect(Some(patience.connect))
        .timeout_send_request(Some(patience.response))
        .timeout_recv_response(Some(patience.response))
        .timeout_per_read(Some(patience.idle))
        .build()
}

/// This machine is never asked through a proxy.
fn proxy_for(host: &str) -> Option<Proxy> {
    if is_loopback(host) { None } else { Proxy::try_from_env() }
}

/// What an error means for people. What servers say is not quoted.
fn problem(error: Error, uri: &Uri) -> Problem {
    match error {
        Error::Io(error) => of_io(error),
        Error::Timeout(timeout) => Problem::Slow(match timeout {
            Timeout::Resolve => "no address for its name came",
            Timeout::Connect => "no connection came about",
            Timeout::RecvResponse => "no answer came",
            Timeout::PerRead => "nothing more came",
            _ => "the answer did not come to its end",
        }),
        Error::HostNotFound => Problem::UnknownHost,
        Error::Rustls(error) => of_tls(&error),
        Error::Tls(what) => Problem::Tls(what.to_owned()),
        Error::LargeResponseHeader(..) => Problem::Malformed("its head is too large"),
        Error::ConnectProxyFailed(_) | Error::InvalidProxyUrl => Problem::Connect("the proxy does not connect".to_owned()),
        Error::Other(error) => match error.downcast_ref::<OutOfReach>() {
            Some(refused) => Problem::Refused { host: uri.host().unwrap_or_default().to_owned(), why: refused.to_string() },
            None => Problem::Broken("no connection".to_owned()),
        },
        _ => Problem::Malformed("it is not HTTP"),
    }
}

/// What went wrong while a body was read.
pub(super) fn of_read(error: io::Error) -> Problem {
    problem(Error::from(error), &Uri::default())
}

fn of_io(error: io::Error) -> Problem {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return of_tls(tls);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Problem::Connect("it was refused".to_owned()),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => {
            Problem::Connect(error.to_string())
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Problem::Slow("nothing more came"),
        // No kind of its own says that a name has no address.
        _ if error.to_string().contains("failed to lookup address") => Problem::UnknownHost,
        _ => Problem::Broken(error.to_string()),
    }
}

fn of_tls(error: &rustls::Error) -> Problem {
    use rustls::{AlertDescription as Alert, CertificateError as Why};
    match error {
        rustls::Error::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied,
        ) => Problem::ClientCertificate,
        rustls::Error::InvalidCertificate(why) => Problem::Certificate(match why {
            Why::UnknownIssuer => "it was issued by an unknown authority".to_owned(),
            Why::BadSignature => "it was signed by another authority than it names".to_owned(),
            Why::Expired | Why::ExpiredContext { .. } => "it has expired".to_owned(),
            Why::NotValidYet | Why::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
            Why::NotValidForName | Why::NotValidForNameContext { .. } => "it is for another host".to_owned(),
            _ => format!("{why}"),
        }),
        other => Problem::Tls(other.to_string()),
    }
}
