//! A rule as meant: what was typed, checked and turned into matchers. Expressions are compiled when their keyword is first seen, so
//! that a thousand rules cost nothing at start-up.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use globset::{Glob, GlobBuilder};
use regex::bytes::{Regex, RegexBuilder};

use super::error::RuleError;
use super::hir::{self, Shape};
use super::syntax::{AssignmentSyntax, BlockSyntax, ChecksumSyntax, EntropySyntax, FileSyntax, RuleFile, RuleSyntax};
use crate::detect::checksum::ChecksumKind;
use crate::detect::structure::StructureKind;
use crate::finding::{Confidence, RuleFacts, Severity, UnknownLevel};

/// What is wrong with a rule: a field of it, and a sentence.
type Problem = (&'static str, String);

/// One rule, ready to match.
#[derive(Debug)]
pub struct Rule {
    /// What reports say of it.
    pub facts: Arc<RuleFacts>,
    /// Before any proof.
    pub confidence: Confidence,
    /// ASCII literals, one of which is in every match.
    pub keywords: Arc<[String]>,
    /// How it matches.
    pub matcher: Matcher,
    /// Least entropy.
    pub entropy: Option<EntropyCheck>,
    /// Offline proof by arithmetic.
    pub checksum: Option<ChecksumCheck>,
    /// Offline proof by parsing.
    pub structure: Option<StructureKind>,
    /// How the secret is reported.
    pub decode: Option<Decode>,
    /// Well-known dummies.
    pub allow: Vec<LazyRegex>,
    /// Free labels.
    pub tags: Vec<String>,
    /// Texts that give exactly this finding.
    pub examples: Vec<String>,
    /// Texts that give none.
    pub negative_examples: Vec<String>,
}

/// How a rule matches.
#[derive(Debug)]
pub enum Matcher {
    /// An expression on a window round a keyword.
    Marker(Marker),
    /// A value assigned to a name that holds a keyword.
    Assignment(Assignment),
    /// All between two marks.
    Block(Block),
    /// A file known by its path or first bytes.
    File(FileRule),
}

/// An expression, compiled when first needed.
#[derive(Debug)]
pub struct LazyRegex {
    source: String,
    compiled: OnceLock<Option<Regex>>,
}

/// The expression of a marker rule with its bounds.
#[derive(Debug)]
pub struct Marker {
    source: String,
    keywords: Arc<[String]>,
    compiled: OnceLock<Option<CompiledMarker>>,
}

/// A marker's expression, compiled.
#[derive(Debug)]
pub struct CompiledMarker {
    /// Begins with `\A` if `anchored`.
    pub regex: Regex,
    /// Longest match in bytes.
    pub max_len: usize,
    /// Whether it is tried at the keyword only.
    pub anchored: bool,
    /// Whether the byte before the keyword must not be a word byte.
    pub left_boundary: bool,
}

/// A value assigned to a name.
#[derive(Debug)]
pub struct Assignment {
    /// Matches the whole value.
    pub value: LazyRegex,
    /// Who judges the value.
    pub scorer: Scorer,
}

/// Who judges an assigned value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scorer {
    /// The value's shape is proof enough.
    Shape,
    /// The value must look like a secret and not like a word.
    Generic,
}

/// All between two marks.
#[derive(Debug)]
pub struct Block {
    /// Opening mark.
    pub begin: String,
    /// Closing mark.
    pub end: String,
    /// Most bytes, marks included.
    pub limit: usize,
}

/// A file known by its path or first bytes.
#[derive(Debug)]
pub struct FileRule {
    /// Globs over the absolute path; empty for rules by magic.
    pub globs: Vec<Glob>,
    /// First bytes; None is any byte. Rules by path may have them too, and then both must fit.
    pub magic: Vec<Option<u8>>,
    /// Expression over the first 64 KiB; without it the whole file is the secret.
    pub regex: Option<LazyRegex>,
    /// Structure the file must have.
    pub structure: Option<StructureKind>,
}

/// Least entropy of a group, in bits per byte.
#[derive(Debug, Clone)]
pub struct EntropyCheck {
    /// The group; the secret if there is none of that name.
    pub group: Cow<'static, str>,
    /// Below it there is no finding.
    pub min: f64,
}

/// Proof by arithmetic.
#[derive(Debug, Clone)]
pub struct ChecksumCheck {
    /// The algorithm.
    pub kind: ChecksumKind,
    /// Group the sum is taken over.
    pub over: Option<String>,
    /// Group that holds it.
    pub equals: Option<String>,
    /// What a wrong sum means.
    pub mismatch: Mismatch,
}

/// What a wrong checksum means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mismatch {
    /// It cannot be a token: suppressed, with the reason.
    Suppress,
    /// Confidence possible.
    Demote,
    /// Nothing.
    Ignore,
}

