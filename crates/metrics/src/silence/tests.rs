//! Planted silences.

use super::*;
use crate::fixture::{Run, facts, ms};
use infermeter_core::record::RequestRecord;
use infermeter_core::run::RunLog;

/// Ten requests a second for 20 s: 30 tokens of 10 ms each behind 40 ms.
fn quiet() -> Run {
    let mut run = Run::open(10.0, 20);
    for at in (0..20_000).step_by(100) {
        // Not in lockstep with one another.
        run.stream(at + at * 7 % 90, ms(40), ms(10), 30);
    }
    run
}

fn found(log: &RunLog) -> Silences {
    let window = log.manifest.window.expect("a window");
    let mut arrivals = Arrivals::new(window);
    log.records.iter().for_each(|record| arrivals.add(record));
    silences(&facts(log).requests, &arrivals, window, Prompts::Alike)
}

fn later(record: &mut RequestRecord, moved: impl Fn(Offset) -> Offset) {
    for chunk in &mut record.chunks {
        chunk.at = moved(chunk.at);
    }
    record.finished = record.finished.map(&moved);
    record.closed = record.closed.map(&moved);
}

/// What should have come from `at_ms` on for `length_ms` comes at its end.
fn hold_back(run: &mut Run, at_ms: i64, length_ms: i64) {
    let start = run.manifest().window.expect("a window").start;
    let (from, to) = (start.plus(ms(at_ms)), start.plus(ms(at_ms + length_ms)));
    let held = |at: Offset| if at > from && at < to { to } else { at };
    run.records().iter_mut().for_each(|r| later(r, held));
}

/// The clock of the server stands still.
fn freeze(run: &mut Run, at_ms: i64, length_ms: i64) {
    let start = run.manifest().window.expect("a window").start;
    let (from, end) = (start.plus(ms(at_ms)), start.plus(ms(at_ms + length_ms)));
    for record in run.records() {
        // Whoever is sent meanwhile is served behind it.
        let sent = record.intended;
        let late = match sent {
            sent if sent <= from => ms(length_ms),
            sent => end.since(sent).max(0),
        };
        later(record, |at| if at > from { at.plus(late) } else { at });
    }
}

#[test]
fn a_quiet_run_has_no_silence() {
    let found = found(&quiet().build());
    assert_eq!(found.freezes, []);
    assert_eq!((found.hangs.examined, found.hangs.requests), (200, 0));
}

#[test]
fn freezes_are_found_with_instant_length_and_requests() {
    for (length, requests) in [(300, 4..9), (2_000, 20..28)] {
        for plant in [freeze, hold_back] {
            let mut run = quiet();
            plant(&mut run, 5_003, length);
            let log = run.build();
            let start = log.manifest.window.expect("a window").start;
            let found = found(&log);
            assert_eq!(found.freezes.len(), 1, "{found:?}");
            let freeze = found.freezes[0];
            assert!(freeze.from.since(start.plus(ms(5_003))).abs() < ms(20));
            assert!(
                (freeze.length_ns() - ms(length)).abs() < ms(60),
                "{freeze:?}"
            );
            assert!(requests.contains(&freeze.requests), "{freeze:?}");
            assert_eq!(found.hangs.requests, 0, "{found:?}");
        }
    }
}

#[test]
fn a_server_that_dies_is_silent_to_the_end() {
    let mut run = quiet();
    let start = run.manifest().window.expect("a window").start;
    let dead = start.plus(ms(15_000));
    for record in run.records() {
        if record.closed.is_some_and(|closed| closed > dead) {
            record.chunks.retain(|chunk| chunk.at < dead);
            record.outcome = infermeter_core::record::Outcome::TimedOut;
            record.closed = Some(record.intended.plus(ms(60_000)));
        }
    }
    let log = run.build();
    let freezes = found(&log).freezes;
    assert_eq!(freezes.len(), 1, "{freezes:?}");
    assert_eq!(freezes[0].to, log.manifest.window.expect("a window").end);
}

#[test]
fn one_request_in_twenty_hangs() {
    for chunk in [0, 10] {
        let mut run = quiet();
        for record in run.records().iter_mut().step_by(20) {
            let from = record.chunks[chunk].at;
            later(record, |at| if at >= from { at.plus(ms(800)) } else { at });
        }
        let found = found(&run.build());
        assert_eq!(found.freezes, []);
        assert_eq!(found.hangs.requests, 10, "{found:?}");
        assert_eq!(
            found.hangs.before_first_token,
            if chunk == 0 { 10 } else { 0 }
        );
        assert!(found.hangs.are_many());
    }
}

#[test]
fn time_without_load_is_no_silence() {
    let mut run = Run::open(0.2, 60);
    for at in (0..60_000).step_by(5_000) {
        run.stream(at, ms(40), ms(10), 30);
    }
    assert_eq!(found(&run.build()).freezes, []);
}

#[test]
fn a_prefill_that_holds_up_the_others_is_none() {
    let mut run = Run::open(10.0, 20);
    for at in (0..20_000).step_by(2_000) {
        // A prompt whose prefill takes 600 ms, while a stream is in the middle of its answer.
        run.stream(at, ms(600), ms(10), 30);
        run.stream(at - 200, ms(40), ms(10), 60)
            .pause_before(17, ms(600));
    }
    for record in run.records().iter_mut() {
        record.requested_prompt_tokens = match record.chunks.len() {
            30 => 8_000,
            _ => 100,
        };
    }
    assert_eq!(
        found(&run.build()),
        Silences {
            hangs: Hangs {
                examined: 20,
                ..Hangs::default()
            },
            ..Silences::default()
        }
    );
}
