//! Per-request arrays of the vLLM family: `ttfts`, `itls`, `input_lens`, `output_lens`, `errors`
//! in the order of requests, failed ones included.
//!
//! Arrays of unequal length cannot be lined up: they are reported, and no request is made of them.

use crate::facts::{Facts, Request};
use crate::json::{as_number, is_not_finite, key_of, list, number, numbers};
use serde_json::Value;

/// Names that differ between the members of the family.
pub(super) struct Arrays {
    /// Array of end-to-end latencies, seconds.
    pub(super) end_to_end: &'static str,
    /// Array of send instants, seconds.
    pub(super) starts: &'static str,
}

/// Makes the requests of the detailed arrays.
pub(super) fn requests(facts: &mut Facts, value: &Value, names: &Arrays) {
    let lengths: Vec<(&str, usize)> = [
        "ttfts",
        "itls",
        "output_lens",
        "input_lens",
        "errors",
        names.starts,
    ]
    .into_iter()
    .filter_map(|name| Some((name, list(value, name)?.len())))
    .filter(|(_, length)| *length > 0)
    .collect();
    let detailed = lengths
        .iter()
        .any(|(name, _)| matches!(*name, "ttfts" | "itls"));
    let Some((_, n)) = lengths.first().copied().filter(|_| detailed) else {
        return;
    };
    let differing = lengths.iter().filter(|(_, length)| *length != n);
    let differing: Vec<String> = differing.map(|(name, m)| format!("{name} {m}")).collect();
    if !differing.is_empty() {
        let first = lengths.first().map_or("", |(name, _)| name);
        facts
            .unequal
            .push(format!("{first} {n}, {}", differing.join(", ")));
        return;
    }
    // Failed requests are among the others, with zeros; only `errors` tells them apart.
    let outcomes = lengths.iter().any(|(name, _)| *name == "errors");
    if !outcomes && number(value, "failed") != Some(0.0) {
        return;
    }
    facts.requests = (0..n).map(|i| request(value, names, i, n)).collect();
    let of_numbers = [
        "ttfts",
        "itls",
        "output_lens",
        "input_lens",
        names.end_to_end,
        names.starts,
    ];
    let elements = of_numbers.iter().filter_map(|name| list(value, name));
    facts.no_numbers = elements.flatten().map(no_numbers).sum();
}

/// Elements that are no numbers, in the lists of a list, too. Null is absence, and what is not finite is counted
/// elsewhere.
fn no_numbers(element: &Value) -> u64 {
    match element {
        Value::Null => 0,
        Value::Array(list) => list.iter().map(no_numbers).sum(),
        Value::String(text) if is_not_finite(text) => 0,
        other => u64::from(as_number(other).is_none()),
    }
}

fn request(value: &Value, names: &Arrays, i: usize, n: usize) -> Request {
    let element = |name: &str| list(value, name).filter(|l| l.len() == n)?.get(i);
    let in_ms = |name: &str| Some(element(name).and_then(as_number)? * 1e3);
    let error = element("errors").and_then(Value::as_str);
    let failed = error.is_some_and(|e| !e.is_empty());
    let gaps = element("itls").and_then(numbers);
    let answer = element("generated_texts").and_then(Value::as_str);
    Request {
        start_s: element(names.starts).and_then(as_number),
        ttft_ms: in_ms("ttfts"),
        tpot_ms: None,
        e2e_ms: in_ms(names.end_to_end),
        gaps_ms: gaps.map(|gaps| gaps.iter().map(|g| g * 1e3).collect()),
        input_tokens: element("input_lens").and_then(as_number),
        output_tokens: element("output_lens").and_then(as_number),
        failed,
        prompt_key: None,
        answer_key: answer.filter(|a| !a.is_empty()).map(key_of),
    }
}
