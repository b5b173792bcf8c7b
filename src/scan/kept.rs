//! What is kept of a blob between scans, and when a blob need not be read.
//!
//! No secret is kept: of each there is what may be shown, its seal, and traces by which it is redacted ([`Form`]). Package databases are kept as
//! they are, unless a secret stands in one; words that are only guessed to be passwords may. The cache keeps a result only if the blob
//! was read to its end with nothing amiss, and uses it only for a blob that is known by more than a claim ([`Known`]). An audit, which must not
//! read a blob twice, keeps every result of one that was read to its end, with the secrets in paths and notes masked.

mod record;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use self::record::{FoundRecord, Record, SecretRecord};
use super::Results;
use super::blob::BlobResult;
use super::crew::Crew;
use super::gather::{Found, Published};
use crate::cache::{Cache, Kind, Name};
use crate::finding::fingerprint::Key;
use crate::finding::trace::TraceKey;
use crate::finding::{Confidence, Part, Reason, Scan, Secret};
use crate::oci::Digest;
use crate::report::{Exposure, Redactor, redact};
use crate::source::{BlobKey, Known, Settles, Source};

/// The form in which results are kept, and their names.
pub(super) struct Form<'c> {
    crew: &'c Crew<'c>,
    traces: Arc<TraceKey>,
    /// Everything but the blob that a result depends on, as one hash.
    context: Name,
}

/// Keeps results of a scan, and finds those of earlier ones.
pub(super) struct Keeper<'c> {
    cache: &'c Cache,
    form: Form<'c>,
}

/// What is known of the blobs of a source.
#[derive(Default)]
pub(super) struct Recall {
    /// None of a source that passes by: its blobs may be met again by their digests.
    known: Option<BTreeMap<BlobKey, Known>>,
    reused: BTreeSet<BlobKey>,
    results: Results,
}

impl Recall {
    /// The results of earlier scans; gives them once.
    pub(super) fn take_results(&mut self) -> Results {
        std::mem::take(&mut self.results)
    }
}

impl<'c> Keeper<'c> {
    /// None where nothing is to be kept, or no blob is hashed.
    pub(super) fn new(crew: &'c Crew<'c>) -> Option<Self> {
        let cache = crew.options.cache.as_deref().filter(|_| crew.verifies())?;
        Some(Self { cache, form: Form::new(crew, Arc::clone(cache.traces())) })
    }

    /// Takes the blobs that need not be read out of `wanted`.
    pub(super) fn recall(&self, source: &dyn Source, wanted: &mut BTreeMap<BlobKey, Option<u64>>) -> Recall {
        let mut recall = Recall::default();
        let mut known = BTreeMap::new();
        wanted.retain(|key, _| {
            let name = settled(source, key);
            let result = name.as_ref().and_then(|name| self.result(&self.digest(name)?));
            self.cache.count(result.is_some());
            known.extend(name.map(|name| (key.clone(), name)));
            let Some(result) = result else { return true };
            recall.reused.insert(key.clone());
            recall.results.insert(key.clone(), result);
            false
        });
        Recall { known: Some(known), ..recall }
    }

    /// Keeps what was read; `scan` has all that was found.
    pub(super) fn keep(&self, results: &Results, recall: &Recall, scan: &Scan) {
        let is_worth = |key: &BlobKey| recall.known.as_ref().is_none_or(|known| known.contains_key(key)) && !recall.reused.contains(key);
        let whole: Vec<(&BlobKey, &BlobResult)> = results.iter().filter(|(key, result)| is_worth(key) && is_whole(result)).collect();
        if whole.is_empty() {
            return;
        }
        self.form.crew.seal(whole.iter().flat_map(|(_, result)| &result.found).map(|found| &found.candidate.secret));
        let redactor = Redactor::new(scan, Exposure::Redacted);
        let sure = Redactor::new(&sure(scan), Exposure::Redacted);
        for (key, result) in whole {
            let (Some(mut record), Some(digest)) = (self.form.record(result), &result.digest) else { continue };
            // A path or a note may hold a secret that was found elsewhere, and so may a package database, where all the words that might
            // be passwords stand. Such a blob is read again each time.
            let databases = std::mem::take(&mut record.databases);
            let is_shown = postcard::to_stdvec(&record).is_ok_and(|bytes| holds(&redactor, &bytes));
            if is_shown || databases.iter().any(|database| holds(&sure, &database.bytes)) {
                continue;
            }
            record.databases = databases;
            let Ok(bytes) = postcard::to_stdvec(&record) else { continue };
            self.cache.put(&self.form.blob_name(digest), &bytes);
            if let Some(Known::File(stamp)) = recall.known.as_ref().and_then(|known| known.get(key)) {
                self.cache.put(&Name::new(Kind::File, &[&stamp.bytes()]), digest.to_string().as_bytes());
            }
        }
    }

