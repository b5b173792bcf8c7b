//! Archives, streams and images of discs that the tools of the field made: what stands in them is found under its name and line.
//!
//! They need those tools: `tests/run` includes them where they are, and CI always does.

use std::path::Path;
use std::process::Command;

use layersift::finding::{Finding, Place, Reason, Scan, Visibility};
use layersift::layer::decode::Compression;
use layersift::random::Random;
use layersift::scan::{Bounds, Limits, Options};
use layersift::source::builder::{ImageBuilder, LayerBuilder, compress};

use crate::archives::*;
use crate::engine::tool;
use crate::real_tools::skopeo;
use crate::support::*;

/// `!lib/a.properties:3 lz4`.
fn place(finding: &Finding) -> String {
    let Place::LayerFile { inner, position, .. } = &finding.place else { panic!("not in a file: {:?}", finding.place) };
    let members: String = inner.iter().map(|member| format!("!{}", String::from_utf8_lossy(member))).collect();
    let line = position.map(|position| format!(":{}", position.line)).unwrap_or_default();
    [&[format!("{members}{line}")][..], &finding.decoding.iter().map(|step| step.to_string()).collect::<Vec<_>>()].concat().join(" ")
}

/// Scans a layer with one file, in a blob of some compression.
fn file_in(path: &str, bytes: &[u8], compression: Compression, nested: Bounds) -> Scan {
    let mut layer = LayerBuilder::new();
    layer.file("/first", token("canary"));
    layer.file(path, bytes);
    let temp = Temp::new();
    let file = temp.file("layer", compress(&layer.finish(), compression).unwrap());
    let options = Options { limits: Limits { nested, ..Limits::default() }, ..Options::default() };
    let scan = sound(scan_text(file.to_str().unwrap(), &options));
    only(&scan, &token("canary"));
    scan
}

/// Scans a file in a mapped layer and in one that is a stream; what is found must be the same.
fn file(path: &str, bytes: &[u8]) -> Scan {
    let scans = [Compression::None, Compression::Gzip].map(|compression| file_in(path, bytes, compression, Bounds::default()));
    let seen = |scan: &Scan| scan.findings.iter().skip(1).map(place).collect::<Vec<_>>();
    assert_eq!(seen(&scans[0]), seen(&scans[1]), "{path}");
    assert_eq!(reasons(&scans[0]), reasons(&scans[1]), "{path}");
    let [first, _] = scans;
    first
}

#[track_caller]
fn check(path: &str, bytes: &[u8], secret: &str, expected: &str) {
    let scan = file(path, bytes);
    assert_eq!(place(only(&scan, secret)), expected, "{path}");
    assert_eq!(reasons(&scan), [], "{path}: {:#?}", scan.coverage.skipped);
}

/// Runs a tool in a folder.
fn run(folder: &Path, program: &str, arguments: &[&str]) {
    tool(Command::new(program).current_dir(folder).args(arguments));
}

/// Text that compresses, but not to nothing.
fn noise(size: usize) -> String {
    Random::new(3).text(b"abcdefghijklmnop =\n0123456789", size)
}

/// More than what is matched at once.
const LARGE: usize = 5 << 20;

/// Files of several sizes, with a secret in the last line of each; and the secrets, by name.
fn tree(temp: &Temp, seed: &str, large: usize) -> Vec<(String, String, usize)> {
    let sizes = [("a/small.env", 40), ("a/b/medium.txt", 70_000), ("large with a long name.properties", large), ("a/b/c/empty", 0)];
    let mut secrets = Vec::new();
    for (name, size) in sizes {
        let (secret, before) = (token(&format!("{seed} {name}")), noise(size));
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 2;
        let text = if size == 0 { String::new() } else { format!("{before}\ntoken={secret}\n") };
        temp.file(&format!("tree/{name}"), text);
        secrets.extend((size > 0).then_some((name.to_owned(), secret, line)));
    }
    secrets
}

/// All secrets of a [`tree`] are found where they are.
#[track_caller]
fn check_tree(path: &str, bytes: &[u8], secrets: &[(String, String, usize)]) {
    let scan = file(path, bytes);
    for (name, secret, line) in secrets {
        assert_eq!(place(only(&scan, secret)), format!("!{name}:{line}"), "{path}");
    }
    assert_eq!((scan.findings.len(), reasons(&scan)), (secrets.len() + 1, vec![]), "{path}: {:#?}", scan.coverage.skipped);
}

