//! What clients send wrong, over real sockets.

use crate::client::{Connection, chat_body, fast, start};
use infermeter_mock::{Config, MAX_BODY, MAX_HEAD, Preset, ServeError, spawn_in_thread};

#[test]
fn wrong_paths_methods_and_models_are_refused_and_the_connection_lives() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    assert_eq!(connection.get("/nowhere").status, 404);
    let wrong = connection.get("/v1/completions");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("POST")));
    let body = r#"{"model":"gpt-\u001b[2J","messages":[{"role":"user","content":"a"}]}"#;
    let refused = connection.chat("", body);
    assert_eq!(refused.status, 404);
    let error = &refused.json()["error"];
    assert_eq!(
        (&error["type"], &error["code"]),
        (&"NotFoundError".into(), &404.into())
    );
    assert!(!error["message"].as_str().expect("text").contains('\u{1b}'));
    let missing = connection.chat("", "{}");
    assert_eq!(missing.status, 400);
    assert!(missing.body.contains("messages: field required"));
    assert_eq!(connection.chat("", &chat_body(false, 1)).status, 200);
}

#[test]
fn garbage_is_answered_and_the_connection_ended() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    connection.send(b"\x16\x03\x01 hello\r\n\r\n");
    assert_eq!(connection.response().expect("a response").status, 400);
    assert_eq!(connection.rest().expect("an end"), b"");
    let stats = mock.stop().expect("no error");
    assert_eq!((stats.bad_requests, stats.requests), (1, 0));
}

#[test]
fn oversized_heads_and_bodies_are_refused_before_they_are_read() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    let too_long = MAX_BODY + 1;
    connection.send(format!("POST / HTTP/1.1\r\ncontent-length: {too_long}\r\n\r\n").as_bytes());
    connection.send(&[b'x'; 100_000]);
    assert_eq!(connection.response().expect("a response").status, 413);
    connection.send(&[b'x'; 100_000]);
    assert_eq!(connection.rest().expect("an end"), b"");
    let mut connection = Connection::open(mock.address());
    connection.send(b"GET /");
    connection.send(&vec![b'a'; MAX_HEAD]);
    assert_eq!(connection.response().expect("a response").status, 431);
}

#[test]
fn unfinished_requests_have_so_much_room_together() {
    let mut config = fast();
    config.max_unserved = 1 << 20;
    let mock = start(config);
    // Half of a body each: the third one is too much, whichever way its length is told.
    let unfinished = |framing: &str| {
        let mut connection = Connection::open(mock.address());
        connection.send(format!("POST /v1/completions HTTP/1.1\r\n{framing}\r\n\r\n").as_bytes());
        if framing.starts_with("transfer") {
            connection.send(b"fffff\r\n");
        }
        connection.send(&vec![b'x'; 400_000]);
        connection
    };
    let mut probe = Connection::open(mock.address());
    let mut waiting = vec![];
    for framing in ["content-length: 800000", "transfer-encoding: chunked"] {
        waiting.push(unfinished(framing));
        // An answer on another connection means that the bytes before it have been read, or soon are.
        assert_eq!(probe.get("/health").status, 200);
    }
    let mut refused = 0;
    while refused == 0 {
        waiting.push(unfinished("content-length: 800000"));
        refused = probe.get("/admin/stats").json()["unserved_refusals"]
            .as_u64()
            .expect("a count");
    }
    let mut last = waiting.pop().expect("one");
    assert_eq!(last.response().expect("a response").status, 503);
    // Room comes back when the others go.
    drop(waiting);
    let mut again = Connection::open(mock.address());
    assert_eq!(again.chat("", &chat_body(false, 1)).status, 200);
    let stats = mock.stop().expect("no error");
    assert!(stats.unserved_refusals >= 1 && stats.bad_requests >= stats.unserved_refusals);
}

