//! Layers whose archives are unusual, hostile or broken: what they hold is found, and what is wrong with them is said.

use layersift::finding::{Gaps, Outcome, Part, Place, Reason};
use layersift::layer::decode::Compression;
use layersift::oci::Digest;
use layersift::scan::{Options, Verify};
use layersift::source::builder::{ImageBuilder, LayerBuilder, compress};
use tar::EntryType;

use crate::support::*;

fn image(fill: impl FnOnce(&mut LayerBuilder)) -> ImageBuilder {
    ImageBuilder::new().layer("COPY . .", fill)
}

fn layer(fill: impl FnOnce(&mut LayerBuilder)) -> Vec<u8> {
    let mut layer = LayerBuilder::new();
    fill(&mut layer);
    layer.finish()
}

#[test]
fn long_names_of_both_kinds_are_whole() {
    let secret = token("long");
    let long = format!("/{}/secret", "folder/".repeat(60).trim_end_matches('/'));
    for kind in ["gnu", "pax"] {
        let scan = scan_image(&image(|layer| match kind {
            "gnu" => layer.file(&long, &secret),
            _ => {
                layer.pax(&[("path", &long.as_bytes()[1..])]);
                layer.file("short", &secret);
            }
        }));
        assert_eq!((path_of(only(&scan, &secret)), reasons(&scan)), (long.clone(), vec![]), "{kind}");
    }
}

#[test]
fn a_pax_name_wins_over_a_gnu_one_and_holds_for_one_entry() {
    let (first, second) = (token("first"), token("second"));
    let scan = scan_image(&image(|layer| {
        layer.pax(&[("path", b"by/pax")]);
        layer.file("x".repeat(120), &first);
        layer.file("plain", &second);
    }));
    assert_eq!((path_of(only(&scan, &first)), path_of(only(&scan, &second))), ("/by/pax".to_owned(), "/plain".to_owned()));
}

#[test]
fn a_name_that_is_not_utf8_keeps_its_bytes_and_its_life() {
    let (secret, name) = (token("bytes"), b"/app/\xff\xfe.env");
    let with_whiteout = image(|layer| layer.file(name, &secret)).layer("RUN rm", |layer| layer.whiteout(name));
    let scan = scan_image(&with_whiteout);
    let finding = only(&scan, &secret);
    assert_eq!(finding.place.path(), Some(&name[..]));
    assert_eq!(finding.visibility, Some(layersift::finding::Visibility::Deleted { layer: 1 }));
}

#[test]
fn names_links_and_records_are_searched() {
    let secrets: Vec<String> = ["name", "target", "xattr", "comment", "hidden"].map(token).into();
    let scan = scan_image(&image(|layer| {
        layer.file(format!("/cache/{}", secrets[0]), "");
        layer.symlink("/link", format!("/token={}", secrets[1]));
        layer.pax(&[("SCHILY.xattr.user.token", secrets[2].as_bytes()), ("comment", secrets[3].as_bytes())]);
        layer.file("/tagged", "nothing");
        layer.file("/.wh.token", &secrets[4]);
    }));
    let part = |secret: &str| only(&scan, secret).place.part().unwrap().clone();
    assert_eq!(part(&secrets[0]), Part::Name);
    assert_eq!(part(&secrets[1]), Part::LinkTarget);
    assert_eq!(part(&secrets[2]), Part::Pax("SCHILY.xattr.user.token".to_owned()));
    assert_eq!(part(&secrets[3]), Part::Pax("comment".to_owned()));
    // No engine unpacks the contents of a whiteout, but whoever pulls has them.
    assert_eq!(part(&secrets[4]), Part::Content);
    assert_eq!(path_of(only(&scan, &secrets[2])), "/tagged");
}

