//! Lists of numbers as they arrive: what is counted, and what is refused.

use super::*;
use crate::answer::{KeepTexts, Room};
use infermeter_core::plan::Endpoint;

const TWO: Numbers = Numbers {
    items: 2,
    results: 2,
    base64: false,
};

/// What an answer comes to, the same for all cuts: what is wrong with it, or its usage and dimensions.
#[track_caller]
fn check(
    endpoint: Endpoint,
    asked: Numbers,
    body: &str,
    expect: Result<(Option<u32>, Option<u32>), &str>,
) {
    let dialect = Dialect::of(endpoint);
    for piece in [1, 7, usize::MAX] {
        let mut answer = Answer::default();
        answer.reset(dialect, KeepTexts::No, Room::default());
        answer.expect_numbers(asked);
        body.as_bytes()
            .chunks(piece)
            .for_each(|bytes| answer.list_bytes(bytes));
        let ended = answer.end_list(body.as_bytes());
        let found = ended.map(|()| (answer.usage.prompt, answer.dimensions()));
        match (&found, &expect) {
            (Ok(found), Ok(expect)) => assert_eq!(found, expect, "{body}"),
            (Err(error), Err(words)) => {
                assert!(error.text.contains(words), "{}: {words}", error.text);
            }
            _ => panic!("{body}: {found:?}"),
        }
    }
}

#[test]
fn embeddings_are_counted_and_held_against_the_inputs() {
    let embeddings = |body: &str, expect| check(Endpoint::Embeddings, TWO, body, expect);
    let whole = |data: &str| {
        format!(
            r#"{{"object":"list","data":[{data}],"usage":{{"prompt_tokens":9,"total_tokens":11}}}}"#
        )
    };
    let one = r#"{"index":0,"embedding":[0.5,-1e-3,7]}"#;
    let other = r#"{"object":"embedding","embedding":[1,2,3],"index":1}"#;
    embeddings(&whole(&[one, other].join(",")), Ok((Some(9), Some(3))));
    // In another order it is the same answer.
    embeddings(&whole(&[other, one].join(",")), Ok((Some(9), Some(3))));
    // Without indices the order is the inputs'.
    embeddings(
        r#"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#,
        Ok((None, Some(1))),
    );
    embeddings(
        r#"{"data":[{"embedding":[1]},{"embedding":[2]}],"usage":{"total_tokens":4}}"#,
        Ok((Some(4), Some(1))),
    );
    embeddings(
        &whole(one),
        Err("1 embeddings came back for 2 inputs, 2 were to come"),
    );
    embeddings(
        &whole(&[one, one].join(",")),
        Err("two results have the index 0"),
    );
    embeddings(
        &whole(&[one, r#"{"index":2,"embedding":[1,2,3]}"#].join(",")),
        Err("a result has the index 2: 2 inputs were sent"),
    );
    embeddings(
        &whole(&[one, r#"{"index":1,"embedding":[1,2]}"#].join(",")),
        Err("embeddings of 3 and of 2 numbers"),
    );
    embeddings(
        &whole(&[one, r#"{"index":1,"embedding":[]}"#].join(",")),
        Err("a result without its embedding"),
    );
    embeddings(
        &whole(&[one, r#"{"index":1,"embedding":"AACAPw=="}"#].join(",")),
        Err("embeddings came in base64, floats were asked for"),
    );
    embeddings(
        &whole(&[one, r#"{"index":1,"embedding":[NaN]}"#].join(",")),
        Err("an unknown word"),
    );
    embeddings(r#"{"data":[{"embedding":[1]}"#, Err("breaks off"));
    embeddings(r#"{"data":{}}"#, Err("JSON without `data`"));
    embeddings(
        r#"{"error":{"message":"out of memory"}}"#,
        Err("out of memory"),
    );
    embeddings(r#"{"object":"error","message":"no"}"#, Err("no"));
    embeddings(
        r#"{"choices":[{"message":{"content":"a"}}]}"#,
        Err("the answer is of chat or completions, not of embeddings"),
    );
}

#[test]
fn base64_tells_how_many_numbers_it_holds() {
    let asked = Numbers {
        items: 1,
        results: 1,
        base64: true,
    };
    let base64 = |text: &str, expect| {
        let body = format!(r#"{{"data":[{{"index":0,"embedding":{text}}}]}}"#);
        check(Endpoint::Embeddings, asked, &body, expect);
    };
    base64(r#""AACAPw==""#, Ok((None, Some(1))));
    base64(r#""AACAPwAAgD8=""#, Ok((None, Some(2))));
    base64(r#""AACAPwAAgD8AAIA\/""#, Ok((None, Some(3))));
    base64(r#""AACA""#, Err("does not hold 32-bit floats"));
    base64(
        "[1]",
        Err("embeddings came as floats, base64 was asked for"),
    );
}

#[test]
fn scores_are_counted_and_held_against_the_documents() {
    let rerank = |asked, body: &str, expect| check(Endpoint::Rerank, asked, body, expect);
    let one = r#"{"index":1,"document":{"text":"a \"b\" c"},"relevance_score":0.9}"#;
    let other = r#"{"index":0,"relevance_score":-3}"#;
    let vllm = format!(
        r#"{{"id":"r","model":"m","usage":{{"total_tokens":5}},"results":[{one},{other}]}}"#
    );
    rerank(TWO, &vllm, Ok((Some(5), None)));
    let cohere = format!(
        r#"{{"results":[{one},{other}],"meta":{{"billed_units":{{"search_units":1}},"tokens":{{"input_tokens":6}}}}}}"#
    );
    rerank(TWO, &cohere, Ok((Some(6), None)));
    let first = Numbers { results: 1, ..TWO };
    rerank(
        first,
        &format!(r#"{{"results":[{one}]}}"#),
        Ok((None, None)),
    );
    rerank(
        TWO,
        r#"{"results":[{"index":0},{"index":1}]}"#,
        Err("without its score"),
    );
    rerank(
        TWO,
        r#"[{"index":0,"score":1}]"#,
        Err("JSON without `results`"),
    );
    rerank(
        TWO,
        r#"{"results":[]}"#,
        Err("0 scores came back for 2 documents"),
    );
}
