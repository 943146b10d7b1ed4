//! The scan finds what a full parse by serde_json finds.

use super::{Shape, scan, tool_texts};
use crate::answer::facts::{Choice, EventFacts, Usage};
use crate::json::{Text, append_decoded};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Map, Value, json};

fn text_of(document: &[u8], text: Option<Text>) -> Option<String> {
    let text = text?;
    let mut out = Vec::new();
    append_decoded(text.span.of(document), text.escaped, &mut out);
    Some(String::from_utf8(out).expect("decoded text is UTF-8"))
}

/// What a scan found, as JSON.
fn found(document: &[u8], facts: &EventFacts) -> Value {
    let choice = |c: &Choice| {
        let mut calls = String::new();
        if let Some(span) = c.tool_calls {
            let span = span.of(document);
            tool_texts(span, &mut |text| {
                calls.push_str(&text_of(span, Some(text)).unwrap_or_default());
            })
            .expect("walked before");
        }
        json!({
            "content": text_of(document, c.content),
            "reasoning": text_of(document, c.reasoning),
            "refusal": text_of(document, c.refusal),
            "calls": calls,
            "role": c.role,
            "finish": text_of(document, c.finish),
            "token_ids": c.token_ids,
            "logprobs": c.logprobs,
        })
    };
    let usage = |u: &Usage| json!([u.prompt, u.completion, u.cached, u.reasoning]);
    json!({
        "choices": facts.choices,
        "choice": facts.choice.as_ref().map(choice),
        "usage": facts.usage.as_ref().map(usage),
        "error": facts.error.map(|span| {
            serde_json::from_slice::<Value>(span.of(document)).expect("a value")
        }),
    })
}

/// The same from serde_json's tree, written without regard to speed.
fn expected(event: &Value) -> Value {
    let choices = event["choices"].as_array();
    let count = |value: &Value| {
        let whole = |n: &f64| n.fract() == 0.0 && (0.0..f64::from(u32::MAX)).contains(n);
        value.as_f64().filter(whole).map(|n| n as u32)
    };
    let first = choices.and_then(|choices| {
        let is_first = |(i, c): &(usize, &Value)| {
            c.is_object() && count(&c["index"]).unwrap_or(u32::try_from(*i).expect("few")) == 0
        };
        choices
            .iter()
            .enumerate()
            .filter(is_first)
            .map(|(_, c)| c)
            .next_back()
    });
    let choice = first.map(|c| {
        let delta = &c["delta"];
        // In the order of the document: the first that is not empty counts.
        let members = delta.as_object().into_iter().flatten();
        let reasoning: Vec<&Value> = members
            .filter(|(name, _)| {
                matches!(
                    name.as_str(),
                    "reasoning" | "reasoning_content" | "thinking"
                )
            })
            .map(|(_, value)| value)
            .collect();
        let filled = reasoning
            .iter()
            .find(|r| r.as_str().is_some_and(|s| !s.is_empty()));
        let any = reasoning.iter().rfind(|r| r.is_string());
        let mut calls = String::new();
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            for (name, value) in call["function"].as_object().into_iter().flatten() {
                if name == "name" || name == "arguments" {
                    calls.push_str(value.as_str().unwrap_or_default());
                }
            }
        }
        let content = delta.get("content").filter(|v| v.is_string());
        let not_empty = |v: &Value| v.as_str().is_some_and(|s| !s.is_empty());
        json!({
            "content": content.or(c.get("text")),
            "reasoning": filled.or(any),
            "refusal": delta["refusal"],
            "calls": calls,
            "role": not_empty(&delta["role"]),
            "finish": Some(&c["finish_reason"]).filter(|v| not_empty(v)),
            "token_ids": c["token_ids"].as_array().map(Vec::len),
            "logprobs": c["logprobs"]["content"].as_array().map(Vec::len),
        })
    });
    let usage = event["usage"].is_object().then(|| {
        let u = &event["usage"];
        json!([
            count(&u["prompt_tokens"]),
            count(&u["completion_tokens"]),
            count(&u["prompt_tokens_details"]["cached_tokens"]),
            count(&u["completion_tokens_details"]["reasoning_tokens"]),
        ])
    });
    let error = Some(&event["error"]).filter(|e| !e.is_null() && **e != json!(false));
    json!({
        "choices": choices.map_or(0, Vec::len),
        "choice": choice,
        "usage": usage,
        "error": error,
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        "\\PC{0,8}|[\"\\\\\n/a]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{0,6}", inner), 0..4)
                .prop_map(|members| { Value::Object(members.into_iter().collect::<Map<_, _>>()) }),
        ]
    })
}

fn text() -> impl Strategy<Value = Value> {
    let text = "\\PC{0,10}|[\"\\\\\n\u{1f}é😀a]{0,10}";
    prop_oneof![1 => Just(Value::Null), 4 => text.prop_map(Value::from)]
}

