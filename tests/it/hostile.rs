//! Files that are made to cost much, or to be read by one program and not by another: each with a secret elsewhere in the layer that is found, and
//! an account of what was not read.

use layersift::finding::{Finding, Reason, Scan};
use layersift::random::Random;
use layersift::scan::{Bounds, Limits, Options};
use layersift::source::builder::LayerBuilder;

use crate::archives::*;
use crate::support::*;

/// Scans a layer with the hostile file between two canaries, with small bounds.
#[track_caller]
fn survive(path: &str, bytes: &[u8], expected: &[Reason]) -> Scan {
    let scan = found(path, bytes);
    let mut reasons = reasons(&scan);
    reasons.dedup();
    assert_eq!(reasons, expected, "{path}: {:#?}", scan.coverage.skipped);
    scan
}

/// The same, whatever is said of it.
#[track_caller]
fn found(path: &str, bytes: &[u8]) -> Scan {
    let canaries = [token("canary before"), token("canary after")];
    let mut layer = LayerBuilder::new();
    layer.file("/before", &canaries[0]);
    layer.file(path, bytes);
    layer.file("/after", &canaries[1]);
    let temp = Temp::new();
    let file = temp.file("layer.tar", layer.finish());
    let nested = Bounds { file_bytes: 80 << 20, held_bytes: 8 << 20, members: 10_000, ..Bounds::default() };
    let options = Options { limits: Limits { nested, ..Limits::default() }, ..Options::default() };
    let scan = sound(scan_text(file.to_str().unwrap(), &options));
    for canary in &canaries {
        only(&scan, canary);
    }
    scan
}

fn zeros(count: usize) -> Vec<u8> {
    vec![0; count]
}

#[test]
fn bombs_end_at_the_bound() {
    let bomb = gzip(&zeros(100 << 20));
    survive("/bomb.gz", &bomb, &[Reason::TooLarge]);
    survive("/bomb.zip", &zip(&[("a", &zeros(50 << 20)), ("b", &zeros(50 << 20))]), &[Reason::TooLarge]);
    // Each level is harmless by itself.
    let level = (0..4).fold(zeros(30 << 20), |inner, _| {
        let stored = deflate(&inner);
        let mut zip = Zip::default();
        for name in ["a", "b", "c", "d"] {
            let said = zip.said(name, &stored, inner.len(), 8);
            zip = zip.raw(&said.local()).raw(&stored);
            zip.central.push(said);
        }
        zip.finish()
    });
    survive("/nested.zip", &level, &[Reason::TooLarge]);
}

#[test]
fn members_overlap_and_are_read_once_each_within_the_bound() {
    // One run of bytes, and thousands of members that say it is theirs.
    let stored = deflate(&zeros(10 << 20));
    let mut zip = Zip::default();
    let said = zip.said("a", &stored, 10 << 20, 8);
    zip = zip.raw(&said.local()).raw(&stored);
    zip.central = (0..2_000).map(|number| Said { name: format!("{number}").into_bytes(), ..said.clone() }).collect();
    survive("/overlap.zip", &zip.finish(), &[Reason::Contradiction]);
    // Members that each go on to the end of the archive, as text.
    let mut zip = Zip::default();
    let all = 3_000_000;
    for number in 0..3_000 {
        let said = Said { stored: all, size: all, ..zip.said(&format!("{number}"), b"", 0, 0) };
        zip = zip.raw(&said.local()).raw(b".");
        zip.central.push(said);
    }
    survive("/stored.zip", &zip.raw(&vec![b'.'; all as usize]).finish(), &[Reason::Contradiction, Reason::TooLarge]);
    // Local records that lie within the bytes of the one before.
    let canary = token("inside another");
    let inner = Zip::default().add("hidden", canary.as_bytes(), 0);
    let mut outer = Zip::default();
    let content = [b"some text ".to_vec(), inner.bytes].concat();
    let said = outer.said("outer", &content, content.len(), 0);
    let hidden = Said { offset: said.local().len() as u32 + 10, ..inner.central[0].clone() };
    outer = outer.raw(&said.local()).raw(&content);
    outer.central = vec![said, hidden];
    let scan = survive("/within.zip", &outer.finish(), &[Reason::Contradiction]);
    assert!(scan.findings.iter().any(|finding| finding.secret.expose() == canary.as_bytes()));
}

