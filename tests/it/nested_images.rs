//! Images that lie in a file of an image: what is found in them says which of their layers it stands in, and what becomes of it there.

use layersift::finding::{Finding, NestedImage, Reason, Scan, Visibility};
use layersift::layer::decode::Compression;
use layersift::random::Random;
use layersift::report::Exposure;
use layersift::scan::Options;
use layersift::source::builder::{ImageBuilder, LayerBuilder};

use crate::archives::*;
use crate::support::*;

/// A secret for each life.
struct Secrets {
    gone: String,
    replaced: String,
    kept: String,
    linked: String,
    env: String,
}

fn secrets(seed: &str) -> Secrets {
    let one = |what: &str| token(&format!("{seed} {what}"));
    Secrets { gone: one("gone"), replaced: one("replaced"), kept: one("kept"), linked: one("linked"), env: one("env") }
}

/// An image whose layers have so many bytes of noise.
fn image(secrets: &Secrets, noise: usize) -> ImageBuilder {
    let noise = Random::new(5).text(b"abcdefghij klmnop\n=0123456789", noise);
    ImageBuilder::new()
        .tag("example.org/inner:1")
        .env("TOKEN", &secrets.env)
        .layer("COPY base /", |layer| {
            layer.file("/srv/gone", format!("\n{}\n", secrets.gone));
            layer.file("/srv/replaced", &secrets.replaced);
            layer.file("/srv/linked", &secrets.linked);
            layer.file("/noise", &noise);
        })
        .layer("RUN ln /srv/linked /srv/name", |layer| layer.hard_link("/srv/name", "/srv/linked"))
        .layer("RUN rm /srv/gone /srv/linked", |layer| {
            layer.whiteout("/srv/gone");
            layer.whiteout("/srv/linked");
            layer.file("/srv/replaced", "x");
            layer.file("/srv/kept", &secrets.kept);
        })
}

#[track_caller]
fn nested(finding: &Finding) -> &NestedImage {
    finding.nested_image.as_deref().unwrap_or_else(|| panic!("{:?} is in no image", finding.place))
}

/// The lives of all secrets of [`image`], as their own image has them.
#[track_caller]
fn check(scan: &Scan, secrets: &Secrets, what: &str) {
    let deleted = Visibility::Deleted { layer: 2 };
    let overwritten = Visibility::Overwritten { layer: 2 };
    let last = Visibility::InFinalImage;
    for (secret, layer, visibility) in
        [(&secrets.gone, 0, deleted), (&secrets.replaced, 0, overwritten), (&secrets.linked, 0, last), (&secrets.kept, 2, last)]
    {
        let finding = only(scan, secret);
        let image = nested(finding);
        assert_eq!(image.visibility, Some(visibility), "{what} {:?}", finding.place);
        assert!(image.name.as_deref().is_some_and(|name| name == "example.org/inner:1" || name == "1"), "{what} {image:?}");
        let found = image.layer.as_ref().unwrap();
        assert_eq!((found.index, found.diff_id.is_some()), (layer, true), "{what}");
        let by = image.hidden_by.as_ref().and_then(|layer| layer.created_by.as_deref());
        assert_eq!(by.map(|by| by.contains("rm /srv/gone /srv/linked")), visibility.layer().map(|_| true), "{what} {by:?}");
        // The file itself is there.
        assert_eq!(finding.visibility, Some(Visibility::InFinalImage));
    }
    let env = nested(only(scan, &secrets.env));
    assert_eq!((&env.layer, env.visibility), (&None, None), "{what}");
    assert_eq!(reasons(scan), [], "{what}");
}

/// Scans an image with `files`, in a compression.
fn outer(files: &[(&str, &[u8])], compression: Compression) -> Scan {
    scan_image(&ImageBuilder::new().compression(compression).layer("COPY . /", |layer| {
        files.iter().for_each(|(path, bytes)| layer.file(path, bytes));
    }))
}

