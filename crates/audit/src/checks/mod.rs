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
mod sample;

use crate::check::{Answer, Check, Checked, Missing, Test};
use crate::facts::Facts;
use infermeter_core::finding::Severity;

/// Every check, in the order of printing within one severity.
pub(crate) fn all() -> impl Iterator<Item = &'static Check> {
    let tables = [
        content::CHECKS,
        metrics::CHECKS,
        load::CHECKS,
        client::CHECKS,
        sample::CHECKS,
        comparison::CHECKS,
        context::CHECKS,
    ];
    tables.into_iter().flatten()
}

/// Codes that a run of infermeter judges itself: there, its findings answer.
const JUDGED_BY_RUN: [&str; 26] = [
    "send-lag",
    "load-not-delivered",
    "closed-loop",
    "no-warmup",
    "connections-opened-inside",
    "uncertain-instants",
    "program-stamps",
    "outside-calibration",
    "clock-step",
    "record-incomplete",
    "recovered",
    "host-shared-with-server",
    "failures",
    "nothing-measured",
    "length-not-obeyed",
    "token-counts-disagree",
    "prompt-tokens-disagree",
    "multi-token-chunks",
    "prefix-cache-hit",
    "correlated-samples",
    "percentile-unsupported",
    "pooled-bimodal",
    "tail-ratio",
    "conservation",
    "interrupted",
    "resent",
];

/// The answer of a check on one result, and its weight where the run itself gave one.
pub(crate) fn on_one(check: &Check, facts: &Facts) -> (Answer, Option<Severity>) {
    let Test::One(test) = check.test else {
        return (Answer::NotApplicable, None);
    };
    let of_run = facts
        .findings
        .as_ref()
        .filter(|_| JUDGED_BY_RUN.contains(&check.code));
    if let Some(findings) = of_run {
        return match findings.iter().find(|f| f.code == check.code) {
            Some(found) => (Answer::Fail(found.evidence.clone()), Some(found.severity)),
            None => (Answer::Pass, None),
        };
    }
    (settled(test(facts)), None)
}

/// The answer of a check on all results of one side.
pub(crate) fn on_side(check: &Check, side: &[Facts]) -> Answer {
    match check.test {
        Test::Side(test) => settled(test(side)),
        Test::One(_) | Test::Pair(_) => Answer::NotApplicable,
    }
}

/// The answer of a check on two sides.
pub(crate) fn on_pair(check: &Check, a: &[Facts], b: &[Facts]) -> Answer {
    match check.test {
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
