//! Doubt as data: findings and the verdict they add up to.

use serde::{Deserialize, Serialize};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; never changes the verdict.
    Note,
    /// The result can be misread: Questionable.
    Warning,
    /// The measurement itself is wrong: Invalid.
    Error,
}

/// One thing to know about a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable code in kebab case, the name of its page in the docs.
    pub code: String,
    /// Its weight.
    pub severity: Severity,
    /// One sentence: what was found.
    pub message: String,
    /// The figures behind it.
    pub evidence: String,
    /// What to do.
    pub advice: String,
}

impl Finding {
    /// A finding of the given severity.
    pub fn new(
        severity: Severity,
        code: &str,
        message: impl Into<String>,
        evidence: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            code: code.to_owned(),
            severity,
            message: message.into(),
            evidence: evidence.into(),
            advice: advice.into(),
        }
    }
}

/// Whether a run can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No warning, no error.
    Valid,
    /// At least one warning.
    Questionable,
    /// At least one error.
    Invalid,
}

impl Verdict {
    /// The verdict that findings add up to.
    pub fn of(findings: &[Finding]) -> Self {
        match findings.iter().map(|f| f.severity).max() {
            Some(Severity::Error) => Self::Invalid,
            Some(Severity::Warning) => Self::Questionable,
            Some(Severity::Note) | None => Self::Valid,
        }
    }

    /// The word printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "Valid",
            Self::Questionable => "Questionable",
            Self::Invalid => "Invalid",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_finding_decides() {
        let f = |s| Finding::new(s, "x", "", "", "");
        assert_eq!(Verdict::of(&[]), Verdict::Valid);
        assert_eq!(Verdict::of(&[f(Severity::Note)]), Verdict::Valid);
        assert_eq!(
            Verdict::of(&[f(Severity::Note), f(Severity::Warning)]),
            Verdict::Questionable
        );
        assert_eq!(
            Verdict::of(&[f(Severity::Error), f(Severity::Note)]),
            Verdict::Invalid
        );
    }
}
