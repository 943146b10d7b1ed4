//! Ctrl-C once, twice, and before the start. Signals are counted per process and for ever, so the
//! test runs in a process of its own: this program again, with this test alone.

use crate::engine_support::end;
use crate::support::{Ask, arrivals, execute, execute_watched, fixed, settings, start};
use infermeter_core::record::{Outcome, Reason};
use infermeter_core::schedule::Schedule;
use infermeter_sys::signals;
use rustix::process::{Signal, getpid, kill_process};
use std::process::Command;

const CHILD: &str = "INFERMETER_TEST_SIGNALS";

#[test]
fn signals_stop_a_run_by_degrees() {
    if std::env::var_os(CHILD).is_some() {
        signals::count_from_now().expect("handlers");
        interrupt_twice();
        start_after_a_signal();
        return;
    }
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "signals::signals_stop_a_run_by_degrees"])
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
