//! Requests as the API reads them, and what it refuses.

use super::*;
use crate::engine::Finish;
use crate::preset::Preset;

fn config() -> Config {
    Config::new(Preset::parse("llama-8b-h100").expect("a preset"))
}

fn chat(body: &str) -> Result<Ask, Refusal> {
    Ask::read(AnswerKind::Chat, body.as_bytes(), &config())
}

fn completion(body: &str) -> Result<Ask, Refusal> {
    Ask::read(AnswerKind::Completion, body.as_bytes(), &config())
}

fn check_refused(result: Result<Ask, Refusal>, status: u16, part: &str) {
    let refusal = result.expect_err("not acceptable");
    assert_eq!(refusal.status(), status);
    let body = String::from_utf8(refusal.body().to_vec()).expect("text");
    assert!(body.contains(part), "{body}");
}

#[test]
fn a_whole_chat_request_is_read() {
    let ask = chat(
        r#"{"model":"mock/llama-8b-h100","messages":[{"role":"user","content":" one two, three."}],
            "stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true},
            "max_tokens":64,"ignore_eos":true,"temperature":0}"#,
    )
    .expect("acceptable");
    assert_eq!(ask.prompt_tokens, 5 + 11);
    assert_eq!((ask.length.tokens, ask.length.finish), (64, Finish::Length));
    assert_eq!((ask.stream, ask.usage), (true, StreamUsage::Continuous));
}

#[test]
fn contents_and_prompts_come_in_several_shapes() {
    for (content, tokens) in [
        (
            r#"[{"type":"text","text":"a b"},{"type":"image_url","image_url":{}}]"#,
            2,
        ),
        ("null", 0),
        (r#""caf\u00e9""#, 2),
    ] {
        let ask = chat(&format!(
            r#"{{"messages":[{{"content":{content},"role":"user"}}],"max_completion_tokens":1}}"#
        ))
        .expect("acceptable");
        assert_eq!(ask.prompt_tokens, tokens + 11, "{content}");
    }
    for (prompt, tokens) in [
        (r#""a b""#, 2),
        (r#"["a b"]"#, 2),
        ("[1,2,3]", 3),
        ("[[1,2]]", 2),
    ] {
        let ask = completion(&format!(r#"{{"prompt":{prompt}}}"#)).expect("acceptable");
        assert_eq!(ask.prompt_tokens, tokens + 1, "{prompt}");
        assert!(ask.length.tokens <= 16);
    }
}

#[test]
fn the_same_prompt_has_the_same_length_and_seeds_differ() {
    let body = r#"{"messages":[{"role":"user","content":"a b"}]}"#;
    let first = chat(body).expect("acceptable");
    assert_eq!(Ok(first), chat(body));
    assert_eq!(first.length.finish, Finish::Stop);
    let mut other = config();
    other.seed = 1;
    let second = Ask::read(AnswerKind::Chat, body.as_bytes(), &other).expect("acceptable");
    assert_ne!(first.key, second.key);
}

#[test]
fn wrong_fields_are_named() {
    let message = r#""messages":[{"role":"user","content":"a"}]"#;
    check_refused(chat("{"), 400, "invalid request body");
    check_refused(chat("{}"), 400, "messages: field required");
    check_refused(completion("{}"), 400, "prompt: field required");
    check_refused(completion(r#"{"prompt":5}"#), 400, "a prompt");
    check_refused(
        completion(r#"{"prompt":["a","b"]}"#),
        400,
        "one prompt per request",
    );
    check_refused(chat(r#"{"messages":[]}"#), 400, "an empty list");
    check_refused(chat(r#"{"messages":[{"content":"a"}]}"#), 400, "role");
    check_refused(
        chat(&format!(r#"{{{message},"model":"gpt-x"}}"#)),
        404,
        "gpt-x",
    );
    check_refused(
        chat(&format!(r#"{{{message},"max_tokens":0}}"#)),
        400,
        "at least 1, got 0",
    );
    check_refused(
        chat(&format!(r#"{{{message},"max_tokens":200000}}"#)),
        400,
        "is too large",
    );
    check_refused(
        chat(&format!(r#"{{{message},"max_tokens":"x"}}"#)),
        400,
        "invalid type",
    );
    check_refused(chat(&format!(r#"{{{message},"n":2}}"#)), 400, "n: only 1");
    check_refused(
        chat(&format!(r#"{{{message},"max_tokens":3,"min_tokens":4}}"#)),
        400,
        "min_tokens",
    );
    check_refused(
        chat(&format!(
            r#"{{{message},"stream_options":{{"include_usage":true}}}}"#
        )),
        400,
        "Stream options",
    );
}

#[test]
fn a_prompt_that_fills_the_context_is_refused() {
    let mut small = config();
    small.max_model_len = Some(13);
    let body = |words: usize| format!(r#"{{"prompt":"{}"}}"#, " the".repeat(words));
    let read = |words| Ask::read(AnswerKind::Completion, body(words).as_bytes(), &small);
    check_refused(read(12), 400, "maximum context length is 13 tokens");
    check_refused(read(5), 400, "is too large: 16");
}

#[test]
fn ignore_eos_follows_the_configuration() {
    let body = r#"{"prompt":"a","max_tokens":100000,"ignore_eos":true}"#;
    let read = |policy| {
        let mut config = config();
        config.ignore_eos = policy;
        Ask::read(AnswerKind::Completion, body.as_bytes(), &config)
    };
    assert_eq!(
        read(IgnoreEos::Honoured).expect("accepted").length.tokens,
        100_000
    );
    assert_eq!(
        read(IgnoreEos::Ignored).expect("accepted").length.finish,
        Finish::Stop
    );
    check_refused(read(IgnoreEos::Refused), 400, "ignore_eos");
}

#[test]
fn the_null_preset_answers_one_visible_token() {
    let config = Config::new(Preset::parse("null").expect("a preset"));
    let body = br#"{"prompt":"a","max_tokens":50,"ignore_eos":true}"#;
    let ask = Ask::read(AnswerKind::Completion, body, &config).expect("acceptable");
    assert_eq!((ask.length.tokens, ask.length.finish), (1, Finish::Length));
}
