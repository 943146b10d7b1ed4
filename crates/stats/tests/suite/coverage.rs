//! Coverage with fixed seeds: what the intervals promise, on processes whose quantiles are known.

use infermeter_stats::{
    BlockSeries, Quantile, SampleSeries, coefficient_of_variation, drift, independent_interval,
    index_of_dispersion, summarise,
};

use crate::processes::{Lcg, mm1_sojourns, uniforms};

/// Share of `replicates` seeds for which `holds`.
fn share(replicates: u64, holds: impl FnMut(u64) -> bool) -> f64 {
    (1..=replicates)
        .map(|seed| seed * 7_919)
        .map(holds)
        .filter(|&held| held)
        .count() as f64
        / replicates as f64
}

#[test]
fn independent_p99_is_covered() {
    let (mut fired, mut exact) = (0, 0);
    let covered = share(300, |seed| {
        let xs = uniforms(seed, 1500);
        let series = SampleSeries::new(&xs).unwrap();
        fired += usize::from(series.correlated());
        let interval = independent_interval(series.sorted(), Quantile::P99, 0.95).unwrap();
        exact += usize::from(interval.contains(0.99));
        series
            .estimate(Quantile::P99, 0.95)
            .unwrap()
            .interval
            .contains(0.99)
    });
    assert_between(covered, 0.925, 0.99);
    assert_between(exact as f64 / 300.0, 0.92, 0.985);
    assert!(
        fired <= 6,
        "{fired} of 300 independent series called correlated"
    );
}

#[test]
fn a_busy_queue_is_covered_only_by_the_effective_interval() {
    let load = 0.7;
    let truth = 100.0_f64.ln() / (1.0 - load);
    let (mut independent, mut fired) = (0, 0);
    let effective = share(120, |seed| {
        let xs = mm1_sojourns(seed, 6000, load);
        let series = SampleSeries::new(&xs).unwrap();
        fired += usize::from(series.correlated());
        let iid = independent_interval(series.sorted(), Quantile::P99, 0.95).unwrap();
        independent += usize::from(iid.contains(truth));
        series
            .estimate(Quantile::P99, 0.95)
            .unwrap()
            .interval
            .contains(truth)
    });
    let independent = independent as f64 / 120.0;
    assert!(independent < 0.55, "independent {independent}");
    assert!(
        effective > independent + 0.3 && effective > 0.8,
        "effective {effective}"
    );
    assert_eq!(fired, 120);
}

#[test]
fn the_mean_of_a_queue_is_covered() {
    let covered = share(100, |seed| {
        let xs = mm1_sojourns(seed, 3000, 0.5);
        summarise(&xs, 0.95).unwrap().mean_interval.contains(2.0)
    });
    assert_between(covered, 0.87, 0.995);
}

#[test]
fn shared_steps_are_covered_by_time_blocks() {
    // 16 streams share each of 2000 step times, 10 steps a block: the sample is 16 times smaller
    // than it looks.
    let mut independent = 0;
    let covered = share(80, |seed| {
        let mut lcg = Lcg(seed);
        let steps: Vec<f64> = (0..2000).map(|_| lcg.uniform()).collect();
        let xs: Vec<f64> = steps.iter().flat_map(|&step| [step; 16]).collect();
        let at_ns: Vec<i64> = (0..2000_i64).flat_map(|step| [step * 100; 16]).collect();
        let series = BlockSeries::new(&xs, &at_ns, 1000).unwrap();
        let iid = independent_interval(series.sorted(), Quantile::P90, 0.95).unwrap();
        independent += usize::from(iid.contains(0.9));
        series
            .estimate(Quantile::P90, 0.95)
            .unwrap()
            .interval
            .contains(0.9)
    });
    assert!(
        independent as f64 / 80.0 < 0.6,
        "independent {independent} of 80"
    );
    assert_between(covered, 0.88, 1.0);
}

#[test]
fn a_stationary_queue_rarely_drifts() {
    let fired = share(100, |seed| {
        let xs = mm1_sojourns(seed, 2000, 0.6);
        let at_ns: Vec<i64> = (0..2000).map(|i| i * 1_000_000).collect();
        drift(&xs, &at_ns, 0.001).unwrap().unwrap().is_significant()
    });
    assert!(fired <= 0.03, "{fired}");
}

#[test]
fn a_poisson_process_deviates_by_its_standard_error() {
    let mut cv_within = 0;
    let iod_within = share(150, |seed| {
        let mut lcg = Lcg(seed);
        let gaps: Vec<f64> = (0..1000).map(|_| lcg.exponential(1e6)).collect();
        let mut at = 0.0;
        let arrivals: Vec<i64> = gaps
            .iter()
            .map(|gap| {
                at += gap;
                at as i64
            })
            .collect();
        let cv = coefficient_of_variation(&gaps).unwrap().unwrap();
        cv_within += usize::from(cv.poisson_deviation().abs() < 2.0);
        let index = index_of_dispersion(&arrivals, 10_000_000, 0..900_000_000)
            .unwrap()
            .unwrap();
        index.poisson_deviation().abs() < 2.0
    });
    assert_between(iod_within, 0.89, 0.995);
    assert_between(cv_within as f64 / 150.0, 0.89, 0.995);
}

/// Asserts that a share lies within bounds.
fn assert_between(share: f64, low: f64, high: f64) {
    assert!(
        (low..=high).contains(&share),
        "{share} outside {low}..={high}"
    );
}
