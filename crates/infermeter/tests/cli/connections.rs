//! Connections: reuse, keep-alive, caps, and those that the server closed meanwhile.

use crate::process::{Run, UNPROBED, infermeter, light, limited, mock, ran, run, run_with, words};
use crate::server::{self, DONE, FINISH, Server, TEXT, Then, USAGE, good, send};
use infermeter_core::clock::monotonic_ns;
use infermeter_core::record::{Outcome, Reason};
use std::collections::BTreeSet;
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn connections_are_reused() {
    let server = Server::start(good);
    let run = run(&server.url, "");
    run.completes();
    let used: BTreeSet<usize> = server.seen().iter().map(|r| r.connection).collect();
    let sent = server.generations().len();
    assert!(used.len() < sent, "{} connections for {sent}", used.len());
    assert!(server.seen().iter().any(|r| r.earlier > 0));
}

#[test]
fn an_idle_connection_is_not_used_after_its_keep_alive() {
    let server = Server::start(good);
    let run = run(&server.url, "--keepalive 0");
    run.completes();
    assert!(server.seen().iter().all(|r| r.earlier == 0));
}

/// A burst against a server with slow answers, over at most two connections.
fn capped(more: &str) -> Run {
    let line = format!(
        "run {} --rate 50 --requests 10 --warmup 0 --workload fixed:16,60 --no-probe \
         --model mock/fixed --max-connections 2 {more}",
        mock()
    );
    run_with(words(&line), |_| {})
}

#[test]
fn a_cap_makes_requests_wait_and_drops_none() {
    let run = capped("");
    let measured = run.measured();
    assert_eq!(measured.len(), 10);
    let completed = measured.iter().filter(|r| r.outcome == Outcome::Completed);
    assert_eq!(completed.count(), 10, "{:#?}", run.ran);
    let used: BTreeSet<u32> = run.records().iter().filter_map(|r| r.connection).collect();
    assert!(used.len() <= 2, "{used:?}");
    // Sixty tokens of a millisecond each over two connections: some must wait, and their intended
    // instants stay those of the schedule.
    let uncapped = run_uncapped();
    let intended =
        |run: &Run| -> Vec<i64> { run.measured().iter().map(|r| r.intended.0).collect() };
    assert_eq!(intended(&run), intended(&uncapped));
    let health = &run.manifest()["client_health"]["threads"];
    let waits: u64 = health
        .as_array()
        .expect("threads")
        .iter()
        .filter_map(|t| t["waits_for_cap"].as_u64())
        .sum();
    assert!(waits > 0);
    for r in &measured {
        assert!(r.send_start.expect("sent") >= r.intended);
    }
}

fn run_uncapped() -> Run {
    let line = format!(
        "run {} --rate 50 --requests 10 --warmup 0 --workload fixed:16,60 --no-probe \
         --model mock/fixed",
        mock()
    );
    run_with(words(&line), |_| {})
}

#[test]
fn more_connections_than_the_system_allows_are_an_error() {
    for flag in ["--rate 5 --max-connections", "--concurrency"] {
        let line = format!("run {} {flag} 900000 --requests 1 --warmup 0", mock());
        let flag = flag.split(' ').next_back().expect("a flag");
        infermeter(&line).fails(2, &[flag, "900000: this system allows", "or ask for fewer"]);
    }
}

#[test]
fn the_cap_is_for_all_threads_together() {
    let server = Server::start(good);
    let line = format!(
        "run {} --concurrency 4 --requests 12 --warmup 0 --workload fixed:16,4 --no-probe \
         --model small --max-connections 1",
        server.url
    );
    let run = run_with(words(&line), |_| {});
    run.records();
    let used: BTreeSet<usize> = server.generations().iter().map(|r| r.connection).collect();
    assert_eq!(used.len(), 1, "{:#?}", run.ran);
    assert_eq!(run.measured().len(), 12);
}

