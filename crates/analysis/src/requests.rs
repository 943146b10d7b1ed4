//! How requests ended, and the share that failed.

use crate::CONFIDENCE;
use crate::figure::Share;
use infermeter_core::finish::FinishReason;
use infermeter_metrics::collect::Collected;
use infermeter_metrics::outcomes::{OutcomeCounts, ReasonCount, outcome_counts};
use infermeter_metrics::population::{Population, is_failure};
use infermeter_stats::{effective_sample_size, proportion_estimate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Outcomes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RequestSummary {
    /// Of the measured phase.
    pub measured: OutcomeCounts,
    /// Of all phases.
    pub all: OutcomeCounts,
    /// Share of the measured requests that failed: all that did not complete, but for those that
    /// a signal ended or kept from being sent.
    pub failed: Option<Share>,
    /// Why measured requests did not complete, the most frequent reason first.
    pub reasons: Vec<ReasonCount>,
    /// How completed measured answers ended, by the server's word.
    pub finish_reasons: Vec<FinishShare>,
    /// Measured requests that were sent.
    pub measured_sent: u64,
    /// Of those, that opened a connection.
    pub measured_on_new_connections: u64,
}

impl RequestSummary {
    /// Counts a run.
    pub(crate) fn of(run: &Collected, population: &Population<'_>) -> Self {
        let failures: Vec<f64> = population
            .judged()
            .map(|r| f64::from(u8::from(is_failure(r))))
            .collect();
        let on_new = population.sent().filter(|r| r.new_connection == Some(true));
        Self {
            measured: outcome_counts(population.records()),
            all: outcome_counts(run.requests.iter()),
            failed: share_of(&failures),
            reasons: run.reasons.list(),
            finish_reasons: finish_reasons(population),
            measured_sent: population.sent().count() as u64,
            measured_on_new_connections: on_new.count() as u64,
        }
    }
}

/// Completed answers that ended in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FinishShare {
    /// The reason; absent where the server gave none.
    pub reason: Option<FinishReason>,
    /// Their share of the completed answers.
    pub share: Share,
}

/// How the completed answers of a population ended, the most frequent way first.
pub(crate) fn finish_reasons(population: &Population<'_>) -> Vec<FinishShare> {
    let reasons: Vec<Option<FinishReason>> = population.completed().map(|r| r.finish).collect();
    let distinct: BTreeSet<Option<FinishReason>> = reasons.iter().copied().collect();
    let share = |reason: Option<FinishReason>| {
        let is_it = reasons.iter().map(|r| f64::from(u8::from(*r == reason)));
        let share = share_of(&is_it.collect::<Vec<f64>>())?;
        Some(FinishShare { reason, share })
    };
    let mut all: Vec<FinishShare> = distinct.into_iter().filter_map(share).collect();
    all.sort_by_key(|f| std::cmp::Reverse(f.share.count));
    all
}

/// The share of ones in an indicator series in time order, on its effective sample size.
pub(crate) fn share_of(indicator: &[f64]) -> Option<Share> {
    let effective_n = effective_sample_size(indicator).ok()?;
    share_on(indicator, effective_n)
}

/// The share of ones in an indicator series, on an effective sample size from elsewhere.
pub(crate) fn share_on(indicator: &[f64], effective_n: f64) -> Option<Share> {
    let ones = indicator.iter().filter(|i| **i > 0.0).count();
    let share = proportion_estimate(ones, indicator.len(), effective_n, CONFIDENCE);
    share.ok().map(Share::from)
}
