//! What is refused never reaches the upstream, and whoever asked is told why.

use crate::server::{Client, GET, Server, post, until};
use crate::sides::{Running, settings, upstream};
use infermeter_proxy::{Limits, Proxy, ProxyError, Reach, Settings};
use std::io::Write;
use std::sync::mpsc::sync_channel;

/// Requests that two servers may read differently, or that no server of this kind takes.
const SMUGGLED: [(&str, u16); 20] = [
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n Content-Length: 5\r\n\r\nhello",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 5\r\n\r\nhello",
        400,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nX: y\rContent-Length: 5\r\n\r\nhello",
        400,
    ),
    (
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("GET http://elsewhere/ HTTP/1.1\r\nHost: a\r\n\r\n", 421),
    ("CONNECT elsewhere:443 HTTP/1.1\r\nHost: a\r\n\r\n", 421),
    ("GET @elsewhere/ HTTP/1.1\r\nHost: a\r\n\r\n", 421),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("\x16\x03\x01\x02\x00\x01\x00\x01", 400),
];

#[test]
fn no_request_that_can_be_read_in_two_ways_reaches_the_primary() {
    let server = Server::named("ok");
    let running = Running::start(settings(upstream(&server)));
    for (raw, status) in SMUGGLED {
        let mut client = Client::connect(running.address());
        client.send(raw);
        let answer = client
            .answer()
            .unwrap_or_else(|| panic!("no answer to {raw:?}"));
        assert_eq!(answer.status(), status, "{raw:?}");
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(client.rest().0, b"", "nothing behind it: {raw:?}");
    }
    assert_eq!(server.asked(), []);
    let counts = running.handle.counts();
    assert_eq!(
        (counts.refused_malformed, counts.refused_open_proxy),
        (17, 3)
    );
    // It goes on serving.
    assert_eq!(Client::connect(running.address()).ask(GET).body, b"ok");
}

#[test]
fn a_bad_chunk_ends_an_upload_that_had_begun() {
    let server = Server::named("ok");
    let running = Running::start(settings(upstream(&server)));
    let mut client = Client::connect(running.address());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    until(|| running.handle.counts().requests == 1);
    client.send("5;x\n\r\nworld\r\n0\r\n\r\n");
    let answer = client.answer().expect("a refusal");
    assert_eq!((answer.status(), client.rest().0.len()), (400, 0));
    running.next();
    server.wait_gone(1);
    assert!(server.asked().iter().all(|message| !message.is_whole));
}

#[test]
fn what_stands_behind_a_sound_request_does_not_take_its_answer_away() {
    let server = Server::named("ok");
    let running = Running::start(settings(upstream(&server)));
    let mut client = Client::connect(running.address());
    client.send(&format!("{}{}BAD\u{7f}\r\n\r\n", post("one"), GET));
    let statuses: Vec<u16> = std::iter::from_fn(|| client.answer().map(|a| a.status())).collect();
    assert_eq!(statuses, [200, 200, 400]);
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn limits_on_what_comes_are_told_by_their_status() {
    let server = Server::named("ok");
    let limited = Settings {
        limits: Limits {
            head_bytes: 2_000,
            headers: 10,
            body_bytes: 10_000,
            ..Limits::default()
        },
        ..settings(upstream(&server))
    };
    let running = Running::start(limited);
    let ask = |raw: &str| {
        let mut client = Client::connect(running.address());
        // It may close before all is written.
        let _ = client.stream.write_all(raw.as_bytes());
        client.answer().expect("an answer").status()
    };
    let long = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "y".repeat(3_000)
    );
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(10));
    let chunk = "x".repeat(8_000);
    let chunks = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1f40\r\n{chunk}\r\n1f40\r\n{chunk}\r\n0\r\n\r\n"
    );
    assert_eq!(ask(&long), 431);
    assert_eq!(ask(&many), 431);
    assert_eq!(ask(&post(&"x".repeat(10_001))), 413);
    assert_eq!(ask(&chunks), 413);
    assert_eq!(ask(&post(&"x".repeat(10_000))), 200);
    until(|| running.handle.counts().now_connections == 0);
    let counts = running.handle.counts();
    assert_eq!(
        (counts.refused_head_too_large, counts.refused_body_too_large),
        (2, 2)
    );
}

#[test]
fn others_reach_it_only_where_that_was_said() {
    let server = Server::named("ok");
    let open = |reach| Settings {
        listen: "0.0.0.0:0".parse().expect("an address"),
        reach,
        ..settings(upstream(&server))
    };
    let refused = Proxy::start(open(Reach::Loopback), sync_channel(1).0);
    assert!(matches!(refused, Err(ProxyError::NotLoopback(_))));
    assert!(Proxy::start(open(Reach::Anyone), sync_channel(1).0).is_ok());
}
