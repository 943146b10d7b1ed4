//! Open loops: arrivals, phases, one record for every request.

use crate::engine_support::{end, is_unreachable};
use crate::support::{Ask, arrivals, dead_target, execute, fixed, request_id, settings, start};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, Reason};
use infermeter_core::schedule::{Phase, Schedule};
use infermeter_mock::truth;
use std::collections::HashMap;

/// Tokens of the chat template that the simulator adds.
const TEMPLATE: u32 = 11;

fn by_id(id: u64) -> Ask {
    Ask {
        words: 1 + id as u32 % 37,
        ..Ask::tokens(1 + id as u32 % 5)
    }
}

#[test]
fn every_arrival_that_is_reached_has_one_record() {
    let at_ms: Vec<i64> = (0..2_000).map(|i| i * 2).collect();
    let open = arrivals(&at_ms, 10, 60);
    let schedule = Schedule::Open(open.clone());
    for threads in [1, 3] {
        let mock = start(fixed("3ms", "1ms"));
        let done = execute(&schedule, &settings(mock.address(), threads), &by_id);
        for record in &done.records {
            let id = record.id as usize;
            assert_eq!(record.phase, open.phase_of(id));
            assert_eq!(record.intended, open.arrivals[id]);
            assert_eq!(record.requested_prompt_tokens, by_id(record.id).words);
        }
        let ids: Vec<u64> = done.records.iter().map(|r| r.id).take(70).collect();
        assert!(
            ids.iter().copied().eq(0..70),
            "a measured request is missing"
        );
        let progress = &done.outcome.progress;
        assert_eq!(progress.scheduled + progress.drain_not_reached, 2_000);
        assert!(!progress.interrupted);
        for record in &done.records {
            let measured = record.phase != Phase::Drain;
            match end(record) {
                (Outcome::Completed, None) => {
                    let tokens = by_id(record.id).output_tokens;
                    assert_eq!(record.output_tokens, Some(tokens));
                    assert_eq!(record.chunk_token_sum(), Some(u64::from(tokens)));
                }
                (Outcome::Cancelled, Some(Reason::DrainEnded)) if !measured => {}
                other => panic!("{other:?} of {record:?}"),
            }
        }
        let window = done.outcome.window.expect("it was measured");
        assert_eq!(
            (window.start, window.end),
            (open.window_start, open.window_end)
        );
    }
}

#[test]
fn the_number_of_threads_changes_no_request() {
    let open = arrivals(&[0; 40], 0, 40);
    let schedule = Schedule::Open(open);
    for threads in [1, 2, 3] {
        let directory = tempfile::tempdir().expect("a directory");
        let mut config = fixed("1ms", "1ms");
        config.truth = Some(directory.path().join("truth.jsonl"));
        let log = config.truth.clone().expect("set");
        let mock = start(config);
        let done = execute(&schedule, &settings(mock.address(), threads), &by_id);
        mock.stop().expect("no error");
        assert_eq!(done.records.len(), 40);
        let truth = truth::read(&log).expect("a whole log");
        let served: HashMap<_, _> = truth
            .requests
            .iter()
            .map(|r| (r.request_id.clone(), (r.prompt_tokens, r.output_tokens)))
            .collect();
        assert_eq!(served.len(), 40);
        for id in 0..40 {
            let ask = by_id(id);
            let expected = (Some(ask.words + TEMPLATE), ask.output_tokens);
            assert_eq!(
                served[&request_id(id)],
                expected,
                "id {id}, {threads} threads"
            );
        }
    }
}

#[test]
fn a_request_waits_at_the_cap_and_keeps_its_intended_instant() {
    let mock = start(fixed("5ms", "1ms"));
    let mut settings = settings(mock.address(), 1);
    settings.engine.max_connections = 2;
    let at_ms: Vec<i64> = (0..12).map(|i| i / 4).collect();
    let open = arrivals(&at_ms, 0, 12);
    let done = execute(&Schedule::Open(open.clone()), &settings, &|_| {
        Ask::tokens(3)
    });
    assert_eq!(done.records.len(), 12);
    for record in &done.records {
        assert_eq!(record.outcome, Outcome::Completed);
        assert_eq!(record.intended, open.arrivals[record.id as usize]);
    }
    // First in, first out: the sends are in schedule order, and each but the first two waited for
    // one more answer to close.
    let sends: Vec<_> = done.records.iter().map(|r| r.send_start).collect();
    assert!(sends.is_sorted());
    let mut closed: Vec<_> = done.records.iter().map(|r| r.closed).collect();
    closed.sort();
    assert!(
        sends[2..]
            .iter()
            .zip(&closed)
            .all(|(send, closed)| send >= closed)
    );
    // Four were due at once.
    assert!(done.outcome.health.threads[0].waits_for_cap >= 2);
    assert!(mock.stop().expect("no error").max_in_flight <= 2);
}

#[test]
fn the_drain_ends_with_the_last_measured_request() {
    let mock = start(fixed("2ms", "1ms"));
    // Three measured and three drain arrivals are due at once, a last one in the far future.
    let mut open = arrivals(&[0, 0, 0, 0, 0, 0, 3_600_000], 0, 3);
    open.window_end = Offset(1);
    let endless = |id| Ask::tokens(if id < 3 { 4 } else { 1_000_000 });
    let done = execute(
        &Schedule::Open(open),
        &settings(mock.address(), 1),
        &endless,
    );
    let ends: Vec<_> = done.records.iter().map(end).collect();
    let completed = (Outcome::Completed, None);
    let cancelled = (Outcome::Cancelled, Some(Reason::DrainEnded));
    assert_eq!(ends, [[completed; 3], [cancelled; 3]].concat());
    assert_eq!(done.outcome.progress.drain_not_reached, 1);
    // The simulator sees the three go before it is stopped, or cuts them itself.
    let stats = mock.stop().expect("no error");
    assert_eq!((stats.finished, stats.disconnects + stats.stopped), (3, 3));
}

#[test]
fn a_dead_target_fails_every_request_and_loses_none() {
    let (_held, address) = dead_target();
    for threads in [1, 2] {
        let open = arrivals(&[0, 1, 2, 3, 4, 5], 2, 4);
        let done = execute(&Schedule::Open(open), &settings(address, threads), &|_| {
            Ask::tokens(1)
        });
        assert_eq!(done.records.len(), 6);
        for record in &done.records {
            assert!(is_unreachable(record), "{record:?}");
            assert!(record.sent.is_none() && record.connected.is_none());
        }
    }
}
