//! Streams that stood still: all of them, or some.

use super::{Check, count, counted, percent};
use crate::run::Run;
use crate::silence::FreezeSummary;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};

/// Freezes that the evidence names.
const NAMED: usize = 3;

/// Nothing came from the server for a time, though requests were in flight.
pub const SERVER_FROZE: Check = Check {
    code: "server-froze",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: froze,
};

fn froze(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = summary.silence.as_ref()?;
    let mut longest = found.longest.clone();
    longest.sort_by(|a, b| b.length_ms.total_cmp(&a.length_ms));
    let first = longest.first()?;
    let named: Vec<String> = longest.iter().take(NAMED).map(told).collect();
    let more = match found.freezes - named.len() {
        0 => String::new(),
        more => format!("; {more} more, shorter"),
    };
    Some(SERVER_FROZE.found(
        format!(
            "The server, or the way to it, stood still for {}: no stream got a token.",
            length(first.length_ms)
        ),
        format!("{}{more}.", named.join("; ")),
        "Look at server and network at that instant: garbage collection, swapping, a recompilation, a \
         pause of the machine, a link that was down. The requests it touched are in every percentile: \
         measure again, or publish the freeze with the figures.",
    ))
}

/// `2,003 ms from second 7.31 of the window on, 22 requests in flight, about 400 chunks missing`.
fn told(freeze: &FreezeSummary) -> String {
    format!(
        "{} ms from second {:.2} of the window on, {} in flight, about {} missing",
        count(freeze.length_ms.round() as u64),
        freeze.at_s,
        counted(freeze.requests, "request"),
        counted(freeze.missing as u64, "chunk"),
    )
}

/// Some streams hang while the others go on.
pub const STREAMS_HANG: Check = Check {
    code: "streams-hang",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: streams_hang,
};

fn streams_hang(_: &Run, summary: &Summary) -> Option<Finding> {
    let hangs = summary.silence.as_ref()?.hangs?;
    let share = hangs.requests as f64 / hangs.examined as f64;
    let before = match hangs.before_first_token {
        0 => String::new(),
        before => format!(", {} of them before the first token", count(before)),
    };
    Some(STREAMS_HANG.found(
        format!(
            "{} of the streams stood still for a while, up to {}, while others went on.",
            percent(share),
            length(hangs.longest_ms)
        ),
        format!(
            "{} of {} streams{before}; the longest for {} ms, up to second {:.2} of the window.",
            count(hangs.requests),
            count(hangs.examined),
            count(hangs.longest_ms.round() as u64),
            hangs.longest_to_s,
        ),
        "Look for what meets single requests: preemption for want of KV cache, one replica or \
         connection of several, a proxy. Means hide it; read p95 and beyond, and stalls.",
    ))
}

fn length(ms: f64) -> String {
    format!("{:.1} s", ms / 1e3)
}
