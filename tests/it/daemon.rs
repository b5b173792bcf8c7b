//! Images that engines hold, asked for by name: an engine of the tests' own, which speaks as Docker and Podman do, and fails as they do.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
#[cfg(unix)]
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use layersift::oci::Digest;
use serde_json::{Value, json};

use crate::cli::{Run, program};
use crate::support::*;

/// What the engine answers.
#[derive(Clone)]
enum Answer {
    /// A status, and a body of known length.
    Short(u16, String),
    /// An export in chunks, and whether its end is told.
    Export(Vec<u8>, End),
    /// These bytes, which need not be HTTP.
    Raw(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Told,
    Untold,
}

type Script = dyn Fn(&str) -> Answer + Send + Sync;

/// An engine.
struct Daemon {
    host: String,
    asked: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Something to accept connections at.
trait Door: Send + 'static {
    fn accept(&self) -> Box<dyn Connection>;
}

trait Connection: Read + Write {}
impl<C: Read + Write> Connection for C {}

impl Door for TcpListener {
    fn accept(&self) -> Box<dyn Connection> {
        Box::new(TcpListener::accept(self).unwrap().0)
    }
}

#[cfg(unix)]
impl Door for UnixListener {
    fn accept(&self) -> Box<dyn Connection> {
        Box::new(UnixListener::accept(self).unwrap().0)
    }
}

impl Daemon {
    #[cfg(unix)]
    fn at_socket(path: &Path, script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(UnixListener::bind(path).unwrap(), format!("unix://{}", path.display()), Box::new(script))
    }

    fn at_port(script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("tcp://{}", door.local_addr().unwrap());
        Self::start(door, host, Box::new(script))
    }

