//! A value as a YAML document for people to read and change: blocks, plain words, texts of several lines as such.
//!
//! It reads nothing. Invariant: a reader of YAML 1.1 or 1.2 has the value back; a text is never taken for a number, a
//! switch or a date.

use serde_json::Value;

/// What a reader may take for something else, in any case of letters.
const WORDS: [&str; 12] = [
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan", "infinity",
];
/// Spaces of a level.
const STEP: usize = 2;

/// A document, with its last line's end.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    match is_block(value) {
        true => block(&mut text, value, 0),
        false => text.push_str(&format!("{}\n", inline(value))),
    }
    text
}

/// A list or a map with something in it.
fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    }
}

fn block(text: &mut String, value: &Value, indent: usize) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                text.push_str(&format!("{pad}{}:", scalar(name)));
                member(text, value, indent + STEP);
            }
        }
        Value::Array(list) => {
            for value in list {
                text.push_str(&format!("{pad}-"));
                item(text, value, indent + STEP);
            }
        }
        _ => {}
    }
}

/// What stands behind a name.
fn member(text: &mut String, value: &Value, indent: usize) {
    match value {
        value if is_block(value) => {
            text.push('\n');
            block(text, value, indent);
        }
        Value::String(lines) if is_lines(lines) => {
            text.push_str(" |\n");
            for line in lines.lines() {
                match line {
                    "" => text.push('\n'),
                    line => text.push_str(&format!("{}{line}\n", " ".repeat(indent))),
                }
            }
        }
        value => text.push_str(&format!(" {}\n", inline(value))),
    }
}

/// What stands behind a dash: the first line of a block goes on in the same line.
fn item(text: &mut String, value: &Value, indent: usize) {
    match is_block(value) {
        true => {
            let mut inner = String::new();
            block(&mut inner, value, indent);
            text.push_str(&format!(" {}", inner.trim_start_matches(' ')));
        }
        false => text.push_str(&format!(" {}\n", inline(value))),
    }
}

/// Text of whole lines that can stand as it is: no reader folds, trims or refuses any of it.
fn is_lines(text: &str) -> bool {
    let is_shown = |c: char| {
        let breaks = ['\u{2028}', '\u{2029}', '\u{feff}', '\u{fffe}', '\u{ffff}'];
        c == '\n' || !(c.is_control() || breaks.contains(&c))
    };
    let flush = !text.starts_with([' ', '\n']) && !text.contains(" \n");
    flush && text.ends_with('\n') && !text.ends_with("\n\n") && text.chars().all(is_shown)
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        // Empty lists and maps, numbers, switches and null are written as in JSON.
        value => value.to_string(),
    }
}

/// A text: as it is where nobody can take it for anything else, otherwise in quotes.
fn scalar(text: &str) -> String {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    let is_word = WORDS.contains(&text.to_ascii_lowercase().as_str());
    match first && !is_word && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("\"{}\"", text.chars().map(escaped).collect::<String>()),
    }
}

fn escaped(c: char) -> String {
    match c {
        '"' | '\\' => format!("\\{c}"),
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        ' '..='~' => c.to_string(),
        c if u32::from(c) <= 0xff => format!("\\x{:02X}", u32::from(c)),
        c if u32::from(c) <= 0xffff => format!("\\u{:04X}", u32::from(c)),
        c => format!("\\U{:08X}", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, json};

    /// Texts that readers like to misread, and any other.
    fn texts() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ a-z:#'\"\\-?*&!|>%@`{}\\[\\],=~0-9.\n\t]{0,12}",
            "(yes|No|ON|null|~|1e3|0x1F|0o7|012|1:30|2026-01-01|\\.inf|\\.NaN|-|---|\\.\\.\\.|=|<<)",
            "([ -~]{0,20}\n){0,4}",
            "\\PC{0,12}",
            ".{0,8}",
        ]
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            texts().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..4);
            let map = prop::collection::vec((texts(), inner), 0..4);
            prop_oneof![
                list.prop_map(Value::from),
                map.prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in values()) {
            let text = document(&value);
            let back: Value = serde_saphyr::from_str(&text).map_err(|e| {
                TestCaseError::fail(format!("{e}: {text}"))
            })?;
            prop_assert_eq!(back, value, "{}", text);
        }
    }

    #[test]
    fn a_document() {
        let value = json!({
            "kind": "Job", "count": 8, "none": {}, "memory": "1Gi", "cpu": "2", "answer": "no",
            "args": ["run", "--rate=4", {"a": 1, "b": ["x"]}, [1, 2]],
            "plan.toml": "rate = 4\n\nslo = [\"a\"]\n", "two": "a\nb",
        });
        insta::assert_snapshot!(document(&value), @r#"
        kind: Job
        count: 8
        none: {}
        memory: "1Gi"
        cpu: "2"
        answer: "no"
        args:
          - run
          - "--rate=4"
          - a: 1
            b:
              - x
          - - 1
            - 2
        plan.toml: |
          rate = 4

          slo = ["a"]
        two: "a\nb"
        "#);
    }
}
