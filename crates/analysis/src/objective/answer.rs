//! The rule of three answers, on a series of values, a share, or a rate.
//!
//! Knows no requests. Invariant: no value, no answer; and an interval that holds the limit decides nothing but
//! a percentile that the sample supports.

use super::{Bound, SloDoubt, SloStatus};
use crate::CONFIDENCE;
use crate::distribution::Percentiles;
use crate::figure::{Cell, CellGrade, Mean, Share};
use crate::percentile::Percentile;
use crate::requests::share_on;
use crate::throughput::Rate;
use infermeter_core::slo::Statistic;
use infermeter_stats::{Plausible, effective_sample_size, summarise};

/// What a series says of a limit.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: SloStatus,
    pub(super) straddles: bool,
    pub(super) cell: Option<Cell>,
    /// Of a percentile of a figure of requests: the share of them within the limit.
    pub(super) within: Option<Share>,
    pub(super) value: Option<f64>,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    pub(super) n: usize,
    pub(super) effective_n: Option<f64>,
    pub(super) infinite: bool,
    pub(super) doubt: Option<SloDoubt>,
}

/// Whether neighbouring values depend on each other in a way that the interval sees a part of only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Neighbours {
    /// No, or the interval rests on time blocks.
    Independent,
    /// The series is flagged as correlated.
    Alike,
}

impl Answer {
    /// Nothing to judge.
    pub(super) fn without(doubt: SloDoubt) -> Self {
        Self {
            status: SloStatus::Undecided,
            straddles: false,
            cell: None,
            within: None,
            value: None,
            low: None,
            high: None,
            n: 0,
            effective_n: None,
            infinite: false,
            doubt: Some(doubt),
        }
    }

    /// Of a percentile that is to be at most `limit`.
    pub(super) fn of_percentile(cell: Cell, neighbours: Neighbours, limit: f64) -> Self {
        let settled = settled(&cell, neighbours, limit);
        let status = settled.or_else(|| by_value(&cell, limit));
        let supported = cell.value;
        let decided = cell
            .order_statistic
            .filter(|x| status.is_some() && x.is_finite());
        Self {
            status: status.unwrap_or(SloStatus::Undecided),
            straddles: settled.is_none(),
            value: decided.or(supported),
            low: cell.low,
            high: cell.high,
            n: cell.n,
            effective_n: Some(cell.effective_n),
            infinite: cell.infinite,
            doubt: match (status, cell.needed) {
                (Some(_), _) => None,
                (None, Some(needed)) => Some(SloDoubt::TooFew { needed }),
                (None, None) => Some(SloDoubt::Straddles),
            },
            cell: Some(cell),
            within: None,
        }
    }

    /// Of a mean or a greatest value that is to be at most `limit`, of values in time order; failures are
    /// infinite. `None` for a percentile.
    pub(super) fn of_values(values: &[f64], statistic: Statistic, limit: f64) -> Option<Self> {
        let n = values.len();
        match statistic {
            Statistic::Percentile(_) => None,
            _ if n == 0 => Some(Self::without(SloDoubt::NoSample)),
            _ if values.iter().any(|x| x.is_infinite()) => Some(Self::among_failures(n)),
            Statistic::Max => {
                let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                Some(Self::of_greatest(greatest, n, limit))
            }
            Statistic::Mean => {
                let found = summarise(values, CONFIDENCE).ok()?;
                if let Some(needed) = found.mean_needs() {
                    let few = Self::without(SloDoubt::TooFew { needed });
                    return Some(Self { n, ..few });
                }
                let mean = Mean::new(found.mean, found.mean_interval);
                let answer = Self::of_bounds(&mean, limit, Bound::AtMost);
                Some(Self {
                    n,
                    effective_n: Some(found.effective_n),
                    ..answer
                })
            }
        }
    }

    /// A mean or a greatest value with a failure among its values.
    pub(super) fn among_failures(n: usize) -> Self {
        Self {
            status: SloStatus::Missed,
            infinite: true,
            n,
            doubt: None,
            ..Self::without(SloDoubt::NoSample)
        }
    }

    /// Of the greatest value: beyond the limit it is missed; within, later requests may still miss it.
    pub(super) fn of_greatest(greatest: f64, n: usize, limit: f64) -> Self {
        let missed = greatest > limit;
        Self {
            status: match missed {
                true => SloStatus::Missed,
                false => SloStatus::Undecided,
            },
            value: Some(greatest),
            low: Some(greatest),
            n,
            doubt: (!missed).then_some(SloDoubt::OnlyAMissIsCertain),
            ..Self::without(SloDoubt::NoSample)
        }
    }

