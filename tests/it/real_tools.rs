//! Images that the tools of the field made, not ours: skopeo, umoci, Podman, Buildah, containerd and a Docker Engine.
//!
//! They need those tools, and root for the engines: `tests/run` includes them where they are, and CI always does.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use layersift::finding::Visibility;
use layersift::scan::Options;
use layersift::source::builder::ImageSet;
use serde_json::Value;

use crate::engine::{Containerd, Engine, tool};
use crate::support::*;

pub(crate) fn skopeo(from: &str, to: &str, options: &[&str]) {
    tool(Command::new("skopeo").args(["--insecure-policy", "copy", "-q"]).args(options).args([from, to]));
}

#[test]
#[ignore = "needs openssl; tests/run includes it where it is installed"]
fn a_store_that_openssl_sealed_with_a_well_known_password_says_so() {
    let temp = Temp::new();
    let path = |name: &str| temp.path(name).display().to_string();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-days", "2", "-keyout", &key, "-out", &certificate];
    tool(Command::new("openssl").args(request));
    std::fs::create_dir(temp.path("root")).unwrap();
    for (name, password) in [("none", ""), ("known", "changeit"), ("own", "hX3kd0-q7")] {
        let (out, password) = (path(&format!("root/{name}.p12")), format!("pass:{password}"));
        tool(Command::new("openssl").args(["pkcs12", "-export", "-inkey", &key, "-in", &certificate, "-passout", &password, "-out", &out]));
    }
    let found = scan(&temp.path("root")).findings;
    let said = |name: &str| {
        let finding = found.iter().find(|finding| finding.place.path() == Some(format!("/{name}.p12").as_bytes())).unwrap();
        assert_eq!(finding.rule.id, "pkcs12-keystore");
        finding.note.clone().unwrap()
    };
    assert!(said("none").ends_with("it opens without a password"), "{}", said("none"));
    assert!(said("known").ends_with("it opens with the well-known password `changeit`"), "{}", said("known"));
    assert!(!said("own").contains("opens"), "{}", said("own"));
}

#[test]
#[ignore = "needs openssl; tests/run includes it where it is installed"]
fn a_key_names_the_certificate_that_openssl_made_of_it() {
    let temp = Temp::new();
    std::fs::create_dir(temp.path("root")).unwrap();
    let kinds = [&["rsa:2048"][..], &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]];
    for (number, kind) in kinds.iter().enumerate() {
        let path = |name: &str| temp.path(&format!("root/{number}-{name}.pem")).display().to_string();
        let subject = format!("/O=Shop/CN=shop-{number}");
        let request = ["-nodes", "-subj", &subject, "-days", "2", "-keyout", &path("key"), "-out", &path("certificate")];
        tool(Command::new("openssl").args(["req", "-x509", "-newkey"]).args(*kind).args(request));
    }
    let found = scan(&temp.path("root")).findings;
    assert_eq!(found.len(), kinds.len());
    for (number, finding) in found.iter().enumerate() {
        let counterparts = &finding.key.as_ref().unwrap().counterparts;
        let said: Vec<(&str, &[u8])> = counterparts.iter().map(|one| (one.what.as_str(), one.path.as_slice())).collect();
        let [(what, path)] = said[..] else { panic!("{number}: {said:?}") };
        assert!(what.starts_with(&format!("certificate of shop-{number}, issued by itself, valid until 20")), "{what}");
        assert_eq!(path, format!("/{number}-certificate.pem").as_bytes());
    }
}

#[test]
#[ignore = "needs skopeo; tests/run includes it where it is installed"]
fn what_skopeo_copies_is_found_in_every_form() {
    let (temp, scenario) = (Temp::new(), scenario());
    let archive = temp.file("image.tar", scenario.image.docker_archive().unwrap());
    let from = format!("docker-archive:{}", archive.display());
    let expected: Vec<Facts> = facts(&scan(&archive)).into_iter().filter(|fact| fact.kind == "layer-file").collect();
    assert!(expected.len() >= 5, "{expected:#?}");
    for (name, scheme, options) in [
        ("layout", "oci", &["--format", "oci"][..]),
        ("layout-zstd", "oci", &["--format", "oci", "--dest-compress-format", "zstd"]),
        ("layout-plain", "oci", &["--format", "oci", "--dest-oci-accept-uncompressed-layers"]),
        ("archive.oci.tar", "oci-archive", &["--format", "oci"]),
        ("archive.docker.tar", "docker-archive", &[]),
        ("folder", "dir", &["--dest-compress"]),
    ] {
        let path = temp.path(name);
        let tag = if scheme == "dir" { "" } else { ":example.org/app:1" };
        let tag = if scheme == "oci" || scheme == "oci-archive" { ":1" } else { tag };
        skopeo(&from, &format!("{scheme}:{}{tag}", path.display()), options);
        let scan = scan(&path);
        let found: Vec<Facts> = facts(&scan).into_iter().filter(|fact| fact.kind == "layer-file").collect();
        assert_eq!(found, expected, "{name}");
        assert_eq!(reasons(&scan), [], "{name}");
    }
}

