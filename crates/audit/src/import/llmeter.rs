//! LLMeter: `stats.json`, and `responses.jsonl` with a request a line.
//!
//! Seconds. A number of clients each send when their last answer is there. Percentiles are those of
//! Python's `statistics.quantiles`, which interpolates and, with few requests, goes beyond the largest.

use crate::facts::{Facts, LoadModel, Metric, PercentileRule, Request, SetupItem, Statistics};
use crate::format::Format;
use crate::json::{as_number, at, key_of, number, percent, text};
use serde_json::Value;

/// Translates the statistics.
pub(super) fn facts(value: &Value) -> Facts {
    let mut facts = Facts::of(Format::Llmeter);
    facts.date = text(value, "start_time");
    facts.percentile_rule = Some(PercentileRule::Linear);
    for (name, metric) in [
        ("time_to_first_token", Metric::Ttft),
        ("time_per_output_token", Metric::Tpot),
        ("time_to_last_token", Metric::E2e),
    ] {
        facts.state(metric, family(value, name).scaled(1e3));
    }
    facts.load.model = Some(LoadModel::Closed);
    facts.load.concurrency = number(value, "clients").filter(|c| *c > 0.0);
    facts.load.duration_s = number(value, "total_test_time");
    facts.load.asked_requests = number(value, "total_requests");
    facts.counts.failed = number(value, "failed_requests");
    let completed = facts.load.asked_requests.zip(facts.counts.failed);
    facts.counts.completed = completed.map(|(all, failed)| all - failed);
    facts.rates.requests = number(value, "requests_per_minute").map(|n| n / 60.0);
    facts.rates.output = number(value, "output_tps");
    facts.tokens.input = number(value, "total_input_tokens");
    facts.tokens.output = number(value, "total_output_tokens");
    let lengths = |name: &str| Some(family(value, name)).filter(|s| !s.is_empty());
    facts.tokens.input_lengths = lengths("num_tokens_input");
    facts.tokens.output_lengths = lengths("num_tokens_output");
    facts.declare(SetupItem::Model, text(value, "model_id"));
    translate(&mut facts);
    facts
}

/// `time_to_first_token-p99`, `time_to_first_token-average` and the like.
fn family(value: &Value, metric: &str) -> Statistics {
    let mut out = Statistics::default();
    let prefix = format!("{metric}-");
    for (name, member) in value.as_object().into_iter().flatten() {
        let Some((statistic, number)) = name.strip_prefix(&prefix).zip(as_number(member)) else {
            continue;
        };
        match statistic {
            "average" => out.mean = Some(number),
            other => {
                if let Some(p) = other.strip_prefix('p').and_then(percent) {
                    out.insert(p, number);
                }
            }
        }
    }
    out
}

/// The responses, if that is what the lines are.
pub(super) fn requests_of_lines(lines: &[Value]) -> Option<Facts> {
    let of_request = |line: &Value| {
        line.get("time_to_last_token").is_some() && line.get("response_text").is_some()
    };
    if lines.is_empty() || !lines.iter().all(of_request) {
        return None;
    }
    let mut facts = Facts::of(Format::Llmeter);
    let said = |line: &Value| line.get("error").is_some();
    facts.list(lines.iter().map(request).collect(), lines.iter().all(said));
    facts.load.model = Some(LoadModel::Closed);
    translate(&mut facts);
    Some(facts)
}

fn request(line: &Value) -> Request {
    let in_ms = |name: &str| number(line, name).map(|s| s * 1e3);
    let key = |name: &str| {
        let said = text(line, name).filter(|text| !text.is_empty());
        said.as_deref().map(key_of)
    };
    Request {
        ttft_ms: in_ms("time_to_first_token"),
        tpot_ms: in_ms("time_per_output_token"),
        e2e_ms: in_ms("time_to_last_token"),
        input_tokens: number(line, "num_tokens_input"),
        output_tokens: number(line, "num_tokens_output"),
        failed: at(line, "error").is_some(),
        prompt_key: key("input_prompt"),
        answer_key: key("response_text"),
        ..Request::default()
    }
}

fn translate(facts: &mut Facts) {
    facts.translate(
        "time_to_last_token",
        "E2E",
        "from the call to the end of the stream",
    );
    facts.translate(
        "time_per_output_token",
        "TPOT",
        "(E2E - TTFT) / (tokens - 1)",
    );
    facts.translate(
        "time_to_first_token",
        "TTFT",
        "from the call; stamped by the client",
    );
}
