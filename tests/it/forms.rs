//! One image, every form it can come in: the findings are the same.

use std::fs;

use layersift::finding::{Place, Scan};
use layersift::layer::decode::Compression;
use layersift::scan::Options;
use layersift::source::builder::{ImageBuilder, ImageSet, compress};

use crate::support::*;

const COMPRESSIONS: [Compression; 5] = [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Xz, Compression::Bzip2];

/// The image as an archive, in the manner of one tool.
type Write = fn(&ImageBuilder) -> std::io::Result<Vec<u8>>;

const ARCHIVES: [(&str, Write); 4] = [
    ("docker archive", ImageBuilder::docker_archive),
    ("docker archive, legacy", ImageBuilder::docker_archive_legacy),
    ("docker 25", ImageBuilder::docker25),
    ("oci archive", ImageBuilder::oci_archive),
];

#[track_caller]
fn same(what: &str, scan: &Scan, expected: &[Facts]) {
    assert_eq!(facts(scan), expected, "{what}");
    assert_eq!(reasons(scan), [], "{what}");
}

fn expected(scenario: &Scenario) -> Vec<Facts> {
    let facts = facts(&scan_image(&scenario.image));
    for secret in &scenario.secrets {
        let count = facts.iter().filter(|fact| fact.secret == secret.as_bytes() && fact.rule == TOKEN_RULE).count();
        assert_eq!(count, 1, "every secret of the scenario is found once: {facts:#?}");
    }
    assert_eq!(facts.len(), scenario.secrets.len(), "and nothing else: {facts:#?}");
    facts
}

#[test]
fn archives_of_all_tools_however_layers_are_compressed() {
    let (temp, scenario) = (Temp::new(), scenario());
    let expected = expected(&scenario);
    for compression in COMPRESSIONS {
        let image = scenario.image.clone().compression(compression);
        for (form, write) in ARCHIVES {
            let scan = scan(&temp.file("image.tar", write(&image).unwrap()));
            same(&format!("{form}, layers {compression:?}"), &scan, &expected);
        }
    }
}

#[test]
fn archives_that_are_compressed_as_a_whole() {
    let (temp, scenario) = (Temp::new(), scenario());
    let expected = expected(&scenario);
    for compression in COMPRESSIONS {
        for (form, write) in ARCHIVES {
            let archive = compress(&write(&scenario.image).unwrap(), compression).unwrap();
            same(&format!("{form} in {compression:?}"), &scan(&temp.file("image", archive)), &expected);
        }
    }
    let twice = scenario.image.clone().compression(Compression::Zstd).docker25().unwrap();
    same("compressed inside and outside", &scan(&temp.file("image", compress(&twice, Compression::Gzip).unwrap())), &expected);
}

#[test]
fn folders() {
    let (temp, scenario) = (Temp::new(), scenario());
    let expected = expected(&scenario);
    for compression in COMPRESSIONS {
        let image = scenario.image.clone().compression(compression);
        let (layout, skopeo) = (temp.path(&format!("layout {compression:?}")), temp.path(&format!("skopeo {compression:?}")));
        image.oci_layout(&layout).unwrap();
        image.skopeo_dir(&skopeo).unwrap();
        same(&format!("layout, layers {compression:?}"), &scan(&layout), &expected);
        same(&format!("skopeo, layers {compression:?}"), &scan(&skopeo), &expected);
    }
}

#[cfg(unix)]
#[test]
fn archives_that_come_through_a_pipe() {
    let scenario = scenario();
    let expected = expected(&scenario);
    for (number, (form, write)) in ARCHIVES.into_iter().enumerate() {
        let temp = Temp::new();
        let (pipe, bytes) = (temp.path(&format!("pipe-{number}")), write(&scenario.image).unwrap());
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let writer = {
            let pipe = pipe.clone();
            // Ends when the scan has opened the other side, or fails with it.
            std::thread::spawn(move || fs::write(pipe, bytes))
        };
        let scan = scan(&pipe);
        writer.join().unwrap().unwrap();
        same(form, &scan, &expected);
    }
}

/// Rule, secret, path, line and column.
type InFile = (String, Vec<u8>, String, Option<u64>, Option<u64>);

/// What is found in the files of a layer, without what only an image knows.
fn in_files(scan: &Scan) -> Vec<InFile> {
    let place = |place: &Place| (place.position().map(|at| at.line), place.position().map(|at| at.column));
    let mut found: Vec<_> = facts(scan)
        .into_iter()
        .zip(&scan.findings)
        .filter(|(fact, _)| fact.kind == "layer-file" || fact.kind == "rootfs-file")
        .map(|(fact, finding)| (fact.rule, fact.secret, fact.path, place(&finding.place).0, place(&finding.place).1))
        .collect();
    found.sort();
    found
}

