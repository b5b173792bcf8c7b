//! Dockerfiles and histories beside each other, as builders write them.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::*;
use crate::finding::{Certainty, DockerfileFix, Finding, ImageFacts, Part, Place, RuleFacts, Scan, Secret, Severity, Spot, StepFacts};

fn parse(text: &str) -> Dockerfile {
    Dockerfile::parse(text.as_bytes()).unwrap()
}

/// The instructions of all stages: keyword, lines, text.
fn instructions(text: &str) -> Vec<(String, String)> {
    let stages = parse(text).stages;
    let all = stages.into_iter().flat_map(|stage| stage.instructions);
    all.map(|one| (format!("{}-{} {}", one.line, one.end_line, one.kind), one.text.to_string())).collect()
}

fn history(steps: &[&str]) -> Vec<StepFacts> {
    steps.iter().map(|step| StepFacts { created_by: Some((*step).to_owned()), layer: None }).collect()
}

/// For each step the line of what made it, `?` after it where that is only probable; `base`, `-` for nothing. None where nothing fits.
fn lines(dockerfile: &str, target: Option<&str>, steps: &[&str]) -> Option<Vec<String>> {
    let dockerfile = parse(dockerfile);
    let target = target.map(|name| dockerfile.target(name).unwrap());
    let alignment = Alignment::new(&dockerfile, target, &history(steps)).filter(Alignment::fits)?;
    let line = |index: usize| alignment.instructions[index].line;
    let said = alignment.steps.iter().map(|matched| match matched {
        Matched::Instruction(index, Certainty::Exact) => line(*index).to_string(),
        Matched::Instruction(index, Certainty::Probable) => format!("{}?", line(*index)),
        Matched::Base => "base".to_owned(),
        Matched::Nothing => "-".to_owned(),
    });
    Some(said.collect())
}

#[test]
fn instructions_have_their_lines_and_their_text_on_one_line() {
    let table: [(&str, &str, &str); 9] = [
        ("FROM a\nRUN make \\\n  all \\\n\n  # comment\n  install\n\n# after\nENV A=b\n", "2-6 RUN", "RUN make   all   install"),
        ("FROM a\nRUN one \\\n# hunter2\n\\\ntwo\n", "2-5 RUN", "RUN one two"),
        ("# escape=`\nFROM a\nRUN dir C:\\ `\n  x\n", "3-4 RUN", "RUN dir C:\\   x"),
        ("FROM a\nRUN <<EOF\nmake\n# not a comment\nEOF\n", "2-5 RUN", "RUN <<EOF\nmake\n# not a comment\nEOF"),
        ("FROM a\nCOPY <<'A' <<B /x/\none\nA\ntwo\nB\nENV A=b\n", "2-6 COPY", "COPY <<'A' <<B /x/\none\nA\ntwo\nB"),
        ("FROM a\r\nRUN one \\\r\n  two\r\n", "2-3 RUN", "RUN one   two"),
        ("FROM a\nrun [\"make\", \"x\"]\n", "2-2 RUN", "run [\"make\", \"x\"]"),
        ("ARG V=1\nFROM a:$V\n\n\n  ENV A=b\n", "5-5 ENV", "ENV A=b"),
        ("\u{feff}FROM a\nONBUILD COPY . /app\n", "2-2 ONBUILD", "ONBUILD COPY . /app"),
    ];
    for (dockerfile, lines, text) in table {
        assert_eq!(instructions(dockerfile)[0], (lines.to_owned(), text.to_owned()), "{dockerfile}");
    }
}

