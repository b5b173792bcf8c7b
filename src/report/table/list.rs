//! The findings of an image, by the layer that brought them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use super::super::{Exposure, explain, place, said, sanitise, words};
use super::Page;
use crate::finding::{Confidence, Finding, ImageFacts, Place, Scan};
use crate::oci::Digest;

/// Most lines of further places of one finding; the JSON report has them all.
const MAX_ALSO_LINES: usize = 5;
/// Where the lines of a finding begin, under its headline.
const INDENT: &str = "        ";

/// What findings stand under, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Heading {
    /// Files of a layer; its index.
    Layer(usize),
    /// Documents: config, history, annotations, attestations.
    Documents,
    /// Files of a folder.
    Files,
    /// Members of the archive that belong to no image.
    Loose,
}

impl Heading {
    fn of(place: &Place) -> Self {
        match place {
            Place::LayerFile { layer, .. } | Place::LayerBytes { layer, .. } => Heading::Layer(*layer),
            Place::Config { .. } | Place::History { .. } | Place::Label { .. } => Heading::Documents,
            Place::Annotation { .. } | Place::Attestation { .. } => Heading::Documents,
            Place::RootfsFile { .. } => Heading::Files,
            Place::ArchiveMember { .. } => Heading::Loose,
        }
    }
}

/// Findings under one heading of one image.
pub(super) struct Group<'a> {
    pub(super) image: usize,
    heading: Heading,
    /// Number of the first finding, from 1.
    first: usize,
    findings: Vec<&'a Finding>,
}

impl<'a> Group<'a> {
    /// The findings with their numbers.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (usize, &'a Finding)> + '_ {
        self.findings.iter().enumerate().map(|(index, finding)| (self.first + index, *finding))
    }
}

/// All findings that are not suppressed. In each group the worst come first and those that are only possible last.
pub(super) fn groups(scan: &Scan) -> Vec<Group<'_>> {
    let mut by_heading: BTreeMap<(usize, Heading), Vec<&Finding>> = BTreeMap::new();
    for finding in scan.findings.iter().filter(|finding| finding.suppressed.is_none()) {
        by_heading.entry((finding.image, Heading::of(&finding.place))).or_default().push(finding);
    }
    let mut first = 1;
    let mut groups = Vec::with_capacity(by_heading.len());
    for ((image, heading), mut findings) in by_heading {
        findings.sort_by_key(|finding| (finding.confidence == Confidence::Possible, Reverse(finding.severity)));
        let count = findings.len();
        groups.push(Group { image, heading, first, findings });
        first += count;
    }
    groups
}

/// `sha256:1234abcd`.
fn short(digest: &Digest, digits: usize) -> String {
    digest.to_string().chars().take("sha256:".len() + digits).collect()
}

