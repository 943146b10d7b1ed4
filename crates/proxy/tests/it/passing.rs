//! What passes, passes unchanged and at once.

use crate::server::{Client, GET, Message, PATIENCE, Server, Then, post, until};
use crate::sides::{Running, settings, upstream};
use infermeter_core::record::StampSource;
use infermeter_proxy::{Outcome, Seen, Upstream};
use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::channel;

/// Pieces of many sizes, the same ones each time.
fn pieces(seed: u64) -> Vec<Vec<u8>> {
    let mut state = seed;
    let mut next = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let most = [3, 40, 5_000, 40_000][seed as usize % 4];
    let count = 1 + next(30);
    (0..count)
        .map(|_| {
            let len = 1 + next(most);
            (0..len).map(|_| next(256) as u8).collect()
        })
        .collect()
}

fn chunked(pieces: &[Vec<u8>], stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Case: kept\r\n\r\n")?;
    for piece in pieces {
        write!(stream, "{:x}\r\n", piece.len())?;
        stream.write_all(piece)?;
        stream.write_all(b"\r\n")?;
    }
    stream.write_all(b"0\r\n\r\n")
}

fn sized(pieces: &[Vec<u8>], stream: &mut TcpStream) -> std::io::Result<()> {
    let length: usize = pieces.iter().map(Vec::len).sum();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nX-Case: kept\r\nContent-Length: {length}\r\n\r\n"
    )?;
    pieces.iter().try_for_each(|piece| stream.write_all(piece))
}

fn until_close(pieces: &[Vec<u8>], stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nX-Case: kept\r\nConnection: close\r\n\r\n")?;
    pieces.iter().try_for_each(|piece| stream.write_all(piece))
}

fn check_seen(seen: &Seen, expect: &[u8]) {
    let side = &seen.primary;
    assert_eq!(side.outcome, Outcome::Complete, "{:?}", side.problem);
    assert_eq!(
        (side.status, side.body_len),
        (Some(200), expect.len() as u64)
    );
    let kept: Vec<u8> = side.pieces.iter().flat_map(|p| p.bytes.to_vec()).collect();
    assert_eq!(kept, expect);
    let mut last = side.head.expect("a head").at;
    assert!(side.sent_first.is_some() && side.sent_first <= side.sent_last);
    for piece in &side.pieces {
        let written = piece.written.expect("the user took it");
        assert!(piece.stamp.at >= last && written >= piece.stamp.at);
        assert!(piece.stamp.lower <= piece.stamp.at && piece.stamp.at <= piece.stamp.seen);
        last = piece.stamp.at;
    }
    assert_eq!(side.closed, last);
}

#[test]
fn answers_pass_byte_for_byte_whatever_their_shape() {
    type Shape = fn(&[Vec<u8>], &mut TcpStream) -> std::io::Result<()>;
    let shapes: [(Shape, Then); 3] = [
        (chunked, Then::Stays),
        (sized, Then::Stays),
        (until_close, Then::Closes),
    ];
    for (shape, then) in shapes {
        let server = Server::start(move |message, stream| {
            let seed: u64 = String::from_utf8_lossy(&message.body)
                .parse()
                .expect("a seed");
            match shape(&pieces(seed), stream) {
                Ok(()) => then,
                Err(_) => Then::Closes,
            }
        });
        let running = Running::start(settings(upstream(&server)));
        let mut client = Client::connect(running.address());
        for seed in 0..24 {
            let answer = client.ask(&post(&seed.to_string()));
            let expect = pieces(seed).concat();
            assert!(answer.is_whole && answer.body == expect, "seed {seed}");
            assert!(answer.head.contains("X-Case: kept"), "{}", answer.head);
            check_seen(&running.next(), &expect);
        }
        let counts = running.handle.counts();
        assert_eq!((counts.completed, counts.connections), (24, 1));
        assert_eq!(counts.request_dwell.count, 24);
        let kept = || {
            let counts = running.handle.counts();
            (counts.now_requests, counts.now_kept_bytes)
        };
        until(|| kept() == (0, 0));
    }
}

