//! Quantiles of observations in time order, with intervals that hold under dependence.
//!
//! The interval is made in rank space: p plus or minus z sqrt(p (1 - p) / ESS), read off as order
//! statistics, and never narrower than the exact binomial interval of an independent sample. The
//! effective sample size is that of the indicator I(x <= q), so no shape is assumed. It does not
//! test for stationarity; a trend shows up as a very small effective sample size.

use crate::binomial::{Ranks, independent_ranks};
use crate::error::{StatsError, check_level, check_ordered};
use crate::estimate::{Estimate, Grade, INDICATIVE_TAIL, Method};
use crate::indicator::Indicator;
use crate::interval::Interval;
use crate::long_run_variance::LongRun;
use crate::quantile::{Quantile, order_statistic};
use crate::special::normal_two_sided;

/// ESS / n below which a series counts as correlated.
pub(crate) const CORRELATED_RATIO: f64 = 0.5;

/// ESS / n from which the exact binomial ranks alone are used.
const INDEPENDENT_RATIO: f64 = 0.999;

/// A sample in time order, sorted once for any number of quantiles.
#[derive(Debug, Clone)]
pub struct SampleSeries<'a> {
    in_time_order: &'a [f64],
    sorted: Vec<f64>,
}

impl<'a> SampleSeries<'a> {
    /// Borrows the samples (in time order of their occurrence) and sorts a copy: O(n log n), one
    /// allocation.
    ///
    /// # Errors
    /// `Empty`, or `NotANumber`. Infinities are allowed.
    pub fn new(in_time_order: &'a [f64]) -> Result<Self, StatsError> {
        check_ordered(in_time_order)?;
        let mut sorted = in_time_order.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Ok(Self {
            in_time_order,
            sorted,
        })
    }

    /// The samples in ascending order.
    #[must_use]
    pub fn sorted(&self) -> &[f64] {
        &self.sorted
    }

    /// Observations, at least 1.
    #[must_use]
    pub fn n(&self) -> usize {
        self.sorted.len()
    }

    /// The order statistic x_(ceil(n p)).
    #[must_use]
    pub fn value(&self, q: Quantile) -> f64 {
        self.sorted[q.rank(self.n()) - 1]
    }

    /// Effective sample size at `q`, in `[1, n]`: n m (1 - m) / LRV of the indicator I(x <= q)
    /// with mean m.
    ///
    /// Where fewer than ten observations lie in the tail, the indicator itself says little about
    /// dependence; then the smaller of its own figure and that of the most extreme supported
    /// quantile among p90 (p10 for p < 0.5) and p50 is taken. n where nothing varies.
    #[must_use]
    pub fn effective_n(&self, q: Quantile) -> f64 {
        let own = self.indicator_effective_n(q);
        if self.raw_tail(q) >= INDICATIVE_TAIL {
            return own;
        }
        let p90_side = if q.probability() >= 0.5 { 0.9 } else { 0.1 };
        let lender = [Ok(Quantile::P50), Quantile::new(p90_side)]
            .into_iter()
            .flatten()
            .rfind(|&lender| self.raw_tail(lender) >= INDICATIVE_TAIL)
            .unwrap_or(Quantile::P50);
        own.min(self.indicator_effective_n(lender))
    }

    /// Whether ESS / n is below 0.5 for the indicator at p50, p90 or p99, by single lags alone:
    /// the noise of batch means would flag independent series too.
    ///
    /// A quantile with fewer than ten observations in its tail is not consulted: its indicator
    /// holds noise only. Below 20 observations the answer is therefore always `false`.
    #[must_use]
    pub fn correlated(&self) -> bool {
        let threshold = CORRELATED_RATIO * self.n() as f64;
        [Quantile::P50, Quantile::P90, Quantile::P99]
            .into_iter()
            .any(|q| {
                let by_lags = || self.long_run(q).map(|l| l.effective_n_by_lags(self.n()));
                self.raw_tail(q) >= INDICATIVE_TAIL && by_lags().is_some_and(|n| n < threshold)
            })
    }

