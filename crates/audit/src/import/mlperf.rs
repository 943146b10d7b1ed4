//! MLPerf LoadGen: `mlperf_log_summary.txt` and `mlperf_log_detail.txt`.
//!
//! Both say the same in two notations; the detail also counts the queries. Latencies are
//! nanoseconds and count from the scheduled instant in the Server scenario, from the issue in the
//! others. Percentiles are order statistics. Failures, the length of the run and who counted tokens
//! are not in the files. Latencies of MultiStream are those of queries of several samples, and are
//! not read.

use crate::facts::{Arrivals, Facts, LoadModel, Metric, PercentileRule, SetupItem, Statistics};
use crate::format::Format;
use crate::json::{as_number, flag, number, percent, text};
use crate::lenient;
use serde_json::{Map, Value};

/// What a line of the detail begins with.
const DETAIL: &str = ":::MLLOG ";
/// The heading of the summary.
const SUMMARY: &str = "MLPerf Results Summary";

/// Lines of the summary, in lower case, and the key of the detail that says the same.
const LINES: [(&str, &str); 18] = [
    ("scenario", "effective_scenario"),
    ("mode", "effective_test_mode"),
    ("result is", "result_validity"),
    (
        "performance constraints satisfied",
        "result_perf_constraints_met",
    ),
    (
        "completed samples per second",
        "result_completed_samples_per_sec",
    ),
    (
        "scheduled samples per second",
        "result_scheduled_samples_per_sec",
    ),
    ("samples per second", "result_samples_per_second"),
    (
        "qps w/ loadgen overhead",
        "result_qps_with_loadgen_overhead",
    ),
    (
        "completed tokens per second",
        "result_completed_tokens_per_second",
    ),
    ("tokens per second", "result_tokens_per_second"),
    ("target_qps", "effective_target_qps"),
    ("qsl_rng_seed", "effective_qsl_rng_seed"),
    ("sample_index_rng_seed", "effective_sample_index_rng_seed"),
    ("schedule_rng_seed", "effective_schedule_rng_seed"),
    ("samples_per_query", "effective_samples_per_query"),
    ("mean latency (ns)", "result_mean_latency_ns"),
    ("min latency (ns)", "result_min_latency_ns"),
    ("max latency (ns)", "result_max_latency_ns"),
];

/// One series: keys of its mean, minimum and maximum, and what stands around its percentiles.
struct Series {
    metric: Metric,
    mean: &'static str,
    min: &'static str,
    max: &'static str,
    before: &'static str,
    after: &'static str,
}

const SERIES: [Series; 3] = [
    Series {
        metric: Metric::E2e,
        mean: "result_mean_latency_ns",
        min: "result_min_latency_ns",
        max: "result_max_latency_ns",
        before: "result_",
        after: "_percentile_latency_ns",
    },
    Series {
        metric: Metric::Ttft,
        mean: "result_first_token_mean_latency_ns",
        min: "result_first_token_min_latency_ns",
        max: "result_first_token_max_latency_ns",
        before: "result_first_token_",
        after: "_percentile_latency_ns",
    },
    Series {
        metric: Metric::Tpot,
        mean: "result_time_to_output_token_mean",
        min: "result_time_to_output_token_min",
        max: "result_time_to_output_token_max",
        before: "result_time_per_output_token_",
        after: "_percentile_ns",
    },
];

/// The facts of a log; `None` where the text is something else.
pub(super) fn facts(log: &str) -> Option<Facts> {
    let detail = log.lines().any(|line| line.starts_with(DETAIL));
    let value = if detail {
        from_detail(log)
    } else if log.lines().take(10).any(|line| line.trim() == SUMMARY) {
        from_summary(log)
    } else {
        return None;
    };
    text(&value, "effective_scenario")?;
    let mut facts = translated(&value);
    facts.abridged = !detail;
    Some(facts)
}

fn from_detail(log: &str) -> Value {
    let mut out = Map::new();
    for line in log.lines().filter_map(|line| line.strip_prefix(DETAIL)) {
        if let Ok(entry) = lenient::parse(line) {
            let key = text(&entry, "key");
            if let Some((key, value)) = key.zip(entry.get("value")) {
                out.insert(key, value.clone());
            }
        }
    }
    Value::Object(out)
}

fn from_summary(log: &str) -> Value {
    let mut out = Map::new();
    for (name, value) in log.lines().filter_map(|line| line.split_once(':')) {
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = name.to_ascii_lowercase();
        if let Some(key) = key_of(&name) {
            let value = Value::String(value.trim().to_owned());
            out.entry(key).or_insert(value);
        }
    }
    Value::Object(out)
}

