//! Resampling, dips and confidence sequences against SciPy, arch and diptest; see
//! `tests/golden/README.md`.

use infermeter_stats::{
    Quantile, QuantileSequence, Ranks, block_bootstrap_mean, block_length, bootstrap_mean,
    bootstrap_ratio, dip,
};

use crate::golden;
use crate::processes::{ar1, uniforms};

fn assert_close(got: f64, want: f64, relative: f64, what: &str) {
    assert!(
        (got - want).abs() <= relative * want.abs().max(1e-300),
        "{what}: {got} for {want}"
    );
}

#[test]
fn block_lengths() {
    for &(seed, n, phi, stationary, circular) in golden::BLOCK_LENGTH {
        let found = block_length(&ar1(seed, n, phi)).unwrap();
        let what = format!("seed {seed}");
        assert_close(found.stationary, stationary, 1e-9, &what);
        assert_close(found.circular, circular, 1e-9, &what);
    }
}

#[test]
fn bca_intervals() {
    for &(seed, n, level, low, high, mean_low, mean_high) in golden::BCA {
        let top: Vec<f64> = uniforms(seed, n).iter().map(|u| -(1.0 - u).ln()).collect();
        let bottom: Vec<f64> = uniforms(seed + 100, n).iter().map(|u| 0.5 + u).collect();
        let ratio = bootstrap_ratio(&top, &bottom, level, 999, seed).unwrap();
        let what = format!("seed {seed}");
        assert_close(ratio.low.unwrap(), low, 1e-9, &what);
        assert_close(ratio.high.unwrap(), high, 1e-9, &what);
        // Other random numbers: the ends move by their own error.
        let mean = bootstrap_mean(&top, level, 9_999, seed).unwrap();
        let width = mean_high - mean_low;
        assert!(
            (mean.low.unwrap() - mean_low).abs() < 0.03 * width,
            "{mean:?}"
        );
        assert!(
            (mean.high.unwrap() - mean_high).abs() < 0.05 * width,
            "{mean:?}"
        );
    }
}

#[test]
fn dips() {
    for &(seed, n, apart, want) in golden::DIP {
        let uniforms = uniforms(seed, n).into_iter().enumerate();
        let mut values: Vec<f64> = uniforms.map(|(i, u)| u + apart * (i % 2) as f64).collect();
        values.sort_unstable_by(f64::total_cmp);
        let found = dip(&values).unwrap().statistic;
        assert_close(found, want, 1e-9, &format!("seed {seed}"));
    }
}

/// n, p, level, tuned for, low, high.
type SequenceRow = (usize, f64, f64, usize, Option<usize>, Option<usize>);

const SEQUENCE: [SequenceRow; 7] = [
    (10, 0.5, 0.95, 100, None, None),
    (100, 0.5, 0.95, 100, Some(35), Some(66)),
    (1000, 0.9, 0.95, 1000, Some(870), Some(928)),
    (500, 0.99, 0.95, 10_000, Some(484), None),
    (2000, 0.99, 0.95, 10_000, Some(1964), Some(1994)),
    (3000, 0.99, 0.9, 1000, Some(2954), Some(2985)),
    (5000, 0.05, 0.99, 3000, Some(197), Some(308)),
];

#[test]
fn confidence_sequences() {
    for (n, p, level, tuned, low, high) in SEQUENCE {
        let sequence = QuantileSequence::new(Quantile::new(p).unwrap(), level, tuned).unwrap();
        assert_eq!(sequence.ranks(n), Ok(Ranks { low, high }), "n {n} p {p}");
    }
}

/// The rate of a dependent series of counts: AR(1) with coefficient 0.7, mean 0.5 / 0.3.
#[test]
fn block_bootstrap_covers_the_mean_of_a_dependent_series() {
    let covered = (1..=150_u64).filter(|seed| {
        let cells = &ar1(seed * 7_919, 420, 0.7)[20..];
        let interval = block_bootstrap_mean(cells, 0.95, 399, *seed).unwrap();
        interval.contains(0.5 / 0.3)
    });
    let share = covered.count() as f64 / 150.0;
    assert!((0.86..=0.99).contains(&share), "{share}");
}