#[test]
fn stages_flags_and_json_forms_are_read() {
    let dockerfile = parse(
        "ARG V=1\nFROM --platform=$BUILDPLATFORM go:$V AS Build\nRUN --mount=type=cache,target=/c --network=none go build\n\
         FROM scratch\nCOPY --from=build --chown=1:1 /a /b\nCOPY [\"a b\", \"/c d/\"]\nRUN [\"/b\"]\n",
    );
    let [build, last] = &dockerfile.stages[..] else { panic!("{dockerfile:?}") };
    assert_eq!(
        (build.name.as_deref(), build.base.as_str(), last.name.as_deref(), last.base.as_str()),
        (Some("Build"), "go:$V", None, "scratch")
    );
    let Body::Run(run) = &build.instructions[0].body else { panic!() };
    assert_eq!(
        (run.flags.as_str(), run.command.as_str(), run.form),
        ("--mount=type=cache,target=/c --network=none", "go build", Form::Shell)
    );
    let Body::Copy(copy) = &last.instructions[0].body else { panic!() };
    assert_eq!((copy.from.as_deref(), copy.flags.join(" ").as_str()), (Some("build"), "--from=build --chown=1:1"));
    let Body::Copy(copy) = &last.instructions[1].body else { panic!() };
    assert_eq!((copy.sources.as_slice(), copy.dest.as_str()), (&["a b".to_owned()][..], "/c d/"));
    assert!(matches!(&last.instructions[2].body, Body::Run(RunParts { form: Form::Exec, .. })));
    assert_eq!((dockerfile.stage("BUILD"), dockerfile.stage("1"), dockerfile.stage("2")), (Some(0), Some(1), None));
    assert_eq!(dockerfile.target("x").unwrap_err().to_string(), "there is no stage `x`; stages: Build, 1");
}

#[test]
fn what_is_no_dockerfile_is_said_with_its_line_and_without_its_text() {
    let table: [(&[u8], &str); 7] = [
        (b"FROM a\nRUN make\nTOKEN=hunter2 x\n", "line 3: unknown instruction"),
        (b"FROM a\nRUN <<hunter2\nmake\n", "line 3: expected end of here-document"),
        (b"FROM a AS hunter2\nFROM b AS hunter2\n", "line 2: duplicate stage name"),
        (b"RUN make\n", "line 1: expected FROM"),
        (b"", "line 1: expected at least one FROM instruction"),
        (b"FROM a\n\xff\n", "line 2 is not UTF-8"),
        (&[b' '; MAX_BYTES + 1], "it has 1048577 bytes; a Dockerfile of more than 1048576 bytes is not read"),
    ];
    for (bytes, message) in table {
        assert_eq!(Dockerfile::parse(bytes).unwrap_err().to_string(), message);
    }
    let many = format!("FROM a\n{}", "RUN x\n".repeat(MAX_INSTRUCTIONS));
    assert!(matches!(Dockerfile::parse(many.as_bytes()), Err(DockerfileError::TooManyInstructions { .. })));
}

const APP: &str =
    "FROM node:20\nARG NPM_TOKEN\nENV A=b\nWORKDIR /app\nCOPY . .\nRUN npm ci \\\n  --quiet\nLABEL x=y\nCMD [\"node\", \"x\"]\n";

#[test]
fn steps_of_each_builder_are_mapped() {
    let buildkit = [
        "/bin/sh -c #(nop) ADD file:12 in / ",
        "RUN /bin/sh -c apt-get update # buildkit",
        "CMD [\"node\"]",
        "ARG NPM_TOKEN=x",
        "ENV A=b",
        "WORKDIR /app",
        "COPY . . # buildkit",
        "RUN |1 NPM_TOKEN=x /bin/sh -c npm ci   --quiet # buildkit",
        "LABEL x=y",
        "CMD [\"node\" \"x\"]",
    ];
    assert_eq!(lines(APP, None, &buildkit).unwrap(), ["base", "base", "base", "2", "3", "4", "5", "6", "8", "9"]);
    let classic = [
        "/bin/sh -c #(nop) ADD file:12 in / ",
        "/bin/sh -c #(nop)  ARG NPM_TOKEN",
        "/bin/sh -c #(nop)  ENV A=b",
        "/bin/sh -c #(nop) WORKDIR /app",
        "/bin/sh -c #(nop) COPY dir:0a in . ",
        "|1 NPM_TOKEN=x /bin/sh -c npm ci   --quiet",
        "/bin/sh -c #(nop)  LABEL x=y",
        "/bin/sh -c #(nop)  CMD [\"node\" \"x\"]",
    ];
    assert_eq!(lines(APP, None, &classic).unwrap(), ["base", "2", "3", "4", "5", "6", "8", "9"]);
    // Without steps for what leaves no layer.
    let layers_only = ["bazel", "COPY . .", "RUN npm ci --quiet"];
    assert_eq!(lines(APP, None, &layers_only), None, "half of it is missing");
}

