//! Scans made by hand for the tests of reports. Every secret here is made up.

use std::sync::Arc;

use super::{Colour, Context, Exposure, Redactor, Suppressed, Times};
use crate::finding::{
    AllowState, Allowed, BaseFacts, Certainty, Confidence, Coverage, DockerfileFix, Evidence, Finding, Gate, ImageFacts, KeyFacts,
    LayerFacts, Manager, Package, Part, Place, Position, Reason, RuleFacts, Scan, Secret, Severity, Spot, Suppression, Visibility,
};
use crate::oci::{Digest, Platform};

/// Texts that no redacted report of [`rich`] may hold.
pub(super) const SECRETS: [&str; 4] = ["tok_0123456789abcdefghij", "swordfish-77", "c3dvcmRmaXNoLTc3", "QUFBQUFBQUFBQUFBQUFBQUFB"];

const TOKEN: &[u8] = b"tok_0123456789abcdefghij";
const KEY: &[u8] = b"-----BEGIN PRIVATE KEY-----\nQUFBQUFBQUFBQUFBQUFBQUFB\n-----END PRIVATE KEY-----";

pub(super) fn context(scan: &Scan, exposure: Exposure) -> Context {
    Context {
        redactor: Redactor::new(scan, exposure),
        gate: Gate::default(),
        suppressed: Suppressed::default(),
        width: 80,
        colour: Colour::Plain,
        times: Times::default(),
    }
}

pub(super) fn empty() -> Scan {
    Scan::new("r0")
}

pub(super) fn scan_with_secrets(secrets: &[&[u8]]) -> Scan {
    let rule = rule("r", Severity::High);
    let findings = secrets.iter().map(|secret| finding(&rule, secret, Place::Config { pointer: "/a".to_owned() })).collect();
    Scan { findings, ..empty() }
}

fn rule(id: &str, severity: Severity) -> Arc<RuleFacts> {
    Arc::new(RuleFacts {
        id: id.to_owned(),
        description: format!("What {id} finds"),
        provider: "Example".to_owned(),
        docs: (id == "example-token").then(|| "https://example.com/tokens".to_owned()),
        severity,
        remediation: format!("Revoke what {id} found, then rebuild the image without it, from the layer that brought it on."),
        pairs: Vec::new(),
    })
}

fn finding(rule: &Arc<RuleFacts>, secret: &[u8], place: Place) -> Finding {
    let secret = Secret::new(secret, if secret.starts_with(b"tok_") { 4 } else { 0 });
    let secret_id = format!("secret-{}", secret.expose().len());
    Finding { id: format!("{}-id", rule.id), secret_id, ..Finding::new(rule, secret, place) }
}

fn file(layer: usize, path: &[u8], inner: &[&[u8]], line: u64) -> Place {
    Place::LayerFile {
        layer,
        path: path.to_vec(),
        inner: inner.iter().map(|member| member.to_vec()).collect(),
        part: Part::Content,
        position: Some(Position { offset: line * 10, line, column: 7 }),
    }
}

fn layer(index: usize, created_by: Option<&str>) -> LayerFacts {
    LayerFacts {
        index,
        digest: Some(Digest::sha256(&[index as u8])),
        diff_id: Some(Digest::sha256(&[index as u8, 1])),
        created_by: created_by.map(str::to_owned),
        size: Some(12_345_678),
    }
}

fn image() -> ImageFacts {
    ImageFacts {
        source: "docker-archive:app.tar".to_owned(),
        name: Some("shop/api:1.4".to_owned()),
        digest: Some(Digest::sha256(b"image")),
        platform: Some(Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None }),
        layers: vec![
            layer(0, Some("/bin/sh -c #(nop) ADD file:0123 in / ")),
            layer(1, Some("COPY . . # buildkit")),
            layer(2, Some("RUN |1 PASSWORD=swordfish-77 /bin/sh -c rm -rf /app/.env # buildkit")),
        ],
        base: Some(BaseFacts { name: Some("hub/swordfish-77/os:1".to_owned()), digest: None, layers: 1, evidence: Evidence::Image }),
        history: Vec::new(),
    }
}