#[test]
fn every_form_of_an_archive_in_a_file_is_an_image() {
    // Layers that lie in a batch, and layers that are read as streams.
    for noise in [10, 6 << 20] {
        let secrets = secrets("forms");
        let mut image = image(&secrets, noise);
        for inner in [Compression::None, Compression::Gzip] {
            image = image.compression(inner);
            let forms = [
                ("docker", image.docker_archive().unwrap()),
                ("legacy", image.docker_archive_legacy().unwrap()),
                ("docker 25", image.docker25().unwrap()),
                ("oci", image.oci_archive().unwrap()),
            ];
            for (form, archive) in forms {
                for (path, bytes) in
                    [("/opt/i.tar", archive.clone()), ("/opt/i.tar.gz", gzip(&archive)), ("/z.zip", zip(&[("i.tar", &archive)]))]
                {
                    check(&outer(&[(path, &bytes)], Compression::None), &secrets, &format!("{form} {path} {inner:?} {noise}"));
                }
                check(&outer(&[("/opt/i.tar", &archive)], Compression::Gzip), &secrets, &format!("{form} in gzip {inner:?} {noise}"));
            }
            if noise > 10 {
                break;
            }
        }
    }
}

#[test]
fn a_layout_in_a_folder_is_an_image() {
    let secrets = secrets("layout");
    for compression in [Compression::None, Compression::Gzip] {
        let temp = Temp::new();
        image(&secrets, 10).compression(compression).oci_layout(&temp.path("layout")).unwrap();
        let mut layer = LayerBuilder::new();
        fn add(layer: &mut LayerBuilder, folder: &std::path::Path, path: &str) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name().into_string().unwrap())).unwrap();
                let path = format!("{path}/{name}");
                if entry.is_dir() { add(layer, &entry, &path) } else { layer.file(&path, std::fs::read(&entry).unwrap()) }
            }
        }
        add(&mut layer, &temp.path("layout"), "/var/cache/layout");
        let found = scan(&temp.file("layer.tar", layer.finish()));
        for (secret, visibility) in [(&secrets.gone, Visibility::Deleted { layer: 2 }), (&secrets.kept, Visibility::InFinalImage)] {
            assert_eq!(nested(only(&found, secret)).visibility, Some(visibility), "{compression:?}");
        }
        assert!(nested(only(&found, &secrets.env)).layer.is_none());
    }
}

#[test]
fn where_a_layer_is_missing_the_life_is_not_said() {
    let secrets = secrets("missing");
    let archive = image(&secrets, 10).docker_archive().unwrap();
    // The archive without its last layer, which hides most.
    let mut short = tar::Builder::new(Vec::new());
    let mut layers = 0;
    for entry in tar::Archive::new(&archive[..]).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let is_layer = name.ends_with(".tar") && !name.contains('/');
        layers += u32::from(is_layer);
        if is_layer && layers == 3 {
            continue;
        }
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        short.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    assert_eq!(layers, 3);
    let scan = outer(&[("/i.tar", &short.into_inner().unwrap())], Compression::None);
    let image = nested(only(&scan, &secrets.gone));
    assert_eq!((image.layer.as_ref().map(|layer| layer.index), image.visibility), (Some(0), None));
}

#[test]
fn two_images_of_one_layer_and_one_archive_in_another_are_told_apart() {
    let secrets = secrets("deep");
    let archive = image(&secrets, 10).docker_archive().unwrap();
    let other = token("other image");
    let second = ImageBuilder::new().tag("second:2").layer("COPY s /", |layer| layer.file("/s", &other)).oci_archive().unwrap();
    let carrier = ImageBuilder::new().tag("carrier:3").layer("COPY i /", |layer| layer.file("/i.tar", &archive)).oci_archive().unwrap();
    let scan = outer(&[("/carrier.tar", &carrier), ("/second.tar", &second)], Compression::None);
    check(&scan, &secrets, "an image in an image");
    assert!(nested(only(&scan, &other)).name.as_deref().unwrap().ends_with('2'));
}

