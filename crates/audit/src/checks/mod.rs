//! The checklist: each check a pure function of what results state.
//!
//! Nothing here reads a file. Invariant: a check that lacks a fact says which; it neither passes
//! nor fails.

mod client;
mod comparison;
mod content;
mod context;
mod load;
mod metrics;
mod possible;
mod run;
mod sample;
mod steady;
mod timing;

use crate::check::{Answer, Check, Checked, Missing, OwnRun, Test};
use crate::facts::Facts;
use infermeter_analysis::checks;
use infermeter_core::finding::{Finding, Severity};

/// Every check, in the order of printing within one severity.
pub(crate) fn all() -> impl Iterator<Item = &'static Check> {
    let tables = [
        content::CHECKS,
        metrics::CHECKS,
        possible::CHECKS,
        load::CHECKS,
        steady::CHECKS,
        client::CHECKS,
        timing::CHECKS,
        sample::CHECKS,
        comparison::CHECKS,
        context::CHECKS,
        run::CHECKS,
    ];
    tables.into_iter().flatten()
}

/// Findings of a run that a check of another name answers.
const ANSWERED: [&checks::Check; 4] = [
    &checks::WARMUP_BELOW_PUBLICATION,
    &checks::ONE_RUN_ONLY,
    &checks::HARDWARE_NOT_STATED,
    &checks::ENGINE_NOT_STATED,
];

/// The answer of a check on one result, and its weight where the run itself gave one.
pub(crate) fn on_one(check: &Check, facts: &Facts) -> (Answer, Option<Severity>) {
    let question = &check.test;
    let Test::One(test) = question.test else {
        return (Answer::NotApplicable, None);
    };
    let Some(findings) = facts.findings.as_ref() else {
        return (settled(test(facts)), None);
    };
    if let Some(found) = findings.iter().find(|f| check.is_of(f)) {
        return (Answer::Fail(found.evidence.clone()), Some(found.severity));
    }
    if question.run == OwnRun::Silent {
        return (settled(test(facts)), None);
    }
    let open = facts.undecided.iter().find(|open| open.code == check.code);
    if let Some(open) = open {
        return (Answer::CannotTell(open.lacking.to_owned()), None);
    }
    let answer = match (settled(test(facts)), question.run) {
        (Answer::CannotTell(lacking), OwnRun::JudgesSamples) => Answer::CannotTell(lacking),
        (Answer::NotApplicable, OwnRun::Judges | OwnRun::JudgesSamples) => Answer::NotApplicable,
        _ => Answer::Pass,
    };
    (answer, None)
}

/// Warnings and errors of a run that no check of the same meaning answers with.
fn unheard(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    let heard = |f: &&Finding| {
        ANSWERED.iter().any(|check| check.is_of(f)) || all().any(|check| check.is_of(f))
    };
    let weighty = findings.iter().filter(|f| f.severity > Severity::Note);
    weighty.filter(move |f| !heard(f))
}

/// The answer of a check on all results of one side.
pub(crate) fn on_side(check: &Check, side: &[Facts]) -> Answer {
    match check.test.test {
        Test::Side(test) => settled(test(side)),
        Test::One(_) | Test::Pair(_) => Answer::NotApplicable,
    }
}

/// The answer of a check on two sides.
pub(crate) fn on_pair(check: &Check, a: &[Facts], b: &[Facts]) -> Answer {
    match check.test.test {
        Test::Pair(test) => settled(test(a, b)),
        Test::One(_) | Test::Side(_) => Answer::NotApplicable,
    }
}

fn settled(checked: Checked) -> Answer {
    match checked {
        Ok(answer) => answer,
        Err(Missing(what)) => Answer::CannotTell(what),
    }
}

#[cfg(test)]
mod tests;
