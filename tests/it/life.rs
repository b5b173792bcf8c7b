//! What becomes of a file: every way for a later entry to hide it, and every way for it to survive.

use layersift::finding::Visibility::{self, Deleted, InFinalImage, Overwritten};
use layersift::source::builder::{ImageBuilder, LayerBuilder};

use crate::support::*;

/// Fills a layer, given the secret.
type Fill = fn(&mut LayerBuilder, &str);

/// The case, its layers, and the life of each finding, in the order of the report.
type Case = (&'static str, &'static [Fill], &'static [Visibility]);

/// The layer that most cases begin with.
const PUT: Fill = |layer, secret| layer.file("/app/sub/secret", secret);

const OTHER: Fill = |layer, _| layer.file("/other", "nothing");

const CASES: &[Case] = &[
    ("left alone", &[PUT, OTHER], &[InFinalImage]),
    ("deleted", &[PUT, OTHER, |layer, _| layer.whiteout("/app/sub/secret")], &[Deleted { layer: 2 }]),
    ("its folder deleted", &[PUT, |layer, _| layer.whiteout("/app/sub")], &[Deleted { layer: 1 }]),
    ("a folder further up deleted", &[PUT, |layer, _| layer.whiteout("/app")], &[Deleted { layer: 1 }]),
    ("its folder opaque", &[PUT, |layer, _| layer.opaque("/app/sub")], &[Deleted { layer: 1 }]),
    ("a folder further up opaque", &[PUT, |layer, _| layer.opaque("/app")], &[Deleted { layer: 1 }]),
    ("all of it opaque", &[PUT, |layer, _| layer.opaque("")], &[Deleted { layer: 1 }]),
    (
        "opaque after a child of the same layer: only lower layers are hidden",
        &[
            |layer, _| layer.file("/app/old", "nothing"),
            |layer, secret| {
                layer.file("/app/secret", secret);
                layer.opaque("/app");
            },
        ],
        &[InFinalImage],
    ),
    (
        "opaque before a child of the same layer",
        &[|layer, secret| {
            layer.opaque("/app");
            layer.file("/app/secret", secret);
        }],
        &[InFinalImage],
    ),
    (
        "hidden by an opaque mark after other children",
        &[PUT, |layer, _| {
            layer.file("/app/sub/new", "nothing");
            layer.opaque("/app/sub");
        }],
        &[Deleted { layer: 1 }],
    ),
    (
        "whiteout before it in the same layer",
        &[|layer, secret| {
            layer.whiteout("/secret");
            layer.file("/secret", secret);
        }],
        &[InFinalImage],
    ),
    (
        "whiteout after it in the same layer",
        &[|layer, secret| {
            layer.file("/secret", secret);
            layer.whiteout("/secret");
        }],
        &[Deleted { layer: 0 }],
    ),
    ("overwritten", &[PUT, OTHER, |layer, _| layer.file("/app/sub/secret", "nothing")], &[Overwritten { layer: 2 }]),
    ("replaced by a folder", &[PUT, |layer, _| layer.directory("/app/sub/secret")], &[Overwritten { layer: 1 }]),
    ("replaced by a link", &[PUT, |layer, _| layer.symlink("/app/sub/secret", "/dev/null")], &[Overwritten { layer: 1 }]),
    ("its folder replaced by a file", &[PUT, |layer, _| layer.file("/app/sub", "nothing")], &[Overwritten { layer: 1 }]),
    ("its folder replaced by a link", &[PUT, |layer, _| layer.symlink("/app", "/srv")], &[Overwritten { layer: 1 }]),
    ("its folder again, as a folder", &[PUT, |layer, _| layer.directory("/app/sub")], &[InFinalImage]),
    (
        "a name of which its own begins with is deleted",
        &[PUT, |layer, _| {
            layer.whiteout("/app/su");
            layer.whiteout("/app/sub/secre");
            layer.whiteout("/app/sub/secret2");
            layer.opaque("/app/sub2");
        }],
        &[InFinalImage],
    ),
    (
        "deleted, and another file put there later: what hid it first counts",
        &[PUT, |layer, _| layer.whiteout("/app/sub/secret"), |layer, _| layer.file("/app/sub/secret", "nothing")],
        &[Deleted { layer: 1 }],
    ),
    (
        "copied up: the same bytes again",
        &[PUT, |layer, secret| layer.file("/app/sub/secret", [secret, "\n"].concat())],
        &[Overwritten { layer: 1 }, InFinalImage],
    ),
    ("the same layer twice, deleted in between", &[PUT, |layer, _| layer.whiteout("/app"), PUT], &[InFinalImage]),
    (
        "a hard link keeps it when its first name is deleted",
        &[
            |layer, secret| {
                layer.file("/app/secret", secret);
                layer.hard_link("/keep", "/app/secret");
            },
            |layer, _| layer.whiteout("/app/secret"),
        ],
        &[InFinalImage],
    ),
    (
        "a hard link of a later layer keeps it",
        &[PUT, |layer, _| layer.hard_link("/keep", "/app/sub/secret"), |layer, _| layer.whiteout("/app")],
        &[InFinalImage],
    ),
    (
        "a hard link that is overwritten keeps nothing",
        &[
            |layer, secret| {
                layer.file("/app/secret", secret);
                layer.hard_link("/keep", "/app/secret");
            },
            |layer, _| {
                layer.whiteout("/app/secret");
                layer.file("/keep", "nothing");
            },
        ],
        &[Deleted { layer: 1 }],
    ),
];

/// A name that was made of a path belongs to the file that stood there then, and a file is gone with the last of its names.
const NAMES: &[Case] = &[
    (
        "gone with the last of its names",
        &[
            |layer, secret| {
                layer.file("/app/secret", secret);
                layer.hard_link("/keep", "/app/secret");
            },
            |layer, _| layer.whiteout("/app/secret"),
            |layer, _| layer.whiteout("/keep"),
        ],
        &[Deleted { layer: 2 }],
    ),
    (
        "overwritten by a file that has further names",
        &[PUT, |layer, _| {
            layer.file("/app/sub/secret", "nothing");
            layer.hard_link("/keep", "/app/sub/secret");
        }],
        &[Overwritten { layer: 1 }],
    ),
    (
        "deleted before another file of that path has further names",
        &[
            PUT,
            |layer, _| layer.whiteout("/app"),
            |layer, _| {
                layer.file("/app/sub/secret", "nothing");
                layer.hard_link("/keep", "/app/sub/secret");
            },
        ],
        &[Deleted { layer: 1 }],
    ),
    (
        "overwritten within its layer before the path gets a further name",
        &[|layer, secret| {
            layer.file("/secret", secret);
            layer.file("/secret", "nothing");
            layer.hard_link("/keep", "/secret");
        }],
        &[Overwritten { layer: 0 }],
    ),
];

#[test]
fn every_case_has_its_life() {
    check(CASES);
}

#[test]
fn a_name_belongs_to_the_file_it_was_made_of() {
    check(NAMES);
}

#[track_caller]
fn check(cases: &[Case]) {
    let secret = token("life");
    let mut wrong = Vec::new();
    for (what, layers, expected) in cases {
        let image = layers
            .iter()
            .enumerate()
            .fold(ImageBuilder::new(), |image, (number, fill)| image.layer(&format!("RUN step {number}"), |layer| fill(layer, &secret)));
        let scan = scan_image(&image);
        assert_eq!(reasons(&scan), [], "{what}");
        let lives: Vec<Visibility> = scan.findings.iter().filter_map(|finding| finding.visibility).collect();
        if lives != *expected {
            wrong.push(format!("{what}: {lives:?}, expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn of_two_entries_of_one_path_the_first_is_overwritten_by_its_own_layer() {
    let (first, second) = (token("first"), token("second"));
    let scan = scan_image(&ImageBuilder::new().layer("COPY", |layer| {
        layer.file("/secret", &first);
        layer.file("./secret", &second);
    }));
    assert_eq!(only(&scan, &first).visibility, Some(Overwritten { layer: 0 }));
    assert_eq!(only(&scan, &second).visibility, Some(InFinalImage));
}

#[test]
fn the_other_names_of_a_file_are_told() {
    let secret = token("names");
    let scan = scan_image(&ImageBuilder::new().layer("COPY", |layer| {
        layer.file("/a", &secret);
        layer.hard_link("/b", "/a");
        layer.hard_link("/c", "b");
    }));
    let also: Vec<_> = only(&scan, &secret).also.iter().map(|place| place.path().unwrap().to_vec()).collect();
    assert_eq!(also, [b"/b", b"/c"]);
}

#[test]
fn config_and_history_have_no_life_and_say_which_layer_they_made() {
    let scenario = scenario();
    let scan = scan_image(&scenario.image);
    let kinds = |secret: &str| {
        let finding = only(&scan, secret);
        (finding.place.kind(), finding.place.layer(), finding.visibility)
    };
    assert_eq!(kinds(&token("env")), ("config", None, None));
    assert_eq!(kinds(&token("label")), ("label", None, None));
    // A build argument stands in the RUN steps after it; the first of them made layer 2.
    assert_eq!(kinds(&token("argument")), ("history", Some(2), None));
    assert_eq!(only(&scan, &token("env")).also.len(), 1, "the ENV step repeats it");
}
