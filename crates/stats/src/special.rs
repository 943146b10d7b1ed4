//! Special functions at the sizes used here: the incomplete beta function, its inverse, and the
//! two-sided critical values built on them.
//!
//! `statrs::function::beta::beta_reg` stops after 140 terms without saying so, which is wrong
//! from about 10^4 trials on; hence this one, with the same continued fraction and no such limit.

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};
use statrs::function::gamma::ln_gamma;

/// Terms of the continued fraction. It converges in O(sqrt(max(a, b))) terms, so this suffices
/// beyond 10^9 trials.
const MAX_TERMS: u32 = 200_000;

/// Degrees of freedom from which Student's t is the normal to 1e-6.
const NORMAL_FROM: f64 = 1e6;

/// Regularised incomplete beta function I_x(a, b), for a, b > 0 and x in [0, 1].
///
/// Modified Lentz evaluation of the continued fraction DLMF 8.17.22; reflection by DLMF 8.17.4.
pub(crate) fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let ln_front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    if x < (a + 1.0) / (a + b + 2.0) {
        ln_front.exp() * beta_fraction(a, b, x) / a
    } else {
        1.0 - ln_front.exp() * beta_fraction(b, a, 1.0 - x) / b
    }
}

/// The continued fraction of `incomplete_beta`.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let away_from_zero = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..=MAX_TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    h
}

/// The x with I_x(a, b) = `p`, by bisection to the last bit.
pub(crate) fn inverse_incomplete_beta(a: f64, b: f64, p: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if incomplete_beta(a, b, middle) < p {
            low = middle;
        } else {
            high = middle;
        }
        if high - low < high * 1e-14 {
            return 0.5 * (low + high);
        }
    }
}

/// The standard normal z with P(|Z| <= z) = `level`; `level` must lie in (0, 1).
#[must_use]
pub(crate) fn normal_two_sided(level: f64) -> f64 {
    Normal::standard().inverse_cdf(0.5 + 0.5 * level)
}

/// The x with P(X <= x) = `p` of the chi-squared distribution with `df > 0` degrees of freedom.
pub(crate) fn chi_squared_quantile(p: f64, df: f64) -> f64 {
    ChiSquared::new(df).map_or(f64::NAN, |of| of.inverse_cdf(p))
}

/// P(Z <= z) of the standard normal.
pub(crate) fn normal_cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// P(|Z| >= z) of the standard normal.
pub(crate) fn normal_two_sided_p(z: f64) -> f64 {
    (2.0 * Normal::standard().sf(z.abs())).min(1.0)
}

/// The t with P(|T| <= t) = `level` for Student's t with `df > 0` degrees of freedom (fractions
/// allowed); `level` must lie in (0, 1).
///
/// From t^2 / (df + t^2) ~ Beta(1/2, df/2).
#[must_use]
pub fn student_two_sided(level: f64, df: f64) -> f64 {
    if df > NORMAL_FROM {
        return normal_two_sided(level);
    }
    let y = inverse_incomplete_beta(0.5, 0.5 * df, level);
    (df * y / (1.0 - y)).sqrt()
}

/// P(T >= t) of Student's t with `df > 0` degrees of freedom.
pub(crate) fn student_one_sided_p(t: f64, df: f64) -> f64 {
    let beyond = match df > NORMAL_FROM {
        true => 0.5 * normal_two_sided_p(t),
        // P(|T| >= t) is I_x(df/2, 1/2) at x = df / (df + t^2).
        false => 0.5 * incomplete_beta(0.5 * df, 0.5, df / (df + t * t)),
    };
    match t >= 0.0 {
        true => beyond,
        false => 1.0 - beyond,
    }
}
