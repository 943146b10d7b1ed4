//! Checks of the sample and of the statistics on it.

use crate::check::{
    Answer, Check, Checked, Dimension, Missing, Need, OwnRun, Question, Scope, Test, fail_if,
};
use crate::facts::{Facts, Metric, PercentileRule, Request, Statistics};
use crate::limits;
use crate::number::{counted, figure, percent};
use crate::shape::{ALL_REQUESTS, in_order, is_timed};
use infermeter_analysis::checks;
use infermeter_core::finding::{Severity, Weight};
use infermeter_stats::{TwoModes, correlated, two_modes};
use std::collections::BTreeMap;

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    checks::PERCENTILE_UNSUPPORTED.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Percentiles are quoted that the sample cannot carry.",
            advice: "Measure longer, or quote lower percentiles.",
            run: OwnRun::Judges,
            test: Test::One(percentile_unsupported),
        },
    ),
    Check {
        code: "averages-alone",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "Latency is given as averages alone.",
            advice: "Report p50, p90, p95 and p99.",
            run: OwnRun::Silent,
            test: Test::One(averages_alone),
        },
    },
    Check {
        code: "no-distribution",
        scope: Scope::Publication,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "A summary stands without its distribution.",
            advice: "Keep the per-request data, or publish an ECDF.",
            run: OwnRun::Silent,
            test: Test::One(no_distribution),
        },
    },
    checks::CORRELATED_SAMPLES.asking(
        Weight::Always(Severity::Note),
        Question {
            message: "Neighbouring requests are alike.",
            advice: "Widen the intervals accordingly, and repeat with other seeds.",
            run: OwnRun::Judges,
            test: Test::One(correlated_samples),
        },
    ),
    Check {
        code: "single-run",
        scope: Scope::Publication,
        dimension: Dimension::EvaluationSetup,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "There is one run of each load only.",
            advice: "Repeat each load with other seeds; five runs show the spread.",
            run: OwnRun::Silent,
            test: Test::Side(single_run),
        },
    },
    Check {
        code: "runs-differ",
        scope: Scope::Repeated,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "Runs of one load differ.",
            advice: "Look for what changed between them; report the spread.",
            run: OwnRun::Silent,
            test: Test::Side(runs_differ),
        },
    },
    Check {
        code: "variance-unreported",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "No variance is reported.",
            advice: "Report a standard deviation or, better, intervals over runs.",
            run: OwnRun::Silent,
            test: Test::One(variance_unreported),
        },
    },
    Check {
        code: "p99-is-max",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "p99 is one or two observations.",
            advice: "Measure longer: under 1,000 requests the tail is one or two of them.",
            run: OwnRun::Silent,
            test: Test::One(p99_is_max),
        },
    },
    Check {
        code: "mean-beyond-tail",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "A mean lies above a percentile of the tail.",
            advice: "Find the few requests that hold the time, or the two samples behind the figures.",
            run: OwnRun::Silent,
            test: Test::One(mean_beyond_tail),
        },
    },
    checks::TAIL_RATIO.asking(
        Weight::Always(Severity::Note),
        Question {
            message: "The tail is more than ten times the median.",
            advice: "Say so beside the median; look for queueing, preemption or mixed classes.",
            run: OwnRun::JudgesSamples,
            test: Test::One(tail_ratio),
        },
    ),
    checks::POOLED_BIMODAL.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Two populations are pooled.",
            advice: "Report the classes apart.",
            run: OwnRun::JudgesSamples,
            test: Test::One(pooled_bimodal),
        },
    ),
    Check {
        code: "histogram-percentile",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "Percentiles come from a histogram.",
            advice: "Compute them from all samples, or state the width of the buckets.",
            run: OwnRun::Silent,
            test: Test::One(histogram_percentile),
        },
    },
];

