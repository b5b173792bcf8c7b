//! What findings are told to while a report is put together.

use std::io;

use super::Leading;
use crate::finding::{Gate, Novelty, Severity};
use crate::report::audit::{FindingHead, FindingSink, FoundIn, TagAt, Tally};

/// From the first tag of a finding to the last.
#[derive(Default)]
pub(super) struct Span {
    first: Option<TagAt>,
    last: Option<TagAt>,
}

impl Span {
    pub(super) fn add(&mut self, leading: Option<&Leading>, created: Option<i64>) {
        for (name, pushed) in leading.into_iter().flat_map(|leading| &leading.times) {
            let at = TagAt { time: pushed.or(created), tag: name.clone() };
            // What has no time is neither before nor after what has one.
            let is_first = |first: &TagAt| (at.time.is_none(), at.time, &at.tag) < (first.time.is_none(), first.time, &first.tag);
            let is_last = |last: &TagAt| (at.time, &at.tag) > (last.time, &last.tag);
            if self.first.as_ref().is_none_or(is_first) {
                self.first = Some(at.clone());
            }
            if self.last.as_ref().is_none_or(is_last) {
                self.last = Some(at);
            }
        }
    }

    pub(super) fn end(self, sink: &mut dyn FindingSink) -> io::Result<()> {
        sink.end(self.first.as_ref(), self.last.as_ref())
    }
}

/// Takes findings, and makes nothing of them.
pub(super) struct Nobody;

impl FindingSink for Nobody {
    fn begin(&mut self, _head: &FindingHead<'_>) -> io::Result<()> {
        Ok(())
    }

    fn image(&mut self, _image: &FoundIn<'_>) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self, _first: Option<&TagAt>, _last: Option<&TagAt>) -> io::Result<()> {
        Ok(())
    }
}

/// Counts findings.
#[derive(Default)]
pub(super) struct Counter {
    gate: Gate,
    pub(super) tally: Tally,
    /// Those that fail the gate.
    pub(super) gating: u64,
    /// Those that are not suppressed and were not known.
    pub(super) new: u64,
    /// The finding that has begun.
    open: Open,
}

/// What is known of a finding that has begun.
#[derive(Default)]
struct Open {
    novelty: Option<Novelty>,
    /// The worst severity in those of its images where it is not suppressed.
    listed: Option<Severity>,
    /// In all of them.
    worst: Option<Severity>,
    gates: bool,
}

impl Counter {
    pub(super) fn new(gate: Gate) -> Self {
        Self { gate, ..Self::default() }
    }
}

impl FindingSink for Counter {
    fn begin(&mut self, head: &FindingHead<'_>) -> io::Result<()> {
        self.open = Open { novelty: head.novelty, ..Open::default() };
        Ok(())
    }

    fn image(&mut self, image: &FoundIn<'_>) -> io::Result<()> {
        let (carrier, open) = (image.carrier, &mut self.open);
        open.worst = open.worst.max(Some(carrier.severity));
        if !carrier.suppressed {
            open.listed = open.listed.max(Some(carrier.severity));
        }
        open.gates |= carrier.gates(&self.gate);
        Ok(())
    }

    fn end(&mut self, _first: Option<&TagAt>, _last: Option<&TagAt>) -> io::Result<()> {
        let open = &self.open;
        if let Some(severity) = open.listed.or(open.worst) {
            self.tally.add(severity, open.listed.is_none());
        }
        self.gating += u64::from(open.gates);
        self.new += u64::from(open.listed.is_some() && open.novelty == Some(Novelty::New));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tag_and_the_last_are_by_time_and_then_by_name() {
        let leading = |times: &[(&str, Option<i64>)]| Leading {
            names: Vec::new(),
            times: times.iter().map(|(name, time)| ((*name).to_owned(), *time)).collect(),
        };
        let mut span = Span::default();
        span.add(Some(&leading(&[("b", Some(7)), ("c", Some(7))])), None);
        span.add(Some(&leading(&[("a", None)])), Some(9));
        span.add(Some(&leading(&[("d", None), ("z", None)])), None);
        let names = |span: &Span| [&span.first, &span.last].map(|at| at.as_ref().map(|at| (at.tag.clone(), at.time)));
        assert_eq!(names(&span), [Some(("b".to_owned(), Some(7))), Some(("a".to_owned(), Some(9)))]);
        let mut timeless = Span::default();
        timeless.add(Some(&leading(&[("d", None), ("a", None)])), None);
        assert_eq!(names(&timeless), [Some(("a".to_owned(), None)), Some(("d".to_owned(), None))]);
    }
}
