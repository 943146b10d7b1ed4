//! Comparisons in virtual time: what sides are sent, what is found, and kills at any instant.

use super::*;
use crate::book::Book;
use crate::drive::{End, drive};
use crate::kept_experiment::{create, header, resume};
use crate::load::Load;
use crate::virtually::Virtual;
use infermeter_analysis::{Answer, Axis, Claim, CompareSpec, Comparison, Seen};
use infermeter_core::seed::Seeds;
use infermeter_protocol::{BeforeRun, Compare, OfRuns, ProtocolSpec, RunPoint, TurnOrder};
use infermeter_record::LEDGER_FILE;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn side(target: &str, change: impl Fn(&mut Plan)) -> Plan {
    let mut plan = Plan {
        target: target.to_owned(),
        rate: Some(20.0),
        requests: Some(40),
        warmup: "0".parse().ok(),
        workload: "fixed:200,8".parse().expect("a workload"),
        salt: Some(7),
        ..Plan::defaults()
    };
    change(&mut plan);
    plan
}

fn compare(rounds: usize, claims: Vec<Claim>) -> Compare {
    let axis = |name: &&str| -> Axis { name.parse().expect(name) };
    Compare {
        asked: CompareSpec {
            sides: vec!["A".to_owned(), "B".to_owned()],
            primary: ["ttft.p50", "e2e.mean"].iter().map(axis).collect(),
            margin: 0.03,
            claims,
        },
        rounds,
        pilot: 2,
        order: TurnOrder::Random,
        seed: 1,
        loads: vec![None],
        before: BeforeRun::default(),
    }
}

fn planned(sides: &[Plan]) -> Vec<(Plan, Load)> {
    let load = |plan: &Plan| Load::from_plan(plan, 0).expect("a load");
    sides
        .iter()
        .map(|plan| (plan.clone(), load(plan)))
        .collect()
}

/// Measures a comparison into a new directory.
fn measured(sides: &[Plan], compare: &Compare, directory: &Path) -> (Vec<RunPoint>, Comparison) {
    let spec = ProtocolSpec::Compare(compare.clone());
    let header = header(&planned(sides), spec).expect("a header");
    let mut book = create(directory, &header).expect("a book");
    went_on(sides, compare, directory, &mut book, Vec::new())
}

fn went_on(
    sides: &[Plan],
    compare: &Compare,
    directory: &Path,
    book: &mut Book,
    points: Vec<RunPoint>,
) -> (Vec<RunPoint>, Comparison) {
    let into = Into::Experiment(directory.to_owned());
    let mut runs = Runs::new(Virtual, sides, into);
    let driven = drive(compare, &mut runs, book, points, &mut |_| {}).expect("driven");
    let End::Answered(found) = driven.end else {
        panic!("no answer");
    };
    (driven.points, found)
}

#[test]
fn sides_of_a_round_are_sent_the_same_and_rounds_are_not() {
    let scratch = tempfile::tempdir().expect("a directory");
    let sides = [
        side("mock:fixed", |_| {}),
        side("mock:fixed?step=21ms", |_| {}),
    ];
    let compare = compare(3, Vec::new());
    let (points, _) = measured(&sides, &compare, &scratch.path().join("c"));
    assert_eq!(points.len(), 6);
    let of = |round: usize| -> Vec<&RunPoint> {
        points
            .iter()
            .filter(|point| point.replicate == round)
            .collect()
    };
    let sent = |point: &RunPoint| {
        let manifest = infermeter_record::read_manifest(&point.seen.place.directory).expect("it");
        let workload = manifest.environment.workload;
        (workload.sha256, workload.schedule_sha256, workload.salt)
    };
    let mut seeds: BTreeSet<u64> = BTreeSet::new();
    for round in 0..3 {
        let [first, other] = of(round)[..] else {
            panic!("two sides");
        };
        assert_eq!(first.seen.place.seeds, other.seen.place.seeds);
        assert_eq!(sent(first), sent(other));
        let Seeds { schedule, .. } = first.seen.place.seeds;
        seeds.insert(schedule);
    }
    assert_eq!(seeds.len(), 3, "each round has seeds of its own");
}

#[test]
fn a_slower_server_is_found_and_the_same_one_is_equivalent() {
    let scratch = tempfile::tempdir().expect("a directory");
    let answers = |other: &str, name: &str| -> Vec<Answer> {
        let sides = [side("mock:fixed", |_| {}), side(other, |_| {})];
        let (_, found) = measured(&sides, &compare(8, Vec::new()), &scratch.path().join(name));
        assert!(found.findings.iter().all(|f| f.code != "loads-differ"));
        found.answers().collect()
    };
    let slower = answers("mock:fixed?step=22ms", "slower");
    assert_eq!(slower[1], Answer::Worse, "{slower:?}");
    let same = answers("mock:fixed", "same");
    assert_eq!(same, [Answer::Equivalent; 2]);
}

