//! The exact permutation test of paired differences: every way of giving them signs.
//!
//! Under the null hypothesis that the two sides of a pair could be exchanged, each sign pattern is as
//! likely as any other. It uses the values where the signed-rank test uses ranks.

use crate::error::{StatsError, check_finite};

/// Most differences: two halves of 2^20 sums each.
pub const SIGN_FLIP_LIMIT: usize = 40;

/// Sums nearer to each other than this, relative to the greatest possible one, are equal.
const ROUNDING: f64 = 1e-12;

/// Two-sided p-value: the share of the 2^n sign patterns whose sum lies at least as far from 0 as the one
/// observed (Fisher 1935). Counted exactly, by the sorted sums of two halves.
///
/// # Errors
/// `Empty`, `NotFinite`; `TooMany` beyond [`SIGN_FLIP_LIMIT`].
pub fn sign_flip(differences: &[f64]) -> Result<f64, StatsError> {
    check_finite(differences)?;
    let n = differences.len();
    if n > SIGN_FLIP_LIMIT {
        return Err(StatsError::TooMany {
            limit: SIGN_FLIP_LIMIT,
            have: n,
        });
    }
    let greatest: f64 = differences.iter().map(|d| d.abs()).sum();
    let observed = differences.iter().sum::<f64>().abs() - ROUNDING * greatest;
    let (left, right) = differences.split_at(n / 2);
    let (left, right) = (signed_sums(left), signed_sums(right));
    // Patterns come in pairs of opposite sums, so those far above 0 are half of those far from 0.
    let above = pairs_reaching(&left, &right, observed) as f64;
    let patterns = (left.len() * right.len()) as f64;
    Ok((2.0 * above / patterns).min(1.0))
}

/// The sum under each sign pattern, ascending.
fn signed_sums(differences: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for difference in differences {
        let d = difference.abs();
        let down = sums.iter().map(|sum| sum - d);
        let up = sums.iter().map(|sum| sum + d);
        sums = down.chain(up).collect();
    }
    sums.sort_unstable_by(f64::total_cmp);
    sums
}

/// Pairs of one sum from each side that reach `least` together.
fn pairs_reaching(left: &[f64], right: &[f64], least: f64) -> u64 {
    let mut first = right.len();
    let mut pairs = 0;
    for sum in left {
        while first > 0 && sum + right[first - 1] >= least {
            first -= 1;
        }
        pairs += (right.len() - first) as u64;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SciPy 1.17.1: `scipy.stats.permutation_test((x,), numpy.mean, permutation_type='samples',
    /// n_resamples=numpy.inf).pvalue` is 0.025390625.
    #[test]
    fn the_p_value_is_scipys() {
        let x = [0.4, -0.1, 0.9, 1.3, 0.2, -0.6, 1.7, 0.8, 2.1, 0.5];
        assert_eq!(sign_flip(&x), Ok(0.025_390_625));
    }

    #[test]
    fn defined_cases() {
        assert!(sign_flip(&[]).is_err());
        assert!(sign_flip(&[f64::NAN]).is_err());
        assert!(sign_flip(&[1.0; SIGN_FLIP_LIMIT + 1]).is_err());
        assert_eq!(sign_flip(&[0.0; 8]), Ok(1.0));
        assert_eq!(sign_flip(&[3.0]), Ok(1.0));
        assert_eq!(sign_flip(&[1.0; 8]), Ok(2.0 / 256.0));
        assert_eq!(sign_flip(&[-0.1; 6]), Ok(2.0 / 64.0));
        // Patterns that only rounding tells apart: 0.1 + 0.2 and 0.3.
        assert_eq!(sign_flip(&[0.1, 0.2, -0.3]), Ok(1.0));
    }
}