#[test]
fn a_waiting_client_is_told_to_continue() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    let body = chat_body(false, 1);
    let length = body.len();
    connection.send(
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nexpect: 100-continue\r\n\
             content-length: {length}\r\n\r\n"
        )
        .as_bytes(),
    );
    assert_eq!(connection.head().expect("an interim response").status, 100);
    connection.send(body.as_bytes());
    assert_eq!(connection.response().expect("a response").status, 200);
}

#[test]
fn a_client_that_leaves_frees_its_slot() {
    let mut config = fast();
    config.max_num_seqs = Some(1);
    let mock = start(config);
    {
        let mut leaving = Connection::open(mock.address());
        leaving.post("/v1/chat/completions", "", &chat_body(true, 1_000_000));
        assert_eq!(leaving.head().expect("a head").status, 200);
        leaving.chunk().expect("a first token");
    }
    let mut next = Connection::open(mock.address());
    assert_eq!(next.chat("", &chat_body(true, 3)).texts().len(), 3);
    let stats = mock.stop().expect("no error");
    assert_eq!((stats.disconnects, stats.finished), (1, 1));
    assert_eq!(stats.gauges.running.max(), 1);
}

#[test]
fn a_client_that_reads_nothing_is_disconnected_at_the_limit() {
    let mut config = fast();
    config.step = Some("1us".parse().expect("a span"));
    let mock = start(config);
    let mut lazy = Connection::open(mock.address());
    lazy.post(
        "/v1/chat/completions",
        "x-mock-fault: endless\r\n",
        &chat_body(true, 1),
    );
    let mut other = Connection::open(mock.address());
    // The other client is served while the lazy one's buffers fill.
    let cut = (0..500).any(|_| {
        assert_eq!(other.chat("", &chat_body(true, 5_000)).texts().len(), 5_000);
        lazy.is_cut()
    });
    assert!(cut);
    let stats = mock.stop().expect("no error");
    assert_eq!(stats.slow_readers, 1);
}

#[test]
fn ten_thousand_idle_connections_do_not_disturb() {
    let wanted = 10_000;
    // Both ends of each connection are this process's.
    let limit = infermeter_sys::limits::raise_fd_limit(2 * wanted + 1_000);
    let possible = (limit.saturating_sub(1_000) / 2).min(wanted);
    let mock = start(fast());
    let idle: Vec<_> = (0..possible)
        .map(|_| Connection::open(mock.address()))
        .collect();
    let mut connection = Connection::open(mock.address());
    assert_eq!(connection.chat("", &chat_body(true, 3)).texts().len(), 3);
    let open = &connection.get("/admin/stats").json()["open_connections"];
    assert_eq!(*open, possible + 1);
    drop(idle);
    while connection.get("/admin/stats").json()["open_connections"] != 1 {}
    assert_eq!(mock.stop().expect("no error").connections, possible + 1);
}

#[test]
fn more_connections_than_allowed_wait_their_turn() {
    let mut config = fast();
    config.max_connections = 1;
    let mock = start(config);
    let mut first = Connection::open(mock.address());
    assert_eq!(first.get("/health").status, 200);
    let mut second = Connection::open(mock.address());
    second.post("/v1/chat/completions", "", &chat_body(false, 1));
    drop(first);
    assert_eq!(second.response().expect("a response").status, 200);
}

#[test]
fn what_cannot_start_says_why() {
    let mock = start(fast());
    let mut taken = fast();
    taken.port = mock.address().port();
    let error = spawn_in_thread(taken).expect_err("port in use");
    let message = format!(
        "cannot listen on {}: the port is in use: choose another one, or 0 for a free one",
        mock.address()
    );
    assert_eq!(error.to_string(), message);
    let mut timed = Config::new(Preset::parse("null").expect("a preset"));
    timed.ttft = Some("1ms".parse().expect("a span"));
    assert!(matches!(spawn_in_thread(timed), Err(ServeError::Config(_))));
    let mut nowhere = fast();
    nowhere.truth = Some("/nonexistent/truth.jsonl".into());
    assert!(matches!(
        spawn_in_thread(nowhere),
        Err(ServeError::Truth { .. })
    ));
}