#[test]
fn answers_with_trailers_are_whole_without_them() {
    let server = Server::saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n",
    );
    let running = Running::start(settings(upstream(&server)));
    let mut client = Client::connect(running.address());
    for te in ["", "TE: trailers\r\n"] {
        let answer = client.ask(&format!("GET / HTTP/1.1\r\nHost: a\r\n{te}\r\n"));
        assert!(answer.is_whole && answer.body == b"ok", "{answer:?}");
        check_seen(&running.next(), b"ok");
    }
    assert_eq!(running.handle.counts().primary_connections, 1);
}

#[test]
fn chunks_say_where_an_answer_ends_whatever_length_stands_beside_them() {
    let server = Server::saying(
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nall of it\r\n0\r\n\r\n",
    );
    let running = Running::start(settings(upstream(&server)));
    let answer = Client::connect(running.address()).ask(GET);
    assert_eq!(answer.header("content-length"), None);
    assert!(answer.is_whole && answer.body == b"all of it", "{answer:?}");
    check_seen(&running.next(), b"all of it");
}

#[test]
fn a_piece_passes_before_the_next_one_is_made() {
    let (go_on, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let server = Server::start(move |_, stream| {
        let wait = wait.lock().expect("no panic");
        let mut write = || -> std::io::Result<()> {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            for n in 0..20 {
                if wait.recv_timeout(PATIENCE).is_err() {
                    return Ok(());
                }
                stream.write_all(format!("8\r\ndata: {n:02}\r\n").as_bytes())?;
            }
            stream.write_all(b"0\r\n\r\n")
        };
        match write() {
            Ok(()) => Then::Stays,
            Err(_) => Then::Closes,
        }
    });
    let running = Running::start(settings(upstream(&server)));
    let mut client = Client::connect(running.address());
    client.send(GET);
    client.read_past("\r\n\r\n");
    for n in 0..20 {
        go_on.send(()).expect("it waits");
        client.read_past(&format!("data: {n:02}\r\n"));
    }
    assert_eq!(client.read_past("0\r\n\r\n"), "0\r\n\r\n");
    let seen = running.next();
    assert_eq!(seen.primary.pieces.len(), 20);
    let counts = running.handle.counts();
    assert_eq!((counts.events, counts.event_dwell.count), (20, 20));
}

fn upload(send: impl Fn(&mut Client)) -> (Message, Seen) {
    let server = Server::named("ok");
    let running = Running::start(settings(upstream(&server)));
    let mut client = Client::connect(running.address());
    send(&mut client);
    assert_eq!(client.answer().expect("an answer").body, b"ok");
    let asked = server.asked().pop().expect("it was asked");
    (asked, running.next())
}

#[test]
fn uploads_pass_in_every_form() {
    let text = "x".repeat(200_000);
    let (asked, seen) = upload(|client| client.send(&post(&text)));
    assert_eq!(asked.body, text.as_bytes());
    assert_eq!(seen.body.bytes.as_deref(), Some(text.as_bytes()));
    let (asked, seen) = upload(|client| {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        client.send("4;ext=1\r\ndefg\r\n0\r\n\r\n");
    });
    assert_eq!(
        (asked.body.as_slice(), seen.body.len),
        (b"abcdefg".as_slice(), 7)
    );
    assert!(asked.is_whole && asked.header("transfer-encoding").is_some());
    assert!(seen.last_byte_in >= Some(seen.first_byte_in));
    let (asked, seen) = upload(|client| {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n");
        client.send("Trailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n");
    });
    assert!(asked.is_whole, "trailers are left out");
    assert_eq!(asked.body, b"abc");
    assert_eq!(seen.body.bytes.as_deref(), Some(b"abc".as_slice()));
    let (asked, _) = upload(|client| {
        client.send(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        );
        assert_eq!(client.answer().expect("the interim answer").status(), 100);
        client.send("hi");
    });
    assert_eq!(
        (asked.body.as_slice(), asked.header("expect")),
        (b"hi".as_slice(), None)
    );
}

#[test]
fn requests_name_the_upstream_and_the_proxy() {
    let server = Server::named("ok");
    let with_base = Upstream {
        base: "/base".to_owned(),
        ..upstream(&server)
    };
    let running = Running::start(settings(with_base));
    let mut client = Client::connect(running.address());
    client.ask(
        "GET /v1/x?key=canary HTTP/1.1\r\nHost: user\r\nX-Keep: 1\r\nConnection: x-hop\r\nX-Hop: 1\r\nTE: trailers\r\n\r\n",
    );
    let asked = server.asked().pop().expect("it was asked");
    assert_eq!(asked.first_line(), "GET /base/v1/x?key=canary HTTP/1.1");
    let host = format!("127.0.0.1:{}", server.address.port());
    assert_eq!(asked.header("host"), Some(host.as_str()));
    assert_eq!(asked.header("via"), Some("1.1 infermeter"));
    assert_eq!(asked.header("x-keep"), Some("1"));
    assert_eq!((asked.header("x-hop"), asked.header("te")), (None, None));
    let seen = running.next();
    assert_eq!(seen.path, "/v1/x");
    assert!(!format!("{seen:?}").contains("canary"), "{seen:?}");
}

#[test]
fn no_key_reaches_what_is_seen() {
    let server = Server::saying(
        "HTTP/1.1 200 OK\r\nSet-Cookie: canary\r\nX-Token: canary\r\nContent-Length: 2\r\n\r\nok",
    );
    let running = Running::start(settings(upstream(&server)));
    let mut client = Client::connect(running.address());
    client.ask(
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer canary\r\nx-api-key: canary\r\napi-key: canary\r\nCookie: canary\r\nX-Goog-Api-Key: canary\r\nUser-Agent: me\r\n\r\n",
    );
    let asked = server.asked().pop().expect("it was asked");
    assert_eq!(asked.header("authorization"), Some("Bearer canary"));
    let seen = running.next();
    assert!(!format!("{seen:?}").contains("canary"), "{seen:?}");
    assert!(
        seen.headers
            .iter()
            .any(|h| h.name == "user-agent" && h.value == "me")
    );
}

#[test]
fn connections_are_used_again_and_say_so() {
    let server = Server::named("ok");
    let running = Running::start(settings(upstream(&server)));
    let mut client = Client::connect(running.address());
    let seen: Vec<Seen> = (0..3)
        .map(|_| {
            client.ask(GET);
            running.next()
        })
        .collect();
    let opened: Vec<bool> = seen.iter().map(|s| s.primary.new_connection).collect();
    assert_eq!(opened, [true, false, false]);
    assert!(seen[0].primary.connected.is_some() && seen[1].primary.connected.is_none());
    assert_eq!(seen.iter().map(|s| s.number).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(running.handle.counts().primary_connections, 1);
    // Where the kernel gives stamps to one, it gives them to all.
    let stamped: Vec<StampSource> = seen.iter().map(|s| s.stamp_source).collect();
    assert!(
        stamped.windows(2).all(|two| two[0] == two[1]),
        "{stamped:?}"
    );
}

#[test]
fn answers_without_a_body_end_at_their_head() {
    let server = Server::start(|message, stream| {
        let answer: &[u8] = match message.first_line().split(' ').next() {
            Some("HEAD") => b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n",
            Some("PUT") => b"HTTP/1.1 304 Not Modified\r\n\r\n",
            _ => b"HTTP/1.1 204 No Content\r\n\r\n",
        };
        match stream.write_all(answer) {
            Ok(()) => Then::Stays,
            Err(_) => Then::Closes,
        }
    });
    let running = Running::start(settings(upstream(&server)));
    let mut client = Client::connect(running.address());
    for (method, status) in [("HEAD", 200), ("PUT", 304), ("DELETE", 204)] {
        client.send(&format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        let head = client.read_past("\r\n\r\n");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        let side = running.next().primary;
        assert_eq!(
            (side.outcome, side.status),
            (Outcome::Complete, Some(status))
        );
    }
}
