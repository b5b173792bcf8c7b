//! Where an engine is: what the environment says, what the client's context says, or where engines usually are.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{Engine, EngineProblem, context};

/// Docker's port, and the one with TLS.
const PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;

/// A place that an engine answers at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) address: Address,
    pub(super) tls: Option<Tls>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A unix socket.
    Socket(PathBuf),
    /// Host and port, and perhaps a path below which the engine answers.
    Host(String),
}

/// How an engine proves who it is, and who asks it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tls {
    /// With `ca.pem`, `cert.pem` and `key.pem`.
    pub(super) folder: PathBuf,
    pub(super) verification: Verification,
}

/// Whether the engine has to prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verification {
    On,
    /// The user's context says so.
    Off,
}

/// The environment, as far as it says where engines are.
struct Surroundings<'e> {
    variable: &'e dyn Fn(&str) -> Option<String>,
    exists: &'e dyn Fn(&Path) -> bool,
}

impl Endpoint {
    /// Where `engine` is.
    pub(super) fn of(engine: Engine) -> Result<Self, EngineProblem> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let surroundings = Surroundings { variable: &variable, exists: &|path| path.exists() };
        match engine {
            Engine::Docker => surroundings.docker(),
            Engine::Podman => surroundings.podman(),
        }
    }

    /// What a request's path is put behind.
    pub(super) fn base(&self) -> String {
        match (&self.address, &self.tls) {
            // Nobody asks a socket for its host.
            (Address::Socket(_), _) => "http://127.0.0.1".to_owned(),
            (Address::Host(host), None) => format!("http://{host}"),
            (Address::Host(host), Some(_)) => format!("https://{host}"),
        }
    }

    /// Reads `SCHEME://PLACE`, which `what` says.
    fn parse(host: &str, what: &str, tls: Option<Tls>) -> Result<Self, EngineProblem> {
        let wrong = |problem: &str| EngineProblem::Setting { what: what.to_owned(), problem: problem.to_owned() };
        let (scheme, place) = host.split_once("://").ok_or_else(|| wrong("it is not of the form SCHEME://PLACE"))?;
        let place = if scheme == "unix" { place } else { place.trim_end_matches('/') };
        match scheme {
            _ if place.is_empty() => Err(wrong("it names no place")),
            "unix" => Ok(Self { address: Address::Socket(PathBuf::from(place)), tls: None }),
            "tcp" | "http" | "https" if place.contains('@') => Err(wrong("logins are not supported")),
            "tcp" | "http" => Ok(Self { address: Address::Host(with_port(place, tls.is_some())), tls }),
            "https" => {
                let tls = tls.unwrap_or(Tls { folder: PathBuf::new(), verification: Verification::On });
                Ok(Self { address: Address::Host(with_port(place, true)), tls: Some(tls) })
            }
            "npipe" => Err(EngineProblem::Unsupported("named pipes".to_owned())),
            other => Err(EngineProblem::Unsupported(other.to_owned())),
        }
    }
}

fn with_port(place: &str, is_tls: bool) -> String {
    let (host, path) = place.split_once('/').map_or((place, String::new()), |(host, path)| (host, format!("/{path}")));
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let port = if is_tls { TLS_PORT } else { PORT };
    if has_port { format!("{host}{path}") } else { format!("{host}:{port}{path}") }
}

