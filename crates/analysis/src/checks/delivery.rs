//! What the server's words and the way to it do to the figures: usage that the text contradicts, chunks
//! that come twice or in bursts, answers from a cache.

use super::{Check, count, percent};
use crate::Percentile;
use crate::distribution::Distribution;
use crate::limits::{CACHE_SUSPECTED_REQUESTS, REPLAYED_TPOT_MS, REPLAYED_TTFT_MS};
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_metrics::origin::Origin;

/// The server's usage says other than the text that came.
pub const USAGE_IMPLAUSIBLE: Check = Check {
    code: "usage-implausible",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: usage_implausible,
};

fn usage_implausible(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = summary
        .usage
        .as_ref()
        .filter(|usage| usage.implausible)?
        .evidence;
    let against = found.claims_more + found.claims_less;
    let (what, which) = match found.claims_more >= found.claims_less {
        true => ("more", found.claims_more),
        false => ("fewer", found.claims_less),
    };
    Some(USAGE_IMPLAUSIBLE.found(
        format!(
            "The server's usage claims {what} tokens than came: TPOT, NTPOT and token rates rest on it."
        ),
        format!(
            "{} of {} answers ({}); those off have {} tokens by usage, {} by their text, in {} chunks.",
            count(which),
            count(found.with_usage),
            percent(against as f64 / found.with_usage as f64),
            count(found.claimed_tokens),
            count(found.text_tokens),
            count(found.chunks),
        ),
        "Give the model's own tokenizer with --tokenizer to be sure. If it stays, do not use the marked \
         figures: find out what counts in the server, or what drops chunks on the way.",
    ))
}

/// Each chunk comes twice.
pub const DUPLICATE_CHUNKS: Check = Check {
    code: "duplicate-chunks",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: duplicate_chunks,
};

fn duplicate_chunks(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = summary
        .usage
        .as_ref()
        .filter(|usage| usage.duplicated)?
        .evidence;
    Some(DUPLICATE_CHUNKS.found(
        "Chunks come twice: chunk gaps, stalls and the text of the answers are not the model's.",
        format!(
            "{} of {} streams repeat chunks, {} in all; without these they have as many as usage has \
             tokens.",
            count(found.duplicated),
            count(found.streams),
            count(found.repeated_chunks),
        ),
        "Look for what sends an event a second time: a proxy that retries, or two layers that both \
         stream.",
    ))
}

/// Something holds chunks back and releases them by a clock of its own.
pub const BURSTY_DELIVERY: Check = Check {
    code: "bursty-delivery",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: bursty_delivery,
};

fn bursty_delivery(_: &Run, summary: &Summary) -> Option<Finding> {
    let Some(found) = summary.bursty_delivery else {
        return held_to_the_end(summary);
    };
    Some(BURSTY_DELIVERY.found(
        format!(
            "Something holds chunks back and lets them go every {:.0} ms: gaps, stalls and TTFT are its \
             own, not the model's.",
            found.period_ms
        ),
        format!(
            "{} of {} streams come in bursts of {} chunks, alike in size and time.",
            count(found.bursty as u64),
            count(found.streams as u64),
            found.chunks
        ),
        "Turn buffering off on the way (proxy_buffering off, X-Accel-Buffering: no, flushing per event), \
         or measure beside the proxy. E2E and token rates hold but for one period.",
    ))
}

/// Whole answers come at once, though they took their time.
fn held_to_the_end(summary: &Summary) -> Option<Finding> {
    let (ttft, tpot, gap) = medians(summary)?;
    let at_once = tpot < REPLAYED_TPOT_MS && gap < REPLAYED_TPOT_MS && ttft >= REPLAYED_TTFT_MS;
    at_once.then(|| {
        BURSTY_DELIVERY.found(
            "Something holds the chunks back to the end of the answer: TTFT is the time of the whole answer, \
             and gaps say nothing.",
            format!("p50 of TTFT {ttft:.1} ms, of TPOT {tpot:.3} ms, of the chunk gap {gap:.3} ms."),
            "Turn buffering off on the way (proxy_buffering off, X-Accel-Buffering: no, flushing per event), \
             or measure beside the proxy.",
        )
    })
}

/// p50 of TTFT from the send, of TPOT and of the chunk gap, milliseconds.
fn medians(summary: &Summary) -> Option<(f64, f64, f64)> {
    let latency = &summary.latency;
    let ttft = median(latency.ttft.from(Origin::Send)?)?;
    let tpot = median(latency.tpot.as_ref()?)?;
    Some((ttft, tpot, median(latency.chunk_gap.as_ref()?)?))
}

/// Answers come as if they were known before.
pub const CACHE_SUSPECTED: Check = Check {
    code: "cache-suspected",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: cache_suspected,
};

fn cache_suspected(_: &Run, summary: &Summary) -> Option<Finding> {
    let told = summary.tokens.cached_tokens.unwrap_or(0) > 0;
    if told || summary.bursty_delivery.is_some() {
        return None;
    }
    let (ttft, tpot, gap) = medians(summary)?;
    let message = if ttft < tpot.min(gap) {
        "The first token comes faster than the next ones: its prompt was computed before."
    } else if tpot < REPLAYED_TPOT_MS && gap < REPLAYED_TPOT_MS && ttft < REPLAYED_TTFT_MS {
        "Answers come faster than a model can make them: they were made before."
    } else {
        return None;
    };
    Some(CACHE_SUSPECTED.found(
        message,
        format!(
            "p50 of TTFT {ttft:.3} ms, of TPOT {tpot:.3} ms, of the chunk gap {gap:.3} ms; usage says \
             nothing of cached tokens."
        ),
        "Leave --salt out, so that each run has prompts of its own; turn caches off (prefix cache, \
         response cache of a gateway), or restart the server, and measure again.",
    ))
}

fn median(distribution: &Distribution) -> Option<f64> {
    let enough = distribution.n >= CACHE_SUSPECTED_REQUESTS;
    distribution
        .order_statistic(Percentile::DEFAULT[0])
        .filter(|_| enough)
}