/// A change of a Dockerfile with a secret in each of its texts.
fn fix() -> DockerfileFix {
    DockerfileFix {
        file: "swordfish-77/Dockerfile".to_owned(),
        spot: Spot::Instruction { line: 4, end_line: 5, text: "COPY swordfish-77\x1b[2J /app".into(), certainty: Certainty::Probable },
        advice: "Keep swordfish-77 out.".to_owned(),
        replacement: Some("RUN <<EOF\nmake swordfish-77\nEOF".to_owned()),
        ignore: Some("swordfish-77/\u{202e}.env".to_owned()),
        build_command: Some("docker build --secret id=x,src=swordfish-77 .".to_owned()),
    }
}

/// One of everything.
pub(super) fn rich() -> Scan {
    let (token, key) = (rule("example-token", Severity::Critical), rule("private-key", Severity::High));
    let (password, guess) = (rule("password-assignment", Severity::Medium), rule("generic-secret", Severity::Low));
    let rootfs = ImageFacts { source: "dir:/srv/root".to_owned(), layers: vec![layer(0, None)], ..ImageFacts::default() };
    let findings = vec![
        Finding { confidence: Confidence::Possible, ..finding(&guess, b"maybe-a-secret", file(1, b"/app/README\x1b[2J.md", &[], 3)) },
        Finding {
            visibility: Some(Visibility::Deleted { layer: 2 }),
            also: vec![file(1, b"/app/.env.bak", &[], 9), Place::Config { pointer: "/config/Env/2".to_owned() }],
            confidence: Confidence::Confirmed,
            dockerfile: Some(Box::new(fix())),
            ..finding(&token, TOKEN, file(1, b"/app/.env", &[], 3))
        },
        Finding {
            visibility: Some(Visibility::InFinalImage),
            decoding: vec!["base64".into()],
            note: None,
            host: None,
            pair: Vec::new(),
            matched_too: vec!["generic-secret".to_owned()],
            ..finding(&token, TOKEN, file(1, b"/app/tok_0123456789abcdefghij/\xff.jar", &[b"a.zip", b"b\xfe.yml"], 12))
        },
        Finding {
            visibility: Some(Visibility::Overwritten { layer: 2 }),
            key: Some(KeyFacts {
                algorithm: Some("rsa".to_owned()),
                bits: Some(2048),
                encrypted: Some(false),
                fingerprint: Some("SHA256:abc".to_owned()),
                counterparts: Vec::new(),
            }),
            ..finding(&key, KEY, file(2, b"/root/.ssh/id_rsa", &[], 1))
        },
        finding(&password, b"swordfish-77", Place::History { pointer: "/history/4/created_by".to_owned(), layer: Some(2) }),
        finding(&password, b"swordfish-77", Place::Label { pointer: "/config/Labels/swordfish-77~1x".to_owned() }),
        Finding {
            package: Some(Package { manager: Manager::Dpkg, name: "swordfish-77".to_owned(), version: "1.0".to_owned() }),
            suppressed: Some(Suppression { reason: "placeholder".into(), detail: "it says so: changeme-please".to_owned() }),
            ..finding(&password, b"changeme-please", Place::Config { pointer: "/config/Env/0".to_owned() })
        },
        Finding {
            image: 1,
            ..finding(
                &guess,
                b"\xff\xfe\x00binary",
                Place::RootfsFile { path: b"/etc/x".to_vec(), inner: Vec::new(), part: Part::Name, position: None },
            )
        },
        Finding { image: 1, ..finding(&token, TOKEN, Place::ArchiveMember { path: b"odd.txt".to_vec(), position: None }) },
    ];
    let mut coverage = Coverage {
        layers: 3,
        entries: 12_345,
        bytes_read: 7_000_000,
        bytes_expanded: 20_500_000,
        bytes_scanned: 19_000_000,
        documents: 2,
        ..Coverage::default()
    };
    coverage.skip(Reason::TooLarge, "app.tar layer 1 /app/swordfish-77.zip", Some(3_000_000_000), "expands to more than 1 GiB");
    coverage.skip(Reason::NotAFile, "app.tar layer 1 /dev/null", None, "character device");
    coverage.skip(Reason::TooLarge, "app.tar layer 2 /big\u{202e}.zip", None, "expands to more than 1 GiB");
    let allowed = vec![Allowed {
        origin: ".layersiftignore:3".to_owned(),
        state: AllowState::Expired,
        count: 1,
        reason: "it was swordfish-77 once\u{1b}[2J".to_owned(),
        until: Some("2026-01-31".to_owned()),
    }];
    Scan { images: vec![image(), rootfs], findings, coverage, allowed, ..Scan::new("r1") }
}
