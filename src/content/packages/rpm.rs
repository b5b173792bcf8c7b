//! rpm: one database has the headers of all packages, and a header has the hash of each file (rpm.org, "RPM headers" and "Tags"). Where the
//! headers lie depends on the database: `rpmdb.sqlite`, `Packages.db` (SUSE), or `Packages` (Red Hat up to 8).
//!
//! A database may be tens of megabytes, of which few are hashes, so it is [`condense`]d when its layer has been read: a line for each package
//! and for each of its files.

mod bdb;
mod header;
mod ndb;
mod sqlite;

use super::{Checksum, Claim, DatabaseFile, Format, Publisher, Tell, lines, word};
use crate::finding::{Manager, Package};
use header::Header;

pub(super) const FORMAT: Format =
    Format { manager: Manager::Rpm, wants, read, commands: &["rpm", "dnf", "yum", "microdnf", "tdnf", "zypper", "rpm-ostree", "mic"] };

/// Where databases lie: by rule, and since distributions moved them under `/usr`.
const FOLDERS: [&[u8]; 3] = [b"/var/lib/rpm/", b"/usr/lib/sysimage/rpm/", b"/usr/share/rpm/"];
/// The databases, each with what takes the headers out of it.
const DATABASES: [(&[u8], Blobs); 3] = [(b"rpmdb.sqlite", sqlite::blobs), (b"Packages.db", ndb::blobs), (b"Packages", bdb::blobs)];

/// Takes the headers out of a database; what makes no sense is left out.
type Blobs = fn(&[u8], &mut dyn FnMut(&[u8]));

/// Who the distributions say they are in their packages. Anyone can write it, and few who do sign their packages as well.
const VENDORS: [&str; 14] = [
    "Red Hat, Inc.",
    "Fedora Project",
    "CentOS",
    "CentOS Project",
    "Rocky Enterprise Software Foundation",
    "Rocky",
    "AlmaLinux",
    "Oracle America",
    "Amazon Linux",
    "Amazon.com",
    "openSUSE",
    "SUSE LLC <https://www.suse.com/>",
    "Microsoft Corporation",
    "VMware, Inc.",
];

/// How many times as long as the database its condensed form may be: folders are named once there, and with each file here. The form is shorter than what packages say, so only one that
/// was made to do harm is cut off.
const MAX_GROWTH: usize = 4;

/// Begins the line of a package in the condensed form.
const PACKAGE: &[u8] = b"=";

fn database(path: &[u8]) -> Option<Blobs> {
    let name = FOLDERS.iter().find_map(|folder| path.strip_prefix(*folder))?;
    DATABASES.iter().find(|(database, _)| *database == name).map(|(_, blobs)| *blobs)
}

fn wants(path: &[u8]) -> Option<usize> {
    database(path).map(|_| usize::MAX)
}

/// Whether the file at `path` is wanted however large it is, since it is condensed.
pub(super) fn is_large(path: &[u8]) -> bool {
    database(path).is_some()
}

/// The database in a form that has what [`read`] needs and no more: `=publisher name version` and then `hash path` for each of its
/// files, a line each, separated by tabs.
pub(super) fn condense(path: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    let blobs = database(path)?;
    let mut text = Vec::new();
    // Headers share no bytes. A database that gives one over and over was made to do harm.
    let mut left = bytes.len();
    blobs(bytes, &mut |blob| {
        left = left.saturating_sub(blob.len());
        if let Some(header) = Header::parse(blob).filter(|_| left > 0) {
            package(&header, bytes.len().saturating_mul(MAX_GROWTH), &mut text);
        }
    });
    Some(text)
}

