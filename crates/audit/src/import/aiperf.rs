//! AIPerf (`profile_export_aiperf.json`, `profile_export.jsonl`) and GenAI-Perf, its forerunner.
//!
//! Its "inter_token_latency" is TPOT and its "inter_chunk_latency" the chunk gap. It counts
//! output tokens with its own tokenizer and, beside that, keeps the server's usage.

use super::statistics::statistics;
use crate::facts::{
    Arrivals, Facts, LoadModel, PercentileRule, Request, SetupItem, Statistics, TokenSource,
};
use crate::format::Format;
use crate::json::{at, flag, list, number, numbers, text, unit_in_ms};
use crate::vocabulary::AIPERF;
use serde_json::Value;

/// Translates the summary.
pub(super) fn facts(value: &Value) -> Facts {
    let version = text(value, "aiperf_version");
    let of_csv = flag(value, "input_config.aiperf_csv");
    let format = if version.is_some() || of_csv == Some(true) {
        Format::Aiperf
    } else {
        Format::GenaiPerf
    };
    let mut facts = Facts::of(format);
    facts.tool_version = version;
    facts.date = text(value, "start_time");
    facts.abridged = of_csv.is_some();
    facts.percentile_rule = Some(PercentileRule::Linear);
    let family = |name: &str| {
        let factor = unit_in_ms(value, &format!("{name}.unit"));
        let object = at(value, name).zip(factor);
        object.map_or_else(Statistics::default, |(object, factor)| {
            statistics(object, factor)
        })
    };
    let single = |name: &str| number(value, &format!("{name}.avg"));
    facts.take(AIPERF, family, single);
    counts(&mut facts, value);
    load(&mut facts, value);
    set_up(&mut facts, value);
    facts.streaming = flag(value, "input_config.endpoint.streaming");
    let complete = flag(value, "is_complete");
    let cancelled = flag(value, "was_cancelled");
    facts.cut_short = match (cancelled, complete) {
        (None, None) => None,
        (cancelled, complete) => Some(cancelled == Some(true) || complete == Some(false)),
    };
    let reused = number(value, "http_req_connection_reused.avg");
    facts.new_connections = reused.map(|share| 1.0 - share);
    facts.translate_all(AIPERF);
    facts
}

fn counts(facts: &mut Facts, value: &Value) {
    let avg = |name: &str| number(value, &format!("{name}.avg"));
    let sum = |name: &str| number(value, &format!("{name}.sum"));
    facts.counts.completed = avg("completed_request_count").or_else(|| avg("request_count"));
    let by_share = || (avg("request_error_rate")? == 0.0).then_some(0.0);
    facts.counts.failed = avg("error_request_count").or_else(by_share);
    facts.tokens.source = Some(TokenSource::Tokenizer);
    facts.tokens.output = avg("total_osl")
        .or_else(|| avg("total_output_tokens"))
        .or_else(|| sum("output_sequence_length"));
    facts.tokens.input = avg("total_isl").or_else(|| sum("input_sequence_length"));
    facts.tokens.output_recount = avg("total_usage_completion_tokens");
    facts.tokens.input_recount = avg("total_usage_prompt_tokens");
    facts.tokens.cached = sum("usage_prompt_cache_read_tokens");
    // Chunks carry the tokens that the server generated, which its usage counts.
    facts.tokens.chunks = gaps_per_request(value).map(|gaps| gaps + 1.0);
    facts.tokens.per_chunk = facts.tokens.chunks.and_then(|chunks| {
        let tokens = facts.tokens.output_recount?;
        Some(tokens / facts.counts.completed? / chunks).filter(|n| n.is_finite())
    });
    let lengths = |name: &str| at(value, name).map(|object| statistics(object, 1.0));
    // Its own tokenizer sees the prompt's text alone: all alike there, they may range at the server.
    let by_usage = lengths("usage_prompt_tokens").filter(|s| !s.is_empty());
    facts.tokens.input_counted_by = Some(match by_usage {
        Some(_) => TokenSource::Usage,
        None => TokenSource::Tokenizer,
    });
    facts.tokens.input_lengths = by_usage.or_else(|| lengths("input_sequence_length"));
    facts.tokens.output_lengths = lengths("output_sequence_length");
    let good = avg("goodput")
        .zip(facts.rates.requests)
        .filter(|(_, all)| *all > 0.0);
    facts.rates.attainment = good.map(|(good, all)| good / all);
    let to_s = unit_in_ms(value, "benchmark_duration.unit").map(|ms| ms / 1e3);
    facts.load.duration_s = avg("benchmark_duration").zip(to_s).map(|(t, s)| t * s);
}