#[test]
fn changed_moved_and_foreign_steps_are_said_to_be() {
    let steps = [
        "ENV A=c",
        "WORKDIR /app",
        "COPY . . # buildkit",
        "RUN /bin/sh -c npm install --all # buildkit",
        "LABEL x=y",
        "CMD [\"node\" \"x\"]",
    ];
    assert_eq!(lines(APP, None, &steps).unwrap(), ["3", "4", "5", "6?", "8", "9"]);
    // Somebody built on top of it, or committed a container.
    let steps = [
        "ENV A=b",
        "WORKDIR /app",
        "COPY . . # buildkit",
        "RUN /bin/sh -c npm ci --quiet # buildkit",
        "LABEL x=y",
        "CMD [\"node\" \"x\"]",
        "sh",
    ];
    assert_eq!(lines(APP, None, &steps).unwrap().last().unwrap(), "-");
    // Two instructions have changed places: one of them keeps its line.
    let steps =
        ["ENV A=b", "COPY . . # buildkit", "WORKDIR /app", "RUN /bin/sh -c npm ci --quiet # buildkit", "LABEL x=y", "CMD [\"node\" \"x\"]"];
    let found = lines(APP, None, &steps).unwrap();
    assert_eq!((found[0].as_str(), found[3].as_str()), ("3", "6"));
    assert!(found[1..3].contains(&"-".to_owned()), "{found:?}");
    let other = ["ADD rootfs.tar /", "RUN /bin/sh -c dnf install httpd # buildkit", "EXPOSE map[80/tcp:{}]", "USER httpd"];
    assert_eq!(lines(APP, None, &other), None);
    assert_eq!(lines(APP, None, &[]), None);
}

#[test]
fn where_a_first_instruction_has_no_step_nothing_is_blamed_on_the_base() {
    let dockerfile = "FROM a\nCOPY secret /x\nRUN one\nRUN two\nRUN three\n";
    let steps = ["ADD rootfs /", "RUN /bin/sh -c one", "RUN /bin/sh -c two", "RUN /bin/sh -c three"];
    assert_eq!(lines(dockerfile, None, &steps).unwrap(), ["-", "3", "4", "5"]);
}

#[test]
fn the_stage_that_fits_best_is_taken_with_those_it_starts_from() {
    let dockerfile = "FROM go AS build\nRUN go build\nFROM alpine AS common\nENV A=b\nFROM common AS debug\nRUN apk add gdb\n\
                      FROM common\nCOPY --from=build /app /app\nUSER app\n";
    let last = ["ADD x /", "ENV A=b", "COPY /app /app # buildkit", "USER app"];
    assert_eq!(lines(dockerfile, None, &last).unwrap(), ["base", "4", "8", "9"]);
    let debug = ["ADD x /", "ENV A=b", "RUN /bin/sh -c apk add gdb # buildkit"];
    assert_eq!(lines(dockerfile, None, &debug).unwrap(), ["base", "4", "6"]);
    assert_eq!(lines(dockerfile, Some("debug"), &debug).unwrap(), ["base", "4", "6"]);
    assert_eq!(lines(dockerfile, Some("build"), &debug), None);
}

#[test]
fn here_documents_are_known_by_their_contents() {
    let dockerfile = "FROM a\nRUN <<EOF\napt-get update\nmake install\nEOF\nCOPY <<X /etc/x\nhello\nX\n";
    let steps = ["RUN /bin/sh -c apt-get update\nmake install\n # buildkit", "COPY <<X /etc/x # buildkit"];
    let found = lines(dockerfile, None, &steps).unwrap();
    assert_eq!(found, ["2", "6"]);
    let steps = ["RUN /bin/sh -c <<EOF\napt-get update\nmake install\nEOF # buildkit", "COPY <<X /etc/x # buildkit"];
    assert_eq!(lines(dockerfile, None, &steps).unwrap(), ["2", "6"]);
}

