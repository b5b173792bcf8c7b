//! What stands inside files is found as if it lay in the layer, and its place says where.

use layersift::finding::{Finding, Part, Place, Reason, Scan};
use layersift::layer::decode::Compression;
use layersift::random::Random;
use layersift::scan::{Bounds, Limits, Options};
use layersift::source::builder::{ImageBuilder, LayerBuilder, compress};

use crate::archives::*;
use crate::support::*;

/// Scans a layer with one file.
fn file(path: &str, bytes: impl AsRef<[u8]>) -> Scan {
    let bytes = bytes.as_ref();
    scan_image(&ImageBuilder::new().layer("COPY . .", |layer| layer.file(path, bytes)))
}

/// `/app.jar!lib/x.jar!a.properties:3`.
fn place(finding: &Finding) -> String {
    let Place::LayerFile { path, inner, position, .. } = &finding.place else { panic!("not in a file: {:?}", finding.place) };
    let members: String = inner.iter().map(|member| format!("!{}", String::from_utf8_lossy(member))).collect();
    let line = position.map(|position| format!(":{}", position.line)).unwrap_or_default();
    format!("{}{members}{line}", String::from_utf8_lossy(path))
}

#[test]
fn a_secret_in_an_archive_in_an_archive_has_its_place() {
    let secret = token("nested");
    let text = format!("a=1\nb=2\ntoken={secret}\n");
    let jar = zip(&[("META-INF/MANIFEST.MF", b"Version: 1\n"), ("application.properties", text.as_bytes())]);
    let app = Zip::default().add("BOOT-INF/classes/App.txt", b"x", 8).add("BOOT-INF/lib/x.jar", &jar, 0).finish();
    let header = b"\x8e\xad\xe8\x01\0\0\0\0\0\0\0\0\0\0\0\0";
    let rpm = [&[0xed, 0xab, 0xee, 0xdb], &[0; 92][..], header, header, &gzip(&cpio(&[("./etc/x", text.as_bytes())]))].concat();
    let cases: [(&str, Vec<u8>, &str, &[&str]); 15] = [
        ("/a.rpm", rpm, "/a.rpm!etc/x:3", &["gzip"]),
        ("/app.jar", app.clone(), "/app.jar!BOOT-INF/lib/x.jar!application.properties:3", &[]),
        ("/a.tar", tar(&[("srv/app.jar", &app)]), "/a.tar!srv/app.jar!BOOT-INF/lib/x.jar!application.properties:3", &[]),
        ("/a.tar.gz", gzip(&tar(&[("./srv/.env", text.as_bytes())])), "/a.tar.gz!srv/.env:3", &["gzip"]),
        ("/dump.sql.gz", gzip(text.as_bytes()), "/dump.sql.gz:3", &["gzip"]),
        ("/dump.xz", compress(text.as_bytes(), Compression::Xz).unwrap(), "/dump.xz:3", &["xz"]),
        ("/dump.bz2", compress(text.as_bytes(), Compression::Bzip2).unwrap(), "/dump.bz2:3", &["bzip2"]),
        ("/dump.lzma", compress(text.as_bytes(), Compression::Lzma).unwrap(), "/dump.lzma:3", &["lzma"]),
        ("/dump.lz4", lz4(text.as_bytes()), "/dump.lz4:3", &["lz4"]),
        ("/app.asar", asar(&[("lib/a.js", text.as_bytes()), ("b", b"x")]), "/app.asar!lib/a.js:3", &[]),
        ("/a.7z", seven_zip(&[("x", b"1"), ("lib/a.env", text.as_bytes())]), "/a.7z!lib/a.env:3", &[]),
        ("/a.iso", iso(&[("A.TXT;1", text.as_bytes())]), "/a.iso!A.TXT:3", &[]),
        ("/dump.zst", compress(text.as_bytes(), Compression::Zstd).unwrap(), "/dump.zst:3", &["zstd"]),
        (
            "/a.deb",
            ar(&[("debian-binary", b"2.0\n"), ("data.tar.gz", &gzip(&tar(&[("etc/x", text.as_bytes())])))]),
            "/a.deb!data.tar.gz!etc/x:3",
            &["gzip"],
        ),
        (
            "/initrd",
            [cpio(&[("microcode", b"x")]), vec![0; 512], gzip(&cpio(&[("init", text.as_bytes())]))].concat(),
            "/initrd!init:3",
            &["gzip"],
        ),
    ];
    for (path, bytes, expected, steps) in cases {
        let scan = file(path, bytes);
        let finding = only(&scan, &secret);
        assert_eq!((place(finding).as_str(), reasons(&scan)), (expected, vec![]), "{path}");
        assert_eq!(finding.decoding, steps, "{path}");
    }
}

