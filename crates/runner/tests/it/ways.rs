//! The ways to servers: several addresses, sockets of the file system, proxies.

use crate::engine_support::{Driver, end, is_unreachable};
use crate::support::{Ask, dead_target, engine_config, fixed, start};
use crate::tls;
use infermeter_client::engine::{Address, Destinations, EngineConfig, Hop, Route, Sources, Tunnel};
use infermeter_client::tls::{Trust, tls_for};
use infermeter_core::plan::Balance;
use infermeter_core::record::{Outcome, Reason, RequestRecord, StampSource};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

fn config(routes: Vec<Route>, balance: Balance) -> EngineConfig {
    let mut routes = routes.into_iter();
    let first = routes.next().expect("a route");
    EngineConfig {
        to: Arc::new(Destinations::new(first, routes.collect(), balance)),
        ..engine_config(SocketAddr::from(([127, 0, 0, 1], 1)))
    }
}

fn straight(addresses: &[SocketAddr]) -> Vec<Route> {
    let to = |address: &SocketAddr| Route::to(*address, None);
    addresses.iter().map(to).collect()
}

fn places(records: &[RequestRecord]) -> Vec<Option<u32>> {
    records.iter().map(|r| r.address).collect()
}

fn text(record: &RequestRecord) -> &str {
    record.error.as_ref().map_or("", |error| &error.text)
}

#[test]
fn several_addresses_take_turns_and_keep_their_connections() {
    let (a, b) = (start(fixed("0s", "1ms")), start(fixed("0s", "1ms")));
    let routes = straight(&[a.address(), b.address()]);
    let mut driver = Driver::with(config(routes, Balance::RoundRobin));
    let records: Vec<_> = (0..6).map(|_| driver.exchange(Ask::tokens(2))).collect();
    assert!(records.iter().all(|r| r.outcome == Outcome::Completed));
    assert_eq!(places(&records), [0, 1, 0, 1, 0, 1].map(Some));
    assert_eq!(driver.engine.health().connections_opened, 2);
    let served = [a, b].map(|mock| mock.stop().expect("a good end").finished);
    assert_eq!(served, [3, 3]);
}

/// All of 127/8 is this host's; the block of the second is set aside for documentation, and nobody's.
const OURS: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 8)),
    IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 9)),
];
const NOBODYS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn coming_from(sources: &[IpAddr], to: SocketAddr) -> EngineConfig {
    let route = Route {
        sources: Sources::of(sources.iter().copied()),
        ..Route::to(to, None)
    };
    config(vec![route], Balance::RoundRobin)
}

#[test]
fn source_addresses_take_turns_and_one_without_ports_is_passed_over() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let to = listener.local_addr().expect("bound");
    let from = |sources: &[IpAddr]| {
        let mut driver = Driver::with(coming_from(sources, to));
        driver.engine.open_ahead(4).expect("it listens");
        let mut seen: Vec<IpAddr> = (0..4)
            .map(|_| listener.accept().expect("connected").1.ip())
            .collect();
        seen.sort_unstable();
        seen
    };
    let [a, b] = OURS;
    assert_eq!(from(&OURS), [a, a, b, b]);
    // A bind to it fails as a connect does for want of a port.
    assert_eq!(from(&[a, NOBODYS]), [a, a, a, a]);
}

#[test]
fn requests_without_a_local_port_say_so() {
    let mock = start(fixed("0s", "1ms"));
    let mut driver = Driver::with(coming_from(&[NOBODYS], mock.address()));
    let record = driver.exchange(Ask::tokens(1));
    let ports = (Outcome::Failed, Some(Reason::PortsExhausted));
    assert_eq!(end(&record), ports, "{record:?}");
    assert_eq!(
        driver.engine.connects_from(),
        None,
        "the server is not to blame"
    );
}

#[test]
fn an_address_that_is_down_keeps_its_turn_and_nothing_else() {
    let (_held, dead) = dead_target();
    let mock = start(fixed("0s", "1ms"));
    let routes = straight(&[mock.address(), dead]);
    let mut driver = Driver::with(config(routes, Balance::RoundRobin));
    let records: Vec<_> = (0..8).map(|_| driver.exchange(Ask::tokens(1))).collect();
    for record in &records {
        match record.address {
            Some(0) => assert_eq!(end(record), (Outcome::Completed, None)),
            _ => assert!(is_unreachable(record), "{record:?}"),
        }
    }
    assert_eq!(places(&records), [0, 1, 0, 1, 0, 1, 0, 1].map(Some));
    assert_eq!(driver.engine.connects_from(), None, "one address serves");
}