fn gaps_per_request(value: &Value) -> Option<f64> {
    let gaps = number(value, "inter_chunk_latency.count")?;
    let requests = number(value, "request_latency.count").filter(|n| *n > 0.0)?;
    Some(gaps / requests)
}

fn load(facts: &mut Facts, value: &Value) {
    let phases = list(value, "input_config.phases").unwrap_or(&[]);
    let is_warmup = |p: &&Value| text(p, "kind").is_some_and(|kind| kind == "warmup");
    if let Some(phase) = phases.iter().find(|p| !is_warmup(p)) {
        facts.load.rate = number(phase, "rate");
        facts.load.concurrency = number(phase, "concurrency");
        facts.load.asked_requests = number(phase, "requests");
        let kind = text(phase, "type").unwrap_or_default();
        facts.load.arrivals = match kind.as_str() {
            "poisson" => Some(Arrivals::Poisson),
            "constant" => Some(Arrivals::Constant),
            "gamma" => Some(Arrivals::Other),
            _ => None,
        };
    }
    if !phases.is_empty() {
        let warmup = phases.iter().find(is_warmup);
        let requests = warmup.and_then(|p| number(p, "requests"));
        let seconds = warmup.and_then(|p| number(p, "duration"));
        facts.load.warmup_requests = requests.or(warmup.is_none().then_some(0.0));
        facts.load.warmup_s = seconds.or(warmup.is_none().then_some(0.0));
    }
    // GenAI-Perf and earlier AIPerf: flat stimulus.
    let older = |name: &str| {
        [
            "input_config.loadgen",
            "input_config.perf_analyzer.stimulus",
            "input_config",
        ]
        .iter()
        .find_map(|place| number(value, &format!("{place}.{name}")))
    };
    facts.load.rate = facts.load.rate.or_else(|| older("request_rate"));
    facts.load.concurrency = facts.load.concurrency.or_else(|| older("concurrency"));
    facts.load.model = match (facts.load.rate, facts.load.concurrency) {
        (Some(_), _) => Some(LoadModel::Open),
        (None, Some(_)) => Some(LoadModel::Closed),
        (None, None) => None,
    };
    let lag = number(value, "credit_to_start_latency.p99");
    let in_ms = unit_in_ms(value, "credit_to_start_latency.unit");
    facts.load.send_lag_ms = lag.zip(in_ms).map(|(lag, ms)| lag * ms);
}

fn set_up(facts: &mut Facts, value: &Value) {
    let first = |path: &str| list(value, path)?.first();
    let model = first("input_config.models.items").and_then(|m| text(m, "name"));
    let older = first("input_config.endpoint.model_names").and_then(Value::as_str);
    let older = older.map(str::to_owned);
    facts.declare(SetupItem::Model, model.or(older));
    facts.declare(
        SetupItem::Tokenizer,
        text(value, "input_config.tokenizer.name"),
    );
    let dataset = first("input_config.datasets");
    let kind = dataset.and_then(|d| text(d, "path").or_else(|| text(d, "type")));
    facts.declare(SetupItem::Dataset, kind);
    facts.tokens.asked_output = dataset
        .filter(|d| number(d, "prompts.osl.stddev").unwrap_or(0.0) == 0.0)
        .and_then(|d| number(d, "prompts.osl.mean"));
    facts.declare(SetupItem::GpuModel, gpu_model(value));
    let url = first("input_config.endpoint.urls").and_then(Value::as_str);
    facts.declare(SetupItem::ClientPlacement, url.and_then(super::placement));
    facts.seed = text(value, "run_info.random_seed")
        .or_else(|| dataset.and_then(|d| text(d, "random_seed")));
}

