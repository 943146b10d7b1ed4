//! Values of a table of keys as the words of a command line.
//!
//! What is as it would be anyway is left out, and so is what only shows a result. Invariant: a shell that reads the
//! line gives the other values back.

use super::{Form, Key, Keyed};
use serde_json::Value;

/// The flags that ask for `values`, quoted for a shell.
pub fn line<K: Keyed>(values: &K) -> String {
    let Ok(Value::Object(values)) = serde_json::to_value(values) else {
        return String::new();
    };
    let keys = K::KEYS.iter().filter(|key| !key.showing);
    let given = keys.filter_map(|key| Some((key, values.get(key.name)?)));
    let given = given.filter(|(key, value)| **value != (key.default)());
    let words: Vec<String> = given.flat_map(|(key, value)| words(key, value)).collect();
    words.join(" ")
}

fn words(key: &Key, value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().flat_map(|value| words(key, value)).collect(),
        Value::Bool(true) => vec![key.written()],
        Value::Null | Value::Bool(false) => Vec::new(),
        value => vec![word(key, &text(value))],
    }
}

fn word(key: &Key, text: &str) -> String {
    let apart = key.bare.is_empty() && !text.starts_with('-');
    match key.form {
        Form::Positional | Form::Required => quoted(text),
        Form::Flag | Form::RequiredFlag | Form::Joined if apart => {
            format!("--{} {}", key.name, quoted(text))
        }
        Form::Flag | Form::RequiredFlag | Form::Joined => {
            format!("--{}={}", key.name, quoted(text))
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // A whole number without its `.0`.
        Value::Number(number) if number.is_f64() => {
            number.as_f64().map_or_else(String::new, |n| n.to_string())
        }
        value => value.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::units::Span;

    #[test]
    fn a_plan_as_a_line() {
        let mut plan = Plan::defaults();
        assert_eq!(line(&plan), "");
        plan.target = "mock:fixed?ttft=20ms&itl=5ms".to_owned();
        plan.rate = Some(2.5);
        plan.duration = Some(Span::seconds(60));
        plan.slo = vec![
            "ttft.p99<500ms".parse().expect("an objective"),
            "itl.p99<50ms".parse().expect("an objective"),
        ];
        plan.label = Some("it's one".to_owned());
        plan.no_stream = true;
        plan.json = true;
        let found = line(&plan);
        for words in [
            "'mock:fixed?ttft=20ms&itl=5ms' --rate 2.5 --duration 1m",
            "--slo 'ttft.p99<500ms' --slo 'itl.p99<50ms'",
            r"--label 'it'\''s one'",
            "--no-stream",
        ] {
            assert!(found.contains(words), "{words} in {found}");
        }
        assert!(
            !found.contains("--json") && !found.contains("--seed"),
            "{found}"
        );
    }
}