#[test]
fn the_name_of_a_member_is_looked_at() {
    let secret = token("name");
    for bytes in [zip(&[(&secret, b"x")]), tar(&[(&secret, b"x")]), cpio(&[(&secret, b"x")])] {
        let scan = file("/a", bytes);
        let finding = only(&scan, &secret);
        assert_eq!((place(finding), finding.place.part()), (format!("/a!{secret}"), Some(&Part::Name)));
    }
}

#[test]
fn what_no_reader_of_an_archive_looks_at_is_text() {
    let (before, after) = (token("before"), token("after"));
    let archive = zip(&[("a", b"content")]);
    // A program before the archive, and a comment after it.
    let bytes = [format!("#!/bin/sh\n# {before}\nexit\n").into_bytes(), archive.clone()].concat();
    assert_eq!(place(only(&file("/run", &bytes), &before)), "/run:2");
    let mut commented = archive;
    let end = commented.len() - 2;
    commented.splice(end.., (after.len() as u16).to_le_bytes());
    commented.extend(after.bytes());
    assert_eq!(place(only(&file("/a.zip", &commented), &after)), "/a.zip:1");
    // Bytes after a compressed stream.
    let bytes = [gzip(b"nothing"), format!("\n{after}\n").into_bytes()].concat();
    assert_eq!(place(only(&file("/a.gz", &bytes), &after)), "/a.gz:2");
}

#[test]
fn a_large_file_is_read_as_a_stream_with_the_same_result() {
    let secrets: Vec<String> = (0..4).map(|number| token(&format!("large {number}"))).collect();
    let noise = Random::new(1).text(b"abcdefghijklmnop =\n0123456789", 6 << 20).into_bytes();
    let jar = zip(&[("noise", &noise), ("a.properties", format!("\nt={}", secrets[0]).as_bytes())]);
    let inner = tar(&[("first", secrets[1].as_bytes()), ("noise", &noise), ("lib/a.jar", &jar), ("last", secrets[2].as_bytes())]);
    let outer =
        tar(&[("noise", &noise), ("in.tar.gz", &gzip(&inner)), ("x.cpio", &cpio(&[("noise", &noise), ("key", secrets[3].as_bytes())]))]);
    let expected = ["in.tar.gz!lib/a.jar!a.properties:2", "in.tar.gz!first:1", "in.tar.gz!last:1", "x.cpio!key:1"];
    for (name, bytes) in [("/o.tar", outer.clone()), ("/o.tar.gz", gzip(&outer)), ("/o.zip", zip(&[("o.tar", &outer)]))] {
        for compression in [Compression::None, Compression::Gzip] {
            let image = ImageBuilder::new().compression(compression).layer("COPY . .", |layer| {
                layer.file("/before", "x");
                layer.file(name, &bytes);
                layer.file("/after", "x");
            });
            let scan = scan_image(&image);
            let member = if name == "/o.zip" { "!o.tar" } else { "" };
            for (secret, expected) in secrets.iter().zip(expected) {
                assert_eq!(place(only(&scan, secret)), format!("{name}{member}!{expected}"), "{compression:?}");
            }
            assert_eq!((scan.findings.len(), reasons(&scan)), (4, vec![]), "{name} {compression:?}");
        }
    }
}

// --- the same content, however it is wrapped ------------------------------------------------------------------------------------------

/// Files with and without secrets, of all kinds of sizes and names.
fn tree(seed: u64) -> Vec<(String, Vec<u8>)> {
    let mut random = Random::new(seed);
    let names = ["app.env", "config/settings.py", ".npmrc", "README.md", "root/.ssh/id", "data.bin", "src/Main.java", "tests/x.yaml"];
    let count = 3 + random.below(names.len() - 3);
    (0..count)
        .map(|number| {
            let size = [0, 40, 700, 5_000, 70_000, 2_200_000][random.below(6)];
            let mut text = random.text(b"abcdefgh ijkl\n=:\"'0123456789_", size).into_bytes();
            for place in 0..random.below(4) {
                let at = random.below(text.len() + 1);
                let line = match random.below(3) {
                    0 => format!("\ntoken = \"{}\"\n", token(&format!("{seed} {number} {place}"))),
                    1 => format!("\npassword: {}\n", random_password(&mut random)),
                    _ => format!("\n{}\n", secret("stripe-secret-key-live", &format!("{seed} {number} {place}"))),
                };
                text.splice(at..at, line.bytes());
            }
            (format!("d{}/{}", number % 3, names[number]), text)
        })
        .collect()
}

