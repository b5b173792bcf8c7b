//! An audit that is killed goes on where it was.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use layersift::random::Random;

use super::world::*;
use crate::registry::server::Request;

/// Layers whose work is done, as the state has it.
fn finished(audited: &Audited) -> BTreeSet<String> {
    let db = rusqlite::Connection::open(audited.state()).unwrap();
    let mut query = db.prepare("SELECT key FROM work WHERE stage = 3 AND state >= 3").unwrap();
    let keys = query.query_map([], |row| row.get(0)).unwrap();
    keys.collect::<Result<_, _>>().unwrap()
}

/// No secret is in what an audit that was killed left behind.
fn unseen(audited: &Audited) {
    for entry in std::fs::read_dir(audited.temp.path("")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        for secret in secrets() {
            assert!(memchr::memmem::find(&bytes, secret.as_bytes()).is_none(), "{secret} is in {}", path.display());
        }
    }
}

#[test]
fn an_audit_that_is_killed_five_times_says_what_an_undisturbed_one_says_and_reads_no_finished_layer_twice() {
    // Blobs come slowly, so that there is something to kill.
    let slow = |request: &Request, reply| {
        if request.is_blob() {
            sleep(Duration::from_millis(15));
        }
        reply
    };
    let audited = Audited::with(forty(5_000), Arc::new(slow));
    let mut random = Random::new(5);
    let mut snapshots = Vec::new();
    for _ in 0..5 {
        let before = audited.server.requests().len();
        let mut child = audited.command().arg(audited.target()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let wanted = 15 + random.below(15);
        while audited.server.requests().len() < before + wanted {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
            sleep(Duration::from_millis(2));
        }
        sleep(Duration::from_millis(random.below(40) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        unseen(&audited);
        snapshots.push((audited.server.requests().len(), finished(&audited)));
    }
    assert!(snapshots[4].1.len() > snapshots[0].1.len() && !snapshots[0].1.is_empty(), "there was progress: {snapshots:?}");
    let killed = audited.audit("");
    assert!(killed.run.stderr.contains("gone on with"), "{}", killed.run.stderr);
    let requests = audited.server.requests();
    for (from, finished) in &snapshots {
        let asked = asked(&requests[*from..]);
        let again: Vec<&String> = finished.iter().filter(|digest| asked.contains_key(*digest)).collect();
        assert!(again.is_empty(), "{again:?} were finished, and read again");
    }
    let undisturbed = audited.audit_with(audited.temp.path("another.sqlite").to_str().unwrap(), "");
    assert_eq!(killed.timeless(), undisturbed.timeless());
    assert_eq!((killed.run.code, &killed.summary()["complete"]), (1, &true.into()));
}
