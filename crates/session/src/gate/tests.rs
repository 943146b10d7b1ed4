//! Gates on runs that were measured in virtual time.

use super::*;
use crate::book::Book;
use crate::drive::drive;
use crate::runs::{Into, Runs};
use crate::virtually::Virtual;
use infermeter_analysis::{GateAnswer, GateDoubt, GateForm};
use infermeter_protocol::Once;
use std::fs;
use std::slice;

fn plan(target: &str, seed: u64, runs: u32) -> Plan {
    Plan {
        target: target.to_owned(),
        rate: Some(30.0),
        duration: "20s".parse().ok(),
        warmup: "0".parse().ok(),
        workload: "fixed:20,8".parse().expect("a workload"),
        repeat: Some(runs),
        seed,
        ..Plan::defaults()
    }
}

/// Measures that many runs into a new directory.
fn measured(plan: &Plan, directory: &Path) {
    for number in 0..plan.repeat.unwrap_or(1) {
        let plan = Plan {
            repeat: None,
            seed: plan.seed * 100 + u64::from(number),
            ..plan.clone()
        };
        let into = Into::Alone(Some(directory.join(format!("run-{number}"))));
        let mut runs = Runs::new(Virtual, slice::from_ref(&plan), into);
        let driven = drive(&Once, &mut runs, &mut Book::none(), Vec::new(), &mut |_| {});
        assert!(driven.is_ok(), "{driven:?}");
    }
}

fn spec(baseline: &Path, criteria: &[&str]) -> GateSpec {
    GateSpec {
        criteria: criteria
            .iter()
            .map(|c| c.parse().expect("a gate"))
            .collect(),
        baseline: Some(baseline.to_owned()),
        force: false,
    }
}

/// The comparison or the sweep that such a directory may be is no group: its runs differ by what is asked.
#[test]
fn runs_that_differ_are_no_group() {
    let scratch = tempfile::tempdir().expect("a directory");
    let at = |name: &str| scratch.path().join(name);
    let faster = Plan {
        rate: Some(60.0),
        ..plan("mock:fixed", 1, 1)
    };
    measured(&plan("mock:fixed", 2, 1), &at("mixed/one"));
    measured(&faster, &at("mixed/two"));
    let listed = at("list");
    fs::write(&listed, "mixed/one/run-0\nmixed/two/run-0\n").expect("written");
    let error = gate(&listed, &spec(&at("mixed/one"), &CRITERIA)).expect_err("mixed");
    let said = format!("{error:#}");
    assert!(said.contains("not of one kind (rate is"), "{said}");
}

const CRITERIA: [&str; 2] = ["tpot.p50>+5%", "error_rate>1%"];

#[test]
fn the_same_passes_a_slower_server_fails_and_three_runs_tell_nothing() {
    let scratch = tempfile::tempdir().expect("a directory");
    let at = |name: &str| scratch.path().join(name);
    measured(&plan("mock:fixed", 1, 8), &at("before"));
    measured(&plan("mock:fixed", 2, 8), &at("same"));
    measured(&plan("mock:fixed?step=21500us", 3, 8), &at("slower"));
    measured(&plan("mock:fixed", 4, 1), &at("one"));
    let answer = |candidate: &str, baseline: &str| {
        gate(&at(candidate), &spec(&at(baseline), &CRITERIA)).expect("judged")
    };
    let same = answer("same", "before");
    assert_eq!(same.gate.answer, GateAnswer::Pass, "{same:#?}");
    assert_eq!((same.baseline.len(), same.unlike.len()), (8, 0));
    let slower = answer("slower", "before");
    assert_eq!(slower.gate.answer, GateAnswer::Fail, "{slower:#?}");
    assert_eq!(slower.gate.lines[0].form, GateForm::TwoGroups);
    assert_eq!(slower.gate.lines[1].answer, GateAnswer::Pass);
    let one = answer("one", "before");
    assert_eq!(one.gate.answer, GateAnswer::Inconclusive);
    assert_eq!(
        one.gate.lines[0].doubt,
        Some(GateDoubt::TooFewRuns { needed: 19 })
    );

    // A file that lists runs, and a directory of them.
    let list = at("baseline.txt");
    let names = (0..8).map(|number| format!("before/run-{number}\n"));
    let names = names.collect::<String>();
    fs::write(&list, format!("# those of last week\n{names}")).expect("written");
    let by_list = gate(&at("same"), &spec(&list, &CRITERIA)).expect("judged");
    assert_eq!(by_list.gate, same.gate);

    // Another workload is refused, or named.
    let other = Plan {
        rate: Some(20.0),
        ..plan("mock:fixed", 5, 2)
    };
    measured(&other, &at("other"));
    let refused = gate(&at("other"), &spec(&at("before"), &CRITERIA)).expect_err("refused");
    let said = format!("{refused:#}");
    assert!(
        said.contains("rate is 30.0 in the baseline and 20.0 here"),
        "{said}"
    );
    let forced = GateSpec {
        force: true,
        ..spec(&at("before"), &CRITERIA)
    };
    let forced = gate(&at("other"), &forced).expect("judged");
    assert_eq!(
        forced.other_workload.len(),
        1,
        "{:?}",
        forced.other_workload
    );
    assert!(!forced.unlike.iter().any(|u| u.what == "failed requests"));

    let missing = gate(&at("same"), &spec(&at("nowhere"), &CRITERIA)).expect_err("missing");
    assert!(
        format!("{missing:#}").contains("--baseline: cannot read"),
        "{missing:#}"
    );
    fs::create_dir(at("empty")).expect("a directory");
    let empty = gate(&at("same"), &spec(&at("empty"), &CRITERIA)).expect_err("empty");
    assert!(
        format!("{empty:#}").contains("holds neither a run nor"),
        "{empty:#}"
    );
}
