//! Audits of registries: each layer is read once, whatever is killed; what cannot be read is said; nothing shows a secret.

mod faults;
mod kill;
mod real;
#[cfg(target_os = "linux")]
mod size;
mod world;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;

use layersift::source::builder::{ImageBuilder, ImageSet};
use serde_json::Value;

use self::world::*;
use crate::cli::Run;
use crate::support::*;

#[test]
fn forty_tags_are_read_with_each_blob_fetched_once_and_say_what_scans_say() {
    let audited = Audited::new(forty(20_000));
    let audit = audited.audit("");
    assert_eq!(audit.run.code, 1, "{}", audit.run.stderr);
    let blobs = audited.world.lock().unwrap().blobs();
    assert_eq!(audited.asked(), blobs.keys().map(|digest| (digest.clone(), 1)).collect());
    assert_eq!(blobs.len(), 1 + 4 + 40 + 40, "the base, the layers that ten share, those of one, configs");
    let summary = audit.summary();
    for (field, value) in [("repositories", 1), ("tags", 40), ("images", 40), ("layers", 45), ("shared_layers", 5), ("failures", 0)] {
        assert_eq!(summary[field], value, "{field}: {summary}");
    }
    assert_eq!(summary["complete"], true);
    // A manifest is asked for once, by its tag.
    let manifests = audited.server.requests().iter().filter(|request| request.path.contains("/manifests/1.")).count();
    let by_digest = audited.server.requests().iter().filter(|request| request.path.contains("/manifests/sha256:")).count();
    assert_eq!((manifests, by_digest), (40, 0));

    let base = audit.at("/etc/base-token");
    let mut tags: Vec<String> = (0..40).map(|number| format!("1.{number}")).collect();
    tags.sort();
    let mut of_base = tags_of(base);
    of_base.sort_unstable();
    assert_eq!(of_base, tags);
    let full = |tag: &str| format!("{}/team/app:{tag}", audited.server.address);
    assert_eq!((&base["first_tag"]["tag"], &base["last_tag"]["tag"]), (&full("1.0").into(), &full("1.39").into()));
    assert_eq!(base["first_tag"]["time"], "2026-01-01T00:00:00Z");
    // The same setting in all images is one finding.
    let settings: Vec<&Value> = audit.of("finding").into_iter().filter(|finding| finding["place"]["kind"] == "config").collect();
    assert_eq!(settings.iter().map(|finding| tags_of(finding).len()).collect::<Vec<_>>(), [40]);

    let one = sound(scan_text(&format!("registry:{}/team/app:1.17", audited.server.address), &layersift::scan::Options::default()));
    let of_scan: BTreeSet<String> = one.findings.iter().map(|finding| finding.id.clone()).collect();
    let findings = audit.of("finding");
    let of_audit = findings.iter().filter(|finding| tags_of(finding).contains(&"1.17"));
    assert_eq!(of_audit.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>(), of_scan);
    assert!(of_scan.len() >= 4);
}

