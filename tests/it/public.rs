//! Findings in public files: suppressed where the package that the file is of is proved, counted everywhere else.

use base64::Engine as _;
use layersift::finding::{Confidence, Finding, Gate, Manager, Outcome as Verdict, Package, Scan};
use layersift::layer::decode::Compression;
use layersift::report::Exposure;
use layersift::scan::{Options, PublicFiles};
use layersift::source::builder::{ImageBuilder, LayerBuilder};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::cli::{Run, program};
use crate::support::*;

const INSTALL: &str = "RUN apt-get update && apt-get install -y libx1";
const DISTRIBUTION: &str = "X Team <x@lists.debian.org>";
const PATH: &str = "/usr/lib/x86_64-linux-gnu/libx.so.1";

fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// dpkg's database, with `libx1` alone in it, which has `path` with these bytes.
fn dpkg(layer: &mut LayerBuilder, maintainer: &str, path: &str, bytes: &[u8]) {
    let status = format!(
        "Package: libx1\nStatus: install ok installed\nMaintainer: {maintainer}\nArchitecture: amd64\nVersion: 3.7-2\nDescription: x\n\n"
    );
    layer.file("/var/lib/dpkg/status", status);
    layer.file("/var/lib/dpkg/info/libx1:amd64.md5sums", format!("{}  {}\n", md5(bytes), path.trim_start_matches('/')));
}

fn body(seed: &str) -> Vec<u8> {
    format!("text\ntoken: {}\n", token(seed)).into_bytes()
}

/// A file of the package, in the layer that installed it.
fn installed(step: &str, maintainer: &str, recorded: &str) -> ImageBuilder {
    ImageBuilder::new().layer(step, |layer| {
        layer.file(PATH, body("file"));
        dpkg(layer, maintainer, recorded, &body("file"));
    })
}

fn libx() -> Option<Package> {
    Some(Package { manager: Manager::Dpkg, name: "libx1".to_owned(), version: "3.7-2".to_owned() })
}

fn is_public(finding: &Finding) -> bool {
    let suppressed = finding.suppressed.as_ref().is_some_and(|suppression| suppression.reason == "public-file");
    assert_eq!(suppressed, finding.package.is_some());
    suppressed
}

#[track_caller]
fn fails(scan: &Scan, expected: bool) {
    let is_failing = Gate::default().outcome(scan) == Verdict::Findings;
    assert_eq!(is_failing, expected, "{:#?}", scan.findings);
}

#[test]
fn an_untouched_file_of_a_package_is_suppressed_with_its_name_and_version() {
    for recorded in [PATH, &PATH["/usr".len()..]] {
        let scan = scan_image(&installed(INSTALL, DISTRIBUTION, recorded));
        let finding = only(&scan, &token("file"));
        assert_eq!(finding.package, libx(), "{recorded}");
        assert!(finding.suppressed.as_ref().unwrap().detail.contains("libx1 3.7-2"));
        fails(&scan, false);
        let report = valid(&report(&scan, Exposure::Redacted));
        let suppressed = &report["findings"][0]["suppressed"];
        assert_eq!(suppressed["reason"], "public-file");
        assert_eq!(suppressed["package"], serde_json::json!({ "manager": "dpkg", "name": "libx1", "version": "3.7-2" }));
    }
}

#[test]
fn a_changed_file_and_one_that_nobody_owns_count() {
    let changed = ImageBuilder::new().layer(INSTALL, |layer| {
        layer.file(PATH, body("changed"));
        layer.file("/usr/lib/other", body("file"));
        dpkg(layer, DISTRIBUTION, PATH, &body("file"));
    });
    let scan = scan_image(&changed);
    for seed in ["changed", "file"] {
        let finding = only(&scan, &token(seed));
        assert!(!is_public(finding) && finding.note.is_none(), "{finding:#?}");
    }
    fails(&scan, true);
}

#[test]
fn a_later_layer_may_repeat_the_file_but_not_change_it() {
    let image = installed(INSTALL, DISTRIBUTION, PATH)
        .layer("RUN chmod 600 libx.so.1", |layer| layer.file(PATH, body("file")))
        .layer("COPY libx.so.1 /usr/lib/", |layer| layer.file(PATH, body("own")));
    let scan = scan_image(&image);
    let states: Vec<bool> = scan.findings.iter().map(is_public).collect();
    assert_eq!(states, [true, true, false], "{:#?}", scan.findings);
    assert!(!is_public(only(&scan, &token("own"))));
}

