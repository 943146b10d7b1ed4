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
mod run;
mod sample;
mod steady;

use crate::check::{Answer, Check, Checked, Missing, Test};
use crate::facts::Facts;
use infermeter_core::finding::{Finding, Severity};

/// Every check, in the order of printing within one severity.
pub(crate) fn all() -> impl Iterator<Item = &'static Check> {
    let tables = [
        content::CHECKS,
        metrics::CHECKS,
        load::CHECKS,
        steady::CHECKS,
        client::CHECKS,
        sample::CHECKS,
        comparison::CHECKS,
        context::CHECKS,
        run::CHECKS,
    ];
    tables.into_iter().flatten()
}

/// A check that a run of infermeter has answered itself.
struct Judged {
    check: &'static str,
    /// Findings that say no.
    fails: &'static [&'static str],
    /// Findings that leave it open, and what they lack.
    open: &'static [(&'static str, &'static str)],
}

/// Judged by the finding of the same code alone.
const SAME: [&str; 27] = [
    "send-lag",
    "load-not-delivered",
    "closed-loop",
    "no-warmup",
    "warmup-too-short",
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

/// Judged by findings of other codes, or left open by some.
const OTHERS: [Judged; 2] = [
    Judged {
        check: "unstable-load",
        fails: &["unstable-load"],
        open: &[(
            "stability-undecided",
            "a longer run to tell a growing queue from chance",
        )],
    },
    Judged {
        check: "drift",
        fails: &["drift"],
        open: &[(
            "steady-undecided",
            "a window that tells whether it was steady",
        )],
    },
];

/// The answer of a check on one result, and its weight where the run itself gave one.
pub(crate) fn on_one(check: &Check, facts: &Facts) -> (Answer, Option<Severity>) {
    let Test::One(test) = check.test else {
        return (Answer::NotApplicable, None);
    };
    let judged = facts.findings.as_ref().and_then(|f| by_run(check.code, f));
    judged.unwrap_or_else(|| (settled(test(facts)), None))
}

/// The answer that a run's findings give; `None` where they do not speak about it.
fn by_run(code: &str, findings: &[Finding]) -> Option<(Answer, Option<Severity>)> {
    let of = |wanted: &str| findings.iter().find(|f| f.code == wanted);
    let failed = |found: &Finding| (Answer::Fail(found.evidence.clone()), Some(found.severity));
    if SAME.contains(&code) {
        return Some(of(code).map_or((Answer::Pass, None), failed));
    }
    let judged = OTHERS.iter().find(|judged| judged.check == code)?;
    if let Some(found) = judged.fails.iter().find_map(|code| of(code)) {
        return Some(failed(found));
    }
    let open = judged.open.iter().find(|(code, _)| of(code).is_some());
    Some(match open {
        Some((_, lacking)) => (Answer::CannotTell((*lacking).to_owned()), None),
        None => (Answer::Pass, None),
    })
}

/// Warnings and errors of a run that no check of the same meaning answers with.
fn unheard(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    let heard = |code: &str| {
        let others = OTHERS.iter().flat_map(|judged| judged.fails);
        SAME.contains(&code) || others.into_iter().any(|known| *known == code)
    };
    findings
        .iter()
        .filter(move |f| f.severity > Severity::Note && !heard(f.code.as_ref()))
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