#[test]
fn the_least_busy_address_is_not_one_that_refuses() {
    let (_held, dead) = dead_target();
    let (slow, quick) = (start(fixed("10s", "1ms")), start(fixed("0s", "1ms")));
    let routes = straight(&[slow.address(), quick.address(), dead]);
    let mut driver = Driver::with(config(routes, Balance::LeastInFlight));
    driver.send(Ask::tokens(1));
    let waits_for = |n: usize| move |e: &infermeter_client::engine::Engine| e.in_flight() == n;
    for _ in 0..8 {
        driver.send(Ask::tokens(1));
        driver.poll_until("all but the slow one have ended", waits_for(1));
    }
    driver.engine.cancel_all(Reason::DrainEnded);
    let records = driver.finish();
    assert_eq!(records[0].address, Some(0));
    let to = |place| records.iter().filter(|r| r.address == Some(place)).count();
    assert_eq!(to(0), 1, "it is busy: {:?}", places(&records));
    assert!(to(2) >= 1 && to(1) > to(2), "{:?}", places(&records));
}

#[test]
fn a_session_stays_with_its_address() {
    let (a, b) = (start(fixed("0s", "1ms")), start(fixed("0s", "1ms")));
    let routes = straight(&[a.address(), b.address()]);
    let mut driver = Driver::with(config(routes, Balance::RoundRobin));
    let records: Vec<_> = (0..3)
        .map(|_| driver.exchange_at(Ask::tokens(1), Some(1)))
        .collect();
    assert_eq!(places(&records), [1, 1, 1].map(Some));
}

#[test]
fn the_cap_counts_all_addresses_and_an_idle_connection_makes_room() {
    let (a, b) = (start(fixed("0s", "1ms")), start(fixed("0s", "1ms")));
    let routes = straight(&[a.address(), b.address()]);
    let mut driver = Driver::with(EngineConfig {
        max_connections: 1,
        ..config(routes, Balance::RoundRobin)
    });
    (0..6).for_each(|_| driver.send(Ask::tokens(2)));
    let records = driver.finish();
    assert!(records.iter().all(|r| r.outcome == Outcome::Completed));
    assert_eq!(places(&records), [0, 1, 0, 1, 0, 1].map(Some));
}

const EVENTS: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n\
     data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

/// Reads requests and answers each; tells their first lines.
fn converse(stream: impl Read + Write, told: &std::sync::mpsc::Sender<String>) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length";
    let answer = format!("{head}: {}\r\n\r\n{EVENTS}", EVENTS.len());
    let mut stream = BufReader::new(stream);
    loop {
        let (mut lines, mut length) = (String::new(), 0);
        while !lines.ends_with("\r\n\r\n") {
            let before = lines.len();
            if stream.read_line(&mut lines)? == 0 {
                return Ok(());
            }
            if let Some(value) = lines[before..].strip_prefix("content-length: ") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        io::copy(&mut stream.by_ref().take(length), &mut io::sink())?;
        told.send(lines).map_err(io::Error::other)?;
        stream.get_mut().write_all(answer.as_bytes())?;
    }
}

/// A server whose requests' heads are told.
fn told_server() -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let (told, heads) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let told = told.clone();
            thread::spawn(move || converse(stream, &told));
        }
    });
    (address, heads)
}

#[test]
fn a_request_begins_with_the_head_of_its_address() {
    let ((a, of_a), (b, of_b)) = (told_server(), told_server());
    let mut driver = Driver::new(a);
    driver.exchange(Ask::tokens(1));
    let made = of_a.recv().expect("a request");
    let (line, _) = made.split_once("\r\n").expect("a request line");
    let routes = straight(&[a, b]);
    let to = Destinations::new(
        routes[0].clone(),
        vec![routes[1].clone()],
        Balance::RoundRobin,
    );
    let head = format!("{line}\r\n");
    let other = "POST /other HTTP/1.1\r\nauthorization: theirs\r\n";
    let to = to.with_heads(&[head.as_bytes(), other.as_bytes()]);
    let mut driver = Driver::with(EngineConfig {
        to: Arc::new(to),
        ..engine_config(a)
    });
    for _ in 0..2 {
        let record = driver.exchange(Ask::tokens(1));
        assert_eq!(end(&record), (Outcome::Completed, None), "{record:?}");
    }
    assert_eq!(of_a.recv().expect("a request"), made);
    let changed = made.replace(&head, other).replace("run-0", "run-1");
    assert_eq!(of_b.recv().expect("a request"), changed);
}

fn over_socket(path: &Path) -> EngineConfig {
    let route = Route::to(Address::Unix(path.to_owned()), None);
    config(vec![route], Balance::RoundRobin)
}

fn serve_socket(path: &Path) {
    let listener = UnixListener::bind(path).expect("a socket");
    let (told, heads) = channel();
    thread::spawn(move || {
        let _heads = heads;
        for stream in listener.incoming().flatten() {
            let told = told.clone();
            thread::spawn(move || converse(stream, &told));
        }
    });
}

#[test]
fn a_socket_of_this_host_is_a_way_with_stamps_of_the_program() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("engine.sock");
    serve_socket(&path);
    let mut driver = Driver::with(over_socket(&path));
    driver.open_ahead(1);
    for n in 0..3 {
        let record = driver.exchange(Ask::tokens(1));
        assert_eq!(end(&record), (Outcome::Completed, None), "{record:?}");
        assert_eq!(record.stamp_source, Some(StampSource::Program));
        assert_eq!((record.connection, record.attempts), (Some(0), 1), "{n}");
    }
    let health = driver.engine.health();
    assert!(health.reads > 0 && health.reads == health.reads_without_stamp);
}

