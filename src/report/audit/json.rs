//! One JSON value a line: `audit`, then `failure`, `image`, `finding` and `fixed`, then `summary`; or all of it as one value. A stream without `summary` was
//! cut off.
//!
//! A finding may be in more images than fit into memory: its line is written piece by piece.

use std::io::{self, Write};

use serde::Serialize;

use super::super::json::write_line;
use super::{FailureLine, FindingHead, FindingSink, FoundIn, Head, ImageLine, Summary, TagAt, View, time};
use crate::finding::Novelty;

/// Version of the lines' shape.
const SCHEMA: u32 = 1;

/// What kinds of entries there are, and the names of their lists.
const FAILURE: (&str, &str) = ("failure", "failures");
const IMAGE: (&str, &str) = ("image", "images");
const FINDING: (&str, &str) = ("finding", "findings");
const FIXED: (&str, &str) = ("fixed", "fixed");

#[derive(Serialize)]
struct Typed<T> {
    r#type: &'static str,
    #[serde(flatten)]
    content: T,
}

#[derive(Serialize)]
struct HeadView<'a> {
    schema: u32,
    tool: ToolView<'a>,
    fingerprint_key: Option<&'a str>,
    started: String,
    targets: &'a [String],
    compared: bool,
}

#[derive(Serialize)]
struct ToolView<'a> {
    name: &'static str,
    version: &'static str,
    rules_hash: &'a str,
}

#[derive(Serialize)]
struct ImageView<'a> {
    #[serde(flatten)]
    line: &'a ImageLine,
    tags: &'a [String],
}

#[derive(Serialize)]
struct FoundView<'a> {
    repository: &'a str,
    index: &'a str,
    digest: Option<&'a str>,
    platform: Option<&'a str>,
    tags: &'a [String],
    layer: Option<usize>,
    visibility: Option<&'a str>,
    suppressed: bool,
}

impl<'a> HeadView<'a> {
    fn new(head: &'a Head) -> Self {
        Self {
            schema: SCHEMA,
            tool: ToolView { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION"), rules_hash: &head.rules_hash },
            fingerprint_key: head.fingerprint_key.as_deref(),
            started: time(head.started),
            targets: &head.targets,
            compared: head.is_compared,
        }
    }
}

/// Where entries go: lines of their own, or lists of one value.
enum Shape {
    Lines,
    Value {
        /// The list that is open.
        list: Option<&'static str>,
        is_first: bool,
    },
}

struct Writer<'w> {
    out: &'w mut dyn Write,
    shape: Shape,
}

pub(super) fn write_lines(view: &dyn View, out: &mut dyn Write) -> io::Result<()> {
    Writer { out, shape: Shape::Lines }.run(view)
}

pub(super) fn write_value(view: &dyn View, out: &mut dyn Write) -> io::Result<()> {
    Writer { out, shape: Shape::Value { list: None, is_first: true } }.run(view)
}

