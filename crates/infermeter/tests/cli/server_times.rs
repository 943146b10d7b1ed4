//! What servers say of their own time for each request: kept, compared with the client's, and with the simulator's
//! truth.

use crate::process::{Going, Run, Scratch, infermeter, light, run, run_with, wait_until, words};
use crate::server::{DONE, FINISH, MODELS, Server, TEXT, reply, reply_events, send};
use infermeter_core::record::{Outcome, ServerTimes};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::net::{TcpListener, TcpStream};

/// A port that nobody has at this moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// What the simulator did with each request: in the queue, until the end of the prefill; nanoseconds.
fn truth(log: &std::path::Path) -> Vec<[i64; 2]> {
    let text = fs::read_to_string(log).expect("a log");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let times = lines.filter_map(|line| {
        let admitted = line["admitted_ns"].as_i64()?;
        let queue = admitted - line["arrival_ns"].as_i64()?;
        Some([queue.max(0), line["prefilled_ns"].as_i64()? - admitted])
    });
    times.collect()
}

fn times(run: &Run) -> Vec<ServerTimes> {
    let measured = run.measured();
    assert!(measured.iter().all(|r| r.outcome == Outcome::Completed));
    measured.iter().map(|record| record.server_times).collect()
}

/// The table is there, and the JSON has it.
#[track_caller]
fn is_shown(run: &Run, rows: &[&str]) -> Value {
    assert!(
        run.ran.out.contains("by the server's own account (6 of 6)"),
        "{}",
        run.ran.out
    );
    for row in rows {
        assert!(run.ran.out.contains(row), "no `{row}` in {}", run.ran.out);
    }
    let json = infermeter(&format!("report {} --json", run.dir.display())).json();
    json["summary"]["server_times"].clone()
}

#[test]
fn the_times_of_each_form_are_those_of_the_truth() {
    for form in ["timings", "metrics"] {
        let scratch = Scratch::new();
        let log = scratch.path("truth.jsonl");
        let port = free_port();
        let line = format!(
            "mock --preset llama-8b-h100 --set server-times={form} --port {port} --truth {}",
            log.display()
        );
        let mock = Going::start(&words(&line));
        wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        let url = format!("http://127.0.0.1:{port}");
        let mut told = Vec::new();
        for stream in ["", "--no-stream"] {
            let run = run_with(light(&url, stream), |_| {});
            let shown = is_shown(&run, &["prefill", "decode", "E2E beyond"]);
            assert_eq!(shown["requests"], 6, "{form} {shown:#}");
            assert_eq!(shown["below"], 0, "{form} {shown:#}");
            assert_eq!(shown.get("ttft_beyond").is_some(), stream.is_empty());
            assert_eq!(shown.get("queue").is_some(), form == "metrics");
            told.extend(times(&run));
        }
        mock.signal(Signal::INT);
        mock.end();
        let known = truth(&log);
        for time in &told {
            let prefill = time.prefill_ns.expect("a prefill");
            // A float of milliseconds keeps the nanosecond.
            let is_near = |[queue, spent]: &[i64; 2]| {
                let same = time.queue_ns.is_none_or(|q| queue.abs_diff(q) <= 1);
                same && spent.abs_diff(prefill) <= 1
            };
            assert!(known.iter().any(is_near), "{time:?} in {known:?}");
            assert!(time.decode_ns.is_some());
        }
        assert_eq!(told.len(), 12);
    }
}

#[test]
fn servers_that_say_nothing_have_no_times() {
    let quiet = run(crate::process::mock(), "");
    assert!(times(&quiet).iter().all(|time| !time.is_told()));
    assert!(!quiet.ran.out.contains("own account"), "{}", quiet.ran.out);
}

#[test]
fn the_header_is_kept_and_rubbish_is_not() {
    let server = Server::start(|request, out| match request.what() {
        "GET /v1/models" => reply(out, "200 OK", "application/json", MODELS),
        _ if request.is_generation() => {
            let usage = r#"{"choices":[],"usage":{"prompt_tokens":27,"completion_tokens":2},"timings":{"prompt_ms":-4,"predicted_ms":"soon"},"metrics":7}"#;
            let events: String = [TEXT, TEXT, FINISH, usage, DONE]
                .iter()
                .map(|event| format!("data: {event}\n\n"))
                .collect();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nopenai-processing-ms: 17\r\n";
            send(
                out,
                &format!("{head}content-length: {}\r\n\r\n{events}", events.len()),
            )
        }
        _ => reply_events(out, &[DONE]),
    });
    let run = run(&server.url, "");
    let expect = ServerTimes {
        processing_ns: Some(17_000_000),
        ..ServerTimes::default()
    };
    assert_eq!(times(&run), vec![expect; 6]);
    let shown = is_shown(&run, &["processing"]);
    assert!(shown.get("ttft_beyond").is_none(), "{shown:#}");
}

#[test]
fn a_part_that_is_longer_than_the_whole_is_a_finding() {
    let server = Server::start(|_, out| {
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":27,"completion_tokens":2},"timings":{"prompt_ms":900000,"predicted_ms":5}}"#;
        reply_events(out, &[TEXT, TEXT, FINISH, usage, DONE])
    });
    let run = run(&server.url, "");
    let found = run.finding("server-times-disagree");
    assert_eq!(found["severity"], "warning");
    assert_eq!(times(&run).len(), 6);
}
