//! Start-up, slow-down, drift, saturation, and the recorder's self-test.
//!
//! One cause, one finding: a freeze, a slower server, a growing queue and a start-up all move every series,
//! and the first of these that is found is the one that is told.

use super::{Check, by_scope, percent};
use crate::limits::{RESIDENCE_TOLERANCE, STEADY_EXPECTED_S};
use crate::run::Run;
use crate::stability::{KeepsUp, StabilitySummary};
use crate::steady::{Steadiness, SteadySeries};
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};

/// The server works slower at the end than at the start.
pub const SERVER_SLOWS_DOWN: Check = Check {
    code: "server-slows-down",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: slows_down,
};

fn slows_down(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = summary.slow_down?;
    Some(SERVER_SLOWS_DOWN.found(
        format!(
            "The server became slower under the same load: a token took {:.1} times as long at the end \
             of the window as at its start.",
            found.ratio()
        ),
        format!(
            "TPOT {:.1} ms over the first third of the window, {:.1} ms over the last (trend p = {}); \
             {:.1} streams decoded beside one another, then {:.1}.",
            found.first_tpot_ms,
            found.last_tpot_ms,
            p_value(found.p_value),
            found.first_decoding,
            found.last_decoding,
        ),
        "Look for what changed on the server: clocks lowered by heat or power, other work on its \
         accelerators or cores, memory that fills. A queue or requests in flight that grow are its \
         consequence; no lower --rate cures it.",
    ))
}

/// The server does not keep up with the arrivals.
pub const UNSTABLE_LOAD: Check = Check {
    code: "unstable-load",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: unstable_load,
};

fn unstable_load(_: &Run, summary: &Summary) -> Option<Finding> {
    if !is_unstable(summary) {
        return None;
    }
    let found = summary.load.as_ref()?.stability.as_ref()?;
    let (first, last) = (found.inside.first()?, found.inside.last()?);
    Some(UNSTABLE_LOAD.found(
        "The server does not keep up with this load: the queue grows, and every latency depends on \
         how long the run was.",
        format!(
            "{} arrived and {} ended in the window; requests in flight went from {first:.1} to \
             {last:.1} between its first and its last tenth (p = {}){}.",
            super::count(found.arrivals as u64),
            super::count(found.departures as u64),
            p_value(found.p_value),
            never_empty(found),
        ),
        "Lower --rate until the load is stable. The throughput is the server's at overload; the \
         latencies are nobody's.",
    ))
}

/// `; the queue was never empty in the last third, by the server's waiting gauge`, where that is known.
fn never_empty(found: &StabilitySummary) -> String {
    let by = found.emptied_by.filter(|_| found.emptied == Some(false));
    by.map_or_else(String::new, |by| {
        format!(
            "; the queue was never empty in the last third, {}",
            by.told()
        )
    })
}

/// The signs of saturation do not agree, or, for figures to publish, there are none.
pub(super) const STABILITY_UNDECIDED: Check = Check {
    code: "stability-undecided",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::ByScope,
    limit: None,
    test: stability_undecided,
};

fn stability_undecided(run: &Run, summary: &Summary) -> Option<Finding> {
    let found = summary.load.as_ref()?.stability.as_ref()?;
    let publication = run.manifest.plan.publication;
    let full = found.emptied == Some(false);
    let message = if full {
        "It cannot be told whether the server keeps up: the queue was never seen empty in the last \
         third, but nothing grows clearly."
    } else {
        "It cannot be told whether the server keeps up: nothing shows when its queue was empty."
    };
    (found.answer == KeepsUp::Undecided && (full || publication)).then(|| {
        STABILITY_UNDECIDED.weighing(
            by_scope(run),
            message,
            format!(
                "{} arrived and {} ended in the window; trend of the requests in flight p = {}{}.",
                super::count(found.arrivals as u64),
                super::count(found.departures as u64),
                p_value(found.p_value),
                never_empty(found),
            ),
            "Measure longer: a minute cannot tell a load of 0.98 of the capacity from one of 1.02.",
        )
    })
}

/// The start-up reaches into the window.
pub const WARMUP_TOO_SHORT: Check = Check {
    code: "warmup-too-short",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: warmup_too_short,
};

fn warmup_too_short(_: &Run, summary: &Summary) -> Option<Finding> {
    let start_up = &summary.steady.as_ref()?.start_up;
    if is_explained(summary) || summary.warmup.requests == 0 {
        return None;
    }
    let needed = start_up.needed_s?;
    let level = start_up.relative.map_or_else(String::new, |relative| {
        let side = if relative < 0.0 { "below" } else { "above" };
        format!(
            " Until then the level lay {} {side} what follows.",
            percent(relative.abs())
        )
    });
    Some(WARMUP_TOO_SHORT.found(
        "The start-up outlasted the warm-up: the window's first part is not the steady server.",
        format!(
            "Warm-up {} s; the start-up ended {needed} s after the first request.{level}",
            start_up.warmup_s
        ),
        format!("Use --warmup {needed}s or more."),
    ))
}