/// The model of the GPUs that telemetry was taken of, where it is one. How many of them served is
/// not said.
fn gpu_model(value: &Value) -> Option<String> {
    let endpoints = at(value, "telemetry_data.endpoints").and_then(Value::as_object)?;
    let gpus = endpoints
        .values()
        .filter_map(|e| at(e, "gpus")?.as_object());
    let mut names = gpus.flat_map(|gpus| gpus.values().filter_map(|gpu| text(gpu, "gpu_name")));
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

/// The per-request file, if that is what the lines are.
pub(super) fn requests_of_lines(lines: &[Value]) -> Option<Facts> {
    // An export of what nobody knows the instants of has none.
    let of_request = |line: &Value| {
        let named = ["metadata.request_start_ns", "metadata.session_num"];
        named.iter().any(|path| at(line, path).is_some()) && at(line, "metrics").is_some()
    };
    if !lines.iter().all(of_request) {
        return None;
    }
    let mut facts = Facts::of(Format::Aiperf);
    let measured = lines.iter().filter(|line| {
        text(line, "metadata.benchmark_phase").is_none_or(|phase| phase != "warmup")
    });
    let measured: Vec<&Value> = measured.collect();
    let completed = || measured.iter().filter(|line| !is_failed(line));
    let sum = |name: &str| -> Option<f64> {
        let path = format!("metrics.{name}.value");
        completed().map(|line| number(line, &path)).sum()
    };
    facts.tokens.source = Some(TokenSource::Tokenizer);
    facts.tokens.input = sum("input_sequence_length");
    facts.tokens.input_recount = sum("usage_prompt_tokens");
    facts.tokens.output_recount = sum("usage_completion_tokens");
    facts.tokens.cached = sum("usage_prompt_cache_read_tokens");
    let by_usage = facts.tokens.input_recount.is_some();
    let (counted_by, prompt_tokens) = match by_usage {
        true => (TokenSource::Usage, "usage_prompt_tokens"),
        false => (TokenSource::Tokenizer, "input_sequence_length"),
    };
    facts.tokens.input_counted_by = Some(counted_by);
    let reused = sum("http_req_connection_reused");
    let share = |reused: f64| 1.0 - reused / completed().count().max(1) as f64;
    facts.new_connections = reused.map(share).filter(|_| completed().count() > 0);
    // What is absent is left out there: no error, then.
    let requests = measured.iter().map(|line| request(line, prompt_tokens));
    let requests = requests.collect();
    facts.list(requests, true);
    facts.translate_all(AIPERF);
    Some(facts)
}

fn is_failed(line: &Value) -> bool {
    at(line, "error").is_some() || flag(line, "metadata.was_cancelled") == Some(true)
}

fn request(line: &Value, prompt_tokens: &str) -> Request {
    let metric = |name: &str| {
        let object = at(line, &format!("metrics.{name}"))?;
        Some(number(object, "value")? * unit_in_ms(object, "unit")?)
    };
    let gaps = || -> Option<Vec<f64>> {
        let object = at(line, "metrics.inter_chunk_latency")?;
        let factor = unit_in_ms(object, "unit")?;
        let gaps = numbers(at(object, "value")?)?;
        Some(gaps.iter().map(|gap| gap * factor).collect())
    };
    let tokens = |name: &str| number(line, &format!("metrics.{name}.value"));
    Request {
        start_s: number(line, "metadata.request_start_ns").map(|ns| ns * 1e-9),
        ttft_ms: metric("time_to_first_token"),
        tpot_ms: metric("inter_token_latency"),
        e2e_ms: metric("request_latency"),
        gaps_ms: gaps(),
        input_tokens: tokens(prompt_tokens),
        output_tokens: tokens("output_sequence_length"),
        failed: is_failed(line),
        prompt_key: None,
        answer_key: None,
    }
}
