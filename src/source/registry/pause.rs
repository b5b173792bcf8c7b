//! How long to wait between two attempts, and how long a registry wants to be left alone.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use ureq::http::HeaderMap;

/// Numbers above are times since 1970, those below are waits, in seconds.
const EARLIEST: i64 = 1_000_000_000;

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
fn retry_after(value: &str, now: i64) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp().as_second();
    Some(Duration::from_secs(u64::try_from(at - now).unwrap_or(0)))
}

/// How long an answer that says no asks to be left alone: by `Retry-After`; or, where it says that nothing remains of what may be asked for, until the time that it
/// gives, or else as long as its window is (Docker Hub: `RateLimit-Limit: 100;w=21600`). `now` is in seconds since 1970.
pub(super) fn asked(headers: &HeaderMap, now: i64) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    // GitHub's names, and those that others agree on.
    let limit = |name: &str| text(&format!("ratelimit-{name}")).or_else(|| text(&format!("x-ratelimit-{name}")));
    if let Some(wait) = text("retry-after").and_then(|value| retry_after(value, now)) {
        return Some(wait);
    }
    limit("remaining").filter(|remaining| remaining.split([';', ',']).next().is_some_and(|count| count.trim() == "0"))?;
    match limit("reset").and_then(|reset| reset.trim().parse::<i64>().ok()) {
        Some(time) => Some(Duration::from_secs(u64::try_from(if time > EARLIEST { time - now } else { time }).unwrap_or(0))),
        None => limit("remaining").and_then(window).or_else(|| limit("limit").and_then(window)),
    }
}

/// The seconds of `100;w=21600`.
fn window(value: &str) -> Option<Duration> {
    let seconds = value.split([';', ',']).find_map(|part| part.trim().strip_prefix("w="))?;
    seconds.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ureq::http::HeaderName;

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
    fn a_limit_that_is_used_up_says_when_to_come_again() {
        type Headers = [(&'static str, &'static str)];
        let table: [(&Headers, Option<u64>); 9] = [
            (&[("RateLimit-Limit", "100;w=21600"), ("RateLimit-Remaining", "0;w=21600")], Some(21_600)),
            (&[("RateLimit-Limit", "100;w=21600"), ("RateLimit-Remaining", "0")], Some(21_600)),
            (&[("RateLimit-Limit", "100;w=21600"), ("RateLimit-Remaining", "1;w=21600")], None),
            (&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "2000000060")], Some(60)),
            (&[("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1999999000")], Some(0)),
            (&[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "30")], Some(30)),
            (&[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "30"), ("Retry-After", "5")], Some(5)),
            (&[("RateLimit-Remaining", "0")], None),
            (&[], None),
        ];
        for (headers, expected) in table {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            }
            assert_eq!(asked(&map, 2_000_000_000), expected.map(Duration::from_secs), "{headers:?}");
        }
    }
}
