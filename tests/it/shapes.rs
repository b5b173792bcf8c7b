//! Random secrets of every rule's own shape are found wherever people put them, with the right span.

use layersift::detect::{self, Chunk, Subject};
use layersift::random::Random;
use layersift::rule::{Matcher, Rule, Scorer, generate};

use crate::support::RULES;

/// Where a secret stands: text before it, with `NAME` for a name, text after it, and characters that would have to be escaped there.
const CONTEXTS: [(&str, &str, &str, &str); 10] = [
    ("env", "PATH=/bin\nNAME=", "\nHOME=/root\n", " \n\"'#$`\\"),
    ("json", "{\"a\": 1, \"NAME\": \"", "\", \"b\": 2}\n", "\"\\\n"),
    ("yaml", "a: 1\nNAME: ", "\nb: 2\n", "\n\"'#:{}[]&*!|>%@`\\ "),
    ("xml", "<a>\n  <NAME>", "</NAME>\n</a>\n", "<>&\n"),
    ("ini", "[main]\nNAME = ", "\nother = 2\n", "\n#;\"' \\%"),
    ("shell", "set -e\nexport NAME=\"", "\"\nrun\n", "\"\\$`\n!"),
    ("url", "GET https://host.internal/v1/x?a=1&NAME=", "&z=9 HTTP/1.1\n", " &?#%+\"'<>/:=@;\\\n$!*()[],{}|^`~"),
    ("code", "const NAME = '", "';\nuse(NAME);\n", "'\\\n$"),
    ("dockerfile", "FROM scratch\nENV NAME=", "\nRUN make\n", " \n\"'\\$#`"),
    ("json in json", "{\"log\": \"{\\\"NAME\\\": \\\"", "\\\", \\\"n\\\": 1}\"}\n", "\"\\\n"),
];

/// Whether the rule finds exactly `span` of `text`, not suppressed.
fn finds(number: u32, text: &str, span: std::ops::Range<usize>) -> bool {
    let found = detect::candidates(&RULES, &Chunk::whole(text.as_bytes()), &Subject::DOCUMENT).candidates;
    found.iter().any(|candidate| candidate.rule == number && candidate.span == span && candidate.suppressed.is_none())
}

/// The name that the rule wants beside its secret; none if it needs more than a name.
fn name(rule: &Rule, number: u32, secret: &str) -> Option<String> {
    match &rule.matcher {
        Matcher::Marker(_) => finds(number, secret, 0..secret.len()).then(|| "VALUE".to_owned()),
        Matcher::Assignment(assignment) if assignment.scorer != Scorer::Generic => {
            let is_name = |keyword: &&String| keyword.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            rule.keywords.iter().find(is_name).map(|keyword| format!("{keyword}_key"))
        }
        _ => None,
    }
}

#[test]
fn every_rule_finds_its_own_shape_in_every_context() {
    let (mut tried, mut missed) = (vec![0; CONTEXTS.len()], Vec::new());
    for (number, rule) in RULES.rules().enumerate() {
        for seed in 0..3 {
            let mut random = Random::from_text(&format!("{} in context {seed}", rule.facts.id));
            let Some(secret) = generate::secret(rule, &mut random) else { continue };
            let Some(name) = name(rule, number as u32, &secret) else { continue };
            for (index, (context, before, after, special)) in CONTEXTS.iter().enumerate() {
                if secret.contains(|c| special.contains(c)) {
                    continue;
                }
                tried[index] += 1;
                let before = before.replace("NAME", &name);
                let text = format!("{before}{secret}{}", after.replace("NAME", &name));
                if !finds(number as u32, &text, before.len()..before.len() + secret.len()) {
                    missed.push(format!("{} in {context} (seed {seed})", rule.facts.id));
                }
            }
        }
    }
    assert!(tried.iter().all(|&count| count > 1_500), "too few shapes could be tried: {tried:?}");
    assert!(missed.is_empty(), "{} of {tried:?} are missed:\n{}", missed.len(), missed.join("\n"));
}
