//! Quantiles and means against SciPy 1.17.1. With `z = [-3, -1, 0, 0.5, 2.5]`, `u = norm.cdf(z)`:
//!
//! - normal m/s/a..b: `truncnorm.ppf(u, (a-.5-m)/s, (b+.5-m)/s, m, s)`, clipped to a..b;
//!   `truncnorm.mean` with the same arguments;
//! - lognormal m/s/a..b: `np.clip(lognorm.ppf(u, s, scale=m), a, b)`;
//! - gamma m/c/a..b: `np.clip(gamma.ppf(u, 1/c**2, scale=m*c**2), a, b)`; its mean
//!   `a*g.cdf(a) + b*g.sf(b) + quad(lambda x: x*g.pdf(x), a, b)`;
//! - uniform a..b: `randint.ppf(u, a, b+1)`;
//! - zipf s/a..b: `k = np.arange(a, b+1); w = k**-s; k[np.searchsorted(np.cumsum(w)/w.sum(), u)]`.

use super::*;
use infermeter_core::plan::{Lengths, WorkloadClass, WorkloadKind};

const Z: [f64; 5] = [-3.0, -1.0, 0.0, 0.5, 2.5];

/// The answers' distribution of a workload with the same text for both lengths.
fn distribution(kind: &str, parameters: &str) -> LengthDistribution {
    let text = format!("fixed:16,{kind}:{parameters}");
    let workload: WorkloadKind = text.parse().expect("a workload");
    let WorkloadKind::One(WorkloadClass::Lengths(Lengths { output, .. })) = workload else {
        panic!("{text}");
    };
    LengthDistribution::new(&output, ANSWER_BOUNDS)
}

#[test]
fn quantiles_are_those_of_scipy() {
    for (kind, parameters, expected) in [
        (
            "normal",
            "500/200/16..4000",
            [
                27.258594259370398,
                305.28962914826855,
                501.9319042163742,
                601.3531356332078,
                1000.547941603113,
            ],
        ),
        (
            "normal",
            "50/40/16..60",
            [
                16.0,
                24.16101615544971,
                39.74898569906249,
                47.71668965220724,
                60.0,
            ],
        ),
        (
            "lognormal",
            "220/0.8/30..1000",
            [30.0, 98.85237210578875, 220.0, 328.2014334810795, 1000.0],
        ),
        (
            "gamma",
            "220/1.5",
            [
                1.0,
                6.035537754169322,
                89.47264077893139,
                219.0263178599316,
                1764.6798034656847,
            ],
        ),
        (
            "gamma",
            "160/0.5",
            [
                18.611461612537834,
                83.42643255108469,
                146.88242995403587,
                188.2916573069008,
                427.54807518589837,
            ],
        ),
        ("gamma", "300/8", [1.0, 1.0, 1.0, 1.0, 12937.204966980873]),
        (
            "uniform",
            "100..2000",
            [102.0, 401.0, 1050.0, 1414.0, 1989.0],
        ),
        ("zipf", "1.2/16..4000", [16.0, 27.0, 120.0, 350.0, 3757.0]),
        ("zipf", "3/1..100", [1.0, 1.0, 1.0, 1.0, 8.0]),
        ("fixed", "77", [77.0; 5]),
    ] {
        let d = distribution(kind, parameters);
        for (z, expected) in Z.into_iter().zip(expected) {
            let found = d.at(z);
            assert!(
                (found - expected).abs() < 1e-7 * expected,
                "{kind}:{parameters} at {z}: {found} {expected}"
            );
            assert_eq!(d.tokens(z), expected.round() as u32);
        }
    }
}

#[test]
fn means_are_those_of_scipy() {
    for (kind, parameters, expected) in [
        ("normal", "50/40/16..60", 39.21093080969665),
        ("gamma", "220/1.5/1..2000", 218.40785795033085),
        ("gamma", "160/0.5/1..2000", 160.00000000320148),
        ("gamma", "300/8/1..2000", 84.68077072891177),
        ("uniform", "100..2000", 1050.0),
        ("zipf", "1.2/16..4000", 485.38025737275336),
        ("zipf", "0/1..10", 5.5),
        ("zipf", "3/1..100", 1.3602111761438345),
        ("fixed", "77", 77.0),
        // Not clipped: the lognormal's own mean.
        ("lognormal", "1000/0.8", 1_377.127_764_335_957),
    ] {
        let mean = distribution(kind, parameters).mean();
        assert!(
            (mean / expected - 1.0).abs() < 1e-6,
            "{kind}:{parameters}: {mean} {expected}"
        );
    }
}

#[test]
fn lengths_stay_within_their_bounds_at_any_variable() {
    for (kind, parameters, min, max) in [
        ("normal", "500/200", 1, MAX_TOKENS),
        ("normal", "16/400/16..40", 16, 40),
        ("lognormal", "220/5", 1, MAX_TOKENS),
        ("gamma", "300/10", 1, MAX_TOKENS),
        ("uniform", "3..5", 3, 5),
        ("zipf", "10/2..900000", 2, 900_000),
    ] {
        let d = distribution(kind, parameters);
        let mut previous = 0;
        for i in -400..=400 {
            let tokens = d.tokens(f64::from(i) / 10.0);
            assert!((min..=max).contains(&tokens), "{kind}:{parameters} {i}");
            assert!(tokens >= previous, "{kind}:{parameters} {i}");
            previous = tokens;
        }
    }
}
