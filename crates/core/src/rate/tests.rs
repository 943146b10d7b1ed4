//! The integral of each profile against sums over small steps, and its inverse against itself.

use super::*;
use std::str::FromStr;

const PROFILES: [&str; 11] = [
    "ramp:5..50/60s",
    "ramp:50..0/60s,repeat",
    "ramp:0..30/1m,30..30/30s,30..1/1m",
    "steps:10/30s,0/30s,40/30s",
    "steps:1000/1ms,0/99ms,repeat",
    "points:0@0,60@10s,0@40s,repeat",
    "points:3@0,60@10s,20@40s",
    "diurnal:10..50/1h",
    "diurnal:0..50/5m@1m",
    "bursts:50/5s,0/25s",
    "random-bursts:50/5s,2/25s",
];

fn curve(text: &str) -> RateCurve {
    RateCurve::new(&RateProfile::from_str(text).expect(text), 3)
}

/// Simpson's rule: exact for linear rates, and as good as exact for the sinusoid.
fn integral(rate: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    let steps = 20_000;
    let h = (to - from) / f64::from(steps);
    let weigh = |i: i32| {
        let weight = if i == 0 || i == steps {
            1.0
        } else if i % 2 == 1 {
            4.0
        } else {
            2.0
        };
        weight * rate(f64::from(i).mul_add(h, from))
    };
    (0..=steps).map(weigh).sum::<f64>() * h / 3.0
}

#[test]
fn the_integral_is_that_of_the_rate() {
    let ramp = |t: f64| if t < 60.0 { 5.0 + 0.75 * t } else { 50.0 };
    let diurnal = |t: f64| 25.0 - 25.0 * (TAU * (t + 60.0) / 300.0).cos();
    let mut ramp_curve = curve("ramp:5..50/60s");
    let mut diurnal_curve = curve("diurnal:0..50/5m@1m");
    for s in [1, 30, 59, 60, 61, 299, 300, 301, 1_000] {
        let at = s * 1_000_000_000;
        let split = (s as f64).min(60.0);
        let exact = integral(ramp, 0.0, split) + 50.0 * (s as f64 - split);
        assert!(
            (ramp_curve.expected(at) - exact).abs() < 1e-9 * exact,
            "{s}"
        );
        let exact = integral(diurnal, 0.0, s as f64);
        let found = diurnal_curve.expected(at);
        assert!((found - exact).abs() < 1e-9 * exact, "{s}: {found} {exact}");
    }
}

#[test]
fn closed_forms() {
    for (text, at_s, expected) in [
        ("ramp:5..50/60s", 60, 1_650.0),
        ("ramp:5..50/60s", 80, 2_650.0),
        ("ramp:5..50/60s,repeat", 120, 3_300.0),
        ("ramp:0..60/60s", 30, 450.0),
        ("steps:10/30s,0/30s,40/30s", 45, 300.0),
        ("steps:10/30s,0/30s,40/30s", 100, 1_900.0),
        ("points:0@0,60@10s,0@40s,repeat", 400, 12_000.0),
        ("diurnal:10..50/1h", 1_800, 54_000.0),
        ("diurnal:10..50/1h", 7_200, 216_000.0),
        ("bursts:50/5s,0/25s", 62, 600.0),
    ] {
        let found = curve(text).expected(at_s * 1_000_000_000);
        assert!(
            (found - expected).abs() < 1e-9 * expected,
            "{text}: {found}"
        );
        let mean = curve(text).mean(at_s * 1_000_000_000).expect("a mean");
        assert!(
            (mean - expected / at_s as f64).abs() < 1e-9,
            "{text}: {mean}"
        );
    }
    assert_eq!(curve("ramp:5..50/60s").mean(0), None);
    assert_eq!(curve("ramp:5..50/60s").expected(-5), 0.0);
}

#[test]
fn instants_invert_the_integral() {
    for text in PROFILES {
        let mut there = curve(text);
        let mut back = curve(text);
        let mut previous = 0;
        for i in 1..=20_000 {
            let expected = f64::from(i) * 0.217;
            let at = there.instant(expected).expect("rates above 0");
            assert!(at >= previous, "{text} {expected}");
            previous = at;
            // The instant is rounded to 1 ns: at 1,000/s that is a millionth of an arrival.
            let (low, high) = (back.expected(at - 1), back.expected(at + 1));
            let slack = 1e-9 * expected.max(1.0);
            assert!(
                low - slack <= expected && expected <= high + slack,
                "{text} {expected}: {low} {high}"
            );
        }
    }
}

#[test]
fn integrals_never_fall() {
    for text in PROFILES {
        let mut curve = curve(text);
        let mut previous = 0.0;
        for i in 0..20_000_i64 {
            let expected = curve.expected(i * 37_000_003);
            assert!(expected >= previous - 1e-9, "{text} {i}");
            previous = expected;
        }
    }
}

#[test]
fn going_back_gives_what_going_forward_gave() {
    for text in PROFILES {
        let mut once = curve(text);
        let forward: Vec<Option<i64>> = (0..500).map(|i| once.instant(f64::from(i))).collect();
        let backward = (0..500).rev().map(|i| once.instant(f64::from(i)));
        let mut backward: Vec<Option<i64>> = backward.collect();
        backward.reverse();
        assert_eq!(forward, backward, "{text}");
    }
}

#[test]
fn a_profile_that_ends_at_nothing_ends() {
    let mut curve = curve("steps:10/30s,0/30s");
    assert_eq!(curve.instant(300.0), Some(30_000_000_000));
    assert_eq!(curve.instant(300.1), None);
    assert_eq!(curve.expected(i64::MAX / 4), 300.0);
}

#[test]
fn pieces_without_rate_hold_no_instant() {
    let mut curve = curve("steps:10/30s,0/30s,40/30s");
    assert_eq!(curve.instant(300.4), Some(60_010_000_000));
}

#[test]
fn random_phases_have_their_means_and_begin_in_the_long_run_state() {
    let profile = RateProfile::from_str("random-bursts:1/5s,0/15s").expect("a profile");
    // The rate is 1 inside bursts: the integral is the time spent in them.
    let seeds = 4_000;
    let mut first_second = 0.0;
    let mut long = Vec::new();
    for seed in 0..seeds {
        let mut curve = RateCurve::new(&profile, seed);
        first_second += curve.expected(1_000_000_000);
        long.push(curve.expected(1_000_000_000_000));
    }
    // A share of 1/4; in one second of 5 s phases its standard deviation is at most 0.433.
    let share = first_second / f64::from(seeds as u32);
    assert!(
        (share - 0.25).abs() < 4.0 * 0.433 / 4_000_f64.sqrt(),
        "{share}"
    );
    let n = long.len() as f64;
    let mean = long.iter().sum::<f64>() / n;
    let variance = long.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    assert!((mean - 250.0).abs() < 4.0 * (variance / n).sqrt(), "{mean}");
    // Alternating renewal process, rates 1/5 and 1/15: 2 a b / (a + b)^3 per second.
    let exact = 2.0 * 0.2 * (1.0 / 15.0) / (0.2_f64 + 1.0 / 15.0).powi(3) * 1_000.0;
    assert!((variance / exact - 1.0).abs() < 0.12, "{variance} {exact}");
}
