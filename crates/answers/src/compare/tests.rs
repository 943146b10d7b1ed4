//! Where texts part, and how sure the server was there.

use super::*;
use serde_json::json;

#[test]
fn texts_part_at_characters() {
    let cases = [
        ("", "", None),
        ("same", "same", None),
        ("same", "some", Some(1)),
        ("same", "same and more", Some(4)),
        ("", "text", Some(0)),
        // Both begin with the same byte.
        ("é", "è", Some(0)),
        ("aé!", "aé?", Some(2)),
        ("你好吗", "你好呀", Some(2)),
    ];
    for (a, b, common) in cases {
        assert_eq!(first_difference(a, b), common, "{a:?} {b:?}");
        assert_eq!(first_difference(b, a), common, "{b:?} {a:?}");
    }
}

/// A token, how likely it was, and the likeliest at its place.
type Token<'a> = (&'a str, f64, &'a [(&'a str, f64)]);

fn chat(tokens: &[Token<'_>]) -> Value {
    let entries = tokens.iter().map(|(token, logprob, top)| {
        let top: Vec<Value> = top
            .iter()
            .map(|(t, l)| json!({"token": t, "logprob": l}))
            .collect();
        json!({"token": token, "logprob": logprob, "top_logprobs": top})
    });
    json!({"choices": [{"logprobs": {"content": entries.collect::<Vec<_>>()}}]})
}

#[test]
fn margins_of_chat_are_those_of_the_token_at_a_place() {
    let answer = chat(&[
        ("The", -0.1, &[("The", -0.1), ("A", -2.6)]),
        (" sky", -0.6, &[(" sky", -0.6), (" sea", -0.85)]),
        (" is", -0.2, &[(" is", -0.2)]),
    ]);
    let margins = Margins::of(&answer, "The sky is").expect("margins");
    let at: Vec<Option<u32>> = [0, 2, 3, 6, 7, 9].map(|chars| margins.at(chars)).to_vec();
    assert_eq!(
        at,
        [Some(2500), Some(2500), Some(250), Some(250), None, None]
    );
}

#[test]
fn what_was_thought_before_and_the_end_do_not_shift_the_places() {
    let answer = chat(&[
        ("Yes", -0.1, &[("No", -9.0)]),
        ("</think>", -0.1, &[("x", -5.0)]),
        ("\n\nYes", -0.3, &[("No", -0.4)]),
        (" é", -0.3, &[("No", -1.3)]),
        ("<|end|>", 0.0, &[("x", -9999.0)]),
    ]);
    let margins = Margins::of(&answer, "Yes é").expect("margins");
    assert_eq!(margins.at(0), Some(100));
    assert_eq!(margins.at(2), Some(100));
    assert_eq!(margins.at(3), Some(1000));
    assert_eq!(margins.at(4), Some(1000));
    assert_eq!(Margins::of(&answer, "No"), None, "not these tokens");
    assert_eq!(Margins::of(&answer, ""), None);
    assert_eq!(
        Margins::of(&json!({"choices": [{"logprobs": null}]}), "Yes"),
        None
    );
}

#[test]
fn a_character_of_two_tokens_belongs_to_the_first() {
    let entry = |bytes: &[u8], other: f64| {
        json!({"token": "\u{fffd}", "bytes": bytes, "logprob": 0.0,
            "top_logprobs": [{"token": "z", "bytes": [122], "logprob": other}]})
    };
    let content = [
        entry(&[0xe4, 0xbd], -1.0),
        entry(&[0xa0], -2.0),
        entry(b"!", -3.0),
    ];
    let answer = json!({"choices": [{"logprobs": {"content": content}}]});
    let margins = Margins::of(&answer, "你!").expect("margins");
    // The last token that begins before the character behind 0 or 1 others.
    assert_eq!(margins.at(0), Some(1000));
    assert_eq!(margins.at(1), Some(3000));
}

#[test]
fn margins_of_completions_are_read_from_three_lists() {
    let answer = json!({"choices": [{"text": "ab", "logprobs": {
        "tokens": ["a", "b"], "token_logprobs": [-0.5, -0.25],
        "top_logprobs": [null, {"b": -0.25, "c": -1.0, "d": -3.0}]}}]});
    let margins = Margins::of(&answer, "ab").expect("margins");
    assert_eq!((margins.at(0), margins.at(1)), (None, Some(750)));
}

proptest::proptest! {
    #[test]
    fn a_difference_is_where_characters_differ(a in "[aéè你]{0,12}", b in "[aéè你]{0,12}") {
        let expected = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count() as u32;
        let expected = (a != b).then_some(expected);
        proptest::prop_assert_eq!(first_difference(&a, &b), expected);
    }
}
