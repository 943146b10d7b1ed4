//! Generations over real sockets, streamed and not.

use crate::client::{Connection, chat_body, fast, start};
use infermeter_mock::{Config, Preset, RoleChunk};

#[test]
fn a_chat_streams_role_words_usage_and_done() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    let response = connection.chat("x-request-id: run-7\r\n", &chat_body(true, 5));
    assert_eq!(response.status, 200);
    assert_eq!(response.header("x-request-id"), Some("run-7"));
    assert!(
        response
            .header("content-type")
            .is_some_and(|t| t.starts_with("text/event-stream"))
    );
    let chunks = response.chunks();
    assert_eq!(chunks.len(), 1 + 5 + 1);
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(response.texts().len(), 5);
    assert_eq!(chunks[5]["choices"][0]["finish_reason"], "length");
    assert_eq!(chunks[6]["usage"]["prompt_tokens"], 5 + 11);
    assert_eq!(chunks[6]["usage"]["completion_tokens"], 5);
    assert_eq!(response.events().last().map(String::as_str), Some("[DONE]"));
    assert_eq!(chunks[0]["id"], "chatcmpl-run-7");
}

#[test]
fn one_connection_carries_requests_of_all_kinds() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    let models = connection.get("/v1/models").json();
    let model = models["data"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(model, "mock/fixed");
    assert_eq!(models["data"][0]["max_model_len"], 1_048_576);
    assert_eq!(connection.get("/health").status, 200);
    assert!(connection.get("/version").json()["version"].is_string());

    let whole = connection.chat("", &chat_body(false, 4)).json();
    assert_eq!(whole["object"], "chat.completion");
    assert_eq!(whole["usage"]["completion_tokens"], 4);
    let streamed = connection.chat("", &chat_body(true, 4));
    let text = whole["choices"][0]["message"]["content"]
        .as_str()
        .expect("text");
    assert_eq!(
        text,
        streamed.texts().concat(),
        "the same prompt, the same answer"
    );

    let body = format!(r#"{{"model":"{model}","prompt":"a b","max_tokens":3,"ignore_eos":true}}"#);
    connection.post("/v1/completions", "", &body);
    let completion = connection.response().expect("a response").json();
    assert_eq!(completion["object"], "text_completion");
    assert_eq!(completion["usage"]["prompt_tokens"], 2 + 1);

    let stats = mock.stop().expect("no error");
    assert_eq!(
        (stats.connections, stats.requests, stats.generations),
        (1, 6, 3)
    );
    assert_eq!((stats.finished, stats.tokens), (3, 11));
}

#[test]
fn pipelined_and_chunked_requests_are_answered_in_order() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    let body = chat_body(true, 2);
    connection.post("/v1/chat/completions", "x-request-id: a\r\n", &body);
    connection.send(
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nx-request-id: b\r\n\
             transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
        .as_bytes(),
    );
    for id in ["a", "b"] {
        let response = connection.response().expect("a response");
        assert_eq!(response.header("x-request-id"), Some(id));
        assert_eq!(response.texts().len(), 2);
    }
}

#[test]
fn an_answer_without_limits_ends_by_itself() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    let response = connection.chat(
        "",
        r#"{"messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}}"#,
    );
    let chunks = response.chunks();
    let usage = &chunks[chunks.len() - 1]["usage"];
    assert_eq!(
        usage["completion_tokens"],
        response.texts().len() + 1,
        "the end token counts"
    );
    assert_eq!(
        chunks[chunks.len() - 2]["choices"][0]["finish_reason"],
        "stop"
    );
}

#[test]
fn the_role_can_come_alone_before_any_token() {
    let mut config = fast();
    config.role_chunk = RoleChunk::Arrival;
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    let response = connection.chat("", &chat_body(true, 3));
    assert_eq!(
        response.chunks()[0]["choices"][0]["delta"]["role"],
        "assistant"
    );
    assert_eq!(response.texts().len(), 3);
}

#[test]
fn the_null_preset_answers_with_one_token() {
    let mock = start(Config::new(Preset::parse("null").expect("a preset")));
    let mut connection = Connection::open(mock.address());
    for _ in 0..20 {
        let response = connection.chat("", &chat_body(true, 64));
        assert_eq!(response.texts().len(), 1);
    }
}

#[test]
fn an_old_client_gets_a_plain_body_and_the_end() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    let body = chat_body(true, 2);
    let length = body.len();
    connection.send(
        format!("POST /v1/chat/completions HTTP/1.0\r\ncontent-length: {length}\r\n\r\n{body}")
            .as_bytes(),
    );
    let head = connection.head().expect("a head");
    assert_eq!(head.header("transfer-encoding"), None);
    let rest = String::from_utf8(connection.rest().expect("an end")).expect("text");
    assert!(rest.starts_with("data: {") && rest.ends_with("data: [DONE]\n\n"));
}

#[test]
fn a_client_that_asks_to_close_is_closed() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    let response = connection.chat("connection: close\r\n", &chat_body(true, 2));
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(connection.rest().expect("an end"), b"");
}

#[test]
fn a_key_is_asked_for_where_one_is_set() {
    let mut config = fast();
    config.api_key = Some("k".to_owned());
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    assert_eq!(connection.get("/v1/models").status, 401);
    assert_eq!(connection.get("/health").status, 200);
    let answer = connection.chat("authorization: Bearer k\r\n", &chat_body(false, 1));
    assert_eq!(answer.status, 200);
    let refused = connection.chat("authorization: Bearer x\r\n", &chat_body(false, 1));
    assert_eq!(refused.json()["error"], "Unauthorized");
}
