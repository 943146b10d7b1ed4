//! genai-bench: aggregated metrics and the individual requests behind them.
//!
//! Its `error_rate` is always 0, so it is not read; counts of failed requests are.

use super::statistics::statistics;
use crate::facts::{
    Facts, LoadModel, Metric, PercentileRule, Request, SetupItem, Statistics, TokenSource,
};
use crate::format::Format;
use crate::json::{at, list, number, text, unit_in_ms};
use serde_json::Value;

/// Translates one file.
pub(super) fn facts(value: &Value) -> Facts {
    let mut facts = Facts::of(Format::GenaiBench);
    facts.percentile_rule = Some(PercentileRule::Linear);
    let in_ms = unit_in_ms(value, "_time_unit");
    let of = |name: &str, factor: f64| {
        let object = at(value, &format!("aggregated_metrics.stats.{name}"));
        object.map_or_else(Statistics::default, |o| statistics(o, factor))
    };
    if let Some(in_ms) = in_ms {
        facts.state(Metric::Ttft, of("ttft", in_ms));
        facts.state(Metric::Tpot, of("tpot", in_ms));
        facts.state(Metric::E2e, of("e2e_latency", in_ms));
    }
    let lengths = |name: &str| Some(of(name, 1.0)).filter(|s| !s.is_empty());
    facts.tokens.input_lengths = lengths("num_input_tokens");
    facts.tokens.output_lengths = lengths("num_output_tokens");
    aggregated(&mut facts, value);
    let rows = list(value, "individual_request_metrics").unwrap_or(&[]);
    facts.requests = rows.iter().map(|row| request(row, in_ms)).collect();
    facts.translate("tpot", "TPOT", "(E2E - TTFT) / (tokens - 1)");
    facts.translate("ttft", "TTFT", "from the send; stamped by the client");
    facts.translate("e2e_latency", "E2E", "from the send");
    facts.translate(
        "error_rate",
        "nothing",
        "always 0 in this tool; num_error_requests is read",
    );
    facts
}

fn aggregated(facts: &mut Facts, value: &Value) {
    let member = |name: &str| number(value, &format!("aggregated_metrics.{name}"));
    let sum = |name: &str| member(&format!("stats.{name}.sum"));
    facts.load.concurrency = member("num_concurrency");
    facts.load.rate = member("request_rate").filter(|r| *r > 0.0);
    facts.load.model = match (facts.load.rate, facts.load.concurrency) {
        (Some(_), _) => Some(LoadModel::Open),
        (None, Some(_)) => Some(LoadModel::Closed),
        (None, None) => None,
    };
    facts.load.duration_s = member("run_duration");
    facts.load.asked_requests = member("num_requests");
    facts.counts.completed = member("num_completed_requests");
    facts.counts.failed = member("num_error_requests");
    facts.rates.requests = member("requests_per_second");
    facts.rates.output = member("mean_output_throughput_tokens_per_s");
    facts.rates.input = member("mean_input_throughput_tokens_per_s");
    facts.rates.total = member("mean_total_tokens_throughput_tokens_per_s");
    facts.tokens.input = sum("num_input_tokens");
    facts.tokens.output = sum("num_output_tokens");
    facts.tokens.source = Some(TokenSource::UsageOrTokenizer);
    let scenario = text(value, "aggregated_metrics.scenario");
    // D(100,100): deterministic lengths.
    facts.tokens.asked_output = scenario.as_deref().and_then(fixed_output);
    facts.declare(SetupItem::Dataset, scenario);
}

fn fixed_output(scenario: &str) -> Option<f64> {
    let inside = scenario.strip_prefix("D(")?.strip_suffix(')')?;
    inside
        .split(',')
        .nth(1)?
        .trim()
        .parse()
        .ok()
        .filter(|n: &f64| n.is_finite())
}

fn request(row: &Value, in_ms: Option<f64>) -> Request {
    let time = |name: &str| Some(number(row, name)? * in_ms?);
    Request {
        ttft_ms: time("ttft"),
        tpot_ms: time("tpot"),
        e2e_ms: time("e2e_latency"),
        input_tokens: number(row, "num_input_tokens"),
        output_tokens: number(row, "num_output_tokens"),
        failed: at(row, "error_code").is_some(),
        ..Request::default()
    }
}
