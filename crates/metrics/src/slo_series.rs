//! What an objective's metric is computed from.
//!
//! Does not judge: whether requests meet an objective is [`crate::attainment`].

use crate::request_metric::RequestMetric;
use crate::token_series::TokenMetric;
use infermeter_core::slo::{Slo, SloMetric};

/// What an objective's metric is computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SloSeries {
    /// One value per request.
    Request(RequestMetric),
    /// One value per token or chunk.
    Token(TokenMetric),
}

/// The series behind an objective's metric.
pub fn slo_series(metric: SloMetric) -> SloSeries {
    match metric {
        SloMetric::Ttft => SloSeries::Request(RequestMetric::Ttft),
        SloMetric::Ttfo => SloSeries::Request(RequestMetric::Ttfo),
        SloMetric::Tpot => SloSeries::Request(RequestMetric::Tpot),
        SloMetric::Ntpot => SloSeries::Request(RequestMetric::Ntpot),
        SloMetric::E2e => SloSeries::Request(RequestMetric::E2e),
        SloMetric::Itl => SloSeries::Token(TokenMetric::Itl),
        SloMetric::ChunkGap => SloSeries::Token(TokenMetric::ChunkGap),
    }
}

/// The objectives on token-level metrics, in the order of [`ChunkFacts::own_percentiles`].
///
/// [`ChunkFacts::own_percentiles`]: crate::facts::ChunkFacts::own_percentiles
pub(crate) fn token_objectives(slos: &[Slo]) -> Vec<(TokenMetric, f64)> {
    let of = |slo: &Slo| match slo_series(slo.metric) {
        SloSeries::Request(_) => None,
        SloSeries::Token(metric) => Some((metric, slo.percentile)),
    };
    slos.iter().filter_map(of).collect()
}
