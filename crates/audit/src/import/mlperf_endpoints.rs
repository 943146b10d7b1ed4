//! MLPerf Endpoints: `result_summary.json`.
//!
//! Nanoseconds. TTFT and latency count from the issue. TPOT divides the time from the first chunk
//! to the end by the tokens after the first chunk, counted by the client's tokenizer. Percentiles
//! are exact where the run is complete, else from a histogram.

use super::statistics::statistics;
use crate::facts::{Arrivals, Facts, LoadModel, Metric, PercentileRule, Statistics, TokenSource};
use crate::format::Format;
use crate::json::{as_number, at, flag, number, percent, text};
use serde_json::Value;

/// Translates a summary.
pub(super) fn facts(value: &Value) -> Facts {
    let mut facts = Facts::of(Format::MlperfEndpoints);
    facts.tool_version = text(value, "version");
    let complete = flag(value, "complete");
    facts.cut_short = complete.map(|complete| !complete);
    facts.percentile_rule = complete.map(|complete| match complete {
        true => PercentileRule::Exact,
        false => PercentileRule::Histogram,
    });
    for (name, metric) in [
        ("ttft", Metric::Ttft),
        ("tpot", Metric::Tpot),
        ("latency", Metric::E2e),
    ] {
        facts.state(metric, series(value, name).scaled(1e-6));
    }
    // Only streams have a TPOT there.
    facts.streaming = facts.latency.get(&Metric::Tpot).map(|_| true);
    counts(&mut facts, value);
    load(&mut facts, value);
    facts.translate("ttft", "TTFT", "from the issue to the first chunk");
    facts.translate(
        "tpot",
        "TPOT",
        "(end - first chunk) / tokens after the first chunk",
    );
    facts.translate("latency", "E2E", "from the issue to the end");
    facts.translate(
        "output_sequence_lengths",
        "output tokens",
        "the client's tokenizer",
    );
    facts
}

fn counts(facts: &mut Facts, value: &Value) {
    facts.counts.completed = number(value, "n_samples_completed");
    facts.counts.failed = number(value, "n_samples_failed");
    facts.load.asked_requests = number(value, "n_samples_issued");
    let reasons = at(value, "finish_reason_counts").and_then(Value::as_object);
    for (reason, n) in reasons.into_iter().flatten() {
        if let Some(n) = n.as_u64() {
            facts.counts.finish_reasons.insert(reason.clone(), n);
        }
    }
    let lengths = series(value, "output_sequence_lengths");
    facts.tokens.output_lengths = Some(lengths).filter(|s| !s.is_empty());
    facts.tokens.output = number(value, "output_sequence_lengths.total");
    facts.tokens.source = facts.tokens.output.map(|_| TokenSource::Tokenizer);
    facts.rates.requests = number(value, "qps");
    facts.rates.output = number(value, "tps");
    // The window that the rates are over.
    let window = number(value, "legacy_loadgen_window_duration_ns");
    let window = window.or_else(|| number(value, "duration_ns"));
    facts.load.duration_s = window.map(|ns| ns * 1e-9);
}

fn load(facts: &mut Facts, value: &Value) {
    let pattern = |name: &str| format!("run_config.load_pattern.{name}");
    facts.load.rate = number(value, &pattern("target_qps")).filter(|r| *r > 0.0);
    let slots = number(value, &pattern("target_concurrency")).filter(|c| *c > 0.0);
    facts.load.concurrency = slots;
    match text(value, &pattern("type")).as_deref() {
        Some("poisson") => {
            facts.load.model = Some(LoadModel::Open);
            facts.load.arrivals = Some(Arrivals::Poisson);
        }
        Some("concurrency") => facts.load.model = Some(LoadModel::Closed),
        Some("max_throughput") => facts.load.model = Some(LoadModel::Burst),
        _ => {}
    }
}

fn series(value: &Value, name: &str) -> Statistics {
    let Some(object) = at(value, name) else {
        return Statistics::default();
    };
    let mut out = statistics(object, 1.0);
    let percentiles = at(object, "percentiles").and_then(Value::as_object);
    for (name, value) in percentiles.into_iter().flatten() {
        if let Some((p, value)) = percent(name).zip(as_number(value)) {
            out.insert(p, value);
        }
    }
    out
}
