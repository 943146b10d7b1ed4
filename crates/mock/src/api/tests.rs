//! Requests as the API reads them, and what it refuses.

use super::*;
use crate::engine::Finish;
use crate::preset::Preset;
use infermeter_core::plan::Endpoint;

fn config() -> Config {
    Config::new(Preset::parse("llama-8b-h100").expect("a preset"))
}

fn chat(body: &str) -> Result<Ask, Refusal> {
    Ask::read(Endpoint::Chat, body.as_bytes(), &config(), None)
}

fn completion(body: &str) -> Result<Ask, Refusal> {
    Ask::read(Endpoint::Completions, body.as_bytes(), &config(), None)
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
    let again = chat(body).expect("acceptable");
    assert_eq!(said(&first), said(&again));
    assert_eq!(first.length.finish, Finish::Stop);
    let mut other = config();
    other.seed = 1;
    let second = Ask::read(Endpoint::Chat, body.as_bytes(), &other, None).expect("acceptable");
    assert_ne!(said(&first), said(&second));
}

fn said(ask: &Ask) -> (u32, String) {
    let mut script = ask.script.clone();
    let text = (0..ask.length.visible()).map(|_| script.next().to_owned());
    (ask.length.tokens, text.collect())
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
    let read = |words| Ask::read(Endpoint::Completions, body(words).as_bytes(), &small, None);
    check_refused(read(12), 400, "maximum context length is 13 tokens");
    check_refused(read(5), 400, "is too large: 16");
}

