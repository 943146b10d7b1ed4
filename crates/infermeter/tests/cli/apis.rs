//! The APIs beside chat and completions: against the simulator and its faults, and against lines that a
//! server of another maker sends.

use crate::process::{Run, Scratch, infermeter, light, mock, run, run_with, words};
use crate::server::{Server, Then, reply, send};
use infermeter_core::record::{ChunkKind, Reason, TokenSource};
use serde_json::Value;

const APIS: [&str; 2] = ["messages", "responses"];

/// A run against the simulator, after the trials.
fn simulated(endpoint: &str, more: &str) -> Run {
    let more = format!("--endpoint {endpoint} {more}");
    run_with(light(mock(), &more), |_| {})
}

/// A run with a fault of the simulator in each answer.
fn with_fault(endpoint: &str, fault: &str) -> Run {
    let more = format!("--endpoint {endpoint} --header 'x-mock-fault: {fault}'");
    run(mock(), &more)
}

#[test]
fn the_simulator_speaks_them() {
    for endpoint in APIS {
        let run = simulated(endpoint, "");
        for record in run.completes() {
            assert_eq!(record.chunks.len(), 4, "{endpoint}");
            assert_eq!(record.output_tokens, Some(4));
            assert_eq!(record.token_source, Some(TokenSource::OnePerChunk));
            assert!(record.prompt_tokens.is_some_and(|n| n >= 16));
        }
        let manifest = run.manifest();
        let sent = manifest["control_requests"].to_string();
        assert!(sent.contains(&format!("POST /v1/{endpoint}")), "{sent}");
        for record in simulated(endpoint, "--no-stream").completes() {
            assert_eq!((record.chunks.len(), record.output_tokens), (0, Some(4)));
        }
    }
}

#[test]
fn calls_of_tools_are_tokens() {
    for endpoint in APIS {
        let line = format!(
            "run {} --rate 50 --requests 6 --warmup 0 --workload fixed:16,40 --threads 1 --tools 2 \
             --tool-choice required --endpoint {endpoint}",
            mock()
        );
        for record in run_with(words(&line), |_| {}).completes() {
            assert!(!record.chunks.is_empty(), "{endpoint}");
            let all = record.chunks.iter().all(|c| c.kind == ChunkKind::ToolCall);
            assert!(all, "{endpoint}: {:?}", record.chunks);
        }
    }
}

#[test]
fn faults_of_a_stream_are_seen_whatever_the_api() {
    for endpoint in APIS {
        for (fault, reason) in [
            ("in-band-error-after=2", Reason::InBandError),
            ("truncate-after=2", Reason::Truncated),
            ("malformed=bad-json", Reason::MalformedEvent),
        ] {
            with_fault(endpoint, fault).all_fail(reason);
        }
        for fault in ["line-ends=crlf", "pings", "comments", "byte-wise=1us"] {
            with_fault(endpoint, fault).completes();
        }
    }
}

/// An answer of JSON lines, as Ollama has them.
fn lines(end: &'static str) -> Server {
    Server::start(move |request, out| {
        if !request.is_generation() {
            return reply(out, "404 Not Found", "application/json", "{}");
        }
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n";
        let word = "{\"message\":{\"role\":\"assistant\",\"content\":\" word\"},\"done\":false}\n";
        send(out, &format!("{head}{}{end}", word.repeat(4)));
        Then::Close
    })
}

const LAST: &str =
    "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"length\",\"eval_count\":4}\n";

fn pointed(server: &Server, pointers: &str) -> Run {
    let scratch = Scratch::new();
    let text = r#"{"messages": {{messages}}, "stream": {{stream}}}"#;
    let body = scratch.file("body.json", text);
    let more = format!("--endpoint-path /api/chat --body-template {body} {pointers}");
    run(&server.url, &more)
}

#[test]
fn pointers_read_answers_of_another_form() {
    let server = lines(LAST);
    let all = "--answer-text /message/content --answer-usage /eval_count --answer-end /done_reason";
    for record in pointed(&server, all).completes() {
        assert_eq!((record.chunks.len(), record.output_tokens), (4, Some(4)));
        assert_eq!(record.finish_reason.as_deref(), Some("length"));
    }
    let broken = lines("");
    pointed(&broken, all).all_fail(Reason::Truncated);
    let nowhere = "--answer-text /response";
    for record in pointed(&server, nowhere).all_fail(Reason::UnexpectedContent) {
        let said = record.error.expect("an error").text;
        assert!(said.contains("--answer-text"), "{said}");
    }
}

#[test]
fn pointers_that_are_none_are_refused() {
    let line =
        "run http://127.0.0.1:9 --rate 1 --requests 1 --answer-text message --body-template b";
    infermeter(line).fails(2, &["--answer-text", "does not begin with a slash"]);
    let line = "run http://127.0.0.1:9 --rate 1 --requests 1 --answer-text /message";
    infermeter(line).fails(2, &["--answer-text needs --body-template"]);
}

#[test]
fn a_number_that_is_missing_is_a_finding() {
    let event =
        |number: u32, rest: &str| format!("data: {{\"sequence_number\":{number},{rest}}}\n\n");
    let delta = r#""type":"response.output_text.delta","delta":" word""#;
    let last = r#""type":"response.completed","response":{"status":"completed","usage":{"input_tokens":16,"output_tokens":4}}"#;
    let numbers = [0, 1, 3, 4];
    let events: String = numbers.iter().map(|n| event(*n, delta)).collect();
    let body = events + &event(5, last);
    let server = Server::start(move |_, out| reply(out, "200 OK", "text/event-stream", &body));
    let run = run(&server.url, "--endpoint responses");
    run.completes();
    let found: Value = run.finding("event-numbers-broken");
    assert_eq!(found["severity"], "warning");
}
