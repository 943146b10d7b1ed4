//! Each fault, as a client sees it.

use crate::client::{Connection, Response, chat_body, fast, start};

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
    config.faults = vec!["status=503@every:3".parse().expect("a rule")];
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    let statuses: Vec<_> = (0..6)
        .map(|_| connection.chat("", &chat_body(true, 1)).status)
        .collect();
    assert_eq!(statuses, [200, 200, 503, 200, 200, 503]);
}

/// A stream's body, whatever its lines are.
fn raw(connection: &mut Connection, fault: &str) -> String {
    whole(connection, fault).body
}

#[test]
fn streams_with_other_lines_come_whole() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    let plain = raw(&mut connection, "comments").replace(": keep-alive\n\n", "");
    assert_eq!(plain.matches("\"content\":\" ").count(), 6);
    let pinged = raw(&mut connection, "pings");
    assert_eq!(
        pinged
            .matches("event: ping\ndata: {\"type\":\"ping\"}\n\n")
            .count(),
        9
    );
    assert!(raw(&mut connection, "line-ends=crlf").ends_with("data: [DONE]\r\n\r\n"));
    assert!(raw(&mut connection, "line-ends=cr").ends_with("data: [DONE]\r\r"));
    let doubled = raw(&mut connection, "duplicate-chunks");
    assert_eq!(doubled.matches("\"content\":\" ").count(), 12);
    for fault in ["bad-json", "no-blank-line", "no-data-prefix"] {
        let body = raw(&mut connection, &format!("malformed={fault}"));
        assert!(body.ends_with("data: [DONE]\n\n"), "{fault}");
        let good = body.split("\n\n").filter(|event| {
            event.strip_prefix("data: {").is_some_and(|json| {
                serde_json::from_str::<serde_json::Value>(&format!("{{{json}")).is_ok()
            })
        });
        // Of the role, six tokens and usage; without its blank line an event spoils its neighbour.
        let expected = if fault == "no-blank-line" { 6 } else { 7 };
        assert_eq!(good.count(), expected, "{fault}");
    }
    assert_eq!(mock.stop().expect("no error").finished, 8);
}

#[test]
fn answers_end_early_late_or_otherwise() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    let finish = |response: &Response| {
        let chunks = response.chunks();
        let mut reasons = chunks
            .iter()
            .filter_map(|c| c["choices"][0]["finish_reason"].as_str());
        let reason = reasons.next_back().unwrap_or("").to_owned();
        let last = chunks.last().expect("events");
        (
            response.texts().len(),
            reason,
            last["usage"]["completion_tokens"].as_u64(),
        )
    };
    let early = finish(&whole(&mut connection, "early-stop=2"));
    assert_eq!(
        early,
        (2, "stop".to_owned(), Some(3)),
        "the end token counts"
    );
    let late = finish(&whole(&mut connection, "extra-tokens=4"));
    assert_eq!(late, (10, "length".to_owned(), Some(10)));
    let filtered = finish(&whole(&mut connection, "content-filter=3"));
    assert_eq!(filtered, (3, "content_filter".to_owned(), Some(3)));
    let truncated = finish(&whole(&mut connection, "truncate-after=3"));
    assert_eq!(truncated, (3, String::new(), None));
}

#[test]
fn bytes_one_by_one_are_the_same_bytes() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    for fault in ["byte-wise", "byte-wise=1us"] {
        let response = whole(&mut connection, fault);
        assert_eq!(
            (response.texts().len(), response.chunks().len()),
            (6, 8),
            "{fault}"
        );
    }
    assert_eq!(mock.stop().expect("no error").finished, 2);
}

#[test]
fn a_pause_holds_the_stream_and_lets_it_go() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("truth.jsonl");
    let mut config = fast();
    config.truth = Some(path.clone());
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    for fault in ["stall=2:80ms", "slow-head=80ms", "stall=0:80ms"] {
        let response = whole(&mut connection, fault);
        assert_eq!(response.texts().len(), 6, "{fault}");
    }
    // A pause holds up nobody else.
    let mut paused = Connection::open(mock.address());
    ask(&mut paused, "slow-head=1h");
    assert_eq!(connection.chat("", &chat_body(true, 6)).texts().len(), 6);
    assert!(!paused.has_bytes());
    drop(paused);
    let stats = mock.stop().expect("no error");
    assert_eq!((stats.finished, stats.disconnects), (4, 1));
    let truth = infermeter_mock::truth::read(&path).expect("a whole log");
    let pause_ns = 80_000_000;
    let stalled = &truth.requests[0].tokens_ns;
    assert!(stalled[2] - stalled[1] >= pause_ns, "{stalled:?}");
    for request in &truth.requests[1..3] {
        assert!(request.tokens_ns[0] - request.arrival_ns >= pause_ns);
    }
}

#[test]
fn a_connection_can_be_cut_by_time() {
    let mock = start(fast());
    let mut cut = Connection::open(mock.address());
    let header = "x-mock-fault: disconnect-at=20ms\r\n";
    cut.post("/v1/chat/completions", header, &chat_body(true, 1_000_000));
    assert_eq!(cut.head().expect("a head").status, 200);
    let rest = String::from_utf8(cut.rest().expect("an orderly end")).expect("text");
    assert!(!rest.ends_with("0\r\n\r\n"));
    let mut reset = Connection::open(mock.address());
    let header = "x-mock-fault: reset-at=20ms\r\n";
    reset.post("/v1/chat/completions", header, &chat_body(true, 1_000_000));
    let error = reset.rest().expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    // An answer that is over before is not cut.
    let mut quick = Connection::open(mock.address());
    let header = "x-mock-fault: disconnect-at=1h\r\n";
    assert_eq!(quick.chat(header, &chat_body(true, 3)).texts().len(), 3);
    let stats = mock.stop().expect("no error");
    assert_eq!((stats.faulted, stats.finished), (2, 1));
}

#[test]
fn rules_are_tried_in_order_and_a_header_wins() {
    let mut config = fast();
    let rules = ["status=503@nth:2", "status=429@every:2", "status=500@1h.."];
    config.faults = rules
        .iter()
        .map(|rule| rule.parse().expect("a rule"))
        .collect();
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    let statuses: Vec<_> = (0..4)
        .map(|_| connection.chat("", &chat_body(true, 1)).status)
        .collect();
    assert_eq!(statuses, [200, 503, 200, 429]);
    connection.chat("", &chat_body(true, 1));
    assert_eq!(whole(&mut connection, "status=404").status, 404);
    let misspelt = whole(&mut connection, "disconect-after=1");
    assert!(misspelt.body.contains("did you mean `disconnect-after`?"));
}
