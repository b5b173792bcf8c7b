//! The TOML of Gitleaks (`.gitleaks.toml`) and of Betterleaks, which adds to it: `[[rules]]` with `regex`, `secretGroup`, `keywords`, `entropy`
//! and allowlists, as <https://github.com/gitleaks/gitleaks#configuration> describes them.

use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::expression::Group;
use super::{Foreign, Imported, Importer};
use crate::rule::error::RuleError;

/// Fields that are known, whether they can be carried over or not.
#[derive(Debug, Deserialize)]
struct Rule {
    id: String,
    description: Option<String>,
    regex: Option<String>,
    #[serde(rename = "secretGroup")]
    secret_group: Option<u32>,
    entropy: Option<f64>,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    allowlists: Vec<Allowlist>,
    allowlist: Option<Allowlist>,
    /// Anything else.
    #[serde(flatten)]
    rest: Table,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Allowlist {
    description: Option<String>,
    condition: Option<String>,
    regex_target: Option<String>,
    regexes: Vec<String>,
    stopwords: Vec<String>,
    target_rules: Vec<String>,
    #[serde(flatten)]
    rest: Table,
}

/// Whether a TOML text is of this form: ours has `[[rule]]`.
pub(super) fn is_one(text: &str) -> bool {
    let Ok(table) = text.parse::<Table>() else { return false };
    table.get("rules").is_some_and(Value::is_array) || table.contains_key("extend") && !table.contains_key("provider")
}

pub(super) fn read(path: &Path, text: &str) -> Result<Imported, RuleError> {
    let syntax = |message: String| RuleError::Syntax { path: path.to_owned(), message };
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| syntax(error.to_string()))?;
    let mut importer = Importer::new(path, "Imported from Gitleaks rules");
    let mut shared: Vec<Allowlist> = Vec::new();
    if let Some(lists) = table.remove("allowlists") {
        shared = lists.try_into().map_err(|error: toml::de::Error| syntax(format!("allowlists: {error}")))?;
    }
    if let Some(list) = table.remove("allowlist") {
        shared.push(list.try_into().map_err(|error: toml::de::Error| syntax(format!("allowlist: {error}")))?);
    }
    let shared: Vec<(Vec<String>, Vec<String>)> =
        shared.iter().map(|list| (list.target_rules.clone(), allowed(list, None, &mut importer))).collect();
    let rules = match table.remove("rules") {
        Some(Value::Array(rules)) => rules,
        _ => Vec::new(),
    };
    for name in ["title", "description", "minVersion"] {
        table.remove(name);
    }
    for name in table.keys() {
        let effect = match name.as_str() {
            "extend" => "only the rules that stand in the file are used; the built-in ones are our own",
            _ => "our rules have nothing like it",
        };
        importer.leave_out(None, name, effect);
    }
    for (number, value) in rules.into_iter().enumerate() {
        let id = value.get("id").and_then(Value::as_str).map_or_else(|| format!("number {}", number + 1), str::to_owned);
        match value.try_into::<Rule>() {
            Ok(rule) => add(&mut importer, &rule, &shared),
            Err(error) => importer.leave_out(Some(&id), "rule", format!("the rule is not used: {}", error.message())),
        }
    }
    Ok(importer.finish())
}

fn add(importer: &mut Importer, rule: &Rule, shared: &[(Vec<String>, Vec<String>)]) {
    let id = rule.id.as_str();
    for name in rule.rest.keys() {
        let effect = match name.as_str() {
            "path" if rule.regex.is_some() => "the rule runs on all files",
            "path" => "the rule is not used: it looks at names of files only; write one with `file = { paths = [...] }`",
            "required" => "the rule reports what it matches, whatever stands near",
            "filter" | "prefilter" | "validate" => "such an expression is not evaluated; what it would leave out is reported",
            "skipReport" => "what the rule matches is reported",
            _ => "our rules have nothing like it",
        };
        importer.leave_out(Some(id), name, effect);
    }
    let Some(regex) = &rule.regex else {
        if !rule.rest.contains_key("path") {
            importer.leave_out(Some(id), "regex", "the rule is not used: it has none");
        }
        return;
    };
    let mut allow: Vec<String> = shared
        .iter()
        .filter(|(targets, _)| targets.is_empty() || targets.iter().any(|target| target == id))
        .flat_map(|(_, allow)| allow.clone())
        .collect();
    for list in rule.allowlists.iter().chain(&rule.allowlist) {
        allow.extend(allowed(list, Some(id), importer));
    }
    importer.add(Foreign {
        id,
        description: rule.description.clone().unwrap_or_else(|| id.to_owned()),
        severity: "high",
        regex,
        group: rule.secret_group.filter(|group| *group > 0).map_or(Group::First, Group::Number),
        keywords: rule.keywords.clone(),
        entropy: rule.entropy,
        allow,
        tags: rule.tags.clone(),
    });
}

/// Expressions over the secret that say what an allowlist does, as far as it looks at the secret alone.
fn allowed(list: &Allowlist, rule: Option<&str>, importer: &mut Importer) -> Vec<String> {
    let name = |field: &str| format!("allowlist.{field}");
    for field in list.rest.keys() {
        importer.leave_out(rule, &name(field), "it looks at more than the secret; what it excuses is reported");
    }
    let is_and = list.condition.as_deref().is_some_and(|condition| matches!(condition, "AND" | "&&"));
    if is_and && usize::from(!list.regexes.is_empty()) + usize::from(!list.stopwords.is_empty()) + list.rest.len() > 1 {
        importer.leave_out(rule, &name("condition"), "the list is not used: all of several things cannot be asked for");
        return Vec::new();
    }
    let mut allow = Vec::new();
    match list.regex_target.as_deref() {
        None | Some("" | "secret") => allow.extend(list.regexes.clone()),
        Some(target) if !list.regexes.is_empty() => {
            importer.leave_out(rule, &name("regexes"), format!("they look at the {target}, not the secret; what they excuse is reported"));
        }
        Some(_) => {}
    }
    allow.extend(list.stopwords.iter().map(|word| format!("(?i:{})", regex_syntax::escape(word))));
    allow
}
