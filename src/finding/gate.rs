//! Policy: which findings a report lists, which of them gate, and what the process therefore ends with.
//!
//! Pure functions over findings; the command line turns flags into these types and the outcome into an exit code.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::{Confidence, Finding, Novelty, Scan, Severity, UnknownLevel, Visibility, Whose};

/// Which findings fail a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Least severity that gates; none for never.
    pub fail_on: Option<Severity>,
    /// Least confidence that gates.
    pub min_confidence: Confidence,
    /// Whose findings gate.
    pub whose: Whose,
    /// What becomes of a scan that could not read everything.
    pub gaps: Gaps,
}

/// What it means for a build that something could not be read, or is not what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gaps {
    /// It is said, with an exit code of its own.
    #[default]
    Warn,
    /// It fails the build, as a finding does.
    Fail,
}

impl Default for Gate {
    fn default() -> Self {
        Self { fail_on: Some(Severity::Low), min_confidence: Confidence::Likely, whose: Whose::All, gaps: Gaps::Warn }
    }
}

impl Gate {
    /// Whether `finding` fails the build. A suppressed one never does, nor one that a baseline knows, nor, if only the image's own gate, one
    /// that is inherited for sure: a guess exempts nothing.
    pub fn gates(&self, finding: &Finding) -> bool {
        let novel = finding.novelty.is_none_or(|novelty| novelty == Novelty::New);
        let ours = self.whose == Whose::All || !finding.origin.is_surely_inherited();
        novel && ours && finding.suppressed.is_none() && self.reaches(finding.severity, finding.confidence)
    }

    /// Whether what is so severe and so sure may fail the build.
    pub fn reaches(&self, severity: Severity, confidence: Confidence) -> bool {
        self.fail_on.is_some_and(|least| severity >= least) && confidence >= self.min_confidence
    }

    /// What the scan comes to. Findings win over gaps: a build that must stop stops for the stronger reason.
    pub fn outcome(&self, scan: &Scan) -> Outcome {
        if scan.findings.iter().any(|finding| self.gates(finding)) {
            Outcome::Findings
        } else if scan.coverage.is_complete() {
            Outcome::Clean
        } else {
            Outcome::Incomplete(self.gaps)
        }
    }
}

/// What a scan that ran to its end comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was read and nothing gates.
    Clean,
    /// Something gates.
    Findings,
    /// No finding gates, but something could not be read, or is not what it says.
    Incomplete(Gaps),
}

impl Outcome {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Clean => "clean",
            Outcome::Findings => "findings",
            Outcome::Incomplete(_) => "incomplete",
        }
    }

    /// The process's exit code, where `findings` is the code for what fails the build. 2 is not among these: it is for a scan that did
    /// not come to its end.
    pub fn exit_code(self, findings: u8) -> u8 {
        match self {
            Outcome::Clean => 0,
            Outcome::Findings | Outcome::Incomplete(Gaps::Fail) => findings,
            Outcome::Incomplete(Gaps::Warn) => 3,
        }
    }
}

/// Which findings are wanted, by their life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// All.
    #[default]
    All,
    /// What a container started from the image sees, and what no layer can hide: config, history, labels.
    Final,
    /// What a later layer overwrote or deleted.
    Deleted,
}

impl Scope {
    /// All.
    pub const ALL: [Scope; 3] = [Scope::All, Scope::Final, Scope::Deleted];

    /// The word in flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::All => "all",
            Scope::Final => "final",
            Scope::Deleted => "deleted",
        }
    }
}

impl FromStr for Scope {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        let known = Self::ALL.into_iter().find(|scope| scope.as_str().eq_ignore_ascii_case(text));
        known.ok_or_else(|| UnknownLevel { given: text.to_owned(), what: "scope", known: "all, final, deleted" })
    }
}

/// Which findings a report lists; what it leaves out does not gate either.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// The severities wanted; none for all.
    pub severities: Option<BTreeSet<Severity>>,
    /// The lives wanted.
    pub scope: Scope,
}

impl Filter {
    /// Whether `finding` is wanted.
    pub fn keeps(&self, finding: &Finding) -> bool {
        let severity = self.severities.as_ref().is_none_or(|wanted| wanted.contains(&finding.severity));
        let visible = matches!(finding.visibility, None | Some(Visibility::InFinalImage));
        let life = match self.scope {
            Scope::All => true,
            Scope::Final => visible,
            Scope::Deleted => !visible,
        };
        severity && life
    }

