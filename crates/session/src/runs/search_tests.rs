//! Searches in virtual time: what they find on a server whose capacity is known, and what a kill changes.

use super::harness::{Asked, answer};
use super::sweep_tests::TWO_AT_ONCE;
use super::*;
use infermeter_protocol::search::rule::Ending;
use infermeter_protocol::{ProtocolSpec, Search, SearchSpec};

/// A search for the highest rate of a server.
fn search(slo: &str, change: impl FnOnce(&mut SearchSpec)) -> Asked<Search> {
    let mut spec = SearchSpec::defaults();
    change(&mut spec);
    let plan = Plan {
        target: TWO_AT_ONCE.to_owned(),
        rate: Some(spec.from),
        duration: "20s".parse().ok(),
        workload: "fixed:20,4".parse().expect("a workload"),
        slo: vec![slo.parse().expect("an objective")],
        ..Plan::defaults()
    };
    let plans = vec![plan];
    Asked {
        protocol: Search::of(&spec, &plans).expect("a search"),
        spec: ProtocolSpec::Search(spec),
        plans,
    }
}

/// Two slots of 110 ms: 18 a second at most, and a p90 of 150 ms somewhat below.
#[test]
fn the_highest_rate_is_found_and_holds() {
    let scratch = tempfile::tempdir().expect("a directory");
    let asked = search("ttft.p90<150ms", |_| {});
    let searched = asked.whole(&scratch.path().join("s"));
    let answer = answer(&searched);
    let Some(Ending::Found { rate }) = answer.ending else {
        panic!("{answer:?}");
    };
    assert!(rate.low < rate.rate && rate.rate < rate.high, "{rate:?}");
    assert!((6.0..18.0).contains(&rate.rate), "{rate:?}");
    assert_eq!(answer.each.len(), 1);
    assert!(answer.requests > 500, "{}", answer.requests);
    let short = searched.points.iter().filter(|p| p.at.load.is_some());
    assert_eq!(short.count(), answer.runs);
}

#[test]
fn an_objective_that_is_always_or_never_met_is_named() {
    let scratch = tempfile::tempdir().expect("a directory");
    let never = search("ttft.p90<10ms", |_| {});
    let never = never.whole(&scratch.path().join("never"));
    let ending = answer(&never).ending;
    assert!(matches!(ending, Some(Ending::Below { rate: 1.0, times }) if times > 1.9));
    let always = search("ttft.p90<1h", |spec| spec.to = 4.0);
    let always = always.whole(&scratch.path().join("always"));
    assert_eq!(answer(&always).ending, Some(Ending::Above { rate: 4.0 }));
}

#[test]
fn kills_change_no_decision_and_lose_no_run() {
    let asked = search("ttft.p90<150ms", |spec| {
        (spec.from, spec.max_runs) = (4.0, 3);
    });
    assert!(asked.survives_kills(40) >= 4);
}
