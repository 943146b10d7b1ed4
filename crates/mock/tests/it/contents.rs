//! What answers consist of, over real sockets, and their tokens under the real vocabularies.

use crate::client::{Connection, Response, fast, start};
use infermeter_mock::{Config, ReasoningField, UsageStyle};
use infermeter_workload::{TokenCounter, Tokenizer};
use serde_json::Value;

/// A chat request with `more` members.
fn body(stream: bool, max_tokens: u32, more: &str) -> String {
    let usage = if stream {
        r#","stream_options":{"include_usage":true}"#
    } else {
        ""
    };
    format!(
        r#"{{"messages":[{{"role":"user","content":"one two"}}],"stream":{stream}{usage},
            "max_tokens":{max_tokens},"ignore_eos":true{more}}}"#
    )
}

fn ask(config: Config, body: &str) -> Response {
    let mock = start(config);
    Connection::open(mock.address()).chat("", body)
}

/// The texts of one member of the deltas, put together.
fn text(response: &Response, pointer: &str) -> String {
    let chunks = response.chunks();
    let texts = chunks.iter().filter_map(|chunk| {
        chunk["choices"][0]["delta"]
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    });
    texts.collect()
}

fn counters() -> Vec<TokenCounter> {
    let counter = |name| {
        let tokenizer = Tokenizer::open(name).expect("built in");
        TokenCounter::load(&tokenizer).expect("it loads")
    };
    Tokenizer::NAMES.into_iter().map(counter).collect()
}

const SCHEMA: &str = r#"{"type":"object","properties":{"user_id":{"type":"string"},
    "count":{"type":"integer"},"kind":{"enum":["positive","negative"]},
    "ok":{"type":"boolean"},"reason":{"type":"string"}}}"#;

#[test]
fn every_form_of_answer_has_as_many_tokens_as_usage_says() {
    let counters = counters();
    let mut config = fast();
    config.content.reasoning_tokens = 12;
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    let tools = format!(
        r#","tools":[{{"type":"function","function":{{"name":"get_weather","parameters":{SCHEMA}}}}}]"#
    );
    let format = format!(
        r#","response_format":{{"type":"json_schema","json_schema":{{"schema":{SCHEMA}}}}}"#
    );
    let object = r#","response_format":{"type":"json_object"}"#;
    for (form, more) in [
        ("words", ""),
        ("call", &tools),
        ("json", &format),
        ("any", object),
    ] {
        for seed in 0..4 {
            let more = format!(r#"{more},"user":"{seed}""#);
            let response = connection.chat("", &body(true, 60 + seed, &more));
            let parts = [
                text(&response, "/reasoning_content"),
                text(&response, "/content"),
                text(&response, "/tool_calls/0/function/name"),
                text(&response, "/tool_calls/0/function/arguments"),
            ];
            let chunks = response.chunks();
            let usage = &chunks.last().expect("usage")["usage"];
            assert_eq!(usage["completion_tokens"], 60 + seed, "{form}");
            assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 12);
            for counter in &counters {
                let counts: Vec<usize> = parts.iter().map(|part| counter.count(part)).collect();
                assert_eq!(counts[0], 12, "{form}");
                assert_eq!(
                    counts.iter().sum::<usize>(),
                    60 + seed as usize,
                    "{form}: {parts:?}"
                );
            }
        }
    }
}

