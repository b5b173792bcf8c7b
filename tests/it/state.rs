//! What holds for every store of an audit's state: one table of scenarios, run against each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use layersift::audit::state::{Counts, Done, Lease, Run, RunId, Stage, State, StateError, Taken, Work, open};

use crate::postgres;
use crate::registry::certificates;
use crate::support::Temp;

const LONG: Duration = Duration::from_secs(3600);
/// A lease that has run out as soon as it is given.
const NONE: Duration = Duration::ZERO;

/// Opens the same state once more, as another process would.
type Open<'o> = &'o (dyn Fn() -> Box<dyn State> + Sync);

const SCENARIOS: [fn(Open<'_>); 17] = [
    runs,
    order,
    known_work,
    nothing_more,
    lost_leases,
    late_leases,
    given_back,
    finished_twice,
    waiting,
    unknown_layers,
    given_up,
    facts,
    results,
    failures,
    complete,
    old_runs,
    many_workers,
];

/// Runs all scenarios, each on a state of its own.
fn check(mut fresh: impl FnMut(usize) -> String) {
    for (number, scenario) in SCENARIOS.iter().enumerate() {
        let place = fresh(number);
        scenario(&|| open(&place).unwrap());
    }
}

#[test]
fn a_file_keeps_an_audit() {
    let temp = Temp::new();
    check(|number| temp.path(&format!("{number}.state")).to_str().unwrap().to_owned());
}

fn work(stage: Stage, key: &str, size: u64) -> Work {
    Work { stage, key: key.to_owned(), payload: key.as_bytes().to_vec(), after: Vec::new(), size }
}

fn layer(key: &str) -> Work {
    work(Stage::Layer, key, 0)
}

fn image(key: &str, after: &[&str]) -> Work {
    Work { after: after.iter().map(|&key| key.to_owned()).collect(), ..work(Stage::Image, key, 0) }
}

fn adding(more: Vec<Work>) -> Done {
    Done { more, ..Done::default() }
}

fn begin(state: &dyn State, first: &[Work]) -> RunId {
    state.begin("plan", first, 1).unwrap().id
}

#[track_caller]
fn take(state: &dyn State, run: RunId, lease: Duration) -> Lease {
    match state.take(run, "worker", lease).unwrap() {
        Taken::Work(lease) => *lease,
        other => panic!("{other:?}"),
    }
}

/// Takes and finishes all that can be; the keys in turn.
fn drain(state: &dyn State, run: RunId) -> Vec<String> {
    let mut keys = Vec::new();
    while let Taken::Work(lease) = state.take(run, "worker", LONG).unwrap() {
        assert!(state.finish(&lease, &Done::default()).unwrap());
        keys.push(lease.work.key);
    }
    keys
}

/// A run is gone on with until it is complete.
fn runs(open: Open<'_>) {
    let state = open();
    let first = state.begin("plan", &[layer("a")], 10).unwrap();
    assert_eq!(first, Run { id: first.id, started: 10, previous: None, is_resumed: false });
    let again = open().begin("plan", &[layer("b")], 20).unwrap();
    assert_eq!(again, Run { is_resumed: true, ..first.clone() });
    let other = state.begin("other", &[layer("c")], 30).unwrap();
    assert_ne!(other.id, first.id);
    assert_eq!(other.previous, None);
    assert_eq!(drain(&*state, first.id), ["a"], "work of a run that is gone on with is not added to it");
    state.complete(first.id, 40).unwrap();
    let second = state.begin("plan", &[], 50).unwrap();
    assert_eq!(second, Run { id: second.id, started: 50, previous: Some(first.id), is_resumed: false });
    assert_eq!(state.begin("plan", &[], 60).unwrap(), Run { is_resumed: true, ..second });
}

/// Work is taken in order, each once.
fn order(open: Open<'_>) {
    let state = open();
    let stages = [Stage::Listing, Stage::Repository, Stage::Tag, Stage::Image];
    let mut first: Vec<Work> = stages.iter().map(|&stage| work(stage, &format!("{stage:?}"), u64::MAX)).collect();
    first.extend([
        work(Stage::Layer, "b", 5),
        work(Stage::Layer, "B", 5),
        work(Stage::Layer, "ä", 5),
        work(Stage::Layer, "large", u64::MAX),
    ]);
    let run = begin(&*state, &first);
    let leases: Vec<Lease> = std::iter::from_fn(|| match state.take(run, "worker", LONG).unwrap() {
        Taken::Work(lease) => Some(*lease),
        _ => None,
    })
    .collect();
    let keys: Vec<&str> = leases.iter().map(|lease| lease.work.key.as_str()).collect();
    assert_eq!(keys, ["Image", "large", "B", "b", "ä", "Tag", "Repository", "Listing"]);
    assert_eq!(leases[3].work, first[4], "work comes back as it was given");
    assert!(leases.iter().all(|lease| lease.run == run && lease.attempts == 0));
    assert_eq!(state.take(run, "worker", LONG).unwrap(), Taken::Later);
}

/// What is known is not added again.
fn known_work(open: Open<'_>) {
    let state = open();
    let run = begin(&*state, &[layer("a"), layer("a"), work(Stage::Tag, "a", 0)]);
    let lease = take(&*state, run, LONG);
    let changed = Work { payload: b"other".to_vec(), ..layer("b") };
    assert!(state.finish(&lease, &adding(vec![layer("a"), layer("b"), changed, layer("b")])).unwrap());
    let lease = take(&*state, run, LONG);
    assert_eq!(lease.work, layer("b"), "the first one stays");
    assert!(state.finish(&lease, &Done::default()).unwrap());
    assert_eq!(drain(&*state, run), ["a"], "of another stage it is something else");
    assert_eq!(state.counts(run).unwrap().all, [0, 0, 1, 2, 0]);
}

/// Nothing more comes when all is finished.
fn nothing_more(open: Open<'_>) {
    let state = open();
    let run = begin(&*state, &[layer("a")]);
    let lease = take(&*state, run, LONG);
    assert_eq!(open().take(run, "other", LONG).unwrap(), Taken::Later);
    let failed = Done { failure: Some("no".to_owned()), fetched: 3, ..Done::default() };
    assert!(state.finish(&lease, &failed).unwrap());
    assert_eq!(open().take(run, "other", LONG).unwrap(), Taken::Nothing);
    let counts = Counts { finished: [0, 0, 0, 1, 0], all: [0, 0, 0, 1, 0], failed: 1, fetched: 3 };
    assert_eq!(state.counts(run).unwrap(), counts);
    assert_eq!(state.take(begin_other(&*state), "worker", LONG).unwrap(), Taken::Nothing, "there was none");
}

fn begin_other(state: &dyn State) -> RunId {
    state.begin("other", &[], 1).unwrap().id
}

/// A lease that ran out is somebody else's.
fn lost_leases(open: Open<'_>) {
    let (dead, state) = (open(), open());
    let run = begin(&*dead, &[layer("a")]);
    let lost = take(&*dead, run, NONE);
    let lease = take(&*state, run, LONG);
    assert_eq!((lost.attempts, lease.attempts), (0, 1));
    assert_eq!(lost.work, lease.work);
    assert!(!dead.renew(&lost, LONG).unwrap());
    dead.give_back(&lost).unwrap();
    let done = Done { more: vec![layer("b")], facts: vec![("f".into(), vec![])], results: vec![("r".into(), vec![])], ..Done::default() };
    assert!(!dead.finish(&lost, &done).unwrap());
    assert_eq!(state.counts(run).unwrap(), Counts { all: [0, 0, 0, 1, 0], ..Counts::default() });
    assert_eq!((state.fact(run, "f").unwrap(), state.result("r").unwrap()), (None, None), "nothing was written");
    assert!(state.renew(&lease, LONG).unwrap());
    assert!(state.finish(&lease, &Done::default()).unwrap());
    assert!(!dead.finish(&lost, &done).unwrap() && !dead.renew(&lost, LONG).unwrap());
    assert_eq!(state.take(run, "worker", LONG).unwrap(), Taken::Nothing);
}

/// A lease that ran out and that nobody took is still good.
fn late_leases(open: Open<'_>) {
    let state = open();
    let run = begin(&*state, &[layer("a"), layer("b")]);
    let late = take(&*state, run, NONE);
    assert!(state.finish(&late, &Done::default()).unwrap());
    let late = take(&*state, run, NONE);
    assert!(state.renew(&late, LONG).unwrap());
    assert_eq!(open().take(run, "other", LONG).unwrap(), Taken::Later, "it lasts again");
    assert!(state.finish(&late, &Done::default()).unwrap());
    assert_eq!(state.counts(run).unwrap().finished, [0, 0, 0, 2, 0]);
}

/// Work that is given back is there at once.
fn given_back(open: Open<'_>) {
    let state = open();
    let run = begin(&*state, &[layer("a")]);
    let lease = take(&*state, run, LONG);
    state.give_back(&lease).unwrap();
    assert!(!state.finish(&lease, &Done::default()).unwrap() && !state.renew(&lease, LONG).unwrap());
    state.give_back(&lease).unwrap();
    let again = take(&*open(), run, LONG);
    assert_eq!((again.attempts, &again.work), (0, &lease.work));
    state.give_back(&lease).unwrap();
    assert!(state.finish(&again, &Done::default()).unwrap(), "an old lease gives nothing back");
}

/// Finishing twice is finishing once.
fn finished_twice(open: Open<'_>) {
    let state = open();
    let run = begin(&*state, &[layer("a")]);
    let lease = take(&*state, run, LONG);
    assert!(state.finish(&lease, &Done { fetched: 1, ..Done::default() }).unwrap());
    assert!(state.finish(&lease, &Done { fetched: 5, more: vec![layer("b")], ..Done::default() }).unwrap());
    let counts = state.counts(run).unwrap();
    assert_eq!((counts.all, counts.fetched), ([0, 0, 0, 1, 0], 1));
    state.give_back(&lease).unwrap();
    assert_eq!(state.take(run, "worker", LONG).unwrap(), Taken::Nothing);
}

/// Work waits for its layers.
fn waiting(open: Open<'_>) {
    let state = open();
    let first = [image("both", &["b", "a", "b"]), layer("a"), layer("b"), image("one", &["b"])];
    let run = begin(&*state, &first);
    let (a, b) = (take(&*state, run, LONG), take(&*state, run, LONG));
    assert_eq!((a.work.key.as_str(), b.work.key.as_str()), ("a", "b"));
    assert_eq!(state.take(run, "worker", LONG).unwrap(), Taken::Later);
    assert!(state.finish(&b, &Done { failure: Some("gone".to_owned()), ..Done::default() }).unwrap());
    let one = take(&*state, run, LONG);
    assert_eq!(one.work, first[3]);
    // Known as an image already, and now said to wait for nothing: the first one stays.
    let more = vec![image("both", &[]), image("late", &["b"]), image("later", &["a", "b", "c"]), layer("c")];
    assert!(state.finish(&one, &adding(more)).unwrap());
    assert_eq!(take(&*state, run, LONG).work.key, "late", "its layer has failed before");
    let c = take(&*state, run, LONG);
    assert!(state.finish(&a, &Done::default()).unwrap());
    assert_eq!(take(&*state, run, LONG).work, first[0]);
    assert_eq!(state.take(run, "worker", LONG).unwrap(), Taken::Later);
    assert!(state.finish(&c, &Done::default()).unwrap());
    assert_eq!(take(&*state, run, LONG).work.key, "later");
}

/// Work waits for layers that are known, and for nothing else.
fn unknown_layers(open: Open<'_>) {
    let state = open();
    let run = begin(&*state, &[layer("a")]);
    let lease = take(&*state, run, LONG);
    let failed = |more| state.finish(&lease, &adding(more)).unwrap_err().to_string();
    let problem = failed(vec![layer("b"), image("i", &["b", "x"])]);
    assert!(problem.ends_with("finish work: i waits for x, which is not known as work"), "{problem}");
    let problem = failed(vec![Work { after: vec!["a".to_owned()], ..layer("b") }]);
    assert!(problem.ends_with("finish work: the layer b cannot wait for others"), "{problem}");
    assert_eq!(state.counts(run).unwrap().all, [0, 0, 0, 1, 0], "nothing of it was written");
    assert!(state.begin("other", &[image("i", &["a"])], 1).is_err(), "layers of other runs do not count");
    assert!(!state.begin("other", &[], 1).unwrap().is_resumed, "and no run was begun");
    assert!(state.finish(&lease, &Done::default()).unwrap());
}

/// Work that kills its workers is given up.
fn given_up(open: Open<'_>) {
    let state = open();
    let run = begin(&*state, &[layer("deadly"), image("i", &["deadly"])]);
    let mut last = None;
    for attempt in 0..5 {
        let lease = take(&*state, run, NONE);
        assert_eq!((lease.work.key.as_str(), lease.attempts), ("deadly", attempt));
        last = Some(lease);
    }
    let image = take(&*state, run, LONG);
    assert_eq!(image.work.key, "i", "what waited for it goes on");
    let last = last.unwrap();
    assert!(!state.finish(&last, &Done::default()).unwrap() && !state.renew(&last, LONG).unwrap());
    assert_eq!(failed(&*state, run), [("deadly".to_owned(), "given up: five workers took it, and none finished it".to_owned())]);
    assert!(state.finish(&image, &Done::default()).unwrap());
    assert_eq!(state.take(run, "worker", LONG).unwrap(), Taken::Nothing);
}

fn failed(state: &dyn State, run: RunId) -> Vec<(String, String)> {
    let mut failed = Vec::new();
    let mut each = |work: &Work, why: &str| {
        assert_eq!(work.payload, work.key.as_bytes());
        failed.push((work.key.clone(), why.to_owned()));
        Ok(())
    };
    state.failures(run, &mut each).unwrap();
    failed
}

fn read_facts(state: &dyn State, run: RunId, prefix: &str) -> Vec<(String, Vec<u8>)> {
    let mut read = Vec::new();
    let mut each = |key: &str, bytes: &[u8]| {
        read.push((key.to_owned(), bytes.to_vec()));
        Ok(())
    };
    state.facts(run, prefix, &mut each).unwrap();
    read
}

/// Facts are read by prefix, in the order of their keys.
fn facts(open: Open<'_>) {
    let state = open();
    let run = begin(&*state, &[layer("a"), layer("b")]);
    // More than are held in memory at once, in an order that is not theirs, and keys that languages sort in other ways.
    let mut put: Vec<(String, Vec<u8>)> = (0..1000).rev().map(|number| (format!("tag/{number}"), vec![0, number as u8, 255])).collect();
    put.extend(
        ["Tag/z", "tag/É", "tag/_", "tag", "tag/", "tag0", "tab", "tag/%", "tag/a b"].map(|key| (key.to_owned(), key.as_bytes().to_vec())),
    );
    let lease = take(&*state, run, LONG);
    assert!(state.finish(&lease, &Done { facts: put.clone(), ..Done::default() }).unwrap());
    let changed = vec![("tag/7".to_owned(), b"old".to_vec()), ("tag/7".to_owned(), b"new".to_vec()), ("only".to_owned(), vec![])];
    let lease = take(&*state, run, LONG);
    assert!(state.finish(&lease, &Done { facts: changed.clone(), ..Done::default() }).unwrap());
    let mut all: BTreeMap<String, Vec<u8>> = put.into_iter().collect();
    all.extend(changed);

    for prefix in ["", "tag", "tag/", "tag/1", "tag/999", "tag/É", "tag/%", "tag/_", "T", "x", "only"] {
        let expected: Vec<_> = all.clone().into_iter().filter(|(key, _)| key.starts_with(prefix)).collect();
        assert_eq!(read_facts(&*state, run, prefix), expected, "{prefix}");
    }
    assert_eq!(state.fact(run, "tag/7").unwrap().as_deref(), Some(b"new".as_slice()));
    assert_eq!(state.fact(run, "tag/x").unwrap(), None);
    let other = begin_other(&*state);
    assert_eq!((read_facts(&*state, other, ""), state.fact(other, "only").unwrap()), (vec![], None), "facts are of one run");

    let stop = || StateError { place: String::new(), action: "stop", problem: String::new() };
    let mut seen = 0;
    let stopped = state.facts(run, "", &mut |_, _| {
        seen += 1;
        if seen == 150 { Err(stop()) } else { Ok(()) }
    });
    assert_eq!((stopped.unwrap_err().action, seen), ("stop", 150));
}

/// The first result stays.
fn results(open: Open<'_>) {
    let state = open();
    let run = begin(&*state, &[layer("a"), layer("b")]);
    let named = |bytes: &[u8]| ("name".to_owned(), bytes.to_vec());
    let lease = take(&*state, run, LONG);
    assert!(state.finish(&lease, &Done { results: vec![named(b"first"), named(b"second")], ..Done::default() }).unwrap());
    let lease = take(&*state, run, LONG);
    let large = vec![7; 3 << 20];
    let results = vec![named(b"third"), ("empty".to_owned(), vec![]), ("large".to_owned(), large.clone())];
    assert!(state.finish(&lease, &Done { results, ..Done::default() }).unwrap());
    assert_eq!(state.result("name").unwrap().as_deref(), Some(b"first".as_slice()));
    assert_eq!(open().result("empty").unwrap(), Some(vec![]));
    assert!(state.result("large").unwrap() == Some(large));
    assert_eq!(state.result("other").unwrap(), None);
    assert_eq!(state.secret("key", b"mine").unwrap(), b"mine");
    assert_eq!(open().secret("key", b"theirs").unwrap(), b"mine");
    assert_eq!(state.secret("other", b"").unwrap(), b"");
}

/// Failures are listed in order.
fn failures(open: Open<'_>) {
    let state = open();
    let first: Vec<Work> =
        (0..250).map(|number| layer(&format!("{number:03}"))).chain([work(Stage::Tag, "z", 0), image("A", &[])]).collect();
    let run = begin(&*state, &first);
    while let Taken::Work(lease) = state.take(run, "worker", LONG).unwrap() {
        let failure = (lease.work.key != "100").then(|| format!("because of {}", lease.work.key));
        assert!(state.finish(&lease, &Done { failure, ..Done::default() }).unwrap());
    }
    let keys: Vec<String> = failed(&*state, run).into_iter().map(|(key, _)| key).collect();
    let expected: Vec<String> =
        ["z".to_owned()].into_iter().chain((0..250).filter(|&n| n != 100).map(|n| format!("{n:03}"))).chain(["A".to_owned()]).collect();
    assert_eq!(keys, expected);
    assert_eq!(failed(&*state, run)[0].1, "because of z");
    assert_eq!(state.counts(run).unwrap().failed, 251);
}

/// A run is complete when its work is finished.
fn complete(open: Open<'_>) {
    let state = open();
    let run = begin(&*state, &[layer("a")]);
    let problem = state.complete(run, 2).unwrap_err().to_string();
    assert!(problem.ends_with("complete a run: there is work of it that is not finished"), "{problem}");
    drain(&*state, run);
    state.complete(run, 2).unwrap();
    open().complete(run, 3).unwrap();
    assert!(state.complete(RunId(i64::MAX), 2).unwrap_err().to_string().ends_with("there is no such run"));
}

/// Old runs go, and what only they used.
fn old_runs(open: Open<'_>) {
    let state = open();
    let mut runs = Vec::new();
    for number in 0..4 {
        let run = begin(&*state, &[layer("a"), image("i", &["a"])]);
        let lease = take(&*state, run, LONG);
        let done = Done { facts: vec![("f".into(), vec![number])], results: vec![(format!("r{number}"), vec![number])], ..Done::default() };
        assert!(state.finish(&lease, &done).unwrap());
        // Every run uses the first result, and puts one of its own.
        assert_eq!(state.result("r0").unwrap(), Some(vec![0]));
        let image = take(&*state, run, LONG);
        assert!(state.finish(&image, &Done::default()).unwrap());
        state.complete(run, 2).unwrap();
        runs.push(run);
    }
    let facts: Vec<_> = runs.iter().map(|&run| state.fact(run, "f").unwrap()).collect();
    assert_eq!(facts, [None, None, Some(vec![2]), Some(vec![3])]);
    assert_eq!(runs.iter().map(|&run| state.counts(run).unwrap().all[3]).collect::<Vec<_>>(), [0, 0, 1, 1]);
    let results: Vec<bool> = (0..4).map(|number| state.result(&format!("r{number}")).unwrap().is_some()).collect();
    assert_eq!(results, [true, false, true, true]);
    assert_eq!(state.begin("plan", &[], 1).unwrap().previous, runs.last().copied());
}

/// Four workers, one of which abandons each piece of work once, on 200 layers that images wait for; each image is found by two tags.
fn many_workers(open: Open<'_>) {
    let tags: Vec<Work> = (0..200).map(|number| work(Stage::Tag, &format!("tag {number:03}"), number % 7)).collect();
    let run = begin(&*open(), &tags);
    let finished: Mutex<Vec<(Stage, String)>> = Mutex::default();
    let abandoned: Mutex<BTreeSet<String>> = Mutex::default();
    let serve = |worker: usize| {
        let state = open();
        loop {
            // The leases of one worker run out at once; it goes on all the same when it meets the work again.
            let time = if worker == 0 { NONE } else { LONG };
            let lease = match state.take(run, &format!("worker {worker}"), time).unwrap() {
                Taken::Work(lease) => lease,
                Taken::Later => {
                    thread::yield_now();
                    continue;
                }
                Taken::Nothing => return,
            };
            if worker == 0 && abandoned.lock().unwrap().insert(lease.work.key.clone()) {
                continue;
            }
            let done = Done { facts: vec![(lease.work.key.clone(), vec![worker as u8])], fetched: 1, ..adding(led_to(&lease.work)) };
            if state.finish(&lease, &done).unwrap() {
                finished.lock().unwrap().push((lease.work.stage, lease.work.key));
            }
        }
    };
    thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || serve(worker));
        }
    });
    let mut finished = finished.into_inner().unwrap();
    finished.sort();
    let count = finished.len();
    finished.dedup();
    assert_eq!((count, finished.len()), (500, 500), "200 tags, 200 layers and 100 images, each once");
    let counts = Counts { finished: [0, 0, 200, 200, 100], all: [0, 0, 200, 200, 100], failed: 0, fetched: 500 };
    let state = open();
    assert_eq!(state.counts(run).unwrap(), counts);
    assert_eq!(read_facts(&*state, run, "").len(), 500);
    state.complete(run, 2).unwrap();
}