#[test]
fn a_forged_database_hides_no_key_of_the_images_own() {
    let key = |layer: &mut LayerBuilder| layer.file("/srv/key", body("file"));
    let forge = |layer: &mut LayerBuilder| dpkg(layer, DISTRIBUTION, "/srv/key", &body("file"));
    let both = |layer: &mut LayerBuilder| {
        key(layer);
        forge(layer);
    };
    let table = [
        ("it comes later", ImageBuilder::new().layer("COPY key /srv/", key).layer(INSTALL, forge)),
        ("it is copied beside it", ImageBuilder::new().layer("COPY . /", both)),
        (
            "it is added beside it",
            ImageBuilder::new().layer("COPY motd /etc/", |layer| layer.file("/etc/motd", "x")).layer("ADD . /", both),
        ),
        ("a folder is the root filesystem", ImageBuilder::new().layer("ADD . /", both)),
        ("it is copied before it", ImageBuilder::new().layer("COPY db /", forge).layer("COPY key /srv/", key)),
        ("no package manager ran", ImageBuilder::new().layer("RUN ./apt.sh", both)),
        ("a third party made the package", installed(INSTALL, "Example <ops@example.org>", PATH)),
        (
            "the package is not in the status of its layer",
            ImageBuilder::new().layer(INSTALL, |layer| {
                key(layer);
                layer.file("/var/lib/dpkg/info/libx1.md5sums", format!("{}  srv/key\n", md5(&body("file"))));
            }),
        ),
    ];
    for (name, image) in table {
        let scan = scan_image(&image);
        assert!(!is_public(only(&scan, &token("file"))), "{name}");
        fails(&scan, true);
    }
    let said = scan_image(&ImageBuilder::new().layer("COPY . /", both));
    let note = only(&said, &token("file")).note.clone();
    assert_eq!(note.as_deref(), Some("the image's package database says that the file is as libx1 3.7-2 (dpkg) has it"));
}

#[test]
fn the_root_filesystem_of_a_distribution_is_installed() {
    fails(&scan_image(&installed("ADD rootfs.tar.xz /", DISTRIBUTION, PATH)), false);
}

#[test]
fn a_layer_without_a_history_is_not_known_to_be_installed() {
    let temp = Temp::new();
    let mut layer = LayerBuilder::new();
    layer.file(PATH, body("file"));
    dpkg(&mut layer, DISTRIBUTION, PATH, &body("file"));
    fails(&scan(&temp.file("layer.tar", layer.finish())), true);
}

/// A distribution with one file, installed by pip.
fn distribution(step: &str, metadata: &str, more: &[(&str, &str)]) -> ImageBuilder {
    ImageBuilder::new().layer(step, |layer| {
        let site = "/usr/lib/python3/site-packages";
        let sum = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(body("file")));
        layer.file(format!("{site}/thing/test_keys.py"), body("file"));
        layer.file(format!("{site}/thing-1.2.dist-info/RECORD"), format!("thing/test_keys.py,sha256={sum},60\n"));
        layer.file(format!("{site}/thing-1.2.dist-info/METADATA"), metadata);
        for (name, text) in more {
            layer.file(format!("{site}/thing-1.2.dist-info/{name}"), text);
        }
    })
}

#[test]
fn a_python_distribution_is_public_if_it_is_published_and_was_installed_by_its_name() {
    const OPEN: &str = "Name: thing\nVersion: 1.2\nProject-URL: Source, https://example.org\nLicense-Expression: MIT\n\n";
    const PIP: &str = "RUN pip install -r requirements.txt";
    let scan = scan_image(&distribution(PIP, OPEN, &[]));
    let package = only(&scan, &token("file")).package.clone().unwrap();
    assert_eq!((package.manager, package.name.as_str(), package.version.as_str()), (Manager::Python, "thing", "1.2"));
    fails(&scan, false);
    fails(&scan_image(&distribution(PIP, OPEN, &[("direct_url.json", "{\"url\": \"file:///src\", \"dir_info\": {}}")])), true);
    fails(&scan_image(&distribution(PIP, "Name: thing\nVersion: 1.2\n\n", &[])), true);
    fails(&scan_image(&distribution("COPY /venv /venv", OPEN, &[])), true);
}

