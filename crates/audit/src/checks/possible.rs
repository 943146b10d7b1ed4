//! The check of values that cannot be: not finite, negative, out of order.
//!
//! Looks at what a file states, not at whether it adds up.

use super::metrics::some_figure;
use crate::check::{Check, Checked, Dimension, OwnRun, Question, Scope, Test, fail_if};
use crate::facts::{Facts, Metric, Request, Statistics};
use crate::number::counted;
use infermeter_core::finding::{Severity, Weight};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[Check {
    code: "impossible-values",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Error),
    limit: None,
    test: Question {
        message: "The file holds values that cannot be.",
        advice: "Do not use it before the tool is understood.",
        run: OwnRun::Silent,
        test: Test::One(impossible_values),
    },
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
    let low = s.min.into_iter().chain(s.mean).chain(s.std);
    let low = low.chain(s.percentiles.iter().map(|(_, value)| *value));
    let negative = low.fold(f64::INFINITY, f64::min) < 0.0;
    let falls = |w: &[(f64, f64)]| w[1].1 < w[0].1 - 1e-9 * w[0].1.abs();
    let outside = |x: f64| {
        s.min.is_some_and(|min| is_beyond(min, x)) || s.max.is_some_and(|max| is_beyond(x, max))
    };
    let reversed = s
        .min
        .zip(s.max)
        .is_some_and(|(min, max)| is_beyond(min, max));
    let fractional = s.n.is_some_and(|n| n.fract() != 0.0);
    let kinds = [
        (negative, "negative {}"),
        (reversed, "{} minimum above its maximum"),
        (
            s.percentiles.windows(2).any(falls),
            "{} percentiles that fall",
        ),
        (
            s.percentiles.iter().any(|(_, value)| outside(*value)),
            "{} percentiles outside its range",
        ),
        (s.mean.is_some_and(outside), "{} mean outside its range"),
        (is_wider_than_range(s), "{} deviation beyond its range"),
        (
            is_mean_out_of_reach(s),
            "{} mean that its percentiles exclude",
        ),
        (fractional, "a fraction of an observation of {}"),
    ];
    let wrong = kinds.into_iter().filter(|(is_wrong, _)| *is_wrong);
    wrong
        .map(|(_, words)| words.replace("{}", metric))
        .collect()
}

/// No sample deviates by more than its range over the square root of 2 (two values, n - 1 degrees
/// of freedom), and none of n values by more than half of it times sqrt(n / (n - 1)).
fn is_wider_than_range(s: &Statistics) -> bool {
    let n = s.n.filter(|n| *n >= 2.0).unwrap_or(2.0);
    let most = |(min, max): (f64, f64)| (max - min) / 2.0 * (n / (n - 1.0)).sqrt();
    let bound = s.min.zip(s.max).map(most);
    s.std
        .zip(bound)
        .is_some_and(|(std, bound)| is_beyond(std, bound))
}

/// A mean below what its percentiles leave at least, or above what they leave at most: of the values
/// between two percentiles none is below the lower one or above the upper one. And no percentile is
/// further from the mean than Cantelli's inequality allows with this deviation. A percentile of n
/// values may be off by one of them, whatever its rule.
fn is_mean_out_of_reach(s: &Statistics) -> bool {
    let (Some(mean), Some(n)) = (s.mean, s.n.filter(|n| *n >= 1.0)) else {
        return false;
    };
    let by_deviation = s.std.is_some_and(|std| {
        let far = |(p, value): &(f64, f64)| {
            // At least this share lies at or below the percentile, and at or above it.
            let (below, above) = (p / 100.0 - 1.0 / n, 1.0 - p / 100.0 - 1.0 / n);
            let share = if *value < mean { below } else { above };
            share > 0.0 && is_beyond((value - mean).abs(), std * ((1.0 - share) / share).sqrt())
        };
        s.percentiles.iter().any(far)
    });
    let Some(max) = s.max else {
        return by_deviation;
    };
    let min = s.min.unwrap_or(0.0);
    let marks: Vec<(f64, f64)> = [(0.0, min)]
        .into_iter()
        .chain(s.percentiles.iter().map(|(p, value)| (p / 100.0, *value)))
        .chain([(1.0, max)])
        .collect();
    let shares = || marks.windows(2).map(|w| (w[1].0 - w[0].0, w[0].1, w[1].1));
    let least: f64 = shares().map(|(share, low, _)| share * low).sum();
    let most: f64 = shares().map(|(share, _, high)| share * high).sum();
    let slack = (max - min) / n;
    by_deviation || is_beyond(least - slack, mean) || is_beyond(mean, most + slack)
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
