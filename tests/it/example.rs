//! The built-in example shows every life a secret can have.

use layersift::finding::Visibility::{Deleted, InFinalImage, Overwritten};
use layersift::scan::Options;

use crate::support::*;

#[test]
fn the_example_has_every_life_and_nothing_is_amiss() {
    let scan = sound(scan_text("example:", &Options::default()));
    assert_eq!(reasons(&scan), []);
    let all = facts(&scan);
    let life = |rule: &str, path: &str| {
        let found: Vec<_> = all.iter().filter(|fact| fact.rule == rule && fact.path == path).map(|fact| fact.visibility).collect();
        assert_eq!(found.len(), 1, "{rule} in {path}: {all:#?}");
        found[0]
    };
    assert_eq!(life("github-pat-classic", "/app/.env"), Some(Deleted { layer: 3 }));
    assert_eq!(life("github-pat-classic", "/app/.ci/token"), Some(Deleted { layer: 4 }));
    assert_eq!(life("npm-access-token", "/app/.npmrc"), Some(InFinalImage));
    assert!(all.iter().any(|fact| fact.path == "/root/.ssh/id_ed25519" && fact.visibility == Some(InFinalImage)), "{all:#?}");
    assert!(all.iter().any(|fact| fact.path == "/app/config.yml" && fact.visibility == Some(Overwritten { layer: 5 })), "{all:#?}");
    assert!(all.iter().any(|fact| fact.path == "/app/.env" && fact.line == Some(3) && fact.visibility == Some(Deleted { layer: 3 })));
    for (rule, kind) in [("aws-access-key-id", "config"), ("aws-secret-access-key", "config"), ("npm-access-token", "history")] {
        assert!(all.iter().any(|fact| fact.rule == rule && fact.kind == kind), "{rule} in {kind}: {all:#?}");
    }
    assert!(all.iter().all(|fact| !fact.suppressed), "{all:#?}");
}
