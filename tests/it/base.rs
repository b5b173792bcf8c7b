//! Whose a finding is: the image's own or inherited from its base image, by which evidence, and what `--gate own` makes of it.

use std::path::Path;

use layersift::finding::{Evidence, Finding, Gate, Origin, Outcome as Verdict, Scan, Whose};
use layersift::layer::decode::Compression;
use layersift::oci::{Digest, Platform};
use layersift::report::Exposure;
use layersift::scan::{Base, Options};
use layersift::source::Lookup;
use layersift::source::builder::{ImageBuilder, ImageSet, compress};
use serde_json::Value;

use crate::cli::{Run, program};
use crate::support::*;

const DIGEST: &str = "org.opencontainers.image.base.digest";

/// A base image of two layers, with a secret in a file, one in its environment and one in its history.
fn base() -> ImageBuilder {
    beneath().tag("base:1")
}

fn beneath() -> ImageBuilder {
    ImageBuilder::new()
        .layer("ADD rootfs /", |layer| layer.file("/etc/motd", "hello\n"))
        .env("BASE_TOKEN", &token("base env"))
        .layer("RUN setup", |layer| layer.file("/etc/token", token("base file")))
        .empty_step(&format!("LABEL built-with={}", token("base history")))
}

/// Built on [`base`], without a secret of its own.
fn app() -> ImageBuilder {
    beneath().tag("app:1").layer("COPY . /app", |layer| layer.file("/app/readme", "nothing here\n"))
}

/// Built on [`base`], with a secret at each kind of place.
fn leaking() -> ImageBuilder {
    app().env("OWN_TOKEN", &token("own env")).layer("COPY .env /app/", |layer| layer.file("/app/.env", token("own file")))
}

