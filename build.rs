//! Turns `patterns/*.toml` into bytes that are embedded in the program and soon read at start-up, by position instead of by name. Names
//! the build after its sources, so that what one build kept is not taken for the result of another.

#[allow(dead_code, unreachable_pub)]
#[path = "src/rule/syntax.rs"]
mod syntax;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=patterns");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=Cargo.lock");
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
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("rules.bin");
    fs::write(out, postcard::to_stdvec(&files).expect("rule files are plain data")).expect("OUT_DIR can be written");
    println!("cargo:rustc-env=LAYERSIFT_BUILD={:016x}", build_id());
}

/// A hash of all sources and of the dependencies' versions. The hash function is that of the compiler's library, whose results are kept too.
fn build_id() -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut paths = vec![PathBuf::from("Cargo.lock")];
    list(Path::new("src"), &mut paths);
    paths.sort();
    for path in paths {
        path.hash(&mut hasher);
        // A package may come without the list of its dependencies' versions.
        fs::read(path).unwrap_or_default().hash(&mut hasher);
    }
    hasher.finish()
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src/ is part of the package") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            list(&path, paths);
        } else {
            paths.push(path);
        }
    }
}
