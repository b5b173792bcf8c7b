//! How many bytes may still be fetched.

use std::sync::{Mutex, PoisonError};

/// A bound on bytes, which this process keeps exactly. What others are fetching at the same moment it does not know.
#[derive(Debug)]
pub(super) struct Budget {
    most: Option<u64>,
    /// Bytes that were fetched before this process began, and those that it has fetched or is about to.
    spent: Mutex<u64>,
}

/// Bytes that are about to be fetched.
#[derive(Debug)]
pub(super) struct Promise<'b> {
    budget: &'b Budget,
    size: u64,
    /// What it was in the end; nothing if nobody says.
    fetched: u64,
}

/// More than may be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was not fetched: it is beyond the budget of {most} bytes")]
pub(super) struct BeyondBudget {
    most: u64,
}

impl Budget {
    /// `fetched` bytes were fetched before.
    pub(super) fn new(most: Option<u64>, fetched: u64) -> Self {
        Self { most, spent: Mutex::new(fetched) }
    }

    /// Whether there is a bound, so that it matters how much was fetched.
    pub(super) fn is_bound(&self) -> bool {
        self.most.is_some()
    }

    /// Promises that `size` bytes are fetched, if they may be: at least one has to be left. `fetched` is what all workers together have fetched by now.
    pub(super) fn promise(&self, size: u64, fetched: u64) -> Result<Promise<'_>, BeyondBudget> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let used = fetched.max(*spent);
        match self.most {
            Some(most) if used.saturating_add(size.max(1)) > most => Err(BeyondBudget { most }),
            _ => {
                *spent = spent.saturating_add(size);
                Ok(Promise { budget: self, size, fetched: 0 })
            }
        }
    }
}

impl Promise<'_> {
    /// So many bytes it was in the end.
    pub(super) fn keep(mut self, fetched: u64) {
        self.fetched = fetched;
    }
}

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        let mut spent = self.budget.spent.lock().unwrap_or_else(PoisonError::into_inner);
        *spent = spent.saturating_sub(self.size).saturating_add(self.fetched);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_promised_counts_until_it_is_known() {
        let budget = Budget::new(Some(100), 10);
        let first = budget.promise(60, 10).unwrap();
        assert_eq!(budget.promise(31, 10).unwrap_err(), BeyondBudget { most: 100 });
        first.keep(20);
        drop(budget.promise(70, 30).unwrap());
        budget.promise(70, 30).unwrap().keep(70);
        assert!(budget.promise(0, 0).is_err(), "nothing is left");
        assert!(Budget::new(Some(100), 0).promise(1, 100).is_err(), "others have fetched it");
        assert!(Budget::new(None, 0).promise(u64::MAX, u64::MAX).is_ok());
    }
}
