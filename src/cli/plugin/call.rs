//! How the Docker client calls a plugin (docker/cli, `docs/extend/cli_plugins.md`):
//! `docker-layersift [GLOBAL OPTIONS] layersift WORDS...`, and `docker-layersift docker-cli-plugin-metadata`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::source::DockerClient;

/// The file's name, which decides that layersift is a plugin.
pub(in crate::cli) const FILE: &str = "docker-layersift";
const NAME: &str = "layersift";
const METADATA: &str = "docker-cli-plugin-metadata";
/// Has the client that called, as it was called.
const CLIENT: &str = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND";

/// Global options of the client that take the next word for their value; of the short ones the letter.
const WITH_VALUE: [&str; 7] = ["--config", "--context", "--host", "--log-level", "--tlscacert", "--tlscert", "--tlskey"];
const SHORT_WITH_VALUE: [u8; 3] = [b'c', b'H', b'l'];

/// What the client wants.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum Call {
    /// To know what the plugin is.
    Metadata,
    /// That it does what the user typed.
    Command {
        /// The client, to be asked with the same options.
        client: DockerClient,
        /// Behind the plugin's name.
        words: Vec<OsString>,
    },
    /// Nothing: it is not the client that calls.
    Unknown,
}

impl Call {
    /// What these arguments (the program's own name first) mean for a plugin; none if the program is not called as one.
    pub(in crate::cli) fn of(arguments: &[OsString]) -> Option<Self> {
        let (program, arguments) = arguments.split_first()?;
        if !is_plugin(program) {
            return None;
        }
        if arguments.first().is_some_and(|word| word == METADATA) {
            return Some(Call::Metadata);
        }
        let Some(at) = name_at(arguments) else {
            return Some(Call::Unknown);
        };
        let (mut globals, mut words) = (arguments[..at].to_vec(), arguments[at + 1..].to_vec());
        // `docker help layersift` comes as it was typed.
        if globals.last().is_some_and(|word| word == "help") {
            globals.pop();
            words.push("--help".into());
        }
        let program = std::env::var_os(CLIENT).filter(|client| !client.is_empty()).unwrap_or_else(|| "docker".into());
        Some(Call::Command { client: DockerClient { program, globals }, words })
    }
}

fn is_plugin(program: &OsStr) -> bool {
    let name = Path::new(program).file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.strip_suffix(".exe").unwrap_or(name) == FILE
}

/// Where the plugin's name stands: a context may be called like it.
fn name_at(arguments: &[OsString]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = arguments.get(at) {
        if word == NAME {
            return Some(at);
        }
        at += if takes_next(word) { 2 } else { 1 };
    }
    None
}

/// Whether the word after `word` is its value: `-H X`, `-DH X`, `--host X`, and not `-HX` or `--host=X`.
fn takes_next(word: &OsStr) -> bool {
    let bytes = word.as_encoded_bytes();
    match bytes {
        [b'-', b'-', ..] => WITH_VALUE.iter().any(|option| word == *option),
        [b'-', letters @ ..] => {
            letters.iter().position(|letter| SHORT_WITH_VALUE.contains(letter)).is_some_and(|at| at + 1 == letters.len())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(words: &str) -> Option<Call> {
        Call::of(&words.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[track_caller]
    fn check(words: &str, globals: &[&str], rest: &[&str]) {
        match call(words) {
            Some(Call::Command { client, words: found }) => assert_eq!((client.globals, found), (os(globals), os(rest)), "{words}"),
            other => panic!("{words}: {other:?}"),
        }
    }

    fn os(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn the_name_of_the_file_decides() {
        for program in ["layersift", "/usr/bin/layersift", "docker-layersift/layersift", "docker-layersift2", ""] {
            assert_eq!(call(&format!("{program} layersift app")), None, "{program}");
        }
        assert_eq!(Call::of(&[]), None);
        for program in ["docker-layersift", "/root/.docker/cli-plugins/docker-layersift", "docker-layersift.exe"] {
            assert_eq!(call(&format!("{program} docker-cli-plugin-metadata")), Some(Call::Metadata), "{program}");
        }
    }

    #[test]
    fn global_options_come_before_the_name_and_are_kept_for_the_client() {
        check("docker-layersift layersift app:1 --fail-on high", &[], &["app:1", "--fail-on", "high"]);
        check("docker-layersift -H unix:///x --tls layersift push app", &["-H", "unix:///x", "--tls"], &["push", "app"]);
        check("docker-layersift --context layersift layersift app", &["--context", "layersift"], &["app"]);
        check("docker-layersift -Dc layersift layersift app", &["-Dc", "layersift"], &["app"]);
        check("docker-layersift --context=layersift -clayersift layersift", &["--context=layersift", "-clayersift"], &[]);
        check("docker-layersift -D layersift layersift", &["-D"], &["layersift"]);
    }

    #[test]
    fn help_may_come_before_the_name() {
        check("docker-layersift help layersift push", &[], &["push", "--help"]);
    }

    #[test]
    fn a_person_who_runs_the_file_is_no_client() {
        for words in ["docker-layersift", "docker-layersift app:1", "docker-layersift --context layersift"] {
            assert_eq!(call(words), Some(Call::Unknown), "{words}");
        }
    }
}
