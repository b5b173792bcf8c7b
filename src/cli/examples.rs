//! Examples in the help of small verbs; they become the section EXAMPLES of their manual pages.

pub(super) const RULES: &str = "\
Examples:
  All that is looked for, and one rule of it:
      layersift rules list
      layersift rules show github-pat-classic
  Rules of your own, proved and then used:
      layersift rules check my-rules.toml
      layersift scan app.tar --rules my-rules.toml";

pub(super) const DOCKER_PLUGIN: &str = "\
Examples:
      layersift docker-plugin install
      docker layersift app:1.2
      docker layersift push registry.example.org/app:1.2";

pub(super) const TOC: &str = "\
Examples:
      layersift toc ghcr.io/team/app:1.4
      layersift toc ghcr.io/team/app:1.4 --telling --platform linux/arm64";

pub(super) const CACHE: &str = "\
Examples:
      layersift cache info
      layersift cache verify
      layersift cache clear";

pub(super) const SCHEMA: &str = "\
Examples:
      layersift schema > report-1.schema.json";

pub(super) const COMPLETIONS: &str = "\
Examples:
      layersift completions bash > ~/.local/share/bash-completion/completions/layersift
      layersift completions zsh > ~/.zfunc/_layersift
      layersift completions fish > ~/.config/fish/completions/layersift.fish";

pub(super) const MAN: &str = "\
Examples:
  Read the page of the program:
      layersift man | man -l -
  Install them all, one for each verb:
      layersift man ~/.local/share/man/man1";
