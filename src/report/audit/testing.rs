//! A view for the tests of formats: two repositories, one finding in both, one that is gone, and names that mean harm.

use std::io;

use super::*;
use crate::finding::Confidence;

/// What somebody may call a thing.
pub(super) const HOSTILE: &str = "<img src=x onerror=alert(1)>\u{1b}[2J";

pub(super) struct Sample {
    head: Head,
    summary: Summary,
    repositories: Vec<RepositoryLine>,
}

pub(super) fn sample() -> Sample {
    let findings = Tally { critical: 1, ..Tally::default() };
    let line =
        |name: &str, failures| RepositoryLine { name: name.to_owned(), tags: 2, images: 2, findings, failures, complete: failures == 0 };
    Sample {
        head: Head {
            started: 1_767_225_600,
            targets: vec!["registry://a.example".to_owned()],
            rules_hash: "0123".to_owned(),
            fingerprint_key: None,
            is_compared: true,
        },
        summary: Summary {
            repositories: 2,
            tags: 4,
            other_platforms: 3,
            images: 4,
            layers: 3,
            shared_layers: 1,
            layer_bytes: 1_234_567,
            findings,
            gating: 1,
            new: Some(1),
            fixed: Some(1),
            unsure: Some(0),
            failures: 30,
            complete: false,
        },
        repositories: vec![line("a.example/one", 0), line("a.example/two", 30)],
    }
}

fn carrier() -> Carrier {
    Carrier {
        digest: Some("sha256:00".to_owned()),
        platform: Some("linux/amd64".to_owned()),
        created: Some(1_767_225_600),
        layer: Some(1),
        visibility: Some("deleted".to_owned()),
        severity: Severity::Critical,
        confidence: Confidence::Likely,
        suppressed: false,
        inherited: false,
    }
}

impl View for Sample {
    fn head(&self) -> &Head {
        &self.head
    }

    fn summary(&self) -> &Summary {
        &self.summary
    }

    fn repositories(&self) -> &[RepositoryLine] {
        &self.repositories
    }

    fn failures(&self, each: Each<'_, FailureLine>) -> io::Result<()> {
        (0..30).try_for_each(|number| {
            let (repository, what) = ("a.example/two".to_owned(), format!("1.{number}"));
            each(&FailureLine { stage: "tag", repository, what, problem: HOSTILE.to_owned() })
        })
    }

    fn images(&self, each: &mut dyn FnMut(&ImageLine, &[String]) -> io::Result<()>) -> io::Result<()> {
        self.repositories.iter().try_for_each(|line| {
            let (images, skipped) = (Vec::new(), Vec::new());
            let image = ImageLine {
                repository: line.name.clone(),
                digest: "sha256:00".to_owned(),
                images,
                complete: true,
                skipped,
                skipped_more: 0,
            };
            each(&image, &["1".to_owned()])
        })
    }

    fn findings(&self, sink: &mut dyn FindingSink) -> io::Result<()> {
        sink.begin(&FindingHead { text: "{\"id\":\"f\"}", novelty: Some(Novelty::New) })?;
        for (index, line) in self.repositories.iter().enumerate() {
            sink.image(&FoundIn {
                repository: &line.name,
                index: "sha256:00",
                tags: &["1".to_owned()],
                carrier: &carrier(),
                is_first: index == 0,
            })?;
        }
        let tag = TagAt { time: Some(1_767_225_600), tag: "a.example/one:1".to_owned() };
        sink.end(Some(&tag), None)
    }

    fn fixed(&self, each: Each<'_, str>) -> io::Result<()> {
        each("{\"id\":\"g\"}")
    }

    fn rows(&self, _repository: &str, _most: usize) -> io::Result<Vec<Row>> {
        let text = |text: &str| text.to_owned();
        Ok(vec![Row {
            severity: Severity::Critical,
            confidence: Confidence::Likely,
            suppressed: None,
            rule: text("rule"),
            what: text("A token"),
            secret: text("tok_****(24)"),
            place: HOSTILE.replace('\u{1b}', ""),
            life: text("deleted"),
            remedy: text("Run `revoke`."),
            images: 2,
        }])
    }
}

/// The report in a format.
pub(super) fn write(format: AuditFormat) -> String {
    let mut out = Vec::new();
    let written = format.write(&sample(), &AuditContext { width: 100, colour: Colour::Plain }, &mut out);
    assert!(written.is_ok(), "{written:?}");
    String::from_utf8_lossy(&out).into_owned()
}
