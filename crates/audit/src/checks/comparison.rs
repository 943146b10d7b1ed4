//! Checks of a comparison of two sides: is it fair, is it sound, and does one axis pay for another?

use super::load::level_of;
use super::metrics::gpu_count;
use crate::check::{
    Answer, Check, Checked, Dimension, Missing, Need, OwnRun, Question, Scope, Test, fail_if,
};
use crate::facts::{Facts, Metric, SetupItem};
use crate::limits;
use crate::number::{figure, percent};
use infermeter_core::finding::{Severity, Weight};
use std::collections::{BTreeMap, BTreeSet};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "setups-differ",
        scope: Scope::Comparison,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "The sides differ in more than what is compared.",
            advice: "Hold everything else equal, or compare one change at a time.",
            run: OwnRun::Silent,
            test: Test::Pair(setups_differ),
        },
    },
    Check {
        code: "technique-across-engines",
        scope: Scope::Comparison,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "A technique is compared across engines.",
            advice: "Measure the same engine with the technique off.",
            run: OwnRun::Silent,
            test: Test::Pair(technique_across_engines),
        },
    },
    Check {
        code: "models-differ",
        scope: Scope::Comparison,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Error),
        limit: None,
        test: Question {
            message: "The sides serve other models.",
            advice: "Serve the same weights on both.",
            run: OwnRun::Silent,
            test: Test::Pair(models_differ),
        },
    },
    Check {
        code: "clients-differ",
        scope: Scope::Comparison,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "The sides were measured by other clients.",
            advice: "Measure both with one version of one client.",
            run: OwnRun::Silent,
            test: Test::Pair(clients_differ),
        },
    },
    Check {
        code: "tokenizers-differ",
        scope: Scope::Comparison,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "The sides count tokens differently.",
            advice: "Use one tokenizer for both.",
            run: OwnRun::Silent,
            test: Test::Pair(tokenizers_differ),
        },
    },
    Check {
        code: "tuning-unequal",
        scope: Scope::Comparison,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "The sides were tuned unequally.",
            advice: "Give both the same number of trials.",
            run: OwnRun::Silent,
            test: Test::Pair(tuning_unequal),
        },
    },
    Check {
        code: "workloads-differ",
        scope: Scope::Comparison,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Error),
        limit: None,
        test: Question {
            message: "The sides were given other workloads.",
            advice: "Send both the same requests at the same loads.",
            run: OwnRun::Silent,
            test: Test::Pair(workloads_differ),
        },
    },
    Check {
        code: "seeds-differ",
        scope: Scope::Comparison,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "The sides have other seeds.",
            advice: "Pair the rounds: one seed per round, the same for both.",
            run: OwnRun::Silent,
            test: Test::Pair(seeds_differ),
        },
    },
    Check {
        code: "finish-reasons-differ",
        scope: Scope::Comparison,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "Answers end for other reasons.",
            advice: "Fix the output length, or compare per token.",
            run: OwnRun::Silent,
            test: Test::Pair(finish_reasons_differ),
        },
    },
    Check {
        code: "not-interleaved",
        scope: Scope::Comparison,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "One side was measured after the other.",
            advice: "Interleave the rounds, in random order.",
            run: OwnRun::Silent,
            test: Test::Pair(not_interleaved),
        },
    },
    Check {
        code: "too-few-rounds",
        scope: Scope::Comparison,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "There are too few rounds for a test.",
            advice: "Measure eight rounds per side.",
            run: OwnRun::Silent,
            test: Test::Pair(too_few_rounds),
        },
    },
    Check {
        code: "no-test",
        scope: Scope::Comparison,
        dimension: Dimension::BaselineFairness,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "There is no test of significance.",
            advice: "Report a paired test and an interval of the effect.",
            run: OwnRun::Silent,
            test: Test::Pair(no_test),
        },
    },
    Check {
        code: "one-axis-only",
        scope: Scope::Comparison,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "One axis improves and another pays.",
            advice: "Show all axes at the same loads, or compare at equal latency.",
            run: OwnRun::Silent,
            test: Test::Pair(one_axis_only),
        },
    },
    Check {
        code: "more-gpus",
        scope: Scope::Comparison,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "The gain is that of more GPUs.",
            advice: "Compare per GPU.",
            run: OwnRun::Silent,
            test: Test::Pair(more_gpus),
        },
    },
];

