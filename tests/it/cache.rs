//! What is kept between scans: a warm scan says what a cold one says, reads no layer, and is not to be deceived.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use layersift::cache::{Cache, Folder, MAX_BYTES, Store as _};
use layersift::finding::fingerprint::Key;
use layersift::finding::{Reason, Scan};
use layersift::layer::decode::Compression;
use layersift::oci::Digest;
use layersift::report::Exposure;
use layersift::rule::Selection;
use layersift::scan::{Limits, NoProgress, Options, run};
use layersift::source::Reference;
use layersift::source::builder::{ImageBuilder, LayerBuilder, compress};

use crate::cli::{Run, program};
use crate::support::*;

/// A cache in `folder`, made if it is not there.
fn cache(folder: &Path) -> Arc<Cache> {
    let folder = Folder::open(folder, MAX_BYTES).unwrap();
    let key = folder.trace_key().unwrap();
    Arc::new(Cache::new(folder, key))
}

/// The scan, and how many blobs were reused of how many.
fn scan_with(target: &str, folder: &Path, options: Options) -> (Scan, (u64, u64)) {
    let cache = cache(folder);
    let scan = sound(scan_text(target, &Options { cache: Some(Arc::clone(&cache)), ..options }));
    assert_eq!(cache.problem(), None);
    (scan, cache.reused())
}

fn json(scan: &Scan) -> String {
    report(scan, Exposure::Redacted)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    [files(&folder.join("blobs")), files(&folder.join("files"))].concat()
}

/// A secret that nothing but the name before it gives away.
fn password() -> String {
    let mut random = layersift::random::Random::new(11);
    random.text(b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 24)
}

/// The scenario, and a file's secret that the history repeats where no rule finds it.
fn image() -> ImageBuilder {
    let setup = format!("RUN setup {} && rm /root/setup", password());
    scenario().image.layer(&setup, |layer| {
        layer.file("/root/.env", format!("DB_PASSWORD={}\n", password()));
        layer.hard_link("/root/link", "/root/.env");
    })
}

#[test]
fn a_warm_scan_says_what_a_cold_one_says_in_every_form() {
    let temp = Temp::new();
    let mut targets: Vec<(String, bool)> = Vec::new();
    let mut add = |path: &Path, is_random| targets.push((path.to_str().unwrap().to_owned(), is_random));
    for compression in [Compression::None, Compression::Gzip] {
        let image = image().compression(compression);
        let name = |form: &str| format!("{form} {compression:?}");
        add(&temp.file(&name("docker"), image.docker_archive().unwrap()), true);
        add(&temp.file(&name("legacy"), image.docker_archive_legacy().unwrap()), true);
        add(&temp.file(&name("docker25"), image.docker25().unwrap()), true);
        add(&temp.file(&name("oci"), image.oci_archive().unwrap()), true);
        add(&temp.file(&name("whole"), compress(&image.docker25().unwrap(), Compression::Zstd).unwrap()), false);
        image.oci_layout(&temp.path(&name("layout"))).unwrap();
        add(&temp.path(&name("layout")), true);
        image.skopeo_dir(&temp.path(&name("skopeo"))).unwrap();
        add(&temp.path(&name("skopeo")), true);
    }
    let mut layer = LayerBuilder::new();
    layer.file("/.env", format!("DB_PASSWORD={}\n", password()));
    add(&temp.file("layer.tar", layer.finish()), true);
    for (number, (target, is_random)) in targets.iter().enumerate() {
        let cold = sound(scan_text(target, &Options::default()));
        assert!(cold.findings.iter().any(|finding| finding.secret.expose() == password().as_bytes()), "{target}");
        let cold = json(&cold);
        assert!(!cold.contains(&password()), "{target}");
        let folder = temp.path(&format!("cache {number}"));
        let (first, (reused, _)) = scan_with(target, &folder, Options::default());
        assert_eq!((json(&first), reused), (cold.clone(), 0), "{target}");
        let (second, (reused, asked)) = scan_with(target, &folder, Options::default());
        assert_eq!(json(&second), cold, "{target}");
        assert_eq!((reused, asked > 0), (asked, *is_random), "{target}");
        for format in ["table", "html", "sarif"] {
            let format = format.parse().unwrap();
            assert!(write(&first, format, Exposure::Redacted) == write(&second, format, Exposure::Redacted), "{target}");
        }
    }
}

