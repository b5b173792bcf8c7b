//! What package databases say of the files of an image, and which files are known to be public wherever they lie.
//!
//! Bytes in, claims out. A [`Claim`] is what a database says; whether it is believed is decided by who knows the layers it stands in.
//! A further package manager is one file here, and one line in [`FORMATS`].

mod apk;
mod checksum;
mod dpkg;
pub mod known;
mod python;
mod rpm;

use std::collections::{HashMap, HashSet};

pub use checksum::{Checksum, FileHashes};

use crate::finding::{Manager, Package};

/// Most claims to one path that are kept of a layer: the first ones. Packages do not share files, but for a few.
const MAX_CLAIMS: usize = 100;
/// Longest name or version that is kept of a package.
const MAX_WORD: usize = 200;

/// A database's file, or its beginning, or the part of it that is needed.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct DatabaseFile {
    /// Normalised absolute path.
    pub path: Vec<u8>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Who made a package, by what the package says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publisher {
    /// A distribution, or a project that publishes under an open licence.
    Public,
    /// Nothing says that it is public: perhaps it was made by those who build the image.
    Unknown,
}

/// What a database says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose file it is.
    pub package: Package,
    /// What it hashes to.
    pub checksum: Checksum,
    /// Whose package it is.
    pub publisher: Publisher,
}

/// Claims by the path in its [`canonical`] form.
pub type Claims = HashMap<Vec<u8>, Vec<Claim>>;

/// Takes a path, as the database writes it, and what is said of it.
type Tell<'t> = dyn FnMut(&[u8], Claim) + 't;

/// One package manager's databases.
struct Format {
    manager: Manager,
    /// How many of the first bytes of the file at this path are wanted; none if it is not of a database.
    wants: fn(&[u8]) -> Option<usize>,
    /// Reads the files of one layer that are wanted. Paths may be absolute or not.
    read: fn(&[&DatabaseFile], &mut Tell<'_>),
    /// Commands that write such a database.
    commands: &'static [&'static str],
}

const FORMATS: [Format; 4] = [dpkg::FORMAT, python::FORMAT, apk::FORMAT, rpm::FORMAT];

/// How many of the first bytes of the file at `path` [`claims`] wants; none if it is not of a database.
pub fn wants(path: &[u8]) -> Option<usize> {
    FORMATS.iter().find_map(|format| (format.wants)(path))
}

/// Whether the file at `path` is wanted even where it is too long to be looked at whole: [`condensed`] makes it small.
pub fn is_large(path: &[u8]) -> bool {
    rpm::is_large(path)
}

/// A whole file of a database as it is kept, and as [`claims`] reads it.
pub fn condensed(file: DatabaseFile) -> DatabaseFile {
    match rpm::condense(&file.path, &file.bytes) {
        Some(bytes) => DatabaseFile { bytes, ..file },
        None => file,
    }
}

/// What the databases of one layer say of the files at `paths`, which are in [`canonical`] form.
pub fn claims(files: &[DatabaseFile], paths: &HashSet<Vec<u8>>) -> Claims {
    let mut claims = Claims::new();
    for format in &FORMATS {
        let files: Vec<&DatabaseFile> = files.iter().filter(|file| (format.wants)(&file.path).is_some()).collect();
        (format.read)(&files, &mut |path, claim| {
            let path = canonical(&crate::layer::path::normalise(path));
            if paths.contains(&path) {
                let of_path = claims.entry(path).or_default();
                if of_path.len() < MAX_CLAIMS && !of_path.contains(&claim) {
                    of_path.push(claim);
                }
            }
        });
    }
    claims
}

