//! The set-up of the server as far as it is seen or declared: cold starts, caches, logging.
//!
//! Nothing here asks the server: it looks at the record, at what was declared, and at what a probe
//! left in `environment.target`.

use super::{Check, count, counted, percent};
use crate::limits::{CACHED_PROMPT, COLD_MIN_LATER, COLD_RATIO, REPEATED_TEXTS};
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::declared::{Declared, Subject};
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::plan::PrefixMode;
use infermeter_core::request::length_band;
use infermeter_core::schedule::Phase;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_stats::{Quantile, order_statistic};
use std::collections::BTreeSet;

/// The window's first requests were far slower than any of its second half: something was made ready
/// for them. A start-up that lasts longer is `warmup-too-short`.
pub const COLD_START_SAMPLES: Check = Check {
    code: "cold-start-samples",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: cold_start,
};

fn cold_start(run: &Run, summary: &Summary) -> Option<Finding> {
    // Under a load that changes by plan the first requests may well differ from the last.
    let steady = summary.steady.as_ref()?;
    if steady.start_up.needed_s.is_some() {
        return None;
    }
    let requests = run.collected.requests.iter();
    let measured = requests.filter(|r| r.phase == Phase::Measure);
    let mut sent: Vec<FirstToken> = measured
        .filter_map(|r| {
            Some(FirstToken {
                at: r.send_start?.0,
                band: length_band(r.requested_prompt_tokens),
                ttft: RequestMetric::Ttft.value_ms(r, Origin::Send)?,
            })
        })
        .collect();
    sent.sort_by_key(|first| first.at);
    let later = &sent[sent.len() / 2..];
    let cold = sent.iter().map_while(|first| {
        let high = usual(later, first.band)?;
        (first.ttft > COLD_RATIO * high).then_some((first.ttft, high))
    });
    let cold: Vec<(f64, f64)> = cold.collect();
    let (slowest, high) = cold.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(COLD_START_SAMPLES.found(
        "The first requests of the window met a server that was not ready: their latencies are those \
         of a cold start.",
        format!(
            "TTFT up to {slowest:.0} ms in the first {}; p99 of the window's second half, for prompts \
             as long or longer, {high:.0} ms.",
            counted(cold.len() as u64, "request")
        ),
        "Use a longer --warmup, or measure the cold start by itself.",
    ))
}

/// A request's TTFT, with what it depends on.
struct FirstToken {
    at: i64,
    band: u32,
    ttft: f64,
}

/// p99 of the TTFT of prompts of this length band and longer ones; `None` for too few.
fn usual(later: &[FirstToken], band: u32) -> Option<f64> {
    let alike = later.iter().filter(|first| first.band >= band);
    let mut ttft: Vec<f64> = alike.map(|first| first.ttft).collect();
    if ttft.len() < COLD_MIN_LATER {
        return None;
    }
    ttft.sort_unstable_by(f64::total_cmp);
    order_statistic(&ttft, Quantile::P99)
}

/// A dataset was sent more than once. The facade says how many texts there are; request `id` has text
/// `id` modulo that.
pub(super) const DATASET_REPEATED: Check = Check {
    code: "dataset-repeated",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Warning),
    limit: Some(REPEATED_TEXTS),
    test: dataset_repeated,
};

fn dataset_repeated(run: &Run, _: &Summary) -> Option<Finding> {
    let texts = run.manifest.environment.workload.texts_before_repeating;
    let texts = texts.filter(|texts| *texts > 0)?;
    let sent = || {
        run.collected
            .requests
            .iter()
            .filter(|r| r.send_start.is_some())
    };
    let all = sent().count() as u64;
    if all <= texts {
        return None;
    }
    let of = |phase| sent().filter(move |r| r.phase == phase);
    let warm: BTreeSet<u64> = of(Phase::Warmup).map(|r| r.id % texts).collect();
    let (mut measured, mut again, mut warmed) = (0_u64, 0_u64, 0_u64);
    for request in of(Phase::Measure) {
        measured += 1;
        again += u64::from(request.id >= texts);
        warmed += u64::from(warm.contains(&(request.id % texts)));
    }
    let salted = run.manifest.plan.prefix == Some(PrefixMode::Bust);
    let matters = !salted && again as f64 > REPEATED_TEXTS * measured as f64;
    let severity = if matters {
        Severity::Warning
    } else {
        Severity::Note
    };
    Some(DATASET_REPEATED.weighing(
        severity,
        "The dataset was exhausted and sent again: its texts occur more than once.",
        format!(
            "{} sent, {} in the dataset; of {} measured {} had an earlier one's text, {} one of the \
             warm-up's.",
            counted(all, "request"),
            counted(texts, "text"),
            count(measured),
            count(again),
            count(warmed)
        ),
        "A prefix cache serves repeated texts. Use a larger dataset or a shorter run, or give \
         each text a salt of its own with --prefix bust.",
    ))
}

