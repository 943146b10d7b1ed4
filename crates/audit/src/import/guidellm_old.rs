//! A benchmark of GuideLLM up to 0.3: `args`, `run_stats` and `worker` instead of `config` and
//! `scheduler_state`.
//!
//! Its "inter_token_latency" is TPOT as later. Its "time_per_output_token" leaves the first token's
//! time out and divides by all tokens: neither TPOT nor NTPOT, so it is not read. How the
//! percentiles were computed is not stated, and nothing of the client's processes.

use super::guidellm_layouts::{requests, sortable, strategy, successful, translate_unchanged};
use crate::facts::{Facts, LoadModel, Metric, Request, SetupItem, TokenSource};
use crate::format::Format;
use crate::json::{at, key_of, number, text};
use serde_json::Value;

/// Whether a benchmark is of this layout.
pub(super) fn is_old(benchmark: &Value) -> bool {
    at(benchmark, "config").is_none() && at(benchmark, "args.strategy").is_some()
}

/// Translates one benchmark.
pub(super) fn facts(benchmark: &Value) -> Facts {
    let mut facts = Facts::of(Format::Guidellm);
    facts.date = number(benchmark, "run_stats.start_time").map(sortable);
    for (name, metric, factor) in [
        ("time_to_first_token_ms", Metric::Ttft, 1.0),
        ("inter_token_latency_ms", Metric::Tpot, 1.0),
        ("request_latency", Metric::E2e, 1e3),
    ] {
        facts.state(metric, successful(benchmark, name).scaled(factor));
    }
    load(&mut facts, benchmark);
    counts(&mut facts, benchmark);
    facts.declare(SetupItem::Model, text(benchmark, "worker.backend_model"));
    let target = text(benchmark, "worker.backend_target");
    let placement = target.as_deref().and_then(super::placement);
    facts.declare(SetupItem::ClientPlacement, placement);
    facts.requests = requests(benchmark, request);
    translate(&mut facts);
    facts
}

fn load(facts: &mut Facts, benchmark: &Value) {
    strategy(facts, benchmark, "args.strategy");
    facts.load.duration_s = number(benchmark, "duration");
    facts.load.warmup_s = number(benchmark, "args.warmup_duration");
    facts.load.warmup_requests = number(benchmark, "args.warmup_number");
    if facts.load.model == Some(LoadModel::Open) {
        let mean = number(benchmark, "run_stats.request_start_time_targeted_delay_avg");
        facts.load.send_lag_ms = mean.map(|s| s * 1e3);
    }
}

fn counts(facts: &mut Facts, benchmark: &Value) {
    let places = ["request_totals", "metrics.request_totals"];
    let total = |name: &str| {
        let paths = places.iter().map(|place| format!("{place}.{name}"));
        paths.into_iter().find_map(|path| number(benchmark, &path))
    };
    facts.counts.completed = total("successful");
    facts.counts.failed = total("errored");
    let lengths = |name: &str| Some(successful(benchmark, name)).filter(|s| !s.is_empty());
    facts.tokens.source = Some(TokenSource::UsageOrTokenizer);
    facts.tokens.output_lengths = lengths("output_token_count");
    facts.tokens.input_lengths = lengths("prompt_token_count");
    let sum = |name: &str| number(benchmark, &format!("metrics.{name}.successful.total_sum"));
    facts.tokens.output = sum("output_token_count");
    facts.tokens.input = sum("prompt_token_count");
    let mean = |name: &str| number(benchmark, &format!("metrics.{name}.successful.mean"));
    facts.rates.requests = mean("requests_per_second");
    facts.rates.output = mean("output_tokens_per_second");
    facts.rates.total = mean("tokens_per_second");
}

fn request(row: &Value, failed: bool) -> Request {
    let start = number(row, "start_time");
    let since_start = |name: &str| Some((number(row, name)? - start?) * 1e3);
    let tokens = number(row, "output_tokens");
    let (first, last) = (
        since_start("first_token_time"),
        since_start("last_token_time"),
    );
    let later = tokens.filter(|n| *n > 1.0).map(|n| n - 1.0);
    let key = |name: &str| {
        let text = text(row, name).filter(|t| !t.is_empty())?;
        Some(key_of(&text))
    };
    Request {
        start_s: start,
        ttft_ms: first,
        tpot_ms: first.zip(last).zip(later).map(|((f, l), n)| (l - f) / n),
        e2e_ms: since_start("end_time"),
        input_tokens: number(row, "prompt_tokens"),
        output_tokens: tokens,
        failed,
        prompt_key: key("prompt"),
        answer_key: key("output"),
        ..Request::default()
    }
}

fn translate(facts: &mut Facts) {
    translate_unchanged(facts);
    facts.translate(
        "time_per_output_token_ms (up to 0.3)",
        "nothing",
        "(last - first token) / tokens: neither TPOT nor NTPOT",
    );
}
