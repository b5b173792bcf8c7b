//! A Dockerfile's text becomes stages of instructions with their lines. The grammar is the crate's; what a step of a history can be
//! compared with is made here.

use std::sync::Arc;

use parse_dockerfile::{Flag, Instruction as Parsed, Source};

use super::pairs::{self, Pair};
use super::{DockerfileError, Kind, MAX_BYTES, MAX_INSTRUCTIONS};

/// A Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    /// In the order of the file; at least one.
    pub stages: Vec<Stage>,
}

/// From one `FROM` to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// As `FROM ... AS name` says.
    pub name: Option<String>,
    /// The image or the stage that it starts from, as typed.
    pub base: String,
    /// Without the `FROM`.
    pub instructions: Vec<Instruction>,
}

/// An instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// Its keyword.
    pub kind: Kind,
    /// Its first line, from 1.
    pub line: usize,
    /// Its last line.
    pub end_line: usize,
    /// The whole of it, continuation lines joined and comments between them left out; here-documents keep their lines. Raw: may hold
    /// secrets.
    pub text: Arc<str>,
    /// Its parts.
    pub body: Body,
}

/// The parts of an instruction that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// `COPY` and `ADD`.
    Copy(CopyParts),
    /// `RUN`.
    Run(RunParts),
    /// `ENV`, `ARG` and `LABEL`.
    Pairs(Vec<Pair>),
    /// The others: all that follows the keyword.
    Other(String),
}

/// `COPY` or `ADD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyParts {
    /// The flags as typed.
    pub flags: Vec<String>,
    /// The stage or image of `--from`.
    pub from: Option<String>,
    /// Paths in the build context, or in the stage.
    pub sources: Vec<String>,
    /// Whether a here-document in the Dockerfile is one of the sources.
    pub inline: bool,
    /// Where to.
    pub dest: String,
}

/// `RUN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunParts {
    /// The flags as typed, one after the other.
    pub flags: String,
    /// All that follows the flags.
    pub command: String,
    /// How the command is written.
    pub form: Form,
}

/// How a command is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a shell.
    Shell,
    /// For a shell, with here-documents.
    HereDocument,
    /// A JSON list, which no shell reads.
    Exec,
}

impl Dockerfile {
    /// Reads a Dockerfile.
    pub fn parse(bytes: &[u8]) -> Result<Self, DockerfileError> {
        if bytes.len() > MAX_BYTES {
            return Err(DockerfileError::TooLarge { size: bytes.len() as u64 });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            DockerfileError::NotText { line }
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let parsed = parse_dockerfile::parse(text).map_err(|error| syntax(&error))?;
        if parsed.instructions.len() > MAX_INSTRUCTIONS {
            return Err(DockerfileError::TooManyInstructions { count: parsed.instructions.len() });
        }
        let escape = parsed.parser_directives.escape.as_ref().map_or('\\', |directive| directive.value.value);
        let starts: Vec<usize> = parsed.instructions.iter().map(start).collect();
        let mut stages: Vec<Stage> = Vec::new();
        for (index, instruction) in parsed.instructions.iter().enumerate() {
            let end = starts.get(index + 1).copied().unwrap_or(text.len());
            let source = without_tail(&text[starts[index]..end]);
            if let Parsed::From(from) = instruction {
                stages.push(Stage {
                    name: from.as_.as_ref().map(|(_, name)| name.value.to_string()),
                    base: from.image.value.to_string(),
                    instructions: Vec::new(),
                });
            } else if let Some(stage) = stages.last_mut() {
                let line = text[..starts[index]].matches('\n').count() + 1;
                stage.instructions.extend(Instruction::new(instruction, source, escape, line));
            }
        }
        Ok(Self { stages })
    }

    /// The index of the stage `name`: its name without regard to case, or its number, as for `docker build --target`.
    pub fn stage(&self, name: &str) -> Option<usize> {
        let named = |stage: &Stage| stage.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name));
        let number = || name.parse().ok().filter(|number| *number < self.stages.len());
        self.stages.iter().position(named).or_else(number)
    }

    /// The same, for a stage that somebody asked for.
    pub fn target(&self, name: &str) -> Result<usize, DockerfileError> {
        let known = || {
            let names = self.stages.iter().enumerate();
            names.map(|(number, stage)| stage.name.clone().unwrap_or_else(|| number.to_string())).collect::<Vec<_>>().join(", ")
        };
        self.stage(name).ok_or_else(|| DockerfileError::NoSuchStage { name: name.to_owned(), known: known() })
    }

    /// All instructions' texts, as they are shown: what secrets have to be looked for in.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.stages.iter().flat_map(|stage| &stage.instructions).map(|instruction| &*instruction.text)
    }
}

