//! What can be read once only gives what it would give in any order.

use std::io::Cursor;

use super::super::onepass::{Form, Stream};
use super::super::resolve::Wanted;
use super::*;

fn stream(bytes: Vec<u8>, form: Form) -> Result<Seen, SourceError> {
    read_once(Box::new(Stream { path: "-".into(), reader: Box::new(Cursor::new(bytes)), form, wanted: Wanted::default() }))
}

fn sample() -> Vec<(String, Vec<u8>)> {
    let mut blobs = Blobs::default();
    let image = blobs.image("a", "amd64", &[layer("one"), b"{\"a\":\"layer that looks like a document\"}".to_vec()]);
    blobs.put(LAYER, b"forgotten");
    blobs.members(&[image])
}

#[test]
fn an_archive_that_passes_by_gives_what_it_gives_on_disk() {
    let temp = Temp::new();
    let bytes = tar(&sample());
    let on_disk = read_path(&temp.file("image", &bytes));
    for passing in [bytes.clone(), gzip(&bytes)] {
        let seen = stream(passing, Form::Any).unwrap();
        assert_eq!(seen.names(), on_disk.names());
        assert_eq!(seen.layers(0), on_disk.layers(0));
        assert_eq!(seen.documents(0), on_disk.documents(0));
        assert_eq!(seen.extras(), on_disk.extras());
        assert_eq!(seen.blobs, on_disk.blobs);
        assert_eq!(seen.reasons(), []);
    }
}

#[test]
fn a_compressed_archive_on_disk_passes_by() {
    let temp = Temp::new();
    let path = temp.file("image.tar.gz", &gzip(&tar(&sample())));
    assert_eq!(Reference::parse(path.to_str().unwrap()).unwrap(), Reference::OciArchive(path.clone(), None));
    let reference = Reference::OciArchive(path, None);
    assert!(matches!(open(&reference, &OpenOptions::default()), Ok(Opened::OnePass(_))));
}

#[test]
fn a_stream_that_is_no_archive_is_one_layer() {
    for bytes in [layer("one"), gzip(&layer("one"))] {
        let seen = stream(bytes, Form::Any).unwrap();
        assert_eq!(seen.layers(0), [Some(&layer("one")[..])]);
        assert!(!seen.contents.images[0].is_rootfs);
    }
    assert_eq!(stream(b"no tar at all".to_vec(), Form::Any).unwrap().layers(0), [Some(&b"no tar at all"[..])]);
}

#[test]
fn nothing_is_no_image() {
    for (bytes, form) in [(Vec::new(), Form::Any), (Vec::new(), Form::Archive), (Vec::new(), Form::Layer), (gzip(b""), Form::Any)] {
        assert!(matches!(stream(bytes, form), Err(SourceError::Empty { .. })), "{form:?}");
    }
}

#[test]
fn the_user_can_say_what_it_is() {
    let bytes = tar(&[member("etc/motd", "hello")]);
    let archive = stream(bytes.clone(), Form::Archive).unwrap();
    assert_eq!((archive.extras(), archive.reasons()), (vec!["etc/motd"], vec![Reason::NotAnImage]));
    let archive = tar(&sample());
    assert_eq!(stream(archive.clone(), Form::Layer).unwrap().layers(0), [Some(&archive[..])]);
}

#[test]
fn a_stream_cut_or_damaged_gives_what_came_before() {
    let mut members = sample();
    members.push(member("zzz", vec![b'z'; 100_000]));
    let whole = tar(&members);
    let cut = stream(whole[..whole.len() - 50_000].to_vec(), Form::Any).unwrap();
    assert_eq!((cut.names(), cut.reasons()), (vec![Some("a")], vec![Reason::TruncatedArchive]));

    let mut packed = gzip(&whole);
    let at = packed.len() - 8;
    packed[at] ^= 1;
    let damaged = stream(packed, Form::Any).unwrap();
    assert_eq!((damaged.names(), damaged.reasons()), (vec![Some("a")], vec![Reason::DamagedStream]));
}

#[test]
fn bytes_after_the_compressed_stream_are_said() {
    let mut packed = gzip(&layer("one"));
    packed.extend(b"GARBAGE");
    let seen = stream(packed, Form::Any).unwrap();
    assert_eq!((seen.layers(0), seen.reasons()), (vec![Some(&layer("one")[..])], vec![Reason::DamagedStream]));
}

struct Ignore;

impl BlobSink for Ignore {
    fn blob(&mut self, _: &BlobKey, _: &mut (dyn Read + Send)) {}
}

#[test]
fn what_the_sink_does_not_read_is_passed_over() {
    for bytes in [tar(&sample()), gzip(&tar(&sample()))] {
        let reader = Box::new(Cursor::new(bytes));
        let stream = Stream { path: "-".into(), reader, form: Form::Any, wanted: Wanted::default() };
        let contents = OnePass::read(Box::new(stream), &mut Ignore).unwrap();
        assert_eq!((contents.images.len(), contents.skipped), (1, vec![]));
    }
}
