//! Findings and the Dockerfile that the image was built from.

use layersift::report::FormatName;
use layersift::source::builder::ImageBuilder;
use serde_json::Value;

use crate::cli::{Run, program};
use crate::support::*;

/// A Dockerfile with a secret in each kind of instruction, the image that it makes, and the secrets: of the copied file, the file copied by
/// name, the environment, the build argument, the command, the here-document, the label, the stage, the base, and one that is in a
/// comment of the Dockerfile alone.
struct Built {
    dockerfile: String,
    image: ImageBuilder,
    secrets: Vec<String>,
}

fn built() -> Built {
    let names = ["context", "itself", "env", "argument", "command", "document", "label", "stage", "base", "unused"];
    let secrets: Vec<String> = names.map(|name| token(&format!("dockerfile {name}"))).into();
    let [context, itself, env, argument, command, document, label, stage, base, unused] = &secrets[..] else { unreachable!() };
    let dockerfile = format!(
        "FROM go:1 AS build\n\
         RUN go build -o /out/app\n\
         \n\
         FROM node:20\n\
         WORKDIR /app\n\
         ARG NPM_TOKEN={unused}\n\
         COPY . .\n\
         COPY conf/prod.env /etc/app/prod.env\n\
         ENV MODE=prod API_TOKEN={env}\n\
         RUN npm config set token $NPM_TOKEN && \\\n\
         \x20   # the old one was {unused}\n\
         \x20   npm ci\n\
         RUN curl -H 'Authorization: token {command}' \\\n\
         \x20   https://example.com/x\n\
         RUN <<EOF\n\
         export DEPLOY_TOKEN={document}\n\
         make deploy\n\
         EOF\n\
         LABEL a=b token={label}\n\
         COPY --from=build /out /srv\n"
    );
    let image = ImageBuilder::new()
        .tag("app:1")
        .layer("ADD rootfs.tar /", |layer| layer.file("/root/.npmrc", format!("token={base}\n")))
        .layer("WORKDIR /app", |_| ())
        .history_arg("NPM_TOKEN", argument)
        .layer("COPY . .", |layer| layer.file("/app/deploy/.env", format!("TOKEN={context}\n")))
        .layer("COPY conf/prod.env /etc/app/prod.env", |layer| layer.file("/etc/app/prod.env", format!("TOKEN={itself}\n")))
        .env("MODE=prod API_TOKEN", env)
        .layer("RUN npm config set token $NPM_TOKEN &&     npm ci", |_| ())
        .layer(&format!("RUN curl -H 'Authorization: token {command}'     https://example.com/x"), |_| ())
        .layer(&format!("RUN export DEPLOY_TOKEN={document}\nmake deploy\n"), |_| ())
        .label("a=b token", label)
        .layer("COPY /out /srv", |layer| layer.file("/srv/app.conf", format!("TOKEN={stage}\n")));
    Built { dockerfile, image, secrets }
}

fn scan(temp: &Temp, built: &Built, flags: &[&str]) -> Run {
    let image = temp.file("image.tar", built.image.docker25().unwrap());
    let dockerfile = temp.file("Dockerfile", &built.dockerfile);
    Run::new(program().arg("scan").arg(image).arg("--dockerfile").arg(dockerfile).args(flags).output().unwrap())
}

#[test]
fn each_finding_names_its_line_and_what_to_write_instead() {
    let (temp, built) = (Temp::new(), built());
    let run = scan(&temp, &built, &["--format", "json", "--show-secrets"]);
    let report = valid(&run.stdout);
    let fix = |index: usize| {
        let findings = report["findings"].as_array().unwrap();
        let found: Vec<&Value> = findings.iter().filter(|finding| finding["secret"] == built.secrets[index].as_str()).collect();
        assert!(!found.is_empty(), "{index} {findings:#?}");
        found[0]["dockerfile"].clone()
    };
    let table = [
        (0, 7, 7, Value::Null, Some("deploy/.env"), None),
        (1, 8, 8, "".into(), Some("conf/prod.env"), Some("docker build --secret id=prod_env,src=conf/prod.env .")),
        (2, 9, 9, "ENV MODE=prod".into(), None, None),
        (
            3,
            10,
            12,
            "RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm config set token $NPM_TOKEN &&     npm ci".into(),
            None,
            Some("docker build --secret id=npm_token,env=NPM_TOKEN ."),
        ),
        (
            4,
            13,
            14,
            "RUN --mount=type=secret,id=github_pat_classic,env=GITHUB_PAT_CLASSIC curl -H 'Authorization: token \
             '\"$GITHUB_PAT_CLASSIC\"''     https://example.com/x"
                .into(),
            None,
            Some("docker build --secret id=github_pat_classic,env=GITHUB_PAT_CLASSIC ."),
        ),
        (
            5,
            15,
            18,
            "RUN --mount=type=secret,id=deploy_token,env=DEPLOY_TOKEN <<EOF\nexport DEPLOY_TOKEN=$DEPLOY_TOKEN\nmake deploy\nEOF".into(),
            None,
            Some("docker build --secret id=deploy_token,env=DEPLOY_TOKEN ."),
        ),
        (6, 19, 19, "LABEL a=b".into(), None, None),
        (7, 20, 20, Value::Null, None, None),
    ];
    for (index, line, end_line, replacement, ignore, build) in table {
        let fix = fix(index);
        assert_eq!((&fix["match"], &fix["line"], &fix["end_line"]), (&"exact".into(), &line.into(), &end_line.into()), "{index} {fix:#}");
        assert_eq!(fix["replacement"], replacement, "{index}");
        assert_eq!((fix["ignore"].as_str(), fix["build_command"].as_str()), (ignore, build), "{index} {fix:#}");
    }
    assert!(fix(7)["advice"].as_str().unwrap().starts_with("app.conf came from stage build, from /out/app.conf there"), "{:#}", fix(7));
    let base = fix(8);
    assert_eq!((&base["match"], &base["base"], &base["line"]), (&"base".into(), &"node:20".into(), &Value::Null));
}

