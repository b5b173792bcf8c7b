//! The pure core: bytes and rules in, candidates out. No IO, no thread, no clock, no state: the same bytes and rules give the same
//! candidates, however a file is cut into chunks.
//!
//! [`prefilter`] finds keywords; [`candidates`] tries the rules they wake on a window round each, then looks once more at what
//! [`crate::content::decode`] finds encoded. [`checks`] turn a match into a candidate, a suppressed candidate, or nothing.

pub mod assignment;
mod checks;
pub mod checksum;
mod documentation;
pub mod entropy;
pub mod generic;
pub mod inline;
mod matching;
pub mod overlap;
pub mod placeholder;
pub mod prefilter;
pub mod structure;
mod trail;
mod weak;
mod words;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use crate::content::decode;
use crate::content::kind::{Kind, KindOf};
use crate::detect::structure::public::{self, Public};
use crate::finding::{Confidence, Explanation, KeyFacts, Secret, Severity, Suppression};
use crate::rule::RuleSet;
use crate::watch::{Watch, Work, stretch};
pub use trail::Explain;

/// Bytes before a chunk's owned range that a match, or the look for a comment on its line, may take in.
pub const BEFORE: usize = crate::rule::MAX_MATCH + inline::LOOK + 256;
/// Bytes after a chunk's owned range, likewise.
pub const AFTER: usize = 64 * 1024 + inline::LOOK + 256;
/// Bytes that are looked at in turn by each stage.
const BLOCK: usize = 64 * 1024;
/// How often decoded text is decoded again.
const MAX_DEPTH: usize = 5;
/// Most candidates of one chunk; the first ones are kept.
pub const MAX_PER_CHUNK: usize = 50_000;

/// A part of a file, with enough of its surroundings that matches do not depend on where it was cut.
#[derive(Debug, Clone)]
pub struct Chunk<'a> {
    /// The owned bytes with up to [`BEFORE`] bytes before and [`AFTER`] after them, as far as the file has them.
    pub bytes: &'a [u8],
    /// The part that no other chunk owns.
    pub owned: Range<usize>,
    /// Whether `bytes` begins at the file's first byte.
    pub is_start: bool,
    /// Whether `bytes` ends at the file's last byte.
    pub is_end: bool,
}

impl<'a> Chunk<'a> {
    /// A whole text.
    pub fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, owned: 0..bytes.len(), is_start: true, is_end: true }
    }
}

/// What a text is part of: weighs guesses.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The file's path, if it is a file.
    pub path: Option<&'a [u8]>,
    /// What the path says of the text.
    pub kind: KindOf<'a>,
    /// Whether the text is a name, a link's target or another short piece of metadata: no guesses there.
    pub is_metadata: bool,
    /// Whether candidates are to come with how they came about.
    pub explain: Explain,
    /// Who is told what detection is busy with.
    pub watch: Option<&'a dyn Watch>,
}

impl Subject<'_> {
    /// A text that is no file, such as a value in a config.
    pub const DOCUMENT: Subject<'static> =
        Subject { path: None, kind: KindOf::Known(Kind::Config), is_metadata: false, explain: Explain::Nothing, watch: None };
}

/// What a rule matched, after its checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Number of the rule in its set.
    pub rule: u32,
    /// The secret's bytes in the chunk; of the outermost encoding if it is encoded.
    pub span: Range<usize>,
    /// The secret, decoded.
    pub secret: Secret,
    /// Steps from the chunk's bytes to the secret.
    pub decoding: Vec<Cow<'static, str>>,
    /// The rule's, or what the secret itself says.
    pub severity: Severity,
    /// After proof.
    pub confidence: Confidence,
    /// Set if it must not gate.
    pub suppressed: Option<Suppression>,
    /// Public facts of a key.
    pub key: Option<KeyFacts>,
    /// What the secret says of itself, for people.
    pub note: Option<String>,
    /// When it ceases to work, in seconds since 1970, where it says so itself.
    pub expires: Option<i64>,
    /// The host that follows a URL's password.
    pub host: Option<String>,
    /// Precedence among rules that matched the same text.
    pub rank: u8,
    /// How it came about, where that was asked for.
    pub explanation: Option<Box<Explanation>>,
}