#[test]
fn a_member_that_only_one_table_names_is_read() {
    let (listed, unlisted, renamed) = (token("listed"), token("unlisted"), token("renamed"));
    let mut zip = Zip::default().add("a", listed.as_bytes(), 8).add("b", unlisted.as_bytes(), 8).add("c", renamed.as_bytes(), 0);
    zip.central.remove(1);
    zip.central[1].name = b"elsewhere".to_vec();
    let scan = survive("/two.zip", &zip.finish(), &[Reason::Contradiction]);
    let inner =
        |secret| scan.findings.iter().find(|finding| finding.secret.expose() == secret).map(|finding| finding.place.inner().to_vec());
    assert_eq!(inner(listed.as_bytes()), Some(vec![b"a".to_vec()]));
    assert_eq!(inner(unlisted.as_bytes()), Some(vec![b"b".to_vec()]));
    assert_eq!(inner(renamed.as_bytes()), Some(vec![b"elsewhere".to_vec()]), "most programs believe the directory");
}

#[test]
fn sizes_that_lie_hide_nothing() {
    let secret = token("lying");
    let text = format!("{}token={secret}", "x ".repeat(500));
    let stored = deflate(text.as_bytes());
    for size in [3, u32::MAX - 1] {
        let mut zip = Zip::default();
        let said = Said { size, ..zip.said("a", &stored, text.len(), 8) };
        zip = zip.raw(&said.local()).raw(&stored);
        zip.central.push(said);
        let expected: &[Reason] = if size == 3 { &[] } else { &[Reason::Contradiction] };
        let scan = survive("/lie.zip", &zip.finish(), expected);
        only(&scan, &secret);
    }
    // More stored bytes than there are.
    let mut zip = Zip::default();
    let said = Said { stored: 0xFFFF_FFF0, ..zip.said("a", &stored, text.len(), 8) };
    zip = zip.raw(&said.local()).raw(&stored);
    zip.central.push(said);
    assert!(survive("/long.zip", &zip.finish(), &[]).findings.iter().any(|finding| finding.secret.expose() == secret.as_bytes()));
}

#[test]
fn encrypted_members_are_said() {
    let mut zip = Zip::default();
    let said = Said { flags: 1, ..zip.said("payroll.xlsx", b"0123456789abcdef", 4, 8) };
    zip = zip.raw(&said.local()).raw(b"0123456789abcdef");
    zip.central.push(said);
    let scan = survive("/locked.zip", &zip.add("b", b"x", 8).finish(), &[Reason::Encrypted]);
    assert!(scan.coverage.skipped[0].detail.contains("payroll.xlsx"), "{:?}", scan.coverage.skipped);
}

/// A gzip stream that is itself decompressed: deflate blocks that print their own literal and its repetition.
fn quine() -> Vec<u8> {
    // Each level is the archive one shallower: what a quine does without an end, as deep as anybody could look.
    (0..40).fold(b"the innermost".to_vec(), |inner, _| gzip(&inner))
}

#[test]
fn archives_without_an_innermost_one_end_at_the_bound() {
    survive("/deep.gz", &quine(), &[Reason::TooDeep]);
    let deep = (0..40).fold(b"the innermost".to_vec(), |inner, _| zip(&[("in.zip", &inner)]));
    survive("/deep.zip", &deep, &[Reason::TooDeep]);
}

#[test]
fn a_pack_of_differences_without_a_beginning_ends() {
    let secret = token("added by a difference");
    // Each builds on the other: neither is there.
    let (one, other) = ([1; 20], [2; 20]);
    let delta = delta(b"base", 2, format!("token={secret}").as_bytes());
    let scan = survive("/x.pack", &pack(&[Packed::Named(one, delta.clone()), Packed::Named(other, delta)]), &[Reason::DamagedFile]);
    assert!(scan.findings.iter().any(|finding| finding.secret.expose() == secret.as_bytes()), "what a difference adds is looked at");
}

