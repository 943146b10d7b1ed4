//! Requests that failed.

use super::{Check, count, counted, percent};
use crate::limits::FAILED;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::record::Reason;
use infermeter_metrics::outcomes::ReasonCount;

/// No request belongs to the measured phase.
pub const NOTHING_MEASURED: Check = Check {
    code: "nothing-measured",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Error),
    limit: None,
    test: nothing_measured,
};

fn nothing_measured(_: &Run, summary: &Summary) -> Option<Finding> {
    let measured = &summary.requests.measured;
    (measured.total == measured.not_sent).then(|| {
        NOTHING_MEASURED.found(
            "No measured request was sent: there is nothing to report.",
            format!(
                "{} requests in the warm-up, {} in the measured phase, none of these sent.",
                summary.warmup.requests, measured.total
            ),
            "Raise --duration, --requests or --rate, or shorten --warmup.",
        )
    })
}

/// Latencies are those of the requests that completed; the more fail, the less they say.
pub const FAILURES: Check = Check {
    code: "failures",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Tiered,
    limit: Some(FAILED),
    test: failures,
};

fn failures(_: &Run, summary: &Summary) -> Option<Finding> {
    let failed = summary.requests.failed?;
    let severity = FAILURES.weigh(failed.value)?;
    let reasons = &summary.requests.reasons;
    let list: Vec<String> = reasons.iter().take(3).map(reason).collect();
    Some(FAILURES.weighing(
        severity,
        match failed.count == failed.n {
            true => "All measured requests failed: there are no latencies to report.".to_owned(),
            false => format!(
                "{} of the measured requests failed; latencies are those of the others.",
                percent(failed.value)
            ),
        },
        format!(
            "{} of {}: {}.",
            count(failed.count as u64),
            count(failed.n as u64),
            list.join(", ")
        ),
        advice(reasons.first().map(|r| r.reason)),
    ))
}

/// What to do about the most frequent reason.
fn advice(reason: Option<Reason>) -> &'static str {
    match reason {
        Some(Reason::StaleConnection) => {
            "The server closes connections that are to be used again: set --keepalive below its own limit, \
             or use --retry-stale."
        }
        Some(Reason::PortsExhausted) => {
            "The client's source address has no local port left: give several with --source-address, spread \
             the load over several targets, or let connections be used again."
        }
        Some(Reason::LocalResource) => {
            "The client's machine lacks something: raise `ulimit -n`, widen \
             net.ipv4.ip_local_port_range, or set --max-connections."
        }
        _ => "Read the reasons; lower the load, or fix the request or the server, and run again.",
    }
}

/// Answers that began well and then carried an error.
pub(super) const IN_BAND_ERRORS: Check = Check {
    code: "in-band-errors",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: in_band_errors,
};

fn in_band_errors(_: &Run, summary: &Summary) -> Option<Finding> {
    let n = of_reason(summary, Reason::InBandError);
    (n > 0).then(|| {
        IN_BAND_ERRORS.found(
            "Answers that began with status 200 carried an error.",
            format!(
                "{} of {} measured requests; they count as failed.",
                count(n),
                count(summary.requests.measured.total)
            ),
            "Compare failures with tools that look at the status alone with care: they count these \
             as completed.",
        )
    })
}

/// Streams that broke off.
pub(super) const TRUNCATED_STREAMS: Check = Check {
    code: "truncated-streams",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: truncated_streams,
};

fn truncated_streams(_: &Run, summary: &Summary) -> Option<Finding> {
    let n = of_reason(summary, Reason::Truncated);
    (n > 0).then(|| {
        TRUNCATED_STREAMS.found(
            "Streams ended before the end of their body, or without a finish.",
            format!(
                "{} of {} measured requests; they count as failed, whatever they had delivered.",
                count(n),
                count(summary.requests.measured.total)
            ),
            "Look for a proxy that cuts long answers, and at the server's log.",
        )
    })
}

/// Bodies that went on behind the answer's end mark.
pub(super) const BODY_WITHOUT_END: Check = Check {
    code: "body-without-end",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: bodies_without_end,
};

fn bodies_without_end(_: &Run, summary: &Summary) -> Option<Finding> {
    let n = summary.client.threads.as_ref()?.bodies_without_end;
    (n > 0).then(|| {
        BODY_WITHOUT_END.found(
            "Answers were complete, and their bodies did not end.",
            format!(
                "{}; their connections were dropped 1 s after the end mark ([DONE]).",
                counted(n, "answer")
            ),
            "Have the server (or the proxy in front of it) end the body after the stream: clients that wait \
             for that hang, and no connection is used again.",
        )
    })
}

/// Measured requests that did not complete for this reason.
/// Measured requests that did not complete for this reason.
pub(super) fn of_reason(summary: &Summary, reason: Reason) -> u64 {
    let reasons = summary.requests.reasons.iter();
    let own = reasons.filter(|r| r.reason == reason);
    own.map(|r| r.count).sum()
}

fn reason(reason: &ReasonCount) -> String {
    let (n, name) = (count(reason.count), reason.reason.as_str());
    match reason.status {
        Some(status) if status != 200 => format!("{n} x {name} {status}"),
        _ => format!("{n} x {name}"),
    }
}