#[test]
#[ignore = "needs skopeo and umoci; tests/run includes it where they are installed"]
fn a_file_that_umoci_whites_out_is_deleted_in_that_layer() {
    let (temp, scenario) = (Temp::new(), scenario());
    let archive = temp.file("image.tar", scenario.image.docker_archive().unwrap());
    let layout = temp.path("layout");
    skopeo(&format!("docker-archive:{}", archive.display()), &format!("oci:{}:1", layout.display()), &["--format", "oci"]);
    let image = format!("{}:1", layout.display());
    let secret = token("umoci");
    let file = temp.file("inserted", format!("TOKEN={secret}\n"));
    tool(Command::new("umoci").args(["insert", "--image", &image, "--rootless"]).arg(&file).arg("/srv/inserted.env"));
    tool(Command::new("umoci").args(["insert", "--image", &image, "--rootless", "--whiteout", "/srv/inserted.env"]));
    let scan = scan_text(&format!("oci:{image}"), &Default::default());
    let scan = sound(scan);
    let finding = only(&scan, &secret);
    assert_eq!(path_of(finding), "/srv/inserted.env");
    let layer = finding.place.layer().unwrap();
    assert_eq!(finding.visibility, Some(Visibility::Deleted { layer: layer + 1 }));
}

/// A build context whose image gets a secret and loses it again, and one that stays in the environment.
fn context(temp: &Temp, deleted: &str, kept: &str) {
    let busybox =
        ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists()).expect("busybox-static is installed");
    temp.file("context/busybox", std::fs::read(busybox).unwrap());
    tool(Command::new("chmod").arg("755").arg(temp.path("context/busybox")));
    temp.file("context/secret.env", format!("DEPLOY_TOKEN={deleted}\n"));
    temp.file(
        "context/Dockerfile",
        format!(
            "FROM scratch\nCOPY busybox /bin/busybox\nCOPY secret.env /app/secret.env\n\
             RUN [\"/bin/busybox\", \"rm\", \"/app/secret.env\"]\nENV CI_TOKEN={kept}\n"
        ),
    );
}

