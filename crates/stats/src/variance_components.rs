//! How much of the spread of a mean comes from groups, and how much from observations inside them.
//!
//! One-way random effects (Searle, Casella and McCulloch 1992, chapter 3), with the variance of a
//! run's mean taken on its effective sample size, since observations inside a run depend on each
//! other. Names are the statistician's: groups are runs, observations are whatever a run holds.

use crate::error::{StatsError, check_finite};
use crate::long_run_variance::{Centred, mean};

/// Moments of one group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupMoments {
    /// Mean of its observations.
    pub mean: f64,
    /// Sample variance of its observations.
    pub variance: f64,
    /// Independent observations that its mean is worth, at least 1.
    pub effective_n: f64,
}

/// Components of variance, in the squared unit of the observations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarianceComponents {
    /// Groups, at least 2.
    pub groups: usize,
    /// Between groups, at least 0: what is left of the variance of the means once the part that
    /// observations explain is taken away.
    pub between: f64,
    /// Of one observation inside a group: the mean of the groups' variances.
    pub within: f64,
    /// Variance of a group's mean that observations alone explain: the mean of variance / ESS.
    pub of_a_mean: f64,
    /// Share of the variance of a group's mean that lies between groups, in `[0, 1]`; `None` where
    /// nothing varies. Near 1, more groups help; near 0, longer ones do as well.
    pub between_share: Option<f64>,
}

/// The components of variance of several groups.
///
/// # Errors
/// `TooFew` below two groups; `NotFinite` for moments that are not finite.
pub fn variance_components(groups: &[GroupMoments]) -> Result<VarianceComponents, StatsError> {
    if groups.len() < 2 {
        return Err(StatsError::TooFew {
            needed: 2,
            have: groups.len(),
        });
    }
    let column = |pick: fn(&GroupMoments) -> f64| groups.iter().map(pick).collect::<Vec<f64>>();
    let means = column(|g| g.mean);
    let variances = column(|g| g.variance);
    let of_means = column(|g| g.variance / g.effective_n.max(1.0));
    check_finite(&means)?;
    check_finite(&variances)?;
    check_finite(&of_means)?;
    let of_a_mean = mean(&of_means);
    let observed = Centred::new(&means).sum_of_squares() / (groups.len() - 1) as f64;
    let between = (observed - of_a_mean).max(0.0);
    let all = between + of_a_mean;
    Ok(VarianceComponents {
        groups: groups.len(),
        between,
        within: mean(&variances),
        of_a_mean,
        between_share: (all > 0.0).then(|| between / all),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(values: &[f64]) -> GroupMoments {
        let n = values.len() as f64;
        GroupMoments {
            mean: mean(values),
            variance: Centred::new(values).sum_of_squares() / (n - 1.0),
            effective_n: n,
        }
    }

    /// Balanced one-way layout: between = (MSB - MSW) / 3 with F = MSB / MSW = 23.4 from
    /// `scipy.stats.f_oneway([9, 12, 15], [20, 22, 24], [24, 25, 29])` and MSW = 20 / 3.
    #[test]
    fn a_balanced_layout_is_the_analysis_of_variance() {
        let groups = [
            group(&[9.0, 12.0, 15.0]),
            group(&[20.0, 22.0, 24.0]),
            group(&[24.0, 25.0, 29.0]),
        ];
        let found = variance_components(&groups).unwrap();
        let msw = 20.0 / 3.0;
        assert!((found.within - msw).abs() < 1e-12);
        let between = (23.4 - 1.0) * msw / 3.0;
        assert!((found.between - between).abs() < 1e-9, "{found:?}");
        let share = between / (between + msw / 3.0);
        assert!((found.between_share.unwrap() - share).abs() < 1e-12);
    }

    #[test]
    fn defined_cases() {
        let flat = group(&[1.0, 1.0]);
        let found = variance_components(&[flat, flat]).unwrap();
        assert_eq!((found.between, found.between_share), (0.0, None));
        assert!(variance_components(&[flat]).is_err());
        let noisy = |mean| GroupMoments {
            mean,
            variance: 100.0,
            effective_n: 4.0,
        };
        let alike = variance_components(&[noisy(1.0), noisy(2.0)]).unwrap();
        assert_eq!((alike.between, alike.between_share), (0.0, Some(0.0)));
        assert!(variance_components(&[noisy(f64::NAN), noisy(1.0)]).is_err());
    }
}