#[test]
fn the_image_in_a_file_is_the_same_in_a_warm_scan() {
    let secret = token("in a nested image");
    let inner = ImageBuilder::new()
        .tag("inner:1")
        .layer(&format!("RUN deploy --token {secret}"), |layer| layer.file("/a", &secret))
        .layer("RUN rm /a", |layer| layer.whiteout("/a"))
        .docker_archive()
        .unwrap();
    let temp = Temp::new();
    let path =
        temp.file("image.tar", ImageBuilder::new().layer("COPY . /", |layer| layer.file("/i.tar", &inner)).docker_archive().unwrap());
    let scans = [(); 2].map(|()| scan_with(path.to_str().unwrap(), &temp.path("cache"), Options::default()));
    assert!(scans[0].0.findings.iter().any(|finding| finding.nested_image.as_ref().is_some_and(|image| image.hidden_by.is_some())));
    assert_eq!(json(&scans[0].0), json(&scans[1].0));
    // Its instruction holds the secret, so the layer is read again.
    assert!(scans[1].1.0 < scans[1].1.1, "{:?}", scans[1].1);
    let plain = token("kept");
    let inner = ImageBuilder::new().tag("inner:1").layer("COPY a /", |layer| layer.file("/a", &plain)).docker_archive().unwrap();
    let path =
        temp.file("other.tar", ImageBuilder::new().layer("COPY . /", |layer| layer.file("/i.tar", &inner)).docker_archive().unwrap());
    let scans = [(); 2].map(|()| scan_with(path.to_str().unwrap(), &temp.path("cache"), Options::default()));
    assert_eq!(scans[1].1.0, scans[1].1.1);
    assert_eq!(json(&scans[0].0), json(&scans[1].0));
    assert!(scans[1].0.findings.iter().any(|finding| finding.nested_image.is_some()));
}

#[test]
fn an_archive_that_lies_about_its_layer_is_read() {
    let temp = Temp::new();
    let folder = temp.path("cache");
    let layer = |text: &str| {
        let mut layer = LayerBuilder::new();
        layer.file("/file", text);
        layer.finish()
    };
    let secret = token("tampered");
    let (clean, dirty) = (layer(&"x".repeat(secret.len())), layer(&secret));
    let image = |bytes: &[u8]| ImageBuilder::new().stored_layer("COPY . .", bytes, Digest::sha256(&clean));
    let path = temp.file("image.tar", image(&clean).docker_archive().unwrap());
    let target = path.to_str().unwrap();
    assert_eq!(scan_with(target, &folder, Options::default()).0.findings.len(), 0);
    let (reused, asked) = scan_with(target, &folder, Options::default()).1;
    assert_eq!(reused, asked);

    let lying = temp.file("lying.tar", image(&dirty).docker_archive().unwrap());
    let (scan, (reused, _)) = scan_with(lying.to_str().unwrap(), &folder, Options::default());
    only(&scan, &secret);
    assert_eq!((reused, reasons(&scan)), (0, vec![Reason::DiffIdMismatch]));

    // In the place of the clean one, as long as it, and dated back where that can be told.
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let lying = fs::read(lying).unwrap();
    assert_eq!(lying.len() as u64, fs::metadata(&path).unwrap().len());
    fs::write(&path, lying).unwrap();
    if cfg!(unix) {
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
    }
    let (scan, _) = scan_with(target, &folder, Options::default());
    only(&scan, &secret);
}

#[test]
fn other_rules_another_key_and_other_bounds_are_other_results() {
    let temp = Temp::new();
    let path = temp.file("image.tar", image().docker25().unwrap());
    let (target, folder) = (path.to_str().unwrap(), temp.path("cache"));
    let key = || Some(Key::new(b"a key of sixteen bytes").unwrap());
    let limits = Limits { findings_per_file: 7, ..Limits::default() };
    let all = [Options::default(), Options { key: key(), ..Options::default() }, Options { limits, ..Options::default() }];
    let reports = all.clone().map(|options| {
        let (scan, (reused, asked)) = scan_with(target, &folder, options);
        assert!(reused == 0 && asked > 0);
        json(&scan)
    });
    assert_ne!(reports[0], reports[1]);
    for (options, report) in all.into_iter().zip(reports) {
        let (scan, (reused, asked)) = scan_with(target, &folder, options);
        assert_eq!((json(&scan), reused), (report, asked));
    }
    let rules = Selection { only: vec![TOKEN_RULE.parse().unwrap()], skip: Vec::new() }.apply(layersift::rule::RuleSet::builtin()).unwrap();
    let cache = cache(&folder);
    let options = Options { cache: Some(Arc::clone(&cache)), ..Options::default() };
    let scan = sound(run(&[Reference::parse(target).unwrap()], &rules, &options, &NoProgress));
    assert_eq!(cache.reused().0, 0);
    assert!(scan.findings.iter().all(|finding| finding.rule.id == TOKEN_RULE));
}