/// A prefix cache that is off on both sides, in twenty trials with seeds of their own.
#[test]
fn an_inactive_treatment_is_named_every_time() {
    let scratch = tempfile::tempdir().expect("a directory");
    let treatment = "prefix_cache_hit_rate>0.3".parse().expect("a treatment");
    let seen = |other: &str, trial: u64| {
        let shared = |plan: &mut Plan| {
            plan.prefix = "shared:1/160".parse().ok();
            plan.requests = Some(12);
            plan.seed = trial;
        };
        let off = "mock:llama-8b-h100?prefix-cache=false&prompt-tokens-details=true";
        let sides = [side(off, shared), side(other, shared)];
        let compare = compare(1, vec![Claim::declared(treatment, 0, 1)]);
        let directory = scratch.path().join(format!("{trial}"));
        let (_, found) = measured(&sides, &compare, &directory);
        found.treatments[0].answer
    };
    for trial in 1..=20 {
        let answer = seen(
            "mock:llama-8b-h100?prefix-cache=false&prompt-tokens-details=true",
            trial,
        );
        assert_eq!(answer, Seen::Inactive, "trial {trial}");
    }
    assert_eq!(
        seen(
            "mock:llama-8b-h100?prefix-cache=true&prompt-tokens-details=true",
            21
        ),
        Seen::Active
    );
}

/// What a kill leaves: the first runs, a ledger cut at a byte, and perhaps part of the next run.
fn killed(whole: &Path, into: &Path, random: &mut u64) {
    let mut below = |n: u64| {
        *random = splitmix64(*random);
        *random % n
    };
    fs::create_dir(into).expect("made");
    let ledger = fs::read(whole.join(LEDGER_FILE)).expect("a ledger");
    let header = ledger
        .iter()
        .position(|byte| *byte == b'\n')
        .expect("a line")
        + 1;
    let cut = header + below((ledger.len() - header + 1) as u64) as usize;
    fs::write(into.join(LEDGER_FILE), &ledger[..cut]).expect("written");
    let lines = ledger[header..cut]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count();
    // A run that has ended may not have been entered yet.
    let there = lines + below(2) as usize;
    let copy = |number: usize| {
        let (from, to) = (whole.join(run_name(number)), into.join(run_name(number)));
        if !from.exists() {
            return;
        }
        fs::create_dir(&to).expect("made");
        for file in fs::read_dir(from).expect("listed").filter_map(Result::ok) {
            fs::copy(file.path(), to.join(file.file_name())).expect("copied");
        }
    };
    (1..=there).for_each(copy);
    let next = into.join(run_name(there + 1));
    if below(2) == 1 && whole.join(run_name(there + 1)).exists() {
        fs::create_dir(&next).expect("made");
        fs::write(next.join("requests.journal"), "part").expect("written");
    }
}

#[test]
fn a_comparison_that_was_killed_ends_in_the_same_decision() {
    let scratch = tempfile::tempdir().expect("a directory");
    let few = |plan: &mut Plan| plan.requests = Some(12);
    let sides = [side("mock:fixed", few), side("mock:fixed?step=21ms", few)];
    let compare = compare(3, Vec::new());
    let whole = scratch.path().join("whole");
    let (points, decision) = measured(&sides, &compare, &whole);
    let ids = |points: &[RunPoint]| -> Vec<(usize, Seeds)> {
        points
            .iter()
            .map(|point| (point.number, point.seen.place.seeds))
            .collect()
    };
    let mut random = 1;
    for kill in 0..KILLS {
        let directory = scratch.path().join("killed");
        killed(&whole, &directory, &mut random);
        let spec = ProtocolSpec::Compare(compare.clone());
        let header = header(&planned(&sides), spec).expect("a header");
        let resumed = resume(&directory, &header, &compare).expect("resumed");
        let mut book = resumed.book;
        let (again, found) = went_on(&sides, &compare, &directory, &mut book, resumed.points);
        assert_eq!(found, decision, "kill {kill}");
        assert_eq!(ids(&again), ids(&points), "kill {kill}");
        assert!(OfRuns::ahead(&compare, &again).is_empty());
        fs::remove_dir_all(&directory).expect("removed");
    }
}

/// Instants at which the process dies.
const KILLS: usize = 200;
