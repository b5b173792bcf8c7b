//! The registry that others run (distribution), filled by skopeo.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;

use layersift::source::registry::Credential;

use super::*;
use crate::real_tools::{skopeo, tool};

/// A registry on this machine.
struct Distribution {
    child: Child,
    address: String,
}

impl Distribution {
    /// With `http` and `auth` as they stand in its configuration.
    fn start(temp: &Temp, name: &str, http: &str, auth: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let data = temp.path("data");
        let config = format!(
            "version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n\
             http:\n  addr: {address}\n{http}{auth}",
            data.display()
        );
        let config = temp.file(&format!("{name}.yml"), config);
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("docker-registry: {error}"));
        let registry = Self { child, address };
        for _ in 0..240 {
            if std::net::TcpStream::connect(&registry.address).is_ok() {
                return registry;
            }
            sleep(Duration::from_millis(250));
        }
        panic!("the registry did not start within a minute");
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
fn certificates(temp: &Temp) -> (std::path::PathBuf, String) {
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
