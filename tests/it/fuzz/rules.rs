//! Rule files: ours, and those of other scanners that are imported. An input is which, in one byte, and the text.

use std::sync::LazyLock;

use layersift::detect::{Chunk, Subject, candidates};
use layersift::fuzzing;
use layersift::rule::RuleSet;

/// The form of a file is told by its name, and by what stands in it.
const NAMES: [&str; 2] = ["rules.toml", "rules.yaml"];

/// A text on which the rules are tried.
static TEXT: LazyLock<Vec<u8>> = LazyLock::new(|| super::nested::text("rules").repeat(3));

pub(super) fn run(data: &[u8]) {
    let Some((&which, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let name = NAMES[usize::from(which) % NAMES.len()];
    let read = || fuzzing::rules(name, text).map_err(|error| error.to_string());
    let facts = |rules: &RuleSet| (rules.len(), rules.left_out().to_vec(), rules.hash().to_owned());
    match (read(), read()) {
        (Ok(rules), Ok(again)) => {
            assert_eq!(facts(&rules), facts(&again));
            let found = candidates(&rules, &Chunk::whole(&TEXT), &Subject::DOCUMENT).candidates;
            assert!(found.iter().all(|found| found.span.end <= TEXT.len() && (found.rule as usize) < rules.len()));
        }
        (one, other) => assert_eq!(one.err(), other.err()),
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let ours = "provider = \"Acme\"\nremediation = \"Ask.\"\n\n[[rule]]\nid = \"acme-token\"\ndescription = \"Acme token\"\nseverity = \"high\"\nkeywords = [\"token\"]\n\
                regex = '''token = \"(?<secret>(?<body>\\w{4,60})\\w)\"'''\nentropy = { group = \"body\", min = 2.0 }\nallow = ['^x+$']\ntags = [\"vcs\"]\nexamples = [\"TOKEN={{secret}}\"]\n";
    let gitleaks = "title = \"acme\"\n[extend]\nuseDefault = true\n[[rules]]\nid = \"a\"\ndescription = \"A\"\nregex = '''(?i)name\\s*=\\s*([a-z]+)'''\nsecretGroup = 1\nentropy = 1.5\n\
                    keywords = [\"name\"]\npath = 'x'\n[[rules.allowlists]]\nregexTarget = \"match\"\nregexes = ['x']\nstopwords = [\"y\"]\n[[allowlists]]\nregexes = ['z']\n";
    let trivy = "rules:\n  - id: a\n    category: c\n    title: A\n    severity: HIGH\n    regex: token = \"(?P<secret>\\w+)\"\n    secret-group-name: secret\n    keywords: [token]\n    \
                 allow-rules:\n      - id: b\n        regex: x+\nallow-rules:\n  - id: t\n    path: tests/\n";
    [(0, ours), (0, gitleaks), (1, trivy)].map(|(which, text)| [&[which][..], text.as_bytes()].concat()).into()
}
