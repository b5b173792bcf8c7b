//! layersift as a plugin of the Docker client: how it is called, and what it does with a real client, engine and registry.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use layersift::source::builder::ImageBuilder;
use serde_json::Value;

use crate::engine::{Distribution, Engine, tool};
use crate::support::*;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Installs the plugin for the client whose folder this is; the file.
fn install(temp: &Temp) -> PathBuf {
    tool(Command::new(env!("CARGO_BIN_EXE_layersift")).args(["docker-plugin", "install"]).env("DOCKER_CONFIG", temp.path("docker")));
    temp.path("docker/cli-plugins").join(format!("docker-layersift{}", std::env::consts::EXE_SUFFIX))
}

#[test]
fn what_is_installed_is_a_plugin_until_it_is_uninstalled() {
    let temp = Temp::new();
    let plugin = install(&temp);
    let metadata: Value = serde_json::from_str(&tool(Command::new(&plugin).arg("docker-cli-plugin-metadata"))).unwrap();
    assert_eq!((&metadata["SchemaVersion"], &metadata["Version"]), (&"0.1.0".into(), &env!("CARGO_PKG_VERSION").into()));
    assert!(["Vendor", "ShortDescription"].iter().all(|field| metadata[*field].as_str().is_some_and(|text| !text.is_empty())));
    let help = tool(Command::new(&plugin).args(["layersift", "--help"]));
    assert!(help.contains("Usage: docker layersift [OPTIONS] <IMAGE>..."), "{help}");
    let alone = Command::new(&plugin).arg("app:1").output().unwrap();
    assert_eq!(alone.status.code(), Some(2));
    assert!(text(&alone.stderr).contains("docker layersift IMAGE"), "{}", text(&alone.stderr));
    tool(Command::new(env!("CARGO_BIN_EXE_layersift")).args(["docker-plugin", "uninstall"]).env("DOCKER_CONFIG", temp.path("docker")));
    assert!(!plugin.exists());
}

/// A client with the plugin, an engine, and a registry.
struct Field {
    temp: Temp,
    engine: Engine,
    registry: Distribution,
}

impl Field {
    fn start() -> Self {
        let temp = Temp::new();
        install(&temp);
        let (engine, registry) = (Engine::start(&temp), Distribution::start(&temp, "registry", "", ""));
        Self { temp, engine, registry }
    }

    fn docker(&self) -> Command {
        let mut docker = self.engine.docker();
        docker.env("DOCKER_CONFIG", self.temp.path("docker"));
        docker
    }

    /// Has the engine hold an image with this file; its name.
    fn load(&self, name: &str, file: &str) -> String {
        let name = format!("{}/{name}", self.registry.address);
        let image = ImageBuilder::new().tag(&name).layer("COPY . /app", |layer| layer.file("/app/.env", file));
        tool(self.docker().args(["load", "-q", "-i"]).arg(self.temp.file("load.tar", image.docker_archive().unwrap())));
        name
    }

    fn layersift(&self, words: &[&str]) -> Output {
        self.docker().arg("layersift").args(words).output().unwrap()
    }

    /// The tags that the registry has of a repository.
    fn pushed(&self, repository: &str) -> Vec<PathBuf> {
        let tags = self.temp.path(&format!("registry/docker/registry/v2/repositories/{repository}/_manifests/tags"));
        fs::read_dir(tags).map(|tags| tags.map(|tag| tag.unwrap().file_name().into()).collect()).unwrap_or_default()
    }
}

#[track_caller]
fn ended(output: &Output, code: i32, says: &str) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    assert!(out.contains(says) || err.contains(says), "{says}: {out}{err}");
}

