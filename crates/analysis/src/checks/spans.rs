//! Spans of requests: whether they came, and whether they can be believed.
//!
//! Invariant: nothing is asked where no spans were asked for.

use super::{Check, percent};
use crate::limits;
use crate::percentile::Percentile;
use crate::run::Run;
use crate::spans::SpansSummary;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::number::{count, counted};
use infermeter_core::spans::SpanTally;

/// A check of spans.
const fn check(code: &'static str, weight: Weight, limit: Option<f64>, test: super::Ask) -> Check {
    Check {
        code,
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight,
        limit,
        test,
    }
}

const NOTE: Weight = Weight::Always(Severity::Note);

fn tally(summary: &Summary) -> Option<SpanTally> {
    summary.spans.as_ref()?.tally
}

/// Requests whose spans did not come.
pub(super) const SPANS_MISSING: Check = check(
    "spans-missing",
    Weight::NoteUpToLimit,
    Some(limits::SPANS_MISSING),
    spans_missing,
);

fn spans_missing(_: &Run, summary: &Summary) -> Option<Finding> {
    let spans = summary.spans.as_ref()?;
    let missing = spans.missing + spans.ambiguous + spans.unlike;
    if missing == 0 {
        return None;
    }
    let share = missing as f64 / spans.requests as f64;
    let severity = SPANS_MISSING.weigh(share)?;
    let message = match spans.joined {
        0 => "No span tells the server's time to first token: nothing is known of its parts.",
        _ => {
            "Some requests are not taken apart for want of a span: what is told of the parts is told \
             of the others."
        }
    };
    let advice = match spans.tally {
        Some(tally) if tally.messages == 0 => {
            "Have the engine send its spans here over HTTP, as with vLLM's --otlp-traces-endpoint \
             http://HOST:4318/v1/traces and OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf; another \
             host needs --spans=0.0.0.0:4318."
        }
        _ => {
            "If the engine keeps a sample of its traces, these are the others. Else look into its log \
             for spans that were dropped, and whether a gateway passes traceparent on."
        }
    };
    Some(SPANS_MISSING.weighing(severity, message, what_is_missing(spans), advice))
}

fn what_is_missing(spans: &SpansSummary) -> String {
    let mut text = format!(
        "{} of {} without a span that tells a time to first token",
        count(spans.missing),
        counted(spans.requests, "request")
    );
    if spans.ambiguous > 0 {
        text += &format!(", {} with spans of several engines", count(spans.ambiguous));
    }
    if spans.unlike > 0 {
        let unlike = count(spans.unlike);
        text += &format!(", {unlike} whose spans tell other parts than most");
    }
    match spans.tally {
        None => text + "; the run ended before all spans were counted.",
        Some(tally) => {
            text + &format!(
                "; {} came, {} of other traces, {} without a time that is known here.",
                counted(tally.spans, "span"),
                count(tally.foreign),
                count(tally.silent)
            )
        }
    }
}

/// Spans that came more than once.
pub(super) const SPANS_REPEATED: Check = check("spans-repeated", NOTE, None, spans_repeated);

fn spans_repeated(_: &Run, summary: &Summary) -> Option<Finding> {
    let tally = tally(summary).filter(|tally| tally.repeated > 0)?;
    Some(SPANS_REPEATED.found(
        "Spans came more than once: the first of each counts.",
        format!("{} of {} spans.", count(tally.repeated), count(tally.spans)),
        "An exporter sends again what it believes to be lost, or two of them send here: look into the \
         engine's log.",
    ))
}

/// What came and could not be read.
pub(super) const SPANS_MALFORMED: Check = check("spans-malformed", NOTE, None, spans_malformed);

fn spans_malformed(_: &Run, summary: &Summary) -> Option<Finding> {
    let tally = tally(summary)?;
    let bad = [
        (tally.refused, "messages that are no OTLP"),
        (tally.malformed, "spans without proper ids"),
        (tally.over_limit, "spans beyond the limit"),
        (tally.bad_times, "times that are none"),
    ];
    let bad = bad.iter().filter(|(n, _)| *n > 0);
    let bad: Vec<String> = bad
        .map(|(n, what)| format!("{what}: {}", count(*n)))
        .collect();
    if bad.is_empty() {
        return None;
    }
    Some(SPANS_MALFORMED.found(
        "Some of what came as spans is none, or is more than there is room for: it was left out.",
        format!("{}.", bad.join("; ")),
        "See that nothing but the engine's exporter sends to the address of --spans.",
    ))
}

/// The server's own time to first token holds more than the parts that it tells.
pub(super) const SPANS_RESIDUAL: Check = check(
    "spans-residual",
    NOTE,
    Some(limits::SPANS_RESIDUAL),
    spans_residual,
);

fn spans_residual(_: &Run, summary: &Summary) -> Option<Finding> {
    let residual = summary.spans.as_ref()?.residual.as_ref()?;
    let p99 = residual
        .share
        .get(&Percentile::new(99.0)?)?
        .order_statistic?;
    SPANS_RESIDUAL.weigh(p99)?;
    Some(SPANS_RESIDUAL.found(
        "The server's own times to first token are longer than queue, prefill and first step together, \
         or shorter.",
        format!(
            "{} apart at p99 over {}; {} is the most that is passed over.",
            percent(p99),
            counted(residual.n, "request"),
            percent(limits::SPANS_RESIDUAL)
        ),
        "The rest is what the engine's front end does between a request's arrival and its queue, and on \
         the way of the first token back: tokenising, and waiting for a process. It is shown as a part \
         of its own.",
    ))
}

/// The client's times are shorter than those of the server, which they contain.
pub(super) const SPANS_DISAGREE: Check = check(
    "spans-disagree",
    Weight::Always(Severity::Warning),
    Some(limits::SPANS_IMPOSSIBLE),
    spans_disagree,
);

fn spans_disagree(_: &Run, summary: &Summary) -> Option<Finding> {
    let spans = summary.spans.as_ref().filter(|spans| spans.joined > 0)?;
    let share = spans.impossible as f64 / spans.joined as f64;
    SPANS_DISAGREE.weigh(share)?;
    Some(SPANS_DISAGREE.found(
        "By its spans the server took longer to the first token than the client waited for it: one of \
         the two is wrong.",
        format!(
            "{} of {}.",
            count(spans.impossible),
            counted(spans.joined, "request that was taken apart")
        ),
        "See what the engine's time to first token begins and ends with, and whether its clock is steady.",
    ))
}

#[cfg(test)]
mod tests;
