//! Connections: reuse, keep-alive, caps, and those that the server closed meanwhile.

use crate::process::{Run, infermeter, mock, run, run_with, words};
use crate::server::{Server, Then, good};
use infermeter_core::record::{Outcome, Reason};
use std::collections::BTreeSet;

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
