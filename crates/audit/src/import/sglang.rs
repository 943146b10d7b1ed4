//! SGLang `bench_serving`: one object a line, with bare `Infinity` and `NaN`.
//!
//! Like vLLM's family, and different: no count of failures (errors that are not empty are
//! counted), no send instants, E2E includes trailing frames, output tokens are the server's usage
//! where it comes and else the number asked for.

use super::arrays::{Arrays, requests};
use super::open_or_burst;
use super::vllm::family;
use crate::facts::{Arrivals, Facts, Metric, PercentileRule, SetupItem, TokenSource};
use crate::format::Format;
use crate::json::{at, list, number, text};
use serde_json::Value;

/// Members of `server_info` that name an item of the set-up.
const SERVER_INFO: [(&str, SetupItem); 11] = [
    ("version", SetupItem::EngineVersion),
    ("tp_size", SetupItem::TensorParallel),
    ("pp_size", SetupItem::PipelineParallel),
    ("dp_size", SetupItem::DataParallel),
    ("quantization", SetupItem::Precision),
    ("dtype", SetupItem::Precision),
    ("attention_backend", SetupItem::AttentionBackend),
    ("schedule_policy", SetupItem::Scheduling),
    ("chunked_prefill_size", SetupItem::ChunkedPrefill),
    ("speculative_algorithm", SetupItem::Speculation),
    ("log_level", SetupItem::ServerLogging),
];

/// Translates one object.
pub(super) fn facts(value: &Value) -> Facts {
    let mut facts = Facts::of(Format::Sglang);
    facts.percentile_rule = Some(PercentileRule::Linear);
    open_or_burst(&mut facts, value);
    facts.load.arrivals = facts.load.rate.map(|_| Arrivals::Poisson);
    facts.load.duration_s = number(value, "duration");
    counts(&mut facts, value);
    for (name, metric) in [
        ("ttft", Metric::Ttft),
        ("tpot", Metric::Tpot),
        ("itl", Metric::ChunkGap),
        ("e2e_latency", Metric::E2e),
    ] {
        facts.state(metric, family(value, name));
    }
    set_up(&mut facts, value);
    let arrays = Arrays {
        end_to_end: "latencies",
        starts: "start_times",
    };
    requests(&mut facts, value, &arrays);
    translate(&mut facts);
    facts
}

fn counts(facts: &mut Facts, value: &Value) {
    facts.counts.completed = number(value, "completed");
    let is_error = |e: &&Value| e.as_str().is_some_and(|e| !e.is_empty());
    let errors = list(value, "errors").filter(|l| !l.is_empty());
    facts.counts.failed = errors.map(|l| l.iter().filter(is_error).count() as f64);
    facts.load.asked_requests = errors.map(|l| l.len() as f64);
    facts.tokens.source = Some(TokenSource::UsageOrTokenizer);
    facts.tokens.input = number(value, "total_input_tokens");
    facts.tokens.output = number(value, "total_output_tokens");
    facts.tokens.output_recount = number(value, "total_output_tokens_retokenized");
    facts.tokens.per_chunk = number(value, "accept_length").filter(|n| *n >= 1.0);
    // 1 asks for one length; the server is told to ignore the end token.
    let exact = number(value, "random_range_ratio") == Some(1.0);
    facts.tokens.asked_output = number(value, "random_output_len").filter(|_| exact);
    facts.rates.requests = number(value, "request_throughput");
    facts.rates.output = number(value, "output_throughput");
    facts.rates.input = number(value, "input_throughput");
    facts.rates.total = number(value, "total_throughput");
    facts.rates.attainment = number(value, "slo_attainment");
}

fn set_up(facts: &mut Facts, value: &Value) {
    facts.declare(SetupItem::Dataset, text(value, "dataset_name"));
    let Some(info) = at(value, "server_info") else {
        return;
    };
    facts.declare(SetupItem::Engine, Some("sglang".to_owned()));
    facts.declare(SetupItem::Model, text(info, "model_path"));
    for (name, item) in SERVER_INFO {
        facts.declare(item, text(info, name));
    }
    if let Some(off) = text(info, "disable_radix_cache") {
        let state = if off == "true" { "off" } else { "on" };
        facts.declare(SetupItem::PrefixCache, Some(state.to_owned()));
    }
}

fn translate(facts: &mut Facts) {
    facts.translate(
        "itl",
        "chunk gap",
        "one gap per chunk, however many tokens it carries",
    );
    facts.translate("tpot", "TPOT", "(E2E - TTFT) / (tokens - 1)");
    facts.translate(
        "ttft",
        "TTFT",
        "from the send; stamped by the client's event loop",
    );
    facts.translate("e2e_latency", "E2E", "trailing frames included");
    facts.translate(
        "total_output_tokens",
        "output tokens",
        "the server's usage; the number asked for where there is none",
    );
    facts.translate(
        "total_output_tokens_retokenized",
        "recount",
        "the client's tokenizer",
    );
}
