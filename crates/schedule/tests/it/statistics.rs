//! The arrivals have the distribution that they are named after. Seeds are fixed, so that each
//! test gives the same figure every time; limits are four standard errors or a KS level of 1e-4.

use crate::support::{ks, mean_and_variance};
use infermeter_core::clock::Offset;
use infermeter_core::units::Span;
use infermeter_schedule::{ArrivalProcess, Arrivals, OpenParams, Rate, WarmupRule, open_schedule};
use statrs::distribution::{ContinuousCDF, Exp, Gamma, Weibull};

fn arrivals(process: ArrivalProcess, rate: f64, seed: u64) -> Arrivals {
    Arrivals::new(process, rate, seed).expect("arrivals")
}

/// The gaps between `n` arrivals, seconds.
fn gaps(process: ArrivalProcess, rate: f64, n: usize) -> Vec<f64> {
    let instants: Vec<Offset> = arrivals(process, rate, 11).take(n + 1).collect();
    let pairs = instants.windows(2);
    pairs
        .map(|pair| pair[1].since(pair[0]) as f64 / 1e9)
        .collect()
}

#[test]
fn the_first_instants_are_pinned() {
    let first =
        |process| -> Vec<i64> { arrivals(process, 10.0, 42).take(3).map(|o| o.0).collect() };
    assert_eq!(
        [
            ArrivalProcess::Poisson,
            ArrivalProcess::Constant,
            ArrivalProcess::Gamma { cv: 2.0 },
            ArrivalProcess::Gamma { cv: 0.5 },
            ArrivalProcess::Weibull { cv: 2.0 }
        ]
        .map(first),
        [
            [87_588_338, 236_982_013, 302_148_377],
            [68_189_619, 168_189_619, 268_189_619],
            [248759584, 280273367, 287851758],
            [61746747, 178159938, 231991130],
            [227_584_887, 241_684_416, 327_539_121]
        ]
    );
}

#[test]
fn poisson_gaps_are_exponential() {
    let exponential = Exp::new(50.0).expect("a distribution");
    let d = ks(gaps(ArrivalProcess::Poisson, 50.0, 100_000), |x| {
        exponential.cdf(x)
    });
    assert!(d < 2.23, "{d}");
}

#[test]
fn gamma_gaps_are_gamma() {
    for cv in [0.3_f64, 0.7, 1.0, 1.5] {
        let shape = 1.0 / (cv * cv);
        let gamma = Gamma::new(shape, shape * 50.0).expect("a distribution");
        let d = ks(gaps(ArrivalProcess::Gamma { cv }, 50.0, 50_000), |x| {
            gamma.cdf(x)
        });
        assert!(d < 2.23, "cv {cv}: {d}");
    }
}

#[test]
fn weibull_gaps_are_weibull() {
    // Shapes from SciPy, as in weibull.rs; the scale makes the mean 1/50.
    for (cv, shape, scale) in [
        (0.5, 2.101349094688543, 1.1290633895396092),
        (1.0, 1.0, 1.0),
        (2.0, 0.5426925612864535, 0.5752495548555179),
    ] {
        let weibull = Weibull::new(shape, scale / 50.0).expect("a distribution");
        let d = ks(gaps(ArrivalProcess::Weibull { cv }, 50.0, 50_000), |x| {
            weibull.cdf(x)
        });
        assert!(d < 2.23, "cv {cv}: {d}");
    }
}

/// First arrivals at rate 1, one per seed, seconds.
fn firsts(process: ArrivalProcess) -> Vec<f64> {
    let first = |seed| {
        arrivals(process, 1.0, seed)
            .next()
            .map_or(0.0, |at| at.0 as f64 / 1e9)
    };
    (0..20_000).map(first).collect()
}

#[test]
fn the_first_gap_is_the_residual_one() {
    let check = |process, cdf: &dyn Fn(f64) -> f64| {
        let d = ks(firsts(process), cdf);
        assert!(d < 2.23, "{process:?}: {d}");
    };
    check(ArrivalProcess::Constant, &|x| x.clamp(0.0, 1.0));
    check(ArrivalProcess::Poisson, &|x| 1.0 - (-x).exp());
    // The integral of 1 - F from 0 to x is x (1 - F(x)) plus that of y f(y), which for a mean of 1
    // is the distribution function of a length-biased gap.
    for cv in [0.5, 2.0_f64] {
        let shape = 1.0 / (cv * cv);
        let gap = Gamma::new(shape, shape).expect("a distribution");
        let biased = Gamma::new(shape + 1.0, shape).expect("a distribution");
        check(ArrivalProcess::Gamma { cv }, &|x| {
            x * gap.sf(x) + biased.cdf(x)
        });
    }
    for (cv, shape, scale) in [
        (0.5, 2.101349094688543, 1.1290633895396092_f64),
        (2.0, 0.5426925612864535, 0.5752495548555179),
    ] {
        let gap = Weibull::new(shape, scale).expect("a distribution");
        let power = Gamma::new(1.0 + 1.0 / shape, 1.0).expect("a distribution");
        check(ArrivalProcess::Weibull { cv }, &|x| {
            x * gap.sf(x) + power.cdf((x / scale).powf(shape))
        });
    }
}

