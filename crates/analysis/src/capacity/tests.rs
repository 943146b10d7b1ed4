//! Sizing on levels made by hand.

use super::*;
use crate::highest_rate::{FAR, Probe, Trial};
use crate::objective::SloStatus::{self, Met, Missed, Undecided};
use infermeter_core::plan::RateProfile;

fn level(rate: f64, status: SloStatus, sure: bool) -> Level {
    Level {
        rate,
        runs: 1,
        status,
        sure,
        attainment: Some(if status == Met { 0.995 } else { 0.5 }),
        completed: 100,
        requests: 100,
        input_tokens: Some(200.0),
        output_tokens: Some(100.0),
        mean_power_w: None,
        objectives: vec![ObjectiveAt {
            objective: "ttft.p99<500ms".to_owned(),
            status,
            measured: (status != Undecided).then_some(if status == Met { 400.0 } else { 750.0 }),
            without: None,
            limit: 500.0,
            unit: "ms".into(),
        }],
        probes: Vec::new(),
    }
}

fn asked(rates: &[f64]) -> Asked {
    Asked {
        target_rates: rates.to_vec(),
        growth: 1.0,
        headroom: 0.0,
        gpu_hour: None,
        gpus_per_instance: Some(8),
        kwh: None,
    }
}

fn capacity(asked: Asked, levels: &[Level]) -> Capacity {
    Capacity::of(
        asked,
        vec!["ttft.p99<500ms".to_owned()],
        levels.to_vec(),
        None,
    )
}

/// Levels with the highest rate at 22, surely met up to 19.
fn measured() -> [Level; 4] {
    [
        level(10.0, Met, true),
        level(19.0, Met, true),
        level(22.0, Met, false),
        level(26.0, Missed, true),
    ]
}

#[test]
fn the_published_example_comes_out() {
    let found = capacity(asked(&[100.0]), &measured());
    let sizing = &found.sizings[0];
    assert_eq!((sizing.need.instances, sizing.need.gpus), (5, Some(40)));
    assert_eq!(
        sizing.need.instances_at_low,
        Some(6),
        "5 instances, or 6 at 95 % confidence"
    );
    let with = Asked {
        headroom: 0.2,
        ..asked(&[100.0])
    };
    let with = &capacity(with, &measured()).sizings[0];
    assert_eq!((with.bare.gpus, with.need.gpus), (Some(40), Some(48)));
    assert_eq!(with.spare.instances, 7);
    assert!((with.utilisation - 100.0 / 6.0 / 22.0).abs() < 1e-12);
}

#[test]
fn whole_quotients_are_not_rounded_up() {
    for (load, capacity, expect) in [
        (110.0, 22.0, 5),
        (100.0 * 1.1, 22.0, 5),
        (0.3, 0.1, 3),
        (110.1, 22.0, 6),
        (0.0, 22.0, 1),
    ] {
        assert_eq!(instances(load, capacity), expect, "{load} / {capacity}");
    }
}

#[test]
fn growth_multiplies_before_headroom() {
    let asked = Asked {
        growth: 1.5,
        headroom: 0.2,
        ..asked(&[100.0])
    };
    let sizing = &capacity(asked, &measured()).sizings[0];
    assert_eq!((sizing.load, sizing.planned), (150.0, 180.0));
    assert_eq!((sizing.bare.instances, sizing.need.instances), (7, 9));
}

#[test]
fn money_is_shared_by_the_requests_of_the_load() {
    let asked = Asked {
        gpu_hour: Some(2.5),
        ..asked(&[100.0])
    };
    let found = capacity(asked, &measured());
    let cost = found.sizings[0].cost.expect("a price");
    assert_eq!((cost.hour, cost.hour_with_spare), (100.0, 120.0));
    let close =
        |found: f64, expect: f64| assert!((found / expect - 1.0).abs() < 1e-12, "{found} {expect}");
    close(cost.request, 100.0 / 360_000.0);
    close(cost.million_input.expect("known"), 100.0 / 72.0);
    close(cost.million_output.expect("known"), 100.0 / 36.0);
    // 20 requests/s an instance: the level at 22 covers it.
    close(cost.million_good.expect("known"), 100.0 / (36.0 * 0.995));
    close(
        found.output_tokens_per_money.expect("known"),
        22.0 * 100.0 * 3_600.0 / 20.0,
    );
}

