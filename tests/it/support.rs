//! What the tests share: a temporary folder, secrets that never were, scans, and reports that are held to their schema.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use layersift::finding::{Finding, Gate, Outcome as Verdict, Place, Reason, Scan, Visibility};
use layersift::random::Random;
use layersift::report::{Colour, Context, Exposure, FormatName, JSON_SCHEMA, Redactor, Suppressed, Times};
use layersift::rule::{RuleSet, generate};
use layersift::scan::{NoProgress, Options, Outcome, run};
use layersift::source::Reference;
use layersift::source::builder::ImageBuilder;
use serde_json::Value;

pub(crate) static RULES: LazyLock<RuleSet> = LazyLock::new(RuleSet::builtin);

static SCHEMA: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&serde_json::from_str(JSON_SCHEMA).unwrap()).unwrap());

/// A temporary folder, gone at the end.
pub(crate) struct Temp(PathBuf);

impl Temp {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("layersift-it-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file with these bytes, its folders made.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A secret as the built-in rule `rule` wants it; another one for each `seed`.
pub(crate) fn secret(rule: &str, seed: &str) -> String {
    let rule = RULES.rules().find(|known| known.facts.id == rule).unwrap_or_else(|| panic!("no rule {rule}"));
    generate::secret(rule, &mut Random::from_text(seed)).unwrap()
}

/// A token with a checksum, which nothing but its own rule finds.
pub(crate) fn token(seed: &str) -> String {
    secret("github-pat-classic", seed)
}

/// The rule that finds a [`token`].
pub(crate) const TOKEN_RULE: &str = "github-pat-classic";

/// Scans what the user would type.
pub(crate) fn scan_text(text: &str, options: &Options) -> Outcome {
    run(&[Reference::parse(text).unwrap()], &RULES, options, &NoProgress)
}

/// Scans a path with the usual options; nothing may fail. The report is held to its schema.
pub(crate) fn scan(path: &Path) -> Scan {
    sound(scan_text(path.to_str().unwrap(), &Options::default()))
}

/// Scans the built-in example.
pub(crate) fn scan_example() -> Scan {
    sound(scan_text("example:", &Options::default()))
}

/// Scans an image as a Docker archive.
pub(crate) fn scan_image(image: &ImageBuilder) -> Scan {
    let temp = Temp::new();
    scan(&temp.file("image.tar", image.docker_archive().unwrap()))
}

/// The scan of an outcome without failures, its report held to its schema.
pub(crate) fn sound(outcome: Outcome) -> Scan {
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    report(&outcome.scan, Exposure::Redacted);
    outcome.scan
}

/// The JSON report, which must be valid by its schema.
pub(crate) fn report(scan: &Scan, exposure: Exposure) -> String {
    let text = String::from_utf8(write(scan, FormatName::Json, exposure)).unwrap();
    valid(&text);
    text
}

/// A report in any format.
pub(crate) fn write(scan: &Scan, format: FormatName, exposure: Exposure) -> Vec<u8> {
    let redactor = Redactor::new(scan, exposure);
    let context = Context {
        redactor,
        gate: Gate::default(),
        suppressed: Suppressed::default(),
        width: 120,
        colour: Colour::Plain,
        times: Times::default(),
    };
    let mut out = Vec::new();
    format.format().write(scan, &context, &mut out).unwrap();
    out
}

/// Parses a report, which must be valid by the schema.
pub(crate) fn valid(report: &str) -> Value {
    let value = serde_json::from_str(report).unwrap();
    let problems: Vec<String> = SCHEMA.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{problems:?}");
    value
}

pub(crate) fn reasons(scan: &Scan) -> Vec<Reason> {
    scan.coverage.skipped.iter().map(|skipped| skipped.reason).collect()
}

pub(crate) fn verdict(scan: &Scan) -> Verdict {
    Gate::default().outcome(scan)
}

/// What a finding says, as far as it does not depend on the form of the image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Facts {
    pub(crate) rule: String,
    pub(crate) secret: Vec<u8>,
    pub(crate) kind: &'static str,
    pub(crate) layer: Option<usize>,
    /// Of the file, or the pointer into the document.
    pub(crate) path: String,
    pub(crate) line: Option<u64>,
    pub(crate) visibility: Option<Visibility>,
    pub(crate) also: usize,
    pub(crate) suppressed: bool,
}

impl Facts {
    fn new(finding: &Finding) -> Self {
        let place = &finding.place;
        let path = place.path().map(|path| String::from_utf8_lossy(path).into_owned());
        Self {
            rule: finding.rule.id.clone(),
            secret: finding.secret.expose().to_vec(),
            kind: place.kind(),
            layer: place.layer(),
            path: path.or_else(|| place.pointer().map(str::to_owned)).unwrap_or_default(),
            line: place.position().map(|position| position.line),
            visibility: finding.visibility,
            also: finding.also.len(),
            suppressed: finding.suppressed.is_some(),
        }
    }
}

/// What all findings say, in the order of the report.
pub(crate) fn facts(scan: &Scan) -> Vec<Facts> {
    scan.findings.iter().map(Facts::new).collect()
}

/// The one finding of `secret`.
#[track_caller]
pub(crate) fn only<'s>(scan: &'s Scan, secret: &str) -> &'s Finding {
    let found: Vec<&Finding> = scan.findings.iter().filter(|finding| finding.secret.expose() == secret.as_bytes()).collect();
    assert_eq!(found.len(), 1, "findings {:#?}, skipped {:#?}", scan.findings, scan.coverage.skipped);
    found[0]
}

/// The path of a finding in a layer.
pub(crate) fn path_of(finding: &Finding) -> String {
    match &finding.place {
        Place::LayerFile { path, .. } => String::from_utf8_lossy(path).into_owned(),
        other => panic!("not in a file: {other:?}"),
    }
}

/// An image with a secret of each life and at each kind of place, and its secrets.
pub(crate) struct Scenario {
    pub(crate) image: ImageBuilder,
    pub(crate) secrets: Vec<String>,
}

pub(crate) fn scenario() -> Scenario {
    let secrets: Vec<String> = ["env", "label", "argument", "deleted", "overwritten", "final", "folder", "xattr"].map(token).into();
    let [env, label, argument, deleted, overwritten, last, folder, xattr] = &secrets[..] else { unreachable!() };
    let image = ImageBuilder::new()
        .tag("example.org/app:1")
        .layer("COPY base /", |layer| layer.file("/etc/motd", "hello\n"))
        .env("TOKEN", env)
        .label("ci", label)
        .history_arg("CI_TOKEN", argument)
        .layer("COPY . /app", |layer| {
            layer.directory("/app");
            layer.file("/app/.env", format!("A=b\n\nTOKEN={deleted}\n"));
            layer.file("/app/config", format!("token: {overwritten}\n"));
            layer.file("/app/cache/old/token", folder);
            layer.pax(&[("SCHILY.xattr.user.token", xattr.as_bytes())]);
            layer.file("/app/tagged", "nothing here\n");
        })
        .layer("RUN rm -r /app/.env /app/cache", |layer| {
            layer.whiteout("/app/.env");
            layer.whiteout("/app/cache");
        })
        .layer("COPY config /app/", |layer| layer.file("/app/config", format!("# new\ntoken: {last}\n")));
    Scenario { image, secrets }
}
