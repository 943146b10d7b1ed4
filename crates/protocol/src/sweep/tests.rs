//! What is asked for, and the first step. Sweeps over runs are tested in virtual time, in `session`.

use super::*;

fn plan() -> Plan {
    Plan {
        rate: Some(3.0),
        ..Plan::defaults()
    }
}

fn spec(change: impl FnOnce(&mut SweepSpec)) -> SweepSpec {
    let mut spec = SweepSpec::defaults();
    change(&mut spec);
    spec
}

fn sweep(change: impl FnOnce(&mut SweepSpec)) -> Result<Sweep, SpecError> {
    Sweep::of(&spec(change), &[plan()])
}

#[test]
fn the_first_level_is_the_lowest_given_or_the_plans() {
    let first = |change: fn(&mut SweepSpec)| {
        let sweep = sweep(change).expect("a sweep");
        match sweep.next(&[]) {
            Step::Measure(at) => at.load,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(first(|_| {}), Some(Intensity::Rate(3.0)));
    let given = |s: &mut SweepSpec| s.rates = "8,2,4".parse().ok();
    assert_eq!(first(given), Some(Intensity::Rate(2.0)));
    let closed = |s: &mut SweepSpec| s.concurrencies = "4..16:x2".parse().ok();
    assert_eq!(first(closed), Some(Intensity::Concurrency(4)));
}

#[test]
fn what_may_come_is_known_before() {
    let ahead = |change: fn(&mut SweepSpec)| {
        let sweep = sweep(change).expect("a sweep");
        OfRuns::ahead(&sweep, &[]).len()
    };
    assert_eq!(ahead(|_| {}), 24);
    assert_eq!(ahead(|s| s.rates = "1,2,4".parse().ok()), 9);
    assert_eq!(
        ahead(|s| (s.rates, s.max_runs) = ("1,2,4".parse().ok(), 5)),
        5
    );
    let sustained = |s: &mut SweepSpec| {
        (s.rates, s.looks) = ("1,2,4".parse().ok(), 1);
        s.sustain = "5m".parse().ok();
    };
    assert_eq!(ahead(sustained), 3 + 3);
    let breaking = |s: &mut SweepSpec| {
        (s.rates, s.looks) = ("1,2,4".parse().ok(), 1);
        s.breaking_point = true;
    };
    assert_eq!(ahead(breaking), 3 + BREAKING_DOUBLINGS + 1 + RECOVERY_RUNS);
}

#[test]
fn contradictions_are_refused() {
    let refused = |change: fn(&mut SweepSpec), word: &str| {
        let error = sweep(change).expect_err(word).to_string();
        assert!(error.contains(word), "{error}");
    };
    refused(
        |s| (s.looks, s.replicates) = (1, 2),
        "--looks 1 is below --replicates 2",
    );
    refused(|s| s.concurrencies = "1.5,2".parse().ok(), "whole numbers");
    let closed = |s: &mut SweepSpec| {
        s.concurrencies = "1,2".parse().ok();
        s.sustain = "5m".parse().ok();
    };
    refused(closed, "--sustain needs rates");
}

#[test]
fn a_spec_comes_back_from_the_ledger() {
    let spec = spec(|s| {
        s.rates = "2..64:x2".parse().ok();
        s.vary = vec!["workload=fixed:10,5".to_owned()];
        s.sustain = "5m".parse().ok();
        s.reset_url = Some("http://h/reset".to_owned());
    });
    let asked = crate::ProtocolSpec::Sweep(spec);
    let json = serde_json::to_string(&asked).expect("JSON");
    let back: crate::ProtocolSpec = serde_json::from_str(&json).expect(&json);
    assert_eq!(back, asked);
}
