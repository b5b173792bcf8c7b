//! Compiled copies of public source. `__pycache__/NAME.cpython-311.pyc` has the texts of `NAME.py` in the folder above (PEP 3147); it is made
//! where the package is installed, so no package database has its hash.
//!
//! A compiled file may hold more than its source says. So nothing is believed of the file, but of each secret by itself: the very same one
//! has to stand in the source, and the source has to be public.

use std::collections::HashMap;

use super::super::crew::Crew;
use crate::finding::fingerprint::Sealed;
use crate::finding::{Finding, Package, Part};

/// Suppresses the findings in compiled files that repeat what their public source has.
pub(in super::super) fn suppress(crew: &Crew<'_>, findings: &mut [Finding]) {
    let compiled: Vec<(usize, Vec<u8>)> = findings
        .iter()
        .enumerate()
        .filter(|(_, finding)| finding.suppressed.is_none())
        .filter_map(|(index, finding)| Some((index, source_of(content_of(finding)?)?)))
        .collect();
    if compiled.is_empty() {
        return;
    }
    let is_public = |finding: &&Finding| finding.package.is_some() && content_of(finding).is_some_and(|path| path.ends_with(b".py"));
    let secrets = findings.iter().filter(is_public).chain(compiled.iter().map(|(index, _)| &findings[*index]));
    crew.seal(secrets.map(|finding| &finding.secret));
    let public: HashMap<(Vec<u8>, Sealed), Package> = findings
        .iter()
        .filter(is_public)
        .filter_map(|finding| Some(((content_of(finding)?.to_vec(), crew.sealed(&finding.secret)), finding.package.clone()?)))
        .collect();
    for (index, source) in compiled {
        let finding = &mut findings[index];
        let Some(package) = public.get(&(source, crew.sealed(&finding.secret))) else { continue };
        let detail = format!("it is compiled from a file of {}, which has the same secret", super::called(package));
        super::suppress(finding, package.clone(), detail);
    }
}

/// The path of a file, if the finding stands in its content.
fn content_of(finding: &Finding) -> Option<&[u8]> {
    let place = &finding.place;
    place.path().filter(|_| place.part() == Some(&Part::Content) && place.inner().is_empty())
}

/// The source that a compiled file is made of.
fn source_of(path: &[u8]) -> Option<Vec<u8>> {
    let name = path.iter().rposition(|byte| *byte == b'/')?;
    let folder = path[..name].strip_suffix(b"__pycache__")?;
    let stem = path[name + 1..].strip_suffix(b".pyc")?;
    // `NAME.cpython-311`, `NAME.cpython-311.opt-1`.
    let end = memchr::memmem::find(stem, b".cpython-").or_else(|| memchr::memmem::find(stem, b".pypy"))?;
    Some([folder, &stem[..end], b".py"].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiled_file_names_its_source() {
        for (path, source) in [
            ("/x/__pycache__/a.cpython-311.pyc", Some("/x/a.py")),
            ("/x/__pycache__/a.b.cpython-311.opt-2.pyc", Some("/x/a.b.py")),
            ("/x/__pycache__/a.pypy310.pyc", Some("/x/a.py")),
            ("/x/a.cpython-311.pyc", None),
            ("/x/not__pycache__/a.pyc", None),
            ("/x/__pycache__/a.pyc", None),
            ("/x/__pycache__/a.cpython-311.so", None),
            ("a.pyc", None),
        ] {
            assert_eq!(source_of(path.as_bytes()).as_deref(), source.map(str::as_bytes), "{path}");
        }
    }
}
