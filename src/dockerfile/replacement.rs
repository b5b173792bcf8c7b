//! What to write in place of an instruction that brought a secret, by the kind of the instruction.

use super::context::{self, Brought};
use super::secret::{self, Named, asked_for, build_command, id, mount};
use super::{Body, CopyParts, Dockerfile, Form, Instruction, Kind, Pair, RunParts, Step, pairs};
use crate::finding::{Finding, Place};

/// A change, without its spot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Change {
    pub(super) advice: String,
    pub(super) replacement: Option<String>,
    pub(super) ignore: Option<String>,
    pub(super) build_command: Option<String>,
}

/// An instruction that brought secrets, with what it depends on.
pub(super) struct Replacer<'a> {
    pub(super) dockerfile: &'a Dockerfile,
    /// Of the whole stage.
    pub(super) instructions: &'a [&'a Instruction],
    /// Which of them.
    pub(super) index: usize,
    /// The findings whose secrets stand in its text.
    pub(super) beside: &'a [&'a Finding],
}

impl Replacer<'_> {
    pub(super) fn change(&self, finding: &Finding, step: Option<&Step<'_>>) -> Change {
        match &self.instruction().body {
            Body::Run(run) => self.run(run, finding, step),
            Body::Copy(copy) => self.copy(copy, finding),
            Body::Pairs(pairs) => self.pairs(pairs, finding, step),
            Body::Other(text) => self.other(text),
        }
    }

    fn instruction(&self) -> &Instruction {
        self.instructions[self.index]
    }

    /// The secrets in the instruction's text, each once, under names that differ.
    fn named(&self) -> Vec<Named<'_>> {
        let mut named: Vec<Named<'_>> = Vec::new();
        for finding in self.beside {
            let Some(text) = secret::text(finding).filter(|text| named.iter().all(|known| known.text != *text)) else { continue };
            let name = secret::name(finding, &self.instruction().text, text);
            let taken = |name: &str| named.iter().any(|known| known.name == name);
            let numbered = (2..).map(|number| format!("{name}_{number}"));
            let name = std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(name);
            named.push(Named { text, name });
        }
        named
    }

    fn run(&self, run: &RunParts, finding: &Finding, step: Option<&Step<'_>>) -> Change {
        let path = written(&finding.place);
        let named = self.named();
        let argument = secret::text(finding).and_then(|text| step?.argument_with(text));
        if let Some(name) = argument {
            let declared = self.instructions.iter().filter(|one| one.kind == Kind::Arg).find(|one| declares(one, &name));
            let declared = declared.map(|one| format!(" and remove the ARG {name} of line {}", one.line)).unwrap_or_default();
            let advice = format!(
                "The build argument {name} stays in the history with every RUN that sees it: mount it as a secret instead{declared}."
            );
            let names: Vec<&str> = [name.as_str()].into_iter().chain(named.iter().map(|secret| secret.name.as_str())).collect();
            return self.mounted(run, &names, &named, path.as_deref(), advice);
        }
        let literal = secret::text(finding).is_some_and(|text| named.iter().any(|secret| secret.text == text));
        if literal && run.form == Form::Exec {
            return Change {
                advice: "Write the command for a shell and let it read the secret from a mount: a list in JSON has no variables."
                    .to_owned(),
                build_command: Some(build_command(named.iter().map(|secret| secret.name.as_str()))),
                ..Change::default()
            };
        }
        if literal {
            let names: Vec<&str> = named.iter().map(|secret| secret.name.as_str()).collect();
            let advice = "Give the command the secret as a mount, which no layer and no history keeps.".to_owned();
            return self.mounted(run, &names, &named, path.as_deref(), advice);
        }
        match path {
            Some(path) => Change {
                advice: format!(
                    "The command wrote {path}: delete the file in the same RUN, or make it when the container starts. If the command only reads \
                     it, mount it: --mount=type=secret,id={},target={path}.",
                    id(file_name(&path))
                ),
                replacement: removing(run, &path).map(|command| with_flags(run, &[], &command)),
                ..Change::default()
            },
            None => {
                let name = secret::name_by_rule(finding);
                Change {
                    advice: format!("Take the secret out of the command and read it from a mount: {}.", mount(&name)),
                    build_command: Some(build_command([name.as_str()])),
                    ..Change::default()
                }
            }
        }
    }

    /// The command with secrets from mounts; what it writes is deleted again.
    fn mounted(&self, run: &RunParts, names: &[&str], named: &[Named<'_>], path: Option<&str>, advice: String) -> Change {
        let command = asked_for(&run.command, named);
        let asked = RunParts { command, ..run.clone() };
        let (command, advice) = match path {
            None => (Some(asked.command), advice),
            Some(path) => {
                let removed = removing(&asked, path);
                (removed, format!("{advice} The command writes it to {path}, which has to be gone by the end of the same RUN."))
            }
        };
        Change {
            advice,
            replacement: command.map(|command| with_flags(run, names, &command)),
            ignore: None,
            build_command: Some(build_command(names.iter().copied())),
        }
    }

    fn copy(&self, copy: &CopyParts, finding: &Finding) -> Change {
        let path = written(&finding.place);
        if let Some(from) = &copy.from {
            return self.copied_from(copy, from, path.as_deref());
        }
        if copy.inline {
            return Change {
                advice: "The text stands in the Dockerfile: take the secret out of it, and give it when the container starts.".to_owned(),
                ..Change::default()
            };
        }
        let workdir = context::workdir(self.instructions, self.index);
        let brought = path.as_deref().map_or(Brought::Unclear, |path| context::brought(copy, workdir.as_deref(), path));
        match (brought, path) {
            (Brought::Itself(index), Some(path)) => self.without_source(copy, index, &path),
            (Brought::Within(within), Some(_)) => Change {
                advice: format!("Keep {within} out of the build context, or COPY only what the image needs."),
                ignore: context::ignore(&within),
                ..Change::default()
            },
            (Brought::Unpacked(archive), Some(path)) => {
                Change { advice: format!("Make {archive} anew without {}.", file_name(&path)), ..Change::default() }
            }
            (Brought::Download(url), _) => Change {
                advice: format!("It is in what is downloaded from {url}: get it in a RUN that leaves the file out, or from another place."),
                ..Change::default()
            },
            (_, Some(path)) => Change {
                advice: format!("Keep {} out of the build context, or COPY only what the image needs.", file_name(&path)),
                ignore: context::ignore(file_name(&path)).map(|name| format!("**/{name}")),
                ..Change::default()
            },
            (_, None) => Change { advice: "Keep the file out of what is copied.".to_owned(), ..Change::default() },
        }
    }

    fn copied_from(&self, copy: &CopyParts, from: &str, path: Option<&str>) -> Change {
        let origin = match self.dockerfile.stage(from) {
            Some(_) => format!("stage {from}"),
            None => format!("the image {from}"),
        };
        // Sources in a stage are paths from its root.
        let workdir = context::workdir(self.instructions, self.index);
        let there = match path.map(|path| (path, context::brought(copy, workdir.as_deref(), path))) {
            Some((_, Brought::Itself(index))) => copy.sources.get(index).map(|source| format!(", from {source} there")),
            Some((_, Brought::Within(within))) => Some(format!(", from /{within} there")),
            _ => None,
        };
        let file = path.map_or("It", file_name);
        Change {
            advice: format!(
                "{file} came from {origin}{}: copy only the product of the build, file by file, instead of a folder with secrets in it.",
                there.unwrap_or_default()
            ),
            ..Change::default()
        }
    }

    fn without_source(&self, copy: &CopyParts, index: usize, path: &str) -> Change {
        let source = &copy.sources[index];
        let mut rest: Vec<&str> =
            copy.sources.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, source)| source.as_str()).collect();
        let replacement = if rest.is_empty() {
            String::new()
        } else {
            rest.push(&copy.dest);
            let paths = if rest.iter().any(|path| path.contains(char::is_whitespace)) {
                serde_json::to_string(&rest).unwrap_or_default()
            } else {
                rest.join(" ")
            };
            let flags = copy.flags.iter().map(|flag| format!("{flag} ")).collect::<String>();
            format!("{} {flags}{paths}", self.instruction().kind)
        };
        let id = id(file_name(source));
        Change {
            advice: format!(
                "Do not copy it. A program gets it when the container starts (a volume, or a secret of the orchestrator); a RUN that needs \
                 it mounts it: RUN --mount=type=secret,id={id},target={path} ..."
            ),
            replacement: Some(replacement),
            ignore: context::ignore(source.trim_start_matches("./").trim_start_matches('/')),
            build_command: Some(format!("docker build --secret id={id},src={source} .")),
        }
    }

    fn pairs(&self, own: &[Pair], finding: &Finding, step: Option<&Step<'_>>) -> Change {
        let kind = self.instruction().kind;
        let text = secret::text(finding);
        let has = |pair: &&Pair| text.is_some_and(|text| pair.value.as_deref().is_some_and(|value| value.contains(text)));
        // What the step says was set, whatever the file says by now.
        let set = step.map(|step| pairs::of_step(step.text)).unwrap_or_default();
        let Some(name) = own.iter().find(has).or_else(|| set.iter().find(has)).map(|pair| pair.name.clone()) else {
            return Change { advice: super::general(kind).to_owned(), ..Change::default() };
        };
        let rest: Vec<&str> = own.iter().filter(|pair| pair.name != name).map(|pair| pair.text.as_str()).collect();
        let replacement = if rest.is_empty() { String::new() } else { format!("{kind} {}", rest.join(" ")) };
        let change = Change { replacement: Some(replacement), ..Change::default() };
        if kind == Kind::Label {
            return Change { advice: format!("Remove the label {name}: labels are for everyone to read."), ..change };
        }
        let variable = secret::declared(&name);
        let users: Vec<String> = self.users(&name).map(|line| line.to_string()).collect();
        let (used, build) = match users.as_slice() {
            [] => (String::new(), None),
            users => {
                let lines = if users.len() == 1 { "line" } else { "lines" };
                let used = format!(" The RUN of {lines} {} asks for it: give it {}.", users.join(", "), mount(&variable));
                (used, Some(build_command([variable.as_str()])))
            }
        };
        let advice = if kind == Kind::Env {
            format!("Drop {name} and give it when the container starts: docker run --env-file FILE, or a secret of the orchestrator.{used}")
        } else {
            let mount =
                if used.is_empty() { format!(" Use a secret mount where it is needed: RUN {} ...", mount(&variable)) } else { used };
            format!("Build arguments stay in the history.{mount}")
        };
        let build_command = build.or_else(|| (kind == Kind::Arg).then(|| build_command([variable.as_str()])));
        Change { advice, build_command, ..change }
    }

    /// Lines of later commands that ask for the variable `name`.
    fn users(&self, name: &str) -> impl Iterator<Item = usize> {
        let asks = move |text: &str| {
            let plain = text.match_indices('$').any(|(at, _)| {
                let rest = text[at + 1..].trim_start_matches('{');
                rest.strip_prefix(name).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
            });
            plain && !name.is_empty()
        };
        let later = self.instructions[self.index + 1..].iter();
        later.filter(move |one| one.kind == Kind::Run && asks(&one.text)).map(|one| one.line)
    }

    fn other(&self, text: &str) -> Change {
        let named = self.named();
        let kind = self.instruction().kind;
        let shell = matches!(kind, Kind::Cmd | Kind::Entrypoint | Kind::Healthcheck) && !text.contains('[');
        Change {
            advice: super::general(kind).to_owned(),
            replacement: (shell && !named.is_empty()).then(|| format!("{kind} {}", asked_for(text, &named))),
            ..Change::default()
        }
    }
}