#[test]
fn a_socket_that_is_missing_or_dead_fails_its_requests() {
    let directory = tempfile::tempdir().expect("a directory");
    let missing = directory.path().join("missing.sock");
    let record = Driver::with(over_socket(&missing)).exchange(Ask::tokens(1));
    assert!(is_unreachable(&record) && text(&record).contains("No such file"));
    let dead = directory.path().join("dead.sock");
    drop(UnixListener::bind(&dead).expect("a socket"));
    let record = Driver::with(over_socket(&dead)).exchange(Ask::tokens(1));
    assert!(is_unreachable(&record) && text(&record).contains("refused"));
    let endless = directory.path().join("x".repeat(200));
    let record = Driver::with(over_socket(&endless)).exchange(Ask::tokens(1));
    assert!(is_unreachable(&record), "{record:?}");
}

/// A proxy that answers `CONNECT` so, and goes on to `server` where it says 200. Tells what it was asked.
fn proxy(server: SocketAddr, answer: &'static str) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let (told, asked) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let told = told.clone();
            thread::spawn(move || tunnel(stream, server, answer, &told));
        }
    });
    (address, asked)
}

fn tunnel(
    mut client: TcpStream,
    server: SocketAddr,
    answer: &str,
    told: &std::sync::mpsc::Sender<String>,
) -> io::Result<()> {
    let mut asked = Vec::new();
    while !asked.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        asked.push(byte[0]);
    }
    let asked = String::from_utf8(asked).map_err(io::Error::other)?;
    told.send(asked).map_err(io::Error::other)?;
    if !answer.contains(" 200 ") {
        return client.write_all(answer.as_bytes());
    }
    let mut server = TcpStream::connect(server)?;
    let (mut up, mut down) = (client.try_clone()?, server.try_clone()?);
    // In two parts, as a network may deliver it.
    let (first, rest) = answer.split_at(answer.len() / 2);
    client.write_all(first.as_bytes())?;
    client.write_all(rest.as_bytes())?;
    thread::spawn(move || io::copy(&mut up, &mut server));
    io::copy(&mut down, &mut client).map(drop)
}

fn through(proxy: SocketAddr, trusted: &Path) -> EngineConfig {
    let route = Route {
        address: proxy.into(),
        hop: Hop::Tunnel(Tunnel {
            authority: "localhost:443".to_owned(),
            authorization: Some("Basic dTpzZWNyZXQ=".to_owned()),
        }),
        tls: Some(tls_for("localhost", Trust::And(trusted)).expect("settings")),
        sources: Sources::default(),
    };
    config(vec![route], Balance::RoundRobin)
}

#[test]
fn https_goes_through_a_proxys_tunnel() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("ca.pem");
    let ca = tls::authority();
    std::fs::write(&file, ca.pem()).expect("written");
    let server = tls::serve(tls::server_config(&ca, "localhost"));
    let (proxy, asked) = proxy(
        server,
        "HTTP/1.1 200 Connection established\r\nx: y\r\n\r\n",
    );
    let mut driver = Driver::with(through(proxy, &file));
    let first = driver.exchange(Ask::tokens(3));
    assert_eq!(end(&first), (Outcome::Completed, None), "{first:?}");
    assert!(first.connected < first.tls_done && first.tls_done <= first.sent);
    let second = driver.exchange(Ask::tokens(3));
    assert_eq!(second.connection, first.connection);
    let asked = asked.recv().expect("a question");
    assert!(asked.starts_with("CONNECT localhost:443 HTTP/1.1\r\nhost: localhost:443\r\n"));
    assert!(asked.contains("\r\nproxy-authorization: Basic dTpzZWNyZXQ=\r\n"));
}

#[test]
fn a_proxy_that_gives_no_way_fails_its_requests_and_says_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, tls::authority().pem()).expect("written");
    let (_held, dead) = dead_target();
    for (answer, words) in [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
            "status 407",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\n\r\n",
            "status 502 (Bad Gateway)",
        ),
        ("", "without an answer to CONNECT"),
        ("SSH-2.0-OpenSSH_9.6\r\n", "does not answer CONNECT in HTTP"),
    ] {
        let (proxy, _asked) = proxy(dead, answer);
        let record = Driver::with(through(proxy, &file)).exchange(Ask::tokens(1));
        assert_eq!(end(&record), (Outcome::Failed, Some(Reason::ConnectFailed)));
        let text = text(&record);
        assert!(text.contains(words) && !text.contains("dTpz"), "{text}");
    }
    let record = Driver::with(through(dead, &file)).exchange(Ask::tokens(1));
    let expect = format!("the proxy {dead}: ");
    assert!(text(&record).starts_with(&expect), "{record:?}");
}
