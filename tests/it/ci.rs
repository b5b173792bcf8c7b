//! What builds use: the GitHub Action and the examples in `.ci/examples`, their shell parts run as a build server would run them.
//!
//! A script stands for Docker here, and has one image; `packages.rs` and `real_tools.rs` know the real one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use layersift::source::builder::ImageBuilder;
use serde_json::Value;

use crate::cli::Run;
use crate::support::*;

pub(crate) fn text(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

pub(crate) fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&text(name)).unwrap()
}

/// The step of action.yml with this name.
pub(crate) fn action_step(name: &str) -> Value {
    let action = yaml("action.yml");
    let steps = action["runs"]["steps"].as_array().unwrap();
    steps.iter().find(|step| step["name"] == name).unwrap().clone()
}

/// All texts under the keys `run`, `command`, `script` and `before_script`, at any depth.
fn scripts(of: &Value, out: &mut Vec<String>) {
    match of {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| match (key.as_str(), value) {
            ("run" | "command", Value::String(text)) => out.push(text.clone()),
            ("script" | "before_script", Value::Array(lines)) => out.extend(lines.iter().map(|line| line.as_str().unwrap().to_owned())),
            (_, value) => scripts(value, out),
        }),
        Value::Array(items) => items.iter().for_each(|item| scripts(item, out)),
        _ => {}
    }
}

fn scripts_of(name: &str) -> Vec<String> {
    let mut out = Vec::new();
    scripts(&yaml(name), &mut out);
    assert!(!out.is_empty(), "{name}");
    out
}

/// The texts in `sh '...'` of a Jenkinsfile.
fn jenkins_scripts(name: &str) -> Vec<String> {
    let text = text(name);
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("sh '")?.strip_suffix('\'').map(str::to_owned));
    lines.collect()
}

/// Inputs of the action by name, those that are given.
type Inputs<'a> = &'a [(&'a str, &'a str)];

/// A machine of a build server: a folder to work in, the program, and a `docker` whose only image is `app:ci`.
struct Machine {
    temp: Temp,
}

const DOCKER: &str = r#"#!/bin/sh
for last; do :; done
case "$1" in
  build) exit 0 ;;
  save) [ "$last" = app:ci ] && exec cat "$APP_CI" ;;
  image) [ "$last" = app:ci ] && exit 0 ;;
esac
echo "Error: no such image: $last" >&2
exit 1
"#;

impl Machine {
    fn new(image: &ImageBuilder) -> Self {
        let temp = Temp::new();
        let docker = temp.file("bin/docker", DOCKER);
        assert!(Command::new("chmod").arg("755").arg(docker).status().unwrap().success());
        temp.file("app.tar", image.docker25().unwrap());
        temp.file("work/README", "");
        Self { temp }
    }

    fn work(&self, name: &str) -> PathBuf {
        self.temp.path("work").join(name)
    }

    /// A program, found as a build server finds it.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let own = Path::new(env!("CARGO_BIN_EXE_layersift")).parent().unwrap();
        let path = format!("{}:{}:{}", self.temp.path("bin").display(), own.display(), std::env::var("PATH").unwrap());
        command
            .env("PATH", path)
            .env("APP_CI", self.temp.path("app.tar"))
            .env("RUNNER_TEMP", self.temp.path(""))
            .env("HOME", self.temp.path(""));
        command.env_remove("GITHUB_STEP_SUMMARY").env_remove("LAYERSIFT_KEY").current_dir(self.temp.path("work")).stdin(Stdio::null());
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Run {
        Run::new(self.command(program).args(arguments).output().unwrap())
    }

    /// A step of the action with these inputs, and what it put out.
    fn act(&self, inputs: Inputs<'_>) -> (Run, Vec<String>) {
        let (action, step) = (yaml("action.yml"), action_step("Scan"));
        let mut command = self.command("bash");
        for (variable, expression) in step["env"].as_object().unwrap() {
            let name = expression.as_str().unwrap().strip_prefix("${{ inputs.").unwrap().strip_suffix(" }}").unwrap();
            let given = inputs.iter().find(|(input, _)| *input == name).map(|(_, value)| *value);
            command.env(variable, given.unwrap_or_else(|| action["inputs"][name]["default"].as_str().unwrap()));
        }
        let output = self.temp.file("output", "");
        let run = Run::new(command.env("GITHUB_OUTPUT", &output).args(["-c", step["run"].as_str().unwrap()]).output().unwrap());
        (run, std::fs::read_to_string(output).unwrap().lines().map(str::to_owned).collect())
    }
}

