//! A blob as it comes from the socket. One that breaks goes on where it broke; one that trickles, or that has more bytes than its descriptor says,
//! ends with an error; one that a mirror does not give to its end goes on at the registry. Whether the bytes are the right ones, the reader's hash shows.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use ureq::BodyReader;
use ureq::http::header;

use super::auth::Scope;
use super::client::{Answer, Ask, Client};
use super::error::{Problem, RegistryError};
use super::gate::Permit;
use super::mirror::Mirror;
use super::options::Patience;
use super::pause;
use super::transport::{Bound, of_read};
use crate::oci::{Digest, Hasher};

/// Bytes after which a blob that breaks has as many attempts as one that begins.
const PROGRESS: u64 = 1 << 20;

/// A blob being read.
pub struct BlobReader<'c> {
    client: &'c Client,
    /// What it is called at `client`.
    repository: String,
    /// Where it is read from, if not from the registry itself.
    mirror: Option<Mirrored<'c>>,
    digest: Digest,
    size: Option<u64>,
    body: Option<BodyReader<'static>>,
    /// Bytes given so far.
    at: u64,
    /// Bytes that still come although they have been given already.
    stale: u64,
    failures: u32,
    failed_at: u64,
    pace: Pace,
    permit: Permit<'c>,
}

/// A blob that comes from a mirror.
struct Mirrored<'c> {
    mirror: &'c Mirror,
    /// Where to go on, and what its repository is called there.
    registry: &'c Client,
    repository: String,
    hasher: Hasher,
}

impl<'c> BlobReader<'c> {
    pub(super) fn open(client: &'c Client, repository: &str, digest: &Digest, size: Option<u64>) -> Result<Self, RegistryError> {
        for (mirror, name) in client.mirrors.with(repository) {
            let mut reader = Self::new(mirror.client(), &name, digest, size);
            match reader.connect() {
                Ok(()) => {
                    let (registry, repository, hasher) = (client, repository.to_owned(), Hasher::new(digest.algorithm()));
                    reader.mirror = Some(Mirrored { mirror, registry, repository, hasher });
                    return Ok(reader);
                }
                Err(problem) => mirror.failed(repository, &reader.error(problem)),
            }
        }
        let mut reader = Self::new(client, repository, digest, size);
        reader.connect().map_err(|problem| reader.error(problem))?;
        Ok(reader)
    }

    fn new(client: &'c Client, repository: &str, digest: &Digest, size: Option<u64>) -> Self {
        Self {
            client,
            repository: repository.to_owned(),
            mirror: None,
            digest: digest.clone(),
            size,
            body: None,
            at: 0,
            stale: 0,
            failures: 0,
            failed_at: 0,
            pace: Pace::default(),
            permit: client.enter(),
        }
    }

    fn error(&self, problem: Problem) -> RegistryError {
        self.client.error(Scope::Repository(&self.repository), format!("blob {}", self.digest), problem)
    }

    /// Asks for what is still to come.
    fn connect(&mut self) -> Result<(), Problem> {
        let ask = Ask { from: self.at, ..Client::ask_blob(&self.repository, &self.digest, Bound::Blob) };
        let (body, stale) = self.client.patiently(&mut self.permit, || {
            let answer = self.client.once(&ask)?;
            let stale = stale(&answer, ask.from)?;
            Ok((answer.response.into_body().into_reader(), stale))
        })?;
        (self.body, self.stale) = (Some(body), stale);
        Ok(())
    }

    /// After a break: goes on, unless that has been tried often enough.
    fn go_on(&mut self, problem: Problem) -> Result<(), Problem> {
        self.body = None;
        if self.at - self.failed_at >= PROGRESS {
            self.failures = 0;
        }
        (self.failures, self.failed_at) = (self.failures + 1, self.at);
        if self.failures >= self.client.patience.attempts || !problem.is_transient() {
            return self.turn_to_registry(problem);
        }
        pause::sleep(pause::backoff(self.client.patience.backoff, self.failures));
        self.connect().or_else(|problem| self.turn_to_registry(problem))
    }

