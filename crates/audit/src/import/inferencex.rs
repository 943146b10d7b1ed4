//! Rows of InferenceX (InferenceMAX before): of its aggregates, of its API, and its agentic ones.
//!
//! Latencies are those of the serving benchmark behind a row (vLLM's family), in seconds without the
//! unit in their names. `tput_per_gpu` is input and output; `intvty` is the reciprocal of TPOT.

use super::statistics::statistics;
use crate::facts::{Facts, LoadModel, SetupItem, Statistics, TokenSource};
use crate::format::Format;
use crate::json::{as_number, at, number, percent, text};
use crate::vocabulary::INFERENCEX;
use serde_json::Value;

/// Items of the set-up by name: of a row, or as the API has it.
const ITEMS: [(&str, SetupItem); 9] = [
    ("hw", SetupItem::GpuModel),
    ("hardware", SetupItem::GpuModel),
    ("model", SetupItem::Model),
    ("framework", SetupItem::Engine),
    ("image", SetupItem::EngineVersion),
    ("precision", SetupItem::Precision),
    ("tp", SetupItem::TensorParallel),
    ("pp", SetupItem::PipelineParallel),
    ("dataset", SetupItem::Dataset),
];

/// Translates a row.
pub(super) fn facts(row: &Value) -> Facts {
    let mut facts = Facts::of(Format::InferenceX);
    facts.date = text(row, "date");
    let figures = at(row, "metrics").unwrap_or(row);
    let families = |name: &str| {
        let nested = at(row, &format!("request_metrics.latency.{name}"));
        nested.map_or_else(|| family(figures, name), |o| statistics(o, 1.0))
    };
    facts.take(INFERENCEX, families, |name| number(figures, name));
    facts.load.concurrency = number(row, "conc").filter(|c| *c > 0.0);
    facts.load.model = facts.load.concurrency.map(|_| LoadModel::Closed);
    facts.rates.requests = number(row, "request_metrics.qps");
    facts.load.asked_requests = number(row, "num_requests_total");
    facts.counts.completed = number(row, "num_requests_successful");
    let failed = facts.load.asked_requests.zip(facts.counts.completed);
    facts.counts.failed = failed.map(|(all, done)| all - done);
    facts.tokens.source = Some(TokenSource::UsageOrTokenizer);
    facts.streaming = Some(true);
    set_up(&mut facts, row);
    translate(&mut facts);
    facts
}

/// `mean_ttft`, `median_ttft`, `std_ttft`, `p99_ttft` and the like.
fn family(row: &Value, metric: &str) -> Statistics {
    let mut out = Statistics::default();
    let suffix = format!("_{metric}");
    for (name, member) in row.as_object().into_iter().flatten() {
        let Some((statistic, number)) = name.strip_suffix(&suffix).zip(as_number(member)) else {
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

fn set_up(facts: &mut Facts, row: &Value) {
    for (name, item) in ITEMS {
        facts.declare(item, text(row, name));
    }
    let speculation = text(row, "spec_decoding").or_else(|| text(row, "spec_method"));
    facts.declare(SetupItem::Speculation, speculation);
    let lengths = text(row, "isl").zip(text(row, "osl"));
    let lengths = lengths.map(|(input, output)| format!("random, {input} in, {output} out"));
    if facts.stated(SetupItem::Dataset).is_none() {
        facts.declare(SetupItem::Dataset, lengths);
    }
    let split = number(row, "num_prefill_gpu").zip(number(row, "num_decode_gpu"));
    let parallel = || Some(number(row, "tp")? * number(row, "pp").unwrap_or(1.0));
    let gpus = number(row, "num_gpus")
        .or(split.map(|(prefill, decode)| prefill + decode))
        .or_else(parallel);
    facts.declare(SetupItem::GpuCount, gpus.map(|n| n.to_string()));
}

fn translate(facts: &mut Facts) {
    facts.translate_all(INFERENCEX);
    facts.translate(
        "tput_per_gpu",
        "nothing",
        "input and output together, over all accelerators",
    );
    facts.translate("intvty", "nothing", "the reciprocal of TPOT");
}
