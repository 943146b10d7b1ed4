//! Exact binomial ranks for a quantile of independent observations.
//!
//! The count of observations at or below the true p-quantile is Binomial(n, p), so the interval
//! [x_(l), x_(u)] covers it with probability F(u - 1) - F(l - 1) at least (David and Nagaraja
//! 2003, section 7.1), exactly so for a continuous law.

use crate::error::{StatsError, check_level};
use crate::quantile::Quantile;

/// 1-based ranks of the two order statistics that bound a quantile; `None` is an open side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranks {
    /// Rank of the lower bound, at least 1.
    pub low: Option<usize>,
    /// Rank of the upper bound, at most n.
    pub high: Option<usize>,
}

impl Ranks {
    /// The wider of the two on each side.
    pub(crate) fn hull(self, other: Self) -> Self {
        Self {
            low: self.low.zip(other.low).map(|(a, b)| a.min(b)),
            high: self.high.zip(other.high).map(|(a, b)| a.max(b)),
        }
    }
}

/// The narrowest ranks that leave at most (1 - level) / 2 on each side, for `n` independent
/// observations.
///
/// A side is open where no order statistic bounds it: above when p^n exceeds (1 - level) / 2. At
/// 95 % the smallest n with both bounds is 6 for p50, 36 for p90, 72 for p95, 368 for p99 and
/// 3,688 for p99.9. Time and memory are O(sqrt(n p (1 - p))).
///
/// # Errors
/// `InvalidLevel`; `Empty` when `n` is 0.
pub fn independent_ranks(n: usize, q: Quantile, level: f64) -> Result<Ranks, StatsError> {
    check_level(level)?;
    if n == 0 {
        return Err(StatsError::Empty);
    }
    let mass = Mass::around_mode(n, q.probability());
    let tail = 0.5 * (1.0 - level);
    // Largest low with F(low - 1) <= tail.
    let mut low = mass.first;
    let mut below = 0.0;
    for weight in &mass.weights {
        below += weight;
        if below > tail {
            break;
        }
        low += 1;
    }
    // Smallest high with P(count >= high) <= tail.
    let mut high = mass.first + mass.weights.len();
    let mut above = 0.0;
    for weight in mass.weights.iter().rev() {
        above += weight;
        if above > tail {
            break;
        }
        high -= 1;
    }
    Ok(Ranks {
        low: (low >= 1).then_some(low),
        high: (high <= n).then_some(high),
    })
}

/// The part of a binomial probability mass function that is not negligible.
struct Mass {
    /// Count that belongs to `weights[0]`.
    first: usize,
    /// Probabilities of consecutive counts.
    weights: Vec<f64>,
}

impl Mass {
    /// Recurrence outwards from the mode until a term is below 1e-20 of the mode's, normalised by
    /// the sum: no factorial is computed, so nothing is lost at large n.
    fn around_mode(n: usize, p: f64) -> Self {
        const NEGLIGIBLE: f64 = 1e-20;
        let odds = p / (1.0 - p);
        let mode = (((n + 1) as f64 * p) as usize).min(n);
        let mut downwards = Vec::new();
        let mut weight = 1.0;
        for count in (1..=mode).rev() {
            weight *= count as f64 / ((n - count + 1) as f64 * odds);
            if weight < NEGLIGIBLE {
                break;
            }
            downwards.push(weight);
        }
        let first = mode - downwards.len();
        let mut weights: Vec<f64> = downwards.into_iter().rev().collect();
        weights.push(1.0);
        weight = 1.0;
        for count in mode + 1..=n {
            weight *= (n - count + 1) as f64 * odds / count as f64;
            if weight < NEGLIGIBLE {
                break;
            }
            weights.push(weight);
        }
        let total: f64 = weights.iter().sum();
        for weight in &mut weights {
            *weight /= total;
        }
        Self { first, weights }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published in the project's design: smallest n with a two-sided 95 % bound.
    #[test]
    fn smallest_n_with_a_two_sided_bound() {
        let table = [
            (Quantile::P50, 6),
            (Quantile::P90, 36),
            (Quantile::P95, 72),
            (Quantile::P99, 368),
            (Quantile::P999, 3688),
        ];
        for (q, smallest) in table {
            let closed = |n| {
                let ranks = independent_ranks(n, q, 0.95).unwrap();
                ranks.low.is_some() && ranks.high.is_some()
            };
            assert!(closed(smallest), "{q} at {smallest}");
            assert!((1..smallest).all(|n| !closed(n)), "{q} below {smallest}");
        }
    }

    #[test]
    fn mass_sums_to_one_and_starts_where_it_should() {
        for (n, p) in [(1, 0.5), (10, 0.999), (1000, 0.01), (1_000_000, 0.9)] {
            let mass = Mass::around_mode(n, p);
            let total: f64 = mass.weights.iter().sum();
            assert!((total - 1.0).abs() < 1e-12);
            assert!(mass.first + mass.weights.len() <= n + 1);
        }
        let mass = Mass::around_mode(2, 0.5);
        assert_eq!((mass.first, mass.weights), (0, vec![0.25, 0.5, 0.25]));
    }

    #[test]
    fn ranks_are_refused_for_nothing() {
        assert_eq!(
            independent_ranks(0, Quantile::P50, 0.95),
            Err(StatsError::Empty)
        );
        let level = independent_ranks(5, Quantile::P50, 1.0);
        assert_eq!(level, Err(StatsError::InvalidLevel { level: 1.0 }));
    }
}
