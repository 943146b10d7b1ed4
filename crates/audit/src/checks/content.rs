//! Checks of what was answered: failures, counts, lengths, finish reasons.

use crate::check::{
    Answer, Check, Checked, Dimension, Missing, Need, OwnRun, Question, Scope, Test, fail_if,
};
use crate::facts::{Facts, TokenSource};
use crate::limits;
use crate::number::{counted, figure, percent};
use crate::shape::{ALL_REQUESTS, output_lengths};
use infermeter_analysis::checks;
use infermeter_core::finding::{Severity, Weight};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    checks::NOTHING_MEASURED.asking(
        Weight::Always(Severity::Error),
        Question {
            message: "No request completed.",
            advice: "Look at the errors.",
            run: OwnRun::Judges,
            test: Test::One(nothing_measured),
        },
    ),
    checks::FAILURES.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Requests failed.",
            advice: "Latencies are those of the others; find the reason, lower the load.",
            run: OwnRun::Judges,
            test: Test::One(failures),
        },
    ),
    checks::CONSERVATION.asking(
        Weight::Always(Severity::Error),
        Question {
            message: "Requests are missing or counted twice.",
            advice: "Find out what became of them.",
            run: OwnRun::Judges,
            test: Test::One(conservation),
        },
    ),
    Check {
        code: "errors-counted-as-success",
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Error),
        limit: None,
        test: Question {
            message: "Failed requests count as completed.",
            advice: "Count an answer with an error as a failure.",
            run: OwnRun::Silent,
            test: Test::One(errors_counted_as_success),
        },
    },
    checks::EMPTY_ANSWERS.asking(
        Weight::Always(Severity::Error),
        Question {
            message: "Answers without a token count as completed.",
            advice: "Count them as failures.",
            run: OwnRun::Silent,
            test: Test::One(empty_answers),
        },
    ),
    checks::LENGTH_NOT_OBEYED.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Answers do not have the length asked for.",
            advice: "Make the server ignore the end token, or say that lengths are its own.",
            run: OwnRun::Judges,
            test: Test::One(length_not_obeyed),
        },
    ),
    checks::RESENT.asking(
        Weight::Always(Severity::Note),
        Question {
            message: "Requests were sent again.",
            advice: "Count the first attempt in their latency, and report retries.",
            run: OwnRun::Judges,
            test: Test::One(resent),
        },
    ),
    Check {
        code: "truncated-answers",
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "Answers were cut at a limit.",
            advice: "Raise the limit, or declare it.",
            run: OwnRun::Silent,
            test: Test::One(truncated_answers),
        },
    },
];

pub(super) fn nothing_measured(facts: &Facts) -> Checked {
    let completed = facts.counts.completed.need("completed requests")?;
    fail_if(completed <= 0.0, || {
        let failed = facts
            .counts
            .failed
            .map(|n| format!(", {} failed", figure(n)));
        format!("0 completed{}.", failed.unwrap_or_default())
    })
}

pub(super) fn failures(facts: &Facts) -> Checked {
    let failed = facts.counts.failed.need("failed requests")?;
    let completed = facts.counts.completed.need("completed requests")?;
    let all = failed + completed;
    if all <= 0.0 {
        return Ok(Answer::NotApplicable);
    }
    let share = failed / all;
    fail_if(share > limits::FAILED, || {
        format!(
            "{} of {} failed ({}).",
            figure(failed),
            counted(all, "request"),
            percent(share)
        )
    })
}

pub(super) fn conservation(facts: &Facts) -> Checked {
    let asked = facts.load.asked_requests.need("requests asked for")?;
    let failed = facts.counts.failed.need("failed requests")?;
    let completed = facts.counts.completed.need("completed requests")?;
    fail_if((completed + failed - asked).abs() > 0.5, || {
        format!(
            "{} asked for, {} completed and {} failed.",
            figure(asked),
            figure(completed),
            figure(failed)
        )
    })
}

pub(super) fn errors_counted_as_success(facts: &Facts) -> Checked {
    if facts.counted_from_list {
        return Ok(Answer::NotApplicable);
    }
    (!facts.requests.is_empty())
        .then_some(())
        .need("per-request errors")?;
    let stated = facts.counts.completed.need("completed requests")?;
    facts.has_all_requests().then_some(()).need(ALL_REQUESTS)?;
    let completed = facts.completed().count() as f64;
    fail_if(stated > completed + 0.5, || {
        format!(
            "{} counted as completed, {} without an error.",
            figure(stated),
            figure(completed)
        )
    })
}