#[test]
fn a_layer_alone_and_its_files_on_disk() {
    let temp = Temp::new();
    let files = [("/app/.env", "A=b\nTOKEN=", token("one")), ("/app/deep/er/config", "x: y\n\n  token: ", token("two"))];
    let image = ImageBuilder::new().layer("COPY . .", |layer| {
        for (path, before, token) in &files {
            layer.file(path, format!("{before}{token}\n"));
        }
    });
    let expected = in_files(&scan_image(&image));
    assert_eq!(expected.len(), files.len());

    let layout = temp.path("layout");
    for compression in COMPRESSIONS {
        image.clone().compression(compression).oci_layout(&layout).unwrap();
        let blobs = fs::read_dir(layout.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().path());
        let layer = blobs.filter(|path| !fs::read(path).unwrap().starts_with(b"{")).collect::<Vec<_>>();
        assert_eq!(layer.len(), 1);
        let scan = sound(scan_text(&format!("layer:{}", layer[0].display()), &Options::default()));
        assert_eq!((in_files(&scan), reasons(&scan)), (expected.clone(), vec![]), "{compression:?}");
        fs::remove_dir_all(&layout).unwrap();
    }

    for (path, before, token) in &files {
        temp.file(&format!("rootfs{path}"), format!("{before}{token}\n"));
    }
    let scan = scan(&temp.path("rootfs"));
    assert_eq!((in_files(&scan), reasons(&scan)), (expected, vec![]));
    assert!(facts(&scan).iter().all(|fact| fact.kind == "rootfs-file"));
}

/// Images of two platforms under a nested index, one with an attestation.
fn two_platforms() -> (ImageSet, [String; 3]) {
    let tokens = [token("amd64"), token("arm64"), token("attestation")];
    let image = |platform: &str, token: &str| {
        ImageBuilder::new().platform(platform.parse().unwrap()).layer("COPY . .", |layer| layer.file("/token", token))
    };
    let statement = format!(r#"{{"predicate":{{"environment":{{"TOKEN":"{}"}}}}}}"#, tokens[2]);
    let amd64 = image("linux/amd64", &tokens[0]).attestation(statement);
    let arm64 = image("linux/arm64/v8", &tokens[1]);
    (ImageSet::new().image(amd64).image(arm64).nested("example.org/app:1"), tokens)
}

#[test]
fn a_nested_index_leads_to_every_platform_and_to_what_is_said_of_it() {
    let (temp, (set, tokens)) = (Temp::new(), two_platforms());
    let skopeo = temp.path("skopeo");
    set.skopeo_dir(&skopeo).unwrap();
    let layout = temp.path("layout");
    set.oci_layout(&layout).unwrap();
    let paths = [
        skopeo,
        layout,
        temp.file("oci.tar", set.oci_archive().unwrap()),
        temp.file("oci.tar.gz", compress(&set.oci_archive().unwrap(), Compression::Gzip).unwrap()),
    ];
    for path in paths {
        let scan = scan(&path);
        let platforms: Vec<String> = scan.images.iter().filter_map(|image| image.platform.as_ref()).map(ToString::to_string).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64/v8"], "{path:?}");
        for (token, (image, kind)) in tokens.iter().zip([(0, "layer-file"), (1, "layer-file"), (0, "attestation")]) {
            let finding = only(&scan, token);
            assert_eq!((finding.image, finding.place.kind()), (image, kind), "{path:?}");
        }
        assert_eq!(reasons(&scan), [], "{path:?}");
    }
}

#[test]
fn a_platform_can_be_asked_for() {
    let (temp, (set, tokens)) = (Temp::new(), two_platforms());
    let path = temp.file("oci.tar", set.oci_archive().unwrap());
    for (platform, wanted) in [("linux/amd64", [true, false, true]), ("linux/arm64", [false, true, false])] {
        let options = Options { platform: Some(platform.parse().unwrap()), ..Options::default() };
        let scan = sound(scan_text(path.to_str().unwrap(), &options));
        let found = tokens.each_ref().map(|token| scan.findings.iter().any(|finding| finding.secret.expose() == token.as_bytes()));
        assert_eq!(found, wanted, "{platform}");
    }
}

#[test]
fn images_in_one_archive_each_have_their_findings_and_their_names() {
    let (temp, shared) = (Temp::new(), token("shared"));
    let image = |name: &str| ImageBuilder::new().tag(name).layer("COPY . .", |layer| layer.file("/token", &shared));
    let other = image("example.org/b:1").layer("RUN rm /token", |layer| layer.whiteout("/token"));
    let set = ImageSet::new().image(image("example.org/a:1")).image(other);
    for (form, bytes) in [
        ("docker archive", set.docker_archive()),
        ("legacy", set.docker_archive_legacy()),
        ("docker 25", set.docker25()),
        ("oci archive", set.oci_archive()),
    ] {
        let scan = scan(&temp.file("image.tar", bytes.unwrap()));
        let names: Vec<Option<&str>> = scan.images.iter().map(|image| image.name.as_deref()).collect();
        // An index has the tag; where there is a list, it has the whole name.
        let expected = if form == "oci archive" { [Some("1"); 2] } else { [Some("example.org/a:1"), Some("example.org/b:1")] };
        assert_eq!(names, expected, "{form}");
        let lives: Vec<_> = scan.findings.iter().map(|finding| (finding.image, finding.visibility)).collect();
        use layersift::finding::Visibility::{Deleted, InFinalImage};
        assert_eq!(lives, [(0, Some(InFinalImage)), (1, Some(Deleted { layer: 1 }))], "{form}");
    }
}
