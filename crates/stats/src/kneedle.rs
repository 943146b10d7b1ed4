//! The knee of a curve that grows slowly and then steeply (Satopaa et al. 2011), offline and without
//! smoothing.
//!
//! Descriptive: it says where the curve bends most, not what a server can take, and it moves with the range
//! that was measured. Invariant: the answer is one of the points, none of the two ends.

use crate::error::{StatsError, check_finite};

/// A knee has to stand out by this share of the unit square: a straight line has none.
const STANDS_OUT: f64 = 0.05;

/// The index of the knee of `ys` over ascending `xs`: where the chord lies farthest above the curve, both
/// brought to `[0, 1]`. `None` where the curve does not bend upwards.
///
/// # Errors
/// `TooFew` below three points; `LengthMismatch`; `NotFinite`.
pub fn kneedle(xs: &[f64], ys: &[f64]) -> Result<Option<usize>, StatsError> {
    check_finite(xs)?;
    check_finite(ys)?;
    if xs.len() != ys.len() {
        return Err(StatsError::LengthMismatch {
            values: xs.len(),
            times: ys.len(),
        });
    }
    if xs.len() < 3 {
        return Err(StatsError::TooFew {
            needed: 3,
            have: xs.len(),
        });
    }
    if ys.iter().all(|y| *y == ys[0]) {
        // Nothing bends, though the chord of `unit` would lie above it.
        return Ok(None);
    }
    let (x, y) = (unit(xs), unit(ys));
    let above = |index: &usize| x[*index] - y[*index];
    let inner = 1..xs.len() - 1;
    let knee = inner.max_by(|a, b| above(a).total_cmp(&above(b)));
    Ok(knee.filter(|index| above(index) > STANDS_OUT))
}

/// Brought to `[0, 1]`; all 0 where nothing varies.
fn unit(values: &[f64]) -> Vec<f64> {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = high - low;
    let scale = |value: &f64| {
        if range > 0.0 {
            (value - low) / range
        } else {
            0.0
        }
    };
    values.iter().map(scale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(xs: &[f64], ys: &[f64], expect: Option<usize>) {
        assert_eq!(kneedle(xs, ys).expect("points"), expect, "{ys:?}");
    }

    #[test]
    fn a_knee_is_where_the_chord_lies_farthest_above() {
        let xs = [1.0, 2.0, 4.0, 8.0, 10.0, 12.0];
        check(&xs, &[10.0, 10.5, 11.0, 14.0, 60.0, 300.0], Some(4));
        check(&xs, &[10.0, 10.5, 11.0, 14.0, 200.0, 300.0], Some(3));
    }

    #[test]
    fn straight_flat_and_concave_curves_have_none() {
        let xs = [1.0, 2.0, 3.0, 4.0];
        check(&xs, &[1.0, 2.0, 3.0, 4.0], None);
        check(&xs, &[5.0; 4], None);
        check(&xs, &[1.0, 3.0, 3.8, 4.0], None);
        assert!(kneedle(&xs[..2], &[1.0, 2.0]).is_err());
        assert!(kneedle(&xs, &[1.0, f64::INFINITY, 2.0, 3.0]).is_err());
    }

    /// M/M/1: mean time 1 / (1 - load). Over [0.1, 0.9] the chord is farthest where the slope is the
    /// chord's, at 1 - sqrt(0.09) = 0.7.
    #[test]
    fn the_knee_of_a_queue_is_where_its_slope_is_the_chords() {
        let xs: Vec<f64> = (10..=90).map(|i| f64::from(i) / 100.0).collect();
        let ys: Vec<f64> = xs.iter().map(|x| 1.0 / (1.0 - x)).collect();
        let knee = kneedle(&xs, &ys).expect("points").expect("a knee");
        assert!((xs[knee] - 0.7).abs() < 0.011, "{}", xs[knee]);
    }
}