/// The detail's key for a line of the summary.
fn key_of(name: &str) -> Option<String> {
    if let Some((_, key)) = LINES.iter().find(|(line, _)| *line == name) {
        return Some((*key).to_owned());
    }
    if let Some((p, rest)) = name.split_once(" percentile ") {
        return match rest {
            "latency (ns)" => Some(format!("result_{p}_percentile_latency_ns")),
            "first token latency (ns)" => {
                Some(format!("result_first_token_{p}_percentile_latency_ns"))
            }
            "time to output token (ns)" => {
                Some(format!("result_time_per_output_token_{p}_percentile_ns"))
            }
            _ => None,
        };
    }
    let (statistic, rest) = name.split_once(' ')?;
    let statistic = Some(statistic).filter(|s| ["min", "max", "mean"].contains(s))?;
    match rest {
        "first token latency (ns)" => Some(format!("result_first_token_{statistic}_latency_ns")),
        "time to output token (ns)" | "time per output token (ns)" => {
            Some(format!("result_time_to_output_token_{statistic}"))
        }
        _ => None,
    }
}

fn translated(value: &Value) -> Facts {
    let mut facts = Facts::of(Format::MlperfLoadgen);
    facts.tool_version = text(value, "loadgen_version");
    facts.percentile_rule = Some(PercentileRule::Exact);
    let scenario = text(value, "effective_scenario").unwrap_or_default();
    let scenario = scenario.replace(' ', "").to_ascii_lowercase();
    load(&mut facts, value, &scenario);
    for series in SERIES {
        if series.metric != Metric::E2e || scenario != "multistream" {
            facts.state(series.metric, statistics(value, &series));
        }
    }
    let first = |keys: &[&str]| keys.iter().find_map(|key| number(value, key));
    facts.rates.requests = first(&[
        "result_completed_samples_per_sec",
        "result_samples_per_second",
        "result_qps_with_loadgen_overhead",
    ]);
    facts.rates.output = first(&[
        "result_completed_tokens_per_second",
        "result_tokens_per_second",
    ]);
    if scenario != "multistream" {
        facts.counts.completed = number(value, "result_query_count").filter(|_| one_a_query(value));
    }
    facts.tool_says_valid = text(value, "result_validity").map(|said| said == "VALID");
    facts.rates.objectives_met = yes(value, "result_perf_constraints_met");
    let seeds = ["qsl", "sample_index", "schedule"].map(|of| {
        let key = format!("effective_{of}_rng_seed");
        text(value, &key)
    });
    let [Some(qsl), Some(index), Some(schedule)] = seeds else {
        return with_translations(facts);
    };
    facts.seed = Some(format!("{qsl}/{index}/{schedule}"));
    with_translations(facts)
}

/// One sample a query: then queries are requests.
fn one_a_query(value: &Value) -> bool {
    number(value, "effective_samples_per_query") == Some(1.0)
}

/// `Yes` and `NO` of the summary, true and false of the detail.
fn yes(value: &Value, key: &str) -> Option<bool> {
    flag(value, key).or_else(|| match text(value, key)?.to_ascii_lowercase().as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    })
}

fn load(facts: &mut Facts, value: &Value, scenario: &str) {
    match scenario {
        "server" => {
            facts.load.model = Some(LoadModel::Open);
            facts.load.arrivals = Some(Arrivals::Poisson);
            facts.load.rate = number(value, "effective_target_qps").filter(|r| *r > 0.0);
        }
        "singlestream" => {
            facts.load.model = Some(LoadModel::Closed);
            facts.load.concurrency = Some(1.0);
        }
        "multistream" => {
            facts.load.model = Some(LoadModel::Closed);
            facts.load.concurrency = number(value, "effective_samples_per_query");
        }
        "offline" => facts.load.model = Some(LoadModel::Burst),
        _ => {}
    }
    facts.declare(SetupItem::Client, Some("LoadGen".to_owned()));
}

fn statistics(value: &Value, series: &Series) -> Statistics {
    let mut out = Statistics {
        mean: number(value, series.mean),
        min: number(value, series.min),
        max: number(value, series.max),
        ..Statistics::default()
    };
    for (key, member) in value.as_object().into_iter().flatten() {
        let inner = key.strip_prefix(series.before);
        let p = inner
            .and_then(|k| k.strip_suffix(series.after))
            .and_then(percent);
        if let Some((p, nanoseconds)) = p.zip(as_number(member)) {
            out.insert(p, nanoseconds);
        }
    }
    // A run without an answer has zeros everywhere.
    if out.max == Some(0.0) {
        return Statistics::default();
    }
    out.scaled(1e-6)
}

fn with_translations(mut facts: Facts) -> Facts {
    facts.translate(
        "latency",
        "E2E",
        "from the scheduled instant in Server, from the issue elsewhere",
    );
    facts.translate(
        "first token latency",
        "TTFT",
        "as E2E; the harness says when the first token came",
    );
    facts.translate(
        "time to output token",
        "TPOT",
        "(E2E - TTFT) / (tokens - 1)",
    );
    facts.translate(
        "Performance constraints satisfied",
        "objectives met",
        "p99 of TTFT and TPOT, or of E2E, against the limits of the test",
    );
    facts
}