fn leaky() -> ImageBuilder {
    ImageBuilder::new().layer("COPY . .", |layer| layer.file("/token", token("ci")))
}

fn clean() -> ImageBuilder {
    ImageBuilder::new().layer("COPY . .", |layer| layer.file("/motd", "hello\n"))
}

#[test]
fn no_expression_becomes_the_text_of_a_script() {
    for name in ["action.yml", ".ci/examples/github.yml", ".github/workflows/release.yml"] {
        for script in scripts_of(name) {
            assert!(!script.contains("${{"), "{name}: {script}");
        }
    }
}

#[test]
fn every_input_of_the_action_is_used_and_every_flag_is_known() {
    let (action, step) = (yaml("action.yml"), action_step("Scan"));
    let mut used: Vec<&str> = step["env"].as_object().unwrap().values().map(|value| value.as_str().unwrap()).collect();
    let mut declared: Vec<String> = action["inputs"].as_object().unwrap().keys().map(|name| format!("${{{{ inputs.{name} }}}}")).collect();
    used.sort_unstable();
    declared.sort_unstable();
    assert_eq!(used, declared);
    let help = Run::new(crate::cli::program().args(["scan", "--help"]).output().unwrap()).stdout;
    for flag in step["run"].as_str().unwrap().split("\"--").skip(1) {
        let flag = flag.split('=').next().unwrap();
        assert!(help.contains(&format!("--{flag}")), "{flag}");
    }
}

