//! The law of margins on trials made by hand.

use super::*;

fn trial(rate: f64, margin: f64, requests: f64) -> Trial {
    Trial {
        rate,
        margin,
        requests,
        shortness: 0.0,
    }
}

/// Margins of a law with a known answer, at rates around it.
fn of_law(highest: f64, steepness: f64, noise: f64) -> Vec<Trial> {
    let rates = [0.5, 0.8, 0.95, 1.02, 0.98, 1.05, 1.3, 2.0].map(|share| share * highest);
    let margin = |(index, rate): (usize, f64)| {
        let sign = if index % 2 == 0 { 1.0 } else { -1.0 };
        let margin = steepness * (rate / highest).ln() + sign * noise;
        trial(rate, margin, 2_000.0)
    };
    rates.into_iter().enumerate().map(margin).collect()
}

#[test]
fn the_answer_of_a_law_is_found() {
    for (highest, steepness) in [(20.0, 4.0), (3.0, 15.0), (200.0, 1.5)] {
        let belief = belief(
            &of_law(highest, steepness, 0.02),
            highest / 3.0..highest * 3.0,
        );
        let found = belief.found(0.95);
        assert!((found.rate / highest - 1.0).abs() < 0.02, "{found:?}");
        assert!((found.low..found.high).contains(&highest), "{found:?}");
        let finer = super::belief(&of_law(highest, steepness, 0.02), belief.range()).found(0.95);
        assert!((finer.rate / found.rate - 1.0).abs() < 0.01, "{finer:?}");
    }
}

#[test]
fn more_noise_is_a_wider_interval() {
    let width = |noise| {
        let belief = belief(&of_law(10.0, 4.0, noise), 4.0..25.0);
        belief.found(0.95).relative_half_width()
    };
    assert!(width(0.01) < width(0.1) && width(0.1) < width(0.4));
}

#[test]
fn two_runs_give_a_wide_answer_between_them() {
    let runs = [trial(8.0, -FAR, 200.0), trial(16.0, FAR, 400.0)];
    let found = belief(&runs, 5.0..25.0).found(0.95);
    assert!((8.0..16.0).contains(&found.rate), "{found:?}");
    assert!(found.relative_half_width() > 0.2, "{found:?}");
}

#[test]
fn short_runs_count_as_too_kind() {
    let with = |shortness| {
        let runs = of_law(10.0, 5.0, 0.02).into_iter();
        let runs: Vec<Trial> = runs.map(|run| Trial { shortness, ..run }).collect();
        belief(&runs, 5.0..20.0).found(0.95)
    };
    assert!(with(0.1).rate < with(0.0).rate);
    assert!(with(0.1).relative_half_width() > with(0.0).relative_half_width());
}

#[test]
fn all_objectives_together_are_met_up_to_the_least() {
    let of = |highest| belief(&of_law(highest, 5.0, 0.05), 5.0..40.0);
    let (near, far) = (of(10.0), of(20.0));
    let both = RateBelief::of_all(&[far.clone(), near.clone()]).unwrap();
    assert!((both.quantile(0.5) / near.quantile(0.5) - 1.0).abs() < 1e-3);
    let twice = RateBelief::of_all(&[near.clone(), near.clone()]).unwrap();
    assert!(twice.quantile(0.5) < near.quantile(0.5));
    assert_eq!(RateBelief::of_all(&[]), None);
}

#[test]
fn no_run_says_nothing() {
    let found = belief(&[], 1.0..100.0).found(0.9);
    assert!((found.rate - 10.0).abs() < 0.01, "{found:?}");
    assert!(found.relative_half_width() > 2.0);
}

#[test]
fn what_is_not_monotone_is_named() {
    let at = |rate: f64, margin: f64| Probe {
        rate,
        trials: vec![Some(trial(rate, margin, 100.0))],
    };
    assert_eq!(not_monotone(&[at(1.0, -0.5), at(2.0, 0.5)]), None);
    let found = not_monotone(&[at(1.0, 0.5), at(2.0, -0.5), at(4.0, 0.5)]);
    assert_eq!(found, Some(1.0..2.0));
}

#[test]
fn a_queue_that_grows_misses_once_the_window_is_long_enough_to_tell() {
    let after = |shortness| {
        let run = trial(10.0, -0.4, 500.0);
        Trial { shortness, ..run }.growing().margin
    };
    assert!(after(0.01) > 0.0);
    assert_eq!(after(0.3), -0.4);
}

/// Python: scipy.stats.t.sf(x, 4).
#[test]
fn tails_of_student_are_exact_also_far_out() {
    let check = |t: f64, expect: f64| {
        let found = super::tail(t);
        assert!((found / expect - 1.0).abs() < 1e-9, "{t}: {found}");
    };
    check(-30.0, 0.9999963235719511);
    check(-2.5, 0.966616727594006);
    check(0.0, 0.5);
    check(0.7, 0.2612500827967251);
    check(3.0, 0.019970984035859413);
    check(200.0, 1.8746875410107035e-09);
}

/// A search on a saturated server whose answer is 1: all runs but one are far from the limit, and that one had a bad
/// minute.
#[test]
fn runs_far_from_the_limit_prove_no_small_noise() {
    let runs = [
        trial(0.5, -FAR, 300.0),
        trial(0.79, -FAR, 5_000.0),
        trial(0.9, -FAR, 9_000.0),
        trial(0.993, 0.55, 4_300.0),
        trial(1.067, FAR, 15_800.0),
        trial(1.37, FAR, 4_000.0),
    ];
    let found = belief(&runs, belief(&runs, 0.45..1.5).range()).found(0.95);
    assert!((found.low..found.high).contains(&1.0), "{found:?}");
}
