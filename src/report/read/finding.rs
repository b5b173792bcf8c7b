//! A finding of a report, made whole again.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::sanitise;
use super::{Problem, ours, shape};
use crate::finding::{
    Certainty, Counterpart, DockerfileFix, Evidence, Explanation, Finding, ImageFacts, KeyFacts, NestedImage, NestedLayer, Origin, Part,
    Place, Position, RuleFacts, Secret, Spot, Suppression, Visibility,
};

/// All findings, in the order of the report. Findings of one rule share what is said of it.
pub(super) fn findings(given: Vec<shape::Finding>, images: &[ImageFacts]) -> Result<Vec<Finding>, Problem> {
    let mut rules = Rules::default();
    let each = given.into_iter().enumerate();
    each.map(|(index, given)| finding(given, images, &mut rules).map_err(|problem| problem.within(&format!("findings[{index}]")))).collect()
}

fn finding(given: shape::Finding, images: &[ImageFacts], rules: &mut Rules) -> Result<Finding, Problem> {
    let index = usize::try_from(given.image.0).ok().and_then(|index| Some((index, images.get(index)?)));
    let (index, image) = index.ok_or_else(|| Problem::new("image", "there is no such image"))?;
    let layers = image.layers.len();
    let origin = match given.origin {
        shape::Origin::Own => Origin::Own,
        // Without evidence it is a guess, on which no gate relies.
        shape::Origin::Inherited => Origin::Inherited(given.origin_evidence.unwrap_or(Evidence::History)),
    };
    // Comparisons go by these.
    if let Some((name, _)) = [("id", &given.id), ("secret_id", &given.secret_id)].into_iter().find(|(_, id)| id.is_empty()) {
        return Err(Problem::new(name, "expected a fingerprint"));
    }
    let rule = rules.of(&given)?;
    let place = place(given.place, layers).map_err(|problem| problem.within("place"))?;
    let also = given.also.into_iter().enumerate();
    let also = also.map(|(index, given)| self::place(given, layers).map_err(|problem| problem.within(&format!("also[{index}]"))));
    let dockerfile = given.dockerfile.map(|given| fix(given).map_err(|problem| problem.within("dockerfile"))).transpose()?;
    Ok(Finding {
        id: ours(&given.id),
        secret_id: ours(&given.secret_id),
        severity: given.severity,
        confidence: given.confidence,
        package: given.suppressed.as_ref().and_then(|given| given.package.clone()),
        suppressed: given.suppressed.map(|given| Suppression { reason: ours(&given.reason).into(), detail: given.detail }),
        image: index,
        also: also.collect::<Result<_, _>>()?,
        decoding: given.decoding.iter().map(|step| ours(step).into()).collect(),
        visibility: given.visibility.map(|given| visibility(&given, layers).map_err(|problem| problem.within("visibility"))).transpose()?,
        nested_image: given
            .nested_image
            .map(|given| nested_image(given).map_err(|problem| problem.within("nested_image")))
            .transpose()?
            .map(Box::new),
        key: given.key.map(key),
        note: given.note,
        host: given.host,
        pair: given.pair.iter().map(|id| ours(id)).collect(),
        matched_too: given.matched_too.iter().map(|id| ours(id)).collect(),
        novelty: given.novelty,
        origin,
        dockerfile: dockerfile.map(Box::new),
        explanation: given.explanation.map(|given| Box::new(explanation(given))),
        ..Finding::new(&rule, secret(&given.secret), place)
    })
}

/// The rules that the findings of a report name.
#[derive(Default)]
struct Rules(HashSet<Arc<RuleFacts>>);

impl Rules {
    fn of(&mut self, finding: &shape::Finding) -> Result<Arc<RuleFacts>, Problem> {
        let facts = RuleFacts {
            id: ours(&finding.rule),
            description: ours(&finding.description),
            provider: ours(&finding.provider),
            docs: finding.docs.as_deref().map(page).transpose()?,
            severity: finding.rule_severity.unwrap_or(finding.severity),
            remediation: ours(&finding.remediation),
            // Which findings belong together they say themselves.
            pairs: Vec::new(),
        };
        if let Some(known) = self.0.get(&facts) {
            return Ok(Arc::clone(known));
        }
        let rule = Arc::new(facts);
        self.0.insert(Arc::clone(&rule));
        Ok(rule)
    }
}

