//! Servers of the field for tests: a Docker Engine and a registry of the test's own.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::support::Temp;

/// Runs a tool, which must succeed; what it printed.
#[track_caller]
pub(crate) fn tool(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A Docker Engine of the test's own: no network, nothing of the machine's.
pub(crate) struct Engine {
    child: Child,
    pub(crate) socket: String,
}

impl Engine {
    pub(crate) fn start(temp: &Temp) -> Self {
        let at = |name: &str| temp.path(name).display().to_string();
        let socket = format!("unix://{}", at("docker.sock"));
        let child = Command::new("dockerd")
            .args(["--iptables=false", "--ip6tables=false", "--bridge=none", "-s", "vfs"])
            .args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid"), "-H", &socket])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("dockerd: {error}"));
        let engine = Self { child, socket };
        for _ in 0..240 {
            let ready = engine.docker().arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if ready.is_ok_and(|status| status.success()) {
                return engine;
            }
            sleep(Duration::from_millis(250));
        }
        panic!("the engine did not start within a minute");
    }

    pub(crate) fn docker(&self) -> Command {
        let mut command = Command::new("docker");
        command.env("DOCKER_HOST", &self.socket).env("DOCKER_BUILDKIT", "0");
        command
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It stops its containers and removes its mounts when asked to; killed, it would leave them behind.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A containerd of the test's own.
pub(crate) struct Containerd {
    child: Child,
    socket: String,
    /// Where it keeps things.
    pub(crate) root: String,
}

impl Containerd {
    pub(crate) fn start(temp: &Temp) -> Self {
        let at = |name: &str| temp.path(name).display().to_string();
        let (socket, root) = (at("containerd.sock"), at("containerd"));
        let config = format!(
            "version = 2\nroot = \"{root}\"\nstate = \"{}\"\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = \"{socket}\"\n",
            at("state")
        );
        let config = temp.file("containerd.toml", config);
        let mut command = Command::new("containerd");
        command.arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("containerd: {error}"));
        let containerd = Self { child, socket, root };
        for _ in 0..240 {
            let ready = containerd.ctr().arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if ready.is_ok_and(|status| status.success()) {
                return containerd;
            }
            sleep(Duration::from_millis(250));
        }
        panic!("containerd did not start within a minute");
    }

    pub(crate) fn ctr(&self) -> Command {
        let mut command = Command::new("ctr");
        command.args(["--address", &self.socket]);
        command
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A registry on this machine; those of one folder have the same images.
pub(crate) struct Distribution {
    child: Child,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    /// A line for each request that was answered.
    pub(crate) log: PathBuf,
}

impl Distribution {
    /// With `http` and `auth` as they stand in its configuration.
    pub(crate) fn start(temp: &Temp, name: &str, http: &str, auth: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let config = format!(
            "version: 0.1\nlog: {{level: warn, accesslog: {{disabled: false}}}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n\
             http:\n  addr: {address}\n{http}{auth}",
            temp.path("registry").display()
        );
        let config = temp.file(&format!("{name}.yml"), config);
        let mut command = Command::new("docker-registry");
        let log = temp.file(&format!("{name}.log"), "");
        let output = || File::options().append(true).open(&log).unwrap();
        command.arg("serve").arg(config).stdin(Stdio::null()).stdout(output()).stderr(output());
        let child = command.spawn().unwrap_or_else(|error| panic!("docker-registry: {error}"));
        let registry = Self { child, address, log };
        for _ in 0..240 {
            if TcpStream::connect(&registry.address).is_ok() {
                return registry;
            }
            sleep(Duration::from_millis(250));
        }
        panic!("the registry did not start within a minute");
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