#[test]
fn what_is_damaged_is_read_again_and_mended() {
    let temp = Temp::new();
    let path = temp.file("image.tar", image().docker25().unwrap());
    let (target, folder) = (path.to_str().unwrap(), temp.path("cache"));
    let first = json(&scan_with(target, &folder, Options::default()).0);
    for (number, path) in entries(&folder).iter().enumerate() {
        let mut bytes = fs::read(path).unwrap();
        let at = bytes.len() - 1 - number % 3;
        bytes[at] ^= 1;
        if number % 4 == 3 {
            bytes.truncate(at / 2);
        }
        fs::write(path, bytes).unwrap();
    }
    let (scan, (reused, asked)) = scan_with(target, &folder, Options::default());
    assert_eq!((json(&scan), reused, asked > 0), (first.clone(), 0, true));
    let (scan, (reused, asked)) = scan_with(target, &folder, Options::default());
    assert_eq!((json(&scan), reused), (first, asked));
}

#[test]
fn a_layer_that_could_not_be_read_to_its_end_is_not_kept() {
    let temp = Temp::new();
    let path = temp.file("image.tar", crate::cli::damaged().docker25().unwrap());
    for round in 0..2 {
        let (scan, (reused, asked)) = scan_with(path.to_str().unwrap(), &temp.path("cache"), Options::default());
        // The other members of the archive are.
        assert_eq!((reused, scan.coverage.is_complete()), ((asked - 1) * round, false));
    }
}

#[test]
fn nothing_of_a_secret_is_in_the_folder() {
    let temp = Temp::new();
    let mut secrets = scenario().secrets;
    let (name, shared) = (token("name"), token("shared"));
    let image = image()
        .layer("COPY named /", |layer| layer.file(format!("/{name}"), "nothing"))
        // Found in one layer, and part of a path that is kept in another.
        .layer("COPY shared /", |layer| layer.file("/shared", &shared))
        .layer("COPY path /", |layer| layer.file(format!("/at/{}/.env", password()), format!("TOKEN={}", token("beside"))));
    secrets.extend([name, shared, password(), token("beside")]);
    let path = temp.file("image.tar", image.docker25().unwrap());
    let (scan, _) = scan_with(path.to_str().unwrap(), &temp.path("cache"), Options::default());
    let (again, (reused, _)) = scan_with(path.to_str().unwrap(), &temp.path("cache"), Options::default());
    assert!(reused > 0 && json(&scan) == json(&again));
    for secret in &secrets {
        assert!(scan.findings.iter().any(|finding| finding.secret.expose() == secret.as_bytes()));
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        // Whatever stands before it, a stretch of its base64 is the same.
        let inside = (0..3).map(|before| STANDARD.encode(["xx", "x", ""][before].to_owned() + secret)[4..20].to_owned());
        let forms: Vec<String> = inside.chain([secret[..12].to_owned(), secret[12..].to_owned(), hex]).collect();
        for path in files(&temp.path("cache")) {
            let bytes = fs::read(&path).unwrap();
            let has = |form: &String| bytes.windows(form.len()).any(|window| window == form.as_bytes());
            assert!(!forms.iter().any(has), "{}", path.display());
        }
    }
}

#[cfg(unix)]
#[test]
fn the_folder_is_for_its_owner_and_one_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let temp = Temp::new();
    let path = temp.file("image.tar", image().docker25().unwrap());
    scan_with(path.to_str().unwrap(), &temp.path("cache"), Options::default());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&temp.path("cache")), 0o700);
    assert!(files(&temp.path("cache")).iter().all(|path| mode(path) == 0o600));
    fs::set_permissions(temp.path("cache"), fs::Permissions::from_mode(0o770)).unwrap();
    let error = Folder::open(&temp.path("cache"), MAX_BYTES).unwrap_err();
    assert!(error.to_string().contains("other users can write"), "{error}");
}

