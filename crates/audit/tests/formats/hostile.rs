//! Damaged and hostile files: an answer or an error, never a panic, never NaN.

use super::checks;
use super::samples::SAMPLES;
use infermeter_audit::import::read;
use proptest::prelude::*;
use serde_json::Value;

/// What a number may turn into.
const ODD: [&str; 10] = [
    "null",
    "NaN",
    "Infinity",
    "-Infinity",
    "1e308",
    "-1",
    "0",
    "\"x\"",
    "[]",
    "{}",
];

fn nothing_is_nan(bytes: &[u8]) {
    let Ok(results) = read(bytes) else {
        return;
    };
    for outcome in checks(results) {
        for text in outcome.evidence.iter().chain(&outcome.missing) {
            let words = text.split(|c: char| !c.is_ascii_alphanumeric());
            let odd = words.filter(|word| matches!(*word, "NaN" | "inf" | "Infinity"));
            assert_eq!(odd.count(), 0, "{}: {text}", outcome.code);
        }
    }
}

#[test]
fn a_truncated_file_is_refused_or_read_as_far_as_it_goes() {
    for (text, format) in SAMPLES {
        let whole = text.trim_end();
        let is_json = whole.starts_with(['{', '[']) && whole.lines().count() == 1;
        let step = (whole.len() / 97).max(1);
        for cut in (0..whole.len()).step_by(step) {
            let Some(part) = whole.get(..cut) else {
                continue;
            };
            nothing_is_nan(part.as_bytes());
            if let (true, Ok(read)) = (is_json, read(part.as_bytes())) {
                panic!(
                    "{} cut at {cut} gave {} results",
                    format.label(),
                    read.len()
                );
            }
        }
    }
}

/// Begins and ends of the numbers of a text; of JSON those outside of strings.
fn numbers(text: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let of_number = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
    let mut out = Vec::new();
    let is_json = text.starts_with(['{', '[']);
    let (mut at, mut quoted) = (0, false);
    while at < bytes.len() {
        quoted ^= is_json && bytes[at] == b'"' && (at == 0 || bytes[at - 1] != b'\\');
        let begins =
            bytes[at].is_ascii_digit() && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric());
        if !begins || quoted {
            at += 1;
            continue;
        }
        let length = bytes[at..].iter().position(|b| !of_number(*b));
        let end = length.map_or(bytes.len(), |n| at + n);
        out.push((at, end));
        at = end;
    }
    out
}

#[test]
fn every_number_may_be_odd() {
    let mut tried = 0;
    for (text, _) in SAMPLES {
        // Of long samples some: their fields are many times the same.
        let step = 1 + text.len() / 6000;
        for (i, (from, to)) in numbers(text).into_iter().enumerate().step_by(step) {
            // Two each; neighbours get others, so that all meet every kind of field.
            for odd in [ODD[i % ODD.len()], ODD[(i * 3 + 5) % ODD.len()]] {
                let changed = format!("{}{odd}{}", &text[..from], &text[to..]);
                nothing_is_nan(changed.as_bytes());
                tried += 1;
            }
        }
    }
    assert!(tried > 2000, "{tried}");
}

#[test]
fn all_numbers_may_be_odd() {
    for (text, _) in SAMPLES {
        for odd in ODD
            .iter()
            .chain(&["1e-320", "1e150", "-1e150", "18446744073709551616"])
        {
            let mut changed = String::new();
            let mut last = 0;
            for (from, to) in numbers(text) {
                changed.push_str(&text[last..from]);
                changed.push_str(odd);
                last = to;
            }
            changed.push_str(&text[last..]);
            nothing_is_nan(changed.as_bytes());
        }
    }
}

/// Every list of a document without its last element, one list at a time.
fn shortened(value: &Value) -> Vec<Value> {
    fn lists(value: &mut Value, nth: &mut usize) -> bool {
        match value {
            Value::Array(list) => {
                if *nth == 0 {
                    list.pop();
                    return true;
                }
                *nth -= 1;
                list.iter_mut().any(|v| lists(v, nth))
            }
            Value::Object(map) => map.values_mut().any(|v| lists(v, nth)),
            _ => false,
        }
    }
    let less = |n: usize| {
        let mut copy = value.clone();
        let mut nth = n;
        lists(&mut copy, &mut nth).then_some(copy)
    };
    (0..500).map_while(less).collect()
}

#[test]
fn lists_may_be_of_unequal_length() {
    let mut tried = 0;
    for (text, _) in SAMPLES {
        let Ok(value) = serde_json::from_str::<Value>(text) else {
            continue;
        };
        for less in shortened(&value) {
            nothing_is_nan(less.to_string().as_bytes());
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried}");
}

#[test]
fn nested_without_end() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        assert!(read(deep.as_bytes()).is_err());
        let inside = format!("{{\"benchmarks\": [{{\"metrics\": {deep}}}]}}");
        assert!(read(inside.as_bytes()).is_err());
    }
    let cells = ",".repeat(1_000_000);
    assert!(read(format!("Metric,avg\n{cells}").as_bytes()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_sample_panics(
        sample in 0..SAMPLES.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut bytes = SAMPLES[sample].0.as_bytes().to_vec();
        for (index, byte) in edits {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        nothing_is_nan(&bytes);
    }

    #[test]
    fn no_odd_number_panics(
        sample in 0..SAMPLES.len(),
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0..ODD.len()), 1..12),
    ) {
        let text = SAMPLES[sample].0;
        let between = ["\":", ","].into_iter().find(|b| text.contains(b)).unwrap_or(":");
        let mut parts: Vec<String> = text.split(between).map(str::to_owned).collect();
        for (index, odd) in picks {
            let at = index.index(parts.len() - 1) + 1;
            let rest = parts[at].find([',', '}', '\n']).map_or("", |i| &parts[at][i..]).to_owned();
            parts[at] = format!("{}{rest}", ODD[odd]);
        }
        nothing_is_nan(parts.join(between).as_bytes());
    }
}
