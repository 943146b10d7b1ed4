//! What the client did that a server's user would not.

use super::{Check, count, machine, percent};
use crate::distribution::Distribution;
use crate::limits::{CONNECTING_SHARE_OF_TTFT, NEW_CONNECTIONS_NOTE, NEW_CONNECTIONS_WARNING};
use crate::reach::gaps;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::schedule::Phase;
use infermeter_metrics::facts::RequestFacts;

/// Connections opened inside measured requests: connect and TLS are part of their TTFT. Those that a
/// server cost which could not be reached are in the finding about that.
pub const CONNECTIONS_OPENED_INSIDE: Check = Check {
    code: "connections-opened-inside",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::NoteUpToLimit,
    limit: Some(NEW_CONNECTIONS_WARNING),
    test: connections_inside,
};

fn connections_inside(run: &Run, summary: &Summary) -> Option<Finding> {
    let requests = &summary.requests;
    let reopened = reopened(run);
    let opened = requests
        .measured_on_new_connections
        .saturating_sub(reopened);
    let share = opened as f64 / requests.measured_sent.max(1) as f64;
    if share <= NEW_CONNECTIONS_NOTE || connecting_is_nothing(summary) {
        return None;
    }
    let severity = CONNECTIONS_OPENED_INSIDE.weigh(share)?;
    let connect = summary.latency.connect.as_ref().and_then(|d| d.mean);
    let cost = connect.map_or(String::new(), |m| {
        format!(" Connecting took {:.2} ms on average.", m.value)
    });
    Some(CONNECTIONS_OPENED_INSIDE.weighing(
        severity,
        format!(
            "{} of the measured requests opened a connection; that time is in their TTFT.",
            percent(share)
        ),
        format!(
            "{} of {} requests.{cost}",
            count(opened),
            count(requests.measured_sent)
        ),
        match single_use(run, summary) {
            None => {
                "See whether the server closes idle connections early, and set --keepalive below that; \
                 --retry-stale sends what met a closed one again."
            }
            Some(_) => "The server closes each connection after its answer: no flag changes that.",
        },
    ))
}

/// Connect and TLS took a share of the TTFT that nobody would see: loopback, a sidecar.
fn connecting_is_nothing(summary: &Summary) -> bool {
    let mean = |d: &Option<Distribution>| d.as_ref().and_then(|d| d.mean).map(|m| m.value);
    let (connect, tls) = (mean(&summary.latency.connect), mean(&summary.latency.tls));
    let (Some(connect), Some(ttft)) = (connect, summary.ttft_p50_ms()) else {
        return false;
    };
    connect + tls.unwrap_or(0.0) <= ttft * CONNECTING_SHARE_OF_TTFT
}

/// Measured requests that opened a connection because the server had been away.
fn reopened(run: &Run) -> u64 {
    let gaps = gaps(run);
    let because = |r: &&RequestFacts| {
        let at = r.send_start.filter(|_| r.new_connection == Some(true));
        at.is_some_and(|at| gaps.iter().any(|gap| gap.explains_connect_at(at)))
    };
    let requests = run.collected.requests.iter();
    let measured = requests.filter(|r| r.phase == Phase::Measure);
    measured.filter(because).count() as u64
}

/// The server closes each connection after its answer, though it says that it keeps them.
pub(super) const CONNECTIONS_SINGLE_USE: Check = Check {
    code: "connections-single-use",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: single_use,
};

fn single_use(_: &Run, summary: &Summary) -> Option<Finding> {
    let threads = summary.client.threads.as_ref()?;
    let n = threads.connections_single_use;
    (n > 0).then(|| {
        CONNECTIONS_SINGLE_USE.found(
            "The server closes each connection after its answer, though it promises to keep it: each \
             request got a connection of its own.",
            format!(
                "{} of {} connections were closed after one answer.",
                count(n),
                count(threads.connections_opened)
            ),
            "Nothing to do here. Where connecting is expensive (TLS, a long way), put a proxy before the \
             server that keeps its clients' connections.",
        )
    })
}

/// Requests were written to a second connection because the first was stale (`--retry-stale`).
pub const RESENT: Check = Check {
    code: "resent",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: resent,
};

fn resent(run: &Run, _: &Summary) -> Option<Finding> {
    let requests = &run.collected.requests;
    let resent = requests.iter().filter(|r| r.attempts > 1).count() as u64;
    (resent > 0).then(|| {
        RESENT.found(
            "Requests were sent again after their reused connection had died.",
            format!(
                "{} of {} requests; the failed attempt is inside their latency.",
                count(resent),
                count(requests.len() as u64)
            ),
            "Set --keepalive below the time after which the server closes idle connections.",
        )
    })
}

/// A request was due before its body was made.
pub(super) const BODIES_LATE: Check = Check {
    code: "bodies-late",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: bodies_late,
};

fn bodies_late(_: &Run, summary: &Summary) -> Option<Finding> {
    let late = summary.client.threads.as_ref()?.bodies_late;
    (late > 0).then(|| {
        BODIES_LATE.found(
            "Requests were due before their bodies were ready: prompts are made too slowly.",
            format!("{late} times; the wait is in the send lag."),
            "Use shorter prompts, a prepared workload, or a machine with a free core.",
        )
    })
}

/// Requests waited for a connection because of the cap. That of the system is a finding of its own.
pub(super) const WAITS_FOR_CONNECTION: Check = Check {
    code: "waits-for-connection",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: waits_for_cap,
};

fn waits_for_cap(run: &Run, summary: &Summary) -> Option<Finding> {
    if machine::too_few_connections(run, summary).is_some() {
        return None;
    }
    let waits = summary.client.threads.as_ref()?.waits_for_cap;
    (waits > 0).then(|| {
        let cap = run.manifest.plan.max_connections;
        let cap = cap.map_or("the default cap".to_owned(), |c| format!("a cap of {c}"));
        WAITS_FOR_CONNECTION.found(
            "Requests waited for a free connection; their intended time stands.",
            format!("{waits} times under {cap}; the wait is in the send lag."),
            "Raise --max-connections unless the cap is what you study.",
        )
    })
}

/// Some reads came without the kernel's stamp.
pub(super) const READS_WITHOUT_STAMP: Check = Check {
    code: "reads-without-stamp",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: reads_without_stamp,
};

fn reads_without_stamp(_: &Run, summary: &Summary) -> Option<Finding> {
    let threads = summary.client.threads.as_ref()?;
    // Responses that hold such reads have a finding of their own.
    if threads.reads_without_stamp == 0 || summary.client.stamps.program > 0 {
        return None;
    }
    Some(READS_WITHOUT_STAMP.found(
        "Some reads came without the kernel's stamp, none of them in a measured response.",
        format!(
            "{} of {} reads.",
            count(threads.reads_without_stamp),
            count(threads.reads)
        ),
        "Nothing to do.",
    ))
}