#[test]
fn gaps_have_the_mean_and_the_coefficient_of_variation_asked_for() {
    for cv in [0.5, 1.0, 2.0, 4.0] {
        let n = 400_000;
        let sample = gaps(ArrivalProcess::Gamma { cv }, 100.0, n);
        let mean = sample.iter().sum::<f64>() / n as f64;
        let variance = sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(
            (mean * 100.0 - 1.0).abs() < 4.0 * cv / (n as f64).sqrt(),
            "cv {cv}: {mean}"
        );
        assert!((variance.sqrt() / mean / cv - 1.0).abs() < 0.05, "cv {cv}");
    }
}

#[test]
fn constant_gaps_are_constant_and_do_not_drift() {
    let instants: Vec<i64> = arrivals(ArrivalProcess::Constant, 3.0, 5)
        .take(1_000_001)
        .map(|o| o.0)
        .collect();
    assert!(
        instants
            .windows(2)
            .all(|pair| (333_333_333..=333_333_334).contains(&(pair[1] - pair[0])))
    );
    // A million gaps of 1e9 / 3 ns: rounding at both ends is all that may be off.
    let length = instants[1_000_000] - instants[0];
    assert!((length - 333_333_333_333_333).abs() <= 1, "{length}");
    assert!((0..333_333_334).contains(&instants[0]));
}

/// Counts of arrivals before `seconds`, one per seed.
fn counts(process: ArrivalProcess, rate: f64, seconds: f64, seeds: u64) -> Vec<f64> {
    let end = Offset((seconds * 1e9) as i64);
    (0..seeds)
        .map(|seed| {
            arrivals(process, rate, seed)
                .take_while(|a| *a < end)
                .count() as f64
        })
        .collect()
}

#[test]
fn the_rate_holds_from_the_first_instant_on() {
    // Half a mean gap: a first gap drawn like the others would miss this for all but Poisson.
    for process in [
        ArrivalProcess::Constant,
        ArrivalProcess::Poisson,
        ArrivalProcess::Gamma { cv: 0.4 },
        ArrivalProcess::Gamma { cv: 3.0 },
        ArrivalProcess::Weibull { cv: 0.4 },
        ArrivalProcess::Weibull { cv: 3.0 },
    ] {
        let sample = counts(process, 1.0, 0.5, 40_000);
        let (mean, variance) = mean_and_variance(&sample);
        let error = (variance / 40_000.0).sqrt();
        assert!(
            (mean - 0.5).abs() < 4.0 * error,
            "{process:?}: {mean} +- {error}"
        );
    }
}

#[test]
fn a_count_over_its_window_estimates_the_rate_without_bias() {
    let warmup = WarmupRule::resolve(Some("3s".parse().expect("a warm-up")), None);
    let params = OpenParams {
        process: ArrivalProcess::Poisson,
        rate: Rate::Constant(5.0),
        warmup,
        duration: None,
        requests: Some(10),
        drain_max: Span(0),
    };
    let rates: Vec<f64> = (0..20_000)
        .map(|seed| {
            let s = open_schedule(&params, seed).expect("a schedule");
            10.0 / (s.window_end.since(s.window_start) as f64 / 1e9)
        })
        .collect();
    let (mean, variance) = mean_and_variance(&rates);
    // The n-th arrival as the end would give 5.56, the n-th plus a mean gap 4.74.
    assert!(
        (mean - 5.0).abs() < 4.0 * (variance / 20_000.0).sqrt(),
        "{mean}"
    );
}

#[test]
fn counts_of_poisson_have_an_index_of_dispersion_of_one() {
    let sample = counts(ArrivalProcess::Poisson, 20.0, 10.0, 4_000);
    let (mean, variance) = mean_and_variance(&sample);
    // Standard error of the index: sqrt(2 / (n - 1)).
    assert!(
        (variance / mean - 1.0).abs() < 4.0 * (2.0_f64 / 3_999.0).sqrt(),
        "{}",
        variance / mean
    );
    assert!(
        (mean - 200.0).abs() < 4.0 * (200.0_f64 / 4_000.0).sqrt(),
        "{mean}"
    );
}

#[test]
fn bursty_and_smooth_processes_disperse_accordingly() {
    let index = |cv| {
        let sample = counts(ArrivalProcess::Gamma { cv }, 20.0, 50.0, 1_000);
        let (mean, variance) = mean_and_variance(&sample);
        variance / mean
    };
    // Asymptotically cv squared.
    assert!((index(2.0) / 4.0 - 1.0).abs() < 0.2);
    assert!((index(0.5) / 0.25 - 1.0).abs() < 0.2);
}

#[test]
fn neighbouring_seeds_give_unrelated_instants() {
    let first = |seed| arrivals(ArrivalProcess::Poisson, 1.0, seed).next();
    let distinct: std::collections::BTreeSet<_> = (0..1_000).map(first).collect();
    assert_eq!(distinct.len(), 1_000);
}
