//! What a secret is called, and a command that asks for it by that name.

use crate::finding::Finding;

/// Shorter secrets stand in ordinary words.
const MIN_LEN: usize = 6;

/// A secret that stands in an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) text: &'a str,
    /// Of the variable, by which it is asked for.
    pub(super) name: String,
}

/// The secret's text, where it is one that could stand in an instruction.
pub(super) fn text(finding: &Finding) -> Option<&str> {
    let text = std::str::from_utf8(finding.secret.expose()).ok()?.trim();
    (text.len() >= MIN_LEN).then_some(text)
}

/// A variable for `finding`'s secret: as `text` calls it, else after the rule.
pub(super) fn name(finding: &Finding, text: &str, secret: &str) -> String {
    text.find(secret).and_then(|at| name_before(&text[..at])).unwrap_or_else(|| name_by_rule(finding))
}

/// A variable after the rule that found the secret.
pub(super) fn name_by_rule(finding: &Finding) -> String {
    variable(&finding.rule.id).unwrap_or_else(|| "SECRET".to_owned())
}

/// `NPM_TOKEN` of `NPM_TOKEN=`, `TOKEN` of `--token "`.
fn name_before(text: &str) -> Option<String> {
    let text = text.trim_end_matches(['"', '\'', '\\']);
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if let Some(text) = text.strip_suffix('=') {
        let start = text.rfind(|c: char| !is_part(c)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
        return variable(&text[start..]);
    }
    let word = text.strip_suffix(char::is_whitespace)?.split_whitespace().next_back()?;
    variable(word.strip_prefix("--")?)
}

fn is_variable(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The name that a Dockerfile gives a variable, by which commands ask for it.
pub(super) fn declared(name: &str) -> String {
    if is_variable(name) { name.to_owned() } else { variable(name).unwrap_or_else(|| "SECRET".to_owned()) }
}

/// `word` as a shell's variable, in capitals unless it has some.
pub(super) fn variable(word: &str) -> Option<String> {
    if is_variable(word) && !word.starts_with('_') && word.chars().any(|c| c.is_ascii_uppercase()) {
        return Some(word.to_owned());
    }
    let capital: String = word.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    let capital = capital.trim_matches('_');
    is_variable(capital).then(|| capital.to_owned())
}

/// The id of a secret mount: lower case, of letters, digits and `_`; never empty.
pub(super) fn id(name: &str) -> String {
    let id: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    match id.trim_matches('_') {
        "" => "secret".to_owned(),
        id => id.to_owned(),
    }
}

/// `--mount=type=secret,id=npm_token,env=NPM_TOKEN`.
pub(super) fn mount(name: &str) -> String {
    format!("--mount=type=secret,id={},env={name}", id(name))
}

/// `docker build --secret id=npm_token,env=NPM_TOKEN .`
pub(super) fn build_command<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let secrets: String = names.into_iter().map(|name| format!(" --secret id={},env={name}", id(name))).collect();
    format!("docker build{secrets} .")
}

/// `command` with each secret asked for by its name, as a shell needs it where it stands.
pub(super) fn asked_for(command: &str, secrets: &[Named<'_>]) -> String {
    let mut asked = String::with_capacity(command.len());
    let mut rest = command;
    while let Some((at, secret)) = next(rest, secrets) {
        asked.push_str(&rest[..at]);
        rest = &rest[at + secret.text.len()..];
        let variable = if rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            format!("${{{}}}", secret.name)
        } else {
            format!("${}", secret.name)
        };
        // Single quotes keep a shell from reading variables.
        if in_single_quotes(&asked) {
            asked.push_str(&format!("'\"{variable}\"'"));
        } else {
            asked.push_str(&variable);
        }
    }
    asked.push_str(rest);
    asked
}

/// The first secret in `text`, the longest of those that begin there.
fn next<'s, 'a>(text: &str, secrets: &'s [Named<'a>]) -> Option<(usize, &'s Named<'a>)> {
    let at = |secret: &Named<'_>| text.match_indices(secret.text).map(|(at, _)| at).find(|at| stands_alone(text, *at, secret.text));
    let found = secrets.iter().filter_map(|secret| Some((at(secret)?, secret)));
    found.min_by_key(|(at, secret)| (*at, std::cmp::Reverse(secret.text.len())))
}

/// Whether a secret that is a word, such as `password`, is no part of a longer one, such as `--password`; others are no parts of anything.
fn stands_alone(text: &str, at: usize, secret: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    let end = at + secret.len();
    !secret.chars().all(char::is_alphabetic) || !(text[..at].ends_with(is_part) || text[end..].starts_with(is_part))
}

fn in_single_quotes(text: &str) -> bool {
    let (mut quote, mut escaped) = (None, false);
    for character in text.chars() {
        match (character, quote) {
            _ if escaped => escaped = false,
            ('\\', None | Some('"')) => escaped = true,
            ('\'' | '"', None) => quote = Some(character),
            (_, Some(open)) if open == character => quote = None,
            _ => {}
        }
    }
    quote == Some('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_called_what_the_text_before_it_calls_it() {
        let table = [
            ("NPM_TOKEN=", Some("NPM_TOKEN")),
            ("export NPM_TOKEN=\"", Some("NPM_TOKEN")),
            ("curl --api-key='", Some("API_KEY")),
            ("login --token ", Some("TOKEN")),
            ("//registry.example/:_authToken=", Some("AUTHTOKEN")),
            ("curl -H \"Authorization: Bearer ", None),
            ("https://user:", None),
            ("echo ", None),
            ("1=", None),
        ];
        for (before, name) in table {
            assert_eq!(name_before(before).as_deref(), name, "{before}");
        }
    }

    #[test]
    fn a_command_asks_for_secrets_as_its_quotes_allow() {
        let secrets =
            [("hunter2", "A"), ("hunter2-long", "B"), ("password", "C")].map(|(text, name)| Named { text, name: name.to_owned() });
        let table = [
            ("curl -u me:hunter2 x", "curl -u me:$A x"),
            ("echo \"hunter2\"", "echo \"$A\""),
            ("echo 'p=hunter2'", "echo 'p='\"$A\"''"),
            ("echo \"it's hunter2\"", "echo \"it's $A\""),
            ("echo hunter2x hunter2-long", "echo ${A}x $B"),
            ("make", "make"),
            ("login --password password", "login --password $C"),
        ];
        for (command, asked) in table {
            assert_eq!(asked_for(command, &secrets), asked);
        }
    }

    #[test]
    fn ids_and_commands_are_made_of_names() {
        assert_eq!((id("NPM_TOKEN").as_str(), id(".npmrc").as_str(), id("...").as_str()), ("npm_token", "npmrc", "secret"));
        assert_eq!(mount("NPM_TOKEN"), "--mount=type=secret,id=npm_token,env=NPM_TOKEN");
        assert_eq!(build_command(["A", "B"]), "docker build --secret id=a,env=A --secret id=b,env=B .");
    }
}