#[test]
fn no_secret_is_in_the_state_or_in_anything_that_is_written() {
    let mut world = forty(2_000);
    let named = token("in a name");
    let image = ImageBuilder::new().annotation("build", &token("annotation")).layer("COPY . /", |layer| {
        layer.file(format!("/run/{named}/file"), "nothing");
        layer.hard_link("/run/link", format!("/run/{named}/file"));
        layer.file("/run/token", &named);
    });
    world.push("team/names", "1", &ImageSet::new().image(image));
    let audited = Audited::new(world);
    let mut texts: Vec<String> = Vec::new();
    for format in ["jsonl", "json", "html", "table"] {
        let run = Run::new(audited.command().arg(audited.target()).args(["--format", format]).output().unwrap());
        assert_eq!(run.code, 1, "{}", run.stderr);
        texts.extend([run.stdout, run.stderr]);
    }
    let asked: Vec<usize> = audited.asked().into_values().collect();
    let times = |count| asked.iter().filter(|asked| **asked == count).count();
    assert_eq!((times(1), times(4)), (46, 41), "layers once, even one whose paths hold a secret, and configs by each audit");
    valid_audit(&serde_json::from_str(&texts[2]).unwrap());
    assert!(texts[4].contains("team/names") && texts[4].trim_end().ends_with("</html>"), "{}", texts[4]);
    assert!(texts[6].contains("/team/app ") && texts[6].contains("46 distinct layers"), "{}", texts[6]);
    let mut kept: Vec<(String, Vec<u8>)> = texts.into_iter().map(|text| ("what was written".to_owned(), text.into_bytes())).collect();
    for entry in std::fs::read_dir(audited.temp.path("")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            kept.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    assert!(kept.iter().any(|(name, bytes)| name.ends_with("state.sqlite") && bytes.len() > 100_000), "the state was looked at");
    for (name, bytes) in &kept {
        for secret in secrets().iter().chain([&named, &token("annotation")]) {
            assert!(memchr::memmem::find(bytes, secret.as_bytes()).is_none(), "{secret} is in {name}");
        }
    }
}

#[test]
fn a_later_audit_says_what_is_new_known_and_fixed() {
    let audited = Audited::new(forty(1_000));
    let first = audited.audit("");
    assert_eq!((&first.lines[0]["compared"], &first.summary()["new"]), (&false.into(), &Value::Null));
    assert!(first.of("finding").iter().all(|finding| finding.get("novelty").is_none()));
    let before = audited.asked();
    {
        let mut world = audited.world.lock().unwrap();
        for number in 10..20 {
            world.untag("team/app", &format!("1.{number}"));
        }
        world.push("team/app", "2.0", &ImageSet::new().image(build(40, 1_000)));
    }
    let second = audited.audit("");
    let summary = second.summary();
    assert_eq!((&second.lines[0]["compared"], &summary["unsure"]), (&true.into(), &0.into()));
    // Of ten images one password each, and the token of the layer that they shared; the new one has one of each.
    let told = |novelty: &str| second.of("finding").iter().filter(|finding| finding["novelty"] == novelty).count();
    let fixed = second.of("fixed");
    assert_eq!((told("new"), fixed.len() as u64, summary["fixed"].as_u64().unwrap()), (2, 11, 11), "{summary}");
    assert_eq!(summary["new"], 2);
    assert_eq!(second.at("/etc/base-token")["novelty"], "known");
    assert!(fixed.iter().any(|finding| finding["place"]["path"] == "/srv/ten") && fixed.iter().all(|finding| finding["id"].is_string()));
    // What is known was not read again: two layers are new. Configs, which are smaller, are read anew.
    let layers = |asked: &std::collections::BTreeMap<String, usize>| {
        let blobs = audited.world.lock().unwrap().blobs();
        asked.iter().filter(|(digest, _)| blobs.get(*digest).is_some_and(|size| *size > 2_000)).map(|(_, count)| count).sum::<usize>()
    };
    assert_eq!(layers(&audited.asked()) - layers(&before), 2);
}

#[test]
fn a_list_is_read_from_standard_input() {
    let audited = Audited::new(forty(1_000));
    let list = format!("# images\n{0}/team/app:1.3 # the third\n\nregistry:{0}/team/app:1.4\n{0}/team/app:1.3\n", audited.server.address);
    let mut child = audited
        .command()
        .args(["--from", "-", "--format", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
    let run = Run::new(child.wait_with_output().unwrap());
    assert_eq!(run.code, 1, "{}", run.stderr);
    let text = run.stdout.clone();
    let audit = Audit::new(run, text);
    assert_eq!((&audit.summary()["tags"], &audit.summary()["repositories"]), (&2.into(), &1.into()));
    let wrong = Run::new(audited.command().args(["--from", audited.temp.file("list", "a:1\nA b\n").to_str().unwrap()]).output().unwrap());
    assert!(wrong.code == 2 && wrong.stderr.contains("list, line 2: ") && wrong.stderr.contains("hint: "), "{}", wrong.stderr);
}

#[test]
fn tags_and_platforms_are_chosen() {
    let audited = Audited::new(forty(1_000));
    // Nobody says when a tag was pushed: the image's config says when it was made. Image 39 is of the second day, at 19 o'clock.
    let since = audited.audit("--since 2026-01-02");
    assert_eq!(since.summary()["tags"], 20, "{}", since.run.stderr);
    let globs = audited.audit("--tag 1.1* --exclude-tag 1.1?");
    assert_eq!(globs.of("image").iter().map(|image| image["tags"][0].as_str().unwrap()).collect::<Vec<_>>(), ["1.1"]);
    let newest = audited.audit("--max-tags 2 --tag 1.*");
    assert_eq!(newest.summary()["tags"], 2);
    let none = audited.audit("--platform linux/s390x");
    let [tags, others] = ["tags", "other_platforms"].map(|field| &none.summary()[field]);
    assert_eq!((none.run.code, tags, others), (0, &0.into(), &40.into()), "{}", none.run.stderr);
    let named = Run::new(
        audited.command().args([&format!("{}/team/app:1.1", audited.server.address), "--platform", "linux/s390x"]).output().unwrap(),
    );
    assert!(named.code == 2 && named.stdout.contains("it has linux/amd64"), "{}", named.stdout);

    let of = |architecture: &str| {
        let image = ImageBuilder::new().platform(format!("linux/{architecture}").parse().unwrap());
        image.layer("COPY a /", |layer| layer.file("/token", token(architecture)))
    };
    let mut world = World::default();
    world.push("two", "1", &ImageSet::new().image(of("amd64")).image(of("arm64")).nested("1"));
    let audited = Audited::new(world);
    let one = audited.audit("--platform linux/arm64");
    assert_eq!((&one.summary()["images"], &one.summary()["layers"]), (&1.into(), &1.into()));
    assert_eq!(one.at("/token")["images"][0]["platform"], "linux/arm64");
    assert_eq!(audited.asked().len(), 2, "its config and its layer");
    let both = audited.audit("");
    assert_eq!((&both.summary()["images"], both.of("finding").len()), (&2.into(), 2));
}

#[test]
fn a_project_file_sets_what_it_sets_for_a_scan_but_for_the_report() {
    let audited = Audited::new(forty(500));
    let project = "[gate]\nfail-on = \"never\"\n[report]\nformat = \"sarif\"\noutput = [\"sarif=nowhere/x\"]\n[rules]\nonly = [\"github-pat-classic\"]\n\
                   [[allow]]\npath = \"/srv/**\"\nreason = \"tests\"\n";
    let project = audited.temp.file("layersift.toml", project);
    let run = Run::new(audited.command().env("LAYERSIFT_CONFIG", project).args([&audited.target(), "--format", "jsonl"]).output().unwrap());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = run.stdout.clone();
    let audit = Audit::new(run, text);
    let findings = &audit.summary()["findings"];
    // The token of the base and that of the environment; those of the four layers that ten share are accepted.
    assert_eq!((&findings["critical"], &findings["suppressed"], &findings["medium"]), (&2.into(), &4.into(), &0.into()));
}

#[test]
fn two_workers_share_an_audit() {
    let audited = Audited::new(forty(10_000));
    let spawn = |flags: &[&str]| {
        let mut command = audited.command();
        command
            .arg(audited.target())
            .args(["--concurrency", "1"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let worker = spawn(&["--worker"]);
    let report = audited.temp.path("report.jsonl");
    let main = spawn(&["--output", &format!("jsonl={}", report.display())]);
    let (worker, main) = (Run::new(worker.wait_with_output().unwrap()), Run::new(main.wait_with_output().unwrap()));
    assert_eq!((worker.code, worker.stdout.as_str(), main.code), (0, "", 1), "{} {}", worker.stderr, main.stderr);
    let audit = Audit::new(main, std::fs::read_to_string(report).unwrap());
    let alone = audited.audit_with(audited.temp.path("alone.sqlite").to_str().unwrap(), "");
    assert_eq!(audit.timeless(), alone.timeless());
}