/// A figure of a result, where it states it.
type Figure = fn(&Facts) -> Option<f64>;

/// Techniques that a claim may be about.
const TECHNIQUES: [SetupItem; 4] = [
    SetupItem::Speculation,
    SetupItem::PrefixCache,
    SetupItem::ChunkedPrefill,
    SetupItem::Precision,
];

/// What else belongs to a set-up.
const REST: [SetupItem; 10] = [
    SetupItem::TensorParallel,
    SetupItem::PipelineParallel,
    SetupItem::DataParallel,
    SetupItem::BatchLimits,
    SetupItem::AttentionBackend,
    SetupItem::Scheduling,
    SetupItem::GpuModel,
    SetupItem::GpuMemory,
    SetupItem::Interconnect,
    SetupItem::Network,
];

/// The value of an item that all results of a side that state it agree on.
fn item(side: &[Facts], item: SetupItem) -> Option<String> {
    let values: BTreeSet<&String> = side.iter().filter_map(|f| f.stated(item)).collect();
    let all: Vec<&str> = values.iter().map(|v| v.as_str()).collect();
    (!all.is_empty()).then(|| all.join(" | "))
}

fn both(a: &[Facts], b: &[Facts], wanted: SetupItem) -> Result<(String, String), Missing> {
    let pair = item(a, wanted).zip(item(b, wanted));
    pair.need(wanted.label())
}

fn differs(a: &[Facts], b: &[Facts], wanted: SetupItem) -> Checked {
    let (one, other) = both(a, b, wanted)?;
    fail_if(one != other, || {
        format!("{}: {one} against {other}.", wanted.label())
    })
}

pub(super) fn models_differ(a: &[Facts], b: &[Facts]) -> Checked {
    differs(a, b, SetupItem::Model)
}

pub(super) fn tokenizers_differ(a: &[Facts], b: &[Facts]) -> Checked {
    differs(a, b, SetupItem::Tokenizer)
}

pub(super) fn tuning_unequal(a: &[Facts], b: &[Facts]) -> Checked {
    differs(a, b, SetupItem::Tuning)
}

/// Items of a list that differ, as `label: one against other`, and labels of those not stated.
fn differences(a: &[Facts], b: &[Facts], items: &[SetupItem]) -> (Vec<String>, Vec<&'static str>) {
    let mut differing = Vec::new();
    let mut silent = Vec::new();
    for wanted in items {
        match both(a, b, *wanted) {
            Ok((one, other)) if one != other => {
                differing.push(format!("{}: {one} against {other}", wanted.label()));
            }
            Ok(_) => {}
            Err(_) => silent.push(wanted.label()),
        }
    }
    (differing, silent)
}

pub(super) fn setups_differ(a: &[Facts], b: &[Facts]) -> Checked {
    let (engine, other_engine) = both(a, b, SetupItem::Engine)?;
    let same_engine = engine == other_engine;
    let mut items = REST.to_vec();
    if same_engine {
        items.extend(TECHNIQUES);
        items.push(SetupItem::EngineVersion);
    }
    let (differing, silent) = differences(a, b, &items);
    // With one engine, one difference is what the comparison is about.
    let allowed = usize::from(same_engine);
    if differing.len() > allowed {
        return Ok(Answer::Fail(format!("{}.", differing.join("; "))));
    }
    if silent.is_empty() {
        Ok(Answer::Pass)
    } else {
        Err(Missing(silent.join(", ")))
    }
}

pub(super) fn technique_across_engines(a: &[Facts], b: &[Facts]) -> Checked {
    let (engine, other) = both(a, b, SetupItem::Engine)?;
    if engine == other {
        return Ok(Answer::Pass);
    }
    let (differing, silent) = differences(a, b, &TECHNIQUES);
    if let Some(first) = differing.first() {
        return Ok(Answer::Fail(format!(
            "{engine} against {other}, and {first}."
        )));
    }
    if silent.is_empty() {
        Ok(Answer::Pass)
    } else {
        Err(Missing(silent.join(", ")))
    }
}