/// How a secret is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decode {
    /// Decoded from base64 or base64url.
    Base64,
    /// Percent-decoded.
    Percent,
}

impl FileRule {
    /// Whether a file that begins with `head` begins with the rule's first bytes.
    pub fn is_magic(&self, head: &[u8]) -> bool {
        let fits = |(wanted, byte): (&Option<u8>, &u8)| wanted.is_none_or(|wanted| wanted == *byte);
        head.len() >= self.magic.len() && self.magic.iter().zip(head).all(fits)
    }
}

impl LazyRegex {
    fn new(source: String) -> Self {
        Self { source, compiled: OnceLock::new() }
    }

    /// The expression as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The compiled expression; none only if it does not compile, which the rule check reports.
    pub fn get(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| build(&self.source).ok()).as_ref()
    }
}

impl Marker {
    /// The expression as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The compiled expression with its bounds; none only if it does not compile, which the rule check reports.
    pub fn get(&self) -> Option<&CompiledMarker> {
        self.compiled.get_or_init(|| CompiledMarker::build(&self.source, &self.keywords).ok()).as_ref()
    }
}

impl CompiledMarker {
    fn build(source: &str, keywords: &[String]) -> Result<Self, String> {
        let shape = Shape::of(source, keywords)?;
        let look = hir::leading_look(&shape.hir);
        // `\b` before a keyword's first byte, seen from a window that starts there, is a question about the byte before the window.
        let word_first = keywords.iter().all(|keyword| keyword.as_bytes().first().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_'));
        let left_boundary = look == Some(regex_syntax::hir::Look::WordAscii);
        let anchored = shape.starts_with_keyword && (look.is_none() || (left_boundary && word_first));
        let regex = if anchored { build(&format!(r"\A(?:{source})"))? } else { build(source)? };
        Ok(Self { regex, max_len: shape.max_len, anchored, left_boundary: anchored && left_boundary })
    }
}

/// Compiles an expression over bytes.
fn build(source: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(source).unicode(false).size_limit(4 << 20).dfa_size_limit(1 << 20).build();
    built.map_err(|error| format!("it does not compile: {error}"))
}

impl Rule {
    /// Checks one rule of `file` as typed. Expressions are parsed later, by use or by the rule check.
    pub fn compile(file_name: &str, file: &RuleFile, rule: RuleSyntax) -> Result<Self, RuleError> {
        let id = rule.id.clone();
        Self::meant(file, rule).map_err(|(field, problem)| RuleError::Field {
            file: file_name.to_owned(),
            line: None,
            rule: id,
            field,
            problem,
        })
    }

    fn meant(file: &RuleFile, rule: RuleSyntax) -> Result<Self, Problem> {
        let level = |field: &'static str| move |error: UnknownLevel| (field, error.to_string());
        let severity: Severity = rule.severity.parse().map_err(level("severity"))?;
        let confidence = rule.confidence.as_deref().map_or(Ok(Confidence::Likely), |word| word.parse().map_err(level("confidence")))?;
        let structure = structure(rule.structure.as_deref()).map_err(|problem| ("structure", problem))?;
        let (matcher, keywords) = matcher(rule.regex, rule.assignment, rule.block, rule.file, rule.keywords)?;
        if let Some(short) = keywords.iter().find(|keyword| !keyword.is_ascii() || keyword.len() < 3) {
            return Err(("keywords", format!("`{short}` is not at least three ASCII bytes")));
        }
        let usual = || "Revoke it where it was issued, then rebuild the image without the layer that holds it.".to_owned();
        let facts = RuleFacts {
            id: rule.id,
            description: rule.description,
            provider: rule.provider.unwrap_or_else(|| file.provider.clone()),
            docs: file.docs.clone(),
            severity,
            remediation: rule.remediation.or_else(|| file.remediation.clone()).unwrap_or_else(usual),
            pairs: rule.pairs,
        };
        let entropy = |e: EntropySyntax| EntropyCheck { group: e.group.map_or(Cow::Borrowed("secret"), Cow::Owned), min: e.min };
        Ok(Self {
            facts: Arc::new(facts),
            confidence,
            keywords,
            matcher,
            entropy: rule.entropy.map(entropy),
            checksum: rule.checksum.map(checksum).transpose().map_err(|problem| ("checksum", problem))?,
            structure,
            decode: decode(rule.decode.as_deref()).map_err(|problem| ("decode", problem))?,
            allow: rule.allow.into_iter().map(LazyRegex::new).collect(),
            tags: rule.tags,
            examples: rule.examples,
            negative_examples: rule.negative_examples,
        })
    }

    /// Whether the rule needs a keyword to run.
    pub fn is_file_rule(&self) -> bool {
        matches!(self.matcher, Matcher::File(_))
    }