/// What the crate quotes of the file stands in marks or brackets; it may be a secret.
fn syntax(error: &parse_dockerfile::Error) -> DockerfileError {
    let message = format!("{error:#}");
    let problem = message.split(['\'', '(']).next().unwrap_or_default().trim_end().to_owned();
    DockerfileError::Syntax { line: error.line().max(1), problem }
}

/// Where an instruction begins.
fn start(instruction: &Parsed<'_>) -> usize {
    match instruction {
        Parsed::Add(it) => it.add.span.start,
        Parsed::Arg(it) => it.arg.span.start,
        Parsed::Cmd(it) => it.cmd.span.start,
        Parsed::Copy(it) => it.copy.span.start,
        Parsed::Entrypoint(it) => it.entrypoint.span.start,
        Parsed::Env(it) => it.env.span.start,
        Parsed::Expose(it) => it.expose.span.start,
        Parsed::From(it) => it.from.span.start,
        Parsed::Healthcheck(it) => it.healthcheck.span.start,
        Parsed::Label(it) => it.label.span.start,
        Parsed::Maintainer(it) => it.maintainer.span.start,
        Parsed::Onbuild(it) => it.onbuild.span.start,
        Parsed::Run(it) => it.run.span.start,
        Parsed::Shell(it) => it.shell.span.start,
        Parsed::Stopsignal(it) => it.stopsignal.span.start,
        Parsed::User(it) => it.user.span.start,
        Parsed::Volume(it) => it.volume.span.start,
        Parsed::Workdir(it) => it.workdir.span.start,
        _ => 0,
    }
}

/// An instruction's text up to the next one, without the blank lines and comments that stand between them.
fn without_tail(text: &str) -> &str {
    let mut text = text.trim_end();
    while let Some((before, last)) = text.rsplit_once('\n') {
        if !last.trim_start().starts_with('#') {
            break;
        }
        text = before.trim_end();
    }
    text
}

/// Continuation lines joined as a builder joins them, and what follows: here-documents, as they are.
fn joined(source: &str, escape: char) -> String {
    let mut text = String::with_capacity(source.len());
    let mut lines = source.lines();
    for (index, line) in lines.by_ref().enumerate() {
        if index > 0 && (line.trim().is_empty() || line.trim_start().starts_with('#')) {
            continue;
        }
        match line.trim_end().strip_suffix(escape) {
            Some(continued) => text.push_str(continued),
            None => {
                text.push_str(line.trim_end());
                break;
            }
        }
    }
    for line in lines {
        text.push('\n');
        text.push_str(line);
    }
    text
}

impl Instruction {
    fn new(parsed: &Parsed<'_>, source: &str, escape: char, line: usize) -> Option<Self> {
        let text = joined(source, escape);
        let (kind, rest) = Kind::split(&text)?;
        let body = match parsed {
            Parsed::Copy(it) => Body::Copy(CopyParts::new(&it.options, &it.src, &it.dest.value)),
            Parsed::Add(it) => Body::Copy(CopyParts::new(&it.options, &it.src, &it.dest.value)),
            Parsed::Run(it) => {
                let (flags, command) = flags(rest);
                let form = match &it.arguments {
                    parse_dockerfile::Command::Exec(_) => Form::Exec,
                    _ if it.here_docs.is_empty() => Form::Shell,
                    _ => Form::HereDocument,
                };
                Body::Run(RunParts { flags: flags.to_owned(), command: command.to_owned(), form })
            }
            Parsed::Env(_) | Parsed::Arg(_) | Parsed::Label(_) => Body::Pairs(pairs::of_instruction(kind, rest)),
            _ => Body::Other(rest.to_owned()),
        };
        let end_line = line + source.matches('\n').count();
        Some(Self { kind, line, end_line, text: text.into(), body })
    }
}

impl CopyParts {
    fn new(options: &[Flag<'_>], sources: &[Source<'_>], dest: &str) -> Self {
        let value = |flag: &Flag<'_>| flag.value.as_ref().map(|value| value.value.to_string());
        let flag = |flag: &Flag<'_>| match value(flag) {
            Some(value) => format!("--{}={value}", flag.name.value),
            None => format!("--{}", flag.name.value),
        };
        let path = |source: &Source<'_>| match source {
            Source::Path(path) => Some(path.value.to_string()),
            _ => None,
        };
        Self {
            flags: options.iter().map(flag).collect(),
            from: options.iter().find(|flag| flag.name.value == "from").and_then(value),
            sources: sources.iter().filter_map(path).collect(),
            inline: sources.iter().any(|source| matches!(source, Source::HereDoc(_))),
            dest: dest.to_owned(),
        }
    }
}

/// The flags that `text` begins with, and the rest.
pub(super) fn flags(text: &str) -> (&str, &str) {
    let mut rest = text;
    while rest.starts_with("--") {
        rest = rest.find(char::is_whitespace).map_or("", |end| rest[end..].trim_start());
    }
    (text[..text.len() - rest.len()].trim_end(), rest)
}
