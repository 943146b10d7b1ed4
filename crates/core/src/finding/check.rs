//! What a check is: one struct, from which findings, tables and docs take the same code, place and weight.
//!
//! It asks nothing: the test belongs to the crate whose facts it looks at. Invariant (kept by `cargo xtask
//! tidy`): a code stands in one place of the code, has a section in the book and a test.

use super::{Finding, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a check applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Each result by itself.
    Run,
    /// Results at one load: repeats.
    Repeated,
    /// Results at several loads.
    Sweep,
    /// Two sides.
    Comparison,
    /// What is published.
    Publication,
}

/// What a check is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Whether what is compared is comparable.
    BaselineFairness,
    /// Whether the experiment can carry a conclusion.
    EvaluationSetup,
    /// Whether the figures say what they seem to say.
    MetricDesign,
}

impl Dimension {
    /// All dimensions, in the order of printing.
    pub const ALL: [Self; 3] = [
        Self::BaselineFairness,
        Self::EvaluationSetup,
        Self::MetricDesign,
    ];

    /// The name printed.
    pub fn label(self) -> &'static str {
        match self {
            Self::BaselineFairness => "Baseline fairness",
            Self::EvaluationSetup => "Evaluation set-up",
            Self::MetricDesign => "Metric design",
        }
    }
}

/// Beyond this share of an invalidating limit a run is questionable.
pub const QUESTIONABLE_FRACTION: f64 = 0.2;

/// How heavy a finding of a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Always this.
    Always(Severity),
    /// An error beyond the limit, a warning beyond [`QUESTIONABLE_FRACTION`] of it, else nothing.
    Tiered,
    /// A warning beyond the limit, else a note.
    NoteUpToLimit,
    /// A note, and a warning about a run that is for publication (`--publication`).
    ByScope,
    /// What was found decides; this is the most.
    UpTo(Severity),
}

impl Weight {
    /// The most that it can be.
    pub const fn heaviest(self) -> Severity {
        match self {
            Self::Always(severity) | Self::UpTo(severity) => severity,
            Self::Tiered => Severity::Error,
            Self::NoteUpToLimit | Self::ByScope => Severity::Warning,
        }
    }

    /// That of a value beside a limit; `None` where nothing is wrong.
    pub fn of(self, value: f64, limit: f64) -> Option<Severity> {
        let beyond = value > limit;
        match self {
            Self::Tiered if beyond => Some(Severity::Error),
            Self::Tiered => (value > limit * QUESTIONABLE_FRACTION).then_some(Severity::Warning),
            Self::NoteUpToLimit if beyond => Some(Severity::Warning),
            Self::NoteUpToLimit => Some(Severity::Note),
            Self::Always(severity) | Self::UpTo(severity) => beyond.then_some(severity),
            Self::ByScope => beyond.then_some(Severity::Note),
        }
    }
}

/// A check. `T` is what it asks; a finding that is raised where it happens asks nothing (`()`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Check<T = ()> {
    /// Its name: that of its findings, and the anchor of its section in the book.
    pub code: &'static str,
    /// Where it is asked.
    pub scope: Scope,
    /// What it is about.
    pub dimension: Dimension,
    /// How heavy its findings are.
    pub weight: Weight,
    /// What the weight is measured against, where that is one number.
    pub limit: Option<f64>,
    /// What it looks at, and what it then says.
    pub test: T,
}

impl<T> Check<T> {
    /// The same question, put to other facts.
    pub const fn asking<U>(&self, weight: Weight, test: U) -> Check<U> {
        Check {
            code: self.code,
            scope: self.scope,
            dimension: self.dimension,
            weight,
            limit: self.limit,
            test,
        }
    }

    /// Everything but what it asks.
    pub const fn declared(&self) -> Check {
        self.asking(self.weight, ())
    }

    /// The weight of a value beside the check's own limit; `None` where nothing is wrong.
    pub fn weigh(&self, value: f64) -> Option<Severity> {
        self.weight.of(value, self.limit?)
    }

    /// Its finding, as heavy as it can be.
    pub fn found(
        &self,
        message: impl Into<String>,
        evidence: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        self.weighing(self.weight.heaviest(), message, evidence, advice)
    }

    /// Its finding, of the weight that it has here.
    pub fn weighing(
        &self,
        severity: Severity,
        message: impl Into<String>,
        evidence: impl Into<String>,
        advice: impl Into<String>,
    ) -> Finding {
        debug_assert!(severity <= self.weight.heaviest(), "{}", self.code);
        Finding {
            code: self.code.to_owned(),
            severity,
            scope: Some(self.scope),
            dimension: Some(self.dimension),
            message: message.into(),
            evidence: evidence.into(),
            advice: advice.into(),
        }
    }

    /// A finding, if it is this check's: where one question has several answers.
    pub fn only(&self, found: Option<Finding>) -> Option<Finding> {
        found.filter(|finding| self.is_of(finding))
    }

    /// Whether a finding is this check's.
    pub fn is_of(&self, finding: &Finding) -> bool {
        finding.code == self.code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: Check = Check {
        code: "too-slow",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Tiered,
        limit: Some(0.1),
        test: (),
    };

    #[test]
    fn a_value_is_weighed_by_the_rule() {
        let check = |weight, value, expect: Option<Severity>| {
            let check = CHECK.asking(weight, ());
            assert_eq!(check.weigh(value), expect, "{weight:?}, {value}");
        };
        check(Weight::Tiered, 0.02, None);
        check(Weight::Tiered, 0.021, Some(Severity::Warning));
        check(Weight::Tiered, 0.11, Some(Severity::Error));
        check(Weight::NoteUpToLimit, 0.1, Some(Severity::Note));
        check(Weight::NoteUpToLimit, 0.11, Some(Severity::Warning));
        check(Weight::Always(Severity::Note), 0.1, None);
        check(Weight::Always(Severity::Note), 0.11, Some(Severity::Note));
    }

    #[test]
    fn a_finding_has_the_place_of_its_check() {
        let found = CHECK.found("m", "e", "a");
        assert_eq!(
            (found.code.as_str(), found.severity),
            ("too-slow", Severity::Error)
        );
        assert_eq!(found.scope, Some(Scope::Run));
        assert!(CHECK.only(Some(found.clone())).is_some());
        let other = Check {
            code: "other",
            ..CHECK
        };
        assert_eq!(other.only(Some(found)), None);
    }
}
