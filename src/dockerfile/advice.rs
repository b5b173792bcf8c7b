//! A fix for each finding of a scan: the step that brought it, the instruction that made the step, and what to write there instead.

use std::collections::HashMap;
use std::sync::Arc;

use super::align::{Alignment, Matched};
use super::replacement::{Change, Replacer};
use super::secret;
use super::{Dockerfile, Kind, Step};
use crate::finding::{DockerfileFix, Finding, ImageFacts, Place, Scan, Spot};

/// Sets [`Finding::dockerfile`] of each finding that is not suppressed. `file` is the Dockerfile as the user named it, `target` the
/// stage that the images were built from; none to choose for each image the stage that fits its history best.
pub fn advise(scan: &mut Scan, dockerfile: &Dockerfile, file: &str, target: Option<usize>) {
    let mut of_image: Vec<Vec<usize>> = vec![Vec::new(); scan.images.len()];
    for (index, finding) in scan.findings.iter().enumerate() {
        if let Some(findings) = of_image.get_mut(finding.image).filter(|_| finding.suppressed.is_none()) {
            findings.push(index);
        }
    }
    for (image, indexes) in scan.images.iter().zip(of_image) {
        let adviser = Adviser::new(image, dockerfile, file, target);
        let findings: Vec<&Finding> = indexes.iter().map(|index| &scan.findings[*index]).collect();
        let fixes = adviser.fixes(&findings);
        for (index, fix) in indexes.into_iter().zip(fixes) {
            scan.findings[index].dockerfile = Some(Box::new(fix));
        }
    }
}

/// What to do about a secret that an instruction of `kind` brought, without its Dockerfile.
pub fn general(kind: Kind) -> &'static str {
    match kind {
        Kind::Run => {
            "Give the command the secret as a mount, which no layer and no history keeps: `RUN --mount=type=secret,id=ID,env=NAME ...` and \
             `docker build --secret id=ID,env=NAME .`; what the command writes to a file is in the layer all the same."
        }
        Kind::Copy | Kind::Add => {
            "Keep the file out of the build: a line in `.dockerignore`, or a COPY of only what the image needs. What a RUN needs it can \
             mount: `RUN --mount=type=secret,id=ID,target=PATH ...`."
        }
        Kind::Env => "Take it out of ENV and give it when the container starts: `docker run --env-file`, or a secret of the orchestrator.",
        Kind::Arg => "Build arguments stay in the history. Use a secret mount instead: `RUN --mount=type=secret,id=ID,env=NAME ...`.",
        Kind::Label => "Remove the label.",
        _ => "Take it out of the instruction and let the program read it from its environment when the container starts.",
    }
}

struct Adviser<'a> {
    image: &'a ImageFacts,
    file: &'a str,
    steps: Vec<Option<Step<'a>>>,
    alignment: Option<Alignment<'a>>,
    dockerfile: &'a Dockerfile,
}

impl<'a> Adviser<'a> {
    fn new(image: &'a ImageFacts, dockerfile: &'a Dockerfile, file: &'a str, target: Option<usize>) -> Self {
        let steps = image.history.iter().map(|step| step.created_by.as_deref().map(Step::parse)).collect();
        let alignment = Alignment::new(dockerfile, target, &image.history).filter(Alignment::fits);
        Self { image, file, steps, alignment, dockerfile }
    }

    fn fixes(&self, findings: &[&Finding]) -> Vec<DockerfileFix> {
        let steps: Vec<Option<usize>> = findings.iter().map(|finding| self.step(finding)).collect();
        // What is to be taken out of an instruction are all the secrets that stand in it, whichever finding asks.
        let mut beside: HashMap<usize, Vec<&Finding>> = HashMap::new();
        for (finding, step) in findings.iter().zip(&steps) {
            let (Some(alignment), Some(step)) = (&self.alignment, step) else { continue };
            if let Matched::Instruction(index, _) = alignment.steps[*step] {
                let stands = |text: &str| alignment.instructions[index].text.contains(text);
                if secret::text(finding).is_some_and(stands) {
                    beside.entry(*step).or_default().push(finding);
                }
            }
        }
        let fix = |(finding, step): (&&Finding, &Option<usize>)| {
            let beside = step.and_then(|step| beside.get(&step)).map_or(&[][..], Vec::as_slice);
            self.fix(finding, *step, beside)
        };
        findings.iter().zip(&steps).map(fix).collect()
    }

