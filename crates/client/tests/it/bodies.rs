//! Answers that are not streams: JSON that was asked for, and what was not asked for.

use crate::support::{STREAM, facts, feed, head, response, summary};
use infermeter_client::KeepTexts;
use infermeter_client::dialect::Dialect;
use infermeter_client::response::{Expect, ReadResult};
use infermeter_core::plan::Endpoint;

const WHOLE: Expect = Expect {
    dialect: Dialect::of(Endpoint::Chat),
    streaming: false,
    keep_texts: KeepTexts::Always,
    output_tokens: 0,
    numbers: infermeter_client::response::Numbers::NONE,
};

#[track_caller]
fn check(expect: Expect, status: &str, content_type: &str, body: &str, summary_expect: &str) {
    let bytes = response(status, content_type, body.as_bytes());
    let (_, whole) = feed(expect, &[&bytes]);
    assert_eq!(summary(&whole), summary_expect);
    for cut in 1..bytes.len() {
        let (left, right) = bytes.split_at(cut);
        let record = feed(expect, &[left, right]).1;
        assert_eq!(facts(&record), facts(&whole), "cut at {cut}");
    }
}

#[test]
fn a_plain_answer() {
    let body = r#"{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi \u00e9","reasoning_content":"hm","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":9,"total_tokens":14}}"#;
    check(
        WHOLE,
        "200 OK",
        "application/json",
        body,
        "completed finish=stop prompt=5 output=9",
    );
    let (_, record) = feed(
        WHOLE,
        &[&response("200 OK", "application/json", body.as_bytes())],
    );
    let texts = record.texts.expect("texts were asked for");
    let by_kind = [texts.get(0), texts.get(1), texts.get(2), texts.get(3)];
    assert_eq!(by_kind, ["Hi é", "hm", "f{}", ""]);
    assert!(record.chunks.is_empty() && record.finished.is_none());
}

#[test]
fn a_plain_completion_without_usage() {
    check(
        WHOLE,
        "200 OK",
        "application/json; charset=utf-8",
        r#"{"object":"text_completion","choices":[{"index":0,"text":"Hi","finish_reason":"length"}]}"#,
        "completed finish=length",
    );
}

#[test]
fn plain_answers_that_are_none() {
    for (body, expect) in [
        (
            r#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}]}"#,
            "failed no_tokens (the answer has no output) finish=stop",
        ),
        (
            r#"{"choices":[{"message":{"content":"a"},"finish_reason":"error"}],"usage":{"completion_tokens":1}}"#,
            "failed aborted (the server gave the answer up: finish_reason `error`) finish=error output=1",
        ),
        (
            r#"{"choices":[{"message":{"content":"a"}},{"message":{"content":"b"}}]}"#,
            "failed unexpected_content (the answer has several choices (`n`): one answer to a request is measured)",
        ),
        (
            r#"{"error":{"message":"no such model"}}"#,
            "failed in_band_error (no such model)",
        ),
        (
            r#"{"choices":["#,
            r#"failed malformed_event (a value is missing at byte 12: {"choices":[)"#,
        ),
    ] {
        check(WHOLE, "200 OK", "application/json", body, expect);
    }
}

#[test]
fn plain_answers_of_other_forms() {
    for (body, expect, texts) in [
        (
            r#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}],"usage":{"completion_tokens":0}}"#,
            "completed finish=stop output=0",
            ["", "", "", ""],
        ),
        (
            r#"{"choices":[{"message":{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"Hi"}],"audio":{"id":1}},"finish_reason":"stop"}],"usage":{"completion_tokens":3.0}}"#,
            "completed finish=stop output=3 unknown=audio",
            ["Hi", "hm", "", ""],
        ),
        (
            r#"{"choices":[{"message":{"reasoning":"hm","reasoning_content":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}],"content":"Hi"},"finish_reason":"stop"}]}"#,
            "completed finish=stop",
            ["Hi", "hm", "", ""],
        ),
    ] {
        check(WHOLE, "200 OK", "application/json", body, expect);
        let answer = response("200 OK", "application/json", body.as_bytes());
        let kept = feed(WHOLE, &[&answer]).1.texts.expect("asked for");
        assert_eq!([0, 1, 2, 3].map(|kind| kept.get(kind)), texts);
    }
}

#[test]
fn labels_that_say_nothing_or_the_wrong_thing() {
    let events = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n";
    let object = r#"{"choices":[{"text":"Hi","finish_reason":"length"}]}"#;
    for label in ["text/plain; charset=utf-8", "", "application/json"] {
        let expect = "completed tokens=unknown mislabelled\ntext - \"a\"";
        check(
            STREAM,
            "200 OK",
            label,
            &format!("\r\n: hi\n{events}"),
            expect,
        );
    }
    for label in ["text/plain", "", "text/event-stream"] {
        let expect = "completed finish=length mislabelled";
        check(WHOLE, "200 OK", label, &format!(" {object}"), expect);
    }
    check(
        WHOLE,
        "200 OK",
        "text/event-stream",
        events,
        "failed unexpected_content (asked for application/json, got text/event-stream: \
         data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}  data: [DONE]  )",
    );
    check(
        STREAM,
        "200 OK",
        "text/plain",
        "down for maintenance\n",
        "failed unexpected_content (asked for text/event-stream, got text/plain: down for \
         maintenance ) mislabelled",
    );
}

