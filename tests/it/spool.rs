//! Containers that come out of a stream and are too long to be held in memory: they are written to disk for as long as they are looked into, and
//! what is found in them is what is found in a layer that lies uncompressed.

use std::path::PathBuf;

use layersift::finding::{Place, Reason, Scan};
use layersift::layer::decode::Compression;
use layersift::random::Random;
use layersift::report::Exposure;
use layersift::scan::{Bounds, Limits, Options};
use layersift::source::builder::{ImageBuilder, LayerBuilder, compress};
use rusqlite::{Connection, params};

use crate::archives::*;
use crate::fuzz;
use crate::support::*;

/// More than what is a piece of a batch.
const LONG: usize = 4_400_000;
/// Bytes that are held in memory.
const HELD: u64 = 64 << 10;
/// Bytes that all that is made here fits into.
const ROOM: u64 = 16 << 20;

fn options(spooled_bytes: u64) -> Options {
    let nested = Bounds { held_bytes: HELD, spooled_bytes, ..Bounds::default() };
    Options { limits: Limits { nested, ..Limits::default() }, ..Options::default() }
}

/// Scans a layer with the file between two canaries, which are found whatever becomes of it.
#[track_caller]
fn file_in(compression: Compression, path: &str, bytes: &[u8], options: &Options) -> Scan {
    let canaries = [token("canary before"), token("canary after")];
    let mut layer = LayerBuilder::new();
    layer.file("/before", &canaries[0]);
    layer.file(path, bytes);
    layer.file("/z/after", &canaries[1]);
    let temp = Temp::new();
    let file = temp.file("layer", compress(&layer.finish(), compression).unwrap());
    let scan = sound(scan_text(file.to_str().unwrap(), options));
    canaries.iter().for_each(|canary| assert!(only(&scan, canary).place.inner().is_empty()));
    scan
}

/// All that is found, and where.
fn seen(scan: &Scan) -> Vec<String> {
    let facts = |finding: &layersift::finding::Finding| {
        let Place::LayerFile { path, inner, position, .. } = &finding.place else { panic!("not in a file: {:?}", finding.place) };
        let names: Vec<_> = [path].into_iter().chain(inner).map(|name| String::from_utf8_lossy(name)).collect();
        format!("{} {position:?} {:?} {:?} {:?}", names.join("!"), finding.secret.expose(), finding.note, finding.decoding)
    };
    scan.findings.iter().map(facts).collect()
}

/// The members that a secret was found in.
fn members(scan: &Scan, secret: &str) -> Vec<String> {
    let found = scan.findings.iter().filter(|finding| finding.secret.expose() == secret.as_bytes());
    found.map(|finding| finding.place.inner().iter().map(|name| String::from_utf8_lossy(name)).collect::<Vec<_>>().join("!")).collect()
}

/// A container of a kind that is not read from its beginning to its end, with a secret behind something long.
struct Sample {
    path: &'static str,
    bytes: Vec<u8>,
    secret: String,
    member: String,
}

impl Sample {
    fn of_files(path: &'static str, member: &str, make: impl Fn(&[(&str, &[u8])]) -> Vec<u8>) -> Self {
        let secret = token(path);
        let (long, text) = (vec![0; LONG], format!("\ntoken = {secret}\n"));
        Self { path, bytes: make(&[("A.BIN", &long), (member, text.as_bytes())]), secret, member: member.to_owned() }
    }
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    files.iter().fold(Zip::default(), |zip, (name, bytes)| zip.add(name, bytes, if bytes.len() > 1000 { 0 } else { 8 })).finish()
}

/// A pack whose last object is behind many that do not compress.
fn pack_sample() -> Sample {
    let secret = token("pack");
    let text = format!("\ntoken = {secret}\n").into_bytes();
    let id: String = object_id("blob", &text).iter().map(|byte| format!("{byte:02x}")).collect();
    let noise = Random::new(5).bytes(LONG);
    let objects: Vec<Packed> = noise.chunks(HELD as usize).chain([&text[..]]).map(|blob| Packed::Blob(blob.to_vec())).collect();
    let bytes = pack(&objects);
    Sample { path: "/srv/.git/objects/pack/pack-1.pack", bytes, secret, member: id }
}

fn sqlite_sample() -> Sample {
    let secret = token("sqlite");
    let temp = Temp::new();
    let db = Connection::open(temp.path("x.db")).unwrap();
    db.execute_batch("CREATE TABLE files (body BLOB); CREATE TABLE users (token TEXT)").unwrap();
    db.execute("INSERT INTO files VALUES (zeroblob(?1))", params![LONG as i64]).unwrap();
    db.execute("INSERT INTO users VALUES ('x'), (?1)", params![&secret]).unwrap();
    db.close().unwrap();
    Sample { path: "/srv/app.db", bytes: std::fs::read(temp.path("x.db")).unwrap(), secret, member: "users[2]".to_owned() }
}