    /// Drops what is not wanted. Whoever redacts must have learnt the secrets of `scan` before.
    pub fn apply(&self, scan: &mut Scan) {
        scan.findings.retain(|finding| self.keeps(finding));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::super::{Coverage, Evidence, Origin, Place, Reason, RuleFacts, Secret, Suppression};
    use super::*;

    fn finding(severity: Severity, confidence: Confidence) -> Finding {
        let rule = RuleFacts {
            id: "r".to_owned(),
            description: String::new(),
            provider: String::new(),
            docs: None,
            severity,
            remediation: String::new(),
            pairs: Vec::new(),
        };
        let place = Place::Config { pointer: String::new() };
        Finding { severity, confidence, ..Finding::new(&Arc::new(rule), Secret::new(*b"secret", 0), place) }
    }

    fn scan(findings: Vec<Finding>, skipped: Option<Reason>) -> Scan {
        let mut coverage = Coverage::default();
        if let Some(reason) = skipped {
            coverage.skip(reason, "layer 1", None, "");
        }
        Scan { findings, coverage, ..Scan::new("") }
    }

    #[test]
    fn a_finding_gates_from_the_asked_severity_and_confidence_on() {
        use {Confidence::*, Severity::*};
        let gate = |fail_on, min_confidence| Gate { fail_on, min_confidence, ..Gate::default() };
        let table = [
            (Gate::default(), Low, Likely, true),
            (Gate::default(), Critical, Possible, false),
            (Gate::default(), Low, Confirmed, true),
            (gate(Some(High), Likely), Medium, Confirmed, false),
            (gate(Some(High), Likely), High, Likely, true),
            (gate(Some(Low), Possible), Low, Possible, true),
            (gate(Some(Low), Confirmed), Critical, Likely, false),
            (gate(None, Possible), Critical, Confirmed, false),
        ];
        for (gate, severity, confidence, gates) in table {
            assert_eq!(gate.gates(&finding(severity, confidence)), gates, "{gate:?} {severity} {confidence}");
        }
    }

    #[test]
    fn a_suppressed_finding_never_gates() {
        let mut finding = finding(Severity::Critical, Confidence::Confirmed);
        finding.suppressed = Some(Suppression { reason: "placeholder".into(), detail: String::new() });
        assert!(!Gate { min_confidence: Confidence::Possible, ..Gate::default() }.gates(&finding));
    }

    #[test]
    fn of_findings_compared_with_a_baseline_only_new_ones_gate() {
        let gates = |novelty| Gate::default().gates(&Finding { novelty, ..finding(Severity::High, Confidence::Likely) });
        assert_eq!([None, Some(Novelty::New), Some(Novelty::Moved), Some(Novelty::Known)].map(gates), [true, true, false, false]);
    }

    #[test]
    fn of_inherited_findings_only_those_known_by_digest_can_be_exempt() {
        let gates =
            |whose, origin| Gate { whose, ..Gate::default() }.gates(&Finding { origin, ..finding(Severity::High, Confidence::Likely) });
        let sure = [Evidence::Image, Evidence::Chain, Evidence::Annotation];
        let guesses = [Evidence::Layer, Evidence::History];
        for evidence in sure.into_iter().chain(guesses) {
            let origin = Origin::Inherited(evidence);
            assert_eq!([Whose::All, Whose::Own].map(|whose| gates(whose, origin)), [true, guesses.contains(&evidence)], "{evidence:?}");
        }
        assert!(gates(Whose::Own, Origin::Own));
    }

    #[test]
    fn the_exit_code_follows_from_findings_and_gaps() {
        let bad = || vec![finding(Severity::High, Confidence::Likely)];
        let weak = || vec![finding(Severity::High, Confidence::Possible)];
        use {Gaps::*, Outcome::*};
        let table = [
            (vec![], None, Warn, Clean, 0),
            (weak(), None, Warn, Clean, 0),
            (bad(), None, Warn, Findings, 9),
            (bad(), Some(Reason::DamagedStream), Warn, Findings, 9),
            (weak(), Some(Reason::DamagedStream), Warn, Incomplete(Warn), 3),
            (vec![], Some(Reason::Encrypted), Warn, Incomplete(Warn), 3),
            (vec![], Some(Reason::NotAFile), Warn, Clean, 0),
            (vec![], None, Fail, Clean, 0),
            (bad(), Some(Reason::DamagedStream), Fail, Findings, 9),
            (weak(), Some(Reason::DamagedStream), Fail, Incomplete(Fail), 9),
            (vec![], Some(Reason::Encrypted), Fail, Incomplete(Fail), 9),
            (vec![], Some(Reason::NotAFile), Fail, Clean, 0),
        ];
        for (findings, skipped, gaps, outcome, code) in table {
            let scan = scan(findings, skipped);
            assert_eq!(Gate { gaps, ..Gate::default() }.outcome(&scan), outcome, "{:?} {gaps:?}", scan.coverage.skipped);
            assert_eq!(outcome.exit_code(9), code);
        }
        let never = Gate { fail_on: None, gaps: Fail, ..Gate::default() };
        assert_eq!(never.outcome(&scan(bad(), Some(Reason::Encrypted))), Incomplete(Fail), "a gate for gaps only");
    }

    #[test]
    fn scope_and_severities_choose_what_is_listed() {
        let lives =
            [None, Some(Visibility::InFinalImage), Some(Visibility::Overwritten { layer: 1 }), Some(Visibility::Deleted { layer: 1 })];
        let kept = |scope| {
            let filter = Filter { severities: None, scope };
            lives.map(|visibility| filter.keeps(&Finding { visibility, ..finding(Severity::Low, Confidence::Likely) }))
        };
        assert_eq!(kept(Scope::All), [true; 4]);
        assert_eq!(kept(Scope::Final), [true, true, false, false]);
        assert_eq!(kept(Scope::Deleted), [false, false, true, true]);

        let filter = Filter { severities: Some([Severity::High, Severity::Low].into()), scope: Scope::All };
        let mut all = scan(Severity::ALL.map(|severity| finding(severity, Confidence::Likely)).into(), None);
        filter.apply(&mut all);
        assert_eq!(all.findings.iter().map(|finding| finding.severity).collect::<Vec<_>>(), [Severity::Low, Severity::High]);
    }
}
