//! What the user types.

use super::*;

fn parse(text: &str) -> Result<String, String> {
    Reference::parse(text).map(|reference| reference.to_string()).map_err(|error| error.to_string())
}

#[test]
fn a_reference_is_written_as_it_was_typed() {
    let temp = Temp::new();
    let path = temp.file("image:odd@name", &layer("x"));
    let path = path.to_str().unwrap();
    for scheme in ["docker-archive:", "oci:", "oci-archive:", "layer:", "dir:"] {
        assert_eq!(parse(&format!("{scheme}{path}")), Ok(format!("{scheme}{path}")));
    }
    let digest = Digest::sha256(b"x");
    for end in [":v1", &format!("@{digest}")] {
        assert_eq!(parse(&format!("oci:{path}{end}")), Ok(format!("oci:{path}{end}")));
    }
    assert_eq!((parse("-"), parse("example:")), (Ok("-".into()), Ok("example:".into())));
}

#[test]
fn the_longest_path_that_exists_is_meant() {
    let temp = Temp::new();
    let (short, long) = (temp.file("a/index.json", b"{}"), temp.file("a:b/index.json", b"{}"));
    let (short, long) = (short.parent().unwrap(), long.parent().unwrap());
    let tag = |text: &str| Some(Selector::Tag(text.to_owned()));
    let parse = |text: String| Reference::parse(&text).unwrap();
    assert_eq!(parse(format!("oci:{}:b", short.display())), Reference::Oci(long.to_owned(), None));
    assert_eq!(parse(format!("oci:{}:b:c", short.display())), Reference::Oci(long.to_owned(), tag("c")));
    assert_eq!(parse(format!("oci:{}:c", short.display())), Reference::Oci(short.to_owned(), tag("c")));
}

#[test]
fn a_path_is_what_it_holds() {
    let temp = Temp::new();
    let layout = Temp::new();
    let mut blobs = Blobs::default();
    let image = blobs.image("a", "amd64", &[]);
    let check = |path: &Path, scheme: &str| assert_eq!(parse(path.to_str().unwrap()), Ok(format!("{scheme}{}", path.display())));
    check(&blobs.write(&layout, std::slice::from_ref(&image)), "oci:");
    fs::remove_file(layout.0.join("oci-layout")).unwrap();
    check(&layout.0, "oci:");
    check(&temp.0, "dir:");
    check(&temp.file("layer", &layer("x")), "layer:");
    check(&temp.file("layer.gz", &gzip(&layer("x"))), "layer:");
    check(&temp.file("text", b"TOKEN=1"), "layer:");
    check(&temp.file("empty", b""), "layer:");
    check(&temp.file("layout.tar", &tar(&blobs.members(&[image]))), "oci-archive:");
    // A web application's file of the same name is no list of images.
    check(&temp.file("web.tar", &tar(&[member("manifest.json", r#"{"name":"web"}"#), member("index.json", "[1]")])), "layer:");
    let hex = "0a".repeat(32);
    let archive = tar(&[member(&format!("{hex}.tar"), "x"), member("manifest.json", r#"[{"Layers":[]}]"#)]);
    check(&temp.file("docker.tar", &archive), "docker-archive:");
    check(&temp.file("docker.tar.gz", &gzip(&archive)), "docker-archive:");
}

#[test]
fn what_is_no_path_is_an_image_in_a_registry() {
    let table = [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("example.org:5000/team/app:v1", "example.org:5000/team/app:v1"),
        ("registry:nginx", "docker.io/library/nginx:latest"),
        ("docker://nginx", "docker.io/library/nginx:latest"),
    ];
    for (text, name) in table {
        assert_eq!(parse(text), Ok(format!("registry:{name}")), "{text}");
    }
    let temp = Temp::new();
    let folder = temp.file("team/app/x", b"");
    let folder = folder.parent().unwrap().to_str().unwrap();
    assert_eq!(parse(folder), Ok(format!("dir:{folder}")), "a path that exists is a path");
}

#[test]
fn an_image_that_an_engine_keeps_is_named_by_its_scheme() {
    for text in ["docker:app:1", "podman:app", "containers-storage:[overlay@/r]app:1", "containerd:[k8s.io@/r]app:1"] {
        assert_eq!(parse(text).as_deref(), Ok(text));
    }
}

#[test]
fn errors_say_what_to_do() {
    let error = |text: &str| parse(text).unwrap_err();
    assert!(error("docker-daemon:x").contains("use one of registry:"));
    assert!(error("registry:Nginx").contains("is no repository"));
    assert!(error("registry:nginx@sha256:00").contains("is not a digest"));
    for path in ["./nothing", "/nothing/here", "C:\\x", "nothing.tar", "layer:nothing", "docker-archive:nothing"] {
        assert!(error(path).ends_with("no such file or folder"), "{}", error(path));
    }
    let temp = Temp::new();
    let archive = temp.file("a.tar", &layer("x"));
    assert!(error(&format!("{}:v1", archive.display())).contains("oci-archive:"));
}
