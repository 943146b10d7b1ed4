//! Holm's step-down adjustment of the p-values of one family.

/// The p-values adjusted (Holm 1979), in the order given: a hypothesis whose adjusted value is at most
/// alpha may be rejected, and the chance of any false rejection in the family stays at alpha whatever
/// the dependence between them. An absent value takes part as 1: a family does not shrink because one of
/// its tests could not be made.
#[must_use]
pub fn holm(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let m = p_values.len();
    let p = |index: usize| p_values[index].unwrap_or(1.0);
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|a, b| p(*a).total_cmp(&p(*b)));
    let mut adjusted = vec![None; m];
    let mut greatest = 0.0_f64;
    for (step, index) in order.into_iter().enumerate() {
        greatest = greatest.max((p(index) * (m - step) as f64).min(1.0));
        adjusted[index] = p_values[index].map(|_| greatest);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// statsmodels 0.15.0: `multipletests([0.0078125, 0.03, 0.01, 0.2, 0.02, 0.9], method='holm')[1]`.
    #[test]
    fn the_adjustment_is_statsmodels() {
        let found = holm(&[0.007_812_5, 0.03, 0.01, 0.2, 0.02, 0.9].map(Some));
        let expect = [0.046_875, 0.09, 0.05, 0.4, 0.08, 0.9];
        for (found, expect) in found.iter().zip(expect) {
            assert!((found.unwrap() - expect).abs() < 1e-12, "{found:?}");
        }
    }

    #[test]
    fn what_could_not_be_tested_still_counts() {
        assert_eq!(holm(&[Some(0.03), None]), [Some(0.06), None]);
        assert_eq!(holm(&[]), []);
        assert_eq!(holm(&[Some(0.03)]), [Some(0.03)]);
        assert_eq!(holm(&[Some(0.9), Some(0.8)]), [Some(1.0), Some(1.0)]);
    }
}
