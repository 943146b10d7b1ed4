//! Runs whose rate steps, and a service that needs a while.

use super::*;
use infermeter_core::record::Reason;
use infermeter_core::schedule::Phase;
use infermeter_core::server::{
    PageDetail, Quantity, ReadingCause, SERVER_METRICS_VERSION, ServerEngine, ServerReading,
    ServerReadings, ServerWatch, WatchedPage,
};
use infermeter_metrics::fixture::{Run as Fixture, ms};

/// 10/s for 30 s and 40/s for 60 s; the service is slow for the first `slow_s` seconds of the second step.
fn stepped(slow_s: i64) -> Fixture {
    let mut run = Fixture::open(1.0, 90);
    let plan = &mut run.manifest().plan;
    plan.rate = None;
    plan.rate_profile = "steps:10/30s,40/60s".parse().ok();
    plan.slo = vec!["ttft.p99<500ms".parse().expect("an objective")];
    for place in 0..300 {
        run.stream(place * 100, ms(20), ms(10), 3);
    }
    for place in 0..2_400 {
        let at = 30_000 + place * 25;
        let slow = at < 30_000 + slow_s * 1_000;
        run.stream(at, ms(if slow { 2_000 } else { 20 }), ms(10), 3);
    }
    run
}

/// A reading a second of the replicas, 10 s before the window to 10 s behind it.
fn replicas(window: Window, count: impl Fn(i64) -> f64) -> ServerReadings {
    let reading = |second: i64| {
        let at = window.start.plus(second * 1_000_000_000);
        ServerReading {
            asked_ns: at,
            answered_ns: at,
            phase: Phase::Measure,
            cause: ReadingCause::Interval,
            skipped: 0,
            page: 0,
            error: None,
            figures: [(Quantity::Replicas, count(second))].into(),
            detail: PageDetail::default(),
        }
    };
    ServerReadings {
        watch: ServerWatch {
            format_version: SERVER_METRICS_VERSION,
            pages: vec![WatchedPage {
                engine: ServerEngine::Replicas,
                url: "http://k/metrics#replicas".to_owned(),
            }],
            interval_ns: 1_000_000_000,
        },
        readings: (-10..100).map(reading).collect(),
    }
}

fn of(run: Fixture) -> StepsSummary {
    let log = run.build();
    let window = log.manifest.window;
    StepsSummary::of(&Run::of(&log), Origin::Intended, window).expect("steps")
}

#[test]
fn the_time_until_the_objectives_hold_again() {
    let found = of(stepped(20));
    let [first, second] = &found.steps[..] else {
        panic!("two steps");
    };
    assert_eq!((first.end, first.requests), (StepEnd::Held, 300));
    // 300 of 300 within a limit do not show that 99 % are.
    let none = SettledAfter {
        value_s: 0.0,
        low_s: 0.0,
        high_s: None,
    };
    assert_eq!(first.settled_after, Some(none));
    assert_eq!(second.end, StepEnd::Settled);
    let after = SettledAfter {
        value_s: 20.0,
        low_s: 19.0,
        high_s: Some(20.0),
    };
    assert_eq!(second.settled_after, Some(after));
    assert_eq!((second.rate_before, second.rate), (10.0, 40.0));
    let of_share = |share: Option<Share>| share.map(|share| (share.count, share.n));
    assert_eq!(of_share(second.attainment), Some((1_600, 2_400)));
    assert_eq!(of_share(second.settled_attainment), Some((1_600, 1_600)));
    assert_eq!(of_share(second.worst_attainment), Some((0, 40)));
    let median = |cell: &Option<Cell>| cell.as_ref().and_then(|cell| cell.value);
    assert_eq!(second.worst_ms, Some(2_000.0));
    assert_eq!(median(&second.settled_ms), Some(20.0));
    assert_eq!(second.overshoot, Some(100.0));
    assert_eq!(of_share(found.attainment), Some((1_900, 2_700)));
    assert_eq!(found.replicas, None, "nobody was asked");
}

