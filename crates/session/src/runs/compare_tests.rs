//! Comparisons in virtual time: what sides are sent, what is found, and kills at any instant.

use super::harness::{Asked, answer};
use super::*;
use crate::drive::End;
use crate::failure::Cause;
use crate::kept_experiment::KeptExperiment;
use crate::measure::Measured;
use crate::virtually::Virtual;
use infermeter_analysis::{Answer, Axis, Claim, CompareSpec, Comparison, Seen};
use infermeter_core::seed::Seeds;
use infermeter_protocol::{BeforeRun, Compare, OfRuns, ProtocolSpec, RunPoint, TurnOrder};
use std::collections::BTreeSet;
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

fn asked(sides: &[Plan], compare: &Compare) -> Asked<Compare> {
    Asked {
        plans: sides.to_vec(),
        protocol: compare.clone(),
        spec: ProtocolSpec::Compare(compare.clone()),
    }
}

/// Measures a comparison into a new directory.
fn measured(sides: &[Plan], compare: &Compare, directory: &Path) -> (Vec<RunPoint>, Comparison) {
    let went = asked(sides, compare).whole(directory);
    let found = answer(&went).clone();
    (went.points, found)
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

#[test]
fn two_hundred_kills_change_no_decision_and_lose_no_run() {
    let few = |plan: &mut Plan| plan.requests = Some(12);
    let sides = [side("mock:fixed", few), side("mock:fixed?step=21ms", few)];
    assert_eq!(
        asked(&sides, &compare(3, Vec::new())).survives_kills(200),
        6
    );
}

/// Measures in virtual time; a target dies with its third run.
struct Mortal {
    target: &'static str,
    runs: usize,
}

impl Measure for Mortal {
    fn measure(&mut self, experiment: &Experiment, site: &Site) -> Result<Measured> {
        if site.plan.target == self.target {
            self.runs += 1;
            if self.runs > 2 {
                return Err(Failure::target("nobody answers").into());
            }
        }
        Virtual.measure(experiment, site)
    }
}

fn mortal(target: &'static str) -> Mortal {
    Mortal { target, runs: 0 }
}

const TARGETS: [&str; 3] = ["mock:fixed", "mock:fixed?step=22ms", "mock:fixed?step=21ms"];

/// Sides by their number, over four rounds.
fn sides(count: usize) -> Asked<Compare> {
    let few = |plan: &mut Plan| plan.requests = Some(12);
    let plans: Vec<Plan> = TARGETS[..count].iter().map(|t| side(t, few)).collect();
    let mut compare = compare(4, Vec::new());
    let names = ["A", "B", "C"][..count].iter();
    compare.asked.sides = names.map(|name| (*name).to_owned()).collect();
    asked(&plans, &compare)
}

fn ids(points: &[RunPoint]) -> Vec<(usize, String)> {
    let id = |point: &RunPoint| (point.number, point.seen.place.run_id.clone());
    let mut ids: Vec<_> = points.iter().map(id).collect();
    ids.sort();
    ids
}

#[test]
fn the_others_go_on_where_a_side_dies_and_its_rounds_are_measured_later() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (three, directory) = (sides(3), scratch.path().join("c"));
    let went = three.measured(mortal(TARGETS[2]), &directory);
    let End::Failed(error) = &went.end else {
        panic!("{:?}", went.end);
    };
    assert_eq!(Cause::of(error), Cause::Target);
    let runs = |side: usize| went.points.iter().filter(|p| p.at.variant == side).count();
    assert_eq!([0, 1, 2].map(runs), [4, 4, 2]);
    // A and B are compared over all rounds, C over its own.
    let found = three.protocol.so_far(&went.points);
    assert_eq!(
        (found.loads[0].rounds, &found.loads[0].shared[..]),
        (4, &[4, 2][..])
    );

    let kept = KeptExperiment::open(&directory, &|_| {}).expect("an experiment");
    let missing: Vec<(usize, &str)> = kept
        .missing
        .iter()
        .map(|m| (m.at.expect("known").variant, m.why.as_str()))
        .collect();
    let first = kept.missing[0].run;
    let left_out = format!("left out, as run {first} could not be measured");
    assert_eq!(
        missing,
        [(2, "not measured: nobody answers"), (2, &left_out)]
    );

    // Going on measures these alone; rounds keep their requests, and are whole.
    let resumed = three.resumed(&directory);
    let whole = three.whole(&scratch.path().join("w"));
    assert_eq!(resumed.points.len(), 12);
    let before = ids(&went.points);
    assert!(before.iter().all(|run| ids(&resumed.points).contains(run)));
    let seeds = |points: &[RunPoint]| {
        let mut seeds: Vec<_> = points
            .iter()
            .map(|p| (p.number, p.replicate, p.seen.place.seeds))
            .collect();
        seeds.sort_by_key(|(number, ..)| *number);
        seeds
    };
    assert_eq!(seeds(&resumed.points), seeds(&whole.points));
    assert_eq!(answer(&resumed), answer(&whole));
}

#[test]
fn two_sides_or_the_first_leave_nothing_to_compare() {
    let scratch = tempfile::tempdir().expect("a directory");
    let stops = |asked: &Asked<Compare>, dies: usize, name: &str| {
        let directory = scratch.path().join(name);
        let went = asked.measured(mortal(TARGETS[dies]), &directory);
        assert!(matches!(&went.end, End::Failed(error) if Cause::of(error) == Cause::Target));
        let last = went.points.len();
        let kept = KeptExperiment::open(&directory, &|_| {}).expect("an experiment");
        assert_eq!(kept.missing[0].run, last + 1, "{name}");
        assert!(kept.missing[1..].iter().all(|m| m.why == "not begun"));
        assert_eq!(answer(&asked.resumed(&directory)).loads[0].rounds, 4);
    };
    stops(&sides(2), 1, "two");
    stops(&sides(3), 0, "first");
}

/// What goes on is cut off, and goes on again: no run is lost, none is measured twice.
#[test]
fn a_kill_while_the_dead_side_is_measured_again_loses_nothing() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (three, directory) = (sides(3), scratch.path().join("c"));
    three.measured(mortal(TARGETS[2]), &directory);
    let ledger = directory.join(infermeter_record::LEDGER_FILE);
    let before = std::fs::read(&ledger).expect("a ledger");
    let resumed = three.resumed(&directory);
    // The runs of the dead side ended; their lines were not written.
    std::fs::write(&ledger, &before).expect("written");
    let kept = KeptExperiment::open(&directory, &|_| {}).expect("an experiment");
    assert_eq!(kept.missing, []);
    let again = three.resumed(&directory);
    assert_eq!(ids(&again.points), ids(&resumed.points));
    assert_eq!(answer(&again), answer(&resumed));
}