#[test]
fn without_a_price_or_accelerators_there_is_no_cost() {
    let cases = [(None, Some(8)), (Some(2.5), None)];
    for (gpu_hour, gpus_per_instance) in cases {
        let asked = Asked {
            gpu_hour,
            gpus_per_instance,
            ..asked(&[100.0])
        };
        let found = capacity(asked, &measured());
        assert_eq!(found.sizings[0].cost, None);
        assert_eq!(found.output_tokens_per_money, None);
    }
}

/// The highest rate with its interval, and the words about what is not covered.
fn check(levels: &[Level], expect: Option<[Option<f64>; 3]>, words: &str) {
    let found = capacity(asked(&[50.0]), levels);
    let bounds = found.instance.map(|i| [Some(i.rate), i.low, i.high]);
    assert_eq!(bounds, expect);
    let said = found.not_covered.join("\n");
    assert!(said.contains(words), "{said}");
    assert_eq!(found.sizings.len(), usize::from(expect.is_some()));
}

fn rate(rate: f64, low: Option<f64>, high: Option<f64>) -> Option<[Option<f64>; 3]> {
    Some([Some(rate), low, high])
}

#[test]
fn levels_near_the_limit_give_the_laws_rate_with_its_interval() {
    // At its limit at 24, and steep.
    let near = |rate: f64| {
        let margin = 8.0 * (rate / 24.0_f64).ln();
        let status = if margin <= 0.0 { Met } else { Missed };
        Level {
            probes: vec![Probe {
                rate,
                trials: vec![Some(Trial {
                    rate,
                    margin: margin.clamp(-FAR, FAR),
                    requests: 1_000.0 * rate,
                    shortness: 0.0,
                })],
            }],
            ..level(rate, status, true)
        }
    };
    let levels = [10.0, 22.0, 23.5, 25.0, 30.0, 40.0].map(near);
    let found = capacity(asked(&[100.0]), &levels);
    let instance = found.instance.expect("a rate");
    let law = instance.estimate.law().expect("a law");
    assert_eq!(
        [Some(law.low), Some(law.high)],
        [instance.low, instance.high]
    );
    assert!((instance.rate / 24.0 - 1.0).abs() < 0.02, "{instance:?}");
    let levels = [instance.levels.met, instance.levels.missed];
    assert_eq!(levels, [Some(23.5), Some(25.0)]);
    assert_eq!(found.sizings[0].need.instances, 5);
}

#[test]
fn what_the_levels_do_not_cover_is_said() {
    let one = [level(10.0, Met, true)];
    check(&one, rate(10.0, Some(10.0), None), "one level only");
    check(
        &one,
        rate(10.0, Some(10.0), None),
        "measure above 10 requests/s",
    );
    let none = [level(2.0, Missed, true), level(4.0, Missed, true)];
    check(
        &none,
        None,
        "at the lowest, 2 requests/s, ttft.p99<500ms is missed by 50 % (750.0 ms against 500.0 ms)",
    );
    check(
        &[level(2.0, Undecided, false)],
        None,
        "undecided: the run has too few requests",
    );
    let wide = [level(2.0, Met, true), level(4.0, Missed, true)];
    check(
        &wide,
        rate(2.0, Some(2.0), Some(4.0)),
        "nothing was measured between 2 requests/s",
    );
    let thin = [
        level(1.0, Undecided, false),
        level(2.0, Met, true),
        level(2.2, Missed, true),
    ];
    check(&thin, rate(2.0, Some(2.0), Some(2.2)), "");
    let unsure = [level(2.0, Met, false), level(2.2, Missed, true)];
    check(
        &unsure,
        rate(2.0, None, Some(2.2)),
        "no count at 95 % confidence",
    );
    let bumpy = [
        level(2.0, Met, true),
        level(2.2, Missed, true),
        level(2.4, Met, true),
    ];
    check(
        &bumpy,
        rate(2.0, Some(2.0), Some(2.2)),
        "not monotone: 2.4 requests/s meet",
    );
}

