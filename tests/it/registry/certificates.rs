//! Certificates for servers and clients, made anew for each test.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// An authority of a test's own.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate, PEM.
    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server that goes by `name`.
    pub(super) fn server(&self, name: &str) -> Arc<ServerConfig> {
        self.server_of(CertificateParams::new([name.to_owned()]).unwrap(), None)
    }

    /// A server whose certificate ran out long ago.
    pub(super) fn expired_server(&self, name: &str) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        self.server_of(params, None)
    }

    /// A server that wants a certificate of the same authority from its clients.
    pub(super) fn strict_server(&self, name: &str) -> Arc<ServerConfig> {
        self.server_of(CertificateParams::new([name.to_owned()]).unwrap(), Some(self))
    }

    /// A certificate for a client and its key, PEM.
    pub(super) fn client(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["a client".to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn server_of(&self, params: CertificateParams, clients: Option<&Self>) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let chain: Vec<CertificateDer<'static>> = vec![params.signed_by(&key, &self.0).unwrap().der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.0.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        Arc::new(builder.with_single_cert(chain, key).unwrap())
    }
}
