//! The prefix cache's hit rate: realised, beside what was asked for and what a cache without limit
//! would hold.
//!
//! It judges nothing. The server's counters are those of its readings at the window's edges; without
//! them the facade has left those from before and after the load in `environment.target.prefix_cache`
//! and the share without limit in `environment.workload.shared_prefix_share`.

use crate::limits::COUNTED_WINDOW_S;
use crate::run::Run;
use crate::server::risen;
use infermeter_core::plan::PrefixMode;
use infermeter_core::run::{RunManifest, Window};
use infermeter_core::server::Quantity;
use infermeter_metrics::token_counts::TokenCounts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who says how much the cache held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HitSource {
    /// `cached_tokens` in the usage of the measured requests.
    Usage,
    /// The server's counters over the measured window: its requests, and whoever else was there.
    ServerCountersInWindow,
    /// The server's counters, over the whole run: warm-up, window, drain, and whoever else was there.
    ServerCounters,
}

/// How much of the prompts the server's prefix cache held. Shares are of all prompt tokens, 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PrefixCacheSummary {
    /// The share asked for, with the prefix `hit`.
    pub asked: Option<f64>,
    /// What a cache without limit would hold; absent where prompts are not meant to share.
    pub unlimited: Option<f64>,
    /// What the server's cache held; absent where the server does not say.
    pub realised: Option<HitRate>,
}

/// A realised hit rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HitRate {
    /// Cached / all prompt tokens.
    pub share: f64,
    /// Tokens from the cache.
    pub cached_tokens: u64,
    /// All prompt tokens.
    pub prompt_tokens: u64,
    /// Who says so.
    pub source: HitSource,
}

impl PrefixCacheSummary {
    /// What is known of it; `None` where nothing is.
    pub(crate) fn of(run: &Run, tokens: &TokenCounts, window: Option<Window>) -> Option<Self> {
        let manifest = &run.manifest;
        let asked = match manifest.plan.prefix {
            Some(PrefixMode::Hit { share }) => Some(share),
            _ => None,
        };
        let found = Self {
            asked,
            unlimited: manifest.environment.workload.shared_prefix_share,
            realised: of_usage(tokens)
                .or_else(|| in_window(run, window?))
                .or_else(|| of_counters(manifest)),
        };
        let known = found.asked.is_some() || found.unlimited.is_some() || found.realised.is_some();
        known.then_some(found)
    }
}

fn of_usage(tokens: &TokenCounts) -> Option<HitRate> {
    Some(HitRate {
        share: tokens.cached_share()?,
        cached_tokens: tokens.cached_tokens?,
        prompt_tokens: tokens.prompt_tokens,
        source: HitSource::Usage,
    })
}

/// The counters' differences over a window that is long enough for its edges.
fn in_window(run: &Run, window: Window) -> Option<HitRate> {
    if window.seconds() < COUNTED_WINDOW_S {
        return None;
    }
    let rise = |quantity| risen(run, window, quantity).ok();
    let prompts = rise(Quantity::PrefixQueries)?;
    let cached = rise(Quantity::PrefixHits)?;
    rate(prompts, cached, HitSource::ServerCountersInWindow)
}

/// The counters' differences over the run; `None` where they stood still or went back.
fn of_counters(manifest: &RunManifest) -> Option<HitRate> {
    let counters = manifest.environment.target.prefix_cache?;
    let (before, after) = (counters.before, counters.after?);
    let (prompts, cached) = (after.queries - before.queries, after.hits - before.hits);
    rate(prompts, cached, HitSource::ServerCounters)
}

fn rate(prompts: f64, cached: f64, source: HitSource) -> Option<HitRate> {
    (prompts > 0.0 && (0.0..=prompts).contains(&cached)).then_some(HitRate {
        share: cached / prompts,
        cached_tokens: cached as u64,
        prompt_tokens: prompts as u64,
        source,
    })
}