/// Latency statistics, or the name of what is missing.
fn latency(facts: &Facts) -> Result<&BTreeMap<Metric, Statistics>, crate::check::Missing> {
    let stated = !facts.latency.is_empty() || has_request_latency(facts);
    stated.then_some(&facts.latency).need("latency statistics")
}

/// Whether some request has a latency of its own.
fn has_request_latency(facts: &Facts) -> bool {
    let has = |r: &Request| r.ttft_ms.is_some() || r.end_to_end_ms().is_some();
    facts.requests.iter().any(has)
}

pub(super) fn percentile_unsupported(facts: &Facts) -> Checked {
    let stated = latency(facts)?;
    let mut unsupported = BTreeMap::new();
    let mut any = false;
    for (metric, statistics) in stated {
        let Some((p, _)) = statistics.highest().filter(|(p, _)| *p < 100.0) else {
            continue;
        };
        any = true;
        // Some tools weigh per-request metrics by tokens: requests are the sample all the same.
        let requests = facts.samples().filter(|_| metric.is_per_request());
        let n = match (statistics.n, requests) {
            (Some(stated), Some(requests)) => stated.min(requests),
            (stated, requests) => match stated.or(requests) {
                Some(n) => n,
                None => continue,
            },
        };
        let needed = limits::TAIL_SAMPLES / (1.0 - p / 100.0);
        if n < needed - 1e-6 {
            let why = format!(
                "p{p} of {} samples (needs {})",
                figure(n),
                figure(needed.round())
            );
            let metrics: &mut Vec<&str> = unsupported.entry(why).or_default();
            metrics.push(metric.as_str());
        }
    }
    if !any {
        return Ok(Answer::NotApplicable);
    }
    if unsupported.is_empty() {
        facts.samples().need("number of samples")?;
    }
    fail_if(!unsupported.is_empty(), || {
        let groups = unsupported.iter();
        let said = groups.map(|(why, metrics)| format!("{} {why}", metrics.join(", ")));
        format!("{}.", said.collect::<Vec<_>>().join("; "))
    })
}

pub(super) fn averages_alone(facts: &Facts) -> Checked {
    let stated = latency(facts)?;
    let tail = |s: &Statistics| s.highest().is_some_and(|(p, _)| p >= 90.0);
    let alone = !has_request_latency(facts) && !stated.values().any(tail);
    fail_if(alone, || {
        "No percentile of 90 or above, and no per-request data.".to_owned()
    })
}

pub(super) fn no_distribution(facts: &Facts) -> Checked {
    let stated = latency(facts)?;
    let most = stated
        .values()
        .map(|s| s.percentiles.len())
        .max()
        .unwrap_or(0);
    fail_if(!has_request_latency(facts) && most < 3, || {
        format!("{most} percentiles per metric, and no per-request data.")
    })
}

pub(super) fn correlated_samples(facts: &Facts) -> Checked {
    let requests = in_order(facts);
    let enough = requests.len() >= limits::SHAPE_REQUESTS && is_timed(facts);
    enough.then_some(()).need("send instants of 100 requests")?;
    facts.has_all_requests().then_some(()).need(ALL_REQUESTS)?;
    let series = |of: fn(&Request) -> Option<f64>| -> Option<bool> {
        let values: Vec<f64> = requests.iter().filter_map(|r| of(r)).collect();
        let enough = values.len() >= limits::SHAPE_REQUESTS;
        enough.then(|| correlated(&values).ok()).flatten()
    };
    let e2e = series(Request::end_to_end_ms);
    let ttft = series(|r| r.ttft_ms);
    e2e.or(ttft).need("latency of 100 requests")?;
    let names = [("TTFT", ttft), ("E2E", e2e)];
    let alike: Vec<&str> = names
        .iter()
        .filter(|(_, c)| *c == Some(true))
        .map(|(name, _)| *name)
        .collect();
    fail_if(!alike.is_empty(), || {
        format!(
            "{}: the effective sample is under half the requests.",
            alike.join(", ")
        )
    })
}

