//! What can be read once only: standard input, pipes, and archives that are compressed as a whole.
//!
//! An image archive says last what its parts mean. So every member that may be a layer is handed over as it passes, small JSON documents
//! are kept, and at the end the images are resolved as those of any archive. Nothing else is kept.

use std::collections::HashMap;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;

use super::archive::{contents_of, index_problems};
use super::archive_index::ArchiveIndex;
use super::layer_file::single_layer;
use super::members::{Located, Lost, MAX_DOCUMENT, MAX_DOCUMENTS, Members, looks_like_json};
use super::resolve::Wanted;
use super::sniff::looks_like_image_archive;
use super::tar_walk::{Cut, Kind, Member, Streamed, Walk};
use super::{Blob, BlobKey, BlobSink, Contents, OnePass, SourceError};
use crate::finding::{Reason, Skipped};
use crate::layer::decode::{Decoded, Decoder, decode};

/// Bytes that are looked at before the form is decided.
const PEEKED: u64 = 1 << 20;

/// Bytes of a member that are looked at to tell documents from layers.
const HEAD: u64 = 4096;

/// What the user said the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Nothing: look.
    Any,
    /// An image archive.
    Archive,
    /// A layer.
    Layer,
}

/// A stream of an image archive or of a layer.
pub(super) struct Stream {
    /// What errors call it.
    pub(super) path: PathBuf,
    pub(super) reader: Box<dyn Read + Send>,
    pub(super) form: Form,
    pub(super) wanted: Wanted,
}

impl OnePass for Stream {
    fn read(self: Box<Self>, sink: &mut dyn BlobSink) -> Result<Contents, SourceError> {
        let Stream { path, reader, form, wanted } = *self;
        let failed = |error| SourceError::Io { action: "read", path: path.clone(), error };
        let (_, decoded) = decode(Blob::Stream(reader)).map_err(failed)?;
        let Decoded::Stream(mut decoder) = decoded else {
            return Err(failed(io::Error::other("a stream was decoded into a mapping")));
        };
        let mut head = Vec::new();
        // An error here comes again behind the head.
        let error = (&mut decoder).take(PEEKED).read_to_end(&mut head).err();
        // Whoever should have written to the pipe may have failed: nothing is not a clean image.
        if head.is_empty() && error.is_none() {
            return Err(SourceError::Empty { path });
        }
        let is_archive = form == Form::Archive || (form == Form::Any && looks_like_image_archive(&head));
        let stream = Peeked { head: Cursor::new(head), error, rest: &mut decoder };
        let mut contents =
            if is_archive { ArchiveStream::default().read(stream, sink, &wanted, path.clone())? } else { read_layer(stream, sink) };
        let place = path.display().to_string();
        // What the sink left is not decoded; but who writes to us must be able to end. Damage that was met before comes again.
        let is_told = contents.skipped.iter().any(|skipped| skipped.reason == Reason::DamagedStream);
        if let (Err(error), false) = (decoder.skip_rest(), is_told) {
            contents.skipped.push(Skipped { reason: Reason::DamagedStream, place: place.clone(), size: None, detail: error.to_string() });
        }
        let problems = decoder.problems().into_iter();
        contents.skipped.extend(problems.map(|(reason, detail)| Skipped { reason, place: place.clone(), size: None, detail }));
        Ok(contents)
    }
}

/// A stream whose head has been looked at.
struct Peeked<'a, 's> {
    head: Cursor<Vec<u8>>,
    error: Option<io::Error>,
    rest: &'a mut Decoder<'s>,
}

impl Read for Peeked<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.head.read(out)? {
            0 => self.error.take().map_or_else(|| self.rest.read(out), Err),
            read => Ok(read),
        }
    }
}

/// The whole stream is one layer.
fn read_layer(mut stream: Peeked<'_, '_>, sink: &mut dyn BlobSink) -> Contents {
    let key = BlobKey("-".to_owned());
    sink.blob(&key, &mut stream);
    Contents { images: vec![single_layer(key, false)], ..Contents::default() }
}

/// What is kept of an archive that passes.
#[derive(Default)]
struct ArchiveStream {
    index: ArchiveIndex,
    documents: HashMap<BlobKey, Vec<u8>>,
    documents_size: u64,
}

impl ArchiveStream {
    fn read(mut self, stream: Peeked<'_, '_>, sink: &mut dyn BlobSink, wanted: &Wanted, path: PathBuf) -> Result<Contents, SourceError> {
        let mut walk = Walk::new(Streamed(stream));
        let cut = loop {
            match walk.next() {
                Ok(Some(member)) => self.member(&member, &mut walk, sink),
                Ok(None) => break None,
                Err(cut) => break Some(cut),
            }
        };
        // To the end, so that the checksums of the compression are seen.
        let end = io::copy(&mut walk.into_inner(), &mut io::sink()).err();
        let is_told = matches!(cut, Some(Cut::Io(_)));
        let mut skipped = index_problems(&self.index, cut, &path);
        if let (Some(error), false) = (end, is_told) {
            skipped.push(Skipped {
                reason: Reason::DamagedStream,
                place: path.display().to_string(),
                size: None,
                detail: error.to_string(),
            });
        }
        let mut contents = contents_of(&self, &self.index, wanted, &path)?;
        contents.skipped.extend(skipped);
        self.hand_over_kept(&contents, sink);
        Ok(contents)
    }

    fn member(&mut self, member: &Member, walk: &mut Walk<Streamed<Peeked<'_, '_>>>, sink: &mut dyn BlobSink) {
        if member.kind != Kind::File {
            self.index.add(member);
            return;
        }
        // Beyond the bound on members nothing is known by name any more, but what passes is still looked at.
        let key = self.index.add(member).unwrap_or_else(|| BlobKey(format!("{}@{}", member.name, member.position)));
        let mut head = Vec::new();
        let mut body = walk.body();
        // Damage comes again from the walk, or from the body when the sink reads on.
        let _ = (&mut body).take(HEAD).read_to_end(&mut head);
        let may_be_document = member.size <= MAX_DOCUMENT && self.documents_size + member.size <= MAX_DOCUMENTS;
        if may_be_document && looks_like_json(&head) {
            let _ = body.read_to_end(&mut head);
            self.documents_size += head.len() as u64;
            self.documents.insert(key, head);
        } else {
            sink.blob(&key, &mut Cursor::new(head).chain(body));
        }
    }

    /// Layers and extras that looked like documents have not been handed over yet.
    fn hand_over_kept(&mut self, contents: &Contents, sink: &mut dyn BlobSink) {
        let layers = contents.images.iter().flat_map(|image| &image.layers).filter_map(|layer| layer.blob.as_ref());
        for key in layers.chain(contents.extras.iter().map(|(_, key)| key)) {
            if let Some(bytes) = self.documents.remove(key) {
                sink.blob(key, &mut Cursor::new(bytes));
            }
        }
    }
}

impl Members for ArchiveStream {
    fn find(&self, name: &str) -> Result<Located, Lost> {
        self.index.find(name)
    }

    fn document(&self, key: &BlobKey) -> Result<Vec<u8>, Lost> {
        let passed =
            || Lost::new(Reason::TooLarge, "it passed by and was not kept: it is not JSON, or the documents came to more than 256 MiB");
        self.documents.get(key).cloned().ok_or_else(passed)
    }
}
