//! What the findings of a source's blobs mean in each of its images: which layer and instruction brought them, whether a later layer
//! hides them, and what could not be read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::base::Inheritance;
use super::blob::BlobResult;
use super::crew::Crew;
use super::documents::{self, InDocument};
use super::gather::Found;
use super::public::{Recorded, compiled};
use super::{PublicFiles, Results};
use crate::detect::Candidate;
use crate::finding::fingerprint::Sealed;
use crate::finding::{
    Counterpart, Coverage, Finding, ImageFacts, LayerFacts, MAX_ALSO, Origin, Part, Place, Position, Reason, RuleFacts, Scan, Severity,
    StepFacts, Visibility, fingerprint, pair,
};
use crate::layer::life::{self, Life, Name};
use crate::layer::{Entry, EntryKind};
use crate::oci::{Digest, MediaType};
use crate::source::{BlobKey, Contents, DocumentKind, Image, Layer, Reference};

/// Adds a source's images, findings and coverage to the scan.
pub(super) fn assemble(target: &Reference, contents: Contents, results: &Results, crew: &Crew<'_>, scan: &mut Scan) {
    let source = target.to_string();
    let mut owners: BTreeMap<&BlobKey, String> = BTreeMap::new();
    let first = scan.images.len();
    let recorded = Recorded::new(results, crew.options.public_files);
    for image in &contents.images {
        let number = scan.images.len();
        let inheritance = Inheritance::new(image, &contents.images, results, &crew.options.bases);
        scan.images.push(ImageFacts { base: inheritance.facts.clone(), ..facts(&source, image) });
        let before = scan.findings.len();
        let index = |layer: &Layer| layer.blob.as_ref().and_then(|key| results.get(key)).map(|result| &result.index);
        let life = Life(image.layers.iter().map(index).collect());
        Assembly { image, number, results, crew, inheritance: &inheritance, recorded: &recorded, life }.run(scan);
        pair(&mut scan.findings[before..]);
        counterparts(image, results, &mut scan.findings[before..]);
        recorded.doubt(&mut scan.findings[before..], image);
        if crew.options.public_files == PublicFiles::Suppress {
            compiled::suppress(crew, &mut scan.findings[before..]);
        }
        for (index, layer) in image.layers.iter().enumerate() {
            if let Some(key) = &layer.blob {
                owners.entry(key).or_insert_with(|| label(&source, image, index, layer));
            }
        }
    }
    if !contents.extras.is_empty() {
        if scan.images.len() == first {
            scan.images.push(ImageFacts { source: source.clone(), ..ImageFacts::default() });
        }
        extras(&contents, results, crew, first, scan);
    }
    let mut coverage = Coverage::default();
    for (key, result) in results {
        let label = owners.get(key).cloned().unwrap_or_else(|| format!("{source}: {}", key.0));
        coverage.absorb(coverage_of(result, &label));
    }
    for image in &contents.images {
        mismatches(&source, image, results, &mut coverage);
        coverage.documents += image.documents.len() as u64;
    }
    for skipped in contents.skipped {
        coverage.skip(skipped.reason, skipped.place, skipped.size, skipped.detail);
    }
    scan.coverage.absorb(coverage);
}

fn facts(source: &str, image: &Image) -> ImageFacts {
    let layers = image.layers.iter().enumerate().map(|(index, layer)| LayerFacts {
        index,
        digest: layer.descriptor.as_ref().map(|descriptor| descriptor.digest.clone()),
        diff_id: layer.diff_id.clone(),
        created_by: layer.created_by.clone(),
        size: layer.descriptor.as_ref().and_then(|descriptor| descriptor.size),
    });
    ImageFacts {
        source: source.to_owned(),
        name: image.name.clone(),
        digest: image.digest.clone(),
        platform: image.platform.clone(),
        layers: layers.collect(),
        base: None,
        history: history(image),
    }
}

