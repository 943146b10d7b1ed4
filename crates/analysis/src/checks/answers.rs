//! Answers that completed and yet are not what they seem: empty, ended for a reason that nobody knows,
//! mislabelled, with more inside than was read.

use super::{Check, count, percent};
use crate::limits;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::oddity::Oddity;
use infermeter_metrics::population::Population;
use infermeter_metrics::words::Words;

/// Answers without a token, by the server's own word.
pub const EMPTY_ANSWERS: Check = Check {
    code: "empty-answers",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::NoteUpToLimit,
    limit: Some(limits::EMPTY_ANSWERS),
    test: empty,
};

fn empty(_: &Run, summary: &Summary) -> Option<Finding> {
    let tokens = &summary.tokens;
    let share = (tokens.empty > 0).then(|| tokens.empty as f64 / tokens.completed as f64)?;
    let severity = EMPTY_ANSWERS.weigh(share)?;
    Some(EMPTY_ANSWERS.weighing(
        severity,
        "Some answers have no token: they count as completed, and no latency includes them.",
        format!(
            "{} of {} completed answers ({}), with a usage of 0 output tokens and a finish_reason.",
            count(tokens.empty),
            count(tokens.completed),
            percent(share)
        ),
        "Look at what the model makes of these prompts (--save-responses), or let it ignore the end \
         token (ignore_eos, --extra-body).",
    ))
}

/// Answers that ended for a reason that infermeter does not know: they may not be whole.
pub(super) const UNKNOWN_FINISH_REASON: Check = Check {
    code: "unknown-finish-reason",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: unknown_finish,
};

fn unknown_finish(run: &Run, summary: &Summary) -> Option<Finding> {
    let words = &run.collected.unknown.finish_reasons;
    let n: u64 = words.list().iter().map(|(_, n)| n).sum();
    (n > 0).then(|| {
        UNKNOWN_FINISH_REASON.found(
            "Some answers ended for a reason that infermeter does not know: they count as completed, \
             and may have been broken off.",
            format!(
                "{} of {} completed answers: {}.",
                count(n),
                count(summary.tokens.completed),
                listed(words)
            ),
            "Look the word up in the server's documentation; where it means that the answer was given \
             up, its figures are those of a failure.",
        )
    })
}

/// Streams and objects under another label, or none.
pub(super) const ANSWERS_MISLABELLED: Check = Check {
    code: "answers-mislabelled",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: mislabelled,
};

fn mislabelled(run: &Run, summary: &Summary) -> Option<Finding> {
    let population = Population::of(&run.collected);
    let odd = population
        .completed()
        .filter(|r| r.oddities.contains(Oddity::Mislabelled));
    let n = odd.count() as u64;
    (n > 0).then(|| {
        ANSWERS_MISLABELLED.found(
            "Some answers do not say what they are: their content type is missing or another one's.",
            format!(
                "{} of {} completed answers; they hold what was asked for, and were read.",
                count(n),
                count(summary.tokens.completed)
            ),
            "Nothing to do for the figures; other clients may refuse these answers, and a proxy may \
             hold them back.",
        )
    })
}

/// Streams whose events are numbered, and not one after the other.
pub(super) const EVENT_NUMBERS_BROKEN: Check = Check {
    code: "event-numbers-broken",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: numbers_broken,
};

fn numbers_broken(run: &Run, summary: &Summary) -> Option<Finding> {
    let population = Population::of(&run.collected);
    let odd = population
        .completed()
        .filter(|r| r.oddities.contains(Oddity::Gap));
    let n = odd.count() as u64;
    (n > 0).then(|| {
        EVENT_NUMBERS_BROKEN.found(
            "In some answers the events' numbers do not follow each other: events were lost, sent twice \
             or put into another order.",
            format!(
                "{} of {} completed answers.",
                count(n),
                count(summary.tokens.completed)
            ),
            "Ask the server directly, without the proxies and gateways in front of it; what was lost is missing \
             from ITL, TPOT and the counts of chunks.",
        )
    })
}

/// Members of deltas that hold something and that nobody read.
pub(super) const UNKNOWN_DELTA_MEMBERS: Check = Check {
    code: "unknown-delta-members",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: unknown_members,
};

fn unknown_members(run: &Run, _: &Summary) -> Option<Finding> {
    let names = &run.collected.unknown.members;
    (!names.list().is_empty()).then(|| {
        UNKNOWN_DELTA_MEMBERS.found(
            "Some answers hold members that infermeter does not understand: what they carry is no \
             chunk and no token.",
            format!("By name, with the answers that hold it: {}.", listed(names)),
            "If one of them is generated output, TTFT and TPOT leave it out: please report its name.",
        )
    })
}

/// `12 x audio, 3 x mood`.
fn listed(words: &Words) -> String {
    let list = words.list().into_iter();
    let list: Vec<String> = list
        .map(|(word, n)| format!("{} x {word}", count(n)))
        .collect();
    list.join(", ")
}
