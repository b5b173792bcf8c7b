//! Reads the JSON report (schema 1) back into a [`Scan`], so that it can be written in another format or compared with another scan.
//!
//! A report comes from anybody. Fields that are not known are passed over, since reports of later programs have more of them; what is
//! needed must be there and make sense. Texts of the image stay as they are: formats redact and sanitise them as they do those of a scan.
//! Texts that formats take for ours, those of rules, are made harmless here.

mod finding;
mod shape;

use serde::Deserialize;

use super::sanitise;
use crate::finding::{Allowed, BaseFacts, Coverage, ImageFacts, LayerFacts, Scan, Skipped, StepFacts};
use crate::oci::Platform;

/// The schema that is understood.
const SCHEMA: u64 = 1;

/// A text that is no report, or not one that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Not JSON, or without a schema.
    #[error("it is not a JSON report of layersift: {problem}")]
    NoReport {
        /// What is wrong, and in which line.
        problem: String,
    },
    /// Written by a later program.
    #[error("it is a report of schema {found}, and only schema {SCHEMA} is known")]
    Schema {
        /// The schema it gives.
        found: u64,
    },
    /// A field that is missing, or that makes no sense.
    #[error("its `{at}` cannot be used: {problem}")]
    Field {
        /// Where: `findings[3].place.kind`.
        at: String,
        /// What is wrong. Never quotes the report.
        problem: String,
    },
}

/// What is wrong with a field, on its way out to where the whole path is known.
struct Problem {
    at: String,
    problem: String,
}

impl Problem {
    fn new(at: &str, problem: impl Into<String>) -> Self {
        Self { at: at.to_owned(), problem: problem.into() }
    }

    fn within(self, outer: &str) -> Self {
        Self { at: format!("{outer}.{}", self.at), ..self }
    }
}

impl From<Problem> for ReportError {
    fn from(Problem { at, problem }: Problem) -> Self {
        ReportError::Field { at, problem }
    }
}

/// Reads a report. Costs a few times its length of memory.
pub fn read(text: &str) -> Result<Scan, ReportError> {
    let head: shape::Head = serde_json::from_str(text).map_err(|error| ReportError::NoReport { problem: unquoted(&error) })?;
    if head.schema != SCHEMA {
        return Err(ReportError::Schema { found: head.schema });
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let mut track = serde_path_to_error::Track::new();
    let report = shape::Report::deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track))
        .map_err(|error| ReportError::Field { at: track.path().to_string(), problem: unquoted(&error) })?;
    Ok(scan(report)?)
}

/// What serde says, without the value it quotes: that may be a secret.
fn unquoted(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => text,
    }
}

fn scan(report: shape::Report) -> Result<Scan, Problem> {
    let images =
        report.images.into_iter().enumerate().map(|(index, given)| image(given).map_err(|it| it.within(&format!("images[{index}]"))));
    let images = images.collect::<Result<Vec<_>, _>>()?;
    let findings = finding::findings(report.findings, &images)?;
    let coverage = coverage(report.coverage);
    if coverage.is_complete() != report.complete {
        return Err(Problem::new("complete", "`coverage` says otherwise"));
    }
    Ok(Scan {
        fingerprint_key: report.fingerprint_key.as_deref().map(ours),
        images,
        findings,
        coverage,
        fixed: report.fixed,
        allowed: report.allow.into_iter().map(allowed).collect(),
        ..Scan::new(ours(&report.tool.rules_hash))
    })
}

/// A text that formats take for ours, as it may be shown anywhere.
fn ours(text: &str) -> String {
    sanitise::terminal(text).into_owned()
}

fn allowed(given: shape::Allow) -> Allowed {
    let shape::Allow { origin, state, count, reason, until } = given;
    Allowed { origin: ours(&origin), state, count: count.0, reason, until: until.as_deref().map(ours) }
}

fn image(given: shape::Image) -> Result<ImageFacts, Problem> {
    let platform = given.platform.as_deref().map(platform).transpose()?;
    let mut layers = Vec::with_capacity(given.layers.len());
    for (index, layer) in given.layers.into_iter().enumerate() {
        if layer.index.0 != index as u64 {
            return Err(Problem::new(
                &format!("layers[{index}].index"),
                format!("expected {index}: layers stand in their order, base first"),
            ));
        }
        layers.push(LayerFacts {
            index,
            digest: layer.digest.map(|digest| digest.0),
            diff_id: layer.diff_id.map(|digest| digest.0),
            created_by: layer.created_by,
            size: layer.size.map(|size| size.0),
        });
    }
    let total = layers.iter().filter_map(|layer| layer.size).try_fold(0_u64, |sum, size| sum.checked_add(size));
    if total.is_none_or(|total| total >= shape::Number::BOUND) {
        return Err(Problem::new("layers", "their sizes add up to more than any image has"));
    }
    let history = given.history.into_iter().enumerate();
    let history = history.map(|(index, given)| step(given, layers.len()).map_err(|problem| problem.within(&format!("history[{index}]"))));
    let history = history.collect::<Result<_, _>>()?;
    let base = given.base.map(|given| base(given, layers.len())).transpose()?;
    Ok(ImageFacts { source: given.source, name: given.name, digest: given.digest.map(|digest| digest.0), platform, layers, base, history })
}

fn base(given: shape::Base, layers: usize) -> Result<BaseFacts, Problem> {
    let inherited = usize::try_from(given.layers.0).ok().filter(|inherited| *inherited <= layers);
    let layers = inherited.ok_or_else(|| Problem::new("base.layers", "the image has fewer layers"))?;
    Ok(BaseFacts { name: given.name, digest: given.digest.map(|digest| digest.0), layers, evidence: given.evidence })
}

fn step(given: shape::Step, layers: usize) -> Result<StepFacts, Problem> {
    let index = |layer: shape::Number| usize::try_from(layer.0).ok().filter(|index| *index < layers);
    let layer = given.layer.map(|layer| index(layer).ok_or_else(|| Problem::new("layer", "the image has no such layer")));
    Ok(StepFacts { created_by: given.created_by, layer: layer.transpose()? })
}

/// What was written as `os/architecture[/variant]`, whatever stood in the image's config.
fn platform(text: &str) -> Result<Platform, Problem> {
    let mut parts = text.splitn(3, '/').map(str::to_owned);
    match (parts.next(), parts.next()) {
        (Some(os), Some(architecture)) => Ok(Platform { os, architecture, variant: parts.next() }),
        _ => Err(Problem::new("platform", "expected os/architecture or os/architecture/variant")),
    }
}

fn coverage(given: shape::Coverage) -> Coverage {
    let skipped = given.skipped.into_iter().map(|one| Skipped {
        reason: one.reason,
        place: one.r#where,
        size: one.size.map(|size| size.0),
        detail: one.detail,
    });
    Coverage {
        layers: given.layers.0,
        entries: given.entries.0,
        bytes_read: given.bytes_read.0,
        bytes_expanded: given.bytes_expanded.0,
        bytes_scanned: given.bytes_scanned.0,
        documents: given.documents.0,
        skipped: skipped.collect(),
        skipped_more: given.skipped_more.0,
    }
}

#[cfg(test)]
mod tests;