#[test]
fn any_number_of_threads_gives_the_same_and_reports_say_it() {
    let secrets = secrets("threads");
    let archive = image(&secrets, 6 << 20).docker_archive().unwrap();
    let small = image(&self::secrets("small"), 10).oci_archive().unwrap();
    let image = ImageBuilder::new().layer("COPY . /", |layer| {
        layer.file("/i.tar", &archive);
        (0..20).for_each(|number| layer.file(format!("/{number}.tar"), &small));
    });
    let temp = Temp::new();
    let path = temp.file("image.tar", image.docker_archive().unwrap());
    let scans = [1, 2, 8].map(|jobs| sound(scan_text(path.to_str().unwrap(), &Options { jobs, ..Options::default() })));
    let reports = scans.each_ref().map(|scan| report(scan, Exposure::Shown));
    assert!(reports[1..].iter().all(|other| *other == reports[0]));
    let text = String::from_utf8(write(&scans[0], layersift::report::FormatName::Table, Exposure::Redacted)).unwrap();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("deleted in its layer 2 (RUN rm /srv/gone /srv/linked): still readable"), "{text}");
    let again = layersift::report::read::read(&reports[0]).unwrap();
    assert_eq!(report(&again, Exposure::Shown), reports[0]);
}

#[test]
fn what_a_nested_image_says_of_itself_is_redacted() {
    let secret = token("in a step");
    let archive = ImageBuilder::new()
        .tag("inner:1")
        .layer(&format!("RUN deploy --token {secret}"), |layer| layer.file("/a", &secret))
        .layer("RUN rm /a", |layer| layer.whiteout("/a"))
        .docker_archive()
        .unwrap();
    let scan = outer(&[("/i.tar", &archive)], Compression::None);
    assert!(scan.findings.iter().any(|finding| finding.nested_image.as_ref().is_some_and(|image| image.layer.is_some())));
    assert!(!report(&scan, Exposure::Redacted).contains(&secret));
}

#[test]
fn documents_that_lie_lead_nowhere() {
    let canary = token("canary");
    let loops = r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:"#;
    let own = "ab".repeat(32);
    let index = format!("{loops}{own}\",\"size\":1}}]}}");
    let layer = tar(&[("a", canary.as_bytes())]);
    for files in [
        vec![("index.json", index.as_bytes()), (&format!("blobs/sha256/{own}"), index.as_bytes()), ("l.tar", &layer)],
        vec![("manifest.json", br#"[{"Layers":["l.tar","l.tar","../l.tar",7,"missing"]}]"#), ("l.tar", &layer)],
        vec![("manifest.json", br#"[{"Layers":"l.tar"},[],7]"#), ("l.tar", &layer)],
        vec![("manifest.json", br#"[{"Layers":"#), ("l.tar", &layer)],
    ] {
        let scan = outer(&[("/i.tar", &tar(&files))], Compression::None);
        only(&scan, &canary);
        assert!(!reasons(&scan).contains(&Reason::DamagedFile), "{:?}", scan.coverage.skipped);
    }
}

#[test]
fn what_stands_in_the_config_of_a_nested_image_is_found_as_in_its_own() {
    let mut random = Random::new(8);
    let mut password = || random.text(b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 20);
    let [env, url, label] = std::array::from_fn(|_| password());
    let argument = token("argument");
    let image = ImageBuilder::new()
        .tag("inner:1")
        .env("DB_PASSWORD", &env)
        .env("URL", &format!("postgres://app:{url}@db.internal/x"))
        .label("api_key", &label)
        .history_arg("NPM_TOKEN", &argument)
        .layer("RUN make", |layer| layer.file("/a", "x"));
    let archive = image.docker_archive().unwrap();
    let (own, nested) = (scan_image(&image), outer(&[("/i.tar", &archive)], Compression::None));
    for secret in [&env, &url, &label, &argument] {
        let (own, nested) = (only(&own, secret), only(&nested, secret));
        assert_eq!((&own.rule.id, own.severity, own.confidence), (&nested.rule.id, nested.severity, nested.confidence));
        assert!(nested.nested_image.as_ref().is_some_and(|image| image.layer.is_none()), "{:?}", nested.place);
    }
}
