//! Where warm-up, window and drain begin and end.

use infermeter_core::clock::Offset;
use infermeter_core::plan::Warmup;
use infermeter_core::schedule::OpenSchedule;
use infermeter_core::units::Span;
use infermeter_schedule::{
    ArrivalProcess, Arrivals, ClosedParams, MAX_DRAIN_ARRIVALS, OpenParams, Rate, WarmupRule,
    closed_schedule, open_schedule,
};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

fn rule(time_s: i64, requests: u64, at_most: Option<i64>) -> WarmupRule {
    WarmupRule {
        least: Warmup {
            time: Span::seconds(time_s),
            requests,
        },
        at_most: at_most.map(Span::seconds),
    }
}

fn params(process: ArrivalProcess, rate: f64, warmup: WarmupRule) -> OpenParams<'static> {
    OpenParams {
        process,
        rate: Rate::Constant(rate),
        warmup,
        duration: Some(Span::seconds(20)),
        requests: None,
        drain_max: Span::seconds(5),
    }
}

fn make(params: &OpenParams<'_>, seed: u64) -> OpenSchedule {
    open_schedule(params, seed).expect("a schedule")
}

fn seconds(offset: Offset) -> f64 {
    offset.0 as f64 / 1e9
}

#[test]
fn warm_up_waits_for_its_time_when_the_count_comes_first() {
    let s = make(
        &params(ArrivalProcess::Constant, 10.0, rule(10, 50, Some(120))),
        1,
    );
    assert_eq!(s.window_start, Offset(10_000_000_000));
    assert_eq!(s.measure_from, 100);
    assert_eq!(s.window_end, Offset(30_000_000_000));
    assert_eq!(s.drain_from, 300);
    assert_eq!(s.arrivals.len(), 350);
}

#[test]
fn warm_up_waits_for_its_count_when_the_time_comes_first() {
    let s = make(&params(ArrivalProcess::Poisson, 2.0, rule(1, 50, None)), 2);
    assert_eq!(s.measure_from, 50);
    assert_eq!(s.window_start, s.arrivals[49].plus(1));
    assert_eq!(s.window_end.since(s.window_start), 20_000_000_000);
}

#[test]
fn the_default_warm_up_ends_after_120_s_at_the_latest() {
    let p = OpenParams {
        duration: Some(Span::seconds(300)),
        ..params(
            ArrivalProcess::Constant,
            0.1,
            WarmupRule::resolve(None, None),
        )
    };
    let s = make(&p, 3);
    assert_eq!(s.window_start, Offset(120_000_000_000));
    assert_eq!(s.measure_from, 12);
    let asked = Warmup {
        time: Span(0),
        requests: 50,
    };
    let s = make(
        &OpenParams {
            warmup: WarmupRule::resolve(Some(asked), None),
            ..p
        },
        3,
    );
    assert_eq!(s.measure_from, 50);
    assert!(seconds(s.window_start) > 480.0);
}

#[test]
fn the_default_warm_up_is_shorter_for_short_windows() {
    let time = |d| WarmupRule::resolve(None, Some(Span::seconds(d))).least.time;
    assert_eq!(time(60), Span::seconds(10));
    assert_eq!(time(61), Span::seconds(30));
}

#[test]
fn without_warm_up_everything_from_the_origin_counts() {
    let s = make(&params(ArrivalProcess::Poisson, 50.0, WarmupRule::NONE), 4);
    assert_eq!((s.measure_from, s.window_start), (0, Offset::ZERO));
}

#[test]
fn a_count_ends_the_window_at_the_arrival_after_the_last() {
    let p = OpenParams {
        duration: None,
        requests: Some(40),
        ..params(ArrivalProcess::Poisson, 5.0, rule(3, 0, None))
    };
    let s = make(&p, 5);
    assert_eq!(s.drain_from - s.measure_from, 40);
    assert_eq!(s.window_end, s.arrivals[s.drain_from]);
}

