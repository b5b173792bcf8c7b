//! Docker contexts: named endpoints that the client keeps in its folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::EngineProblem;
use crate::oci::Digest;

/// The context that is no file: the engine of this machine.
const DEFAULT: &str = "default";

/// Where a context leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// With its scheme.
    pub(super) host: String,
    /// Where its certificates are kept, if it is reached over TLS.
    pub(super) certificates: Option<PathBuf>,
    /// Whether the user said not to look at the engine's certificate.
    pub(super) skips_verification: bool,
}

/// The context in force: the one `named`, else the one that the client's configuration in `folder` names. None for the default one.
pub(super) fn current(folder: &Path, named: Option<&str>) -> Result<Option<Context>, EngineProblem> {
    let name = match named {
        Some(name) => Some(name.to_owned()),
        None => document(&folder.join("config.json"))?.and_then(|config| text(&config, "/currentContext")),
    };
    match name.as_deref() {
        None | Some("" | DEFAULT) => Ok(None),
        Some(name) => read(folder, name).map(Some),
    }
}

fn read(folder: &Path, name: &str) -> Result<Context, EngineProblem> {
    let wrong = |problem: &str| EngineProblem::Setting { what: format!("Docker context `{name}`"), problem: problem.to_owned() };
    let id = Digest::sha256(name.as_bytes());
    let path = folder.join("contexts/meta").join(id.hex()).join("meta.json");
    let meta = document(&path)?.ok_or_else(|| wrong("there is no such context"))?;
    let host = text(&meta, "/Endpoints/docker/Host").ok_or_else(|| wrong("it names no endpoint of an engine"))?;
    let certificates = folder.join("contexts/tls").join(id.hex()).join("docker");
    let skips_verification = meta.pointer("/Endpoints/docker/SkipTLSVerify") == Some(&Value::Bool(true));
    let certificates = (certificates.is_dir() || skips_verification).then_some(certificates);
    Ok(Context { host, certificates, skips_verification })
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

fn document(path: &Path) -> Result<Option<Value>, EngineProblem> {
    let failed = |problem: String| EngineProblem::File { path: path.to_owned(), problem };
    match fs::read(path) {
        // The parser's own message may quote the file, which may hold logins.
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(format!("it is not JSON at line {}", error.line()))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(failed(error.to_string())),
    }
}
