//! A client that is stopped (SIGSTOP) in the middle of a run says so, in every load model.

use crate::process::{Going, Scratch, finding, manifest, mock, wait_until, words};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// How long the client is stopped: long enough that no busy machine explains it.
const STOPPED: Duration = Duration::from_millis(2_500);

/// Runs `load`, stops the client once `begun`, and lets it go on.
fn stopped(load: &str, begun: impl Fn(&Path) -> bool) -> (Value, Option<i32>) {
    let scratch = Scratch::new();
    let dir = scratch.path("run");
    let line = format!(
        "run {} --no-probe --model mock/fixed --threads 1 --warmup 0 {load} --quiet --out {}",
        mock(),
        dir.display()
    );
    let going = Going::start(&words(&line));
    wait_until(|| begun(&dir));
    going.signal(Signal::STOP);
    std::thread::sleep(STOPPED);
    going.signal(Signal::CONT);
    let ran = going.end();
    assert!(ran.code.is_some_and(|code| code != 2), "{ran:#?}");
    (manifest(&dir), ran.code)
}

/// Requests of the window have ended, some of them.
fn measures(dir: &Path) -> bool {
    std::fs::metadata(dir.join("requests.journal")).is_ok_and(|m| m.len() > 500)
}

#[track_caller]
fn stood_still((manifest, code): (Value, Option<i32>)) {
    let found = finding(&manifest, "client-stood-still");
    assert_eq!(found["severity"], "error", "{found:#}");
    let message = found["message"].as_str().expect("text");
    assert!(message.contains("up to 2."), "{message}");
    let evidence = found["evidence"].as_str().expect("text");
    assert!(evidence.contains("was stopped"), "{evidence}");
    assert_eq!(code, Some(3));
    assert_eq!(manifest["verdict"], "invalid");
    let gaps = &manifest["client_health"]["threads"][0]["gaps"];
    let longest = gaps["longest_ns"].as_i64().expect("a number");
    assert!(
        (2_000_000_000..4_000_000_000).contains(&longest),
        "{gaps:#}"
    );
}

#[test]
fn a_closed_loop_that_stood_still_is_invalid() {
    for io in ["epoll", "auto"] {
        let load = "--concurrency 4 --duration 5s --workload fixed:16,20";
        stood_still(stopped(&format!("{load} --io {io}"), measures));
    }
}

#[test]
fn an_open_loop_that_stood_still_is_invalid() {
    let load = "--rate 40 --duration 5s --workload fixed:16,20";
    stood_still(stopped(load, measures));
}

#[test]
fn sessions_that_stood_still_are_invalid() {
    let load = "--rate 10 --duration 5s --workload fixed:16,20 --sessions turns=3";
    stood_still(stopped(load, measures));
}

#[test]
fn a_client_that_stood_still_in_the_drain_leaves_no_request_unsaid() {
    // The limit of the drain passes while the client is stopped: what was due is not sent any more.
    let load = "--rate 40 --duration 2s --timeout 500ms --workload fixed:16,20";
    let (manifest, code) = stopped(load, measures);
    let unsent = manifest["summary"]["requests"]["measured"]["not_sent"].as_u64();
    assert!(unsent.expect("a number") > 0);
    let found = finding(&manifest, "not-sent");
    assert_eq!(found["severity"], "warning");
    stood_still((manifest, code));
}
