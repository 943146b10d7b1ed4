//! Servers that lie about tokens, repeat or hold back what they send, freeze, or know the prompts already:
//! as a user meets them.

use crate::process::{Run, Scratch, UNPROBED, command, mock, ran, run_with, words};
use crate::server::{DONE, FINISH, Server, TEXT, Then, good, send};
use infermeter_core::clock::monotonic_ns;
use std::net::TcpStream;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

/// A run of 60 answers of 40 tokens in 2 s.
fn measured(target: &str, more: &str) -> Run {
    let line = format!(
        "run {target} --rate 30 --requests 60 --warmup 0 --workload fixed:16,40 --threads 1 {more}"
    );
    run_with(words(&line), |_| {})
}

/// Whether there is such a finding.
fn has(run: &Run, code: &str) -> bool {
    let findings = run.manifest()["findings"].clone();
    let findings = findings.as_array().expect("a list");
    findings.iter().any(|finding| finding["code"] == code)
}

#[test]
fn usage_that_lies_is_found_and_its_figures_are_marked() {
    for percent in [200, 50] {
        let fault = format!("--header 'x-mock-fault: usage-percent={percent}'");
        let run = measured(mock(), &fault);
        let said = run.finding("usage-implausible")["evidence"].to_string();
        assert!(said.starts_with("\"60 of 60 answers"), "{said}");
        assert!(run.ran.out.contains("TPOT* "), "{}", run.ran.out);
        assert!(!has(&run, "length-not-obeyed"));
        let usage = &run.manifest()["summary"]["usage"];
        assert_eq!(usage["in_doubt"][0], "tpot");
        assert_eq!(usage["evidence"]["text_tokens"], 60 * 40);
    }
    // Several tokens in a chunk are none.
    let run = measured(mock(), "--header 'x-mock-fault: coalesce=4'");
    assert!(!has(&run, "usage-implausible"));
}

#[test]
fn an_answer_in_one_piece_has_its_text_as_a_witness() {
    let run = measured(
        mock(),
        "--no-stream --header 'x-mock-fault: usage-percent=200'",
    );
    run.finding("usage-implausible");
    assert!(!has(&measured(mock(), "--no-stream"), "usage-implausible"));
}

#[test]
fn chunks_that_come_twice_are_found() {
    let run = measured(mock(), "--header 'x-mock-fault: duplicate-chunks'");
    let said = run.finding("duplicate-chunks")["evidence"].to_string();
    assert!(said.starts_with("\"60 of 60 streams"), "{said}");
    assert!(!has(&run, "usage-implausible"));
}

/// Sends the head, `count` chunks of a token, `group` of them in each write behind a `pause`, and the end.
fn stream(out: &mut TcpStream, count: u32, group: u32, pause: impl Fn()) -> Then {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let event = |data: &str| {
        let event = format!("data: {data}\n\n");
        format!("{:x}\r\n{event}\r\n", event.len())
    };
    send(out, head);
    for _ in 0..count / group {
        pause();
        send(out, &event(TEXT).repeat(group as usize));
    }
    let usage = format!(
        r#"{{"choices":[],"usage":{{"prompt_tokens":27,"completion_tokens":{count},"total_tokens":{}}}}}"#,
        27 + count
    );
    let end: String = [FINISH, &usage, DONE].map(event).concat();
    send(out, &format!("{end}0\r\n\r\n"))
}

#[test]
fn a_buffer_on_the_way_is_found() {
    // Ten chunks at a time, every 250 ms.
    let server = Server::start(|request, out| {
        if !request.is_generation() {
            return good(request, out);
        }
        stream(out, 60, 10, || thread::sleep(Duration::from_millis(250)))
    });
    let line = format!(
        "run {} {UNPROBED} --rate 20 --requests 30 --warmup 0 --workload fixed:16,60 --threads 1",
        server.url
    );
    let said = run_with(words(&line), |_| {}).finding("bursty-delivery")["message"].to_string();
    assert!(said.contains("holds chunks back"), "{said}");
}

#[test]
fn a_freeze_is_found() {
    // From 1 to 2 s after the first generation nothing moves.
    let begun: OnceLock<i64> = OnceLock::new();
    let server = Server::start(move |request, out| {
        if !request.is_generation() {
            return good(request, out);
        }
        let begun = *begun.get_or_init(monotonic_ns);
        stream(out, 30, 1, || {
            thread::sleep(Duration::from_millis(10));
            let now = monotonic_ns();
            if now > begun + 1_000_000_000 {
                let left = begun + 2_000_000_000 - now;
                thread::sleep(Duration::from_nanos(left.max(0) as u64));
            }
        })
    });
    let line = format!(
        "run {} {UNPROBED} --rate 20 --requests 60 --warmup 0 --workload fixed:16,30 --threads 1",
        server.url
    );
    let said = run_with(words(&line), |_| {}).finding("server-froze")["evidence"].to_string();
    assert!(said.contains(" in flight, about "), "{said}");
}

#[test]
fn the_same_salt_a_second_time_is_told() {
    let scratch = Scratch::new();
    let run = |name: &str, salt: u64| {
        let out = scratch.path(name);
        let line = format!(
            "run {} --rate 50 --requests 6 --warmup 0 --workload fixed:16,4 --salt {salt} --json --out {}",
            mock(),
            out.display()
        );
        ran(command(&words(&line)))
            .out
            .contains("prompts-sent-before")
    };
    assert!(!run("first", 7));
    assert!(!run("other", 8));
    assert!(run("again", 7));
}
