//! Instants against the simulator's truth: only orders that hold on any machine, however busy.

use crate::support::{Ask, MS, arrivals, execute, fixed, request_id, settings, start};
use infermeter_core::clock::Clock;
use infermeter_core::record::{Outcome, RequestRecord, StampSource};
use infermeter_core::schedule::Schedule;
use infermeter_mock::truth::{self, TruthRequest};

/// The two clocks' pairing and the simulator's own stamps may be apart by this.
const SLACK_NS: i64 = MS;

/// One record against its truth, every token of which was a write of its own. How many chunks
/// have a lower bound that their arrival contradicts, because the next token was written before.
fn check(record: &RequestRecord, truth: &TruthRequest, clock: &Clock) -> usize {
    assert_eq!(record.outcome, Outcome::Completed);
    assert_eq!(record.chunks.len(), truth.tokens_ns.len());
    let send_start = clock.monotonic_at(record.send_start.expect("sent"));
    assert!(truth.arrival_ns >= send_start - SLACK_NS);
    let mut wrong = 0;
    for (i, chunk) in record.chunks.iter().enumerate() {
        let at = clock.monotonic_at(chunk.at);
        let written = truth.tokens_ns[i];
        assert!(at >= written - SLACK_NS, "chunk {i} before its write");
        let lower = clock.monotonic_at(chunk.lower);
        let next = truth.tokens_ns.get(i + 1);
        let served = served.expect("the server knows it");
        wrong += check(record, served, &done.outcome.clock);
    }
    // On loopback a segment is stamped before it is delivered. Where the machine starves softirqs
    // a socket can look empty meanwhile, so single bounds may come out late.
    let chunks: usize = done.records.iter().map(|r| r.chunks.len()).sum();
    assert!(wrong * 2 < chunks, "{wrong} of {chunks} lower bounds");
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
