//! The truth log against its own laws. Nothing here depends on how fast the machine is: planned
//! instants are exact lower bounds.

use crate::client::{Connection, chat_body, fast, start};
use infermeter_core::clock::monotonic_ns;
use infermeter_mock::truth::{self, ArrivalSource, RequestEnd};

const MS: i64 = 1_000_000;

#[test]
fn the_truth_log_joins_by_request_id_and_obeys_the_fixed_law() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("truth.jsonl");
    let mut config = fast();
    config.ttft = Some("50ms".parse().expect("a span"));
    config.step = Some("20ms".parse().expect("a span"));
    config.truth = Some(path.clone());
    let mock = start(config);
    let before_ns = monotonic_ns();
    let mut connections: Vec<_> = (0..20).map(|_| Connection::open(mock.address())).collect();
    for (index, connection) in connections.iter_mut().enumerate() {
        let header = format!("x-request-id: run-{index}\r\n");
        connection.post("/v1/chat/completions", &header, &chat_body(true, 5));
    }
    for connection in &mut connections {
        assert_eq!(connection.response().expect("a response").texts().len(), 5);
    }
    connections[0].chat(
        "x-request-id: bad\r\nx-mock-fault: status=500\r\n",
        &chat_body(true, 1),
    );
    let stats = mock.stop().expect("no error");
    let after_ns = monotonic_ns();

    let truth = truth::read(&path).expect("a whole log");
    assert_eq!(truth.header.preset, "fixed");
    assert_eq!(truth.requests.len(), 21);
    for request in &truth.requests[..20] {
        assert!(request.request_id.starts_with("run-"));
        assert!(request.finished && !request.disconnect);
        assert_eq!((request.status, request.end), (200, RequestEnd::Finished));
        assert_eq!((request.output_tokens, request.tokens_ns.len()), (5, 5));
        assert_eq!(request.prompt_tokens, Some(5 + 11));
        assert!(request.arrival_ns > before_ns - MS && request.arrival_ns <= request.seen_ns);
        // The first boundary at or after arrival + TTFT, then every boundary: never earlier.
        let first_ns = (request.arrival_ns + 50 * MS + 20 * MS - 1) / (20 * MS) * (20 * MS);
        for (index, at_ns) in request.tokens_ns.iter().enumerate() {
            assert!(*at_ns >= first_ns + index as i64 * 20 * MS);
            assert!(*at_ns < after_ns);
        }
    }
    let mut ids: Vec<_> = truth.requests.iter().map(|r| &r.request_id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 21);
    let bad = &truth.requests[20];
    assert_eq!(
        (bad.status, bad.end, bad.finished),
        (500, RequestEnd::Refused, false)
    );
    let summary = truth.summary.expect("a last line");
    assert_eq!((summary.generations, summary.tokens), (21, 100));
    assert_eq!(summary.max_in_flight, stats.max_in_flight);
    assert_eq!(summary.step_lateness_ns, stats.step_lateness_ns);
}

#[test]
fn what_does_not_finish_is_logged_as_such() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("truth.jsonl");
    let mut config = fast();
    config.truth = Some(path.clone());
    let mock = start(config);
    let mut cut = Connection::open(mock.address());
    let fault = "x-mock-fault: disconnect-after=2\r\n";
    cut.post("/v1/chat/completions", fault, &chat_body(true, 9));
    cut.rest().expect("an orderly end");
    let mut open = Connection::open(mock.address());
    open.post("/v1/chat/completions", "", &chat_body(true, 1_000_000));
    open.head().expect("a head");
    open.chunk().expect("a token");
    let stats = mock.stop().expect("no error");
    let truth = truth::read(&path).expect("a whole log");
    let ends: Vec<_> = truth.requests.iter().map(|r| r.end).collect();
    assert_eq!(ends, [RequestEnd::Fault, RequestEnd::Stopped]);
    assert_eq!(truth.requests[0].tokens_ns.len(), 2);
    assert!(!truth.requests[1].tokens_ns.is_empty());
    assert_eq!((stats.faulted, stats.stopped, stats.finished), (1, 1, 0));
    assert_eq!(
        truth.requests[0].arrival_source,
        truth.requests[1].arrival_source
    );
    assert!(matches!(
        truth.requests[0].arrival_source,
        ArrivalSource::Kernel | ArrivalSource::Program
    ));
}
