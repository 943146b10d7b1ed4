//! The check of values that cannot be: not finite, negative, out of order.
//!
//! Looks at what a file states, not at whether it adds up.

use super::metrics::some_figure;
use crate::check::{Check, Checked, Dimension, Scope, Test, fail_if};
use crate::facts::{Facts, Metric, Request, Statistics};
use crate::number::counted;
use infermeter_core::finding::Severity;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[Check {
    code: "impossible-values",
    severity: Severity::Error,
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    message: "The file holds values that cannot be.",
    advice: "Do not use it before the tool is understood.",
    test: Test::One(impossible_values),
}];

fn impossible_values(facts: &Facts) -> Checked {
    let mut wrong = Vec::new();
    if facts.not_finite > 0 {
        let numbers = counted(facts.not_finite as f64, "number");
        wrong.push(format!("{numbers} not finite"));
    }
    let unequal = facts.unequal.iter();
    wrong.extend(unequal.map(|u| format!("arrays of unequal length ({u})")));
    let negative = negative_figures(facts);
    if !negative.is_empty() {
        wrong.push(format!("negative {}", negative.join(", ")));
    }
    for (metric, statistics) in &facts.latency {
        wrong.extend(wrong_statistics(metric.as_str(), statistics));
    }
    let mean = |metric| facts.latency.get(&metric).and_then(|s| s.mean);
    let order = mean(Metric::Ttft).zip(mean(Metric::E2e));
    if order.is_some_and(|(first, all)| is_beyond(first, all)) {
        wrong.push("mean TTFT beyond mean E2E".to_owned());
    }
    wrong.extend(wrong_requests(facts));
    if wrong.is_empty() {
        some_figure(facts)?;
    }
    fail_if(!wrong.is_empty(), || format!("{}.", wrong.join("; ")))
}

/// Counts, lengths and rates below 0.
fn negative_figures(facts: &Facts) -> Vec<&'static str> {
    let (load, counts, tokens, rates) = (&facts.load, &facts.counts, &facts.tokens, &facts.rates);
    let figures = [
        ("duration", load.duration_s),
        ("warm-up", load.warmup_s.or(load.warmup_requests)),
        ("number of requests", load.asked_requests),
        ("completed requests", counts.completed),
        ("failed requests", counts.failed),
        ("prompt tokens", tokens.input),
        ("output tokens", tokens.output),
        ("cached tokens", tokens.cached),
        ("request throughput", rates.requests),
        ("output throughput", rates.output),
        ("total throughput", rates.total),
    ];
    let below = figures
        .into_iter()
        .filter(|(_, x)| x.is_some_and(|x| x < 0.0));
    below.map(|(name, _)| name).collect()
}

/// Beyond, by more than rounding.
fn is_beyond(x: f64, bound: f64) -> bool {
    x > bound + 1e-6 * bound.abs()
}

fn wrong_statistics(metric: &str, s: &Statistics) -> Vec<String> {
    let mut wrong = Vec::new();
    let low = s.min.into_iter().chain(s.mean).chain(s.std);
    let low = low.chain(s.percentiles.iter().map(|(_, value)| *value));
    if low.fold(f64::INFINITY, f64::min) < 0.0 {
        wrong.push(format!("negative {metric}"));
    }
    let falls = |w: &[(f64, f64)]| w[1].1 < w[0].1 - 1e-9 * w[0].1.abs();
    if s.percentiles.windows(2).any(falls) {
        wrong.push(format!("{metric} percentiles that fall"));
    }
    let below = s
        .mean
        .zip(s.min)
        .is_some_and(|(mean, min)| is_beyond(min, mean));
    let above = s
        .mean
        .zip(s.max)
        .is_some_and(|(mean, max)| is_beyond(mean, max));
    if below || above {
        wrong.push(format!("{metric} mean outside its range"));
    }
    wrong
}

fn wrong_requests(facts: &Facts) -> Vec<String> {
    let negative = |r: &&Request| {
        let times = [r.ttft_ms, r.e2e_ms, r.tpot_ms];
        let gaps = r.gaps_ms.iter().flatten().copied();
        times.into_iter().flatten().chain(gaps).any(|t| t < 0.0)
    };
    let order = |r: &&Request| {
        let pair = r.ttft_ms.zip(r.e2e_ms);
        pair.is_some_and(|(first, all)| is_beyond(first, all))
    };
    let kinds = [
        ("negative times", facts.completed().filter(negative).count()),
        ("TTFT beyond E2E", facts.completed().filter(order).count()),
    ];
    let some = kinds.into_iter().filter(|(_, n)| *n > 0);
    some.map(|(what, n)| format!("{what} in {}", counted(n as f64, "request")))
        .collect()
}