pub(super) fn empty_answers(facts: &Facts) -> Checked {
    let tokens: Option<Vec<f64>> = facts.completed().map(|r| r.output_tokens).collect();
    let tokens = tokens
        .filter(|t| !t.is_empty())
        .need("output tokens per request")?;
    let empty = tokens.iter().filter(|n| **n <= 0.0).count() as f64;
    if empty == 0.0 {
        facts.has_all_requests().then_some(()).need(ALL_REQUESTS)?;
    }
    fail_if(empty > 0.0, || {
        format!("{} without a token.", counted(empty, "completed answer"))
    })
}

pub(super) fn length_not_obeyed(facts: &Facts) -> Checked {
    let asked = facts.tokens.asked_output.need("output length asked for")?;
    let other = facts.tokens.output_recount.zip(facts.counts.completed);
    if other.is_some_and(|(tokens, n)| n > 0.0 && (tokens / n - asked).abs() <= 1e-6) {
        // Of two counts one is exactly what was asked for: the other counts differently.
        return Ok(Answer::Pass);
    }
    let mean = mean_output(facts);
    let by_server = matches!(facts.tokens.source, None | Some(TokenSource::Usage));
    let near = mean.is_some_and(|mean| (mean - asked).abs() <= limits::OTHER_TOKENIZER * asked);
    let lengths = facts.completed().filter_map(|r| r.output_tokens);
    let (exact, all) = lengths.fold((0, 0), |(exact, all), n| {
        (exact + usize::from((n - asked).abs() <= 1.0), all + 1)
    });
    // A count that mostly gives the length asked for can be trusted with the rest.
    let by_server = by_server || 2 * exact > all;
    if !by_server && near && mean.is_some_and(|mean| (mean - asked).abs() > 1.0) {
        // As far off as another tokenizer's count may be.
        return Err(Missing(
            "the server's count of the output tokens".to_owned(),
        ));
    }
    let tokens: Option<Vec<f64>> = facts.completed().map(|r| r.output_tokens).collect();
    if let Some(tokens) = tokens.filter(|t| !t.is_empty()) {
        let off = tokens.iter().filter(|n| (**n - asked).abs() > 1.0).count() as f64;
        let share = off / tokens.len() as f64;
        return fail_if(share > limits::LENGTH_NOT_OBEYED, || {
            format!(
                "{} asked of each answer; {} of them have another length.",
                counted(asked, "token"),
                percent(share)
            )
        });
    }
    let mean = mean.need("output tokens")?;
    fail_if((mean - asked).abs() > 1.0, || {
        format!(
            "{} asked of each answer, {} on average.",
            counted(asked, "token"),
            figure(mean)
        )
    })
}

/// Mean output tokens of an answer.
fn mean_output(facts: &Facts) -> Option<f64> {
    let stated = output_lengths(facts).and_then(|s| s.mean);
    stated.or_else(|| {
        let n = facts.counts.completed.filter(|n| *n > 0.0)?;
        Some(facts.tokens.output? / n)
    })
}

pub(super) fn resent(facts: &Facts) -> Checked {
    let retries = facts.counts.retries.need("retries")?;
    fail_if(retries > 0.0, || {
        format!("{} sent again.", counted(retries, "request"))
    })
}

pub(super) fn truncated_answers(facts: &Facts) -> Checked {
    // A run of ours asks each answer for a length of its own.
    if facts.tokens.asked_output.is_some() || facts.format.is_own() {
        return Ok(Answer::NotApplicable);
    }
    let reasons = &facts.counts.finish_reasons;
    (!reasons.is_empty()).then_some(()).need("finish reasons")?;
    let all: u64 = reasons.values().sum();
    let completed = facts.counts.completed;
    completed
        .is_none_or(|n| all as f64 + 0.5 > n)
        .then_some(())
        .need("finish reasons of all answers")?;
    let cut = reasons.get("length").copied().unwrap_or(0);
    let share = cut as f64 / all.max(1) as f64;
    fail_if(share > limits::TRUNCATED, || {
        format!(
            "{} of the answers ended at the limit of their length.",
            percent(share)
        )
    })
}
