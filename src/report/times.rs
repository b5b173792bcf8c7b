//! When a scan ran.

use jiff::Timestamp;

/// Seconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    /// When it began.
    pub started: i64,
    /// When it ended.
    pub ended: i64,
}

impl Times {
    /// `2026-02-14T16:01:59`.
    pub(super) fn started(&self) -> String {
        text(self.started)
    }

    /// `2026-02-14T16:01:59`.
    pub(super) fn ended(&self) -> String {
        text(self.ended)
    }
}

fn text(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().strftime("%Y-%m-%dT%H:%M:%S").to_string()
}
