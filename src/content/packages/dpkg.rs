//! dpkg: `status` has the packages and the hashes of their settings, `info/PACKAGE.md5sums` those of the other files. Images without dpkg
//! itself have a stanza and a list for each package in `status.d`.

use std::collections::HashMap;

use super::{Checksum, Claim, DatabaseFile, Format, Publisher, Tell, is_at, lines, value, word};
use crate::finding::{Manager, Package};

pub(super) const FORMAT: Format =
    Format { manager: Manager::Dpkg, wants, read, commands: &["apt", "apt-get", "aptitude", "dpkg", "debootstrap", "mmdebstrap"] };

const STATUS: &[u8] = b"/var/lib/dpkg/status";
const STATUS_D: &[u8] = b"/var/lib/dpkg/status.d/";
const INFO: &[u8] = b"/var/lib/dpkg/info/";
const SUMS: &[u8] = b".md5sums";

/// Where the maintainers of the distributions have their addresses. A package of a third party has one of its own.
const DISTRIBUTIONS: [&str; 6] = ["debian.org", "alioth-lists.debian.net", "ubuntu.com", "canonical.com", "raspbian.org", "kali.org"];

fn wants(path: &[u8]) -> Option<usize> {
    let is_sums = path.starts_with(INFO) && path.ends_with(SUMS);
    (path == STATUS || is_sums || path.starts_with(STATUS_D)).then_some(usize::MAX)
}

/// A package that is installed.
#[derive(Clone)]
struct Installed {
    package: Package,
    publisher: Publisher,
}

fn read(files: &[&DatabaseFile], claim: &mut Tell<'_>) {
    // By name as the lists are called: `package` or `package:architecture`.
    let mut installed: HashMap<Vec<u8>, Installed> = HashMap::new();
    for file in files {
        if file.path == STATUS {
            for (stanza, one) in stanzas(&file.bytes, State::Said, claim) {
                installed.insert([stanza.name, b":", stanza.architecture].concat(), one.clone());
                installed.insert(stanza.name.to_vec(), one);
            }
        } else if file.path.starts_with(STATUS_D) && !file.path.ends_with(SUMS) {
            // The list is called as the file, which may be the name in another form.
            if let Some((_, one)) = stanzas(&file.bytes, State::Understood, claim).into_iter().next() {
                installed.insert(file.path.clone(), one);
            }
        }
    }
    for file in files {
        let Some(name) = file.path.strip_suffix(SUMS) else { continue };
        let one = installed.get(name).or_else(|| installed.get(name.strip_prefix(INFO)?));
        if let Some(one) = one {
            sums(&file.bytes, one, claim);
        }
    }
}

/// Whether a stanza has to say that the package is installed.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Said,
    Understood,
}

/// The packages of a status file; claims their settings.
fn stanzas<'a>(bytes: &'a [u8], state: State, claim: &mut Tell<'_>) -> Vec<(Stanza<'a>, Installed)> {
    let mut installed = Vec::new();
    let mut stanza = Stanza::default();
    for line in lines(bytes).chain([&b""[..]]) {
        if !line.is_empty() {
            stanza.line(line);
            continue;
        }
        let done = std::mem::take(&mut stanza);
        if done.name.is_empty() || done.version.is_empty() || (state == State::Said && !done.is_installed) {
            continue;
        }
        let one = Installed {
            package: Package { manager: Manager::Dpkg, name: word(done.name), version: word(done.version) },
            publisher: if is_at(done.maintainer, &DISTRIBUTIONS) { Publisher::Public } else { Publisher::Unknown },
        };
        for setting in &done.conffiles {
            let mut words = setting.split(|&byte| byte == b' ');
            if let (Some(path), Some(checksum)) = (words.next(), words.next().and_then(Checksum::md5)) {
                claim(path, Claim { package: one.package.clone(), checksum, publisher: one.publisher });
            }
        }
        installed.push((done, one));
    }
    installed
}

#[derive(Default)]
struct Stanza<'a> {
    name: &'a [u8],
    version: &'a [u8],
    architecture: &'a [u8],
    maintainer: &'a [u8],
    is_installed: bool,
    in_conffiles: bool,
    conffiles: Vec<&'a [u8]>,
}

impl<'a> Stanza<'a> {
    fn line(&mut self, line: &'a [u8]) {
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if self.in_conffiles {
                self.conffiles.push(line.trim_ascii());
            }
            return;
        }
        self.in_conffiles = line.starts_with(b"Conffiles:");
        let fields = [
            ("Package", &mut self.name),
            ("Version", &mut self.version),
            ("Architecture", &mut self.architecture),
            ("Maintainer", &mut self.maintainer),
        ];
        for (key, field) in fields {
            if let Some(said) = value(line, key) {
                *field = said;
            }
        }
        self.is_installed |= value(line, "Status").is_some_and(|status| status.ends_with(b" installed"));
    }
}