pub(super) fn clients_differ(a: &[Facts], b: &[Facts]) -> Checked {
    let clients = |side: &[Facts]| -> BTreeSet<String> {
        let name = |f: &Facts| match &f.tool_version {
            Some(version) => format!("{} {version}", f.format.label()),
            None => f.format.label().to_owned(),
        };
        side.iter().map(name).collect()
    };
    let (one, other) = (clients(a), clients(b));
    fail_if(one != other, || {
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
        format!("{} against {}.", list(&one), list(&other))
    })
}

pub(super) fn workloads_differ(a: &[Facts], b: &[Facts]) -> Checked {
    let (mut wrong, silent) = differences(a, b, &[SetupItem::Dataset]);
    let lengths: [(&str, Figure); 2] = [
        ("prompt tokens", |f| f.tokens.input),
        ("output tokens", |f| f.tokens.output),
    ];
    let mut known = true;
    for (what, of) in lengths {
        let per_request = |f: &Facts| Some(of(f)? / f.counts.completed.filter(|n| *n > 0.0)?);
        match mean(a, per_request).zip(mean(b, per_request)) {
            Some((one, other)) => {
                if (one - other).abs() > limits::SAME_WORKLOAD * one.max(other) {
                    let pair = format!("{} against {}", figure(one), figure(other));
                    wrong.push(format!("{what} per request: {pair}"));
                }
            }
            None => known = false,
        }
    }
    let levels = |side: &[Facts]| side.iter().map(level_of).collect::<Option<BTreeSet<_>>>();
    let pair = levels(a).zip(levels(b));
    if pair.as_ref().is_some_and(|(one, other)| one != other) {
        wrong.push("the loads are not the same".to_owned());
    }
    if wrong.is_empty() {
        pair.need("rate or concurrency")?;
        known.then_some(()).need("input and output tokens")?;
        silent.is_empty().then_some(()).need("dataset")?;
    }
    fail_if(!wrong.is_empty(), || format!("{}.", wrong.join("; ")))
}

pub(super) fn seeds_differ(a: &[Facts], b: &[Facts]) -> Checked {
    let seeds = |side: &[Facts]| {
        side.iter()
            .map(|f| f.seed.clone())
            .collect::<Option<BTreeSet<_>>>()
    };
    let (one, other) = seeds(a).zip(seeds(b)).need("seed")?;
    fail_if(one != other, || {
        "The sides were sent other requests.".to_owned()
    })
}

pub(super) fn finish_reasons_differ(a: &[Facts], b: &[Facts]) -> Checked {
    let share = |side: &[Facts]| -> Option<f64> {
        let reasons = side.iter().flat_map(|f| &f.counts.finish_reasons);
        let (stop, all) = reasons.fold((0, 0), |(stop, all), (reason, n)| {
            (stop + if reason == "stop" { *n } else { 0 }, all + n)
        });
        (all > 0).then(|| stop as f64 / all as f64)
    };
    let (one, other) = share(a).zip(share(b)).need("finish reasons")?;
    fail_if((one - other).abs() > limits::TRUNCATED, || {
        format!(
            "{} against {} of the answers ended by themselves.",
            percent(one),
            percent(other)
        )
    })
}

pub(super) fn not_interleaved(a: &[Facts], b: &[Facts]) -> Checked {
    if a.len() < 2 || b.len() < 2 {
        return Ok(Answer::NotApplicable);
    }
    let dates = |side: &[Facts]| {
        side.iter()
            .map(|f| f.date.clone())
            .collect::<Option<Vec<_>>>()
    };
    // Tools write dates in forms of their own.
    let formats: BTreeSet<_> = a.iter().chain(b).map(|f| f.format).collect();
    (formats.len() == 1)
        .then_some(())
        .need("dates in one form")?;
    let (one, other) = dates(a).zip(dates(b)).need("dates")?;
    let before = |x: &[String], y: &[String]| x.iter().max() <= y.iter().min();
    fail_if(before(&one, &other) || before(&other, &one), || {
        "All runs of one side came before those of the other.".to_owned()
    })
}

/// Runs of the load that a side ran most often.
fn rounds(side: &[Facts]) -> usize {
    let mut levels: BTreeMap<Option<(u64, u64)>, usize> = BTreeMap::new();
    for facts in side {
        *levels.entry(level_of(facts)).or_default() += 1;
    }
    levels.values().copied().max().unwrap_or(0)
}

