//! What a user types to name an image.

use layersift::source::Reference;
use layersift::source::registry::{ImageName, is_host, is_repository, is_tag};

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(name) = ImageName::parse(text) {
        assert!(is_repository(name.repository()), "{name}");
        assert!(is_host(name.registry()) || name.registry() == "docker.io", "{name}");
        assert!(name.digest().is_some() || is_tag(&name.wanted()), "{name}");
        // Written in full, it means the same.
        assert_eq!(ImageName::parse(&name.to_string()), Ok(name.clone()), "{name}");
        let reference = Reference::parse(&format!("registry:{text}")).unwrap();
        assert_eq!(Reference::parse(&reference.to_string()).unwrap(), reference);
    }
    // No path is opened for a fuzzer: what could be one is left out.
    if !text.contains(['/', '\\', '.', '\0']) {
        let _ = Reference::parse(text).map(|reference| reference.to_string());
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let digest = layersift::oci::Digest::sha256(b"x");
    let texts = [
        "alpine".to_owned(),
        "ghcr.io/team/app:1.2".to_owned(),
        format!("localhost:5000/a/b__c-d@{digest}"),
        format!("index.docker.io/library/x:y@{digest}"),
        "docker:x".to_owned(),
        "containers-storage:[overlay@/x]name".to_owned(),
        "[::1]:5000/a".to_owned(),
        "-".to_owned(),
        "example:".to_owned(),
    ];
    texts.map(String::into_bytes).into()
}
