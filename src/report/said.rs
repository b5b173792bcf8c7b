//! What every report for people says of a finding, in sentences: what it is, where, what became of it, and what to do. Everything is
//! redacted, sanitised and cut here.

use super::{Context, Exposure, Redactor, change, place, redact, sanitise, words};
use crate::dockerfile::{self, Kind, Step};
use crate::finding::{
    BaseFacts, Confidence, Evidence, Finding, Gate, ImageFacts, LayerFacts, Origin, Place, Scan, Severity, Visibility, Whose,
};

/// Columns of an instruction inside a sentence.
const INSTRUCTION: usize = 160;

/// Why no later layer helps.
pub(super) const PERSISTS: &str = "A later layer hides a file and does not remove it: whoever pulls the image gets every layer. Revoke the secret \
    first, then rebuild so that no layer has it, and delete the tags that still do.";

/// What to do about a finding.
pub(super) struct Fix {
    /// How to make the secret worthless.
    pub(super) rotate: String,
    /// The provider's page on that.
    pub(super) page: Option<String>,
    /// What to change so that the next build is without it: in the Dockerfile where there is one, else in general. A line each.
    pub(super) change: Vec<String>,
    /// Why deleting it later does not help, where somebody seems to have thought so, or might.
    pub(super) persists: &'static str,
}

/// A finding, with what is needed to speak of it.
pub(super) struct Said<'a> {
    context: &'a Context,
    image: Option<&'a ImageFacts>,
    finding: &'a Finding,
}

impl<'a> Said<'a> {
    pub(super) fn new(scan: &'a Scan, context: &'a Context, finding: &'a Finding) -> Self {
        Self { context, image: scan.images.get(finding.image), finding }
    }

    /// `GitHub personal access token (classic) in /app/.env:3`.
    pub(super) fn title(&self) -> String {
        format!("{} in {}", self.finding.rule.description.trim_end_matches('.'), self.place())
    }

    /// `/app/.env:3`.
    pub(super) fn place(&self) -> String {
        place::place(&self.context.redactor, &self.finding.place)
    }

    /// The same without members and lines; the pointer for places in documents.
    pub(super) fn path(&self) -> String {
        let redactor = &self.context.redactor;
        let place = &self.finding.place;
        let path = place.path().map(|path| place::clean_bytes(redactor, path));
        path.or_else(|| place.pointer().map(|pointer| place::clean(redactor, pointer))).unwrap_or_default()
    }

    /// The path as a URI's (RFC 3986, section 3.3); what is not UTF-8 byte by byte.
    pub(super) fn path_uri(&self) -> String {
        uri_of(&self.context.redactor.raw(self.finding.place.path().unwrap_or_default()))
    }

    /// What the secret says of itself.
    pub(super) fn note(&self) -> Option<String> {
        self.finding.note.as_deref().map(|note| place::clean(&self.context.redactor, note))
    }

    /// The secret as far as it may be shown, on one line.
    pub(super) fn secret(&self) -> String {
        match self.context.redactor.exposure() {
            Exposure::Redacted => self.finding.secret.redacted(),
            Exposure::Shown => sanitise::terminal(&sanitise::bytes(self.finding.secret.expose())).into_owned(),
        }
    }

    /// `shop/api:1.4`, or what was asked for where the image has no name.
    pub(super) fn image(&self) -> String {
        let image = self.image.map(|image| image.name.as_deref().unwrap_or(&image.source));
        image.map(|name| place::clean(&self.context.redactor, name)).unwrap_or_default()
    }

    /// `layer 7 (COPY . .)`; none for what belongs to no layer.
    pub(super) fn layer(&self) -> Option<String> {
        Some(place::layer(&self.context.redactor, self.image?, self.finding.place.layer()?, INSTRUCTION))
    }