#[test]
#[ignore = "needs lz4, brotli and xz; tests/run includes it where they are installed"]
fn streams_of_every_kind_are_undone() {
    let temp = Temp::new();
    for size in [0, 100_000, 5 << 20] {
        let secret = token(&format!("stream {size}"));
        let before = noise(size);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 2;
        temp.file("t.txt", format!("{before}\ntoken={secret}\n"));
        let all = ["-BD", "-l", "-B4", "-BX", "--content-size", "--no-frame-crc", "-9"];
        for options in &all[..if size > 1 << 20 { 2 } else { all.len() }] {
            run(&temp.path(""), "lz4", &["-q", "-f", options, "t.txt", "t.lz4"]);
            check("/t.txt.lz4", &std::fs::read(temp.path("t.lz4")).unwrap(), &secret, &format!(":{line} lz4"));
        }
        run(&temp.path(""), "xz", &["-k", "-f", "--format=lzma", "-1", "t.txt"]);
        check("/t.txt.lzma", &std::fs::read(temp.path("t.txt.lzma")).unwrap(), &secret, &format!(":{line} lzma"));
        run(&temp.path(""), "brotli", &["-f", "-q", "5", "t.txt", "-o", "t.br"]);
        check("/t.txt.br", &std::fs::read(temp.path("t.br")).unwrap(), &secret, &format!(":{line} brotli"));
    }
    // Several frames are one file, and what follows is text.
    let (one, other, after) = (token("one"), token("other"), token("after"));
    temp.file("one", &one);
    temp.file("other", &other);
    for name in ["one", "other"] {
        run(&temp.path(""), "lz4", &["-q", name, &format!("{name}.lz4")]);
    }
    let frames = ["one.lz4", "other.lz4"].map(|name| std::fs::read(temp.path(name)).unwrap()).concat();
    let found = file("/x.lz4", &[frames, format!("\n{after}\n").into_bytes()].concat());
    for secret in [&one, &other, &after] {
        only(&found, secret);
    }
    assert_eq!(reasons(&found), []);
    // A layer of an image may be such a stream as well.
    let mut layer = LayerBuilder::new();
    layer.file("/a", &one);
    temp.file("layer", layer.finish());
    run(&temp.path(""), "lz4", &["-q", "layer", "layer.lz4"]);
    assert_eq!(path_of(only(&scan(&temp.path("layer.lz4")), &one)), "/a");
}

#[test]
#[ignore = "needs python3 and 7z; tests/run includes it where they are installed"]
fn zip_members_of_every_method_are_undone() {
    let temp = Temp::new();
    let secret = token("method");
    let text = format!("{}\ntoken={secret}\n", noise(200_000));
    let line = text.lines().count();
    temp.file("t.txt", &text);
    let program =
        "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[2], 'w', int(sys.argv[1])) as archive: archive.write('t.txt', 'd/t.txt')";
    for method in ["0", "8", "12", "14"] {
        run(&temp.path(""), "python3", &["-c", program, method, "p.zip"]);
        check("/p.zip", &std::fs::read(temp.path("p.zip")).unwrap(), &secret, &format!("!d/t.txt:{line}"));
    }
    for method in ["Copy", "Deflate", "Deflate64", "BZip2", "LZMA", "xz"] {
        let _ = std::fs::remove_file(temp.path("s.zip"));
        run(&temp.path(""), "7z", &["a", "-tzip", &format!("-mm={method}"), "s.zip", "t.txt"]);
        check("/s.zip", &std::fs::read(temp.path("s.zip")).unwrap(), &secret, &format!("!t.txt:{line}"));
    }
    run(&temp.path(""), "7z", &["a", "-tzip", "-mm=PPMd", "u.zip", "t.txt"]);
    assert_eq!(reasons(&file("/u.zip", &std::fs::read(temp.path("u.zip")).unwrap())), [Reason::UnreadFormat]);
}