    /// The estimate of `q` with a two-sided interval of nominal coverage `level`.
    ///
    /// # Errors
    /// `InvalidLevel`.
    pub fn estimate(&self, q: Quantile, level: f64) -> Result<Estimate, StatsError> {
        check_level(level)?;
        let n = self.n();
        let effective_n = self.effective_n(q);
        let exact = independent_ranks(n, q, level)?;
        let (ranks, method) = if effective_n >= INDEPENDENT_RATIO * n as f64 {
            (exact, Method::ExactRanks)
        } else {
            let p = q.probability();
            let half_width = normal_two_sided(level) * (p * (1.0 - p) / effective_n).sqrt();
            (
                exact.hull(ranks_around(n, q, half_width)),
                Method::EffectiveRanks,
            )
        };
        Ok(Estimate {
            quantile: q,
            value: self.value(q),
            interval: interval_at(&self.sorted, ranks, level),
            n,
            effective_n,
            grade: Grade::of_tail(effective_n * q.tail(), n),
            method,
            tail_blocks: None,
            blocks: None,
        })
    }

    fn indicator_effective_n(&self, q: Quantile) -> f64 {
        let n = self.n();
        self.long_run(q).map_or(n as f64, |l| l.effective_n(n))
    }

    /// Long-run variance of the indicator I(x <= q); `None` where nothing varies.
    fn long_run(&self, q: Quantile) -> Option<LongRun> {
        Indicator::at_or_below(self.in_time_order, self.value(q)).long_run()
    }

    /// Observations in the smaller tail, were they independent.
    fn raw_tail(&self, q: Quantile) -> f64 {
        self.n() as f64 * q.tail() + 1e-9
    }
}

/// The ranks at p plus or minus `half_width`, rounded outwards.
pub(crate) fn ranks_around(n: usize, q: Quantile, half_width: f64) -> Ranks {
    let low = (n as f64 * (q.probability() - half_width)).floor();
    let high = (n as f64 * (q.probability() + half_width)).floor() + 1.0;
    Ranks {
        low: (low >= 1.0).then_some(low as usize),
        high: (high <= n as f64).then_some(high as usize),
    }
}

/// The order statistics at `ranks`.
pub(crate) fn interval_at(sorted: &[f64], ranks: Ranks, level: f64) -> Interval {
    let at = |rank: usize| sorted[rank - 1];
    Interval {
        low: ranks.low.map(at),
        high: ranks.high.map(at),
        level,
    }
}

/// The exact binomial interval of a quantile, valid for independent samples only.
///
/// `sorted` must be ascending and free of NaN.
///
/// # Errors
/// `InvalidLevel`; `Empty`.
pub fn independent_interval(
    sorted: &[f64],
    q: Quantile,
    level: f64,
) -> Result<Interval, StatsError> {
    order_statistic(sorted, q).ok_or(StatsError::Empty)?;
    Ok(interval_at(
        sorted,
        independent_ranks(sorted.len(), q, level)?,
        level,
    ))
}

/// One quantile of samples in time order; see [`SampleSeries::estimate`].
///
/// # Errors
/// `Empty`, `NotANumber` or `InvalidLevel`.
pub fn quantile_estimate(
    samples_in_time_order: &[f64],
    q: Quantile,
    level: f64,
) -> Result<Estimate, StatsError> {
    SampleSeries::new(samples_in_time_order)?.estimate(q, level)
}

/// Several quantiles from one sort, in the order asked for; see [`SampleSeries::estimate`].
///
/// # Errors
/// `Empty`, `NotANumber` or `InvalidLevel`.
pub fn quantile_estimates(
    samples_in_time_order: &[f64],
    quantiles: &[Quantile],
    level: f64,
) -> Result<Vec<Estimate>, StatsError> {
    let series = SampleSeries::new(samples_in_time_order)?;
    quantiles
        .iter()
        .map(|&q| series.estimate(q, level))
        .collect()
}

/// Whether samples in time order are correlated; see [`SampleSeries::correlated`].
///
/// # Errors
/// `Empty` or `NotANumber`.
pub fn correlated(samples_in_time_order: &[f64]) -> Result<bool, StatsError> {
    Ok(SampleSeries::new(samples_in_time_order)?.correlated())
}
