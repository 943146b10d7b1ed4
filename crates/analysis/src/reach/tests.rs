//! Gaps of fabricated runs.

use super::{Gap, gaps};
use infermeter_core::clock::Offset;
use infermeter_core::record::Reason;
use infermeter_metrics::fixture::{Run, ms};

/// A request every 100 ms for 10 s, each with an answer of 300 ms, but for those sent in a stretch
/// (milliseconds).
fn run_without(stretch: std::ops::Range<i64>) -> Run {
    let mut run = Run::open(10.0, 10);
    for at in (0..10_000).step_by(100).filter(|at| !stretch.contains(at)) {
        run.stream(at, ms(100), ms(50), 5);
    }
    run
}

/// Gaps as milliseconds since the window's start, with the requests that failed.
fn check(run: Run, expect: &[(i64, Option<i64>, u64)]) {
    let log = run.build();
    let start = log.manifest.window.expect("a window").start;
    let since = |at: Offset| at.since(start) / ms(1);
    let found: Vec<_> = gaps(&crate::run::Run::of(&log))
        .iter()
        .map(|gap| (since(gap.from), gap.until.map(since), gap.failed))
        .collect();
    assert_eq!(found, expect);
}

#[test]
fn a_gap_lasts_from_the_first_refusal_to_the_next_byte() {
    let mut run = run_without(2_600..5_000);
    for at in (2_900..5_000).step_by(100) {
        let first = at == 2_900;
        run.failed(
            at,
            if first {
                Reason::ConnectFailed
            } else {
                Reason::ConnectBackoff
            },
        );
    }
    check(run, &[(2_905, Some(5_100), 21)]);
}

#[test]
fn what_broke_before_the_refusal_belongs_to_the_gap() {
    let mut run = Run::open(10.0, 10);
    run.stream(0, ms(100), ms(50), 5);
    for at in [1_000, 1_001] {
        run.failed(at, Reason::Disconnected);
    }
    run.failed(2_000, Reason::ConnectFailed);
    run.stream(4_000, ms(100), ms(50), 5);
    check(run, &[(1_005, Some(4_100), 3)]);
}

#[test]
fn a_server_that_does_not_come_back_is_gone_to_the_end() {
    let mut run = Run::open(10.0, 10);
    run.stream(0, ms(100), ms(50), 5);
    run.failed(1_000, Reason::ConnectFailed);
    run.failed(9_000, Reason::ConnectBackoff);
    check(run, &[(1_005, None, 2)]);
}

#[test]
fn connections_lost_all_at_once_are_a_restart() {
    let mut run = run_without(2_700..3_050);
    for at in [3_000, 3_001, 3_002] {
        run.failed(at, Reason::Truncated);
    }
    check(run, &[(3_005, Some(3_200), 3)]);
}

#[test]
fn some_that_broke_while_others_lived_are_none() {
    let mut run = run_without(0..0);
    for at in [3_000, 3_001, 3_002] {
        run.failed(at, Reason::Disconnected);
    }
    check(run, &[]);
    let mut run = run_without(2_700..3_050);
    run.failed(3_000, Reason::Disconnected);
    check(run, &[]);
}

#[test]
fn connections_opened_ahead_may_have_found_out() {
    let mut run = Run::open(10.0, 10);
    run.failed(1_100, Reason::ConnectBackoff);
    check(run, &[(1_105, None, 1)]);
}

#[test]
fn refusing_connections_while_serving_others_is_none() {
    let mut run = run_without(0..0);
    for at in (3_000..6_000).step_by(70) {
        run.failed(at, Reason::ConnectFailed);
    }
    check(run, &[]);
}

#[test]
fn a_connect_whose_first_packet_was_lost_is_a_sign_where_nobody_else_was_served() {
    let slow = |run: &mut Run| {
        let late = run
            .records()
            .iter_mut()
            .find(|r| r.intended.0 == ms(30_000 + 5_000));
        let late = late.expect("sent at 5 s");
        late.new_connection = Some(true);
        late.connected = late.send_start.map(|at| at.plus(ms(1_020)));
        late.first_byte = late.send_start.map(|at| at.plus(ms(1_100)));
    };
    let mut run = Run::open(1.0, 10);
    for at in [0, 5_000, 9_000] {
        run.stream(at, ms(1_200), ms(50), 5);
    }
    slow(&mut run);
    check(run, &[(5_000, Some(6_100), 0)]);
    let mut run = run_without(0..0);
    slow(&mut run);
    check(run, &[]);
}

#[test]
fn the_part_inside_a_window_counts() {
    let gap = |from, until| Gap {
        from: Offset(from),
        until,
        failed: 1,
    };
    let window = infermeter_core::run::Window {
        start: Offset(100),
        end: Offset(200),
    };
    assert_eq!(gap(50, Some(Offset(120))).inside(window), 20);
    assert_eq!(gap(150, None).inside(window), 50);
    assert_eq!(gap(0, Some(Offset(90))).inside(window), 0);
    assert_eq!(gap(300, None).inside(window), 0);
}
