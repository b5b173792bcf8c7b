//! Turns `patterns/*.toml` into one JSON text that is embedded in the program: parsing it at start-up costs a tenth of parsing TOML.

#[allow(dead_code, unreachable_pub)]
#[path = "src/rule/syntax.rs"]
mod syntax;

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=patterns");
    println!("cargo:rerun-if-changed=src/rule/syntax.rs");
    let mut paths: Vec<PathBuf> =
        fs::read_dir("patterns").expect("patterns/ is part of the package").map(|entry| entry.expect("readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let files: Vec<(String, syntax::RuleFile)> = paths
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("a rule file is UTF-8 text");
            let file = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_name().expect("listed").to_string_lossy().into_owned(), file)
        })
        .collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("rules.json");
    fs::write(out, serde_json::to_vec(&files).expect("rule files are plain data")).expect("OUT_DIR can be written");
}
