//! Properties that hold for every sample.

use infermeter_stats::{
    BlockSeries, Interval, Quantile, SampleSeries, clopper_pearson, effective_sample_size,
    mann_kendall, order_statistic, summarise,
};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, prop_oneof};
use proptest::{prop_assert, prop_assert_eq, proptest};

/// Samples with ties, extremes and infinities.
fn samples() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        6 => 0.0..100.0_f64,
        3 => (0_u8..5).prop_map(f64::from),
        1 => proptest::strategy::Just(f64::INFINITY),
    ];
    vec(value, 1..300)
}

fn within(inner: Interval, outer: Interval) -> bool {
    let low = match (inner.low, outer.low) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(inner), Some(outer)) => outer <= inner,
    };
    let high = match (inner.high, outer.high) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(inner), Some(outer)) => inner <= outer,
    };
    low && high
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(100)
    })]

    #[test]
    fn quantile_is_the_smallest_sample_with_its_share_below(xs in samples(), p in 0.001..0.999) {
        let q = Quantile::new(p).unwrap();
        let series = SampleSeries::new(&xs).unwrap();
        let value = series.value(q);
        let n = xs.len() as f64;
        let share = |bound: f64| xs.iter().filter(|&&x| x <= bound).count() as f64 / n;
        prop_assert!(share(value) >= p - 1e-9);
        let below = xs.iter().copied().filter(|&x| x < value).fold(f64::NEG_INFINITY, f64::max);
        prop_assert!(share(below) < p);
    }

    #[test]
    fn interval_holds_the_value_and_grows_with_the_level(xs in samples(), p in 0.01..0.99) {
        let q = Quantile::new(p).unwrap();
        let series = SampleSeries::new(&xs).unwrap();
        let at = |level| series.estimate(q, level).unwrap();
        let (narrow, wide) = (at(0.8), at(0.99));
        prop_assert!(narrow.interval.contains(narrow.value));
        prop_assert!(within(narrow.interval, wide.interval));
        prop_assert!((1.0..=xs.len() as f64).contains(&narrow.effective_n));
    }

    #[test]
    fn order_does_not_change_the_value_and_dependence_only_widens(xs in samples()) {
        let mut reversed = xs.clone();
        reversed.reverse();
        let mut sorted = xs.clone();
        sorted.sort_by(f64::total_cmp);
        let original = SampleSeries::new(&xs).unwrap();
        for q in [Quantile::P50, Quantile::P90, Quantile::P99] {
            let estimate = original.estimate(q, 0.9).unwrap();
            prop_assert_eq!(Some(estimate.value), order_statistic(&sorted, q));
            for other in [&reversed, &sorted] {
                let series = SampleSeries::new(other).unwrap();
                prop_assert_eq!(estimate.value, series.value(q));
            }
            let exact = infermeter_stats::independent_interval(&sorted, q, 0.9).unwrap();
            prop_assert!(within(exact, estimate.interval));
            // The autocovariance does not know the direction of time.
            let ess = SampleSeries::new(&reversed).unwrap().effective_n(q);
            prop_assert!((ess - estimate.effective_n).abs() < 1e-6 * ess);
        }
    }

    #[test]
    fn quantiles_follow_monotone_maps(xs in vec(0.1..50.0_f64, 1..200)) {
        let logs: Vec<f64> = xs.iter().map(|x| x.ln()).collect();
        let (plain, log) = (SampleSeries::new(&xs).unwrap(), SampleSeries::new(&logs).unwrap());
        for q in [Quantile::P50, Quantile::P95] {
            let (a, b) = (plain.estimate(q, 0.95).unwrap(), log.estimate(q, 0.95).unwrap());
            prop_assert_eq!(a.value.ln(), b.value);
            prop_assert_eq!(a.interval.high.map(f64::ln), b.interval.high);
            prop_assert_eq!(a.effective_n, b.effective_n);
        }
    }

    #[test]
    fn blocks_agree_with_the_whole_and_ignore_order(
        points in vec((0.0..100.0_f64, 0_i64..60_000), 2..300),
    ) {
        let split = |points: &[(f64, i64)]| -> (Vec<f64>, Vec<i64>) {
            points.iter().copied().unzip()
        };
        let mut shuffled = points.clone();
        shuffled.reverse();
        let ((xs, at), (ys, bt)) = (split(&points), split(&shuffled));
        let (a, b) = (
            BlockSeries::new(&xs, &at, 1000).unwrap(),
            BlockSeries::new(&ys, &bt, 1000).unwrap(),
        );
        for q in [Quantile::P50, Quantile::P90] {
            let (a, b) = (a.estimate(q, 0.95).unwrap(), b.estimate(q, 0.95).unwrap());
            prop_assert_eq!(a, b);
            prop_assert_eq!(a.value, SampleSeries::new(&xs).unwrap().value(q));
            prop_assert!(a.interval.contains(a.value));
            prop_assert!((1.0..=xs.len() as f64).contains(&a.effective_n));
            prop_assert!(a.tail_blocks <= a.blocks);
        }
    }

    #[test]
    fn mean_lies_in_its_interval_and_scales(xs in vec(-50.0..50.0_f64, 1..200)) {
        let summary = summarise(&xs, 0.95).unwrap();
        prop_assert!(summary.mean_interval.contains(summary.mean));
        prop_assert!(summary.min <= summary.mean + 1e-9 && summary.mean <= summary.max + 1e-9);
        let scaled: Vec<f64> = xs.iter().map(|x| 4.0 * x).collect();
        prop_assert_eq!(
            effective_sample_size(&scaled).unwrap(),
            effective_sample_size(&xs).unwrap()
        );
    }

    #[test]
    fn proportions_mirror(successes in 0.0..50.0_f64, failures in 0.1..50.0_f64) {
        let trials = successes + failures;
        let hits = clopper_pearson(successes, trials, 0.95).unwrap();
        let misses = clopper_pearson(trials - successes, trials, 0.95).unwrap();
        prop_assert!(hits.contains(successes / trials));
        prop_assert!((hits.low.unwrap() - (1.0 - misses.high.unwrap())).abs() < 1e-7);
        prop_assert!(within(hits, clopper_pearson(successes, trials, 0.99).unwrap()));
    }

    #[test]
    fn trend_reverses_with_time(xs in vec(0_u8..20, 2..60)) {
        let series: Vec<f64> = xs.iter().copied().map(f64::from).collect();
        let mut reversed = series.clone();
        reversed.reverse();
        let (a, b) = (mann_kendall(&series).unwrap(), mann_kendall(&reversed).unwrap());
        prop_assert_eq!((a.s, a.p_value), (-b.s, b.p_value));
        prop_assert!((0.0..=1.0).contains(&a.p_value));
    }
}
