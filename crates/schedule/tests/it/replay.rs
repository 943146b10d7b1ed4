//! Replays of traces.

use infermeter_core::clock::Offset;
use infermeter_core::plan::Warmup;
use infermeter_core::schedule::OpenSchedule;
use infermeter_core::units::Span;
use infermeter_schedule::{ReplayParams, ScheduleError, WarmupRule, replay_schedule};

const WHOLE: ReplayParams = ReplayParams {
    time_scale: 1.0,
    warmup: WarmupRule::NONE,
    duration: None,
    requests: None,
    drain_max: Span::seconds(300),
};

/// 500 rows, one every 0.25 s and 1 ns.
fn rows() -> Vec<i64> {
    (0..500).map(|i| i * 250_000_001).collect()
}

fn make(params: &ReplayParams) -> OpenSchedule {
    replay_schedule(&rows(), params).expect("a schedule")
}

#[test]
fn offsets_stay_exact_integers() {
    let s = make(&WHOLE);
    let expect: Vec<Offset> = rows().into_iter().map(Offset).collect();
    assert_eq!(s.arrivals, expect);
    assert_eq!((s.measure_from, s.drain_from), (0, 500));
    assert_eq!(s.window_end, Offset(500 * 250_000_001));
}

#[test]
fn the_time_scale_multiplies_offsets() {
    let s = make(&ReplayParams {
        time_scale: 0.5,
        ..WHOLE
    });
    assert_eq!(s.arrivals[2], Offset(250_000_001));
    assert_eq!(s.arrivals[1], Offset(125_000_001));
}

#[test]
fn the_warm_up_is_the_head_of_the_rows() {
    let s = make(&ReplayParams {
        time_scale: 0.5,
        warmup: WarmupRule::resolve(None, None),
        ..WHOLE
    });
    assert_eq!(s.window_start, Offset(30_000_000_000));
    assert_eq!(
        (s.measure_from, s.drain_from, s.arrivals.len()),
        (240, 500, 500)
    );
}

#[test]
fn later_rows_are_the_drain() {
    let s = make(&ReplayParams {
        duration: Some(Span::seconds(50)),
        drain_max: Span::seconds(10),
        ..WHOLE
    });
    assert_eq!((s.drain_from, s.arrivals.len()), (200, 240));
    assert_eq!(s.window_end, Offset(50_000_000_000));
    let s = make(&ReplayParams {
        requests: Some(100),
        ..WHOLE
    });
    assert_eq!((s.drain_from, s.arrivals.len()), (100, 500));
    assert_eq!(s.window_end, s.arrivals[100]);
}

#[test]
fn a_trace_shorter_than_the_window_ends_it_one_mean_gap_after_its_last_row() {
    for (duration, requests) in [(Some(Span::seconds(900)), None), (None, Some(900))] {
        let s = make(&ReplayParams {
            duration,
            requests,
            ..WHOLE
        });
        assert_eq!(s.window_end, Offset(500 * 250_000_001));
        assert_eq!(s.drain_from, 500);
    }
}

#[test]
fn rows_at_one_instant_keep_the_count_asked_for() {
    let params = ReplayParams {
        requests: Some(2),
        ..WHOLE
    };
    let s = replay_schedule(&[0, 5, 5, 5, 9], &params).expect("a schedule");
    assert_eq!((s.drain_from, s.window_end), (2, Offset(6)));
    assert_eq!(s.arrivals.len(), 5);
}

#[test]
fn one_row_is_a_window_of_a_second() {
    let s = replay_schedule(&[0], &WHOLE).expect("a schedule");
    assert_eq!(
        (s.window_start, s.window_end),
        (Offset(0), Offset(1_000_000_000))
    );
}

#[test]
fn a_warm_up_that_takes_all_rows_is_explained() {
    for least in [
        Warmup {
            time: Span::seconds(200),
            requests: 0,
        },
        Warmup {
            time: Span(0),
            requests: 500,
        },
    ] {
        let params = ReplayParams {
            warmup: WarmupRule::resolve(Some(least), None),
            ..WHOLE
        };
        let error = replay_schedule(&rows(), &params).expect_err("nothing to measure");
        let text = error.to_string();
        assert!(
            text.contains("--warmup 0") && text.contains("--trace-limit"),
            "{text}"
        );
    }
}

#[test]
fn what_cannot_be_replayed_is_refused() {
    let refuse = |rows: &[i64], params: &ReplayParams| {
        replay_schedule(rows, params).expect_err("must be refused")
    };
    assert_eq!(refuse(&[], &WHOLE), ScheduleError::EmptyTrace);
    assert_eq!(
        refuse(&[0, 2, 1], &WHOLE),
        ScheduleError::Unsorted { row: 2 }
    );
    for time_scale in [0.0, -1.0, f64::INFINITY] {
        let params = ReplayParams {
            time_scale,
            ..WHOLE
        };
        assert_eq!(refuse(&[0], &params), ScheduleError::TimeScale(time_scale));
    }
    let params = ReplayParams {
        time_scale: 1e12,
        ..WHOLE
    };
    assert!(matches!(
        refuse(&rows(), &params),
        ScheduleError::TooLong { .. }
    ));
    let params = ReplayParams {
        duration: Some(Span(1)),
        warmup: WarmupRule::resolve(Some("1s".parse().expect("a warm-up")), None),
        ..WHOLE
    };
    assert_eq!(refuse(&rows(), &params), ScheduleError::NoRowMeasured);
}
