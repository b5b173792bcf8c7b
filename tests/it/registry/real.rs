//! The registry that others run (distribution), filled by skopeo.

use std::process::Command;

use layersift::source::registry::Credential;

use super::*;
use crate::engine::{Distribution, tool};
use crate::real_tools::skopeo;

#[test]
#[ignore = "needs docker-registry, skopeo, openssl and htpasswd; tests/run includes it where they are installed"]
fn what_skopeo_pushed_to_a_real_registry_is_found_by_name() {
    let temp = Temp::new();
    let password = "a-password-of-tests";
    let htpasswd = tool(Command::new("htpasswd").args(["-Bbn", "tester", password]));
    let auth = format!("auth:\n  htpasswd: {{realm: test, path: {}}}\n", temp.file("htpasswd", htpasswd).display());
    let (ca, tls) = certificates(&temp);
    let open = Distribution::start(&temp, "open", "", "");
    let locked = Distribution::start(&temp, "locked", "", &auth);
    let sealed = Distribution::start(&temp, "sealed", &tls, &auth);

    let of = |architecture: &str| scenario().image.platform(format!("linux/{architecture}").parse().unwrap());
    let images = ImageSet::new().image(of("amd64")).image(of("arm64")).nested("1");
    let layout = temp.path("layout");
    images.oci_layout(&layout).unwrap();
    let from = format!("oci:{}:1", layout.display());
    // Pushed with tables of contents, which skopeo makes if the registry does not have the layers yet, the files are listed without the layers.
    let chunked = format!("{}/team/chunked:1", open.address);
    skopeo(&from, &format!("docker://{chunked}"), &["--dest-tls-verify=false", "--dest-compress-format", "zstd:chunked"]);
    let listed = Run::new(program_of(&temp).args(["toc", &chunked, "--telling"]).output().unwrap());
    assert_eq!(listed.code, 0, "{}{}", listed.stdout, listed.stderr);
    assert!(listed.stdout.contains(": zstd:chunked, ") && listed.stdout.contains("/app/.env\n"), "{}", listed.stdout);

    skopeo(&from, &format!("docker://{}/team/app:1", open.address), &["--all", "--preserve-digests", "--dest-tls-verify=false"]);
    let on_disk = facts(&scan(&layout));
    assert!(on_disk.len() >= 16);

    let with = |registry: &Distribution, more: RegistryOptions| {
        scan_text(&format!("registry:{}/team/app:1", registry.address), &Options { registry: more, ..Options::default() })
    };
    let login = |registry: &Distribution| {
        let given = Some((registry.address.clone(), Credential::password("tester", password)));
        RegistryOptions { logins: Logins { given, files: Vec::new() }, ..options() }
    };
    let ours = sound(with(&open, options()));
    assert_eq!((facts(&ours), reasons(&ours)), (on_disk.clone(), vec![]));
    assert_eq!(facts(&sound(with(&locked, login(&locked)))), on_disk);
    let refused = with(&locked, options()).failures[0].error.to_string();
    assert!(refused.ends_with("the registry wants a login"), "{refused}");

    let outcome = with(&sealed, RegistryOptions { ca_file: Some(ca), ..login(&sealed) });
    assert!(outcome.notes.is_empty(), "it speaks HTTPS: {:?}", outcome.notes);
    assert_eq!(facts(&sound(outcome)), on_disk);
    let untrusted = &with(&sealed, login(&sealed)).failures[0];
    assert!(untrusted.error.to_string().ends_with("issued by an unknown authority"), "{}", untrusted.error);
}

/// An authority of our own and a certificate of it for this machine: the authority's file, and the registry's configuration.
pub(crate) fn certificates(temp: &Temp) -> (std::path::PathBuf, String) {
    let path = |name: &str| temp.path(name).display().to_string();
    let openssl = |arguments: &[&str]| drop(tool(Command::new("openssl").args(arguments)));
    let new = ["req", "-newkey", "rsa:2048", "-nodes", "-subj"];
    openssl(&[&new[..], &["/CN=test authority", "-x509", "-days", "2", "-keyout", &path("ca.key"), "-out", &path("ca.crt")]].concat());
    openssl(&[&new[..], &["/CN=localhost", "-keyout", &path("tls.key"), "-out", &path("tls.csr")]].concat());
    let names = temp.file("names", "subjectAltName=DNS:localhost,IP:127.0.0.1");
    let authority = ["-CA", &path("ca.crt"), "-CAkey", &path("ca.key"), "-CAcreateserial", "-days", "2"];
    let sign = ["x509", "-req", "-in", &path("tls.csr"), "-out", &path("tls.crt"), "-extfile", names.to_str().unwrap()];
    openssl(&[&sign[..], &authority[..]].concat());
    (temp.path("ca.crt"), format!("  tls: {{certificate: {}, key: {}}}\n", path("tls.crt"), path("tls.key")))
}
