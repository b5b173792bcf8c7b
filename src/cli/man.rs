//! `layersift man`: manual pages, one for the program and one for each verb, from the definition of the arguments.

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap::builder::{Resettable, StyledStr};
use clap_mangen::Man;
use roff::{Roff, roman};

use super::config;
use super::error::CliError;
use super::output::Output;

/// Writes all pages into `folder`, or the one of the program to standard output.
pub(super) fn run(folder: Option<&Path>) -> Result<u8, CliError> {
    let Some(folder) = folder else {
        Output::Stdout.write(|out| out.write_all(&page(&definition())?))?;
        return Ok(0);
    };
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| CliError::Output { path, error }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    for command in with_verbs(&definition()) {
        let path = folder.join(Man::new(command.clone()).get_filename());
        page(command).and_then(|text| fs::write(&path, text)).map_err(failed(&path))?;
    }
    Ok(0)
}

fn definition() -> Command {
    let mut program = config::command().disable_help_subcommand(true);
    program.build();
    program
}

/// A command, its verbs, and the verbs of those.
fn with_verbs(command: &Command) -> Vec<&Command> {
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    std::iter::once(command).chain(verbs.flat_map(with_verbs)).collect()
}

/// A page, as the library writes it, but for the text after the options: it would run its lines together under the heading "EXTRA".
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let after = command.get_after_help().map(StyledStr::to_string).unwrap_or_default();
    let mut text = Vec::new();
    let source = concat!("layersift ", env!("CARGO_PKG_VERSION"));
    Man::new(command.clone().after_help(Resettable::Reset)).source(source).render(&mut text)?;
    sections(&after).to_writer(&mut text)?;
    Ok(text)
}

/// `Examples:` and `Exit codes:` as sections of their own, line by line.
fn sections(after: &str) -> Roff {
    let mut roff = Roff::new();
    for line in after.lines() {
        match line.strip_suffix(':').filter(|line| !line.starts_with(' ')) {
            Some(heading) => roff.control("fi", []).control("SH", [heading.to_uppercase().as_str()]).control("nf", []),
            None => roff.text([roman(line)]),
        };
    }
    roff
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_every_verb_and_its_examples_keep_their_lines() {
        let program = definition();
        let names: Vec<String> = with_verbs(&program).into_iter().map(|command| Man::new(command.clone()).get_filename()).collect();
        for name in ["layersift.1", "layersift-scan.1", "layersift-rules-check.1", "layersift-man.1"] {
            assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
        }
        for command in with_verbs(&program) {
            let text = String::from_utf8(page(command).unwrap()).unwrap();
            assert!(text.contains(".SH NAME") && !text.contains(".SH EXTRA"), "{text}");
            let (examples, section) =
                (command.get_after_help().is_some_and(|after| after.to_string().contains("Examples:")), ".SH EXAMPLES\n.nf\n");
            assert_eq!(text.contains(section), examples, "{text}");
        }
    }
}
