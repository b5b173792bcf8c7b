//! A PostgreSQL server of a test's own, on this machine only, gone at the end.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

use postgres::{Client, Config, NoTls};

use crate::engine::tool;
use crate::support::Temp;

/// The account that the server runs as where the tests run as root, which it refuses.
const ACCOUNT: &str = "postgres";
/// The database's user, and its password.
const USER: &str = "layersift";
pub(crate) const PASSWORD: &str = "for-tests";

/// The server. It ends when it is dropped, and with the thread that started it.
pub(crate) struct Postgres {
    port: u16,
    options: Vec<String>,
    databases: AtomicU32,
    child: Option<Child>,
    temp: Temp,
}

/// Starts a server. Needs `initdb` and `postgres` of Debian's package postgresql, and `setpriv` if run as root.
pub(crate) fn start() -> Postgres {
    launch(&[], Vec::new())
}

/// Starts a server that speaks TLS by these files, each under the option of its configuration.
pub(crate) fn start_with_tls(files: &[(&str, &Path)]) -> Postgres {
    launch(files, vec!["ssl=on".to_owned()])
}

fn launch(files: &[(&str, &Path)], mut options: Vec<String>) -> Postgres {
    let temp = Temp::new();
    let folder = temp.file("server/password", PASSWORD).with_file_name("");
    let owned = |path: &Path| {
        if is_root() {
            tool(Command::new("chown").args(["-R", ACCOUNT]).arg(path));
        }
    };
    owned(&folder);
    let method =
        ["--auth-host=scram-sha-256", "--auth-local=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--username", USER];
    let mut init = as_account(&program("initdb"));
    init.args(method).arg("--pwfile").arg(folder.join("password")).arg("--pgdata").arg(folder.join("data")).current_dir(&folder);
    tool(&mut init);
    for (option, file) in files {
        let copy = folder.join(option);
        fs::copy(file, &copy).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        owned(&copy);
        options.push(format!("{option}={}", copy.display()));
    }
    let mut server = Postgres { port: 0, options, databases: AtomicU32::new(0), child: None, temp };
    server.start();
    server
}

impl Postgres {
    /// A database of this server, always the same.
    pub(crate) fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// A database that is new.
    pub(crate) fn fresh(&self) -> String {
        let name = format!("fresh{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.client("postgres").unwrap().batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        self.url_of(&name)
    }

    /// The folder of its socket, where no password is asked for.
    pub(crate) fn socket(&self) -> PathBuf {
        self.temp.path("server")
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A connection to one of its databases.
    pub(crate) fn client(&self, database: &str) -> Result<Client, postgres::Error> {
        Config::new().host_path(self.socket()).port(self.port).user(USER).dbname(database).connect(NoTls)
    }

    /// Stops it, as for an update, and starts it again.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.start();
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    fn start(&mut self) {
        let folder = self.socket();
        if self.port == 0 {
            // Nobody else on this machine is likely to ask for it before the server does.
            self.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        }
        let log = File::options().append(true).create(true).open(self.temp.path("log")).unwrap();
        let mut command = as_account(&program("postgres"));
        command.arg("-D").arg(folder.join("data")).arg("-k").arg(&folder).args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-F"]);
        command.args(self.options.iter().flat_map(|option| ["-c", option.as_str()])).current_dir(&folder);
        self.child = Some(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        while let Err(error) = self.client("postgres") {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "{error}: {}", fs::read_to_string(self.temp.path("log")).unwrap_or_default());
            sleep(Duration::from_millis(20));
        }
    }

    fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // Ends the connections and writes what there is.
        let asked = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = child.kill();
        }
        let _ = child.wait();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_root() -> bool {
    tool(Command::new("id").arg("-u")).trim() == "0"
}

/// A program to be run by an account that may run a server.
fn as_account(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups", "--pdeathsig", "INT"]).arg(program);
    command
}

/// A program of the server: where Debian has them, the newest version; else on the path.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let of = |path: PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest =
        versions.map(|entry| entry.path()).filter(|path| path.join("bin").join(name).is_file()).max_by_key(|path| of(path.clone()));
    newest.map_or_else(|| PathBuf::from(name), |version| version.join("bin").join(name))
}
