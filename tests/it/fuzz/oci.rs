//! The documents of an image: index, manifest, config, and any JSON whose texts are looked at.

use layersift::content::document::texts;
use layersift::oci::{Config, Digest, Document, Index, MediaType, Platform};
use serde_json::Value;

pub(super) fn run(data: &[u8]) {
    let index = Index::parse(data);
    assert_eq!(Index::parse(data), index);
    for descriptor in index.iter().flat_map(|index| &index.manifests).flatten() {
        let _ = (descriptor.kind(), descriptor.is_attestation(), descriptor.is_foreign(), descriptor.ref_name());
        assert_eq!(descriptor.digest.to_string().parse(), Ok(descriptor.digest.clone()));
    }
    for media_type in [MediaType::Index, MediaType::Manifest, MediaType::Other] {
        let document = Document::parse(data, media_type);
        assert_eq!(Document::parse(data, media_type), document);
    }
    if let Ok(config) = Config::parse(data) {
        let steps = config.steps_of_layers(5);
        assert!(steps.len() == 5 && steps.iter().flatten().all(|step| *step < config.history.len()));
    }
    let bytes = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let value = serde_json::from_slice::<Value>(bytes);
    let found = texts(data);
    assert_eq!(found.is_some(), value.is_ok());
    for (text, value) in found.iter().flatten().zip(value.iter().cycle()) {
        assert!(value.pointer(&text.pointer).is_some(), "{}", text.pointer);
    }
    let text = String::from_utf8_lossy(data);
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
    if let Ok(platform) = text.parse::<Platform>() {
        assert_eq!(platform.to_string(), text);
    }
    let _ = MediaType::of(&text);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let digest = Digest::sha256(b"x");
    let descriptor = format!(
        r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":3,"platform":{{"os":"linux","architecture":"arm","variant":"v7"}},"annotations":{{"org.opencontainers.image.ref.name":"a:1"}},"urls":["https://example.org"]}}"#
    );
    let config = format!(
        r#"{{"os":"linux","architecture":"amd64","created":"2024-01-01T00:00:00Z","config":{{"Env":["A=b"],"Cmd":["a","-b"],"Labels":{{"x":"y"}}}},"rootfs":{{"diff_ids":["{digest}",5]}},"history":[{{"created_by":"RUN x","empty_layer":true}},{{"name":"TOKEN","value":"x"}}]}}"#
    );
    let texts = [
        format!(r#"{{"schemaVersion":2,"manifests":[{descriptor},{{}}]}}"#),
        format!(r#"{{"schemaVersion":2,"config":{descriptor},"layers":[{descriptor},1],"subject":{descriptor},"artifactType":"x"}}"#),
        config,
        digest.to_string(),
        "linux/arm64/v8".to_owned(),
        "[[[[{\"a~/b\":[\"\"]}]]]]".to_owned(),
    ];
    texts.map(String::into_bytes).into()
}
