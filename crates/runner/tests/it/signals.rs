//! Ctrl-C once, twice, and before the start. Signals are counted per process and for ever, so the
//! test runs in a process of its own: this program again, with this test alone.

use crate::engine_support::end;
use crate::sessions::{Talk, begins};
use crate::support::{
    Ask, Asked, MS, SECOND, arrivals, execute, execute_asked, execute_begun, execute_watched,
    fixed, prepare, settings, spec, start,
};
use infermeter_client::prepared::Prepared;
use infermeter_core::clock::{Offset, realtime_ns};
use infermeter_core::record::{Outcome, Reason};
use infermeter_core::request::{FollowUp, RequestSpec, Turn, Waited};
use infermeter_core::schedule::{ArrivalIds, OpenSchedule, Schedule};
use infermeter_runner::Begin;
use infermeter_sys::signals;
use rustix::process::{Signal, getpid, kill_process};
use std::process::Command;
use std::sync::Arc;

const CHILD: &str = "INFERMETER_TEST_SIGNALS";

#[test]
fn signals_stop_a_run_by_degrees() {
    in_a_process_of_its_own("signals_stop_a_run_by_degrees", || {
        interrupt_twice();
        start_after_a_signal();
    });
}

#[test]
fn signals_inside_sessions() {
    in_a_process_of_its_own("signals_inside_sessions", interrupt_sessions);
}

#[test]
fn a_signal_ends_the_wait_for_an_agreed_start() {
    in_a_process_of_its_own("a_signal_ends_the_wait_for_an_agreed_start", || {
        let mock = start(fixed("1ms", "1ms"));
        let schedule = Schedule::Open(arrivals(&[0, 0, 0], 0, 2));
        let begin = &mut || {
            interrupt();
            Ok(Begin::At(realtime_ns() + 3_600 * SECOND))
        };
        let settings = settings(mock.address(), 2);
        let done = execute_begun(&schedule, &settings, &|_| Ask::tokens(1), begin);
        let done = done.expect("stopped");
        let not_sent = (Outcome::NotSent, Some(Reason::Interrupted));
        assert!(done.records.iter().all(|record| end(record) == not_sent));
        assert!(done.outcome.progress.interrupted);
        assert_eq!(mock.stop().expect("no error").generations, 0);
    });
}

#[test]
fn what_waits_for_a_failed_and_a_cut_request_is_counted_once() {
    in_a_process_of_its_own(
        "what_waits_for_a_failed_and_a_cut_request_is_counted_once",
        interrupt_joined,
    );
}