#[test]
#[ignore = "needs python3; tests/run includes it where it is installed"]
fn a_zip_archive_that_is_too_long_to_be_held_is_read_in_order() {
    let temp = Temp::new();
    let secrets = ["first", "stored", "last", "bzip2", "lzma"].map(token);
    temp.file("noise", noise(3 << 20));
    // Written to a pipe, the sizes stand behind the members; only what says where it ends can be read then.
    let program = [
        "import sys, zipfile",
        "name, first, stored, last, bzip2, lzma = sys.argv[1:]",
        "piped = name == '-'",
        "out = zipfile.ZipFile(sys.stdout.buffer if piped else name, 'w', zipfile.ZIP_DEFLATED)",
        "out.writestr('a/first.env', '\\n' + first)",
        "out.write('noise')",
        "out.writestr('stored', stored, zipfile.ZIP_DEFLATED if piped else zipfile.ZIP_STORED)",
        "if not piped: out.writestr('bzip2', bzip2, zipfile.ZIP_BZIP2)",
        "if not piped: out.writestr('lzma', lzma, zipfile.ZIP_LZMA)",
        "out.writestr('last', last)",
        "out.close()",
    ];
    temp.file("make.py", program.join("\n"));
    run(
        &temp.path(""),
        "sh",
        &["-c", &format!("python3 make.py sized.zip {0} && python3 make.py - {0} | cat > piped.zip", secrets.join(" "))],
    );
    let expected = ["!a/first.env:2", "!stored:1", "!last:1", "!bzip2:1", "!lzma:1"];
    for (name, count) in [("sized.zip", 5), ("piped.zip", 3)] {
        // Beyond what is a piece of a batch.
        let bytes = [std::fs::read(temp.path(name)).unwrap(), vec![0; 5 << 20]].concat();
        let scan = file_in("/long.zip", &bytes, Compression::Gzip, Bounds { held_bytes: 1 << 20, spooled_bytes: 0, ..Bounds::default() });
        for (secret, expected) in secrets.iter().zip(expected).take(count) {
            assert_eq!(place(only(&scan, secret)), expected, "{name}");
        }
        assert_eq!(reasons(&scan), [Reason::TooLarge], "{:#?}", scan.coverage.skipped);
        assert!(scan.coverage.skipped[0].detail.contains("directory at its end"));
    }
}

#[test]
#[ignore = "needs 7z; tests/run includes it where it is installed"]
fn the_files_of_7z_archives_are_read() {
    let temp = Temp::new();
    let folder = temp.path("tree");
    for (large, options) in [
        (LARGE, &["-m0=LZMA2"][..]),
        (9_000, &["-m0=LZMA2"]),
        (9_000, &["-m0=LZMA"]),
        (9_000, &["-m0=BZip2"]),
        (9_000, &["-m0=Deflate"]),
        (9_000, &["-m0=Deflate64"]),
        (9_000, &["-m0=Copy"]),
        (9_000, &["-m0=BCJ", "-m1=LZMA2"]),
        (9_000, &["-m0=BCJ", "-m1=LZMA"]),
        (9_000, &["-ms=off"]),
        (9_000, &["-mhc=off"]),
    ] {
        let secrets = tree(&temp, "7z", large);
        let _ = std::fs::remove_file(temp.path("x.7z"));
        run(&folder, "7z", &[&["a", "-mx=1", "../x.7z"][..], options, &["."]].concat());
        check_tree("/x.7z", &std::fs::read(temp.path("x.7z")).unwrap(), &secrets);
    }
    for (options, reason) in [
        (&["-phunter2"][..], Reason::Encrypted),
        (&["-phunter2", "-mhe=on"], Reason::Encrypted),
        (&["-m0=PPMd"], Reason::UnreadFormat),
        (&["-m0=Delta:4", "-m1=LZMA2"], Reason::UnreadFormat),
    ] {
        let _ = std::fs::remove_file(temp.path("x.7z"));
        run(&folder, "7z", &[&["a", "-mx=1", "../x.7z"][..], options, &["."]].concat());
        let scan = file("/x.7z", &std::fs::read(temp.path("x.7z")).unwrap());
        assert_eq!(reasons(&scan), [reason], "{options:?}: {:#?}", scan.coverage.skipped);
    }
}