/// Adds what is said of a package, unless the text has more than `most` bytes.
fn package(header: &Header<'_>, most: usize, text: &mut Vec<u8>) {
    let (Some(name), Some(version), Some(release)) =
        (header.string(header::NAME), header.string(header::VERSION), header.string(header::RELEASE))
    else {
        return;
    };
    let vendor = header.string(header::VENDOR).unwrap_or_default();
    let is_vendor = VENDORS.iter().any(|known| known.as_bytes() == vendor);
    let publisher: &[u8] = if is_vendor && header.is_signed() { b"public" } else { b"unknown" };
    let epoch = header.number(header::EPOCH).map(|epoch| format!("{epoch}:")).unwrap_or_default();
    let version = [epoch.as_bytes(), version, b"-", release].concat();
    line(text, &[&[PACKAGE, publisher].concat(), name, &version]);
    let folders = header.strings(header::FOLDERS);
    let digests = header.strings(header::DIGESTS);
    let names = header.strings(header::NAMES).into_iter().zip(header.numbers(header::FOLDER_OF));
    for ((name, folder), digest) in names.zip(digests) {
        if text.len() > most {
            return;
        }
        let folder = usize::try_from(folder).ok().and_then(|folder| folders.get(folder));
        // Folders and links have no hash, nor have files that the package does not bring.
        if let Some(folder) = folder.filter(|_| !digest.is_empty()) {
            line(text, &[digest, &[folder, name].concat()]);
        }
    }
}

/// A line of fields; none if one of them could be taken for two.
fn line(text: &mut Vec<u8>, fields: &[&[u8]]) {
    if fields.iter().all(|field| !field.iter().any(|byte| b"\t\n\r".contains(byte))) {
        text.extend(fields.join(&b'\t'));
        text.push(b'\n');
    } else if fields[0].starts_with(PACKAGE) {
        // What follows is of no package.
        text.extend(b"=\n");
    }
}