/// The file that holds the secret, for places that are files of a layer with a name in UTF-8.
fn written(place: &Place) -> Option<String> {
    match place {
        Place::LayerFile { path, .. } => String::from_utf8(path.clone()).ok(),
        _ => None,
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn declares(instruction: &Instruction, name: &str) -> bool {
    matches!(&instruction.body, Body::Pairs(pairs) if pairs.iter().any(|pair| pair.name == name))
}

/// `RUN --mount=... flags command`.
fn with_flags(run: &RunParts, names: &[&str], command: &str) -> String {
    let mut text = "RUN ".to_owned();
    for name in names {
        text.push_str(&mount(name));
        text.push(' ');
    }
    if !run.flags.is_empty() {
        text.push_str(&run.flags);
        text.push(' ');
    }
    text.push_str(command);
    text
}

/// The command, with `path` deleted at its end; none where that cannot be said in general.
fn removing(run: &RunParts, path: &str) -> Option<String> {
    let plain = path.chars().all(|c| c.is_alphanumeric() || "/._-+@".contains(c));
    let quoted = if plain { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) };
    match run.form {
        Form::Exec => None,
        Form::Shell => {
            let command = run.command.trim_end().trim_end_matches(';').trim_end();
            (!command.ends_with(['&', '\\'])).then(|| format!("{command} && rm -f {quoted}"))
        }
        Form::HereDocument => {
            // Only where the document is the script.
            let (script, end) = run.command.rsplit_once('\n')?;
            let header = run.command.lines().next().unwrap_or_default();
            let alone = header.starts_with("<<") && !header.contains(char::is_whitespace);
            alone.then(|| format!("{script}\nrm -f {quoted}\n{end}"))
        }
    }
}