/// A text that is not redacted is a secret, whatever the report was asked to show.
fn secret(text: &str) -> Secret {
    if Secret::is_redacted(text) { Secret::withheld(text) } else { Secret::new(sanitise::unescape(text), 0) }
}

/// A web address that cannot leave the link it stands in.
fn page(text: &str) -> Result<String, Problem> {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"()<>[]\"'`\\|".contains(&byte));
    if is_web && is_plain {
        Ok(text.to_owned())
    } else {
        Err(Problem::new("docs", "expected an address that begins with https:// or http://"))
    }
}

fn place(given: shape::Place, layers: usize) -> Result<Place, Problem> {
    let position = position(&given)?;
    let layer = |given: &Option<shape::LayerReference>| layer(given, layers)?.ok_or_else(|| Problem::new("layer", "expected a layer"));
    let path = |path: Option<String>, bytes: Option<shape::Base64>| {
        let path = bytes.map(|bytes| bytes.0).or(path.map(String::into_bytes));
        path.ok_or_else(|| Problem::new("path", "expected a path"))
    };
    let pointer = |pointer: Option<String>| pointer.ok_or_else(|| Problem::new("pointer", "expected a JSON pointer"));
    let inner = |texts: Vec<String>, bytes: Option<Vec<shape::Base64>>| match bytes {
        Some(bytes) => bytes.into_iter().map(|member| member.0).collect(),
        None => texts.into_iter().map(String::into_bytes).collect(),
    };
    Ok(match given.kind.as_str() {
        "layer-file" => Place::LayerFile {
            layer: layer(&given.layer)?,
            path: path(given.path, given.path_bytes)?,
            inner: inner(given.inner, given.inner_bytes),
            part: part(given.part.as_deref())?,
            position,
        },
        "layer-bytes" => Place::LayerBytes {
            layer: layer(&given.layer)?,
            position: position.ok_or_else(|| Problem::new("offset", "expected line, column and offset"))?,
        },
        "config" => Place::Config { pointer: pointer(given.pointer)? },
        "history" => Place::History { pointer: pointer(given.pointer)?, layer: self::layer(&given.layer, layers)? },
        "label" => Place::Label { pointer: pointer(given.pointer)? },
        "annotation" => Place::Annotation { document: given.document, pointer: pointer(given.pointer)? },
        "attestation" => Place::Attestation { document: given.document, pointer: pointer(given.pointer)? },
        "rootfs-file" => Place::RootfsFile {
            path: path(given.path, given.path_bytes)?,
            inner: inner(given.inner, given.inner_bytes),
            part: part(given.part.as_deref())?,
            position,
        },
        "archive-member" => Place::ArchiveMember { path: path(given.path, given.path_bytes)?, position },
        _ => return Err(Problem::new("kind", "not a kind of place that this version knows")),
    })
}

fn position(given: &shape::Place) -> Result<Option<Position>, Problem> {
    match (&given.line, &given.column, &given.offset) {
        (None, None, None) => Ok(None),
        (Some(line), Some(column), Some(offset)) if line.0 > 0 && column.0 > 0 => {
            Ok(Some(Position { offset: offset.0, line: line.0, column: column.0 }))
        }
        _ => Err(Problem::new("line", "expected line and column, from 1, and offset, or none of them")),
    }
}

fn layer(given: &Option<shape::LayerReference>, layers: usize) -> Result<Option<usize>, Problem> {
    let index = |given: &shape::LayerReference| usize::try_from(given.index.0).ok().filter(|index| *index < layers);
    given.as_ref().map(|given| index(given).ok_or_else(|| Problem::new("layer.index", "the image has no such layer"))).transpose()
}

fn part(word: Option<&str>) -> Result<Part, Problem> {
    match word {
        None | Some("content") => Ok(Part::Content),
        Some("name") => Ok(Part::Name),
        Some("link-target") => Ok(Part::LinkTarget),
        Some(word) => match word.strip_prefix("pax:") {
            Some(key) => Ok(Part::Pax(key.to_owned())),
            None => Err(Problem::new("part", "expected content, name, link-target, or pax: and a key")),
        },
    }
}

