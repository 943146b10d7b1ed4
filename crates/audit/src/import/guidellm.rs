//! GuideLLM: one file, one result for each benchmark in it.
//!
//! Its "time_per_output_token" is E2E / tokens (NTPOT) and its "inter_token_latency" is TPOT;
//! percentiles are order statistics; statistics are those of successful requests.

use super::guidellm_layouts::{requests, sortable, strategy, successful, translate_unchanged};
use super::guidellm_old;
use crate::facts::{Facts, Metric, PercentileRule, Request, SetupItem, TokenSource};
use crate::format::Format;
use crate::json::{at, flag, key_of, list, number, text};
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
