//! Comparisons in virtual time: what sides are sent, what is found, and kills at any instant.

use super::harness::{Asked, answer};
use super::*;
use infermeter_analysis::{Answer, Axis, Claim, CompareSpec, Comparison, Seen};
use infermeter_core::seed::Seeds;
use infermeter_protocol::{BeforeRun, Compare, ProtocolSpec, RunPoint, TurnOrder};
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