fn scan_on(bases: &[&str], target: &Path) -> Scan {
    let bases = bases.iter().map(|text| Base::open(text, Lookup::Auto, &Default::default()).unwrap()).collect();
    sound(scan_text(target.to_str().unwrap(), &Options { bases, ..Options::default() }))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn evidence(scan: &Scan) -> Vec<Option<(usize, Evidence)>> {
    scan.images.iter().map(|image| image.base.as_ref().map(|base| (base.layers, base.evidence))).collect()
}

fn origin(scan: &Scan, seed: &str) -> Origin {
    only(scan, &token(seed)).origin
}

fn gates(scan: &Scan) -> bool {
    Gate { whose: Whose::Own, ..Gate::default() }.outcome(scan) == Verdict::Findings
}

/// The diff_ids of an image.
fn diff_ids(image: &ImageBuilder) -> Vec<Digest> {
    scan_image(image).images[0].layers.iter().map(|layer| layer.diff_id.clone().unwrap()).collect()
}

fn run(temp: &Temp, words: &str) -> Run {
    Run::new(program().current_dir(temp.path("")).args(words.split_whitespace()).output().unwrap())
}

#[test]
fn layers_and_settings_of_the_given_base_are_inherited_and_the_rest_is_own() {
    let temp = Temp::new();
    let target = temp.file("app.tar", leaking().docker25().unwrap());
    let forms = [
        temp.file("base.tar", base().docker_archive().unwrap()),
        temp.file("base25.tar", base().docker25().unwrap()),
        temp.file("compressed.tar.gz", compress(&base().oci_archive().unwrap(), Compression::Gzip).unwrap()),
        // A layer that was compressed anew has another digest, and the same diff_id.
        temp.file("anew.tar", base().compression(Compression::Gzip).oci_archive().unwrap()),
    ];
    for form in forms {
        let scan = scan_on(&[text(&form)], &target);
        assert_eq!(evidence(&scan), [Some((2, Evidence::Image))], "{}", form.display());
        let inherited = Origin::Inherited(Evidence::Image);
        for (seed, expected) in [
            ("base file", inherited),
            ("base env", inherited),
            ("base history", inherited),
            ("own file", Origin::Own),
            ("own env", Origin::Own),
        ] {
            assert_eq!(origin(&scan, seed), expected, "{seed} {}", form.display());
        }
        assert!(gates(&scan));
    }
}

#[test]
fn no_layer_of_the_base_is_read() {
    let temp = Temp::new();
    let layout = temp.path("base");
    base().oci_layout(&layout).unwrap();
    for entry in std::fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        if !std::fs::read(&path).unwrap().starts_with(b"{") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let target = temp.file("app.tar", app().docker_archive().unwrap());
    let scan = scan_on(&[&format!("oci:{}:1", text(&layout))], &target);
    assert_eq!((evidence(&scan), scan.coverage.is_complete()), (vec![Some((2, Evidence::Image))], true));
}

#[test]
fn the_gate_lets_only_pass_what_is_inherited_by_digest() {
    let temp = Temp::new();
    temp.file("base.tar", base().docker25().unwrap());
    temp.file("app.tar", app().docker25().unwrap());
    temp.file("leaking.tar", leaking().docker25().unwrap());
    temp.file("other.tar", ImageBuilder::new().layer("COPY x /", |layer| layer.file("/x", "x")).docker25().unwrap());
    let table = [
        ("scan app.tar --base base.tar --gate own", 0, ""),
        ("scan app.tar --base other.tar --base base.tar --gate own", 0, ""),
        ("scan app.tar --base base.tar", 1, ""),
        ("scan leaking.tar --base base.tar --gate own", 1, ""),
        ("scan app.tar --gate own", 1, "give its base with --base"),
        ("scan app.tar --gate own --quiet", 1, ""),
        ("scan app.tar --base other.tar --gate own", 1, "other.tar is not the base of app:1"),
        ("scan app.tar --base other.tar", 1, "other.tar is not the base of app:1"),
        ("scan app.tar --base other.tar --base other.tar", 1, "none of the images given is the base of app:1"),
        ("scan app.tar --base missing.tar", 2, "cannot use missing.tar as the base image"),
        ("scan app.tar --base base.tar --no-verify", 2, "cannot be used where digests are not checked"),
        ("scan - --base -", 2, "from standard input"),
    ];
    for (words, code, said) in table {
        let run = run(&temp, words);
        assert_eq!(run.code, code, "{words}\n{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(said) && (!said.is_empty() || run.stderr.is_empty()), "{words}\n{}", run.stderr);
    }
}

#[test]
fn the_reports_say_whose_a_finding_is() {
    let temp = Temp::new();
    temp.file("base.tar", base().docker25().unwrap());
    temp.file("app.tar", leaking().docker25().unwrap());
    let table = run(&temp, "scan app.tar --base base.tar --gate own").stdout;
    assert!(table.contains("base image base:1: 2 of 4 layers, by their digests"), "{table}");
    assert_eq!(table.matches("inherited from the base image base:1").count(), 3, "{table}");
    assert!(table.contains("2 gate (severity from low, confidence from likely, not inherited)"), "{table}");

    let report = valid(&run(&temp, "scan app.tar --base base.tar --format json").stdout);
    let base = &report["images"][0]["base"];
    assert_eq!((&base["name"], &base["layers"], &base["evidence"]), (&"base:1".into(), &2.into(), &"image".into()));
    assert!(base["digest"].as_str().unwrap().starts_with("sha256:"));
    let origins = |report: &Value| -> Vec<String> {
        report["findings"].as_array().unwrap().iter().map(|finding| finding["origin"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(origins(&report).iter().filter(|origin| *origin == "inherited").count(), 3);

    for (format, said) in [
        ("junit", "(inherited from the base image base:1)"),
        ("markdown", ", inherited |"),
        ("csv", ",inherited\r\n"),
        ("sarif", "\"origin\": \"inherited\""),
    ] {
        let report = run(&temp, &format!("scan app.tar --base base.tar --gate own --format {format}"));
        assert_eq!((report.code, report.stdout.matches(said).count()), (1, 3), "{}", report.stdout);
    }

    let report = valid(&run(&temp, "scan app.tar --format json").stdout);
    assert_eq!(report["images"][0]["base"], Value::Null);
    assert!(origins(&report).iter().all(|origin| origin == "own"));
}

#[test]
fn a_config_that_claims_the_layers_of_a_base_does_not_hide_what_is_in_them() {
    let temp = Temp::new();
    let given = temp.file("base.tar", base().docker_archive().unwrap());
    let claimed = diff_ids(&base());
    let mut hidden = layersift::source::builder::LayerBuilder::new();
    hidden.file("/etc/token", token("hidden"));
    let forged = ImageBuilder::new()
        .stored_layer("ADD rootfs /", hidden.finish(), claimed[0].clone())
        .layer("RUN setup", |layer| layer.file("/etc/token", token("base file")));
    let scan = scan_on(&[text(&given)], &temp.file("forged.tar", forged.docker_archive().unwrap()));
    assert_eq!((origin(&scan, "hidden"), evidence(&scan)), (Origin::Own, vec![Some((0, Evidence::Mismatch))]));
    assert!(gates(&scan));
}

#[test]
fn an_index_that_calls_a_manifest_by_the_digest_of_a_base_does_not_make_it_one() {
    let temp = Temp::new();
    let wanted = manifest_of_base(&temp);
    let layout = temp.path("layout");
    ImageBuilder::new().layer("RUN setup", |layer| layer.file("/etc/token", token("hidden"))).oci_layout(&layout).unwrap();
    let forged = self::scan(&layout).images[0].digest.clone().unwrap();
    let blob = |digest: &Digest| layout.join("blobs/sha256").join(digest.hex());
    std::fs::rename(blob(&forged), blob(&wanted)).unwrap();
    let index = std::fs::read_to_string(layout.join("index.json")).unwrap();
    std::fs::write(layout.join("index.json"), index.replace(forged.hex(), wanted.hex())).unwrap();
    let scan = scan_on(&[&wanted.to_string()], &layout);
    assert_eq!(scan.images[0].digest.as_ref(), Some(&wanted));
    assert_eq!((origin(&scan, "hidden"), gates(&scan)), (Origin::Own, true));
}

#[test]
fn an_own_copy_of_what_the_base_has_is_own() {
    let temp = Temp::new();
    let given = temp.file("base.tar", base().docker25().unwrap());
    // The same blob again is one set of findings; the same value in an annotation is one more place of the finding.
    let again = base().layer("RUN setup again", |layer| layer.file("/etc/token", token("base file")));
    let again = again.annotation("note", &token("base env"));
    let scan = scan_on(&[text(&given)], &temp.file("app.tar", again.docker25().unwrap()));
    assert_eq!(evidence(&scan), [Some((2, Evidence::Image))]);
    assert_eq!([origin(&scan, "base file"), origin(&scan, "base env")], [Origin::Own; 2]);
    assert_eq!(origin(&scan, "base history"), Origin::Inherited(Evidence::Image));
}

#[test]
fn the_chain_of_layers_is_proof_and_the_last_layer_alone_is_a_guess() {
    let temp = Temp::new();
    let target = temp.file("app.tar", app().docker_archive().unwrap());
    let layers = diff_ids(&app());
    let table = [
        (layers[0].chain(&layers[1]), (2, Evidence::Chain)),
        (layers[1].clone(), (2, Evidence::Layer)),
        (layers[0].clone(), (1, Evidence::Chain)),
        (Digest::sha256(b"another"), (0, Evidence::Mismatch)),
    ];
    for (digest, expected) in table {
        let scan = scan_on(&[&digest.to_string()], &target);
        assert_eq!(evidence(&scan), [Some(expected)], "{digest}");
        let file = origin(&scan, "base file");
        assert_eq!(file.is_surely_inherited(), expected == (2, Evidence::Chain), "{digest}");
        // A chain of layers says nothing of the config.
        assert!(!origin(&scan, "base env").is_surely_inherited() && gates(&scan), "{digest}");
    }
}

/// The digest of the manifest of [`base`] in layouts.
fn manifest_of_base(temp: &Temp) -> Digest {
    scan(&temp.file("base-alone.tar", base().oci_archive().unwrap())).images[0].digest.clone().unwrap()
}

#[test]
fn a_base_that_the_image_names_counts_where_it_is_scanned_too() {
    let temp = Temp::new();
    let digest = manifest_of_base(&temp);
    let app = ImageBuilder::new().tag("app:2");
    let app = app.layer("ADD rootfs /", |layer| layer.file("/etc/motd", "hello\n"));
    let app = app.layer("RUN setup", |layer| layer.file("/etc/token", token("base file")));
    let app = app.layer("COPY . /", |layer| layer.file("/app", token("own file")));
    let app = app.annotation(DIGEST, &digest.to_string()).annotation("org.opencontainers.image.base.name", "example.org/base:1");
    let both = temp.file("both.tar", ImageSet::new().image(base()).image(app.clone()).oci_archive().unwrap());
    let scan = scan_on(&[], &both);
    assert_eq!(evidence(&scan), [None, Some((2, Evidence::Annotation))]);
    let of_file = |image: usize| {
        let is_it = |finding: &&Finding| finding.image == image && finding.secret.expose() == token("base file").as_bytes();
        scan.findings.iter().find(is_it).unwrap().origin
    };
    assert_eq!([of_file(0), of_file(1)], [Origin::Own, Origin::Inherited(Evidence::Annotation)]);

    let alone = scan_on(&[], &temp.file("app.tar", app.oci_archive().unwrap()));
    assert_eq!(evidence(&alone), [Some((0, Evidence::Named))]);
    assert_eq!(alone.images[0].base.as_ref().unwrap().name.as_deref(), Some("example.org/base:1"));
    assert_eq!(alone.images[0].base.as_ref().unwrap().digest.as_ref(), Some(&digest));

    // By digest the user says which of the images is the base.
    let scan = scan_on(&[&digest.to_string()], &both);
    assert_eq!(evidence(&scan), [Some((2, Evidence::Image)), Some((2, Evidence::Image))]);
    assert!(origin(&scan, "base env").is_surely_inherited());
}

#[test]
fn two_images_that_name_each_other_are_on_their_own() {
    let temp = Temp::new();
    let layers = || ImageBuilder::new().layer("COPY . /", |layer| layer.file("/token", token("twin")));
    let config =
        |path: &str, image: &ImageBuilder| scan(&temp.file(path, image.docker_archive().unwrap())).images[0].digest.clone().unwrap();
    let first = layers().tag("first:1");
    // A digest cannot be in what it is the digest of, so one names the other, and both have the same layers.
    let second = layers().tag("second:1").label(DIGEST, &config("first.tar", &first).to_string());
    let both = temp.file("both.tar", ImageSet::new().image(first).image(second).docker_archive().unwrap());
    let scan = scan_on(&[], &both);
    assert_eq!(evidence(&scan), [None, Some((0, Evidence::Named))]);
    assert!(scan.findings.iter().all(|finding| finding.origin == Origin::Own));
}

#[test]
fn of_a_base_for_several_platforms_the_right_one_is_taken() {
    let temp = Temp::new();
    let on = |architecture: &str| Platform { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None };
    let base = |architecture: &str| {
        let image = ImageBuilder::new().platform(on(architecture));
        image.layer("ADD rootfs /", |layer| layer.file("/etc/token", format!("{architecture} {}", token("base file"))))
    };
    let bases = ImageSet::new().image(base("amd64")).image(base("arm64")).nested("base:1");
    let bases = temp.file("bases.tar", bases.oci_archive().unwrap());
    let app = base("arm64").layer("COPY . /app", |layer| layer.file("/app", "nothing\n"));
    let scan = scan_on(&[text(&bases)], &temp.file("app.tar", app.oci_archive().unwrap()));
    assert_eq!(evidence(&scan), [Some((1, Evidence::Image))]);
    let arm64 = self::scan(&temp.file("arm64.tar", base("arm64").oci_archive().unwrap())).images[0].digest.clone();
    assert_eq!(scan.images[0].base.as_ref().unwrap().digest, arm64);
}

#[test]
fn the_history_is_a_guess_that_is_reported_and_exempts_nothing() {
    let temp = Temp::new();
    let image = ImageBuilder::new()
        .layer("ADD rootfs /", |layer| layer.file("/etc/token", token("base file")))
        .empty_step(&format!("/bin/sh -c #(nop)  LABEL a={}", token("base history")))
        .empty_step("/bin/sh -c #(nop)  CMD [\"bash\"]")
        .layer("COPY . /app", |layer| layer.file("/app/token", token("own file")));
    let target = temp.file("app.tar", image.docker25().unwrap());
    let scan = scan_on(&[], &target);
    assert_eq!(evidence(&scan), [Some((1, Evidence::History))]);
    let guess = Origin::Inherited(Evidence::History);
    assert_eq!(["base file", "base history", "own file"].map(|seed| origin(&scan, seed)), [guess, guess, Origin::Own]);
    let run = run(&temp, "scan app.tar --gate own");
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("its history suggests that 1 of its 2 layers are"), "{}", run.stderr);
    assert!(run.stdout.contains("3 gate "), "{}", run.stdout);
}

#[test]
fn the_report_is_the_same_at_any_number_of_threads() {
    let temp = Temp::new();
    let given = temp.file("base.tar", base().docker25().unwrap());
    let target = temp.file("app.tar", leaking().docker25().unwrap());
    let report_with = |jobs| {
        let bases = vec![Base::open(text(&given), Lookup::Auto, &Default::default()).unwrap()];
        report(&sound(scan_text(text(&target), &Options { jobs, bases, ..Options::default() })), Exposure::Redacted)
    };
    assert_eq!(report_with(1), report_with(4));
}