/// `MD5  path`, the path without its leading slash.
fn sums(bytes: &[u8], one: &Installed, claim: &mut Tell<'_>) {
    for line in lines(bytes) {
        let Some((sum, rest)) = line.split_at_checked(32) else { continue };
        let path = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *"));
        if let (Some(path), Some(checksum)) = (path.filter(|path| !path.is_empty()), Checksum::md5(sum)) {
            claim(path, Claim { package: one.package.clone(), checksum, publisher: one.publisher });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::said;
    use super::*;

    /// MD5 of `abc`.
    const ABC: &str = "900150983cd24fb0d6963f7d28e17f72";

    const STATUS_TEXT: &str = "\
Package: libx1
Status: install ok installed
Maintainer: X Team <x@lists.debian.org>
Architecture: amd64
Version: 1:2.3-4+deb12u1
Conffiles:
 /etc/x.conf 900150983cd24fb0d6963f7d28e17f72
 /etc/old.conf 900150983cd24fb0d6963f7d28e17f72 obsolete
Description: x
 /etc/not.conf 900150983cd24fb0d6963f7d28e17f72

Package: agent
Status: install ok installed
Maintainer: Example <ops@example.org>
Architecture: all
Version: 7

Package: gone
Status: deinstall ok config-files
Maintainer: X Team <x@lists.debian.org>
Architecture: all
Version: 1
";

    fn of(files: &[(&str, &str)], path: &str) -> Option<(String, Publisher)> {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        let claims = said(&files, path);
        assert!(claims.len() <= 1, "{claims:?}");
        let claim = claims.first()?;
        assert_eq!(Some(claim.checksum), Checksum::md5(ABC.as_bytes()));
        Some((format!("{} {}", claim.package.name, claim.package.version), claim.publisher))
    }

    #[test]
    fn files_and_settings_are_of_the_package_that_is_installed() {
        let libx = Some(("libx1 1:2.3-4+deb12u1".to_owned(), Publisher::Public));
        let sums = format!("{ABC}  usr/lib/x.so\n{ABC}  usr/share/with space\n");
        let list = |name: &'static str| [("/var/lib/dpkg/status", STATUS_TEXT), (name, sums.as_str())];
        for name in ["/var/lib/dpkg/info/libx1.md5sums", "/var/lib/dpkg/info/libx1:amd64.md5sums"] {
            assert_eq!(of(&list(name), "/usr/lib/x.so"), libx, "{name}");
            assert_eq!(of(&list(name), "/lib/x.so"), libx, "{name}");
            assert_eq!(of(&list(name), "/usr/share/with space"), libx, "{name}");
            assert_eq!(of(&list(name), "/usr/share/other"), None);
        }
        let agent = Some(("agent 7".to_owned(), Publisher::Unknown));
        assert_eq!(of(&list("/var/lib/dpkg/info/agent.md5sums"), "/usr/lib/x.so"), agent);
        for name in ["gone", "unknown", "libx1:arm64"] {
            let path = format!("/var/lib/dpkg/info/{name}.md5sums");
            assert_eq!(of(&[("/var/lib/dpkg/status", STATUS_TEXT), (&path, &sums)], "/usr/lib/x.so"), None, "{name}");
        }
        assert_eq!(of(&[("/var/lib/dpkg/info/libx1.md5sums", &sums)], "/usr/lib/x.so"), None, "no status");
        let status = [("/var/lib/dpkg/status", STATUS_TEXT)];
        assert_eq!((of(&status, "/etc/x.conf"), of(&status, "/etc/old.conf")), (libx.clone(), libx));
        assert_eq!(of(&status, "/etc/not.conf"), None);
    }

    #[test]
    fn a_stanza_of_its_own_needs_no_status() {
        let stanza = "Package: base-files\nVersion: 12\nMaintainer: A <a@debian.org>\n";
        let sums = format!("{ABC}  ./usr/lib/x.so\n");
        let files = [("/var/lib/dpkg/status.d/base", stanza), ("/var/lib/dpkg/status.d/base.md5sums", sums.as_str())];
        assert_eq!(of(&files, "/usr/lib/x.so"), Some(("base-files 12".to_owned(), Publisher::Public)));
        assert_eq!(of(&files[1..], "/usr/lib/x.so"), None);
    }
}
