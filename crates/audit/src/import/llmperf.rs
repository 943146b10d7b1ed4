//! llmperf: `..._summary.json` and `..._individual_responses.json`.
//!
//! Its "inter-token latency" is E2E over the chunks it counted, TTFT included: NTPOT per chunk.
//! It keeps a number of requests in flight; tokens are counted by a tokenizer of its own.

use crate::facts::{
    Facts, LoadModel, Metric, PercentileRule, Request, SetupItem, Statistics, TokenSource,
};
use crate::format::Format;
use crate::json::{as_number, at, number, percent, text};
use serde_json::Value;

/// Translates a summary.
pub(super) fn facts(value: &Value) -> Facts {
    let mut facts = Facts::of(Format::Llmperf);
    facts.date = text(value, "timestamp");
    facts.percentile_rule = Some(PercentileRule::Linear);
    facts.state(Metric::Ttft, family(value, "ttft_s").scaled(1e3));
    facts.state(
        Metric::Ntpot,
        family(value, "inter_token_latency_s").scaled(1e3),
    );
    facts.state(
        Metric::E2e,
        family(value, "end_to_end_latency_s").scaled(1e3),
    );
    facts.load.model = Some(LoadModel::Closed);
    facts.load.concurrency = number(value, "num_concurrent_requests");
    facts.load.asked_requests = number(value, "results_num_requests_started");
    facts.counts.completed = number(value, "results_num_completed_requests");
    facts.counts.failed = number(value, "results_number_errors");
    let per_minute = number(value, "results_num_completed_requests_per_min");
    facts.rates.requests = per_minute.map(|r| r / 60.0);
    facts.rates.output = number(value, "results_mean_output_throughput_token_per_s");
    let duration = facts.counts.completed.zip(facts.rates.requests);
    facts.load.duration_s = duration.filter(|(_, r)| *r > 0.0).map(|(n, r)| n / r);
    facts.tokens.source = Some(TokenSource::Tokenizer);
    facts.tokens.input_counted_by = Some(TokenSource::Tokenizer);
    let lengths = |name: &str| Some(family(value, name)).filter(|s| !s.is_empty());
    facts.tokens.input_lengths = lengths("number_input_tokens");
    facts.tokens.output_lengths = lengths("number_output_tokens");
    let total = |s: &Option<Statistics>| Some(s.as_ref()?.mean? * facts.counts.completed?);
    let (input, output) = (
        total(&facts.tokens.input_lengths),
        total(&facts.tokens.output_lengths),
    );
    facts.tokens.input = input;
    facts.tokens.output = output;
    let exact = number(value, "stddev_output_tokens") == Some(0.0);
    facts.tokens.asked_output = number(value, "mean_output_tokens").filter(|_| exact);
    facts.declare(SetupItem::Model, text(value, "model"));
    facts.streaming = Some(true);
    translate(&mut facts);
    facts
}

/// `results_ttft_s_quantiles_p99`, `results_ttft_s_mean` and the like.
fn family(value: &Value, metric: &str) -> Statistics {
    let mut out = Statistics::default();
    let prefix = format!("results_{metric}_");
    for (name, member) in value.as_object().into_iter().flatten() {
        let Some((statistic, number)) = name.strip_prefix(&prefix).zip(as_number(member)) else {
            continue;
        };
        match statistic {
            "mean" => out.mean = Some(number),
            "stddev" => out.std = Some(number),
            "min" => out.min = Some(number),
            "max" => out.max = Some(number),
            other => {
                if let Some(p) = other.strip_prefix("quantiles_p").and_then(percent) {
                    out.insert(p, number);
                }
            }
        }
    }
    out
}

/// Translates the individual responses.
pub(super) fn requests(value: &Value) -> Facts {
    let mut facts = Facts::of(Format::Llmperf);
    let rows = value.as_array().map_or(&[][..], Vec::as_slice);
    let said = |row: &Value| row.get("error_code").is_some();
    facts.list(rows.iter().map(request).collect(), rows.iter().all(said));
    facts.load.model = Some(LoadModel::Closed);
    facts.tokens.source = Some(TokenSource::Tokenizer);
    facts.tokens.input_counted_by = Some(TokenSource::Tokenizer);
    translate(&mut facts);
    facts
}

fn request(row: &Value) -> Request {
    let error = at(row, "error_code").is_some_and(|code| as_number(code) != Some(0.0));
    Request {
        ttft_ms: number(row, "ttft_s").map(|s| s * 1e3),
        e2e_ms: number(row, "end_to_end_latency_s").map(|s| s * 1e3),
        input_tokens: number(row, "number_input_tokens"),
        output_tokens: number(row, "number_output_tokens"),
        failed: error,
        ..Request::default()
    }
}

fn translate(facts: &mut Facts) {
    facts.translate(
        "inter_token_latency_s",
        "NTPOT",
        "E2E over chunks: TTFT is inside, and chunks are taken for tokens",
    );
    facts.translate("ttft_s", "TTFT", "from the send; stamped by the client");
    facts.translate("end_to_end_latency_s", "E2E", "from the send");
    facts.translate(
        "number_output_tokens",
        "output tokens",
        "the client's tokenizer",
    );
}