fn history(image: &Image) -> Vec<StepFacts> {
    let steps = image.config.iter().flat_map(|config| &config.history);
    let mut history: Vec<StepFacts> = steps.map(|step| StepFacts { created_by: step.created_by.clone(), layer: None }).collect();
    for (index, layer) in image.layers.iter().enumerate() {
        if let Some(step) = layer.step.and_then(|step| history.get_mut(step)) {
            step.layer = Some(index);
        }
    }
    history
}

/// What a person would call a layer.
fn label(source: &str, image: &Image, index: usize, layer: &Layer) -> String {
    let digest = layer.descriptor.as_ref().map(|descriptor| &descriptor.digest).or(layer.diff_id.as_ref());
    let name = image.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    match digest {
        Some(digest) => format!("{source}{name}: layer {index} ({digest})"),
        None => format!("{source}{name}: layer {index}"),
    }
}

/// The blob's own account.
fn coverage_of(result: &BlobResult, label: &str) -> Coverage {
    let mut coverage = Coverage {
        layers: 1,
        entries: result.entries,
        bytes_read: result.read,
        bytes_expanded: result.expanded,
        bytes_scanned: result.scanned,
        ..Coverage::default()
    };
    for oddity in &result.oddities {
        let place = match &oddity.path {
            Some(path) => format!("{label}: {}", String::from_utf8_lossy(path)),
            None => label.to_owned(),
        };
        coverage.skip(oddity.reason, place, oddity.size, oddity.detail.clone());
    }
    coverage
}

/// Where blobs are not what the image's documents say they are.
fn mismatches(source: &str, image: &Image, results: &Results, coverage: &mut Coverage) {
    let mut told = std::collections::HashSet::new();
    for (index, layer) in image.layers.iter().enumerate() {
        let Some((key, result)) = layer.blob.as_ref().and_then(|key| Some((key, results.get(key)?))) else { continue };
        if !told.insert((key, &layer.diff_id)) {
            continue;
        }
        let label = label(source, image, index, layer);
        let media_type = layer.descriptor.as_ref().map_or(MediaType::Layer, |descriptor| descriptor.kind());
        if media_type == MediaType::EncryptedLayer && !result.is_archive {
            coverage.skip(Reason::Encrypted, label.clone(), Some(result.read), "the layer is encrypted; decrypt the image to scan it");
            continue;
        }
        let expects_archive = matches!(media_type, MediaType::Layer | MediaType::ForeignLayer) && !image.is_rootfs;
        if expects_archive && !result.is_archive && result.expanded > 0 {
            coverage.skip(
                Reason::NotAnArchive,
                label.clone(),
                Some(result.expanded),
                "not a tar archive in any known compression; its bytes were scanned as they are",
            );
        }
        let named = layer.descriptor.as_ref().map(|descriptor| &descriptor.digest);
        if let Some(actual) = differs(named, result.digest.as_ref()) {
            coverage.skip(
                Reason::DigestMismatch,
                label.clone(),
                None,
                format!("the blob hashes to {actual}: it is not the one the manifest names; what is there was scanned"),
            );
        }
        if let (Some(actual), Some(expected)) = (differs(layer.diff_id.as_ref(), result.diff_id.as_ref()), &layer.diff_id) {
            coverage.skip(
                Reason::DiffIdMismatch,
                label,
                None,
                format!("the config says {expected}, the layer hashes to {actual}; what is there was scanned"),
            );
        }
    }
}

/// The digest that was found, if it is comparable with the one expected and another.
fn differs<'d>(expected: Option<&Digest>, actual: Option<&'d Digest>) -> Option<&'d Digest> {
    let (expected, actual) = (expected?, actual?);
    (expected != actual && expected.algorithm() == actual.algorithm()).then_some(actual)
}