fn count() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => any::<u16>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => (-1.0e9..1.0e9).prop_map(Value::from),
        1 => any_json(),
    ]
}

/// An object with some of these members, and some that nobody asked for, in any order.
fn object(
    members: Vec<(&'static str, proptest::strategy::BoxedStrategy<Value>)>,
) -> impl Strategy<Value = Value> {
    let known = members.into_iter().map(|(name, value)| {
        prop::option::of(value).prop_map(move |value| Some((name.to_owned(), value?)))
    });
    let known: Vec<_> = known.collect();
    let extra = prop::collection::vec(("x[a-z]{0,5}", any_json()), 0..3);
    (known, extra)
        .prop_map(|(known, extra)| known.into_iter().flatten().chain(extra).collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn event() -> impl Strategy<Value = Value> {
    let call = object(vec![(
        "function",
        object(vec![
            ("name", text().boxed()),
            ("arguments", text().boxed()),
        ])
        .boxed(),
    )]);
    let calls = prop::collection::vec(call, 0..3).prop_map(Value::from);
    let delta = object(vec![
        ("role", text().boxed()),
        ("content", text().boxed()),
        ("reasoning", text().boxed()),
        ("reasoning_content", text().boxed()),
        ("thinking", text().boxed()),
        ("refusal", text().boxed()),
        ("tool_calls", calls.boxed()),
    ]);
    let list = || {
        prop::collection::vec(any_json(), 0..4)
            .prop_map(Value::from)
            .boxed()
    };
    let choice = object(vec![
        (
            "index",
            prop_oneof![3 => Just(json!(0)), 1 => Just(json!(1)), 1 => any_json()].boxed(),
        ),
        ("delta", delta.boxed()),
        ("finish_reason", text().boxed()),
        ("token_ids", list()),
        ("logprobs", object(vec![("content", list())]).boxed()),
    ]);
    let choices = prop::collection::vec(choice, 0..3).prop_map(Value::from);
    let details = |name| object(vec![(name, count().boxed())]).boxed();
    let usage = object(vec![
        ("prompt_tokens", count().boxed()),
        ("completion_tokens", count().boxed()),
        ("prompt_tokens_details", details("cached_tokens")),
        ("completion_tokens_details", details("reasoning_tokens")),
    ]);
    object(vec![
        ("object", Just(json!("chat.completion.chunk")).boxed()),
        (
            "choices",
            prop_oneof![6 => choices, 1 => any_json()].boxed(),
        ),
        ("usage", prop_oneof![3 => usage, 1 => any_json()].boxed()),
        ("error", any_json().boxed()),
    ])
}

proptest! {
    #[test]
    fn the_scan_agrees_with_serde_json(event in event(), pretty in any::<bool>()) {
        let document = if pretty {
            serde_json::to_string_pretty(&event)
        } else {
            serde_json::to_string(&event)
        };
        let document = document.expect("values serialise").into_bytes();
        let facts = scan(&document, Shape::Event).expect("the event is valid");
        assert_eq!(found(&document, &facts), expected(&event));
    }
}

#[test]
fn text_where_the_dialect_has_none_is_an_error() {
    for document in [
        r#"{"choices":[{"delta":{"content":{"a":1}}}]}"#,
        r#"{"choices":[{"text":7}]}"#,
        r#"{"choices":[{"delta":{"reasoning":{}}}]}"#,
        r#"[]"#,
        r#""text""#,
        r#"{"choices":[]} x"#,
    ] {
        assert!(
            scan(document.as_bytes(), Shape::Event).is_err(),
            "{document}"
        );
    }
}

#[test]
fn older_error_objects_are_errors() {
    let document = br#" {"object":"error","message":"no"} "#;
    let facts = scan(document, Shape::Event).expect("valid");
    let span = facts.error.expect("an error");
    assert_eq!(span.of(document), br#"{"object":"error","message":"no"}"#);
    for document in [r#"{"error":null}"#, r#"{"error":false}"#] {
        let facts = scan(document.as_bytes(), Shape::Event).expect("valid");
        assert_eq!(facts.error, None);
    }
}

#[test]
fn an_empty_member_is_no_time_of_the_servers() {
    let check = |member: &str, expect: bool| {
        let document =
            format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"a"}}}}],{member}}}"#);
        let facts = scan(document.as_bytes(), Shape::Event).expect("JSON");
        assert_eq!(facts.times.is_some(), expect, "{member}");
    };
    check(r#""metrics":null"#, false);
    check(r#""timings":[]"#, false);
    check(r#""metrics":{"queue_time_ms":1}"#, true);
    check(r#""timings": {"prompt_ms":1}"#, true);
}