/// Two tags have the same image of three layers, two of which the next image has as well.
fn led_to(work: &Work) -> Vec<Work> {
    let Some(number) = work.key.strip_prefix("tag ") else { return Vec::new() };
    let number = number.parse::<usize>().unwrap() / 2;
    let keys: Vec<String> = (0..3).map(|at| format!("layer {}", (2 * number + at) % 200)).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut more = vec![image(&format!("image {number}"), &keys)];
    more.extend(keys.iter().map(|key| layer(key)));
    more
}

#[track_caller]
fn refused(path: &Path) -> String {
    let error = match open(path.to_str().unwrap()) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    };
    let text = error.to_string();
    text.strip_prefix(&format!("{}: open it: ", path.display())).unwrap_or_else(|| panic!("{text}")).to_owned()
}

#[test]
fn files_of_others_are_refused_and_left_as_they_are() {
    let temp = Temp::new();
    let text = temp.file("text", "not a database, and longer than the head of one: ".repeat(50));
    own(&text);
    assert_eq!(refused(&text), "it is a file of something else; name another one");

    let other = temp.path("other");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    own(&other);
    let before = fs::read(&other).unwrap();
    assert_eq!(refused(&other), "it is a database of another program; name another file");
    assert_eq!(fs::read(&other).unwrap(), before);

    let newer = temp.path("newer");
    drop(open(newer.to_str().unwrap()).unwrap());
    rusqlite::Connection::open(&newer).unwrap().execute_batch("PRAGMA user_version = 2").unwrap();
    let problem = "it is of version 2, and this program reads version 1; name another file, or use the program that made it";
    assert_eq!(refused(&newer), problem);

    assert_eq!(refused(&temp.path("")), "it is a folder; name a file in it");
    refused(&temp.path("missing/state"));
    let unknown = open("mysql://user:pass@host/db").err().unwrap().to_string();
    assert_eq!(unknown, "mysql://: open it: it is neither a path nor `postgres://`; name a file, or a PostgreSQL database");
}

