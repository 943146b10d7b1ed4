//! inference-perf: the summary, a stage, or the per-request file.
//!
//! Its "time_per_output_token" is TPOT; NTPOT starts at the actual send; "inter_token_latency" is
//! per token of the client's own tokenizer, whose count it uses throughout; seconds.

use super::statistics::statistics;
use crate::facts::{Facts, LoadModel, Metric, PercentileRule, Request, TokenSource};
use crate::format::Format;
use crate::json::{at, key_of, number, numbers, text};
use serde_json::Value;

/// Translates a summary or a stage.
pub(super) fn facts(value: &Value) -> Facts {
    let mut facts = Facts::of(Format::InferencePerf);
    facts.percentile_rule = Some(PercentileRule::Linear);
    facts.counts.completed = number(value, "successes.count");
    facts.counts.failed = number(value, "failures.count");
    for (name, metric) in [
        ("time_to_first_token", Metric::Ttft),
        ("time_per_output_token", Metric::Tpot),
        ("normalized_time_per_output_token", Metric::Ntpot),
        ("inter_token_latency", Metric::Itl),
        ("request_latency", Metric::E2e),
    ] {
        if let Some(object) = at(value, &format!("successes.latency.{name}")) {
            facts.state(metric, statistics(object, 1e3));
        }
    }
    load(&mut facts, value);
    throughput(&mut facts, value);
    translate(&mut facts);
    facts
}

fn load(facts: &mut Facts, value: &Value) {
    facts.load.rate = number(value, "load_summary.requested_rate").filter(|r| *r > 0.0);
    facts.load.concurrency = number(value, "load_summary.concurrency").filter(|c| *c > 0.0);
    facts.load.model = match (facts.load.rate, facts.load.concurrency) {
        (Some(_), _) => Some(LoadModel::Open),
        (None, Some(_)) => Some(LoadModel::Closed),
        (None, None) => None,
    };
    facts.load.asked_requests = number(value, "load_summary.count");
    facts.load.duration_s = number(value, "benchmark_time_seconds");
    if let Some(delay) = at(value, "load_summary.schedule_delay") {
        let delay = statistics(delay, 1e3);
        facts.load.send_lag_ms = delay.percentile(99.0).or(delay.max).or(delay.mean);
    }
}

fn throughput(facts: &mut Facts, value: &Value) {
    let rate = |name: &str| number(value, &format!("successes.throughput.{name}"));
    facts.rates.requests = rate("requests_per_sec");
    facts.rates.output = rate("output_tokens_per_sec");
    facts.rates.input = rate("input_tokens_per_sec");
    facts.rates.total = rate("total_tokens_per_sec");
    facts.rates.attainment = number(
        value,
        "successes.goodput_metrics.request_goodput_percentage",
    )
    .map(|percent| percent / 100.0);
    let lengths = |name: &str| at(value, &format!("successes.{name}")).map(|o| statistics(o, 1.0));
    facts.tokens.source = Some(TokenSource::Tokenizer);
    facts.tokens.input_counted_by = Some(TokenSource::Tokenizer);
    facts.tokens.input_lengths = lengths("prompt_len");
    facts.tokens.output_lengths = lengths("output_len");
    let total = |lengths: &Option<crate::facts::Statistics>| {
        Some(lengths.as_ref()?.mean? * facts.counts.completed?)
    };
    let (input, output) = (
        total(&facts.tokens.input_lengths),
        total(&facts.tokens.output_lengths),
    );
    facts.tokens.input = input;
    facts.tokens.output = output;
    facts.tokens.output_recount = number(value, "successes.output_tokens.total");
    facts.tokens.cached = number(value, "successes.prompt_tokens.cached");
}

/// The per-request file.
pub(super) fn requests(value: &Value) -> Facts {
    let mut facts = Facts::of(Format::InferencePerf);
    let rows = value.as_array().map_or(&[][..], Vec::as_slice);
    let said = |row: &Value| row.get("error").is_some();
    facts.list(rows.iter().map(request).collect(), rows.iter().all(said));
    facts.tokens.source = Some(TokenSource::Tokenizer);
    facts.tokens.input_counted_by = Some(TokenSource::Tokenizer);
    facts.translate(
        "output_token_times",
        "token instants",
        "tokens of the client's tokenizer; chunk_times where the file has them",
    );
    facts
}

fn request(row: &Value) -> Request {
    let inner = ["info.response_metrics", "info"];
    let member = |name: &str| {
        inner
            .iter()
            .find_map(|place| at(row, &format!("{place}.{name}")))
    };
    let tokens = member("output_token_times").and_then(numbers);
    let chunks = member("chunk_times").and_then(numbers);
    let start = number(row, "start_time");
    let end = number(row, "end_time");
    let first = chunks
        .as_ref()
        .or(tokens.as_ref())
        .and_then(|t| t.first().copied());
    let since_start = |t: Option<f64>| Some((t? - start?) * 1e3);
    let input = [
        "info.input_tokens",
        "info.request_metrics.text.input_tokens",
    ];
    Request {
        start_s: start,
        ttft_ms: since_start(first),
        tpot_ms: None,
        e2e_ms: since_start(end),
        gaps_ms: chunks.map(|t| t.windows(2).map(|w| (w[1] - w[0]) * 1e3).collect()),
        input_tokens: input.iter().find_map(|path| number(row, path)),
        output_tokens: member("output_tokens").and_then(crate::json::as_number),
        failed: at(row, "error").is_some(),
        prompt_key: text(row, "request").as_deref().map(key_of),
        answer_key: None,
    }
}

fn translate(facts: &mut Facts) {
    facts.translate(
        "time_per_output_token",
        "TPOT",
        "(last - first token) / (tokens - 1)",
    );
    facts.translate(
        "normalized_time_per_output_token",
        "NTPOT",
        "from the actual send",
    );
    facts.translate(
        "inter_token_latency",
        "ITL",
        "per token of the client's tokenizer, near 0 inside a chunk",
    );
    facts.translate("request_latency", "E2E", "from the actual send");
    facts.translate(
        "schedule_delay",
        "send lag",
        "from the scheduled instant to the send",
    );
}

/// Whether this is the summary over all stages, which holds no load of its own.
pub(crate) fn is_summary_of_stages(facts: &Facts) -> bool {
    facts.format == Format::InferencePerf && facts.load.model.is_none() && facts.requests.is_empty()
}

#[cfg(test)]
mod tests {
    use super::requests;
    use serde_json::json;

    #[test]
    fn a_request_has_its_own_chunks() {
        let facts = requests(&json!([
            {"start_time": 10.0, "end_time": 11.0, "request": "{}", "error": null,
             "info": {"input_tokens": 5, "response_metrics":
                {"output_tokens": 3, "chunk_times": [10.2, 10.4, 10.9]}}},
            {"start_time": 12.0, "end_time": 12.5, "info": {}, "error": {"error_msg": "x"}}
        ]));
        let first = &facts.requests[0];
        assert!((first.ttft_ms.expect("there") - 200.0).abs() < 1e-6);
        assert_eq!(first.gaps_ms.as_ref().map(Vec::len), Some(2));
        assert!(facts.requests[1].failed);
        assert_eq!(facts.counts.completed, Some(1.0));
    }
}