/// Something drifts over the window.
pub const DRIFT: Check = Check {
    code: "drift",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: drift,
};

fn drift(_: &Run, summary: &Summary) -> Option<Finding> {
    let steady = summary.steady.as_ref()?;
    if is_explained(summary) || steady.start_up.answer == Steadiness::NotSteady {
        return None;
    }
    let drifting = steady.series.iter();
    let drifting = drifting.filter(|s| s.answer == Steadiness::NotSteady);
    let list: Vec<String> = drifting.map(told).collect();
    (!list.is_empty()).then(|| {
        DRIFT.found(
            "The server was not the same over the window: figures over all of it describe no moment.",
            format!("{}.", list.join("; ")),
            "Look for what changed (caches that fill, throttling, other load), lengthen the warm-up, and \
             measure again.",
        )
    })
}

/// `TTFT from 52 to 81 (halves +41.2 %, trend p = 0.0002)`.
fn told(series: &SteadySeries) -> String {
    let name = match series.name.as_ref() {
        "ttft" => "TTFT, ms,",
        "tpot" => "TPOT, ms,",
        "output_tokens" => "output tokens/s",
        _ => "requests in flight",
    };
    let ends = series.batch_means.first().zip(series.batch_means.last());
    let ends = ends.map_or_else(String::new, |(a, b)| format!(" from {a:.1} to {b:.1}"));
    let halves = series.halves_relative.map_or_else(String::new, |relative| {
        let sign = if relative < 0.0 { "-" } else { "+" };
        format!("second half {sign}{}, ", percent(relative.abs()))
    });
    let trend = series.p_value.map_or_else(|| "unknown".to_owned(), p_value);
    format!("{name}{ends} ({halves}trend p = {trend})")
}

fn p_value(p: f64) -> String {
    if p < 0.0001 {
        "under 0.0001".to_owned()
    } else {
        format!("{p:.4}")
    }
}

/// Another finding says why series move.
fn is_explained(summary: &Summary) -> bool {
    has_frozen(summary) || summary.slow_down.is_some() || is_unstable(summary)
}

fn has_frozen(summary: &Summary) -> bool {
    summary.silence.as_ref().is_some_and(|s| s.freezes > 0)
}

/// The queue grows because of the load: not because the server became slower, nor behind a freeze that
/// the window has not outlived.
fn is_unstable(summary: &Summary) -> bool {
    let load = summary.load.as_ref();
    let stability = load.and_then(|load| load.stability.as_ref());
    let unstable = stability.is_some_and(|s| s.answer == KeepsUp::Unstable);
    unstable && summary.slow_down.is_none() && !froze_late(summary)
}

/// A freeze reaches into the window's second half.
fn froze_late(summary: &Summary) -> bool {
    let Some((silence, window_s)) = summary.silence.as_ref().zip(summary.window_s) else {
        return false;
    };
    let mut freezes = silence.longest.iter();
    freezes.any(|f| f.at_s + f.length_ms / 1e3 > window_s / 2.0)
}

/// A window long enough for an answer gave none.
pub(super) const STEADY_UNDECIDED: Check = Check {
    code: "steady-undecided",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: steady_undecided,
};

fn steady_undecided(_: &Run, summary: &Summary) -> Option<Finding> {
    let steady = summary.steady.as_ref()?;
    let long = summary.window_s? >= STEADY_EXPECTED_S;
    if !long || steady.answer != Steadiness::Undecided || summary.requests.measured.total == 0 {
        return None;
    }
    let undecided = steady.series.iter();
    let undecided = undecided.filter(|s| s.answer == Steadiness::Undecided);
    let mut what: Vec<&str> = undecided.map(|s| s.name.as_ref()).collect();
    if steady.start_up.answer == Steadiness::Undecided {
        what.push("start-up (no steady part begins in the first half)");
    }
    Some(STEADY_UNDECIDED.found(
        "It cannot be told whether the window was steady.",
        format!("Undecided: {}.", what.join(", ")),
        "Measure longer, or repeat the run.",
    ))
}

/// Little's law on the run's own records does not hold.
pub(super) const RESIDENCE_DISAGREES: Check = Check {
    code: "residence-disagrees",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Error),
    limit: Some(RESIDENCE_TOLERANCE),
    test: residence_disagrees,
};

fn residence_disagrees(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = summary.load.as_ref()?.residence?;
    (found.difference > RESIDENCE_TOLERANCE).then(|| {
        RESIDENCE_DISAGREES.found(
            "Two ways to count the requests in flight disagree: the record contradicts itself.",
            format!(
                "{} by number, {} by time in flight; {:.1e} apart, at most {RESIDENCE_TOLERANCE:.0e}.",
                found.by_number, found.by_residence, found.difference
            ),
            "This is a defect of infermeter; please report it with the record.",
        )
    })
}

#[cfg(test)]
mod tests;