/// What detection did with a chunk.
#[derive(Debug, Default)]
pub struct Detected {
    /// In no particular order; the same secret may come from several rules.
    pub candidates: Vec<Candidate>,
    /// Public keys, each with where it begins in the chunk.
    pub publics: Vec<(usize, Public)>,
    /// Candidates that were left out because there were too many.
    pub dropped: usize,
    /// Whether matching stopped early because the chunk made too much work.
    pub exhausted: bool,
}

/// Matches all rules on a chunk.
pub fn candidates(rules: &RuleSet, chunk: &Chunk<'_>, subject: &Subject<'_>) -> Detected {
    let mut search = Search { rules, subject, kind: OnceCell::new(), out: Detected::default(), work: work_limit(chunk.owned.len()) };
    search.text(chunk, &mut Vec::new());
    if chunk.is_start && chunk.owned.start == 0 && !subject.is_metadata {
        let _match = stretch(subject.watch, Work::Match);
        search.file(chunk);
    }
    search.out
}

/// Bytes that expressions may run over: many times what any real file needs, and still linear in the chunk.
fn work_limit(owned: usize) -> usize {
    (32 << 20) + owned.saturating_mul(64)
}

/// One pass over a chunk.
struct Search<'a> {
    rules: &'a RuleSet,
    subject: &'a Subject<'a>,
    kind: OnceCell<Kind>,
    out: Detected,
    work: usize,
}

impl Search<'_> {
    /// Matches a text and what is encoded in it; `decoding` is how the text came about.
    fn text(&mut self, chunk: &Chunk<'_>, decoding: &mut Vec<&'static str>) {
        let rules = self.rules;
        let mut start = chunk.owned.start;
        // In blocks that stay in a core's cache from one look at them to the next.
        while start < chunk.owned.end {
            let block = start..(start + BLOCK).min(chunk.owned.end);
            let watch = self.subject.watch;
            let keywords = stretch(watch, Work::Keywords);
            rules.prefilter().find(chunk.bytes, block.clone(), |hit| {
                let _match = stretch(watch, Work::Match);
                if decoding.is_empty() && rules.is_public_mark(hit.keyword) {
                    let public = public::read(&chunk.bytes[hit.start..]);
                    self.out.publics.extend(public.map(|public| (hit.start, public)));
                }
                for &number in rules.woken_by(hit.keyword) {
                    matching::keyword(self, number, chunk, &hit, decoding);
                }
            });
            drop(keywords);
            start = block.end;
            if decoding.len() < MAX_DEPTH {
                let mut found = Vec::new();
                {
                    let _encodings = stretch(watch, Work::Encodings);
                    decode::views(chunk.bytes, block, &mut |view| found.push(view));
                }
                for view in found {
                    self.view(&view, decoding);
                }
            }
        }
    }

    /// Matches a decoded view; what is found there stands, for the text it came from, where its encoded bytes are.
    fn view(&mut self, view: &decode::View, decoding: &mut Vec<&'static str>) {
        let before = self.out.candidates.len();
        decoding.push(view.step);
        self.text(&Chunk::whole(&view.bytes), decoding);
        decoding.pop();
        let mut kept = before;
        for index in before..self.out.candidates.len() {
            let candidate = &mut self.out.candidates[index];
            // The name that was put in front was matched where it stands.
            if candidate.span.end <= view.name {
                continue;
            }
            let (start, end) = (view.origin(candidate.span.start), view.origin(candidate.span.end));
            candidate.span = start..end.max(start + 1);
            self.out.candidates.swap(kept, index);
            kept += 1;
        }
        self.out.candidates.truncate(kept);
    }

    /// Rules that know a file by its path or its first bytes.
    fn file(&mut self, chunk: &Chunk<'_>) {
        let rules = self.rules;
        rules.file_rules_for(self.subject.path, chunk.bytes, |number| matching::file(self, number, chunk));
    }

    /// The kind of the text.
    fn kind(&self) -> Kind {
        *self.kind.get_or_init(|| self.subject.kind.get())
    }

    /// Takes a candidate, if there is room.
    fn push(&mut self, candidate: Candidate) {
        if self.out.candidates.len() < MAX_PER_CHUNK {
            self.out.candidates.push(candidate);
        } else {
            self.out.dropped += 1;
        }
    }

    /// Accounts for `bytes` of matching; false when there has been too much of it.
    fn spend(&mut self, bytes: usize) -> bool {
        self.out.exhausted |= self.work < bytes;
        self.work = self.work.saturating_sub(bytes);
        !self.out.exhausted
    }
}
