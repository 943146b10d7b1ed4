//! Searches in virtual time: what they find on a server whose capacity is known, and what a kill changes.

use super::sweep_tests::{Left, TWO_AT_ONCE, ids, killed};
use super::*;
use crate::drive::{Driven, End, drive};
use crate::kept_experiment::{Resumed, create, header, resume};
use crate::load::Load;
use crate::virtually::Virtual;
use infermeter_protocol::search::rule::Ending;
use infermeter_protocol::{OfRuns, ProtocolSpec, RunPoint, Search, SearchAnswer, SearchSpec};

/// A search for the highest rate of a server.
struct Asked {
    plans: [Plan; 1],
    spec: SearchSpec,
}

impl Asked {
    fn of(slo: &str, change: impl FnOnce(&mut SearchSpec)) -> Self {
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
        Self {
            plans: [plan],
            spec,
        }
    }

    fn protocol(&self) -> Search {
        Search::of(&self.spec, &self.plans).expect("a search")
    }

    fn header(&self) -> crate::book::Header {
        let plan = self.plans[0].clone();
        let load = Load::from_plan(&plan, 0).expect("a load");
        let spec = ProtocolSpec::Search(self.spec.clone());
        header(&[(plan, load)], spec).expect("a header")
    }

    fn drive(&self, directory: &Path, begun: Resumed) -> Searched {
        let Resumed { mut book, points } = begun;
        let protocol = self.protocol();
        let into = Into::Experiment(directory.to_owned());
        let mut runs = Runs::new(Virtual, &self.plans, into);
        let mut most = points.len() + OfRuns::ahead(&protocol, &points).len();
        let mut bounded = |points: &[RunPoint]| {
            let now = points.len() + OfRuns::ahead(&protocol, points).len();
            assert!(now <= most, "{now} runs, {most} were announced");
            most = now;
        };
        drive(&protocol, &mut runs, &mut book, points, &mut bounded).expect("driven")
    }

    fn whole(&self, directory: &Path) -> Searched {
        let book = create(directory, &self.header()).expect("a book");
        let points = Vec::new();
        self.drive(directory, Resumed { book, points })
    }

    fn resumed(&self, directory: &Path) -> Searched {
        let begun = resume(directory, &self.header(), &self.protocol()).expect("resumed");
        self.drive(directory, begun)
    }
}

type Searched = Driven<Coordinates, RunSeen, SearchAnswer>;

fn answer(searched: &Searched) -> &SearchAnswer {
    match &searched.end {
        End::Answered(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// Two slots of 110 ms: 18 a second at most, and a p90 of 150 ms somewhat below.
#[test]
fn the_highest_rate_is_found_and_holds() {
    let scratch = tempfile::tempdir().expect("a directory");
    let asked = Asked::of("ttft.p90<150ms", |_| {});
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
    let never = Asked::of("ttft.p90<10ms", |_| {});
    let never = never.whole(&scratch.path().join("never"));
    let ending = answer(&never).ending;
    assert!(matches!(ending, Some(Ending::Below { rate: 1.0, times }) if times > 1.9));
    let always = Asked::of("ttft.p90<1h", |spec| spec.to = 4.0);
    let always = always.whole(&scratch.path().join("always"));
    assert_eq!(answer(&always).ending, Some(Ending::Above { rate: 4.0 }));
}

#[test]
fn kills_change_no_decision_and_lose_no_run() {
    let scratch = tempfile::tempdir().expect("a directory");
    let asked = Asked::of("ttft.p90<150ms", |spec| {
        (spec.from, spec.max_runs) = (4.0, 3);
    });
    let directory = scratch.path().join("whole");
    let whole = asked.whole(&directory);
    let runs = whole.points.len();
    assert!(runs >= 4, "{runs}");
    let expected = ids(&whole.points);
    let mut random = 11;
    let mut draw = |below: usize| {
        random = splitmix64(random);
        (random >> 33) as usize % below
    };
    for kill in 0..40 {
        let (ended, left) = (draw(runs), Left::ALL[draw(4)]);
        let scratch = killed(&directory, (ended, left), draw(1_000) as u64);
        let resumed = asked.resumed(scratch.path());
        assert_eq!(
            answer(&resumed),
            answer(&whole),
            "kill {kill}: {ended} {left:?}"
        );
        let found = ids(&resumed.points);
        assert_eq!(found.len(), runs);
        for number in 1..=ended {
            assert_eq!(
                found[&number], expected[&number],
                "kill {kill}: run {number}"
            );
        }
    }
}
