//! The plugin's arguments as typed: those of a scan, for images that the engine holds.

use clap::{ArgAction, Command, CommandFactory as _, Parser, Subcommand};

use super::super::arguments::ScanArguments;

const EXAMPLES: &str = "\
Examples:
  What is in an image that was just built:
      docker layersift app:1.4
  Push it if nothing in it fails the gate:
      docker layersift push registry.example.org/app:1.4 --fail-on high

Exit codes:
  0  clean: nothing at or above the gate, and everything was read
  1  findings at or above the gate (another code with --exit-code)
  2  wrong usage, or an image that the engine did not give out
  3  nothing at or above the gate, but something could not be read";

const PUSH_EXAMPLES: &str = "\
--platform and --quiet are given to `docker push` as well; one tag is pushed at a time.

Exit codes:
  those of `docker push` if the image was pushed or tried to be; else nothing was pushed:
  1  findings at or above the gate (another code with --exit-code)
  2  wrong usage, an image that the engine did not give out, or a tag that moved during the scan
  3  nothing at or above the gate, but something could not be read";

/// Finds secrets in every layer of an image that the Docker Engine holds.
#[derive(Debug, Parser)]
#[command(
    name = "layersift",
    bin_name = "docker layersift",
    version,
    no_binary_name = true,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub(super) struct PluginArguments {
    #[command(subcommand)]
    pub(super) verb: Option<PluginVerb>,

    #[command(flatten)]
    pub(super) scan: ScanArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum PluginVerb {
    /// Push an image if nothing in it fails the gate
    Push(Box<ScanArguments>),
}

/// A scan says of its targets and in its examples what holds for files.
pub(super) fn command() -> Command {
    let push = |push: Command| {
        let image = |arg: clap::Arg| arg.help("The image, by the name it is pushed to").num_args(1).action(ArgAction::Set);
        push.mut_arg("targets", image).after_help(PUSH_EXAMPLES)
    };
    let images = |arg: clap::Arg| arg.help("Images, by name or ID");
    PluginArguments::command().mut_arg("targets", images).mut_subcommand("push", push).after_help(EXAMPLES)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;
    use crate::finding::Severity;

    fn parse(words: &str) -> Result<PluginArguments, clap::Error> {
        command().try_get_matches_from(words.split_whitespace()).and_then(|matches| PluginArguments::from_arg_matches(&matches))
    }

    #[test]
    fn the_command_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn flags_are_those_of_a_scan() {
        let scan = parse("app:1 app:2 --fail-on high --format json").unwrap();
        assert!(scan.verb.is_none());
        assert_eq!(
            (scan.scan.read.targets, scan.scan.gate.fail_on.0),
            (vec!["app:1".to_owned(), "app:2".to_owned()], Some(Severity::High))
        );
        let Some(PluginVerb::Push(push)) = parse("push app:1 --fail-on critical -q").unwrap().verb else { panic!("no push") };
        assert_eq!((push.read.targets, push.gate.fail_on.0, push.read.quiet), (vec!["app:1".to_owned()], Some(Severity::Critical), true));
    }

    #[test]
    fn an_image_has_to_be_named_and_one_is_pushed_at_a_time() {
        for wrong in ["", "push", "push a b", "push --all-tags a", "push -a a"] {
            assert!(parse(wrong).unwrap_err().use_stderr(), "{wrong}");
        }
    }

    #[test]
    fn help_speaks_of_images_of_the_engine() {
        let (help, push) = (parse("--help").unwrap_err().to_string(), parse("push --help").unwrap_err().to_string());
        assert!(help.contains("Usage: docker layersift [OPTIONS] <IMAGE>...") && help.contains("docker layersift push"), "{help}");
        assert!(push.contains("Usage: docker layersift push [OPTIONS] <IMAGE>\n"), "{push}");
        assert!(!help.contains("OCI layouts") && !help.contains("app.tar") && !push.contains("app.tar"), "{help}{push}");
    }
}