#[test]
fn an_hour_needs_what_its_busiest_minutes_need() {
    let profile: RateProfile = "steps:20/6h,90/30m,20/17h30m".parse().expect("a profile");
    let demand = Demand::of_profile(&profile, 1);
    let hour = demand.hours[6];
    assert!(
        (hour.mean - 55.0).abs() < 1e-6 && (hour.peak - 90.0).abs() < 1e-6,
        "{hour:?}"
    );
    let found = Capacity::of(asked(&[]), Vec::new(), measured().to_vec(), Some(&demand));
    let day = found.day.expect("a day");
    assert_eq!((day.hours.len(), day.peak_instances), (24, 5));
    assert_eq!(day.hours[6].instances_at_low, Some(5));
    assert_eq!(
        (day.instance_hours, day.instance_hours_at_peak),
        (23.0 + 5.0, 120.0)
    );
    assert_eq!(day.instance_hours_per_day, Some(28.0));
}

#[test]
fn a_trace_under_a_day_has_no_day() {
    let times: Vec<i64> = (0..3_600).map(|i| i * 2_000_000_000).collect();
    let demand = Demand::of_arrivals(&times);
    assert_eq!(demand.hours.len(), 2);
    assert!((demand.hours[1].mean - 0.5).abs() < 1e-12);
    let found = Capacity::of(asked(&[]), Vec::new(), measured().to_vec(), Some(&demand));
    let day = found.day.expect("hours");
    assert_eq!(
        (day.instance_hours, day.instance_hours_per_day),
        (2.0, None)
    );
    assert_eq!(Demand::of_arrivals(&[]).hours, []);
}

fn predicted(unit: &'static str, measured: f64, predicted: f64) -> Predicted {
    Predicted {
        name: "ttft.p99".to_owned(),
        unit,
        measured,
        low: Some(measured * 0.95),
        high: None,
        predicted,
    }
}

#[test]
fn a_backtest_holds_within_a_tenth_of_every_figure() {
    let of = |figures: &[Predicted]| Backtest {
        rate: 10.0,
        figures: figures.to_vec(),
    };
    let good = predicted("ms", 100.0, 109.0);
    assert!(of(std::slice::from_ref(&good)).holds() && good.is_covered());
    let bad = predicted("ms", 100.0, 89.0);
    assert!(!of(&[good, bad.clone()]).holds() && !bad.is_covered());
    assert!(
        !of(&[predicted("", 0.99, 0.85)]).holds(),
        "shares differ by 0.14"
    );
    assert!(!of(&[]).holds(), "nothing was predicted");
}

#[test]
fn energy_is_that_of_the_level_that_covers_an_instance() {
    let mut levels = measured();
    let asked = Asked {
        kwh: Some(0.25),
        ..asked(&[100.0])
    };
    assert_eq!(
        capacity(asked.clone(), &levels).sizings[0].energy,
        None,
        "nobody told"
    );
    // Five instances at 20 requests/s each: the level at 22 covers them, not the one at 19.
    levels[1].mean_power_w = Some(2_000.0);
    assert_eq!(capacity(asked.clone(), &levels).sizings[0].energy, None);
    levels[2].mean_power_w = Some(3_000.0);
    let found = capacity(asked, &levels).sizings[0].energy.expect("known");
    assert_eq!(
        (found.at_level, found.instance_w, found.fleet_w),
        (22.0, 3_000.0, 15_000.0)
    );
    assert!((found.kwh_per_day - 360.0).abs() < 1e-9, "{found:?}");
    assert!(
        found
            .cost_per_day
            .is_some_and(|cost| (cost - 90.0).abs() < 1e-9)
    );
}
