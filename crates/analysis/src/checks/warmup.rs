//! The warm-up.

use super::Check;
use super::counted;
use crate::limits::{BAND_SHARE, SHORT_WINDOW_S};
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::request::length_band;
use infermeter_core::schedule::Phase;
use infermeter_metrics::facts::RequestFacts;
use std::collections::{BTreeMap, BTreeSet};

/// The measured window began on a cold server.
pub const NO_WARMUP: Check = Check {
    code: "no-warmup",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: no_warmup,
};

fn no_warmup(_: &Run, summary: &Summary) -> Option<Finding> {
    (summary.warmup.requests == 0).then(|| {
        NO_WARMUP.found(
            "No warm-up: the measured window includes the start of load.",
            format!(
                "Asked for: {}; no request came before the window.",
                summary.warmup.asked
            ),
            "Leave --warmup at its default, or ask for at least 30s.",
        )
    })
}

/// The default warm-up of short windows.
pub const SHORT_WARMUP: Check = Check {
    code: "short-warmup",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: short_warmup,
};

fn short_warmup(run: &Run, summary: &Summary) -> Option<Finding> {
    let plan = &run.manifest.plan;
    let short = plan.duration?.as_seconds() <= SHORT_WINDOW_S;
    (plan.warmup.is_none() && short && summary.warmup.requests > 0).then(|| {
        SHORT_WARMUP.found(
            "The warm-up is the short one of windows up to 60 s.",
            format!(
                "{} before the window, {}.",
                seconds(summary),
                counted(summary.warmup.requests, "request")
            ),
            "Use --warmup 30s or a longer --duration for figures to publish.",
        )
    })
}

/// Prompt lengths, by factors of two, that the window has and the warm-up had not: their first
/// requests may have met a cold path (a graph to capture, a kernel to compile).
pub(super) const UNWARMED_LENGTHS: Check = Check {
    code: "unwarmed-lengths",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: unwarmed_lengths,
};

fn unwarmed_lengths(run: &Run, summary: &Summary) -> Option<Finding> {
    if summary.warmup.requests == 0 {
        return None;
    }
    let band = |r: &RequestFacts| length_band(r.requested_prompt_tokens);
    let requests = &run.collected.requests;
    let of = |phase| requests.iter().filter(move |r| r.phase == phase);
    let warm: BTreeSet<u32> = of(Phase::Warmup).map(band).collect();
    let mut measured: BTreeMap<u32, u64> = BTreeMap::new();
    of(Phase::Measure).for_each(|r| *measured.entry(band(r)).or_default() += 1);
    let all: u64 = measured.values().sum();
    let cold: Vec<String> = measured
        .iter()
        .filter(|(band, n)| !warm.contains(band) && **n as f64 >= BAND_SHARE * all as f64)
        .map(|(band, n)| {
            let requests = counted(*n, "request");
            format!(
                "{} to {} tokens ({requests})",
                1_u64 << band,
                (2_u64 << band) - 1
            )
        })
        .collect();
    (!cold.is_empty()).then(|| {
        UNWARMED_LENGTHS.found(
            "Some prompt lengths of the window did not occur in the warm-up.",
            format!("{}.", cold.join(", ")),
            "Use a longer --warmup.",
        )
    })
}

fn seconds(summary: &Summary) -> String {
    match summary.warmup.seconds {
        Some(s) => format!("{s:.1} s"),
        None => "Some time".to_owned(),
    }
}
