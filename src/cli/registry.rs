//! What the user says about registries: flags, the environment, and the files in which other tools keep logins.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use crate::source::Reference;
use crate::source::registry::{
    ClientCertificate, Credential, Logins, MirrorAddress, PlainHttp, Referrals, RegistryOptions, certificate_folders, registry_of,
};

/// The variables that together hold a login: for which registry, and whose.
pub(super) const VARIABLES: [&str; 3] = ["LAYERSIFT_REGISTRY", "LAYERSIFT_REGISTRY_USERNAME", "LAYERSIFT_REGISTRY_PASSWORD"];

/// Longest password.
const MAX_PASSWORD: u64 = 64 << 10;

/// How to deal with registries. Nothing of it can be set in a project file or a variable: who commits a file must not say whom to trust.
#[derive(Debug, Clone, Args)]
pub(super) struct RegistryArguments {
    /// User for the registry of the images; without it, what `docker login` and `podman login` keep is used
    #[arg(long, value_name = "NAME", requires = "password_stdin", help_heading = "Registry")]
    username: Option<String>,

    /// Read the password, or a token, from standard input
    #[arg(long, requires = "username", help_heading = "Registry")]
    password_stdin: bool,

    /// Trust the certificates of these authorities (PEM) besides those of the system
    #[arg(long, value_name = "FILE", help_heading = "Registry")]
    ca_file: Option<PathBuf>,

    /// Show this certificate (PEM) to the registries of the images, if they want to see one; without it, Docker's and Podman's certs.d folders are looked at
    #[arg(long, value_name = "FILE", requires = "client_key", help_heading = "Registry")]
    client_cert: Option<PathBuf>,

    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "client_cert", help_heading = "Registry")]
    client_key: Option<PathBuf>,

    /// Ask this mirror first, and the registry itself where the mirror fails; without REGISTRY it is one of Docker Hub. May be given more than once
    #[arg(long, value_name = "[REGISTRY=]URL", help_heading = "Registry")]
    registry_mirror: Vec<String>,

    /// Use plain HTTP where a registry does not speak HTTPS; on this machine it is used without this flag
    #[arg(long, help_heading = "Registry")]
    insecure: bool,

    /// Follow a registry's redirects into the local network and to this machine
    #[arg(long, help_heading = "Registry")]
    allow_internal_hosts: bool,
}

impl RegistryArguments {
    /// What is meant, for these targets.
    pub(super) fn options(&self, targets: &[Reference]) -> Result<RegistryOptions, CliError> {
        let files = Logins::of_this_machine().files;
        let given = match &self.username {
            Some(username) => Some((self.registry_of(targets)?, Credential::password(username, &password(targets)?))),
            None => from_environment(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?,
        };
        let client = self.client_cert.clone().zip(self.client_key.clone());
        // What is wrong is not repeated, as clap would: a password may stand in it.
        let mirrors = self.registry_mirror.iter().map(|text| text.parse::<MirrorAddress>()).collect::<Result<_, _>>();
        Ok(RegistryOptions {
            logins: Logins { given, files },
            ca_file: self.ca_file.clone(),
            client_certificate: client.map(|(certificate, key)| ClientCertificate { certificate, key }),
            certificate_folders: certificate_folders(),
            mirrors: mirrors.map_err(CliError::Mirror)?,
            plain_http: if self.insecure { PlainHttp::Anywhere } else { PlainHttp::Loopback },
            referrals: if self.allow_internal_hosts { Referrals::Any } else { Referrals::Guarded },
            ..RegistryOptions::default()
        })
    }

    /// The one registry that a login can be for.
    fn registry_of(&self, targets: &[Reference]) -> Result<String, CliError> {
        let registries: BTreeSet<&str> = targets
            .iter()
            .filter_map(|target| match target {
                Reference::Registry(name) => Some(name.registry()),
                _ => None,
            })
            .collect();
        match registries.into_iter().collect::<Vec<_>>()[..] {
            [one] => Ok(one.to_owned()),
            [] => Err(CliError::Login("no image here is in a registry".to_owned())),
            _ => Err(CliError::Login("the images are in several registries, and a login is for one".to_owned())),
        }
    }
}

/// A password that others may see in the environment of the process must at least say where it may be sent.
fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Option<(String, Credential)>, CliError> {
    match VARIABLES.map(variable) {
        [Some(registry), Some(username), Some(password)] => {
            Ok(Some((registry_of(&registry).to_owned(), Credential::password(&username, &password))))
        }
        [_, None, None] => Ok(None),
        values => {
            let missing = VARIABLES.iter().zip(&values).find(|(_, value)| value.is_none()).map_or("", |(name, _)| name);
            Err(CliError::Login(format!("{missing} is not set, and {} belong together", VARIABLES.join(", "))))
        }
    }
}

/// Standard input up to the end of its first line.
fn password(targets: &[Reference]) -> Result<String, CliError> {
    if targets.contains(&Reference::Stdin) {
        return Err(CliError::Login("standard input cannot be an image and a password".to_owned()));
    }
    let mut text = String::new();
    let read = io::stdin().lock().take(MAX_PASSWORD).read_to_string(&mut text);
    read.map_err(|error| CliError::Login(format!("the password cannot be read: {error}")))?;
    match text.lines().next() {
        Some(password) if !password.is_empty() => Ok(password.to_owned()),
        _ => Err(CliError::Login("there is no password on standard input".to_owned())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_login_of_the_environment_names_its_registry() {
        let find = |set: &[&str]| from_environment(|name| set.contains(&name).then(|| "x".to_owned()));
        assert!(find(&[]).unwrap().is_none() && find(&VARIABLES[..1]).unwrap().is_none());
        assert_eq!(find(&VARIABLES).unwrap().unwrap().0, "x");
        for part in [&VARIABLES[1..], &VARIABLES[..2], &VARIABLES[2..]] {
            assert!(find(part).unwrap_err().to_string().contains("is not set"), "{part:?}");
        }
    }

    #[test]
    fn a_login_is_for_one_registry() {
        let arguments = RegistryArguments {
            username: Some("x".to_owned()),
            password_stdin: true,
            ca_file: None,
            client_cert: None,
            client_key: None,
            registry_mirror: Vec::new(),
            insecure: false,
            allow_internal_hosts: false,
        };
        let of = |targets: &[&str]| {
            let targets: Vec<Reference> = targets.iter().map(|target| Reference::parse(target).unwrap()).collect();
            arguments.registry_of(&targets).map_err(|error| error.to_string())
        };
        assert_eq!(of(&["example:", "registry:a.example/x", "registry:a.example/y"]), Ok("a.example".to_owned()));
        assert!(of(&["registry:a.example/x", "registry:b.example/x"]).unwrap_err().contains("several"));
        assert!(of(&["example:"]).unwrap_err().contains("no image"));
    }
}
