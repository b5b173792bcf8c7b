//! `--timings`: says where the time of a scan went.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::scan::Timings;
use crate::watch::{Stretch, Watch, Work, stretch};

/// The account of one run of the program; none if nobody asked for it.
#[derive(Debug, Default)]
pub(super) struct Account(Option<(Instant, Arc<Timings>)>);

impl Account {
    /// Begins now, if it is asked for.
    pub(super) fn new(is_asked: bool) -> Self {
        Self(is_asked.then(|| (Instant::now(), Arc::default())))
    }

    /// Where a scan notes its own.
    pub(super) fn timings(&self) -> Option<Arc<Timings>> {
        self.0.as_ref().map(|(_, timings)| Arc::clone(timings))
    }

    /// Begins a stretch of this thread.
    pub(super) fn stretch(&self, work: Work) -> Stretch<'_> {
        stretch(self.0.as_ref().map(|(_, timings)| timings.as_ref() as &dyn Watch), work)
    }

    /// Says it, on standard error.
    pub(super) fn say(&self) {
        let Some((began, timings)) = &self.0 else { return };
        let table = table(began.elapsed(), &timings.sums().collect::<Vec<_>>());
        // Nobody is left to tell if this fails.
        let _ = io::stderr().lock().write_all(table.as_bytes());
    }
}

fn table(wall: Duration, sums: &[(Work, Duration)]) -> String {
    let all: Duration = sums.iter().map(|(_, sum)| sum).sum();
    let mut table = format!("{:.3} s passed; threads were busy for {:.3} s:\n", wall.as_secs_f64(), all.as_secs_f64());
    for (work, sum) in sums {
        let share = 100.0 * sum.as_secs_f64() / all.as_secs_f64().max(f64::MIN_POSITIVE);
        table += &format!("{:>9.3} s {share:>5.1} %  {}\n", sum.as_secs_f64(), words(*work));
    }
    table
}

fn words(work: Work) -> &'static str {
    match work {
        Work::Prepare => "loading rules",
        Work::Read => "reading blobs, and waiting for them",
        Work::Decompress => "decompressing layers and long files",
        Work::Digest => "checking digests",
        Work::Walk => "finding entries of archives",
        Work::Open => "looking into files: members, their compression, strings of code",
        Work::Keywords => "looking for keywords",
        Work::Match => "trying rules",
        Work::Encodings => "looking for encoded text",
        Work::Gather => "gathering what was found, and all between",
        Work::Assemble => "working out what it means in the images",
        Work::Seal => "sealing secrets for fingerprints",
        Work::Report => "writing reports",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_what_threads_did() {
        let sums = [(Work::Walk, Duration::from_millis(1500)), (Work::Match, Duration::from_millis(500))];
        let table = table(Duration::from_secs(1), &sums);
        let expected = "1.000 s passed; threads were busy for 2.000 s:\n    1.500 s  75.0 %  finding entries of archives\n    0.500 s  25.0 %  trying rules\n";
        assert_eq!(table, expected);
    }

    #[test]
    fn nothing_is_said_unless_asked() {
        assert!(Account::new(false).timings().is_none());
        assert!(super::table(Duration::ZERO, &[(Work::Walk, Duration::ZERO)]).contains("0.0 %"));
    }
}
