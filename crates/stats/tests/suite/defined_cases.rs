//! n = 0, 1 and 2, zero variance, ties, infinities, NaN: each has one answer.

use infermeter_stats::{
    BlockSeries, Grade, Interval, Method, Quantile, SampleSeries, StatsError,
    block_quantile_estimate, correlated, effective_sample_size, independent_interval,
    quantile_estimate, quantile_estimates, summarise,
};

use crate::processes::uniforms;

const SECOND: i64 = 1_000_000_000;

#[test]
fn no_observations() {
    assert_eq!(
        quantile_estimate(&[], Quantile::P50, 0.95),
        Err(StatsError::Empty)
    );
    assert_eq!(correlated(&[]), Err(StatsError::Empty));
    assert_eq!(effective_sample_size(&[]), Err(StatsError::Empty));
    assert_eq!(summarise(&[], 0.95), Err(StatsError::Empty));
    assert_eq!(
        independent_interval(&[], Quantile::P50, 0.95),
        Err(StatsError::Empty)
    );
    let blocks = block_quantile_estimate(&[], &[], SECOND, Quantile::P50, 0.95);
    assert_eq!(blocks, Err(StatsError::Empty));
}

#[test]
fn one_observation() {
    let one = quantile_estimate(&[7.0], Quantile::P99, 0.95).unwrap();
    assert_eq!((one.value, one.n, one.effective_n), (7.0, 1, 1.0));
    // One observation lies at or below the true p99 with probability 0.99: a bound below.
    assert_eq!((one.interval.low, one.interval.high), (Some(7.0), None));
    assert_eq!(
        one.grade,
        Grade::Unsupported {
            needed: 1000,
            have: 1
        }
    );
    let median = quantile_estimate(&[7.0], Quantile::P50, 0.95).unwrap();
    assert_eq!(median.interval, Interval::open(0.95));
    assert_eq!(correlated(&[7.0]), Ok(false));
    let summary = summarise(&[7.0], 0.95).unwrap();
    assert_eq!(
        (summary.mean, summary.std, summary.min, summary.max),
        (7.0, None, 7.0, 7.0)
    );
    assert_eq!(summary.mean_interval, Interval::open(0.95));
}

#[test]
fn two_observations() {
    let two = quantile_estimate(&[2.0, 1.0], Quantile::P50, 0.95).unwrap();
    assert_eq!((two.value, two.interval), (1.0, Interval::open(0.95)));
    let summary = summarise(&[2.0, 1.0], 0.95).unwrap();
    assert_eq!(summary.mean, 1.5);
    assert_eq!(summary.std, Some(0.5_f64.sqrt()));
    assert!(summary.mean_interval.is_closed());
}

#[test]
fn zero_variance() {
    let flat = [0.1; 2000];
    let sample = SampleSeries::new(&flat).unwrap();
    assert!(!sample.correlated());
    let p99 = sample.estimate(Quantile::P99, 0.95).unwrap();
    assert_eq!((p99.effective_n, p99.grade), (2000.0, Grade::Indicative));
    assert_eq!(
        (p99.interval.low, p99.interval.high),
        (Some(0.1), Some(0.1))
    );
    let summary = summarise(&flat, 0.95).unwrap();
    assert_eq!((summary.mean, summary.std), (0.1, Some(0.0)));
    assert_eq!(
        (summary.mean_interval.low, summary.mean_interval.high),
        (Some(0.1), Some(0.1))
    );
    let at_ns: Vec<i64> = (0..2000).map(|i| i * SECOND / 10).collect();
    let blocks = block_quantile_estimate(&flat, &at_ns, SECOND, Quantile::P99, 0.95).unwrap();
    // Ties at the value reach into the tail, in every block.
    assert_eq!((blocks.tail_blocks, blocks.grade), (Some(200), Grade::Full));
    assert_eq!(blocks.interval.high, Some(0.1));
}

#[test]
fn infinities_are_samples_of_a_quantile_but_not_of_a_mean() {
    let mut samples = uniforms(3, 2000);
    for failed in samples.iter_mut().step_by(50) {
        *failed = f64::INFINITY;
    }
    let estimates = quantile_estimates(&samples, &[Quantile::P90, Quantile::P99], 0.95).unwrap();
    assert!(estimates[0].value.is_finite() && estimates[0].interval.high.unwrap().is_finite());
    assert_eq!(estimates[1].value, f64::INFINITY);
    assert_eq!(estimates[1].interval.high, Some(f64::INFINITY));
    assert!(matches!(
        summarise(&samples, 0.95),
        Err(StatsError::NotFinite { index: 0, .. })
    ));
}