#[test]
fn the_wrong_kind_of_content_is_quoted_inert() {
    check(
        STREAM,
        "200 OK",
        "application/json",
        r#"{"choices":[]}"#,
        r#"failed unexpected_content (asked for text/event-stream, got application/json: {"choices":[]})"#,
    );
    check(
        WHOLE,
        "200 OK",
        "text/event-stream",
        "data: x\n\n",
        "failed unexpected_content (asked for application/json, got text/event-stream: data: x  )",
    );
    let html = format!("<html>\u{1b}[2J{}", "x".repeat(500));
    let expect = format!(
        "failed unexpected_content (asked for text/event-stream, got text/html: \
         <html>\u{fffd}[2J{})",
        "x".repeat(188)
    );
    check(STREAM, "200 OK", "text/html", &html, &expect);
}

#[test]
fn coded_bodies_are_not_guessed_at() {
    let mut bytes = head("200 OK", "text/event-stream");
    bytes.extend_from_slice(b"content-encoding: gzip\r\n\r\n\x1f\x8b");
    let (_, record) = feed(STREAM, &[&bytes]);
    let text = record.error.expect("it failed").text;
    assert!(text.starts_with("the answer is coded as gzip, and the request accepts no coding"));
    let mut bytes = head("502 Bad Gateway", "text/html");
    bytes.extend_from_slice(b"content-encoding: br\r\n\r\n\x1f\x8b");
    let (_, record) = feed(STREAM, &[&bytes]);
    let text = record.error.expect("it failed").text;
    assert_eq!(text, "status 502 (the body is coded as br)");
}

#[test]
fn statuses_carry_the_servers_message() {
    for (status, body, expect) in [
        (
            "404 Not Found",
            r#"{"error":{"message":"The model `x` does not exist.","type":"NotFoundError","code":404}}"#,
            "status 404: The model `x` does not exist.",
        ),
        (
            "400 Bad Request",
            r#"{"object":"error","message":"too long\u001b[31m","code":400}"#,
            "status 400: too long\u{fffd}[31m",
        ),
        (
            "422 Unprocessable Entity",
            r#"{"detail":[{"type":"missing","loc":["body","model"],"msg":"Field required"}]}"#,
            "status 422: Field required",
        ),
        (
            "401 Unauthorized",
            r#"{"error":"Unauthorized"}"#,
            "status 401: Unauthorized",
        ),
        (
            "401 Unauthorized",
            r#"{"detail":"no key"}"#,
            "status 401: no key",
        ),
        (
            "503 Service Unavailable",
            "upstream\nis down",
            "status 503: upstream is down",
        ),
        ("429 Too Many Requests", "", "status 429"),
        ("500 Oops", r#"{"a":1}"#, r#"status 500: {"a":1}"#),
        ("201 Created", "x", "status 201: x"),
    ] {
        let expect = format!("failed http_status ({expect})");
        check(STREAM, status, "application/json", body, &expect);
    }
}

#[test]
fn redirects_are_reported_and_the_connection_stays() {
    let mut bytes = head("307 Temporary Redirect", "text/plain");
    bytes.extend_from_slice(b"location: https://elsewhere/\r\ncontent-length: 0\r\n\r\n");
    let (result, record) = feed(STREAM, &[&bytes]);
    let ReadResult::Failed(error) = result else {
        panic!("{result:?}");
    };
    assert_eq!(record.status, Some(307));
    assert_eq!(
        error.text,
        "status 307 (to https://elsewhere/; redirects are not followed)"
    );
}

#[test]
fn endless_error_bodies_are_cut() {
    let mut bytes = head("500 Internal Server Error", "text/html");
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&vec![b'x'; 70 << 10]);
    let (result, record) = feed(STREAM, &[&bytes]);
    assert!(matches!(result, ReadResult::Failed(_)));
    assert!(record.error.expect("it failed").text.len() <= 1024);
}

#[test]
fn whole_answers_of_messages_and_responses() {
    let of = |endpoint| Expect {
        dialect: Dialect::of(endpoint),
        ..WHOLE
    };
    let json = "application/json";
    check(
        of(Endpoint::Messages),
        "200 OK",
        json,
        r#"{"id":"m","type":"message","role":"assistant","content":[{"type":"thinking","thinking":"Hm","signature":""},
            {"type":"text","text":"It is"},{"type":"tool_use","id":"t","name":"at","input":{"x":1}}],
            "stop_reason":"tool_use","usage":{"input_tokens":1,"cache_read_input_tokens":10,"output_tokens":5}}"#,
        "completed finish=tool_use prompt=11 output=5 cached=10",
    );
    check(
        of(Endpoint::Responses),
        "200 OK",
        json,
        r#"{"id":"r","object":"response","status":"incomplete","error":null,
            "incomplete_details":{"reason":"max_output_tokens"},
            "output":[{"type":"message","content":[{"type":"output_text","text":"It is","annotations":[]}]}],
            "usage":{"input_tokens":11,"output_tokens":2,"output_tokens_details":{"reasoning_tokens":0}}}"#,
        "completed finish=max_output_tokens prompt=11 output=2 reasoning=0",
    );
    check(
        of(Endpoint::Responses),
        "200 OK",
        json,
        r#"{"object":"response","status":"failed","error":{"code":"e","message":"no room"},"output":[]}"#,
        "failed in_band_error (no room)",
    );
}
