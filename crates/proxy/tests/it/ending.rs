//! Ends that are not the answer's own: the primary's, the user's, the proxy's.

use crate::server::{Client, GET, PATIENCE, Server, Then, post, until};
use crate::sides::{Running, nobody, settings, shadow, shadowed, upstream};
use infermeter_proxy::{HalfClosed, Limits, Outcome, Proxy, Settings};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

const BEGUN: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";

/// A primary that begins an answer and then does as told.
fn beginning(then: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Server {
    Server::start(move |_, stream| {
        let _ = stream.write_all(BEGUN);
        then(stream);
        Then::Closes
    })
}

/// Holds a connection until the other side ends it.
fn hold(stream: &mut TcpStream) {
    let mut rest = [0; 64];
    while matches!(stream.read(&mut rest), Ok(1..)) {}
}

#[test]
fn a_primary_that_dies_within_an_answer_leaves_what_it_gave_and_a_cut() {
    let server = beginning(|_| ());
    let running = Running::start(settings(upstream(&server)));
    for _ in 0..20 {
        let mut client = Client::connect(running.address());
        let answer = client.ask(GET);
        assert_eq!(
            (answer.status(), answer.body.as_slice()),
            (200, b"first".as_slice())
        );
        assert!(!answer.is_whole, "a cut is no end");
        assert_eq!(running.next().primary.outcome, Outcome::CutWithinAnswer);
    }
    // An answer that ends with its connection needs a reset to be seen as cut.
    let mut client = Client::connect(running.address());
    client.send("GET / HTTP/1.0\r\n\r\n");
    let (bytes, end) = client.rest();
    assert!(
        bytes.ends_with(b"first"),
        "{:?}",
        String::from_utf8_lossy(&bytes)
    );
    assert_eq!(
        end.map_err(|e| e.kind()),
        Err(std::io::ErrorKind::ConnectionReset)
    );
    assert_eq!(running.handle.counts().cut_by_primary, 21);
}

#[test]
fn a_primary_that_gives_nothing_is_told_by_502() {
    let silent = Server::start(|_, _| Then::Closes);
    let noise = Server::saying("220 this is no HTTP\r\n\r\n");
    let coded = Server::saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    );
    for (primary, outcome) in [
        (nobody(), Outcome::ConnectFailed),
        (upstream(&silent), Outcome::ClosedBeforeAnswer),
        (upstream(&noise), Outcome::BadAnswer),
        (upstream(&coded), Outcome::BadAnswer),
    ] {
        let running = Running::start(settings(primary));
        let mut client = Client::connect(running.address());
        assert_eq!(client.ask(&post("x")).status(), 502, "{outcome:?}");
        let side = running.next().primary;
        assert_eq!((side.outcome, side.status), (outcome, None));
        assert!(side.problem.is_some());
        // The connection goes on.
        assert_eq!(client.ask(GET).status(), 502);
    }
}

#[test]
fn a_primary_that_is_too_slow_is_told_by_504_and_within_an_answer_by_a_cut() {
    let limits = Limits {
        head_wait: Duration::from_millis(50),
        upstream_silence: Duration::from_millis(50),
        ..Limits::default()
    };
    let silent = Server::start(|_, stream| {
        hold(stream);
        Then::Closes
    });
    let running = Running::start(Settings {
        limits: limits.clone(),
        ..settings(upstream(&silent))
    });
    let mut client = Client::connect(running.address());
    assert_eq!(client.ask(GET).status(), 504);
    assert_eq!(running.next().primary.outcome, Outcome::UpstreamTooSlow);
    // Nobody works for a request that is over.
    silent.wait_gone(1);
    let stalled = beginning(hold);
    let running = Running::start(Settings {
        limits,
        ..settings(upstream(&stalled))
    });
    let answer = Client::connect(running.address()).ask(GET);
    assert_eq!(
        (answer.body.as_slice(), answer.is_whole),
        (b"first".as_slice(), false)
    );
    running.next();
    let counts = running.handle.counts();
    assert_eq!((counts.stalled_by_primary, counts.gateway_timeout), (1, 0));
}

#[test]
fn a_user_who_goes_away_ends_the_request_at_the_primary() {
    let streaming = beginning(hold);
    let running = Running::start(settings(upstream(&streaming)));
    let mut client = Client::connect(running.address());
    client.send(GET);
    client.read_past("first\r\n");
    drop(client);
    streaming.wait_gone(1);
    let seen = running.next();
    assert_eq!(
        (seen.primary.outcome, seen.primary.body_len),
        (Outcome::ClientGone, 5)
    );
    let waiting = Server::start(|_, stream| {
        hold(stream);
        Then::Closes
    });
    let running = Running::start(settings(upstream(&waiting)));
    let mut client = Client::connect(running.address());
    client.send(GET);
    until(|| waiting.asked().len() == 1);
    drop(client);
    waiting.wait_gone(1);
    let seen = running.next();
    assert_eq!(
        (seen.primary.outcome, seen.primary.status),
        (Outcome::ClientGone, None)
    );
    assert_eq!(running.handle.counts().users_gone, 1);
}

