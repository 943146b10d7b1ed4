//! Each fault, as a client sees it.

use crate::client::{Connection, Response, chat_body, fast, start};
use infermeter_mock::{Fault, FaultRule, FaultShare};

fn ask(connection: &mut Connection, fault: &str) {
    let header = format!("x-mock-fault: {fault}\r\n");
    connection.post("/v1/chat/completions", &header, &chat_body(true, 6));
}

fn whole(connection: &mut Connection, fault: &str) -> Response {
    ask(connection, fault);
    connection.response().expect("a response")
}

#[test]
fn faults_that_leave_the_connection_usable() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    let limited = whole(&mut connection, "status=429");
    assert_eq!(
        (limited.status, limited.header("retry-after")),
        (429, Some("1"))
    );
    assert_eq!(limited.json()["error"]["code"], 429);
    let page = whole(&mut connection, "html=502");
    assert_eq!(
        (page.status, page.header("content-type")),
        (502, Some("text/html"))
    );
    assert_eq!(
        whole(&mut connection, "status=307").header("location"),
        Some("/v1/models")
    );
    assert!(
        whole(&mut connection, "escaped-error")
            .body
            .contains("\\u001b[2J")
    );
    let json = whole(&mut connection, "json-instead-of-stream");
    assert_eq!(json.json()["usage"]["completion_tokens"], 6);
    assert_eq!(whole(&mut connection, "coalesce=4").texts().len(), 2);
    assert_eq!(whole(&mut connection, "multi-event=4").texts().len(), 6);
    assert_eq!(whole(&mut connection, "empty").texts().len(), 0);
    let broken = whole(&mut connection, "in-band-error-after=2");
    assert_eq!(broken.texts().len(), 2);
    assert_eq!(
        broken.chunks().last().expect("an event")["error"]["code"],
        500
    );
    assert!(!whole(&mut connection, "no-done").body.contains("[DONE]"));
    let big = whole(&mut connection, "oversized-event=9000000");
    assert_eq!(
        big.texts()[0].len(),
        9_000_000 + big.texts()[0].find('x').expect("padding")
    );
    let padded = whole(&mut connection, "oversized-head=100000");
    assert_eq!(
        padded.headers.iter().filter(|h| h.0 == "x-padding").count(),
        98
    );
    let unknown = whole(&mut connection, "explode");
    assert_eq!(unknown.status, 400);
    assert!(unknown.body.contains("unknown fault `explode`"));
    let stats = mock.stop().expect("no error");
    assert_eq!((stats.refused, stats.finished), (5, 8));
}

#[test]
fn faults_that_end_the_connection() {
    let mock = start(fast());
    let open = || Connection::open(mock.address());

    let mut cut = open();
    ask(&mut cut, "disconnect-after=3");
    assert_eq!(cut.head().expect("a head").status, 200);
    let rest = String::from_utf8(cut.rest().expect("an orderly end")).expect("text");
    assert_eq!(rest.matches("\"content\":\" ").count(), 3);
    assert!(!rest.contains("finish_reason\":\"") && !rest.ends_with("0\r\n\r\n"));

    let mut silent = open();
    ask(&mut silent, "disconnect-after=0");
    assert_eq!(silent.rest().expect("an orderly end"), b"");

    let mut reset = open();
    ask(&mut reset, "reset-after=0");
    let error = reset.rest().expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);

    let mut short = open();
    ask(&mut short, "bad-length");
    let error = short.response().expect_err("fewer bytes than announced");
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);

    assert_eq!(mock.stop().expect("no error").faulted, 4);
}

#[test]
fn a_stalled_stream_keeps_its_connection_and_frees_its_slot() {
    let mut config = fast();
    config.max_num_seqs = Some(1);
    let mock = start(config);
    let mut stalled = Connection::open(mock.address());
    ask(&mut stalled, "stall-after=2");
    assert_eq!(stalled.head().expect("a head").status, 200);
    for _ in 0..3 {
        assert!(stalled.chunk().expect("role and two tokens").is_some());
    }
    let mut other = Connection::open(mock.address());
    assert_eq!(other.chat("", &chat_body(true, 50)).texts().len(), 50);
    assert!(!stalled.has_bytes());
    drop(stalled);
    assert_eq!(mock.stop().expect("no error").disconnects, 1);
}

#[test]
fn a_rule_strikes_requests_without_a_header() {
    let mut config = fast();
    config.faults = Some(FaultRule {
        fault: Fault::Status(503),
        share: FaultShare::EveryNth(3),
    });
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    let statuses: Vec<_> = (0..6)
        .map(|_| connection.chat("", &chat_body(true, 1)).status)
        .collect();
    assert_eq!(statuses, [200, 200, 503, 200, 200, 503]);
}