/// Whether a shell command runs a program that writes databases of `manager`.
pub fn installs(manager: Manager, command: &str) -> bool {
    let commands = FORMATS.iter().find(|format| format.manager == manager).map(|format| format.commands).unwrap_or_default();
    let mut words = command.split(|letter: char| !(letter.is_ascii_alphanumeric() || "-._".contains(letter)));
    // `pip3`, `pip3.11`.
    words.any(|word| commands.contains(&word.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.')))
}

/// The path without the `/usr` of folders that are the same with and without it where `/lib` and its like are links into `/usr`.
pub fn canonical(path: &[u8]) -> Vec<u8> {
    const MERGED: [&[u8]; 6] = [b"bin/", b"sbin/", b"lib/", b"lib32/", b"lib64/", b"libx32/"];
    let rest = path.strip_prefix(b"/usr/").unwrap_or_default();
    let is_merged = MERGED.iter().any(|folder| rest.starts_with(folder));
    if is_merged { path["/usr".len()..].to_vec() } else { path.to_vec() }
}

/// A name or version, cut to a length that reports can bear.
fn word(text: &[u8]) -> String {
    String::from_utf8_lossy(text.trim_ascii()).chars().take(MAX_WORD).collect()
}

/// The value of a line `key: value`.
fn value<'a>(line: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(key.as_bytes())?.strip_prefix(b":")?;
    Some(rest.trim_ascii())
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Whether the address at the end of a maintainer's field is at one of `domains` or below it.
fn is_at(maintainer: &[u8], domains: &[&str]) -> bool {
    let text = String::from_utf8_lossy(maintainer).to_ascii_lowercase();
    let host = text.trim_end().trim_end_matches('>').rsplit_once('@').map(|(_, host)| host.to_owned());
    host.is_some_and(|host| {
        domains.iter().any(|domain| host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.')))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What the files say of `path`: manager, name, version, publisher.
    pub(super) fn said(files: &[(&str, &[u8])], path: &str) -> Vec<Claim> {
        let files: Vec<DatabaseFile> =
            files.iter().map(|(path, bytes)| DatabaseFile { path: path.as_bytes().to_vec(), bytes: bytes.to_vec() }).collect();
        let path = canonical(path.as_bytes());
        claims(&files, &HashSet::from([path.clone()])).remove(&path).unwrap_or_default()
    }

    #[test]
    fn merged_folders_are_one() {
        for (path, expected) in [
            ("/usr/lib/x86_64-linux-gnu/a.so", "/lib/x86_64-linux-gnu/a.so"),
            ("/lib/x86_64-linux-gnu/a.so", "/lib/x86_64-linux-gnu/a.so"),
            ("/usr/library/x", "/usr/library/x"),
            ("/usr/share/x", "/usr/share/x"),
            ("/usr", "/usr"),
            ("/usrlib/x", "/usrlib/x"),
        ] {
            assert_eq!(canonical(path.as_bytes()), expected.as_bytes(), "{path}");
        }
    }

    #[test]
    fn a_command_is_known_by_its_name() {
        for (manager, command, expected) in [
            (Manager::Dpkg, "apt-get update && apt-get install -y x", true),
            (Manager::Dpkg, "set -eux; /usr/bin/dpkg -i a.deb", true),
            (Manager::Dpkg, "cp -r /src/apt-cache /x", false),
            (Manager::Python, "pip3.11 install -r requirements.txt", true),
            (Manager::Python, "/venv/bin/pip install x", true),
            (Manager::Python, "./pipeline.sh", false),
            (Manager::Apk, "apk add --no-cache x", true),
            (Manager::Apk, "apt-get install apktool", false),
            (Manager::Npm, "npm ci", false),
        ] {
            assert_eq!(installs(manager, command), expected, "{command}");
        }
    }

    #[test]
    fn an_address_counts_by_its_host() {
        let domains = ["debian.org"];
        assert!(is_at(b"Team <team@lists.debian.org>", &domains) && is_at(b"A <a@Debian.org> ", &domains));
        for other in ["A <a@debian.org.example>", "A <a@notdebian.org>", "debian.org", "", "a@debian.org <a@example.org>"] {
            assert!(!is_at(other.as_bytes(), &domains), "{other}");
        }
    }

    #[test]
    fn hostile_databases_claim_nothing_and_end_nothing() {
        let paths = [
            "/var/lib/dpkg/status",
            "/var/lib/dpkg/info/a.md5sums",
            "/var/lib/dpkg/info/.md5sums",
            "/var/lib/dpkg/status.d/a",
            "/var/lib/dpkg/status.d/a.md5sums",
            "/lib/apk/db/installed",
            "/x/a-1.dist-info/RECORD",
            "/x/.dist-info/RECORD",
            "/.dist-info/METADATA",
        ];
        let long = vec![b'a'; 200_000];
        let quotes = b"\"a,\"\",sha256=\xff\xfe,\n\"\n,,,,\nx,sha256=,\nx,sha256=====,1\n".as_slice();
        let stanzas =
            b"Package:\nVersion:\nStatus: install ok installed\nConffiles:\n /x \n /x zz\n\nP:\nV:\nF:\nR:x\nZ:Q1!!!!\nZ:\n".as_slice();
        let sums = b"d41d8cd98f00b204e9800998ecf8427e\nd41d8cd98f00b204e9800998ecf8427e  \nzz  x\n\x00\xff  x\n".as_slice();
        for bytes in [long.as_slice(), quotes, stanzas, sums, b"", b"\n\n\n", b":", b"\r\n"] {
            let files: Vec<(&str, &[u8])> = paths.iter().map(|path| (*path, bytes)).collect();
            assert_eq!(said(&files, "/x"), [], "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]));
        }
    }
}