/// A server that keeps each connection for one answer, says nothing of it, and closes it when the
/// next request arrives.
fn forgetful() -> Server {
    Server::start(|request, out| match request.earlier {
        0 => good(request, out),
        _ => Then::Close,
    })
}

#[test]
fn a_stale_connection_fails_its_request() {
    let server = forgetful();
    let run = run(&server.url, "--max-connections 1");
    let records = run.records();
    let stale: Vec<_> = records
        .iter()
        .filter(|r| {
            r.error
                .as_ref()
                .is_some_and(|e| e.reason == Reason::StaleConnection)
        })
        .collect();
    assert!(!stale.is_empty(), "{:#?}", run.ran);
    for r in &stale {
        assert_eq!((r.outcome, r.attempts), (Outcome::Failed, 1));
        assert_eq!(r.new_connection, Some(false));
    }
    assert!(run.ran.out.contains("stale_connection"), "{}", run.ran.out);
}

#[test]
fn retry_stale_sends_once_more_and_says_so() {
    let server = forgetful();
    let run = run(&server.url, "--max-connections 1 --retry-stale");
    let measured = run.completes();
    let again: Vec<_> = measured.iter().filter(|r| r.attempts == 2).collect();
    assert!(!again.is_empty());
    for r in &again {
        assert_eq!(r.new_connection, Some(true));
        assert!(r.connected.is_some());
        assert!(r.send_start >= Some(r.intended));
    }
}

#[test]
fn a_server_that_closes_every_connection_costs_none_of_the_requests() {
    let server = Server::start(|request, out| {
        good(request, out);
        Then::Close
    });
    let run = run(&server.url, "");
    let measured = run.measured();
    // A close may still be on its way when the next request goes out: that one is stale.
    let good = |r: &&infermeter_core::record::RequestRecord| match r.outcome {
        Outcome::Completed => true,
        _ => r
            .error
            .as_ref()
            .is_some_and(|e| e.reason == Reason::StaleConnection),
    };
    assert_eq!(measured.iter().filter(good).count(), 6, "{:#?}", run.ran);
}

/// Answers well and closes the connection at once, as llama.cpp's server does.
fn closes_behind_each_answer() -> Server {
    Server::start(|request, out| {
        good(request, out);
        Then::Close
    })
}

#[test]
fn a_server_that_breaks_its_promise_of_keep_alive_costs_no_measured_request() {
    for load in ["--concurrency 2 --requests 40", "--rate 50 --requests 40"] {
        let server = closes_behind_each_answer();
        let line = format!(
            "run {} {load} --warmup 12req --workload fixed:16,4 --threads 1",
            server.url
        );
        let run = run_with(words(&line), |_| {});
        let measured = run.measured();
        let completed = measured.iter().filter(|r| r.outcome == Outcome::Completed);
        assert_eq!(completed.count(), 40, "{:#?}", run.ran);
        assert_eq!(run.finding("connections-single-use")["severity"], "note");
    }
}

/// A port on which nobody listens, found free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The light load for some seconds against a port, unprobed.
fn seconds_against(port: u16, load: &str) -> Run {
    let line =
        format!("run http://127.0.0.1:{port} {load} --warmup 0 --workload fixed:16,4 {UNPROBED}");
    run_with(words(&line), |_| {})
}

