//! When a run begins that is ready: at once, at an instant that others agreed on, or never.

use crate::engine_support::end;
use crate::support::{Ask, MS, SECOND, arrivals, execute_begun, fixed, settings, start};
use infermeter_core::clock::realtime_ns;
use infermeter_core::record::{Outcome, Reason};
use infermeter_core::schedule::Schedule;
use infermeter_runner::{Begin, RunError};

fn four() -> Schedule {
    Schedule::Open(arrivals(&[0, 5, 10, 20], 0, 4))
}

fn one_token(_: u64) -> Ask {
    Ask::tokens(1)
}

#[test]
fn a_run_that_nobody_waits_for_begins_at_once() {
    let mock = start(fixed("1ms", "1ms"));
    let mut asked = 0;
    let begin = &mut || {
        asked += 1;
        Ok(Begin::Now)
    };
    let done = execute_begun(&four(), &settings(mock.address(), 2), &one_token, begin);
    assert_eq!(done.expect("begun").outcome.late_ns, None);
    assert_eq!(asked, 1, "asked once");
}

#[test]
fn a_run_begins_at_the_instant_that_was_agreed_on() {
    let mock = start(fixed("1ms", "1ms"));
    let mut settings = settings(mock.address(), 1);
    // What is opened ahead is too old at the origin, and opened again before.
    settings.engine.keepalive = 1_100 * MS;
    let mut at = 0;
    let begin = &mut || {
        at = realtime_ns() + 1_300 * MS;
        Ok(Begin::At(at))
    };
    let done = execute_begun(&four(), &settings, &one_token, begin).expect("begun");
    let outcome = done.outcome;
    assert_eq!(outcome.clock.realtime_origin_ns, at);
    assert_eq!(outcome.late_ns, Some(0));
    assert_eq!(done.records.len(), 4);
    let opened: u64 = outcome
        .health
        .threads
        .iter()
        .map(|t| t.connections_opened)
        .sum();
    assert!(
        opened >= 2 * settings.open_ahead as u64,
        "{opened} connections opened"
    );
}

#[test]
fn an_instant_that_has_passed_is_now_and_the_lateness_is_told() {
    let mock = start(fixed("1ms", "1ms"));
    let begin = &mut || Ok(Begin::At(realtime_ns() - 5 * SECOND));
    let done = execute_begun(&four(), &settings(mock.address(), 2), &one_token, begin);
    let done = done.expect("begun");
    let late = done.outcome.late_ns.expect("asked for");
    assert!(late >= 5 * SECOND, "{late}");
    let completed = (Outcome::Completed, None);
    assert!(done.records.iter().all(|record| end(record) == completed));
}

#[test]
fn a_run_that_does_not_begin_leaves_no_record() {
    let mock = start(fixed("1ms", "1ms"));
    let begin = &mut || Err("rank 3 never came".to_owned());
    let done = execute_begun(&four(), &settings(mock.address(), 2), &one_token, begin);
    let error = done.expect_err("refused");
    assert!(matches!(&error, RunError::Unbegun(why) if why == "rank 3 never came"));
    assert_eq!(mock.stop().expect("no error").generations, 0);
}

#[test]
fn a_run_that_is_stopped_before_it_begins_sends_nothing() {
    let mock = start(fixed("1ms", "1ms"));
    let begin = &mut || Ok(Begin::Stopped);
    let done = execute_begun(&four(), &settings(mock.address(), 2), &one_token, begin);
    let done = done.expect("stopped");
    let not_sent = (Outcome::NotSent, Some(Reason::Interrupted));
    assert!(done.records.iter().all(|record| end(record) == not_sent));
    assert_eq!(done.records.len(), 4);
    assert!(done.outcome.progress.interrupted);
    assert_eq!(mock.stop().expect("no error").generations, 0);
}
