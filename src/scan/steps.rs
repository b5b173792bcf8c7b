//! The two steps of a scan one by one, for those who keep what is between them: a blob is read and becomes bytes without secrets in clear; the bytes of
//! an image's blobs, and its documents, become a [`Scan`].
//!
//! A step runs on the thread that calls it. Whether and when blobs are read, and where bytes are kept, others decide.

use std::io::{self, Read};
use std::sync::Arc;

use super::crew::Crew;
use super::image;
use super::kept::Form;
use super::{Options, Progress, Results, begin, name};
use crate::detect::Explain;
use crate::finding::trace::TraceKey;
use crate::finding::{Reason, Scan};
use crate::oci::{Digest, Hasher};
use crate::rule::RuleSet;
use crate::source::{BlobKey, Contents, Layer, Reference, TextDocument};

/// The steps of a scan.
#[derive(Clone)]
pub struct Steps<'c> {
    rules: &'c RuleSet,
    options: &'c Options,
    progress: &'c dyn Progress,
    traces: Arc<TraceKey>,
}

/// Why nothing is kept of a blob.
#[derive(Debug, thiserror::Error)]
pub enum Unkept {
    /// It could not be read to its end.
    #[error("it could not be read to its end: {0}")]
    Broken(io::Error),
    /// It is another one than was asked for.
    #[error("it is not what its digest says: it hashes to {actual}")]
    Digest {
        /// Of what came.
        actual: Digest,
    },
    /// Its result cannot be written down without a secret.
    #[error("what was found cannot be written down without a secret")]
    Shown,
}

/// Results of blobs of one source, by their keys there.
#[derive(Default)]
pub struct Layers(Results);

impl<'c> Steps<'c> {
    /// With the rules, options and cache key of one scan. No cache of `options` is used. What is kept has its secrets' traces under `traces`.
    pub fn new(rules: &'c RuleSet, options: &'c Options, progress: &'c dyn Progress, traces: Arc<TraceKey>) -> Self {
        Self { rules, options, progress, traces }
    }

    /// Seals of secrets are kept for one step only, however many there are.
    fn crew(&self) -> Crew<'c> {
        Crew::new(self.rules, self.options, self.progress)
    }

    /// Under what name the result of a blob is kept: hex digits that depend on the blob, the rules, the options, and this build.
    pub fn name(&self, digest: &Digest) -> String {
        Form::new(&self.crew(), Arc::clone(&self.traces)).blob_name(digest).hex().to_owned()
    }

    /// Reads a blob to its end, whatever is wrong with what is in it. Its result, without secrets in clear, is for [`Layers::add`].
    ///
    /// # Errors
    /// When it cannot be read to its end, or does not hash to `digest`.
    pub fn layer(&self, digest: &Digest, blob: &mut (dyn Read + Send)) -> Result<Vec<u8>, Unkept> {
        let crew = self.crew();
        let mut blob = Checked { inner: blob, hasher: Hasher::new(digest.algorithm()), broken: None };
        let mut result = crew.read_stream(&BlobKey(digest.to_string()), &mut blob);
        // What follows a damaged stream was not asked for yet.
        let rest = if blob.broken.is_none() { io::copy(&mut blob, &mut io::sink()) } else { Ok(0) };
        if let Some(error) = blob.broken.or(rest.err()) {
            return Err(Unkept::Broken(error));
        }
        let actual = blob.hasher.finish();
        if actual != *digest {
            return Err(Unkept::Digest { actual });
        }
        result.digest = Some(actual);
        Form::new(&crew, Arc::clone(&self.traces)).masked(&result).ok_or(Unkept::Shown)
    }

    /// Puts the images of a source together. Layers without a result are said to be unread.
    pub fn images(&self, target: &Reference, contents: Contents, layers: Layers) -> Scan {
        let crew = self.crew();
        let mut scan = begin(self.rules, self.options);
        let unread: Vec<&Layer> = contents.images.iter().flat_map(|image| &image.layers).filter(|layer| !layers.has(layer)).collect();
        for layer in unread {
            let digest = layer.descriptor.as_ref().map(|descriptor| descriptor.digest.to_string()).unwrap_or_default();
            let size = layer.descriptor.as_ref().and_then(|descriptor| descriptor.size);
            scan.coverage.skip(Reason::Unreadable, format!("{target}: layer {digest}"), size, "it was not read");
        }
        image::assemble(target, contents, &layers.0, &crew, &mut scan);
        name(&mut scan, &crew);
        scan
    }

    /// Whether nothing at all is found in a document, not even what is suppressed.
    pub fn is_clean(&self, document: &TextDocument) -> bool {
        let search = super::documents::search(self.rules, document, None, 0, Explain::Nothing);
        search.found.is_empty() && search.left_out == 0 && !search.is_exhausted
    }
}

impl Layers {
    /// Takes in what [`Steps::layer`] gave for the blob with this digest. False if the bytes make no sense.
    pub fn add(&mut self, steps: &Steps<'_>, key: &BlobKey, digest: &Digest, bytes: &[u8]) -> bool {
        let crew = steps.crew();
        let result = Form::new(&crew, Arc::clone(&steps.traces)).open(bytes, digest);
        let is_sound = result.is_some();
        self.0.extend(result.map(|result| (key.clone(), result)));
        is_sound
    }

    /// Whether the result of `layer` is here, as far as it names a blob.
    fn has(&self, layer: &Layer) -> bool {
        layer.blob.as_ref().is_none_or(|key| self.0.contains_key(key))
    }
}

/// Hashes a blob as it is stored, and remembers what went wrong with it.
struct Checked<'b> {
    inner: &'b mut (dyn Read + Send),
    hasher: Hasher,
    broken: Option<io::Error>,
}

impl Read for Checked<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(out) {
            Ok(count) => {
                self.hasher.update(&out[..count]);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                let said = io::Error::new(error.kind(), error.to_string());
                self.broken.get_or_insert(error);
                Err(said)
            }
        }
    }
}