/// One image being put together.
struct Assembly<'a> {
    image: &'a Image,
    number: usize,
    results: &'a Results,
    crew: &'a Crew<'a>,
    inheritance: &'a Inheritance,
    recorded: &'a Recorded<'a>,
    life: Life<'a>,
}

impl Assembly<'_> {
    fn run(&self, scan: &mut Scan) {
        self.documents(scan);
        // A blob may be several layers of an image; it is one set of findings.
        let mut indexes: BTreeMap<&BlobKey, Vec<usize>> = BTreeMap::new();
        for (index, layer) in self.image.layers.iter().enumerate() {
            if let Some(key) = &layer.blob {
                indexes.entry(key).or_default().push(index);
            }
        }
        let mut blobs: Vec<(Vec<usize>, &BlobResult)> =
            indexes.into_iter().filter_map(|(key, indexes)| Some((indexes, self.results.get(key)?))).collect();
        blobs.sort_by_key(|(indexes, _)| indexes[0]);
        for (indexes, result) in blobs {
            for found in &result.found {
                scan.findings.push(self.in_layer(found, &indexes, result.is_archive));
            }
        }
    }

    /// A finding of a blob, as a finding of this image.
    fn in_layer(&self, found: &Found, indexes: &[usize], is_archive: bool) -> Finding {
        let first = indexes[0];
        let place = |layer: usize, position: Option<Position>| self.place(found, layer, position);
        let mut also: Vec<Place> = found.also.iter().map(|&position| place(first, Some(position))).collect();
        let names = self.names(&found.entry, indexes[indexes.len() - 1]);
        if !self.image.is_rootfs && !found.entry.is_outside_files() {
            let links = names[1..].iter().map(|name| Place::LayerFile {
                layer: name.layer,
                path: name.path.clone(),
                inner: found.entry.members().to_vec(),
                part: found.part.clone(),
                position: None,
            });
            also.extend(links);
        }
        also.extend(indexes[1..].iter().map(|&layer| place(layer, found.position)));
        also.truncate(MAX_ALSO);
        // A base's file that an own layer has too, or gives a name, is the image's own.
        let layers = indexes.iter().copied().chain(names.iter().map(|name| name.layer));
        let origin = layers.map(|layer| self.inheritance.of_layer(layer)).reduce(Origin::and).unwrap_or_default();
        // A blob that is no archive has no files that could be hidden.
        let visibility = (is_archive && !found.is_masked).then(|| self.visibility(&found.entry, indexes[indexes.len() - 1], &names));
        let finding = self.finding(&found.candidate, &found.matched_too, place(first, found.position), also, visibility);
        let nested_image = found.nested_image.as_deref().cloned().map(Box::new);
        let mut finding = Finding { origin, nested_image, ..finding };
        let hashes = found.hashes.as_deref();
        if found.part == Part::Content && !found.entry.is_outside_files() && finding.explanation.is_some() {
            let ownership = self.recorded.ownership(&finding, self.image, first, &found.entry.path, hashes);
            if let Some(explanation) = &mut finding.explanation {
                explanation.ownership = Some(ownership);
            }
        }
        if let Some(hashes) = hashes {
            self.recorded.judge(&mut finding, self.image, first, &found.entry.path, hashes, found.member.as_deref());
        }
        finding
    }

    fn place(&self, found: &Found, layer: usize, position: Option<Position>) -> Place {
        let (path, inner, part) = (found.entry.path.clone(), found.entry.members().to_vec(), found.part.clone());
        match (found.entry.is_outside_files(), self.image.is_rootfs) {
            (true, _) => {
                Place::LayerBytes { layer, position: position.unwrap_or(Position { offset: found.entry.base, line: 1, column: 1 }) }
            }
            (_, true) => Place::RootfsFile { path, inner, part, position },
            (_, false) => Place::LayerFile { layer, path, inner, part, position },
        }
    }

    /// All names of a file, or the one of what is none.
    fn names(&self, entry: &Entry, layer: usize) -> Vec<Name> {
        // What stands inside a file is there as long as the file is.
        if entry.kind != EntryKind::File && entry.inside.is_none() {
            return vec![self.life.name(&entry.path, layer, entry.order)];
        }
        self.life.names(&entry.path, layer, entry.order)
    }

    fn visibility(&self, entry: &Entry, layer: usize, names: &[Name]) -> Visibility {
        // Stray bytes are unpacked by nobody: they are gone from the start, and readable by anyone who pulls.
        if entry.is_outside_files() { Visibility::Deleted { layer } } else { life::visibility(names) }
    }

    /// Findings of config, history, annotations and attestations; a secret that stands in several of them is one finding.
    fn documents(&self, scan: &mut Scan) {
        let mut found: Vec<(u8, InDocument)> = Vec::new();
        let mut left_out = 0;
        for document in &self.image.documents {
            let search = documents::search(
                self.crew.rules,
                document,
                self.image.config.as_ref(),
                self.image.layers.len(),
                self.crew.options.explain,
            );
            found.extend(search.found.into_iter().map(|hit| (importance(document.kind, &hit.place), hit)));
            left_out += search.left_out;
            if search.is_exhausted {
                let detail = "matching it takes more work than the bound; part of it was not matched against all rules";
                scan.coverage.skip(Reason::WorkLimit, document.name.clone(), Some(document.bytes.len() as u64), detail);
            }
        }
        found.sort_by_key(|(importance, _)| *importance);
        let limit = scan.findings.len() + self.crew.options.limits.findings_per_layer;
        // A build argument is repeated by every step after it, and found by one rule or another.
        let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
        for (_, hit) in found {
            let secret = hit.candidate.secret.expose().to_vec();
            let origin = self.inheritance.of_place(&hit.place);
            if let Some(&index) = known.get(&secret) {
                scan.findings[index].origin = scan.findings[index].origin.and(origin);
                note(&mut scan.findings[index], hit.place);
            } else if scan.findings.len() < limit {
                known.insert(secret, scan.findings.len());
                let finding = self.finding(&hit.candidate, &hit.matched_too, hit.place, Vec::new(), None);
                scan.findings.push(Finding { origin, ..finding });
            } else {
                left_out += 1;
            }
        }
        if left_out > 0 {
            let name = self.image.name.clone().unwrap_or_default();
            let detail = format!("{left_out} more matches in its documents are not listed; the first ones are");
            scan.coverage.skip(Reason::FindingsLimit, name, None, detail);
        }
    }

    fn finding(
        &self,
        candidate: &Candidate,
        matched_too: &[u32],
        place: Place,
        also: Vec<Place>,
        visibility: Option<Visibility>,
    ) -> Finding {
        finding(self.crew, self.number, candidate, matched_too, place, also, visibility)
    }
}

