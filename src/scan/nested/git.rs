//! Git's objects, loose and in packs: each blob is a file of its own, under the name that it had in a commit if that is known.

use std::io::Read as _;
use std::ops::Range;
use std::sync::Arc;

use flate2::bufread::ZlibDecoder;

use super::{Decoding, Matcher};
use crate::content::nested::budget::{Budget, Metered};
use crate::content::nested::git::{self, Kind, Naming, Object, Taken, Turn};
use crate::content::nested::{Format, Problem, just};
use crate::finding::Reason;
use crate::layer::walk::MAX_WHOLE;
use crate::layer::{Entry, EntryKind, path};

impl Matcher<'_, '_> {
    /// A loose object.
    pub(super) fn object(&mut self, entry: &Arc<Entry>, bytes: &[u8], budget: &Arc<Budget>) -> Vec<Range<usize>> {
        let mut reader = Metered::new(ZlibDecoder::new(bytes), budget);
        let mut content = Vec::new();
        let result = (&mut reader).take(MAX_WHOLE as u64 + 1).read_to_end(&mut content);
        let child = Arc::new(entry.undone("zlib", b"/".to_vec()));
        if result.is_ok() && content.len() > MAX_WHOLE {
            let mut all = std::io::Cursor::new(content).chain(&mut reader);
            if self.decoded(&child, &mut all) == Decoding::Damaged {
                return Vec::new();
            }
        } else if let Some((kind, start)) = git::loose_header(&content) {
            self.content(entry, &child, kind, &content[start..]);
        } else {
            self.text(&child, &content);
        }
        if let Err(error) = result {
            if error.kind() != std::io::ErrorKind::FileTooLarge {
                self.found.odd(entry, Reason::DamagedFile, None, format!("a git object: {error}; what there is was scanned"));
            }
            return Vec::new();
        }
        let read = usize::try_from(reader.inner().total_in()).unwrap_or(usize::MAX).min(bytes.len());
        just(0..read)
    }

    /// The content of a loose object.
    fn content(&mut self, outer: &Entry, entry: &Arc<Entry>, kind: Kind, content: &[u8]) {
        if let Some((folder, name)) = git::loose(&outer.path).filter(|_| outer.inside.is_none()) {
            let id = git::from_hex(name.as_bytes()).unwrap_or_else(|| git::id(Naming::Sha1, kind, content));
            match kind {
                Kind::Tree => self.found.history(folder).tree(id, content),
                Kind::Commit => self.found.history(folder).commit(id, content),
                Kind::Blob | Kind::Tag => {}
            }
        }
        match kind {
            Kind::Blob => self.file(entry, content),
            _ => self.text(entry, content),
        }
    }

    /// A pack of objects.
    pub(super) fn pack(&mut self, entry: &Arc<Entry>, bytes: &[u8], budget: &Arc<Budget>) -> Vec<Range<usize>> {
        let mut history = git::History::default();
        let naming = Naming::of_pack(entry.rule_path());
        let packed = git::read(bytes, naming, budget, &mut |object, turn| self.packed(entry, &mut history, &object, turn));
        for pending in &packed.pending {
            let Some(added) = pending.added(bytes, budget) else { continue };
            let name = format!("object {} of the pack", pending.number);
            self.text(&Arc::new(entry.member(pending.number, name.as_bytes(), EntryKind::File)), &added);
        }
        let mut problems = packed.problems;
        if budget.stopped().is_some() {
            // That the rest was not read is said of the file.
            problems.retain(|problem| !matches!(problem, Problem::Damaged(_)));
        }
        if packed.too_large > 0 {
            let detail = format!(
                "{} objects of the pack are, or say that they are, larger than {} bytes and were not put together; --max-held allows more",
                packed.too_large,
                budget.bounds().held_bytes
            );
            self.found.odd(entry, Reason::TooLarge, None, detail);
        }
        self.found.problems(entry, problems);
        just(packed.read)
    }

    fn packed(&mut self, entry: &Arc<Entry>, history: &mut git::History, object: &Object<'_>, turn: Turn) -> Taken {
        match object.kind {
            Kind::Tree => history.tree(object.id, object.content),
            Kind::Commit => history.commit(object.id, object.content),
            Kind::Blob | Kind::Tag => {}
        }
        let origin = if object.kind == Kind::Blob { history.origin(&object.id) } else { None };
        // Git writes files before the trees that name them, and after.
        if object.kind == Kind::Blob && origin.is_none() && turn == Turn::First {
            return Taken::Later;
        }
        let mut child = entry.member(object.number, git::hex(&object.id).as_bytes(), EntryKind::File);
        if let Some(inside) = &mut child.inside {
            inside.path = origin.as_ref().map_or_else(|| b"/".to_vec(), |origin| path::normalise(&origin.path));
            inside.note = origin.map(|origin| origin.describe());
        }
        let child = Arc::new(child);
        if object.kind == Kind::Blob && Format::of(child.rule_path(), object.content).is_some() {
            self.file(&child, object.content);
        } else {
            self.parts(&child, object.content, object.new.iter().map(|new| (new.clone(), 0..object.content.len())));
        }
        Taken::Now
    }
}
