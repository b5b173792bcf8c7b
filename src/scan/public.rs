//! Which findings stand in public files: files known by their content, and files that the image's own package databases vouch for.
//!
//! A database is a file like any other, so it is believed only where it says what accidents cannot: that the file has just the content
//! that the package manager recorded when it put it there. It vouches for files of its own layer and of those above, never for one below;
//! the layer has to be one that the package manager made ([`is_installed`]), not a copy of files; and the package has to be one
//! that is published, since the image's own package would record the hash of its own secret. A claim that falls short of this is a note.

pub(super) mod compiled;
mod tested;

use std::collections::{HashMap, HashSet};

use super::base::history;
use super::{PublicFiles, Results};
use crate::content::packages::{self, Claim, Claims, FileHashes, Publisher, known};
use crate::dockerfile::{Kind, Step};
use crate::finding::{Finding, MAX_ALSO, Manager, Ownership, OwnershipClaim, OwnershipVerdict, Package, Suppression};
use crate::oci::HistoryStep;
use crate::source::{BlobKey, Image};

/// What the databases of each blob say of the files in which something was found.
#[derive(Debug)]
pub(super) struct Recorded<'r> {
    by_blob: HashMap<&'r BlobKey, Claims>,
    /// The paths that they were asked about, in canonical form.
    asked: HashSet<Vec<u8>>,
    public_files: PublicFiles,
}

impl<'r> Recorded<'r> {
    /// Reads the databases, if there is anything to ask them.
    pub(super) fn new(results: &'r Results, public_files: PublicFiles) -> Self {
        let found = results.values().flat_map(|result| &result.found);
        let concerned = found.filter(|found| found.candidate.suppressed.is_none() && found.hashes.is_some());
        let paths: HashSet<Vec<u8>> = concerned.map(|found| packages::canonical(&found.entry.path)).collect();
        let asked = if public_files == PublicFiles::Suppress { paths } else { HashSet::new() };
        let with_databases = results.iter().filter(|(_, result)| !result.databases.is_empty());
        let by_blob = with_databases.map(|(key, result)| (key, packages::claims(&result.databases, &asked)));
        let by_blob = if asked.is_empty() { HashMap::new() } else { by_blob.collect() };
        Self { by_blob, asked, public_files }
    }

    /// Suppresses a finding in a file of `layer`, if the file is public, or the member of it that the finding is in.
    pub(super) fn judge(
        &self,
        finding: &mut Finding,
        image: &Image,
        layer: usize,
        path: &[u8],
        hashes: &FileHashes,
        member: Option<&FileHashes>,
    ) {
        if self.public_files == PublicFiles::Report || finding.suppressed.is_some() {
            return;
        }
        if let Some(file) = known::find(hashes).or_else(|| known::find(member?)) {
            let detail = format!("the file is known by its content: {} of {}", file.path, called(&file.package));
            return suppress(finding, file.package.clone(), detail);
        }
        let path = packages::canonical(path);
        let claims = (0..=layer).rev().flat_map(|below| self.claims(image, below, &path).iter().map(move |claim| (below, claim)));
        let agreed: Vec<(usize, &Claim)> = claims.filter(|(_, claim)| hashes.agree(&claim.checksum)).collect();
        let believed =
            |(below, claim): &&(usize, &Claim)| claim.publisher == Publisher::Public && is_installed(image, *below, claim.package.manager);
        if let Some((below, claim)) = agreed.iter().find(believed) {
            let detail = format!("the file is as {} has it, by the hash in the package database of layer {below}", called(&claim.package));
            suppress(finding, claim.package.clone(), detail);
        } else if let Some((_, claim)) = agreed.first() {
            let said = format!("the image's package database says that the file is as {} has it", called(&claim.package));
            finding.note = Some(finding.note.take().map(|note| format!("{note}; {said}")).unwrap_or(said));
        }
    }

