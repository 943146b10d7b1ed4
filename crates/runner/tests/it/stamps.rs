//! Instants against the simulator's truth: only orders that hold on any machine, however busy.

use crate::support::{Ask, MS, arrivals, execute, fixed, request_id, settings, start};
use infermeter_core::clock::Clock;
use infermeter_core::record::{Outcome, RequestRecord, StampSource};
use infermeter_core::schedule::Schedule;
use infermeter_mock::truth::{self, TruthRequest};

/// The two clocks' pairing and the simulator's own stamps may be apart by this.
const SLACK_NS: i64 = MS;

/// One record against its truth, every token of which was a write of its own. Returns how many
/// chunks have a lower bound that is past the next token's write, and so past their own arrival.
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
        wrong += usize::from(next.is_some_and(|next| lower > next + SLACK_NS));
    }
    wrong
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
    let (mut wrong, mut chunks) = (0, 0);
    for record in &done.records {
        let id = request_id(record.id);
        let served = truth.requests.iter().find(|r| r.request_id == id);
        let served = served.expect("the server knows it");
        wrong += check(record, served, &done.outcome.clock);
        chunks += record.chunks.len();
    }
    // On loopback a segment is stamped before it is delivered. Where the machine starves softirqs
    // a socket can look empty meanwhile, so that single bounds come out late.
    assert!(wrong * 2 < chunks, "{wrong} of {chunks} lower bounds");
    if done.outcome.health.kernel_stamps {
        let kernel = |r: &RequestRecord| r.stamp_source == Some(StampSource::Kernel);
        assert!(done.records.iter().all(kernel));
        let health = done.outcome.health.threads.iter();
        assert_eq!(health.map(|h| h.reads_without_stamp).sum::<u64>(), 0);
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
