//! How long threads were busy with what.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::watch::{Watch, Work};

/// Sums of the time that all threads took for each kind of work; work within other work counts as itself only.
#[derive(Debug, Default)]
pub struct Timings {
    nanoseconds: [AtomicU64; Work::ALL.len()],
}

/// A stretch that has not ended.
struct Open {
    work: Work,
    began: Instant,
    /// What stretches within it took.
    within: Duration,
}

thread_local! {
    static OPEN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
}

impl Timings {
    /// Each kind of work and what all threads together took for it.
    pub fn sums(&self) -> impl Iterator<Item = (Work, Duration)> {
        Work::ALL.into_iter().zip(&self.nanoseconds).map(|(work, sum)| (work, Duration::from_nanos(sum.load(Ordering::Relaxed))))
    }
}

impl Watch for Timings {
    fn begin(&self, work: Work) {
        OPEN.with_borrow_mut(|open| open.push(Open { work, began: Instant::now(), within: Duration::ZERO }));
    }

    fn end(&self) {
        OPEN.with_borrow_mut(|open| {
            let Some(ended) = open.pop() else { return };
            let took = ended.began.elapsed();
            let own = u64::try_from(took.saturating_sub(ended.within).as_nanos()).unwrap_or(u64::MAX);
            self.nanoseconds[ended.work as usize].fetch_add(own, Ordering::Relaxed);
            if let Some(outer) = open.last_mut() {
                outer.within += took;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::stretch;

    #[test]
    fn work_within_work_counts_once() {
        let timings = Timings::default();
        let began = Instant::now();
        {
            let _walk = stretch(Some(&timings), Work::Walk);
            for _ in 0..100 {
                let _match = stretch(Some(&timings), Work::Match);
                std::hint::black_box(vec![1u8; 1 << 16]);
            }
        }
        let whole = began.elapsed();
        let of = |wanted: Work| timings.sums().find(|(work, _)| *work == wanted).map_or(Duration::ZERO, |(_, sum)| sum);
        assert!(of(Work::Match) > Duration::ZERO && of(Work::Walk) > Duration::ZERO);
        assert!(of(Work::Match) + of(Work::Walk) <= whole, "no time counts twice");
        assert_eq!(timings.sums().map(|(_, sum)| sum).sum::<Duration>(), of(Work::Match) + of(Work::Walk));
    }

    #[test]
    fn places_follow_the_order_of_all() {
        assert!(Work::ALL.iter().enumerate().all(|(index, work)| *work as usize == index));
    }
}
