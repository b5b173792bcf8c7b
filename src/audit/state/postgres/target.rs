//! Which server and database a URL names, and how to get there. The password stays in here: no error quotes any part of a URL that could be one.

use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use postgres::config::{Host, SslMode};
use postgres::{Client, Config, NoTls};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The variable that PostgreSQL's own programs read as well.
const PASSWORD: &str = "PGPASSWORD";

/// How long a connection may take to come about.
const PATIENCE: Duration = Duration::from_secs(15);

/// When a silent connection is looked after.
const SILENCE: Duration = Duration::from_secs(60);

/// A database that can be connected to.
pub(super) struct Target {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    place: String,
}

impl Target {
    /// Reads a URL. TLS, where the URL asks for it or the server offers it, is with a server whose certificate is right: from an authority of this machine,
    /// or one in the file that `sslrootcert` names.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let (url, authorities) = split(url)?;
        // What the parser says may hold a part of a password that was taken for something else.
        let mut config = Config::from_str(&url).map_err(|_| {
            "the URL cannot be read; it is `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require`, and has only parameters that are known".to_owned()
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err("the URL names no host".to_owned());
        }
        if let (None, Some(password)) = (config.get_password(), std::env::var_os(PASSWORD)) {
            config.password(password.into_encoded_bytes());
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        config.application_name("layersift").keepalives_idle(SILENCE).tcp_user_timeout(SILENCE);
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            _ => Some(connector(authorities.as_deref().map(Path::new))?),
        };
        Ok(Self { place: place(&config), config, tls })
    }

    /// The server and the database, for people.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Connects.
    pub(super) fn connect(&self) -> Result<Client, postgres::Error> {
        match &self.tls {
            Some(tls) => self.config.connect(tls.clone()),
            None => self.config.connect(NoTls),
        }
    }
}

/// The URL as the parser knows it, and the file of authorities.
fn split(url: &str) -> Result<(String, Option<String>), String> {
    // Where a password holds these, the rest of it would be taken for a host or a parameter, and shown.
    let authority = url.split_once("://").map_or("", |(_, rest)| rest).split(['/', '?']).next().unwrap_or_default();
    if authority.matches('@').count() != url.matches('@').count() || url.matches('@').count() > 1 {
        return Err(
            "in the user and the password of a URL, `@` is written `%40`, `/` is written `%2F`, and `?` is written `%3F`".to_owned()
        );
    }
    let Some((base, query)) = url.split_once('?') else { return Ok((url.to_owned(), None)) };
    let mut authorities = None;
    let mut kept = Vec::new();
    for parameter in query.split('&') {
        match parameter.split_once('=') {
            Some(("sslrootcert", file)) => authorities = Some(decode(file)?),
            // A certificate is never taken without looking, so these ask for nothing more.
            Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
            _ => kept.push(parameter),
        }
    }
    Ok((format!("{base}?{}", kept.join("&")), authorities))
}

/// Undoes the escapes of a parameter, by the parser's own rules.
fn decode(value: &str) -> Result<String, String> {
    let read = Config::from_str(&format!("postgres://?application_name={value}"));
    let value = read.ok().and_then(|config| config.get_application_name().map(str::to_owned));
    value.ok_or_else(|| "`sslrootcert` of the URL cannot be read".to_owned())
}

fn place(config: &Config) -> String {
    let ports = config.get_ports();
    let name = |(at, host): (usize, &Host)| match host {
        Host::Tcp(host) => format!("{host}:{}", ports.get(at).or(ports.first()).unwrap_or(&5432)),
        #[cfg(unix)]
        Host::Unix(folder) => folder.display().to_string(),
    };
    let hosts: Vec<String> = config.get_hosts().iter().enumerate().map(name).collect();
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("PostgreSQL at {}, database {database}", hosts.join(","))
}

fn connector(file: Option<&Path>) -> Result<MakeRustlsConnect, String> {
    let mut roots = RootCertStore::empty();
    match file {
        // As PostgreSQL's own programs have it, these are in the place of the system's.
        Some(file) => {
            let failed = |problem: String| format!("sslrootcert {}: {problem}", file.display());
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(error.to_string()))? {
                let certificate = certificate.map_err(|error| failed(error.to_string()))?;
                roots.add(certificate).map_err(|error| failed(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(failed("there is no certificate in it".to_owned()));
            }
        }
        // Single certificates that cannot be read are the system's affair; the others are there.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn place_of(url: &str) -> String {
        Target::new(url).unwrap_or_else(|problem| panic!("{problem}")).place
    }

    #[test]
    fn a_place_has_no_password() {
        assert_eq!(
            place_of("postgres://me:pass@db.example.org/audit?sslmode=disable"),
            "PostgreSQL at db.example.org:5432, database audit"
        );
        assert_eq!(place_of("postgresql://me:p%40ss@a:1,b:2/audit?sslmode=disable"), "PostgreSQL at a:1,b:2, database audit");
        assert_eq!(place_of("postgres://me@[::1]:7/?sslmode=disable"), "PostgreSQL at ::1:7, database me");
    }

    #[test]
    fn errors_quote_nothing_of_a_url() {
        for url in ["postgres://me:pa@ss@h/db", "postgres://me:pa?ss@h/db", "postgres://me:pa/ss@h/db", "postgres://h/db?password=pa@ss"] {
            let problem = Target::new(url).err().unwrap_or_default();
            assert!(problem.contains("`%40`") && !problem.contains("pa") | problem.contains("password"), "{problem}");
            assert!(!problem.contains("ss@"), "{problem}");
        }
        for url in ["postgres://h/db?sslmode=secret", "postgres://h/db?secret=secret", "postgres://h:secret/db", "postgres://h/db?secret"] {
            let problem = Target::new(url).err().unwrap_or_default();
            assert!(problem.contains("cannot be read") && !problem.contains("secret"), "{problem}");
        }
        assert_eq!(Target::new("postgres:///db").err().as_deref(), Some("the URL names no host"));
    }

    #[test]
    fn authorities_come_from_a_file() {
        let (url, file) = split("postgres://h/db?sslmode=verify-full&sslrootcert=/a%20b&connect_timeout=3").unwrap_or_default();
        assert_eq!((url.as_str(), file.as_deref()), ("postgres://h/db?sslmode=require&connect_timeout=3", Some("/a b")));
        let problem = Target::new("postgres://h/db?sslrootcert=/missing/ca.pem").err().unwrap_or_default();
        assert!(problem.starts_with("sslrootcert /missing/ca.pem: "), "{problem}");
    }
}
