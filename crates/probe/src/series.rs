//! Which series of which engine says what: from a page's samples to a server's figures.
//!
//! Names as the engines write them today, older ones behind them. A page may speak for several
//! engines (replicas of a server, models): counts are added, shares averaged. Ranks of one engine
//! all show the same figures, so only the first of them counts. Invariant: a figure of which any
//! part is not a finite number of at least 0 is absent.

use crate::prometheus::{Sample, samples};
use Over::{Mean, Sum};
use ServerEngine::{LlamaCpp, Sglang, TensorrtLlm, Tgi, Vllm};
use infermeter_core::server::{ServerEngine, ServerFigures};
use std::collections::BTreeMap;

/// Bytes of a page that are looked at: real ones have about 60 kB.
const PAGE_LIMIT: usize = 4 << 20;
/// Samples of a page that are looked at: real ones have about a thousand, thirty replicas thirty times
/// that.
const SAMPLES_LIMIT: usize = 1 << 16;
/// Label sets of one series that are looked at.
const SETS_LIMIT: usize = 4_096;
/// Bytes between the braces of a sample that counts: real ones have about 60. Without this a page of
/// 4 MB made a million strings, sorted and kept.
const LABELS_LIMIT: usize = 4 << 10;
/// Labels that tell ranks of one engine apart.
const RANKS: [&str; 3] = ["tp_rank", "pp_rank", "moe_ep_rank"];

/// How the values of several engines become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    Sum,
    Mean,
}

/// Where a figure goes.
type Place = fn(&mut ServerFigures) -> &mut Option<f64>;

/// One figure of an engine.
struct Series {
    engine: ServerEngine,
    place: Place,
    over: Over,
    /// The first that a page has counts. A counter stands here without its `_total`.
    names: &'static [&'static str],
    /// A label that a sample must have.
    label: Option<Label>,
}

/// A label and its value.
#[derive(Debug, Clone, Copy)]
struct Label {
    name: &'static str,
    value: &'static str,
}

const fn series(
    engine: ServerEngine,
    place: Place,
    over: Over,
    names: &'static [&'static str],
) -> Series {
    Series {
        engine,
        place,
        over,
        names,
        label: None,
    }
}

/// A figure of Triton's backend, where one series has several, told apart by a label.
const fn labelled(
    place: Place,
    over: Over,
    names: &'static [&'static str],
    label: Label,
) -> Series {
    Series {
        label: Some(label),
        ..series(ServerEngine::TensorrtLlm, place, over, names)
    }
}

const RUNNING: Place = |f| &mut f.running;
const WAITING: Place = |f| &mut f.waiting;
const KV_USAGE: Place = |f| &mut f.kv_usage;