impl<'a> Page<'a> {
    /// `docker-archive:app.tar  shop/api:1.4  sha256:0123456789ab  linux/amd64  3 layers`.
    pub(super) fn title(&self, image: &ImageFacts) -> String {
        let redactor = &self.context.redactor;
        let parts = [
            Some(place::clean(redactor, &image.source)),
            image.name.as_deref().map(|name| place::clean(redactor, name)),
            image.digest.as_ref().map(|digest| short(digest, 12)),
            image.platform.as_ref().map(|platform| place::clean(redactor, &platform.to_string())),
            Some(words::count(image.layers.len() as u64, "layer", "layers")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
    }

    pub(super) fn group(&self, out: &mut dyn Write, image: &ImageFacts, group: &Group<'a>) -> io::Result<()> {
        writeln!(out, "\n  {}", self.heading(image, group.heading))?;
        for (number, finding) in group.numbered() {
            writeln!(out)?;
            for line in self.finding(image, number, finding) {
                let line = if finding.confidence == Confidence::Possible { self.ink.dim(&line) } else { line };
                writeln!(out, "{line}")?;
            }
        }
        Ok(())
    }

    fn heading(&self, image: &ImageFacts, heading: Heading) -> String {
        match heading {
            Heading::Layer(layer) => self.layer_heading(image, layer),
            Heading::Documents => self.ink.bold("image config and history"),
            Heading::Files => self.ink.bold("files"),
            Heading::Loose => self.ink.bold("members of the archive that belong to no image"),
        }
    }

    /// `layer 7  COPY . .  (sha256:1234abcd, 12.3 MB)`.
    fn layer_heading(&self, image: &ImageFacts, layer: usize) -> String {
        let facts = image.layers.get(layer);
        let name = format!("layer {}", facts.map_or(layer, |facts| facts.index));
        let digest = facts.and_then(|facts| facts.digest.as_ref().or(facts.diff_id.as_ref())).map(|digest| short(digest, 8));
        let size = facts.and_then(|facts| facts.size).map(words::size);
        let blob = [digest, size].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let blob = if blob.is_empty() { blob } else { format!("  ({blob})") };
        let room = self.context.width.saturating_sub(2 + name.len() + 2 + blob.len()).max(20);
        let instruction = place::instruction(&self.context.redactor, image, layer, room).map(|text| format!("  {text}"));
        format!("{}{}{blob}", self.ink.bold(&name), instruction.unwrap_or_default())
    }

    fn finding(&self, image: &ImageFacts, number: usize, finding: &Finding) -> Vec<String> {
        let redactor = &self.context.redactor;
        let room = self.context.width.saturating_sub(INDENT.len()).max(40);
        let mut lines = vec![self.headline(number, finding), format!("{INDENT}{}", place::place(redactor, &finding.place))];
        let mut say = |text: String| lines.extend(words::wrap(&text, room).iter().map(|line| format!("{INDENT}{line}")));
        if !finding.decoding.is_empty() {
            say(format!("decoded from {}", finding.decoding.join(", ")));
        }
        if let Some(key) = finding.key.as_ref().map(|key| place::key(redactor, key)).filter(|key| !key.is_empty()) {
            say(format!("key: {key}"));
        }
        for counterpart in finding.key.iter().flat_map(|key| &key.counterparts).take(MAX_ALSO_LINES) {
            say(format!("belongs to the {}", place::counterpart(redactor, counterpart)));
        }
        if let Some(note) = &finding.note {
            say(place::clean(redactor, note));
        }
        if let Some(host) = &finding.host {
            say(format!("for {}", place::clean(redactor, host)));
        }
        if let Some(pair) = self.pair(finding) {
            say(pair);
        }
        if let Place::History { layer: Some(layer), .. } = &finding.place {
            say(format!("the instruction of {}", place::layer(redactor, image, *layer, room * 2 / 3)));
        }
        if let Some(life) = place::life(redactor, image, finding, room * 2 / 3) {
            say(life);
        }
        if let Some(origin) = said::origin(redactor, Some(image), finding.origin) {
            say(origin);
        }
        if let Some(others) = self.others(number, finding) {
            say(others);
        }
        lines.extend(self.also(finding));
        for text in finding.explanation.iter().flat_map(|explanation| explain::reasons(redactor, explanation)) {
            lines.extend(words::wrap(&text, room).iter().map(|line| format!("{INDENT}{line}")));
        }
        lines
    }

    fn headline(&self, number: usize, finding: &Finding) -> String {
        let secret = match self.context.redactor.exposure() {
            Exposure::Redacted => finding.secret.redacted(),
            Exposure::Shown => sanitise::terminal(&sanitise::bytes(finding.secret.expose())).into_owned(),
        };
        let severity = format!("{:<8}", finding.severity.as_str().to_uppercase());
        let severity = match finding.confidence {
            // The whole line is dim.
            Confidence::Possible => severity,
            _ => self.ink.severity(finding.severity, &severity),
        };
        let number = format!("#{number}");
        let gap = " ".repeat(4_usize.saturating_sub(number.width()));
        let novelty = finding.novelty.map(|novelty| format!("  [{}]", novelty.as_str())).unwrap_or_default();
        format!("    {number}{gap}{severity}  {:<9}  {}  {secret}{novelty}", finding.confidence, finding.rule.id)
    }

    /// Names the findings that hold the other half.
    fn pair(&self, finding: &Finding) -> Option<String> {
        let named = finding.pair.iter().filter_map(|id| self.by_id.get(&(finding.image, id.as_str()))).map(|number| format!("#{number}"));
        let named = named.collect::<Vec<_>>().join(", ");
        (!named.is_empty()).then(|| format!("belongs with {named}"))
    }

    /// Names the findings of the same secret.
    fn others(&self, number: usize, finding: &Finding) -> Option<String> {
        let numbers = self.numbers.get(&super::same_secret(finding))?;
        let first = *numbers.first()?;
        if first < number {
            return Some(format!("the same secret as #{first}"));
        }
        let rest = &numbers[1..];
        let named = rest.iter().take(10).map(|number| format!("#{number}")).collect::<Vec<_>>().join(", ");
        match rest.len() {
            0 => None,
            1..=10 => Some(format!("the same secret again in {named}")),
            more => Some(format!("the same secret again in {named} and {} more", more - 10)),
        }
    }

    fn also(&self, finding: &Finding) -> impl Iterator<Item = String> {
        let own = finding.place.layer();
        let lines = finding.also.iter().take(MAX_ALSO_LINES).map(move |also| {
            let text = place::place(&self.context.redactor, also);
            match also.layer().filter(|layer| Some(*layer) != own && also.path().is_some()) {
                Some(layer) => format!("{INDENT}also in layer {layer}: {text}"),
                None => format!("{INDENT}also in {text}"),
            }
        });
        let more = finding.also.len().saturating_sub(MAX_ALSO_LINES);
        lines.chain((more > 0).then(|| format!("{INDENT}and {more} more")))
    }
}