    /// The digest that a blob has for sure.
    fn digest(&self, known: &Known) -> Option<Digest> {
        match known {
            Known::Digest(digest) => Some(digest.clone()),
            Known::File(stamp) => {
                let bytes = self.cache.get(&Name::new(Kind::File, &[&stamp.bytes()]))?;
                std::str::from_utf8(&bytes).ok()?.parse().ok()
            }
        }
    }

    fn result(&self, digest: &Digest) -> Option<BlobResult> {
        let bytes = self.cache.get(&self.form.blob_name(digest))?;
        self.form.open(&bytes, digest)
    }
}

impl<'c> Form<'c> {
    pub(super) fn new(crew: &'c Crew<'c>, traces: Arc<TraceKey>) -> Self {
        // What of the options changes a result.
        let options =
            format!("{:?} {:?} {:?} {:?}", crew.options.limits, crew.options.comments, crew.options.public_files, crew.options.explain);
        let key = crew.options.key.as_ref().map(Key::name).unwrap_or_default();
        let name = traces.name();
        // The build counts and not the version alone: each change of the code may change what is found, and how it is written down here.
        let fields = [env!("LAYERSIFT_BUILD"), env!("CARGO_PKG_VERSION"), crew.rules.hash(), &options, &key, &name];
        Self { crew, traces, context: Name::new(Kind::Blob, &fields.map(str::as_bytes)) }
    }

    /// Under what the result of a blob is kept.
    pub(super) fn blob_name(&self, digest: &Digest) -> Name {
        Name::new(Kind::Blob, &[self.context.hex().as_bytes(), digest.to_string().as_bytes()])
    }

    /// A result whose digest is known, without the secrets that were found in the blob; none if it cannot be written so.
    pub(super) fn masked(&self, result: &BlobResult) -> Option<Vec<u8>> {
        self.crew.seal(result.found.iter().map(|found| &found.candidate.secret));
        let secrets = |least: Confidence| -> Vec<Vec<u8>> {
            let found = result.found.iter().filter(|found| found.candidate.confidence >= least);
            found.map(|found| found.candidate.secret.expose().to_vec()).collect()
        };
        let redactor = Redactor::with(&Scan::new(""), &secrets(Confidence::Possible), Exposure::Redacted);
        let sure = Redactor::with(&Scan::new(""), &secrets(Confidence::Likely), Exposure::Redacted);
        let mut record = self.record(result)?;
        let mut databases = std::mem::take(&mut record.databases).into_owned();
        databases.iter_mut().filter(|database| holds(&sure, &database.bytes)).for_each(|database| {
            database.bytes = sure.raw(&database.bytes).into_owned();
        });
        let mut bytes = postcard::to_stdvec(&record).ok()?;
        if holds(&redactor, &bytes) {
            record.mask(&redactor);
            bytes = postcard::to_stdvec(&record).ok()?;
        }
        if holds(&redactor, &bytes) {
            return None;
        }
        record.databases = Cow::Owned(databases);
        postcard::to_stdvec(&record).ok()
    }

    /// The result that was kept as `bytes` of the blob with this digest; none if the bytes make no sense.
    pub(super) fn open(&self, bytes: &[u8], digest: &Digest) -> Option<BlobResult> {
        let result = self.restore(postcard::from_bytes(bytes).ok()?)?;
        (result.digest.as_ref() == Some(digest)).then_some(result)
    }

