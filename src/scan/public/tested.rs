//! Private keys, and what else no proof supports, among the tests and samples of installed packages. Packages ship keys and hashes to test
//! themselves with, and many come from managers that leave no hash behind by which the file could be proved to be theirs (npm), or have no
//! database in the image at all. Such a finding is listed as possible, with a note; it is not suppressed. A token whose checksum proves that
//! it was issued is none that a test made up.
//!
//! This is a guess from where the file lies, so it gives way to whatever speaks against it: a package database that has the path (with the
//! same hash the file is public, with another it was changed), and a certificate or public key of the same image outside the package.

use super::super::PublicFiles;
use super::Recorded;
use crate::content::kind::Kind;
use crate::content::packages;
use crate::finding::{Confidence, Finding, Part};
use crate::source::Image;

/// Folders into which package managers put packages, a folder each.
const ROOTS: [&[u8]; 4] = [b"dist-packages", b"site-packages", b"node_modules", b"gems"];

impl Recorded<'_> {
    /// Lowers the confidence of what packages test themselves with. Counterparts of keys have to be known.
    pub(in super::super) fn doubt(&self, findings: &mut [Finding], image: &Image) {
        if self.public_files == PublicFiles::Report {
            return;
        }
        for finding in findings.iter_mut().filter(|finding| finding.suppressed.is_none() && finding.confidence > Confidence::Possible) {
            let place = &finding.place;
            let is_made_up = finding.key.is_some() || finding.confidence == Confidence::Likely;
            if !is_made_up || place.part() != Some(&Part::Content) {
                continue;
            }
            let Some((folder, name)) = place.path().and_then(tested) else { continue };
            let canonical = place.path().map(packages::canonical).unwrap_or_default();
            // Of a file that was not hashed no database was asked.
            let was_asked = self.asked.contains(&canonical);
            let is_claimed = (0..image.layers.len()).any(|layer| !self.claims(image, layer, &canonical).is_empty());
            let mut counterparts = finding.key.iter().flat_map(|key| &key.counterparts);
            let is_used = counterparts.any(|counterpart| !counterpart.path.starts_with(folder));
            if was_asked && !is_claimed && !is_used {
                let said = format!("it stands among the tests or samples of a package, {}", String::from_utf8_lossy(name));
                finding.confidence = Confidence::Possible;
                finding.note = Some(finding.note.take().map(|note| format!("{note}; {said}")).unwrap_or(said));
            }
        }
    }
}

/// The package's folder, its slash included, and its name, if the file is among its tests or samples.
fn tested(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut found = None;
    let (mut start, mut is_root) = (0, false);
    for end in memchr::memchr_iter(b'/', path) {
        let part = &path[start..end];
        if is_root && !part.starts_with(b"@") {
            found = Some((end, start));
        }
        // A scope of npm is part of the name of the package below it.
        is_root = ROOTS.contains(&part) || (is_root && part.starts_with(b"@"));
        start = end + 1;
    }
    let (end, start) = found?;
    (Kind::of(&path[end..]) == Kind::Sample).then_some((&path[..=end], &path[start..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_of_a_package_are_below_its_folder() {
        for (path, expected) in [
            ("/usr/lib/python3/dist-packages/tls/tests/data/a.pem", Some(("/usr/lib/python3/dist-packages/tls/", "tls"))),
            ("/srv/node_modules/tls/test/a.pem", Some(("/srv/node_modules/tls/", "tls"))),
            ("/srv/node_modules/@x/tls/test/a.pem", Some(("/srv/node_modules/@x/tls/", "tls"))),
            ("/srv/node_modules/one/node_modules/two/test/a.pem", Some(("/srv/node_modules/one/node_modules/two/", "two"))),
            ("/srv/tests/node_modules/tls/a.pem", None),
            ("/srv/node_modules/tls/a.pem", None),
            ("/srv/tests/a.pem", None),
            ("/srv/node_modules/tests/a.pem", None),
            ("/srv/node_modules/a.pem", None),
            ("a.pem", None),
        ] {
            let expected = expected.map(|(folder, name)| (folder.as_bytes(), name.as_bytes()));
            assert_eq!(tested(path.as_bytes()), expected, "{path}");
        }
    }
}