impl Writer<'_> {
    fn run(mut self, view: &dyn View) -> io::Result<()> {
        let head = HeadView::new(view.head());
        match self.shape {
            Shape::Lines => write_line(self.out, &Typed { r#type: "audit", content: head })?,
            Shape::Value { .. } => {
                let head = text(&head)?;
                self.out.write_all(head.strip_suffix('}').unwrap_or(&head).as_bytes())?;
            }
        }
        self.list(FAILURE)?;
        view.failures(&mut |failure: &FailureLine| self.entry(FAILURE, failure))?;
        self.list(IMAGE)?;
        view.images(&mut |line, tags| self.entry(IMAGE, &ImageView { line, tags }))?;
        self.list(FINDING)?;
        view.findings(&mut self)?;
        if view.head().is_compared {
            self.list(FIXED)?;
            view.fixed(&mut |finding: &str| {
                self.begin(FIXED)?;
                self.inside(finding)?;
                self.finish()
            })?;
        }
        self.end(view.summary())
    }

    /// Begins a list, after the end of the one before.
    fn list(&mut self, kind: (&str, &'static str)) -> io::Result<()> {
        let Shape::Value { list, is_first } = &mut self.shape else { return Ok(()) };
        let before = if list.is_some() { "\n]" } else { "" };
        (*list, *is_first) = (Some(kind.1), true);
        write!(self.out, "{before},\n\"{}\":[", kind.1)
    }

    fn entry(&mut self, kind: (&str, &str), content: &impl Serialize) -> io::Result<()> {
        self.begin(kind)?;
        self.inside(&text(content)?)?;
        self.finish()
    }

    /// An object up to its first field.
    fn begin(&mut self, kind: (&str, &str)) -> io::Result<()> {
        match &mut self.shape {
            Shape::Lines => write!(self.out, "{{\"type\":\"{}\"", kind.0),
            Shape::Value { is_first, .. } => {
                let comma = if std::mem::take(is_first) { "" } else { "," };
                write!(self.out, "{comma}\n{{")
            }
        }
    }

    /// The fields of an object that was written down.
    fn inside(&mut self, object: &str) -> io::Result<()> {
        let fields = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        let comma = if matches!(self.shape, Shape::Lines) { "," } else { "" };
        write!(self.out, "{comma}{fields}")
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.write_all(if matches!(self.shape, Shape::Lines) { b"}\n" } else { b"}" })
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        match self.shape {
            Shape::Lines => write_line(self.out, &Typed { r#type: "summary", content: summary }),
            Shape::Value { .. } => writeln!(self.out, "\n],\n\"summary\":{}\n}}", text(summary)?),
        }
    }
}

/// A value in one line.
fn text(value: &impl Serialize) -> io::Result<String> {
    let mut bytes = Vec::new();
    write_line(&mut bytes, value)?;
    bytes.pop();
    String::from_utf8(bytes).map_err(io::Error::other)
}

impl FindingSink for Writer<'_> {
    fn begin(&mut self, head: &FindingHead<'_>) -> io::Result<()> {
        Writer::begin(self, FINDING)?;
        self.inside(head.text)?;
        if let Some(novelty) = head.novelty.map(Novelty::as_str) {
            write!(self.out, ",\"novelty\":\"{novelty}\"")?;
        }
        self.out.write_all(b",\"images\":[")?;
        // The list of findings goes on after that of their images.
        if let Shape::Value { is_first, .. } = &mut self.shape {
            *is_first = false;
        }
        Ok(())
    }

    fn image(&mut self, image: &FoundIn<'_>) -> io::Result<()> {
        let carrier = image.carrier;
        let view = FoundView {
            repository: image.repository,
            index: image.index,
            digest: carrier.digest.as_deref(),
            platform: carrier.platform.as_deref(),
            tags: image.tags,
            layer: carrier.layer,
            visibility: carrier.visibility.as_deref(),
            suppressed: carrier.suppressed,
        };
        let comma = if image.is_first { "" } else { "," };
        write!(self.out, "{comma}{}", text(&view)?)
    }

    fn end(&mut self, first: Option<&TagAt>, last: Option<&TagAt>) -> io::Result<()> {
        let tag = |tag: Option<&TagAt>| text(&tag.map(|at| TagView { tag: &at.tag, time: at.time.map(time) }));
        write!(self.out, "],\"first_tag\":{},\"last_tag\":{}", tag(first)?, tag(last)?)?;
        self.finish()
    }
}

#[derive(Serialize)]
struct TagView<'a> {
    tag: &'a str,
    time: Option<String>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::Value;

    use super::super::AuditFormat;
    use super::super::testing::write;
    use super::*;

    #[test]
    fn one_value_has_what_the_lines_have() {
        let lines: Vec<Value> = write(AuditFormat::Jsonl).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let value: Value = serde_json::from_str(&write(AuditFormat::Json)).unwrap();
        assert_eq!(lines.iter().map(|line| line["type"].as_str().unwrap()).collect::<Vec<_>>()[..2], ["audit", "failure"]);
        for (kind, list) in [FAILURE, IMAGE, FINDING, FIXED] {
            let of_kind = lines.iter().filter(|line| line["type"] == kind).cloned().map(|mut line| {
                line.as_object_mut().unwrap().shift_remove("type");
                line
            });
            assert_eq!(value[list], of_kind.collect::<Value>(), "{kind}");
        }
        let finding = &value["findings"][0];
        assert_eq!(
            (&finding["novelty"], finding["images"].as_array().unwrap().len(), &finding["last_tag"]),
            (&"new".into(), 2, &Value::Null)
        );
        assert_eq!(finding["first_tag"]["time"], "2026-01-01T00:00:00Z");
        let last = lines.last().unwrap();
        assert_eq!((&last["type"], &last["gating"], &value["summary"]["gating"]), (&"summary".into(), &1.into(), &1.into()));
    }

    #[test]
    fn escape_sequences_are_written_as_escapes() {
        assert!(!write(AuditFormat::Jsonl).contains('\u{1b}') && !write(AuditFormat::Json).contains('\u{1b}'));
    }
}