#[test]
fn a_package_of_alpine_is_public() {
    let image = |maintainer: &str| {
        ImageBuilder::new().layer("RUN apk add --no-cache x", |layer| {
            let sum = base64::engine::general_purpose::STANDARD.encode(Sha1::digest(body("file")));
            layer.file("/etc/x/key", body("file"));
            let text = format!("C:Q1x=\nP:x\nV:1.2-r0\nm:{maintainer}\nF:etc/x\nR:key\na:0:0:600\nZ:Q1{sum}\n\n");
            layer.file("/lib/apk/db/installed", text);
        })
    };
    let scan = scan_image(&image("A <a@alpinelinux.org>"));
    assert_eq!(only(&scan, &token("file")).package.as_ref().map(|package| package.manager), Some(Manager::Apk));
    fails(&scan, false);
    fails(&scan_image(&image("A <a@example.org>")), true);
}

#[test]
fn a_large_file_is_known_at_any_place_and_from_any_source() {
    // Larger than a piece, and not at the start of a buffer; noise, so that it stays large when it is compressed.
    let mut state = 7_u32;
    let mut large: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(3 << 20)
    .collect();
    large.extend(b"\n".iter().chain(&body("file")).chain(b"\n").chain(&[0; 1000]));
    let beyond = vec![b' '; 5 << 20];
    let image = |compression| {
        ImageBuilder::new().compression(compression).layer(INSTALL, |layer| {
            layer.file("/usr/share/before", &large[..300_000]);
            layer.file(PATH, &large);
            layer.file("/usr/share/beyond", [beyond.as_slice(), &body("beyond")].concat());
            dpkg(layer, DISTRIBUTION, PATH, &large);
            layer.file(
                "/var/lib/dpkg/info/libx1.md5sums",
                format!("{}  usr/share/beyond\n", md5(&[beyond.as_slice(), &body("beyond")].concat())),
            );
        })
    };
    let temp = Temp::new();
    let mut seen = Vec::new();
    for (name, compression) in [("plain.tar", Compression::None), ("gzip.tar", Compression::Gzip)] {
        let bytes = image(compression).docker_archive().unwrap();
        let path = temp.file(name, bytes);
        for jobs in [1, 4] {
            let scan = sound(scan_text(path.to_str().unwrap(), &Options { jobs, ..Options::default() }));
            assert!(is_public(only(&scan, &token("file"))), "{name}");
            seen.push((facts(&scan), scan.findings.iter().map(|finding| finding.package.clone()).collect::<Vec<_>>()));
        }
        let stdin = std::fs::File::open(&path).unwrap();
        let piped = Run::new(program().args(["scan", "-", "--format", "json"]).stdin(stdin).output().unwrap());
        let report = valid(&piped.stdout);
        let reasons: Vec<&str> =
            report["findings"].as_array().unwrap().iter().filter_map(|finding| finding["suppressed"]["reason"].as_str()).collect();
        assert_eq!((reasons, piped.code), (vec!["public-file"], 1), "{}", piped.stderr);
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
    // Beyond the bound of what is hashed a file counts.
    assert!(seen[0].0.iter().any(|facts| facts.path == "/usr/share/beyond" && !facts.suppressed));
}

#[test]
fn public_files_can_be_told_to_count() {
    let temp = Temp::new();
    let path = temp.file("image.tar", installed(INSTALL, DISTRIBUTION, PATH).docker_archive().unwrap());
    let scan = sound(scan_text(path.to_str().unwrap(), &Options { public_files: PublicFiles::Report, ..Options::default() }));
    assert!(!is_public(only(&scan, &token("file"))));
    fails(&scan, true);
    for (flags, code) in [(vec!["scan", "image.tar"], 0), (vec!["scan", "image.tar", "--no-public-files"], 1)] {
        let run = Run::new(program().current_dir(temp.path("")).args(&flags).output().unwrap());
        assert_eq!(run.code, code, "{flags:?} {}", run.stdout);
    }
}

#[test]
fn a_compiled_copy_of_a_public_file_is_public_secret_by_secret() {
    const OPEN: &str = "Name: thing\nVersion: 1.2\nHome-page: https://example.org\nLicense: MIT\n\n";
    let compiled = |seed: &str| [&b"\xcb\x0d\x0d\x0a\0\0\0\0"[..], &body(seed), b"\0\0"].concat();
    let image = |source: &str, seeds: &'static [&'static str]| {
        let recorded = Sha256::digest(body("file"));
        let source = body(source);
        ImageBuilder::new().layer("RUN pip install thing", move |layer| {
            let site = "/usr/lib/python3/site-packages";
            let sum = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(recorded);
            layer.file(format!("{site}/thing/a.py"), source);
            layer.file(
                format!("{site}/thing/__pycache__/a.cpython-311.pyc"),
                seeds.iter().flat_map(|seed| compiled(seed)).collect::<Vec<_>>(),
            );
            layer.file(
                format!("{site}/thing-1.2.dist-info/RECORD"),
                format!("thing/a.py,sha256={sum},60\nthing/__pycache__/a.cpython-311.pyc,,\n"),
            );
            layer.file(format!("{site}/thing-1.2.dist-info/METADATA"), OPEN);
        })
    };
    let untouched = scan_image(&image("file", &["file"]));
    assert!(untouched.findings.iter().all(is_public) && untouched.findings.len() == 2, "{:#?}", untouched.findings);
    assert!(
        untouched.findings.iter().any(|finding| finding
            .suppressed
            .as_ref()
            .unwrap()
            .detail
            .starts_with("it is compiled from a file of thing 1.2"))
    );
    let more = scan_image(&image("file", &["file", "own"]));
    assert!(!is_public(only(&more, &token("own"))));
    fails(&more, true);
    // The source is another one by now, and so is public no more.
    let changed = scan_image(&image("changed", &["changed"]));
    assert!(!changed.findings.iter().any(is_public));
    fails(&changed, true);
    let off = Options { public_files: PublicFiles::Report, ..Options::default() };
    let temp = Temp::new();
    let path = temp.file("image.tar", image("file", &["file"]).docker_archive().unwrap());
    assert!(!sound(scan_text(path.to_str().unwrap(), &off)).findings.iter().any(is_public));
}

