//! Bounds how many threads are busy, however many wait for a registry.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, PoisonError};

/// Lets so many threads through at a time.
#[derive(Debug)]
pub(super) struct Turnstile {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A thread that is through.
#[derive(Debug)]
pub(super) struct Turn<'t>(&'t Turnstile);

impl Turnstile {
    pub(super) fn new(threads: NonZeroUsize) -> Self {
        Self { free: Mutex::new(threads.get()), freed: Condvar::new() }
    }

    /// Waits until it may go on.
    pub(super) fn enter(&self) -> Turn<'_> {
        self.pass();
        Turn(self)
    }

    fn pass(&self) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
    }

    fn leave(&self) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.freed.notify_one();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Bytes that may have to be waited for: meanwhile another thread goes on. Its reader has a turn.
pub(super) struct Yielding<'t, R> {
    pub(super) turnstile: &'t Turnstile,
    pub(super) inner: R,
}

impl<R: Read> Read for Yielding<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.turnstile.leave();
        let read = self.inner.read(out);
        self.turnstile.pass();
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goes through while it is read.
    struct Through<'t>(&'t Turnstile);

    impl Read for Through<'_> {
        fn read(&mut self, _out: &mut [u8]) -> io::Result<usize> {
            drop(self.0.enter());
            Ok(0)
        }
    }

    #[test]
    fn who_waits_for_bytes_lets_another_go_on() {
        let turnstile = Turnstile::new(NonZeroUsize::MIN);
        let turn = turnstile.enter();
        let read = Yielding { turnstile: &turnstile, inner: Through(&turnstile) }.read(&mut [0]);
        assert!(matches!(read, Ok(0)) && turnstile.free.lock().is_ok_and(|free| *free == 0));
        drop(turn);
        assert!(turnstile.free.lock().is_ok_and(|free| *free == 1));
    }
}
