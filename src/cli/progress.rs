//! Progress on standard error, for people who watch.
//!
//! Shows counts only. What is being read has names out of the image, which may hold secrets that nobody knows yet.

use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::scan::{NoProgress, Progress};

/// A line that is redrawn.
struct Line {
    bar: ProgressBar,
    layers: AtomicU64,
    candidates: AtomicU64,
}

/// A line if standard error is a terminal and it is wanted, nothing otherwise.
pub(super) fn progress(wanted: bool) -> Box<dyn Progress> {
    if wanted && io::stderr().is_terminal() { Box::new(Line::new(ProgressDrawTarget::stderr())) } else { Box::new(NoProgress) }
}

impl Line {
    fn new(target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {bytes} scanned, {msg} [{elapsed}]") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        let line = Self { bar, layers: AtomicU64::new(0), candidates: AtomicU64::new(0) };
        line.say();
        line
    }

    fn say(&self) {
        self.bar.set_message(format!("layers: {}, candidates: {}", self.layers.load(Relaxed), self.candidates.load(Relaxed)));
    }
}

impl Progress for Line {
    fn layer_started(&self, _what: &str, _size: Option<u64>) {}

    fn bytes(&self, count: u64) {
        self.bar.inc(count);
    }

    fn layer_finished(&self) {
        self.layers.fetch_add(1, Relaxed);
        self.say();
    }

    fn findings(&self, count: usize) {
        self.candidates.fetch_add(count as u64, Relaxed);
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
        line.layer_started("a", Some(10));
        line.bytes(7);
        line.bytes(3);
        line.findings(2);
        line.layer_finished();
        assert_eq!((line.bar.position(), line.bar.message()), (10, "layers: 1, candidates: 2".to_owned()));
    }
}