    /// Whether it matches by context alone: it yields to more specific rules, and what reads like a word is a guess.
    pub fn is_broad(&self) -> bool {
        self.tags.iter().any(|tag| tag == "broad")
    }

    /// Order of precedence where two rules match the same text: higher is more specific.
    pub fn rank(&self) -> u8 {
        let generic = matches!(&self.matcher, Matcher::Assignment(a) if a.scorer == Scorer::Generic);
        match (&self.matcher, self.confidence) {
            _ if generic => 0,
            (_, Confidence::Possible) => 1,
            _ if self.is_broad() => 2,
            (Matcher::Assignment(_), _) => 3,
            _ => 4,
        }
    }
}

fn matcher(
    regex: Option<String>,
    assignment: Option<AssignmentSyntax>,
    block: Option<BlockSyntax>,
    file: Option<FileSyntax>,
    keywords: Vec<String>,
) -> Result<(Matcher, Arc<[String]>), Problem> {
    let given = [regex.is_some(), assignment.is_some(), block.is_some(), file.is_some()];
    if given.iter().filter(|&&is| is).count() != 1 {
        return Err(("regex", "a rule has exactly one of `regex`, `assignment`, `block` and `file`".to_owned()));
    }
    let needs_keywords = regex.is_some() || assignment.is_some();
    if needs_keywords == keywords.is_empty() {
        return Err(("keywords", "`regex` and `assignment` rules need keywords, `block` and `file` rules have none".to_owned()));
    }
    let keywords: Arc<[String]> = keywords.into();
    if let Some(source) = regex {
        return Ok((Matcher::Marker(Marker { source, keywords: Arc::clone(&keywords), compiled: OnceLock::new() }), keywords));
    }
    if let Some(assignment) = assignment {
        let scorer = if assignment.score.as_deref() == Some("generic") { Scorer::Generic } else { Scorer::Shape };
        let value = LazyRegex::new(format!(r"\A(?:{})\z", assignment.value));
        return Ok((Matcher::Assignment(Assignment { value, scorer }), keywords));
    }
    if let Some(BlockSyntax { begin, end, limit }) = block {
        if limit > 64 * 1024 {
            return Err(("block", format!("limit {limit} is more than 65536")));
        }
        let keywords = [begin.clone()].into();
        return Ok((Matcher::Block(Block { begin, end, limit }), keywords));
    }
    let Some(file) = file else { return Err(("file", "missing".to_owned())) };
    Ok((Matcher::File(file_rule(file).map_err(|problem| ("file", problem))?), keywords))
}

fn file_rule(file: FileSyntax) -> Result<FileRule, String> {
    let glob = |text: &String| GlobBuilder::new(text).literal_separator(true).build().map_err(|error| error.to_string());
    Ok(FileRule {
        globs: file.paths.iter().map(glob).collect::<Result<_, _>>()?,
        magic: magic(file.magic.as_deref().unwrap_or_default())?,
        regex: file.regex.map(LazyRegex::new),
        structure: structure(file.structure.as_deref())?,
    })
}

fn magic(text: &str) -> Result<Vec<Option<u8>>, String> {
    let digits = text.as_bytes();
    let pairs = digits.chunks(2).map(|pair| match pair {
        b".." => Ok(None),
        [_, _] => std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).map(Some).ok_or(()),
        _ => Err(()),
    });
    pairs.collect::<Result<_, _>>().map_err(|()| format!("magic `{text}` is not pairs of hex digits or `..`"))
}

fn structure(name: Option<&str>) -> Result<Option<StructureKind>, String> {
    name.map(|name| StructureKind::from_name(name).ok_or_else(|| format!("there is no structure `{name}`"))).transpose()
}

fn decode(name: Option<&str>) -> Result<Option<Decode>, String> {
    match name {
        None => Ok(None),
        Some("base64") => Ok(Some(Decode::Base64)),
        Some("percent") => Ok(Some(Decode::Percent)),
        Some(other) => Err(format!("`{other}` is neither `base64` nor `percent`")),
    }
}

fn checksum(check: ChecksumSyntax) -> Result<ChecksumCheck, String> {
    let kind = ChecksumKind::from_name(&check.kind).ok_or_else(|| format!("there is no checksum `{}`", check.kind))?;
    let mismatch = match check.mismatch.as_deref() {
        Some("suppress") => Mismatch::Suppress,
        None | Some("demote") => Mismatch::Demote,
        Some("ignore") => Mismatch::Ignore,
        Some(other) => return Err(format!("mismatch `{other}` is none of `suppress`, `demote`, `ignore`")),
    };
    Ok(ChecksumCheck { kind, over: check.over, equals: check.equals, mismatch })
}
