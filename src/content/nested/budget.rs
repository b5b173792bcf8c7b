//! What looking into one file of a layer may cost. Counted in bytes and not in time, so that the same file always gives the same result.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bounds that the user may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most containers in each other.
    pub depth: usize,
    /// Most bytes that a byte of a file may become, beyond [`FLOOR`].
    pub ratio: u64,
    /// Most bytes that a file of a layer may become.
    pub file_bytes: u64,
    /// Most bytes that the files of a layer may become, all together.
    pub layer_bytes: u64,
    /// Most members of a file of a layer, those of its members among them.
    pub members: u64,
    /// Most bytes of a container that is held in memory as a whole, because it came out of a stream and is not read from its beginning to its end.
    pub held_bytes: u64,
    /// Most bytes of such a container that is longer, and of those in it, that lie on disk at once while a thread looks into it; 0 for none.
    pub spooled_bytes: u64,
}

/// Bytes that any file may become, however small it is.
const FLOOR: u64 = 64 << 20;
/// What a member costs, however small it is: names and tables have to be made for it.
const MEMBER: u64 = 256;

impl Default for Bounds {
    fn default() -> Self {
        Self {
            depth: 8,
            ratio: 200,
            file_bytes: 4 << 30,
            layer_bytes: 16 << 30,
            members: 1_000_000,
            held_bytes: 64 << 20,
            spooled_bytes: 1 << 30,
        }
    }
}

/// Which bound stopped the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// More bytes came out than [`Bounds::ratio`] or [`Bounds::file_bytes`] allow.
    Expansion,
    /// More members than [`Bounds::members`].
    Members,
}

/// What is left of the bounds while one file is read.
#[derive(Debug)]
pub struct Budget {
    bounds: Bounds,
    granted: u64,
    bytes: AtomicU64,
    members: AtomicU64,
}

impl Budget {
    /// For a file of `size` bytes.
    pub fn new(bounds: Bounds, size: u64) -> Self {
        let granted = size.saturating_mul(bounds.ratio).max(FLOOR).min(bounds.file_bytes);
        Self { bounds, granted, bytes: AtomicU64::new(granted), members: AtomicU64::new(bounds.members) }
    }

    /// The bounds that it was made with.
    pub fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Most members of the file.
    pub fn most_members(&self) -> usize {
        usize::try_from(self.bounds.members).unwrap_or(usize::MAX)
    }

    /// Accounts for bytes that came out of a container, or for as much work; false when there has been too much of it.
    pub fn spend(&self, bytes: u64) -> bool {
        take(&self.bytes, bytes)
    }

    /// Whether so many bytes, and more, are left.
    pub fn has(&self, bytes: u64) -> bool {
        self.bytes.load(Ordering::Relaxed) > bytes && self.members.load(Ordering::Relaxed) > 0
    }

    /// Accounts for a member.
    pub fn member(&self) -> bool {
        take(&self.members, 1) && self.spend(MEMBER)
    }

    /// Bytes spent.
    pub fn spent(&self) -> u64 {
        self.granted - self.bytes.load(Ordering::Relaxed)
    }

    /// What has run out, if anything has.
    pub fn stopped(&self) -> Option<Stopped> {
        if self.bytes.load(Ordering::Relaxed) == 0 {
            Some(Stopped::Expansion)
        } else if self.members.load(Ordering::Relaxed) == 0 {
            Some(Stopped::Members)
        } else {
            None
        }
    }
}

/// Takes from what is left; what is not enough is taken as well, so that nothing more comes after it.
fn take(left: &AtomicU64, count: u64) -> bool {
    let before = left.load(Ordering::Relaxed);
    left.store(before.saturating_sub(count), Ordering::Relaxed);
    before > count
}

/// A reader whose bytes are paid for.
pub struct Metered<R> {
    inner: R,
    budget: Arc<Budget>,
}

impl<R: Read> Metered<R> {
    /// Pays from `budget` for what is read from `inner`.
    pub fn new(inner: R, budget: &Arc<Budget>) -> Self {
        Self { inner, budget: Arc::clone(budget) }
    }
}

impl<R> Metered<R> {
    /// The reader itself.
    pub fn inner(&mut self) -> &mut R {
        &mut self.inner
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.budget.stopped().is_some() {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it expands to more than the bounds allow"));
        }
        let count = self.inner.read(out)?;
        self.budget.spend(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_ends_where_the_budget_does() {
        let bounds = Bounds { file_bytes: 1000, ..Bounds::default() };
        let budget = Arc::new(Budget::new(bounds, 1));
        let mut reader = Metered::new(io::repeat(7), &budget);
        let mut read = Vec::new();
        assert_eq!(reader.read_to_end(&mut read).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!((budget.stopped(), budget.spent()), (Some(Stopped::Expansion), 1000));
        assert!(read.len() >= 1000, "what was read before the end is there");
    }

    #[test]
    fn members_are_counted() {
        let budget = Budget::new(Bounds { members: 3, ..Bounds::default() }, 0);
        assert_eq!([budget.member(), budget.member(), budget.member()], [true, true, false]);
        assert_eq!(budget.stopped(), Some(Stopped::Members));
    }
}