    fn fix(&self, finding: &Finding, step: Option<usize>, beside: &[&Finding]) -> DockerfileFix {
        let Some(alignment) = &self.alignment else {
            return self.unknown(if self.image.history.is_empty() {
                "There is no history that the Dockerfile could be compared with."
            } else {
                "The Dockerfile does not match this image's history: was the image built from another one, or from another stage (--target)?"
            });
        };
        let Some(step) = step else { return self.unknown(without_step(&finding.place)) };
        match alignment.steps[step] {
            Matched::Nothing => {
                self.unknown("The step that brought it is not in the Dockerfile, or has changed since the image was built.")
            }
            Matched::Base if alignment.base.eq_ignore_ascii_case("scratch") => {
                self.unknown("The step that brought it stands before the Dockerfile's first one, and the Dockerfile starts from scratch.")
            }
            Matched::Base => DockerfileFix {
                spot: Spot::Base { image: alignment.base.to_owned() },
                advice: format!(
                    "It comes from the base image {}: no line of the Dockerfile brought it. Rebuild that image without it, or start from another one.",
                    alignment.base
                ),
                ..self.unknown("")
            },
            Matched::Instruction(index, certainty) => {
                let instruction = alignment.instructions[index];
                let replacer = Replacer { dockerfile: self.dockerfile, instructions: &alignment.instructions, index, beside };
                let Change { advice, replacement, ignore, build_command } = replacer.change(finding, self.steps[step].as_ref());
                let spot = Spot::Instruction {
                    line: instruction.line,
                    end_line: instruction.end_line,
                    text: Arc::clone(&instruction.text),
                    certainty,
                };
                DockerfileFix { file: self.file.to_owned(), spot, advice, replacement, ignore, build_command }
            }
        }
    }

    fn unknown(&self, why: &str) -> DockerfileFix {
        DockerfileFix {
            file: self.file.to_owned(),
            spot: Spot::Unknown,
            advice: why.to_owned(),
            replacement: None,
            ignore: None,
            build_command: None,
        }
    }

    /// The step that brought `finding`.
    fn step(&self, finding: &Finding) -> Option<usize> {
        if let Place::LayerFile { layer, .. } | Place::LayerBytes { layer, .. } = &finding.place {
            return self.image.history.iter().position(|step| step.layer == Some(*layer));
        }
        let of_history = |place: &Place| match place {
            Place::History { pointer, .. } => pointer.strip_prefix("/history/")?.split('/').next()?.parse().ok(),
            _ => None,
        };
        let places = || std::iter::once(&finding.place).chain(&finding.also);
        let named = places().find_map(of_history).filter(|step: &usize| *step < self.steps.len());
        // The instruction that set a value, not those that saw it.
        let set = match &finding.place {
            Place::Config { pointer } if pointer.starts_with("/config/Env/") => self.last_with(finding, Some(Kind::Env)),
            Place::Label { .. } => self.last_with(finding, Some(Kind::Label)),
            _ => None,
        };
        let any = || matches!(finding.place, Place::Config { .. }).then(|| self.last_with(finding, None)).flatten();
        set.or(named).or_else(any)
    }

    /// The last step of `kind`, or of any, whose text has the secret in it.
    fn last_with(&self, finding: &Finding, kind: Option<Kind>) -> Option<usize> {
        let secret = secret::text(finding)?;
        let has = |step: &Step<'_>| (kind.is_none() || step.kind == kind) && step.text.contains(secret);
        self.steps.iter().rposition(|step| step.as_ref().is_some_and(has))
    }
}

fn without_step(place: &Place) -> &'static str {
    match place {
        Place::Annotation { .. } => "Annotations are given to the build, and not in the Dockerfile.",
        Place::Attestation { .. } => {
            "Attestations are made by the build: they repeat its arguments. Use a secret mount instead of an argument."
        }
        _ => "The image's history does not say which step brought it.",
    }
}
