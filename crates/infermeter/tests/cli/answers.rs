//! What servers answer: good in many shapes, and bad in many ways. Every failure has its reason
//! in the record, and nothing a server sends can hurt the client or its reader.

use crate::process::{Run, UNPROBED, everything_in, infermeter, light, mock, run, run_with};
use crate::server::{DONE, FINISH, Server, TEXT, Then, USAGE, good, reply, reply_events, send};
use infermeter_core::record::{ChunkKind, Outcome, Reason, TokenSource};
use infermeter_core::schedule::Phase;

/// A run in which the simulator does one thing wrong.
fn with_fault(fault: &str, more: &str) -> Run {
    run(mock(), &format!("--header 'x-mock-fault: {fault}' {more}"))
}

/// A run against a server that answers each request with these events.
fn with_events(events: &'static [&'static str]) -> Run {
    let server = Server::start(move |_, out| reply_events(out, events));
    run(&server.url, "")
}

#[test]
fn statuses_other_than_200_fail_and_are_recorded() {
    for status in [401, 404, 422, 429, 500, 503, 302] {
        let run = with_fault(&format!("status={status}"), "");
        for record in run.all_fail(Reason::HttpStatus) {
            assert_eq!(record.status, Some(status));
            let text = record.error.expect("an error").text;
            assert!(text.contains(&format!("status {status}")), "{text}");
        }
        assert!(
            run.ran.out.contains(&format!("HTTP {status}")),
            "{}",
            run.ran.out
        );
        let failures = run.finding("failures");
        assert_eq!(failures["severity"], "error");
    }
}

#[test]
fn what_is_no_stream_is_unexpected_content() {
    for (fault, word) in [
        ("html", "text/html"),
        ("json-instead-of-stream", "application/json"),
    ] {
        let run = with_fault(fault, "");
        let failed = run.all_fail(Reason::UnexpectedContent);
        let text = &failed[0].error.as_ref().expect("an error").text;
        assert!(
            text.contains("text/event-stream") && text.contains(word),
            "{text}"
        );
    }
    with_fault("html=502", "").all_fail(Reason::HttpStatus);
}

#[test]
fn answers_cut_short_fail_with_what_came() {
    let run = with_fault("disconnect-after=2", "");
    for record in run.all_fail(Reason::Truncated) {
        assert_eq!(record.chunks.len(), 2);
        assert!(record.finish_reason.is_none() && record.output_tokens.is_none());
    }
    for record in with_fault("reset-after=2", "").all_fail(Reason::Disconnected) {
        // A reset may overtake what was sent before it.
        assert!(record.chunks.len() <= 2);
    }
    // No token, and nothing that says so.
    with_events(&[FINISH, DONE]).all_fail(Reason::NoTokens);
    let empty = with_fault("empty", "");
    empty.completes();
    empty.finding("empty-answers");
}

#[test]
fn an_error_inside_a_stream_is_a_failure() {
    for record in with_fault("in-band-error-after=2", "").all_fail(Reason::InBandError) {
        assert_eq!((record.status, record.chunks.len()), (Some(200), 2));
        let text = record.error.expect("an error").text;
        assert!(text.contains("engine died on demand"), "{text}");
    }
    with_fault("in-band-error-after=0", "").all_fail(Reason::InBandError);
}

#[test]
fn an_answer_without_end_mark_or_usage_still_completes() {
    for record in with_fault("no-done", "").completes() {
        assert_eq!(record.output_tokens, Some(4));
    }
    let run = with_fault("no-usage", "");
    for record in run.completes() {
        assert_eq!((record.output_tokens, record.chunks.len()), (None, 4));
    }
    run.finding("tokens-estimated");
    let run = with_events(&[TEXT, TEXT]);
    run.all_fail(Reason::Truncated);
}

#[test]
fn usage_that_does_not_fit_is_a_finding() {
    let run = with_fault("wrong-usage", "");
    for record in run.completes() {
        assert_eq!((record.output_tokens, record.chunks.len()), (Some(11), 4));
    }
    let codes = run.manifest()["findings"].to_string();
    assert!(codes.contains("token-counts"), "{codes}");
}

