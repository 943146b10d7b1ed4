//! Weibull gaps with a given mean and coefficient of variation.
//!
//! It draws nothing; [`crate::renewal`] does.
//!
//! Invariant: the shape belongs to the coefficient of variation to a relative error below 1e-6.

use std::f64::consts::TAU;

/// Shape and scale of the Weibull distribution with mean 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct UnitWeibull {
    pub shape: f64,
    pub scale: f64,
}

impl UnitWeibull {
    /// With the coefficient of variation `cv`, from 0.001 to 100. With k the shape,
    /// 1 + cv^2 = G(1 + 2/k) / G(1 + 1/k)^2 (Johnson, Kotz and Balakrishnan, Continuous Univariate
    /// Distributions 1, ch. 21). The right side falls in k, so the logarithm is bisected.
    pub(crate) fn with_cv(cv: f64) -> Self {
        let wanted = (cv * cv).ln_1p();
        // cv 2e5 at shape 0.05 and below 0.001 at 1,300.
        let (mut low, mut high) = (0.05_f64.ln(), 1_300_f64.ln());
        for _ in 0..100 {
            let middle = f64::midpoint(low, high);
            if excess(middle.exp()) > wanted {
                low = middle;
            } else {
                high = middle;
            }
        }
        let shape = f64::midpoint(low, high).exp();
        Self {
            shape,
            scale: (-ln_gamma(1.0 + 1.0 / shape)).exp(),
        }
    }
}

/// ln(1 + cv^2) of a shape.
fn excess(shape: f64) -> f64 {
    ln_gamma(1.0 + 2.0 / shape) - 2.0 * ln_gamma(1.0 + 1.0 / shape)
}

/// Logarithm of the gamma function for arguments of at least 1: Stirling's series beyond 16
/// (Abramowitz and Stegun 6.1.41), to which smaller arguments are shifted by G(x + 1) = x G(x).
fn ln_gamma(x: f64) -> f64 {
    const SERIES: [f64; 7] = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1_260.0,
        -1.0 / 1_680.0,
        1.0 / 1_188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
    ];
    let (mut product, mut z) = (1.0, x);
    while z < 16.0 {
        product *= z;
        z += 1.0;
    }
    let square = 1.0 / (z * z);
    let terms = SERIES.iter().rev().fold(0.0, |sum, c| sum * square + c);
    (z - 0.5) * z.ln() - z + TAU.ln() / 2.0 + terms / z - f64::ln(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_gamma_agrees_with_another() {
        for x in [1.0, 1.0008, 1.5, 2.0, 3.7, 10.0, 16.0, 41.0] {
            let other = statrs::function::gamma::ln_gamma(x);
            assert!(
                (ln_gamma(x) - other).abs() < 1e-13 * other.abs().max(1.0),
                "{x}"
            );
        }
    }

    /// From SciPy 1.17: `from scipy.optimize import brentq; from scipy.stats import weibull_min;
    /// brentq(lambda k: weibull_min.std(k) / weibull_min.mean(k) - cv, 0.1, 200, xtol=1e-15)`,
    /// and `1 / weibull_min.mean(k)` for the scale.
    #[test]
    fn shapes_are_those_of_scipy() {
        for (cv, shape, scale) in [
            (0.1, 12.153434194956079, 1.0430376808119808),
            (0.5, 2.101349094688543, 1.1290633895396092),
            (1.0, 1.0, 1.0),
            (2.0, 0.5426925612864535, 0.5752495548555179),
            (5.0, 0.31134072842432564, 0.12691985212851373),
        ] {
            let found = UnitWeibull::with_cv(cv);
            assert!((found.shape / shape - 1.0).abs() < 1e-9, "{cv}: {found:?}");
            assert!((found.scale / scale - 1.0).abs() < 1e-9, "{cv}: {found:?}");
        }
    }

    #[test]
    fn the_ends_of_the_range_are_inside_the_bracket() {
        for cv in [0.001, 100.0] {
            let found = UnitWeibull::with_cv(cv);
            let back = excess(found.shape).exp_m1().sqrt();
            assert!((back / cv - 1.0).abs() < 1e-6, "{cv}: {back}");
        }
    }
}