/// All that is known. vLLM's names and types are those of a page of version 0.32.
const SERIES: [Series; 23] = [
    series(Vllm, RUNNING, Sum, &["vllm:num_requests_running"]),
    series(Vllm, WAITING, Sum, &["vllm:num_requests_waiting"]),
    series(
        Vllm,
        KV_USAGE,
        Mean,
        &["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
    ),
    series(Vllm, |f| &mut f.preemptions, Sum, &["vllm:num_preemptions"]),
    series(
        Vllm,
        |f| &mut f.prefix_queries,
        Sum,
        &["vllm:prefix_cache_queries"],
    ),
    series(
        Vllm,
        |f| &mut f.prefix_hits,
        Sum,
        &["vllm:prefix_cache_hits"],
    ),
    series(
        Vllm,
        |f| &mut f.drafts,
        Sum,
        &["vllm:spec_decode_num_drafts"],
    ),
    series(
        Vllm,
        |f| &mut f.draft_tokens,
        Sum,
        &["vllm:spec_decode_num_draft_tokens"],
    ),
    series(
        Vllm,
        |f| &mut f.accepted_tokens,
        Sum,
        &["vllm:spec_decode_num_accepted_tokens"],
    ),
    series(Sglang, RUNNING, Sum, &["sglang:num_running_reqs"]),
    series(Sglang, WAITING, Sum, &["sglang:num_queue_reqs"]),
    series(Sglang, KV_USAGE, Mean, &["sglang:token_usage"]),
    series(
        Sglang,
        |f| &mut f.accepted_length,
        Mean,
        &["sglang:spec_accept_length"],
    ),
    series(LlamaCpp, RUNNING, Sum, &["llamacpp:requests_processing"]),
    series(LlamaCpp, WAITING, Sum, &["llamacpp:requests_deferred"]),
    series(LlamaCpp, KV_USAGE, Mean, &["llamacpp:kv_cache_usage_ratio"]),
    series(Tgi, RUNNING, Sum, &["tgi_batch_current_size"]),
    series(Tgi, WAITING, Sum, &["tgi_queue_size"]),
    series(TensorrtLlm, RUNNING, Sum, &["trtllm_num_requests_running"]),
    series(TensorrtLlm, WAITING, Sum, &["trtllm_num_requests_waiting"]),
    labelled(
        RUNNING,
        Sum,
        &["nv_trt_llm_request_metrics"],
        Label {
            name: "request_type",
            value: "scheduled",
        },
    ),
    labelled(
        WAITING,
        Sum,
        &["nv_trt_llm_request_metrics"],
        Label {
            name: "request_type",
            value: "waiting",
        },
    ),
    labelled(
        KV_USAGE,
        Mean,
        &["nv_trt_llm_kv_cache_block_metrics"],
        Label {
            name: "kv_cache_block_type",
            value: "fraction",
        },
    ),
];

/// The engine that a page is of, and its figures; `None` where no series is known.
pub(crate) fn figures(page: &str) -> Option<(ServerEngine, ServerFigures)> {
    let page = head(page);
    let mut gathered: BTreeMap<(usize, usize), Gathered> = BTreeMap::new();
    for sample in samples(page).take(SAMPLES_LIMIT) {
        for key in places_of(&sample) {
            gathered.entry(key).or_default().add(&sample);
        }
    }
    let engine = SERIES[gathered.keys().next()?.0].engine;
    let mut figures = ServerFigures::default();
    for (index, series) in SERIES.iter().enumerate() {
        let place = (series.place)(&mut figures);
        if series.engine != engine || place.is_some() {
            continue;
        }
        // Keys are in order of the names: the first that is there counts.
        let mut named = gathered.range((index, 0)..(index + 1, 0));
        *place = named.next().and_then(|(_, found)| found.over(series.over));
    }
    Some((engine, figures))
}

/// As much of a page as is looked at.
fn head(page: &str) -> &str {
    let mut end = page.len().min(PAGE_LIMIT);
    while !page.is_char_boundary(end) {
        end -= 1;
    }
    &page[..end]
}

/// The series that a sample belongs to, and which of their names it has.
fn places_of(sample: &Sample<'_>) -> impl Iterator<Item = (usize, usize)> {
    let bare = sample.name.strip_suffix("_total").unwrap_or(sample.name);
    let sample = *sample;
    let short = sample.label_bytes() <= LABELS_LIMIT;
    SERIES
        .iter()
        .enumerate()
        .filter_map(move |(index, series)| {
            let named = series
                .names
                .iter()
                .position(|known| short && *known == bare)?;
            let fits = series
                .label
                .is_none_or(|Label { name, value }| sample.label(name).is_some_and(|v| v == value));
            fits.then_some((index, named))
        })
}

/// The values of one series, by engine.
#[derive(Debug, Default)]
struct Gathered(BTreeMap<String, f64>);

impl Gathered {
    /// Adds a sample, unless another rank of its engine has spoken already.
    fn add(&mut self, sample: &Sample<'_>) {
        let mut labels: Vec<String> = sample
            .labels()
            .filter(|(name, _)| !RANKS.contains(name))
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        labels.sort_unstable();
        if self.0.len() < SETS_LIMIT {
            self.0.entry(labels.join(",")).or_insert(sample.value);
        }
    }

    fn over(&self, over: Over) -> Option<f64> {
        let valid = |value: &f64| value.is_finite() && *value >= 0.0;
        if self.0.is_empty() || !self.0.values().all(valid) {
            return None;
        }
        let sum: f64 = self.0.values().sum();
        Some(match over {
            Over::Sum => sum,
            Over::Mean => sum / self.0.len() as f64,
        })
    }
}

#[cfg(test)]
mod tests;
