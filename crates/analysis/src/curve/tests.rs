//! Curves made by hand.

use super::*;
use crate::level::LevelObjective;
use infermeter_core::finding::Verdict;

fn mean(value: f64) -> Option<Mean> {
    Some(Mean {
        value,
        low: Some(value * 0.95),
        high: Some(value * 1.05),
    })
}

fn level(load: f64, status: SloStatus) -> Level {
    Level {
        load,
        runs: 1,
        status,
        objectives: vec![LevelObjective {
            objective: "ttft.p99<500ms".to_owned(),
            status,
            judged: None,
            limit: 500.0,
            unit: "ms".into(),
        }],
        overloaded: false,
        keeps_up: None,
        verdict: Verdict::Valid,
        failed: Some(0.0),
        corrupted: None,
        canaries_right: None,
        achieved: mean(load),
        output_tokens: mean(load * 100.0),
        output_tokens_per_gpu: None,
        per_user: None,
        goodput: None,
        attainment: None,
        in_flight: mean(load),
        ttft: MiddleAndTail::default(),
        itl: MiddleAndTail::default(),
        tpot: MiddleAndTail::default(),
        e2e: MiddleAndTail::default(),
    }
}

fn levels(statuses: &[(f64, SloStatus)]) -> Vec<Level> {
    statuses
        .iter()
        .map(|(load, status)| level(*load, *status))
        .collect()
}

use SloStatus::{Met, Missed, Undecided};

#[test]
fn the_highest_load_lies_between_two_levels() {
    let check = |statuses: &[(f64, SloStatus)], met: Option<f64>, missed: Option<f64>| {
        let found = Highest::of(&answers(&levels(statuses)));
        assert_eq!(found, Highest { met, missed }, "{statuses:?}");
    };
    check(
        &[(1.0, Met), (2.0, Met), (4.0, Missed)],
        Some(2.0),
        Some(4.0),
    );
    check(&[(1.0, Missed), (2.0, Missed)], None, Some(1.0));
    check(&[(1.0, Met), (2.0, Met)], Some(2.0), None);
    check(
        &[(1.0, Met), (2.0, Undecided), (4.0, Missed)],
        Some(1.0),
        Some(4.0),
    );
    // A level above one that misses proves nothing.
    check(
        &[(1.0, Met), (2.0, Missed), (4.0, Met)],
        Some(1.0),
        Some(2.0),
    );
    check(&[], None, None);
}

#[test]
fn levels_that_are_out_of_order_are_named() {
    let found = out_of_order(&levels(&[(1.0, Missed), (2.0, Met), (4.0, Missed)]));
    assert_eq!(found, [1.0]);
    assert!(out_of_order(&levels(&[(1.0, Met), (2.0, Missed)])).is_empty());
}

#[test]
fn an_overloaded_level_meets_no_objective() {
    let mut all = levels(&[(1.0, Met), (2.0, Met)]);
    all[1].overloaded = true;
    let each = each_objective(&all, None);
    let expect = Highest {
        met: Some(1.0),
        missed: Some(2.0),
    };
    assert_eq!((each.len(), each[0].highest), (1, expect));
}

#[test]
fn a_frontier_holds_what_nothing_beats() {
    let mut all = levels(&[(1.0, Met), (2.0, Met), (4.0, Met), (8.0, Missed)]);
    for (level, p99) in all.iter_mut().zip([100.0, 110.0, 150.0, 900.0]) {
        level.ttft.p99 = mean(p99);
    }
    // More load, no more throughput.
    all[3].output_tokens = mean(399.0);
    let on = frontier(&all, Wanted::ThroughputAndTail);
    let loads: Vec<f64> = on.iter().map(|point| point.load).collect();
    assert_eq!(loads, [1.0, 2.0, 4.0]);
    assert!(on.iter().all(|point| !point.uncertain));
    all[3].ttft.p99 = mean(152.0);
    let on = frontier(&all, Wanted::ThroughputAndTail);
    assert!(on[2].uncertain, "the intervals overlap");
    assert!(
        frontier(&all, Wanted::GpuAndUser).is_empty(),
        "no accelerators declared"
    );
}

#[test]
fn a_knee_has_an_interval_of_loads() {
    let loads = [1.0, 2.0, 4.0, 8.0, 10.0, 12.0];
    let mut all = levels(&loads.map(|load| (load, Met)));
    for (level, p99) in all
        .iter_mut()
        .zip([100.0, 105.0, 110.0, 140.0, 600.0, 3_000.0])
    {
        level.ttft.p99 = mean(p99);
    }
    let found = knee(&all).expect("a knee");
    assert_eq!((found.of.as_str(), found.load), ("ttft.p99", 10.0));
    assert!(
        found.low <= Some(10.0) && found.high >= Some(10.0),
        "{found:?}"
    );
    // Unsupported p99: the median serves.
    for level in &mut all {
        level.ttft = MiddleAndTail {
            p50: level.ttft.p99,
            ..MiddleAndTail::default()
        };
    }
    assert_eq!(knee(&all).expect("a knee").of, "ttft.p50");
    assert_eq!(knee(&all[..2]), None);
    // A flat curve: its points bend by less than their errors.
    for (level, p50) in all.iter_mut().zip([60.8, 60.3, 61.4, 60.9, 61.2, 61.5]) {
        level.ttft.p50 = mean(p50);
    }
    assert_eq!(knee(&all), None);
}

#[test]
fn the_law_is_on_requests_in_flight() {
    let law = Usl {
        rate: 2.0,
        contention: 0.05,
        coherence: 0.001,
    };
    let mut all = levels(&[1.0, 2.0, 4.0, 8.0, 16.0].map(|load| (load, Met)));
    for level in &mut all {
        let inside = level.load * 3.0;
        level.in_flight = mean(inside);
        level.achieved = mean(law.at(inside));
    }
    let found = scalability(&all).expect("a law");
    assert!((found.contention - 0.05).abs() < 1e-6, "{found:?}");
    let limit = found.limit.expect("a limit");
    assert!(
        limit.low < Some(limit.value) && limit.high > Some(limit.value),
        "{limit:?}"
    );
    assert_eq!(scalability(&all[..2]), None);
}