    /// Goes on at the registry itself where a mirror cannot.
    fn turn_to_registry(&mut self, problem: Problem) -> Result<(), Problem> {
        let Some(Mirrored { mirror, registry, repository, .. }) = self.mirror.take() else { return Err(problem) };
        mirror.failed(&repository, &self.error(problem));
        (self.client, self.repository, self.failures) = (registry, repository, 0);
        self.permit = registry.enter();
        self.connect()
    }

    /// Says of a mirror at the end of the blob whether it gave the right one.
    fn check(&mut self) {
        let Some(Mirrored { mirror, repository, hasher, .. }) = self.mirror.take() else { return };
        let actual = hasher.finish();
        if actual != self.digest {
            mirror.failed(&repository, &self.error(Problem::DigestMismatch { actual }));
        }
    }

    fn missing(&self) -> Option<u64> {
        self.size.map(|size| size - self.at)
    }

    /// Reads some bytes; 0 at the end.
    fn step(&mut self, out: &mut [u8]) -> Result<usize, Problem> {
        let Some(body) = &mut self.body else { return Ok(0) };
        let started = Instant::now();
        let read = body.read(out).map_err(of_read)?;
        self.pace.add(read as u64, started.elapsed(), self.client.patience.idle)?;
        Ok(read)
    }

    fn next(&mut self, out: &mut [u8]) -> Result<usize, Problem> {
        let room = match self.missing() {
            // One more would be one too many.
            Some(0) => return if self.step(&mut [0]).is_ok_and(|read| read > 0) { Err(self.too_long()) } else { Ok(0) },
            Some(missing) => usize::try_from(missing).map_or(out.len(), |missing| missing.min(out.len())),
            None => out.len(),
        };
        loop {
            let room = usize::try_from(self.stale).map_or(room, |stale| if stale > 0 { room.min(stale) } else { room });
            match self.step(&mut out[..room]) {
                Ok(0) if self.missing().is_none() && self.stale == 0 => return Ok(0),
                Ok(0) => self.go_on(Problem::Broken(format!("it ended after {} bytes", self.at)))?,
                Ok(read) if self.stale > 0 => self.stale -= read as u64,
                Ok(read) => {
                    self.at += read as u64;
                    return Ok(read);
                }
                Err(problem) => self.go_on(problem)?,
            }
        }
    }

    fn too_long(&self) -> Problem {
        Problem::TooLarge { limit: self.size.unwrap_or_default() }
    }
}

impl Read for BlobReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let read = self.next(out).map_err(|problem| io::Error::other(self.error(problem)))?;
        match &mut self.mirror {
            Some(mirrored) if read > 0 => mirrored.hasher.update(&out[..read]),
            _ if read == 0 => self.check(),
            _ => {}
        }
        Ok(read)
    }
}

/// How many bytes of an answer have been read before: all that were asked to be left out, if the server knows no ranges.
pub(super) fn stale(answer: &Answer, from: u64) -> Result<u64, Problem> {
    if from == 0 || answer.response.status() != 206 {
        return Ok(from);
    }
    let range = answer.response.headers().get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let first = range.and_then(|range| range.trim().strip_prefix("bytes")?.trim_start().split('-').next()?.parse::<u64>().ok());
    match first {
        Some(first) if first <= from => Ok(from - first),
        _ => Err(Problem::Malformed("it gives another range than was asked for")),
    }
}

/// Sees that a blob does not trickle. Only time spent waiting counts: the scan may be slower than the registry.
#[derive(Debug, Default)]
struct Pace {
    waited: Duration,
    bytes: u64,
}

impl Pace {
    fn add(&mut self, bytes: u64, waited: Duration, window: Duration) -> Result<(), Problem> {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < window {
            return Ok(());
        }
        let is_slow = self.bytes < Patience::LEAST && bytes > 0;
        *self = Self::default();
        if is_slow { Err(Problem::Slow("the blob trickles")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_trickles_is_told_from_what_flows() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::default();
        assert!((0..100).all(|_| pace.add(10_000, second, second * 5).is_ok()));
        let mut pace = Pace::default();
        let told = (0..6).map(|_| pace.add(1, second, second * 5).is_ok()).collect::<Vec<_>>();
        assert_eq!(told, [true, true, true, true, false, true]);
    }
}