#[test]
fn whichever_comes_first_ends_the_window() {
    let p = OpenParams {
        requests: Some(100),
        ..params(ArrivalProcess::Constant, 10.0, WarmupRule::NONE)
    };
    let s = make(&p, 6);
    assert_eq!(s.drain_from, 100);
    assert!((seconds(s.window_end) - 10.0).abs() < 0.1001);
    let s = make(
        &OpenParams {
            requests: Some(1_000),
            ..p
        },
        6,
    );
    assert_eq!((s.drain_from, s.window_end), (200, Offset(20_000_000_000)));
}

#[test]
fn the_drain_is_bounded_in_memory() {
    let p = OpenParams {
        duration: Some(Span::millis(10)),
        drain_max: Span::seconds(300),
        ..params(ArrivalProcess::Constant, 100_000.0, WarmupRule::NONE)
    };
    let s = make(&p, 7);
    assert_eq!(s.arrivals.len() - s.drain_from, MAX_DRAIN_ARRIVALS);
    let none = make(
        &OpenParams {
            drain_max: Span(0),
            ..p
        },
        7,
    );
    assert_eq!(none.arrivals.len(), none.drain_from);
}

#[test]
fn a_closed_loop_keeps_what_was_asked() {
    let p = ClosedParams {
        slots: 32,
        stride: 1,
        warmup: WarmupRule::resolve(None, None),
        duration: None,
        requests: Some(1_000),
    };
    let s = closed_schedule(&p).expect("a schedule");
    assert_eq!(
        (s.slots, s.requests, s.duration_ns),
        (32, Some(1_000), None)
    );
    assert_eq!((s.warmup_ns, s.warmup_requests), (30_000_000_000, 50));
    assert_eq!(s.warmup_max_ns, 120_000_000_000);
}

fn processes() -> impl Strategy<Value = ArrivalProcess> {
    prop_oneof![
        Just(ArrivalProcess::Constant),
        Just(ArrivalProcess::Poisson),
        (0.05_f64..8.0).prop_map(|cv| ArrivalProcess::Gamma { cv }),
        (0.05_f64..8.0).prop_map(|cv| ArrivalProcess::Weibull { cv }),
    ]
}

proptest! {
    #[test]
    fn phases_cut_one_unchanged_process(
        process in processes(),
        seed in any::<u64>(),
        rate in 5.0_f64..500.0,
        warm_s in 0_i64..5,
        warm_requests in 0_u64..60,
        duration in prop_oneof![
            Just(None),
            (1_000_i64..9_000).prop_map(|ms| Some(Span::millis(ms))),
        ],
        requests in 1_u64..400,
    ) {
        let p = OpenParams {
            duration,
            requests: Some(requests),
            ..params(process, rate, rule(warm_s, warm_requests, None))
        };
        let Ok(s) = open_schedule(&p, seed) else { return Ok(()) };
        let free: Vec<Offset> = Arrivals::new(process, rate, seed)
            .expect("arrivals")
            .take(s.arrivals.len())
            .collect();
        assert_eq!(s.arrivals, free);
        assert!(s.measure_from < s.drain_from && s.drain_from <= s.arrivals.len());
        assert!(s.measure_from as u64 >= warm_requests);
        assert!((s.drain_from - s.measure_from) as u64 <= requests);
        assert!(s.window_start.0 >= warm_s * 1_000_000_000);
        assert!(s.arrivals.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(s.arrivals[..s.measure_from].iter().all(|a| *a < s.window_start));
        let inside = s.window_start..s.window_end;
        assert!(s.arrivals[s.measure_from..s.drain_from].iter().all(|a| inside.contains(a)));
        let end = s.window_end.plus(5_000_000_000);
        // An arrival at the very instant of the last one asked for is drain by index.
        let drain = s.window_end.plus(-1)..end;
        assert!(s.arrivals[s.drain_from..].iter().all(|a| drain.contains(a)));
        if let Some(d) = duration {
            assert!(s.window_end.since(s.window_start) <= d.ns());
        }
        assert_eq!(open_schedule(&p, seed).as_ref(), Ok(&s));
    }
}
