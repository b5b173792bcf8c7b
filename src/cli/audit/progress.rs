//! Progress of an audit on standard error, for people who watch: counts only.

use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::audit::Watch;
use crate::audit::state::{Done, Stage};

/// A line that is redrawn.
struct Line {
    bar: ProgressBar,
    tags: AtomicU64,
    layers: AtomicU64,
    images: AtomicU64,
    failures: AtomicU64,
}

/// Watches nothing.
struct Nothing;

impl Watch for Nothing {}

/// A line if standard error is a terminal and it is wanted, nothing otherwise.
pub(super) fn progress(wanted: bool) -> Box<dyn Watch> {
    if wanted && io::stderr().is_terminal() { Box::new(Line::new(ProgressDrawTarget::stderr())) } else { Box::new(Nothing) }
}

impl Line {
    fn new(target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {bytes} fetched, {msg} [{elapsed}]") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        let [tags, layers, images, failures] = Default::default();
        let line = Self { bar, tags, layers, images, failures };
        line.say();
        line
    }

    fn say(&self) {
        let [tags, layers, images, failures] = [&self.tags, &self.layers, &self.images, &self.failures].map(|count| count.load(Relaxed));
        self.bar.set_message(format!("tags: {tags}, layers: {layers}, images: {images}, failures: {failures}"));
    }
}

impl Watch for Line {
    fn finished(&self, stage: Stage, done: &Done) {
        let count = match stage {
            _ if done.failure.is_some() => Some(&self.failures),
            Stage::Listing | Stage::Repository => None,
            Stage::Tag => Some(&self.tags),
            Stage::Layer => Some(&self.layers),
            Stage::Image => Some(&self.images),
        };
        if let Some(count) = count {
            count.fetch_add(1, Relaxed);
        }
        self.bar.inc(done.fetched);
        self.say();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let line = Line::new(ProgressDrawTarget::hidden());
        line.finished(Stage::Layer, &Done { fetched: 7, ..Done::default() });
        line.finished(Stage::Layer, &Done { fetched: 3, failure: Some(String::new()), ..Done::default() });
        line.finished(Stage::Tag, &Done::default());
        assert_eq!((line.bar.position(), line.bar.message()), (10, "tags: 1, layers: 1, images: 0, failures: 1".to_owned()));
    }
}