/// A sparse file of 16 KiB with `secret` at byte 8192 and nothing before it, in the old GNU format: the map is in the header.
fn gnu_sparse(layer: &mut LayerBuilder, secret: &str) {
    let mut header = LayerBuilder::header("/sparse", EntryType::GNUSparse, secret.len() as u64);
    let bytes = header.as_mut_bytes();
    bytes[386..398].copy_from_slice(format!("{:011o}\0", 8192).as_bytes());
    bytes[398..410].copy_from_slice(format!("{:011o}\0", secret.len()).as_bytes());
    bytes[483..495].copy_from_slice(format!("{:011o}\0", 16384).as_bytes());
    header.set_cksum();
    layer.raw(&header, secret);
}

/// The same in GNU's format 1.0: the map stands before the data.
fn pax_sparse(layer: &mut LayerBuilder, secret: &str) {
    layer.pax(&[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0"), ("GNU.sparse.name", b"sparse"), ("GNU.sparse.realsize", b"16384")]);
    let mut body = format!("1\n8192\n{}\n", secret.len()).into_bytes();
    body.resize(512, 0);
    body.extend(secret.as_bytes());
    layer.file("GNUSparseFile.0/sparse", body);
}

#[test]
fn sparse_files_are_read_and_places_in_them_are_places_in_the_file() {
    let (secret, next) = (token("sparse"), token("next"));
    type Write = fn(&mut LayerBuilder, &str);
    let formats: [(&str, Write); 2] = [("gnu", gnu_sparse), ("pax 1.0", pax_sparse)];
    for (format, write) in formats {
        for compression in [Compression::None, Compression::Gzip] {
            let fill = |layer: &mut LayerBuilder| {
                write(layer, &secret);
                layer.file("/next", &next);
            };
            let scan = scan_image(&image(fill).compression(compression));
            let finding = only(&scan, &secret);
            let offset = finding.place.position().unwrap().offset;
            assert_eq!((path_of(finding), offset, reasons(&scan)), ("/sparse".to_owned(), 8192, vec![]), "{format} {compression:?}");
            assert_eq!(path_of(only(&scan, &next)), "/next", "the entry after it is where it should be: {format}");
        }
    }
}

#[test]
fn a_header_that_says_two_sizes_hides_nothing() {
    let secret = token("smuggled");
    let scan = scan_image(&image(|layer| {
        layer.pax(&[("size", b"0"), ("size", b"1024")]);
        let header = LayerBuilder::header("/outer", EntryType::Regular, 512);
        let inner = LayerBuilder::header("/inner", EntryType::Regular, secret.len() as u64);
        layer.raw(&header, [inner.as_bytes(), secret.as_bytes()].concat());
    }));
    assert!(scan.findings.iter().any(|finding| finding.secret.expose() == secret.as_bytes()));
    assert_eq!((reasons(&scan), verdict(&scan)), (vec![Reason::MalformedEntry], Outcome::Findings));
}

#[test]
fn bytes_after_the_end_are_read_and_belong_to_no_file() {
    let secret = token("after");
    for compression in [Compression::None, Compression::Gzip] {
        let image = image(|layer| {
            layer.file("/a", "nothing");
            layer.after_end(format!("line\n{secret}"));
        });
        let scan = scan_image(&image.compression(compression));
        let finding = only(&scan, &secret);
        let Place::LayerBytes { layer: 0, position } = finding.place else { panic!("{:?}", finding.place) };
        assert_eq!((position.offset, position.line), (512 * 4 + 5, 2));
        assert_eq!(finding.visibility, Some(layersift::finding::Visibility::Deleted { layer: 0 }));
        // All was read, and all is what it says.
        assert_eq!((reasons(&scan), scan.coverage.is_complete()), (vec![Reason::TrailingBytes], true));
    }
}

#[test]
fn a_broken_header_does_not_hide_what_follows() {
    let (first, second) = (token("before"), token("behind"));
    let bytes = layer(|layer| {
        layer.file("/before", &first);
        layer.bytes([b'#'; 512]);
        layer.file("/behind", &second);
    });
    let scan = scan_image(&ImageBuilder::new().layer_bytes("COPY", bytes));
    only(&scan, &first);
    only(&scan, &second);
    assert!(reasons(&scan).contains(&Reason::MalformedEntry), "{:?}", reasons(&scan));
    assert!(!scan.coverage.is_complete());
}

#[test]
fn what_follows_damage_is_told_alike_however_the_layer_is_stored() {
    let (first, second) = (token("behind"), token("after the end"));
    // More than a buffer between a broken header and the next one, and zeros up to what stands after the end.
    let mut bytes = layer(|layer| {
        layer.file("/before", "x");
        layer.bytes(vec![b'#'; 1 << 21]);
        layer.file("/behind", &first);
    });
    bytes.resize(bytes.len() + (1 << 21) + 700, 0);
    bytes.extend(format!("and {second}").bytes());
    let told = [Compression::None, Compression::Gzip].map(|compression| {
        let scan = scan_image(&ImageBuilder::new().compression(compression).layer_bytes("COPY", bytes.clone()));
        assert_eq!(path_of(only(&scan, &first)), "/behind", "{compression:?}");
        let positions: Vec<_> = scan.findings.iter().map(|finding| finding.place.position()).collect();
        let skipped =
            scan.coverage.skipped.iter().map(|skipped| (skipped.reason, skipped.size, skipped.detail.clone())).collect::<Vec<_>>();
        (positions, skipped)
    });
    assert_eq!(told[0], told[1]);
}

#[test]
fn a_layer_that_is_no_archive_is_searched_as_it_stands() {
    let secret = token("text");
    let scan = scan_image(&ImageBuilder::new().layer_bytes("COPY", format!("no tar at all\n{secret}\n")));
    assert!(matches!(only(&scan, &secret).place, Place::LayerBytes { layer: 0, .. }));
}

/// A layer with `secret`, and after it more than any buffer holds.
fn long_layer(secret: &str) -> Vec<u8> {
    let noise = layersift::random::Random::new(1).text(b"abcdefgh \n", 3 << 20);
    layer(|layer| {
        layer.file("/first", secret);
        layer.file("/noise", &noise);
    })
}

/// What a scan of a one-layer image says, where the blob is not what it should be.
fn scan_blob(blob: Vec<u8>, diff_id: Digest) -> layersift::finding::Scan {
    let temp = Temp::new();
    let image = ImageBuilder::new().stored_layer("COPY", blob, diff_id);
    scan(&temp.file("image.tar", image.oci_archive().unwrap()))
}

#[test]
fn what_stands_before_the_damage_is_found_and_the_damage_is_said() {
    let secret = token("cut");
    let bytes = long_layer(&secret);
    let diff_id = Digest::sha256(&bytes);
    for compression in [Compression::Gzip, Compression::Zstd, Compression::Xz, Compression::Bzip2] {
        let whole = compress(&bytes, compression).unwrap();
        let scan = scan_blob(whole[..whole.len() * 3 / 4].to_vec(), diff_id.clone());
        assert_eq!(path_of(only(&scan, &secret)), "/first", "{compression:?}");
        assert!(reasons(&scan).contains(&Reason::DamagedStream), "{compression:?}: {:?}", reasons(&scan));
        assert!(!reasons(&scan).contains(&Reason::DiffIdMismatch), "damage is said once: {:?}", reasons(&scan));
    }
    let scan = scan_blob(bytes[..bytes.len() / 2].to_vec(), diff_id);
    assert_eq!(path_of(only(&scan, &secret)), "/first");
    assert!(reasons(&scan).contains(&Reason::TruncatedArchive));
}

#[test]
fn damage_without_findings_is_incomplete_and_not_clean() {
    let bytes = long_layer("nothing");
    let whole = compress(&bytes, Compression::Gzip).unwrap();
    let diff_id = Digest::sha256(&bytes);
    let verdicts = [
        ("whole", whole.clone(), Outcome::Clean),
        ("cut", whole[..whole.len() - 9].to_vec(), Outcome::Incomplete(Gaps::Warn)),
        ("bytes behind it", [&whole[..], b"trailing garbage"].concat(), Outcome::Incomplete(Gaps::Warn)),
    ];
    for (what, blob, expected) in verdicts {
        let scan = scan_blob(blob, diff_id.clone());
        assert_eq!(verdict(&scan), expected, "{what}: {:?}", scan.coverage.skipped);
        if expected == Outcome::Incomplete(Gaps::Warn) {
            assert_eq!(reasons(&scan), [Reason::DamagedStream], "{what}");
        }
    }
}

#[test]
fn a_layer_that_is_not_the_one_the_config_names_is_read_and_told() {
    let secret = token("diff-id");
    let bytes = layer(|layer| layer.file("/a", &secret));
    for compression in [Compression::None, Compression::Gzip] {
        let scan = scan_blob(compress(&bytes, compression).unwrap(), Digest::sha256(b"another"));
        only(&scan, &secret);
        assert_eq!((reasons(&scan), scan.coverage.is_complete()), (vec![Reason::DiffIdMismatch], false));
    }
}

#[test]
fn a_blob_that_is_not_the_one_the_manifest_names_is_read_and_told_unless_nobody_asks() {
    let (real, put) = (token("real"), token("put"));
    for compression in [Compression::None, Compression::Zstd] {
        let layer = |secret: &str| compress(&layer(|layer| layer.file("/a", secret)), compression).unwrap();
        let temp = Temp::new();
        let layout = temp.path("layout");
        image(|layer| layer.file("/a", &real)).compression(compression).oci_layout(&layout).unwrap();
        let blob = layout.join("blobs/sha256").join(Digest::sha256(&layer(&real)).hex());
        assert!(blob.is_file());
        std::fs::write(&blob, layer(&put)).unwrap();
        let found = scan(&layout);
        only(&found, &put);
        assert!(reasons(&found).contains(&Reason::DigestMismatch), "{compression:?}: {:?}", reasons(&found));
        assert!(!found.coverage.is_complete());

        let unverified = sound(scan_text(layout.to_str().unwrap(), &Options { verify: Verify::Nothing, ..Options::default() }));
        only(&unverified, &put);
        assert!(!reasons(&unverified).contains(&Reason::DigestMismatch));
    }
}

#[test]
fn a_layer_that_is_not_there_is_said() {
    let temp = Temp::new();
    let layout = temp.path("layout");
    let (kept, lost) = (token("kept"), layer(|layer| layer.file("/lost", "nothing")));
    image(|layer| layer.file("/kept", &kept)).layer_bytes("COPY lost", lost.clone()).oci_layout(&layout).unwrap();
    std::fs::remove_file(layout.join("blobs/sha256").join(Digest::sha256(&lost).hex())).unwrap();
    let scan = scan(&layout);
    only(&scan, &kept);
    assert_eq!((reasons(&scan), scan.coverage.is_complete()), (vec![Reason::MissingBlob], false));
}

#[test]
fn a_bound_on_expansion_holds_and_is_said() {
    let secret = token("bomb");
    let bytes = layer(|layer| {
        layer.file("/first", &secret);
        layer.file("/zeros", vec![0; 8 << 20]);
    });
    let temp = Temp::new();
    let path = temp.file("layer.tar.gz", compress(&bytes, Compression::Gzip).unwrap());
    let usual = Options::default();
    let options = Options { limits: layersift::scan::Limits { layer_bytes: 1 << 20, ..usual.limits }, ..usual };
    let scan = sound(scan_text(path.to_str().unwrap(), &options));
    only(&scan, &secret);
    assert!(reasons(&scan).contains(&Reason::TooLarge), "{:?}", reasons(&scan));
    assert!(scan.coverage.bytes_expanded <= 1 << 20);
}
