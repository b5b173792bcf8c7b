//! What users install, as `.ci/package` builds it (here without optimisation): each package is installed somewhere empty, and scans.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::ci::{action_step, yaml};
use crate::cli::Run;
use crate::engine::{Engine, tool};
use crate::support::*;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The folder with all packages, built once.
static PACKAGES: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
    let _ = fs::remove_dir_all(&folder);
    package("all", &folder);
    folder
});

fn at_root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[track_caller]
fn package(what: &str, folder: &Path) -> String {
    tool(Command::new(at_root(".ci/package")).args(["--profile", "dev", what]).arg(folder))
}

/// The one package whose name ends in `extension`.
fn built(extension: &str) -> PathBuf {
    let paths = fs::read_dir(&*PACKAGES).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> = paths.filter(|path| path.to_str().unwrap().ends_with(extension)).collect();
    assert_eq!(found.len(), 1, "{extension}: {found:?}");
    found[0].clone()
}

/// Scans an image on standard input with `command`, which must find its secret.
#[track_caller]
fn scans(command: &mut Command) {
    let (temp, scenario) = (Temp::new(), scenario());
    let image = fs::File::open(temp.file("image.tar", scenario.image.docker25().unwrap())).unwrap();
    let run = Run::new(command.args(["scan", "-", "--format", "json"]).stdin(image).output().unwrap());
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert_eq!(valid(&run.stdout)["findings"].as_array().unwrap().len(), scenario.secrets.len());
}

#[track_caller]
fn says_its_version(command: &mut Command) {
    let said = tool(command.arg("--version"));
    let rules = &*RULES;
    assert_eq!(said, format!("layersift {VERSION} ({} rules, {})\n", rules.len(), rules.hash()));
}

#[test]
#[ignore = "needs the tools of .ci/package; tests/run includes it where they are installed"]
fn the_binary_needs_nothing_of_the_system_it_runs_on() {
    let empty = Temp::new();
    fs::copy(built("/layersift"), empty.path("layersift")).unwrap();
    let ldd = Run::new(Command::new("ldd").arg(empty.path("layersift")).output().unwrap());
    let said = ldd.stdout + &ldd.stderr;
    assert!(said.contains("statically linked") || said.contains("not a dynamic executable"), "{said}");
    scans(Command::new("chroot").arg(empty.path("")).arg("/layersift"));
    says_its_version(Command::new("chroot").arg(empty.path("")).arg("/layersift"));
}

#[test]
#[ignore = "needs the tools of .ci/package; tests/run includes it where they are installed"]
fn the_action_installs_the_archive_of_its_own_tag() {
    let temp = Temp::new();
    let archive = built("-linux.tar.gz");
    let release = temp.file("owner/layersift/releases/download/v9.9.9/name", "");
    fs::copy(&archive, release.with_file_name(archive.file_name().unwrap())).unwrap();
    let step = action_step("Install layersift");
    let path = temp.file("path", "");
    let run = Run::new(
        Command::new("bash")
            .args(["-c", step["run"].as_str().unwrap()])
            .envs([
                ("RUNNER_OS", "Linux"),
                ("ACTION_REPOSITORY", "owner/layersift"),
                ("ACTION_REF", "v9.9.9"),
                ("ACTION_FOLDER", "/nowhere"),
            ])
            .env("GITHUB_SERVER_URL", format!("file://{}", temp.path("").display().to_string().trim_end_matches('/')))
            .env("RUNNER_TEMP", temp.path("runner"))
            .env("GITHUB_PATH", &path)
            .output()
            .unwrap(),
    );
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let bin = fs::read_to_string(path).unwrap();
    scans(&mut Command::new(Path::new(bin.trim_end()).join("layersift")));
}

#[test]
#[ignore = "needs the tools of .ci/package; tests/run includes it where they are installed"]
fn the_debian_package_installs_and_is_what_debian_expects() {
    let deb = built(".deb");
    let info = tool(Command::new("dpkg-deb").arg("--info").arg(&deb));
    assert!(info.contains(&format!("Version: {VERSION}-1\n")) && !info.contains("Depends:"), "{info}");
    let root = Temp::new();
    for name in ["status", "available", "info/format", "updates/none"] {
        root.file(&format!("var/lib/dpkg/{name}"), if name == "info/format" { "1\n" } else { "" });
    }
    fs::remove_file(root.path("var/lib/dpkg/updates/none")).unwrap();
    tool(Command::new("dpkg").arg("--root").arg(root.path("")).args(["--log=/dev/null", "--install"]).arg(&deb));
    says_its_version(Command::new("chroot").arg(root.path("")).arg("/usr/bin/layersift"));
    for name in
        ["man/man1/layersift.1.gz", "man/man1/layersift-scan.1.gz", "bash-completion/completions/layersift", "doc/layersift/copyright"]
    {
        assert!(root.path("usr/share").join(name).exists(), "{name}");
    }
    tool(Command::new("dpkg").arg("--root").arg(root.path("")).args(["--log=/dev/null", "--verify", "layersift"]));
    // Who maintains it is known where it is built for others.
    let unknown = "bogus-mail-host,bogus-mail-host-in-debian-changelog,root-in-contact";
    tool(Command::new("lintian").args(["--allow-root", "--fail-on", "error,warning", "--suppress-tags", unknown]).arg(&deb));
}