const SECRET: &str = "hunter2-hunter2";

/// The fix for a secret at `place` of an image with this history, each of whose steps made the layer of its number.
fn fix(dockerfile: &str, steps: &[&str], place: Place) -> DockerfileFix {
    let mut history = history(steps);
    for (layer, step) in history.iter_mut().enumerate() {
        step.layer = Some(layer);
    }
    let rule = Arc::new(RuleFacts {
        id: "shop-key".to_owned(),
        description: String::new(),
        provider: String::new(),
        docs: None,
        severity: Severity::High,
        remediation: String::new(),
        pairs: Vec::new(),
    });
    let findings = vec![Finding::new(&rule, Secret::new(SECRET.as_bytes(), 0), place)];
    let mut scan = Scan { images: vec![ImageFacts { history, ..ImageFacts::default() }], findings, ..Scan::new("") };
    advise(&mut scan, &parse(dockerfile), "Dockerfile", None);
    *scan.findings.remove(0).dockerfile.unwrap()
}

fn file(layer: usize, path: &str) -> Place {
    Place::LayerFile { layer, path: path.as_bytes().to_vec(), inner: Vec::new(), part: Part::Content, position: None }
}

fn step(number: usize) -> Place {
    Place::History { pointer: format!("/history/{number}/created_by"), layer: None }
}

/// A fix's line, replacement, line of `.dockerignore` and build command.
fn said(fix: &DockerfileFix) -> (Option<usize>, Option<&str>, Option<&str>, Option<&str>) {
    let line = match fix.spot {
        Spot::Instruction { line, .. } => Some(line),
        _ => None,
    };
    (line, fix.replacement.as_deref(), fix.ignore.as_deref(), fix.build_command.as_deref())
}

/// An instruction, the history, the place, and what [`said`] gives but for the line.
type Case<'a> = (&'a str, &'a [&'a str], Place, Option<&'a str>, Option<&'a str>, Option<&'a str>);

#[test]
fn each_kind_of_instruction_has_its_replacement() {
    let build = |name: &str| format!("docker build --secret id={},env={name} .", name.to_lowercase());
    let (token, key) = (build("TOKEN"), build("SHOP_KEY"));
    let env = Place::Config { pointer: "/config/Env/0".to_owned() };
    let label = Place::Label { pointer: "/config/Labels/a".to_owned() };
    let table: [Case<'_>; 16] = [
        (
            "RUN x -p @",
            &["RUN /bin/sh -c x -p @"],
            step(0),
            Some("RUN --mount=type=secret,id=shop_key,env=SHOP_KEY x -p $SHOP_KEY"),
            None,
            Some(&key),
        ),
        (
            "RUN --network=none TOKEN=@ x",
            &["RUN /bin/sh -c TOKEN=@ x"],
            step(0),
            Some("RUN --mount=type=secret,id=token,env=TOKEN --network=none TOKEN=$TOKEN x"),
            None,
            Some(&token),
        ),
        ("RUN [\"x\", \"--token=@\"]", &["x --token=@"], step(0), None, None, Some(&token)),
        (
            "RUN echo token=@ > /root/.x;",
            &["RUN /bin/sh -c echo token=@ > /root/.x;"],
            file(0, "/root/.x"),
            Some("RUN --mount=type=secret,id=token,env=TOKEN echo token=$TOKEN > /root/.x && rm -f /root/.x"),
            None,
            Some(&token),
        ),
        ("RUN keygen", &["RUN /bin/sh -c keygen"], file(0, "/etc/a b"), Some("RUN keygen && rm -f '/etc/a b'"), None, None),
        ("RUN <<E\nkeygen\nE", &["RUN /bin/sh -c keygen\n"], file(0, "/k"), Some("RUN <<E\nkeygen\nrm -f /k\nE"), None, None),
        ("RUN [\"keygen\"]", &["keygen"], file(0, "/k"), None, None, None),
        ("ENV A=b TOKEN=@", &["ENV A=b TOKEN=@"], env.clone(), Some("ENV A=b"), None, None),
        ("ENV TOKEN @", &["ENV TOKEN=@"], env.clone(), Some(""), None, None),
        (
            "ENV token=@\nRUN x ${token}",
            &["ENV token=@", "RUN /bin/sh -c x ${token}"],
            env,
            Some(""),
            None,
            Some("docker build --secret id=token,env=token ."),
        ),
        ("ARG TOKEN=@", &["ARG TOKEN=@"], step(0), Some(""), None, Some(&token)),
        ("ARG TOKEN", &["ARG TOKEN=@"], step(0), Some(""), None, Some(&token)),
        ("LABEL a=\"@\" b=c", &["LABEL a=@ b=c"], label, Some("LABEL b=c"), None, None),
        ("COPY . /srv/", &["COPY . /srv/ # buildkit"], file(0, "/srv/a/b.key"), None, Some("a/b.key"), None),
        ("COPY . $X", &["COPY . /srv # buildkit"], file(0, "/srv/b.key"), None, Some("**/b.key"), None),
        ("CMD serve --token @", &["CMD [\"/bin/sh\" \"-c\" \"serve --token @\"]"], step(0), Some("CMD serve --token $TOKEN"), None, None),
    ];
    for (instruction, steps, place, replacement, ignore, build) in table {
        let with_secret = |text: &str| text.replace('@', SECRET);
        let steps: Vec<String> = steps.iter().map(|step| with_secret(step)).collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let fix = fix(&with_secret(&format!("FROM a\n{instruction}\n")), &steps, place);
        assert_eq!(said(&fix), (Some(2), replacement, ignore, build), "{instruction}\n{fix:#?}");
    }
}

