//! Waiting: between two attempts, while a registry wants to be left alone, and for a free connection.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Waits.
pub(super) fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// How long to wait before attempt `attempt` (the second is 1): twice as long each time, at most half a minute, and between half and the whole of
/// it by chance, so that many clients do not come back at once.
pub(super) fn backoff(first: Duration, attempt: u32) -> Duration {
    let whole = first.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(Duration::from_secs(30));
    // A hasher's keys are the chance that the standard library has.
    let chance = RandomState::new().hash_one(attempt) as u32;
    whole / 2 + (whole / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX))
}

/// How long an answer's `Retry-After` asks to wait; `now` is in seconds since 1970.
pub(super) fn retry_after(value: &str, now: i64) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp().as_second();
    Some(Duration::from_secs(u64::try_from(at - now).unwrap_or(0)))
}

/// Bounds how many connections to one registry are open at a time, and holds all of them back while it wants to be left alone.
#[derive(Debug)]
pub(super) struct Gate {
    free: Mutex<usize>,
    freed: Condvar,
    not_before: Mutex<Option<Instant>>,
}

/// Room for one connection.
#[derive(Debug)]
pub(super) struct Permit<'g>(&'g Gate);

impl Gate {
    pub(super) fn new(connections: usize) -> Self {
        Self { free: Mutex::new(connections.max(1)), freed: Condvar::new(), not_before: Mutex::new(None) }
    }

    /// Waits for room.
    pub(super) fn enter(&self) -> Permit<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Permit(self)
    }

    /// From now on all wait for `duration`.
    pub(super) fn hold(&self, duration: Duration) {
        let until = Instant::now() + duration;
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        *not_before = Some(not_before.map_or(until, |earlier| earlier.max(until)));
    }

    /// Waits as long as the registry wants to be left alone.
    pub(super) fn wait(&self) {
        let not_before = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rest) = not_before.and_then(|until| until.checked_duration_since(Instant::now())) {
            sleep(rest);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_vary_within_bounds() {
        let first = Duration::from_millis(100);
        for (attempt, whole) in [(1, 100), (2, 200), (3, 400), (4, 800), (30, 30_000)] {
            for _ in 0..20 {
                let wait = backoff(first, attempt).as_millis();
                assert!((whole / 2..=whole).contains(&wait), "{attempt}: {wait}");
            }
        }
        let waits: std::collections::BTreeSet<Duration> = (0..20).map(|_| backoff(first, 1)).collect();
        assert!(waits.len() > 1, "chance has a part");
    }

    #[test]
    fn a_registry_says_how_long_to_wait_in_seconds_or_by_a_date() {
        assert_eq!(retry_after(" 7 ", 0), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 40), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 400), Some(Duration::ZERO));
        assert_eq!((retry_after("soon", 0), retry_after("-1", 0)), (None, None));
    }

    #[test]
    fn room_is_given_back() {
        let gate = Gate::new(1);
        for _ in 0..3 {
            drop(gate.enter());
        }
        assert_eq!(gate.free.lock().map(|free| *free).unwrap_or_default(), 1);
    }
}
