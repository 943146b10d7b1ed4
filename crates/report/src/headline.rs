//! The head of a run for programs: one value for each metric, from the origin that its load model makes the
//! headline, so that a reader needs to know neither.
//!
//! Computes nothing: every value stands in the summary, too. Invariant: what does not exist is absent, and
//! what the sample does not carry is null.

use infermeter_analysis::{Distribution, Percentile, Summary};
use infermeter_metrics::origin::Origin;
use serde_json::{Map, Value, json};

/// The `headline` of `--json`.
pub fn headline(summary: &Summary) -> Value {
    let measured = &summary.requests.measured;
    let mut all = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            all.insert(name.to_owned(), value);
        }
    };
    add("origin", Some(json!(summary.headline_origin)));
    add("requests", Some(json!(measured.total)));
    add("completed", Some(json!(measured.completed)));
    let failed = measured.failed + measured.timed_out;
    let share = failed as f64 / measured.total as f64;
    add("error_rate", (measured.total > 0).then(|| json!(share)));
    let origin = summary.headline_origin;
    let per_token = Origin::Send;
    for (name, distribution) in summary.headline() {
        let from = match name {
            "TPOT" | "ITL" => per_token,
            _ => origin,
        };
        let value = times(distribution, from, &summary.percentiles);
        add(&name.to_lowercase(), Some(value));
    }
    if let Some(throughput) = &summary.throughput {
        add(
            "output_tokens_per_s",
            throughput.output_tokens.as_ref().map(|rate| json!(rate)),
        );
        let total = throughput.total_tokens.as_ref();
        add("total_tokens_per_s", total.map(|rate| json!(rate)));
        add("requests_per_s", Some(json!(throughput.requests)));
    }
    add(
        "goodput",
        summary.goodput.as_ref().map(|goodput| json!(goodput)),
    );
    Value::Object(all)
}

/// `{"unit": "ms", "origin": "intended", "n": 50, "mean": ..., "p50": ...}`.
fn times(distribution: &Distribution, origin: Origin, percentiles: &[Percentile]) -> Value {
    let mut value = json!({
        "unit": distribution.unit,
        "origin": origin,
        "n": distribution.n,
        "mean": distribution.mean,
        "min": distribution.min,
        "max": distribution.max,
    });
    for percentile in percentiles {
        value[percentile.to_string()] = json!(distribution.cell(*percentile));
    }
    value
}
