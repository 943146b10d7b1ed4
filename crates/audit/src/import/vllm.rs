//! `vllm bench serve --save-result`: one object, or one a line with `--append-result`; with and
//! without `--save-detailed`; older keys; and the Rust client, which writes the same family.
//!
//! Its "itl" is the gap between chunks; its TPOT runs from the first token to the end of the
//! stream over tokens - 1; percentiles interpolate linearly.

use super::arrays::{Arrays, requests};
use super::open_or_burst;
use crate::facts::{Arrivals, Facts, PercentileRule, SetupItem, Statistics, TokenSource};
use crate::format::Format;
use crate::json::{at, list, number, percent, text};
use crate::vocabulary::VLLM;
use serde_json::Value;

/// Members of `--metadata` that name an item of the set-up.
const METADATA: [(&str, SetupItem); 12] = [
    ("gpu", SetupItem::GpuModel),
    ("gpu_model", SetupItem::GpuModel),
    ("gpu_count", SetupItem::GpuCount),
    ("num_gpus", SetupItem::GpuCount),
    ("engine", SetupItem::Engine),
    ("engine_version", SetupItem::EngineVersion),
    ("vllm_version", SetupItem::EngineVersion),
    ("version", SetupItem::EngineVersion),
    ("tensor_parallel_size", SetupItem::TensorParallel),
    ("tp", SetupItem::TensorParallel),
    ("dtype", SetupItem::Precision),
    ("quantization", SetupItem::Precision),
];

/// Translates one object.
pub(super) fn facts(value: &Value) -> Facts {
    let rust = at(value, "steady_state").is_some() || at(value, "input_throughput").is_some();
    let mut facts = Facts::of(if rust { Format::VllmRust } else { Format::Vllm });
    facts.date = text(value, "date");
    facts.percentile_rule = Some(PercentileRule::Linear);
    let single = |name: &str| number(value, name);
    facts.take(VLLM, |name| family(value, name), single);
    load(&mut facts, value);
    counts(&mut facts, value);
    set_up(&mut facts, value);
    let arrays = Arrays {
        end_to_end: "latencies",
        starts: "start_times",
    };
    requests(&mut facts, value, &arrays);
    facts.translate_all(VLLM);
    facts
}

fn load(facts: &mut Facts, value: &Value) {
    open_or_burst(facts, value);
    let burstiness = number(value, "burstiness");
    facts.load.arrivals = burstiness.map(|b| {
        if b == 1.0 {
            Arrivals::Poisson
        } else {
            Arrivals::Other
        }
    });
    facts.load.asked_requests = number(value, "num_prompts");
}

fn counts(facts: &mut Facts, value: &Value) {
    let listed = list(value, "failed_requests").map(|l| l.len() as f64);
    facts.counts.failed = facts.counts.failed.or(listed);
    facts.tokens.source = Some(TokenSource::UsageOrTokenizer);
    // Older files have the key with its colon.
    let goodput = number(value, "request_goodput").or_else(|| number(value, "request_goodput:"));
    let share = goodput
        .zip(facts.rates.requests)
        .filter(|(_, all)| *all > 0.0);
    facts.rates.attainment = share.map(|(good, all)| good / all);
}

fn set_up(facts: &mut Facts, value: &Value) {
    facts.declare(SetupItem::Model, text(value, "model_id"));
    facts.declare(SetupItem::Tokenizer, text(value, "tokenizer_id"));
    facts.declare(SetupItem::Dataset, text(value, "dataset_name"));
    for (name, item) in METADATA {
        facts.declare(item, text(value, name));
    }
    if let Some(accepted) = number(value, "spec_decode_acceptance_length") {
        facts.declare(SetupItem::Speculation, Some("on".to_owned()));
        facts.tokens.per_chunk = Some(accepted);
    }
    facts.seed = text(value, "seed");
}

/// `mean_ttft_ms`, `median_ttft_ms`, `std_ttft_ms`, `p99_ttft_ms` and the like.
pub(super) fn family(value: &Value, metric: &str) -> Statistics {
    let mut out = Statistics::default();
    let suffix = format!("_{metric}_ms");
    let members = value.as_object().into_iter().flatten();
    for (name, member) in members {
        let statistic = name.strip_suffix(&suffix);
        let Some((statistic, number)) = statistic.zip(crate::json::as_number(member)) else {
            continue;
        };
        match statistic {
            "mean" => out.mean = Some(number),
            "std" => out.std = Some(number),
            "median" => out.insert(50.0, number),
            other => {
                if let Some(p) = other.strip_prefix('p').and_then(percent) {
                    out.insert(p, number);
                }
            }
        }
    }
    out
}
