//! Where storages are, and where things lie in one.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::SourceError;

/// How a storage keeps the files of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    /// What each layer brings, in a folder.
    Overlay,
    /// What each layer comes to, in a folder.
    Vfs,
}

impl Driver {
    const ALL: [Driver; 2] = [Driver::Overlay, Driver::Vfs];

    fn as_str(self) -> &'static str {
        match self {
            Driver::Overlay => "overlay",
            Driver::Vfs => "vfs",
        }
    }
}

/// One driver's part of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) root: PathBuf,
    pub(super) driver: Driver,
}

impl Place {
    /// The images, and the list of them.
    pub(super) fn images(&self) -> PathBuf {
        self.root.join(format!("{}-images", self.driver.as_str()))
    }

    /// The list of layers, and what is kept of each.
    pub(super) fn layers(&self) -> PathBuf {
        self.root.join(format!("{}-layers", self.driver.as_str()))
    }

    /// All of a layer's tar but the files' contents.
    pub(super) fn headers(&self, id: &str) -> PathBuf {
        self.layers().join(format!("{id}.tar-split.gz"))
    }

    /// The folder with the files of a layer.
    pub(super) fn files(&self, id: &str) -> PathBuf {
        match self.driver {
            Driver::Overlay => self.root.join("overlay").join(id).join("diff"),
            // A copy of all layers up to this one: what the layer's tar names is this layer's.
            Driver::Vfs => self.root.join("vfs/dir").join(id),
        }
    }
}

/// A storage as the user named it: `DRIVER@ROOT`, or either of them; what follows a `+` or a colon is of no interest here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Given<'t> {
    driver: Option<&'t str>,
    root: Option<&'t str>,
}

/// Splits `[DRIVER@ROOT+RUNROOT:OPTIONS]NAME`, as Podman's family writes it.
pub(super) fn split(text: &str) -> (Given<'_>, &str) {
    let Some((inside, name)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return (Given::default(), text);
    };
    let inside = inside.split(['+', ':']).next().unwrap_or(inside);
    let (driver, root) = inside.split_once('@').unwrap_or_else(|| if inside.starts_with('/') { ("", inside) } else { (inside, "") });
    let some = |text| Some(text).filter(|text: &&str| !text.is_empty());
    (Given { driver: some(driver), root: some(root) }, name)
}

/// The storages to look in, in order.
pub(super) fn places(given: Given<'_>) -> Result<Vec<Place>, SourceError> {
    let roots = match given.root {
        Some(root) => vec![PathBuf::from(root)],
        None => roots()?,
    };
    let wants = |driver: &Driver| given.driver.is_none_or(|wanted| wanted == driver.as_str());
    let drivers: Vec<Driver> = Driver::ALL.into_iter().filter(wants).collect();
    let places = roots.iter().flat_map(|root| drivers.iter().map(|&driver| Place { root: root.clone(), driver }));
    // A folder that may not be looked into is tried, so that the error is told.
    let is_there = |place: &Place| {
        fs::metadata(place.images().join("images.json")).err().is_none_or(|error| error.kind() != std::io::ErrorKind::NotFound)
    };
    let places: Vec<Place> = places.filter(is_there).collect();
    if !places.is_empty() {
        return Ok(places);
    }
    let looked: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
    let problem = format!(
        "there is no storage with the driver overlay or vfs in {}; for another one: `podman save NAME | layersift scan -`",
        looked.join(" or ")
    );
    Err(SourceError::NotAnImage { path: PathBuf::from("containers-storage"), problem })
}

/// The roots that the configuration names; the user's own storage comes first.
fn roots() -> Result<Vec<PathBuf>, SourceError> {
    let folder = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = folder("CONTAINERS_STORAGE_CONF") {
        return Ok(vec![root_in(&path)?.unwrap_or_else(|| SYSTEM.into())]);
    }
    let home = folder("HOME").unwrap_or_default();
    let config = folder("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join("containers/storage.conf");
    let data = folder("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share")).join("containers/storage");
    let mut roots = Vec::new();
    for (config, usual) in [(config, data), ("/etc/containers/storage.conf".into(), SYSTEM.into())] {
        let root = if config.exists() { root_in(&config)? } else { None };
        roots.push(root.unwrap_or(usual));
    }
    roots.dedup();
    Ok(roots)
}

const SYSTEM: &str = "/var/lib/containers/storage";

/// The root that a `storage.conf` names.
fn root_in(path: &Path) -> Result<Option<PathBuf>, SourceError> {
    let text = fs::read_to_string(path).map_err(|error| SourceError::Io { action: "read", path: path.to_owned(), error })?;
    let table: toml::Table = text
        .parse()
        .map_err(|_| SourceError::NotAnImage { path: path.to_owned(), problem: "it is not the TOML that a storage.conf is".to_owned() })?;
    let root = table.get("storage").and_then(|storage| storage.get("graphroot")).and_then(toml::Value::as_str);
    Ok(root.filter(|root| !root.is_empty()).map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_may_be_named() {
        for (text, driver, root, name) in [
            ("app:1", None, None, "app:1"),
            ("[overlay@/r+/run:a=b]app:1", Some("overlay"), Some("/r"), "app:1"),
            ("[/r]app", None, Some("/r"), "app"),
            ("[vfs]app", Some("vfs"), None, "app"),
            ("[vfs", None, None, "[vfs"),
        ] {
            assert_eq!(split(text), (Given { driver, root }, name), "{text}");
        }
    }
}
