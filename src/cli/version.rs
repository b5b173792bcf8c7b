//! `layersift --version`: the version, and which rules are built in. Worked out only when asked for.

use super::error::CliError;
use super::output::Output;
use crate::rule::builtin_facts;

pub(super) fn run() -> Result<u8, CliError> {
    let (count, hash) = builtin_facts();
    Output::Stdout.write(|out| writeln!(out, "layersift {} ({count} rules, {hash})", env!("CARGO_PKG_VERSION")))?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::RuleSet;

    #[test]
    fn it_names_the_rules_as_reports_do() {
        let rules = RuleSet::builtin();
        assert_eq!(builtin_facts(), (rules.len(), rules.hash().to_owned()));
    }
}