#[test]
#[ignore = "needs a Docker Engine, as root, and a registry; tests/run includes it where they are installed"]
fn docker_layersift_scans_and_pushes_what_is_clean() {
    let field = Field::start();
    let (leaky, clean) = (field.load("leaky:1", &format!("TOKEN={}\n", token("plugin"))), field.load("clean:1", "HELLO=you\n"));

    ended(&field.layersift(&[&leaky]), 1, "/app/.env");
    ended(&field.layersift(&[&clean]), 0, "");
    let output = field.layersift(&[&leaky, "--format", "json", "--fail-on", "never"]);
    ended(&output, 0, "");
    let report = valid(&text(&output.stdout));
    assert_eq!((&report["images"][0]["name"], &report["complete"]), (&leaky.as_str().into(), &true.into()));
    // The options that the client was given reach the client that saves.
    let host = field.docker().env_remove("DOCKER_HOST").args(["--host", &field.engine.socket, "layersift", &leaky]).output().unwrap();
    ended(&host, 1, "/app/.env");

    ended(&field.layersift(&["push", &leaky]), 1, "was not pushed");
    assert_eq!(field.pushed("leaky"), Vec::<PathBuf>::new());
    ended(&field.layersift(&["push", &clean]), 0, "pushing it");
    assert_eq!(field.pushed("clean"), [PathBuf::from("1")]);
    ended(&field.layersift(&["push", &leaky, "--fail-on", "never", "--quiet"]), 0, &leaky);
    assert_eq!(field.pushed("leaky"), [PathBuf::from("1")]);

    // What cannot be saved is not clean, and what cannot be pushed says so itself.
    ended(&field.layersift(&["no-such-image:1"]), 2, "`docker image save no-such-image:1` failed");
    ended(&field.layersift(&["push", "no-such-image:1"]), 2, "No such image");
    let away = field.docker().env("DOCKER_HOST", "unix:///no/such/engine.sock").args(["layersift", &clean]).output().unwrap();
    ended(&away, 2, "failed (exit status: 1)");
    let nowhere = "127.0.0.1:1/clean:1";
    tool(field.docker().args(["tag", &clean, nowhere]));
    ended(&field.layersift(&["push", nowhere]), 1, "pushing it");
}

/// A client that gives out one image, and retags it while it is being saved if a script says so.
#[cfg(unix)]
struct Script {
    temp: Temp,
    plugin: PathBuf,
}

#[cfg(unix)]
impl Script {
    fn new(file: &str, while_saving: &str) -> Self {
        let temp = Temp::new();
        let plugin = install(&temp);
        let image = ImageBuilder::new().layer("COPY . /app", |layer| layer.file("/app/.env", file));
        temp.file("image.tar", image.docker_archive().unwrap());
        let cases = format!("inspect) cat id ;;\nsave) cat image.tar; {while_saving} ;;\npush) echo pushed > pushed ;;");
        let client = temp.file("client", format!("#!/bin/sh\ncase \"$2\" in\n{cases}\nesac\n"));
        tool(Command::new("chmod").arg("755").arg(&client));
        Self { temp, plugin }
    }

    /// Pushes the image, which has this ID; what it said, and whether it was pushed.
    fn push(&self, id: &str) -> (Output, bool) {
        self.temp.file("id", id);
        let mut push = Command::new(&self.plugin);
        push.args(["layersift", "push", "app:1"]).env("DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND", self.temp.path("client"));
        let output = push.current_dir(self.temp.path("")).output().unwrap();
        (output, self.temp.path("pushed").exists())
    }
}

#[cfg(unix)]
#[test]
fn a_tag_that_moves_during_the_scan_is_not_pushed() {
    let client = Script::new("HELLO=you\n", "echo sha256:two > id");
    let (output, pushed) = client.push("sha256:one");
    ended(&output, 2, "app:1 was not pushed: it is sha256:two by now, and sha256:one was scanned");
    assert!(!pushed);
    let (output, pushed) = client.push("sha256:two");
    ended(&output, 0, "app:1 passed, and is still sha256:two: pushing it");
    assert!(pushed);
}

#[cfg(unix)]
#[test]
fn the_gate_of_a_project_file_holds_for_a_push_too() {
    let client = Script::new(&format!("TOKEN={}\n", token("gate")), ":");
    client.temp.file("layersift.toml", "gate.fail-on = 'critical'\n");
    let (output, pushed) = client.push("sha256:one");
    ended(&output, 1, "app:1 was not pushed");
    assert!(!pushed);
    client.temp.file("layersift.toml", "gate.fail-on = 'never'\n");
    let (output, pushed) = client.push("sha256:one");
    ended(&output, 0, "pushing it");
    assert!(pushed);
}
