//! Trivy's secret configuration (`trivy-secret.yaml`): `rules` with `regex`, `secret-group-name`, `keywords`, `severity` and `allow-rules`, as
//! <https://trivy.dev/latest/docs/scanner/secret/> describes it.

use std::path::Path;

use serde::Deserialize;

use super::expression::Group;
use super::{Foreign, Imported, Importer};
use crate::rule::error::RuleError;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Config {
    rules: Vec<Rule>,
    allow_rules: Vec<Allow>,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Rule {
    id: String,
    category: Option<String>,
    title: Option<String>,
    severity: Option<String>,
    regex: Option<String>,
    secret_group_name: Option<String>,
    keywords: Vec<String>,
    allow_rules: Vec<Allow>,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Allow {
    id: String,
    regex: Option<String>,
    path: Option<String>,
}

pub(super) fn read(path: &Path, text: &str) -> Result<Imported, RuleError> {
    let syntax = |message: String| RuleError::Syntax { path: path.to_owned(), message };
    let config: Config = serde_saphyr::from_str(text).map_err(|error| syntax(error.to_string()))?;
    if config.rules.is_empty() && config.allow_rules.is_empty() && config.rest.is_empty() {
        return Err(syntax("it holds no rules; a YAML file of rules is one of Trivy's, with `rules:` at its top".to_owned()));
    }
    let mut importer = Importer::new(path, "Imported from Trivy rules");
    for name in config.rest.keys() {
        let effect = match name.as_str() {
            "enable-builtin-rules" | "disable-rules" => "it names rules of another program; use --only and --skip",
            _ => "our rules have nothing like it",
        };
        importer.leave_out(None, name, effect);
    }
    for rule in &config.rules {
        add(&mut importer, rule, &config.allow_rules);
    }
    for allow in config.allow_rules.iter().filter(|allow| allow.path.is_some()) {
        importer.leave_out(None, &format!("allow-rules `{}`", allow.id), "it looks at the path; what it excuses is reported");
    }
    Ok(importer.finish())
}

fn add(importer: &mut Importer, rule: &Rule, shared: &[Allow]) {
    let id = rule.id.as_str();
    for name in rule.rest.keys() {
        let effect = match name.as_str() {
            "path" => "the rule runs on all files",
            "exclude-block" => "what stands in such a block is reported",
            _ => "our rules have nothing like it",
        };
        importer.leave_out(Some(id), name, effect);
    }
    let Some(regex) = &rule.regex else {
        importer.leave_out(Some(id), "regex", "the rule is not used: it has none");
        return;
    };
    let severity = match rule.severity.as_deref().unwrap_or_default().to_ascii_uppercase().as_str() {
        "CRITICAL" => "critical",
        "MEDIUM" => "medium",
        "LOW" => "low",
        _ => "high",
    };
    let group = rule.secret_group_name.as_deref().filter(|name| !name.is_empty());
    let mut allow = Vec::new();
    for list in rule.allow_rules.iter().chain(shared) {
        match (&list.regex, group) {
            // It looks at the whole match, which is the secret where no group is named.
            (Some(regex), None) => allow.push(regex.clone()),
            (Some(_), Some(_)) => {
                importer.leave_out(
                    Some(id),
                    "allow-rules",
                    format!("`{}` looks at the whole match, not the secret; what it excuses is reported", list.id),
                );
            }
            (None, _) => {}
        }
        if rule.allow_rules.iter().any(|own| std::ptr::eq(own, list)) && list.path.is_some() {
            importer.leave_out(Some(id), "allow-rules", format!("`{}` looks at the path; what it excuses is reported", list.id));
        }
    }
    importer.add(Foreign {
        id,
        description: rule.title.clone().unwrap_or_else(|| id.to_owned()),
        severity,
        regex,
        group: group.map_or(Group::Whole, Group::Name),
        keywords: rule.keywords.clone(),
        entropy: None,
        allow,
        tags: rule.category.iter().map(|category| category.to_ascii_lowercase()).collect(),
    });
}
