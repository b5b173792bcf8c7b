//! Tables of contents: what files a layer in a registry has is said without the layer.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use layersift::oci::Digest;
use layersift::source::builder::{ImageBuilder, compress};
use serde_json::{Value, json};

use super::*;

/// A table with a file for each of `names`, and a link.
fn table(names: &[&str]) -> Value {
    let mut entries: Vec<Value> = names.iter().map(|name| json!({ "name": name, "type": "reg", "size": 7 })).collect();
    entries.push(json!({ "name": names[0], "type": "chunk", "chunkOffset": 4 }));
    entries.push(json!({ "name": "./bin/", "type": "dir" }));
    entries.push(json!({ "name": "sh", "type": "symlink", "linkName": "bin/sh" }));
    json!({ "version": 1, "entries": entries })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// A layer with a table of contents as eStargz has it, behind much else.
fn stargz(table: &Value) -> Vec<u8> {
    let noise = layersift::random::Random::new(3).text(b"abcdefghij", 400_000);
    let mut blob = gzip(noise.as_bytes());
    let offset = blob.len();
    let mut tar = tar::Builder::new(Vec::new());
    let json = table.to_string();
    let mut header = tar::Header::new_gnu();
    header.set_size(json.len() as u64);
    tar.append_data(&mut header, "stargz.index.json", json.as_bytes()).unwrap();
    blob.extend(gzip(&tar.into_inner().unwrap()));
    blob.extend([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 26, 0, b'S', b'G', 22, 0]);
    blob.extend(format!("{offset:016x}STARGZ").bytes());
    blob.extend([1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
    blob
}

/// A registry with an image of these layers: media type, annotations, bytes. The tag is `1`.
fn registry(layers: &[(&str, Value, Vec<u8>)]) -> (Shelf, Vec<Digest>) {
    let image = (0..layers.len()).fold(ImageBuilder::new().tag("1"), |image, number| image.layer(&format!("step {number}"), |_| {}));
    let mut shelf = Shelf::of(&ImageSet::new().image(image));
    let mut manifest: Value = serde_json::from_slice(&shelf.documents["manifests/1"].1).unwrap();
    let descriptor = |(kind, annotations, bytes): &(&str, Value, Vec<u8>)| {
        json!({ "mediaType": format!("application/vnd.oci.image.layer.v1.{kind}"), "annotations": annotations,
                "digest": Digest::sha256(bytes).to_string(), "size": bytes.len() })
    };
    manifest["layers"] = layers.iter().map(descriptor).collect();
    let digests = layers.iter().map(|(_, _, bytes)| shelf.put(bytes.clone())).collect();
    let manifest = shelf.put(manifest.to_string().into_bytes());
    shelf.tag("1", &manifest);
    (shelf, digests)
}

fn toc(server: &Server, more: &[&str]) -> Run {
    let home = Temp::new();
    let mut command = program_of(&home);
    Run::new(command.args(["toc", &server.image()]).args(more).output().unwrap())
}

#[test]
fn files_are_listed_without_their_layers() {
    let first = table(&["app/.env", "usr/bin/tool", &format!("var/{}", token("name")), "odd\u{1b}[2J\nname"]);
    let second = table(&["root/.ssh/id_ed25519", "srv/readme"]);
    let document = compress(second.to_string().as_bytes(), layersift::layer::decode::Compression::Zstd).unwrap();
    let noise = vec![b'x'; 300_000];
    let chunked = [&noise[..], &document, &[0; 64]].concat();
    let annotations = json!({
        "io.github.containers.zstd-chunked.manifest-position": format!("{}:{}:{}:1", noise.len(), document.len(), second.to_string().len()),
        "io.github.containers.zstd-chunked.manifest-checksum": Digest::sha256(&document).to_string(),
    });
    let digest = json!({ "containerd.io/snapshot/stargz/toc.digest": Digest::sha256(first.to_string().as_bytes()).to_string() });
    let (shelf, layers) = registry(&[("tar+gzip", digest, stargz(&first)), ("tar+zstd", annotations, chunked)]);
    let server = Server::start(shelf, |_, reply| reply);
    let said = toc(&server, &[]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[0].contains("team/app:1"), "{}", said.stdout);
    assert!(lines[1].contains(&format!("layer 0 {} of ", layers[0])) && lines[1].contains("eStargz, 6 entries"), "{}", said.stdout);
    assert_eq!(lines[2], "  ! reg                 7  /app/.env");
    assert_eq!(lines[3], "    reg                 7  /usr/bin/tool");
    assert!(lines[4].ends_with("****") && !said.stdout.contains(&token("name")), "{}", lines[4]);
    assert!(lines[5].contains("/odd") && lines[5].ends_with("name") && !said.stdout.contains('\u{1b}'), "{}", lines[5]);
    assert!(lines[6].ends_with("  /bin") && lines[7].ends_with("  /sh -> bin/sh"), "{}", said.stdout);
    assert!(
        lines[8].contains("zstd:chunked, 4 entries") && lines[9] == "  ! reg                 7  /root/.ssh/id_ed25519",
        "{}",
        said.stdout
    );
    assert_eq!(toc(&server, &["--telling"]).stdout.lines().filter(|line| line.contains(" reg ")).count(), 2);
    let ranges = server.requests();
    let ranges = ranges.iter().filter(|request| layers.iter().any(|layer| request.path.contains(&layer.to_string())));
    assert!(ranges.clone().count() >= 3 && ranges.clone().all(|request| request.header("range").is_some()), "only parts are asked for");
}

#[test]
fn a_layer_without_a_table_and_one_that_lies_are_said_and_three() {
    let good = table(&["a"]);
    let blob = stargz(&good);
    let spoilt = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut blob = blob.clone();
        change(&mut blob);
        ("tar+gzip", json!({}), blob)
    };
    let size = blob.len();
    let annotated = |position: &str| ("tar+zstd", json!({ "io.github.containers.zstd-chunked.manifest-position": position }), vec![7; 500]);
    let other = json!({ "containerd.io/snapshot/stargz/toc.digest": Digest::sha256(b"other").to_string() });
    let cases = [
        (("tar+gzip", json!({}), gzip(b"plain")), "no table of contents"),
        (("tar+gzip", json!({}), vec![1; 20]), "no table of contents"),
        (("tar", json!({}), vec![0; 1024]), "no table of contents"),
        (("tar+zstd", json!({}), vec![0; 1024]), "no table of contents"),
        (("tar+gzip", other, blob.clone()), "it is not the one the manifest names"),
        (spoilt(&|blob| blob[size - 51 + 16..size - 51 + 32].copy_from_slice(b"00000000ffffffff")), "it lies beyond the end"),
        (spoilt(&|blob| blob[size - 51 + 16..size - 51 + 32].copy_from_slice(b"0000000000000005")), "it is not gzip"),
        (annotated("1:2:3"), "the annotation with its place is none"),
        (annotated("10:20:30:1"), "it is not zstd"),
        (annotated("490:20:30:1"), "it lies beyond the end"),
        (annotated("490:99999999999:30:1"), "it is larger than 64 MiB"),
        (annotated("1000:20:30:1"), "it lies beyond the end"),
        (annotated("18446744073709551615:20:30:1"), "it lies beyond the end"),
        (annotated("0:20:30:1"), "it lies where the layer begins"),
    ];
    for (layer, message) in cases {
        let (shelf, _) = registry(&[layer]);
        let said = toc(&Server::start(shelf, |_, reply| reply), &[]);
        assert!(said.code == 3 && said.stdout.contains(message), "{message}: {} {}", said.stdout, said.stderr);
    }
    // A registry that gives all or nothing is not read to the end.
    let (shelf, layers) = registry(&[("tar+gzip", json!({}), blob.clone())]);
    let server = Server::start(
        shelf,
        move |request, reply| {
            if request.path.contains(&layers[0].to_string()) { Reply::new(200, blob.clone()) } else { reply }
        },
    );
    let said = toc(&server, &[]);
    assert!(said.code == 3 && said.stdout.contains("it gives no parts of blobs"), "{} {}", said.stdout, said.stderr);
}

#[test]
fn what_is_in_no_registry_is_not_listed() {
    let home = Temp::new();
    let said = Run::new(program_of(&home).args(["toc", "example:"]).output().unwrap());
    assert!(said.code == 2 && said.stderr.contains("only layers in a registry are listed"), "{}", said.stderr);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = Run::new(program_of(&home).args(["toc", &format!("{nobody}/app")]).output().unwrap());
    assert!(said.code == 2 && said.stderr.contains("no connection"), "{}", said.stderr);
}
