//! A step of an image's history, read back: builders wrap instructions in shells, comments and build arguments.

use super::{Kind, pairs};

const SHELL: &str = "/bin/sh -c ";

/// A step, its wrapping taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// None for what is no instruction of a Dockerfile, and for a command that a builder wrote down without its `RUN`.
    pub kind: Option<Kind>,
    /// All that follows the keyword; all of it without one.
    pub text: &'a str,
    /// The build arguments that a `RUN` saw: `NAME=value NAME=value`.
    pub arguments: Option<&'a str>,
}

impl<'a> Step<'a> {
    /// Reads what BuildKit, the classic builder, Buildah and others write as `created_by`.
    pub fn parse(created_by: &'a str) -> Self {
        let text = created_by.trim();
        let text = text.strip_suffix("# buildkit").map_or(text, str::trim_end);
        let run = |text, arguments| Self { kind: Some(Kind::Run), text, arguments };
        // A command that is no shell's stands without its `RUN`; no keyword is meant by `env` or `add` there.
        let keyword = Kind::split(text).filter(|_| text.starts_with(|first: char| first.is_ascii_uppercase()));
        let (explicit, rest) = match keyword {
            Some((Kind::Run, rest)) => (true, rest),
            Some((kind, rest)) => return Self { kind: Some(kind), text: rest, arguments: None },
            None => (false, text),
        };
        if let Some(plain) = rest.strip_prefix(SHELL).and_then(|rest| rest.strip_prefix("#(nop)")) {
            let plain = plain.trim_start();
            let (kind, rest) = Kind::split(plain).map_or((None, plain), |(kind, rest)| (Some(kind), rest));
            Self { kind, text: rest, arguments: None }
        } else if let Some(command) = rest.strip_prefix(SHELL) {
            run(command, None)
        } else if let Some((arguments, command)) = rest.strip_prefix('|').and_then(with_arguments) {
            run(command, Some(arguments))
        } else if explicit {
            run(rest, None)
        } else {
            Self { kind: None, text, arguments: None }
        }
    }

    /// The build argument whose value holds `secret`.
    pub fn argument_with(&self, secret: &str) -> Option<String> {
        pairs::of_step(self.arguments?)
            .into_iter()
            .find(|pair| pair.value.as_deref().is_some_and(|value| value.contains(secret)))
            .map(|pair| pair.name)
    }

    /// Where the classic builder copied to, which names what it copied by its digest: `file:0123 in /app/`.
    pub(super) fn copied_to(&self) -> Option<&'a str> {
        let (what, dest) = self.text.rsplit_once(" in ")?;
        let hashed = what.split_whitespace().any(|word| ["file:", "dir:", "multi:"].iter().any(|prefix| word.starts_with(prefix)));
        hashed.then_some(dest.trim())
    }
}

/// `2 A=1 B=2 /bin/sh -c command`: the arguments and the command.
fn with_arguments(text: &str) -> Option<(&str, &str)> {
    let (count, rest) = text.split_once(' ')?;
    let count: usize = count.parse().ok()?;
    if let Some((arguments, command)) = rest.split_once(SHELL) {
        return Some((arguments.trim(), command));
    }
    // Another shell: its path, its options, and nearly always `-c`.
    if let Some((before, command)) = rest.split_once(" -c ") {
        return Some((before.rsplit_once(" /").map_or(before, |(arguments, _)| arguments), command));
    }
    // No shell: the command follows the last argument, whose value is taken to be one word.
    let (mut end, mut seen) = (0, 0);
    for word in rest.split_inclusive(char::is_whitespace) {
        if seen == count {
            break;
        }
        seen += usize::from(pairs::is_named(word));
        end += word.len();
    }
    (seen == count).then(|| (rest[..end].trim_end(), &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wrapping_of_each_builder_comes_off() {
        let table = [
            ("/bin/sh -c #(nop)  CMD [\"sh\"]", Some(Kind::Cmd), "[\"sh\"]", None),
            ("/bin/sh -c #(nop) COPY file:0a1b in /app/.env ", Some(Kind::Copy), "file:0a1b in /app/.env", None),
            ("/bin/sh -c make", Some(Kind::Run), "make", None),
            ("|1 A=b /bin/sh -c make", Some(Kind::Run), "make", Some("A=b")),
            ("RUN |2 A=1 B=2 3 /bin/sh -c make # buildkit", Some(Kind::Run), "make", Some("A=1 B=2 3")),
            ("RUN /bin/sh -c <<EOF\nmake\nEOF # buildkit", Some(Kind::Run), "<<EOF\nmake\nEOF", None),
            ("RUN |1 A=b /bin/bash -o pipefail -c make # buildkit", Some(Kind::Run), "make", Some("A=b")),
            ("|1 A=b /bin/busybox rm /x", Some(Kind::Run), "/bin/busybox rm /x", Some("A=b")),
            ("|2 A=b c D=e make x=y", Some(Kind::Run), "make x=y", Some("A=b c D=e")),
            ("COPY --chown=1:1 a b # buildkit", Some(Kind::Copy), "--chown=1:1 a b", None),
            ("ENV A=b", Some(Kind::Env), "A=b", None),
            ("/bin/busybox rm /x", None, "/bin/busybox rm /x", None),
            ("env A=b make", None, "env A=b make", None),
            ("bazel build ...", None, "bazel build ...", None),
        ];
        for (created_by, kind, text, arguments) in table {
            assert_eq!(Step::parse(created_by), Step { kind, text, arguments }, "{created_by}");
        }
    }

    #[test]
    fn an_argument_is_found_by_its_value() {
        let step = Step::parse("RUN |2 USER=me NPM_TOKEN=the secret value /bin/sh -c npm ci # buildkit");
        assert_eq!(step.argument_with("secret").as_deref(), Some("NPM_TOKEN"));
        assert_eq!(step.argument_with("other"), None);
    }

    #[test]
    fn a_classic_copy_says_where_to_and_a_new_one_is_left_alone() {
        assert_eq!(Step::parse("/bin/sh -c #(nop) COPY multi:12 in /srv/ ").copied_to(), Some("/srv/"));
        assert_eq!(Step::parse("/bin/sh -c #(nop) ADD --chown=0:0 file:12 in /x").copied_to(), Some("/x"));
        assert_eq!(Step::parse("COPY in in /x # buildkit").copied_to(), None);
    }
}