#[test]
fn ignore_eos_follows_the_configuration() {
    let body = r#"{"prompt":"a","max_tokens":100000,"ignore_eos":true}"#;
    let read = |policy| {
        let mut config = config();
        config.ignore_eos = policy;
        Ask::read(Endpoint::Completions, body.as_bytes(), &config, None)
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
    let ask = Ask::read(Endpoint::Completions, body, &config, None).expect("acceptable");
    assert_eq!((ask.length.tokens, ask.length.finish), (1, Finish::Length));
}

/// Reads with blocks of four tokens.
fn blocks(endpoint: Endpoint, body: &str) -> Ask {
    let mut config = config();
    config.content.adapters = vec!["mine".to_owned(), "yours".to_owned()];
    Ask::read(endpoint, body.as_bytes(), &config, Some(4)).expect("acceptable")
}

fn shared(one: &Ask, other: &Ask) -> usize {
    let pairs = one.blocks.iter().zip(other.blocks.iter());
    pairs.take_while(|(a, b)| a == b).count()
}

fn user(text: &str, more: &str) -> String {
    let limit = if more.contains("max_tokens") {
        ""
    } else {
        r#","max_tokens":9"#
    };
    format!(r#"{{"messages":[{{"role":"user","content":"{text}"}}]{limit}{more}}}"#)
}

#[test]
fn equal_beginnings_share_exactly_their_full_blocks() {
    let chat = |text: &str, more: &str| blocks(Endpoint::Chat, &user(text, more));
    // 2 + 4 tokens of template, then the words.
    let one = chat("a b c d e f g h", "");
    assert_eq!(
        one.blocks.len() as u32,
        (one.prompt_tokens + one.length.tokens) / 4
    );
    assert_eq!(shared(&one, &chat("a b c d e f g x", "")), (6 + 7) / 4);
    assert_eq!(shared(&one, &chat("a b x d e f g h", "")), (6 + 2) / 4);
    assert_eq!(shared(&one, &chat("x b c d e f g h", "")), 1);
    assert_eq!(shared(&one, &chat("a b c d e f g h", "")), one.blocks.len());
    for apart in [
        chat("a b c d e f g h", r#","cache_salt":"s""#),
        chat("a b c d e f g h", r#","model":"mine""#),
        chat("a b c d e f g h", r#","tools":[]"#),
    ] {
        assert_eq!(shared(&one, &apart), 0, "{apart:?}");
    }
    let system = r#"{"messages":[{"role":"system","content":"a b"}]}"#;
    assert_eq!(shared(&one, &blocks(Endpoint::Chat, system)), 0);
}

#[test]
fn a_conversation_finds_its_own_answer() {
    let mut found = 0;
    for text in ["a b", "c d e", "x", "one two, three."] {
        for limit in ["", r#","ignore_eos":true"#] {
            let first = blocks(Endpoint::Chat, &user(text, limit));
            let (_, answer) = said(&first);
            let second = format!(
                r#"{{"messages":[{{"role":"user","content":"{text}"}},
                    {{"content":"{answer}","role":"assistant"}},
                    {{"role":"user","content":"more"}}],"max_tokens":9}}"#
            );
            let second = blocks(Endpoint::Chat, &second);
            assert_eq!(shared(&second, &first), first.blocks.len(), "{text}");
            assert!(second.prompt_tokens >= first.prompt_tokens + first.length.tokens);
            found += first.blocks.len();
        }
    }
    assert!(found > 30);
}

#[test]
fn completions_have_blocks_of_text_and_of_ids() {
    let complete = |prompt: &str| {
        let body = format!(r#"{{"prompt":{prompt},"max_tokens":8,"ignore_eos":true}}"#);
        blocks(Endpoint::Completions, &body)
    };
    let one = complete("[1,2,3,4,5,6,7,8]");
    assert_eq!((one.prompt_tokens, one.blocks.len()), (9, 4));
    assert_eq!(shared(&one, &complete("[1,2,3,4,5,6,7,9]")), 2);
    let first = complete(r#""the of and""#);
    let (_, answer) = said(&first);
    let second = complete(&format!(r#""the of and{answer} more""#));
    assert_eq!(shared(&second, &first), first.blocks.len());
    assert_eq!(first.blocks.len(), 3);
}

#[test]
fn without_a_cache_there_are_no_blocks() {
    assert!(
        chat(&user("a b c d e f g h", ""))
            .expect("acceptable")
            .blocks
            .is_empty()
    );
    let mut small = config();
    small.max_model_len = Some(64);
    let body = format!(r#"{{"prompt":"{}"}}"#, " the".repeat(10_000));
    let refused = Ask::read(Endpoint::Completions, body.as_bytes(), &small, Some(16));
    check_refused(refused, 400, "10001 input tokens");
}

#[test]
fn each_message_has_its_header_and_end() {
    let tokens = |messages: &str| {
        let body = format!(r#"{{"messages":[{messages}]}}"#);
        chat(&body).expect("acceptable").prompt_tokens
    };
    let user = r#"{"role":"user","content":"a b"}"#;
    assert_eq!(tokens(user), 2 + 11);
    assert_eq!(tokens(&format!("{user},{user}")), 4 + 11 + 5);
    let called = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"x"}]}"#;
    assert!(tokens(&format!("{user},{called}")) > 2 + 11 + 5);
    let mut bare = config();
    bare.template_tokens = 3;
    let body = format!(r#"{{"messages":[{user},{user}]}}"#);
    let ask = Ask::read(Endpoint::Chat, body.as_bytes(), &bare, None).expect("acceptable");
    assert_eq!(ask.prompt_tokens, 4 + 3);
}

#[test]
fn adapters_are_models_and_misspelt_ones_are_suggested() {
    let body = |model: &str| user("a", &format!(r#","model":"{model}""#));
    let adapter = |model| blocks(Endpoint::Chat, &body(model)).adapter;
    assert_eq!((adapter("mine"), adapter("yours")), (Some(0), Some(1)));
    assert_eq!(adapter("mock/llama-8b-h100"), None);
    check_refused(
        chat(&body("mock/lama-8b-h100")),
        404,
        "Did you mean `mock/llama-8b-h100`?",
    );
}

const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"find","parameters":
    {"type":"object","properties":{"text":{"type":"string"}}}}},{"type":"function","function":
    {"name":"say"}}]"#;

fn calls(more: &str) -> bool {
    let ask = chat(&user("a", &format!(",{TOOLS}{more}"))).expect("acceptable");
    let mut script = ask.script;
    for _ in 0..ask.length.visible() {
        script.next();
    }
    script.has_called()
}

#[test]
fn tools_are_called_where_the_choice_allows() {
    for (choice, expected) in [
        ("", true),
        (r#","tool_choice":"auto""#, true),
        (r#","tool_choice":"required""#, true),
        (r#","tool_choice":"none""#, false),
        (
            r#","tool_choice":{"type":"function","function":{"name":"say"}}"#,
            true,
        ),
    ] {
        assert_eq!(
            calls(&format!(r#"{choice},"max_tokens":90"#)),
            expected,
            "{choice}"
        );
    }
    let mut never = config();
    never.content.tool_call_share = 0.0;
    let body = user("a", &format!(",{TOOLS}"));
    let ask = Ask::read(Endpoint::Chat, body.as_bytes(), &never, None).expect("acceptable");
    assert_eq!(ask.script.part(), crate::content::Part::Content);
    // A tool's result is answered in words.
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":"a"}},{{"role":"tool","content":"7"}}],{TOOLS}}}"#
    );
    let ask = chat(&body).expect("acceptable");
    assert_eq!(ask.script.part(), crate::content::Part::Content);
    check_refused(
        chat(&user("a", r#","tool_choice":"auto""#)),
        400,
        "`tools` must be set",
    );
    let named = r#""tool_choice":{"type":"function","function":{"name":"fly"}}"#;
    check_refused(chat(&user("a", &format!(",{TOOLS},{named}"))), 400, "`fly`");
    let odd = r#""tool_choice":"maybe""#;
    check_refused(chat(&user("a", &format!(",{TOOLS},{odd}"))), 400, "`maybe`");
    check_refused(chat(&user("a", r#","tools":7"#)), 400, "tools:");
}

#[test]
fn formats_set_the_text() {
    let text = |more: &str| {
        let ask = chat(&user("a", &format!(r#"{more},"max_tokens":40"#))).expect("acceptable");
        let json = format!("\"{}\"", said(&ask).1);
        serde_json::from_str::<String>(&json).expect("JSON text")
    };
    let json = |more: &str| -> serde_json::Value {
        serde_json::from_str(&text(more)).expect("an answer in JSON")
    };
    let schema = r#"{"type":"object","properties":{"n":{"type":"integer"}}}"#;
    assert!(json(r#","response_format":{"type":"json_object"}"#)["answer"].is_string());
    for more in [
        format!(
            r#","response_format":{{"type":"json_schema","json_schema":{{"name":"x","schema":{schema}}}}}"#
        ),
        format!(r#","guided_json":{schema}"#),
        format!(r#","guided_json":{}"#, serde_json::Value::from(schema)),
        format!(r#","structured_outputs":{{"json":{schema}}}"#),
    ] {
        assert!(json(&more)["n"].is_i64(), "{more}");
    }
    for more in [
        r#","guided_choice":["yes","no"]"#,
        r#","structured_outputs":{"choice":["yes","no"]}"#,
    ] {
        assert!(["yes", "no"].contains(&text(more).as_str()), "{more}");
    }
    for more in [
        r#","response_format":{"type":"text"}"#,
        r#","structured_outputs":{"regex":"a+"}"#,
        r#","guided_grammar":"x""#,
    ] {
        assert!(text(more).starts_with(' '), "{more}");
    }
    check_refused(
        chat(&user("a", r#","guided_choice":[]"#)),
        400,
        "an empty list",
    );
    check_refused(
        chat(&user("a", r#","response_format":7"#)),
        400,
        "response_format:",
    );
    let long = format!(r#","guided_choice":["{}"]"#, "x".repeat(2 << 20));
    check_refused(chat(&user("a", &long)), 400, "guided_choice: longer than");
}
