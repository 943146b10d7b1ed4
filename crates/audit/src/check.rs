//! What a check is, and what it may answer.

use crate::facts::Facts;

pub use infermeter_core::finding::{Dimension, Scope};

/// What a check answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The anti-pattern is not there.
    Pass,
    /// It is; the figures behind that.
    Fail(String),
    /// The result does not say; what is missing.
    CannotTell(String),
    /// The question cannot be put to such a result.
    NotApplicable,
}

/// A fact that a check needs and a result does not state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) String);

/// An answer, or the fact that is missing for one.
pub(crate) type Checked = Result<Answer, Missing>;

/// Absence as [`Missing`].
pub(crate) trait Need<T> {
    /// The value, or the name of what is missing.
    fn need(self, what: &str) -> Result<T, Missing>;
}

impl<T> Need<T> for Option<T> {
    fn need(self, what: &str) -> Result<T, Missing> {
        self.ok_or_else(|| Missing(what.to_owned()))
    }
}

/// [`Answer::Fail`] where `failed`, else [`Answer::Pass`].
pub(crate) fn fail_if(failed: bool, evidence: impl FnOnce() -> String) -> Checked {
    Ok(if failed {
        Answer::Fail(evidence())
    } else {
        Answer::Pass
    })
}

/// What a check looks at: each a pure function.
#[derive(Clone, Copy)]
pub(crate) enum Test {
    /// One result.
    One(fn(&Facts) -> Checked),
    /// All results of one side.
    Side(fn(&[Facts]) -> Checked),
    /// Two sides.
    Pair(fn(&[Facts], &[Facts]) -> Checked),
}

/// How the findings of a run of infermeter itself answer the question.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnRun {
    /// A finding says that it fails; without one the question is put to its facts.
    Silent,
    /// The run has asked: without a finding it passes.
    Judges,
    /// The same, where its samples can answer.
    JudgesSamples,
    /// The same, whatever the facts say: the test here would look for its cause first.
    JudgesAlone,
}

/// What a check asks, and what its failure means.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    /// One sentence: what it means when it fails.
    pub(crate) message: &'static str,
    /// What to do.
    pub(crate) advice: &'static str,
    /// Who answers for a run of infermeter.
    pub(crate) run: OwnRun,
    pub(crate) test: Test,
}

/// A check of the list.
pub(crate) type Check = infermeter_core::finding::Check<Question>;
