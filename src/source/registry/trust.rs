//! Whom to believe at a registry's host, and what to show there for oneself: authorities and client certificates, from files that the user names and
//! from the folders in which Docker and Podman look for them.
//!
//! A folder has one of its own for each registry, called `HOST` or `HOST:PORT`: there each `*.crt` is an authority, and `NAME.cert` with `NAME.key`
//! a certificate for clients. What lies there is for that registry alone, and so is the client certificate that the user names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::error::Problem;
use super::options::{ClientCertificate, RegistryOptions};

/// The folders in which Docker and Podman look for certificates, the user's own first.
pub fn certificate_folders() -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = variable("XDG_CONFIG_HOME").or_else(|| std::env::home_dir().map(|home| home.join(".config")));
    let own = config.map(|config| config.join("containers/certs.d"));
    own.into_iter().chain(["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from)).collect()
}

/// How TLS is spoken.
pub(super) struct Trust {
    /// With a registry itself.
    pub(super) own: TlsConfig,
    /// With the hosts that it refers to: only what the system and the user's file say is trusted, and nothing is shown.
    pub(super) others: TlsConfig,
}

impl Trust {
    /// For a registry; `names` are what its folders may be called.
    pub(super) fn new(names: &[&str], options: &RegistryOptions) -> Result<Self, Problem> {
        let files = files(names, &options.certificate_folders)?;
        let ends = |end: &str| files.iter().filter(|path| path.extension().is_some_and(|known| known == end)).collect::<Vec<_>>();
        let client = options.client_certificate.clone().or_else(|| {
            let certificate = ends("cert").first()?.to_path_buf();
            Some(ClientCertificate { key: certificate.with_extension("key"), certificate })
        });
        let client = client.as_ref().map(client_certificate).transpose()?;
        // Single certificates of the system that cannot be read are the system's affair; the others are there.
        let system = rustls_native_certs::load_native_certs().certs;
        let mut trusted: Vec<Certificate<'static>> = system.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        if let Some(path) = &options.ca_file {
            trusted.extend(certificates(path)?);
        }
        let others = TlsConfig::builder().root_certs(roots(&trusted)).build();
        for path in ends("crt") {
            trusted.extend(certificates(path)?);
        }
        Ok(Self { own: TlsConfig::builder().root_certs(roots(&trusted)).client_cert(client).build(), others })
    }
}

/// Where the system has no authorities, as in an empty container, and the user names none, Mozilla's.
fn roots(trusted: &[Certificate<'static>]) -> RootCerts {
    if trusted.is_empty() { RootCerts::WebPki } else { RootCerts::new_with_certs(trusted) }
}

/// The files for a registry, in order, of the first folder that has any.
fn files(names: &[&str], folders: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    for folder in folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name))) {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries.collect::<io::Result<Vec<_>>>(),
            // What is for others to look into is for others: who needs it is told by the registry.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied) =>
            {
                continue;
            }
            Err(error) => Err(error),
        };
        let entries = entries.map_err(|error| failed(&folder, &error.to_string()))?;
        let mut files: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
        files.sort_unstable();
        if !files.is_empty() {
            return Ok(files);
        }
    }
    Ok(Vec::new())
}

fn client_certificate(files: &ClientCertificate) -> Result<ClientCert, Problem> {
    let (chain, pem) = (certificates(&files.certificate)?, read(&files.key)?);
    let none = |_| failed(&files.key, "there is no private key in it that is not encrypted");
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(none)?;
    // The transport takes for granted that both fit.
    let ders = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
    CertifiedKey::from_der(ders, key, &default_provider()).map_err(|error| {
        let problem = match error {
            rustls::Error::InconsistentKeys(_) => format!("it is not the key of {}", files.certificate.display()),
            _ => "with it nothing can be signed".to_owned(),
        };
        failed(&files.key, &problem)
    })?;
    let key = PrivateKey::from_pem(&pem).map_err(|_| failed(&files.key, "it is not PEM"))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Problem> {
    let mut found = Vec::new();
    for item in parse_pem(&read(path)?) {
        match item {
            Ok(PemItem::Certificate(certificate)) => found.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(failed(path, "it is not PEM")),
        }
    }
    if found.is_empty() { Err(failed(path, "there is no certificate in it")) } else { Ok(found) }
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    fs::read(path).map_err(|error| failed(path, &error.to_string()))
}

fn failed(path: &Path, problem: &str) -> Problem {
    Problem::TlsFile { path: path.to_owned(), problem: problem.to_owned() }
}
