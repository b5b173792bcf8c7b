//! The instructions that there are.

use std::fmt;

/// An instruction's keyword, but for `FROM`, which begins a stage and leaves no step in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `ADD`
    Add,
    /// `ARG`
    Arg,
    /// `CMD`
    Cmd,
    /// `COPY`
    Copy,
    /// `ENTRYPOINT`
    Entrypoint,
    /// `ENV`
    Env,
    /// `EXPOSE`
    Expose,
    /// `HEALTHCHECK`
    Healthcheck,
    /// `LABEL`
    Label,
    /// `MAINTAINER`
    Maintainer,
    /// `ONBUILD`
    Onbuild,
    /// `RUN`
    Run,
    /// `SHELL`
    Shell,
    /// `STOPSIGNAL`
    Stopsignal,
    /// `USER`
    User,
    /// `VOLUME`
    Volume,
    /// `WORKDIR`
    Workdir,
}

const WORDS: [(Kind, &str); 17] = [
    (Kind::Add, "ADD"),
    (Kind::Arg, "ARG"),
    (Kind::Cmd, "CMD"),
    (Kind::Copy, "COPY"),
    (Kind::Entrypoint, "ENTRYPOINT"),
    (Kind::Env, "ENV"),
    (Kind::Expose, "EXPOSE"),
    (Kind::Healthcheck, "HEALTHCHECK"),
    (Kind::Label, "LABEL"),
    (Kind::Maintainer, "MAINTAINER"),
    (Kind::Onbuild, "ONBUILD"),
    (Kind::Run, "RUN"),
    (Kind::Shell, "SHELL"),
    (Kind::Stopsignal, "STOPSIGNAL"),
    (Kind::User, "USER"),
    (Kind::Volume, "VOLUME"),
    (Kind::Workdir, "WORKDIR"),
];

impl Kind {
    /// The instruction that `text` begins with, and the rest. Keywords are read without regard to case.
    pub fn split(text: &str) -> Option<(Self, &str)> {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let known = WORDS.iter().find(|(_, keyword)| keyword.eq_ignore_ascii_case(word));
        known.map(|(kind, _)| (*kind, rest.trim_start()))
    }

    /// The keyword.
    pub fn as_str(self) -> &'static str {
        WORDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