fn random_password(random: &mut Random) -> String {
    random.text(b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!%+", 18)
}

/// All that is the same wherever a file lies: rule, secret, severity, confidence, suppression, decoding, file, position.
fn seen(scan: &Scan, outside: &[&str], skip: &[&str]) -> Vec<String> {
    assert_eq!(reasons(scan), []);
    let mut all: Vec<String> = scan
        .findings
        .iter()
        .map(|finding| {
            let (path, inner) = (finding.place.path().unwrap(), finding.place.inner());
            let mut parts: Vec<String> =
                [path].into_iter().chain(inner.iter().map(Vec::as_slice)).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
            let file = parts.pop().unwrap();
            assert_eq!(parts, outside);
            let also: Vec<_> = finding.also.iter().map(Place::position).collect();
            let decoding: Vec<_> = finding.decoding.iter().filter(|step| !skip.contains(&step.as_ref())).collect();
            let file = file.trim_start_matches('/');
            format!(
                "{file} {:?} {} {:?} {:?} {:?} {:?} {decoding:?} {also:?} {:?}",
                finding.place.position(),
                finding.rule.id,
                finding.secret.expose(),
                finding.severity,
                finding.confidence,
                finding.suppressed,
                finding.note
            )
        })
        .collect();
    all.sort();
    all
}

#[test]
fn the_same_content_gives_the_same_findings_however_it_is_wrapped() {
    let mut total = 0;
    for seed in 0..6 {
        let tree = tree(seed);
        let files: Vec<(&str, &[u8])> = tree.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        let temp = Temp::new();
        for (name, bytes) in &files {
            temp.file(&format!("tree/{name}"), bytes);
        }
        let mut layer = LayerBuilder::new();
        files.iter().for_each(|(name, bytes)| layer.file(format!("/{name}"), bytes));
        let plain = seen(&scan(&temp.file("layer.tar", layer.finish())), &[], &[]);
        total += plain.len();
        let folder = seen(&scan(&temp.path("tree")), &[], &[]);
        assert_eq!(folder, plain, "folder, seed {seed}");
        let (archive, tarball) = (zip(&files), tar(&files));
        for (what, path, bytes, outside, skip) in [
            ("zip", "/a.zip", archive.clone(), vec!["/a.zip"], vec![]),
            ("tar", "/a.tar", tarball.clone(), vec!["/a.tar"], vec![]),
            ("zip in tar", "/a.tar", tar(&[("in.zip", &archive)]), vec!["/a.tar", "in.zip"], vec![]),
            ("tar.gz in zip", "/a.zip", zip(&[("in.tgz", &gzip(&tarball))]), vec!["/a.zip", "in.tgz"], vec!["gzip"]),
            ("cpio in ar", "/a.ar", ar(&[("in.cpio", &cpio(&files))]), vec!["/a.ar", "in.cpio"], vec![]),
        ] {
            for compression in [Compression::None, Compression::Zstd] {
                let mut layer = LayerBuilder::new();
                layer.file(path, &bytes);
                let scan = scan(&temp.file("outer", compress(&layer.finish(), compression).unwrap()));
                assert_eq!(seen(&scan, &outside, &skip), plain, "{what}, seed {seed}, {compression:?}");
            }
        }
    }
    assert!(total > 20, "{total}");
}

#[test]
fn any_number_of_threads_gives_the_same_report() {
    let mut layer = LayerBuilder::new();
    for number in 0..60 {
        let texts: Vec<String> = (0..5).map(|member| token(&format!("{}", (number * 7 + member) % 40))).collect();
        let files: Vec<(&str, &[u8])> = ["a", "b", "c", "d", "e"].into_iter().zip(texts.iter().map(String::as_bytes)).collect();
        layer.file(format!("/{number}.zip"), zip(&files));
    }
    let temp = Temp::new();
    let path = temp.file("layer.gz", gzip(&layer.finish()));
    // The bound on all files of a layer is met in the order of the archive, too.
    for layer_bytes in [u64::MAX, 20_000] {
        let nested = Bounds { layer_bytes, ..Bounds::default() };
        let reports = [1, 2, 8].map(|jobs| {
            let options = Options { jobs, limits: Limits { nested, ..Limits::default() }, ..Options::default() };
            report(&sound(scan_text(path.to_str().unwrap(), &options)), layersift::report::Exposure::Shown)
        });
        assert!(reports[1..].iter().all(|other| *other == reports[0]));
        assert_eq!(reports[0].contains("too-large"), layer_bytes != u64::MAX);
    }
}

// --- git ------------------------------------------------------------------------------------------------------------------------------

#[test]
fn an_old_commit_is_found_in_a_pack_and_said() {
    let (old, mid, new) = (token("old"), token("mid"), token("new"));
    let filler = "# settings of the service, one on each line\n".repeat(20);
    let first = format!("{filler}token = \"{old}\"\n");
    let second = format!("{filler}token = \"{mid}\"\n");
    let third = format!("{filler}token = \"{new}\"\n");
    let ids = [&first, &second, &third].map(|text| object_id("blob", text.as_bytes()));
    let tree = |id: [u8; 20]| [&b"100644 settings.py\0"[..], &id].concat();
    let commit = |id: [u8; 20], time: u32| {
        let id: String = object_id("tree", &tree(id)).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("tree {id}\nauthor A <a@example.org> {time} +0000\ncommitter A <a@example.org> {time} +0000\n\nx\n").into_bytes()
    };
    let keep = filler.len() as u16;
    let objects = [
        Packed::Commit(commit(ids[2], 1_700_000_000)),
        Packed::Commit(commit(ids[1], 1_650_000_000)),
        Packed::Commit(commit(ids[0], 1_600_000_000)),
        Packed::Tree(tree(ids[2])),
        Packed::Tree(tree(ids[1])),
        Packed::Tree(tree(ids[0])),
        Packed::Blob(third.clone().into_bytes()),
        Packed::Back(1, delta(third.as_bytes(), keep, &second.as_bytes()[keep as usize..])),
        // By name, and before what it builds on is known by it: read in a second pass.
        Packed::Named(ids[1], delta(second.as_bytes(), keep, &first.as_bytes()[keep as usize..])),
    ];
    let scan = file("/srv/.git/objects/pack/pack-1.pack", pack(&objects));
    assert_eq!(reasons(&scan), []);
    let mut notes = Vec::new();
    for (secret, id) in [&old, &mid, &new].into_iter().zip(ids) {
        let finding = only(&scan, secret);
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(place(finding), format!("/srv/.git/objects/pack/pack-1.pack!{id}:21"));
        notes.push(finding.note.clone().unwrap());
    }
    assert!(notes[0].contains("settings.py of commit ") && notes[0].ends_with("written 2020-09-13"), "{notes:?}");
    assert!(notes[1].ends_with("2022-04-15") && notes[2].ends_with("2023-11-14"), "{notes:?}");
}

#[test]
fn loose_objects_are_read_and_named_by_the_trees_and_commits_beside_them() {
    let secret = token("loose");
    let blob = format!("a\ntoken = {secret}\n");
    let tree = [&b"100644 .env\0"[..], &object_id("blob", blob.as_bytes())].concat();
    let id: String = object_id("tree", &tree).iter().map(|byte| format!("{byte:02x}")).collect();
    let commit = format!("tree {id}\nauthor A <a@example.org> 1600000000 +0000\n\nmessage\n");
    let image = ImageBuilder::new().layer("COPY . .", |layer| {
        for (kind, body) in [("blob", blob.as_bytes()), ("tree", &tree), ("commit", commit.as_bytes())] {
            let id: String = object_id(kind, body).iter().map(|byte| format!("{byte:02x}")).collect();
            let object = zlib(&[format!("{kind} {}\0", body.len()).as_bytes(), body].concat());
            layer.file(format!("/srv/app.git/objects/{}/{}", &id[..2], &id[2..]), object);
        }
    });
    let scan = scan_image(&image);
    let finding = only(&scan, &secret);
    assert!(place(finding).ends_with(":2"), "{}", place(finding));
    assert_eq!(finding.decoding, ["zlib"]);
    assert!(finding.note.as_deref().unwrap().contains(".env of commit "), "{:?}", finding.note);
}

// --- compiled code --------------------------------------------------------------------------------------------------------------------

#[test]
fn strings_of_compiled_code_stand_by_themselves() {
    let secret = token("class");
    let constant = format!("{secret} is here");
    // The length before it is a digit to who reads on.
    assert_eq!(constant.len(), usize::from(b'0'));
    let mut class = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61, 0, 3, 1];
    class.extend((constant.len() as u16).to_be_bytes());
    class.extend(constant.bytes());
    class.extend([1, 0, 4, b'C', b'o', b'd', b'e']);
    let scan = file("/C.class", &class);
    assert_eq!(only(&scan, &secret).place.position().unwrap().offset, 13);
    let jar = zip(&[("C.class", &class)]);
    assert_eq!(place(only(&file("/c.jar", jar), &secret)), "/c.jar!C.class:1");
    // The mark after it is a letter.
    let constant = format!("it is at {secret}");
    let code = [&b"\xcb\x0d\r\n\0\0\0\0\0\0\0\0\0\0\0\0\xda"[..], &[constant.len() as u8], constant.as_bytes(), b"z\x06token!"].concat();
    let scan = file("/m.pyc", &code);
    assert_eq!(only(&scan, &secret).place.position().unwrap().offset, 27);
}

#[test]
fn what_cannot_be_read_is_said() {
    for (bytes, name) in [(&b"Rar!\x1a\x07 rest"[..], "RAR"), (b"hsqs and the rest", "squashfs")] {
        let scan = file("/a", bytes);
        assert_eq!(reasons(&scan), [Reason::UnreadFormat]);
        assert!(scan.coverage.skipped[0].detail.contains(name));
    }
}