#[test]
fn failures_that_come_together_are_dependent_even_beyond_the_quantile() {
    // 5 % failures in one stretch: I(x <= +inf) never varies, I(x < +inf) does.
    let mut samples = uniforms(4, 4000);
    samples[1000..1200].fill(f64::INFINITY);
    let p99 = quantile_estimate(&samples, Quantile::P99, 0.95).unwrap();
    assert_eq!(p99.value, f64::INFINITY);
    assert!(p99.effective_n < 100.0, "{}", p99.effective_n);
}

#[test]
fn nan_is_refused_with_its_place() {
    let samples = [1.0, f64::NAN];
    let error = Err(StatsError::NotANumber { index: 1 });
    assert_eq!(quantile_estimate(&samples, Quantile::P50, 0.95), error);
    assert_eq!(
        block_quantile_estimate(&samples, &[0, 1], SECOND, Quantile::P50, 0.95),
        error
    );
    assert!(summarise(&samples, 0.95).is_err());
}

#[test]
fn levels_outside_the_unit_interval_are_refused() {
    for level in [0.0, 1.0, f64::NAN] {
        let result = quantile_estimate(&[1.0], Quantile::P50, level);
        assert!(matches!(result, Err(StatsError::InvalidLevel { .. })));
        assert!(matches!(
            summarise(&[1.0], level),
            Err(StatsError::InvalidLevel { .. })
        ));
    }
}

#[test]
fn ties_keep_the_order_statistic() {
    let samples: Vec<f64> = (0..1000).map(|i| f64::from(i % 2)).collect();
    let sample = SampleSeries::new(&samples).unwrap();
    assert_eq!(sample.value(Quantile::P50), 0.0);
    assert_eq!(sample.value(Quantile::P90), 1.0);
    // Alternating series are not credited beyond n.
    assert_eq!(sample.effective_n(Quantile::P50), 1000.0);
}

#[test]
fn one_block_bounds_nothing() {
    let values = uniforms(5, 500);
    let at_ns: Vec<i64> = (0..500).collect();
    let one = block_quantile_estimate(&values, &at_ns, SECOND, Quantile::P50, 0.95).unwrap();
    assert_eq!((one.blocks, one.tail_blocks), (Some(1), Some(1)));
    assert_eq!(one.interval, Interval::open(0.95));
    assert_eq!((one.effective_n, one.method), (1.0, Method::TimeBlocks));
    assert_eq!(
        one.grade,
        Grade::Unsupported {
            needed: 5000,
            have: 500
        }
    );
}

#[test]
fn impossible_blocks_are_refused() {
    let refused = |at_ns: &[i64], block_ns| BlockSeries::new(&[1.0, 2.0], at_ns, block_ns).err();
    assert_eq!(
        refused(&[0, 1], 0),
        Some(StatsError::InvalidDivision { length: 0 })
    );
    assert_eq!(
        refused(&[0], 1),
        Some(StatsError::LengthMismatch {
            values: 2,
            times: 1
        })
    );
    let far = refused(&[i64::MIN, i64::MAX], 1);
    assert!(matches!(far, Some(StatsError::TooManyBlocks { .. })));
}

#[test]
fn one_stalled_step_is_one_tail_block() {
    // 64 streams for 100 s at 20 steps/s; one step stalls them all.
    let (mut values, mut at_ns) = (Vec::new(), Vec::new());
    for step in 0..2000_i64 {
        let noise = uniforms(step as u64 + 1, 64);
        for u in noise {
            values.push(if step == 700 { 500.0 + u } else { 50.0 + u });
            at_ns.push(step * SECOND / 20);
        }
    }
    let q = Quantile::new(0.9996).unwrap();
    let estimate = block_quantile_estimate(&values, &at_ns, SECOND, q, 0.95).unwrap();
    assert!(estimate.value > 500.0);
    assert_eq!(
        (estimate.tail_blocks, estimate.blocks),
        (Some(1), Some(100))
    );
    assert!(!estimate.grade.is_supported());
    assert!(estimate.effective_n < 5000.0, "{}", estimate.effective_n);
    assert_eq!(estimate.interval.high, None);
}
