//! Rule files as typed: the serde mirror of `patterns/README.md`. No IO, no compiling, and no use of other modules of the
//! crate, since the build script includes this file to turn `patterns/*.toml` into the embedded rule set. That is in a form which names no
//! fields, so every field is written, always.

use serde::{Deserialize, Serialize};

/// One rule file: a provider and its rules.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Who issues these credentials.
    pub provider: String,
    /// Where the format, or the way to revoke, is described.
    #[serde(default)]
    pub docs: Option<String>,
    /// Default for rules that have none of their own.
    #[serde(default)]
    pub remediation: Option<String>,
    /// The rules.
    #[serde(default, rename = "rule")]
    pub rules: Vec<RuleSyntax>,
}

/// One rule as written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSyntax {
    /// Unique for ever, kebab-case.
    pub id: String,
    /// Who issues these credentials, where it is not the file's provider.
    #[serde(default)]
    pub provider: Option<String>,
    /// One line for people.
    pub description: String,
    /// `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// `possible`, `likely` or `confirmed`; `likely` when absent.
    #[serde(default)]
    pub confidence: Option<String>,
    /// ASCII literals, one of which is in every match.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// The expression of a marker rule.
    #[serde(default)]
    pub regex: Option<String>,
    /// The value's shape of an assignment rule.
    #[serde(default)]
    pub assignment: Option<AssignmentSyntax>,
    /// The marks of a block rule.
    #[serde(default)]
    pub block: Option<BlockSyntax>,
    /// The paths or magic bytes of a file rule.
    #[serde(default)]
    pub file: Option<FileSyntax>,
    /// Least entropy of a group.
    #[serde(default)]
    pub entropy: Option<EntropySyntax>,
    /// Offline proof.
    #[serde(default)]
    pub checksum: Option<ChecksumSyntax>,
    /// Name of a structure parser.
    #[serde(default)]
    pub structure: Option<String>,
    /// `base64` or `percent`: the secret is reported decoded.
    #[serde(default)]
    pub decode: Option<String>,
    /// Expressions over the secret: well-known dummies.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Ids of rules that find the other half of what this one finds.
    #[serde(default)]
    pub pairs: Vec<String>,
    /// Free labels.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What to do, overriding the file's.
    #[serde(default)]
    pub remediation: Option<String>,
    /// Texts with `{{secret}}`, each of which gives exactly this finding.
    #[serde(default)]
    pub examples: Vec<String>,
    /// Texts that give no finding of this rule.
    #[serde(default)]
    pub negative_examples: Vec<String>,
}

/// `assignment = { value = '''...''' }`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentSyntax {
    /// Matches the whole value.
    pub value: String,
    /// `generic`: the value must also look like a secret and not like a word.
    #[serde(default)]
    pub score: Option<String>,
}

/// `block = { begin, end, limit }`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockSyntax {
    /// Opening mark; the rule's keyword.
    pub begin: String,
    /// Closing mark.
    pub end: String,
    /// Most bytes from the first of `begin` to the last of `end`.
    pub limit: usize,
}

/// `file = { paths, magic, regex, structure }`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSyntax {
    /// Globs over the absolute path.
    #[serde(default)]
    pub paths: Vec<String>,
    /// First bytes in hex, `..` for any byte.
    #[serde(default)]
    pub magic: Option<String>,
    /// Expression over the first 64 KiB; every match is a finding.
    #[serde(default)]
    pub regex: Option<String>,
    /// Structure the file must have.
    #[serde(default)]
    pub structure: Option<String>,
}

/// `entropy = { group, min }`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntropySyntax {
    /// The group measured; `secret` when absent.
    #[serde(default)]
    pub group: Option<String>,
    /// Bits per byte.
    pub min: f64,
}

/// `checksum = { kind, over, equals, mismatch }`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChecksumSyntax {
    /// Name of the algorithm; see `src/detect/checksum.rs`.
    pub kind: String,
    /// Group the sum is taken over; the secret when absent.
    #[serde(default)]
    pub over: Option<String>,
    /// Group that holds the sum; none for kinds that find it themselves.
    #[serde(default)]
    pub equals: Option<String>,
    /// `suppress`, `demote` (default) or `ignore`.
    #[serde(default)]
    pub mismatch: Option<String>,
}