    /// Of a share.
    pub(super) fn of_share(share: Option<Share>, limit: f64, bound: Bound) -> Self {
        let Some(share) = share else {
            return Self::without(SloDoubt::NoSample);
        };
        let mean = Mean {
            value: share.value,
            low: share.low,
            high: share.high,
        };
        Self {
            n: share.n,
            effective_n: Some(share.effective_n),
            ..Self::of_bounds(&mean, limit, bound)
        }
    }

    /// Of a rate of `n` things.
    pub(super) fn of_rate(rate: Option<Rate>, limit: f64) -> Self {
        let Some(rate) = rate else {
            return Self::without(SloDoubt::NoSample);
        };
        let mean = Mean {
            value: rate.per_s,
            low: rate.low,
            high: rate.high,
        };
        Self {
            n: rate.count as usize,
            ..Self::of_bounds(&mean, limit, Bound::AtLeast)
        }
    }

    /// Of a value with its interval.
    pub(super) fn of_bounds(mean: &Mean, limit: f64, bound: Bound) -> Self {
        let decided = by_bounds(mean, limit, bound);
        Self {
            status: decided.unwrap_or(SloStatus::Undecided),
            straddles: decided.is_none(),
            value: Some(mean.value),
            low: mean.low,
            high: mean.high,
            doubt: decided.is_none().then_some(SloDoubt::Straddles),
            ..Self::without(SloDoubt::NoSample)
        }
    }

    /// The same of 1 - x: what was to be at most is now to be at least.
    pub(super) fn of_the_rest(self) -> Self {
        let rest = |x: f64| 1.0 - x;
        Self {
            value: self.value.map(rest),
            low: self.high.map(rest),
            high: self.low.map(rest),
            cell: self.cell.map(|cell| cell.of_the_rest()),
            ..self
        }
    }
}

/// The share of values, in time order, that are at most `limit`. A few values beyond it say little of how they depend
/// on each other, and none say nothing of it, so that the smallest effective sample size counts: of the share itself, of
/// p90 and of the percentile asked for.
pub(super) fn share_within(
    values: &[f64],
    limit: f64,
    cells: &Percentiles,
    percentile: Percentile,
) -> Option<Share> {
    let within: Vec<f64> = values.iter().map(|x| f64::from(*x <= limit)).collect();
    let own = effective_sample_size(&within).ok()?;
    let others = [Percentile::DEFAULT[1], percentile];
    let others = others
        .iter()
        .filter_map(|p| Some(cells.get(p)?.effective_n));
    share_on(&within, others.fold(own, f64::min))
}

/// The percentile that a statistic is, where it is one.
pub(super) fn percentile_of(statistic: Statistic) -> Option<Percentile> {
    match statistic {
        Statistic::Percentile(percent) => Percentile::new(percent),
        Statistic::Mean | Statistic::Max => None,
    }
}

fn by_bounds(mean: &Mean, limit: f64, bound: Bound) -> Option<SloStatus> {
    let (within, beyond) = match bound {
        Bound::AtMost => (
            mean.high.is_some_and(|high| high <= limit),
            mean.low.is_some_and(|low| low > limit),
        ),
        Bound::AtLeast => (
            mean.low.is_some_and(|low| low >= limit),
            mean.high.is_some_and(|high| high < limit),
        ),
    };
    match (within, beyond) {
        (true, _) => Some(SloStatus::Met),
        (false, true) => Some(SloStatus::Missed),
        (false, false) => None,
    }
}

/// The answer where the whole range in which the percentile plausibly lies is on one side of the limit,
/// whether or not the sample supports the percentile as a figure: a few slow requests of a hundred settle
/// that a p99 is missed.
fn settled(cell: &Cell, neighbours: Neighbours, limit: f64) -> Option<SloStatus> {
    let bounds = (cell.low, cell.high);
    let (low, high) = match (neighbours, cell.grade) {
        (Neighbours::Independent, _) | (Neighbours::Alike, CellGrade::Full) => bounds,
        (Neighbours::Alike, grade) => {
            let value = cell.order_statistic?;
            let range = Plausible::of(value, cell.low, cell.high, true);
            let (low, high) = range.map_or(bounds, |range| range.bounds(value));
            // Below ten effective tail samples a queue's worst episodes are not in the sample.
            (low, high.filter(|_| grade != CellGrade::Unsupported))
        }
    };
    if high.is_some_and(|high| high <= limit) {
        return Some(SloStatus::Met);
    }
    let missed = cell.low_is_infinite || low.is_some_and(|low| low > limit);
    missed.then_some(SloStatus::Missed)
}

/// What the percentile itself says where its range holds the limit; nothing where the sample does not
/// support it.
fn by_value(cell: &Cell, limit: f64) -> Option<SloStatus> {
    let supported = cell.grade != CellGrade::Unsupported;
    let value = cell.order_statistic.filter(|_| supported)?;
    Some(match value <= limit {
        true => SloStatus::Met,
        false => SloStatus::Missed,
    })
}
