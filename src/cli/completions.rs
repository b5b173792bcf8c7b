//! `layersift completions`: the completion script of a shell, from the definition of the arguments.

use clap_complete::Shell;

use super::config;
use super::error::CliError;
use super::output::Output;

pub(super) fn run(shell: Shell) -> Result<u8, CliError> {
    // Made whole first: what generates it panics where the reader has gone away.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut config::command(), "layersift", &mut script);
    Output::Stdout.write(|out| out.write_all(&script))?;
    Ok(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_every_verb() {
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut config::command(), "layersift", &mut script);
            let script = String::from_utf8(script).unwrap();
            for verb in config::command().get_subcommands() {
                assert!(script.contains(verb.get_name()), "{shell}: {}", verb.get_name());
            }
        }
    }
}
