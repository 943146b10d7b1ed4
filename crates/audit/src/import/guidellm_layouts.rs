//! What all layouts of GuideLLM's files have in common.

use super::statistics::statistics;
use crate::facts::{Arrivals, Facts, LoadModel, Request, Statistics};
use crate::json::{at, list, number, percent, text};
use serde_json::Value;

/// Seconds since 1970 as text that sorts.
pub(super) fn sortable(seconds: f64) -> String {
    format!("{seconds:017.3}")
}

/// Statistics of the successful requests.
pub(super) fn successful(benchmark: &Value, metric: &str) -> Statistics {
    let Some(object) = at(benchmark, &format!("metrics.{metric}.successful")) else {
        return Statistics::default();
    };
    if number(object, "count") == Some(0.0) {
        return Statistics::default();
    }
    let mut out = statistics(object, 1.0);
    let percentiles = at(object, "percentiles").and_then(Value::as_object);
    for (name, value) in percentiles.into_iter().flatten() {
        let digits = name.strip_prefix('p').unwrap_or(name);
        // p999 is 99.9, p001 is 0.1.
        let p = match digits {
            "999" => Some(99.9),
            "001" => Some(0.1),
            _ => percent(digits),
        };
        if let Some((p, value)) = p.zip(crate::json::as_number(value)) {
            out.insert(p, value);
        }
    }
    out
}

/// Load model, arrivals, rate and streams of the strategy at `path`.
pub(super) fn strategy(facts: &mut Facts, benchmark: &Value, path: &str) {
    let member = |name: &str| format!("{path}.{name}");
    facts.load.rate = number(benchmark, &member("rate"));
    facts.load.concurrency = number(benchmark, &member("streams"));
    let kind = text(benchmark, &member("type_"));
    let (model, arrivals) = match kind.as_deref() {
        Some("poisson") => (Some(LoadModel::Open), Some(Arrivals::Poisson)),
        Some("constant") => (Some(LoadModel::Open), Some(Arrivals::Constant)),
        Some("concurrent") => (Some(LoadModel::Closed), None),
        Some("synchronous") => {
            facts.load.concurrency = Some(1.0);
            (Some(LoadModel::Closed), None)
        }
        Some("throughput") => (Some(LoadModel::Burst), None),
        _ => (None, None),
    };
    facts.load.model = model;
    facts.load.arrivals = arrivals;
}

/// The requests of a benchmark, completed ones first, each read by `one` with whether it failed.
pub(super) fn requests(benchmark: &Value, one: fn(&Value, bool) -> Request) -> Vec<Request> {
    let of = |name: &str, failed: bool| {
        let rows = list(benchmark, &format!("requests.{name}")).unwrap_or(&[]);
        rows.iter().map(move |row| one(row, failed))
    };
    let mut requests: Vec<Request> = of("successful", false).collect();
    requests.extend(of("errored", true));
    requests
}

/// The names that mean the same in all its versions.
pub(super) fn translate_unchanged(facts: &mut Facts) {
    facts.translate(
        "inter_token_latency_ms",
        "TPOT",
        "(last - first token) / (tokens - 1), weighted by tokens",
    );
    facts.translate(
        "time_to_first_token_ms",
        "TTFT",
        "from the send; stamped by the client",
    );
    facts.translate(
        "request_latency",
        "E2E",
        "from the send to the end of the response",
    );
}