#[test]
fn several_tokens_in_a_chunk_are_counted_as_such() {
    let run = run_with(light(mock(), "--header 'x-mock-fault: coalesce=2'"), |_| {});
    for record in run.completes() {
        assert_eq!(record.token_source, Some(TokenSource::ContinuousUsage));
        let tokens: Vec<u32> = record.chunks.iter().map(|c| c.tokens).collect();
        assert_eq!(tokens, [2, 2]);
    }
    assert!(
        run.ran.out.contains("Tokens/chunk  2.00"),
        "{}",
        run.ran.out
    );
    // Several events in one write are several chunks with one stamp.
    for record in with_fault("multi-event=2", "").completes() {
        assert_eq!(record.chunks.len(), 4);
        assert_eq!(record.chunks[0].at, record.chunks[1].at);
    }
}

#[test]
fn role_empty_and_finish_events_are_no_chunks() {
    let run = with_events(&[
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"reasoning":"hm"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":""}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{"}}]}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"refusal":"no"}}]}"#,
        FINISH,
        USAGE,
        DONE,
    ]);
    for record in run.completes() {
        let kinds: Vec<ChunkKind> = record.chunks.iter().map(|c| c.kind).collect();
        assert_eq!(
            kinds,
            [
                ChunkKind::Reasoning,
                ChunkKind::Reasoning,
                ChunkKind::ToolCall,
                ChunkKind::Refusal
            ]
        );
    }
}

#[test]
fn plain_answers_have_no_tokens_instants() {
    for endpoint in ["chat", "completions"] {
        let run = run(
            mock(),
            &format!("--no-stream --endpoint {endpoint} --save-responses"),
        );
        for record in run.completes() {
            assert!(record.chunks.is_empty() && record.finished.is_none());
            assert_eq!(record.output_tokens, Some(4));
        }
        let table = &run.ran.out;
        assert!(!table.contains("TTFT ") && table.contains("E2E"), "{table}");
    }
    run(mock(), "--endpoint completions").completes();
}

#[test]
fn endless_answers_end_with_the_time_out_and_with_the_window() {
    let run = with_fault("endless", "--timeout 400ms");
    for record in run.measured() {
        assert_eq!(record.outcome, Outcome::TimedOut);
        assert!(!record.chunks.is_empty());
    }
    assert_eq!(run.ran.code, Some(4));
}

#[test]
fn oversized_answers_are_cut_off_and_counted() {
    for (fault, word) in [
        ("oversized-event=5000000", "event over"),
        ("oversized-head=100000", "head"),
    ] {
        let run = with_fault(fault, "");
        let failed = run.all_fail(Reason::LimitExceeded);
        let text = &failed[0].error.as_ref().expect("an error").text;
        assert!(text.contains(word), "{text}");
    }
    // An error body without end.
    let server = Server::start(|_, out| {
        let head = "HTTP/1.1 500 Oops\r\ncontent-type: text/plain\r\n\r\n";
        let mut then = send(out, head);
        while then == Then::Keep {
            then = send(out, &"x".repeat(10_000));
        }
        Then::Close
    });
    let run = run(&server.url, "");
    for record in run.all_fail(Reason::HttpStatus) {
        assert!(record.error.expect("an error").text.len() <= 1024);
    }
}

#[test]
fn what_is_no_http_is_a_failure_of_the_protocol() {
    for answer in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: \
         chunked\r\n\r\nzz\r\n",
    ] {
        let server = Server::start(move |_, out| {
            send(out, answer);
            Then::Close
        });
        run(&server.url, "").all_fail(Reason::HttpProtocol);
    }
    let run = with_events(&["{not json", DONE]);
    run.all_fail(Reason::MalformedEvent);
}

