//! Gates over the rounds of a comparison and the levels of sweeps, measured in virtual time.

use super::harness::Asked;
use super::*;
use crate::gate::{GateSpec, comparable_sweep, gate};
use infermeter_analysis::{CompareSpec, GateAnswer, GateDoubt, GateForm};
use infermeter_protocol::{BeforeRun, Compare, ProtocolSpec, Sweep, SweepSpec, TurnOrder};
use std::slice;

fn plan(target: &str, seed: u64) -> Plan {
    Plan {
        target: target.to_owned(),
        rate: Some(30.0),
        duration: "20s".parse().ok(),
        warmup: "0".parse().ok(),
        workload: "fixed:20,8".parse().expect("a workload"),
        seed,
        ..Plan::defaults()
    }
}

fn spec(baseline: &Path, criteria: &[&str]) -> GateSpec {
    let criteria = criteria.iter().map(|c| c.parse().expect("a gate"));
    GateSpec {
        criteria: criteria.collect(),
        baseline: Some(baseline.to_owned()),
        force: false,
    }
}

const CRITERIA: [&str; 2] = ["tpot.p50>+5%", "error_rate>1%"];

/// A comparison of `mock:fixed` with another target, over eight rounds.
fn compared(other: &str, directory: &Path) {
    let side = |target: &str| Plan {
        salt: Some(7),
        ..plan(target, 1)
    };
    let compare = Compare {
        asked: CompareSpec {
            sides: vec!["A".to_owned(), "B".to_owned()],
            primary: vec!["e2e.mean".parse().expect("a figure")],
            margin: 0.03,
            claims: Vec::new(),
        },
        rounds: 8,
        pilot: 3,
        order: TurnOrder::Random,
        seed: 1,
        loads: vec![None],
        before: BeforeRun::default(),
    };
    let asked = Asked {
        plans: vec![side("mock:fixed"), side(other)],
        spec: ProtocolSpec::Compare(compare.clone()),
        protocol: compare,
    };
    asked.whole(directory);
}

fn alone(criteria: &[&str]) -> GateSpec {
    GateSpec {
        baseline: None,
        ..spec(Path::new(""), criteria)
    }
}

#[test]
fn the_first_side_of_a_comparison_is_its_baseline() {
    let scratch = tempfile::tempdir().expect("a directory");
    let at = |name: &str| scratch.path().join(name);
    compared("mock:fixed", &at("same"));
    compared("mock:fixed?step=21500us", &at("slower"));
    let judged = |name: &str| gate(&at(name), &alone(&CRITERIA)).expect("judged");
    let same = judged("same");
    assert_eq!(same.gate.answer, GateAnswer::Pass, "{same:#?}");
    assert_eq!((same.baseline.len(), same.candidate.len()), (8, 8));
    let slower = judged("slower");
    let line = &slower.gate.lines[0];
    assert_eq!(
        (line.answer, line.form),
        (GateAnswer::Fail, GateForm::PairedRounds),
        "{line:#?}"
    );
    assert_eq!((line.baseline_runs, line.least_baseline_runs), (8, Some(5)));
    assert_eq!(slower.gate.lines[1].form, GateForm::Level);
    assert!(slower.comparison.is_some());

    let refused = |candidate: &Path, spec: &GateSpec, word: &str| {
        let said = format!("{:#}", gate(candidate, spec).expect_err(word));
        assert!(said.contains(word), "{said}");
    };
    let both = spec(&at("same"), &CRITERIA);
    refused(&at("slower"), &both, "its first side, A, is the baseline");
    let one = at("same").join("run-01");
    refused(&one, &both, "is a comparison");
    refused(&one, &alone(&CRITERIA), "nothing to hold it against");
}

/// A sweep of `target` over levels.
fn swept(target: &str, levels: &str, seed: u64, directory: &Path) {
    let plan = Plan {
        seed,
        ..plan(target, seed)
    };
    let spec = SweepSpec {
        rates: levels.parse().ok(),
        ..SweepSpec::defaults()
    };
    let asked = Asked {
        protocol: Sweep::of(&spec, slice::from_ref(&plan)).expect("a sweep"),
        plans: vec![plan],
        spec: ProtocolSpec::Sweep(spec),
    };
    asked.whole(directory);
}

#[test]
fn sweeps_are_held_against_each_other_level_by_level() {
    let scratch = tempfile::tempdir().expect("a directory");
    let at = |name: &str| scratch.path().join(name);
    swept("mock:fixed", "20,25,30,35,40", 1, &at("before"));
    swept("mock:fixed", "20,25,30,35,40,45", 2, &at("same"));
    swept(
        "mock:fixed?step=21500us",
        "20,25,30,35,40",
        3,
        &at("slower"),
    );
    swept("mock:fixed", "20,30", 4, &at("few"));
    let judged =
        |name: &str| gate(&at(name), &spec(&at("before"), &["tpot.p50>+5%"])).expect("judged");
    let same = judged("same");
    assert_eq!(same.gate.answer, GateAnswer::Pass, "{same:#?}");
    assert_eq!(same.alone, ["45 requests/s: here alone"]);
    let slower = judged("slower");
    let line = &slower.gate.lines[0];
    assert_eq!(
        (line.answer, line.form),
        (GateAnswer::Fail, GateForm::PairedLevels),
        "{line:#?}"
    );
    let few = judged("few");
    assert_eq!(
        few.gate.lines[0].doubt,
        Some(GateDoubt::TooFewRuns { needed: 5 })
    );
    assert_eq!(few.alone.len(), 3, "{:?}", few.alone);

    let run = at("few").join("run-01");
    let said = gate(&run, &spec(&at("before"), &CRITERIA)).expect_err("a group");
    assert!(
        format!("{said:#}").contains("which only another sweep"),
        "{said:#}"
    );
    let said = gate(&at("before"), &spec(&run, &CRITERIA)).expect_err("no sweep");
    assert!(format!("{said:#}").contains("is no sweep"), "{said:#}");
    let other = Plan {
        workload: "fixed:40,8".parse().expect("a workload"),
        ..plan("mock:fixed", 6)
    };
    let said = comparable_sweep(&spec(&at("before"), &CRITERIA), &[other]).expect_err("other");
    assert!(
        format!("{said:#}").contains("another workload: workload is"),
        "{said:#}"
    );
}
