//! Where one piece of work is done: asked for by its key, it becomes what is to be finished. Knows neither threads nor leases.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use super::budget::{Budget, Promise};
use super::catalog::Times;
use super::documents::{Memory, WorkShelf};
use super::facts::{self, TagFact};
use super::registries::Registries;
use super::state::{Done, Lease, Run, Stage, State, StateError, Work};
use super::tags::{Age, Chosen};
use super::task::{Known, Origin, Task, after_name};
use super::turnstile::{Turnstile, Yielding};
use super::{Audit, Options};
use crate::finding::trace::TraceKey;
use crate::oci::Digest;
use crate::report::audit;
use crate::scan::{self, Layers, NoProgress, Steps};
use crate::source::registry::{Depth, ImageName, Registry, RegistryError, Shelf};
use crate::source::{BlobKey, Contents, DocumentKind, Reference, Source as _, SourceError, TextDocument};

/// Is told how the work goes on. Called from many threads.
pub trait Watch: Sync {
    /// A piece of work was finished.
    fn finished(&self, _stage: Stage, _done: &Done) {}
}

/// Everything that all pieces of work share.
pub(super) struct Bench<'a> {
    audit: &'a Audit<'a>,
    pub(super) run: &'a Run,
    pub(super) state: Arc<dyn State>,
    steps: Steps<'a>,
    registries: Registries,
    memory: Arc<Memory>,
    turnstile: Turnstile,
    budget: Budget,
}

/// A tag to look at; as in [`Task::Tag`].
struct Asked<'t> {
    registry: &'t str,
    repository: &'t str,
    reference: &'t str,
    pushed: Option<i64>,
    age: Known,
    origin: Origin,
}

/// Why a piece of work came to nothing.
enum Trouble {
    /// The state is of no use: all ends.
    State(StateError),
    /// For people. The work has failed, the audit goes on.
    Failed(String),
}

