//! Python distributions: `RECORD` in `NAME-VERSION.dist-info` has the hashes, `METADATA` beside it says what it is (packaging.python.org,
//! "Recording installed projects" and "Core metadata"). `direct_url.json` says that it was installed from a folder, a repository or a
//! file, and not by its name from an index: then it is perhaps the project itself, whose own secret would have the hash that is recorded.

use std::collections::HashMap;

use super::{Checksum, Claim, DatabaseFile, Format, Publisher, Tell, lines, value, word};
use crate::finding::{Manager, Package};

pub(super) const FORMAT: Format = Format {
    manager: Manager::Python,
    wants,
    read,
    commands: &["pip", "pipx", "uv", "poetry", "pdm", "pipenv", "conda", "mamba", "micromamba", "ensurepip"],
};

/// What a project says of itself stands at the beginning, before its description.
const METADATA_BYTES: usize = 64 << 10;

fn wants(path: &[u8]) -> Option<usize> {
    match split(path)?.1 {
        b"RECORD" => Some(usize::MAX),
        b"METADATA" => Some(METADATA_BYTES),
        b"direct_url.json" => Some(0),
        _ => None,
    }
}

/// The `dist-info` folder, and the name of the file in it.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let cut = path.iter().rposition(|&byte| byte == b'/')?;
    let folder = &path[..cut];
    folder.ends_with(b".dist-info").then_some((folder, &path[cut + 1..]))
}

fn read(files: &[&DatabaseFile], claim: &mut Tell<'_>) {
    let by_path: HashMap<&[u8], &[u8]> = files.iter().map(|file| (file.path.as_slice(), file.bytes.as_slice())).collect();
    for file in files {
        let Some((folder, b"RECORD")) = split(&file.path) else { continue };
        let beside = |name: &str| by_path.get([folder, b"/", name.as_bytes()].concat().as_slice()).copied();
        let metadata = beside("METADATA").unwrap_or_default();
        let Some(package) = package(folder, metadata) else { continue };
        let is_public = beside("direct_url.json").is_none() && is_published(metadata);
        let publisher = if is_public { Publisher::Public } else { Publisher::Unknown };
        records(&file.bytes, site(folder), &mut |path, checksum| claim(path, Claim { package: package.clone(), checksum, publisher }));
    }
}

/// The folder that the paths of a record start from.
fn site(folder: &[u8]) -> &[u8] {
    &folder[..folder.iter().rposition(|&byte| byte == b'/').unwrap_or(0)]
}

/// As its metadata says, or its folder.
fn package(folder: &[u8], metadata: &[u8]) -> Option<Package> {
    let header = |key| headers(metadata).find_map(|line| value(line, key)).filter(|value| !value.is_empty()).map(word);
    let name = folder[site(folder).len()..].strip_prefix(b"/")?.strip_suffix(b".dist-info")?;
    let cut = name.iter().rposition(|&byte| byte == b'-')?;
    let (name, version) =
        (header("Name").unwrap_or_else(|| word(&name[..cut])), header("Version").unwrap_or_else(|| word(&name[cut + 1..])));
    Some(Package { manager: Manager::Python, name, version })
}

/// The lines before the description.
fn headers(metadata: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines(metadata).take_while(|line| !line.is_empty())
}

/// Whether a project names an open licence and a page of its own, and does not say that it is private.
fn is_published(metadata: &[u8]) -> bool {
    let classifiers = || headers(metadata).filter_map(|line| value(line, "Classifier"));
    let first = |key| headers(metadata).find_map(|line| value(line, key));
    let is_open = classifiers().any(|classifier| classifier.starts_with(b"License :: OSI Approved"))
        || first("License-Expression").is_some_and(|licence| !licence.is_empty() && !licence.starts_with(b"LicenseRef-"))
        || first("License").is_some_and(names_open_licence);
    let has_page =
        headers(metadata).any(|line| ["Home-page", "Project-URL", "Download-URL"].into_iter().any(|key| value(line, key).is_some()));
    is_open && has_page && !classifiers().any(|classifier| classifier.starts_with(b"Private"))
}