/// Runs `body` in this program once more, with the test `name` alone.
fn in_a_process_of_its_own(name: &str, body: fn()) {
    if std::env::var_os(CHILD).is_some() {
        signals::count_from_now().expect("handlers");
        body();
        return;
    }
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", &format!("signals::{name}")])
        .env(CHILD, "1")
        .output()
        .expect("started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}

fn interrupt() {
    kill_process(getpid(), Signal::INT).expect("a signal to oneself");
}

fn interrupt_twice() {
    let mock = start(fixed("300ms", "1ms"));
    let mut settings = settings(mock.address(), 1);
    settings.engine.max_connections = 4;
    // Four are sent, of which the last never ends; two wait for a connection; two are never due.
    let open = arrivals(&[0, 0, 0, 0, 0, 0, 3_600_000, 3_600_000], 0, 8);
    let ask = |id| Ask::tokens(if id == 3 { 1_000_000 } else { 5 });
    let mut signals = 0;
    let done = execute_watched(&Schedule::Open(open), &settings, &ask, &mut |progress| {
        // Sent and waiting for a connection; then the ends of three that were in flight, and of
        // the two that were given up.
        let due = match signals {
            0 => progress.sent == 6,
            1 => progress.stopping && progress.done == 5,
            _ => false,
        };
        if due {
            interrupt();
            signals += 1;
        }
    });
    assert_eq!(signals, 2);
    let ends: Vec<_> = done.records.iter().map(end).collect();
    let completed = (Outcome::Completed, None);
    let cancelled = (Outcome::Cancelled, Some(Reason::Interrupted));
    let not_sent = (Outcome::NotSent, Some(Reason::Interrupted));
    let expected = [vec![completed; 3], vec![cancelled], vec![not_sent; 4]].concat();
    assert_eq!(ends, expected);
    assert!(done.outcome.progress.interrupted);
    assert_eq!(done.outcome.progress.drain_not_reached, 0);
}

/// Three sessions of three turns: the user of the first thinks, the second turn of which is due
/// inside the window; the answer to the second one's first turn never ends; the third never begins.
fn interrupt_sessions() {
    let mock = start(fixed("1ms", "1ms"));
    let talk = Talk {
        turns: 3,
        delay_ns: 3_600 * SECOND,
        pause_ns: 0,
        ask: &|id| Ask::tokens(if id == 3 { 1_000_000 } else { 1 }),
    };
    let schedule = begins(&[0, 0, 7_000_000], 0, 3, 3, 7_200_000);
    let mut signals = 0;
    let settings = settings(mock.address(), 2);
    let done = talk.execute(&schedule, &settings, &mut |progress| {
        let due = match signals {
            0 => progress.done == 1,
            1 => progress.stopping,
            _ => false,
        };
        if due {
            interrupt();
            signals += 1;
        }
    });
    let ends: Vec<_> = done.records.iter().map(|r| (r.id, end(r))).collect();
    let interrupted = Some(Reason::Interrupted);
    let expected = [
        (0, (Outcome::Completed, None)),
        (1, (Outcome::NotSent, interrupted)),
        (3, (Outcome::Cancelled, interrupted)),
        (6, (Outcome::NotSent, interrupted)),
    ];
    assert_eq!(ends, expected);
    let closed = done.records[0].closed.expect("answered");
    assert_eq!(done.records[1].intended, closed.plus(talk.delay_ns));
    assert_eq!(done.records[1].parent, Some(0));
    // The first one's third turn, and two of the second.
    assert_eq!(done.outcome.progress.drain_not_reached, 3);
}

fn start_after_a_signal() {
    let mock = start(fixed("1ms", "1ms"));
    let open = arrivals(&[0, 0, 0], 0, 2);
    let done = execute(&Schedule::Open(open), &settings(mock.address(), 2), &|_| {
        Ask::tokens(1)
    });
    let not_sent = (Outcome::NotSent, Some(Reason::Interrupted));
    assert!(done.records.iter().all(|record| end(record) == not_sent));
    assert_eq!(done.records.len(), 2);
    assert_eq!(done.outcome.progress.drain_not_reached, 1);
    assert_eq!(mock.stop().expect("no error").generations, 0);
}

/// Requests 1 and 2 wait for 0, 3 for 1, and 4 for both 3 and 2: 1 fails, and 2 never ends.
fn interrupt_joined() {
    let mock = start(fixed("2ms", "1ms"));
    let ask = |id: u64| match id {
        1 => Ask::tokens(1).with_fault("status=500"),
        2 => Ask::tokens(1_000_000),
        _ => Ask::tokens(2),
    };
    let turned = |id: u64| RequestSpec {
        turn: Some(Turn {
            session: 0,
            number: [0, 1, 1, 2, 3][id as usize],
        }),
        ..spec(id, ask(id))
    };
    let follow = |id: u64| FollowUp {
        id,
        delay_ns: 5 * MS,
        planned: None,
        further: u32::from(id == 4),
    };
    let next = |spec: &RequestSpec| match spec.id {
        0 => vec![follow(1), follow(2)],
        1 => vec![follow(3)],
        2 | 3 => vec![follow(4)],
        _ => Vec::new(),
    };
    let make = |id: u64, _: &[Arc<str>]| Prepared {
        spec: turned(id),
        waited: (id > 0).then(|| Waited {
            parent: [0, 0, 0, 1, 3][id as usize],
            planned: None,
        }),
        next: next(&turned(id)),
        ..prepare(id, ask(id))
    };
    let asked = Asked {
        make: &make,
        spec: &turned,
        next: &next,
    };
    let schedule = Schedule::Open(OpenSchedule {
        ids: ArrivalIds::Listed(vec![0]),
        window_end: Offset(3_600 * SECOND),
        ..arrivals(&[0], 0, 1)
    });
    let mut signals = 0;
    let settings = settings(mock.address(), 1);
    let done = execute_asked(&schedule, &settings, &asked, &mut |progress| {
        let due = match signals {
            0 => progress.sent >= 3 && progress.failed >= 1,
            1 => progress.stopping,
            _ => false,
        };
        if due {
            interrupt();
            signals += 1;
        }
    });
    let ends: Vec<_> = done.records.iter().map(|r| (r.id, end(r))).collect();
    let ended = (Outcome::NotSent, Some(Reason::SessionEnded));
    let expected = [
        (0, (Outcome::Completed, None)),
        (1, (Outcome::Failed, Some(Reason::HttpStatus))),
        (2, (Outcome::Cancelled, Some(Reason::Interrupted))),
        (3, ended),
        (4, ended),
    ];
    assert_eq!(ends, expected);
    assert_eq!(done.outcome.progress.drain_not_reached, 0);
}
