//! Slices of a schedule are the whole: same arrivals, same order, same instants, same ids.

use infermeter_core::clock::Offset;
use infermeter_core::plan::{ArrivalKind, RateProfile, Warmup};
use infermeter_core::request::RequestId;
use infermeter_core::schedule::{
    ArrivalIds, Begins, OpenSchedule, Phase, PhaseCounts, Schedule, Slice,
};
use infermeter_core::units::Span;
use infermeter_schedule::{
    ArrivalProcess, ClosedParams, OpenParams, Rate, ReplayParams, Source, SourcesParams,
    WarmupRule, closed_schedule, merged_schedule, open_schedule, replay_schedule,
};
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use std::collections::BTreeSet;

const PROFILE: &str = "ramp:5..40/10s";

/// One arrival as its client sees it.
type Seen = (RequestId, Offset, Phase);

fn seen(schedule: &Schedule) -> Vec<Seen> {
    let Schedule::Open(open) = schedule else {
        panic!("an open loop");
    };
    let one = |(i, at): (usize, &Offset)| (open.ids.id(i), *at, open.phase_of(i));
    open.arrivals.iter().enumerate().map(one).collect()
}

fn parts(whole: &Schedule, of: u32) -> Vec<Schedule> {
    let cut = |slice| whole.cut(slice).expect("slots enough");
    Slice::all(of).map(cut).collect()
}

/// The slices, one of each in turn, are the whole.
fn check(open: OpenSchedule, of: u32) {
    let whole = Schedule::Open(open);
    let parts = parts(&whole, of);
    let mut rests: Vec<_> = parts.iter().map(|part| seen(part).into_iter()).collect();
    let mut joined = Vec::new();
    'all: loop {
        for rest in &mut rests {
            match rest.next() {
                Some(arrival) => joined.push(arrival),
                None => break 'all,
            }
        }
    }
    assert!(rests.iter_mut().all(|rest| rest.next().is_none()));
    assert_eq!(joined, seen(&whole));
    let mut sum = PhaseCounts::default();
    for part in &parts {
        assert_eq!(part.window(), whole.window());
        assert_eq!(part.has_sessions(), whole.has_sessions());
        let Begins::Arrivals(counts) = part.facts().begins else {
            panic!("an open loop");
        };
        sum.warmup += counts.warmup;
        sum.measure += counts.measure;
        sum.drain += counts.drain;
    }
    assert_eq!(Begins::Arrivals(sum), whole.facts().begins);
}

fn warmup() -> WarmupRule {
    WarmupRule {
        least: Warmup {
            time: Span::seconds(2),
            requests: 5,
        },
        at_most: None,
    }
}

fn process() -> impl Strategy<Value = ArrivalProcess> {
    prop_oneof![
        Just(ArrivalProcess::Constant),
        Just(ArrivalProcess::Poisson),
        (0.1..4.0).prop_map(|cv| ArrivalProcess::Gamma { cv }),
        (0.1..4.0).prop_map(|cv| ArrivalProcess::Weibull { cv }),
    ]
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn slices_of_every_arrival_process(
        process in process(),
        varies in proptest::bool::ANY,
        stride in 1_u64..9,
        seed in 0_u64..1_000,
        of in 1_u32..9,
    ) {
        let profile: RateProfile = PROFILE.parse().expect("a profile");
        let params = OpenParams {
            process,
            rate: if varies { Rate::Profile(&profile) } else { Rate::Constant(25.0) },
            warmup: warmup(),
            duration: Some(Span::seconds(9)),
            requests: None,
            drain_max: Span::seconds(2),
        };
        let open = open_schedule(&params, seed).expect("a schedule");
        check(OpenSchedule { ids: ArrivalIds::every(stride), ..open }, of);
    }

    #[test]
    fn slices_of_a_replay_and_of_the_rows_that_wait_for_none(
        gaps in proptest::collection::vec(0_i64..900_000_000, 20..80),
        of in 1_u32..9,
    ) {
        let instants = gaps.iter().scan(0, |at, gap| {
            *at += gap;
            Some(*at)
        });
        let offsets: Vec<i64> = instants.collect();
        let params = ReplayParams {
            time_scale: 0.5,
            warmup: WarmupRule::NONE,
            duration: Some(Span::seconds(8)),
            requests: None,
            drain_max: Span::seconds(2),
        };
        let open = replay_schedule(&offsets, &params).expect("a schedule");
        check(open.clone(), of);
        check(open.only(|row| row % 3 != 1), of);
    }

    #[test]
    fn slices_of_many_clients(clients in 1_u64..6, seed in 0_u64..100, of in 1_u32..9) {
        let source = |n: u64| Source {
            process: ArrivalProcess::resolve(ArrivalKind::Poisson, None).expect("a process"),
            rate: PROFILE.parse().expect("a profile"),
            factor: 0.2 * (n + 1) as f64,
            windows: Vec::new(),
            seed: seed + n,
        };
        let sources: Vec<Source> = (0..clients).map(source).collect();
        let params = SourcesParams {
            warmup: warmup(),
            duration: Some(Span::seconds(9)),
            requests: None,
            drain_max: Span::seconds(2),
        };
        check(merged_schedule(&sources, &params).expect("a schedule").schedule, of);
    }

    #[test]
    fn slices_of_a_closed_loop(
        slots in 1_u32..40,
        stride in 1_u64..6,
        requests in 1_u64..200,
        of in 1_u32..9,
    ) {
        let params = ClosedParams {
            slots,
            stride,
            warmup: warmup(),
            duration: None,
            requests: Some(requests),
        };
        let whole = Schedule::Closed(closed_schedule(&params).expect("a schedule"));
        if u64::from(of) > u64::from(slots).min(requests) {
            let last = Slice::all(of).last().expect("one at least");
            assert!(whole.cut(last).is_err());
            return Ok(());
        }
        let parts = parts(&whole, of);
        let all: u32 = parts.iter().filter_map(Schedule::slots).sum();
        assert_eq!(all, slots);
        let mut ids = BTreeSet::new();
        for part in &parts {
            let Begins::Slots(closed) = part.facts().begins else {
                panic!("a closed loop");
            };
            assert!(closed.requests.is_some_and(|n| n > 0));
            for number in 0..closed.requests.unwrap_or(0) {
                let id = part.begins(number);
                assert!(id.is_multiple_of(stride), "a session begins at its first id");
                assert!(ids.insert(id), "two slices have request {id}");
            }
        }
        assert_eq!(ids, (0..requests).map(|n| n * stride).collect());
    }
}
