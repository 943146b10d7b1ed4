//! How strongly two quantities rise together, whatever the shape of either.

use crate::error::StatsError;
use crate::long_run_variance::mean;

/// Spearman's rank correlation, in `[-1, 1]`: the correlation of the ranks, where tied
/// observations share the mean of their ranks. `None` where one of the two does not vary.
///
/// # Errors
/// `LengthMismatch`; `NotANumber`; `TooFew` below two pairs.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> Result<Option<f64>, StatsError> {
    if a.len() != b.len() {
        return Err(StatsError::LengthMismatch {
            values: a.len(),
            times: b.len(),
        });
    }
    if a.len() < 2 {
        return Err(StatsError::TooFew {
            needed: 2,
            have: a.len(),
        });
    }
    let (a, b) = (ranks(a)?, ranks(b)?);
    let (mean_a, mean_b) = (mean(&a), mean(&b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(&b) {
        let (da, db) = (a - mean_a, b - mean_b);
        ab += da * db;
        aa += da * da;
        bb += db * db;
    }
    let scale = (aa * bb).sqrt();
    Ok((scale > 0.0).then(|| (ab / scale).clamp(-1.0, 1.0)))
}

/// Ranks from 1; ties share their mean rank.
fn ranks(values: &[f64]) -> Result<Vec<f64>, StatsError> {
    if let Some(index) = values.iter().position(|v| v.is_nan()) {
        return Err(StatsError::NotANumber { index });
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|i, j| values[*i].total_cmp(&values[*j]));
    let mut ranks = vec![0.0; values.len()];
    let mut rest = &order[..];
    while let Some(first) = rest.first() {
        let tied = rest.partition_point(|at| values[*at] <= values[*first]);
        let before = (order.len() - rest.len()) as f64;
        let (group, after) = rest.split_at(tied.max(1));
        for at in group {
            ranks[*at] = before + (group.len() as f64 + 1.0) / 2.0;
        }
        rest = after;
    }
    Ok(ranks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_rising_function_is_one() {
        let a: Vec<f64> = (0..50).map(f64::from).collect();
        let b: Vec<f64> = a.iter().map(|x| x.exp()).collect();
        assert_eq!(rank_correlation(&a, &b), Ok(Some(1.0)));
        let falling: Vec<f64> = a.iter().map(|x| -x * x).collect();
        assert_eq!(rank_correlation(&a, &falling), Ok(Some(-1.0)));
    }

    #[test]
    fn ties_share_their_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 0.0, -0.0]).map(|r| r[0]), Ok(4.5));
        // Ranks 1, 2.5, 2.5, 4, 5 and 2, 1, 4.5, 4.5, 3: 3.75 / 9.5, by hand.
        let found = rank_correlation(&[1.0, 2.0, 2.0, 3.0, 5.0], &[2.0, 1.0, 4.0, 4.0, 3.0]);
        let found = found.unwrap().unwrap();
        assert!((found - 0.39473684210526316).abs() < 1e-12, "{found}");
    }

    #[test]
    fn defined_cases() {
        assert_eq!(rank_correlation(&[1.0, 1.0], &[1.0, 2.0]), Ok(None));
        assert!(rank_correlation(&[1.0], &[1.0]).is_err());
        assert!(rank_correlation(&[1.0, 2.0], &[1.0]).is_err());
        assert!(rank_correlation(&[1.0, f64::NAN], &[1.0, 2.0]).is_err());
    }
}
