//! The trial of `--probe-response-cache`, against servers that cache and servers that do not.

use crate::process::{LIGHT, Mock, Run, infermeter, run_with, words};
use crate::server::{DONE, FINISH, Request, Server, TEXT, Then, USAGE, good, reply, send};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

/// Between two events of an answer that is generated.
const STEP: Duration = Duration::from_millis(15);

/// A light run with the trial before it.
fn tried(url: &str) -> Run {
    let line = format!("run {url} {LIGHT} --probe-response-cache");
    run_with(words(&line), |_| {})
}

/// The prompt of a generation.
fn prompt(request: &Request) -> String {
    let body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
    body["messages"].to_string()
}

/// Generates slowly what it has not answered yet, and hands out the rest at once.
fn caching() -> impl Fn(&Request, &mut std::net::TcpStream) -> Then + Send + Sync {
    let known: Mutex<BTreeSet<String>> = Mutex::default();
    move |request, out| {
        if !request.is_generation() {
            return good(request, out);
        }
        let fresh = known.lock().expect("no panic").insert(prompt(request));
        if fresh {
            generate(out)
        } else {
            good(request, out)
        }
    }
}

fn generate(out: &mut impl Write) -> Then {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    send(out, head);
    for event in [TEXT, TEXT, TEXT, TEXT, FINISH, USAGE, DONE] {
        std::thread::sleep(STEP);
        let event = format!("data: {event}\n\n");
        send(out, &format!("{:x}\r\n{event}\r\n", event.len()));
    }
    send(out, "0\r\n\r\n")
}

#[test]
fn a_response_cache_is_found() {
    let server = Server::start(caching());
    let run = tried(&server.url);
    let said = run.finding("response-caching")["evidence"].to_string();
    assert!(said.contains("(12 pairs, p = 0.0005)"), "{said}");
    assert!(run.ran.out.contains("  Repeated "), "{}", run.ran.out);
    let trial = &run.manifest()["environment"]["target"]["response_cache"];
    assert_eq!(trial["pairs"].as_array().map(Vec::len), Some(12));
    // The trial's prompts are the trial's alone, and each fresh one goes out once.
    let all = server.generations();
    let cold = |r: &&Request| r.body.contains("\"temperature\":0");
    let trial: Vec<String> = all.iter().filter(cold).map(prompt).collect();
    let load: Vec<String> = all.iter().filter(|r| !cold(r)).map(prompt).collect();
    let distinct: BTreeSet<&String> = trial.iter().collect();
    assert_eq!((trial.len(), distinct.len()), (26, 14));
    assert!(load.iter().all(|prompt| !distinct.contains(prompt)));
}

#[test]
fn a_server_that_caches_nothing_is_measured_all_the_same() {
    let mock = Mock::start("--preset fixed --ttft 2ms --step 1ms");
    let run = tried(&mock.url);
    run.completes();
    let ratio = &run.manifest()["summary"]["response_cache"]["e2e"];
    assert_eq!(
        (ratio["n"].as_u64(), ratio["low"].is_f64()),
        (Some(12), true)
    );
}

#[test]
fn a_trial_that_is_refused_says_why() {
    let server = Server::start(|request: &Request, out: &mut std::net::TcpStream| {
        match request.body.contains("\"temperature\":0") {
            true => {
                let said = r#"{"error":{"message":"too busy"}}"#;
                reply(out, "503 Service Unavailable", "application/json", said)
            }
            false => good(request, out),
        }
    });
    let run = tried(&server.url);
    run.completes();
    let evidence = run.finding("response-cache-unknown")["evidence"].to_string();
    assert!(evidence.contains("status 503: too busy"), "{evidence}");
}

#[test]
fn a_probe_cannot_be_asked_for_without_probes() {
    let line = "run mock:fixed --rate 5 --duration 5s --no-probe --probe-response-cache";
    infermeter(line).fails(2, &["--no-probe", "--probe-response-cache"]);
}
