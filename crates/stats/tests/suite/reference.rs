//! Against SciPy and NumPy; see `tests/golden/README.md`.

use infermeter_stats::{
    BlockSeries, Quantile, Ranks, SampleSeries, Truncation, clopper_pearson, drift,
    effective_sample_size, independent_ranks, mann_kendall, mser5, student_two_sided,
};

use crate::golden;
use crate::processes::{Lcg, ar1, uniforms};

fn assert_close(got: f64, want: f64, relative: f64, what: &str) {
    assert!(
        (got - want).abs() <= relative * want.abs().max(1e-300),
        "{what}: {got} for {want}"
    );
}

#[test]
fn binomial_ranks() {
    for &(n, p, level, low, high) in golden::RANKS {
        let ranks = independent_ranks(n, Quantile::new(p).unwrap(), level).unwrap();
        assert_eq!(ranks, Ranks { low, high }, "n {n} p {p} level {level}");
    }
}

#[test]
fn clopper_pearson_bounds() {
    for &(successes, trials, level, low, high) in golden::CLOPPER_PEARSON {
        let interval = clopper_pearson(successes, trials, level).unwrap();
        let what = format!("{successes} of {trials} at {level}");
        assert_close(interval.low.unwrap(), low, 1e-9, &what);
        assert_close(interval.high.unwrap(), high, 1e-9, &what);
    }
}

#[test]
fn student_critical_values() {
    for &(level, df, t) in golden::STUDENT {
        assert_close(
            student_two_sided(level, df),
            t,
            1e-8,
            &format!("{level} df {df}"),
        );
    }
    // Published: t(0.9995, 9) = 4.781, z(0.975) = 1.959964.
    assert_close(student_two_sided(0.999, 9.0), 4.781, 1e-4, "t(0.9995, 9)");
    assert_close(
        student_two_sided(0.95, 1e9),
        1.959_963_984_540_054,
        1e-12,
        "z",
    );
}

#[test]
fn mann_kendall_tests() {
    for &(seed, n, levels, s, tau, p) in golden::MANN_KENDALL {
        let series: Vec<f64> = uniforms(seed, n)
            .into_iter()
            .enumerate()
            .map(|(i, u)| {
                if levels > 0.0 {
                    (u * levels).floor()
                } else {
                    u + i as f64 * 0.02
                }
            })
            .collect();
        let test = mann_kendall(&series).unwrap();
        assert_eq!(test.s, s, "seed {seed}");
        assert_close(test.tau, tau, 1e-12, "tau");
        assert_close(test.p_value, p, 1e-9, &format!("p of seed {seed}"));
    }
}

#[test]
fn effective_sample_sizes() {
    for &(seed, n, phi, [mean, p50, ess50, p90, ess90, p99, ess99]) in golden::EFFECTIVE {
        let series = ar1(seed, n, phi);
        let what = format!("seed {seed}");
        assert_close(effective_sample_size(&series).unwrap(), mean, 1e-9, &what);
        let sample = SampleSeries::new(&series).unwrap();
        // Under 1000 observations p99 borrows the figure of p90 where that is smaller.
        let ess99 = if n < 1000 { ess99.min(ess90) } else { ess99 };
        let rows = [
            (Quantile::P50, p50, ess50),
            (Quantile::P90, p90, ess90),
            (Quantile::P99, p99, ess99),
        ];
        for (q, value, ess) in rows {
            assert_eq!(sample.value(q), value, "{what} {q}");
            assert_close(sample.effective_n(q), ess, 1e-9, &format!("{what} {q}"));
        }
    }
}

/// The series of `blocks()` in the generator: a level per second plus noise, every third missing.
fn block_process(seed: u64, seconds: usize) -> (Vec<f64>, Vec<i64>) {
    let level = uniforms(seed, seconds);
    let mut noise = Lcg(seed + 100);
    let all = (0..seconds * 20).map(|i| (i, level[i / 20] + noise.uniform()));
    all.filter(|(i, _)| i % 3 != seed as usize % 3)
        .map(|(i, x)| (x, i as i64 * 50_000_000))
        .unzip()
}

#[test]
fn time_blocks() {
    for &(seed, seconds, p, value, ess, tail, blocks, low, high) in golden::BLOCKS {
        let (values, at_ns) = block_process(seed, seconds);
        let series = BlockSeries::new(&values, &at_ns, 1_000_000_000).unwrap();
        let estimate = series.estimate(Quantile::new(p).unwrap(), 0.95).unwrap();
        assert_eq!(estimate.value, value, "seed {seed}");
        // Groups of blocks may show more dependence than the blocks of the reference.
        assert!(estimate.effective_n <= ess * (1.0 + 1e-9), "seed {seed}");
        assert_eq!(
            (estimate.tail_blocks, estimate.blocks),
            (Some(tail), Some(blocks))
        );
        // So many blocks leave something unseen: at least so much wider than the ranks.
        let tail = p.min(1.0 - p) / 0.1;
        let factor = 1.0 + 4.0 * (15.0 / blocks as f64).powf(0.9) * tail.min(1.0);
        let interval = estimate.interval;
        let below = |low: f64| value * (low / value).powf(factor) + 1e-12;
        let above = |high: f64| value + factor * (high - value) - 1e-12;
        assert!(
            interval.low.is_none() || interval.low <= low.map(below),
            "seed {seed}"
        );
        assert!(
            interval.high.is_none() || interval.high >= high.map(above),
            "seed {seed}"
        );
        assert!(low.is_some() || interval.low.is_none(), "seed {seed}");
        assert!(high.is_some() || interval.high.is_none(), "seed {seed}");
    }
}

#[test]
fn mser_truncations() {
    for &(seed, n, cold, shift, observations) in golden::MSER {
        let mut series = ar1(seed, n, 0.5);
        for x in &mut series[..cold] {
            *x += shift;
        }
        let expected = if 2 * observations < n / 5 * 5 {
            Truncation::At { observations }
        } else {
            Truncation::Late { observations }
        };
        assert_eq!(mser5(&series), Ok(expected), "seed {seed}");
    }
}

#[test]
fn drift_slopes() {
    for &(seed, slope) in golden::THEIL_SEN {
        // One observation in each of ten batches of a second.
        let at_ns: Vec<i64> = (0..10).map(|i| i * 1_111_111_111).collect();
        let drift = drift(&uniforms(seed, 10), &at_ns, 0.001).unwrap().unwrap();
        assert_close(drift.slope_per_s, slope, 1e-6, &format!("seed {seed}"));
    }
}
