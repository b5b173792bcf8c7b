//! The lives of secrets as lines beside the stack of layers: up from the layer that added one to the layer that removed it.

use std::collections::BTreeMap;

use super::super::Context;
use super::super::said::Said;
use super::super::words;
use crate::finding::{Finding, Place, Scan, Severity, Visibility};

/// Most lines beside one stack; where there are more secrets, those of one life share a line.
pub(super) const MAX_LANES: usize = 28;
/// Of the style.
const ROW_HEIGHT: usize = 34;
const LANE_WIDTH: usize = 18;
/// Of a line with a number under it.
const WIDE_LANE: usize = 44;
/// On both sides of the lines.
const MARGIN: usize = 6;

/// The drawing.
pub(super) struct Lanes {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) lanes: Vec<Lane>,
    /// Secrets that have no line.
    pub(super) more: usize,
}

/// One line.
pub(super) struct Lane {
    pub(super) href: String,
    pub(super) class: &'static str,
    pub(super) title: String,
    pub(super) x: usize,
    /// Where it ends.
    pub(super) top: usize,
    /// Where it begins.
    pub(super) bottom: usize,
    pub(super) removed: bool,
    /// How many secrets it stands for; empty for one.
    pub(super) count: String,
}

/// From which layer to which; none for the image's metadata, and for the final image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Life {
    severity: std::cmp::Reverse<Severity>,
    from: Option<usize>,
    until: Option<usize>,
    deleted: bool,
}

/// The layer that a finding is drawn in; none for the image's metadata.
pub(super) fn row(finding: &Finding) -> Option<usize> {
    match &finding.place {
        Place::LayerFile { layer, .. } | Place::LayerBytes { layer, .. } => Some(*layer),
        _ => None,
    }
}

impl Life {
    fn of(finding: &Finding) -> Self {
        let until = match finding.visibility {
            Some(Visibility::Deleted { layer } | Visibility::Overwritten { layer }) => Some(layer),
            _ => None,
        };
        let deleted = matches!(finding.visibility, Some(Visibility::Deleted { .. }));
        Self { severity: std::cmp::Reverse(finding.severity), from: row(finding), until, deleted }
    }
}

/// What became of it, in few words.
pub(super) fn fate(finding: &Finding) -> String {
    match finding.visibility {
        Some(Visibility::InFinalImage) => "in the final image".to_owned(),
        Some(Visibility::Overwritten { layer }) => format!("overwritten in layer {layer}, still readable"),
        Some(Visibility::Deleted { layer }) => format!("deleted in layer {layer}, still readable"),
        None => match finding.place {
            Place::LayerFile { .. } | Place::LayerBytes { .. } => "readable by anyone who pulls".to_owned(),
            Place::RootfsFile { .. } | Place::ArchiveMember { .. } => String::new(),
            _ => "in the image's metadata".to_owned(),
        },
    }
}

impl Lanes {
    /// Draws `findings`, numbered as on the page, beside a stack of `layers` and the row of the metadata above it.
    pub(super) fn new(scan: &Scan, context: &Context, layers: usize, findings: &[(usize, &Finding)], most: usize) -> Self {
        let mut groups: Vec<Group<'_>> = Vec::new();
        if findings.len() <= most {
            groups.extend(findings.iter().map(|&finding| Group { life: Life::of(finding.1), findings: vec![finding] }));
        } else {
            let mut by_life: BTreeMap<Life, Vec<(usize, &Finding)>> = BTreeMap::new();
            for &(number, finding) in findings {
                by_life.entry(Life::of(finding)).or_default().push((number, finding));
            }
            groups.extend(by_life.into_iter().map(|(life, findings)| Group { life, findings }));
        }
        let more = groups.iter().skip(most).map(|group| group.findings.len()).sum();
        groups.truncate(most);
        let pitch = if groups.iter().any(|group| group.findings.len() > 1) { WIDE_LANE } else { LANE_WIDTH };
        let lane = |(index, group): (usize, &Group<'_>)| group.lane(scan, context, layers, MARGIN + pitch * index + pitch / 2);
        let lanes: Vec<Lane> = groups.iter().enumerate().map(lane).collect();
        Self { width: 2 * MARGIN + pitch * lanes.len(), height: ROW_HEIGHT * (layers + 1), lanes, more }
    }
}

/// Findings, numbered, that share a line.
struct Group<'a> {
    life: Life,
    findings: Vec<(usize, &'a Finding)>,
}

impl Group<'_> {
    fn lane(&self, scan: &Scan, context: &Context, layers: usize, x: usize) -> Lane {
        let Self { life, findings } = self;
        let middle = |row: usize| row * ROW_HEIGHT + ROW_HEIGHT / 2;
        // The newest layer is the row under the metadata.
        let of_layer = |layer: usize| middle(layers.saturating_sub(layer));
        let bottom = life.from.map_or(middle(0), of_layer);
        let top = match (life.from, life.until) {
            (None, _) => bottom,
            (_, Some(until)) => of_layer(until),
            (Some(_), None) => of_layer(layers.saturating_sub(1)).saturating_sub(ROW_HEIGHT / 2 - 4),
        };
        let count = words::number(findings.len() as u64);
        let (what, count) = match findings.as_slice() {
            [(_, finding)] => (Said::new(scan, context, finding).title(), String::new()),
            _ => (format!("{count} secrets"), count),
        };
        let added = life.from.map(|layer| format!("added in layer {layer}, ")).unwrap_or_default();
        let fate = findings.first().map(|(_, finding)| fate(finding)).unwrap_or_default();
        Lane {
            href: format!("#f{}", findings.first().map_or(1, |(number, _)| *number)),
            class: life.severity.0.as_str(),
            title: format!("{} severity, {added}{fate}: {what}", life.severity.0),
            x,
            top,
            bottom,
            removed: life.until.is_some(),
            count,
        }
    }
}
