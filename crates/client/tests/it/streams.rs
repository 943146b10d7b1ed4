//! Streams as engines send them (fuzz/seeds/answer): chunks, tokens, ends. Every one is decoded
//! whole, byte by byte, and cut in two at every byte, with the same facts.

use crate::support::{STREAM, chunked_stream, facts, feed, summary};
use infermeter_client::dialect::Dialect;
use infermeter_client::response::Expect;
use infermeter_core::plan::Endpoint;
use infermeter_core::record::Reason;

#[track_caller]
fn check(name: &str, expect: &str) {
    check_as(Endpoint::Chat, name, expect);
}

#[track_caller]
fn check_as(endpoint: Endpoint, name: &str, expect: &str) {
    let expected = Expect {
        dialect: Dialect::of(endpoint),
        ..STREAM
    };
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/answer");
    let body = std::fs::read(format!("{dir}/{name}.sse")).expect("a seed of this name");
    let bytes = chunked_stream(&body);
    let (_, whole) = feed(expected, &[&bytes]);
    assert_eq!(summary(&whole), expect.trim(), "{name}");
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(
        facts(&feed(expected, &single).1),
        facts(&whole),
        "{name}: bytes"
    );
    for cut in 1..bytes.len() {
        let (left, right) = bytes.split_at(cut);
        let record = feed(expected, &[left, right]).1;
        assert_eq!(facts(&record), facts(&whole), "{name}: cut at {cut}");
    }
}

