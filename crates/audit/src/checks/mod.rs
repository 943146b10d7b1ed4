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

use crate::check::{Answer, Check, Checked, Missing, Test};
use crate::facts::Facts;
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

/// Codes that a run of infermeter judges itself: there, its findings answer.
const JUDGED_BY_RUN: [&str; 32] = [
    "cold-start-samples",
    "send-lag",
    "load-not-delivered",
    "closed-loop",
    "no-warmup",
    "warmup-too-short",
    "connections-opened-inside",
    "client-stood-still",
    "uncertain-instants",
    "program-stamps",
    "outside-calibration",
    "clock-step",
    "record-incomplete",
    "recovered",
    "record-altered",
    "host-shared-with-server",
    "failures",
    "nothing-measured",
    "length-not-obeyed",
    "token-counts-disagree",
    "prompt-tokens-disagree",
    "multi-token-chunks",
    "prefix-cache-hit",
    "unstable-load",
    "drift",
    "correlated-samples",
    "percentile-unsupported",
    "pooled-bimodal",
    "tail-ratio",
    "conservation",
    "interrupted",
    "resent",
];

/// Of these the ones whose silence says nothing where a check of the samples cannot tell.
const NEED_SAMPLES: [&str; 3] = ["cold-start-samples", "pooled-bimodal", "tail-ratio"];

/// Findings that a check of another name answers.
const ANSWERED: [&str; 4] = [
    "warmup-below-publication",
    "one-run-only",
    "hardware-not-stated",
    "engine-not-stated",
];

/// The answer of a check on one result, and its weight where the run itself gave one.
pub(crate) fn on_one(check: &Check, facts: &Facts) -> (Answer, Option<Severity>) {
    let Test::One(test) = check.test else {
        return (Answer::NotApplicable, None);
    };
    let Some(findings) = facts.findings.as_ref() else {
        return (settled(test(facts)), None);
    };
    if let Some(found) = findings.iter().find(|f| f.code == check.code) {
        return (Answer::Fail(found.evidence.clone()), Some(found.severity));
    }
    if !JUDGED_BY_RUN.contains(&check.code) {
        return (settled(test(facts)), None);
    }
    let open = facts.undecided.iter().find(|(code, _)| *code == check.code);
    if let Some((_, lacking)) = open {
        return (Answer::CannotTell((*lacking).to_owned()), None);
    }
    match settled(test(facts)) {
        Answer::CannotTell(lacking) if NEED_SAMPLES.contains(&check.code) => {
            (Answer::CannotTell(lacking), None)
        }
        // A drift is left to the run: the test here would look for its cause first.
        Answer::NotApplicable if check.code != "drift" => (Answer::NotApplicable, None),
        _ => (Answer::Pass, None),
    }
}

/// Warnings and errors of a run that no check of the same meaning answers with.
fn unheard(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    let heard = |f: &&Finding| {
        let code = f.code.as_ref();
        ANSWERED.contains(&code) || all().any(|check| check.code == code)
    };
    let weighty = findings.iter().filter(|f| f.severity > Severity::Note);
    weighty.filter(move |f| !heard(f))
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
