//! What one reading of a token-level series keeps: counts by bucket, extremes, exact sums.
//!
//! Does not hold values. Invariant: a merge of parts is the tally of the whole.

use crate::token_series::{FIXED, TokenValue};
use infermeter_stats::{RankTable, TimeSpan};

/// A series that was read once.
#[derive(Debug, Clone)]
pub struct Tally {
    table: RankTable,
    min: f64,
    max: f64,
    first_ns: i64,
    last_ns: i64,
    /// Of the finite values, in units of 1 / [`FIXED`] ns.
    sum: i128,
    squares: u128,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            table: RankTable::default(),
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            first_ns: i64::MAX,
            last_ns: i64::MIN,
            sum: 0,
            squares: 0,
        }
    }
}

impl Tally {
    #[inline]
    pub(crate) fn add(&mut self, value: TokenValue) {
        let TokenValue { fixed, count, .. } = value;
        self.table.add(value.value, u64::from(count));
        self.min = self.min.min(value.value);
        self.max = self.max.max(value.value);
        self.first_ns = self.first_ns.min(value.at_ns);
        self.last_ns = self.last_ns.max(value.at_ns);
        let magnitude = u128::from(fixed.unsigned_abs());
        self.sum += i128::from(fixed) * i128::from(count);
        self.squares = self
            .squares
            .saturating_add((magnitude * magnitude).saturating_mul(u128::from(count)));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.table.merge(&other.table);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.first_ns = self.first_ns.min(other.first_ns);
        self.last_ns = self.last_ns.max(other.last_ns);
        self.sum += other.sum;
        self.squares = self.squares.saturating_add(other.squares);
    }

    /// Counts of values by bucket.
    pub fn table(&self) -> &RankTable {
        &self.table
    }

    /// Values.
    pub fn n(&self) -> u64 {
        self.table.n()
    }

    /// The smallest value, milliseconds (or tokens); +infinity without values.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// The largest value; -infinity without values.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// The earliest and the latest instant, nanoseconds since the run's origin.
    pub fn span(&self) -> TimeSpan {
        TimeSpan {
            first_ns: self.first_ns,
            last_ns: self.last_ns,
        }
    }

    /// The mean, in `unit` nanoseconds (or tokens) each; absent without values and with an
    /// infinite one. Exact but for its last rounding.
    pub fn mean(&self, unit: f64) -> Option<f64> {
        mean_of(self.sum, self.n(), unit).filter(|_| self.max.is_finite())
    }

    /// The sample standard deviation (n - 1 in the divisor), in `unit`s; absent for fewer than two
    /// values and with an infinite one.
    pub fn std(&self, unit: f64) -> Option<f64> {
        let n = self.n();
        if n < 2 || !self.max.is_finite() {
            return None;
        }
        // n sum(x^2) - sum(x)^2 may pass 128 bits: the mean's part is taken off in floating point,
        // on values shifted by the whole mean so that no digits cancel.
        let count = i128::from(n);
        let shift = self.sum / count;
        let rest = self.sum - shift * count;
        let squares = i128::try_from(self.squares).ok()?;
        let of_shift = shift.checked_mul(2 * self.sum - shift * count)?;
        let about_shift = squares.checked_sub(of_shift)?;
        let variance = (about_shift as f64 - rest as f64 * (rest as f64 / n as f64)).max(0.0);
        Some((variance / (n - 1) as f64).sqrt() / FIXED as f64 / unit)
    }
}

/// `sum` (in units of 1 / [`FIXED`] ns) / `n`, in `unit` nanoseconds each.
pub(crate) fn mean_of(sum: i128, n: u64, unit: f64) -> Option<f64> {
    (n > 0).then(|| sum as f64 / n as f64 / FIXED as f64 / unit)
}

#[cfg(test)]
mod tests {
    use super::Tally;
    use crate::token_series::TokenValue;

    #[test]
    fn moments_by_hand_and_in_parts() {
        let of = |values: &[i64]| {
            let mut tally = Tally::default();
            let at = values.iter().zip(0..);
            at.for_each(|(ns, at)| tally.add(TokenValue::of_ns(*ns, at)));
            tally
        };
        // 1, 2, 4, 9 ms: mean 4, squared deviations 9 + 4 + 0 + 25 = 38.
        let mut tally = of(&[1_000_000, 2_000_000]);
        tally.merge(&of(&[4_000_000, 9_000_000]));
        assert_eq!((tally.n(), tally.min(), tally.max()), (4, 1.0, 9.0));
        assert_eq!(tally.mean(1e6), Some(4.0));
        let std = tally.std(1e6).expect("four values");
        assert!((std - (38.0_f64 / 3.0).sqrt()).abs() < 1e-12, "{std}");
        assert_eq!(of(&[7]).std(1e6), None);
        assert_eq!(Tally::default().mean(1e6), None);
    }
}
