//! Instants against the simulator's truth: only orders that hold on any machine, however busy.

use crate::support::{Ask, MS, arrivals, execute, fixed, request_id, settings, start};
use infermeter_core::clock::Clock;
use infermeter_core::record::{Outcome, RequestRecord, StampSource};
use infermeter_core::schedule::Schedule;
use infermeter_mock::truth::{self, TruthRequest};

/// The two clocks' pairing and the simulator's own stamps may be apart by this.
const SLACK_NS: i64 = MS;

/// One record against its truth. Every token was a write of its own.
fn check(record: &RequestRecord, truth: &TruthRequest, clock: &Clock) {
    assert_eq!(record.outcome, Outcome::Completed);
    assert_eq!(record.chunks.len(), truth.tokens_ns.len());
    let send_start = clock.monotonic_at(record.send_start.expect("sent"));
    assert!(truth.arrival_ns >= send_start - SLACK_NS);
    for (i, chunk) in record.chunks.iter().enumerate() {
        let at = clock.monotonic_at(chunk.at);
        assert!(
            at >= truth.tokens_ns[i] - SLACK_NS,
            "chunk {i} before its write"
        );
        // What was written before the next token's write had arrived by then.
        if let Some(next) = truth.tokens_ns.get(i + 1) {
            let lower = clock.monotonic_at(chunk.lower);
            if lower > *next {
                eprintln!(
                    "LATE id {} chunk {i}/{}: lower-next {} at-lower {} seen-at {} read {} nextread {:?} write-gap {} at-write {}",
                    record.id,
                    record.chunks.len(),
                    lower - next,
                    chunk.at.since(chunk.lower),
                    chunk.seen.since(chunk.at),
                    chunk.read,
                    record
                        .chunks
                        .get(i + 1)
                        .map(|c| (c.read, c.lower.since(chunk.lower))),
                    next - truth.tokens_ns[i],
                    at - truth.tokens_ns[i]
                );
            }
            assert!(
                lower <= next + SLACK_NS,
                "chunk {i}: lower bound past its arrival"
            );
        }
    }
}

fn check_run(burn: i64, threads: usize) {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("truth.jsonl");
    let mut config = fixed("2ms", "2ms");
    config.truth = Some(log.clone());
    let mock = start(config);
    let mut settings = settings(mock.address(), threads);
    settings.engine.burn = burn;
    let at_ms: Vec<i64> = (0..40).map(|i| i / 2).collect();
    let schedule = Schedule::Open(arrivals(&at_ms, 0, 40));
    let done = execute(&schedule, &settings, &|id| Ask::tokens(10 + id as u32 % 30));
    mock.stop().expect("no error");
    let truth = truth::read(&log).expect("a whole log");
    for record in &done.records {
        let id = request_id(record.id);
        let served = truth.requests.iter().find(|r| r.request_id == id);
        check(
            record,
            served.expect("the server knows it"),
            &done.outcome.clock,
        );
    }
    if infermeter_sys::stamp::Sentinel::start().is_some() {
        let source = |r: &RequestRecord| r.stamp_source == Some(StampSource::Kernel);
        assert!(done.records.iter().all(source));
        assert_eq!(done.outcome.health.threads[0].reads_without_stamp, 0);
    }
}

#[test]
fn chunks_come_after_their_writes_and_not_before_their_lower_bounds() {
    check_run(0, 1);
    check_run(0, 2);
}

#[test]
fn a_busy_client_keeps_the_order() {
    check_run(MS / 5, 1);
}