#[test]
fn what_a_server_says_is_inert_everywhere() {
    let hostile = "\u{1b}[31mred\u{1b}]0;title\u{7}\u{202e}<script>alert(1)</script>\r\nnext";
    let server = Server::start(move |request, out| {
        let body = serde_json::json!({"error": {"message": hostile}}).to_string();
        match request.what() {
            "GET /v1/models" => {
                let models = serde_json::json!({"data": [{"id": "m", "owned_by": hostile}]});
                reply(out, "200 OK", "application/json", &models.to_string())
            }
            "GET /version" => {
                let version = serde_json::json!({ "version": hostile });
                reply(out, "200 OK", "application/json", &version.to_string())
            }
            _ if request.is_probe() => good(request, out),
            _ => reply(out, "503 Busy", "text/plain", &body),
        }
    });
    let run = run_with(light(&server.url, ""), |_| {});
    let failed = run.all_fail(Reason::HttpStatus);
    let text = &failed[0].error.as_ref().expect("an error").text;
    assert!(text.contains("red") && text.contains("next"), "{text}");
    inert(&run);
    assert!(run.manifest().to_string().contains("red"));
    let run = with_fault("escape-sequences", "--save-responses --json");
    run.completes();
    inert(&run);
    let run = with_fault("escaped-error", "");
    run.all_fail(Reason::HttpStatus);
    inert(&run);
}

/// No escape, bell or override in any output or file (Parquet's own bytes aside).
fn inert(run: &Run) {
    let again = infermeter(&format!("report {}", run.dir.display()));
    for output in [&run.ran.out, &run.ran.err, &again.out, &again.err] {
        let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!output.contains(bad), "{output:?}");
    }
    std::fs::remove_file(run.dir.join("requests.parquet")).expect("there");
    let files = everything_in(&run.dir);
    assert!(!files.iter().any(|byte| matches!(byte, 0x1b | 0x07)));
}

#[test]
fn most_answers_failing_is_invalid_and_the_rest_is_reported() {
    let server = Server::start(|request, out| {
        let id = request.header("x-request-id").unwrap_or_default();
        if id.ends_with('3') || id.ends_with('5') {
            reply(out, "500 Oops", "text/plain", "no")
        } else {
            good(request, out)
        }
    });
    let run = run(&server.url, "");
    assert_eq!(run.ran.code, Some(3), "{:#?}", run.ran);
    let measured = run.measured();
    let failed = measured.iter().filter(|r| r.outcome == Outcome::Failed);
    assert_eq!(failed.count(), 2);
    assert!(
        run.ran.out.contains("4 completed, 2 failed"),
        "{}",
        run.ran.out
    );
    assert!(run.records().iter().any(|r| r.phase == Phase::Measure));
}

#[test]
fn every_request_has_its_id_and_what_the_plan_adds() {
    let server = Server::start(good);
    let more = "--header 'x-team: blue' --extra-body {\"top_p\":0.5,\"max_tokens\":4} --label x";
    let run = run_with(light(&server.url, more), |command| {
        command.env("OPENAI_API_KEY", "sk-from-the-environment");
    });
    run.completes();
    let run_id = run.manifest()["run_id"].as_str().expect("an id").to_owned();
    let load: Vec<_> = server.generations().into_iter().skip(1).collect();
    assert!(load.len() >= 6);
    let mut prompts = std::collections::BTreeSet::new();
    for request in server.seen() {
        let authorization = request.header("authorization");
        assert_eq!(authorization, Some("Bearer sk-from-the-environment"));
        assert_eq!(request.header("x-team"), Some("blue"));
    }
    for request in &load {
        let id = request.header("x-request-id").expect("an id");
        let number = id.strip_prefix(&format!("{run_id}-")).expect("the run's");
        assert!(number.parse::<u64>().is_ok(), "{id}");
        let body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
        assert_eq!(body["model"], "small");
        assert_eq!(body["top_p"], 0.5);
        assert_eq!(
            (&body["max_tokens"], &body["stream"]),
            (&4.into(), &true.into())
        );
        assert_eq!(request.body.matches("max_tokens").count(), 1);
        prompts.insert(body["messages"].to_string());
    }
    assert_eq!(
        prompts.len(),
        load.len(),
        "each prompt begins with its own salt"
    );
    assert!(UNPROBED.contains("--no-probe"));
}
