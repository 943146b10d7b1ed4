//! evalscope's `perf`: `benchmark_summary.json` and, beside it, `benchmark_percentile.json`, with the
//! names of its first versions and those of later ones.
//!
//! The unit stands in each name. Its ITL is the gap between chunks; its TPOT is (E2E - TTFT) /
//! (tokens - 1), as vLLM's.

use crate::facts::{Facts, LoadModel, Metric, Statistics, TokenSource};
use crate::format::Format;
use crate::json::{as_number, percent, text};
use serde_json::Value;

/// A metric's name in the percentiles and its mean's in the summary; milliseconds in its unit.
const LATENCIES: [(&str, Metric, f64); 14] = [
    ("TTFT (s)", Metric::Ttft, 1e3),
    ("TTFT (ms)", Metric::Ttft, 1.0),
    ("Average time to first token (s)", Metric::Ttft, 1e3),
    ("TPOT (s)", Metric::Tpot, 1e3),
    ("TPOT (ms)", Metric::Tpot, 1.0),
    ("Average time per output token (s)", Metric::Tpot, 1e3),
    ("ITL (s)", Metric::ChunkGap, 1e3),
    ("ITL (ms)", Metric::ChunkGap, 1.0),
    ("Average inter-token latency (s)", Metric::ChunkGap, 1e3),
    ("Average package latency (s)", Metric::ChunkGap, 1e3),
    ("Latency (s)", Metric::E2e, 1e3),
    ("Latency (ms)", Metric::E2e, 1.0),
    ("Avg Latency (s)", Metric::E2e, 1e3),
    ("Average latency (s)", Metric::E2e, 1e3),
];

/// Translates the summary.
pub(super) fn facts(value: &Value) -> Facts {
    let mut facts = Facts::of(Format::Evalscope);
    let either = |names: [&str; 2]| names.iter().find_map(|name| member(value, name));
    for (name, metric, in_ms) in LATENCIES {
        // What nothing streamed is 0 there.
        let mean = member(value, name).filter(|mean| *mean > 0.0);
        if let Some(mean) = mean {
            let mean = Some(mean * in_ms);
            let statistics = Statistics {
                mean,
                ..Statistics::default()
            };
            facts.state(metric, statistics);
        }
    }
    facts.load.duration_s = either(["Test Duration (s)", "Time taken for tests (s)"]);
    facts.load.concurrency = either(["Concurrency", "Number of concurrency"]).filter(|c| *c > 0.0);
    // -1 is no rate: the next request waits for a slot.
    let rate = either(["Request Rate (req/s)", "Request rate (req/s)"]);
    facts.load.rate = rate.filter(|rate| *rate > 0.0);
    facts.load.model = match (rate, facts.load.concurrency) {
        (Some(rate), _) if rate > 0.0 => Some(LoadModel::Open),
        (Some(_), Some(_)) => Some(LoadModel::Closed),
        (Some(_), None) | (None, _) => None,
    };
    facts.load.asked_requests = either(["Total Requests", "Total requests"]);
    facts.counts.completed = either(["Success Requests", "Succeed requests"]);
    facts.counts.failed = either(["Failed Requests", "Failed requests"]);
    facts.rates.requests = either(["Req Throughput (req/s)", "Request throughput (req/s)"]);
    facts.rates.output = either([
        "Output Throughput (tok/s)",
        "Output token throughput (tok/s)",
    ]);
    facts.rates.total = either(["Total Throughput (tok/s)", "Total token throughput (tok/s)"]);
    facts.tokens.source = Some(TokenSource::UsageOrTokenizer);
    let total = |mean: Option<f64>| Some(mean? * facts.counts.completed?);
    let input = total(either([
        "Avg Input Tokens",
        "Average input tokens per request",
    ]));
    let output = total(either([
        "Avg Output Tokens",
        "Average output tokens per request",
    ]));
    (facts.tokens.input, facts.tokens.output) = (input, output);
    facts.tokens.chunks = member(value, "Average package per request");
    let hits = member(value, "KV Cache Hit Rate (%)");
    facts.tokens.cached = hits.zip(input).map(|(share, n)| share / 100.0 * n);
    translate(&mut facts);
    facts
}

/// Translates the percentiles: a list of rows, or columns.
pub(super) fn percentiles(value: &Value) -> Facts {
    let mut facts = Facts::of(Format::Evalscope);
    for (name, metric, in_ms) in LATENCIES {
        let mut statistics = Statistics::default();
        for (row, column) in cells(value, name) {
            let p = row.and_then(|row| percent(row.trim_end_matches('%')));
            if let Some((p, number)) = p.zip(column) {
                statistics.insert(p, number * in_ms);
            }
        }
        facts.state(metric, statistics);
    }
    translate(&mut facts);
    facts
}

/// The percentiles' names with the cells of a column.
fn cells(value: &Value, name: &str) -> Vec<(Option<String>, Option<f64>)> {
    match value.as_array() {
        Some(rows) => {
            let cell = |row: &Value| (text(row, "Percentiles"), member(row, name));
            rows.iter().map(cell).collect()
        }
        None => {
            let column = |name: &str| value.get(name).and_then(Value::as_array);
            let names = column("Percentiles").into_iter().flatten();
            let cells = column(name).into_iter().flatten();
            let cell =
                |(p, cell): (&Value, &Value)| (p.as_str().map(str::to_owned), as_number(cell));
            names.zip(cells).map(cell).collect()
        }
    }
}

/// A member by its own name, dots and all.
fn member(value: &Value, name: &str) -> Option<f64> {
    as_number(value.get(name)?)
}

fn translate(facts: &mut Facts) {
    facts.translate(
        "ITL",
        "chunk gap",
        "one gap per chunk, however many tokens it carries",
    );
    facts.translate("TPOT", "TPOT", "(E2E - TTFT) / (tokens - 1)");
    facts.translate("TTFT", "TTFT", "to the first chunk; stamped by the client");
    facts.translate("Latency", "E2E", "from the send to the end of the stream");
}