pub(super) fn single_run(side: &[Facts]) -> Checked {
    let mut runs: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    for facts in side {
        let level = super::load::level_of(facts).need("rate or concurrency")?;
        *runs.entry(level).or_default() += 1;
    }
    let most = runs.values().copied().max().unwrap_or(0);
    fail_if(most < 2, || {
        let results = counted(side.len() as f64, "result");
        format!("{results} at {}.", counted(runs.len() as f64, "load"))
    })
}

pub(super) fn variance_unreported(facts: &Facts) -> Checked {
    let stated = latency(facts)?;
    let none = !has_request_latency(facts) && stated.values().all(|s| s.std.is_none());
    fail_if(none, || {
        "No standard deviation, no interval, no per-request data.".to_owned()
    })
}

/// A p99 of so few is the largest of them, or lies between the two largest, whatever the rule.
const P99_BY_TWO: f64 = 100.0;

pub(super) fn p99_is_max(facts: &Facts) -> Checked {
    let mut quoted = false;
    let mut open = false;
    let mut by_two = Vec::new();
    for (metric, statistics) in &facts.latency {
        let varies = statistics.is_constant() != Some(true);
        let Some(p99) = statistics.percentile(99.0).filter(|_| varies) else {
            continue;
        };
        quoted = true;
        let max = statistics.max.or_else(|| largest(facts, *metric));
        let is_max = max.map(|max| (max - p99).abs() <= 1e-9 * max.abs());
        let of_requests = || facts.samples().filter(|_| metric.is_per_request());
        match (is_max, statistics.n.or_else(of_requests)) {
            (Some(true), _) => by_two.push(format!("{} {} ms", metric.as_str(), figure(p99))),
            (_, Some(n)) if n <= P99_BY_TWO => {
                let samples = counted(n, "sample");
                by_two.push(format!("{} of {samples}", metric.as_str()));
            }
            (_, Some(_)) => {}
            (_, None) => open = true,
        }
    }
    if !quoted && facts.format.is_own() {
        // A p99 that the sample cannot carry is not quoted.
        return Ok(Answer::NotApplicable);
    }
    quoted.then_some(()).need("p99")?;
    if by_two.is_empty() && open {
        return Err(Missing("number of samples".to_owned()));
    }
    fail_if(!by_two.is_empty(), || {
        format!(
            "p99 is the maximum, or lies between the two largest: {}.",
            by_two.join(", ")
        )
    })
}

/// The largest value among the requests.
fn largest(facts: &Facts, metric: Metric) -> Option<f64> {
    let of: fn(&Request) -> Option<f64> = match metric {
        Metric::Ttft => |r| r.ttft_ms,
        Metric::E2e => Request::end_to_end_ms,
        Metric::Tpot | Metric::ChunkGap | Metric::Itl | Metric::Ntpot => return None,
    };
    facts.completed().filter_map(of).reduce(f64::max)
}

pub(super) fn mean_beyond_tail(facts: &Facts) -> Checked {
    let mut known = false;
    let mut beyond = Vec::new();
    for (metric, statistics) in &facts.latency {
        let tail = statistics.highest().filter(|(p, _)| *p >= 95.0);
        let Some(((p, value), mean)) = tail.zip(statistics.mean) else {
            continue;
        };
        known = true;
        if mean > value * (1.0 + 1e-9) {
            let name = metric.as_str();
            let (mean, value) = (figure(mean), figure(value));
            beyond.push(format!("{name}: mean {mean} ms, p{p} {value} ms"));
        }
    }
    if !known && facts.format.is_own() {
        // A percentile that the sample cannot carry is not quoted.
        return Ok(Answer::NotApplicable);
    }
    known.then_some(()).need("mean and p95 or above")?;
    fail_if(!beyond.is_empty(), || format!("{}.", beyond.join("; ")))
}

