//! What servers write differently: usage in odd places, text under other names, labels that say
//! nothing, ends that are none. The figures are those of what came, and what was odd is said.

use crate::process::{Run, infermeter, light, run, run_with};
use crate::server::{DONE, FINISH, Server, TEXT, Then, USAGE, good, reply, reply_events, send};
use infermeter_core::record::{Outcome, Reason, TokenSource};
use serde_json::Value;

/// A run against a server that answers each request with these events.
fn with_events(events: &'static [&'static str]) -> Run {
    let server = Server::start(move |_, out| reply_events(out, events));
    run(&server.url, "")
}

/// A run against a server that answers each request, unstreamed, with this body.
fn with_body(content_type: &'static str, body: &'static str) -> Run {
    let server = Server::start(move |_, out| reply(out, "200 OK", content_type, body));
    run(&server.url, "--no-stream")
}

/// How many answers a latency rests on.
fn answers_with(run: &Run, metric: &str) -> Option<u64> {
    let manifest = run.manifest();
    let found = &manifest["summary"]["latency"][metric];
    let found = found.get("send").unwrap_or(found);
    found["n"].as_u64()
}

#[test]
fn usage_in_an_event_with_an_empty_choice_is_no_chunk() {
    // It comes 150 ms behind the last token: neither E2E nor TPOT may know.
    let usage = r#"{"choices":[{"index":0,"delta":{},"finish_reason":null}],
        "usage":{"prompt_tokens":27,"completion_tokens":4.0}}"#;
    let server = Server::start(move |_, out| {
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        let early = [TEXT, TEXT, TEXT, TEXT, FINISH].map(|e| format!("data: {e}\n\n"));
        send(out, &(head.to_owned() + &early.concat()));
        std::thread::sleep(std::time::Duration::from_millis(150));
        let usage = usage.replace('\n', "");
        send(out, &format!("data: {usage}\n\ndata: {DONE}\n\n"));
        Then::Close
    });
    let run = run(&server.url, "");
    for record in run.completes() {
        assert_eq!((record.chunks.len(), record.output_tokens), (4, Some(4)));
        assert_eq!(record.token_source, Some(TokenSource::OnePerChunk));
        let end = record
            .closed
            .expect("closed")
            .since(record.finished.expect("a chunk"));
        assert!(end >= 100_000_000, "{end}");
    }
}

#[test]
fn usage_behind_the_end_mark_counts() {
    for record in with_events(&[TEXT, TEXT, TEXT, TEXT, FINISH, DONE, USAGE]).completes() {
        assert_eq!(record.output_tokens, Some(4));
    }
}

#[test]
fn answers_that_the_server_gave_up_fail() {
    let abort = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"abort"}]}"#;
    let server = Server::start(move |_, out| reply_events(out, &[TEXT, TEXT, abort, USAGE, DONE]));
    for record in run(&server.url, "").all_fail(Reason::Aborted) {
        assert_eq!(record.chunks.len(), 2);
        assert_eq!(record.finish_reason.as_deref(), Some("abort"));
    }
    let plain =
        r#"{"choices":[{"text":"a","finish_reason":"error"}],"usage":{"completion_tokens":1}}"#;
    with_body("application/json", plain).all_fail(Reason::Aborted);
    let unknown = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tired\u001b[31m"}]}"#;
    let server = Server::start(move |_, out| {
        reply_events(out, &[TEXT, TEXT, TEXT, TEXT, unknown, USAGE, DONE])
    });
    let run = run(&server.url, "");
    run.completes();
    let warning = run.finding("unknown-finish-reason");
    assert_eq!(warning["severity"], "warning");
    let evidence = warning["evidence"].as_str().expect("text");
    assert!(
        evidence.contains("6 x tired") && !evidence.contains('\u{1b}'),
        "{evidence}"
    );
}

#[test]
fn answers_without_a_token_are_completed_and_counted() {
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":27,"completion_tokens":0}}"#;
    let server = Server::start(move |_, out| reply_events(out, &[FINISH, usage, DONE]));
    let streamed = run(&server.url, "");
    for record in streamed.completes() {
        assert!(record.chunks.is_empty() && record.finished.is_none());
    }
    streamed.finding("empty-answers");
    assert_eq!(answers_with(&streamed, "ttft"), None);
    let codes = streamed.manifest()["findings"].to_string();
    assert!(!codes.contains("conservation"), "{codes}");
    let plain = r#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}],"usage":{"completion_tokens":0}}"#;
    let whole = with_body("application/json", plain);
    whole.completes();
    whole.finding("empty-answers");
}