/// Rows of the trace or dataset, or members of its requests, were not sent as the file has them. The
/// facade says which.
pub(super) const FILE_NOT_WHOLE: Check = Check {
    code: "file-not-whole",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: file_not_whole,
};

fn file_not_whole(run: &Run, _: &Summary) -> Option<Finding> {
    let left_out = run.manifest.environment.workload.left_out.as_ref()?;
    (!left_out.is_empty()).then(|| {
        FILE_NOT_WHOLE.found(
            "Not everything that the file of requests says was sent.",
            format!("{}.", left_out.join("; ")),
            "Nothing to do if that is intended; else change these rows, or the flags that leave them \
             out.",
        )
    })
}

/// The server is declared to log much.
pub const VERBOSE_SERVER_LOGGING: Check = Check {
    code: "verbose-server-logging",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: verbose_logging,
};

fn verbose_logging(run: &Run, _: &Summary) -> Option<Finding> {
    let declared = Declared::of_plan(&run.manifest.plan);
    let said = |name| declared.value(Subject::Engine, name);
    let level = said("logging").filter(|level| {
        let level = level.to_ascii_lowercase();
        ["debug", "trace", "verbose", "requests"]
            .iter()
            .any(|word| level.contains(word))
    });
    let flags = said("flags").filter(|flags| logs_much(&flags.to_ascii_lowercase()));
    let evidence = match (level, flags) {
        (Some(level), _) => format!("--engine-info logging={level}."),
        (None, Some(flags)) => format!("--engine-info flags={flags}."),
        (None, None) => return None,
    };
    Some(VERBOSE_SERVER_LOGGING.found(
        "The server logs verbosely: each request or step costs it more than in production.",
        evidence,
        "Turn request logging and debug levels off while measuring.",
    ))
}

/// Flags of vLLM and SGLang that log each request, and the levels of both.
fn logs_much(flags: &str) -> bool {
    let words: Vec<&str> = flags
        .split([' ', '=', ','])
        .filter(|w| !w.is_empty())
        .collect();
    let logs_requests = ["--enable-log-requests", "--log-requests"];
    let levels = ["--log-level", "--uvicorn-log-level", "vllm_logging_level"];
    words.iter().any(|word| logs_requests.contains(word))
        || words
            .windows(2)
            .any(|pair| levels.contains(&pair[0]) && ["debug", "trace"].contains(&pair[1]))
}

/// Prompts can be served from a prefix cache, and nobody knows how much was.
pub const CACHE_HITS_UNDECLARED: Check = Check {
    code: "cache-hits-undeclared",
    scope: Scope::Publication,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: hits_undeclared,
};

fn hits_undeclared(run: &Run, summary: &Summary) -> Option<Finding> {
    let declared = Declared::of_plan(&run.manifest.plan);
    let said = |name| declared.value(Subject::Engine, name);
    let cache = summary.prefix_cache.as_ref();
    let shared = cache.and_then(|cache| cache.unlimited);
    let shared = shared.filter(|share| *share > CACHED_PROMPT);
    let why = match (shared, run.manifest.plan.prefix) {
        (Some(share), _) => format!("{} of the prompt tokens are shared", percent(share)),
        (None, Some(PrefixMode::None)) => {
            "--prefix none: an earlier run with the same seed sent the same prompts".to_owned()
        }
        (None, _) => return None,
    };
    let off = said("prefix-cache").is_some_and(|said| said.eq_ignore_ascii_case("off"));
    let known = cache.is_some_and(|cache| cache.realised.is_some());
    (!known && !off && said("hit-rate").is_none()).then(|| {
        CACHE_HITS_UNDECLARED.found(
            "Prompts may be in a prefix cache, and nobody says how much of them it served.",
            format!("{why}; neither usage nor counters tell the hits."),
            "State --engine-info hit-rate=SHARE, or prefix-cache=off; let usage tell cached tokens.",
        )
    })
}

#[cfg(test)]
mod tests;