#[test]
fn a_user_who_goes_away_within_an_upload_ends_it() {
    let server = Server::named("ok");
    let running = Running::start(settings(upstream(&server)));
    let mut client = Client::connect(running.address());
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nonly this");
    until(|| running.handle.counts().requests == 1);
    drop(client);
    let seen = running.next();
    assert_eq!(
        (seen.primary.outcome, seen.last_byte_in),
        (Outcome::ClientGone, None)
    );
    assert_eq!(seen.body.bytes, None);
    server.wait_gone(1);
    assert!(server.asked().iter().all(|message| !message.is_whole));
}

#[test]
fn a_half_closed_user_is_gone_or_served_as_the_settings_say() {
    let slow = || {
        Server::start(|_, stream| {
            std::thread::sleep(Duration::from_millis(30));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            Then::Stays
        })
    };
    for (half_closed, expect) in [(HalfClosed::Gone, None), (HalfClosed::Reading, Some(200))] {
        let server = slow();
        let running = Running::start(Settings {
            half_closed,
            ..settings(upstream(&server))
        });
        let mut client = Client::connect(running.address());
        client.send(GET);
        client.stream.shutdown(Shutdown::Write).expect("a socket");
        assert_eq!(client.answer().map(|a| a.status()), expect);
        running.next();
    }
}

#[test]
fn a_drain_ends_what_is_open_and_takes_nothing_new() {
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let server = beginning(move |stream| {
        let _ = wait.lock().expect("no panic").recv_timeout(PATIENCE);
        let _ = stream.write_all(b"0\r\n\r\n");
    });
    let Running { handle, seen } = Running::start(shadowed(
        upstream(&server),
        shadow(upstream(&Server::named("shadow"))),
    ));
    let address = handle.address();
    let mut idle = Client::connect(address);
    let mut open = Client::connect(address);
    open.send(GET);
    open.read_past("first\r\n");
    let draining = std::thread::spawn(move || handle.drain(PATIENCE));
    // The idle one is closed in order, the new one is refused, the open one ends.
    assert_eq!(idle.rest().0, b"");
    until(|| TcpStream::connect(address).is_err());
    go_on.send(()).expect("it waits");
    assert_eq!(open.read_past("0\r\n\r\n"), "0\r\n\r\n");
    let drained = draining.join().expect("no panic");
    assert_eq!((drained.ended, drained.cut), (1, 0));
    let last = seen.recv_timeout(PATIENCE).expect("the request");
    assert_eq!(last.primary.outcome, Outcome::Complete);
    assert_eq!(
        last.shadow.map(|side| side.outcome),
        Some(Outcome::Complete)
    );
    assert_eq!(
        seen.recv_timeout(PATIENCE),
        Err(RecvTimeoutError::Disconnected)
    );
}

#[test]
fn a_drain_cuts_off_what_does_not_end() {
    let server = beginning(hold);
    let Running { handle, seen } = Running::start(settings(upstream(&server)));
    let mut open = Client::connect(handle.address());
    open.send(GET);
    open.read_past("first\r\n");
    let drained = handle.drain(Duration::from_millis(20));
    assert_eq!((drained.ended, drained.cut), (0, 1));
    let cut = seen.recv_timeout(PATIENCE).expect("the request");
    assert_eq!(cut.primary.outcome, Outcome::Drained);
    server.wait_gone(1);
}

#[test]
fn a_reload_loses_no_request() {
    let servers = [Server::named("a"), Server::named("b")];
    let running = Running::start(settings(upstream(&servers[0])));
    let address = running.address();
    let users: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                (0..250).filter(|_| client.ask(GET).status() == 200).count()
            })
        })
        .collect();
    for round in 0..20 {
        until(|| running.handle.counts().requests >= round * 40);
        let to = upstream(&servers[(round as usize + 1) % 2]);
        running.handle.replace(to, None).expect("an upstream");
    }
    let served: usize = users
        .into_iter()
        .map(|user| user.join().expect("no panic"))
        .sum();
    assert_eq!(served, 1000);
    let asked = servers.map(|server| server.asked().len());
    assert_eq!(asked.iter().sum::<usize>(), 1000);
    assert!(asked.iter().all(|count| *count > 0), "{asked:?}");
}

#[test]
fn an_observer_without_room_is_counted_and_delays_nobody() {
    let server = Server::named("ok");
    let (sender, seen) = sync_channel(2);
    let handle = Proxy::start(settings(upstream(&server)), sender).expect("it starts");
    let mut client = Client::connect(handle.address());
    for _ in 0..10 {
        assert_eq!(client.ask(GET).status(), 200);
    }
    until(|| handle.counts().now_requests == 0);
    let counts = handle.counts();
    assert_eq!((counts.observed, counts.not_observed), (2, 8));
    drop(seen);
    assert_eq!(client.ask(GET).status(), 200);
}
