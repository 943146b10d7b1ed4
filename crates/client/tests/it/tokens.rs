//! Counting the tokens of chunks after the run.

use crate::support::{STREAM, chunked_stream, feed, response};
use infermeter_client::KeepTexts;
use infermeter_client::dialect::Dialect;
use infermeter_client::response::Expect;
use infermeter_client::tokens::settle_with_tokenizer;
use infermeter_core::plan::Endpoint;
use infermeter_core::record::{RequestRecord, TokenSource};

/// A row of three chunks, two words each, that ended with `finish` and this usage.
fn row(usage: Option<u32>, finish: &str) -> RequestRecord {
    let mut body = String::new();
    for text in ["one two", " three four", " five six"] {
        body.push_str(&format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
        ));
    }
    body.push_str(&format!(
        "data: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{finish}\"}}]}}\n\n"
    ));
    if let Some(n) = usage {
        body.push_str(&format!(
            "data: {{\"choices\":[],\"usage\":{{\"completion_tokens\":{n}}}}}\n\n"
        ));
    }
    feed(STREAM, &[&chunked_stream(body.as_bytes())]).1
}

#[track_caller]
fn check(usage: Option<u32>, finish: &str, expect: TokenSource, tokens: Option<u32>) {
    let mut record = row(usage, finish);
    settle_with_tokenizer(&mut record, &mut |text| text.split_whitespace().count());
    assert_eq!(record.token_source, Some(expect));
    for chunk in &record.chunks {
        assert_eq!(chunk.token_count(), tokens);
    }
}

#[test]
fn counts_are_taken_only_where_their_sum_is_the_servers() {
    check(Some(6), "length", TokenSource::Tokenizer, Some(2));
    check(Some(7), "stop", TokenSource::Tokenizer, Some(2));
    check(Some(7), "length", TokenSource::Unknown, None);
    check(Some(5), "stop", TokenSource::Unknown, None);
    check(None, "stop", TokenSource::Estimated, None);
}

#[test]
fn answers_without_usage_have_an_estimate_of_their_whole_length() {
    let mut record = row(None, "stop");
    let words = &mut |text: &str| text.split_whitespace().count();
    settle_with_tokenizer(&mut record, words);
    assert_eq!(record.estimated_output_tokens, Some(6));
    assert_eq!(
        (record.output_tokens, record.chunk_token_sum()),
        (None, None)
    );
    assert_eq!(record.output_token_count(), Some(6));
    let plain = Expect {
        dialect: Dialect::of(Endpoint::Chat),
        streaming: false,
        keep_texts: KeepTexts::UntilSettled,
        output_tokens: 0,
        numbers: infermeter_client::response::Numbers::NONE,
    };
    let body = |usage: &str| {
        let text = r#"{"choices":[{"text":"one two three","finish_reason":"stop"}]"#;
        response(
            "200 OK",
            "application/json",
            format!("{text}{usage}}}").as_bytes(),
        )
    };
    let mut record = feed(plain, &[&body("")]).1;
    assert_eq!(record.token_source, None);
    settle_with_tokenizer(&mut record, words);
    assert_eq!(record.token_source, Some(TokenSource::Estimated));
    assert_eq!(record.output_token_count(), Some(3));
    let mut counted = feed(plain, &[&body(r#","usage":{"completion_tokens":5}"#)]).1;
    settle_with_tokenizer(&mut counted, words);
    assert_eq!(counted.estimated_output_tokens, None);
    assert_eq!(
        (counted.output_tokens, counted.token_source),
        (Some(5), None)
    );
}

#[test]
fn settled_rows_are_left_alone() {
    check(Some(3), "length", TokenSource::OnePerChunk, Some(1));
    check(Some(4), "stop", TokenSource::OnePerChunk, Some(1));
    check(Some(4), "length", TokenSource::Unknown, None);
}

#[test]
fn rows_without_texts_are_left_alone() {
    let mut record = row(Some(6), "length");
    record.texts = None;
    settle_with_tokenizer(&mut record, &mut |_| panic!("nothing to count"));
    assert_eq!(record.token_source, Some(TokenSource::Unknown));
}
