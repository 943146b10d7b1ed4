//! Ranks for a quantile that hold at every sample size at once: look as often as you like.
//!
//! Howard and Ramdas 2022 (Bernoulli 28(3), 1704-1728), the beta-binomial mixture, one side at a
//! time. With S the count of observations at or below the true p-quantile, the likelihood ratio of
//! a success probability drawn from a beta law cut off at p against p itself is a supermartingale
//! that starts at 1, so by Ville's inequality it ever reaches 2 / (1 - level) with at most half of
//! the error. Holds for independent observations of any law, ties included; **refused by its
//! callers where a series is correlated**, since this module cannot see it.

use statrs::function::beta::ln_beta;

use crate::binomial::Ranks;
use crate::error::{StatsError, check_level};
use crate::interval::Interval;
use crate::quantile::Quantile;
use crate::sample::interval_at;
use crate::special::incomplete_beta;

/// Observations that [`QuantileSequence::observations_for`] will not go beyond.
const MOST_OBSERVATIONS: usize = 1 << 40;

/// A time-uniform confidence sequence for one quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileSequence {
    q: Quantile,
    level: f64,
    /// Parameters of the mixing beta law.
    a: f64,
    b: f64,
}

impl QuantileSequence {
    /// A sequence of nominal coverage `level` over all sample sizes together, narrowest near
    /// `tuned_for` observations (it holds at any other size as well). The tuning must not look at
    /// the data.
    ///
    /// # Errors
    /// `InvalidLevel`; `Empty` for `tuned_for` 0.
    pub fn new(q: Quantile, level: f64, tuned_for: usize) -> Result<Self, StatsError> {
        check_level(level)?;
        if tuned_for == 0 {
            return Err(StatsError::Empty);
        }
        // Howard, Ramdas, McAuliffe and Sekhon 2021, section 3.5: a normal mixture is narrowest at
        // intrinsic time m with precision m / (2 ln(1/a) + ln(1 + 2 ln(1/a))).
        let log = (2.0 / (1.0 - level)).ln();
        let weight = (tuned_for as f64 / (2.0 * log + (2.0 * log).ln_1p())).max(1.0);
        let p = q.probability();
        Ok(Self {
            q,
            level,
            a: weight * p,
            b: weight * (1.0 - p),
        })
    }

    /// Ranks of the two order statistics of `n` observations; a side is open while no order
    /// statistic bounds it. O(log n).
    ///
    /// # Errors
    /// `Empty` when `n` is 0.
    pub fn ranks(&self, n: usize) -> Result<Ranks, StatsError> {
        if n == 0 {
            return Err(StatsError::Empty);
        }
        let (least, most) = self.counts(n);
        Ok(Ranks {
            low: (least >= 1).then_some(least),
            high: (most < n).then_some(most + 1),
        })
    }

    /// The interval from an ascending sample, free of NaN.
    ///
    /// # Errors
    /// `Empty`.
    pub fn interval(&self, sorted: &[f64]) -> Result<Interval, StatsError> {
        Ok(interval_at(sorted, self.ranks(sorted.len())?, self.level))
    }