/// Adds a place that says nothing new of a finding's secret.
fn note(finding: &mut Finding, place: Place) {
    if finding.also.len() < MAX_ALSO && finding.place != place {
        finding.also.push(place);
    }
}

/// Which place of a secret is its first: where it takes effect, then where it is remembered.
fn importance(kind: DocumentKind, place: &Place) -> u8 {
    match (kind, place) {
        (_, Place::Config { .. }) => 0,
        (_, Place::Label { .. }) => 1,
        (_, Place::History { .. }) => 2,
        (DocumentKind::Attestation, _) => 3,
        _ => 4,
    }
}

fn finding(
    crew: &Crew<'_>,
    image: usize,
    candidate: &Candidate,
    matched_too: &[u32],
    place: Place,
    also: Vec<Place>,
    visibility: Option<Visibility>,
) -> Finding {
    let rule: Arc<RuleFacts> = Arc::clone(&crew.rules.rule(candidate.rule).facts);
    let is_expired = candidate.expires.zip(crew.options.now).is_some_and(|(expires, now)| expires < now);
    Finding {
        id: fingerprint::plain(&rule.id, &candidate.secret, &place),
        severity: if is_expired { Severity::Low } else { candidate.severity },
        confidence: candidate.confidence,
        suppressed: candidate.suppressed.clone(),
        image,
        also,
        decoding: candidate.decoding.clone(),
        visibility,
        key: candidate.key.clone(),
        note: candidate.note.clone(),
        host: candidate.host.clone(),
        explanation: candidate.explanation.clone(),
        matched_too: matched_too.iter().map(|&rule| crew.rules.rule(rule).facts.id.clone()).collect(),
        ..Finding::new(&rule, candidate.secret.clone(), place)
    }
}