#[test]
fn one_of_several_sources_is_taken_out() {
    let two = fix("FROM a\nCOPY --chown=1:1 a.key b /x/\n", &["COPY --chown=1:1 a.key b /x/ # buildkit"], file(0, "/x/a.key"));
    assert_eq!(said(&two), (Some(2), Some("COPY --chown=1:1 b /x/"), Some("a.key"), Some("docker build --secret id=a_key,src=a.key .")));
    let odd = fix("FROM a\nCOPY [\"a.key\", \"b c\", \"/x/\"]\n", &["COPY a.key b c /x/ # buildkit"], file(0, "/x/a.key"));
    assert_eq!(odd.replacement.as_deref(), Some("COPY [\"b c\",\"/x/\"]"));
    let only = fix("FROM a\nCOPY ./conf/a.key /x\n", &["COPY ./conf/a.key /x # buildkit"], file(0, "/x"));
    assert_eq!((only.replacement.as_deref(), only.ignore.as_deref()), (Some(""), Some("conf/a.key")));
}

#[test]
fn what_no_line_brought_is_said_to_be() {
    let base = fix("FROM node:20\nRUN make\n", &["ADD x /", "RUN /bin/sh -c make"], file(0, "/x"));
    assert_eq!(base.spot, Spot::Base { image: "node:20".to_owned() });
    let scratch = fix("FROM scratch\nRUN make\n", &["ADD x /", "RUN /bin/sh -c make"], file(0, "/x"));
    assert!(scratch.spot == Spot::Unknown && scratch.advice.contains("starts from scratch"), "{scratch:?}");
    let other = fix("FROM node:20\nRUN make\n", &["ADD x /"], file(0, "/x"));
    assert!(other.spot == Spot::Unknown && other.advice.contains("does not match"), "{other:?}");
    let annotation = Place::Annotation { document: "manifest".to_owned(), pointer: "/annotations/a".to_owned() };
    let outside = fix("FROM node:20\nRUN make\n", &["RUN /bin/sh -c make"], annotation);
    assert!(outside.advice.starts_with("Annotations are given to the build"), "{outside:?}");
    let none = fix("FROM node:20\nRUN make\n", &[], file(0, "/x"));
    assert!(none.advice.starts_with("There is no history"), "{none:?}");
}
