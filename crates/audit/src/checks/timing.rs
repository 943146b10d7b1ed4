//! Checks of what a measurement's time was spent on: requests, or the client's own work.
//!
//! Does not look at the client's cores. Invariant: time that a load leaves idle is not called the
//! client's: only what lies outside every request of a loop that never waits, or before the first
//! request and behind the last.

use crate::check::{
    Answer, Check, Checked, Dimension, Missing, Need, OwnRun, Question, Scope, Test, fail_if,
};
use crate::facts::{Facts, LoadModel, Metric, Request, TokenSource};
use crate::format::Tokenising;
use crate::limits;
use crate::number::{figure, percent};
use crate::shape::output_lengths;
use infermeter_core::finding::{Severity, Weight};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "time-outside-requests",
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "The duration holds time in which the client asked for nothing.",
            advice: "Make inputs before, store and count answers after; else divide by the requests' time.",
            run: OwnRun::Silent,
            test: Test::One(time_outside_requests),
        },
    },
    Check {
        code: "tokenising-inside-timing",
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "The client counts tokens while it times.",
            advice: "Count tokens after the measurement, or take the server's usage.",
            run: OwnRun::Silent,
            test: Test::One(tokenising_inside_timing),
        },
    },
];

/// Seconds of a duration that no request explains, and where they lie.
struct Outside {
    seconds: f64,
    place: &'static str,
}

fn time_outside_requests(facts: &Facts) -> Checked {
    if facts.format.is_own() {
        // Its throughput counts what arrives inside the window.
        return Ok(Answer::NotApplicable);
    }
    let duration = facts.load.duration_s.filter(|s| *s > 0.0);
    let duration = duration.need("duration")?;
    let outside = match around_requests(facts, duration) {
        Some(outside) => outside,
        None => between_requests(facts, duration)?,
    };
    let share = outside.seconds / duration;
    fail_if(share > limits::TIME_OUTSIDE, || {
        format!(
            "{} of the {} s {} (making inputs, storing answers, counting tokens?).",
            percent(share),
            figure(duration),
            outside.place
        )
    })
}

/// Before the first request and behind the last one, less what gaps of the load explain.
fn around_requests(facts: &Facts, duration: f64) -> Option<Outside> {
    if !facts.has_all_requests() {
        return None;
    }
    let span = |r: &Request| Some((r.start_s?, r.start_s? + r.end_to_end_ms()? / 1e3));
    let spans: Vec<(f64, f64)> = facts.completed().map(span).collect::<Option<_>>()?;
    let every = facts.requests.len() == spans.len();
    if !every || spans.len() < 2 {
        return None;
    }
    let first = spans.iter().map(|s| s.0).fold(f64::INFINITY, f64::min);
    let sent_last = spans.iter().map(|s| s.0).fold(f64::NEG_INFINITY, f64::max);
    let last = spans.iter().map(|s| s.1).fold(f64::NEG_INFINITY, f64::max);
    let gap = match facts.load.model {
        Some(LoadModel::Closed | LoadModel::Burst) => 0.0,
        Some(LoadModel::Open) | None => (sent_last - first) / (spans.len() - 1) as f64,
    };
    Some(Outside {
        // Ten mean gaps: by chance a Poisson load leaves so much at its two ends once in 2,000.
        seconds: (duration - (last - first) - 10.0 * gap).max(0.0),
        place: "lie before the first request or after the last one",
    })
}

/// What a closed loop's slots spend outside requests, less what the slots wait for at the end.
fn between_requests(facts: &Facts, duration: f64) -> Result<Outside, Missing> {
    let instants = "send instant and E2E of every request";
    match facts.load.model.need("load model")? {
        LoadModel::Closed => {}
        LoadModel::Open | LoadModel::Burst => return Err(Missing(instants.to_owned())),
    }
    let slots = facts.load.concurrency.filter(|c| *c >= 1.0);
    let slots = slots.need("concurrency")?;
    let completed = facts.counts.completed.need("completed requests")?;
    // How long failed requests took is not said.
    let failed = facts.counts.failed.need("failed requests")?;
    (failed == 0.0).then_some(()).need(instants)?;
    let e2e = facts.latency.get(&Metric::E2e).need("mean E2E")?;
    let mean = e2e.mean.need("mean E2E")?;
    // Fewer requests than slots leave slots that never had one.
    let slots = slots.min(completed.max(1.0));
    let at_end = match slots > 1.0 {
        true => e2e.max.need("longest E2E")? * (1.0 - 1.0 / slots),
        false => 0.0,
    };
    let busy = completed * mean / 1e3 / slots;
    Ok(Outside {
        seconds: (duration - busy - at_end / 1e3).max(0.0),
        place: "lie outside every request",
    })
}

fn tokenising_inside_timing(facts: &Facts) -> Checked {
    let counted = facts.tokens.output.or(facts.rates.output);
    let lengths = output_lengths(facts).and_then(|s| s.mean);
    counted.or(lengths).need("output tokens")?;
    if facts.tokens.source == Some(TokenSource::Usage) {
        return Ok(Answer::Pass);
    }
    match facts.format.tokenising() {
        Tokenising::OutsideTiming => Ok(Answer::Pass),
        Tokenising::InsideDuration => Ok(Answer::Fail(
            "This tool counts an answer's tokens before it sends the next request: the slot is empty \
             meanwhile, and the duration goes on."
                .to_owned(),
        )),
        Tokenising::Unknown => Err(Missing("when the client counted tokens".to_owned())),
    }
}