#[test]
#[ignore = "needs mksquashfs; tests/run includes it where it is installed"]
fn the_files_of_squashfs_images_are_read() {
    let temp = Temp::new();
    let mut secrets = tree(&temp, "squashfs", LARGE);
    // Enough files for tables of several blocks.
    for number in 0..900 {
        temp.file(&format!("tree/many/{number}-{}", "n".repeat(60)), format!("nothing {number}"));
    }
    let secret = token("of many");
    temp.file("tree/many/450b", format!("\n{secret}"));
    secrets.push(("many/450b".to_owned(), secret, 2));
    for (number, compressor) in ["gzip", "xz", "lz4", "zstd", "lzma"].into_iter().enumerate() {
        if number == 1 {
            let small = tree(&temp, "squashfs", 300_000);
            secrets.splice(..small.len(), small);
        }
        for options in [&[][..], &["-noI", "-noD", "-noF"], &["-no-fragments", "-b", "4096"], &["-always-use-fragments", "-b", "1M"]] {
            let fixed = ["tree", "x.squashfs", "-noappend", "-quiet", "-no-progress", "-processors", "1", "-comp", compressor];
            run(&temp.path(""), "mksquashfs", &[&fixed[..], options].concat());
            check_tree("/x.snap", &std::fs::read(temp.path("x.squashfs")).unwrap(), &secrets);
            if compressor != "gzip" {
                break;
            }
        }
    }
    run(&temp.path(""), "mksquashfs", &["tree", "x.squashfs", "-noappend", "-quiet", "-no-progress", "-comp", "lzo"]);
    assert_eq!(reasons(&file("/x.snap", &std::fs::read(temp.path("x.squashfs")).unwrap())), [Reason::UnreadFormat]);
}

#[test]
#[ignore = "needs genisoimage; tests/run includes it where it is installed"]
fn the_files_of_iso_images_are_read() {
    let temp = Temp::new();
    let secrets = tree(&temp, "iso", LARGE);
    for options in [&["-R"][..], &["-J"], &["-R", "-J"], &["-R", "-J", "-joliet-long", "-udf"]] {
        run(&temp.path(""), "genisoimage", &[&["-quiet", "-o", "x.iso"][..], options, &["tree"]].concat());
        let bytes = std::fs::read(temp.path("x.iso")).unwrap();
        check_tree("/x.iso", &bytes, &secrets);
        let (name, secret, line) = &secrets[1];
        check("/x.iso.gz", &gzip(&bytes), secret, &format!("!{name}:{line} gzip"));
    }
    // Without long names there are short ones.
    run(&temp.path(""), "genisoimage", &["-quiet", "-o", "x.iso", "tree"]);
    let scan = file("/x.iso", &std::fs::read(temp.path("x.iso")).unwrap());
    assert!(place(only(&scan, &secrets[0].1)).starts_with("!A/SMALL.ENV:"), "{}", place(only(&scan, &secrets[0].1)));
}

#[test]
#[ignore = "needs asar; tests/run includes it where it is installed"]
fn the_files_of_asar_archives_are_read() {
    let temp = Temp::new();
    let secrets = tree(&temp, "asar", LARGE);
    run(&temp.path(""), "asar", &["pack", "tree", "app.asar"]);
    check_tree("/opt/app/resources/app.asar", &std::fs::read(temp.path("app.asar")).unwrap(), &secrets);
    // What is unpacked lies beside the archive.
    run(&temp.path(""), "asar", &["pack", "tree", "part.asar", "--unpack", "medium.txt"]);
    let secrets: Vec<_> = secrets.into_iter().filter(|(name, ..)| name != "a/b/medium.txt").collect();
    check_tree("/part.asar", &std::fs::read(temp.path("part.asar")).unwrap(), &secrets);
}