fn squashfs_sample() -> Sample {
    let target = fuzz::TARGETS.iter().find(|target| target.name == "squashfs").unwrap();
    let image = (target.seeds)().swap_remove(1);
    Sample { path: "/a.snap", bytes: [image, vec![0; LONG]].concat(), secret: token("squashfs"), member: "dir/.env".to_owned() }
}

fn samples() -> Vec<Sample> {
    vec![
        Sample::of_files("/a.zip", "lib/b.env", zip_of),
        Sample::of_files("/a.7z", "lib/b.env", seven_zip),
        Sample::of_files("/a.asar", "lib/b.env", asar),
        Sample::of_files("/a.iso", "B.ENV", iso),
        pack_sample(),
        sqlite_sample(),
        squashfs_sample(),
    ]
}

#[test]
fn what_is_spooled_is_read_as_what_is_mapped() {
    let temp = Temp::new();
    temp.file("spool/one", "");
    let folder: PathBuf = temp.path("spool");
    for sample in samples() {
        let Sample { path, bytes, secret, member } = sample;
        assert!(bytes.len() > LONG, "{path}");
        let options = Options { temporary: Some(folder.clone()), ..options(ROOM) };
        // A mapped one is read in place, whatever is held.
        let [mapped, stream] = [Compression::None, Compression::Gzip].map(|compression| file_in(compression, path, &bytes, &options));
        assert!(members(&mapped, &secret).contains(&member), "{path}: {:?} {:?}", seen(&mapped), mapped.coverage.skipped);
        assert_eq!((seen(&mapped), reasons(&mapped)), (seen(&stream), reasons(&stream)), "{path}");
        assert_eq!(reasons(&mapped), [], "{path}: {:?}", mapped.coverage.skipped);
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left there");
}

#[test]
fn what_is_longer_than_the_bounds_is_text_and_said() {
    for Sample { path, bytes, secret, member } in samples() {
        for (room, said) in [(1 << 20, &["65536", "1048576", "--max-spool"][..]), (0, &["65536", "--max-held", "--max-spool"])] {
            let scan = file_in(Compression::Gzip, path, &bytes, &options(room));
            assert_eq!(reasons(&scan), [Reason::TooLarge], "{path}");
            let detail = &scan.coverage.skipped[0].detail;
            assert!(said.iter().all(|said| detail.contains(said)) && detail.contains("temporary file") == (room > 0), "{path}: {detail}");
            let is_zip = path.ends_with("zip");
            assert_eq!((members(&scan, &secret).contains(&member), detail.contains("directory at its end")), (is_zip, is_zip), "{path}");
        }
    }
}

#[test]
fn a_folder_that_is_not_there_is_said() {
    for Sample { path, bytes, secret, .. } in samples().into_iter().take(4) {
        let options = Options { temporary: Some(PathBuf::from("/there/is/no/such/folder")), ..options(ROOM) };
        let scan = file_in(Compression::Gzip, path, &bytes, &options);
        assert_eq!(reasons(&scan), [Reason::TooLarge], "{path}");
        let detail = &scan.coverage.skipped[0].detail;
        assert!(detail.contains("temporary file (entity not found)") && detail.contains("TMPDIR"), "{path}: {detail}");
        // None of these is compressed.
        assert_eq!(members(&scan, &secret).len(), 1, "{path}");
    }
}

#[test]
fn both_tables_of_a_spooled_zip_archive_are_read() {
    let (listed, unlisted) = (token("listed"), token("unlisted"));
    let mut zip = Zip::default().add("long", &vec![0; LONG], 0).add("a", listed.as_bytes(), 8).add("b", unlisted.as_bytes(), 8);
    zip.central.pop();
    zip.central[1].name = b"elsewhere".to_vec();
    let scan = file_in(Compression::Gzip, "/two.zip", &zip.finish(), &options(ROOM));
    assert_eq!(members(&scan, &listed), ["elsewhere"]);
    assert_eq!(members(&scan, &unlisted), ["b"]);
    assert!(!reasons(&scan).is_empty() && reasons(&scan).iter().all(|reason| *reason == Reason::Contradiction), "{:?}", reasons(&scan));
}

#[test]
fn a_spooled_file_in_another_counts_for_both() {
    let (inner, outer) = (token("inner"), token("outer"));
    let long = vec![0; LONG];
    let disc = iso(&[("A.BIN", &long), ("B.ENV", inner.as_bytes())]);
    let bytes = iso(&[("C.BIN", &long), ("d.iso.gz", &gzip(&disc)), ("E.ENV", outer.as_bytes())]);
    for compression in [Compression::None, Compression::Gzip] {
        let scan = file_in(compression, "/a.iso", &bytes, &options(ROOM));
        assert_eq!((members(&scan, &outer), members(&scan, &inner)), (vec!["E.ENV".to_owned()], vec!["d.iso.gz!B.ENV".to_owned()]));
        assert_eq!(reasons(&scan), [], "{:?}", scan.coverage.skipped);
    }
    // Room for each of them, and not for both.
    let scan = file_in(Compression::Gzip, "/a.iso", &bytes, &options(6 << 20));
    assert_eq!((members(&scan, &outer), members(&scan, &inner)), (vec!["E.ENV".to_owned()], vec!["d.iso.gz".to_owned()]));
    assert_eq!(reasons(&scan), [Reason::TooLarge], "{:?}", scan.coverage.skipped);
    assert!(scan.coverage.skipped[0].place.contains("d.iso.gz"), "{:?}", scan.coverage.skipped);
}

#[test]
fn what_was_written_of_a_zip_archive_counts_for_its_members() {
    let Sample { bytes, secret, .. } = Sample::of_files("/a.iso", "B.ENV", iso);
    let zip = zip_of(&[("long", &vec![0; LONG]), ("a.iso", &bytes)]);
    for room in [6 << 20, ROOM] {
        let scan = file_in(Compression::Gzip, "/a.zip", &zip, &options(room));
        let is_whole = room == ROOM;
        assert_eq!(members(&scan, &secret), [if is_whole { "a.iso!B.ENV" } else { "a.iso" }]);
        assert_eq!(reasons(&scan).len(), if is_whole { 0 } else { 2 }, "{:?}", scan.coverage.skipped);
    }
}

#[test]
fn a_stream_of_any_origin_is_spooled() {
    let Sample { bytes, secret, member, .. } = Sample::of_files("/a.iso", "B.ENV", iso);
    // A compressed file of a mapped layer, and a member of an archive in it.
    let wrapped =
        [("/a.iso.gz", gzip(&bytes), member.clone()), ("/a.tgz", gzip(&tar(&[("b/a.iso", &bytes)])), format!("b/a.iso!{member}"))];
    for (path, bytes, expected) in wrapped {
        let scan = file_in(Compression::None, path, &bytes, &options(ROOM));
        assert_eq!((members(&scan, &secret), reasons(&scan)), (vec![expected], vec![]), "{path}: {:?}", scan.coverage.skipped);
    }
    // An image that passes by once, on any number of threads.
    let image = ImageBuilder::new().layer("COPY . /", |layer| {
        (0..3).for_each(|number| layer.file(format!("/{number}.iso"), &bytes));
        layer.file("/key", &secret);
    });
    let temp = Temp::new();
    let path = temp.file("image.tar.gz", gzip(&image.docker_archive().unwrap()));
    let reports = [1, 4].map(|jobs| {
        let scan = sound(scan_text(path.to_str().unwrap(), &Options { jobs, ..options(ROOM) }));
        assert_eq!((members(&scan, &secret).len(), reasons(&scan)), (4, vec![]), "{:?}", scan.coverage.skipped);
        report(&scan, Exposure::Shown)
    });
    assert_eq!(reports[0], reports[1]);
}

#[test]
fn what_came_before_damage_is_looked_into() {
    let Sample { bytes, secret, member, .. } = Sample::of_files("/a.iso", "B.ENV", iso);
    let mut damaged = gzip(&bytes);
    // The checksum at its end.
    damaged.iter_mut().rev().take(8).for_each(|byte| *byte ^= 0x55);
    for held_bytes in [HELD, 64 << 20] {
        let nested = Bounds { held_bytes, spooled_bytes: ROOM, ..Bounds::default() };
        let options = Options { limits: Limits { nested, ..Limits::default() }, ..Options::default() };
        let scan = file_in(Compression::None, "/a.iso.gz", &damaged, &options);
        assert_eq!((members(&scan, &secret), reasons(&scan)), (vec![member.clone()], vec![Reason::DamagedFile]), "{held_bytes}");
    }
}

#[test]
fn strings_of_compiled_code_are_not_held_beyond_the_bound() {
    let secret = token("code");
    let constant = format!("token = {secret}\n");
    let code = [&b"\xcb\x0d\r\n\0\0\0\0\0\0\0\0\0\0\0\0\xda"[..], &[constant.len() as u8], constant.as_bytes(), &vec![0; LONG]].concat();
    let scans = [Compression::None, Compression::Gzip].map(|compression| file_in(compression, "/m.pyc", &code, &options(ROOM)));
    for scan in &scans {
        assert_eq!((members(scan, &secret).len(), reasons(scan)), (1, vec![Reason::TooLarge]), "{:?}", scan.coverage.skipped);
        assert!(scan.coverage.skipped[0].detail.contains("--max-held"), "{:?}", scan.coverage.skipped);
    }
}