#[test]
fn a_step_that_never_settles_has_no_time() {
    let found = of(stepped(58));
    assert_eq!(found.steps[1].end, StepEnd::NeverSettled);
    assert_eq!(found.steps[1].settled_after, None);
    assert_eq!(found.steps[1].settled_attainment, None);
    assert!(found.steps[1].worst_attainment.is_some());
}

#[test]
fn failures_miss_and_what_says_nothing_of_a_request_is_named() {
    let mut run = stepped(0);
    let slos = ["error_rate<1%", "ttft.mean<1s", "throughput>=1/s"];
    run.manifest().plan.slo = slos.map(|slo| slo.parse().expect("an objective")).into();
    (0..200).for_each(|place| run.failed(40_000 + place * 25, Reason::HttpStatus));
    let found = of(run);
    let counted: Vec<(&str, f64)> = found
        .objectives
        .iter()
        .map(|o| (o.objective.as_str(), o.share))
        .collect();
    assert_eq!(counted, [("error_rate<1%", 0.99)]);
    assert_eq!(found.not_counted.len(), 2, "{:?}", found.not_counted);
    // The failures are due from second 10 to second 15 of the step.
    let after = found.steps[1].settled_after.expect("it settles");
    assert_eq!((after.low_s, after.value_s), (14.0, 15.0));
}

#[test]
fn without_objectives_and_in_short_steps_nothing_is_told() {
    let mut none = stepped(20);
    none.manifest().plan.slo.clear();
    let found = of(none);
    assert!(
        found
            .steps
            .iter()
            .all(|step| step.end == StepEnd::NoObjective)
    );
    assert_eq!((found.attainment, found.steps[0].attainment), (None, None));
    let mut short = stepped(20);
    short.manifest().plan.rate_profile = "steps:10/2s,40/88s".parse().ok();
    assert_eq!(of(short).steps[0].end, StepEnd::TooShort);
    let mut ramp = stepped(20);
    ramp.manifest().plan.rate_profile = "ramp:10..40/90s".parse().ok();
    let log = ramp.build();
    let none = StepsSummary::of(&Run::of(&log), Origin::Intended, log.manifest.window);
    assert_eq!(none, None);
}

#[test]
fn replica_seconds_stand_beside_attainment() {
    let log = stepped(20).build();
    let window = log.manifest.window.expect("a window");
    let mut run = Run::of(&log);
    run.server = Some(replicas(
        window,
        |second| if second < 40 { 1.0 } else { 4.0 },
    ));
    let found = StepsSummary::of(&run, Origin::Intended, Some(window)).expect("steps");
    let read = found.replicas.as_ref().expect("read");
    assert_eq!(
        (read.least, read.most, read.known),
        (Some(1.0), Some(4.0), 1.0)
    );
    assert_eq!((read.readings, read.failed), (90, 0));
    // One for 39 s, between one and four for one, then four for 50 s.
    let held = read.replica_seconds.expect("known");
    assert!(
        (held.value - 241.5).abs() < 1e-6 && (held.error - 1.5).abs() < 1e-6,
        "{held:?}"
    );
    let step = found.steps[1].replicas.expect("read");
    assert_eq!((step.before, step.at_end, step.most), (1.0, 4.0, 4.0));
    assert_eq!(found.steps[1].parts[0].replicas, Some(1.0));
    assert_eq!(found.steps[1].parts[11].replicas, Some(4.0));
    // Whoever answered nothing is counted, and nothing becomes 0.
    let mut silent = replicas(window, |_| 1.0);
    for reading in &mut silent.readings {
        reading.figures = Default::default();
        reading.error = Some("status 503".to_owned());
    }
    run.server = Some(silent);
    let found = StepsSummary::of(&run, Origin::Intended, Some(window)).expect("steps");
    let read = found.replicas.expect("asked");
    assert_eq!((read.readings, read.failed), (0, 90));
    assert_eq!((read.mean, read.replica_seconds), (None, None));
    assert_eq!(read.failure.as_deref(), Some("status 503"));
    assert_eq!(found.steps[1].replicas, None);
}
