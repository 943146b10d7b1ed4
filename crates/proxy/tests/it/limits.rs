//! Users who are slow, too many, or take nothing; bodies that are not kept.

use crate::server::{Client, GET, Server, Then, post, until};
use crate::sides::{Running, settings, shadow, shadowed, upstream};
use infermeter_proxy::{Limits, Outcome, Settings, Upstream};
use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

fn limited(server: &Server, limits: Limits) -> Running {
    Running::start(Settings {
        limits,
        ..settings(upstream(server))
    })
}

const SHORT: Duration = Duration::from_millis(40);

#[test]
fn heads_that_do_not_end_are_given_up() {
    let server = Server::named("ok");
    let limits = Limits {
        head_time: SHORT,
        ..Limits::default()
    };
    let running = limited(&server, limits);
    let mut client = Client::connect(running.address());
    assert_eq!(client.ask(GET).status(), 200);
    client.send("GET / HTTP/1.1\r\nHost:");
    let answer = client.answer().expect("a refusal");
    assert_eq!((answer.status(), client.rest().0.len()), (408, 0));
    assert_eq!(running.handle.counts().users_too_slow, 1);
}

#[test]
fn uploads_that_stop_or_never_end_are_given_up() {
    let server = Server::named("ok");
    let stopping = Limits {
        user_silence: SHORT,
        ..Limits::default()
    };
    let running = limited(&server, stopping);
    let mut client = Client::connect(running.address());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!(client.answer().expect("a refusal").status(), 408);
    let seen = running.next();
    assert_eq!(
        (seen.primary.outcome, seen.last_byte_in),
        (Outcome::ClientTooSlow, None)
    );
    assert_eq!(running.handle.counts().users_too_slow, 1);
    let endless = Limits {
        upload_time: SHORT,
        ..Limits::default()
    };
    let running = limited(&server, endless);
    let mut client = Client::connect(running.address());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    while client.stream.write_all(b"1\r\nx\r\n").is_ok() {
        std::thread::sleep(Duration::from_millis(5));
        if running.handle.counts().users_too_slow > 0 {
            break;
        }
    }
    assert_eq!(running.next().primary.outcome, Outcome::ClientTooSlow);
}

#[test]
fn a_primary_that_stops_reading_an_upload_is_no_fault_of_the_user() {
    // Accepts by its backlog alone, and never reads.
    let deaf = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = deaf.local_addr().expect("bound").port();
    let limits = Limits {
        head_wait: Duration::from_millis(300),
        upload_time: Duration::from_secs(3),
        ..Limits::default()
    };
    let running = Running::start(Settings {
        limits,
        ..settings(Upstream::resolve("127.0.0.1", port).expect("an address"))
    });
    let mut client = Client::connect(running.address());
    // More than all buffers on the way hold.
    let request = post(&"x".repeat(48 << 20));
    let sender = std::thread::spawn(move || client.stream.write_all(request.as_bytes()));
    let seen = running.next();
    assert_eq!(seen.primary.outcome, Outcome::UpstreamTooSlow);
    let counts = running.handle.counts();
    assert_eq!((counts.gateway_timeout, counts.users_too_slow), (1, 0));
    // What still came may have been thrown away behind the answer, or cut off.
    let _ = sender.join().expect("no panic");
}

#[test]
fn connections_without_a_request_are_closed_in_silence() {
    let server = Server::named("ok");
    let limits = Limits {
        idle_time: SHORT,
        ..Limits::default()
    };
    let running = limited(&server, limits);
    let mut client = Client::connect(running.address());
    assert_eq!(client.ask(GET).status(), 200);
    assert_eq!(client.rest().0, b"");
    assert_eq!(running.handle.counts().users_too_slow, 0);
}

#[test]
fn a_user_who_takes_nothing_is_cut_off_and_holds_up_nobody() {
    // More than all buffers on the way hold.
    let server = Server::start(|message, stream| {
        let size: usize = if message.first_line().contains("big") {
            64 << 20
        } else {
            2
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n");
        let body = vec![b'x'; size];
        match stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(&body))
        {
            Ok(()) => Then::Stays,
            Err(_) => Then::Closes,
        }
    });
    let limits = Limits {
        user_silence: Duration::from_millis(200),
        kept_bytes: 1 << 20,
        ..Limits::default()
    };
    let running = limited(&server, limits);
    let mut stuck = Client::connect(running.address());
    stuck.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    until(|| running.handle.counts().events > 0);
    let mut other = Client::connect(running.address());
    assert_eq!(other.ask(GET).status(), 200);
    let both = [running.next(), running.next()];
    let seen = both.into_iter().max_by_key(|seen| seen.primary.body_len);
    let seen = seen.expect("two of them");
    assert_eq!(seen.primary.outcome, Outcome::ClientTooSlow);
    // It was held back at the primary, not in the proxy.
    assert!(
        seen.primary.body_len < 48 << 20,
        "{}",
        seen.primary.body_len
    );
    assert!(!seen.primary.kept && seen.primary.pieces.is_empty());
    server.wait_gone(1);
}

#[test]
fn connections_beyond_the_limit_are_told() {
    let server = Server::named("ok");
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let running = limited(&server, limits);
    let mut two = [0, 1].map(|_| Client::connect(running.address()));
    for client in &mut two {
        assert_eq!(client.ask(GET).status(), 200);
    }
    let mut third = Client::connect(running.address());
    assert_eq!(third.answer().expect("a refusal").status(), 503);
    drop(two);
    until(|| running.handle.counts().now_connections == 0);
    assert_eq!(Client::connect(running.address()).ask(GET).status(), 200);
    assert_eq!(running.handle.counts().connections_refused, 1);
}

#[test]
fn bodies_beyond_the_limit_pass_and_are_not_kept() {
    let server = Server::named(&"y".repeat(5_000));
    let limits = Limits {
        kept_bytes: 4_000,
        ..Limits::default()
    };
    let running = limited(&server, limits);
    let mut client = Client::connect(running.address());
    assert_eq!(client.ask(&post(&"x".repeat(5_000))).body.len(), 5_000);
    let seen = running.next();
    assert_eq!((seen.body.len, seen.body.bytes), (5_000, None));
    assert_eq!((seen.primary.body_len, seen.primary.kept), (5_000, false));
    assert_eq!(running.handle.counts().bodies_not_kept, 2);
}

#[test]
fn what_was_seen_keeps_its_room_until_the_observer_lets_it_go() {
    let (server, other) = (Server::named("primary"), Server::named("shadow"));
    let limits = Limits {
        kept_bytes_together: 1_000,
        ..Limits::default()
    };
    let running = Running::start(Settings {
        limits,
        ..shadowed(upstream(&server), shadow(upstream(&other)))
    });
    let mut client = Client::connect(running.address());
    let body = "x".repeat(600);
    assert_eq!(client.ask(&post(&body)).status(), 200);
    until(|| running.handle.counts().observed == 1);
    let least = (body.len() + "primary".len() + "shadow".len()) as u64;
    assert!(running.handle.counts().now_kept_bytes >= least);
    // It waits, and the next one finds no room.
    assert_eq!(client.ask(&post(&body)).status(), 200);
    let first = running.next();
    assert_eq!(first.body.bytes.as_deref(), Some(body.as_bytes()));
    let second = running.next();
    assert_eq!((second.body.len, &second.body.bytes), (600, &None));
    drop((first, second));
    until(|| running.handle.counts().now_kept_bytes == 0);
}