/// Tells private keys which certificates and public keys of the image belong to them.
fn counterparts(image: &Image, results: &Results, findings: &mut [Finding]) {
    let mut by_fingerprint: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, finding) in findings.iter().enumerate() {
        if let Some(fingerprint) = finding.key.as_ref().and_then(|key| key.fingerprint.clone()) {
            by_fingerprint.entry(fingerprint).or_default().push(index);
        }
    }
    if by_fingerprint.is_empty() {
        return;
    }
    for (index, layer) in image.layers.iter().enumerate() {
        let published = layer.blob.as_ref().and_then(|key| results.get(key)).map(|result| result.published.as_slice()).unwrap_or_default();
        for one in published {
            for &finding in by_fingerprint.get(&one.public.fingerprint).into_iter().flatten() {
                let layer = (!image.is_rootfs).then_some(index);
                let counterpart = Counterpart { what: one.public.what.clone(), path: one.entry.label(), layer };
                let Some(key) = &mut findings[finding].key else { continue };
                if key.counterparts.len() < MAX_ALSO && !key.counterparts.contains(&counterpart) {
                    key.counterparts.push(counterpart);
                }
            }
        }
    }
}

/// Members of an archive that no image refers to.
fn extras(contents: &Contents, results: &Results, crew: &Crew<'_>, image: usize, scan: &mut Scan) {
    // What such a member repeats of a config, as the legacy form's JSON does, is one more place of the finding there.
    let in_documents = scan.findings.iter().enumerate().filter(|(_, finding)| finding.image >= image && finding.visibility.is_none());
    let in_documents: Vec<usize> = in_documents.map(|(index, _)| index).collect();
    let results_of = |key| results.get(key).into_iter().flat_map(|result: &BlobResult| &result.found);
    let of_members = contents.extras.iter().flat_map(|(_, key)| results_of(key)).map(|found| &found.candidate.secret);
    crew.seal(in_documents.iter().map(|&index| &scan.findings[index].secret).chain(of_members));
    // By their seals, which those that were found by an earlier scan have too.
    let mut known: HashMap<Sealed, usize> =
        in_documents.into_iter().map(|index| (crew.sealed(&scan.findings[index].secret), index)).collect();
    for (name, key) in &contents.extras {
        let Some(result) = results.get(key) else { continue };
        for found in &result.found {
            let path = match found.entry.path.is_empty() {
                true => found.entry.members().iter().fold(name.clone().into_bytes(), |path, member| [&path[..], b"!", member].concat()),
                false => [name.as_bytes(), b"!", &found.entry.label()].concat(),
            };
            let place = Place::ArchiveMember { path, position: found.position };
            let secret = crew.sealed(&found.candidate.secret);
            // A comment accepts the secret where it stands, and nowhere else.
            let is_hidden = |index: &&usize| scan.findings[**index].suppressed.is_some() && found.candidate.suppressed.is_none();
            match known.get(&secret).filter(|index| !is_hidden(index)) {
                Some(&index) => note(&mut scan.findings[index], place),
                None => {
                    known.insert(secret, scan.findings.len());
                    scan.findings.push(finding(crew, image, &found.candidate, &found.matched_too, place, Vec::new(), None));
                }
            }
        }
    }
}