#[test]
#[ignore = "needs bash and jq; tests/run includes it where they are installed"]
fn the_action_scans_an_image_and_says_what_came_of_it() {
    let (leaky, clean) = (Machine::new(&leaky()), Machine::new(&clean()));
    let archive = leaky.temp.path("app.tar").display().to_string();
    let table: [(&Machine, Inputs<'_>, i32, &str); 8] = [
        (&leaky, &[("image-ref", "app:ci")], 1, "findings=1"),
        (&clean, &[("image-ref", "app:ci")], 0, "findings=0"),
        (&leaky, &[("input", &archive), ("exit-code", "42")], 42, "findings=1"),
        (&leaky, &[("input", &archive), ("exit-code", "0")], 0, "findings=1"),
        (&leaky, &[("input", &archive), ("fail-on", "never")], 0, "findings=1"),
        (&leaky, &[("input", &archive), ("severity", "LOW,MEDIUM")], 0, "findings=0"),
        (&leaky, &[("input", &archive), ("args", "--scope=deleted\n\n--jobs\n1\n")], 0, "findings=0"),
        (&leaky, &[("input", "missing.tar")], 2, "findings=0"),
    ];
    for (machine, inputs, code, findings) in table {
        let (run, said) = machine.act(inputs);
        assert_eq!(run.code, code, "{inputs:?}: {}{}", run.stdout, run.stderr);
        assert_eq!(said, [format!("exit-code={code}"), findings.to_owned(), "report=".to_owned()], "{inputs:?}");
    }
    let (run, _) = leaky.act(&[("image-ref", "app:ci")]);
    assert!(run.stdout.starts_with("::error "), "annotations: {}", run.stdout);
    let (run, said) = leaky.act(&[("input", &archive), ("format", "sarif"), ("output", "a b.sarif")]);
    assert!(said.contains(&"report=a b.sarif".to_owned()) && run.stdout.contains("/token"), "{said:?} {}", run.stdout);
    let report: Value = serde_json::from_slice(&std::fs::read(leaky.work("a b.sarif")).unwrap()).unwrap();
    assert_eq!(report["version"], "2.1.0");
    for wrong in [&[][..], &[("image-ref", "app:ci"), ("input", "app.tar")], &[("image-ref", "other:1")]] {
        assert_eq!(leaky.act(wrong).0.code, 2, "{wrong:?}");
    }
    let (run, said) = leaky.act(&[("input", &archive), ("baseline", "missing.json"), ("output", "x\nfindings=7")]);
    assert_eq!((run.code, said), (2, ["exit-code=2", "findings=", "report=x findings=7"].map(str::to_owned).to_vec()));
}

#[test]
#[ignore = "needs bash and jq; tests/run includes it where they are installed"]
fn no_input_of_the_action_runs_a_command_or_becomes_a_flag() {
    let machine = Machine::new(&leaky());
    let action = yaml("action.yml");
    for name in action["inputs"].as_object().unwrap().keys() {
        for hostile in
            ["$(touch pwned)", "`touch pwned`", "x; touch pwned", "x\"; touch pwned; \"", "' && touch pwned '", "x | touch pwned", "--help"]
        {
            let mut inputs = vec![(name.as_str(), hostile)];
            if !["image-ref", "input"].contains(&name.as_str()) {
                inputs.push(("image-ref", "app:ci"));
            }
            let (run, _) = machine.act(&inputs);
            assert!(!machine.work("pwned").exists(), "{name}: {hostile}");
            // Flags are what `args` is for.
            assert!(name == "args" || !run.stdout.contains("Usage:"), "{name}: {hostile}: {}", run.stdout);
        }
    }
}

#[test]
#[ignore = "needs bash; tests/run includes it where it is installed"]
fn the_steps_of_the_examples_fail_on_a_secret_and_leave_their_report() {
    let only_scans = |scripts: Vec<String>| scripts.into_iter().filter(|script| script.contains("docker")).collect::<Vec<_>>();
    let table = [
        (only_scans(scripts_of(".ci/examples/gitlab.yml")), "gl-secret-detection-report.json"),
        (only_scans(scripts_of(".ci/examples/circleci.yml")), "results/layersift.xml"),
        (jenkins_scripts(".ci/examples/Jenkinsfile"), "layersift.xml"),
    ];
    for (scripts, report) in table {
        assert_eq!(scripts.len(), 2, "{scripts:?}");
        for (image, code) in [(leaky(), 1), (clean(), 0)] {
            let machine = Machine::new(&image);
            let codes: Vec<i32> = scripts.iter().map(|script| machine.run("bash", &["-e", "-c", script]).code).collect();
            assert_eq!(codes, [0, code], "{scripts:?}");
            assert!(std::fs::metadata(machine.work(report)).unwrap().len() > 0, "{report}");
        }
    }
    // What is written is what the service is told to read.
    let gitlab = yaml(".ci/examples/gitlab.yml");
    assert_eq!(gitlab["secrets-in-image"]["artifacts"]["reports"]["secret_detection"], "gl-secret-detection-report.json");
    assert!(text(".ci/examples/Jenkinsfile").contains("junit 'layersift.xml'"));
    assert!(text(".ci/examples/circleci.yml").contains("path: results\n"));
}

#[test]
#[ignore = "needs git; tests/run includes it where it is installed"]
fn the_hook_lets_no_push_pass_while_the_image_has_a_secret() {
    for by in ["layersift.archive", "layersift.image"] {
        let machine = Machine::new(&leaky());
        let git = |arguments: &[&str]| {
            let identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"];
            Run::new(machine.command("git").args(identity).args(arguments).output().unwrap())
        };
        for arguments in [&["init", "-q"][..], &["add", "."], &["commit", "-q", "-m", "x"], &["init", "-q", "--bare", "../remote"]] {
            let run = git(arguments);
            assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
        }
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/examples/pre-push"), machine.work(".git/hooks/pre-push")).unwrap();
        let push = || git(&["push", "../remote", "HEAD:refs/heads/main"]);

        let unset = push();
        assert!(unset.code != 0 && unset.stderr.contains("git config"), "{}", unset.stderr);
        let value = if by == "layersift.image" { "app:ci" } else { "../app.tar" };
        git(&["config", by, value]);
        let refused = push();
        assert!(refused.code != 0 && (refused.stdout + &refused.stderr).contains("/token"), "{by}");
        assert!(!machine.temp.path("remote/refs/heads/main").exists(), "{by}");

        let known = machine.run("layersift", &["baseline", "create", "../app.tar"]);
        assert_eq!(known.code, 0, "{}", known.stderr);
        let passed = push();
        assert_eq!(passed.code, 0, "{by}: {}", passed.stderr);
        std::fs::remove_file(machine.work("layersift-baseline.json")).unwrap();

        git(&["config", by, "missing"]);
        git(&["commit", "-q", "--allow-empty", "-m", "y"]);
        assert_ne!(push().code, 0, "{by}: an image that is not there");
    }
}

#[test]
#[ignore = "needs make; tests/run includes it where it is installed"]
fn the_makefile_gates() {
    let makefile = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/examples/Makefile").display().to_string();
    for (image, code) in [(leaky(), 2), (clean(), 0)] {
        let machine = Machine::new(&image);
        for what in ["IMAGE=app:ci", "ARCHIVE=../app.tar"] {
            let run = machine.run("make", &["-f", &makefile, "secrets", what]);
            assert_eq!(run.code, code, "{what}: {}{}", run.stdout, run.stderr);
        }
        assert_eq!(machine.run("make", &["-f", &makefile, "secrets", "IMAGE=missing"]).code, 2);
    }
}
