//! Prints the features of every assignment in the files of folders, a JSON line each: what `train.py` learns from.
//!
//! Usage: cargo run --release --example survey -- FOLDER...

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use layersift::content::kind::Kind;
use layersift::detect::assignment;
use layersift::detect::generic::{Feature, survey};
use layersift::rule::RuleSet;
use serde_json::json;

/// Larger files are data.
const MAX_FILE: u64 = 8 << 20;

fn main() -> io::Result<()> {
    let rules = RuleSet::builtin();
    let keywords: Vec<&String> =
        rules.rules().filter(|rule| rule.facts.id.starts_with("generic-")).flat_map(|rule| rule.keywords.iter()).collect();
    let search = AhoCorasick::builder().ascii_case_insensitive(true).build(keywords).map_err(io::Error::other)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let words: Vec<&str> = Feature::ALL.iter().map(|feature| feature.words()).collect();
    writeln!(out, "{}", json!({ "features": words }))?;
    for folder in std::env::args_os().skip(1).map(PathBuf::from) {
        let mut paths = Vec::new();
        files(&folder, &mut paths)?;
        paths.sort();
        for path in paths {
            let name = path.strip_prefix(&folder).unwrap_or(&path);
            file(&search, &std::fs::read(&path)?, name, &mut out)?;
        }
    }
    out.flush()
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files(&entry.path(), out)?;
        } else if kind.is_file() && entry.metadata()?.len() <= MAX_FILE {
            out.push(entry.path());
        }
    }
    Ok(())
}

fn file(search: &AhoCorasick, text: &[u8], name: &Path, out: &mut impl Write) -> io::Result<()> {
    let kind = Kind::of(format!("/{}", name.display()).as_bytes());
    let mut seen = std::collections::HashSet::new();
    let mut lines = Vec::new();
    for hit in search.find_overlapping_iter(text) {
        assignment::parse(text, hit.range(), |found| {
            if let Some(features) = survey(text, &found, kind, false).filter(|_| seen.insert(found.value.clone())) {
                lines.push((found, features));
            }
        });
    }
    for (found, features) in lines {
        let line = memchr::memchr_iter(b'\n', &text[..found.value.start]).count() + 1;
        let string = |range| String::from_utf8_lossy(&text[range]).into_owned();
        let row = json!({
            "file": name.display().to_string(), "line": line, "name": string(found.name), "secret": string(found.value), "features": features.0.to_vec(),
        });
        writeln!(out, "{row}")?;
    }
    Ok(())
}
