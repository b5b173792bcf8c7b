//! Packages: where a public file is from.

use std::str::FromStr;

use super::UnknownLevel;

/// What kind of package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Manager {
    /// Debian's, and those of its derivatives.
    Dpkg,
    /// Alpine's.
    Apk,
    /// That of Fedora, Red Hat, SUSE and their derivatives.
    Rpm,
    /// Python distributions, whatever installed them.
    Python,
    /// npm.
    Npm,
}

impl Manager {
    /// All.
    pub const ALL: [Manager; 5] = [Manager::Dpkg, Manager::Apk, Manager::Rpm, Manager::Python, Manager::Npm];

    /// The word in reports and in the list of public files.
    pub fn as_str(self) -> &'static str {
        match self {
            Manager::Dpkg => "dpkg",
            Manager::Apk => "apk",
            Manager::Rpm => "rpm",
            Manager::Python => "python",
            Manager::Npm => "npm",
        }
    }
}

impl FromStr for Manager {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let known = Self::ALL.into_iter().find(|manager| manager.as_str() == text);
        known.ok_or_else(|| UnknownLevel { given: text.to_owned(), what: "package manager", known: "dpkg, apk, rpm, python, npm" })
    }
}

/// A package. Texts are raw: where they come from an image, they may hold anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Package {
    /// Its kind.
    pub manager: Manager,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}