    /// Observations at which the interval is expected to be no wider than `relative` of the value
    /// on either side, if the law is that of `pilot` (ascending, free of NaN); `None` where the
    /// pilot cannot say: its own tail is too thin, its quantile not positive, or it takes more
    /// than 2^40.
    #[must_use]
    pub fn observations_for(&self, pilot: &[f64], relative: f64) -> Option<usize> {
        if pilot.is_empty() || relative.is_nan() || relative <= 0.0 {
            return None;
        }
        let value = pilot[self.q.rank(pilot.len()) - 1];
        if !(value.is_finite() && value > 0.0) {
            return None;
        }
        let narrow = |n: usize| {
            let Ok(Ranks {
                low: Some(low),
                high: Some(high),
            }) = self.ranks(n)
            else {
                return false;
            };
            let at = |rank: usize| {
                let share = rank as f64 / n as f64;
                let scaled = (share * pilot.len() as f64).ceil() as usize;
                pilot[scaled.clamp(1, pilot.len()) - 1]
            };
            at(high) - value <= relative * value && value - at(low) <= relative * value
        };
        let mut high = 1;
        while !narrow(high) {
            high *= 2;
            if high > MOST_OBSERVATIONS {
                return None;
            }
        }
        let mut low = high / 2;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if narrow(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(high)
    }

    /// Least and greatest count at or below the quantile that `n` observations do not rule out.
    fn counts(&self, n: usize) -> (usize, usize) {
        let p = self.q.probability();
        let bound = (2.0 / (1.0 - self.level)).ln();
        let centre = ((n as f64 * p) as usize).min(n);
        // Below the centre: alternatives under p. The ratio falls as the count grows.
        let ruled_low = |s: usize| self.log_ratio(n, s, Side::Below) >= bound;
        let least = first_where(0, centre + 1, |s| !ruled_low(s));
        let ruled_high = |s: usize| self.log_ratio(n, s, Side::Above) >= bound;
        let past = first_where(centre, n + 1, ruled_high);
        (least.min(n), past.saturating_sub(1).max(centre))
    }

    /// Log of the mixture likelihood ratio of `s` successes in `n` against probability p, with the
    /// mixing law cut off on one side of p.
    fn log_ratio(&self, n: usize, s: usize, side: Side) -> f64 {
        let p = self.q.probability();
        let (s, failures) = (s as f64, (n - s) as f64);
        let (a, b) = (self.a, self.b);
        let cut = |a: f64, b: f64| match side {
            Side::Below => incomplete_beta(a, b, p),
            Side::Above => incomplete_beta(b, a, 1.0 - p),
        };
        ln_beta(a + s, b + failures) + cut(a + s, b + failures).ln()
            - ln_beta(a, b)
            - cut(a, b).ln()
            - s * p.ln()
            - failures * (-p).ln_1p()
    }
}

/// Which alternatives to p are mixed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Below,
    Above,
}

/// The first of `start..end` for which `holds` (false, then true); `end` where none does.
fn first_where(start: usize, end: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (start, end);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_than_fixed_ranks_at_every_size_and_closing() {
        let sequence = QuantileSequence::new(Quantile::P99, 0.95, 10_000).unwrap();
        for n in [1, 2, 10, 100, 1_000, 10_000, 100_000] {
            let uniform = sequence.ranks(n).unwrap();
            let fixed = crate::independent_ranks(n, Quantile::P99, 0.95).unwrap();
            assert!(uniform.low.unwrap_or(0) <= fixed.low.unwrap_or(0), "{n}");
            let high = |r: Ranks| r.high.unwrap_or(n + 1);
            assert!(high(uniform) >= high(fixed), "{n}");
        }
        assert_eq!(sequence.ranks(1).unwrap().high, None);
        assert!(sequence.ranks(2_000).unwrap().high.is_some());
    }

    #[test]
    fn the_expected_size_gives_the_width() {
        let pilot: Vec<f64> = (1..=1000).map(|i| 1.0 + f64::from(i) / 1000.0).collect();
        let sequence = QuantileSequence::new(Quantile::P50, 0.95, 1_000).unwrap();
        let n = sequence.observations_for(&pilot, 0.05).unwrap();
        let high = |n: usize| sequence.ranks(n).unwrap().high.unwrap() as f64 / n as f64;
        // 5 % of the median 1.5 is a share of 0.075 of this law.
        assert!(high(n) <= 0.576 && high(n / 2) > 0.6, "{n}");
    }

    #[test]
    fn defined_cases() {
        assert!(QuantileSequence::new(Quantile::P50, 1.0, 10).is_err());
        assert!(QuantileSequence::new(Quantile::P50, 0.95, 0).is_err());
        let sequence = QuantileSequence::new(Quantile::P50, 0.95, 100).unwrap();
        assert_eq!(sequence.ranks(0), Err(StatsError::Empty));
        assert_eq!(sequence.interval(&[4.0]).unwrap(), Interval::open(0.95));
        assert_eq!(sequence.observations_for(&[], 0.1), None);
        assert_eq!(sequence.observations_for(&[0.0, 0.0], 0.1), None);
        assert_eq!(sequence.observations_for(&[1.0, 1.0], f64::NAN), None);
        let equal = sequence.interval(&[7.0; 500]).unwrap();
        assert_eq!(equal.width(), Some(0.0));
    }
}
