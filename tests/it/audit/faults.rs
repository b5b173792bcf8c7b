//! What cannot be read is an entry of the report, and never its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use layersift::layer::decode::Compression;
use layersift::oci::Digest;
use layersift::source::builder::{ImageBuilder, ImageSet, LayerBuilder, compress};

use super::world::*;
use crate::registry::server::{Reply, Request};
use crate::support::*;

#[test]
fn a_tag_without_manifest_and_a_layer_that_is_cut_off_are_entries_and_the_rest_goes_on() {
    let world = forty(3_000);
    let blobs = world.blobs();
    let largest = blobs.iter().max_by_key(|(_, size)| **size).unwrap().0.clone();
    let (heals, cut) = (Arc::new(AtomicBool::new(false)), largest.clone());
    let fault = {
        let heals = Arc::clone(&heals);
        move |request: &Request, reply: Reply| match () {
            () if heals.load(Ordering::SeqCst) => reply,
            () if request.path.ends_with("/manifests/1.5") => Reply::new(404, "{}"),
            // Too long for what its manifest says, which no second attempt mends.
            () if request.path.ends_with(&cut) => Reply { body: [&reply.body[..], b"more"].concat(), ..reply },
            () => reply,
        }
    };
    let audited = Audited::with(world, Arc::new(fault));
    let audit = audited.audit("--fail-on never");
    assert_eq!(audit.run.code, 3, "{}", audit.run.stderr);
    let failures = audit.of("failure");
    let named: Vec<(&str, &str)> =
        failures.iter().map(|failure| (failure["stage"].as_str().unwrap(), failure["what"].as_str().unwrap())).collect();
    assert_eq!(named, [("tag", "1.5"), ("layer", largest.as_str())]);
    assert!(failures[0]["problem"].as_str().unwrap().contains("there is none"), "{}", failures[0]);
    let summary = audit.summary();
    assert_eq!((&summary["tags"], &summary["failures"], &summary["complete"]), (&39.into(), &2.into(), &false.into()));
    let with_gap = audit.of("image").into_iter().filter(|image| image["complete"] == false).count();
    assert!(with_gap > 0 && audit.of("finding").len() > 30, "{with_gap}");

    // Nothing can be said of what was in the layer; the next audit, which can read it, says it again.
    heals.store(true, Ordering::SeqCst);
    let whole = audited.audit("");
    assert_eq!((&whole.summary()["complete"], &whole.summary()["failures"]), (&true.into(), &0.into()));
    assert_eq!(audited.asked()[&largest], 2);
    heals.store(false, Ordering::SeqCst);
    audited.world.lock().unwrap().untag("team/app", "1.0");
    let gap = audited.audit("");
    assert_eq!((&gap.summary()["fixed"], &gap.summary()["unsure"]), (&0.into(), &2.into()), "{}", gap.summary());
}

#[test]
fn a_layer_that_is_damaged_where_it_was_made_is_said_and_not_read_again() {
    let mut layer = LayerBuilder::new();
    layer.file("/token", token("before the damage"));
    layer.file("/noise", layersift::random::Random::new(3).text(b"abcdefgh", 100_000));
    let whole = layer.finish();
    let mut stored = compress(&whole, Compression::Gzip).unwrap();
    stored.truncate(stored.len() / 2);
    let mut world = World::default();
    world.push("damaged", "1", &ImageSet::new().image(ImageBuilder::new().stored_layer("COPY . /", stored, Digest::sha256(&whole))));
    let audited = Audited::new(world);
    for _ in 0..2 {
        let audit = audited.audit("--fail-on never");
        assert_eq!((audit.run.code, &audit.summary()["failures"], audit.of("image").len()), (3, &0.into(), 1), "{}", audit.run.stderr);
        let skipped = audit.of("image")[0]["skipped"].as_array().unwrap();
        assert!(skipped.iter().any(|gap| gap["reason"] == "damaged-stream"), "{skipped:?}");
        audit.at("/token");
    }
    let mut asked: Vec<usize> = audited.asked().into_values().collect();
    asked.sort_unstable();
    assert_eq!(asked, [1, 2], "the layer, and the config by each audit");
}

#[test]
fn a_registry_that_lists_nothing_is_fatal_and_its_tags_can_be_named() {
    let heals = Arc::new(AtomicBool::new(false));
    let is_mended = Arc::clone(&heals);
    let fault = move |request: &Request, reply| match request.path.contains("/_catalog") && !is_mended.load(Ordering::SeqCst) {
        true => Reply::new(404, "{}"),
        false => reply,
    };
    let audited = Audited::with(forty(500), Arc::new(fault));
    let audit = audited.audit("");
    assert_eq!(audit.run.code, 2);
    assert!(audit.run.stderr.contains("error: nothing that was asked for could be listed"), "{}", audit.run.stderr);
    assert_eq!((&audit.of("failure")[0]["stage"], &audit.summary()["complete"]), (&"listing".into(), &false.into()));
    let named = audited.audit(&format!("{}/team/app:1.1 --fail-on never", audited.server.address));
    assert_eq!((named.run.code, &named.summary()["tags"]), (3, &1.into()));
    heals.store(true, Ordering::SeqCst);
    assert_eq!(audited.audit("").summary()["tags"], 40, "the next one tries again");
}

#[test]
fn a_budget_is_kept_and_the_next_audit_goes_on_from_there() {
    let audited = Audited::new(forty(20_000));
    let blobs = audited.world.lock().unwrap().blobs();
    let all: u64 = blobs.values().sum();
    let mut codes = Vec::new();
    for _ in 0..12 {
        let before = fetched(&audited, &blobs);
        let audit = audited.audit("--budget 300K --fail-on never");
        let now = fetched(&audited, &blobs) - before;
        assert!(now <= 300 << 10, "{now}");
        codes.push(audit.run.code);
        if audit.run.code == 0 {
            break;
        }
        assert!(
            audit.of("failure").iter().all(|failure| failure["problem"].as_str().unwrap().contains("beyond the budget of 307200 bytes"))
        );
        assert!(audit.run.code == 3 && !audit.of("failure").is_empty());
    }
    assert_eq!(codes.last(), Some(&0), "{codes:?}");
    assert!(codes.len() as u64 >= all / (300 << 10), "{codes:?}");
    let layers: Vec<usize> = audited.asked().into_iter().filter(|(digest, _)| blobs[digest] > 20_000).map(|(_, count)| count).collect();
    assert_eq!(layers, [1; 45]);
}

/// Bytes of blobs that were asked for so far.
fn fetched(audited: &Audited, blobs: &std::collections::BTreeMap<String, u64>) -> u64 {
    audited.asked().into_iter().map(|(digest, count)| blobs[&digest] * count as u64).sum()
}