/// Whether the field that came before classifiers and expressions, which may hold anything, names an open licence and nothing that takes
/// it back.
fn names_open_licence(text: &[u8]) -> bool {
    const OPEN: [&str; 17] = [
        "0bsd",
        "agpl",
        "apache",
        "artistic",
        "bsd",
        "cc0",
        "epl",
        "gpl",
        "isc",
        "lgpl",
        "mit",
        "mpl",
        "psf",
        "python",
        "unlicense",
        "zlib",
        "zpl",
    ];
    const CLOSED: [&str; 6] = ["proprietary", "commercial", "private", "internal", "reserved", "confidential"];
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    // `GPLv3` and `Apache2` are words with a version.
    let bare = |word: &'_ str| word.trim_end_matches(|letter: char| letter.is_ascii_digit()).trim_end_matches('v').to_owned();
    let words = || text.split(|letter: char| !letter.is_ascii_alphanumeric()).flat_map(|word| [word.to_owned(), bare(word)]);
    text.len() <= 100 && words().any(|word| OPEN.contains(&word.as_str())) && !words().any(|word| CLOSED.contains(&word.as_str()))
}

/// The rows of a record that have a hash: path and hash.
fn records(bytes: &[u8], site: &[u8], claim: &mut dyn FnMut(&[u8], Checksum)) {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut row = csv::ByteRecord::new();
    while let Ok(true) = reader.read_byte_record(&mut row) {
        let (Some(path), Some(hash)) = (row.get(0).filter(|path| !path.is_empty()), row.get(1)) else { continue };
        if let Some(checksum) = hash.strip_prefix(b"sha256=").and_then(Checksum::sha256) {
            let path = if path.starts_with(b"/") { path.to_vec() } else { [site, b"/", path].concat() };
            claim(&path, checksum);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::said;
    use super::*;

    /// SHA-256 of `abc`.
    const ABC: &str = "sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
    const OPEN: &str = "Metadata-Version: 2.1\nName: Some.Thing\nVersion: 1.0\nHome-page: https://example.org\nClassifier: License :: OSI Approved :: MIT License\n\nText\n";
    const FOLDER: &str = "/usr/lib/python3/site-packages/some_thing-1.0.dist-info";

    fn of(files: &[(&str, &str)], path: &str) -> Option<(String, Publisher)> {
        let files: Vec<(String, &str)> = files.iter().map(|(name, text)| (format!("{FOLDER}/{name}"), *text)).collect();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
        let claims = said(&files, path);
        let claim = claims.first()?;
        assert_eq!(Some(claim.checksum), Checksum::sha256(&ABC.as_bytes()[7..]));
        Some((format!("{} {}", claim.package.name, claim.package.version), claim.publisher))
    }

    #[test]
    fn a_record_names_its_files_from_the_folder_that_it_is_installed_in() {
        let record =
            format!("some_thing/a.py,{ABC},3\r\n../../../bin/some,{ABC},3\n\"with,comma\",{ABC},3\nsome_thing-1.0.dist-info/RECORD,,\n");
        let files = [("RECORD", record.as_str()), ("METADATA", OPEN)];
        let open = Some(("Some.Thing 1.0".to_owned(), Publisher::Public));
        for path in ["/usr/lib/python3/site-packages/some_thing/a.py", "/usr/bin/some", "/usr/lib/python3/site-packages/with,comma"] {
            assert_eq!(of(&files, path), open, "{path}");
        }
        assert_eq!(of(&files, "/some_thing/a.py"), None);
        assert_eq!(of(&files[..1], "/usr/bin/some"), Some(("some_thing 1.0".to_owned(), Publisher::Unknown)));
        assert_eq!(of(&[files[0], files[1], ("direct_url.json", "")], "/usr/bin/some").unwrap().1, Publisher::Unknown);
    }

    #[test]
    fn only_what_says_that_it_is_open_is_public() {
        let page = "Project-URL: Source, https://example.org\n";
        for (metadata, expected) in [
            (format!("{page}License-Expression: MIT\n"), true),
            (format!("{page}License-Expression: LicenseRef-Proprietary\n"), false),
            (format!("{page}License: MIT\n"), true),
            (format!("{page}License: BSD 3-Clause OR Apache-2.0\n"), true),
            (format!("{page}License: GPLv3\n"), true),
            ("License: MIT\n".to_owned(), false),
            (format!("{page}License: Proprietary, not MIT\n"), false),
            (format!("{page}License: Example Corp, all rights reserved\n"), false),
            (format!("{page}License: permitted\n"), false),
            (format!("{page}License: UNKNOWN\n"), false),
            (format!("{page}License: \n"), false),
            ("License-Expression: MIT\n".to_owned(), false),
            (format!("{page}License-Expression: MIT\nClassifier: Private :: Do Not Upload\n"), false),
            (format!("{page}\nLicense-Expression: MIT\n"), false),
        ] {
            assert_eq!(is_published(metadata.as_bytes()), expected, "{metadata}");
        }
    }
}