#[test]
fn a_tool_call_is_whole_and_fits_its_schema() {
    let tools = format!(
        r#","tools":[{{"type":"function","function":{{"name":"look","parameters":{SCHEMA}}}}}]"#
    );
    let response = ask(fast(), &body(true, 40, &tools));
    assert_eq!(text(&response, "/tool_calls/0/function/name"), "look");
    let arguments = text(&response, "/tool_calls/0/function/arguments");
    let value: Value = serde_json::from_str(&arguments).expect("JSON");
    assert!(value["user_id"].is_string() && value["count"].is_i64() && value["ok"].is_boolean());
    let chunks = response.chunks();
    let last = &chunks[chunks.len() - 2]["choices"][0];
    assert_eq!(last["finish_reason"], "tool_calls");
    let cut = ask(fast(), &body(true, 7, &tools));
    let chunks = cut.chunks();
    assert_eq!(
        chunks[chunks.len() - 2]["choices"][0]["finish_reason"],
        "length"
    );
    let whole = ask(fast(), &body(false, 40, &tools)).json();
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], arguments);
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn reasoning_takes_its_share_under_either_name() {
    for (field, name) in [
        (ReasoningField::ReasoningContent, "reasoning_content"),
        (ReasoningField::Reasoning, "reasoning"),
    ] {
        let mut config = fast();
        config.content.reasoning_share = 0.25;
        config.content.reasoning_field = field;
        let response = ask(config, &body(true, 40, ""));
        let thought = text(&response, &format!("/{name}"));
        assert_eq!(thought.split_whitespace().count(), 10);
        assert_eq!(response.texts().len(), 30);
    }
}

#[test]
fn chunks_hold_an_interval_of_tokens() {
    let mut config = fast();
    config.content.stream_interval = 4;
    let response = ask(config, &body(true, 10, ""));
    let words = |text: &String| text.split_whitespace().count();
    let per_chunk: Vec<usize> = response.texts().iter().map(words).collect();
    assert_eq!(per_chunk, [1, 4, 4, 1]);
    let chunks = response.chunks();
    assert_eq!(
        chunks.last().expect("usage")["usage"]["completion_tokens"],
        10
    );
}

#[test]
fn usage_goes_where_the_style_says() {
    let events = |style, asked: bool| {
        let mut config = fast();
        config.content.usage = style;
        let plain = body(true, 3, "");
        let unasked = plain.replace(r#","stream_options":{"include_usage":true}"#, "");
        let response = ask(config, if asked { &plain } else { &unasked });
        let has = |chunk: &Value| chunk["usage"].is_object();
        let with: Vec<bool> = response.chunks().iter().map(has).collect();
        with
    };
    // The role, three tokens, and a chunk of its own.
    assert_eq!(
        events(UsageStyle::OnRequest, true),
        [false, false, false, false, true]
    );
    assert_eq!(events(UsageStyle::OnRequest, false), [false; 4]);
    assert_eq!(
        events(UsageStyle::Always, false),
        [false, false, false, false, true]
    );
    assert_eq!(
        events(UsageStyle::LastChunk, true),
        [false, false, false, true]
    );
    assert_eq!(events(UsageStyle::LastChunk, false), [false; 4]);
    assert_eq!(events(UsageStyle::Never, true), [false; 4]);
}

#[test]
fn adapters_are_listed_and_answer_under_their_names() {
    let mut config = fast();
    config.content.adapters = vec!["sql".to_owned()];
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    let models = connection.get("/v1/models").json();
    assert_eq!(models["data"][1]["id"], "sql");
    assert_eq!(models["data"][1]["parent"], "mock/fixed");
    assert_eq!(models["data"][0]["parent"], Value::Null);
    let answer = connection
        .chat("", &body(false, 5, r#","model":"sql""#))
        .json();
    assert_eq!(answer["model"], "sql");
    let base = connection.chat("", &body(false, 5, "")).json();
    assert_eq!(base["model"], "mock/fixed");
    assert_ne!(
        answer["choices"][0]["message"]["content"],
        base["choices"][0]["message"]["content"]
    );
    let unknown = connection.chat("", &body(false, 5, r#","model":"sqll""#));
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.body.contains("Did you mean `sql`?"),
        "{}",
        unknown.body
    );
}

#[test]
fn usage_tells_what_the_cache_held() {
    let mut config = fast();
    config.prompt_tokens_details = true;
    let usage = ask(config, &body(false, 5, "")).json()["usage"].clone();
    // This engine has no cache.
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 0);
}
