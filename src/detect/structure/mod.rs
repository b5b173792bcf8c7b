//! Parsers that tell a credential from a text that merely looks like one: a key that is a key, a token whose parts decode.
//!
//! Pure: bytes in, a verdict and public facts out. No passphrase is tried, no clock is read (an expiry is told, never judged), and no
//! note holds a part of the secret. Work is linear in the input, and no input panics.

mod der;
mod jwt;
mod key;
mod keystore;
mod password;
mod pem;
mod pgp;
pub(crate) mod public;
mod putty;
mod sample;
mod ssh;
mod text;
mod token;

use crate::finding::{KeyFacts, Severity};

pub use sample::sample;

/// A structure that rules can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StructureKind {
    /// JSON web token, three parts with dots.
    Jwt,
    /// PEM block of a private key, of OpenSSL or OpenSSH.
    PemPrivateKey,
    /// Armoured OpenPGP private key.
    PgpPrivateKey,
    /// PuTTY key file.
    PuttyPrivateKey,
    /// Macaroon of PyPI.
    PypiMacaroon,
    /// Java key store, or the JCEKS variant.
    Jks,
    /// PKCS#12 file.
    Pkcs12,
    /// PKCS#1, PKCS#8, SEC1 or DSA private key as a binary file.
    DerPrivateKey,
    /// `user:password` as Docker's `auth` holds it, decoded or in base64.
    DockerAuth,
    /// SendGrid API key.
    Sendgrid,
    /// Discord bot token.
    DiscordBot,
    /// JFrog reference token.
    JfrogReference,
}

/// What a parser found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Where the content says more than the rule knows.
    pub severity: Option<Severity>,
    /// For private keys.
    pub key: Option<KeyFacts>,
    /// For people; never a part of the secret.
    pub note: Option<String>,
    /// When it ceases to work, in seconds since 1970, where it says so itself.
    pub expires: Option<i64>,
}

/// What a text is, to a parser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// It is what it looks like: confidence becomes confirmed.
    Proved(Facts),
    /// Nothing speaks against it: confidence stays.
    Plausible(Facts),
    /// It is one, and known to all: listed, never gating.
    Dummy {
        /// One word for reports.
        reason: &'static str,
        /// The same for people.
        detail: String,
    },
    /// It is not one: no finding.
    No,
}

impl StructureKind {
    /// All, with the names rule files use.
    pub const ALL: [(StructureKind, &'static str); 12] = [
        (StructureKind::Jwt, "jwt"),
        (StructureKind::PemPrivateKey, "pem-private-key"),
        (StructureKind::PgpPrivateKey, "pgp-private-key"),
        (StructureKind::PuttyPrivateKey, "putty-private-key"),
        (StructureKind::PypiMacaroon, "pypi-macaroon"),
        (StructureKind::Jks, "jks"),
        (StructureKind::Pkcs12, "pkcs12"),
        (StructureKind::DerPrivateKey, "der-private-key"),
        (StructureKind::DockerAuth, "docker-auth"),
        (StructureKind::Sendgrid, "sendgrid"),
        (StructureKind::DiscordBot, "discord-bot"),
        (StructureKind::JfrogReference, "jfrog-reference"),
    ];

    /// The kind a rule file names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// The name in rule files.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

/// What is private of a key's text without its marks.
pub fn private_text(text: &[u8]) -> &[u8] {
    pem::private_text(text)
}

/// Parses a text, or the first bytes (at least 64 KiB, or all) of a file.
pub fn parse(kind: StructureKind, bytes: &[u8]) -> Parsed {
    match kind {
        StructureKind::Jwt => jwt::parse(bytes),
        StructureKind::PemPrivateKey => pem::parse(bytes),
        StructureKind::PgpPrivateKey => pgp::parse(bytes),
        StructureKind::PuttyPrivateKey => putty::parse(bytes),
        StructureKind::PypiMacaroon => token::pypi(bytes),
        StructureKind::Jks => keystore::jks(bytes),
        StructureKind::Pkcs12 => keystore::pkcs12(bytes),
        StructureKind::DerPrivateKey => key::parse(bytes).map_or(Parsed::No, |facts| Parsed::Proved(Facts::key(facts))),
        StructureKind::DockerAuth => token::docker_auth(bytes),
        StructureKind::Sendgrid => token::sendgrid(bytes),
        StructureKind::DiscordBot => token::discord_bot(bytes),
        StructureKind::JfrogReference => token::jfrog_reference(bytes),
    }
}

impl Facts {
    fn key(key: KeyFacts) -> Facts {
        Facts { key: Some(key), ..Facts::default() }
    }

    fn note(note: impl Into<String>) -> Facts {
        Facts { note: Some(note.into()), ..Facts::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for (kind, name) in StructureKind::ALL {
            assert_eq!(StructureKind::from_name(name), Some(kind));
            assert_eq!(kind.name(), name);
        }
        assert_eq!(StructureKind::from_name("asn1"), None);
    }

    #[test]
    fn samples_of_all_kinds_are_accepted_and_no_damage_panics() {
        let mut state = 5u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        for (kind, name) in StructureKind::ALL {
            for _ in 0..20 {
                let whole = sample(kind, "", &mut random);
                assert!(matches!(parse(kind, &whole), Parsed::Proved(_) | Parsed::Plausible(_)), "{name}");
                for _ in 0..40 {
                    let mut damaged = whole.clone();
                    for _ in 0..1 + random() % 4 {
                        let at = usize::from(random()) << 8 | usize::from(random());
                        let at = at % damaged.len();
                        damaged[at] = random();
                    }
                    damaged.truncate(damaged.len() - usize::from(random()) % damaged.len().min(200));
                    for (kind, _) in StructureKind::ALL {
                        parse(kind, &damaged);
                    }
                }
            }
        }
    }

    #[test]
    fn noise_is_nothing() {
        let mut state = 9u64;
        for (kind, name) in StructureKind::ALL.into_iter().filter(|(kind, _)| *kind != StructureKind::DockerAuth) {
            for length in 0..200 {
                let noise: Vec<u8> = (0..length)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        (state >> 40) as u8
                    })
                    .collect();
                assert_eq!(parse(kind, &noise), Parsed::No, "{name}");
            }
        }
    }
}