#[test]
fn no_format_shows_a_secret_of_the_image_or_of_the_dockerfile() {
    let (temp, built) = (Temp::new(), built());
    for format in FormatName::all() {
        let run = scan(&temp, &built, &["--format", format.as_str()]);
        assert_eq!(run.code, 1, "{format} {}", run.stderr);
        for secret in &built.secrets {
            assert!(!run.stdout.contains(secret.as_str()) && !run.stderr.contains(secret.as_str()), "{format}");
            // The longest stretch without a character that formats escape.
            assert!(!run.stdout.contains(&secret[4..]), "{format}");
        }
    }
}

#[test]
fn people_read_the_line_and_its_replacement() {
    let (temp, built) = (Temp::new(), built());
    let run = scan(&temp, &built, &[]);
    let (_, changes) = run.stdout.split_once("What to change in ").unwrap();
    for part in [
        "Dockerfile:10-12  #",
        "    Write instead:\n      RUN --mount=type=secret,id=npm_token,env=NPM_TOKEN npm config set token $NPM_TOKEN &&     npm ci\n",
        "    Build with: docker build --secret id=npm_token,env=NPM_TOKEN .\n",
        "    Add to .dockerignore: deploy/.env\n",
        "  base image node:20  #",
    ] {
        assert!(changes.contains(part), "{part}\n{changes}");
    }
    let run = scan(&temp, &built, &["--format", "sarif"]);
    let sarif: Value = serde_json::from_str(&run.stdout).unwrap();
    let regions: Vec<(u64, u64)> = sarif["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|result| result["relatedLocations"][0]["physicalLocation"]["region"].as_object())
        .map(|region| (region["startLine"].as_u64().unwrap(), region["endLine"].as_u64().unwrap()))
        .collect();
    assert!(regions.contains(&(10, 12)) && regions.contains(&(7, 7)), "{regions:?}");
}

#[test]
fn another_dockerfile_is_said_to_be_another_one() {
    let (temp, mut built) = (Temp::new(), built());
    built.dockerfile = "FROM alpine\nRUN apk add curl\nCOPY site /var/www\nEXPOSE 80\nUSER nobody\n".to_owned();
    let report = valid(&scan(&temp, &built, &["--format", "json"]).stdout);
    for finding in report["findings"].as_array().unwrap() {
        assert_eq!(finding["dockerfile"]["match"], "none", "{finding:#}");
        assert!(finding["dockerfile"]["advice"].as_str().unwrap().starts_with("The Dockerfile does not match this image's history"));
    }
}

#[test]
fn each_image_of_several_is_compared_by_itself() {
    let (temp, built) = (Temp::new(), built());
    let first = temp.file("image.tar", built.image.docker25().unwrap());
    let secret = token("dockerfile other image");
    let other = ImageBuilder::new().layer("ADD site.tar /", |layer| layer.file("/x", format!("TOKEN={secret}\n")));
    let other = temp.file("other.tar", other.docker25().unwrap());
    let dockerfile = temp.file("Dockerfile", &built.dockerfile);
    let run =
        Run::new(program().arg("scan").args([first, other]).args(["--format", "json", "--dockerfile"]).arg(dockerfile).output().unwrap());
    let report = valid(&run.stdout);
    let matches = |image: u64| {
        let findings = report["findings"].as_array().unwrap().iter().filter(move |finding| finding["image"] == image);
        findings.map(|finding| finding["dockerfile"]["match"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(matches(0).contains(&"exact".to_owned()) && matches(1) == ["none"], "{:?} {:?}", matches(0), matches(1));
}

#[test]
fn what_cannot_be_used_is_said_before_the_scan() {
    let (temp, mut built) = (Temp::new(), built());
    let run = scan(&temp, &built, &["--target", "nothing"]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("there is no stage `nothing`; stages: build, 1") && run.stderr.contains("hint: --target"),
        "{}",
        run.stderr
    );
    assert_eq!(Run::new(program().args(["scan", "example:", "--target", "x"]).output().unwrap()).code, 2);
    built.dockerfile = format!("FROM a\nRUN make\n{}=x\n", built.secrets[0]);
    let run = scan(&temp, &built, &[]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("Dockerfile: line 3: unknown instruction") && !run.stderr.contains(&built.secrets[0]), "{}", run.stderr);
}

#[test]
fn without_the_flag_there_is_no_dockerfile_in_the_report() {
    let text = report(&scan_example(), layersift::report::Exposure::Redacted);
    assert!(!text.contains("\"dockerfile\""));
}