    fn record<'r>(&self, result: &'r BlobResult) -> Option<Record<'r>> {
        // Every field is named, so that a new one is not forgotten here.
        let BlobResult { found, published, databases, index, digest, diff_id, is_archive, entries, read, expanded, scanned, oddities } =
            result;
        let mut secrets = Vec::new();
        let mut numbers: HashMap<&Secret, u32> = HashMap::new();
        let mut records = Vec::new();
        for found in found {
            let secret = &found.candidate.secret;
            let number = *numbers.entry(secret).or_insert_with(|| {
                secrets.push(SecretRecord {
                    redacted: secret.redacted(),
                    seal: self.crew.sealed(secret),
                    traces: redact::traces(secret.expose(), &self.traces),
                });
                secrets.len() as u32 - 1
            });
            records.push(FoundRecord::new(found, number));
        }
        Some(Record {
            secrets,
            found: records,
            published: published.iter().map(|one| (Cow::Borrowed(&*one.entry), one.offset, Cow::Borrowed(&one.public))).collect(),
            databases: Cow::Borrowed(databases),
            index: Cow::Borrowed(index),
            digest: digest.as_ref()?.to_string(),
            diff_id: diff_id.as_ref().map(ToString::to_string),
            is_archive: *is_archive,
            entries: *entries,
            read: *read,
            expanded: *expanded,
            scanned: *scanned,
            oddities: Cow::Borrowed(oddities),
        })
    }

    /// None if the record makes no sense.
    fn restore(&self, record: Record<'_>) -> Option<BlobResult> {
        let key = &self.traces;
        let secrets: Vec<Secret> =
            record.secrets.into_iter().map(|secret| Secret::kept(secret.redacted, secret.seal, secret.traces, key)).collect();
        let published = record.published.into_iter();
        Some(BlobResult {
            found: record.found.into_iter().map(|found| found.restore(&secrets, self.crew.rules.len())).collect::<Option<_>>()?,
            published: published
                .map(|(entry, offset, public)| Published { entry: Arc::new(entry.into_owned()), offset, public: public.into_owned() })
                .collect(),
            databases: record.databases.into_owned(),
            index: record.index.into_owned(),
            digest: Some(record.digest.parse().ok()?),
            diff_id: record.diff_id.map(|diff_id| diff_id.parse()).transpose().ok()?,
            is_archive: record.is_archive,
            entries: record.entries,
            read: record.read,
            expanded: record.expanded,
            scanned: record.scanned,
            oddities: record.oddities.into_owned(),
        })
    }
}

/// Whether a secret stands in `bytes`.
fn holds(redactor: &Redactor, bytes: &[u8]) -> bool {
    matches!(redactor.raw(bytes), Cow::Owned(_))
}

/// The findings of `scan` that are no guesses.
fn sure(scan: &Scan) -> Scan {
    let findings = scan.findings.iter().filter(|finding| finding.confidence > Confidence::Possible).cloned().collect();
    Scan { findings, ..Scan::new(scan.rules_hash.clone()) }
}

/// By what a blob is known; none if it has to be read and may not be known later either.
fn settled(source: &dyn Source, key: &BlobKey) -> Option<Known> {
    let settles = |known: &Known| match known {
        Known::Digest(_) => Settles::Settled,
        Known::File(stamp) => stamp.settles_in(),
    };
    let mut known = source.known(key)?;
    // An image that was saved a moment ago could be changed once more within the same tick of the file system's clock.
    if let Settles::In(time) = settles(&known) {
        std::thread::sleep(time);
        known = source.known(key)?;
    }
    (settles(&known) == Settles::Settled).then_some(known)
}

/// Whether a blob was read to its end and there was nothing to say of it that another read might not say.
fn is_whole(result: &BlobResult) -> bool {
    // Such a name is the secret.
    let is_name = |found: &Found| matches!(found.part, Part::Name | Part::LinkTarget);
    result.digest.is_some()
        && result.diff_id.is_some()
        && result.index.left_out() == 0
        && result.oddities.iter().all(|oddity| is_of_content(oddity.reason))
        && !result.found.iter().any(is_name)
}

/// Whether the bytes themselves are odd, so that another read would say the same.
fn is_of_content(reason: Reason) -> bool {
    matches!(reason, Reason::TrailingBytes | Reason::DamagedFile | Reason::Contradiction | Reason::UnreadFormat)
}
