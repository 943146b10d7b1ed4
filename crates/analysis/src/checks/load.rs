//! Whether the load was the one asked for.

use super::{Check, by_scope, count, percent, waited_for_a_core};
use crate::limits::{
    self, DRAIN_SHARE_OF_E2E, SEND_LAG_MS, SEND_LAG_SHARE_OF_TTFT, SHORTEST_LEVEL_S, UNDELIVERED,
};
use crate::percentile::Percentile;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::plan::RateProfile;
use infermeter_core::run::LoadModel;
use infermeter_metrics::origin::Origin;

/// In open loop the client sent late: its own delay is inside the intended latencies.
pub const SEND_LAG: Check = Check {
    code: "send-lag",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Tiered,
    limit: Some(SEND_LAG_MS),
    test: send_lag,
};

fn send_lag(run: &Run, summary: &Summary) -> Option<Finding> {
    if run.manifest.load_model != LoadModel::OpenLoop {
        return None;
    }
    let p99 = Percentile::new(99.0)?;
    let over_all = summary.client.send_lag.as_ref()?.order_statistic(p99)?;
    // One late rank among many does not show in the requests of all.
    let ranks = summary.client.ranks.as_ref();
    let latest = ranks.and_then(|ranks| ranks.latest(p99));
    let latest = latest.filter(|latest| latest.ms > over_all);
    let lag = latest.as_ref().map_or(over_all, |latest| latest.ms);
    let whose = latest.map_or_else(String::new, |latest| {
        format!(
            " of {}, the latest ({over_all:.2} ms over all ranks)",
            latest.rank
        )
    });
    let ttft = summary.ttft_p50_ms().unwrap_or(0.0);
    let limit = SEND_LAG_MS.max(SEND_LAG_SHARE_OF_TTFT * ttft);
    let severity = SEND_LAG.weight.of(lag, limit)?;
    Some(SEND_LAG.weighing(
        severity,
        "Requests were sent later than intended by the client itself.",
        format!(
            "Send lag p99 {lag:.2} ms{whose}; invalid beyond {limit:.2} ms, questionable beyond a fifth of \
             it.{}",
            waited_for_a_core(summary)
        ),
        "Use more --threads or a stronger or quieter client machine, or raise --max-connections.",
    ))
}

/// A load that was kept too short a time to tell one below the capacity from one above it. A warning
/// where the run is for publication.
pub const SHORT_LEVEL: Check = Check {
    code: "short-level",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::ByScope,
    limit: Some(SHORTEST_LEVEL_S),
    test: short_level,
};

fn short_level(run: &Run, summary: &Summary) -> Option<Finding> {
    let plan = &run.manifest.plan;
    let window = summary.window_s?;
    let level = match &plan.rate_profile {
        Some(RateProfile::Steps { steps, .. }) => {
            let spans = steps.iter().map(|step| step.span.as_seconds());
            spans.fold(window, f64::min)
        }
        _ => window,
    };
    let measured = &summary.requests.measured;
    (level < SHORTEST_LEVEL_S && measured.total > measured.not_sent).then(|| {
        SHORT_LEVEL.weighing(
            by_scope(run),
            "The load was measured for too short a time to tell whether the server keeps up with it.",
            format!("{level:.1} s at one load; at least {SHORTEST_LEVEL_S:.0} s, better five minutes."),
            "Use a longer --duration.",
        )
    })
}

/// In closed loop the client took its time between an answer and the slot's next request: the load
/// and the throughput are lower than the slots would give.
pub(super) const SLOT_LAG: Check = Check {
    code: "slot-lag",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Tiered,
    limit: Some(limits::SLOT_LAG),
    test: slot_lag,
};

