//! A registry with several repositories and tags, which can change while it is served, and what an audit of it says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::{Retrieve, Uri};
use layersift::oci::Digest;
use layersift::report::JSON_SCHEMA;
use layersift::report::audit::AUDIT_SCHEMA;
use layersift::source::builder::{ImageBuilder, ImageSet};
use serde_json::{Value, json};

use crate::cli::{Run, program};
use crate::registry::server::{Reply, Request, Server, Shelf};
use crate::support::*;

/// Repositories, each with what it holds and its tags.
#[derive(Debug, Clone, Default)]
pub(super) struct World(BTreeMap<String, (Shelf, BTreeSet<String>)>);

impl World {
    /// Puts an image under a tag; gives the digest of its manifest or index.
    pub(super) fn push(&mut self, repository: &str, tag: &str, images: &ImageSet) -> Digest {
        let pushed = Shelf::of(images);
        let digest = pushed.top.clone().unwrap();
        let (shelf, tags) = self.0.entry(repository.to_owned()).or_default();
        shelf.documents.extend(pushed.documents.into_iter().filter(|(name, _)| name != "manifests/1"));
        shelf.tag(tag, &digest);
        tags.insert(tag.to_owned());
        digest
    }

    pub(super) fn untag(&mut self, repository: &str, tag: &str) {
        self.0.get_mut(repository).unwrap().1.remove(tag);
    }

    /// All configs and layers of all repositories, with their sizes.
    pub(super) fn blobs(&self) -> BTreeMap<String, u64> {
        let documents = self.0.values().flat_map(|(shelf, _)| &shelf.documents);
        // What has a media type of its own is a manifest.
        let manifests: BTreeSet<&str> =
            self.0.values().flat_map(|(shelf, _)| &shelf.documents).filter_map(|(name, _)| name.strip_prefix("manifests/")).collect();
        let blobs = documents.filter_map(|(name, (_, bytes))| Some((name.strip_prefix("blobs/")?, bytes.len() as u64)));
        blobs.filter(|(digest, _)| !manifests.contains(digest)).map(|(digest, size)| (digest.to_owned(), size)).collect()
    }

    fn answer(&self, request: &Request) -> Reply {
        let missing = || Reply::new(404, r#"{"errors":[{"code":"NOT_FOUND"}]}"#).with("Content-Type", "application/json");
        let path = request.path.strip_prefix("/v2/").unwrap_or_default();
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        if path.is_empty() {
            return Reply::new(200, "{}");
        }
        if path == "_catalog" {
            return Reply::new(200, json!({ "repositories": self.0.keys().collect::<Vec<_>>() }).to_string());
        }
        if let Some((_, tags)) = path.strip_suffix("/tags/list").and_then(|name| self.0.get(name)) {
            return Reply::new(200, json!({ "tags": tags }).to_string());
        }
        let find = |(name, (shelf, _)): (&String, &(Shelf, _))| {
            let rest = path.strip_prefix(name.as_str())?.strip_prefix('/')?;
            shelf.documents.get(rest).cloned()
        };
        let Some((media_type, bytes)) = self.0.iter().find_map(find) else { return missing() };
        Reply::new(200, bytes).with("Content-Type", media_type)
    }
}

/// What a test does to a request and its answer.
pub(super) type Fault = dyn Fn(&Request, Reply) -> Reply + Send + Sync;

/// A world that is served, and an audit of it with a state of its own.
pub(super) struct Audited {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) server: Server,
    pub(super) temp: Temp,
}

impl Audited {
    pub(super) fn new(world: World) -> Self {
        Self::with(world, Arc::new(|_: &Request, reply| reply))
    }

    pub(super) fn with(world: World, fault: Arc<Fault>) -> Self {
        let world = Arc::new(Mutex::new(world));
        let served = Arc::clone(&world);
        let server = Server::start(Shelf::default(), move |request, _| {
            let reply = served.lock().unwrap().answer(request);
            fault(request, reply)
        });
        Self { world, server, temp: Temp::new() }
    }

    pub(super) fn state(&self) -> PathBuf {
        self.temp.path("state.sqlite")
    }

    pub(super) fn target(&self) -> String {
        format!("registry://{}", self.server.address)
    }

    /// `layersift audit` with this state, and no target yet.
    pub(super) fn command(&self) -> Command {
        self.command_with(self.state().to_str().unwrap())
    }

    /// The same with another state.
    pub(super) fn command_with(&self, state: &str) -> Command {
        let mut command = program();
        command.env("HOME", self.temp.path("")).env_remove("DOCKER_CONFIG").env_remove("REGISTRY_AUTH_FILE").env_remove("XDG_RUNTIME_DIR");
        command.args(["audit", "--state", state]).args(["--lease", "2"]).stdin(Stdio::null());
        command
    }

    /// An audit of all of it; its report as lines.
    pub(super) fn audit(&self, flags: &str) -> Audit {
        self.audit_with(self.state().to_str().unwrap(), flags)
    }

