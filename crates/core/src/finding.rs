//! Doubt as data: findings and the verdict they add up to.

mod check;

pub use check::{Check, Dimension, QUESTIONABLE_FRACTION, Scope, Weight};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much a finding weighs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable code in kebab case, the name of its page in the docs.
    pub code: String,
    /// Its weight.
    pub severity: Severity,
    /// Where it is asked; absent from findings of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// What it is about; absent as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<Dimension>,
    /// One sentence: what was found.
    pub message: String,
    /// The figures behind it.
    pub evidence: String,
    /// What to do.
    pub advice: String,
}

/// Whether a run can be trusted.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
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

    fn finding(severity: Severity) -> Finding {
        let check = Check {
            code: "one-run-only",
            scope: Scope::Publication,
            dimension: Dimension::EvaluationSetup,
            weight: Weight::UpTo(Severity::Error),
            limit: None,
            test: (),
        };
        check.weighing(severity, "", "", "")
    }

    #[test]
    fn a_finding_says_its_place() {
        let found = finding(Severity::Warning);
        let text = serde_json::to_string(&found).expect("JSON");
        assert!(
            text.contains(r#""scope":"publication","dimension":"evaluation_setup""#),
            "{text}"
        );
        assert_eq!(
            serde_json::from_str::<Finding>(&text).expect("a finding"),
            found
        );
        let old = r#"{"code":"x","severity":"note","message":"","evidence":"","advice":""}"#;
        assert_eq!(
            serde_json::from_str::<Finding>(old)
                .expect("a finding")
                .scope,
            None
        );
    }

    #[test]
    fn the_heaviest_finding_decides() {
        let check = |severities: &[Severity], expect: Verdict| {
            let findings: Vec<Finding> = severities.iter().copied().map(finding).collect();
            assert_eq!(Verdict::of(&findings), expect);
        };
        check(&[], Verdict::Valid);
        check(&[Severity::Note], Verdict::Valid);
        check(&[Severity::Note, Severity::Warning], Verdict::Questionable);
        check(&[Severity::Error, Severity::Note], Verdict::Invalid);
    }
}