    fn start(door: impl Door, host: String, script: Box<Script>) -> Self {
        let (asked, is_over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (seen, over) = (Arc::clone(&asked), Arc::clone(&is_over));
        let serve = move || {
            loop {
                let mut connection = door.accept();
                if over.load(Ordering::SeqCst) {
                    return;
                }
                // A client that turns away is no matter of the engine.
                let _ = serve(&mut *connection, &*script, &seen);
            }
        };
        Self { host, asked, is_over, thread: Some(std::thread::spawn(serve)) }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(address) = self.host.strip_prefix("tcp://") {
            drop(TcpStream::connect(address));
        }
        #[cfg(unix)]
        if let Some(path) = self.host.strip_prefix("unix://") {
            drop(UnixStream::connect(path));
        }
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_some_and(|ended| ended.is_ok()));
    }
}

fn serve(connection: &mut dyn Connection, script: &Script, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(&mut *connection).lines();
    let line = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = line.strip_prefix("GET ").and_then(|rest| rest.strip_suffix(" HTTP/1.1")).unwrap_or("?").to_owned();
    seen.lock().unwrap().push(path.clone());
    match script(&path) {
        Answer::Raw(bytes) => connection.write_all(bytes.as_bytes()),
        Answer::Short(status, body) => write!(
            connection,
            "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ),
        Answer::Export(bytes, end) => {
            write!(connection, "HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            for chunk in bytes.chunks(3000) {
                write!(connection, "{:x}\r\n", chunk.len())?;
                connection.write_all(chunk)?;
                connection.write_all(b"\r\n")?;
            }
            if end == End::Told { connection.write_all(b"0\r\n\r\n") } else { Ok(()) }
        }
    }
}

fn not_found() -> Answer {
    Answer::Short(404, json!({ "message": "No such image: x" }).to_string())
}

/// Answers for one image: `name` is known, and `export` is what its export gives.
fn holding(name: &'static str, export: Answer) -> impl Fn(&str) -> Answer + Send + Sync + 'static {
    let id = Digest::sha256(name.as_bytes()).to_string();
    move |path| {
        let rest = path.strip_prefix("/images/").unwrap_or_default();
        let asked = rest.rsplit_once('/').map(|(asked, _)| asked);
        match asked {
            Some(asked) if [name, &format!("{name}:latest"), &id].contains(&asked) => match rest.ends_with("/get") {
                true => export.clone(),
                false => Answer::Short(200, json!({ "Id": id, "Os": "linux", "Architecture": "amd64" }).to_string()),
            },
            _ => not_found(),
        }
    }
}

/// `layersift scan WORDS` with these variables, and nothing of this machine's engines.
fn scan_at(variables: &[(&str, &str)], words: &str) -> Run {
    Run::new(alone(variables).arg("scan").args(words.split_whitespace()).output().unwrap())
}

fn alone(variables: &[(&str, &str)]) -> Command {
    let mut program = program();
    for name in ["DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG", "XDG_RUNTIME_DIR"] {
        program.env_remove(name);
    }
    program.env("HOME", "/no/such/home");
    program.envs(["DOCKER_HOST", "CONTAINER_HOST"].map(|name| (name, "unix:///no/such/engine.sock")));
    program.envs(variables.iter().copied());
    program
}

/// What a report says of the image, whatever the source is called.
fn image_and_findings(report: &str) -> (Value, Value, Value) {
    let mut report = valid(report);
    report["images"][0].as_object_mut().unwrap().remove("source");
    (report["images"].clone(), report["findings"].clone(), report["complete"].clone())
}

#[test]
fn an_image_of_an_engine_is_what_its_export_is() {
    let temp = Temp::new();
    let archive = scenario().image.docker_archive().unwrap();
    let path = temp.file("app.tar", &archive);
    let words = "--format json --show-secrets --fail-on never";
    let expected = scan_at(&[], &format!("docker-archive:{} {words}", path.display()));
    let expected = image_and_findings(&expected.stdout);
    assert_eq!((expected.2.as_bool(), expected.1.as_array().unwrap().len() > 5), (Some(true), true));
    let daemon = Daemon::at_port(holding("team/app:1", Answer::Export(archive.clone(), End::Told)));
    for (scheme, variable) in [("docker", "DOCKER_HOST"), ("podman", "CONTAINER_HOST")] {
        let run = scan_at(&[(variable, &daemon.host)], &format!("{scheme}:team/app:1 {words}"));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        assert_eq!(image_and_findings(&run.stdout), expected, "{scheme}");
        assert_eq!(daemon.asked(), ["/images/team/app:1/json", "/images/team/app:1/get"]);
    }
    let run = scan_at(&[("DOCKER_HOST", &daemon.host)], &format!("docker:team/app:1 --platform linux/s390x {words}"));
    assert!(run.code == 2 && run.stderr.contains("no image for platform linux/s390x"), "{}", run.stderr);
    #[cfg(unix)]
    {
        let daemon = Daemon::at_socket(&temp.path("engine.sock"), holding("app", Answer::Export(archive, End::Told)));
        let run = scan_at(&[("DOCKER_HOST", &daemon.host)], &format!("docker:app {words}"));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
        assert_eq!(image_and_findings(&run.stdout), expected);
        assert_eq!(daemon.asked(), ["/images/app/json", "/images/app:latest/get"], "not all tags");
    }
}

#[test]
fn an_export_that_breaks_off_never_looks_clean() {
    let archive = scenario().image.docker_archive().unwrap();
    let complaint = br#"{"errorDetail":{"message":"no space left"},"error":"no space left"}"#;
    for at in [0, 1, 511, 512, 700, 1024, archive.len() / 2, archive.len() / 2 / 512 * 512, archive.len() - 1024, archive.len() - 1] {
        let cut = archive[..at].to_vec();
        let told = [&cut[..], complaint].concat();
        let exports = [(cut.clone(), End::Untold, ""), (told, End::Told, "no space left"), (cut, End::Told, "")];
        for (number, (export, end, why)) in exports.into_iter().enumerate() {
            // The last two blocks are the end mark, which archives may lack.
            if number == 2 && at >= archive.len() - 1024 {
                continue;
            }
            let daemon = Daemon::at_port(holding("app:1", Answer::Export(export, end)));
            let run = scan_at(&[("DOCKER_HOST", &daemon.host)], "docker:app:1 --fail-on never --format json");
            // What does not even begin cannot be opened.
            assert!(run.code == 3 || (run.code == 2 && at < 16), "{at} {number}: {}{}", run.stdout, run.stderr);
            let report = valid(&run.stdout);
            assert_eq!(report["complete"], false);
            let said = report["coverage"]["skipped"].to_string();
            assert!(said.contains(why), "{at} {number}: {said}");
        }
    }
}

#[test]
fn an_engine_that_gives_nothing_is_an_error_that_says_what_to_do() {
    let message = |text: &str| json!({ "message": text }).to_string();
    let page = Answer::Raw("HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>");
    let table = [
        (not_found(), "there is no such image", Some("`docker images` lists")),
        (Answer::Short(403, message("plugin denies it")), "it refuses: plugin denies it", Some("docker save app:1 | layersift scan -")),
        (Answer::Short(500, message("disk is gone")), "HTTP status 500: disk is gone", None),
        (Answer::Short(500, "?".to_owned()), "HTTP status 500\n", None),
        (Answer::Short(302, String::new()), "not an engine", None),
        (Answer::Short(200, "[]".to_owned()), "not an engine", None),
        (page, "not an engine", None),
        (Answer::Raw("SSH-2.0-x\r\n"), "not an engine", None),
        (Answer::Raw(""), "the connection failed", Some("docker save")),
    ];
    for (answer, said, hint) in table {
        for part in ["json", "get"] {
            let answer = answer.clone();
            let known = holding("app:1", answer.clone());
            let daemon = Daemon::at_port(move |path: &str| if path.ends_with(part) { answer.clone() } else { known(path) });
            let run = scan_at(&[("DOCKER_HOST", &daemon.host)], "docker:app:1 --fail-on never");
            if part == "get" && matches!(said, "not an engine") && run.code == 3 {
                // An export of nonsense is an archive that makes no sense.
                continue;
            }
            assert_eq!(run.code, 2, "{part} {said}: {}", run.stderr);
            assert!(
                run.stderr.contains(said) && run.stderr.contains("app:1 from the Docker daemon at tcp://127"),
                "{said}: {}",
                run.stderr
            );
            assert_eq!(run.stderr.contains("hint: "), hint.is_some(), "{}", run.stderr);
            assert!(run.stderr.contains(hint.unwrap_or_default()), "{said}: {}", run.stderr);
        }
    }
}

#[test]
fn an_engine_that_cannot_be_reached_is_an_error_that_says_what_to_do() {
    let docker = |variables: &[(&str, &str)]| scan_at(variables, "docker:app:1");
    let table = [
        (docker(&[]), "it is not there", "DOCKER_HOST"),
        (scan_at(&[], "podman:app:1"), "cannot read app:1 from Podman at unix:///no/such/engine.sock", "containers-storage:app:1"),
        (docker(&[("DOCKER_HOST", "ssh://me@host")]), "cannot be reached over ssh", "ssh -nNT -L"),
        (docker(&[("DOCKER_HOST", "npipe:////./pipe/x")]), "cannot be reached over named pipes", "docker save app:1"),
        (docker(&[("DOCKER_HOST", "here")]), "DOCKER_HOST: it is not of the form", ""),
        (docker(&[("DOCKER_HOST", ""), ("DOCKER_CONTEXT", "none")]), "Docker context `none`: there is no such context", ""),
        (scan_at(&[], "docker:../x"), "that is no name of an image", ""),
    ];
    for (run, said, hint) in table {
        assert_eq!(run.code, 2, "{}", run.stderr);
        assert!(run.stderr.contains(said) && run.stderr.contains(hint), "{said}: {}", run.stderr);
    }
}

#[test]
fn the_context_in_force_says_where_docker_is() {
    let temp = Temp::new();
    let daemon = Daemon::at_port(holding("app:1", Answer::Export(scenario().image.docker_archive().unwrap(), End::Told)));
    for (name, host) in [("near", daemon.host.as_str()), ("far", "ssh://me@far")] {
        let meta = json!({ "Name": name, "Metadata": {}, "Endpoints": { "docker": { "Host": host, "SkipTLSVerify": false } } });
        temp.file(&format!("contexts/meta/{}/meta.json", Digest::sha256(name.as_bytes()).hex()), meta.to_string());
    }
    temp.file("config.json", json!({ "auths": {}, "currentContext": "far" }).to_string());
    let folder = temp.path("");
    let run = |variables: &[(&str, &str)]| {
        let mut program = alone(&[("DOCKER_CONFIG", folder.to_str().unwrap())]);
        let program = program.env_remove("DOCKER_HOST").envs(variables.iter().copied());
        Run::new(program.args(["scan", "docker:app:1", "--fail-on", "never"]).output().unwrap())
    };
    assert!(run(&[]).stderr.contains("cannot be reached over ssh"));
    assert_eq!(run(&[("DOCKER_CONTEXT", "near")]).code, 0);
    assert_eq!(run(&[("DOCKER_CONTEXT", "far"), ("DOCKER_HOST", &daemon.host)]).code, 0, "the host wins over the context");
    temp.file("config.json", "{ not json");
    let broken = run(&[]);
    assert!(broken.code == 2 && broken.stderr.contains("config.json: it is not JSON at line 1"), "{}", broken.stderr);
}

#[test]
fn a_name_alone_is_a_path_or_else_an_image_that_an_engine_holds() {
    let temp = Temp::new();
    let archive = scenario().image.docker_archive().unwrap();
    let daemon = Daemon::at_port(holding("app", Answer::Export(archive.clone(), End::Told)));
    let run = |variables: &[(&str, &str)], words: &str| {
        let mut program = alone(variables);
        program.current_dir(temp.path("")).args(["scan", "--fail-on", "never"]).args(words.split_whitespace());
        Run::new(program.output().unwrap())
    };
    let (docker, podman) = ([("DOCKER_HOST", daemon.host.as_str())], [("CONTAINER_HOST", daemon.host.as_str())]);
    let found = run(&docker, "app");
    assert_eq!((found.code, found.stderr.as_str()), (0, "note: reading app from the Docker daemon\n"));
    assert_eq!(run(&docker, "app --quiet").stderr, "");
    assert_eq!(run(&podman, "app").stderr, "note: reading app from Podman\n");
    assert_eq!(run(&docker, "other:1").code, 2);
    daemon.asked();
    temp.file("app", "a file");
    for path in ["app", "-"] {
        assert_eq!((run(&docker, path).stderr.contains("note"), daemon.asked().len()), (false, 0), "nobody is asked about a path");
    }
    assert_eq!(run(&docker, "app --source docker").code, 0);
    assert_eq!(daemon.asked(), ["/images/app/json", "/images/app:latest/get"]);
    let run = run(&[("DOCKER_HOST", "ssh://x"), podman[0]], "web:1 --source auto");
    assert!(run.code == 2 && run.stderr.starts_with("note: cannot read web:1 from the Docker daemon: engines"), "{}", run.stderr);
}