impl Surroundings<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }

    fn home(&self) -> PathBuf {
        PathBuf::from(self.variable("HOME").or_else(|| self.variable("USERPROFILE")).unwrap_or_default())
    }

    /// As Docker's client does it: `DOCKER_HOST`, then the context, then the usual socket.
    fn docker(&self) -> Result<Endpoint, EngineProblem> {
        let folder = self.variable("DOCKER_CONFIG").map_or_else(|| self.home().join(".docker"), PathBuf::from);
        let tls = || {
            self.variable("DOCKER_TLS_VERIFY")?;
            let folder = self.variable("DOCKER_CERT_PATH").map_or_else(|| folder.clone(), PathBuf::from);
            Some(Tls { folder, verification: Verification::On })
        };
        if let Some(host) = self.variable("DOCKER_HOST") {
            return Endpoint::parse(&host, "DOCKER_HOST", tls());
        }
        if let Some(context) = context::current(&folder, self.variable("DOCKER_CONTEXT").as_deref())? {
            let verification = if context.skips_verification { Verification::Off } else { Verification::On };
            let tls = context.certificates.map(|folder| Tls { folder, verification });
            return Endpoint::parse(&context.host, "Docker context", tls);
        }
        if cfg!(windows) {
            return Endpoint::parse("npipe:////./pipe/docker_engine", "Docker's usual place", None);
        }
        let run = self.variable("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("docker.sock"));
        Ok(self.first_socket([Some("/var/run/docker.sock".into()), run, Some(self.home().join(".docker/run/docker.sock"))]))
    }

    fn podman(&self) -> Result<Endpoint, EngineProblem> {
        if let Some(host) = self.variable("CONTAINER_HOST") {
            return Endpoint::parse(&host, "CONTAINER_HOST", None);
        }
        let run = self.variable("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("podman/podman.sock"));
        Ok(self.first_socket([run, Some("/run/podman/podman.sock".into())]))
    }

    /// The first socket that is there, or the first one, so that an error names it.
    fn first_socket<const N: usize>(&self, candidates: [Option<PathBuf>; N]) -> Endpoint {
        let mut candidates = candidates.into_iter().flatten().peekable();
        let first = candidates.peek().cloned().unwrap_or_default();
        let path = candidates.find(|path| (self.exists)(path)).unwrap_or(first);
        Endpoint { address: Address::Socket(path), tls: None }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Socket(path) => write!(f, "unix://{}", path.display()),
            Address::Host(host) => write!(f, "tcp://{host}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn docker(variables: &[(&str, &str)]) -> Result<Endpoint, EngineProblem> {
        surrounded(variables, |surroundings| surroundings.docker())
    }

    fn surrounded<T>(variables: &[(&str, &str)], ask: impl Fn(&Surroundings<'_>) -> T) -> T {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let exists = |path: &Path| path == Path::new("/run/user/7/docker.sock");
        ask(&Surroundings { variable: &variable, exists: &exists })
    }

    #[test]
    fn the_environment_says_where_docker_is() {
        let base = |variables: &[(&str, &str)]| docker(variables).map(|endpoint| (endpoint.to_string(), endpoint.base())).unwrap();
        let is = |shown: &str, base: &str| (shown.to_owned(), base.to_owned());
        assert_eq!(base(&[("DOCKER_HOST", "unix:///a b.sock")]), is("unix:///a b.sock", "http://127.0.0.1"));
        assert_eq!(base(&[("DOCKER_HOST", "tcp://h:1/x/")]), is("tcp://h:1/x", "http://h:1/x"));
        let tls = [("DOCKER_HOST", "tcp://[::1]"), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/certs")];
        assert_eq!(base(&tls), is("tcp://[::1]:2376", "https://[::1]:2376"));
        assert_eq!(docker(&tls).unwrap().tls, Some(Tls { folder: "/certs".into(), verification: Verification::On }));
    }

    #[cfg(unix)]
    #[test]
    fn the_usual_sockets_are_tried_in_turn() {
        let none = [("HOME", "/no/such/home")];
        assert_eq!(docker(&none).unwrap().to_string(), "unix:///var/run/docker.sock");
        let rootless = [none[0], ("XDG_RUNTIME_DIR", "/run/user/7")];
        assert_eq!(docker(&rootless).unwrap().to_string(), "unix:///run/user/7/docker.sock");
        let podman = |variables: &[(&str, &str)]| surrounded(variables, |surroundings| surroundings.podman()).unwrap().to_string();
        assert_eq!(podman(&none), "unix:///run/podman/podman.sock");
        assert_eq!(podman(&[("CONTAINER_HOST", "unix:///p.sock")]), "unix:///p.sock");
    }

    #[test]
    fn a_way_that_is_not_known_is_said() {
        for (host, scheme) in [("ssh://u@h", "ssh"), ("npipe:////./pipe/x", "named pipes"), ("fd://3", "fd")] {
            let problem = docker(&[("DOCKER_HOST", host)]).unwrap_err();
            assert!(matches!(problem, EngineProblem::Unsupported(told) if told == scheme), "{host}");
        }
        for wrong in ["docker.sock", "tcp://", "tcp://user:word@host"] {
            assert!(matches!(docker(&[("DOCKER_HOST", wrong)]), Err(EngineProblem::Setting { .. })), "{wrong}");
        }
    }
}
