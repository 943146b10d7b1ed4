//! Closed loops: slots, phases, one record for every request.

use crate::engine_support::{end, is_unreachable};
use crate::support::{Ask, Done, SECOND, dead_target, execute, fixed, settings, start};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, Reason, RequestRecord};
use infermeter_core::schedule::{ClosedSchedule, Phase, Schedule, Slice};
use std::collections::BTreeSet;

fn schedule(slots: u32, warmup_requests: u64, requests: u64) -> Schedule {
    Schedule::Closed(ClosedSchedule {
        slots,
        stride: 1,
        slice: Slice::WHOLE,
        warmup_ns: 0,
        warmup_requests,
        warmup_max_ns: 60 * SECOND,
        duration_ns: None,
        requests: Some(requests),
    })
}

fn count(done: &Done, phase: Phase) -> u64 {
    done.records.iter().filter(|r| r.phase == phase).count() as u64
}

/// Ids without gaps, warm-up first. `measured` holds exactly with one thread; with several, one that
/// comes late to the end of the window may find its request outside.
fn check_phases(done: &Done, warmup: u64, measured: u64) {
    let ids = done.records.iter().map(|r| r.id);
    assert!(ids.eq(0..done.records.len() as u64));
    let is_warm = |r: &RequestRecord| r.phase != Phase::Warmup;
    assert!(done.records.is_sorted_by_key(is_warm), "phases overlap");
    assert!(count(done, Phase::Warmup) >= warmup);
    let late = done.outcome.health.threads.len() as u64 - 1;
    assert!((measured - late..=measured).contains(&count(done, Phase::Measure)));
}

#[test]
fn slots_send_when_their_answer_has_closed() {
    for threads in [1, 2] {
        let mock = start(fixed("2ms", "1ms"));
        let ask = |id| Ask::tokens(1 + id as u32 % 4);
        let done = execute(
            &schedule(4, 6, 24),
            &settings(mock.address(), threads),
            &ask,
        );
        check_phases(&done, 6, 24);
        let closed: BTreeSet<Offset> = done.records.iter().filter_map(|r| r.closed).collect();
        let mut first = 0;
        for record in &done.records {
            assert_eq!(record.requested_output_tokens, ask(record.id).output_tokens);
            match end(record) {
                (Outcome::Completed, None) => {}
                (Outcome::Cancelled, Some(Reason::DrainEnded)) if record.phase == Phase::Drain => {}
                other => panic!("{other:?}"),
            }
            if record.intended == Offset::ZERO {
                first += 1;
            } else {
                assert!(closed.contains(&record.intended), "{record:?}");
            }
        }
        assert_eq!(first, 4, "each slot begins once, at the start");
        assert!(mock.stop().expect("no error").max_in_flight <= 4);
    }
}

#[test]
fn a_window_of_time_ends_by_the_clock() {
    let mock = start(fixed("2ms", "1ms"));
    let closed = ClosedSchedule {
        slots: 2,
        stride: 1,
        slice: Slice::WHOLE,
        warmup_ns: 20_000_000,
        warmup_requests: 2,
        warmup_max_ns: 60 * SECOND,
        duration_ns: Some(50_000_000),
        requests: None,
    };
    let done = execute(
        &Schedule::Closed(closed),
        &settings(mock.address(), 1),
        &|_| Ask::tokens(2),
    );
    let window = done.outcome.window.expect("it was measured");
    assert!(window.start >= Offset(20_000_000));
    assert_eq!(window.end.since(window.start), 50_000_000);
    check_phases(&done, 2, count(&done, Phase::Measure));
    for record in &done.records {
        let is_drain = record.phase == Phase::Drain;
        assert_eq!(is_drain, record.intended >= window.end);
    }
}

#[test]
fn a_dead_target_ends_a_closed_loop_too() {
    let (_held, address) = dead_target();
    let done = execute(&schedule(2, 0, 4), &settings(address, 1), &|_| {
        Ask::tokens(1)
    });
    check_phases(&done, 0, 4);
    for record in done.records.iter().filter(|r| r.phase == Phase::Measure) {
        assert!(is_unreachable(record), "{record:?}");
    }
}

#[test]
fn slots_do_not_spin_on_a_dead_target() {
    for threads in [1, 2] {
        let (_held, address) = dead_target();
        let closed = ClosedSchedule {
            slots: 4,
            stride: 1,
            slice: Slice::WHOLE,
            warmup_ns: 0,
            warmup_requests: 0,
            warmup_max_ns: 60 * SECOND,
            duration_ns: Some(SECOND),
            requests: None,
        };
        let done = execute(
            &Schedule::Closed(closed),
            &settings(address, threads),
            &|_| Ask::tokens(1),
        );
        // 10, 20, 40 ms and so on, each cut short at random: at most nine steps in a second and a
        // thread, each with a request of every slot.
        assert!(
            done.records.len() <= 4 * 9 * threads,
            "{}",
            done.records.len()
        );
        let opened = done.outcome.health.threads.iter();
        let opened: u64 = opened.map(|t| t.connections_opened).sum();
        assert!(opened <= 16 * threads as u64, "{opened}");
        assert!(done.records.iter().all(is_unreachable));
    }
}