impl From<StateError> for Trouble {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl From<RegistryError> for Trouble {
    fn from(error: RegistryError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<SourceError> for Trouble {
    fn from(error: SourceError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        audit: &'a Audit<'a>,
        run: &'a Run,
        scan: &'a scan::Options,
        state: &Arc<dyn State>,
        options: &Options,
        traces: Arc<TraceKey>,
        fetched: u64,
    ) -> Self {
        let times = if audit.plan.tags.needs_times() { Times::Wanted } else { Times::Spared };
        Self {
            audit,
            run,
            state: Arc::clone(state),
            steps: Steps::new(audit.rules, scan, &NoProgress, traces),
            registries: Registries::new(options.registry.clone(), times),
            memory: Arc::default(),
            turnstile: Turnstile::new(options.jobs),
            budget: Budget::new(options.budget, fetched),
        }
    }

    /// What the user should know of how registries were read.
    pub(super) fn notes(&self) -> Vec<String> {
        self.registries.notes()
    }

    /// Does a piece of work.
    pub(super) fn perform(&self, lease: &Lease) -> Result<Done, StateError> {
        let Some(task) = Task::read(&lease.work) else {
            let failure = "what is to be done cannot be read; another build of this program put it there".to_owned();
            return Ok(Done { failure: Some(failure), ..Done::default() });
        };
        let done = match task {
            Task::Listing { target } => self.list(target),
            Task::Repository { target, registry, repository } => self.choose(target, &registry, &repository),
            Task::Tag { ref registry, ref repository, ref reference, pushed, age, origin } => {
                self.tag(Asked { registry, repository, reference, pushed, age, origin })
            }
            Task::Layer { registry, repository, digest, size } => self.layer(&registry, &repository, &digest, size),
            Task::Image { registry, repository, digest } => self.image(&registry, &repository, &digest),
        };
        match done {
            Ok(done) => Ok(done),
            Err(Trouble::Failed(failure)) => Ok(Done { failure: Some(failure), ..Done::default() }),
            Err(Trouble::State(error)) => Err(error),
        }
    }

    fn list(&self, target: usize) -> Result<Done, Trouble> {
        let Some(wanted) = self.audit.plan.targets.get(target) else { return Err(Trouble::Failed("there is no such target".to_owned())) };
        let repositories = self.registries.catalog(wanted)?.repositories()?;
        let registry = &wanted.registry;
        let task = |repository| Task::Repository { target, registry: registry.clone(), repository };
        Ok(Done { more: repositories.into_iter().map(|repository| task(repository).work(Vec::new())).collect(), ..Done::default() })
    }

    fn choose(&self, target: usize, registry: &str, repository: &str) -> Result<Done, Trouble> {
        let Some(wanted) = self.audit.plan.targets.get(target) else { return Err(Trouble::Failed("there is no such target".to_owned())) };
        let tags = self.registries.catalog(wanted)?.tags(repository)?;
        let chosen = self.audit.plan.tags.choose(&tags, self.run.started);
        let task = |tag: Chosen| Task::Tag {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            reference: tag.tag.name,
            pushed: tag.tag.pushed,
            age: if tag.age == Age::Undecided { Known::No } else { Known::Yes },
            origin: Origin::Listed,
        };
        Ok(Done {
            more: chosen.into_iter().map(|tag| task(tag).work(Vec::new())).collect(),
            facts: vec![facts::repository(&format!("{registry}/{repository}"))],
            ..Done::default()
        })
    }

    /// Sees what a tag leads to, and which layers that has.
    fn tag(&self, asked: Asked<'_>) -> Result<Done, Trouble> {
        let Asked { registry, repository, reference, pushed, age, .. } = asked;
        let promise = self.promise(0)?;
        let shelf = self.shelf();
        let seen = self.see(&asked, &shelf)?;
        shelf.trouble()?;
        let fetched = shelf.fetched();
        promise.keep(fetched);
        let (results, name) = (self.clean(shelf.take_new()), format!("{registry}/{repository}"));
        let mut done = Done { facts: vec![facts::repository(&name)], results, fetched, ..Done::default() };
        let Some((digest, contents)) = seen else {
            done.facts.push(facts::other_platform(&name, reference));
            return Ok(done);
        };
        if age == Known::No && self.audit.plan.tags.age(created(&contents).into_iter().flatten().max(), self.run.started) == Age::TooOld {
            return Ok(done);
        }
        done.facts.push(TagFact { repository: name, reference: reference.to_owned(), digest: digest.to_string(), pushed }.fact());
        done.more = led_to(registry, repository, &digest, &contents);
        Ok(done)
    }

    /// What a tag leads to, as far as manifests say it; none if it is listed and has nothing for the platform that is wanted.
    fn see(&self, asked: &Asked<'_>, shelf: &Arc<WorkShelf>) -> Result<Option<(Digest, Contents)>, Trouble> {
        let client = self.registries.client(asked.registry)?;
        let (name, platform) = (format!("{}/{}", asked.registry, asked.repository), &self.audit.scan.platform);
        let see = |text: String, depth| {
            let shelf: Arc<dyn Shelf> = Arc::<WorkShelf>::clone(shelf);
            match Registry::of(Arc::clone(&client), image_name(&text)?, platform.clone(), shelf, depth).top_and_contents() {
                Err(SourceError::NoSuchPlatform { .. }) if asked.origin == Origin::Listed => Ok(None),
                read => read.map(Some).map_err(Trouble::from),
            }
        };
        // The config is read if it decides something; in the rule it is read once, with the image.
        let depth = if asked.age == Known::No { Depth::Configs } else { Depth::Manifests };
        let seen = see(format!("{name}{}", after_name(asked.reference)), depth)?;
        let is_undecided = |contents: &Contents| contents.images.iter().any(|image| image.platform.is_none());
        match &seen {
            Some((digest, contents)) if platform.is_some() && depth == Depth::Manifests && is_undecided(contents) => {
                see(format!("{name}@{digest}"), Depth::Configs)
            }
            _ => Ok(seen),
        }
    }

    /// Reads a layer, unless its result is known.
    fn layer(&self, registry: &str, repository: &str, digest: &str, size: Option<u64>) -> Result<Done, Trouble> {
        let digest: Digest = digest.parse().map_err(|error| Trouble::Failed(format!("{error}")))?;
        let name = self.steps.name(&digest);
        if self.state.result(&name)?.is_some() {
            return Ok(Done::default());
        }
        let promise = self.promise(size.unwrap_or_default())?;
        let client = self.registries.client(registry)?;
        let blob = client.blob(repository, &digest, size)?;
        let mut blob = Counted { inner: Yielding { turnstile: &self.turnstile, inner: blob }, count: 0 };
        let turn = self.turnstile.enter();
        let kept = self.steps.layer(&digest, &mut blob);
        drop(turn);
        let fetched = blob.count;
        promise.keep(fetched);
        match kept {
            Ok(bytes) => Ok(Done { results: vec![(name, bytes)], fetched, ..Done::default() }),
            Err(unkept) => Ok(Done { failure: Some(unkept.to_string()), fetched, ..Done::default() }),
        }
    }

    /// Puts together what a tag leads to. Its layers are read, or have failed.
    fn image(&self, registry: &str, repository: &str, digest: &str) -> Result<Done, Trouble> {
        let promise = self.promise(0)?;
        let client = self.registries.client(registry)?;
        let shelf = self.shelf();
        let name = image_name(&format!("{registry}/{repository}@{digest}"))?;
        let source = Registry::of(client, name.clone(), self.audit.scan.platform.clone(), shelf.clone(), Depth::All);
        let contents = source.contents()?;
        shelf.trouble()?;
        promise.keep(shelf.fetched());
        let mut known = Layers::default();
        for digest in layers(&contents).into_keys() {
            let Ok(digest) = digest.parse::<Digest>() else { continue };
            if let Some(bytes) = self.state.result(&self.steps.name(&digest))? {
                known.add(&self.steps, &BlobKey(format!("blobs/{digest}")), &digest, &bytes);
            }
        }
        let created = created(&contents);
        let turn = self.turnstile.enter();
        let mut scan = self.steps.images(&Reference::Registry(name), contents, known);
        self.audit.allowed.apply(&mut scan, Some(self.run.started));
        let (line, findings) = audit::keep(&scan, &format!("{registry}/{repository}"), digest, &created);
        let facts = facts::of_image(&line, &findings);
        drop(turn);
        Ok(Done { facts, results: self.clean(shelf.take_new()), fetched: shelf.fetched(), ..Done::default() })
    }

    fn shelf(&self) -> Arc<WorkShelf> {
        Arc::new(WorkShelf::new(&self.memory, &self.state, self.audit.rules.hash()))
    }

    /// Those manifests in which nothing is found.
    fn clean(&self, documents: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
        let document = |bytes: Vec<u8>| TextDocument { kind: DocumentKind::Manifest, name: "manifest".to_owned(), bytes };
        let documents = documents.into_iter().map(|(name, bytes)| (name, document(bytes)));
        documents.filter(|(_, document)| self.steps.is_clean(document)).map(|(name, document)| (name, document.bytes)).collect()
    }

    /// Promises that so many bytes are fetched.
    fn promise(&self, size: u64) -> Result<Promise<'_>, Trouble> {
        let fetched = if self.budget.is_bound() { self.state.counts(self.run.id)?.fetched } else { 0 };
        self.budget.promise(size, fetched).map_err(|beyond| Trouble::Failed(beyond.to_string()))
    }
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(out)?;
        self.count += read as u64;
        Ok(read)
    }
}

fn image_name(text: &str) -> Result<ImageName, Trouble> {
    ImageName::parse(text).map_err(|problem| Trouble::Failed(problem.to_string()))
}

/// The work that a tag leads to: its layers, and what it leads to itself.
fn led_to(registry: &str, repository: &str, digest: &Digest, contents: &Contents) -> Vec<Work> {
    let (registry, repository) = (registry.to_owned(), repository.to_owned());
    let layers = layers(contents);
    let mut more: Vec<Work> = layers
        .iter()
        .map(|(digest, size)| Task::Layer {
            registry: registry.clone(),
            repository: repository.clone(),
            digest: digest.clone(),
            size: *size,
        })
        .map(|layer| layer.work(Vec::new()))
        .collect();
    more.push(Task::Image { registry, repository, digest: digest.to_string() }.work(layers.into_keys().collect()));
    more
}

/// The distinct layers of all images, with their sizes.
fn layers(contents: &Contents) -> BTreeMap<String, Option<u64>> {
    let layers = contents.images.iter().flat_map(|image| &image.layers).filter(|layer| layer.blob.is_some());
    layers.filter_map(|layer| layer.descriptor.as_ref()).map(|layer| (layer.digest.to_string(), layer.size)).collect()
}

/// When each image was made, in seconds since 1970.
fn created(contents: &Contents) -> Vec<Option<i64>> {
    contents.images.iter().map(|image| image.config.as_ref()?.created.map(|created| created.as_second())).collect()
}