    /// The layer that has it.
    pub(super) fn layer_facts(&self) -> Option<&'a LayerFacts> {
        self.image?.layers.get(self.finding.place.layer()?)
    }

    /// The instruction that brought it.
    pub(super) fn instruction(&self) -> Option<String> {
        place::instruction(&self.context.redactor, self.image?, self.finding.place.layer()?, INSTRUCTION)
    }

    /// `deleted in layer 9 (RUN rm ...): still readable by anyone who pulls`.
    pub(super) fn life(&self) -> Option<String> {
        place::life(&self.context.redactor, self.image?, self.finding, INSTRUCTION)
    }

    /// `inherited from the base image debian:12`; none for the image's own.
    pub(super) fn origin(&self) -> Option<String> {
        origin(&self.context.redactor, self.image, self.finding.origin)
    }

    /// One word for programs: `in-final-image`, `overwritten`, `deleted`, `metadata`.
    pub(super) fn state(&self) -> &'static str {
        match self.finding.visibility {
            Some(Visibility::InFinalImage) => "in-final-image",
            Some(Visibility::Overwritten { .. }) => "overwritten",
            Some(Visibility::Deleted { .. }) => "deleted",
            None => match self.finding.place {
                Place::LayerFile { .. } | Place::LayerBytes { .. } | Place::RootfsFile { .. } | Place::ArchiveMember { .. } => "file",
                _ => "metadata",
            },
        }
    }

    /// All there is to say of it, a sentence or so each, without the title and the fix.
    pub(super) fn details(&self) -> Vec<String> {
        let redactor = &self.context.redactor;
        let finding = self.finding;
        let mut said = Vec::new();
        if let Some(layer) = self.layer() {
            let verb = if matches!(finding.place, Place::History { .. }) { "The instruction of" } else { "Brought by" };
            said.push(format!("{verb} {layer}"));
        }
        said.extend(self.life().map(capital));
        said.extend(self.origin().map(capital));
        if !finding.decoding.is_empty() {
            said.push(format!("Decoded from {}", finding.decoding.join(", ")));
        }
        if let Some(key) = finding.key.as_ref().map(|key| place::key(redactor, key)).filter(|key| !key.is_empty()) {
            said.push(format!("Key: {key}"));
        }
        for counterpart in finding.key.iter().flat_map(|key| &key.counterparts) {
            said.push(format!("Belongs to the {}", place::counterpart(redactor, counterpart)));
        }
        said.extend(self.note().map(capital));
        said.extend(finding.host.as_deref().map(|host| format!("For {}", place::clean(redactor, host))));
        said.extend(finding.also.iter().map(|also| match also.layer().filter(|_| also.path().is_some()) {
            Some(layer) => format!("Also in {} of layer {layer}", place::place(redactor, also)),
            None => format!("Also in {}", place::place(redactor, also)),
        }));
        said.extend(self.suppression().map(|reason| format!("Suppressed: {reason}")));
        said
    }

    /// `placeholder: it says so`.
    pub(super) fn suppression(&self) -> Option<String> {
        let suppression = self.finding.suppressed.as_ref()?;
        let detail = place::clean(&self.context.redactor, &suppression.detail);
        Some(if detail.is_empty() { suppression.reason.to_string() } else { format!("{}: {detail}", suppression.reason) })
    }

    /// What to do about it.
    pub(super) fn fix(&self) -> Fix {
        let rule = &self.finding.rule;
        let change = match self.dockerfile() {
            Some(change) => change,
            None => self.brought_by().map(|kind| dockerfile::general(kind).to_owned()).into_iter().collect(),
        };
        Fix { rotate: rule.remediation.clone(), page: rule.docs.clone(), change, persists: PERSISTS }
    }

    /// What to change in the Dockerfile: where, the instruction, and what to do with it, a line each.
    fn dockerfile(&self) -> Option<Vec<String>> {
        let fix = self.finding.dockerfile.as_deref()?;
        let redactor = &self.context.redactor;
        let spot = change::spot(redactor, fix);
        let first = match change::instruction(redactor, fix) {
            Some(instruction) => format!("{spot}: {instruction}"),
            None => spot,
        };
        Some([first].into_iter().chain(change::lines(redactor, fix)).collect())
    }

    /// The kind of instruction that brought it, as far as the place and the history say.
    fn brought_by(&self) -> Option<Kind> {
        match &self.finding.place {
            Place::Label { .. } => Some(Kind::Label),
            Place::Config { pointer } if pointer.starts_with("/config/Env/") => Some(Kind::Env),
            Place::LayerFile { .. } | Place::LayerBytes { .. } => Step::parse(self.layer_facts()?.created_by.as_deref()?).kind,
            Place::History { pointer, .. } => {
                let number: usize = pointer.strip_prefix("/history/")?.split('/').next()?.parse().ok()?;
                let step = Step::parse(self.image?.history.get(number)?.created_by.as_deref()?);
                // Of a secret that is not at hand, the report that was read has the mask in its place.
                let secret = if self.finding.secret.is_withheld() { redact::MASK } else { self.finding.secret.expose() };
                let is_argument = std::str::from_utf8(secret).is_ok_and(|text| step.argument_with(text).is_some());
                if is_argument { Some(Kind::Arg) } else { step.kind }
            }
            _ => None,
        }
    }
}