    /// Whose the file is, for people who ask how a finding came about; before [`Self::judge`] has its say.
    pub(super) fn ownership(&self, finding: &Finding, image: &Image, layer: usize, path: &[u8], hashes: Option<&FileHashes>) -> Ownership {
        use OwnershipVerdict::*;
        let none = |verdict| Ownership { verdict, claims: Vec::new() };
        if self.public_files == PublicFiles::Report {
            return none(Off);
        }
        if finding.suppressed.is_some() {
            return none(NotAsked);
        }
        let Some(hashes) = hashes else { return none(NotHashed) };
        if known::find(hashes).is_some() {
            return none(Known);
        }
        let path = packages::canonical(path);
        let said = (0..image.layers.len()).flat_map(|at| self.claims(image, at, &path).iter().map(move |claim| (at, claim)));
        let claim = |(at, claim): (usize, &Claim)| OwnershipClaim {
            package: claim.package.clone(),
            layer: at,
            hash_agrees: hashes.agree(&claim.checksum),
            is_published: claim.publisher == Publisher::Public,
            is_installed: is_installed(image, at, claim.package.manager),
        };
        let mut claims: Vec<OwnershipClaim> = said.map(claim).collect();
        // A database of a later layer vouches for nothing that was there before; it may say whose the path is all the same.
        claims.sort_by_key(|claim| (claim.layer > layer, layer.abs_diff(claim.layer)));
        let agreed = || claims.iter().filter(|claim| claim.layer <= layer && claim.hash_agrees);
        let verdict = match () {
            () if agreed().any(|claim| claim.is_published && claim.is_installed) => Vouched,
            () if claims.iter().any(|claim| claim.hash_agrees) => NotBelieved,
            () if claims.is_empty() => Unowned,
            () => Changed,
        };
        claims.truncate(MAX_ALSO);
        Ownership { verdict, claims }
    }

    fn claims(&self, image: &Image, layer: usize, path: &[u8]) -> &[Claim] {
        let key = image.layers.get(layer).and_then(|layer| layer.blob.as_ref());
        key.and_then(|key| self.by_blob.get(key)?.get(path)).map(Vec::as_slice).unwrap_or_default()
    }
}

fn suppress(finding: &mut Finding, package: Package, detail: String) {
    finding.suppressed = Some(Suppression { reason: "public-file".into(), detail });
    finding.package = Some(package);
}

fn called(package: &Package) -> String {
    format!("{} {} ({})", package.name, package.version, package.manager.as_str())
}

/// Whether a layer was made by installing packages: its step ran the manager, or it is the root filesystem that a distribution starts from.
fn is_installed(image: &Image, layer: usize, manager: Manager) -> bool {
    let history = image.config.as_ref().map(|config| config.history.as_slice()).unwrap_or_default();
    // A history of other layers than the image has says nothing.
    if history.iter().filter(|step| !step.empty_layer).count() != image.layers.len() {
        return false;
    }
    let step = image.layers.get(layer).and_then(|layer| history.get(layer.step?));
    step.is_some_and(|step| (layer == 0 && is_root(step)) || is_made_of_packages(step, manager) || ran(step, manager))
}

/// An archive that is added as the root, and not a folder of the project.
fn is_root(step: &HistoryStep) -> bool {
    let text = step.created_by.as_deref().unwrap_or_default();
    let is_archive = ["file:", ".tar", ".tgz", ".txz"].iter().any(|mark| text.contains(mark));
    let is_debian = step.comment.as_deref().is_some_and(|comment| comment.starts_with("debuerreotype"));
    (is_archive && history::adds_root(step)) || is_debian
}

/// Builders that make layers of the packages of a distribution, without running its package manager.
fn is_made_of_packages(step: &HistoryStep, manager: Manager) -> bool {
    let builder = step.author.as_deref().unwrap_or_default();
    matches!((builder, manager), ("Bazel", Manager::Dpkg) | ("apko", Manager::Apk))
}

fn ran(step: &HistoryStep, manager: Manager) -> bool {
    let step = Step::parse(step.created_by.as_deref().unwrap_or_default());
    matches!(step.kind, Some(Kind::Run) | None) && packages::installs(manager, step.text)
}