#[test]
#[ignore = "needs a Docker Engine, as root; tests/run includes it where it is installed"]
fn what_docker_save_pipes_has_the_right_life() -> io::Result<()> {
    let temp = Temp::new();
    let (deleted, kept) = (token("engine deleted"), token("engine kept"));
    context(&temp, &deleted, &kept);
    let engine = Engine::start(&temp);
    tool(engine.docker().args(["build", "--network=none", "-t", "app:1"]).arg(temp.path("context")));
    let mut save = engine.docker().args(["save", "app:1"]).stdout(Stdio::piped()).spawn()?;
    let output =
        crate::cli::program().args(["scan", "-", "--format", "json", "--show-secrets"]).stdin(save.stdout.take().unwrap()).output()?;
    assert!(save.wait()?.success());
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report = valid(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(report["complete"], Value::Bool(true), "{:#}", report["coverage"]);
    let find = |secret: &str| {
        let findings = report["findings"].as_array().unwrap();
        let found: Vec<&Value> = findings.iter().filter(|finding| finding["secret"] == secret).collect();
        assert_eq!(found.len(), 1, "{findings:#?}");
        found[0].clone()
    };
    let gone = find(&deleted);
    assert_eq!(gone["place"]["path"], "/app/secret.env");
    assert!(gone["place"]["layer"]["created_by"].as_str().unwrap().contains("COPY file:"), "{gone:#}");
    assert_eq!(gone["visibility"]["state"], "deleted");
    assert!(gone["visibility"]["layer"]["created_by"].as_str().unwrap().contains("/app/secret.env"), "{gone:#}");
    assert_eq!(find(&kept)["place"]["kind"], "config");
    Ok(())
}

#[test]
#[ignore = "needs a Docker Engine, as root; tests/run includes it where it is installed"]
fn what_an_engine_built_leads_back_to_its_dockerfile() {
    let temp = Temp::new();
    let (copied, kept, argument) = (token("built copied"), token("built kept"), token("built argument"));
    context(&temp, &copied, &kept);
    let dockerfile = temp.file(
        "context/Dockerfile",
        format!(
            "FROM scratch AS tools\nCOPY busybox /bin/busybox\n\n# The image itself\nFROM tools\nARG BUILD_TOKEN\nCOPY secret.env /app/\n\
             RUN [\"/bin/busybox\", \"rm\", \\\n  \"/app/secret.env\"]\nENV MODE=x \\\n    CI_TOKEN={kept}\nLABEL a=b\n"
        ),
    );
    let engine = Engine::start(&temp);
    let build = ["build", "--network=none", "-t", "app:1", "--build-arg", &format!("BUILD_TOKEN={argument}")];
    tool(engine.docker().args(build).arg(temp.path("context")));
    let archive = temp.path("app.tar");
    tool(engine.docker().args(["save", "app:1", "-o"]).arg(&archive));
    let output = Command::new(env!("CARGO_BIN_EXE_layersift"))
        .arg("scan")
        .arg(&archive)
        .args(["--format", "json", "--show-secrets", "--dockerfile"])
        .arg(&dockerfile)
        .output()
        .unwrap();
    let report = valid(&String::from_utf8(output.stdout).unwrap());
    for (secret, lines) in [(&copied, (7, 7)), (&argument, (8, 9)), (&kept, (10, 11))] {
        let found: Vec<&Value> = report["findings"].as_array().unwrap().iter().filter(|one| one["secret"] == secret.as_str()).collect();
        assert!(!found.is_empty(), "{report:#}");
        for finding in found {
            let fix = &finding["dockerfile"];
            assert_eq!((&fix["line"], &fix["end_line"], &fix["match"]), (&lines.0.into(), &lines.1.into(), &"exact".into()), "{finding:#}");
        }
    }
}

/// The report of `layersift scan WORDS`, run as `program`: findings and layers, whatever the source is called.
#[track_caller]
fn said(program: &mut Command, target: &str) -> (Vec<Value>, Vec<Value>) {
    let output = program.args(["scan", target, "--format", "json", "--show-secrets"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{target}: {}", String::from_utf8_lossy(&output.stderr));
    let mut report = valid(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(report["complete"], Value::Bool(true), "{target}: {:#}", report["coverage"]);
    let layers = report["images"][0]["layers"].as_array().unwrap().iter().map(|layer| layer["diff_id"].clone()).collect();
    let Value::Array(mut findings) = report["findings"].take() else { panic!("{report:#}") };
    for finding in &mut findings {
        // Archives of old hold a copy of the config beside each layer, which nobody else has.
        finding["also"].as_array_mut().unwrap().retain(|place| place["kind"] != "archive-member");
        finding["place"]["layer"].as_object_mut().map(|layer| layer.remove("digest"));
        finding["visibility"]["layer"].as_object_mut().map(|layer| layer.remove("digest"));
    }
    (findings, layers)
}

#[test]
#[ignore = "needs a Docker Engine, as root; tests/run includes it where it is installed"]
fn an_image_by_name_is_what_docker_save_writes() {
    let temp = Temp::new();
    context(&temp, &token("named deleted"), &token("named kept"));
    let engine = Engine::start(&temp);
    tool(engine.docker().args(["build", "--network=none", "-t", "team/app:1"]).arg(temp.path("context")));
    let archive = temp.path("app.tar");
    tool(engine.docker().args(["save", "team/app:1", "-o"]).arg(&archive));
    let id = tool(engine.docker().args(["image", "inspect", "-f", "{{.Id}}", "team/app:1"])).trim().to_owned();
    let expected = said(&mut crate::cli::program(), archive.to_str().unwrap());
    assert_eq!((expected.0.len() >= 2, expected.1.len()), (true, 3));
    for target in ["docker:team/app:1", "team/app:1", &format!("docker:{id}"), &format!("docker:{}", &id[7..19])] {
        assert_eq!(said(crate::cli::program().env("DOCKER_HOST", &engine.socket), target), expected, "{target}");
    }
    let output = crate::cli::program().env("DOCKER_HOST", &engine.socket).args(["scan", "docker:team/app:2"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && told.contains("there is no such image"), "{told}");
}

/// A file system in memory, in which overlays can be made wherever the tests run.
struct Memory(PathBuf);

impl Memory {
    fn mount(path: PathBuf) -> Self {
        std::fs::create_dir_all(&path).unwrap();
        tool(Command::new("mount").args(["-t", "tmpfs", "layersift-test"]).arg(&path));
        Self(path)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // The storage mounts its own folder once more.
        let _ = Command::new("umount").args(["--recursive", "--lazy"]).arg(&self.0).status();
    }
}

/// Podman's service over a storage of the test's own.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs Podman and Buildah, as root; tests/run includes it where they are installed"]
fn an_image_that_buildah_built_is_the_same_by_name_from_disk_and_saved() {
    for driver in ["vfs", "overlay"] {
        let temp = Temp::new();
        context(&temp, &token("built deleted"), &token("built kept"));
        let _memory = Memory::mount(temp.path("root"));
        let at = |name: &str| temp.path(name).display().to_string();
        let (root, run) = (at("root"), at("run"));
        let conf = temp.file("storage.conf", format!("[storage]\ndriver = \"{driver}\"\ngraphroot = \"{root}\"\nrunroot = \"{run}\"\n"));
        let stored = |name: &str| {
            let mut command = Command::new(name);
            command.env("CONTAINERS_STORAGE_CONF", &conf);
            command
        };
        // What the image holds matters, and not what runs: no instruction of it needs a container.
        temp.file(
            "context/Dockerfile",
            format!(
                "FROM scratch\nCOPY busybox /bin/\nCOPY secret.env /app/\nCOPY busybox /app/secret.env\nENV CI_TOKEN={}\n",
                token("built kept")
            ),
        );
        tool(stored("buildah").args(["bud", "--layers", "-t", "localhost/app:1"]).arg(temp.path("context")));
        let archive = at("app.tar");
        tool(stored("podman").args(["save", "-o", &archive, "localhost/app:1"]));
        let expected = said(&mut crate::cli::program(), &archive);
        assert_eq!((expected.0.len() >= 2, expected.1.len()), (true, 3), "{driver}");

        let from_disk = |target: &str| said(crate::cli::program().env("CONTAINERS_STORAGE_CONF", &conf), target);
        assert_eq!(from_disk("containers-storage:app:1"), expected, "{driver}");
        assert_eq!(from_disk(&format!("containers-storage:[{driver}@{root}]localhost/app:1")), expected, "{driver}");

        let socket = format!("unix://{}", at("podman.sock"));
        let mut service = stored("podman");
        service.args(["system", "service", "--time=0", &socket]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let _service = Service(service.spawn().unwrap());
        for _ in 0..240 {
            if temp.path("podman.sock").exists() {
                break;
            }
            sleep(Duration::from_millis(250));
        }
        let format = "{{.Id}} {{.Digest}}";
        let shown = tool(stored("podman").args(["image", "inspect", "-f", format, "localhost/app:1"]));
        let (id, digest) = shown.trim().split_once(' ').unwrap();
        for name in ["localhost/app:1", id, &id[..12], &format!("localhost/app@{digest}")] {
            let by_name = said(crate::cli::program().env("CONTAINER_HOST", &socket), &format!("podman:{name}"));
            assert_eq!(by_name, expected, "{driver} {name}");
            assert_eq!(from_disk(&format!("containers-storage:{name}")), expected, "{driver} {name}");
        }
    }
}

#[test]
#[ignore = "needs containerd, as root; tests/run includes it where it is installed"]
fn an_image_that_containerd_holds_is_the_same_from_its_store() {
    let temp = Temp::new();
    let containerd = Containerd::start(&temp);
    let of = |architecture: &str| scenario().image.platform(format!("linux/{architecture}").parse().unwrap());
    let images = ImageSet::new().image(of("amd64")).image(of("arm64")).nested("1");
    let archive = temp.file("archive.tar", images.oci_archive().unwrap());
    let expected = facts(&scan(&archive));
    assert!(expected.len() >= 16);
    for namespace in ["default", "k8s.io"] {
        let ctr = |arguments: &[&str]| tool(containerd.ctr().args(["--namespace", namespace, "images"]).args(arguments));
        ctr(&["import", "--no-unpack", "--all-platforms", archive.to_str().unwrap()]);
        ctr(&["tag", "1", "docker.io/team/app:1"]);
    }
    // It goes on running, and holds the lock on its database.
    let root = &containerd.root;
    for target in [format!("containerd:[{root}]team/app:1"), format!("containerd:[k8s.io@{root}]docker.io/team/app:1")] {
        let scan = sound(scan_text(&target, &Options::default()));
        assert_eq!((facts(&scan), reasons(&scan)), (expected.clone(), vec![]), "{target}");
        assert_eq!(scan.images[0].name.as_deref(), Some("docker.io/team/app:1"));
    }
    let mut program = crate::cli::program();
    program.env("CONTAINERD_ROOT", root).env("DOCKER_HOST", "unix:///no/such.sock").env("CONTAINER_HOST", "unix:///no/such.sock");
    let output = program.args(["scan", "team/app:1", "--fail-on", "never"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("note: reading team/app:1 from containerd, where it is [default]docker.io/team/app:1\n"), "{told}");
}