#[test]
#[ignore = "needs the tools of .ci/package; tests/run includes it where they are installed"]
fn pip_installs_the_wheel() {
    let environment = Temp::new();
    tool(Command::new("python3").args(["-m", "venv"]).arg(environment.path("")));
    tool(Command::new(environment.path("bin/pip")).args(["install", "--quiet", "--no-index"]).arg(built(".whl")));
    says_its_version(&mut Command::new(environment.path("bin/layersift")));
    scans(&mut Command::new(environment.path("bin/layersift")));
}

#[test]
#[ignore = "needs a Docker Engine, as root; tests/run includes it where it is installed"]
fn the_image_scans_what_it_is_piped_without_network() {
    let (temp, binary) = (Temp::new(), built("/layersift"));
    let engine = Engine::start(&temp);
    let mut build = engine.docker();
    let host = build.get_envs().find(|(name, _)| *name == "DOCKER_HOST").unwrap().1.unwrap().to_owned();
    let run = Command::new(at_root(".ci/package"))
        .env("DOCKER_HOST", host)
        .env("DOCKER_BUILDKIT", "0")
        .arg("image")
        .arg(binary.parent().unwrap())
        .stdin(Stdio::null())
        .output();
    let run = Run::new(run.unwrap());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let tag = format!("layersift:{VERSION}");
    assert_eq!(tool(build.args(["image", "inspect", "--format", "{{.Config.User}} {{len .RootFS.Layers}}", &tag])).trim(), "65534:65534 1");
    scans(engine.docker().args(["run", "-i", "--rm", "--network", "none", "--read-only", &tag]));
}

#[test]
#[ignore = "needs bash, zsh, fish and groff; tests/run includes it where they are installed"]
fn shells_and_groff_take_what_is_generated_for_them() {
    let temp = Temp::new();
    let layersift = || Command::new(env!("CARGO_BIN_EXE_layersift"));
    for shell in ["bash", "zsh", "fish"] {
        let script = temp.file(shell, tool(layersift().args(["completions", shell])));
        tool(Command::new(shell).arg("-n").arg(script));
    }
    // What bash offers after `layersift scan --fo`.
    let ask = "source \"$1\"; COMP_WORDS=(layersift scan --fo) COMP_CWORD=2; _layersift layersift --fo scan; echo \"${COMPREPLY[*]}\"";
    assert_eq!(tool(Command::new("bash").args(["-c", ask, "-"]).arg(temp.path("bash"))), "--format\n");

    tool(layersift().arg("man").arg(temp.path("man")));
    let pages: Vec<PathBuf> = fs::read_dir(temp.path("man")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(pages.len() > 10, "{pages:?}");
    for page in pages {
        let run = Run::new(Command::new("groff").args(["-man", "-Tutf8", "-ww"]).arg(&page).output().unwrap());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", page.display());
    }
    let scan = Run::new(Command::new("groff").args(["-man", "-Tascii", "-P-c"]).arg(temp.path("man/layersift-scan.1")).output().unwrap());
    assert!(scan.stdout.contains("docker save app:1.4 -o app.tar && layersift scan app.tar\n"), "{}", scan.stdout);
}

#[test]
#[ignore = "needs check-jsonschema, shellcheck and actionlint; tests/run includes it where they can be fetched"]
fn scripts_and_files_for_build_servers_are_sound() {
    for (schema, file) in [
        ("github-actions", "action.yml"),
        ("github-workflows", ".ci/examples/github.yml"),
        ("github-workflows", ".github/workflows/release.yml"),
        ("gitlab-ci", ".ci/examples/gitlab.yml"),
        ("circle-ci", ".ci/examples/circleci.yml"),
    ] {
        tool(Command::new("check-jsonschema").args(["--builtin-schema", &format!("vendor.{schema}")]).arg(at_root(file)));
    }
    tool(Command::new("actionlint").args([".ci/examples/github.yml", ".github/workflows/release.yml"].map(at_root)));
    let temp = Temp::new();
    let mut scripts: Vec<PathBuf> =
        [".ci/package", ".ci/run", ".ci/examples/pre-push", "tests/run", "tests/official", "tests/tools"].map(at_root).into();
    for (number, step) in yaml("action.yml")["runs"]["steps"].as_array().unwrap().iter().enumerate() {
        scripts.push(temp.file(&format!("step-{number}"), format!("#!/usr/bin/env bash\n{}", step["run"].as_str().unwrap())));
    }
    tool(Command::new("shellcheck").args(scripts));
}