#[test]
fn a_difference_that_claims_gigabytes_gets_none() {
    let base = b"base".to_vec();
    let mut claim = number(base.len() as u64);
    claim.extend(number(4 << 30));
    // As much as can be said in a few bytes: the base over and over.
    claim.extend([0x80 | 0x10, 4].repeat(1000));
    let scan = survive("/x.pack", &pack(&[Packed::Blob(base), Packed::Back(1, claim)]), &[Reason::DamagedFile, Reason::TooLarge]);
    assert!(scan.coverage.skipped.iter().any(|skipped| skipped.detail.contains("--max-held")), "{:?}", scan.coverage.skipped);
}

#[test]
fn links_and_climbing_names_in_archives_lead_nowhere() {
    let secret = token("target");
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "link", format!("/proc/self/{secret}")).unwrap();
    let bytes = builder.into_inner().unwrap();
    let scan = survive("/links.tar", &bytes, &[]);
    assert!(scan.findings.iter().any(|finding| finding.secret.expose() == secret.as_bytes()));
    let secret = token("climbs");
    let scan = survive("/slip.zip", &zip(&[("../../../../etc/passwd", secret.as_bytes())]), &[]);
    assert_eq!(only(&scan, &secret).place.inner(), [b"etc/passwd".to_vec()]);
}

#[test]
fn too_many_members_end_at_the_bound() {
    let mut zip = Zip::default();
    for number in 0..12_000 {
        zip = zip.add(&number.to_string(), b"", 0);
    }
    survive("/many.zip", &zip.finish(), &[Reason::EntriesLimit]);
}

#[test]
fn too_many_members_of_a_tar_end_at_the_bound() {
    let names: Vec<String> = (0..12_000).map(|number| number.to_string()).collect();
    let secret = token("in the last member");
    let mut files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    files.push(("last", secret.as_bytes()));
    let bytes = tar(&files);
    survive("/many.tar.gz", &gzip(&bytes), &[Reason::EntriesLimit]);
    // Where nothing has to be undone, what follows the last member that counts is looked at without names.
    for (path, bytes) in [("/many.tar", bytes.clone()), ("/large.tar", [bytes, zeros(5 << 20)].concat())] {
        only(&survive(path, &bytes, &[Reason::EntriesLimit]), &secret);
    }
}

#[test]
fn an_image_that_holds_itself_ends_at_the_bound() {
    // Its file is the image, from the first byte to the last: there is no innermost one.
    survive("/droste.iso", &droste(1), &[Reason::TooDeep]);
    // Each is as many in the next.
    let reasons = reasons(&found("/many.iso", &droste(40)));
    assert!(reasons.contains(&Reason::TooDeep) && reasons.contains(&Reason::TooLarge), "{reasons:?}");
}

/// An image of a disc whose files are all the image itself.
fn droste(count: usize) -> Vec<u8> {
    let names: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    let mut bytes = iso(&files);
    for (record, number) in iso_records(&names).into_iter().zip(0..) {
        // Of those that are the very same bytes one is read.
        let length = (bytes.len() as u32 - number).to_le_bytes();
        bytes[record + 2..record + 6].fill(0);
        bytes[record + 10..record + 14].copy_from_slice(&length);
    }
    bytes
}

#[test]
fn the_files_of_a_7z_archive_before_the_bound_are_read() {
    let names: Vec<String> = (0..12_000).map(|number| number.to_string()).collect();
    let secret = token("in the first file");
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), if name == "0" { secret.as_bytes() } else { b"x" })).collect();
    let scan = survive("/many.7z", &seven_zip(&files), &[Reason::EntriesLimit]);
    let inner = |finding: &Finding| finding.place.inner() == [b"0".to_vec()];
    assert!(scan.findings.iter().any(|finding| finding.secret.expose() == secret.as_bytes() && inner(finding)));
}

#[test]
fn a_table_that_is_too_long_to_be_read_is_told() {
    let long = "n".repeat(5 << 20);
    let secret = token("beside a long name");
    let bytes = seven_zip(&[("a", secret.as_bytes()), (&long, b"x")]);
    only(&survive("/long.7z", &bytes, &[Reason::TooLarge]), &secret);
}

