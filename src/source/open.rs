//! From a reference to a source that can be read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::archive::Archive;
use super::containerd::Containerd;
use super::layer_file::LayerFile;
use super::layout::Layout;
use super::onepass::{Form, Stream};
use super::registry::{Registry, RegistryOptions};
use super::resolve::Wanted;
use super::rootfs::Rootfs;
use super::skopeo_dir::{SkopeoDir, is_skopeo_dir};
use super::sniff::compression_of;
use super::storage::Storage;
use super::{OnePass, Reference, Selector, Source, SourceError, example};
use crate::layer::decode::Compression;
use crate::oci::Platform;

/// What to read of a source.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// Only images for this platform; all without. Layers and folders are for none, and are read whatever it says.
    pub platform: Option<Platform>,
    /// How to deal with registries.
    pub registry: RegistryOptions,
}

/// A source that is open.
pub enum Opened {
    /// Its blobs can be read in any order.
    Random(Box<dyn Source>),
    /// It passes by once.
    OnePass(Box<dyn OnePass>),
}

/// Opens what `reference` means.
pub fn open(reference: &Reference, options: &OpenOptions) -> Result<Opened, SourceError> {
    let wanted = |selector: &Option<Selector>| Wanted { platform: options.platform.clone(), selector: selector.clone() };
    match reference {
        Reference::DockerArchive(path) => archive(path, wanted(&None)),
        Reference::OciArchive(path, selector) => archive(path, wanted(selector)),
        Reference::Oci(path, selector) => Ok(Opened::Random(Box::new(Layout::open(path, wanted(selector))?))),
        Reference::Layer(path) => layer(path, wanted(&None)),
        Reference::Dir(path) if is_skopeo_dir(path) => Ok(Opened::Random(Box::new(SkopeoDir::open(path, wanted(&None))?))),
        Reference::Dir(path) => Ok(Opened::Random(Box::new(Rootfs::open(path)?))),
        Reference::Engine(engine, name) => Ok(Opened::OnePass(Box::new(engine.export(name, wanted(&None))?))),
        Reference::ContainersStorage(name) => Ok(Opened::Random(Box::new(Storage::open(name, wanted(&None))?))),
        Reference::Containerd(name) => Ok(Opened::Random(Box::new(Containerd::open(name, wanted(&None))?))),
        Reference::Registry(name) => Ok(Opened::Random(Box::new(Registry::open(name, wanted(&None), &options.registry)?))),
        Reference::Pipe(path) => Ok(stream(path, file(path)?, Form::Any, wanted(&None))),
        Reference::Stdin => Ok(stream(Path::new("-"), std::io::stdin(), Form::Any, wanted(&None))),
        Reference::DockerSave(save) => Ok(Opened::OnePass(save.open(wanted(&None))?)),
        Reference::Example => {
            let path = Path::new("example:");
            let archive = example::archive().map_err(|error| SourceError::Io { action: "make", path: path.to_owned(), error })?;
            Ok(stream(path, io::Cursor::new(archive), Form::Archive, wanted(&None)))
        }
    }
}

fn file(path: &Path) -> Result<File, SourceError> {
    File::open(path).map_err(|error| SourceError::Io { action: "open", path: path.to_owned(), error })
}

/// Whether `path` can be mapped and read in any order.
fn is_regular(path: &Path) -> Result<bool, SourceError> {
    let failed = |error| SourceError::Io { action: "open", path: path.to_owned(), error };
    let meta = std::fs::metadata(path).map_err(failed)?;
    if meta.is_dir() {
        return Err(SourceError::NotAnImage { path: path.to_owned(), problem: "it is a folder: use oci:DIR or dir:DIR".to_owned() });
    }
    Ok(meta.is_file())
}

fn stream(path: &Path, reader: impl Read + Send + 'static, form: Form, wanted: Wanted) -> Opened {
    Opened::OnePass(Box::new(Stream { path: path.to_owned(), reader: Box::new(reader), form, wanted }))
}

/// An image archive is mapped if it lies there as it is, and passes by if it must be decompressed first.
fn archive(path: &Path, wanted: Wanted) -> Result<Opened, SourceError> {
    let failed = |error| SourceError::Io { action: "read", path: path.to_owned(), error };
    if is_regular(path)? && compression_of(&file(path)?).map_err(failed)? == Compression::None {
        return Ok(Opened::Random(Box::new(Archive::open(path, wanted)?)));
    }
    Ok(stream(path, file(path)?, Form::Archive, wanted))
}

fn layer(path: &Path, wanted: Wanted) -> Result<Opened, SourceError> {
    if is_regular(path)? {
        return Ok(Opened::Random(Box::new(LayerFile::open(path)?)));
    }
    Ok(stream(path, file(path)?, Form::Layer, wanted))
}
