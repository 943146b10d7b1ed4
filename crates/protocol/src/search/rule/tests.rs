//! The rule of a search on servers made by hand.

use super::*;
use infermeter_analysis::highest_rate::{FAR, Trial};

const RULE: SearchRule = SearchRule {
    from: 1.0,
    to: 1_000.0,
    precision: 0.05,
    most_runs: 10,
};

/// A server whose figure is at its limit at `capacity`.
fn probe(order: Order, capacity: f64) -> Probe {
    let margin = 6.0 * (order.rate / capacity).ln();
    let trial = Trial {
        rate: order.rate,
        margin: margin.clamp(-FAR, FAR),
        requests: order.rate * order.dwell.window_s,
        shortness: 0.0,
    };
    Probe {
        rate: order.rate,
        trials: vec![Some(trial)],
    }
}

fn searched(rule: SearchRule, measure: impl Fn(Order) -> Probe) -> (Vec<Probe>, Ending) {
    let mut probes = Vec::new();
    loop {
        match rule.next(&probes) {
            Next::Run(order) => {
                let ahead = rule.ahead(&probes);
                probes.push(measure(order));
                let (most, now) = (ahead.len(), rule.ahead(&probes).len());
                assert!(now < most, "{now} of {most} are left");
            }
            Next::End(ending) => return (probes, ending),
        }
    }
}

#[test]
fn a_law_is_found_and_no_more_is_measured_than_announced() {
    for capacity in [1.7, 12.3, 33.0, 500.0] {
        let (probes, ending) = searched(RULE, |order| probe(order, capacity));
        let Ending::Found { rate } = ending else {
            panic!("{capacity}: {ending:?}");
        };
        assert!(
            (rate.rate / capacity - 1.0).abs() < 0.04,
            "{capacity}: {rate:?}"
        );
        assert!(
            (rate.low..rate.high).contains(&capacity),
            "{capacity}: {rate:?}"
        );
        assert!(probes.len() <= RULE.ahead(&[]).len());
    }
}

#[test]
fn an_answer_outside_of_what_may_be_tried_is_named() {
    let (_, below) = searched(RULE, |order| probe(order, 0.2));
    assert!(matches!(below, Ending::Below { rate: 1.0, times } if times > 1.9));
    let (probes, above) = searched(RULE, |order| probe(order, 5_000.0));
    assert_eq!(above, Ending::Above { rate: 1_000.0 });
    // Twelve rates, and a longer run at the last.
    assert_eq!(probes.len(), 12);
}

#[test]
fn a_run_without_a_sample_ends_it() {
    let (_, ending) = searched(RULE, |order| Probe {
        trials: vec![None],
        ..probe(order, 10.0)
    });
    assert_eq!(ending, Ending::NoSample { rate: 1.0 });
}

#[test]
fn noise_that_does_not_end_is_undecided() {
    let strict = SearchRule {
        precision: 1e-4,
        ..RULE
    };
    let (probes, ending) = searched(strict, |order| probe(order, 20.0));
    assert!(matches!(ending, Ending::Undecided { .. }), "{ending:?}");
    assert_eq!(probes.len(), 6 + RULE.most_runs);
}

#[test]
fn runs_grow_and_have_a_warm_up() {
    assert_eq!(dwell(0).window_s, FIRST_S);
    assert_eq!(dwell(30).window_s, LONGEST_S);
    assert!((0..30).all(|i| dwell(i).warmup_s >= WARMUP_S));
    assert_eq!(rounded(12.3456), 12.35);
    assert_eq!(rounded(123.456), 123.5);
}
