//! Ctrl-C once, twice, and before the start. Signals are counted per process and for ever, so the
//! test runs in a process of its own: this program again, with this test alone.

use crate::engine_support::end;
use crate::sessions::{Talk, begins};
use crate::support::{Ask, SECOND, arrivals, execute, execute_watched, fixed, settings, start};
use infermeter_core::record::{Outcome, Reason};
use infermeter_core::schedule::Schedule;
use infermeter_sys::signals;
use rustix::process::{Signal, getpid, kill_process};
use std::process::Command;

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