#[test]
#[ignore = "needs skopeo; tests/run includes it where it is installed"]
fn an_image_that_skopeo_saved_into_another_is_an_image() {
    let secret = token("saved by skopeo");
    let inner = ImageBuilder::new()
        .tag("example.org/inner:1")
        .layer("COPY . /", |layer| layer.file("/srv/key", format!("\n{secret}")))
        .layer("RUN rm /srv/key", |layer| layer.whiteout("/srv/key"));
    let temp = Temp::new();
    temp.file("inner.tar", inner.docker_archive().unwrap());
    let path = |name: &str| temp.path(name).display().to_string();
    let from = format!("docker-archive:{}", path("inner.tar"));
    for (to, name) in [("docker-archive", "example.org/inner:1"), ("oci-archive", "1")] {
        let _ = std::fs::remove_file(temp.path("saved.tar"));
        skopeo(&from, &format!("{to}:{}:example.org/inner:1", path("saved.tar")), &[]);
        let scan = file("/opt/saved.tar", &std::fs::read(temp.path("saved.tar")).unwrap());
        let image = only(&scan, &secret).nested_image.as_deref().unwrap();
        assert_eq!((image.layer.as_ref().map(|layer| layer.index), image.visibility), (Some(0), Some(Visibility::Deleted { layer: 1 })));
        assert!(image.name.as_deref().is_some_and(|known| known.ends_with(name)), "{image:?}");
        assert!(image.hidden_by.as_ref().unwrap().created_by.as_deref().is_some_and(|by| by.contains("rm /srv/key")));
    }
}

/// Archives of each kind with some bytes changed or cut off: none may end the program, or cost what lies beside it.
#[test]
#[ignore = "needs 7z, mksquashfs, genisoimage, lz4, brotli and xz; tests/run includes it where they are installed"]
fn changed_bytes_of_real_archives_do_no_harm() {
    let temp = Temp::new();
    for number in 0..30 {
        temp.file(&format!("tree/{}/{number}", number % 4), noise(300 * number));
    }
    temp.file("t", noise(40_000));
    let at = temp.path("");
    for compressor in ["gzip", "xz", "lz4", "zstd"] {
        let fixed = ["tree", "-noappend", "-quiet", "-no-progress", "-b", "4096", "-nopad", "-comp", compressor];
        run(&at, "mksquashfs", &[&fixed[..1], &[&format!("{compressor}.squashfs")], &fixed[1..]].concat());
    }
    run(&at, "7z", &["a", "a.7z", "tree"]);
    run(&at, "7z", &["a", "-mhc=off", "-m0=LZMA", "b.7z", "tree"]);
    run(&at, "7z", &["a", "-tzip", "-mm=Deflate64", "a.zip", "t"]);
    run(&at, "7z", &["a", "-tzip", "-mm=LZMA", "b.zip", "t"]);
    run(&at, "genisoimage", &["-quiet", "-R", "-J", "-o", "a.iso", "tree"]);
    run(&at, "lz4", &["-q", "-BD", "t", "a.lz4"]);
    run(&at, "lz4", &["-q", "-l", "t", "b.lz4"]);
    run(&at, "brotli", &["t", "-o", "a.br"]);
    run(&at, "xz", &["-k", "--format=lzma", "t"]);
    let names = ["gzip.squashfs", "xz.squashfs", "lz4.squashfs", "zstd.squashfs"];
    let names = [&names[..], &["a.7z", "b.7z", "a.zip", "b.zip", "a.iso", "a.lz4", "b.lz4", "a.br", "t.lzma"]].concat();
    let mut random = Random::new(17);
    for name in names {
        let sample = std::fs::read(temp.path(name)).unwrap();
        let mut layer = LayerBuilder::new();
        for round in 0..30 {
            let mut bytes = sample.clone();
            for _ in 0..1 + random.below(6) {
                // The tables stand at the ends.
                let near = random.below(200.min(bytes.len()));
                let at = [near, bytes.len() - 1 - near, random.below(bytes.len())][random.below(3)];
                match random.below(4) {
                    0 => bytes[at] = random.below(256) as u8,
                    1 => bytes[at] ^= 1 << random.below(8),
                    2 => bytes[at] = 0xff,
                    _ if round % 5 == 0 => bytes.truncate(at + 1),
                    _ => bytes[at] = 0,
                }
            }
            layer.file(format!("/{round}-{name}"), bytes);
        }
        layer.file("/canary", token("beside it"));
        let temp = Temp::new();
        let nested = Bounds { file_bytes: 64 << 20, ..Bounds::default() };
        let options = Options { limits: Limits { nested, ..Limits::default() }, ..Options::default() };
        let scan = sound(scan_text(temp.file("layer.tar", layer.finish()).to_str().unwrap(), &options));
        only(&scan, &token("beside it"));
    }
}