pub(super) fn tail_ratio(facts: &Facts) -> Checked {
    let metrics = [Metric::Ttft, Metric::Tpot, Metric::E2e];
    let ratio = |metric: &Metric| {
        let p50 = facts.percentile(*metric, 50.0).filter(|v| *v > 0.0)?;
        Some((*metric, facts.percentile(*metric, 99.0)? / p50))
    };
    let ratios: Vec<(Metric, f64)> = metrics.iter().filter_map(ratio).collect();
    (!ratios.is_empty()).then_some(()).need("p50 and p99")?;
    let heavy: Vec<String> = ratios
        .iter()
        .filter(|(_, r)| *r > limits::TAIL_RATIO)
        .map(|(m, r)| format!("{} {}", m.as_str(), figure(*r)))
        .collect();
    fail_if(!heavy.is_empty(), || {
        format!("p99 / p50: {}.", heavy.join(", "))
    })
}

pub(super) fn pooled_bimodal(facts: &Facts) -> Checked {
    let requests = in_order(facts);
    let series = |of: fn(&Request) -> Option<f64>| -> Option<Option<TwoModes>> {
        let values: Vec<f64> = requests.iter().filter_map(|r| of(r)).collect();
        let enough = values.len() >= limits::SHAPE_REQUESTS;
        enough.then(|| two_modes(&values).ok()).flatten()
    };
    let (ttft, e2e) = (series(|r| r.ttft_ms), series(Request::end_to_end_ms));
    ttft.or(e2e).need("latency of 100 requests")?;
    let names = [("TTFT", ttft), ("E2E", e2e)];
    let found = names.iter().filter_map(|(name, two)| {
        let two = (*two)??;
        Some(format!(
            "{name} has two modes, near {} and {} ms; {} of the requests are in the smaller one.",
            figure(two.medians.0),
            figure(two.medians.1),
            percent(two.smaller)
        ))
    });
    let found: Vec<String> = found.collect();
    fail_if(!found.is_empty(), || found.join(" "))
}

pub(super) fn histogram_percentile(facts: &Facts) -> Checked {
    let stated = latency(facts)?;
    let any = stated.values().any(|s| !s.percentiles.is_empty());
    any.then_some(()).need("percentiles")?;
    let rule = facts
        .percentile_rule
        .need("how percentiles were computed")?;
    fail_if(rule == PercentileRule::Histogram, || {
        "They may be off by the width of a bucket.".to_owned()
    })
}

pub(super) fn runs_differ(side: &[Facts]) -> Checked {
    let mut levels: BTreeMap<(u64, u64), Vec<&Facts>> = BTreeMap::new();
    for facts in side {
        let level = super::load::level_of(facts).need("rate or concurrency")?;
        levels.entry(level).or_default().push(facts);
    }
    levels.retain(|_, runs| runs.len() > 1);
    let figures = |runs: &Vec<&Facts>| runs.iter().map(|f| figure_of(f)).collect();
    let figures: Option<Vec<Vec<f64>>> = levels.values().map(figures).collect();
    let figures = figures.need("median latency of each run")?;
    let Some(spread) = figures.iter().map(|v| variation(v)).reduce(f64::max) else {
        return Ok(Answer::NotApplicable);
    };
    fail_if(spread > limits::RUNS_SPREAD, || {
        format!(
            "Median latency varies by {} (CV) between runs of one load.",
            percent(spread)
        )
    })
}

/// What repeats are compared by: the median of E2E, else of TTFT.
fn figure_of(facts: &Facts) -> Option<f64> {
    let e2e = facts.percentile(Metric::E2e, 50.0);
    e2e.or_else(|| facts.percentile(Metric::Ttft, 50.0))
}

/// Sample standard deviation over mean.
fn variation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    if mean > 0.0 {
        (squares / (n - 1.0)).sqrt() / mean
    } else {
        0.0
    }
}