fn slot_lag(run: &Run, summary: &Summary) -> Option<Finding> {
    let threads = summary.client.threads.as_ref();
    let capped = threads.is_some_and(|threads| threads.waits_for_cap > 0);
    if run.manifest.load_model != LoadModel::ClosedLoop || capped {
        return None;
    }
    let median = Percentile::new(50.0)?;
    let lag = summary.client.send_lag.as_ref()?.order_statistic(median)?;
    let answer = summary.latency.e2e.from(Origin::Send)?;
    let answer = answer.order_statistic(median)?;
    let share = lag / (lag + answer);
    let severity = SLOT_LAG.weigh(share)?;
    Some(SLOT_LAG.weighing(
        severity,
        format!(
            "The client itself took {} of each slot's time, between an answer's end and the next send.",
            percent(share)
        ),
        format!(
            "Lag p50 {lag:.2} ms, E2E p50 {answer:.2} ms; invalid beyond {}, questionable beyond a \
             fifth of it.{}",
            percent(limits::SLOT_LAG),
            waited_for_a_core(summary)
        ),
        "Use more --threads or a stronger or quieter client machine.",
    ))
}

/// The requests of the window were not sent inside it.
pub const LOAD_NOT_DELIVERED: Check = Check {
    code: "load-not-delivered",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Tiered,
    limit: Some(UNDELIVERED),
    test: undelivered,
};

fn undelivered(_: &Run, summary: &Summary) -> Option<Finding> {
    let load = summary.load.as_ref()?;
    let missing = 1.0 - load.sent_share?;
    let severity = LOAD_NOT_DELIVERED.weigh(missing)?;
    let offered = &load.offered;
    Some(LOAD_NOT_DELIVERED.weighing(
        severity,
        format!(
            "{} of the measured requests were not sent inside the window.",
            percent(missing)
        ),
        format!(
            "{} measured requests, {} sent inside; due {:.2}/s, sent {:.2}/s.",
            count(offered.measured),
            count(offered.measured_sent_inside),
            load.rate_due_per_s,
            load.rate_sent_per_s
        ),
        "Raise --max-connections or --threads; a load that the client cannot send says nothing \
         about the server.",
    ))
}

/// In closed loop each slot waits for its answer: a slow server gets less load. Published latencies
/// ought to come from an open loop.
pub const CLOSED_LOOP: Check = Check {
    code: "closed-loop",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::ByScope,
    limit: None,
    test: closed_loop,
};

fn closed_loop(run: &Run, _: &Summary) -> Option<Finding> {
    let severity = by_scope(run);
    (run.manifest.load_model == LoadModel::ClosedLoop).then(|| {
        CLOSED_LOOP.weighing(
            severity,
            "Closed loop: latency is self-throttled, and counted from the send.",
            format!("{} slots.", run.manifest.plan.concurrency.unwrap_or(0)),
            "Use --rate to see what users see who do not wait for each other.",
        )
    })
}

/// The trace ended before the last measured request did.
pub(super) const DRAIN_WITHOUT_LOAD: Check = Check {
    code: "drain-without-load",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: drain_without_load,
};

fn drain_without_load(run: &Run, summary: &Summary) -> Option<Finding> {
    let progress = run
        .manifest
        .progress
        .as_ref()
        .filter(|p| p.drain_without_load)?;
    let window = run.manifest.window?;
    let emptying_ms = progress.ended.since(window.end) as f64 / 1e6;
    let e2e = summary.latency.e2e.from(summary.headline_origin);
    let usual = e2e.and_then(|d| d.order_statistic(Percentile::DEFAULT[0]));
    if usual.is_some_and(|usual| emptying_ms < usual * DRAIN_SHARE_OF_E2E) {
        return None;
    }
    Some(DRAIN_WITHOUT_LOAD.found(
        "The trace ended before the measured requests did: the last of them ran on an emptying \
         server.",
        format!(
            "{:.2} s from the window's end to the run's end.",
            emptying_ms / 1e3
        ),
        "Use a longer trace, or a smaller --trace-limit of measured rows.",
    ))
}