fn visibility(given: &shape::Visibility, layers: usize) -> Result<Visibility, Problem> {
    let by = || layer(&given.layer, layers)?.ok_or_else(|| Problem::new("layer", "expected the layer that did it"));
    match given.state.as_str() {
        "in-final-image" => Ok(Visibility::InFinalImage),
        "overwritten" => Ok(Visibility::Overwritten { layer: by()? }),
        "deleted" => Ok(Visibility::Deleted { layer: by()? }),
        _ => Err(Problem::new("state", "expected in-final-image, overwritten or deleted")),
    }
}

fn nested_image(given: shape::NestedImage) -> Result<NestedImage, Problem> {
    let layer = |given: shape::NestedLayer| NestedLayer {
        index: usize::try_from(given.index.0).unwrap_or(usize::MAX),
        digest: given.digest.map(|digest| digest.0),
        diff_id: given.diff_id.map(|digest| digest.0),
        created_by: given.created_by,
    };
    let (state, hidden_by) = given.visibility.map(|given| (given.state, given.layer.map(layer))).unzip();
    let hidden_by = hidden_by.flatten();
    let by =
        || hidden_by.as_ref().map(|layer| layer.index).ok_or_else(|| Problem::new("visibility.layer", "expected the layer that did it"));
    let visibility = match state.as_deref() {
        None => None,
        Some("in-final-image") => Some(Visibility::InFinalImage),
        Some("overwritten") => Some(Visibility::Overwritten { layer: by()? }),
        Some("deleted") => Some(Visibility::Deleted { layer: by()? }),
        Some(_) => return Err(Problem::new("visibility.state", "expected in-final-image, overwritten or deleted")),
    };
    let (digest, layer) = (given.digest.map(|digest| digest.0), given.layer.map(layer));
    Ok(NestedImage { name: given.name, digest, layer, visibility, hidden_by })
}

fn key(given: shape::Key) -> KeyFacts {
    let counterparts = given.counterparts.into_iter().map(|given| Counterpart {
        what: given.what,
        path: given.path.into_bytes(),
        layer: given.layer.and_then(|layer| usize::try_from(layer.0).ok()),
    });
    KeyFacts {
        algorithm: given.algorithm,
        bits: given.bits,
        encrypted: given.encrypted,
        fingerprint: given.fingerprint,
        counterparts: counterparts.collect(),
    }
}

/// Its texts are ours, but for the names of packages, which formats redact.
fn explanation(mut given: Explanation) -> Explanation {
    given.keyword = given.keyword.as_deref().map(ours);
    for checked in &mut given.checks {
        checked.detail = ours(&checked.detail);
    }
    for reason in given.score.iter_mut().flat_map(|score| &mut score.reasons) {
        reason.feature = ours(&reason.feature).into();
    }
    given
}

fn fix(mut given: shape::Dockerfile) -> Result<DockerfileFix, Problem> {
    let line = |given: Option<shape::Number>, name| {
        let line = given.and_then(|line| usize::try_from(line.0).ok()).filter(|line| *line > 0);
        line.ok_or_else(|| Problem::new(name, "expected a line, from 1"))
    };
    let mut instruction = |certainty| {
        let text = given.instruction.as_deref().ok_or_else(|| Problem::new("instruction", "expected an instruction"))?.into();
        Ok(Spot::Instruction {
            line: line(given.line.take(), "line")?,
            end_line: line(given.end_line.take(), "end_line")?,
            text,
            certainty,
        })
    };
    let spot = match given.r#match.as_str() {
        "exact" => instruction(Certainty::Exact)?,
        "probable" => instruction(Certainty::Probable)?,
        "base" => Spot::Base { image: given.base.ok_or_else(|| Problem::new("base", "expected an image"))? },
        "none" => Spot::Unknown,
        _ => return Err(Problem::new("match", "expected exact, probable, base or none")),
    };
    Ok(DockerfileFix {
        file: given.file,
        spot,
        advice: given.advice,
        replacement: given.replacement,
        ignore: given.ignore,
        build_command: given.build_command,
    })
}
