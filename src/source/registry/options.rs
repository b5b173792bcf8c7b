//! How registries are to be dealt with.

use std::path::PathBuf;
use std::time::Duration;

use super::gate::Gates;
use super::login::Logins;
use super::mirror::MirrorAddress;

/// How registries are to be dealt with. By default nobody is logged in, and nothing of the machine is looked at.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// Who asks.
    pub logins: Logins,
    /// Certificates of authorities that are trusted besides those of the system (PEM).
    pub ca_file: Option<PathBuf>,
    /// What to show to registries that want to see a certificate. No mirror and no host that a registry refers to is shown it.
    pub client_certificate: Option<ClientCertificate>,
    /// Folders in which each registry may have a folder of authorities that are trusted there, and of a client certificate.
    pub certificate_folders: Vec<PathBuf>,
    /// Mirrors, each of one registry, in the order in which they are asked.
    pub mirrors: Vec<MirrorAddress>,
    /// Where plain HTTP will do.
    pub plain_http: PlainHttp,
    /// Which hosts a registry may refer to.
    pub referrals: Referrals,
    /// How long to wait, and how often to try.
    pub patience: Patience,
    /// How much each host is asked for at a time. Clones of these options share it.
    pub gates: Gates,
}

/// A certificate that shows who asks (PEM, with its chain), and its key (PEM).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The file with the certificate.
    pub certificate: PathBuf,
    /// The file with the key, which is not encrypted.
    pub key: PathBuf,
}

/// Where plain HTTP will do, if a registry does not speak HTTPS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlainHttp {
    /// On this machine (`localhost`, 127.0.0.0/8, `::1`): nobody is in between.
    #[default]
    Loopback,
    /// Anywhere.
    Anywhere,
}

/// Which hosts a registry may refer to: for its blobs, for its tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Referrals {
    /// Public ones, and those as near as the registry itself.
    #[default]
    Guarded,
    /// All.
    Any,
}

/// How long to wait, and how often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a connection.
    pub connect: Duration,
    /// For the head of an answer.
    pub response: Duration,
    /// Between two pieces of a blob; and within it at least [`Patience::LEAST`] bytes have to come.
    pub idle: Duration,
    /// For the whole of a document.
    pub document: Duration,
    /// How often a request is made, at most.
    pub attempts: u32,
    /// Before the second attempt; doubled for each further one, and varied by chance.
    pub backoff: Duration,
    /// The longest that a registry may make us wait.
    pub longest_wait: Duration,
    /// For a credential helper.
    pub helper: Duration,
}

impl Patience {
    /// Bytes of a blob that have to come within [`Patience::idle`].
    pub const LEAST: u64 = 1024;
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            response: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            document: Duration::from_secs(300),
            attempts: 5,
            backoff: Duration::from_millis(500),
            longest_wait: Duration::from_secs(120),
            helper: Duration::from_secs(60),
        }
    }
}
