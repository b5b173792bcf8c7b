//! Package databases that are texts: dpkg, apk, and the records of Python.
//!
//! An input is a package manager in one byte, the length of its first file in two, and two files.

use std::collections::HashSet;

use layersift::content::packages::{DatabaseFile, canonical, claims, condensed, is_large, wants};

use super::input::Input;

/// The two files of each.
const PATHS: [[&str; 2]; 4] = [
    ["/var/lib/dpkg/status", "/var/lib/dpkg/info/thing.md5sums"],
    ["/var/lib/dpkg/status.d/thing", "/var/lib/dpkg/status.d/thing.md5sums"],
    ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"],
    ["/usr/lib/python3/x-1.dist-info/METADATA", "/usr/lib/python3/x-1.dist-info/RECORD"],
];

/// Files that something may be said of.
const FILES: [&str; 6] = ["/etc/thing", "/usr/bin/a", "/bin/a", "/srv/b", "/usr/lib/python3/x.py", "/"];

/// What is said of `FILES` has to be of them, and the same each time.
pub(super) fn check(files: &[DatabaseFile]) {
    let paths: HashSet<Vec<u8>> = FILES.iter().map(|path| canonical(path.as_bytes())).collect();
    let said = claims(files, &paths);
    assert!(said.keys().all(|path| paths.contains(path)));
    for claim in said.values().flatten() {
        assert!(claim.package.name.chars().count() <= 200 && claim.package.version.chars().count() <= 200);
    }
    assert_eq!(claims(files, &paths), said);
}

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    let paths = PATHS[usize::from(input.byte()) % PATHS.len()];
    let length = input.below(1 << 16);
    let bodies = [input.take(length), input.0];
    let files: Vec<DatabaseFile> =
        paths.iter().zip(bodies).map(|(path, bytes)| DatabaseFile { path: path.as_bytes().to_vec(), bytes: bytes.to_vec() }).collect();
    for file in &files {
        assert!(wants(&file.path).is_some() && !is_large(&file.path));
        assert_eq!(condensed(file.clone()).bytes, file.bytes);
    }
    check(&files);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    const SUM: &str = "900150983cd24fb0d6963f7d28e17f72";
    let status = format!(
        "Package: thing\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nMaintainer: A <a@debian.org>\nConffiles:\n /etc/thing {SUM}\n /srv/b {SUM} obsolete\n\n"
    );
    let sums = format!("{SUM}  usr/bin/a\n{SUM}  srv/b\n");
    let apk = "C:Q1x\nP:thing\nV:3.1-r0\nm:N <n@alpinelinux.org>\nF:etc\nR:thing\na:0:0:644\nZ:Q1qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\nF:usr\n\n";
    let metadata = "Metadata-Version: 2.1\nName: X\nVersion: 1\nHome-page: https://example.org\nClassifier: License :: OSI Approved :: MIT License\n\nText\n";
    let record = "x.py,sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3\n\"../../bin/a\",sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3\nRECORD,,\n";
    let pairs = [(0, status.as_str(), sums.as_str()), (1, &status, &sums), (2, apk, apk), (3, metadata, record)];
    pairs.map(|(manager, one, two)| [&[manager][..], &(one.len() as u16).to_le_bytes(), one.as_bytes(), two.as_bytes()].concat()).into()
}
