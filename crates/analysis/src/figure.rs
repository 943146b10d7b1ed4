//! Figures: a value never without its count, interval and grade.

use infermeter_stats::{
    Estimate, Grade, Interval, Method, ProportionEstimate, batch_mean_interval,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One percentile of one series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// The order statistic x_(ceil(n p)); absent where the grade is `unsupported`, and where it
    /// falls among failures (`infinite`).
    pub value: Option<f64>,
    /// Lower bound of the interval; absent where the sample gives none.
    pub low: Option<f64>,
    /// Upper bound; absent where the interval is open above.
    pub high: Option<f64>,
    /// Observations.
    pub n: usize,
    /// Independent observations of equal information.
    pub effective_n: f64,
    /// How far the sample carries the value.
    pub grade: CellGrade,
    /// Observations that this percentile needs, at the dependence seen; only if `unsupported`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<usize>,
    /// How the interval was made.
    pub method: CellMethod,
    /// Distinct time blocks with a tail observation; token-level series only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail_blocks: Option<usize>,
    /// The percentile falls among the failures, which count as +infinity.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub infinite: bool,
    /// The lower bound falls among the failures: the percentile surely does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub low_is_infinite: bool,
    /// The order statistic whatever the grade: what this sample did, for the checks; no figure, and
    /// absent from a summary that was read.
    #[serde(skip)]
    pub order_statistic: Option<f64>,
}

/// How far a sample carries a percentile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CellGrade {
    /// At least 100 effective tail samples (or tail blocks).
    Full,
    /// At least 10.
    Indicative,
    /// Fewer: no value.
    Unsupported,
}

/// How an interval was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CellMethod {
    /// Exact binomial ranks: the sample behaves as independent.
    ExactRanks,
    /// Ranks on the effective sample size.
    EffectiveRanks,
    /// Ranks from the variance between time blocks of one second.
    TimeBlocks,
}

impl From<&Estimate> for Cell {
    fn from(estimate: &Estimate) -> Self {
        let (grade, needed) = match estimate.grade {
            Grade::Full => (CellGrade::Full, None),
            Grade::Indicative => (CellGrade::Indicative, None),
            Grade::Unsupported { needed, .. } => (CellGrade::Unsupported, Some(needed)),
        };
        let finite = |x: f64| x.is_finite().then_some(x);
        let supported = grade != CellGrade::Unsupported;
        Self {
            value: finite(estimate.value).filter(|_| supported),
            low: estimate.interval.low.and_then(finite),
            high: estimate.interval.high.and_then(finite),
            n: estimate.n,
            effective_n: estimate.effective_n,
            grade,
            needed,
            method: match estimate.method {
                Method::ExactRanks => CellMethod::ExactRanks,
                Method::EffectiveRanks => CellMethod::EffectiveRanks,
                Method::TimeBlocks => CellMethod::TimeBlocks,
            },
            tail_blocks: estimate.tail_blocks,
            infinite: estimate.value.is_infinite(),
            low_is_infinite: estimate.interval.low == Some(f64::INFINITY),
            order_statistic: Some(estimate.value),
        }
    }
}

impl Cell {
    /// The cell of 1 - x: bounds change places.
    pub(crate) fn of_the_rest(self) -> Self {
        let rest = |x: f64| 1.0 - x;
        Self {
            value: self.value.map(rest),
            low: self.high.map(rest),
            high: self.low.map(rest),
            order_statistic: self.order_statistic.map(rest),
            ..self
        }
    }

    /// What a cell nearer to the median needs, this one needs as well. Gives what it then needs.
    pub(crate) fn needing_at_least(nearer: Option<usize>, cell: &mut Self) -> Option<usize> {
        if let Some(nearer) = nearer {
            cell.value = None;
            cell.grade = CellGrade::Unsupported;
            cell.needed = cell.needed.max(Some(nearer));
        }
        cell.needed
    }
}

/// A mean with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mean {
    /// The arithmetic mean.
    pub value: f64,
    /// Lower bound; absent where the sample gives none.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
}

impl Mean {
    /// `value` with the bounds of `interval`.
    pub(crate) fn new(value: f64, interval: Interval) -> Self {
        Self {
            value,
            low: interval.low,
            high: interval.high,
        }
    }

    /// `value` with an interval from batch means (statistics.md: ten equal-time batch means).
    pub(crate) fn of_batches(value: f64, batches: &[f64], level: f64) -> Self {
        Self::new(value, batch_mean_interval(value, batches, level))
    }
}

/// A share of requests with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// Share: `count` / `n`, 0 to 1.
    pub value: f64,
    /// Lower bound of the share (Clopper-Pearson on the effective count).
    pub low: Option<f64>,
    /// Upper bound of the share.
    pub high: Option<f64>,
    /// Requests that count.
    pub count: usize,
    /// Requests looked at.
    pub n: usize,
    /// Independent requests of equal information.
    pub effective_n: f64,
}

impl From<ProportionEstimate> for Share {
    fn from(p: ProportionEstimate) -> Self {
        Self {
            value: p.value,
            low: p.interval.low,
            high: p.interval.high,
            count: p.successes,
            n: p.n,
            effective_n: p.effective_n,
        }
    }
}
