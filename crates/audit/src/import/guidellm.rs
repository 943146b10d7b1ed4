//! GuideLLM: one file, one result for each benchmark in it.
//!
//! Its "time_per_output_token" is E2E / tokens (NTPOT) and its "inter_token_latency" is TPOT;
//! percentiles are order statistics; statistics are those of successful requests.

use super::guidellm_old;
use crate::facts::{
    Arrivals, Facts, LoadModel, Metric, PercentileRule, Request, SetupItem, Statistics, TokenSource,
};
use crate::format::Format;
use crate::json::{at, flag, key_of, list, number, percent, text};
use serde_json::Value;

/// Translates every benchmark of a file.
pub(super) fn facts(value: &Value) -> Vec<Facts> {
    let benchmarks = list(value, "benchmarks").unwrap_or(&[]);
    let several = benchmarks.len() > 1;
    let translated = benchmarks.iter().enumerate().map(|(index, benchmark)| {
        let mut facts = benchmark_facts(value, benchmark);
        if several {
            facts.source = format!("benchmark {}", index + 1);
        }
        facts
    });
    translated.collect()
}

fn benchmark_facts(file: &Value, benchmark: &Value) -> Facts {
    if guidellm_old::is_old(benchmark) {
        return guidellm_old::facts(benchmark);
    }
    let mut facts = Facts::of(Format::Guidellm);
    facts.tool_version = text(file, "metadata.guidellm_version");
    facts.date = number(benchmark, "start_time").map(sortable);
    facts.abridged = flag(file, "guidellm_csv") == Some(true);
    // The older layout says nothing of it.
    facts.percentile_rule = at(benchmark, "config")
        .or_else(|| at(benchmark, "scheduler_state"))
        .map(|_| PercentileRule::Exact);
    for (name, metric, factor) in [
        ("time_to_first_token_ms", Metric::Ttft, 1.0),
        ("inter_token_latency_ms", Metric::Tpot, 1.0),
        ("time_per_output_token_ms", Metric::Ntpot, 1.0),
        ("request_latency", Metric::E2e, 1e3),
    ] {
        facts.state(metric, successful(benchmark, name).scaled(factor));
    }
    load(&mut facts, benchmark);
    counts(&mut facts, benchmark);
    set_up(&mut facts, file, benchmark);
    facts.requests = requests(benchmark, request);
    let successful = list(benchmark, "requests.successful").unwrap_or(&[]);
    let cached = successful.iter().map(|row| number(row, "cached_tokens"));
    facts.tokens.cached = cached
        .sum::<Option<f64>>()
        .filter(|_| !successful.is_empty());
    translate(&mut facts);
    facts
}

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
    let mut out = crate::json::statistics(object, 1.0);
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

fn load(facts: &mut Facts, benchmark: &Value) {
    strategy(facts, benchmark, "config.strategy");
    facts.load.duration_s = number(benchmark, "duration");
    facts.load.warmup_s = number(benchmark, "warmup_duration");
    facts.load.warmup_requests = facts.load.warmup_s.filter(|s| *s == 0.0);
    facts.load.asked_requests = number(benchmark, "config.constraints.max_requests.args.count");
    let lag = successful(benchmark, "request_dispatch_delay");
    let mean = number(
        benchmark,
        "scheduler_metrics.request_targeted_start_delay_avg",
    );
    let highest = lag.percentile(99.0).or(mean);
    facts.load.send_lag_ms = highest.map(|s| s * 1e3);
    // Worker processes bound the cores in use from above.
    facts.client_cores = number(benchmark, "scheduler_state.num_processes");
}

fn counts(facts: &mut Facts, benchmark: &Value) {
    let total = |name: &str| number(benchmark, &format!("metrics.request_totals.{name}"));
    facts.counts.completed = total("successful");
    facts.counts.failed = total("errored");
    // Those in flight at the end are neither: the number asked for then says nothing.
    if total("incomplete").is_some_and(|n| n > 0.0) {
        facts.load.asked_requests = None;
    }
    let sum = |name: &str| number(benchmark, &format!("metrics.{name}.successful.total_sum"));
    facts.tokens.source = Some(TokenSource::UsageOrTokenizer);
    facts.tokens.output = sum("output_token_count");
    facts.tokens.input = sum("prompt_token_count");
    let lengths = |name: &str| Some(successful(benchmark, name)).filter(|s| !s.is_empty());
    facts.tokens.output_lengths = lengths("output_token_count");
    facts.tokens.input_lengths = lengths("prompt_token_count");
    facts.tokens.per_chunk = number(
        benchmark,
        "metrics.output_tokens_per_iteration.successful.mean",
    );
    let mean = |name: &str| number(benchmark, &format!("metrics.{name}.successful.mean"));
    facts.rates.requests = mean("requests_per_second");
    facts.rates.output = mean("output_tokens_per_second");
    facts.rates.input = mean("prompt_tokens_per_second");
    facts.rates.total = mean("tokens_per_second");
}

fn set_up(facts: &mut Facts, file: &Value, benchmark: &Value) {
    facts.declare(SetupItem::Model, text(benchmark, "config.backend.model"));
    let target = text(benchmark, "config.backend.target");
    let placement = target.as_deref().and_then(super::placement);
    facts.declare(SetupItem::ClientPlacement, placement);
    facts.declare(
        SetupItem::Tokenizer,
        text(file, "config.spec.tokenizer.model"),
    );
    facts.streaming = flag(benchmark, "config.backend.stream");
    facts.seed = text(benchmark, "config.strategy.random_seed");
    let data = list(file, "config.spec.data").and_then(<[Value]>::first);
    facts.declare(SetupItem::Dataset, data.and_then(|d| text(d, "kind")));
    let spread = [
        "output_tokens_stdev",
        "output_tokens_min",
        "output_tokens_max",
    ];
    facts.tokens.asked_output = data
        .filter(|d| spread.iter().all(|name| at(d, name).is_none()))
        .and_then(|d| number(d, "output_tokens"));
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

fn request(row: &Value, failed: bool) -> Request {
    let timing = |name: &str| number(row, &format!("info.timings.{name}"));
    let span = |to: Option<f64>| Some((to? - timing("request_start")?) * 1e3);
    let gap = timing("last_token_iteration").zip(timing("first_token_iteration"));
    let tokens = number(row, "output_metrics.text_tokens").or_else(|| number(row, "output_tokens"));
    let later = tokens.filter(|n| *n > 1.0).map(|n| n - 1.0);
    Request {
        start_s: timing("request_start"),
        ttft_ms: span(timing("first_token_iteration")),
        tpot_ms: gap
            .zip(later)
            .map(|((last, first), n)| (last - first) / n * 1e3),
        e2e_ms: span(timing("request_end")),
        gaps_ms: None,
        input_tokens: number(row, "input_metrics.text_tokens"),
        output_tokens: tokens,
        failed,
        prompt_key: text(row, "request_args").as_deref().map(key_of),
        answer_key: text(row, "output")
            .filter(|t| !t.is_empty())
            .as_deref()
            .map(key_of),
    }
}

fn translate(facts: &mut Facts) {
    facts.translate(
        "time_per_output_token_ms",
        "NTPOT",
        "(last token - start) / tokens: TTFT is inside",
    );
    translate_unchanged(facts);
    facts.translate(
        "request_dispatch_delay",
        "send lag",
        "from the targeted start to the send",
    );
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