#[test]
fn streams_that_expand_without_an_end_end_at_the_bound() {
    survive(
        "/bomb.lzma",
        &layersift::source::builder::compress(&zeros(100 << 20), layersift::layer::decode::Compression::Lzma).unwrap(),
        &[Reason::TooLarge],
    );
}

#[test]
fn tables_that_lie_get_no_memory() {
    let secret = token("stored");
    let sound = seven_zip(&[("a", secret.as_bytes())]);
    only(&survive("/a.7z", &sound, &[]), &secret);
    // Where the table is, how long it is, and each of its bytes.
    for at in (12..28).chain(32 + secret.len()..sound.len()) {
        let mut bytes = sound.clone();
        bytes[at] = 0xff;
        // Some bytes may have any value.
        let scan = found("/a.7z", &bytes);
        assert!(scan.findings.iter().any(|finding| finding.secret.expose() == secret.as_bytes()), "{at}");
    }
    let mut cut = sound.clone();
    cut.truncate(sound.len() - 10);
    survive("/a.7z", &cut, &[Reason::DamagedFile]);
    let lying = asar(&[("a", b"x")]);
    let text = String::from_utf8_lossy(&lying).replace("\"size\":1,", "\"size\":9,");
    survive("/a.asar", text.as_bytes(), &[Reason::DamagedFile]);
    let mut stream = lz4(&[b'x'; 100]);
    stream.truncate(50);
    survive("/a.lz4", &stream, &[Reason::DamagedFile]);
}

/// Sound files of each format with some bytes changed: none may end the program, or cost the canary.
#[test]
fn changed_bytes_do_no_harm() {
    let text = format!("token={}\n", token("changed")).repeat(30);
    let body = text.as_bytes();
    let samples: Vec<(&str, Vec<u8>)> = vec![
        ("/a.zip", zip(&[("a", body), ("b.class", body)])),
        ("/b.zip", Zip::default().add("a", body, 0).add("b.zip", &zip(&[("c", body)]), 8).finish()),
        ("/a.tar", tar(&[("a", body)])),
        ("/a.gz", gzip(body)),
        ("/a.deb", ar(&[("control.tar.gz", &gzip(&tar(&[("a", body)]))), ("b", body)])),
        ("/a.cpio", cpio(&[("a", body), ("b", body)])),
        ("/a.lz4", lz4(body)),
        ("/a.asar", asar(&[("a", body), ("b", body)])),
        ("/a.7z", seven_zip(&[("a", body), ("b", body)])),
        ("/a.iso", iso(&[("A", body), ("B", body)])),
        (
            "/x.pack",
            pack(&[
                Packed::Blob(body.to_vec()),
                Packed::Back(1, delta(body, 100, body)),
                Packed::Tree(vec![7; 90]),
                Packed::Commit(body.to_vec()),
            ]),
        ),
        ("/o/objects/ab/cdefabcdefabcdefabcdefabcdefabcdefabcd", zlib(&[format!("blob {}\0", body.len()).as_bytes(), body].concat())),
        ("/C.class", [&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61, 0, 9, 1, 2][..], body].concat()),
        ("/m.pyc", [&b"\xcb\x0d\r\n\xda\x80"[..], body].concat()),
    ];
    let mut random = Random::new(11);
    let mut layer = LayerBuilder::new();
    for (path, sample) in &samples {
        for round in 0..60 {
            let mut bytes = sample.clone();
            for _ in 0..1 + random.below(6) {
                let at = random.below(bytes.len());
                match random.below(4) {
                    0 => bytes[at] = random.below(256) as u8,
                    1 => bytes[at] ^= 1 << random.below(8),
                    2 => bytes.truncate(at + 1),
                    _ => {
                        let end = (at + random.below(40)).min(bytes.len());
                        let run = bytes[at..end].to_vec();
                        bytes.splice(at..at, run);
                    }
                }
            }
            layer.file(format!("/{round}{path}"), bytes);
        }
    }
    layer.file("/canary", token("canary of all"));
    let temp = Temp::new();
    let scan = sound(scan_text(temp.file("layer.tar", layer.finish()).to_str().unwrap(), &Options::default()));
    only(&scan, &token("canary of all"));
}
