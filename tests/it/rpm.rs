//! Databases that rpm itself wrote: packages are built, signed and installed into a root of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use layersift::finding::{Finding, Manager, Package, Scan};
use layersift::source::builder::{ImageBuilder, LayerBuilder};

use crate::engine::tool;
use crate::support::*;

const INSTALL: &str = "RUN dnf install -y thing";
const KEY: &str = "/etc/thing/key";
const SQLITE: &str = "/usr/lib/sysimage/rpm/rpmdb.sqlite";

/// Where a package is built and installed.
struct Rpm(Temp);

/// Whether a package is signed.
#[derive(Clone, Copy, PartialEq)]
enum Signed {
    Yes,
    No,
}

impl Rpm {
    /// Builds and installs `thing` 1.2-3 with a token in it, and this many files besides.
    fn installed(vendor: &str, signed: Signed, files: usize) -> Self {
        let temp = Temp::new();
        let token = temp.file("key", token("file"));
        let spec = format!(
            "Name: thing\nVersion: 1.2\nRelease: 3\nSummary: A thing\nLicense: MIT\nVendor: {vendor}\nBuildArch: noarch\n%description\nA thing.\n\
             %install\nmkdir -p %{{buildroot}}/etc/thing %{{buildroot}}/usr/share/thing\ncp {} %{{buildroot}}{KEY}\n\
             cd %{{buildroot}}/usr/share/thing\nseq {files} | sed s/^/a-file-with-a-long-name-/ | xargs -r touch\n%files\n/etc/thing\n/usr/share/thing\n",
            token.display()
        );
        let spec = temp.file("thing.spec", spec);
        let top = temp.path("top");
        tool(Command::new("rpmbuild").args(["-bb", "--define", &format!("_topdir {}", top.display())]).arg(&spec));
        let package = top.join("RPMS/noarch/thing-1.2-3.noarch.rpm");
        if signed == Signed::Yes {
            sign(&temp, &package);
        }
        let root = temp.path("root");
        std::fs::create_dir(&root).unwrap();
        let install = ["--dbpath", "/usr/lib/sysimage/rpm", "--define", "_db_backend sqlite", "--nodeps", "--nosignature", "-i"];
        tool(Command::new("rpm").arg("--root").arg(&root).args(install).arg(&package));
        Self(temp)
    }

    fn file(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.0.path("root").join(path.trim_start_matches('/'))).unwrap()
    }

    /// The same database as a hash table of Berkeley DB.
    fn berkeley(&self) -> Vec<u8> {
        let (dump, database) = (self.0.path("dump"), self.0.path("Packages"));
        let script = "import sqlite3, sys\n\
            print('VERSION=3', 'format=bytevalue', 'type=hash', 'HEADER=END', ' 00000000', ' 02000000', sep='\\n')\n\
            for number, blob in sqlite3.connect(sys.argv[1]).execute('select hnum, blob from Packages'):\n    \
                print(' ' + number.to_bytes(4, 'little').hex(), ' ' + blob.hex(), sep='\\n')\n\
            print('DATA=END')";
        let sqlite = self.0.path("root").join(SQLITE.trim_start_matches('/'));
        let python = Command::new("python3").args(["-c", script]).arg(sqlite).output().unwrap();
        assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
        std::fs::write(&dump, python.stdout).unwrap();
        tool(Command::new("db5.3_load").arg("-f").arg(&dump).arg(&database));
        std::fs::read(database).unwrap()
    }
}

fn sign(temp: &Temp, package: &Path) {
    let home: PathBuf = temp.path("gpg");
    std::fs::create_dir(&home).unwrap();
    std::fs::set_permissions(&home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let gpg = |program: &str| {
        let mut command = Command::new(program);
        command.env("GNUPGHOME", &home);
        command
    };
    tool(gpg("gpg").args(["--batch", "--passphrase", "", "--quick-gen-key", "thing@example.org", "rsa2048", "sign", "never"]));
    tool(gpg("rpmsign").args(["-D", "__gpg /usr/bin/gpg", "-D", "_gpg_name thing@example.org", "--addsign"]).arg(package));
    tool(gpg("gpgconf").args(["--kill", "all"]));
}

fn scan_of(fill: impl Fn(&mut LayerBuilder)) -> Scan {
    scan_image(&ImageBuilder::new().layer(INSTALL, |layer| fill(layer)))
}

fn package(scan: &Scan) -> Option<Package> {
    let finding: &Finding = only(scan, &token("file"));
    assert_eq!(finding.suppressed.as_ref().is_some_and(|why| why.reason == "public-file"), finding.package.is_some());
    finding.package.clone()
}

fn thing() -> Option<Package> {
    Some(Package { manager: Manager::Rpm, name: "thing".to_owned(), version: "1.2-3".to_owned() })
}

#[test]
#[ignore = "needs rpm, gpg and db5.3_load; tests/run includes it where they are installed"]
fn a_file_of_a_signed_package_of_a_distribution_is_public() {
    let rpm = Rpm::installed("Fedora Project", Signed::Yes, 25_000);
    let (key, database) = (rpm.file(KEY), rpm.file(SQLITE));
    // Longer than a file that is looked at whole.
    assert!(database.len() > 5 << 20, "{}", database.len());
    let untouched = scan_of(|layer| {
        layer.file(KEY, &key);
        layer.file(SQLITE, &database);
    });
    assert_eq!(package(&untouched), thing());
    let changed = scan_of(|layer| {
        layer.file(KEY, [&key, b"\n".as_slice()].concat());
        layer.file(SQLITE, &database);
    });
    assert_eq!(package(&changed), None);
    let old = scan_of(|layer| {
        layer.file(KEY, &key);
        layer.file("/var/lib/rpm/Packages", rpm.berkeley());
    });
    assert_eq!(package(&old), thing());
}

#[test]
#[ignore = "needs rpm, gpg and db5.3_load; tests/run includes it where they are installed"]
fn a_package_without_a_signature_or_of_another_vendor_is_not_known_to_be_public() {
    for (vendor, signed) in [("Fedora Project", Signed::No), ("Example", Signed::Yes)] {
        let rpm = Rpm::installed(vendor, signed, 0);
        let scan = scan_of(|layer| {
            layer.file(KEY, rpm.file(KEY));
            layer.file(SQLITE, rpm.file(SQLITE));
        });
        assert_eq!(package(&scan), None, "{vendor}");
        let note = only(&scan, &token("file")).note.clone();
        assert_eq!(note.as_deref(), Some("the image's package database says that the file is as thing 1.2-3 (rpm) has it"));
    }
}
