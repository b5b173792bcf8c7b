//! An image that a Docker Engine holds, as `docker save` pipes it. The engine is asked through the Docker client, which knows contexts, hosts
//! and certificates; what the client has to complain about goes to standard error, as if the user had run it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::onepass::{Form, Stream};
use super::resolve::Wanted;
use super::{BlobSink, Contents, OnePass, SourceError};

/// The Docker client, and what to tell it before anything else: `--context`, `--host` and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerClient {
    /// A name to be looked for in `PATH`, or a path.
    pub program: OsString,
    /// Its global options.
    pub globals: Vec<OsString>,
}

impl DockerClient {
    /// The client with its global options, to be given a command. Nothing waits for an answer on standard input.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.globals).stdin(Stdio::null());
        command
    }
}

/// What to have saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSave {
    /// Whom to ask.
    pub client: DockerClient,
    /// What the user calls the image.
    pub name: String,
    /// Its ID, where the image of this ID is meant, whatever it is called by then.
    pub id: Option<String>,
}

impl DockerSave {
    pub(super) fn open(&self, wanted: Wanted) -> Result<Box<dyn OnePass>, SourceError> {
        let failed = |error| SourceError::Io { action: "run", path: PathBuf::from(&self.client.program), error };
        let image = self.id.as_ref().unwrap_or(&self.name);
        let mut child = self.client.command().args(["image", "save", "--"]).arg(image).stdout(Stdio::piped()).spawn().map_err(failed)?;
        let Some(stdout) = child.stdout.take() else {
            return Err(failed(std::io::Error::other("its output cannot be read")));
        };
        let path = PathBuf::from(&self.name);
        let stream = Stream { path, reader: Box::new(stdout), form: Form::Archive, wanted };
        Ok(Box::new(Saving { save: self.clone(), child, stream }))
    }
}

/// A `docker save` on its way.
struct Saving {
    save: DockerSave,
    child: std::process::Child,
    stream: Stream,
}

impl OnePass for Saving {
    fn read(self: Box<Self>, sink: &mut dyn BlobSink) -> Result<Contents, SourceError> {
        let Saving { save, mut child, stream } = *self;
        let read = Box::new(stream).read(sink);
        // The pipe is closed by now, whatever was read of it, so that this ends. An archive that the client did not finish is no image,
        // even where it ends so that it looks like one.
        let status = child.wait().map_err(|error| SourceError::Io { action: "wait for", path: save.client.program.into(), error })?;
        if !status.success() {
            return Err(SourceError::DockerSave { image: save.name, status });
        }
        let mut contents = read?;
        if save.id.is_some() {
            for image in &mut contents.images {
                image.name.get_or_insert_with(|| save.name.clone());
            }
        }
        Ok(contents)
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::builder::ImageBuilder;
    use super::super::{BlobKey, OpenOptions, Opened, Reference, open};
    use super::*;

    struct Ignore;

    impl BlobSink for Ignore {
        fn blob(&mut self, _key: &BlobKey, blob: &mut (dyn std::io::Read + Send)) {
            std::io::copy(blob, &mut std::io::sink()).unwrap();
        }
    }

    /// Reads what a client says that is this script.
    fn read(script: &str, id: Option<&str>) -> Result<Contents, SourceError> {
        let client = DockerClient { program: "sh".into(), globals: vec!["-c".into(), script.into()] };
        let save = DockerSave { client, name: "shop/web:1".to_owned(), id: id.map(str::to_owned) };
        match open(&Reference::DockerSave(save), &OpenOptions::default())? {
            Opened::OnePass(source) => source.read(&mut Ignore),
            Opened::Random(_) => unreachable!(),
        }
    }

    /// An image without a name, on disk, and a script that writes it.
    fn archive(name: &str) -> (PathBuf, String) {
        let path = std::env::temp_dir().join(format!("layersift-docker-save-{}-{name}", std::process::id()));
        let image = ImageBuilder::new().layer("COPY motd /etc", |layer| layer.file("/etc/motd", "hello"));
        std::fs::write(&path, image.docker25().unwrap()).unwrap();
        let script = format!("cat '{}'", path.display());
        (path, script)
    }

    #[test]
    fn an_image_that_was_saved_by_its_id_keeps_the_name_it_was_asked_for_by() {
        let (path, script) = archive("name");
        let names = |contents: Contents| contents.images.into_iter().map(|image| image.name).collect::<Vec<_>>();
        assert_eq!(names(read(&script, Some("sha256:1")).unwrap()), [Some("shop/web:1".to_owned())]);
        assert_eq!(names(read(&script, None).unwrap()), [None]);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_client_that_fails_is_an_error_even_after_a_whole_image() {
        let (path, script) = archive("fails");
        for script in ["exit 3".to_owned(), format!("{script}; exit 3"), format!("{script} | head -c 3000; exit 3")] {
            let error = read(&script, None).unwrap_err();
            assert!(
                matches!(&error, SourceError::DockerSave { image, status } if image == "shop/web:1" && status.code() == Some(3)),
                "{error}"
            );
        }
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_client_that_says_nothing_or_is_not_there_is_an_error() {
        assert!(matches!(read("true", None), Err(SourceError::Empty { .. })));
        let client = DockerClient { program: "/no/such/docker".into(), globals: Vec::new() };
        let save = DockerSave { client, name: "a".to_owned(), id: None };
        assert!(matches!(save.open(Wanted::default()), Err(SourceError::Io { action: "run", .. })));
    }
}