#[test]
fn without_usage_tokens_are_an_estimate_and_say_so() {
    let streamed = with_events(&[TEXT, TEXT, TEXT, TEXT, FINISH, DONE]);
    for record in streamed.completes() {
        assert_eq!(record.token_source, Some(TokenSource::Estimated));
        assert_eq!(record.output_tokens, None);
        // "word word word word " by the built-in tokenizer: four words, and a blank.
        let estimate = record.estimated_output_tokens.expect("an estimate");
        assert!((4..=6).contains(&estimate), "{estimate}");
    }
    let body =
        r#"{"choices":[{"message":{"content":"one two three four"},"finish_reason":"length"}]}"#;
    let whole = with_body("application/json", body);
    for record in whole.completes() {
        assert_eq!(record.estimated_output_tokens, Some(4));
        assert!(record.chunks.is_empty());
    }
    for run in [&streamed, &whole] {
        assert_eq!(run.finding("tokens-estimated")["severity"], "note");
        assert!(run.ran.out.contains("NTPOT est."), "{}", run.ran.out);
        assert!(run.ran.out.contains("(estimated)"), "{}", run.ran.out);
        assert_eq!(answers_with(run, "ntpot"), Some(6));
        assert_eq!(answers_with(run, "itl"), None);
        let again = infermeter(&format!("report {} --json", run.dir.display())).json();
        assert_eq!(again["summary"]["tokens"]["estimated"], 6);
        let audited = infermeter(&format!("audit {} --json", run.dir.display())).json();
        assert!(
            audited.to_string().contains("client's tokenizer"),
            "{audited}"
        );
    }
    assert_eq!(answers_with(&streamed, "tpot"), Some(6));
}

#[test]
fn labels_do_not_decide_what_an_answer_is() {
    for label in ["text/plain", "application/json"] {
        let events = [TEXT, TEXT, TEXT, TEXT, FINISH, USAGE, DONE];
        let body = events.map(|e| format!("data:{e}\r\n\r\n")).concat();
        let server = Server::start(move |request, out| match request.is_generation() {
            true => reply(out, "200 OK", label, &body),
            false => good(request, out),
        });
        // With trials and without.
        for run in [
            run(&server.url, ""),
            run_with(light(&server.url, ""), |_| {}),
        ] {
            for record in run.completes() {
                assert_eq!(record.chunks.len(), 4);
            }
            assert_eq!(run.finding("answers-mislabelled")["severity"], "note");
        }
    }
    let object =
        r#"{"choices":[{"text":"a","finish_reason":"length"}],"usage":{"completion_tokens":4}}"#;
    let run = with_body("text/event-stream", object);
    run.completes();
    run.finding("answers-mislabelled");
    let refused = with_body("text/event-stream", "data: {\"choices\":[]}\n\n");
    for record in refused.all_fail(Reason::UnexpectedContent) {
        let text = record.error.expect("an error").text;
        assert!(text.starts_with("asked for application/json"), "{text}");
    }
}

#[test]
fn coded_answers_are_refused_by_name_and_never_printed() {
    let server = Server::start(|request, out| {
        assert_eq!(request.header("accept-encoding"), Some("identity"));
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\n\
            content-length: 6\r\n\r\n";
        send(out, &format!("{head}\u{1f}\u{1b}[31m"))
    });
    let run = run(&server.url, "");
    for record in run.all_fail(Reason::UnexpectedContent) {
        let text = record.error.expect("an error").text;
        assert!(text.contains("coded as gzip"), "{text}");
    }
    assert!(!run.ran.out.contains('\u{1f}') && !run.ran.out.contains("[31m"));
}

#[test]
fn several_choices_are_refused() {
    let two = r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#;
    let server = Server::start(move |_, out| reply_events(out, &[TEXT, two, FINISH, USAGE, DONE]));
    run(&server.url, "").all_fail(Reason::UnexpectedContent);
    for flag in ["--sampling n=2", "--extra-body '{\"n\":2}'"] {
        let line = format!("run http://127.0.0.1:9 --rate 1 --duration 1s {flag}");
        infermeter(&line).fails(2, &["`n` above 1"]);
    }
}

#[test]
fn members_that_nobody_knows_are_named_and_inert() {
    let odd = r#"{"choices":[{"index":0,"delta":{"content":"a","audio":{"id":"x"},"m\u001b[31m":1,"note":null}}]}"#;
    let server = Server::start(move |_, out| {
        reply_events(out, &[odd, TEXT, TEXT, TEXT, FINISH, USAGE, DONE])
    });
    let run = run(&server.url, "");
    for record in run.completes() {
        assert_eq!(record.outcome, Outcome::Completed);
        assert!(record.unknown_members.expect("named").starts_with("audio,"));
    }
    let note = run.finding("unknown-delta-members");
    assert_eq!(note["severity"], "note");
    assert!(
        note["evidence"]
            .as_str()
            .expect("text")
            .contains("6 x audio")
    );
    // And a good server's answers have none.
    let server = Server::start(good);
    let quiet = run_with(light(&server.url, ""), |_| {});
    let findings: Value = quiet.manifest()["findings"].clone();
    assert!(
        !findings.to_string().contains("unknown-delta-members"),
        "{findings}"
    );
}
