//! apk: one file has all packages, as stanzas of lines `letter:value`; `F:` opens a folder, `R:` names a file in it, `Z:` gives its hash
//! (wiki.alpinelinux.org, "Apk spec").

use super::{Checksum, Claim, DatabaseFile, Format, Publisher, Tell, is_at, lines, value, word};
use crate::finding::{Manager, Package};

pub(super) const FORMAT: Format = Format { manager: Manager::Apk, wants, read, commands: &["apk"] };

const DATABASES: [&[u8]; 2] = [b"/lib/apk/db/installed", b"/usr/lib/apk/db/installed"];

/// Where the distribution's maintainers have their addresses.
const DISTRIBUTIONS: [&str; 1] = ["alpinelinux.org"];

fn wants(path: &[u8]) -> Option<usize> {
    DATABASES.contains(&path).then_some(usize::MAX)
}

fn read(files: &[&DatabaseFile], claim: &mut Tell<'_>) {
    for stanza in files.iter().flat_map(|file| stanzas(&file.bytes)) {
        let first = |key: &str| stanza.iter().find_map(|line| value(line, key)).unwrap_or_default();
        let (name, version) = (word(first("P")), word(first("V")));
        if name.is_empty() || version.is_empty() {
            continue;
        }
        let publisher = if is_at(first("m"), &DISTRIBUTIONS) { Publisher::Public } else { Publisher::Unknown };
        let package = Package { manager: Manager::Apk, name, version };
        let (mut folder, mut file): (&[u8], &[u8]) = (b"", b"");
        for line in stanza {
            // Names end where the line does, blanks and all.
            match line {
                [b'F', b':', rest @ ..] => (folder, file) = (rest, b""),
                [b'R', b':', rest @ ..] => file = rest,
                [b'Z', b':', b'Q', b'1', hash @ ..] if !file.is_empty() => {
                    if let Some(checksum) = Checksum::sha1(hash) {
                        claim(&[folder, b"/", file].concat(), Claim { package: package.clone(), checksum, publisher });
                    }
                }
                _ => {}
            }
        }
    }
}

fn stanzas(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut stanzas = vec![Vec::new()];
    for line in lines(bytes) {
        match stanzas.last_mut() {
            Some(last) if !line.is_empty() => last.push(line),
            _ => stanzas.push(Vec::new()),
        }
    }
    stanzas
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::said;
    use super::*;

    #[test]
    fn files_stand_in_the_folder_before_them() {
        let text = "C:Q1x\nP:ssl\nV:3.1-r0\nm:N <n@alpinelinux.org>\nF:etc\nF:etc/ssl\nR:a.pem\na:0:0:644\nZ:Q1qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\nR:none\nF:usr\n\n\
                    P:own\nV:1\nF:srv\nR:b c\nZ:Q1qZk+NkcGgWq6PiVxeFDCbJzQ2J0=\n";
        let of = |path: &str| said(&[("/lib/apk/db/installed", text.as_bytes())], path);
        let claim = of("/etc/ssl/a.pem").remove(0);
        assert_eq!((claim.package.name.as_str(), claim.package.version.as_str(), claim.publisher), ("ssl", "3.1-r0", Publisher::Public));
        assert_eq!(Some(claim.checksum), Checksum::sha1(b"qZk+NkcGgWq6PiVxeFDCbJzQ2J0"));
        let own = of("/srv/b c").remove(0);
        assert_eq!((own.package.name.as_str(), own.publisher), ("own", Publisher::Unknown));
        for path in ["/etc/a.pem", "/etc/ssl/none", "/usr/none"] {
            assert_eq!(of(path), [], "{path}");
        }
    }
}