#[test]
fn the_oldest_go_first_and_folders_of_others_are_left_alone() {
    let temp = Temp::new();
    let folder = temp.path("cache");
    let path = temp.file("image.tar", image().docker25().unwrap());
    let (_, (_, asked)) = scan_with(path.to_str().unwrap(), &folder, Options::default());
    let all = entries(&folder);
    let size: u64 = all.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(all.len() as u64 >= asked && asked > 3);
    // One of them has not been used for a day.
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(86_400);
    fs::File::options().write(true).open(&all[1]).unwrap().set_modified(old).unwrap();
    Folder::open(&folder, size).unwrap().trim().unwrap();
    assert_eq!(entries(&folder), all, "within the bound");
    Folder::open(&folder, size - 1).unwrap().trim().unwrap();
    let left = entries(&folder);
    assert!(!left.contains(&all[1]) && !left.is_empty());
    assert!(left.iter().map(|path| fs::metadata(path).unwrap().len()).sum::<u64>() <= size / 10 * 9);

    temp.file("mine/blobs/notes.txt", "mine");
    temp.file("mine/diary", "mine");
    assert!(Folder::open(&temp.path("mine"), MAX_BYTES).is_err());
    assert!(Folder::existing(&temp.path("mine")).is_none());
}

/// The program with a cache in `folder`.
fn cached(folder: &Path, words: &[&str]) -> std::process::Command {
    let mut program = program();
    program.env_remove("LAYERSIFT_NO_CACHE").env("LAYERSIFT_CACHE_DIR", folder).args(words);
    program.stdout(Stdio::piped()).stderr(Stdio::piped());
    program
}

fn run_cached(folder: &Path, words: &[&str]) -> Run {
    Run::new(cached(folder, words).output().unwrap())
}

#[test]
fn several_processes_use_one_folder_at_once() {
    let temp = Temp::new();
    let path = temp.file("image.tar", image().docker25().unwrap());
    let words = ["scan", path.to_str().unwrap(), "--format", "json"];
    let running: Vec<_> = (0..4).map(|_| cached(&temp.path("cache"), &words).spawn().unwrap()).collect();
    let runs: Vec<Run> = running.into_iter().map(|child| Run::new(child.wait_with_output().unwrap())).collect();
    let next = run_cached(&temp.path("cache"), &words);
    for run in &runs {
        assert_eq!((run.code, &run.stdout), (next.code, &next.stdout));
        assert!(!run.stderr.contains("of no use"), "{}", run.stderr);
    }
    assert!(next.stderr.contains(" layers from the cache"), "{}", next.stderr);
}

#[test]
fn the_program_says_what_it_reused_and_what_is_kept() {
    let temp = Temp::new();
    let path = temp.file("image.tar", image().docker25().unwrap());
    let folder = temp.path("cache");
    let target = path.to_str().unwrap();
    assert_eq!(run_cached(&folder, &["scan", target, "--no-cache"]).stderr, "");
    assert!(!folder.exists());
    let cold = run_cached(&folder, &["scan", target]);
    assert_eq!(cold.stderr, "");
    let warm = run_cached(&folder, &["scan", target]);
    // The layers, and a member of the archive that belongs to no image.
    assert_eq!((warm.stdout, warm.stderr.as_str()), (cold.stdout, "note: 6 of 6 layers from the cache\n"));
    // A secret's text is not kept: it is read where it is wanted.
    let shown = run_cached(&folder, &["scan", target, "--show-secrets"]);
    assert!(shown.stdout.contains(&password()) && shown.stderr.is_empty());

    let info = run_cached(&folder, &["cache", "info"]);
    assert!(info.code == 0 && info.stdout.contains("holds 6 layers in 12 files"), "{}", info.stdout);
    let damaged = entries(&folder).remove(0);
    fs::write(&damaged, "rubbish").unwrap();
    let verify = || run_cached(&folder, &["cache", "verify"]);
    assert_eq!((verify().code, damaged.exists(), verify().code), (1, false, 0));
    assert_eq!(run_cached(&folder, &["cache", "clear"]).code, 0);
    assert_eq!(entries(&folder), Vec::<PathBuf>::new());
    let elsewhere = temp.path("elsewhere");
    let info = run_cached(&folder, &["cache", "info", "--cache-dir", elsewhere.to_str().unwrap()]);
    assert!(info.stdout.contains("elsewhere holds 0 layers") && !elsewhere.exists(), "{}", info.stdout);
}

#[test]
fn a_folder_that_cannot_be_used_costs_time_and_nothing_else() {
    let temp = Temp::new();
    let path = temp.file("image.tar", image().docker25().unwrap());
    let words = ["scan", path.to_str().unwrap(), "--format", "json"];
    let cold = run_cached(&temp.file("file", ""), &words);
    assert_eq!(cold.stderr.matches("note: the cache is of no use").count(), 1, "{}", cold.stderr);
    let usual = run_cached(&temp.path("cache"), &words);
    assert_eq!((cold.code, cold.stdout), (usual.code, usual.stdout));
}