#[test]
fn vllm() {
    check(
        "vllm-chat",
        r#"
completed finish=stop prompt=11 output=4 tokens=one_per_chunk
text 1 "Hello"
text 1 ","
text 1 " \"world\"\n"
"#,
    );
    check(
        "vllm-completions-token-ids",
        r#"
completed finish=stop prompt=3 output=6 tokens=token_ids
text 2 "A B"
text 1 ""
text 2 "✓"
"#,
    );
    check(
        "vllm-continuous",
        r#"
completed finish=length prompt=11 output=5 tokens=continuous_usage
text 2 "Two tokens"
text 1 ""
text 1 "é"
text 1 "!"
"#,
    );
    check(
        "vllm-continuous-stop",
        r#"
completed finish=stop prompt=11 output=2 tokens=continuous_usage
text 1 "Hi"
"#,
    );
    check(
        "vllm-error-in-stream",
        r#"
failed in_band_error (EngineCore encountered an issue.�[31m) tokens=unknown
text - "Hi"
"#,
    );
    check(
        "vllm-reasoning",
        r#"
completed finish=stop prompt=20 output=4 cached=16 reasoning=2 tokens=one_per_chunk
reasoning 1 "Let me"
reasoning 1 " think"
text 1 "42"
"#,
    );
    check(
        "vllm-tool-call",
        r#"
completed finish=tool_calls prompt=50 output=4 tokens=one_per_chunk
tool_call 1 "get_weather"
tool_call 1 "{\"city\": \""
tool_call 1 "Bern\"}"
"#,
    );
}

#[test]
fn sglang() {
    check(
        "sglang-chat",
        r#"
completed finish=length prompt=9 output=5 cached=0 tokens=unknown
text - "Once upon"
text - " a time"
"#,
    );
    check(
        "sglang-continuous",
        r#"
completed finish=length prompt=9 output=5 tokens=continuous_usage
text 2 "Once upon"
text 3 " a time,"
"#,
    );
    check(
        "sglang-old-error",
        r#"
failed in_band_error (out of memory) tokens=unknown
text - "Hi"
"#,
    );
}

#[test]
fn openai() {
    check(
        "function-call",
        r#"
completed finish=function_call tokens=unknown
tool_call - "f"
tool_call - "{}"
"#,
    );
    check(
        "openai-chat",
        r#"
completed finish=stop prompt=8 output=2 cached=0 reasoning=0 tokens=one_per_chunk
text 1 "Yes"
text 1 "."
"#,
    );
    check(
        "openai-logprobs",
        r#"
completed finish=stop tokens=token_ids
text 1 "Yes"
text 2 ", sir"
"#,
    );
    check(
        "openai-refusal",
        r#"
completed finish=stop tokens=unknown
refusal - "I"
refusal - " cannot"
"#,
    );
    check(
        "openai-two-choices",
        r#"
failed unexpected_content (the answer has several choices (`n`): one answer to a request is measured)
"#,
    );
}

#[test]
fn tgi() {
    check(
        "tgi-chat",
        r#"
completed finish=eos_token prompt=5 output=3 tokens=one_per_chunk
text 1 "Deep"
text 1 " learning"
"#,
    );
    check(
        "tgi-error",
        r"
failed in_band_error (Request failed during generation: Server error: CUDA out of memory)
",
    );
    check(
        "tgi-usage-with-last-token",
        r#"
completed finish=length prompt=5 output=2 tokens=one_per_chunk
text 1 "Deep"
text 1 " learning"
"#,
    );
}

#[test]
fn ends_of_streams() {
    check(
        "done-without-blank-line",
        r#"
completed tokens=unknown
text - "a"
"#,
    );
    check(
        "error-event",
        r#"
failed in_band_error (upstream went away) tokens=unknown
text - "a"
"#,
    );
    check(
        "malformed",
        r#"
failed malformed_event (a string does not end at byte 32: {"choices":[{"delta":{"content":"b}}]}) tokens=unknown
text - "a"
"#,
    );
    check(
        "no-done-no-usage",
        r#"
completed finish=stop tokens=unknown
text - "a"
text - "b"
"#,
    );
    check(
        "no-tokens",
        r"
failed no_tokens (the stream ended without a token) finish=stop
",
    );
    check(
        "empty-answer",
        r"
completed finish=stop prompt=8 output=0
",
    );
    check(
        "empty-without-finish",
        r"
failed no_tokens (the stream ended without a token) prompt=5 output=0
",
    );
    check(
        "truncated",
        r#"
failed truncated (the stream ended without finish_reason, final usage or [DONE]) tokens=unknown
text - "a"
text - "b"
"#,
    );
    check(
        "truncated-inside",
        r#"
failed truncated (the stream ended inside an event) finish=stop tokens=unknown
text - "a"
text - "b"
"#,
    );
    check(
        "usage-only-ends",
        r#"
completed prompt=3 output=1 tokens=one_per_chunk
text 1 "a"
"#,
    );
}

#[test]
fn what_the_finish_says() {
    check(
        "aborted",
        r#"
failed aborted (the server gave the answer up: finish_reason `abort`) finish=abort prompt=5 output=1 tokens=one_per_chunk
text 1 "a"
"#,
    );
    check(
        "aborted-object",
        r#"
failed aborted (the server gave the answer up: finish_reason `abort`) finish=abort prompt=5 output=1 tokens=one_per_chunk
text 1 "a"
"#,
    );
    check(
        "finish-object",
        r#"
completed finish=length prompt=5 output=1 tokens=one_per_chunk
text 1 "a"
"#,
    );
    check(
        "finish-unknown",
        r#"
completed finish=recitation prompt=5 output=1 tokens=one_per_chunk
text 1 "a"
"#,
    );
}

#[test]
fn an_answer_given_up_stays_so_without_the_end_of_its_framing() {
    let seed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fuzz/seeds/answer/aborted.sse"
    );
    let bytes = chunked_stream(&std::fs::read(seed).expect("a seed"));
    let cut = bytes.strip_suffix(b"0\r\n\r\n").expect("the last chunk");
    let record = feed(STREAM, &[cut]).1;
    assert_eq!(record.error.map(|e| e.reason), Some(Reason::Aborted));
}

#[test]
fn usage_wherever_it_comes() {
    check(
        "usage-with-empty-choice",
        r#"
completed finish=length prompt=5 output=3 tokens=one_per_chunk
text 1 "a"
text 1 "b"
text 1 "c"
"#,
    );
    check(
        "first-usage-without-output",
        r#"
completed finish=length prompt=5 output=4 tokens=continuous_usage
text 2 "a"
text 1 ""
text 1 "é"
"#,
    );
    check(
        "usage-behind-done",
        r#"
completed finish=length prompt=5 output=2 tokens=one_per_chunk
text 1 "a"
text 1 "b"
"#,
    );
    check(
        "whole-floats",
        r#"
completed finish=length prompt=5 output=2 tokens=one_per_chunk
text 1 "a"
text 1 "b"
"#,
    );
}

#[test]
fn lists_of_parts_and_reasoning_under_every_name() {
    check(
        "content-parts",
        r#"
completed finish=stop prompt=5 output=4 tokens=one_per_chunk unknown=reference
reasoning 1 "hm"
text 1 "42"
text 1 "!"
"#,
    );
    check(
        "reasoning-details",
        r#"
completed finish=stop prompt=5 output=5 tokens=one_per_chunk
reasoning 1 "a"
reasoning 1 "b"
reasoning 1 "c"
text 1 "42"
"#,
    );
    check(
        "thinking",
        r#"
completed finish=stop prompt=5 output=4 tokens=one_per_chunk
reasoning 1 "a"
reasoning 1 "b"
reasoning 1 "c"
text 1 "42"
"#,
    );
    check(
        "unknown-members",
        r#"
completed finish=length prompt=5 output=2 tokens=one_per_chunk unknown=audio,mood\u001b[31m
text 1 "a"
text 1 "b"
"#,
    );
    check(
        "deep",
        r#"
completed finish=length prompt=5 output=1 tokens=one_per_chunk
text 1 "a"
"#,
    );
}

#[test]
fn event_syntax() {
    check(
        "cr-only",
        r#"
completed finish=stop tokens=unknown
text - "a"
text - "b"
"#,
    );
    check(
        "crlf-comments-ping",
        r#"
completed finish=stop tokens=unknown
text - "a"
"#,
    );
    check(
        "duplicate-role",
        r#"
completed finish=stop tokens=unknown
text - "a"
"#,
    );
    check(
        "multi-line-data",
        r#"
completed finish=stop tokens=unknown
text - "a"
"#,
    );
    check(
        "surrogates",
        r#"
completed finish=stop tokens=unknown
text - "😀 � é\n"
text - "�"
"#,
    );
}

#[test]
fn anthropic_messages() {
    let check = |name, expect| check_as(Endpoint::Messages, name, expect);
    check(
        "anthropic-messages",
        r#"
completed finish=tool_use prompt=55 output=9 cached=40 tokens=unknown
reasoning - "Let me"
reasoning - " see"
text - "It \"rains\""
tool_call - "weather"
tool_call - "{\"at\":"
tool_call - " \"sea\"}"
"#,
    );
    check(
        "llamacpp-messages",
        r#"
completed finish=max_tokens prompt=11 output=2 cached=10 tokens=one_per_chunk
text 1 " between"
text 1 "work"
"#,
    );
    check(
        "anthropic-error",
        r#"
failed in_band_error (Overloaded) prompt=55 cached=40 tokens=unknown
text - "Hi"
"#,
    );
    check(
        "anthropic-truncated",
        r#"
failed truncated (the stream ended without stop_reason or message_stop) prompt=55 cached=40 tokens=unknown
text - "Hi"
"#,
    );
    check(
        "anthropic-unknown",
        r#"
completed finish=end_turn prompt=55 cached=40 tokens=unknown unknown=mood_block,scent
text - "Hi"
"#,
    );
}

#[test]
fn openai_responses() {
    let check = |name, expect| check_as(Endpoint::Responses, name, expect);
    let whole = r#"
completed finish=completed prompt=30 output=7 cached=16 reasoning=2 tokens=one_per_chunk
reasoning 1 "Think"
reasoning 1 "ing"
text 1 "Hello"
text 1 " \"you\""
tool_call 1 "weather"
tool_call 1 "{\"at\":"
tool_call 1 "1}"
"#;
    check("openai-responses", whole);
    check(
        "responses-gap",
        r#"
completed finish=completed prompt=30 output=7 cached=16 reasoning=2 tokens=one_per_chunk gap
reasoning 1 "Think"
text 1 "Hello"
text 1 " \"you\""
tool_call 1 "weather"
tool_call 1 "{\"at\":"
tool_call 1 "1}"
"#,
    );
    check(
        "responses-incomplete",
        r#"
completed finish=max_output_tokens prompt=5 output=1 tokens=one_per_chunk unknown=response.mood.delta
refusal 1 "I cannot"
"#,
    );
    check(
        "responses-failed",
        r#"
failed in_band_error (engine died) tokens=unknown
text - "Hi"
"#,
    );
    check(
        "transformers-responses",
        r#"
completed finish=completed prompt=11 output=2 cached=0 reasoning=0 tokens=one_per_chunk
text 1 " between"
text 1 " cloud"
"#,
    );
    check(
        "llamacpp-responses",
        r#"
completed finish=completed prompt=11 output=2 cached=10 tokens=one_per_chunk
text 1 " be"
text 1 "tween"
"#,
    );
}

#[test]
fn an_answer_of_another_api_is_named_whichever_was_asked() {
    let body = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fuzz/seeds/answer/openai-responses.sse"
    ));
    let bytes = chunked_stream(&body.expect("a seed"));
    for (endpoint, called) in [
        (Endpoint::Chat, "chat or completions"),
        (Endpoint::Messages, "Anthropic's Messages"),
    ] {
        let expected = Expect {
            dialect: Dialect::of(endpoint),
            ..STREAM
        };
        let error = feed(expected, &[&bytes]).1.error.expect("a failure");
        let said = format!("the answer is of OpenAI's Responses, not of {called}: ");
        assert!(error.text.starts_with(&said), "{}", error.text);
    }
}