fn read(files: &[&DatabaseFile], claim: &mut Tell<'_>) {
    for file in files {
        let mut of: Option<(Package, Publisher)> = None;
        for line in lines(&file.bytes) {
            let mut fields = line.split(|byte| *byte == b'\t');
            let first = fields.next().unwrap_or_default();
            if let Some(publisher) = first.strip_prefix(PACKAGE) {
                let publisher = if publisher == b"public" { Publisher::Public } else { Publisher::Unknown };
                let named = fields.next().zip(fields.next());
                of = named.map(|(name, version)| (Package { manager: Manager::Rpm, name: word(name), version: word(version) }, publisher));
            } else if let (Some((package, publisher)), Some(path), Some(checksum)) = (&of, fields.next(), Checksum::hex(first)) {
                claim(path, Claim { package: package.clone(), checksum, publisher: *publisher });
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::said;
    use super::header::sample;
    use super::*;

    /// SHA-256 of `abc`.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn condensed(vendor: &str, is_signed: bool) -> Vec<u8> {
        let blob = sample(vendor, is_signed, &[("/etc/thing/", "key", ABC), ("/etc/", "thing", ""), ("/usr/share/", "b c", ABC)]);
        let mut text = Vec::new();
        package(&Header::parse(&blob).unwrap(), usize::MAX, &mut text);
        text
    }

    fn of(text: &[u8], path: &str) -> Option<(String, Publisher)> {
        let claims = said(&[("/usr/lib/sysimage/rpm/rpmdb.sqlite", text)], path);
        let claim = claims.first()?;
        assert_eq!(Some(claim.checksum), Checksum::hex(ABC.as_bytes()));
        assert_eq!(claim.package.manager, Manager::Rpm);
        Some((format!("{} {}", claim.package.name, claim.package.version), claim.publisher))
    }

    #[test]
    fn a_header_has_the_hashes_of_the_files_of_its_package() {
        let text = condensed("Fedora Project", true);
        let thing = Some(("thing 2:1.2-3".to_owned(), Publisher::Public));
        assert_eq!((of(&text, "/etc/thing/key"), of(&text, "/usr/share/b c")), (thing.clone(), thing));
        for path in ["/etc/thing", "/etc/key", "/key"] {
            assert_eq!(of(&text, path), None, "{path}");
        }
    }

    #[test]
    fn only_a_signed_package_of_a_distribution_is_public() {
        for (vendor, is_signed, expected) in [
            ("Fedora Project", false, Publisher::Unknown),
            ("Example", true, Publisher::Unknown),
            ("Fedora Project of ours", true, Publisher::Unknown),
            ("Red Hat, Inc.", true, Publisher::Public),
        ] {
            assert_eq!(of(&condensed(vendor, is_signed), "/etc/thing/key").unwrap().1, expected, "{vendor}");
        }
    }

    #[test]
    fn a_name_cannot_pass_for_another_line() {
        let evil = format!("x\n=public\tbash\t5\n{ABC}\t/etc/key");
        let blob = sample("Example", false, &[("/srv/", evil.as_str(), ABC)]);
        let mut text = Vec::new();
        package(&Header::parse(&blob).unwrap(), usize::MAX, &mut text);
        assert_eq!(of(&text, "/etc/key"), None);
    }

    #[test]
    fn databases_are_known_by_their_paths() {
        for path in ["/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/Packages.db", "/var/lib/rpm/Packages"] {
            assert!(wants(path.as_bytes()).is_some() && is_large(path.as_bytes()), "{path}");
        }
        for path in ["/var/lib/rpm/Basenames", "/srv/rpmdb.sqlite", "/var/lib/rpm/x/Packages", "/var/lib/rpm/rpmdb.sqlite-wal"] {
            assert!(wants(path.as_bytes()).is_none(), "{path}");
        }
    }

    #[test]
    fn pages_of_no_size_end_nothing() {
        let mut bytes = vec![0; 512];
        bytes[12..16].copy_from_slice(&0x0006_1561_u32.to_le_bytes());
        assert_eq!(condense(b"/var/lib/rpm/Packages", &bytes), Some(Vec::new()));
    }

    #[test]
    fn a_header_that_is_given_over_and_over_counts_no_more_than_it_is_long() {
        let blob = sample("Example", false, &[("/etc/", "thing", ABC); 20]);
        // A thousand slots lead to one header.
        let words = |mark: &[u8], numbers: [u32; 3]| [mark, &numbers.map(u32::to_le_bytes).concat()].concat();
        let mut bytes = [words(b"RpmP", [0, 0, 4]), vec![0; 16]].concat();
        (0..1000).for_each(|_| bytes.extend(words(b"Slot", [1, 4 * 256, 9])));
        bytes.resize(4 * 4096, 0);
        bytes.extend(words(b"BlbS", [1, 7, blob.len() as u32]));
        bytes.extend(&blob);
        let text = condense(b"/var/lib/rpm/Packages.db", &bytes).unwrap();
        assert!(!text.is_empty() && text.len() < bytes.len(), "{} of {}", text.len(), bytes.len());
    }

    #[test]
    fn a_folder_that_is_named_by_many_files_does_not_fill_the_memory() {
        let folder = format!("/{}/", "x".repeat(10_000));
        let files: Vec<(&str, &str, &str)> = (0..2_000).map(|_| ("", "a", "00")).collect();
        let mut blob = sample("Example", false, &[&[(folder.as_str(), "a", "00")], &files[..]].concat());
        // All files are in the first folder.
        let indexes: Vec<u8> = (0..2_001_u32).flat_map(u32::to_be_bytes).collect();
        let at = blob.windows(indexes.len()).position(|window| window == indexes).unwrap();
        blob[at..at + indexes.len()].fill(0);
        let mut text = Vec::new();
        package(&Header::parse(&blob).unwrap(), 100_000, &mut text);
        assert!((100_000..120_000).contains(&text.len()), "{}", text.len());
    }

    #[test]
    fn hostile_databases_end_nothing() {
        let mut state = 9_u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for (name, _) in DATABASES {
            let path = [FOLDERS[0], name].concat();
            for length in [0, 1, 16, 100, 512, 4096, 20_000] {
                let noise: Vec<u8> = (0..length).map(|_| random()).collect();
                assert!(condense(&path, &noise).is_some_and(|text| text.is_empty()));
                assert!(condense(&path, &vec![0xff; length]).is_some_and(|text| text.is_empty()));
            }
        }
    }
}
