//! What can be wrong with the project file or the environment. Nothing here holds a value: it could be a secret in the wrong place.

use std::io;
use std::path::PathBuf;

use super::Origin;
use super::options::TABLES;

/// A project file or a variable that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the project file {}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file is not TOML.
    #[error("{}:{line}: {message}", .path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser said, without the line's text.
        message: String,
    },
    /// A key that no option has.
    #[error("{at}: there is no `{key}` in {}", .table.map_or("a project file".to_owned(), |table| format!("[{table}]")))]
    UnknownKey {
        /// Where it stands.
        at: Origin,
        /// The table it stands in, if it stands in one.
        table: Option<&'static str>,
        /// As typed.
        key: String,
        /// What to write in its place.
        instead: Instead,
    },
    /// A key that is for the command line only.
    #[error("{at}: `{key}` cannot be set in a file")]
    FlagOnly {
        /// Where it stands.
        at: Origin,
        /// The flag without its dashes.
        key: String,
    },
    /// What should be a table is a value.
    #[error("{at}: `{key}` is a table")]
    NoTable {
        /// Where it stands.
        at: Origin,
        /// The table's name.
        key: String,
    },
    /// `allow` that is no list of tables.
    #[error("{at}: `allow` is a list of tables")]
    NoList {
        /// Where it stands.
        at: Origin,
    },
    /// An entry of `[[allow]]` that cannot be used.
    #[error("{at}: {message}")]
    Allow {
        /// Where in the entry.
        at: Origin,
        /// What is wrong, without a value.
        message: String,
    },
    /// A value that an option does not take.
    #[error("{origin}: `{key}` cannot have this value")]
    WrongValue {
        /// Where it stands.
        origin: Origin,
        /// The option.
        key: String,
        /// What it takes.
        takes: String,
    },
}

/// What there is in the place of an unknown key.
#[derive(Debug)]
pub(in crate::cli) enum Instead {
    /// A table of nearly that name.
    Table(&'static str),
    /// A key of nearly that name.
    Key {
        /// The table it belongs to.
        table: &'static str,
        /// The key.
        key: String,
    },
    /// Nothing like it: all that stands there.
    AnyOf(Vec<String>),
}

impl ConfigError {
    /// What to do.
    pub(in crate::cli) fn hint(&self) -> Option<String> {
        match self {
            ConfigError::UnknownKey { table: given, instead: Instead::Key { table, key }, .. } => {
                let place = if *given == Some(table) { String::new() } else { format!(" in [{table}]") };
                Some(format!("did you mean `{key}`{place}?"))
            }
            ConfigError::UnknownKey { instead: Instead::Table(table), .. } => Some(format!("did you mean [{table}]?")),
            ConfigError::UnknownKey { instead: Instead::AnyOf(known), .. } => Some(format!("there are {}", known.join(", "))),
            ConfigError::FlagOnly { key, .. } => {
                Some(format!("a file that is committed must not make logs leak; give --{key} where you want it"))
            }
            ConfigError::NoTable { key, .. } => Some(format!("write [{key}] in a line of its own, and its keys below")),
            ConfigError::NoList { .. } => Some("begin each entry with [[allow]] in a line of its own".to_owned()),
            ConfigError::Allow { .. } => Some(
                "an entry of [[allow]] has a reason, and a fingerprint, rule, path or image, or several of them; `until` is its last day"
                    .to_owned(),
            ),
            ConfigError::WrongValue { takes, .. } => Some(takes.clone()),
            ConfigError::Syntax { .. } => {
                Some(format!("a project file is TOML with the tables {}", TABLES.map(|table| format!("[{table}]")).join(", ")))
            }
            ConfigError::Io { .. } => None,
        }
    }
}