/// A path as a URI's.
pub(super) fn uri_of(path: &[u8]) -> String {
    let mut uri = String::with_capacity(path.len());
    for &byte in path {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

/// Findings worst first: those that gate, then by severity and confidence, then in the order of the report. Suppressed ones are left out.
pub(super) fn worst_first<'a>(scan: &'a Scan, context: &Context) -> Vec<&'a Finding> {
    let mut findings: Vec<&Finding> = scan.findings.iter().filter(|finding| finding.suppressed.is_none()).collect();
    findings.sort_by_key(|finding| {
        std::cmp::Reverse((context.gate.gates(finding), finding.confidence != Confidence::Possible, finding.severity, finding.confidence))
    });
    findings
}

/// `inherited from the base image debian:12`; none for the image's own.
pub(super) fn origin(redactor: &Redactor, image: Option<&ImageFacts>, origin: Origin) -> Option<String> {
    let Origin::Inherited(evidence) = origin else { return None };
    let base = image.and_then(|image| image.base.as_ref()).and_then(|base| base_name(redactor, base));
    let base = base.map(|base| format!(" {base}")).unwrap_or_default();
    Some(match evidence {
        _ if evidence.is_sure() => format!("inherited from the base image{base}"),
        Evidence::Layer => format!("inherited from the base image{base}, if the layers below the one given are its"),
        _ => format!("perhaps inherited from the base image{base}: the history suggests it, and proves nothing"),
    })
}

fn base_name(redactor: &Redactor, base: &BaseFacts) -> Option<String> {
    let name = base.name.as_deref().map(|name| place::clean(redactor, name));
    name.or_else(|| base.digest.as_ref().map(ToString::to_string))
}

/// `base image debian:12: 2 of 7 layers, by their digests`.
pub(super) fn base(redactor: &Redactor, image: &ImageFacts) -> Option<String> {
    let base = image.base.as_ref()?;
    let layers = format!("{} of {}", base.layers, words::count(image.layers.len() as u64, "layer", "layers"));
    let what = match base.evidence {
        Evidence::Image | Evidence::Chain | Evidence::Annotation => format!("{layers}, by their digests"),
        Evidence::Layer => format!("{layers}, by the digest of the last one"),
        Evidence::History => format!("perhaps {layers}, by the history"),
        Evidence::Named => "how many layers are its is not known".to_owned(),
        Evidence::Mismatch => "as given, but its layers are not the first ones here".to_owned(),
    };
    let name = base_name(redactor, base).map(|name| format!(" {name}")).unwrap_or_default();
    Some(format!("base image{name}: {what}"))
}

/// `severity from low, confidence from likely`; none for a gate that never closes.
pub(super) fn gate(gate: &Gate) -> Option<String> {
    let whose = if gate.whose == Whose::Own { ", not inherited" } else { "" };
    gate.fail_on.map(|least| format!("severity from {least}, confidence from {}{whose}", gate.min_confidence))
}

/// `2 critical, 1 low`, worst first; empty for none.
pub(super) fn counts<'a>(findings: impl Iterator<Item = &'a Finding> + Clone) -> String {
    let counts = Severity::ALL.into_iter().rev().filter_map(|severity| {
        let count = findings.clone().filter(|finding| finding.severity == severity).count() as u64;
        (count > 0).then(|| format!("{} {severity}", words::number(count)))
    });
    counts.collect::<Vec<_>>().join(", ")
}

fn capital(text: String) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => text,
    }
}