#[test]
fn a_key_that_a_package_tests_itself_with_is_a_guess_unless_something_speaks_against_it() {
    const PEM: &str = "/srv/app/node_modules/tls/test/server.pem";
    let key = || secret("private-key-pkcs8", "tested");
    let confidence =
        |scan: &Scan| scan.findings.iter().filter(|finding| finding.key.is_some()).map(|finding| finding.confidence).max().unwrap();
    let alone = scan_image(&ImageBuilder::new().layer("COPY . /srv/app", |layer| layer.file(PEM, key())));
    assert_eq!(confidence(&alone), Confidence::Possible);
    assert!(alone.findings[0].note.as_ref().unwrap().ends_with("it stands among the tests or samples of a package, tls"));
    fails(&alone, false);
    for path in ["/srv/app/node_modules/tls/server.pem", "/srv/app/test/server.pem"] {
        fails(&scan_image(&ImageBuilder::new().layer("COPY . /srv/app", |layer| layer.file(path, key()))), true);
    }
    // So is a password hash, and a token that was issued is not.
    const HASHES: &str = "/srv/app/node_modules/tls/test/hashes.js";
    let hash = secret("unix-password-hash", "tested");
    fails(&scan_image(&ImageBuilder::new().layer("COPY . /", |layer| layer.file(HASHES, format!("hash = '{hash}'\n")))), false);
    fails(
        &scan_image(&ImageBuilder::new().layer("COPY . /", |layer| layer.file("/srv/app/hashes.js", format!("hash = '{hash}'\n")))),
        true,
    );
    fails(&scan_image(&ImageBuilder::new().layer("COPY . /", |layer| layer.file(HASHES, body("issued")))), true);
    // A database has the path, with another hash: somebody changed the file.
    let changed = ImageBuilder::new().layer("COPY . /", |layer| {
        layer.file(PEM, key());
        dpkg(layer, DISTRIBUTION, PEM, b"as it was");
    });
    fails(&scan_image(&changed), true);
    let temp = Temp::new();
    let path = temp.file("image.tar", ImageBuilder::new().layer("COPY . /", |layer| layer.file(PEM, key())).docker_archive().unwrap());
    let all = Options { public_files: PublicFiles::Report, ..Options::default() };
    fails(&sound(scan_text(path.to_str().unwrap(), &all)), true);
}
