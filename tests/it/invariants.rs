//! The rules of the architecture that imports can break, enforced over the sources themselves.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file without its comments and without its tests.
struct Source {
    /// From `src/`, with `/`.
    name: String,
    code: String,
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

/// All sources but those that are compiled for tests only.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    paths.sort();
    let sources: Vec<Source> = paths
        .iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/"), fs::read_to_string(path).unwrap()))
        .filter(|(name, _)| !is_for_tests(name))
        .map(|(name, text)| Source { name, code: code_of(&text) })
        .collect();
    assert!(sources.len() > 50, "the sources were found");
    sources
}

fn is_for_tests(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    name.contains("/tests/") || last == "tests.rs" || last == "testing.rs"
}

/// The code up to the tests at its end, comments cut off. `//` in a text cuts the line, which loses code but makes none up.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            // `mod tests;` is one line; `mod tests {` is all the rest.
            let rest: Vec<&str> = lines.clone().skip_while(|line| line.trim_start().starts_with("#[")).take(1).collect();
            if rest.first().is_some_and(|line| line.starts_with("mod tests {")) {
                break;
            }
        }
        code.push_str(line.split("//").next().unwrap_or_default());
        code.push('\n');
    }
    code
}

/// Whether `word` stands in `code`, and not as a part of a longer word.
fn mentions(code: &str, word: &str) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let (bytes, ends_in_word) = (code.as_bytes(), is_word(word.as_bytes().last()));
    let is_part = |at: usize| is_word(bytes[..at].last()) || (ends_in_word && is_word(bytes.get(at + word.len())));
    code.match_indices(word).any(|(at, _)| !is_part(at))
}

/// No file that `applies` to mentions one of `words`.
#[track_caller]
fn forbid(words: &[&str], applies: impl Fn(&str) -> bool) {
    let sources = sources();
    let concerned: Vec<&Source> = sources.iter().filter(|source| applies(&source.name)).collect();
    assert!(!concerned.is_empty(), "the rule applies to something");
    let mut broken = Vec::new();
    for source in concerned {
        broken.extend(words.iter().filter(|word| mentions(&source.code, word)).map(|word| format!("src/{} mentions {word}", source.name)));
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

fn is_in(name: &str, modules: &[&str]) -> bool {
    modules.iter().any(|module| name.starts_with(&format!("{module}/")) || name == format!("{module}.rs"))
}

/// The last is the import that could hide the others.
const IO: [&str; 8] = ["std::fs", "std::net", "std::thread", "std::process", "std::env", "std::time", "rayon", "std::{"];

#[test]
fn the_pure_modules_do_no_io_and_know_no_threads_and_no_clock() {
    forbid(&IO, |name| is_in(name, &["detect", "oci", "finding", "content", "random", "dockerfile"]));
    // The rule files that the user names are read in one place.
    forbid(&IO, |name| is_in(name, &["rule"]) && name != "rule/set.rs");
}

#[test]
fn detection_has_no_state() {
    forbid(&["Mutex", "RwLock", "thread_local", "AtomicUsize", "AtomicBool", "static mut"], |name| is_in(name, &["detect"]));
}

#[test]
fn a_source_knows_no_rule_and_no_report() {
    let words = ["crate::rule", "crate::detect", "crate::report", "crate::scan", "crate::cli", "rayon"];
    forbid(&words, |name| is_in(name, &["source"]));
    // Waiting for a registry, and reading what a credential helper says with a bound on time.
    let may = ["source/registry/pause.rs", "source/registry/helper.rs"];
    forbid(&["std::thread"], |name| is_in(name, &["source"]) && !may.contains(&name));
}

#[test]
fn what_is_to_be_audited_is_known_without_reading_it() {
    forbid(&IO, |name| is_in(name, &["audit/tags"]));
    let words = ["crate::scan", "crate::rule", "crate::detect", "crate::report", "crate::cli", "std::thread", "std::fs"];
    forbid(&words, |name| is_in(name, &["audit/catalog", "audit/tags"]));
}

#[test]
fn a_cache_knows_bytes_and_names() {
    let words = ["source", "scan", "cli", "rule", "layer", "detect", "report", "content"].map(|module| format!("crate::{module}"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    forbid(&words, |name| is_in(name, &["cache"]));
}

#[test]
fn the_state_of_an_audit_knows_bytes_and_keys() {
    let words =
        ["source", "scan", "cli", "rule", "layer", "detect", "report", "content", "finding"].map(|module| format!("crate::{module}"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    forbid(&words, |name| is_in(name, &["audit/state"]));
}

#[test]
fn a_report_knows_no_source_and_no_scan() {
    let words = ["crate::source", "crate::scan", "crate::cli", "crate::rule", "crate::layer", "std::fs", "std::net"];
    forbid(&words, |name| is_in(name, &["report"]));
}

#[test]
fn a_dockerfile_is_read_for_findings_and_nothing_else() {
    let words = ["source", "scan", "cli", "rule", "layer", "detect", "report", "content"].map(|module| format!("crate::{module}"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    forbid(&words, |name| is_in(name, &["dockerfile"]));
}

#[test]
fn only_the_scan_and_the_workers_of_an_audit_know_threads() {
    let may = ["source/registry/helper.rs", "audit/crew.rs"];
    forbid(&["rayon", "thread::spawn", "thread::scope"], |name| !is_in(name, &["scan"]) && !may.contains(&name));
}

#[test]
fn an_audit_knows_no_command_line() {
    forbid(&["crate::cli"], |name| is_in(name, &["audit"]));
}

#[test]
fn unsafe_code_is_in_the_fast_path_and_where_files_are_mapped() {
    forbid(&["unsafe"], |name| name != "source/mmap.rs" && !is_in(name, &["vector"]));
}

#[test]
fn only_the_command_line_prints_and_ends_the_process() {
    forbid(&["println!", "print!", "eprintln!", "eprint!", "process::exit", "dbg!"], |name| !is_in(name, &["cli", "main"]));
}

#[test]
fn the_nouns_know_nothing_of_the_program() {
    let all = ["content", "detect", "finding", "layer", "report", "rule", "scan", "source", "cli"].map(|module| format!("crate::{module}"));
    let words: Vec<&str> = all.iter().map(String::as_str).collect();
    forbid(&words, |name| is_in(name, &["oci"]));
    // A finding names images by the nouns, and knows nothing else.
    let but_finding: Vec<&str> = words.iter().copied().filter(|word| *word != "crate::finding").collect();
    forbid(&but_finding, |name| is_in(name, &["finding"]));
}

#[test]
fn the_reader_of_sources_sees_code_and_nothing_else() {
    let code = code_of("use std::fs; // rayon\n//! unsafe\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    use std::net;\n}\n");
    assert!(mentions(&code, "std::fs") && !mentions(&code, "rayon") && !mentions(&code, "unsafe") && !mentions(&code, "std::net"));
    assert!(!mentions("deny(unsafe_code)", "unsafe") && mentions("{unsafe{", "unsafe"));
    assert!(mentions("use std::{fs, io};", "std::{") && mentions("print!(x)", "print!") && !mentions("eprint!(x)", "print!"));
    assert!(mentions(&code_of("#[cfg(test)]\nmod tests;\nuse std::net;\n"), "std::net"), "code after the line of a test file counts");
}