    /// The same with another state.
    pub(super) fn audit_with(&self, state: &str, flags: &str) -> Audit {
        let report = self.temp.path("audit.jsonl");
        let output = format!("jsonl={}", report.display());
        let run = Run::new(
            self.command_with(state).arg(self.target()).args(["--output", &output]).args(flags.split_whitespace()).output().unwrap(),
        );
        Audit::new(run, std::fs::read_to_string(&report).unwrap_or_default())
    }

    /// How often each blob was asked for, by digest.
    pub(super) fn asked(&self) -> BTreeMap<String, usize> {
        asked(&self.server.requests())
    }
}

/// How often each blob is asked for.
pub(super) fn asked(requests: &[Request]) -> BTreeMap<String, usize> {
    let mut asked = BTreeMap::new();
    for request in requests.iter().filter(|request| request.is_blob()) {
        *asked.entry(request.path.rsplit('/').next().unwrap().to_owned()).or_default() += 1;
    }
    asked
}

/// What an audit said.
pub(super) struct Audit {
    pub(super) run: Run,
    pub(super) text: String,
    pub(super) lines: Vec<Value>,
}

/// Gives the schema of the report, which that of an audit refers to.
struct Report;

impl Retrieve for Report {
    fn retrieve(&self, _: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Ok(serde_json::from_str(JSON_SCHEMA)?)
    }
}

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(AUDIT_SCHEMA).unwrap();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    jsonschema::draft202012::options().with_retriever(Report).build(&schema).unwrap()
});

/// Holds a line, or a report as one value, to the schema.
#[track_caller]
pub(super) fn valid_audit(value: &Value) {
    let problems: Vec<String> = SCHEMA.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{problems:?}: {value}");
}

impl Audit {
    pub(super) fn new(run: Run, text: String) -> Self {
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.iter().for_each(valid_audit);
        Self { run, text, lines }
    }

    pub(super) fn of(&self, kind: &str) -> Vec<&Value> {
        self.lines.iter().filter(|line| line["type"] == kind).collect()
    }

    pub(super) fn summary(&self) -> &Value {
        self.lines.last().unwrap_or_else(|| panic!("no report: {}", self.run.stderr))
    }

    /// The one finding whose file is at `path`.
    #[track_caller]
    pub(super) fn at(&self, path: &str) -> &Value {
        let found: Vec<&Value> = self.of("finding").into_iter().filter(|finding| finding["place"]["path"] == path).collect();
        assert_eq!(found.len(), 1, "{path}: {}", self.text);
        found[0]
    }

    /// The report without what another run of the same says otherwise: when it began.
    pub(super) fn timeless(&self) -> String {
        let mut lines = self.text.lines();
        let mut head: Value = serde_json::from_str(lines.next().unwrap_or("null")).unwrap();
        head["started"] = Value::Null;
        head["targets"] = Value::Null;
        std::iter::once(head.to_string()).chain(lines.map(str::to_owned)).collect::<Vec<_>>().join("\n")
    }
}

/// The tags of all images of a finding.
pub(super) fn tags_of(finding: &Value) -> Vec<&str> {
    let images = finding["images"].as_array().unwrap();
    images.iter().flat_map(|image| image["tags"].as_array().unwrap()).map(|tag| tag.as_str().unwrap()).collect()
}

/// Text that compresses badly and holds no secret.
fn filler(seed: u64, length: usize) -> Vec<u8> {
    layersift::random::Random::new(seed).text(b"abcdefghijklm \n", length).into_bytes()
}

/// Image `number` of a line of builds: a base that all share, a layer that ten share, one of its own, and a secret in each of these, in the
/// environment, and in the history that repeats what a file holds.
pub(super) fn build(number: u64, size: usize) -> ImageBuilder {
    let ten = number / 10;
    let created = format!("2026-01-{:02}T{:02}:00:00Z", number / 20 % 28 + 1, number % 20);
    ImageBuilder::new()
        .created(&created)
        .layer("ADD rootfs.tar /", |layer| {
            layer.file("/etc/base-token", token("base"));
            layer.file("/lib/base", filler(0, size));
        })
        .layer(&format!("COPY ten{ten} /"), |layer| {
            layer.file("/srv/ten", token(&format!("ten {ten}")));
            layer.file("/srv/noise", filler(100 + ten, size));
        })
        .layer(&format!("RUN setup {} # {number}", password(number)), |layer| {
            layer.file("/app/.env", format!("DB_PASSWORD={}\n", password(number)));
            layer.file("/app/noise", filler(1000 + number, size));
        })
        .env("TOKEN", &token("environment"))
}

/// A secret that nothing but the name before it gives away.
pub(super) fn password(number: u64) -> String {
    layersift::random::Random::new(7000 + number).text(b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 24)
}

/// Forty tags of one repository.
pub(super) fn forty(size: usize) -> World {
    let mut world = World::default();
    for number in 0..40 {
        world.push("team/app", &format!("1.{number}"), &ImageSet::new().image(build(number, size)));
    }
    world
}

/// All secrets of [`forty`].
pub(super) fn secrets() -> Vec<String> {
    let tokens = (0..4).map(|ten| token(&format!("ten {ten}"))).chain([token("base"), token("environment")]);
    tokens.chain((0..40).map(password)).collect()
}