/// Serves one connection after the other, then is gone for `away`, then serves again.
fn restarting(port: u16, first: Duration, away: Duration) {
    let serve = move |listener: &TcpListener, until: i64| {
        listener.set_nonblocking(true).expect("non-blocking");
        let mut open = Vec::new();
        while monotonic_ns() < until {
            if let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(false).expect("blocking");
                let input = stream.try_clone().expect("a handle");
                open.push(input.try_clone().expect("a handle"));
                std::thread::spawn(move || answer_all(input, stream));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        for stream in open {
            stream.shutdown(std::net::Shutdown::Both).ok();
        }
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    std::thread::spawn(move || {
        serve(&listener, monotonic_ns() + first.as_nanos() as i64);
        drop(listener);
        std::thread::sleep(away);
        let again = TcpListener::bind(("127.0.0.1", port)).expect("the port again");
        serve(&again, i64::MAX);
    });
}

fn answer_all(input: TcpStream, mut out: TcpStream) {
    let mut input = BufReader::new(input);
    while let Some(request) = server::read(&mut input, 0, 0) {
        if good(&request, &mut out) == Then::Close {
            return;
        }
    }
}

#[test]
fn a_server_that_is_restarted_is_found_and_nothing_else_is_blamed() {
    for load in ["--rate 40 --duration 4s", "--concurrency 4 --duration 4s"] {
        let port = free_port();
        restarting(
            port,
            Duration::from_millis(1_500),
            Duration::from_millis(1_200),
        );
        let run = seconds_against(port, load);
        let found = run.finding("server-unreachable");
        assert_eq!(found["severity"], "error", "{found}");
        let records = run.records();
        let of = |reason| -> Vec<&str> {
            let errors = records.iter().filter_map(|r| r.error.as_ref());
            let with = errors.filter(|e| e.reason == reason);
            with.map(|e| e.text.as_str()).collect()
        };
        // Who tries may always be a connection opened ahead: then no request fails to connect itself.
        assert!(of(Reason::ConnectFailed).len() < 40, "{:#?}", run.ran);
        let held_up = of(Reason::ConnectBackoff);
        assert!(!held_up.is_empty(), "{:#?}", run.ran);
        // The first attempt may meet the listener in the instant before it is gone: taken by the kernel, then closed.
        let ended = |text: &&str| text.contains("refused") || text.contains("closed");
        assert!(held_up.iter().all(ended), "{held_up:?}");
        let title = found["message"].as_str().expect("a sentence");
        assert!(!title.contains("to the end"), "it came back: {title}");
        let codes = codes(&run);
        assert!(!codes.contains("ports-in-use"), "{codes:?}");
    }
}

fn codes(run: &Run) -> BTreeSet<String> {
    let manifest = run.manifest();
    let findings = manifest["findings"].as_array().expect("a list").iter();
    findings
        .filter_map(|f| f["code"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_server_that_accepts_and_closes_is_not_flooded_with_connects() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::Relaxed);
            drop(stream);
        }
    });
    let run = seconds_against(port, "--rate 5 --duration 3s --timeout 5s");
    assert_eq!(run.ran.code, Some(4), "{:#?}", run.ran);
    let accepted = accepted.load(Ordering::Relaxed);
    assert!(accepted < 150, "{accepted} connects");
    for record in run.measured() {
        let reason = record.error.as_ref().expect("an error").reason;
        assert!(
            matches!(reason, Reason::Disconnected | Reason::ConnectBackoff),
            "{record:?}"
        );
    }
}

#[test]
fn a_body_that_does_not_end_costs_a_second_and_no_request() {
    let server = Server::start(|request, out| match request.is_generation() {
        false => good(request, out),
        true => {
            let events =
                [TEXT, TEXT, TEXT, TEXT, FINISH, USAGE, DONE].map(|e| format!("data: {e}\n\n"));
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99999\r\n\r\n";
            send(out, &format!("{head}{}", events.concat()))
        }
    });
    let run = run(&server.url, "");
    run.completes();
    assert_eq!(run.finding("body-without-end")["severity"], "note");
    assert!(!codes(&run).contains("truncated-streams"));
    // Trials do not wait for it either.
    run_with(light(&server.url, ""), |_| {}).completes();
}

#[test]
fn too_few_descriptors_refuse_both_load_models() {
    for load in ["--rate 2", "--concurrency 1"] {
        let line = format!("run {} {load} --requests 2 --warmup 0 {UNPROBED}", mock());
        let ran = ran(limited("ulimit -n 64", &words(&line)));
        ran.fails(2, &["this system allows 0 connections", "ulimit -n`) to"]);
    }
}
