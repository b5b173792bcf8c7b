//! A registry and a database that others run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use layersift::source::builder::ImageSet;

use super::world::*;
use crate::cli::Run;
use crate::engine::Distribution;
use crate::postgres;
use crate::real_tools::skopeo;
use crate::registry::server::Request;
use crate::support::*;

/// Bytes of each blob that the log of a registry says were sent, and how often.
fn sent(log: &Path) -> BTreeMap<String, (usize, u64)> {
    let mut sent: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    for line in std::fs::read_to_string(log).unwrap().lines() {
        // `HOST - - [TIME] "GET /v2/team/app/blobs/sha256:... HTTP/1.1" 200 1234 "" "layersift/..."`
        let mut parts = line.split('"');
        let (Some(_), Some(request), Some(answer)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let Some(path) = request.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()) else { continue };
        let mut answer = answer.split_whitespace();
        if let (Some((_, digest)), Some("200" | "206"), Some(size)) = (path.split_once("/blobs/"), answer.next(), answer.next()) {
            let (count, bytes) = sent.entry(digest.to_owned()).or_default();
            (*count, *bytes) = (*count + 1, *bytes + size.parse::<u64>().unwrap());
        }
    }
    sent
}

#[test]
#[ignore = "needs docker-registry and skopeo; tests/run includes it where they are installed"]
fn of_forty_tags_in_a_real_registry_every_blob_is_sent_once() {
    let temp = Temp::new();
    let mut images = ImageSet::new();
    for number in 0..40 {
        images = images.image(build(number, 5_000).tag(&format!("1.{number}")));
    }
    let layout = temp.path("layout");
    images.oci_layout(&layout).unwrap();
    let registry = Distribution::start(&temp, "open", "", "");
    for number in 0..40 {
        let (from, to) = (format!("oci:{}:1.{number}", layout.display()), format!("docker://{}/team/app:1.{number}", registry.address));
        skopeo(&from, &to, &["--preserve-digests", "--dest-tls-verify=false"]);
    }
    let world = forty(5_000);
    let before = sent(&registry.log);
    let audited = Audited::new(world.clone());
    let report = temp.path("report.jsonl");
    let output = format!("jsonl={}", report.display());
    let run = Run::new(audited.command().arg(format!("registry://{}", registry.address)).args(["--output", &output]).output().unwrap());
    let audit = Audit::new(run, std::fs::read_to_string(report).unwrap());
    assert_eq!(
        (audit.run.code, &audit.summary()["tags"], &audit.summary()["complete"]),
        (1, &40.into(), &true.into()),
        "{}",
        audit.run.stderr
    );
    // What skopeo asked for is not ours.
    let mut after = sent(&registry.log);
    for (digest, (count, bytes)) in before {
        let now = after.get_mut(&digest).unwrap();
        *now = (now.0 - count, now.1 - bytes);
    }
    let expected: BTreeMap<String, (usize, u64)> = world.blobs().into_iter().map(|(digest, size)| (digest, (1, size))).collect();
    assert_eq!(after, expected);
    // It says what the tests' own registry leads to.
    let own = audited.audit("");
    let ids = |audit: &Audit| audit.of("finding").iter().map(|finding| finding["id"].to_string()).collect::<BTreeSet<_>>();
    assert_eq!(ids(&audit), ids(&own));
}

#[test]
#[ignore = "needs PostgreSQL; tests/run includes it where it is installed"]
fn three_workers_on_postgresql_of_which_one_is_killed_say_what_one_says() {
    let server = postgres::start();
    let state = server.fresh();
    let slow = |request: &Request, reply| {
        if request.is_blob() {
            sleep(Duration::from_millis(10));
        }
        reply
    };
    let audited = Audited::with(forty(5_000), Arc::new(slow));
    let worker = |flags: &[&str]| -> Child {
        let mut command = audited.command_with(&state);
        command.arg(audited.target()).args(["--concurrency", "1"]).args(flags).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let report = audited.temp.path("report.jsonl");
    let output = format!("jsonl={}", report.display());
    let main = worker(&["--output", &output]);
    let (other, mut killed) = (worker(&["--worker"]), worker(&["--worker"]));
    while audited.server.requests().len() < 60 {
        assert!(killed.try_wait().unwrap().is_none(), "it ended before it was killed");
        sleep(Duration::from_millis(2));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let other = Run::new(other.wait_with_output().unwrap());
    let main = Run::new(main.wait_with_output().unwrap());
    assert_eq!((other.code, main.code), (0, 1), "{} {}", other.stderr, main.stderr);
    let audit = Audit::new(main, std::fs::read_to_string(report).unwrap());
    // The one that was killed had one piece of work in its hands: a layer, or an image with its config.
    let twice = audited.asked().into_values().filter(|count| *count > 1).collect::<Vec<_>>();
    assert!(twice.is_empty() || twice == [2], "{twice:?}");
    let alone = audited.audit("");
    assert_eq!(audit.timeless(), alone.timeless());
    assert_eq!(audit.summary()["complete"], true);
}