pub(super) fn too_few_rounds(a: &[Facts], b: &[Facts]) -> Checked {
    let fewest = rounds(a).min(rounds(b));
    fail_if(fewest < limits::ROUNDS, || {
        format!("{fewest} per side; under six rounds no rank test can reach 0.05.")
    })
}

pub(super) fn no_test(a: &[Facts], b: &[Facts]) -> Checked {
    let test = a.iter().chain(b).find_map(|f| f.comparison_test.as_ref());
    let test = test.need("a test of significance")?;
    let none = test.trim().eq_ignore_ascii_case("none");
    fail_if(none, || "Stated: none.".to_owned())
}

/// Mean over a side's results of a figure.
fn mean(side: &[Facts], of: impl Fn(&Facts) -> Option<f64>) -> Option<f64> {
    let values: Option<Vec<f64>> = side.iter().map(of).collect();
    let values = values.filter(|v| !v.is_empty())?;
    Some(values.iter().sum::<f64>() / values.len() as f64).filter(|m| m.is_finite())
}

/// Mean throughput of both sides by one measure: output tokens, else requests.
fn throughputs(a: &[Facts], b: &[Facts]) -> Option<(f64, f64)> {
    let by = |of: fn(&Facts) -> Option<f64>| mean(a, of).zip(mean(b, of));
    by(|f| f.rates.output).or_else(|| by(|f| f.rates.requests))
}

fn tail(metric: Metric) -> impl Fn(&Facts) -> Option<f64> {
    move |f| {
        f.percentile(metric, 99.0)
            .or_else(|| f.latency.get(&metric)?.mean)
    }
}

pub(super) fn one_axis_only(a: &[Facts], b: &[Facts]) -> Checked {
    // Gains above 1 are better.
    let gain = |one: Option<f64>, other: Option<f64>, more: bool| {
        let (one, other) = one.zip(other).filter(|(x, y)| *x > 0.0 && *y > 0.0)?;
        Some(if more { other / one } else { one / other })
    };
    let side = |of: &dyn Fn(&Facts) -> Option<f64>| (mean(a, of), mean(b, of));
    let rate = throughputs(a, b).map_or((None, None), |(x, y)| (Some(x), Some(y)));
    let ttft = side(&tail(Metric::Ttft));
    let tpot = side(&tail(Metric::Tpot));
    let axes: Vec<(&str, f64)> = [
        ("throughput", gain(rate.0, rate.1, true)),
        ("TTFT", gain(ttft.0, ttft.1, false)),
        ("TPOT", gain(tpot.0, tpot.1, false)),
    ]
    .into_iter()
    .filter_map(|(name, gain)| Some((name, gain?)))
    .collect();
    (axes.len() >= 2)
        .then_some(())
        .need("throughput and latency of both sides")?;
    let names = |keep: fn(f64) -> bool| -> Vec<&str> {
        axes.iter()
            .filter(|(_, g)| keep(*g))
            .map(|(name, _)| *name)
            .collect()
    };
    let better = names(|g| g > 1.0 + limits::CHANGE);
    let worse = names(|g| g < 1.0 - limits::CHANGE);
    fail_if(!better.is_empty() && !worse.is_empty(), || {
        format!(
            "The second side is better in {} and worse in {}.",
            better.join(", "),
            worse.join(", ")
        )
    })
}

pub(super) fn more_gpus(a: &[Facts], b: &[Facts]) -> Checked {
    let count = |side: &[Facts]| mean(side, gpu_count);
    let (one, other) = count(a).zip(count(b)).need("GPU count")?;
    if one == other {
        return Ok(Answer::Pass);
    }
    let both = throughputs(a, b).filter(|(x, y)| *x > 0.0 && *y > 0.0);
    let (before, after) = both.need("throughput")?;
    let (total, each) = (after / before, (after / other) / (before / one));
    let only = |total: f64, each: f64| total > 1.0 + limits::CHANGE && each <= 1.0 + limits::CHANGE;
    fail_if(only(total, each) || only(1.0 / total, 1.0 / each), || {
        format!(
            "{} GPUs against {}: throughput x{}, per GPU x{}.",
            figure(one),
            figure(other),
            figure(total),
            figure(each)
        )
    })
}
