//! What objectives ask of the tokens of one request.
//!
//! Does not say which requests are asked. Invariant: without a value there is no answer, never 0.

use crate::fluidity::{Fluidity, FluidityQuestion};
use crate::token_series::{TokenMetric, own_statistic};
use infermeter_core::record::RequestRecord;
use infermeter_core::slo::Statistic;

/// What is asked of the tokens of one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OwnQuestion {
    /// A statistic of its own values of a token-level metric, milliseconds.
    Tokens {
        /// The metric.
        metric: TokenMetric,
        /// The statistic.
        statistic: Statistic,
    },
    /// The share of its tokens that came by their deadlines, which stay where they are.
    OnTime(FluidityQuestion),
}

impl OwnQuestion {
    /// The answer of one request's tokens.
    pub(crate) fn answer(&self, record: &RequestRecord) -> Option<f64> {
        match self {
            Self::Tokens { metric, statistic } => own_statistic(record, *metric, *statistic),
            Self::OnTime(question) => Fluidity::of(record, question).map(Fluidity::absolute),
        }
    }
}
