//! What a repeated prompt gains against a fresh one, from the trial of `--probe-response-cache`.
//!
//! It judges nothing. The facade leaves the trial's pairs in `environment.target.response_cache`.
//! Ratios of paired answers: the exact signed-rank test on their logarithms, and the Hodges-Lehmann
//! ratio with its interval (statistics.md).

use crate::CONFIDENCE;
use infermeter_core::environment::{AnswerTimes, CachePair};
use infermeter_core::run::RunManifest;
use infermeter_stats::signed_rank;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Least time, milliseconds: an answer replayed in one piece has no time between first and last.
const LEAST_MS: f64 = 0.001;

/// Repeated over fresh: below 1 the repeated prompt was answered faster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairedRatio {
    /// Hodges-Lehmann estimate.
    pub value: f64,
    /// Lower bound of its interval; absent with too few pairs.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// Two-sided p-value of the signed-rank test.
    pub p_value: f64,
    /// Pairs.
    pub n: usize,
}

/// The trial's ratios.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResponseCacheSummary {
    /// Of the whole answer; absent without pairs.
    pub e2e: Option<PairedRatio>,
    /// Of TTFT; absent without streams.
    pub ttft: Option<PairedRatio>,
    /// Of the time from the first token to the end; absent without streams.
    pub after_first: Option<PairedRatio>,
    /// Pairs left out, because their answers have different numbers of tokens.
    pub unequal: usize,
    /// Why the trial broke off.
    pub problem: Option<String>,
}

impl PairedRatio {
    fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        let logs: Vec<f64> = pairs
            .iter()
            .map(|(repeated, fresh)| (repeated.max(LEAST_MS) / fresh.max(LEAST_MS)).ln())
            .collect();
        let found = signed_rank(&logs, CONFIDENCE).ok()?;
        Some(Self {
            value: found.estimate.exp(),
            low: found.interval.low.map(f64::exp),
            high: found.interval.high.map(f64::exp),
            p_value: found.p_value,
            n: found.n,
        })
    }

    /// Less than `limit`, and known to be below 1.
    pub(crate) fn is_below(&self, limit: f64) -> bool {
        self.value < limit && self.high.is_some_and(|high| high < 1.0)
    }
}

impl ResponseCacheSummary {
    /// Of a run whose plan asked for the trial; `None` for any other.
    pub(crate) fn of(manifest: &RunManifest) -> Option<Self> {
        let trial = manifest.environment.target.response_cache.as_ref()?;
        let equal = |pair: &&CachePair| {
            let counted = pair.repeated.output_tokens.zip(pair.fresh.output_tokens);
            counted.is_none_or(|(repeated, fresh)| repeated == fresh)
        };
        let alike: Vec<&CachePair> = trial.pairs.iter().filter(equal).collect();
        let ratio = |of: fn(&AnswerTimes) -> Option<f64>| {
            let pairs = alike
                .iter()
                .filter_map(|pair| of(&pair.repeated).zip(of(&pair.fresh)));
            PairedRatio::of(&pairs.collect::<Vec<_>>())
        };
        Some(Self {
            e2e: ratio(|t| Some(t.e2e_ms)),
            ttft: ratio(|t| t.ttft_ms),
            after_first: ratio(|t| Some(t.e2e_ms - t.ttft_ms?)),
            unequal: trial.pairs.len() - alike.len(),
            problem: trial.problem.clone(),
        })
    }
}