/// Takes everybody else's permissions away.
fn own(path: &Path) {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(unix)]
#[test]
fn a_file_is_its_owners() {
    use std::os::unix::fs::PermissionsExt as _;
    let temp = Temp::new();
    let path = temp.file("folder/state", "").with_file_name("made");
    let state = open(path.to_str().unwrap()).unwrap();
    begin(&*state, &[layer("a")]);
    let modes: BTreeSet<u32> = fs::read_dir(temp.path("folder"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str().filter(|name| name.starts_with("made")).map(str::to_owned))
        .map(|name| fs::metadata(temp.path("folder").join(name)).unwrap().permissions().mode() & 0o777)
        .collect();
    assert_eq!(modes, BTreeSet::from([0o600]), "the file and those beside it");
    drop(state);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
    let problem = "other users can write to it; make it its owner's with `chmod 600`, if all that is in it can be trusted";
    assert_eq!(refused(&path), problem);
}

/// What is on disk while a process is alive is what it leaves if it is killed.
#[test]
fn what_was_finished_outlives_a_process_that_is_killed() {
    let temp = Temp::new();
    let path = temp.file("alive", "");
    own(&path);
    let state = open(path.to_str().unwrap()).unwrap();
    let run = begin(&*state, &[layer("a"), layer("b")]);
    let lease = take(&*state, run, LONG);
    let done = Done { facts: vec![("f".into(), vec![1])], results: vec![("r".into(), vec![2])], ..adding(vec![layer("c")]) };
    assert!(state.finish(&lease, &done).unwrap());
    take(&*state, run, NONE);
    for end in ["", "-wal"] {
        fs::copy(temp.path(&format!("alive{end}")), temp.path(&format!("left{end}"))).unwrap();
    }
    let left = open(temp.path("left").to_str().unwrap()).unwrap();
    assert!(left.begin("plan", &[], 9).unwrap().is_resumed);
    assert_eq!((left.fact(run, "f").unwrap(), left.result("r").unwrap()), (Some(vec![1]), Some(vec![2])));
    assert_eq!(drain(&*left, run), ["b", "c"]);
}

#[test]
fn processes_that_start_at_once_share_one_file() {
    let temp = Temp::new();
    let path = temp.file("state", "");
    own(&path);
    share(path.to_str().unwrap());
}

/// Of workers that open a new state at once, one begins a run, and the others go on with it.
fn share(place: &str) {
    let begin = || open(place).unwrap().begin("plan", &[layer("a")], 1).unwrap();
    let runs: Vec<Run> = thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(begin)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(runs.iter().filter(|run| !run.is_resumed).count(), 1, "{runs:?}");
    assert!(runs.iter().all(|run| run.id == runs[0].id));
}

#[test]
#[ignore = "needs PostgreSQL; tests/run includes it where it is installed"]
fn a_database_keeps_an_audit() {
    let server = postgres::start();
    check(|_| server.fresh());
}

#[test]
#[ignore = "needs PostgreSQL; tests/run includes it where it is installed"]
fn workers_that_start_at_once_share_one_database() {
    let server = postgres::start();
    share(&server.url());
    // Who may not make schemas can be given one, and nothing else of the database.
    let fresh = server.fresh();
    let mut owner = server.client("fresh0").unwrap();
    owner.batch_execute("CREATE ROLE small LOGIN PASSWORD 'small'; REVOKE ALL ON DATABASE fresh0 FROM PUBLIC; GRANT CONNECT ON DATABASE fresh0 TO small").unwrap();
    let small = fresh.replace(&format!("layersift:{}", postgres::PASSWORD), "small:small");
    let problem = open(&small).err().unwrap().to_string();
    assert_eq!(
        problem,
        format!("PostgreSQL at 127.0.0.1:{}, database fresh0: open it: permission denied for database fresh0", server.port())
    );
    owner.batch_execute("CREATE SCHEMA layersift AUTHORIZATION small").unwrap();
    share(&small);
}

#[test]
#[ignore = "needs PostgreSQL; tests/run includes it where it is installed"]
fn a_lost_connection_is_made_again() {
    let mut server = postgres::start();
    let state = open(&server.url()).unwrap();
    let run = begin(&*state, &[layer("a"), layer("b")]);
    let lease = take(&*state, run, LONG);
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'layersift'";
    let ended: i64 = server.client("postgres").unwrap().query_one(end, &[]).unwrap().get(0);
    assert_eq!(ended, 1);
    assert!(state.finish(&lease, &adding(vec![layer("c")])).unwrap());
    let lease = take(&*state, run, LONG);
    server.restart();
    assert!(state.finish(&lease, &Done::default()).unwrap());
    assert_eq!(drain(&*state, run), ["c"]);
}

#[test]
#[ignore = "needs PostgreSQL; tests/run includes it where it is installed"]
fn a_database_that_cannot_be_used_says_why_and_no_password() {
    let server = postgres::start();
    let place = format!("PostgreSQL at 127.0.0.1:{}, database postgres: open it: ", server.port());
    let problem = |url: &str| {
        let text = open(url).err().unwrap().to_string();
        assert!(!text.contains(postgres::PASSWORD) && !text.contains("wrong"), "{text}");
        text.strip_prefix(&place).unwrap_or(&text).to_owned()
    };
    let url = server.url();
    let wrong = url.replace(postgres::PASSWORD, "wrong");
    assert_eq!(problem(&wrong), "password authentication failed for user \"layersift\"");
    assert!(problem(&url.replace("/postgres", "/missing")).ends_with("open it: database \"missing\" does not exist"));
    assert_eq!(problem(&format!("{url}?sslmode=require")), "error performing TLS handshake: server does not support TLS");
    assert!(problem(&url.replace(&server.port().to_string(), "1")).contains("refused"));

    drop(open(&url).unwrap());
    server.client("postgres").unwrap().batch_execute("UPDATE layersift.version SET version = 2").unwrap();
    let version =
        "its schema `layersift` is of version 2, and this program knows version 1; name another database, or use the program that made it";
    assert_eq!(problem(&url), version);

    let socket = server.socket().display().to_string().replace('/', "%2F");
    server.client("postgres").unwrap().batch_execute("UPDATE layersift.version SET version = 1").unwrap();
    drop(open(&format!("postgresql://layersift@{socket}:{}/postgres", server.port())).unwrap());
}

#[test]
#[ignore = "needs PostgreSQL and openssl; tests/run includes it where they are installed"]
fn a_database_is_reached_over_tls() {
    let temp = Temp::new();
    let (authority, _) = certificates(&temp);
    let server = postgres::start_with_tls(&[("ssl_cert_file", &temp.path("tls.crt")), ("ssl_key_file", &temp.path("tls.key"))]);
    let url = |more: &str| format!("{}?{more}", server.url());
    let is_tls = |state: Box<dyn State>| {
        let get = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'layersift' \
                   ORDER BY backend_start DESC LIMIT 1";
        let is_tls: bool = server.client("postgres").unwrap().query_one(get, &[]).unwrap().get(0);
        begin(&*state, &[]);
        is_tls
    };
    let file = authority.display();
    for mode in ["prefer", "require", "verify-full"] {
        assert!(is_tls(open(&url(&format!("sslmode={mode}&sslrootcert={file}"))).unwrap()), "{mode}");
    }
    assert!(!is_tls(open(&url("sslmode=disable")).unwrap()));
    for mode in ["prefer", "require"] {
        let problem = open(&url(&format!("sslmode={mode}"))).err().unwrap().to_string();
        assert!(
            problem.contains("certificate") && problem.ends_with("; name the file of its authority with `sslrootcert=FILE`"),
            "{problem}"
        );
    }
}
